"""Compiled sweeps of the elastic network, `LANES` samples at a time.

``shape`` is a pair of tuples of integers whose lengths are the dimension and the rows of a matrix:
the compiler knows them. ``numbers`` holds f1 and n of every node, (M-1, 1 + dimension), nodes in
heap order; ``source`` the matrix of every leaf, (M,). One block of samples lives in ``memory``,
which stays in the cache: matrices of nodes and of sources, what `laminate` keeps for the adjoint,
sensitivities, gradients.
"""

import numpy as np

from dmn_fem._compiled import njit
from dmn_fem._laminate import adjoint, laminate
from dmn_fem._lanes import LANES, straight_line


def _up(dimension, size, numbers, first, second, result, kept):
    normal = [numbers[1 + axis] for axis in range(dimension)]
    acoustic = laminate(dimension, size, first, second, numbers[0], normal, result, kept)
    for i, value in enumerate(acoustic):
        kept[dimension * size + i] = value


def _down(children):
    def run(dimension, size, numbers, first, second, kept, x, first_x, second_x, gradient):
        count, jumps = size * (size + 1) // 2, dimension * size
        by_share, by_normal, one, two = adjoint(
            dimension,
            size,
            [first[i] for i in range(count)],
            [second[i] for i in range(count)],
            numbers[0],
            [numbers[1 + axis] for axis in range(dimension)],
            [kept[i] for i in range(jumps)],
            [kept[jumps + i] for i in range(dimension * (dimension + 1) // 2)],
            [x[i] for i in range(count)],
            children,
        )
        for i, value in enumerate([by_share, *by_normal]):
            gradient[i] = gradient[i] + value
        # Two leaves may be of one source: what the first one wrote is read again.
        for rows, values in ((first_x, one), (second_x, two)):
            for i, value in enumerate(values):
                rows[i] = rows[i] + value

    return run


_laminate_rows = straight_line(_up)
_adjoint_rows = straight_line(_down(True))
_adjoint_rows_of_leaves = straight_line(_down(False))


@njit(cache=True, nogil=True, error_model="numpy")
def places(shape, nodes, sources):
    """Where in memory start: matrices, kept values, sensitivities, gradients; and its length."""
    dimension, size = len(shape[0]), len(shape[1])
    count = size * (size + 1) // 2
    kept = (nodes + sources) * count
    x = kept + nodes * (dimension * size + dimension * (dimension + 1) // 2)
    gradients = x + (nodes + sources) * count
    return 0, kept, x, gradients, gradients + nodes * (1 + dimension)


@njit(cache=True, nogil=True, error_model="numpy")
def _climb(shape, columns, source, numbers, sample, memory):
    """Matrices of all nodes for `LANES` samples from one on."""
    dimension, size = len(shape[0]), len(shape[1])
    count = size * (size + 1) // 2
    width = dimension * size + dimension * (dimension + 1) // 2
    nodes = numbers.shape[0]
    kept = places(shape, nodes, columns.shape[0])[1]
    for r in range(columns.shape[0]):
        for i in range(count):
            for lane in range(LANES):
                memory[(nodes + r) * count + i, lane] = columns[r, i, sample + lane]
    for node in range(nodes - 1, -1, -1):
        left, right = 2 * node + 1, 2 * node + 2
        left = left if left < nodes else nodes + source[left - nodes]
        right = right if right < nodes else nodes + source[right - nodes]
        rows = (left * count, right * count, node * count, kept + node * width)
        _laminate_rows(shape, memory, rows, numbers, node)


@njit(cache=True, nogil=True, error_model="numpy")
def homogenise(shape, columns, source, numbers, first, last, memory, result):
    """Matrices of the root, (c, n), for blocks of samples from ``first`` to before ``last``.

    ``columns`` are the distinct components of the sources, (sources, c, n), n a multiple of
    `LANES`.
    """
    count = columns.shape[1]
    for block in range(first, last):
        _climb(shape, columns, source, numbers, block * LANES, memory)
        for i in range(count):
            for lane in range(LANES):
                result[i, block * LANES + lane] = memory[i, lane]


@njit(cache=True, nogil=True, error_model="numpy")
def backpropagate(
    shape, columns, source, numbers, sensitivity, first, last, memory, gradient, column_gradient
):
    """Gradients for blocks of samples: of f1 and n, summed over them, and of the columns.

    ``sensitivity`` and ``column_gradient`` are by distinct components; one of no sources is not
    wanted.
    """
    dimension, size = len(shape[0]), len(shape[1])
    count = size * (size + 1) // 2
    width = dimension * size + dimension * (dimension + 1) // 2
    nodes, sources = numbers.shape[0], columns.shape[0]
    _, kept, x, gradients, end = places(shape, nodes, sources)
    wanted = column_gradient.shape[0] > 0
    # An off-diagonal component stands twice in the matrix.
    once = np.full(count, 0.5)
    diagonal = 0
    for i in range(size):
        once[diagonal] = 1.0
        diagonal += size - i
    memory[gradients:end] = 0.0
    for block in range(first, last):
        sample = block * LANES
        _climb(shape, columns, source, numbers, sample, memory)
        memory[x + count : gradients] = 0.0
        for i in range(count):
            for lane in range(LANES):
                memory[x + i, lane] = once[i] * sensitivity[i, sample + lane]
        for node in range(nodes):
            left, right = 2 * node + 1, 2 * node + 2
            leaves = left >= nodes
            left = left if left < nodes else nodes + source[left - nodes]
            right = right if right < nodes else nodes + source[right - nodes]
            rows = (
                left * count,
                right * count,
                kept + node * width,
                x + node * count,
                x + left * count,
                x + right * count,
                gradients + node * (1 + dimension),
            )
            if leaves and not wanted:
                _adjoint_rows_of_leaves(shape, memory, rows, numbers, node)
            else:
                _adjoint_rows(shape, memory, rows, numbers, node)
        if wanted:
            for r in range(sources):
                for i in range(count):
                    for lane in range(LANES):
                        value = memory[x + (nodes + r) * count + i, lane]
                        column_gradient[r, i, sample + lane] = value / once[i]
    for node in range(nodes):
        for i in range(1 + dimension):
            gradient[node, i] = memory[gradients + node * (1 + dimension) + i].sum()
