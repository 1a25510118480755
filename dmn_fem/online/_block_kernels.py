"""A block of points in memory: where its parts are, and the numbers of its networks.

Rows are `LANES` points wide. ``shape`` are three tuples whose lengths are the dimension, the rows
of a member's matrix, which are 2 dimension + 1, and the triangles of it that are kept: one if the
tangents of all phases are symmetric, else two; none where no tangent is wanted. Members are leaves,
then inner nodes in post-order, the root last. Strains are in engineering notation, 33 last in 2D.
"""

import numpy as np

from dmn_fem._compiled import njit
from dmn_fem._lanes import LANES


@njit(cache=True, error_model="numpy", nogil=True)
def components_kept(shape):
    """How many components of a matrix are kept."""
    size = len(shape[1])
    return len(shape[2]) * (size * (size - 1) // 2) + size


@njit(cache=True, error_model="numpy", nogil=True)
def component_place(shape, i, j):
    """Where among them one stands, of the upper triangle if there is one alone."""
    size = len(shape[1])
    return i * size + j if len(shape[2]) == 2 else i * (2 * size - i - 1) // 2 + j


@njit(cache=True, error_model="numpy", nogil=True)
def slots_of(children):
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
def places_of(shape, slots):
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
    kept = matrix + (slots.max() + 1) * components_kept(shape)
    direction = kept + nodes * dimension * size
    scalars = direction + nodes * dimension
    end = scalars + 5 + 2 * (nodes + 1) * (size - 1)
    return 0, step, stress, matrix, kept, direction, scalars, end


@njit(cache=True, error_model="numpy", nogil=True)
def aligned_rows(rows):
    """Room for rows of lanes, each within one line of the cache."""
    whole = np.empty((rows + 1) * LANES)
    start = -whole.ctypes.data % (8 * LANES) // 8
    return whole[start : start + rows * LANES].reshape((rows, LANES))


@njit(cache=True, error_model="numpy", nogil=True)
def room_for(table):
    """Where the numbers of a block go; of a single network its table itself (rows, numbers)."""
    if table.ndim == 2:
        return table
    rows, count = table.shape[1], table.shape[2]
    return aligned_rows(rows * count).reshape((rows, count, LANES))


@njit(cache=True, error_model="numpy", nogil=True)
def gather(table, network, room):
    """Numbers of the network of every lane, from those of several (networks, rows, numbers)."""
    if table.ndim == 3:
        for row in range(table.shape[1]):
            for i in range(table.shape[2]):
                for lane in range(LANES):
                    room[row, i, lane] = table[network[lane], row, i]
