"""The walk over the output: tiles of rows, each row located once and sampled by channel.

A tile is 32 x 16 rows or so, in full length. Rows that are neighbors along axes 0 and 1
read the same voxels, so that a plane's part of the source (0.2 MB of a rotated 256^3) stays in
the L2 cache until the next plane of the tile has used it. Tiles are numbered along axis 1
first, and threads share them out, see shares.py. What a voxel becomes depends on its row alone, and
so not on tiles or threads.
"""

import numpy as np

from ..jit import dtypes as elements
from ..jit.dtypes import integers, set_integers
from ..jit.function_pointers import call_sampler
from ..jit.lanes import CACHE_LINE, LANES
from ..jit.options import device, kernel
from ..jit.row_arguments import Cells, Run, Source, Target
from .label_rows import BLOCK_BYTES, BLOCKS
from .rows import affine_line, run_of
from .separable import locate_straight_row, repeats_plane
from .shares import take
from .spline_rows import blend_line, blend_plane, locate_spline_row, surely_outside
from .volumes import COLUMNS, Volume, copy_from_plane_before

# How much longer than a row its buffers are: a block may run past the end.
PADDING = LANES

# index, nearest, three fractions, inside and windows: as if each took 8 bytes
ROWS_OF_CELLS = 6

# Int64 of the run of a row in the workspace: its fields, and what is left of the last line of the
# cache. Buffers begin on a line: 0.94 to 0.98 of the time of a warp on an Intel Xeon.
RUN_SIZE = -(-len(Run._fields) * 8 // CACHE_LINE) * CACHE_LINE // 8


def buffer_length(width):
    """Elements of a buffer of a row: whole blocks."""
    return (width + PADDING + LANES - 1) // LANES * LANES


def workspace_size(band: int, width: int, source_width: int) -> int:
    """Floats, of 4 bytes at least, that hold the cells of a band of rows and their runs."""
    rows = band * (ROWS_OF_CELLS * buffer_length(width) + RUN_SIZE)
    blended = max(source_width + 2 * PADDING, BLOCKS * BLOCK_BYTES // 8)
    return 2 * (rows + buffer_length(width) + blended + CACHE_LINE // 8)


length_of_buffers = device(buffer_length)


@device
def cells_in(workspace, row, band, width, outputs):
    """The `cells` of a row of a band, whose buffers lie in the workspace at an address."""
    length = length_of_buffers(width)
    step = 8 * length
    first = workspace + 8 * band * RUN_SIZE  # the runs of the rows come before
    index = first + row * ROWS_OF_CELLS * step
    nearest, fractions, inside = index + step, index + 2 * step, index + 5 * step
    blended = first + band * ROWS_OF_CELLS * step + step  # a row of a target comes before it
    # the row of `inside` has room for 8 bytes a voxel: itself, and two tables of 2 bytes
    return Cells(index, fractions, length, nearest, inside, inside + length, blended, *outputs)


@device
def rows_of_tile(number, tile, depth, height):
    """Where a tile begins and ends along axes 0 and 1; tiles are numbered along axis 1 first."""
    across = (height + tile[1] - 1) // tile[1]
    z, y = number // across * tile[0], number % across * tile[1]
    return z, min(z + tile[0], depth), y, min(y + tile[1], height)


@device
def row_buffer(workspace, band, width):
    """Where a row is written whose voxels do not lie side by side in the target."""
    return workspace + 8 * band * (RUN_SIZE + ROWS_OF_CELLS * length_of_buffers(width))


@device
def target_of(volume, place, workspace, band, width):
    """The `Target` of a row that begins at `place`: its own memory, or a buffer."""
    if volume.target_step == 1:
        plane, row = volume.target_plane, volume.target_row
        return Target(volume.target, volume.target_extent, place, plane, row)
    return Target(row_buffer(workspace, band, width), width, 0, 0, 0)


@device
def finish_row(volume, place, workspace, band, width):
    """Bring a row from the buffer to its target, if it was written there."""
    if volume.target_step == 1:
        return
    elements.check(place + (width - 1) * volume.target_step, volume.target_extent)
    buffer = row_buffer(workspace, band, width)
    elements.spread(volume.fill_step, buffer, volume.target, place, volume.target_step, width)


@device
def sample_band(volumes, count, z, y, rows, strides, wrap_step, workspace, band, width, outputs):
    """Sample rows y..y + rows, which are located: channel by channel, each row by row."""
    plane, row, ahead = strides
    for v in range(count):
        volume = integers(volumes, v * COLUMNS, Volume)
        for channel in range(volume.channels):
            first = volume.target_first + channel * volume.target_channel
            first += z * volume.target_plane + y * volume.target_row
            begin = volume.source_first + channel * volume.source_channel
            for r in range(rows):
                place = first + r * volume.target_row
                call_sampler(
                    volume.sampler,
                    (
                        Source(volume.source, volume.source_extent, begin, plane, row, ahead),
                        wrap_step,
                        cells_in(workspace, r, band, width, outputs),
                        integers(workspace, r * RUN_SIZE, Run),
                        volume.fills + channel * volume.fill_step,
                        target_of(volume, place, workspace, band, width),
                    ),
                )
                finish_row(volume, place, workspace, band, width)


@kernel
def warp_tiles(
    volumes,
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
    own,
    most,
):
    """Fill some tiles of the targets of some volumes that share their geometry.

    volumes    (n, COLUMNS) int64, a `Volume` each
    strides    of the sources' axes 0 and 1, and how far on to prefetch, in elements
    wrap_step  steps from the last voxel of each axis to the one after it, 0 if there is none
    border     (3, len(RULE)) float64, see borders.py
    matrix     (3, 4) float64, from output voxels to source voxels
    spline     None, or (lattice, density, starts, bounds), see spline_rows.py
    origins    (rows of a tile along axis 1,) to work in; None if there is a `spline`, so that a
               kernel has either kind of rows alone
    workspace  (workspace_size,) for the cells of a band, of the dtype of their fractions
    tile       rows of a tile along axes 0 and 1
    band       how many rows are located before they are sampled
    outputs    whether index and fractions are written, whether the nearest voxel is; see cells.py
    shape      of the targets
    shares     (threads, STEP) int64, the tiles that are left, see shares.py
    own        whose share is filled first
    most       how many tiles are filled at most
    """
    depth, height, width = shape
    fraction, count = workspace.dtype, volumes.shape[0]
    # addresses from here on: an array counts its references wherever it is passed on, which
    # took 30 ns a row
    table, rules = np.int64(volumes.ctypes.data), np.int64(border.ctypes.data)
    buffers = (np.int64(workspace.ctypes.data) + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE
    floats = (float(strides[0]), float(strides[1]))
    parallel = spline is None and matrix[0, 2] == 0.0 and matrix[1, 2] == 0.0
    is_dense = integers(table, 0, Volume).target_step == 1  # rows are repeated in the target
    separable = is_dense and parallel and matrix[2, 0] == 0.0 and matrix[2, 1] == 0.0
    for r in range(band):
        set_integers(buffers, r * RUN_SIZE, run_of(0, 0, 0, 0, width))
    if spline is not None:
        lattice, density, starts, bounds = spline
        blended = np.empty(lattice.shape[1:])
        line = np.empty(lattice.shape[2])

    left, threads = np.int64(shares.ctypes.data), shares.shape[0]
    for _ in range(most):
        number = take(left, threads, own)
        if number < 0:
            break
        z_first, z_stop, y_first, y_stop = rows_of_tile(number, tile, depth, height)
        if origins is not None:
            for i in range(origins.shape[0]):
                origins[i] = -1
        for z in range(z_first, z_stop):
            if z > z_first and separable and not outputs[0] and repeats_plane(matrix, rules, z):
                copy_from_plane_before(table, count, z, y_first, y_stop, width)
                continue
            plane_is_blended = False
            for y in range(y_first, y_stop):
                r = (y - y_first) % band
                cells = cells_in(buffers, r, band, width, outputs)
                affine = affine_line(matrix, z, y)
                run = run_of(0, 0, 0, 0, width)
                if origins is not None:
                    run = locate_straight_row(
                        fraction,
                        cells,
                        affine,
                        floats,
                        rules,
                        width,
                        parallel,
                        separable,
                        integers(buffers, r * RUN_SIZE, Run),
                        origins,
                        y - y_first,
                    )
                if spline is not None and not surely_outside(affine, width, rules, bounds):
                    if not plane_is_blended:
                        blend_plane(lattice, density, z, y_first, y_stop - 1, blended)
                        plane_is_blended = True
                    blend_line(blended, density, y, line)
                    run = locate_spline_row(
                        fraction, cells, line, affine, floats, rules, starts, bounds
                    )
                set_integers(buffers, r * RUN_SIZE, run)
                if r == band - 1 or y == y_stop - 1:
                    rows = r + 1
                    sample_band(
                        table,
                        count,
                        z,
                        y - r,
                        rows,
                        strides,
                        wrap_step,
                        buffers,
                        band,
                        width,
                        outputs,
                    )
