"""Labels in memory, as bits of an unsigned dtype: four of them serve all."""

from ..jit import dtypes as elements
from ..jit.options import kernel
from .pointwise import part_of


@kernel
def replace_bits(dtype, memory, old, new, first, stop):
    """Make elements first..stop of a memory (address, extent) `new` where they are `old`."""
    address = part_of(memory, first, stop)
    for i in range(first, stop):
        bits = elements.voxel(dtype, address, i)
        elements.set_voxel(dtype, address, i, new if bits == old else bits)
