"""A symmetric filter along each axis: weighted sums of whole rows, which vectorize.

Planes are filtered along axes 2 and 1 while they are in the cache, from voxels of any dtype to
floats; then columns of all planes, a block of contiguous ones at a time, along axis 0 and back to
voxels. `weights` are those of the neighbors at a distance of 1, 2, ... to either side. `index`
says for places from `-len(weights)` on what a line holds there, beyond its ends too.

A sum is the voxel plus weighted differences to it, so that a constant keeps its value to the bit.
"""

import numpy as np

from ..jit import dtypes as elements
from ..jit.options import device, kernel
from .pointwise import part_of


@device
def add_symmetric_taps(left, middle, right, weight, sums):
    """Add a weight times the differences of two neighbors."""
    for i in range(sums.shape[0]):
        sums[i] += weight * ((left[i] + right[i]) - (middle[i] + middle[i]))


@device
def add_pairs(near, middle, far, weight, other, sums):
    """`add_symmetric_taps` twice, in one pass: for the neighbors `near` and for those `far`."""
    left, right = near
    before, after = far
    for i in range(sums.shape[0]):
        twice = middle[i] + middle[i]
        one = weight * ((left[i] + right[i]) - twice)
        sums[i] += one + other * ((before[i] + after[i]) - twice)


@device
def filter_line(line, weights, sums):
    """Filter a line that is as much longer at each end as there are weights."""
    radius, width = weights.shape[0], sums.shape[0]
    middle = line[radius : radius + width]
    elements.copy_row(middle, sums)
    for k in range(1, radius, 2):
        near = line[radius - k : radius - k + width], line[radius + k : radius + k + width]
        far = line[radius - k - 1 : radius - k - 1 + width], line[radius + k + 1 :][:width]
        add_pairs(near, middle, far, weights[k - 1], weights[k], sums)
    if radius % 2:
        add_symmetric_taps(line[:width], middle, line[2 * radius :], weights[radius - 1], sums)


@device
def filter_rows(rows, at, weights, index, sums):
    """Filter across rows, at the row `at`."""
    radius = weights.shape[0]
    middle, place = rows[at], at + radius
    elements.copy_row(middle, sums)
    for k in range(1, radius, 2):
        near = rows[index[place - k]], rows[index[place + k]]
        far = rows[index[place - k - 1]], rows[index[place + k + 1]]
        add_pairs(near, middle, far, weights[k - 1], weights[k], sums)
    if radius % 2:
        left, right = rows[index[place - radius]], rows[index[place + radius]]
        add_symmetric_taps(left, middle, right, weights[radius - 1], sums)


@kernel
def blur_planes(dtype, memory, floats, shape, weights1, index1, weights2, index2, first, stop):
    """Planes first..stop of a memory of voxels, along axes 2 and 1, to flat `floats`."""
    height, width = shape
    radius = weights2.shape[0]
    address = part_of(memory, first * height * width, stop * height * width)
    line = np.empty(width + 2 * radius, floats.dtype)
    plane = np.empty((height, width), floats.dtype)
    for z in range(first, stop):
        begin = z * height * width
        for y in range(height):
            row = line[radius : radius + width]
            for x in range(width):
                row[x] = elements.read(dtype, address, begin + y * width + x)
            for k in range(radius):
                line[k] = row[index2[k]]
                line[radius + width + k] = row[index2[radius + width + k]]
            filter_line(line, weights2, plane[y])
        for y in range(height):
            row = floats[begin + y * width : begin + (y + 1) * width]
            filter_rows(plane, y, weights1, index1, row)


@kernel
def blur_columns(dtype, memory, floats, shape, weights, index, block, first, stop):
    """Blocks first..stop of the columns of flat `floats`, along axis 0, to a memory of voxels."""
    depth, size = shape
    address = part_of(memory, 0, depth * size)
    buffer = np.empty((depth, block), floats.dtype)
    sums = np.empty(block, floats.dtype)
    for begin in range(first * block, min(stop * block, size), block):
        width = min(block, size - begin)
        columns, row = buffer[:, :width], sums[:width]
        for z in range(depth):
            elements.copy_row(floats[z * size + begin :], columns[z])
        for z in range(depth):
            filter_rows(columns, z, weights, index, row)
            for x in range(width):
                elements.write(dtype, address, z * size + begin + x, row[x])
