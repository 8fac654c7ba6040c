"""float16 in integer steps, for scalars and lanes.

LLVM's own conversion is one instruction on a processor that has it, and on others a call of a
C function that is not there. So it is written out, after F. Giesen, "Half to float done quic"
(2012). A subnormal float16 is normal as a float32, and at no time the bits of a subnormal one.
"""

from llvmlite import ir

from .lanes import F32, I32, number

I16 = ir.IntType(16)

HALF_INFINITY = 0x7C00
MANTISSA_SHIFT = 23 - 10
EXPONENTS_APART = 127 - 15


def _like(kind, value):
    return ir.VectorType(kind, value.type.count) if isinstance(value.type, ir.VectorType) else kind


def _float_bits(value):
    """The bits of a float32 power of two."""
    return (127 + value) << 23


def half_to_float(b, bits):
    """The float32 of the bits of a float16."""
    wide, real = _like(I32, bits), _like(F32, bits)
    bits = b.zext(bits, wide)
    sign = b.shl(b.and_(bits, number(wide, 0x8000)), number(wide, 16))
    size = b.shl(b.and_(bits, number(wide, 0x7FFF)), number(wide, MANTISSA_SHIFT))
    rebased = b.add(size, number(wide, EXPONENTS_APART << 23))
    # subnormal: with a leading one, which is then subtracted
    leading = b.bitcast(number(wide, _float_bits(-14)), real)
    raised = b.bitcast(b.add(rebased, number(wide, 1 << 23)), real)
    subnormal = b.bitcast(b.fsub(raised, leading), wide)
    infinite = b.icmp_unsigned(">=", size, number(wide, HALF_INFINITY << MANTISSA_SHIFT))
    result = b.select(b.icmp_unsigned("<", size, number(wide, 1 << 23)), subnormal, rebased)
    result = b.select(infinite, b.or_(size, number(wide, 0x7F800000)), result)
    return b.bitcast(b.or_(result, sign), real)


def float_to_half(b, value):
    """The bits of the float16 that is nearest to a float32, halves to even."""
    wide, real = _like(I32, value), _like(F32, value)
    bits = b.bitcast(value, wide)
    sign = b.and_(bits, number(wide, 0x80000000))
    size = b.xor(bits, sign)
    # subnormal: adding a number whose last bit is worth a float16's rounds, and leaves the bits
    magic = number(wide, _float_bits(MANTISSA_SHIFT - 14))
    moved = b.bitcast(b.fadd(b.bitcast(size, real), b.bitcast(magic, real)), wide)
    subnormal = b.sub(moved, magic)
    odd = b.and_(b.lshr(size, number(wide, MANTISSA_SHIFT)), number(wide, 1))
    rebased = b.sub(size, number(wide, EXPONENTS_APART << 23))
    rounded = b.add(b.add(rebased, number(wide, (1 << (MANTISSA_SHIFT - 1)) - 1)), odd)
    normal = b.lshr(rounded, number(wide, MANTISSA_SHIFT))
    is_nan = b.icmp_unsigned(">", size, number(wide, 0x7F800000))
    infinity = b.select(is_nan, number(wide, 0x7E00), number(wide, HALF_INFINITY))
    result = b.select(b.icmp_unsigned("<", size, number(wide, _float_bits(-14))), subnormal, normal)
    result = b.select(b.icmp_unsigned(">=", size, number(wide, _float_bits(16))), infinity, result)
    result = b.or_(result, b.lshr(sign, number(wide, 16)))
    return b.trunc(result, _like(I16, value))
