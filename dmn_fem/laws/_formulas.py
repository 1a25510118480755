"""Formulas compiled: for one point, and for `LANES` points at once.

The formula of a law runs once on symbols (`dmn_fem._lanes`), with a copy of the law whose numbers
are symbols, too. Its tangent is the derivative of its stress (`arithmetic.Dual`).
What is compiled does not depend on the numbers: the type of a formula names the class of the law,
how many numbers stand where, and a digest of the sources, so that Numba's cache finds it again.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from dmn_fem._compiled import njit
from dmn_fem._laminate import MANDEL_ORDER, positions
from dmn_fem._lanes import Numbers, Rows, everywhere, straight_line
from dmn_fem.laws._functions import LAW_SIGNATURE, law_address
from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._tracing import apply, code_key, numbers_of
from dmn_fem.notation import SQRT2, strain_size

_ROWS = types.Array(types.float64, 2, "C")
_LAWS: dict[str, tuple[PhaseLaw, int]] = {}


class _Formula(types.Type):
    """The type of a formula: what decides its machine code, and nothing at run time."""

    def __init__(self, key: str) -> None:
        self.formula = key
        super().__init__(name=f"formula {key}")


@register_model(_Formula)
class _Nothing(models.StructModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, [])


@intrinsic
def _at_one_point(typing_context, formula, parameters, strain, old, new, dt, stress, tangent):
    """A formula between arrays of one point."""
    law, dimension = _LAWS[formula.formula]
    kinds = (parameters, strain, old, new, dt, stress, tangent)

    def generate(context, builder, _, arguments):
        first = context.get_constant(types.int64, 0)

        def array(number: int) -> ir.Value:
            kind, value = kinds[number], arguments[1 + number]
            return context.make_array(kind)(context, builder, value).data

        def rows(number: int) -> Rows:
            return Rows(builder, array(number), first, lanes=1)

        numbers, size = Numbers(builder, array(0), 1), strain_size(dimension)
        own = numbers_of(law, dimension).size
        found = apply(
            law,
            dimension,
            _each(numbers, 0),
            [rows(1)[i] for i in range(size)],
            rows(2),
            everywhere(builder, arguments[5], 1),
            [numbers[own + i] for i in range(len(law.external))],
        )
        after, of_stress, of_tangent = rows(3), rows(5), rows(6)
        for i, each in enumerate(found[2]):
            after[i] = each
        for i, each in enumerate(found[0]):
            of_stress[i] = each
            for j, entry in enumerate(found[1][i]):
                of_tangent[i * size + j] = entry
        return context.get_dummy_value()

    return types.void(formula, *kinds), generate


def _each(numbers: Any, start: int) -> Iterator[Any]:
    return (numbers[position] for position in count(start))


@njit(cache=True, error_model="numpy", nogil=True)
def _one_point(formula, parameters, strain, old, new, dt, stress, tangent):
    """A law function, see `_functions.LAW_SIGNATURE`."""
    _at_one_point(formula, parameters, strain, old, new, dt, stress, tangent)
    for i in range(stress.size):
        if not np.isfinite(stress[i]):
            return -1
    return 1


def _rows_of_member(law, dimension):
    """The formula between rows of a member, in engineering notation.

    A matrix of no triangles is not written, so that the compiler drops what only the tangent needs.
    """

    def run(_, size, triangles, numbers, strain, old, new, stress, matrix, external):
        rows = range(size - 1)
        order, place = MANDEL_ORDER[dimension], positions(size, triangles)
        scale = [1.0 if order[row] < 3 else 1.0 / SQRT2 for row in rows]
        mandel: list[Any] = [None] * len(rows)
        for row in rows:
            mandel[order[row]] = scale[row] * strain[row]
        outside = [external[i] for i in range(len(law.external))]
        found, tangent, internal = apply(
            law, dimension, _each(numbers, 1), mandel, old, numbers[0], outside
        )
        for i, value in enumerate(internal):
            new[i] = value
        for i in rows:
            stress[i] = scale[i] * found[order[i]]
        if triangles == 0:
            return
        for i in rows:
            matrix[place[i][size - 1]] = scale[i] * found[order[i]]
            if triangles == 2:
                matrix[place[size - 1][i]] = scale[i] * found[order[i]]
            for j in range(i if triangles == 1 else 0, size - 1):
                matrix[place[i][j]] = scale[i] * scale[j] * tangent[order[i]][order[j]]
        matrix[place[size - 1][size - 1]] = 0.0

    return run


@intrinsic
def _four_members(typing_context, formula, shape, memory, places, numbers):
    """Members side by side by the formula of a type."""
    rows = straight_line(_rows_of_member(*_LAWS[formula.formula]))
    signature, generate = rows._defn(typing_context, shape, memory, places, numbers, types.int64)
    own = types.void(formula, shape, memory, places, numbers)

    def call(context, builder, _, arguments):
        zero = context.get_constant(types.int64, 0)
        return generate(context, builder, signature, (*arguments[1:], zero))

    return own, call


@njit(cache=True, error_model="numpy", nogil=True)
def _members(
    formula, shape, numbers, count, memory, old, new, strain, state, stress, matrix, external
):
    """All members of a phase, one after the other in memory and in the state.

    Four go side by side: while the iteration of one waits for an instruction, another's goes on.
    """
    size = len(shape[1])
    components = len(shape[2]) * (size * (size - 1) // 2) + size
    for member in range(0, count[0], 4):
        last = count[0] - 1 - member
        states = _four(state + member * count[1], count[1], last)
        places = (
            _four(strain + member * (size - 1), size - 1, last),
            states,
            states,
            _four(stress + member * (size - 1), size - 1, last),
            _four(matrix + member * components, components, last),
            _four(external, 0, last),
        )
        _four_members(formula, shape, (memory, old, new, memory, memory, memory), places, numbers)


@njit(cache=True, error_model="numpy", nogil=True)
def _four(start, stride, last):
    """Where four members start; behind the last of a phase it is taken again."""
    return (
        start,
        start + min(1, last) * stride,
        start + min(2, last) * stride,
        start + min(3, last) * stride,
    )


def _integers(count: int) -> Any:
    return types.BaseTuple.from_types([types.int64] * count)


def _lane_signature(dimension: int, triangles: int) -> Any:
    size = 2 * dimension + 1
    shape = types.Tuple([_integers(n) for n in (dimension, size, triangles)])
    count = _integers(2)
    rows, place = [_ROWS] * 3, [types.int64] * 5
    return types.void(shape, _ROWS, count, *rows, *place)


def point_address(law: PhaseLaw, dimension: int) -> int:
    """Address of the machine code of a law for one point, for `call_law`."""
    if type(law).function is not None:
        return law_address(type(law).function)
    return _address(_one_point, LAW_SIGNATURE, law, dimension)


def lanes_address(law: PhaseLaw, dimension: int, triangles: int) -> int:
    """Address of the machine code of a law with a formula for many points, for `call_formula`.

    Args:
        law: The law.
        dimension: 2 or 3.
        triangles: Of the members' matrices that are kept, see `dmn_fem._laminate`; 0 for stresses
            alone.
    """
    return _address(_members, _lane_signature(dimension, triangles), law, dimension)


def _address(function: Any, signature: Any, law: PhaseLaw, dimension: int) -> int:
    key = code_key(law, dimension)
    _LAWS[key] = law, dimension
    signature = signature.return_type(_Formula(key), *signature.args)
    function.compile(signature)
    compiled = function.get_compile_result(signature)
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
    matrix,
    external,
):
    """All members of a phase by the formula at an address: arguments of `_members`."""
    signature = _lane_signature(shape[0].count, shape[2].count)

    def generate(context, builder, _, arguments):
        convention = context.call_conv
        function = convention.get_function_type(signature.return_type, signature.args)
        pointer = builder.inttoptr(arguments[0], function.as_pointer())
        convention.call_function(
            builder, pointer, signature.return_type, signature.args, arguments[1:]
        )
        return context.get_dummy_value()

    return types.void(types.int64, *signature.args), generate
