"""Pipelines: steps in a row, drawn from keys, and applied to samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from .. import checks
from ..checks import Interpolation
from ..keys import Key, RandomStream, fresh_number
from ..transforms.crop import Crop
from ..transforms.flip import names_left_and_right
from ..transforms.group import signature_of_init
from ..transforms.label_pyramid import LabelPyramid, check_pyramid_is_last
from ..transforms.warps import check_warps
from ..warping.engine.borders import Mode
from ..warping.fusion import grid_of
from ..warping.geometry.bspline import Floats
from .drawing import drawn_steps, labeled, unknown_targets, warn_of_folding, warn_of_sides
from .record import Record, Sample
from .stored import StoredPipeline
from .targets import (
    Kind,
    Swap,
    Target,
    as_channels,
    as_swap,
    as_targets,
    channels_of,
    common_grid,
    kinds_of,
    target_table,
)


@signature_of_init
@dataclass(frozen=True, repr=False)
class Compose(StoredPipeline):
    """A pipeline: transforms applied one after the other to the targets of a sample.

    Consecutive spatial steps become one warp, and resample once: affine steps are composed exactly,
    in the order listed; elastic displacements are added, in the grid of the output; of a crop, only
    that part is computed. A step that changes values, if it is applied between two spatial steps,
    splits them into two warps: the image is then interpolated twice.

    Parameters
    ----------
    transforms : list of transforms
        Steps and groups: `OneOf`, or a `Compose` for which only `p` and `name` are given.
    seed : int, optional
        Seed of all draws, 0 to 2^64 - 1; calls then need an `index`. Default: a new one each time.
    targets : mapping from names to {"image", "label", "points", "boxes"}, optional
        Names in addition to these four, and their kinds, such as ``{"t2": "image"}``.
    interpolation, mode : mapping from names to str, optional
        For images and labels, as in `affine_transform`. Default: "linear" for images, "label" (that
        with the largest sum of trilinear weights) for labels, and "constant" for all.
    cval : mapping from names to numbers, optional
        Value outside of the volume, one number or one per channel. Default: 0.
    swap : set of (int, int), or mapping from names to them, optional
        Pairs of labels that exchange their numbers in a draw that mirrors left and right, such as
        ``{(17, 53)}`` for left and right hippocampus. By the name of points or boxes, pairs of
        rows: ``{"label": {(17, 53)}, "points": {(0, 1)}}``. ``set()`` means that no label has
        a side. A draw mirrors left and right if it turns a right hand into a left one and, where
        `affine` is given, reverses the direction from left to right.
    p : float, default 1.0
        Probability that the pipeline is applied at all, 0 to 1.
    name : str, optional
        Name, from which its random numbers derive. Default: the class name.

    Raises
    ------
    TypeError
        If `transforms` is not a list of transforms, or an option has another type than above.
    ValueError
        If an option names no target or has an unknown value; if an inner `Compose` has options; if
        a step follows a `LabelPyramid`; if the numbers of control points of steps that are combined
        do not fit (see `RandomElastic`), or they scale and shear too strongly to be undone.

    See Also
    --------
    OneOf : Apply one of several transforms.
    Stream : Augmented batches for training.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomFlip(0), volaug.RandomAffine(p=1.0)], seed=7)
    >>> sample = pipeline(image=np.zeros((16, 18, 16)), spacing=(1, 1, 2), epoch=3, index=17)
    >>> sample["image"].shape, sample.record.key
    ((16, 18, 16), Key(seed=7, epoch=3, index=17, occurrence=0))
    """

    seed: int | None = field(default=None, kw_only=True)
    targets: Mapping[str, Kind] = field(default_factory=dict, kw_only=True)
    interpolation: Mapping[str, Interpolation] = field(default_factory=dict, kw_only=True)
    mode: Mapping[str, Mode] = field(default_factory=dict, kw_only=True)
    cval: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    swap: Swap = field(default=None, kw_only=True)

    _key_seed: int = field(init=False, compare=False)
    _table: dict[str, Target] = field(init=False, compare=False)
    _kinds: dict[str, str] = field(init=False, compare=False)
    _labels: tuple[Any, ...] = field(init=False, compare=False)
    _has_warned: bool = field(init=False, compare=False)
    _warns_of_sides: bool = field(init=False, compare=False)
    _unknown: str = field(init=False, compare=False)  # what is wrong with its targets

    def check(self) -> None:
        """Check that only the outermost has options, and derive what draws need."""
        super().check()
        for group in self.inner_groups():
            if isinstance(group, Compose) and group._has_options():
                raise ValueError(
                    "a Compose within another has no seed, targets, interpolation, mode, cval or "
                    f"swap of its own, got {group!r}"
                )
        check_pyramid_is_last([*self.steps()], LabelPyramid)
        check_warps(self)
        object.__setattr__(self, "swap", as_swap(self.swap))
        table = target_table(self.targets, self.interpolation, self.mode, self.cval, self.swap)
        # within another pipeline, names may be those of its targets
        unknown = unknown_targets(self, table)
        if unknown and self._has_options():
            raise ValueError(unknown)
        # a pickled pipeline keeps the seed that it got here
        seed = fresh_number() if self.seed is None else checks.as_seed("seed", self.seed)
        self._derive(
            _key_seed=seed,
            _table=table,
            _kinds=kinds_of(table),
            _labels=labeled(self),
            _unknown=unknown,
        )
        mirrors = any(names_left_and_right(step) for step in self.steps())
        self._derive(_has_warned=False, _warns_of_sides=mirrors)

    def _has_options(self) -> bool:
        options = (self.targets, self.interpolation, self.mode, self.cval)
        return self.seed is not None or self.swap is not None or any(options)

    def chosen(self, stream: RandomStream) -> Sequence[int]:
        """Return all positions, in order."""
        return range(len(self.transforms))

    def draw(
        self,
        shape: tuple[int, int, int],
        *,
        spacing: npt.ArrayLike | None = None,
        affine: npt.ArrayLike | None = None,
        channels: int | Mapping[str, int] = 1,
        epoch: int = 0,
        index: int | None = None,
        occurrence: int = 0,
    ) -> Record:
        """Draw what to do to a sample, without reading a voxel.

        Parameters
        ----------
        shape : (3,) ints
            Shape of the images and labels, without channels.
        spacing : (3,) array_like, optional
            Voxel size in mm. Steps then work in mm, and otherwise in voxels.
        affine : (4, 4) array_like, optional
            Matrix from voxels to mm, in place of `spacing`: that of a NIfTI file.
        channels : int, or mapping from names of images to ints
            Number of channels, for steps with ``per_channel=True``. With a mapping, every channel
            of every image has its own draw. With an int, channel 0 of all images shares one draw,
            channel 1 another, and so on.
        epoch, index, occurrence : int
            Number of the pass over the data, number of the sample, and how often the sample came
            before in this pass. With the seed they are the key: the same key gives the same draw.
            Without a seed and an index, every call gives a new draw.

        Returns
        -------
        Record
            What was drawn.

        Raises
        ------
        TypeError
            If an argument has another type than listed under Parameters.
        ValueError
            If a value is out of range, `spacing` and `affine` are both given, or the pipeline has a
            seed and `index` is not given.
        """
        shape = checks.as_shape("shape", shape)
        given_spacing, given_affine = checks.as_voxel_size(spacing, affine)
        if index is None and self.seed is not None:
            raise ValueError(
                "index must be given, as the pipeline has a seed: which sample this is, so that "
                "the same key gives the same draw"
            )
        index = fresh_number() if index is None else index
        key = Key(self._key_seed, epoch, index, occurrence)
        return self.draw_for(
            key, shape, given_spacing, given_affine, as_channels(channels, self._table)
        )

    def draw_for(
        self,
        key: Key,
        shape: tuple[int, int, int],
        spacing: tuple[float, float, float] | None,
        affine: Floats | None,
        channels: int | Mapping[str, int],
        window: Crop | None = None,
        targets: Mapping[str, Target] | None = None,
    ) -> Record:
        """Do what `draw` does, for checked arguments.

        `window` is what the steps are applied to, and `targets` are the record's.
        """
        if self._unknown:
            raise ValueError(self._unknown)
        targets = self._table if targets is None else targets
        grid = grid_of(shape, spacing, affine)._replace(channels=channels)
        kinds = self._kinds if targets is self._table else kinds_of(targets)
        steps = drawn_steps(self, self._labels, key, grid, kinds, window)
        record = Record(key, shape, spacing, affine, targets, steps)
        if not self._has_warned and min(record.elastic_factors) < 1.0:
            self._derive(_has_warned=True)
            warn_of_folding(record)
        return record

    def warn_of_sides(self, given: Mapping[str, Target]) -> None:
        """Warn once if the pipeline mirrors left and right, and nothing says which labels swap."""
        if not self._warns_of_sides:
            return
        labels = [n for n, t in given.items() if t.kind == "label" and t.swap is None]
        if labels:
            self._derive(_warns_of_sides=False)
            warn_of_sides(labels)

    @property
    def table(self) -> dict[str, Target]:
        """All targets by name: the four of each pipeline, and its own."""
        return self._table

    def __call__(
        self,
        *positions: Any,
        spacing: npt.ArrayLike | None = None,
        affine: npt.ArrayLike | None = None,
        epoch: int = 0,
        index: int | None = None,
        occurrence: int = 0,
        out: Mapping[str, Any] | None = None,
        threads: int | None = None,
        **targets: npt.ArrayLike,
    ) -> Sample:
        """Draw, and apply the draw to the targets of a sample.

        Parameters
        ----------
        spacing, affine, epoch, index, occurrence : optional
            As in `draw`.
        out, threads : optional
            As in `Record.apply`.
        **targets
            Arrays by name, as in `Record.apply`; at least one image or label.

        Returns
        -------
        Sample
            The augmented targets by name, with their `record`.

        Raises
        ------
        TypeError, ValueError
            Before any work, if `draw` or `Record.apply` refuses an argument.
        """
        checks.refuse_positions("a pipeline", positions)
        volumes, coordinates = as_targets(self._table, targets)
        self.warn_of_sides({name: self._table[name] for name in volumes})
        record = self.draw(
            common_grid(volumes), spacing=spacing, affine=affine,
            channels=channels_of(volumes, self._table) or 1,
            epoch=epoch, index=index, occurrence=occurrence,
        )  # fmt: skip
        return record.apply_checked(volumes, coordinates, out, threads)
