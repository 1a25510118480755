"""The sweeps of `_kernels` for one point in Mandel notation, which the adjoint of paths takes.

Everything here works on one Mandel vector of ``2 * len(axes)`` components; ``axes`` is (0, 1) in 2D
and (0, 1, 2) in 3D, a tuple, so that its length is known to the compiler. Indices of tree members
(`Tree`): leaves first, then inner nodes in post-order, the root last.

References:
    Gajek, Schneider and Böhlke (2020), JMPS 142, for the Newton system; the sweeps are its block
    elimination.
"""

import numpy as np

from dmn_fem._compiled import njit
from dmn_fem.laws._functions import FASTMATH


@njit(cache=True, error_model="numpy", fastmath=FASTMATH, inline="always")
def invert(axes, matrix, inverse):
    """Inverse of a symmetric 2 x 2 or 3 x 3 matrix by its adjugate."""
    if len(axes) == 2:
        scale = 1.0 / (matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[0, 1])
        inverse[0, 0] = matrix[1, 1] * scale
        inverse[1, 1] = matrix[0, 0] * scale
        inverse[0, 1] = inverse[1, 0] = -matrix[0, 1] * scale
    else:
        a = matrix[1, 1] * matrix[2, 2] - matrix[1, 2] * matrix[1, 2]
        b = matrix[0, 2] * matrix[1, 2] - matrix[0, 1] * matrix[2, 2]
        c = matrix[0, 1] * matrix[1, 2] - matrix[0, 2] * matrix[1, 1]
        scale = 1.0 / (matrix[0, 0] * a + matrix[0, 1] * b + matrix[0, 2] * c)
        inverse[0, 0], inverse[0, 1], inverse[0, 2] = a * scale, b * scale, c * scale
        inverse[1, 0], inverse[2, 0] = inverse[0, 1], inverse[0, 2]
        inverse[1, 1] = (matrix[0, 0] * matrix[2, 2] - matrix[0, 2] * matrix[0, 2]) * scale
        inverse[1, 2] = (matrix[0, 1] * matrix[0, 2] - matrix[0, 0] * matrix[1, 2]) * scale
        inverse[2, 1] = inverse[1, 2]
        inverse[2, 2] = (matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[0, 1]) * scale


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def localise(axes, children, fraction, operator, jump, strain):
    """Strains of all members from the root's strain (last row) and the jumps a of the nodes.

    ε1 = ε + f2 H a,  ε2 = ε - f1 H a.
    """
    dimension = len(axes)
    size = 2 * dimension
    nodes = fraction.size
    for node in range(nodes - 1, -1, -1):
        left, right, f1 = children[node, 0], children[node, 1], fraction[node]
        for i in range(size):
            total = 0.0
            for d in range(dimension):
                total += operator[node, i, d] * jump[node, d]
            base = strain[nodes + 1 + node, i]
            strain[left, i] = base + (1.0 - f1) * total
            strain[right, i] = base - f1 * total


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def average(axes, children, fraction, operator, stress, traction):
    """Mean stresses below all nodes and traction jumps Hᵀ(σ1 - σ2); returns the largest jump."""
    dimension = len(axes)
    size = 2 * dimension
    nodes = fraction.size
    largest = 0.0
    for node in range(nodes):
        left, right, f1 = children[node, 0], children[node, 1], fraction[node]
        for d in range(dimension):
            traction[node, d] = 0.0
        for i in range(size):
            difference = stress[left, i] - stress[right, i]
            stress[nodes + 1 + node, i] = stress[right, i] + f1 * difference
            for d in range(dimension):
                traction[node, d] += operator[node, i, d] * difference
        squared = 0.0
        for d in range(dimension):
            squared += traction[node, d] * traction[node, d]
        # Written so that a NaN wins.
        largest = largest if squared <= largest else squared
    return np.sqrt(largest)


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def condense(axes, children, fraction, operator, tangent, stress, relaxation, offset):
    """Sweep up: eliminate the jump of every node.

    C̄ = f1 C1 + f2 C2 - f1 f2 D H K⁻¹ Hᵀ D and s̄ = f1 s1 + f2 s2 - f1 f2 D H K⁻¹ Hᵀ (s1 - s2),
    with D = C1 - C2, K = Hᵀ (f2 C1 + f1 C2) H. Kept for the way down: ``relaxation`` = K⁻¹ Hᵀ D and
    ``offset`` = K⁻¹ Hᵀ (s1 - s2). ``stress`` holds the leaves' stresses and receives s̄.
    """
    dimension = len(axes)
    size = 2 * dimension
    nodes = fraction.size
    difference = np.empty((size, size))
    mixture = np.empty((size, dimension))
    coupling = np.empty((size, dimension))
    acoustic = np.empty((dimension, dimension))
    inverse = np.empty((dimension, dimension))
    traction = np.empty(dimension)
    for node in range(nodes):
        left, right, f1 = children[node, 0], children[node, 1], fraction[node]
        f2 = 1.0 - f1
        member = nodes + 1 + node
        for i in range(size):
            for d in range(dimension):
                mixture[i, d] = 0.0
                coupling[i, d] = 0.0
            for j in range(size):
                difference[i, j] = tangent[left, i, j] - tangent[right, i, j]
                mixed = tangent[right, i, j] + f1 * difference[i, j]
                tangent[member, i, j] = mixed
                # f2 C1 + f1 C2 = C1 + C2 - (f1 C1 + f2 C2)
                swapped = tangent[left, i, j] + tangent[right, i, j] - mixed
                for d in range(dimension):
                    mixture[i, d] += swapped * operator[node, j, d]
                    coupling[i, d] += difference[i, j] * operator[node, j, d]
        for d in range(dimension):
            traction[d] = 0.0
            for k in range(dimension):
                total = 0.0
                for i in range(size):
                    total += operator[node, i, d] * mixture[i, k]
                acoustic[d, k] = total
            for i in range(size):
                traction[d] += operator[node, i, d] * (stress[left, i] - stress[right, i])
        invert(axes, acoustic, inverse)
        for d in range(dimension):
            offset[node, d] = 0.0
            for k in range(dimension):
                offset[node, d] += inverse[d, k] * traction[k]
            for j in range(size):
                total = 0.0
                for k in range(dimension):
                    total += inverse[d, k] * coupling[j, k]
                relaxation[node, d, j] = total
        for i in range(size):
            total = f1 * stress[left, i] + f2 * stress[right, i]
            for d in range(dimension):
                total -= f1 * f2 * coupling[i, d] * offset[node, d]
            stress[member, i] = total
            for j in range(size):
                total = 0.0
                for d in range(dimension):
                    total += coupling[i, d] * relaxation[node, d, j]
                tangent[member, i, j] -= f1 * f2 * total


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def correct(axes, children, fraction, operator, relaxation, offset, strain, jump):
    """Sweep down from the root's Δε (last row): corrections a = -K⁻¹ Hᵀ (D Δε + s1 - s2)."""
    dimension = len(axes)
    size = 2 * dimension
    nodes = fraction.size
    for node in range(nodes - 1, -1, -1):
        left, right, f1 = children[node, 0], children[node, 1], fraction[node]
        member = nodes + 1 + node
        for d in range(dimension):
            total = offset[node, d]
            for j in range(size):
                total += relaxation[node, d, j] * strain[member, j]
            jump[node, d] = -total
        for i in range(size):
            total = 0.0
            for d in range(dimension):
                total += operator[node, i, d] * jump[node, d]
            strain[left, i] = strain[member, i] + (1.0 - f1) * total
            strain[right, i] = strain[member, i] - f1 * total
