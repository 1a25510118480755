"""The compiled loop over the members of a point, each with the law of its phase."""

import numpy as np

from dmn_fem._compiled import njit
from dmn_fem.laws._formulas import call_formula
from dmn_fem.laws._functions import FASTMATH, call_law


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def respond(members, rotation, strain, old, new, dt, stress, tangent):
    """Stress, tangent and new internal variables of every member; returns the lowest code.

    ``members`` is `Members.compiled`; ``rotation`` has the Mandel rotation of every member's
    material axes, (members, s, s), or no rows.
    """
    phases, laws, parameters, parameter_start, state_start, state_width = members
    size = strain.shape[1]
    lowest = 1
    local_strain, local_stress = np.empty(size), np.empty(size)
    local_tangent, half_rotated = np.empty((size, size)), np.empty((size, size))
    for member in range(phases.size):
        phase = phases[member]
        constants = parameters[parameter_start[phase] : parameter_start[phase + 1]]
        start = state_start[member]
        before = old[start : start + state_width[phase]]
        after = new[start : start + state_width[phase]]
        if rotation.shape[0] == 0:
            code = call_law(
                laws[phase], constants, strain[member], before, after, dt, stress[member],
                tangent[member]
            )  # fmt: skip
        else:
            q = rotation[member]
            for i in range(size):
                total = 0.0
                for j in range(size):
                    total += q[j, i] * strain[member, j]
                local_strain[i] = total
            code = call_law(
                laws[phase], constants, local_strain, before, after, dt, local_stress, local_tangent
            )
            for i in range(size):
                total = 0.0
                for j in range(size):
                    total += q[i, j] * local_stress[j]
                stress[member, i] = total
                for j in range(size):
                    total = 0.0
                    for k in range(size):
                        total += q[i, k] * local_tangent[k, j]
                    half_rotated[i, j] = total
            for i in range(size):
                for j in range(size):
                    total = 0.0
                    for k in range(size):
                        total += half_rotated[i, k] * q[j, k]
                    tangent[member, i, j] = total
        lowest = min(lowest, code)
    return lowest


@njit(cache=True, error_model="numpy")
def one_by_one(law, parameters, strain, old, new, dt, stress, tangent):
    """A law at an address, point by point, each with its parameters."""
    for point in range(strain.shape[0]):
        call_law(
            law, parameters[point], strain[point], old[point], new[point], dt, stress[point],
            tangent[point]
        )  # fmt: skip


@njit(cache=True, error_model="numpy")
def side_by_side(law, shape, numbers, memory, old, new):
    """A formula at an address for `LANES` points.

    Rows of strains, stresses, the matrix and external fields.
    """
    size = len(shape[1]) - 1
    external = 2 * size + len(shape[2]) * (size * (size + 1) // 2) + size + 1
    call_formula(
        law, shape, numbers, (1, old.shape[0]), memory, old, new, 0, 0, size, 2 * size, external
    )
