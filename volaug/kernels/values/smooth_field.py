"""A multiplicative field: two to the power of a cubic B-spline, made a row at a time.

As in spline_rows.py, the rows of the lattice around a row of voxels are blended to the polynomials
of its knot spans. The lattice is float64; along a span it is float32, with a relative error of some
1e-6 where the field's logarithm is 1.
"""

import numpy as np

from ..jit import dtypes as elements
from ..jit.options import kernel
from ..warp.spline_rows import blend_line, blend_plane
from .pointwise import part_of
from .vector_math import exp2


@kernel
def multiply_planes(dtype, memory, shape, lattice, density, starts, first, stop):
    """Multiply planes first..stop of a memory (address, extent) of voxels of a `shape`.

    lattice  (k0, k1, 4 * spans) polynomials of the field's logarithm to base 2, the lowest
             power first, in voxels from the first voxel of a span
    density  (2,) knot spans per voxel along axes 0 and 1
    starts   (spans + 1,) the first voxel of each span along axis 2, and the end
    """
    _, height, width = shape
    address = part_of(memory, first * height * width, stop * height * width)
    k1, terms = lattice.shape[1:]
    plane, line = np.empty((k1, terms)), np.empty(terms)
    for z in range(first, stop):
        blend_plane(lattice, density, z, 0, height - 1, plane)
        for y in range(height):
            blend_line(plane, density, y, line)
            for span in range(starts.shape[0] - 1):
                begin = (z * height + y) * width + starts[span]
                c0, c1 = np.float32(line[4 * span]), np.float32(line[4 * span + 1])
                c2, c3 = np.float32(line[4 * span + 2]), np.float32(line[4 * span + 3])
                for i in range(starts[span + 1] - starts[span]):
                    x = np.float32(i)
                    field = exp2(c0 + x * (c1 + x * (c2 + x * c3)))
                    value = elements.read(dtype, address, begin + i) * field
                    elements.write(dtype, address, begin + i, value)
