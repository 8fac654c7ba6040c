"""Changes of a memory of voxels in place: loops that LLVM vectorises for every dtype.

Voxels become floats, and floats voxels again, as in elements.py: integers are rounded and saturate.
"""

import numpy as np

from . import elements
from .functions import power
from .options import device, kernel


@device
def part_of(memory, first, stop):
    """The address of a memory, of which elements first..stop are there."""
    address, extent = memory
    if first < stop:
        elements.check(first, extent)
        elements.check(stop - 1, extent)
    return address


@kernel
def straight(dtype, memory, origin, slope, base, low, high, first, stop):
    """``slope * (x - origin) + base``, cut to low..high; NaN stays."""
    address = part_of(memory, first, stop)
    for i in range(first, stop):
        y = slope * (elements.read(dtype, address, i) - origin) + base
        y = low if y < low else y
        elements.write(dtype, address, i, high if y > high else y)


@kernel
def curved(dtype, memory, origin, slope, exponent, scale, base, first, stop):
    """``scale * (slope * (x - origin)) ** exponent + base``, of what lies from 0 to 1."""
    address = part_of(memory, first, stop)
    for i in range(first, stop):
        x = slope * (elements.read(dtype, address, i) - origin)
        y = power(np.float32(x), exponent)
        elements.write(dtype, address, i, scale * y + base)
