"""A warp in blocks: any box of its output, computed from a part of its input."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .engine.borders import UNFOLDED
from .geometry.bounds import Box, union_of, voxel_range
from .geometry.bspline import TO_POLYNOMIAL, Floats, along, knot_spacing
from .warp import Warp

Shape = tuple[int, int, int]

FROM_POLYNOMIAL = np.linalg.inv(TO_POLYNOMIAL)


class Piece(NamedTuple):
    """A part of a block within one knot span along each axis, where its displacement is exact.

    Attributes
    ----------
    start : (3,) ints
        Its first voxel in the block.
    warp : Warp
        From the piece to the input.
    """

    start: Shape
    warp: Warp


class Block(NamedTuple):
    """A box of the output of a warp, and the box of the input that it reads."""

    pieces: tuple[Piece, ...]
    shape: Shape
    box: Box


def check_blocks(interpolation: str, mode: str) -> None:
    """Check that a part of the output needs only a part of the input."""
    if interpolation == "cubic":
        raise ValueError("interpolation must not be 'cubic' here: it needs the whole volume")
    if mode not in UNFOLDED:
        names = ", ".join(UNFOLDED)
        raise ValueError(f"mode must be {names} here, got {mode!r}, which needs the whole volume")


def block_of(warp: Warp, start: Shape, shape: Shape, input_shape: Shape) -> Block:
    """Return a block of the output of a warp.

    Parameters
    ----------
    warp : Warp
    start, shape : (3,) ints
        First voxel of the block in the output, and its shape.
    input_shape : (3,) ints
        Shape of the volume, without channels.
    """
    pieces = tuple(_pieces(warp, start, shape))
    return Block(pieces, shape, union_of([_box_of(piece.warp, input_shape) for piece in pieces]))


def warp_block(
    block: Block, part: npt.NDArray[Any], threads: int | None = None, **options: Any
) -> npt.NDArray[Any]:
    """Compute a block.

    Parameters
    ----------
    block : Block
    part : (n0, n1, n2) or (C, n0, n1, n2) array
        The voxels of the block's `box`.
    threads : int, optional
    **options
        `interpolation`, `mode` and `cval` of `Warp.apply`.

    Returns
    -------
    (m0, m1, m2) or (C, m0, m1, m2) array
        The voxels of the block.
    """
    origin = [first for first, _ in block.box]
    result = np.empty((*part.shape[:-3], *block.shape), part.dtype)
    for start, warp in block.pieces:
        moved = Warp(warp.shape, warp.matrix, warp.offset - origin, warp.control_points)
        window: Any = (..., *(slice(a, a + n) for a, n in zip(start, warp.shape, strict=True)))
        moved.apply(part, out=result[window], threads=threads, **options)
    return result


def _pieces(warp: Warp, start: Shape, shape: Shape) -> Iterator[Piece]:
    if warp.control_points is None:
        yield Piece((0, 0, 0), Warp(shape, warp.matrix, warp.offset + warp.matrix @ start))
        return
    lattice = warp.control_points.shape[1:]
    spacing = knot_spacing(warp.shape, lattice)
    axes = (
        _spans(first, first + n, k - 3, h)
        for first, n, k, h in zip(start, shape, lattice, spacing, strict=True)
    )
    for spans in itertools.product(*axes):
        first = np.array([begin for _, begin, _ in spans])
        control_points = warp.control_points
        for axis, ((span, begin, stop), h) in enumerate(zip(spans, spacing, strict=True), 1):
            before = (slice(None),) * axis
            matrix = _restriction(begin / h - span, (stop - 1 - begin) / h)
            control_points = along(matrix, control_points[(*before, slice(span, span + 4))], axis)
        a, b, c = (stop - begin for _, begin, stop in spans)
        x, y, z = (first - start).tolist()
        offset = warp.offset + warp.matrix @ first
        yield Piece((x, y, z), Warp((a, b, c), warp.matrix, offset, control_points))


def _spans(first: int, stop: int, spans: int, spacing: float) -> list[tuple[int, int, int]]:
    """The knot spans that voxels first..stop lie in, each with its part of them."""
    knots = np.ceil(np.arange(1, spans) * spacing).astype(int).tolist()
    edges = zip([0, *knots], [*knots, max(stop, 1)], strict=True)
    cut = ((s, max(begin, first), min(end, stop)) for s, (begin, end) in enumerate(edges))
    return [(s, begin, end) for s, begin, end in cut if begin < end]


def _restriction(begin: float, length: float) -> Floats:
    """From the four control points of a span to those of a part of it, as a span of its own."""
    substitution = np.array(
        [
            [1.0, begin, begin**2, begin**3],
            [0.0, length, 2 * length * begin, 3 * length * begin**2],
            [0.0, 0.0, length**2, 3 * length**2 * begin],
            [0.0, 0.0, 0.0, length**3],
        ]
    )
    matrix: Floats = FROM_POLYNOMIAL @ substitution @ TO_POLYNOMIAL
    return matrix


def _box_of(warp: Warp, input_shape: Shape) -> Box:
    """The box that a warp reads, with a voxel around it; of what it misses, the nearest voxels.

    So a rounding of coordinates never leaves the box, and its border is that of the volume
    wherever the border is read.
    """
    points = np.zeros((3, 4, 4, 4)) if warp.control_points is None else warp.control_points
    affine = np.column_stack([warp.matrix, warp.offset])
    low, high = voxel_range(affine, points, warp.shape)
    last = np.subtract(input_shape, 1)
    start = np.clip(low - 1, 0, last).astype(int).tolist()
    stop = (np.clip(high + 1, 0, last) + 1).astype(int).tolist()
    a, b, c = zip(start, stop, strict=True)
    return a, b, c
