"""Volumes handed to the kernel that walks the output: addresses, strides and rules."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...kernels.warp.samplers import fraction_dtype, sampler_address
from ...kernels.warp.shares import shares_of
from ...kernels.warp.tiles import warp_tiles, workspace_size
from ...kernels.warp.volumes import Volume
from ...threads.parts import run_parts, threads_worth
from ..geometry.blas import matmul
from ..geometry.bounds import source_box
from ..geometry.bspline import spline_map
from . import memory_layout
from .borders import UNFOLDED, border_rules

Floats = npt.NDArray[np.float64]


# Rows of a tile along axes 0 and 1. A tile is walked plane by plane. Each row prefetches what one
# of the next planes reads first. So the L2 cache holds a slice of the source that moves along with
# the planes, and not the whole tile. With 8 rows a plane, tiles share many voxels at their edges,
# which are read again. With 24 rows, the slice of a steep turn is too large for the cache.
# On an Intel Xeon, two threads, turns by up to 45 degrees at 128^3 to 256^3: to a prefetch of the
# next tile along axis 1 by tiles of (32, 8), 0.85 to 1.0; of four channels by (24, 4), 0.65 to 0.9.
# Less deep tiles, (16, 16), take 0.98 to 1.1 of (32, 16), and deeper ones as long, but they leave
# threads without work; (32, 8) takes 1.0 to 1.25, (32, 24) 0.95 to 1.1.
# Rows that run along the source's prefetch what the next tile along axis 1 reads. To prefetch for
# the next planes takes 1.1 to 1.3 of the time for nearest voxels there. Four channels by tiles of
# (16, 4) take 0.9 of the time by (16, 16).
TILE, TILE_OF_PARALLEL_ROWS, TILE_OF_SEVERAL_PARALLEL_ROWS = (32, 16), (16, 16), (16, 4)

# How many voxels of the source a row prefetches ahead, along the axis on which planes advance most.
# A cell has two voxels along an axis. So the voxel two steps ahead is the first that no row has
# read yet. To prefetch one voxel ahead takes 1.3 to 1.7 of the time. A cubic cell has four voxels:
# with two voxels ahead, 256^3 takes 1.2 to 1.35 times as long as with four, and 3 to 6 are alike.
VOXELS_AHEAD, VOXELS_AHEAD_OF_CUBIC = 2, 4

# The most voxels that a thread makes before it returns to Python, which may have to stop it: 10 ms.
VOXELS_AT_ONCE = 2**23

# The most planes that a row prefetches ahead: planes may lie close together, or even coincide.
PLANES_AHEAD = 8


class Sampling(NamedTuple):
    """One volume of a warp, and where its result goes."""

    source: npt.NDArray[Any]  # (C, n0, n1, n2); coefficients with their padding for "cubic"
    target: npt.NDArray[Any]  # (C, m0, m1, m2)
    interpolation: str
    mode: str
    fills: npt.NDArray[Any]  # (C,) of the target's dtype
    padding: int = 0  # of the source, on each side of each axis


class Geometry(NamedTuple):
    """What volumes that are walked together have in common."""

    shape: tuple[int, int, int]  # of the source, along the walk's axes
    strides: tuple[int, int]
    order: tuple[int, int, int]
    backwards: bool
    target_order: tuple[int, int, int]
    target_backwards: bool
    is_dense: bool  # whether a target's row is side by side in memory
    mode: str
    sampler: str  # as `border_rules` takes it
    padding: int
    fractions: np.dtype[Any]
    origin: tuple[int, int, int]  # the voxel of the volume at which the source begins


def warp_volumes(
    samplings: list[Sampling], affine: Floats, control_points: Floats | None, threads: int
) -> None:
    """Warp volumes into their targets; those of equal geometry share the coordinates."""
    walks: dict[Geometry, list[tuple[Sampling, memory_layout.Memory, memory_layout.Memory]]] = {}
    copies = []
    for sampling in samplings:
        origin = (0, 0, 0)
        # halves round up along the axes of the array, and a border may be of one side only
        source = memory_layout.source_memory(sampling.source, forwards=not _is_symmetric(sampling))
        if source is None:
            sampling, origin = _part_that_is_read(sampling, affine, control_points)
            source = memory_layout.memory_of_copy(sampling.source)
        target = memory_layout.memory_of(sampling.target)
        if target is None:  # no axis of it has its voxels side by side
            given = sampling.target
            written = memory_layout.empty_in_order(
                source.order, given.shape[0], given.shape[1:], given.dtype
            )
            copies.append((given, written))
            target = memory_layout.memory_of(written)
            assert target is not None
        target = memory_layout.with_long_rows(target)
        geometry = _geometry(sampling, source, target, origin)
        walks.setdefault(geometry, []).append((sampling, source, target))
    for geometry, volumes in walks.items():
        _walk(geometry, volumes, affine, control_points, threads)
    for given, written in copies:
        np.copyto(given, written)


def _part_that_is_read(
    sampling: Sampling, affine: Floats, control_points: Floats | None
) -> tuple[Sampling, tuple[int, int, int]]:
    """A sampling of no more of its source than is read, and the voxel at which that begins.

    So that a small patch does not copy a large volume: 8^3 of 256^3 took 20 times as long.
    """
    lengths, shape = sampling.source.shape[1:], sampling.target.shape[1:]
    if sampling.mode not in UNFOLDED or sampling.target.size >= sampling.source.size:
        return sampling, (0, 0, 0)
    points = np.zeros((3, 4, 4, 4)) if control_points is None else control_points
    box = source_box(affine, points, shape, lengths)
    if any(start == stop for start, stop in box):  # outside, where "nearest" still reads the border
        return sampling, (0, 0, 0)
    part = sampling.source[(slice(None), *(slice(*ends) for ends in box))]
    (a, _), (b, _), (c, _) = box
    return sampling._replace(source=part), (a, b, c)


def _is_symmetric(sampling: Sampling) -> bool:
    return sampling.interpolation in ("linear", "cubic") and sampling.mode not in (
        "edge-constant",
        "wrap",
        "grid-wrap",
    )


def _geometry(
    sampling: Sampling,
    source: memory_layout.Memory,
    target: memory_layout.Memory,
    origin: tuple[int, int, int],
) -> Geometry:
    padding = sampling.padding
    shape = tuple(n - 2 * padding for n in source.shape)
    # an axis of one voxel has no neighbor to interpolate with: its stride is 0
    strides = tuple(
        step if n > 1 else 0 for step, n in zip(source.strides[1:], source.shape, strict=False)
    )
    sampler = "linear" if sampling.interpolation == "label" else sampling.interpolation
    if sampler == "nearest" and sampling.mode != "grid-constant":
        sampler = "linear"  # the same cells, of which it takes the nearest voxel
    return Geometry(
        shape,  # type: ignore[arg-type]
        strides,  # type: ignore[arg-type]
        source.order,
        source.backwards,
        target.order,
        target.backwards,
        target.step == 1,
        sampling.mode,
        sampler,
        padding,
        fraction_dtype(sampling.interpolation, sampling.target.dtype),
        origin,
    )


def _walk(
    geometry: Geometry,
    volumes: list[tuple[Sampling, memory_layout.Memory, memory_layout.Memory]],
    affine: Floats,
    control_points: Floats | None,
    threads: int,
) -> None:
    """Walk the tiles of some targets with the kernel, in threads."""
    _, source, target = volumes[0]
    shape = target.shape
    padding = geometry.padding
    if any(geometry.origin):
        affine = affine.copy()
        affine[:, 3] -= geometry.origin
    matrix = memory_layout.affine_in_memory(affine, source._replace(shape=geometry.shape), target)
    spline = None
    if control_points is not None:
        # `tensordot` takes 3 times as long
        displaced = matmul(affine[:, :3], control_points.reshape(3, -1))
        displacement = displaced.reshape(control_points.shape)
        displacement = memory_layout.displacement_in_memory(displacement, source, target)
        spline = tuple(spline_map(matrix, displacement, shape))

    parallel = spline is None and not matrix[:2, 2].any()
    several = len(volumes) > 1 or volumes[0][0].source.shape[0] > 1
    tile = TILE
    if parallel:
        tile = TILE_OF_SEVERAL_PARALLEL_ROWS if several else TILE_OF_PARALLEL_ROWS
    # rows of several channels are located together, and then sampled channel by channel
    band = tile[1] if several else 1
    plane, row = geometry.strides
    ahead = VOXELS_AHEAD_OF_CUBIC if geometry.sampler == "cubic" else VOXELS_AHEAD
    z, y, x = _rows_ahead(matrix, tile[1]) if parallel else _planes_ahead(matrix, ahead)
    strides = (plane, row, z * plane + y * row + x)
    border = border_rules(geometry.mode, geometry.shape, geometry.sampler, padding)
    wrap_step = (0, 0, 0)
    if geometry.mode == "grid-wrap":
        n0, n1, n2 = geometry.shape
        wrap_step = ((1 - n0) * plane, (1 - n1) * row, 1 - n2)

    table = np.array(
        [
            Volume(
                sampler=sampler_address(sampling.interpolation, sampling.target.dtype),
                source=_address(source.flat),
                source_extent=source.flat.size,
                source_first=source.first + padding * (plane + row + 1),
                source_channel=source.strides[0],
                channels=sampling.source.shape[0],
                target=_address(target.flat),
                target_extent=target.flat.size,
                target_first=target.first,
                target_channel=target.strides[0],
                target_plane=target.strides[1],
                target_row=target.strides[2],
                target_step=target.step,
                fills=_address(sampling.fills),
                fill_step=sampling.fills.itemsize,
            )
            for sampling, source, target in volumes
        ],
        np.int64,
    )
    interpolations = {sampling.interpolation for sampling, _, _ in volumes}
    outputs = (int(interpolations != {"nearest"}), int("nearest" in interpolations))

    tiles = -(-shape[0] // tile[0]) * -(-shape[1] // tile[1])
    voxels = sum(sampling.target.size for sampling, _, _ in volumes)
    threads = min(threads_worth(voxels, threads), tiles)
    shares = shares_of(tiles, threads)
    most = max(1, VOXELS_AT_ONCE * tiles // voxels)
    times = -(-tiles // most)  # a thread may have to fill all tiles

    def work(first: int, stop: int) -> None:
        origins = np.empty(tile[1], np.int64) if spline is None else None
        workspace = np.empty(workspace_size(band, shape[2], source.shape[2]), geometry.fractions)
        for number in range(first, stop):
            warp_tiles(
                table,
                strides,
                wrap_step,
                border,
                matrix,
                spline,
                origins,
                workspace,
                tile,
                band,
                outputs,
                shape,
                shares,
                number // times,
                most,
            )

    run_parts(work, threads * times, threads, volumes)


def _rows_ahead(matrix: Floats, rows: int) -> tuple[int, int, int]:
    """The distance, in voxels of the source, from a row to the one that is `rows` later."""
    return _whole_voxels(matrix[:, 1] * rows)


def _planes_ahead(matrix: Floats, voxels: int) -> tuple[int, int, int]:
    """The distance to a later plane, which lies `voxels` away along one axis."""
    step = matrix[:, 0]
    fastest = float(np.abs(step[:2]).max())
    return _whole_voxels(step * (min(voxels / fastest, PLANES_AHEAD) if fastest else PLANES_AHEAD))


def _whole_voxels(distance: Floats) -> tuple[int, int, int]:
    # a matrix need not be sensible
    z, y, x = (round(max(-1e6, min(along, 1e6))) for along in distance.tolist())
    return z, y, x


def _address(array: npt.NDArray[Any]) -> int:
    # `array.ctypes.data` takes five times as long
    return int(array.__array_interface__["data"][0])
