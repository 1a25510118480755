"""The compiled network: Newton in O(leaves) by one sweep up and one sweep down the tree.

`LANES` points go through it side by side (`dmn_fem._lanes`): blocks in memory are in
`_block_kernels`, the laws of leaves in `_leaf_kernels`, the sweeps in `_sweep_kernels`, and what
happens at a node in `_node`.

References:
    Gajek, Schneider and Böhlke (2020), JMPS 142, for the Newton system; the sweeps are its block
    elimination.
"""

import numpy as np

from dmn_fem._compiled import njit
from dmn_fem._lanes import LANES
from dmn_fem.online._block_kernels import (
    aligned_rows,
    component_place,
    components_kept,
    gather,
    places_of,
    room_for,
    slots_of,
)
from dmn_fem.online._leaf_kernels import respond
from dmn_fem.online._node import leaf_norm, move_row, predict_node
from dmn_fem.online._sweep_kernels import advance, average, condense, localise

MAX_HALVINGS = 8
UNRELIABLE = 1e-6
"""A relative traction jump that is not converged but still usable."""


@njit(cache=True, error_model="numpy", nogil=True)
def localisation(shape, children, numbers, leaf_matrix):
    """Jumps of all nodes per unit of the macroscopic strains, (nodes, dimension · strains).

    ``leaf_matrix`` holds the kept components of every leaf's matrix, (leaves, components).
    """
    dimension, size = len(shape[0]), len(shape[1])
    width, components = size - 1, leaf_matrix.shape[1]
    nodes, leaves = children.shape[0], leaf_matrix.shape[0]
    slots = slots_of(children)
    strain, step, _, matrix, kept, direction, scalars, jump = places_of(shape, slots)
    memory = aligned_rows(jump + nodes * dimension)
    memory[:] = 0.0
    for leaf in range(leaves):
        for i in range(components):
            memory[matrix + leaf * components + i] = leaf_matrix[leaf, i]
    condense(shape, children, slots, numbers, memory, matrix, kept)
    result, root = np.empty((nodes, dimension * width)), step + (nodes - 1) * width
    for first in range(0, width if nodes > 0 else 0, LANES):
        unit = range(first, min(first + LANES, width))
        memory[root : root + width] = 0.0
        for i in unit:
            memory[root + i, i - first] = 1.0
        advance(
            shape, children, numbers, memory, kept, step, direction, scalars, memory, jump, strain
        )
        for node in range(nodes):
            for a in range(dimension):
                for i in unit:
                    value = memory[direction + node * dimension + a, i - first]
                    result[node, a * width + i] = value
    return result


@njit(cache=True, error_model="numpy", nogil=True)
def evaluate(
    shape,
    order,
    children,
    network,
    numbers_of,
    laws,
    parameters,
    rotation_of,
    external,
    state,
    points,
    leaf_strain,
    leaf_stress,
):
    """Mandel strains and stresses of the leaves in a state, (points, leaves, s).

    The stresses are those of a step without strain. ``points`` are the numbers of those wanted, of
    which ``network`` and ``external`` tell the networks and the external fields; the other
    arguments are those of `integrate`.
    """
    size = len(shape[1])
    width, nodes, leaves = size - 1, children.shape[0], children.shape[0] + 1
    strain, _, stress, matrix, _, _, scalars, end = places_of(shape, slots_of(children))
    memory = aligned_rows(end + external.shape[1])
    plain = (shape[0], shape[1], ())
    old, new = np.zeros(state.shape[1:]), np.zeros(state.shape[1:])
    numbers, rotation = room_for(numbers_of), room_for(rotation_of)
    for start in range(0, points.size, LANES):
        count = min(LANES, points.size - start)
        memory[end:] = external[start // LANES]
        own = network[start // LANES]
        gather(numbers_of, own, numbers)
        gather(rotation_of, own, rotation)
        for lane in range(count):
            point = points[start + lane]
            old[:, lane] = state[point // LANES, :, point % LANES]
            for i in range(width):
                scale = 1.0 if order[i] < 3 else np.sqrt(2.0)
                root = strain + (leaves + nodes - 1) * width
                memory[root + i, lane] = scale * old[order[i], lane]
        localise(shape, children, numbers, memory, old, width, strain)
        respond(
            plain, order, laws, parameters, rotation, memory, old, new, strain, stress, matrix,
            scalars, end,
        )  # fmt: skip
        for leaf in range(leaves):
            for i in range(width):
                scale = 1.0 if order[i] < 3 else np.sqrt(2.0)
                for lane in range(count):
                    place = leaf * width + i
                    leaf_strain[start + lane, leaf, order[i]] = memory[strain + place, lane] / scale
                    leaf_stress[start + lane, leaf, order[i]] = memory[stress + place, lane] * scale


@njit(cache=True, error_model="numpy", nogil=True)
def integrate(
    shape,
    order,
    children,
    network,
    numbers_of,
    leaf_numbers_of,
    predictor_of,
    laws,
    parameters,
    rotation_of,
    tolerance,
    max_iterations,
    macro_strain,
    external,
    old_state,
    new_state,
    macro_stress,
    macro_tangent,
    codes,
    iterations,
):
    """Integrate blocks of points; ``macro_tangent`` of no rows asks for none.

    ``order`` are the Mandel components of the rows; ``numbers`` of a node f1, n and f1 f2 times
    its weight; ``leaf_numbers`` of a leaf its weight; ``predictor`` maps a strain increment to
    elastic increments of the jumps; ``laws`` and ``parameters`` are those of `Members.in_lanes`;
    ``external`` has the external fields of all laws, (blocks, rows, lanes); ``rotation`` has the
    Mandel rotation of every leaf, row by row, or no rows. A state starts with the macroscopic
    strain (Mandel) and the jumps.

    These tables of a network, ``_of``, are shared by all lanes. Those of several networks have one
    axis more, the first; ``network`` has the number of each point's, (blocks, lanes), and every
    block gathers the numbers of its lanes. The compiler makes two variants of all sweeps of it.
    """
    dimension, size = len(shape[0]), len(shape[1])
    plain = (shape[0], shape[1], ())
    width, components = size - 1, components_kept(shape)
    nodes, leaves = children.shape[0], children.shape[0] + 1
    root, points = leaves + nodes - 1, macro_strain.shape[0]
    slots = slots_of(children)
    strain, step, stress, matrix, kept, direction, scalars, outside = places_of(shape, slots)
    jump = width  # in a state
    memory = aligned_rows(outside + external.shape[1])
    top, corner = matrix + slots[root] * components, (slots[root] + 1) * components + matrix - 1
    sums, norm, lowest, amount = scalars, scalars + 2, scalars + 3, scalars + 4
    root_step = step + (nodes - 1 if nodes > 0 else 0) * width
    code, count = np.empty(LANES, dtype=np.int64), np.empty(LANES, dtype=np.int64)
    halvings = np.empty(LANES, dtype=np.int64)
    slope, share = np.empty(LANES), np.empty(LANES)
    running = np.empty(LANES, dtype=np.bool_)

    numbers, leaf_numbers = room_for(numbers_of), room_for(leaf_numbers_of)
    predictor, rotation = room_for(predictor_of), room_for(rotation_of)

    for block in range(old_state.shape[0]):
        old, new = old_state[block], new_state[block]
        gather(numbers_of, network[block], numbers)
        gather(leaf_numbers_of, network[block], leaf_numbers)
        gather(predictor_of, network[block], predictor)
        gather(rotation_of, network[block], rotation)
        memory[outside:] = external[block]
        for lane in range(LANES):
            point = block * LANES + lane
            running[lane] = point < points
            code[lane], count[lane], halvings[lane] = -1, 0, 0
            slope[lane], share[lane] = 0.0, 1.0
            for i in range(width):
                value = macro_strain[point, order[i]] if point < points else 0.0
                scale = 1.0 if order[i] < 3 else np.sqrt(2.0)
                memory[strain + root * width + i, lane] = scale * value
                memory[root_step + i, lane] = scale * (value - old[order[i], lane])
                new[order[i], lane] = value
        # Start from the old jumps and the elastic localisation of the increment. If that is the
        # answer, no tangent is needed.
        for node in range(nodes):
            rows = (jump + node * dimension, root_step, jump + node * dimension)
            predict_node(shape, (old, memory, new), rows, predictor, node)
        localise(shape, children, numbers, memory, new, jump, strain)
        with_tangent = False
        while True:
            if with_tangent:
                respond(
                    shape, order, laws, parameters, rotation, memory, old, new, strain, stress,
                    matrix, scalars, outside,
                )  # fmt: skip
            else:
                respond(
                    plain, order, laws, parameters, rotation, memory, old, new, strain, stress,
                    matrix, scalars, outside,
                )  # fmt: skip
            average(shape, children, numbers, memory, stress, direction, sums)
            memory[norm] = 0.0
            for leaf in range(leaves):
                leaf_norm(shape, memory, (stress + leaf * width, norm), leaf_numbers, leaf)
            wanted, any_shorter, nearly = False, False, True
            for lane in range(LANES):
                memory[amount, lane] = 0.0
                if not running[lane]:
                    continue
                residual, reference = np.sqrt(memory[sums, lane]), np.sqrt(memory[norm, lane])
                law_code = int(memory[lowest, lane])
                if law_code >= 0 and residual <= tolerance * reference < np.inf:
                    code[lane], running[lane] = law_code, False
                    continue
                valid = law_code >= 0 and np.isfinite(residual) and np.isfinite(reference)
                if slope[lane] < 0.0 and halvings[lane] < MAX_HALVINGS:
                    # The incremental potential along the step has this derivative; it is convex for
                    # hardening phases. Too positive means that the step went beyond the minimum.
                    now = memory[sums + 1, lane]
                    if not (valid and now <= 0.25 * abs(slope[lane])):
                        shorter = 0.0
                        if valid:
                            shorter = share[lane] * abs(slope[lane]) / (abs(slope[lane]) + now)
                        if not shorter >= 0.1 * share[lane]:
                            shorter = 0.1 * share[lane]
                        memory[amount, lane] = shorter - share[lane]
                        share[lane] = shorter
                        halvings[lane] += 1
                        any_shorter = True
                        continue
                if count[lane] == max_iterations or not valid:
                    if valid and residual <= UNRELIABLE * reference:
                        code[lane] = 0
                    running[lane] = False
                    continue
                wanted = True
                nearly = nearly and residual * residual <= tolerance * reference * reference
            if any_shorter:
                # The other lanes wait: nothing of theirs changes.
                for row in range(nodes * dimension):
                    rows = (amount, direction + row, jump + row)
                    move_row(shape, (memory, memory, new), rows, numbers, 0)
                localise(shape, children, numbers, memory, new, jump, strain)
                with_tangent = True
                continue
            if not wanted:
                break
            if not with_tangent:
                respond(
                    shape, order, laws, parameters, rotation, memory, old, new, strain, stress,
                    matrix, scalars, outside,
                )  # fmt: skip
            condense(shape, children, slots, numbers, memory, matrix, kept)
            for lane in range(LANES):
                if running[lane]:
                    count[lane] += 1
                    halvings[lane], share[lane] = 0, 1.0
                    slope[lane] = memory[corner, lane]
                    memory[amount, lane] = 1.0
            memory[root_step : root_step + width] = 0.0
            advance(
                shape, children, numbers, memory, kept, step, direction, amount, new, jump, strain
            )
            # The error is squared: the next pass may be the last, which needs no tangent.
            with_tangent = macro_tangent.shape[0] > 0 or not nearly

        if macro_tangent.shape[0] > 0:
            if not with_tangent:
                respond(
                    shape, order, laws, parameters, rotation, memory, old, new, strain, stress,
                    matrix, scalars, outside,
                )  # fmt: skip
            condense(shape, children, slots, numbers, memory, matrix, kept)
        for lane in range(min(LANES, points - block * LANES)):
            point = block * LANES + lane
            iterations[point] = count[lane]
            for i in range(width):
                value = memory[stress + root * width + i, lane]
                if not np.isfinite(value):
                    code[lane] = -1
            codes[point] = code[lane]
            for i in range(width):
                scale = 1.0 if order[i] < 3 else np.sqrt(2.0)
                value = scale * memory[stress + root * width + i, lane]
                macro_stress[point, order[i]] = value if code[lane] >= 0 else np.nan
                if macro_tangent.shape[0] > 0:
                    for j in range(width):
                        both = scale * (1.0 if order[j] < 3 else np.sqrt(2.0))
                        upper = len(shape[2]) == 2 or i <= j
                        row, column = (i, j) if upper else (j, i)
                        place = top + component_place(shape, row, column)
                        value = both * memory[place, lane] if code[lane] >= 0 else np.nan
                        macro_tangent[point, order[i], order[j]] = value
            if code[lane] < 0:
                new[:, lane] = old[:, lane]
