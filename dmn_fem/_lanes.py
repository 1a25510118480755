"""Straight-line SIMD code from plain Python arithmetic.

LLVM does not vectorise loops over samples that hold small matrices. Here the formula itself is run
once, at compile time, on symbols: every ``+ - * /`` emits one instruction on `LANES` doubles side
by side, loops over components are Python's own and leave no trace, and intermediate values live in
registers. What a formula cannot say in Python, because its lanes would go different ways, it says
with `where` and `repeat`. The same function runs on arrays, which is how tests check it, and with
one lane it is code for one point.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from dmn_fem.notation import Array


def _register() -> int:
    """Doubles in a register of the processor that Numba compiles for, as LLVM adds eight of them.

    That is this machine's, or what ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` ask for; all of it
    is in the keys of Numba's cache.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    name = config.CPU_NAME or binding.get_host_cpu_name()
    features = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    machine = binding.Target.from_default_triple().create_target_machine(name, features)
    kind = "<8 x double>"
    text = f"define {kind} @f({kind} %a, {kind} %b) {{ %c = fadd {kind} %a, %b ret {kind} %c }}"
    assembly = machine.emit_assembly(binding.parse_assembly(text))
    return {1: 8, 2: 4}.get(len(re.findall(r"^\s+v?f?add(?:pd)?\s", assembly, re.M)), 2)


LANES = _register()
"""Numbers side by side: 8 with AVX-512, 4 with AVX2, 2 elsewhere (NEON, SSE2)."""

# A zero has no sign. Nothing else is the compiler's choice: which products and sums are fused is
# decided here, so that code that leaves something out gives the rest to the last bit.
_FLAGS = ("nsz",)


class Lanes:
    """Doubles side by side during code generation; arithmetic on it emits instructions.

    A product remembers its factors: added to something, it becomes one fused instruction where the
    machine has one.
    """

    __array_ufunc__ = None  # numbers of NumPy leave arithmetic to this class

    def __init__(
        self,
        builder: ir.IRBuilder,
        value: ir.Value,
        factors: tuple[ir.Value, ir.Value] | None = None,
    ) -> None:
        self.builder = builder
        self.value = value
        self.factors = factors

    def _emit(self, name: str, left: Any, right: Any) -> Any:
        if not isinstance(left, _OPERANDS) or not isinstance(right, _OPERANDS):
            return NotImplemented
        kind = self.value.type
        operands = _vector(left, kind), _vector(right, kind)
        value = getattr(self.builder, name)(*operands, flags=_FLAGS)
        return Lanes(self.builder, value, operands if name == "fmul" else None)

    def _sum(self, left: Any, right: Any, minus: bool) -> Any:
        """Left plus or minus right."""
        if not isinstance(left, _OPERANDS) or not isinstance(right, _OPERANDS):
            return NotImplemented
        kind, negative = self.value.type, self.builder.fneg
        if isinstance(right, Lanes) and right.factors is not None:
            factor, other = right.factors
            factor = negative(factor) if minus else factor
            return _call("llvm.fmuladd", self.builder, factor, other, _vector(left, kind))
        if isinstance(left, Lanes) and left.factors is not None:
            term = _vector(right, kind)
            return _call(
                "llvm.fmuladd", self.builder, *left.factors, negative(term) if minus else term
            )
        return self._emit("fsub" if minus else "fadd", left, right)

    def __add__(self, other: Any) -> Any:
        return self._sum(self, other, minus=False)

    def __radd__(self, other: Any) -> Any:
        return self._sum(other, self, minus=False)

    def __sub__(self, other: Any) -> Any:
        return self._sum(self, other, minus=True)

    def __rsub__(self, other: Any) -> Any:
        return self._sum(other, self, minus=True)

    def __mul__(self, other: Any) -> Any:
        return self._emit("fmul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._emit("fmul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._emit("fdiv", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._emit("fdiv", other, self)

    def __neg__(self) -> "Lanes":
        return 0.0 - self

    def _compare(self, sign: str, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        # Ordered: with a NaN every comparison is false.
        value = self.builder.fcmp_ordered(sign, self.value, _vector(other, self.value.type))
        return Mask(self.builder, value)

    def __lt__(self, other: Any) -> Any:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Any:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Any:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Any:
        return self._compare(">=", other)


_OPERANDS = (Lanes, float, int, np.floating)


def _vectors(lanes: int) -> ir.VectorType:
    return ir.VectorType(ir.DoubleType(), lanes)


def _vector(value: Any, kind: ir.VectorType) -> ir.Value:
    """What a number is during code generation."""
    return (
        value.value if isinstance(value, Lanes) else ir.Constant(kind, [float(value)] * kind.count)
    )


class Mask:
    """Truth values of lanes during code generation."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.value = value

    def __and__(self, other: "Mask") -> "Mask":
        return Mask(self.builder, self.builder.and_(self.value, other.value))

    def __or__(self, other: "Mask") -> "Mask":
        return Mask(self.builder, self.builder.or_(self.value, other.value))

    def __invert__(self) -> "Mask":
        return Mask(self.builder, self.builder.not_(self.value))


def where(condition: Any, then: Any, otherwise: Any) -> Any:
    """One of two values in every lane."""
    if not isinstance(condition, Mask):
        return np.where(condition, then, otherwise)
    kind = _vectors(condition.value.type.count)
    value = condition.builder.select(condition.value, _vector(then, kind), _vector(otherwise, kind))
    return Lanes(condition.builder, value)


def sqrt(value: Any) -> Any:
    """Square root."""
    if not isinstance(value, Lanes):
        return np.sqrt(value)
    return _call("llvm.sqrt", value.builder, value.value)


def exp(value: Any) -> Any:
    """Exponential, to two units in the last place; of a NaN a NaN, 0 and infinity where it ends.

    x = n ln 2 + r with |r| ≤ ln 2 / 2, Taylor's series of exp(r), and n added to the exponent.
    """
    if not isinstance(value, Lanes):
        return np.exp(value)
    builder, lanes = value.builder, value.value.type.count
    number = where(value > _EXP_END, _EXP_END, value) * (1 / math.log(2))
    number = _call("llvm.nearbyint", builder, number.value)
    rest = value - number * _LN2_HIGH - number * _LN2_LOW
    series = _polynomial([1 / math.factorial(power) for power in range(14)], rest)
    integers = ir.VectorType(ir.IntType(64), lanes)
    shifted = builder.shl(
        builder.add(
            builder.fptosi(where(value < -_EXP_END, 0.0, number).value, integers),
            ir.Constant(integers, [1022] * lanes),
        ),
        ir.Constant(integers, [52] * lanes),
    )
    half = Lanes(builder, builder.bitcast(shifted, _vectors(lanes)))
    result = where(value < -_EXP_END, 0.0, series * half * 2.0)
    return where(value > _EXP_END, math.inf, result)


_EXP_END = 708.0
_LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # so few digits that its products are exact
_LN2_LOW = math.log(2) - _LN2_HIGH + float.fromhex("0x1.abc9e3b39803fp-56")


def _polynomial(coefficients: Sequence[Any], number: Any) -> Any:
    """Σ cₖ xᵏ, by pairs (Estrin): half as many operations wait for one another as in Horner's."""
    while len(coefficients) > 1:
        pairs = zip_longest(coefficients[::2], coefficients[1::2], fillvalue=0.0)
        coefficients = [even + odd * number for even, odd in pairs]
        number = number * number
    return coefficients[0]


def log(value: Any) -> Any:
    """Natural logarithm, to three units in the last place; of 0 minus infinity, below a NaN.

    x = 2ⁿ m with m from √½ to √2, and ln m = 2 artanh s with s = (m - 1) / (m + 1) as a series.
    """
    if not isinstance(value, Lanes):
        return np.log(value)
    builder, lanes = value.builder, value.value.type.count
    integers = ir.VectorType(ir.IntType(64), lanes)

    def integer(number: int) -> ir.Value:
        return ir.Constant(integers, [number] * lanes)

    bits = builder.bitcast(value.value, integers)
    exponent = builder.sub(builder.lshr(bits, integer(52)), integer(1023))
    number = Lanes(builder, builder.sitofp(exponent, _vectors(lanes)))
    mantissa = builder.or_(builder.and_(bits, integer(2**52 - 1)), integer(1023 << 52))
    one_to_two = Lanes(builder, builder.bitcast(mantissa, _vectors(lanes)))
    large = one_to_two > math.sqrt(2.0)
    number = where(large, number + 1.0, number)
    near_one = where(large, 0.5 * one_to_two, one_to_two)
    ratio = (near_one - 1.0) / (near_one + 1.0)
    square = ratio * ratio
    series = _polynomial([1.0 / odd for odd in range(1, 25, 2)], square)
    result = number * _LN2_HIGH + (2.0 * ratio * series + number * _LN2_LOW)
    result = where(value >= sys.float_info.min, result, -math.inf)
    result = where(value < math.inf, result, value)
    return where(value >= 0.0, result, math.nan)


def repeat(
    step: Callable[..., tuple[Any, ...]], start: Sequence[Any], limit: int, among: Any
) -> list[Any]:
    """Repeat ``(more, *state) = step(*state)`` in the lanes that want more, at most `limit` times.

    Args:
        step: Gives a mask and the new state.
        start: The state, several values.
        limit: Of repetitions; what then still wants more stays as it is.
        among: Lanes that want a first one.

    Returns:
        The state of every lane when it first wanted no more.
    """
    first = next((each for each in start if isinstance(each, Lanes)), None)
    if first is None:
        state = [np.asarray(each, dtype=float) for each in start]
        going = np.asarray(among)
        for _ in range(limit):
            if not going.any():
                break
            more, *new = step(*state)
            state = [np.where(going, a, b) for a, b in zip(new, state, strict=True)]
            going = going & more
        return state
    builder, kind = first.builder, first.value.type
    truth = ir.VectorType(ir.IntType(1), kind.count)
    places = [cgutils.alloca_once(builder, kind) for _ in start]
    going_place = cgutils.alloca_once(builder, truth)
    counter = cgutils.alloca_once(builder, ir.IntType(64))
    for place, each in zip(places, start, strict=True):
        builder.store(_vector(each, kind), place)
    builder.store(among.value, going_place)
    builder.store(ir.Constant(ir.IntType(64), limit), counter)
    loop, done = builder.append_basic_block("repeat"), builder.append_basic_block("done")
    bits = ir.IntType(kind.count)

    def any_of(mask: ir.Value) -> ir.Value:
        return builder.icmp_unsigned("!=", builder.bitcast(mask, bits), ir.Constant(bits, 0))

    builder.cbranch(any_of(among.value), loop, done)
    builder.position_at_end(loop)
    before = [Lanes(builder, builder.load(place, typ=kind)) for place in places]
    mask = Mask(builder, builder.load(going_place, typ=truth))
    more, *new = step(*before)
    for place, a, b in zip(places, new, before, strict=True):
        builder.store(where(mask, a, b).value, place)
    mask = mask & more
    builder.store(mask.value, going_place)
    left = builder.sub(builder.load(counter, typ=ir.IntType(64)), ir.Constant(ir.IntType(64), 1))
    builder.store(left, counter)
    again = builder.and_(
        any_of(mask.value), builder.icmp_signed(">", left, ir.Constant(ir.IntType(64), 0))
    )
    builder.cbranch(again, loop, done)
    builder.position_at_end(done)
    return [Lanes(builder, builder.load(place, typ=kind)) for place in places]


def _call(name: str, builder: ir.IRBuilder, *values: ir.Value) -> Lanes:
    """A function of vectors that LLVM knows."""
    kind = values[0].type
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * len(values)), f"{name}.v{kind.count}f64"
    )
    return Lanes(builder, builder.call(function, values))


def aligned(shape: tuple[int, ...]) -> Array:
    """Zeros, so placed that a row of `LANES` numbers is within one line of the cache."""
    whole = np.zeros(math.prod(shape) + LANES)
    start = -whole.ctypes.data % (8 * LANES) // 8
    return whole[start : start + math.prod(shape)].reshape(shape)


class Rows:
    """Rows of some lanes of an array, from one on; read and written by number.

    From several places on, a power of two of them, their rows count as one of more lanes.
    """

    def __init__(
        self, builder: ir.IRBuilder, data: ir.Value, *first: ir.Value, lanes: int = LANES
    ) -> None:
        self.builder = builder
        self._lanes, self._kind = lanes, _vectors(lanes)
        starts = [builder.mul(each, ir.Constant(each.type, lanes)) for each in first]
        self._starts = [builder.gep(data, [each], source_etype=ir.DoubleType()) for each in starts]

    def _pointers(self, row: int) -> list[ir.Value]:
        offset = ir.Constant(ir.IntType(64), row * self._lanes)
        places = [
            self.builder.gep(start, [offset], source_etype=ir.DoubleType())
            for start in self._starts
        ]
        return [self.builder.bitcast(place, self._kind.as_pointer()) for place in places]

    def __getitem__(self, row: int) -> Lanes:
        parts = [self.builder.load(each, align=8, typ=self._kind) for each in self._pointers(row)]
        while len(parts) > 1:
            parts = [
                self._shuffled(left, right, range(2 * left.type.count))
                for left, right in zip(parts[::2], parts[1::2], strict=True)
            ]
        return Lanes(self.builder, parts[0])

    def __setitem__(self, row: int, lanes: Lanes | float) -> None:
        count = len(self._starts) * self._lanes
        whole = _vector(lanes, _vectors(count))
        for start, place in zip(range(0, count, self._lanes), self._pointers(row), strict=True):
            part = self._shuffled(whole, whole, range(start, start + self._lanes))
            self.builder.store(part, place, align=8)

    def _shuffled(self, left: ir.Value, right: ir.Value, lanes: Iterable[int]) -> ir.Value:
        mask = list(lanes)
        kind = ir.VectorType(ir.IntType(32), len(mask))
        return self.builder.shuffle_vector(left, right, ir.Constant(kind, mask))


class Numbers:
    """Numbers that all lanes share: a row of an array, read by position as `Rows` are."""

    def __init__(self, builder: ir.IRBuilder, row: ir.Value, lanes: int = LANES) -> None:
        self.builder = builder
        self._row, self._lanes = row, lanes

    def __getitem__(self, position: int) -> Lanes:
        offset = ir.Constant(ir.IntType(64), position)
        place = self.builder.gep(self._row, [offset], source_etype=ir.DoubleType())
        return everywhere(self.builder, self.builder.load(place, typ=ir.DoubleType()), self._lanes)


def everywhere(builder: ir.IRBuilder, number: ir.Value, lanes: int) -> Lanes:
    """One double in all lanes."""
    lane = ir.Constant(ir.IntType(32), 0)
    single = builder.insert_element(ir.Constant(_vectors(lanes), ir.Undefined), number, lane)
    first = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return Lanes(builder, builder.shuffle_vector(single, single, first))


def straight_line(function: Callable[..., None]) -> Any:
    """Compile a function of rows and numbers, for calls from Numba.

    Args:
        function: Is called once for a shape, as ``function(*shape, numbers, *rows)`` with integers,
            `Numbers` (or `Rows`, see below) and several `Rows`; it reads and writes rows.

    Returns:
        A function, for Numba code, of: a tuple of tuples of integers, whose lengths are the shape
        (so that the compiler knows it); an array (places, `LANES`), or a tuple of one for each
        `Rows`; a tuple of the places where these start, each perhaps a tuple of places whose rows
        go side by side; an array of numbers (n, m) that all lanes share, or of those of each lane
        (n, m, `LANES`); and the one of its rows that is meant.
    """

    @intrinsic
    def call(
        typing_context: Any, shape: Any, memory: Any, places: Any, numbers: Any, index: Any
    ) -> Any:
        signature = types.void(shape, memory, places, numbers, types.int64)
        lengths = [each.count for each in shape.types]

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _, memory_value, place_values, number_values, row = arguments
            several = isinstance(memory, types.BaseTuple)
            rows = []
            for number in range(places.count):
                kind = memory.types[number] if several else memory
                value = builder.extract_value(memory_value, number) if several else memory_value
                array = context.make_array(kind)(context, builder, value)
                first = builder.extract_value(place_values, number)
                beside = isinstance(places.types[number], types.BaseTuple)
                several_places = cgutils.unpack_tuple(builder, first) if beside else [first]
                rows.append(Rows(builder, array.data, *several_places))
            table = context.make_array(numbers)(context, builder, number_values)
            width = builder.extract_value(table.shape, 1)
            first = builder.mul(row, width)
            given: Rows | Numbers
            if numbers.ndim == 3:
                given = Rows(builder, table.data, *[first] * len(several_places))
            else:
                start = builder.gep(table.data, [first], source_etype=ir.DoubleType())
                given = Numbers(builder, start, LANES * len(several_places))
            function(*lengths, given, *rows)
            return context.get_dummy_value()

        return signature, generate

    return call
