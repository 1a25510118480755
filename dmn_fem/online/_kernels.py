"""The compiled network: Newton in O(leaves) by one sweep up and one sweep down the tree.

`LANES` points go through it side by side (`dmn_fem._lanes`); what happens at a node is in `_node`.
``shape`` are three tuples whose lengths are the dimension, the rows of a member's matrix, which are
2 dimension + 1, and the triangles of it that are kept: one if the tangents of all phases are
symmetric, else two. Members are leaves, then inner nodes in post-order, the root last. Strains are
in engineering notation inside, 33 last in 2D; Mandel at the border.

References:
    Gajek, Schneider and Böhlke (2020), JMPS 142, for the Newton system; the sweeps are its block
    elimination.
"""

import numpy as np

from dmn_fem._compiled import njit
from dmn_fem._lanes import LANES
from dmn_fem.laws._formulas import call_formula
from dmn_fem.laws._functions import call_law
from dmn_fem.online._node import (
    advance_node,
    average_node,
    condense_node,
    leaf_norm,
    localise_node,
    move_row,
    predict_node,
    turn_in,
    turn_out,
)

MAX_HALVINGS = 8
UNRELIABLE = 1e-6
"""A relative traction jump that is not converged but still usable."""


@njit(cache=True, error_model="numpy", nogil=True)
def _components(shape):
    """How many components of a matrix are kept."""
    size = len(shape[1])
    return len(shape[2]) * (size * (size - 1) // 2) + size


@njit(cache=True, error_model="numpy", nogil=True)
def _component(shape, i, j):
    """Where among them one stands, of the upper triangle if there is one alone."""
    size = len(shape[1])
    return i * size + j if len(shape[2]) == 2 else i * (2 * size - i - 1) // 2 + j


@njit(cache=True, error_model="numpy", nogil=True)
def _slots(children):
    """Where the matrices of members stand: leaves in order, nodes on a stack behind them.

    A node takes the place of its first child on the stack, and with it the place in memory.
    """
    leaves = children.shape[0] + 1
    slots, top = np.arange(2 * leaves - 1), leaves
    for node in range(leaves - 1):
        for child in children[node]:
            top -= 1 if child >= leaves else 0
        slots[leaves + node] = top
        top += 1
    return slots


@njit(cache=True, error_model="numpy", nogil=True)
def _places(shape, slots):
    """Where the parts of a block's memory start, and its length.

    Strains of members, and their corrections of nodes; stresses and matrices of members;
    relaxations and corrections of the jumps of nodes; scalars; strains and stresses of leaves in
    their own axes. The jumps themselves are in the state.
    """
    dimension, size = len(shape[0]), len(shape[1])
    members = slots.size
    nodes = members // 2
    step = members * (size - 1)
    stress = step + (nodes + 1) * (size - 1)
    matrix = stress + members * (size - 1)
    kept = matrix + (slots.max() + 1) * _components(shape)
    direction = kept + nodes * dimension * size
    scalars = direction + nodes * dimension
    end = scalars + 5 + 2 * (nodes + 1) * (size - 1)
    return 0, step, stress, matrix, kept, direction, scalars, end


@njit(cache=True, error_model="numpy", nogil=True)
def _aligned(rows):
    """Room for rows of lanes, each within one line of the cache."""
    whole = np.empty((rows + 1) * LANES)
    start = -whole.ctypes.data % (8 * LANES) // 8
    return whole[start : start + rows * LANES].reshape((rows, LANES))


@njit(cache=True, error_model="numpy", nogil=True)
def _room(table):
    """Where the numbers of a block go; of a single network its table itself (rows, numbers)."""
    if table.ndim == 2:
        return table
    rows, count = table.shape[1], table.shape[2]
    return _aligned(rows * count).reshape((rows, count, LANES))


@njit(cache=True, error_model="numpy", nogil=True)
def _gather(table, network, room):
    """Numbers of the network of every lane, from those of several (networks, rows, numbers)."""
    if table.ndim == 3:
        for row in range(table.shape[1]):
            for i in range(table.shape[2]):
                for lane in range(LANES):
                    room[row, i, lane] = table[network[lane], row, i]


@njit(cache=True, error_model="numpy", nogil=True)
def _condense(shape, children, slots, numbers, memory, matrix, kept):
    """Sweep up: eliminate the jump of every node."""
    dimension, size = len(shape[0]), len(shape[1])
    width, nodes = _components(shape), children.shape[0]
    for node in range(nodes):
        rows = (
            matrix + slots[children[node, 0]] * width,
            matrix + slots[children[node, 1]] * width,
            matrix + slots[nodes + 1 + node] * width,
            kept + node * dimension * size,
        )
        condense_node(shape, memory, rows, numbers, node)


@njit(cache=True, error_model="numpy", nogil=True)
def _advance(shape, children, numbers, memory, kept, step, direction, amount, jumps, jump, strain):
    """Sweep down from the correction of the root's strain: new jumps, and strains of members."""
    arrays = (
        memory, memory, memory, memory, jumps, memory, memory, memory, memory, memory
    )  # fmt: skip
    dimension, size = len(shape[0]), len(shape[1])
    width, nodes = size - 1, children.shape[0]
    leaves = nodes + 1
    for node in range(nodes - 1, -1, -1):
        # Corrections of leaves are of no use: all into one row.
        left, right = children[node, 0], children[node, 1]
        rows = (
            kept + node * dimension * size,
            step + node * width,
            amount,
            direction + node * dimension,
            jump + node * dimension,
            strain + (leaves + node) * width,
            strain + left * width,
            strain + right * width,
            step + (left - leaves if left >= leaves else nodes) * width,
            step + (right - leaves if right >= leaves else nodes) * width,
        )
        advance_node(shape, arrays, rows, numbers, node)


@njit(cache=True, error_model="numpy", nogil=True)
def _localise(shape, children, numbers, memory, jumps, jump, strain):
    """Strains of all members from the root's and the jumps."""
    dimension, width, nodes = len(shape[0]), len(shape[1]) - 1, children.shape[0]
    for node in range(nodes - 1, -1, -1):
        rows = (
            jump + node * dimension,
            strain + (nodes + 1 + node) * width,
            strain + children[node, 0] * width,
            strain + children[node, 1] * width,
        )
        localise_node(shape, (jumps, memory, memory, memory), rows, numbers, node)


@njit(cache=True, error_model="numpy", nogil=True)
def _average(shape, children, numbers, memory, stress, direction, sums):
    """Mean stresses below all nodes; the largest squared traction jump and the directions' work."""
    dimension, width, nodes = len(shape[0]), len(shape[1]) - 1, children.shape[0]
    memory[sums : sums + 2] = 0.0
    for node in range(nodes):
        rows = (
            stress + children[node, 0] * width,
            stress + children[node, 1] * width,
            stress + (nodes + 1 + node) * width,
            direction + node * dimension,
            sums,
        )
        average_node(shape, memory, rows, numbers, node)


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
            memory[matrix + _component(shape, i, width), lane] = memory[stress + i, lane]
            if len(shape[2]) == 2:
                memory[matrix + _component(shape, width, i), lane] = memory[stress + i, lane]
            for j in range(0 if len(shape[2]) == 2 else i, width):
                both = scale * (1.0 if order[j] < 3 else np.sqrt(0.5))
                place = matrix + _component(shape, i, j)
                memory[place, lane] = both * tangent[order[i], order[j]]
        if len(shape[2]) > 0:
            memory[matrix + _component(shape, width, width), lane] = 0.0


@njit(cache=True, error_model="numpy", nogil=True)
def _respond(
    shape, order, laws, parameters, rotation, memory, old, new, strain, stress, matrix, scalars,
    external
):  # fmt: skip
    """Stress and tangent of all leaves, phase by phase, and the lowest code of their laws.

    With a shape of no triangles the stress alone, to the last bit the same.
    """
    width, components = len(shape[1]) - 1, _components(shape)
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


@njit(cache=True, error_model="numpy", nogil=True)
def localisation(shape, children, numbers, leaf_matrix):
    """Jumps of all nodes per unit of the macroscopic strains, (nodes, dimension · strains).

    ``leaf_matrix`` holds the kept components of every leaf's matrix, (leaves, components).
    """
    dimension, size = len(shape[0]), len(shape[1])
    width, components = size - 1, leaf_matrix.shape[1]
    nodes, leaves = children.shape[0], leaf_matrix.shape[0]
    slots = _slots(children)
    strain, step, _, matrix, kept, direction, scalars, jump = _places(shape, slots)
    memory = _aligned(jump + nodes * dimension)
    memory[:] = 0.0
    for leaf in range(leaves):
        for i in range(components):
            memory[matrix + leaf * components + i] = leaf_matrix[leaf, i]
    _condense(shape, children, slots, numbers, memory, matrix, kept)
    result, root = np.empty((nodes, dimension * width)), step + (nodes - 1) * width
    for first in range(0, width if nodes > 0 else 0, LANES):
        unit = range(first, min(first + LANES, width))
        memory[root : root + width] = 0.0
        for i in unit:
            memory[root + i, i - first] = 1.0
        _advance(
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
    strain, _, stress, matrix, _, _, scalars, end = _places(shape, _slots(children))
    memory = _aligned(end + external.shape[1])
    plain = (shape[0], shape[1], ())
    old, new = np.zeros(state.shape[1:]), np.zeros(state.shape[1:])
    numbers, rotation = _room(numbers_of), _room(rotation_of)
    for start in range(0, points.size, LANES):
        count = min(LANES, points.size - start)
        memory[end:] = external[start // LANES]
        own = network[start // LANES]
        _gather(numbers_of, own, numbers)
        _gather(rotation_of, own, rotation)
        for lane in range(count):
            point = points[start + lane]
            old[:, lane] = state[point // LANES, :, point % LANES]
            for i in range(width):
                scale = 1.0 if order[i] < 3 else np.sqrt(2.0)
                root = strain + (leaves + nodes - 1) * width
                memory[root + i, lane] = scale * old[order[i], lane]
        _localise(shape, children, numbers, memory, old, width, strain)
        _respond(
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
    width, components = size - 1, _components(shape)
    nodes, leaves = children.shape[0], children.shape[0] + 1
    root, points = leaves + nodes - 1, macro_strain.shape[0]
    slots = _slots(children)
    strain, step, stress, matrix, kept, direction, scalars, outside = _places(shape, slots)
    jump = width  # in a state
    memory = _aligned(outside + external.shape[1])
    top, corner = matrix + slots[root] * components, (slots[root] + 1) * components + matrix - 1
    sums, norm, lowest, amount = scalars, scalars + 2, scalars + 3, scalars + 4
    root_step = step + (nodes - 1 if nodes > 0 else 0) * width
    code, count = np.empty(LANES, dtype=np.int64), np.empty(LANES, dtype=np.int64)
    halvings = np.empty(LANES, dtype=np.int64)
    slope, share = np.empty(LANES), np.empty(LANES)
    running = np.empty(LANES, dtype=np.bool_)

    numbers, leaf_numbers = _room(numbers_of), _room(leaf_numbers_of)
    predictor, rotation = _room(predictor_of), _room(rotation_of)

    for block in range(old_state.shape[0]):
        old, new = old_state[block], new_state[block]
        _gather(numbers_of, network[block], numbers)
        _gather(leaf_numbers_of, network[block], leaf_numbers)
        _gather(predictor_of, network[block], predictor)
        _gather(rotation_of, network[block], rotation)
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
        _localise(shape, children, numbers, memory, new, jump, strain)
        with_tangent = False
        while True:
            if with_tangent:
                _respond(
                    shape, order, laws, parameters, rotation, memory, old, new, strain, stress,
                    matrix, scalars, outside,
                )  # fmt: skip
            else:
                _respond(
                    plain, order, laws, parameters, rotation, memory, old, new, strain, stress,
                    matrix, scalars, outside,
                )  # fmt: skip
            _average(shape, children, numbers, memory, stress, direction, sums)
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
                _localise(shape, children, numbers, memory, new, jump, strain)
                with_tangent = True
                continue
            if not wanted:
                break
            if not with_tangent:
                _respond(
                    shape, order, laws, parameters, rotation, memory, old, new, strain, stress,
                    matrix, scalars, outside,
                )  # fmt: skip
            _condense(shape, children, slots, numbers, memory, matrix, kept)
            for lane in range(LANES):
                if running[lane]:
                    count[lane] += 1
                    halvings[lane], share[lane] = 0, 1.0
                    slope[lane] = memory[corner, lane]
                    memory[amount, lane] = 1.0
            memory[root_step : root_step + width] = 0.0
            _advance(
                shape, children, numbers, memory, kept, step, direction, amount, new, jump, strain
            )
            # The error is squared: the next pass may be the last, which needs no tangent.
            with_tangent = macro_tangent.shape[0] > 0 or not nearly

        if macro_tangent.shape[0] > 0:
            if not with_tangent:
                _respond(
                    shape, order, laws, parameters, rotation, memory, old, new, strain, stress,
                    matrix, scalars, outside,
                )  # fmt: skip
            _condense(shape, children, slots, numbers, memory, matrix, kept)
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
                        place = top + _component(shape, row, column)
                        value = both * memory[place, lane] if code[lane] >= 0 else np.nan
                        macro_tangent[point, order[i], order[j]] = value
            if code[lane] < 0:
                new[:, lane] = old[:, lane]
