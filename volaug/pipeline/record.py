"""What was drawn for a sample: enough to do it again, to another image, or to undo it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..keys import Key
from ..operations.artefacts import BiasField, Blur, LowResolution, Noise
from ..operations.base import Operation, ValueOperation
from ..operations.intensity import Brightness, Contrast, Gamma, HistogramShift
from ..operations.labels import Mask, Pyramid, Relabel, check_pyramid_is_last
from ..operations.spatial import Affine, Crop, Elastic, Flip
from ..serialization import (
    arguments,
    as_table,
    check_format,
    check_known,
    from_plain,
    made,
    parse_json,
    shallow,
    to_plain,
)
from ..threads.limits import thread_count
from ..warping.fusion import Fusion, grid_of
from ..warping.geometry.bspline import Floats
from ..warping.warp import Warp
from .targets import Array, Target, as_targets, check_cvals, check_grid

FORMAT, VERSION = "volaug.record", 1

# Every operation that there is, by the name under which records know it.
OPERATIONS = {
    kind.__name__: kind
    for kind in (
        Flip, Affine, Elastic, Crop, Contrast, Brightness, Gamma, HistogramShift, Noise, Blur,
        LowResolution, BiasField, Mask, Relabel, Pyramid,
    )
}  # fmt: skip

Stage = Warp | ValueOperation
Move = Callable[[Floats], Floats]


class Sample(dict[str, Any]):
    """The augmented targets by name, and the `record` of what was done to them."""

    record: "Record"


def moved(warp: Warp, origin: tuple[int, int, int]) -> Warp:
    """The warp for a part of what it reads, which begins at a voxel."""
    if not any(origin):
        return warp
    return Warp(warp.shape, warp.matrix, warp.offset - origin, warp.control_points)


def moved_places(places: Floats, move: Move) -> Floats:
    """Points or boxes through one of several warps: NaN, which a fold leaves, stays NaN."""
    known = np.isfinite(places).all(axis=tuple(range(1, places.ndim)))
    if known.all():
        return move(places)
    results = np.full_like(places, np.nan)
    results[known] = move(places[known])
    return results


@dataclass(frozen=True, eq=False)
class Record:
    """The draw of one sample, apart from any voxel.

    Made by `Compose.draw`, or by `Record.from_json`; or taken from a sample, as
    ``sample.record``.

    Attributes
    ----------
    key : Key
        Seed, epoch, index and occurrence.
    shape : (3,) ints
        The grid that it is for.
    spacing : (3,) tuple or None
    affine : (4, 4) array or None
        What the call said of the size of voxels.
    targets : mapping from names to Target
        As in the pipeline.
    steps : tuple of (str, operation)
        The name of each step that was taken, and what it drew.
    stages : tuple of Warp and operations
        What is done, one after the other: warps, and changes of values between them. Spatial
        operations that follow one another are one `Warp`; the first stage always is one.
    elastic_factors : tuple of floats
        One for each warp: what its elastic displacements were multiplied by, so that they cannot
        fold. 1 where nothing had to become smaller.
    """

    key: Key
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float] | None
    affine: Floats | None
    targets: Mapping[str, Target]
    steps: tuple[tuple[str, Operation], ...]
    stages: tuple[Stage, ...] = field(init=False, repr=False)
    elastic_factors: tuple[float, ...] = field(init=False, repr=False)
    _inverses: tuple[Warp, ...] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        check_pyramid_is_last([operation for _, operation in self.steps], Pyramid)
        with np.errstate(all="ignore"):  # `Warp` says what is too large
            stages, factors = self._fused()
        object.__setattr__(self, "stages", stages)
        object.__setattr__(self, "elastic_factors", factors)

    def __eq__(self, other: object) -> bool:
        """Whether two records are the same to the last bit."""
        return isinstance(other, Record) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        """Pickle what was drawn, and not the warps that follow from it."""
        return Record, tuple(getattr(self, item.name) for item in arguments(self))

    def _fused(self) -> tuple[tuple[Stage, ...], tuple[float, ...]]:
        """The stages and the elastic factors."""
        fusion = Fusion(grid_of(self.shape, self.spacing, self.affine))
        stages: list[Stage] = []
        factors: list[float] = []

        def close() -> None:
            warp, factor = fusion.warp()
            stages.append(warp)
            factors.append(factor)

        open_warp = True
        for _, operation in self.steps:
            if isinstance(operation, ValueOperation):
                if open_warp:
                    close()
                    fusion, open_warp = Fusion(fusion.grid), False
                stages.append(operation)
            else:
                operation.fuse(fusion)
                open_warp = True
        if open_warp:
            close()
        return tuple(stages), tuple(factors)

    @property
    def warps(self) -> tuple[Warp, ...]:
        """The stages that move voxels."""
        return tuple(stage for stage in self.stages if isinstance(stage, Warp))

    @property
    def warp(self) -> Warp:
        """The one warp of all spatial operations.

        Raises
        ------
        ValueError
            If there are several, with changes of intensity between them.
        """
        warps = self.warps
        if len(warps) > 1:
            raise ValueError(
                f"this record has {len(warps)} warps, since intensity steps stand between the "
                "spatial ones; see stages"
            )
        return warps[0]

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """The grid of the result."""
        return self.warps[-1].shape

    @property
    def output_affine(self) -> Floats | None:
        """The matrix from voxels of the result to mm, if there was one for the input.

        Where a voxel of the result lies in the input's world, but for elastic displacements: over
        the input in a viewer, a turned image lies where it was. It is for such overlays; a file
        for training is written with `cropped_affine`.
        """
        return None if self.affine is None else self.affine @ self.pull_matrix

    @property
    def cropped_affine(self) -> Floats | None:
        """The input's matrix from voxels to mm, moved to where crops begin, if there was one.

        What a result is written with for training: as if another head had been in the same
        scanner. Directions and voxel sizes are those of the input, so that whatever reads the file
        sees the picture as it was augmented.
        """
        if self.affine is None:
            return None
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ self.crop_start
        return affine

    @property
    def crop_start(self) -> npt.NDArray[np.int64]:
        """The voxel of the input at which the result begins, by its crops alone."""
        starts = [operation.start for _, operation in self.steps if isinstance(operation, Crop)]
        start: npt.NDArray[np.int64] = np.array([(0, 0, 0), *starts]).sum(axis=0)
        return start

    @property
    def pull_matrix(self) -> Floats:
        """The (4, 4) matrix from voxels of the result to the input's, but for displacements."""
        pull = np.eye(4)
        for warp in self.warps:
            last = np.eye(4)
            last[:3, :3], last[:3, 3] = warp.matrix, warp.offset
            pull = pull @ last
        return pull

    def apply(
        self,
        *positions: Any,
        out: Mapping[str, Any] | None = None,
        threads: int | None = None,
        **targets: npt.ArrayLike,
    ) -> Sample:
        """Do it to images, labels, points and boxes.

        Parameters
        ----------
        out : mapping from names to arrays, optional
            Where to write the results of the images and labels that it names.
        threads : int, optional
            At most this many threads; see `set_num_threads`.
        **targets
            Arrays by the names of the pipeline's targets: images and labels of the record's
            `shape`, with or without channels, points (N, 3) and boxes (N, 2, 3) in its voxels.

        Returns
        -------
        Sample
            A dict of the same names, volumes first, with this record; and what it was made
            with of ``"spacing"`` and ``"affine"``, to write the result with: as if another head
            had been in the same scanner (see `cropped_affine`, and `output_affine` for
            overlays). Points and boxes are in voxels of the result, also where they lie outside
            of it; a box is the smallest around what becomes of it (of several warps, one after
            the other). Nothing shares memory with the input.

        Raises
        ------
        TypeError, ValueError
            Before any work, saying what was wanted and what was given.
        """
        checks.refuse_positions("apply", positions)
        volumes, places = as_targets(self.targets, targets)
        check_grid(volumes, self.shape, "which the record is for")
        return self.apply_checked(volumes, places, out, threads)

    def apply_checked(
        self,
        volumes: Mapping[str, Array],
        places: Mapping[str, Floats],
        out: Mapping[str, Any] | None,
        threads: int | None,
        origin: tuple[int, int, int] = (0, 0, 0),
    ) -> Sample:
        """`apply` to what `as_targets` gives and has the record's shape.

        Or to parts of that, which begin at the voxel `origin` and hold all that is read.
        """
        sample = Sample(self._run(volumes, out, threads, origin))
        for warp in self.warps:
            places = self._move(places, warp.map_points, warp.map_boxes)
        sample.update(places)
        if self.spacing is not None:
            sample["spacing"] = self.spacing
        if self.affine is not None:
            sample["affine"] = self.cropped_affine
        sample.record = self
        return sample

    def invert(
        self, *positions: Any, threads: int | None = None, **targets: npt.ArrayLike
    ) -> dict[str, Any]:
        """Bring results back to the grid of the input: a prediction on an augmented image, say.

        Parameters
        ----------
        threads, **targets
            As of `apply`, but in voxels of the result: labels by their vote, the channels of an
            image (probabilities, say) each by interpolation.

        Returns
        -------
        dict
            Of the same names. What the result did not show is as the target's mode says,
            `cval` by default; see `seen`. Changes of intensity are not undone.

        Raises
        ------
        TypeError, ValueError
            Also if a displacement folds, which `folding="forbid"` excludes; see `Warp.inverse`.
        """
        checks.refuse_positions("invert", positions)
        volumes, places = as_targets(self.targets, targets)
        check_grid(volumes, self.output_shape, "which the record's result has")
        check_cvals(self.targets, volumes)
        results: dict[str, Any] = volumes
        for inverse in self._inverted() if volumes else ():
            results = inverse.apply_all(results, threads=threads, **self._options(results))
        for warp in reversed(self.warps):
            places = self._move(places, warp.pull_points, warp.pull_boxes)
        return {**results, **places}

    def seen(self, *, threads: int | None = None) -> npt.NDArray[np.bool]:
        """Which voxels of the input the result shows: where `invert` knows what to say.

        For the mean of predictions on several augmented images: divide the sum of what `invert`
        brings back by the sum of these masks, and not by the number of images.

        Parameters
        ----------
        threads : int, optional
            At most this many threads; see `set_num_threads`.

        Returns
        -------
        (n0, n1, n2) array of bool
            Of the record's `shape`. A voxel is seen if all that its inverse reads, by linear
            interpolation, lies in the result.

        Raises
        ------
        ValueError
            If a displacement folds; see `Warp.inverse`.

        Examples
        --------
        >>> record = Compose([CenterCrop((2, 4, 4))]).draw((4, 4, 4))
        >>> record.seen()[:, 0, 0]
        array([False,  True,  True, False])
        """
        shown = np.full(self.output_shape, 255, np.uint8)
        for inverse in self._inverted():
            shown = inverse.apply(shown, threads=threads)
        result: npt.NDArray[np.bool] = shown == 255
        return result

    def _run(
        self,
        volumes: Mapping[str, Array],
        out: Mapping[str, Any] | None,
        threads: int | None,
        origin: tuple[int, int, int],
    ) -> dict[str, Any]:
        check_cvals(self.targets, volumes)
        options, last = self._options(volumes), self.warps[-1]
        kinds = {name: self.targets[name].kind for name in volumes}
        for stage in self.stages:
            if not isinstance(stage, Warp):
                stage.check(volumes, kinds)
        if len(self.warps) > 1:  # the last of them would find it wrong when the first is done
            self._check_out(volumes, {} if out is None else out)
        results: dict[str, Any] = dict(volumes)
        count = thread_count(threads)
        for stage in self.stages:
            if isinstance(stage, Warp):
                into = out if stage is last else None
                warp = stage if stage is not self.stages[0] else moved(stage, origin)
                results = warp.apply_all(results, out=into, threads=threads, **options)
            else:
                stage.apply(results, kinds, count)
        return results

    def _check_out(self, volumes: Mapping[str, Array], out: Mapping[str, Any]) -> None:
        if not isinstance(out, Mapping):
            raise TypeError(f"out must be a mapping from names to arrays, got {type(out).__name__}")
        check_known("image or label of out", out, volumes)
        others = list(volumes.values())
        for name, given in out.items():
            shape = (*volumes[name].shape[:-3], *self.output_shape)
            target = checks.as_output(given, shape, volumes[name].dtype, f"out[{name!r}]")
            checks.check_apart(f"out[{name!r}]", target, others)
            others.append(target)

    def _move(self, places: Mapping[str, Floats], points: Move, boxes: Move) -> dict[str, Floats]:
        ways = {"points": points, "boxes": boxes}
        return {
            name: moved_places(value, ways[self.targets[name].kind])
            for name, value in places.items()
        }

    def _options(self, volumes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """How each of some volumes is resampled."""
        names = ("interpolation", "mode", "cval")
        return {o: {name: getattr(self.targets[name], o) for name in volumes} for o in names}

    def _inverted(self) -> tuple[Warp, ...]:
        """What undoes the warps, from the last to the first; kept, as an inverse takes long.

        Without a lock, which a forked child could find taken: two threads may find the same.
        """
        if self._inverses is None:
            shapes = [self.shape, *(warp.shape for warp in self.warps[:-1])]
            pairs = zip(reversed(self.warps), reversed(shapes), strict=True)
            inverses = tuple(warp.inverse(shape) for warp, shape in pairs)
            object.__setattr__(self, "_inverses", inverses)
            return inverses
        return self._inverses

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists; exact, also through JSON."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "key": self.key.to_dict(),
            "shape": list(self.shape),
            "spacing": None if self.spacing is None else list(self.spacing),
            "affine": None if self.affine is None else self.affine.tolist(),
            "targets": {name: asdict(target) for name, target in self.targets.items()},
            "steps": [{"name": name, **to_plain(operation)} for name, operation in self.steps],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    @shallow
    def from_dict(cls, values: Any) -> "Record":
        """The record of which `to_dict` made `values`.

        Raises
        ------
        TypeError, ValueError
            Saying what is wrong with it, and for an unknown name which known one is the nearest.
        """
        given = check_format(values, FORMAT, VERSION)
        names = ("key", "shape", "spacing", "affine", "targets", "steps")
        check_known("part of a record", given, names)
        for name in names:
            if name not in given:
                raise ValueError(f"a record must have the parts {', '.join(names)}, got no {name}")
        if not isinstance(given["steps"], list):
            raise ValueError(f"the steps of a record must be a list, got {given['steps']!r}")
        steps = []
        for number, step in enumerate(given["steps"]):
            what = f"step {number} of the record"
            if not isinstance(step, Mapping) or not isinstance(step.get("name"), str):
                raise ValueError(f"{what} must be a table with a name")
            values = {key: value for key, value in step.items() if key != "name"}
            steps.append((step["name"], from_plain(values, OPERATIONS, what)))
        spacing, affine = checks.as_voxel_size(given["spacing"], given["affine"])
        return cls(
            made("the key of a record", Key, given["key"]),
            checks.as_shape("shape", given["shape"]),
            spacing,
            affine,
            {
                name: made(f"target {name!r}", Target, target)
                for name, target in as_table("targets", given["targets"]).items()
            },
            tuple(steps),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "Record":
        """The record of which `to_json` made `text`; see `from_dict`."""
        return cls.from_dict(parse_json("record", text))
