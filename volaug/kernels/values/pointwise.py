"""Changes of a memory of voxels in place: loops that LLVM vectorizes for every dtype.

Voxels become floats, and floats voxels again, as in dtypes.py: integers are rounded and saturate.
"""

import numpy as np

from ..jit import dtypes as elements
from ..jit.dtypes import copy_bytes
from ..jit.options import device, kernel
from .vector_math import MIN_SQUARED, power

ROW = 4096  # voxels that are worked on together, in the L1 cache


@device
def part_of(memory, first, stop):
    """The address of a memory, of which elements first..stop are there."""
    address, extent = memory[0], memory[1]
    if first < stop:
        elements.check(first, extent)
        elements.check(stop - 1, extent)
    return address


@device
def copy_mask(mask, first, inside):
    """Copy bytes of the mask at an address, from the element `first` on; without one they are 1."""
    if mask == 0:
        for i in range(inside.shape[0]):
            inside[i] = 1
    else:
        copy_bytes(mask + first, inside.ctypes.data, inside.shape[0])


@device
def scaled(dtype, address, i, origin, slope, base, low, high):
    """The voxel `i` as ``slope * (x - origin) + base``, cut to low..high; NaN stays."""
    y = slope * (elements.read(dtype, address, i) - origin) + base
    y = low if y < low else y
    return high if y > high else y


@kernel
def scale_and_clip(dtype, memory, origin, slope, base, low, high, first, stop):
    """``slope * (x - origin) + base``, cut to low..high, where the memory's mask is set."""
    address, mask = part_of(memory, first, stop), memory[2]
    if mask == 0:
        for i in range(first, stop):
            y = scaled(dtype, address, i, origin, slope, base, low, high)
            elements.write(dtype, address, i, y)
        return
    inside = np.empty(ROW, np.uint8)
    for begin in range(first, stop, ROW):
        row = inside[: min(ROW, stop - begin)]
        copy_mask(mask, begin, row)
        for i in range(row.shape[0]):
            y = scaled(dtype, address, begin + i, origin, slope, base, low, high)
            elements.write_inside(dtype, address, begin + i, y, row[i])


@device
def add_powers(parts, totals, squares):
    """Add eighths of a row, and their squares, column by column to float64 sums."""
    a, b, c, d, e, f, g, h = parts
    for i in range(totals.shape[0]):
        totals[i] += np.float64(((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (g[i] + h[i])))
        near = (a[i] * a[i] + b[i] * b[i]) + (c[i] * c[i] + d[i] * d[i])
        far = (e[i] * e[i] + f[i] * f[i]) + (g[i] * g[i] + h[i] * h[i])
        squares[i] += np.float64(near + far)


@device
def total_of(values):
    """The sum of so many numbers, a power of two, one half added to the other: vector code."""
    width = values.shape[0]
    while width > 1:
        width //= 2
        low, high = values[:width], values[width : 2 * width]
        for i in range(low.shape[0]):
            low[i] += high[i]
    return values[0]


@kernel
def power_law(
    dtype, memory, origin, slope, constants, squarings, scale, base, block, found, first, stop
):
    """``scale * y + base`` in blocks first..stop, where y is a power of ``slope * (x - origin)``.

    Voxels stay as they are where the memory's mask is not set.

    For `constants` and `squarings` see `power_constants`. To each row of ``found``, (blocks, 2),
    go sum and sum of squares of the finite `y` of a block. Eight at a time are added as float32:
    they are from 0 to 1, and the sums right to 1e-8.
    """
    address = part_of(memory, first * block, min(stop * block, memory[1]))
    row, totals, squares = np.zeros(ROW, np.float32), np.empty(ROW // 8), np.empty(ROW // 8)
    inside = np.empty(ROW, np.uint8)
    eighths = row.reshape(8, ROW // 8)
    parts = (
        eighths[0], eighths[1], eighths[2], eighths[3],
        eighths[4], eighths[5], eighths[6], eighths[7],
    )  # fmt: skip
    zero, minimum = np.float32(0.0), np.float32(MIN_SQUARED)
    for k in range(first, stop):
        totals[:] = 0.0
        squares[:] = 0.0
        begin, end = k * block, min((k + 1) * block, memory[1])
        for at in range(begin, end, ROW):
            powers = row[: min(ROW, end - at)]
            copy_mask(memory[2], at, inside[: powers.shape[0]])
            for i in range(powers.shape[0]):
                voxel = elements.read(dtype, address, at + i)
                y = power(np.float32(slope * (voxel - origin)), constants)
                # NaN where it is not finite
                value = scale * y + (base + zero * voxel)
                elements.write_inside(dtype, address, at + i, value, inside[i])
                powers[i] = y if (y >= minimum) & (inside[i] != 0) else zero  # to be squared
            for _ in range(squarings):
                for i in range(powers.shape[0]):
                    voxel = elements.read(dtype, address, at + i)
                    powers[i] *= powers[i]
                    value = scale * powers[i] + (base + zero * voxel)
                    elements.write_inside(dtype, address, at + i, value, inside[i])
            row[powers.shape[0] :] = 0.0
            add_powers(parts, totals, squares)
        found[k, 0], found[k, 1] = total_of(totals), total_of(squares)


@kernel
def piecewise_cubic(dtype, memory, origin, slope, cubics, first, stop):
    """Cubics of ``u = slope * (x - origin)``: in each unit from 0 on another; NaN stays.

    cubics  (units, 4) the lowest power first, of the place in the unit, 0 to 1

    Each unit's is taken of a whole row and kept where it holds, which vectorizes: with 5 units 0.27
    ns a voxel on a Zen 5 core, where to look up the unit of each voxel takes 1.05, and to look
    up what becomes of 8 or 16 bits in a table of all of them 0.4.
    """
    address = part_of(memory, first, stop)
    places, results = np.empty(ROW, cubics.dtype), np.empty(ROW, cubics.dtype)
    for at in range(first, stop, ROW):
        us = places[: min(ROW, stop - at)]
        for i in range(us.shape[0]):
            us[i] = slope * (elements.read(dtype, address, at + i) - origin)
            results[i] = us[i]
        for unit in range(cubics.shape[0]):
            begin = cubics.dtype.type(unit)
            c0, c1, c2, c3 = cubics[unit, 0], cubics[unit, 1], cubics[unit, 2], cubics[unit, 3]
            for i in range(us.shape[0]):
                t = us[i] - begin
                value = c0 + t * (c1 + t * (c2 + t * c3))
                results[i] = value if us[i] >= begin else results[i]
        for i in range(us.shape[0]):
            elements.write(dtype, address, at + i, results[i])
