"""Where a resized grid reads: scales and offsets along each axis."""

from typing import Literal, get_args

Align = Literal["edges", "centers"]
ALIGNS = get_args(Align)

Three = tuple[float, float, float]
Shape = tuple[int, int, int]


def resizing_map(shape: Shape, output_shape: Shape, align: Align) -> tuple[Three, Three]:
    """Return scale and offset of each axis: output voxel `o` reads ``scale * o + offset``.

    "edges" maps the outer faces of the first and the last voxel onto one another, "centers" their
    centers. Where that says nothing, along an axis of one voxel, "centers" is "edges" if it is the
    input's, and reads the first voxel if it is the output's, as torch and scipy do.
    """
    axes = [_axis_map(n, m, align) for n, m in zip(shape, output_shape, strict=True)]
    (s0, o0), (s1, o1), (s2, o2) = axes
    return (s0, s1, s2), (o0, o1, o2)


def _axis_map(length: int, output_length: int, align: Align) -> tuple[float, float]:
    if align == "centers" and length > 1:
        return ((length - 1) / (output_length - 1) if output_length > 1 else 1.0), 0.0
    scale = length / output_length
    return scale, 0.5 * scale - 0.5
