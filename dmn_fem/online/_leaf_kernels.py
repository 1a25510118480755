"""The laws of the leaves of a block; memory and shapes are those of `_block_kernels`."""

import numpy as np

from dmn_fem._compiled import njit
from dmn_fem._lanes import LANES
from dmn_fem.laws._formulas import call_formula
from dmn_fem.laws._functions import call_law
from dmn_fem.online._block_kernels import component_place, components_kept
from dmn_fem.online._node import turn_in, turn_out


@njit(cache=True, error_model="numpy", nogil=True)
def _one_by_one(
    shape, order, address, numbers, fields, size, memory, old, new, strain, state, stress, matrix,
    external, lowest
):  # fmt: skip
    """One leaf by a law function, point by point; ``numbers`` end with room for external fields."""
    width = len(shape[1]) - 1
    constants = numbers.copy()
    local_strain, local_stress = np.empty(width), np.empty(width)
    tangent, before, after = np.empty((width, width)), np.empty(size), np.empty(size)
    for lane in range(LANES):
        for i in range(width):
            scale = 1.0 if order[i] < 3 else np.sqrt(0.5)
            local_strain[order[i]] = scale * memory[strain + i, lane]
        before[:] = old[state : state + size, lane]
        for i in range(fields):
            constants[constants.size - fields + i] = memory[external + i, lane]
        code = call_law(
            address, constants[1:], local_strain, before, after, numbers[0], local_stress, tangent
        )
        memory[lowest, lane] = min(memory[lowest, lane], code)
        new[state : state + size, lane] = after
        for i in range(width):
            scale = 1.0 if order[i] < 3 else np.sqrt(0.5)
            memory[stress + i, lane] = scale * local_stress[order[i]]
        for i in range(width if len(shape[2]) > 0 else 0):
            scale = 1.0 if order[i] < 3 else np.sqrt(0.5)
            memory[matrix + component_place(shape, i, width), lane] = memory[stress + i, lane]
            if len(shape[2]) == 2:
                memory[matrix + component_place(shape, width, i), lane] = memory[stress + i, lane]
            for j in range(0 if len(shape[2]) == 2 else i, width):
                both = scale * (1.0 if order[j] < 3 else np.sqrt(0.5))
                place = matrix + component_place(shape, i, j)
                memory[place, lane] = both * tangent[order[i], order[j]]
        if len(shape[2]) > 0:
            memory[matrix + component_place(shape, width, width), lane] = 0.0


@njit(cache=True, error_model="numpy", nogil=True)
def respond(
    shape, order, laws, parameters, rotation, memory, old, new, strain, stress, matrix, scalars,
    external
):  # fmt: skip
    """Stress and tangent of all leaves, phase by phase, and the lowest code of their laws.

    With a shape of no triangles the stress alone, to the last bit the same.
    """
    width, components = len(shape[1]) - 1, components_kept(shape)
    lowest, turned = scalars + 3, scalars + 5
    turned_stress = turned + laws[:, 4].sum() * width
    turns = rotation.shape[0] > 0
    memory[lowest] = 1.0
    for phase in range(laws.shape[0]):
        formula, whole, plain, first, count, state, size, length, fields, first_field = laws[phase]
        address = whole if len(shape[2]) > 0 else plain
        numbers, outside = parameters[phase : phase + 1], external + first_field
        for leaf in range(first, first + count if turns else first):
            turn_in(shape, memory, (strain + leaf * width, turned + leaf * width), rotation, leaf)
        local_strain = (turned if turns else strain) + first * width
        local_stress = (turned_stress if turns else stress) + first * width
        local_matrix = matrix + first * components
        if formula:
            call_formula(
                address, shape, numbers, (count, size), memory, old, new, local_strain, state,
                local_stress, local_matrix, outside,
            )  # fmt: skip
        else:
            for leaf in range(count):
                _one_by_one(
                    shape, order, address, numbers[0, : 1 + length], fields, size, memory, old, new,
                    local_strain + leaf * width, state + leaf * size, local_stress + leaf * width,
                    local_matrix + leaf * components, outside, lowest,
                )  # fmt: skip
        for leaf in range(first, first + count if turns else first):
            places = turned_stress + leaf * width, matrix + leaf * components, stress + leaf * width
            turn_out(shape, memory, places, rotation, leaf)
