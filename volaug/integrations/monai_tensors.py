"""MONAI's tensors and traces: where a MetaTensor lies, and how what was made of it is told."""

from collections.abc import Hashable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, get_track_meta
from monai.data.utils import to_affine_nd

from .. import checks
from ..pipeline.targets import Target
from ..warping.geometry.bspline import Floats
from ..warping.geometry.orientation import Reorientation, reorientation
from .torch_dataset import as_tensors

# How a trace says that a target is resampled, in MONAI's words: `Invertd` writes another over it.
# The vote makes no new value, which is why users choose "nearest".
TRACED = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest", "label": "nearest"}

# The interpolation for each of those words, and for orders of splines, in an inverse.
ASKED = {
    "nearest": "nearest", "nearest-exact": "nearest", "linear": "linear", "bilinear": "linear",
    "trilinear": "linear", "area": "linear", "bicubic": "cubic", 0: "nearest", 1: "linear",
    3: "cubic",
}  # fmt: skip


def are_slices(shapes: Mapping[Hashable, tuple[int, ...]]) -> bool:
    """Whether images and labels are slices (C, H, W), and not volumes."""
    listed = ", ".join(f"{name!r} {shape}" for name, shape in shapes.items())
    axes = set(map(len, shapes.values()))
    if len(axes) > 1 or not axes <= {3, 4}:
        raise ValueError(
            "images and labels must all have the axes (C, H, W) or all (C, H, W, D), "
            f"got the shapes {listed}"
        )
    return axes == {3}


def turns_of(placed: Mapping[Hashable, MetaTensor]) -> dict[Hashable, Reorientation]:
    """How MetaTensors are turned that do not lie in the grid of the first."""
    grids = [(n, as_grid(value.shape[1:]), affine_of(value)) for n, value in placed.items()]
    turns = {}
    for name, shape, affine in grids[1:]:
        first, first_shape, first_affine = grids[0]
        try:
            turn = reorientation(first_shape, first_affine, shape, affine)
        except ValueError as error:
            raise ValueError(f"{first!r} and {name!r} must lie in one grid: {error}") from None
        if not turn.is_identity:
            turns[name] = turn
    return turns


def as_grid(shape: Any) -> tuple[int, int, int]:
    """A shape of three axes, also of a slice."""
    n0, n1, n2 = (*map(int, shape), 1)[:3]
    return n0, n1, n2


def affine_of(tensor: MetaTensor) -> Floats:
    """The (4, 4) matrix from voxels to mm, also of a slice that has a (3, 3) one."""
    return checks.as_world(to_affine_nd(3, np.asarray(tensor.affine, np.float64)))


def targets_for(
    targets: Mapping[str, Target], asked: Mapping[str, Any], given: Mapping[Hashable, Any]
) -> dict[str, Target]:
    """Targets that are resampled as some traces ask, with a fill for each channel given."""
    found = dict(targets)
    for name, mode in asked.items():
        mode = mode[0] if isinstance(mode, list | tuple) else mode  # `Invertd` makes lists of lists
        if mode not in ASKED:
            raise ValueError(f"mode must be one of {', '.join(map(repr, ASKED))}, got {mode!r}")
        if ASKED[mode] != ASKED[TRACED[found[name].interpolation]]:  # else it is as it was
            found[name] = replace(found[name], interpolation=ASKED[mode])
    for name, target in found.items():
        # a prediction may have other channels than the image had
        fills = target.cval
        if name in given and isinstance(fills, list) and len(fills) != len(given[name]):
            found[name] = replace(target, cval=0.0)
    return found


def alike(result: Any, given: Any) -> Any:
    """A result as what it was made of is: a MetaTensor with a copy of its metadata, say."""
    if not isinstance(given, torch.Tensor):
        return np.ascontiguousarray(result) if isinstance(result, np.ndarray) else result
    if isinstance(result, torch.Tensor):
        tensor = result.as_subclass(torch.Tensor).contiguous()
    elif isinstance(result, np.ndarray):
        tensor = as_tensors(np.ascontiguousarray(result))  # torch has no negative strides
    else:
        tensor = as_tensors(result)
    if isinstance(given, MetaTensor) and isinstance(tensor, torch.Tensor) and get_track_meta():
        tensor = MetaTensor(tensor)
        # not its own `copy_meta_from`, which leaves nested ones shared: MONAI writes to "pixdim"
        tensor.__dict__ = deepcopy(given.__dict__)
    return tensor
