"""Fewer voxels along each axis, and from these as many as before: weighted sums of two rows.

A line along an axis comes to an index and a weight for each voxel: it is ``a + w (b - a)`` of the
voxels `below` and `above`, of those that were kept. Where the weight is 0, both are the same, so
that a voxel that is not finite reaches no further than it must.

Along axis 2 each of the few voxels that were kept is read; along axes 1 and 0 whole rows are
interpolated, which vectorizes. So axis 2 comes first, while there are the fewest rows; four of
them at a time, which takes 0.9 of the time of one by one (Zen 5, all three axes).

Planes are written in place from the first to the last. Plane z is interpolated from two coarse
planes. A coarse plane is made from planes that are not written yet, so nothing is read after it was
written. Two coarse planes are all the memory that it takes. Tried: all coarse planes made before
and kept. It takes as long in a cache that holds them, and twice as long in one that does not.
"""

import numpy as np

from ..jit import dtypes as elements
from ..jit.options import device, kernel
from .pointwise import part_of


@device
def lerp_rows(a, b, weight, result):
    for i in range(result.shape[0]):
        result[i] = a[i] + weight * (b[i] - a[i])


@device
def copy_plane(plane, result):
    for y in range(result.shape[0]):
        elements.copy_row(plane[y], result[y])


@device
def lerp_voxels(dtype, address, below, above, weight):
    """`lerp` of two voxels."""
    a, b = elements.read(dtype, address, below), elements.read(dtype, address, above)
    return a + weight * (b - a)


@device
def fill_plane(dtype, address, shape, plane, kept1, line1, line2, rows, result):
    """One plane of voxels, with those kept along axes 1 and 2, and as fine as before from these.

    rows  (m1, n2) floats to work in
    """
    _, height, width = shape
    below1, above1, weights1 = line1
    below2, above2, weights2 = line2
    last, top = kept1.shape[0] - 1, plane * height
    for j in range(0, kept1.shape[0], 4):
        # index and weight are loaded once for four rows; the last may be one row again
        i0, i1, i2, i3 = j, min(j + 1, last), min(j + 2, last), min(j + 3, last)
        begin0, begin1 = (top + kept1[i0]) * width, (top + kept1[i1]) * width
        begin2, begin3 = (top + kept1[i2]) * width, (top + kept1[i3]) * width
        row0, row1, row2, row3 = rows[i0], rows[i1], rows[i2], rows[i3]
        for x in range(row0.shape[0]):
            below, above, weight = below2[x], above2[x], weights2[x]
            row0[x] = lerp_voxels(dtype, address, begin0 + below, begin0 + above, weight)
            row1[x] = lerp_voxels(dtype, address, begin1 + below, begin1 + above, weight)
            row2[x] = lerp_voxels(dtype, address, begin2 + below, begin2 + above, weight)
            row3[x] = lerp_voxels(dtype, address, begin3 + below, begin3 + above, weight)
    for y in range(height):
        lerp_rows(rows[below1[y]], rows[above1[y]], weights1[y], result[y])


@kernel
def coarse_planes(dtype, memory, shape, planes, kept1, line1, line2, results):
    """Some planes of a memory (address, extent) of voxels of a `shape`, to (k, n1, n2) floats.

    planes  (k,) which ones
    kept1   (m1,) which rows of a plane are kept
    line1   (below, above, weights) of axis 1: below and above are of the kept ones
    line2   the same of axis 2: they are of all voxels
    """
    address = part_of(memory, 0, shape[0] * shape[1] * shape[2])
    rows = np.empty((kept1.shape[0], shape[2]), results.dtype)
    for k in range(planes.shape[0]):
        fill_plane(dtype, address, shape, planes[k], kept1, line1, line2, rows, results[k])


@device
def write_between(dtype, address, first, near, far, weight):
    """Write the plane between two coarse ones, from voxel `first` on."""
    height, width = near.shape
    for y in range(height):
        a, b, begin = near[y], far[y], first + y * width
        for x in range(width):
            elements.write(dtype, address, begin + x, a[x] + weight * (b[x] - a[x]))


@kernel
def lower_planes(dtype, memory, shape, kept0, kept1, line0, line1, line2, ends, first, stop):
    """Planes first..stop of a memory of voxels, in place; for the arguments see `coarse_planes`.

    kept0  (m0,) which planes are kept
    line0  (below, above, weights) of axis 0: below and above are of the kept ones
    ends   (2, n1, n2) the coarse planes below `first` and above the last, made beforehand
    """
    _, height, width = shape
    address = part_of(memory, 0, shape[0] * shape[1] * shape[2])
    below0, above0, weights0 = line0
    lowest, highest = below0[first], above0[stop - 1]
    rows, coarse = np.empty((kept1.shape[0], width), ends.dtype), np.empty_like(ends)
    made = lowest  # the last one so far, in the order of need
    copy_plane(ends[0], coarse[made % 2])
    for z in range(first, stop):
        if above0[z] > made:
            made = above0[z]
            result = coarse[made % 2]
            if made == highest:
                copy_plane(ends[1], result)
            else:
                fill_plane(dtype, address, shape, kept0[made], kept1, line1, line2, rows, result)
        near, far = coarse[below0[z] % 2], coarse[above0[z] % 2]
        write_between(dtype, address, z * height * width, near, far, weights0[z])
