"""Labels in memory, as bits of an unsigned dtype: four of them serve all."""

from . import elements
from .intensity import part_of
from .options import kernel


@kernel
def replace_bits(dtype, memory, old, new, first, stop):
    """Make elements first..stop of a memory (address, extent) `new` where they are `old`."""
    address = part_of(memory, first, stop)
    for i in range(first, stop):
        bits = elements.voxel(dtype, address, i)
        elements.set_voxel(dtype, address, i, new if bits == old else bits)
