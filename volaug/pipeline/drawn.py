"""What was drawn for a sample, and what follows from it: the warps, where the result lies."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .. import checks
from ..keys import Key
from ..serialization import (
    arguments,
    as_table,
    check_format,
    check_names,
    construct,
    from_plain,
    parse_json,
    reject_deep_nesting,
    to_plain,
)
from ..transforms.base import Operation, ValueOperation
from ..transforms.crop import Crop
from ..transforms.label_pyramid import Pyramid, check_pyramid_is_last
from ..transforms.registry import OPERATIONS
from ..warping.fusion import Fusion, grid_of
from ..warping.geometry.bspline import Floats
from ..warping.warp import Warp
from .replay import Stage
from .targets import Target

FORMAT, VERSION = "volaug.record", 1


@dataclass(frozen=True, eq=False)
class Drawn:
    """The draw of one sample, without what it does to volumes: that is `Record`.

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

    def __post_init__(self) -> None:
        check_pyramid_is_last([operation for _, operation in self.steps], Pyramid)
        with np.errstate(all="ignore"):  # `Warp` says what is too large
            stages, factors = self._fused()
        object.__setattr__(self, "stages", stages)
        object.__setattr__(self, "elastic_factors", factors)

    def __eq__(self, other: object) -> bool:
        """Whether two records are the same to the last bit."""
        return isinstance(other, Drawn) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        """Pickle what was drawn, and not the warps that follow from it."""
        return type(self), tuple(getattr(self, item.name) for item in arguments(self))

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
    @reject_deep_nesting
    def from_dict(cls, values: Any) -> Self:
        """The record of which `to_dict` made `values`.

        Raises
        ------
        TypeError, ValueError
            Saying what is wrong with it, and for an unknown name which known one is the nearest.
        """
        given = check_format(values, FORMAT, VERSION)
        names = ("key", "shape", "spacing", "affine", "targets", "steps")
        check_names("part of a record", given, names)
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
            construct("the key of a record", Key, given["key"]),
            checks.as_shape("shape", given["shape"]),
            spacing,
            affine,
            {
                name: construct(f"target {name!r}", Target, target)
                for name, target in as_table("targets", given["targets"]).items()
            },
            tuple(steps),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The record of which `to_json` made `text`; see `from_dict`."""
        return cls.from_dict(parse_json("record", text))
