"""Laws for eight points at once: formulas of one point, compiled by their name.

A formula is called as ``formula(dimension, parameters, strain, old, dt)`` with Mandel components
and gives ``(stress, tangent, new)``, the tangent by rows. It is plain arithmetic on what
`dmn_fem._lanes` offers, so that it runs on floats, too.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import njit, types
from numba.extending import intrinsic, models, register_model

from dmn_fem._laminate import MANDEL_ORDER, positions
from dmn_fem._lanes import straight_line
from dmn_fem.notation import SQRT2

_ROWS = types.Array(types.float64, 2, "C")
_FORMULAS: dict[str, Callable[..., Any]] = {}


class _Formula(types.Opaque):
    """The type of a formula: its name and a digest of its text, so that a cache finds it again."""

    def __init__(self, key: str) -> None:
        self.key_of_formula = key
        super().__init__(name=f"formula {key}")


register_model(_Formula)(models.OpaqueModel)


def _apply(formula):
    """The formula between rows of a member, in engineering notation."""

    def run(dimension, size, numbers, strain, old, new, stress, matrix):
        rows = range(size - 1)
        order, place = MANDEL_ORDER[dimension], positions(size)
        scale = [1.0 if order[row] < 3 else 1.0 / SQRT2 for row in rows]
        mandel: list[Any] = [None] * len(rows)
        for row in rows:
            mandel[order[row]] = scale[row] * strain[row]
        found, tangent, internal = formula(dimension, _From(numbers, 1), mandel, old, numbers[0])
        for i, value in enumerate(internal):
            new[i] = value
        for i in rows:
            stress[i] = matrix[place[i][size - 1]] = scale[i] * found[order[i]]
            for j in range(i, size - 1):
                factor = scale[i] * scale[j]
                matrix[place[i][j]] = factor * tangent[order[i]][order[j]]
        matrix[place[size - 1][size - 1]] = 0.0

    return run


class _From:
    """Numbers from a position on."""

    def __init__(self, numbers, start):
        self.numbers, self.start = numbers, start

    def __getitem__(self, position):
        return self.numbers[self.start + position]


@intrinsic
def _member(typing_context, formula, shape, memory, places, numbers):
    """One member by the formula of a type."""
    rows = straight_line(_apply(_FORMULAS[formula.key_of_formula]))
    signature, generate = rows._defn(typing_context, shape, memory, places, numbers, types.int64)
    own = types.void(formula, shape, memory, places, numbers)

    def call(context, builder, _, arguments):
        zero = context.get_constant(types.int64, 0)
        return generate(context, builder, signature, (*arguments[1:], zero))

    return own, call


@njit(cache=True, error_model="numpy", nogil=True)
def _members(formula, shape, numbers, count, memory, old, new, strain, state, stress, matrix):
    """All members of a phase, one after the other in memory and in the state."""
    size = len(shape[1])
    components = size * (size + 1) // 2
    for member in range(count[0]):
        places = (
            strain + member * (size - 1),
            state + member * count[1],
            state + member * count[1],
            stress + member * (size - 1),
            matrix + member * components,
        )
        _member(formula, shape, (memory, old, new, memory, memory), places, numbers)


def _signature(dimension: int, formula: types.Type) -> Any:
    size = 2 * dimension + 1
    shape = types.Tuple([types.UniTuple(types.int64, n) for n in (dimension, size)])
    count = types.UniTuple(types.int64, 2)
    rows, place = [_ROWS] * 3, [types.int64] * 4
    return types.void(formula, shape, _ROWS, count, *rows, *place)


@cache
def formula_address(formula: Callable[..., Any], dimension: int) -> int:
    """Address of the machine code of a formula, for `call_formula`."""
    digest = hashlib.sha256(inspect.getsource(formula).encode()).hexdigest()[:16]
    key = f"{formula.__module__}.{formula.__qualname__} {digest}"
    _FORMULAS[key] = formula
    signature = _signature(dimension, _Formula(key))
    _members.compile(signature)
    compiled = _members.get_compile_result(signature)
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


@intrinsic
def call_formula(
    typing_context,
    address,
    shape,
    numbers,
    count,
    memory,
    old,
    new,
    strain,
    state,
    stress,
    response,
):
    """All members of a phase by the formula at an address: arguments of `_members`."""
    signature = _signature(shape[0].count, _Formula("at an address"))

    def generate(context, builder, _, arguments):
        convention = context.call_conv
        function = convention.get_function_type(signature.return_type, signature.args)
        pointer = builder.inttoptr(arguments[0], function.as_pointer())
        nothing = context.get_dummy_value()
        convention.call_function(
            builder, pointer, signature.return_type, signature.args, (nothing, *arguments[1:])
        )
        return nothing

    return types.void(types.int64, *signature.args[1:]), generate
