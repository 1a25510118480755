"""The exact gradient of the stresses along strain paths in the geometry of the network.

The stress of a network along a path follows from equilibrium at every step. The gradient of a
function L(σ̄_1 … σ̄_K) in shares and normals takes one linear sweep a step, backwards in time
(implicit function theorem): with g_k = ∂L/∂σ̄_k, the adjoint strain η_k is that of the network of
the converged tangents C under the mean strain g_k and the leaf stresses

    τ_k = Σ_{m > k} (∂σ_m/∂ε_k)ᵀ η_m,

what a strain does to later stresses through the internal variables. Laws are what users write, so
this history term is taken by central differences, leaf by leaf; a path of one step has none.

With ε, σ of the path, η and t = C η + τ, jumps a of ε and λ of η, and means below the nodes, a node
of weight W adds

    ∂L/∂f1 = W (<σ·η>_1 - <σ·η>_2 - σ̄·Hλ - t̄·Ha)
    ∂L/∂n  = W f1 f2 ((t̄_1 - t̄_2) a + (σ̄_1 - σ̄_2) λ)

and a leaf of weight w that turns by a small rotation with the generator Ω (Mandel) w (η·Ω σ -
t·Ω ε), all of them summed over the steps.
"""

import numpy as np

from dmn_fem._compiled import njit
from dmn_fem.laws._functions import FASTMATH
from dmn_fem.laws._kernels import respond
from dmn_fem.online._scalar_kernels import average, condense, correct, localise

DIFFERENCE = 1e-6
"""Step of the central differences, relative to the largest strain of the path."""


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def apply_tensor(dimension, tensor, vector, result):
    """Add the product of a Mandel vector, read as a symmetric tensor, and a vector."""
    for i in range(dimension):
        result[i] += tensor[i] * vector[i]
        for j in range(i + 1, dimension):
            shear = tensor[2 + i + j] * np.sqrt(0.5)  # 12, 13, 23 stand at 3, 4, 5
            result[i] += shear * vector[j]
            result[j] += shear * vector[i]


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def history(step, chosen, members, rotation, dt, width, strain, old, adjoint, result):
    """τ of a step: how later stresses, weighted with their adjoint strains, follow its strain.

    Args:
        step: Of which strain.
        chosen: The leaves that remember, those of ``members`` and ``rotation``.
        members: `Members.compiled` of those leaves.
        rotation: Theirs.
        dt: Time step.
        width: Of the differences.
        strain: Of all leaves at all steps, (K, ..., s).
        old: Internal variables of all leaves before every step, (K + 1, ...).
        adjoint: Adjoint strains of all leaves, those after the step, (K, ..., s).
        result: τ of all leaves, (leaves, s).
    """
    steps, size, count = strain.shape[0], strain.shape[2], chosen.size
    result[:] = 0.0
    stress, tangent = np.empty((count, size)), np.empty((count, size, size))
    moved, states = np.empty((count, size)), np.empty((2, old.shape[1]))
    if step == steps - 1:
        return
    for i in range(size):
        for sign in (1.0, -1.0):
            before = old[step]
            for later in range(step, steps):
                after = states[(later - step) % 2]
                for number in range(count):
                    moved[number] = strain[later, chosen[number]]
                    if later == step:
                        moved[number, i] += sign * width
                respond(members, rotation, moved, before, after, dt, stress, tangent)
                before = after
                for number in range(count if later > step else 0):
                    leaf = chosen[number]
                    for j in range(size):
                        change = adjoint[later, leaf, j] * stress[number, j]
                        result[leaf, i] += sign * change / (2.0 * width)


@njit(cache=True, error_model="numpy", fastmath=FASTMATH)
def gradient(
    axes,
    children,
    fraction,
    operator,
    node_weight,
    leaf_weight,
    generators,
    members,
    rotation,
    dt,
    macro_strain,
    jumps,
    macro_adjoint,
    of_fraction,
    of_normal,
    of_rotation,
):
    """Add the gradient of the losses of paths to the last three arguments.

    Args:
        axes: Of the plane or the space, see `_kernels`.
        children: Of the `Tree`, as what follows to leaf_weight.
        fraction: Share of the first child.
        operator: H of the nodes' normals.
        node_weight: Of the nodes.
        leaf_weight: Of the leaves.
        generators: Mandel matrices Ω of small rotations about the axes, (3, s, s).
        members: `Members.compiled` of the leaves.
        rotation: Theirs.
        dt: Time step.
        macro_strain: (paths, K, s).
        jumps: Converged, (paths, K, nodes, d).
        macro_adjoint: ∂L/∂σ̄, (paths, K, s).
        of_fraction: (nodes,).
        of_normal: (nodes, d).
        of_rotation: By small rotations about the axes, (leaves, 3), or of no rows.
    """
    dimension = len(axes)
    size = 2 * dimension
    nodes = fraction.size
    leaves = nodes + 1
    root = leaves + nodes - 1
    phases, addresses, constants, constant_start, state_start, state_width = members
    width = 0
    for leaf in range(leaves):
        width = max(width, state_start[leaf] + state_width[phases[leaf]])
    remember = np.flatnonzero(state_width[phases] > 0)
    rotated = rotation[remember] if rotation.shape[0] > 0 else rotation
    remembering = (
        phases[remember], addresses, constants, constant_start, state_start[remember], state_width
    )  # fmt: skip
    steps = macro_strain.shape[1]
    strain = np.empty((steps, leaves + nodes, size))
    stress = np.empty((steps, leaves + nodes, size))
    tangent = np.empty((steps, leaves + nodes, size, size))
    state = np.zeros((steps + 1, width))
    adjoint = np.empty((steps, leaves + nodes, size))
    adjoint_stress = np.empty((leaves + nodes, size))
    work = np.empty(leaves + nodes)
    adjoint_jump = np.empty((nodes, dimension))
    traction = np.empty((nodes, dimension))
    relaxation = np.empty((nodes, dimension, size))
    offset = np.empty((nodes, dimension))
    shift = np.empty(size)
    tau = np.zeros((leaves, size))

    for path in range(macro_strain.shape[0]):
        largest = 0.0
        for k in range(steps):
            strain[k, root] = macro_strain[path, k]
            localise(axes, children, fraction, operator, jumps[path, k], strain[k])
            respond(members, rotation, strain[k], state[k], state[k + 1], dt, stress[k], tangent[k])
            average(axes, children, fraction, operator, stress[k], traction)
            for i in range(size):
                largest = max(largest, abs(macro_strain[path, k, i]))
        for k in range(steps - 1, -1, -1):
            history(
                k, remember, remembering, rotated, dt, DIFFERENCE * largest, strain, state,
                adjoint, tau
            )  # fmt: skip
            adjoint_stress[:leaves] = tau
            condense(
                axes, children, fraction, operator, tangent[k], adjoint_stress, relaxation, offset
            )
            adjoint[k, root] = macro_adjoint[path, k]
            correct(
                axes, children, fraction, operator, relaxation, offset, adjoint[k], adjoint_jump
            )
            for leaf in range(leaves):
                work[leaf] = 0.0
                for i in range(size):
                    total = tau[leaf, i]
                    for j in range(size):
                        total += tangent[k, leaf, i, j] * adjoint[k, leaf, j]
                    adjoint_stress[leaf, i] = total
                    work[leaf] += stress[k, leaf, i] * adjoint[k, leaf, i]
            for leaf in range(of_rotation.shape[0]):
                for axis in range(3):
                    total = 0.0
                    for i in range(size):
                        for j in range(size):
                            total += generators[axis, i, j] * (
                                adjoint[k, leaf, i] * stress[k, leaf, j]
                                - adjoint_stress[leaf, i] * strain[k, leaf, j]
                            )
                    of_rotation[leaf, axis] += leaf_weight[leaf] * total
            average(axes, children, fraction, operator, adjoint_stress, traction)
            for node in range(nodes):
                left, right, f1 = children[node, 0], children[node, 1], fraction[node]
                member = leaves + node
                work[member] = f1 * work[left] + (1.0 - f1) * work[right]
                change = work[left] - work[right]
                for i in range(size):
                    jump, adjoint_of = 0.0, 0.0
                    for d in range(dimension):
                        jump += operator[node, i, d] * jumps[path, k, node, d]
                        adjoint_of += operator[node, i, d] * adjoint_jump[node, d]
                    change -= stress[k, member, i] * adjoint_of
                    change -= adjoint_stress[member, i] * jump
                of_fraction[node] += node_weight[node] * change
                scale = node_weight[node] * f1 * (1.0 - f1)
                for i in range(size):
                    shift[i] = scale * (adjoint_stress[left, i] - adjoint_stress[right, i])
                apply_tensor(dimension, shift, jumps[path, k, node], of_normal[node])
                for i in range(size):
                    shift[i] = scale * (stress[k, left, i] - stress[k, right, i])
                apply_tensor(dimension, shift, adjoint_jump[node], of_normal[node])
