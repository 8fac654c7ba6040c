"""The draw of a sample, and what follows from it: its warps, and where the result lies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from ..transforms.crop import Crop
from ..transforms.label_pyramid import Pyramid, check_pyramid_is_last
from ..transforms.operation import Operation, SpatialOperation, ValueOperation
from ..transforms.registry import OPERATIONS
from ..warping.fusion import grid_of
from ..warping.geometry.bspline import Floats
from ..warping.warp import Warp
from .replay import Stage
from .target_warps import WARPS, Warps, common_warp, fused, inverse_of
from .targets import Target

FORMAT, VERSION = "volaug.record", 1


@dataclass(frozen=True, eq=False)
class Drawn:
    """The draw of one sample, without applying it. `Record` adds that, and describes the fields."""

    key: Key
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float] | None
    affine: Floats | None
    targets: Mapping[str, Target]
    steps: tuple[tuple[str, Operation], ...]
    stages: tuple[Stage, ...] = field(init=False, repr=False)
    # The stages that move voxels; in one, targets can have warps of their own.
    warp_stages: tuple[Warps, ...] = field(init=False, repr=False)
    elastic_factors: tuple[float, ...] = field(init=False, repr=False)
    _inverses: tuple[Warps, ...] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        check_pyramid_is_last([operation for _, operation in self.steps], Pyramid)
        with np.errstate(all="ignore"):  # `Warp` says what is too large
            stages, factors = self._fused()
        warp_stages = tuple([stage for stage in stages if isinstance(stage, WARPS)])
        object.__setattr__(self, "stages", stages)
        object.__setattr__(self, "warp_stages", warp_stages)
        object.__setattr__(self, "elastic_factors", factors)

    def __eq__(self, other: object) -> bool:
        """Whether two records are equal to the last bit."""
        return isinstance(other, Drawn) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        """Pickle what was drawn, and not the warps that follow from it."""
        return type(self), tuple(getattr(self, item.name) for item in arguments(self))

    def _fused(self) -> tuple[tuple[Stage, ...], tuple[float, ...]]:
        """Return the stages and the elastic factors."""
        grid = grid_of(self.shape, self.spacing, self.affine)
        stages: list[Stage] = []
        factors: list[float] = []
        # Spatial operations that are not in a stage yet. The first stage is a warp in any case, and
        # copies what is changed.
        run: list[SpatialOperation] | None = []

        def close() -> None:
            nonlocal grid, run
            if run is not None:
                warps, factor, grid = fused(grid, run, self.targets)
                stages.append(warps)
                factors.append(factor)
                run = None

        for _, operation in self.steps:
            if isinstance(operation, ValueOperation):
                close()
                stages.append(operation)
            else:
                run = [] if run is None else run
                run.append(operation)  # type: ignore[arg-type]
        close()
        return tuple(stages), tuple(factors)

    @property
    def warps(self) -> tuple[Warp, ...]:
        """The warps of the steps that are applied to all targets, one a stage."""
        return tuple(common_warp(stage) for stage in self.warp_stages)

    @property
    def warp(self) -> Warp:
        """The one warp of all spatial operations.

        Raises
        ------
        ValueError
            If there are several, separated by changes of values.
        """
        warps = self.warps
        if len(warps) > 1:
            raise ValueError(
                f"this record has {len(warps)} warps, since intensity steps stand between the "
                "spatial ones; see stages"
            )
        return warps[0]

    def inverted(self) -> tuple[Warps, ...]:
        """Return the inverses of the warps, last first; kept, since an inverse takes long.

        Without a lock, which a forked child could find taken: two threads may both compute it.
        """
        if self._inverses is None:
            shapes = [self.shape, *(warp.shape for warp in self.warps[:-1])]
            pairs = zip(reversed(self.warp_stages), reversed(shapes), strict=True)
            inverses = tuple(inverse_of(warps, shape) for warps, shape in pairs)
            object.__setattr__(self, "_inverses", inverses)
            return inverses
        return self._inverses

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """The shape of the result, without channels."""
        return self.warps[-1].shape

    @property
    def output_affine(self) -> Floats | None:
        """The matrix from voxels of the result to mm of the input, or None without an affine.

        It shows each voxel where it lay in the input, up to elastic displacements: a viewer that
        follows it lays a rotated image over the input. For training, write files with
        `cropped_affine`.
        """
        return None if self.affine is None else self.affine @ self.pull_matrix

    @property
    def cropped_affine(self) -> Floats | None:
        """The input's affine with its origin moved by crops, or None without an affine.

        The affine to write a result for training with: as if another head had been in the same
        scanner. Directions and voxel sizes are those of the input, so that a program that reads the
        file sees the augmented image.
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
        """The (4, 4) matrix from voxels of the result to the input's, without displacements."""
        pull = np.eye(4)
        for warp in self.warps:
            last = np.eye(4)
            last[:3, :3], last[:3, 3] = warp.matrix, warp.offset
            pull = pull @ last
        return pull

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists; exact, also through JSON.

        Returns
        -------
        dict
            All that `from_dict` needs.
        """
        return {
            "format": FORMAT,
            "version": VERSION,
            "key": self.key.to_dict(),
            "shape": list(self.shape),
            "spacing": None if self.spacing is None else list(self.spacing),
            "affine": None if self.affine is None else self.affine.tolist(),
            "targets": {name: target.to_dict() for name, target in self.targets.items()},
            "steps": [{"name": name, **to_plain(operation)} for name, operation in self.steps],
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON.

        Returns
        -------
        str
            One line.
        """
        return json.dumps(self.to_dict())

    @classmethod
    @reject_deep_nesting
    def from_dict(cls, values: Any) -> Self:
        """Return the record of which `to_dict` made `values`.

        Parameters
        ----------
        values : dict
            What `to_dict` returned.

        Returns
        -------
        Record
            Equal to the original, to the last bit.

        Raises
        ------
        TypeError, ValueError
            If a part is missing, wrong or unknown; the error suggests the nearest known name.
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
            operation = from_plain(values, OPERATIONS, what)
            check_names(f"target of {what}", operation.targets or (), given["targets"])
            steps.append((step["name"], operation))
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
        """Return the record of which `to_json` made `text`; see `from_dict`.

        Parameters
        ----------
        text : str or bytes
            What `to_json` returned.

        Returns
        -------
        Record
            Equal to the original, to the last bit.
        """
        return cls.from_dict(parse_json("record", text))
