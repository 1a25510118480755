"""The compiled network: Newton in O(leaves) by one sweep up and one sweep down the tree.

Everything here works on one Mandel vector of ``2 * len(axes)`` components; ``axes`` is (0, 1) in 2D
and (0, 1, 2) in 3D, a tuple, so that its length is known to the compiler. Indices of tree members
(`Tree`): leaves first, then inner nodes in post-order, the root last.

References:
    Gajek, Schneider and Böhlke (2020), JMPS 142, for the Newton system; the sweeps are its block
    elimination.
"""

import numpy as np
from numba import njit

from dmn_fem.laws._functions import FASTMATH
from dmn_fem.laws._kernels import respond, store_means

MAX_HALVINGS = 8
UNRELIABLE = 1e-6
"""A relative traction jump that is not converged but still usable."""


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


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def localisation(axes, children, fraction, operator, leaf_tangent):
    """Jumps of all nodes per unit of the macroscopic strain, (nodes, dimension, strain size)."""
    dimension = len(axes)
    size = 2 * dimension
    leaves, nodes = leaf_tangent.shape[0], fraction.size
    tangent = np.empty((leaves + nodes, size, size))
    tangent[:leaves] = leaf_tangent
    strain, stress = np.zeros((leaves + nodes, size)), np.zeros((leaves + nodes, size))
    jump = np.empty((nodes, dimension))
    relaxation = np.empty((nodes, dimension, size))
    offset = np.empty((nodes, dimension))
    result = np.empty((nodes, dimension, size))
    condense(axes, children, fraction, operator, tangent, stress, relaxation, offset)
    for i in range(size):
        strain[leaves + nodes - 1] = 0.0
        strain[leaves + nodes - 1, i] = 1.0
        correct(axes, children, fraction, operator, relaxation, offset, strain, jump)
        result[:, :, i] = jump
    return result


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def integrate(
    axes,
    leaf_weight,
    children,
    fraction,
    operator,
    node_weight,
    members,
    share_of_phase,
    rotation,
    predictor,
    tolerance,
    max_iterations,
    dt,
    macro_strain,
    old,
    new,
    macro_stress,
    macro_tangent,
    codes,
    iterations,
):
    """Integrate a batch of points; ``macro_tangent`` of no rows asks for none.

    ``predictor`` maps a strain increment to elastic increments of the jumps (`localisation`);
    ``members`` is `Members.compiled` with the leaves as members; a row of ``old`` and ``new``
    starts with the jumps of the nodes, then come the means of the phases.
    """
    dimension = len(axes)
    size = 2 * dimension
    leaves, nodes = leaf_weight.size, fraction.size
    phases = members[1].size
    means_end = nodes * dimension + 2 * size * phases
    phase_fraction = np.zeros(phases)
    for leaf in range(leaves):
        phase_fraction[members[0][leaf]] += leaf_weight[leaf]
    increment = np.empty(size)
    root = leaves + nodes - 1
    strain = np.empty((leaves + nodes, size))
    step = np.empty((leaves + nodes, size))
    stress = np.empty((leaves + nodes, size))
    tangent = np.empty((leaves + nodes, size, size))
    jump = np.empty((nodes, dimension))
    direction = np.empty((nodes, dimension))
    traction = np.empty((nodes, dimension))
    relaxation = np.empty((nodes, dimension, size))
    offset = np.empty((nodes, dimension))

    for point in range(macro_strain.shape[0]):
        before, after = old[point], new[point]
        # Start from the old jumps and the elastic localisation of the increment.
        for i in range(size):
            increment[i] = macro_strain[point, i]
            for phase in range(phases):
                mean = before[nodes * dimension + 2 * size * phase + i]
                increment[i] -= phase_fraction[phase] * mean
        for node in range(nodes):
            for d in range(dimension):
                jump[node, d] = before[node * dimension + d]
                for i in range(size):
                    jump[node, d] += predictor[node, d, i] * increment[i]
        code, count = -1, 0
        slope, share, halvings = 0.0, 1.0, 0
        while True:
            for i in range(size):
                strain[root, i] = macro_strain[point, i]
            localise(axes, children, fraction, operator, jump, strain)
            law_code = respond(members, rotation, strain, before, after, dt, stress, tangent)
            residual = average(axes, children, fraction, operator, stress, traction)
            reference = 0.0
            for leaf in range(leaves):
                squared = 0.0
                for i in range(size):
                    squared += stress[leaf, i] * stress[leaf, i]
                reference += leaf_weight[leaf] * np.sqrt(squared)
            if law_code >= 0 and residual <= tolerance * reference:
                code = law_code
                break
            if slope < 0.0 and halvings < MAX_HALVINGS:
                # The incremental potential along the step has this derivative; it is convex for
                # hardening phases. Too positive means that the step went beyond the minimum:
                # shorten it.
                now = 0.0
                for node in range(nodes):
                    f1 = fraction[node]
                    work = 0.0
                    for d in range(dimension):
                        work += traction[node, d] * direction[node, d]
                    now += node_weight[node] * f1 * (1.0 - f1) * work
                if law_code < 0 or not now <= 0.8 * abs(slope):
                    shorter = share * abs(slope) / (abs(slope) + now) if law_code >= 0 else 0.0
                    # Also where `now` is NaN.
                    if not shorter >= 0.1 * share:
                        shorter = 0.1 * share
                    for node in range(nodes):
                        for d in range(dimension):
                            jump[node, d] += (shorter - share) * direction[node, d]
                    share = shorter
                    halvings += 1
                    continue
            if count == max_iterations or law_code < 0 or not np.isfinite(residual):
                if law_code >= 0 and residual <= UNRELIABLE * reference:
                    code = 0
                break
            count += 1
            condense(axes, children, fraction, operator, tangent, stress, relaxation, offset)
            step[root] = 0.0
            correct(axes, children, fraction, operator, relaxation, offset, step, direction)
            slope, share, halvings = 0.0, 1.0, 0
            for node in range(nodes):
                f1 = fraction[node]
                work = 0.0
                for d in range(dimension):
                    work += traction[node, d] * direction[node, d]
                    jump[node, d] += direction[node, d]
                slope += node_weight[node] * f1 * (1.0 - f1) * work

        finite = True
        for i in range(size):
            macro_stress[point, i] = stress[root, i]
            finite = finite and np.isfinite(stress[root, i])
        if not finite:
            code = -1
        codes[point] = code
        iterations[point] = count
        if code < 0:
            macro_stress[point] = np.nan
            after[:] = before
        else:
            for node in range(nodes):
                for d in range(dimension):
                    after[node * dimension + d] = jump[node, d]
            means = after[nodes * dimension : means_end]
            store_means(members[0], share_of_phase, strain, stress, means)
        if macro_tangent.shape[0] > 0:
            if code >= 0:
                condense(axes, children, fraction, operator, tangent, stress, relaxation, offset)
                macro_tangent[point] = tangent[root]
            else:
                macro_tangent[point] = np.nan
