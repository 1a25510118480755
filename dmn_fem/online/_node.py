"""What the sweeps do at one node, for `LANES` points at once.

Rows of a member's matrix [[C, σ], [σᵀ, 0]] are the strains in engineering notation and the row "1",
which no jump touches (`dmn_fem._laminate`): one laminate condenses tangent and stress together, its
jumps per unit of "1" are the Newton corrections, and the last entry of the root is -rᵀ K⁻¹ r, the
derivative of the incremental potential (without one, the work of the residual) along them. Only if
the tangents of all phases are symmetric is one triangle enough.
"""

from dmn_fem._laminate import AXES, MANDEL_ORDER, laminate, positions
from dmn_fem._lanes import straight_line, where
from dmn_fem.notation import SQRT2


def _condense(dimension, size, triangles, numbers, first, second, result, jump):
    """C̄ and s̄ of a node; kept for the way down: its jumps per macroscopic strain and "1"."""
    normal = [numbers[1 + axis] for axis in range(dimension)]
    laminate(dimension, size, first, second, numbers[0], normal, result, jump, triangles)


def _advance(
    dimension, size, triangles, numbers, kept, correction, amount, direction, jump, member, left,
    right, left_correction, right_correction
):  # fmt: skip
    """From Δε of a node its Δa and the Δε of its children; the jumps go a part of the way."""
    strain = [correction[i] for i in range(size - 1)]
    directions, jumps = [], []
    for a in range(dimension):
        total = kept[a * size + size - 1]
        for i, value in enumerate(strain):
            total = total + kept[a * size + i] * value
        direction[a] = total
        directions.append(total)
        jumps.append(_moved(jump[a], amount[0], total))
        jump[a] = jumps[a]
    _split(dimension, numbers, directions, strain, left_correction, right_correction)
    _split(dimension, numbers, jumps, [member[i] for i in range(size - 1)], left, right)


def _localise(dimension, size, triangles, numbers, jump, member, left, right):
    """ε1 = ε + f2 H a and ε2 = ε - f1 H a."""
    jumps = [jump[a] for a in range(dimension)]
    _split(dimension, numbers, jumps, [member[i] for i in range(size - 1)], left, right)


def _split(dimension, numbers, jumps, strain, left, right):
    f1 = numbers[0]
    for i, value in enumerate(strain):
        terms = [
            numbers[1 + c] * jumps[a]
            for a, row in enumerate(AXES[dimension])
            for c, place in enumerate(row)
            if place == i
        ]
        if terms:
            total = sum(terms[1:], terms[0])
            left[i], right[i] = value + (1.0 - f1) * total, value - f1 * total
        else:
            left[i] = right[i] = value


def _average(dimension, size, triangles, numbers, first, second, mean, jump, sums):
    """Mean stress of a node; the largest |Hᵀ(σ1 - σ2)|² and the work of the jumps go to sums.

    ``numbers`` continues with the node's weight times f1 f2.
    """
    difference = [first[i] - second[i] for i in range(size - 1)]
    for i, value in enumerate(difference):
        mean[i] = second[i] + numbers[0] * value
    traction = []
    for row in AXES[dimension]:
        terms = [numbers[1 + c] * difference[place] for c, place in enumerate(row)]
        traction.append(sum(terms[1:], terms[0]))
    squares = [value * value for value in traction]
    work = [value * jump[a] for a, value in enumerate(traction)]
    squared = sum(squares[1:], squares[0])
    # Written so that a NaN wins.
    largest = sums[0]
    sums[0] = where(squared <= largest, largest, squared)
    sums[1] = sums[1] + numbers[1 + dimension] * sum(work[1:], work[0])


def _predict(dimension, size, triangles, numbers, before, increment, jump):
    """Jumps at the start: the old ones and those of an elastic increment."""
    width = size - 1
    for a in range(dimension):
        total = before[a]
        for i in range(width):
            total = total + numbers[a * width + i] * increment[i]
        jump[a] = total


def _norm(dimension, size, triangles, numbers, stress, total):
    """Adds a leaf's weight times the squared Frobenius norm of its stress."""
    scale = [2.0 if i >= dimension and i != 3 * (dimension == 2) else 1.0 for i in range(size - 1)]
    squares = [factor * stress[i] * stress[i] for i, factor in enumerate(scale)]
    total[0] = total[0] + numbers[0] * sum(squares[1:], squares[0])


def _move(dimension, size, triangles, numbers, amount, correction, value):
    """Adds a part of a correction."""
    value[0] = _moved(value[0], amount[0], correction[0])


def _moved(value, part, correction):
    """What is not finite does not reach lanes that stay."""
    return where(part * part > 0.0, value + part * correction, value)


def _turn_in(dimension, size, triangles, numbers, strain, local):
    """A strain in the axes of a leaf; ``numbers`` is its Mandel rotation, row by row."""
    width, order = size - 1, MANDEL_ORDER[dimension]
    scale = [1.0 if place < 3 else SQRT2 for place in order]
    for row, place in enumerate(order):
        terms = [
            scale[row] / scale[other] * numbers[component * width + place] * strain[other]
            for other, component in enumerate(order)
        ]
        local[row] = sum(terms[1:], terms[0])


def _turn_out(dimension, size, triangles, numbers, stress, turned, turned_stress):
    """Stress and matrix, if there is one, from the axes of a leaf; the matrix in its place."""
    width, order, place = size - 1, MANDEL_ORDER[dimension], positions(size, triangles)
    scale = [1.0 if component < 3 else SQRT2 for component in order]
    q = [
        [numbers[order[i] * width + order[j]] * (scale[j] / scale[i]) for j in range(width)]
        for i in range(width)
    ]
    matrix = {each: turned[each] for row in place for each in row if triangles > 0}
    for i in range(width):
        terms = [q[i][j] * stress[j] for j in range(width)]
        turned_stress[i] = total = sum(terms[1:], terms[0])
        if triangles == 0:
            continue
        turned[place[i][width]] = total
        if triangles == 2:
            turned[place[width][i]] = total
        half = [[q[i][k] * matrix[place[k][j]] for k in range(width)] for j in range(width)]
        row = [sum(each[1:], each[0]) for each in half]
        for j in range(i if triangles == 1 else 0, width):
            terms = [row[k] * q[j][k] for k in range(width)]
            turned[place[i][j]] = sum(terms[1:], terms[0])
    if triangles > 0:
        turned[place[width][width]] = 0.0


turn_in = straight_line(_turn_in)
turn_out = straight_line(_turn_out)
condense_node = straight_line(_condense)
advance_node = straight_line(_advance)
localise_node = straight_line(_localise)
average_node = straight_line(_average)
predict_node = straight_line(_predict)
leaf_norm = straight_line(_norm)
move_row = straight_line(_move)
