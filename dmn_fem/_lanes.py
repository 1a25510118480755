"""Straight-line SIMD code from plain Python arithmetic.

LLVM does not vectorise loops over samples that hold small matrices. Here the formula itself is run
once, at compile time, on symbols: every ``+ - * /`` emits one instruction on eight doubles side by
side, loops over components are Python's own and leave no trace, and intermediate values live in
registers. The same function runs on floats and arrays, which is how tests check it.
"""

from collections.abc import Callable
from typing import Any, Union

from llvmlite import ir
from numba import types
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

    def _operand(self, other: Union["Lanes", float]) -> ir.Value:
        if isinstance(other, Lanes):
            return other.value
        return ir.Constant(_VECTOR, [float(other)] * LANES)

    def _emit(self, name: str, left: ir.Value, right: ir.Value) -> "Lanes":
        return Lanes(self.builder, getattr(self.builder, name)(left, right, flags=_FLAGS))

    def __add__(self, other: Union["Lanes", float]) -> "Lanes":
        return self._emit("fadd", self.value, self._operand(other))

    def __radd__(self, other: float) -> "Lanes":
        return self._emit("fadd", self._operand(other), self.value)

    def __sub__(self, other: Union["Lanes", float]) -> "Lanes":
        return self._emit("fsub", self.value, self._operand(other))

    def __rsub__(self, other: float) -> "Lanes":
        return self._emit("fsub", self._operand(other), self.value)

    def __mul__(self, other: Union["Lanes", float]) -> "Lanes":
        return self._emit("fmul", self.value, self._operand(other))

    def __rmul__(self, other: float) -> "Lanes":
        return self._emit("fmul", self._operand(other), self.value)

    def __truediv__(self, other: Union["Lanes", float]) -> "Lanes":
        return self._emit("fdiv", self.value, self._operand(other))

    def __rtruediv__(self, other: float) -> "Lanes":
        return self._emit("fdiv", self._operand(other), self.value)

    def __neg__(self) -> "Lanes":
        return 0.0 - self


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

    def __setitem__(self, row: int, lanes: Lanes) -> None:
        self.builder.store(lanes.value, self._pointer(row), align=8)


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
        (so that the compiler knows it); an array (places, `LANES`); a tuple of the places where the
        rows start; an array of numbers (n, m); and the one of its rows that is meant.
    """

    @intrinsic
    def call(
        typing_context: Any, shape: Any, memory: Any, places: Any, numbers: Any, index: Any
    ) -> Any:
        signature = types.void(shape, memory, places, numbers, types.int64)
        lengths = [each.count for each in shape.types]

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _, memory_value, place_values, number_values, row = arguments
            array = context.make_array(memory)(context, builder, memory_value)
            rows = [
                Rows(builder, array.data, builder.extract_value(place_values, number))
                for number in range(places.count)
            ]
            table = context.make_array(numbers)(context, builder, number_values)
            width = builder.extract_value(table.shape, 1)
            start = builder.gep(table.data, [builder.mul(row, width)], source_etype=ir.DoubleType())
            function(*lengths, Numbers(builder, start), *rows)
            return context.get_dummy_value()

        return signature, generate

    return call
