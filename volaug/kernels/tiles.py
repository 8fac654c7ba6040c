"""The walk over the output: tiles of rows, each row located once and sampled by channel.

A tile is `TILE` x `TILE` rows, in full length. Rows that are neighbours along axes 0 and 1
read the same voxels, so that a tile's part of the source (0.3 MB of a rotated 256^3) stays in
the L2 cache while it is used. Tiles are numbered along axis 1 first, and `warp_tiles` walks a
range of them: the unit of work that threads share out. What a voxel becomes depends on its
row alone, and so not on tiles or threads.
"""

import numpy as np

from .cells import SNAP
from .lanes import LANES
from .linear import fill_row, linear_row
from .nearest import nearest_row
from .options import device, kernel
from .rows import blend_line, blend_plane, locate_affine_row, locate_spline_row

# On a Zen 4 core with 1 MB of L2, at 256^3: 8 to 24 are alike, 32 takes 1.5 times as long.
TILE = 16

# How much longer than a row its buffers are: a block may run past the end.
PADDING = LANES


@device
def affine_line(matrix, z, y):
    """(start, step) of each axis in turn along the output row at `z`, `y`, SNAP included."""
    return (
        SNAP + (matrix[0, 0] * z + matrix[0, 1] * y + matrix[0, 3]),
        matrix[0, 2],
        SNAP + (matrix[1, 0] * z + matrix[1, 1] * y + matrix[1, 3]),
        matrix[1, 2],
        SNAP + (matrix[2, 0] * z + matrix[2, 1] * y + matrix[2, 3]),
        matrix[2, 2],
    )


@kernel
def warp_tiles(source, layout, grid, matrix, spline, fractions, fill, target, frame, first, stop):
    """Fill tiles first..stop of the target.

    source     (n,) the volume's memory, read-only
    layout     strides of channels and of axes 0, 1, and how far on to prefetch, in elements
    grid       strides of axes 0 and 1, last index of each axis, first coordinate of each axis
               that has no cell; float64
    matrix     (3, 4) float64, from output voxels to source voxels
    spline     None, or (lattice, density, starts, reach), see rows.py
    fractions  (3, width + PADDING) float for linear interpolation, None for the nearest voxel
    fill       value outside of the source
    target     (m,) the output's memory
    frame      channels, the output's shape, strides of channels and axes 0, 1, in elements
    """
    source_channel, plane, row, ahead = layout
    channels, depth, height, width, target_channel, target_plane, target_row = frame
    cells = (np.empty(width + PADDING, np.int64), fractions, np.empty(width + PADDING, np.uint8))
    steps = (plane, row, ahead)
    if spline is not None:
        lattice, density, starts, reach = spline
        blended = np.empty(lattice.shape[1:])
        line = np.empty(lattice.shape[2])

    across = (height + TILE - 1) // TILE
    for tile in range(first, stop):
        y_first, z_first = tile % across * TILE, tile // across * TILE
        y_stop, z_stop = min(y_first + TILE, height), min(z_first + TILE, depth)
        for z in range(z_first, z_stop):
            if spline is not None:
                blend_plane(lattice, density, z, y_first, y_stop - 1, blended)
            for y in range(y_first, y_stop):
                affine = affine_line(matrix, z, y)
                if spline is not None:
                    blend_line(blended, density, y, line)
                    begin, end, plain = locate_spline_row(cells, line, affine, grid, starts, reach)
                else:
                    begin, end, plain = locate_affine_row(cells, affine, grid, width)
                for channel in range(channels):
                    base = channel * source_channel
                    place = channel * target_channel + z * target_plane + y * target_row
                    fill_row(target[place : place + begin], fill)
                    if fractions is None:
                        nearest_row(source, base, cells, begin, end, plain, fill, target, place)
                    else:
                        linear_row(
                            source, base, steps, cells, begin, end, plain, fill, target, place
                        )
                    fill_row(target[place + end : place + width], fill)
