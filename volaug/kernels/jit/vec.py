"""Scalars and lanes with operators: intrinsics as arithmetic, one LLVM instruction each.

Operators mean what they mean in Python, of floats and of integers: ``!=`` is true of NaN, the
other comparisons are not. A Python number among them is a constant of the same type. Nothing is
folded and nothing reordered: what is written is what LLVM gets.
"""

from llvmlite import ir
from numba.core import cgutils

from . import lanes
from .lanes import I32

REAL = (ir.FloatType, ir.DoubleType)


class Vec:
    """An LLVM value, a scalar or lanes, and the builder `b` that appends to it.

    `signed` says how integers are compared. What LLVM may do with floats is said by
    `options.FASTMATH`: Numba writes it to every instruction.
    """

    __hash__ = None  # `==` is an instruction

    def __init__(self, b, value, signed=False):
        self.b, self.value, self.signed = b, value, signed

    @property
    def type(self):
        return self.value.type

    @property
    def element(self):
        """The type of a lane."""
        return getattr(self.type, "element", self.type)

    @property
    def count(self):
        """How many lanes there are; None of a scalar."""
        return getattr(self.type, "count", None)

    @property
    def is_real(self):
        return isinstance(self.element, REAL)

    def like(self, value):
        """Another LLVM value, with the properties of this one."""
        return Vec(self.b, value, self.signed)

    def number(self, value):
        """A number of this type, in all lanes."""
        return self.like(lanes.number(self.type, value))

    def kind(self, element):
        """The type of as many lanes of another element."""
        return element if self.count is None else lanes.vector(element, self.count)

    def convert(self, how, element):
        """By a conversion of the builder's, such as "fpext"; to lanes of the type `element`."""
        return self.like(getattr(self.b, how)(self.value, self.kind(element)))

    def bitcast(self, element):
        """The same bits, as lanes of a type of the same size."""
        return self.convert("bitcast", element)

    def bitcast_to(self, kind):
        """The same bits as another vector type of the same size."""
        return self.like(self.b.bitcast(self.value, kind))

    def call(self, name, *others):
        """An LLVM intrinsic on floats, such as "fabs"."""
        return self.like(lanes.call(self.b, name, self.value, *map(self._operand, others)))

    def saturate(self, element, signed):
        """The nearest integers towards zero that `element` has; of NaN 0."""
        return self.like(lanes.saturate(self.b, self.value, self.kind(element), signed))

    def multiply_add(self, factor, term):
        """``self * factor + term``, fused where that is as fast."""
        return self.call("fmuladd", factor, term)

    def pick(self, places):
        """The given lanes, in that order."""
        return self.like(self.b.shuffle_vector(self.value, self.value, lanes.constant(I32, places)))

    def lane(self, place):
        """One lane, as a scalar."""
        return self.like(self.b.extract_element(self.value, I32(place)))

    def bits(self):
        """The lanes of a mask as the bits of one integer."""
        return Vec(self.b, self.b.bitcast(self.value, ir.IntType(self.count)))

    def any(self):
        """Whether any lane of a mask is set."""
        return self.bits() != 0

    def any_bit(self):
        """Whether any bit of any lane of integers is set."""
        whole = ir.IntType(self.count * self.element.width)
        return Vec(self.b, self.b.bitcast(self.value, whole)) != 0

    def min(self, other):
        """The lesser; `other` in place of NaN."""
        return select(self < other, self, other)

    def max(self, other):
        """The greater; `other` in place of NaN."""
        return select(self > other, self, other)

    def _operand(self, other):
        return other.value if isinstance(other, Vec) else lanes.number(self.type, other)

    def _apply(self, real, whole, left, right):
        """An instruction, by its name for floats and for integers."""
        if self.is_real:
            return self.like(getattr(self.b, real)(left, right))
        return self.like(getattr(self.b, whole)(left, right))

    def _compare(self, relation, other):
        if not self.is_real:
            test = self.b.icmp_signed if self.signed else self.b.icmp_unsigned
        else:
            test = self.b.fcmp_unordered if relation == "!=" else self.b.fcmp_ordered
        return self.like(test(relation, self.value, self._operand(other)))

    def __add__(self, other):
        return self._apply("fadd", "add", self.value, self._operand(other))

    def __sub__(self, other):
        return self._apply("fsub", "sub", self.value, self._operand(other))

    def __rsub__(self, other):
        return self._apply("fsub", "sub", self._operand(other), self.value)

    def __mul__(self, other):
        return self._apply("fmul", "mul", self.value, self._operand(other))

    def divide(self, other):
        """The quotient of signed integers, rounded towards zero."""
        return self.like(self.b.sdiv(self.value, self._operand(other)))

    def __rmul__(self, other):
        return self._apply("fmul", "mul", self._operand(other), self.value)

    def __truediv__(self, other):
        return self.like(self.b.fdiv(self.value, self._operand(other)))

    def __neg__(self):
        return self.like(self.b.fneg(self.value) if self.is_real else self.b.neg(self.value))

    def __and__(self, other):
        return self.like(self.b.and_(self.value, self._operand(other)))

    def __or__(self, other):
        return self.like(self.b.or_(self.value, self._operand(other)))

    def __xor__(self, other):
        return self.like(self.b.xor(self.value, self._operand(other)))

    def __invert__(self):
        return self.like(self.b.not_(self.value))

    def __lshift__(self, other):
        return self.like(self.b.shl(self.value, self._operand(other)))

    def __rshift__(self, other):
        """Zeros come in from the left."""
        return self.like(self.b.lshr(self.value, self._operand(other)))

    def __lt__(self, other):
        return self._compare("<", other)

    def __le__(self, other):
        return self._compare("<=", other)

    def __gt__(self, other):
        return self._compare(">", other)

    def __ge__(self, other):
        return self._compare(">=", other)

    def __eq__(self, other):
        return self._compare("==", other)

    def __ne__(self, other):
        return self._compare("!=", other)


def select(test, yes, no):
    """`yes` where a test holds, and `no` elsewhere; one of them may be a number."""
    like = yes if isinstance(yes, Vec) else no
    return like.like(test.b.select(test.value, *(like._operand(value) for value in (yes, no))))


def vecs(b, values, signed=False):
    """LLVM values, each a `Vec`."""
    return [Vec(b, value, signed) for value in values]


def call_apart(name, function, values):
    """Call `function`, of some values to one of the first one's type, as code by itself.

    Without it LLVM keeps what it shares with the code around, and moves that to the stack. The name
    must be that of the function and the types.
    """
    b, kinds = values[0].b, [value.type for value in values]
    called = b.module.globals.get(name)
    if called is None:
        called = ir.Function(b.module, ir.FunctionType(kinds[0], kinds), name)
        called.linkage = "internal"
        called.attributes.add("noinline")
        inner = ir.IRBuilder(called.append_basic_block())
        pairs = zip(called.args, values, strict=True)
        result = function(*(Vec(inner, argument, value.signed) for argument, value in pairs))
        inner.ret(result.value)
    return values[0].like(b.call(called, [value.value for value in values]))


def fields(b, kind, value):
    """The fields of a named tuple of a class, each a `Vec`."""
    return kind(*vecs(b, cgutils.unpack_tuple(b, value, len(kind._fields))))


def splat(scalar, count=lanes.LANES):
    """One scalar in all lanes."""
    b = scalar.b
    undefined = ir.Constant(lanes.vector(scalar.type, count), ir.Undefined)
    return scalar.like(b.insert_element(undefined, scalar.value, I32(0))).pick([0] * count)


def join(parts):
    """Vectors of equal length end to end; a power of two of them."""
    while len(parts) > 1:
        every = lanes.constant(I32, range(2 * parts[0].count))
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [x.like(x.b.shuffle_vector(x.value, y.value, every)) for x, y in pairs]
    return parts[0]


def joined(branches):
    """The value that comes from whichever basic block was run, of pairs (value, block)."""
    first = branches[0][0]
    phi = first.b.phi(first.type)
    for value, block in branches:
        phi.add_incoming(value.value, block)
    return first.like(phi)
