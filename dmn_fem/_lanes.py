"""Straight-line SIMD code from plain Python arithmetic.

LLVM does not vectorise loops over samples that hold small matrices. Here the formula itself is run
once, at compile time, on symbols: every ``+ - * /`` emits one instruction on eight doubles side by
side, loops over components are Python's own and leave no trace, and intermediate values live in
registers. What a formula cannot say in Python, because its lanes would go different ways, it says
with `where` and `repeat`. The same function runs on floats and arrays, which is how tests check it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Union

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
"""Numbers side by side: a register of AVX-512, two of AVX2, four of NEON."""

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
# Products and sums may be fused, divisions become products; no sum changes its order.
_FLAGS = ("contract", "nsz", "arcp")


class Lanes:
    """Eight doubles during code generation; arithmetic on it emits instructions."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.value = value

    def _emit(self, name: str, left: ir.Value, right: ir.Value) -> "Lanes":
        return Lanes(self.builder, getattr(self.builder, name)(left, right, flags=_FLAGS))

    def __add__(self, other: Union["Lanes", float]) -> "Lanes":
        return self._emit("fadd", self.value, _vector(other))

    def __radd__(self, other: float) -> "Lanes":
        return self._emit("fadd", _vector(other), self.value)

    def __sub__(self, other: Union["Lanes", float]) -> "Lanes":
        return self._emit("fsub", self.value, _vector(other))

    def __rsub__(self, other: float) -> "Lanes":
        return self._emit("fsub", _vector(other), self.value)

    def __mul__(self, other: Union["Lanes", float]) -> "Lanes":
        return self._emit("fmul", self.value, _vector(other))

    def __rmul__(self, other: float) -> "Lanes":
        return self._emit("fmul", _vector(other), self.value)

    def __truediv__(self, other: Union["Lanes", float]) -> "Lanes":
        return self._emit("fdiv", self.value, _vector(other))

    def __rtruediv__(self, other: float) -> "Lanes":
        return self._emit("fdiv", _vector(other), self.value)

    def __neg__(self) -> "Lanes":
        return 0.0 - self

    def _compare(self, sign: str, other: Union["Lanes", float]) -> "Mask":
        # Ordered: with a NaN every comparison is false.
        value = self.builder.fcmp_ordered(sign, self.value, _vector(other))
        return Mask(self.builder, value)

    def __lt__(self, other: Union["Lanes", float]) -> "Mask":
        return self._compare("<", other)

    def __le__(self, other: Union["Lanes", float]) -> "Mask":
        return self._compare("<=", other)

    def __gt__(self, other: Union["Lanes", float]) -> "Mask":
        return self._compare(">", other)

    def __ge__(self, other: Union["Lanes", float]) -> "Mask":
        return self._compare(">=", other)


def _vector(value: Lanes | float) -> ir.Value:
    """What a number is during code generation."""
    return value.value if isinstance(value, Lanes) else ir.Constant(_VECTOR, [float(value)] * LANES)


class Mask:
    """Eight truth values during code generation."""

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
    value = condition.builder.select(condition.value, _vector(then), _vector(otherwise))
    return Lanes(condition.builder, value)


def sqrt(value: Any) -> Any:
    """Square root."""
    if not isinstance(value, Lanes):
        return np.sqrt(value)
    return _call("llvm.sqrt", value)


def exp(value: Any) -> Any:
    """Exponential, to two units in the last place; of a NaN a NaN, 0 and infinity where it ends.

    x = n ln 2 + r with |r| ≤ ln 2 / 2, Taylor's series of exp(r), and n added to the exponent.
    """
    if not isinstance(value, Lanes):
        return np.exp(value)
    builder = value.builder
    number = _call("llvm.nearbyint", where(value > _EXP_END, _EXP_END, value) * (1 / math.log(2)))
    rest = value - number * _LN2_HIGH - number * _LN2_LOW
    series: Any = 1 / math.factorial(13)
    for power in reversed(range(13)):
        series = series * rest + 1 / math.factorial(power)
    integers = ir.VectorType(ir.IntType(64), LANES)
    shifted = builder.shl(
        builder.add(
            builder.fptosi(where(value < -_EXP_END, 0.0, number).value, integers),
            ir.Constant(integers, [1022] * LANES),
        ),
        ir.Constant(integers, [52] * LANES),
    )
    half = Lanes(builder, builder.bitcast(shifted, _VECTOR))
    result = where(value < -_EXP_END, 0.0, series * half * 2.0)
    return where(value > _EXP_END, math.inf, result)


_EXP_END = 708.0
_LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # so few digits that its products are exact
_LN2_LOW = math.log(2) - _LN2_HIGH + float.fromhex("0x1.abc9e3b39803fp-56")


def repeat(step: Callable[..., tuple[Any, ...]], start: Sequence[Any], limit: int) -> list[Any]:
    """Repeat ``(more, *state) = step(*state)`` in the lanes that want more, at most `limit` times.

    Args:
        step: Gives a mask and the new state.
        start: The state, several values.
        limit: Of repetitions; what then still wants more stays as it is.

    Returns:
        The state of every lane when it first wanted no more.
    """
    first = next((each for each in start if isinstance(each, Lanes)), None)
    if first is None:
        state = [np.asarray(each, dtype=float) for each in start]
        going = np.ones(np.broadcast_shapes(*(each.shape for each in state)), dtype=bool)
        for _ in range(limit):
            more, *new = step(*state)
            state = [np.where(going, a, b) for a, b in zip(new, state, strict=True)]
            going = going & more
            if not going.any():
                break
        return state
    builder = first.builder
    truth = ir.VectorType(ir.IntType(1), LANES)
    places = [cgutils.alloca_once(builder, _VECTOR) for _ in start]
    going_place = cgutils.alloca_once(builder, truth)
    counter = cgutils.alloca_once(builder, ir.IntType(64))
    for place, each in zip(places, start, strict=True):
        builder.store(_vector(each), place)
    builder.store(ir.Constant(truth, [1] * LANES), going_place)
    builder.store(ir.Constant(ir.IntType(64), limit), counter)
    loop, done = builder.append_basic_block("repeat"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    before = [Lanes(builder, builder.load(place, typ=_VECTOR)) for place in places]
    mask = Mask(builder, builder.load(going_place, typ=truth))
    more, *new = step(*before)
    for place, a, b in zip(places, new, before, strict=True):
        builder.store(where(mask, a, b).value, place)
    mask = mask & more
    builder.store(mask.value, going_place)
    left = builder.sub(builder.load(counter, typ=ir.IntType(64)), ir.Constant(ir.IntType(64), 1))
    builder.store(left, counter)
    wanted = builder.icmp_unsigned(
        "!=", builder.bitcast(mask.value, ir.IntType(LANES)), ir.Constant(ir.IntType(LANES), 0)
    )
    again = builder.and_(wanted, builder.icmp_signed(">", left, ir.Constant(ir.IntType(64), 0)))
    builder.cbranch(again, loop, done)
    builder.position_at_end(done)
    return [Lanes(builder, builder.load(place, typ=_VECTOR)) for place in places]


def _call(name: str, value: Lanes) -> Lanes:
    """A function of one vector that LLVM knows."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR])
    function = cgutils.get_or_insert_function(value.builder.module, kind, f"{name}.v{LANES}f64")
    return Lanes(value.builder, value.builder.call(function, [value.value]))


class Rows:
    """Rows of `LANES` doubles of an array, from one on; read and written by number."""

    def __init__(self, builder: ir.IRBuilder, data: ir.Value, first: ir.Value) -> None:
        self.builder = builder
        start = builder.mul(first, ir.Constant(first.type, LANES))
        self._start = builder.gep(data, [start], source_etype=ir.DoubleType())

    def _pointer(self, row: int) -> ir.Value:
        offset = ir.Constant(ir.IntType(64), row * LANES)
        place = self.builder.gep(self._start, [offset], source_etype=ir.DoubleType())
        return self.builder.bitcast(place, _VECTOR.as_pointer())

    def __getitem__(self, row: int) -> Lanes:
        return Lanes(self.builder, self.builder.load(self._pointer(row), align=8, typ=_VECTOR))

    def __setitem__(self, row: int, lanes: Lanes | float) -> None:
        self.builder.store(_vector(lanes), self._pointer(row), align=8)


class Numbers:
    """Numbers that all lanes share: a row of an array, read by position."""

    def __init__(self, builder: ir.IRBuilder, row: ir.Value) -> None:
        self.builder = builder
        self._row = row

    def __getitem__(self, position: int) -> Lanes:
        offset = ir.Constant(ir.IntType(64), position)
        place = self.builder.gep(self._row, [offset], source_etype=ir.DoubleType())
        number = self.builder.load(place, typ=ir.DoubleType())
        lane = ir.Constant(ir.IntType(32), 0)
        single = self.builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, lane)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return Lanes(self.builder, self.builder.shuffle_vector(single, single, everywhere))


def straight_line(function: Callable[..., None]) -> Any:
    """Compile a function of rows and numbers, for calls from Numba.

    Args:
        function: Is called once for a shape, as ``function(*shape, numbers, *rows)`` with integers,
            `Numbers` and several `Rows`; it reads and writes rows.

    Returns:
        A function, for Numba code, of: a tuple of tuples of integers, whose lengths are the shape
        (so that the compiler knows it); an array (places, `LANES`), or a tuple of one for each
        `Rows`; a tuple of the places where these start; an array of numbers (n, m); and the one of
        its rows that is meant.
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
                rows.append(Rows(builder, array.data, first))
            table = context.make_array(numbers)(context, builder, number_values)
            width = builder.extract_value(table.shape, 1)
            start = builder.gep(table.data, [builder.mul(row, width)], source_etype=ir.DoubleType())
            function(*lengths, Numbers(builder, start), *rows)
            return context.get_dummy_value()

        return signature, generate

    return call
