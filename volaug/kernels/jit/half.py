"""float16 in integer steps, for scalars and lanes.

LLVM's own conversion is one instruction on a processor that has it, and on others a call of a
C function that is not there. So it is written out, after F. Giesen, "Half to float done quic"
(2012). A subnormal float16 is normal as a float32, and at no time the bits of a subnormal one.
"""

from llvmlite import ir

from .lanes import F32, I32
from .vec import select

I16 = ir.IntType(16)

HALF_INFINITY = 0x7C00
MANTISSA_SHIFT = 23 - 10
EXPONENTS_APART = 127 - 15


def _float_bits(value):
    """The bits of a float32 power of two."""
    return (127 + value) << 23


def half_to_float(bits):
    """The float32 of the bits of a float16."""
    bits = bits.convert("zext", I32)
    sign = (bits & 0x8000) << 16
    size = (bits & 0x7FFF) << MANTISSA_SHIFT
    rebased = size + (EXPONENTS_APART << 23)
    # subnormal: with a leading one, which is then subtracted
    leading = bits.number(_float_bits(-14)).bitcast(F32)
    raised = (rebased + (1 << 23)).bitcast(F32)
    subnormal = (raised - leading).bitcast(I32)
    infinite = size >= (HALF_INFINITY << MANTISSA_SHIFT)
    result = select(size < (1 << 23), subnormal, rebased)
    result = select(infinite, size | 0x7F800000, result)
    return (result | sign).bitcast(F32)


def float_to_half(value):
    """The bits of the float16 that is nearest to a float32, halves to even."""
    bits = value.bitcast(I32)
    sign = bits & 0x80000000
    size = bits ^ sign
    # subnormal: adding a number whose last bit is worth a float16's rounds, and leaves the bits.
    # What becomes 0 is made so before, since it may be subnormal as a float32.
    magic = bits.number(_float_bits(MANTISSA_SHIFT - 14))
    counted = select(size < _float_bits(-26), 0, size)
    moved = (counted.bitcast(F32) + magic.bitcast(F32)).bitcast(I32)
    subnormal = moved - magic
    odd = (size >> MANTISSA_SHIFT) & 1
    rebased = size - (EXPONENTS_APART << 23)
    rounded = rebased + ((1 << (MANTISSA_SHIFT - 1)) - 1) + odd
    normal = rounded >> MANTISSA_SHIFT
    is_nan = size > 0x7F800000
    infinity = select(is_nan, 0x7E00, bits.number(HALF_INFINITY))
    result = select(size < _float_bits(-14), subnormal, normal)
    result = select(size >= _float_bits(16), infinity, result)
    result = result | (sign >> 16)
    return result.convert("trunc", I16)
