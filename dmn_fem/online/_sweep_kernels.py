"""Sweeps over the nodes of a tree, up and down; what happens at a node is in `_node`.

Memory and shapes are those of `_block_kernels`.
"""

from dmn_fem._compiled import njit
from dmn_fem.online._block_kernels import components_kept
from dmn_fem.online._node import advance_node, average_node, condense_node, localise_node


@njit(cache=True, error_model="numpy", nogil=True)
def condense(shape, children, slots, numbers, memory, matrix, kept):
    """Sweep up: eliminate the jump of every node."""
    dimension, size = len(shape[0]), len(shape[1])
    width, nodes = components_kept(shape), children.shape[0]
    for node in range(nodes):
        rows = (
            matrix + slots[children[node, 0]] * width,
            matrix + slots[children[node, 1]] * width,
            matrix + slots[nodes + 1 + node] * width,
            kept + node * dimension * size,
        )
        condense_node(shape, memory, rows, numbers, node)


@njit(cache=True, error_model="numpy", nogil=True)
def advance(shape, children, numbers, memory, kept, step, direction, amount, jumps, jump, strain):
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
def localise(shape, children, numbers, memory, jumps, jump, strain):
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
def average(shape, children, numbers, memory, stress, direction, sums):
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
