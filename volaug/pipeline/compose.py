"""Pipelines: steps in a row, draws from keys, and what is done with a sample."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from .. import checks
from ..checks import Interpolation
from ..keys import Key, RandomStream, fresh_number
from ..serialization import (
    arguments,
    check_format,
    check_names,
    parse_file,
    parse_toml,
    reject_deep_nesting,
    to_plain,
)
from ..transforms.base import Operation
from ..transforms.crop import Crop
from ..transforms.group import Group
from ..transforms.label_pyramid import LabelPyramid, check_pyramid_is_last
from ..transforms.registry import TRANSFORMS, transform_from
from ..transforms.warps import check_warps
from ..warping.engine.borders import Mode
from ..warping.fusion import grid_of
from ..warping.geometry.bspline import Floats
from .drawing import draw_steps, labeled, warn_of_folding
from .record import Record, Sample
from .targets import Kind, Target, as_channels, as_targets, channels_of, common_grid, target_table

FORMAT, VERSION = "volaug.pipeline", 1


@dataclass(frozen=True, repr=False)
class Compose(Group):
    """A pipeline: transforms one after the other, for the targets of a sample.

    Spatial steps that follow one another are composed into one warp and resampled once:
    affine ones exactly, in the order listed; elastic displacements add up and act in the grid of
    the output, wherever they are listed; a crop is the window that is computed. A step of
    another kind between two of them, if it is drawn, parts them into two warps.

    Parameters
    ----------
    transforms : list of transforms
        Also groups: a `OneOf`, or another `Compose` that has nothing but transforms, `p` and
        `name`.
    seed : int, optional
        0 to 2^64 - 1. From the operating system by default.
    targets : mapping from names to {"image", "label", "points", "boxes"}, optional
        Names beside these four, such as ``{"t2": "image"}``.
    interpolation, mode : mapping from names to str, optional
        Of images and labels, as in `affine_transform`. By default images are "linear" and labels
        "label" (the vote of trilinear weights), and all "constant".
    cval : mapping from names to numbers, optional
        What lies outside, one number or one a channel; 0 by default.
    p : float
        How likely any of it happens.
    name : str, optional
        See `Transform`.

    Raises
    ------
    TypeError, ValueError
        Saying what was wanted and what was given.

    Examples
    --------
    >>> pipeline = Compose([RandomFlip(axes=0), RandomAffine(p=1.0)], seed=7)
    >>> record = pipeline.draw((182, 218, 182), spacing=(1.0, 1.0, 1.0), epoch=3, index=17)
    >>> record.warp.shape
    (182, 218, 182)
    """

    seed: int | None = field(default=None, kw_only=True)
    targets: Mapping[str, Kind] = field(default_factory=dict, kw_only=True)
    interpolation: Mapping[str, Interpolation] = field(default_factory=dict, kw_only=True)
    mode: Mapping[str, Mode] = field(default_factory=dict, kw_only=True)
    cval: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    _key_seed: int = field(init=False, compare=False)
    _table: dict[str, Target] = field(init=False, compare=False)
    _labels: tuple[Any, ...] = field(init=False, compare=False)
    _has_warned: bool = field(init=False, compare=False)

    def __new__(cls, *arguments: Any, **_: Any) -> "Compose":
        """Refuse transforms that are not in one list."""
        if len(arguments) > 1:
            raise TypeError(
                f"transforms must be one list, got {len(arguments)} arguments: write "
                "Compose([first, second])"
            )
        return super().__new__(cls)

    def check(self) -> None:
        """See that only the outermost has options, and derive what it draws with."""
        super().check()
        for group in self.inner_groups():
            if isinstance(group, Compose) and group._has_options():
                raise ValueError(
                    "a Compose within another has no seed, targets, interpolation, mode or "
                    f"cval of its own, got {group!r}"
                )
        check_pyramid_is_last([*self.steps()], LabelPyramid)
        check_warps(self)
        table = target_table(self.targets, self.interpolation, self.mode, self.cval)
        # a pickled pipeline keeps the seed that it got here
        seed = fresh_number() if self.seed is None else checks.as_seed("seed", self.seed)
        self._derive(_key_seed=seed, _table=table, _labels=labeled(self), _has_warned=False)

    def _has_options(self) -> bool:
        options = (self.targets, self.interpolation, self.mode, self.cval)
        return self.seed is not None or any(options)

    def chosen(self, stream: RandomStream) -> Sequence[int]:
        """All of them, in their order."""
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
        """Draw what to do to a sample, without seeing a voxel of it.

        Parameters
        ----------
        shape : (3,) ints
            Of its images and labels, without channels.
        spacing : (3,) array_like, optional
            The size of a voxel in mm. Lengths of the steps are then in mm, and turns are turns
            in mm; otherwise they are in voxels.
        affine : (4, 4) array_like, optional
            From voxels to mm, in place of `spacing`: what a NIfTI file has.
        channels : int, or mapping from names of images to ints
            For how many channels steps draw that treat channels apart. By name each channel of
            each image has its own draw, which does not depend on the other images. With a
            number, that of the image that has the most, channel 0 of all images has one draw,
            channel 1 another.
        epoch, index, occurrence : int
            Which pass over the data, which sample of it, and how often the pass has had this
            sample before. The same seed and the same three numbers are the same draw. Without an
            index a pipeline without a seed draws anew each time; with a seed it must be given.

        Returns
        -------
        Record

        Raises
        ------
        TypeError, ValueError
            Saying what was wanted and what was given.
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
    ) -> Record:
        """`draw` for a key of any seed, of arguments that were checked.

        With a `window` the steps are done to this part of the picture, and read beyond it where
        the picture goes on.
        """
        if isinstance(channels, Mapping) and set(channels) == {"image"}:
            channels = channels["image"]  # the same draws, and for images of any name
        grid = grid_of(shape, spacing, affine)._replace(channels=channels)
        steps: list[tuple[str, Operation]] = []
        if window is not None:
            steps.append(("window", window))
            grid = grid._replace(shape=window.shape)
        draw_steps(self, self._labels, key, grid, steps)
        record = Record(key, shape, spacing, affine, self._table, tuple(steps))
        if not self._has_warned and min(record.elastic_factors) < 1.0:
            self._derive(_has_warned=True)
            warn_of_folding(record)
        return record

    @property
    def table(self) -> dict[str, Target]:
        """All targets by name: those that each pipeline has, and those of its own."""
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
        """Draw, and apply it to the targets of a sample.

        Parameters
        ----------
        spacing, affine, epoch, index, occurrence
            As of `draw`.
        out, threads, **targets
            As of `Record.apply`. At least one is an image or a label.

        Returns
        -------
        Sample
            A dict of the augmented targets by name, with their `record`.

        Raises
        ------
        TypeError, ValueError
            Before any work, saying what was wanted and what was given.
        """
        checks.refuse_positions("a pipeline", positions)
        volumes, coordinates = as_targets(self._table, targets)
        record = self.draw(
            common_grid(volumes), spacing=spacing, affine=affine,
            channels=channels_of(volumes, self._table) or 1,
            epoch=epoch, index=index, occurrence=occurrence,
        )  # fmt: skip
        return record.apply_checked(volumes, coordinates, out, threads)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, for JSON or TOML."""
        values = to_plain(self)
        del values["type"]
        return {"format": FORMAT, "version": VERSION, **values}

    @classmethod
    @reject_deep_nesting
    def from_dict(cls, values: Any) -> "Compose":
        """The pipeline of which `to_dict` made `values`.

        Types of transforms are looked up among volaug's own, and nowhere else.

        Raises
        ------
        TypeError, ValueError
            Saying what is wrong with it, and for an unknown name which known one is the nearest.
        """
        given = check_format(values, FORMAT, VERSION)
        check_names("argument of the pipeline", given, [item.name for item in arguments(cls)])
        pipeline: Compose = transform_from(
            {**given, "type": "Compose"}, {**TRANSFORMS, "Compose": cls}, "the pipeline"
        )
        return pipeline

    @classmethod
    def from_toml(cls, text: str) -> "Compose":
        """The pipeline that a TOML file says, whose tables and names are those of `to_dict`."""
        return cls.from_dict(parse_toml("pipeline", text, "use Compose.from_file"))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Compose":
        """The pipeline that a file says, which ends in ``.toml`` or ``.json``.

        See `from_toml` and `from_dict`.
        """
        return cls.from_dict(parse_file("pipeline", path))
