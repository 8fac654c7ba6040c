"""Labels in memory, as bits of an unsigned dtype: four of them serve all."""

from ..jit import dtypes as elements
from ..jit.options import device, kernel
from .pointwise import part_of


@kernel
def replace_bits(dtype, memory, old, new, first, stop):
    """Make elements first..stop of a memory (address, extent) `new` where they are `old`."""
    address = part_of(memory, first, stop)
    for i in range(first, stop):
        bits = elements.voxel(dtype, address, i)
        elements.set_voxel(dtype, address, i, new if bits == old else bits)


@device
def exchanged(bits, keys, values):
    """The value of a key among sorted ones; other bits are themselves."""
    low, high = 0, keys.shape[0]
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < bits:
            low = middle + 1
        else:
            high = middle
    return values[low] if low < keys.shape[0] and keys[low] == bits else bits


@kernel
def exchange_bits(dtype, memory, keys, values, first, stop):
    """Make elements first..stop of a memory the values of their keys, which are sorted.

    Neighbors mostly have the same label, which is looked up once.
    """
    address = part_of(memory, first, stop)
    before = elements.voxel(dtype, address, first)
    after = exchanged(before, keys, values)
    for i in range(first, stop):
        bits = elements.voxel(dtype, address, i)
        if bits != before:
            before, after = bits, exchanged(bits, keys, values)
        if after != bits:
            elements.set_voxel(dtype, address, i, after)
