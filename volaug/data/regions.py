"""The region of a case that a record reads."""

import numpy as np

from ..pipeline.record import Record
from ..pipeline.target_warps import each_warp
from ..pipeline.targets import Shape
from ..warping.engine.borders import UNFOLDED
from ..warping.geometry.bounds import Box, union_of
from .cases import Array, OpenCase
from .sources import is_array


def as_parts(opened: OpenCase, record: Record) -> tuple[dict[str, Array], Shape]:
    """The parts of a case that a record needs, as arrays, and the voxel at which they begin.

    Volumes in memory are given whole. Of others, only what the first warp can read is read.
    """
    if all(map(is_array, opened.volumes.values())):
        return dict(opened.volumes), (0, 0, 0)
    targets = [record.targets[name] for name in opened.volumes]
    box: Box = tuple((0, n) for n in opened.shape)  # type: ignore[assignment]
    if all(t.mode in UNFOLDED and t.interpolation != "cubic" for t in targets):
        boxes = [warp.source_box(opened.shape) for warp in each_warp(record.warp_stages[0])]
        read = [found for found in boxes if all(start < stop for start, stop in found)]
        # a warp with an empty box reads the border of the volume if its mode is "nearest", and
        # would find the border of the part instead
        if len(read) == len(boxes) or all(target.mode != "nearest" for target in targets):
            # if all warps read outside only: one voxel, which is not used
            box = union_of(read) if read else ((0, 1),) * 3
    window = (..., *(slice(start, stop) for start, stop in box))
    parts = {name: np.asarray(v[window]) for name, v in opened.volumes.items()}
    (a, _), (b, _), (c, _) = box
    return parts, (a, b, c)
