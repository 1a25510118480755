"""A network as one would first write it in Numba: one point at a time, small dense matrices.

What `benchmarks/online.py` compares with: compiled, nothing allocated inside the loops, radial
return and the node's formulas as in the textbook, but generic loops over 4 or 6 Mandel components,
and no thought of vector registers.
"""

import numpy as np
from numba import njit

from dmn_fem.laws import J2Plasticity, LinearElastic, VoceHardening, initial_stiffness
from dmn_fem.network import Network, jump_operator
from dmn_fem.notation import Array


@njit(cache=True, error_model="numpy")
def _multiply(first, second, result):
    for i in range(first.shape[0]):
        for j in range(second.shape[1]):
            total = 0.0
            for k in range(first.shape[1]):
                total += first[i, k] * second[k, j]
            result[i, j] = total


@njit(cache=True, error_model="numpy")
def _invert(matrix, inverse):
    """Gauss and Jordan without pivots."""
    size = matrix.shape[0]
    for i in range(size):
        for j in range(size):
            inverse[i, j] = 1.0 if i == j else 0.0
    for k in range(size):
        pivot = 1.0 / matrix[k, k]
        for j in range(size):
            matrix[k, j] *= pivot
            inverse[k, j] *= pivot
        for i in range(size):
            if i != k:
                factor = matrix[i, k]
                for j in range(size):
                    matrix[i, j] -= factor * matrix[k, j]
                    inverse[i, j] -= factor * inverse[k, j]


@njit(cache=True, error_model="numpy")
def _j2(parameters, strain, old_plastic, old_equivalent, stress, tangent, plastic):
    """Radial return with Voce hardening; returns the new equivalent plastic strain."""
    bulk, shear, limit, saturation, rate, modulus = parameters
    size = strain.size
    volume = 0.0
    for i in range(3):
        volume += strain[i] - old_plastic[i]
    squared = 0.0
    for i in range(size):
        mean = volume / 3.0 if i < 3 else 0.0
        stress[i] = 2.0 * shear * (strain[i] - old_plastic[i] - mean)
        squared += stress[i] * stress[i]
    norm = np.sqrt(squared)
    equivalent, increment = np.sqrt(1.5) * norm, 0.0
    p = old_equivalent
    yield_now = limit + saturation * (1.0 - np.exp(-rate * p)) + modulus * p
    flows = equivalent > yield_now * (1.0 + 1e-12)
    slope = 0.0
    if flows:
        for _ in range(50):
            decay = saturation * np.exp(-rate * p)
            residual = equivalent - 3.0 * shear * increment
            residual -= limit + saturation - decay + modulus * p
            slope = rate * decay + modulus
            change = residual / (3.0 * shear + slope)
            increment += change
            p += change
            if abs(change) <= 1e-9 * abs(increment):
                break
    scale, beta = 1.0, 0.0
    if flows:
        scale = 1.0 - 3.0 * shear * increment / equivalent
        beta = 6.0 * shear * shear * (increment / equivalent - 1.0 / (3.0 * shear + slope))
    for i in range(size):
        for j in range(size):
            direction = stress[i] * stress[j] / squared if flows else 0.0
            tangent[i, j] = (2.0 * shear * scale if i == j else 0.0) + beta * direction
            if i < 3 and j < 3:
                tangent[i, j] += bulk - 2.0 * shear * scale / 3.0
    for i in range(size):
        plastic[i] = old_plastic[i]
        if flows:
            plastic[i] += 1.5 * increment / equivalent * stress[i]
        stress[i] = scale * stress[i] + (bulk * volume if i < 3 else 0.0)
    return p


@njit(cache=True, error_model="numpy")
def _integrate(
    children, fraction, operator, weight, flowing, stiffness, parameters, tolerance, limit,
    macro_strain, old_jump, old_plastic, old_equivalent, jump, plastic, equivalent, macro_stress,
    macro_tangent, iterations,
):  # fmt: skip
    nodes, size, dimension = operator.shape
    leaves = nodes + 1
    root = leaves + nodes - 1
    strain, stress = np.empty((root + 1, size)), np.empty((root + 1, size))
    tangent = np.empty((root + 1, size, size))
    relaxation, offset = np.empty((nodes, dimension, size)), np.empty((nodes, dimension))
    difference, mixed = np.empty((size, size)), np.empty((size, size))
    mixed_operator, coupling = np.empty((size, dimension)), np.empty((size, dimension))
    acoustic = np.empty((dimension, dimension))
    inverse = np.empty((dimension, dimension))
    product, traction = np.empty((size, size)), np.empty(dimension)
    for point in range(macro_strain.shape[0]):
        a = jump[point]
        a[:] = old_jump[point]
        iterations[point] = 0
        while True:
            strain[root] = macro_strain[point]
            for node in range(nodes - 1, -1, -1):
                for i in range(size):
                    total = 0.0
                    for d in range(dimension):
                        total += operator[node, i, d] * a[node, d]
                    base = strain[leaves + node, i]
                    strain[children[node, 0], i] = base + (1.0 - fraction[node]) * total
                    strain[children[node, 1], i] = base - fraction[node] * total
            norm = 0.0
            for leaf in range(leaves):
                if flowing[leaf]:
                    equivalent[point, leaf] = _j2(
                        parameters, strain[leaf], old_plastic[point, leaf],
                        old_equivalent[point, leaf], stress[leaf], tangent[leaf],
                        plastic[point, leaf],
                    )  # fmt: skip
                else:
                    for i in range(size):
                        total = 0.0
                        for j in range(size):
                            tangent[leaf, i, j] = stiffness[i, j]
                            total += stiffness[i, j] * strain[leaf, j]
                        stress[leaf, i] = total
                squared = 0.0
                for i in range(size):
                    squared += stress[leaf, i] * stress[leaf, i]
                norm += weight[leaf] * np.sqrt(squared)
            largest = 0.0
            for node in range(nodes):
                one, two = children[node, 0], children[node, 1]
                squared = 0.0
                for d in range(dimension):
                    total = 0.0
                    for i in range(size):
                        total += operator[node, i, d] * (stress[one, i] - stress[two, i])
                    squared += total * total
                largest = max(largest, squared)
                for i in range(size):
                    stress[leaves + node, i] = fraction[node] * stress[one, i]
                    stress[leaves + node, i] += (1.0 - fraction[node]) * stress[two, i]
            converged = np.sqrt(largest) <= tolerance * norm
            macro_stress[point] = stress[root]
            for node in range(nodes):
                one, two, f1 = children[node, 0], children[node, 1], fraction[node]
                member, f2 = leaves + node, 1.0 - fraction[node]
                for i in range(size):
                    for j in range(size):
                        difference[i, j] = tangent[one, i, j] - tangent[two, i, j]
                        mixed[i, j] = f2 * tangent[one, i, j] + f1 * tangent[two, i, j]
                _multiply(mixed, operator[node], mixed_operator)
                _multiply(operator[node].T, mixed_operator, acoustic)
                _invert(acoustic, inverse)
                _multiply(difference, operator[node], coupling)
                _multiply(inverse, coupling.T, relaxation[node])
                _multiply(coupling, relaxation[node], product)
                for d in range(dimension):
                    total = 0.0
                    for i in range(size):
                        total += operator[node, i, d] * (stress[one, i] - stress[two, i])
                    traction[d] = total
                for d in range(dimension):
                    total = 0.0
                    for e in range(dimension):
                        total += inverse[d, e] * traction[e]
                    offset[node, d] = total
                for i in range(size):
                    total = f1 * stress[one, i] + f2 * stress[two, i]
                    for d in range(dimension):
                        total -= f1 * f2 * coupling[i, d] * offset[node, d]
                    stress[member, i] = total
                    for j in range(size):
                        own = f1 * tangent[one, i, j] + f2 * tangent[two, i, j]
                        tangent[member, i, j] = own - f1 * f2 * product[i, j]
            if converged or iterations[point] == limit:
                break
            iterations[point] += 1
            strain[root] = 0.0
            for node in range(nodes - 1, -1, -1):
                for d in range(dimension):
                    total = offset[node, d]
                    for i in range(size):
                        total += relaxation[node, d, i] * strain[leaves + node, i]
                    a[node, d] -= total
                    traction[d] = -total
                for i in range(size):
                    total = 0.0
                    for d in range(dimension):
                        total += operator[node, i, d] * traction[d]
                    base = strain[leaves + node, i]
                    strain[children[node, 0], i] = base + (1.0 - fraction[node]) * total
                    strain[children[node, 1], i] = base - fraction[node] * total
        macro_tangent[point] = tangent[root]


class NaiveNetwork:
    """A network of J2 plasticity with Voce hardening and of linear elasticity.

    Args:
        network: Its geometry.
        laws: Of the phases, by name: one of each kind.
        points: How many points it holds.
    """

    def __init__(
        self, network: Network, laws: dict[str, J2Plasticity | LinearElastic], points: int
    ) -> None:
        tree, dimension = network.tree(), network.dimension
        operator = np.ascontiguousarray(jump_operator(tree.normal, dimension))
        ordered = [laws[name] for name in network.phases]
        flowing = np.array([isinstance(law, J2Plasticity) for law in ordered])
        (plastic,) = (law for law in ordered if isinstance(law, J2Plasticity))
        (elastic,) = (law for law in ordered if isinstance(law, LinearElastic))
        voce = plastic.hardening
        assert isinstance(voce, VoceHardening)
        e, nu = plastic.young_modulus, plastic.poisson_ratio
        parameters = (
            e / (3 - 6 * nu), e / (2 + 2 * nu), plastic.yield_stress, voce.saturation, voce.rate,
            voce.modulus,
        )  # fmt: skip
        self._tree = (
            tree.children, tree.fraction, operator, tree.leaf_weight, flowing[tree.leaf_phase],
            initial_stiffness(elastic, dimension), parameters,
        )  # fmt: skip
        leaves, size = len(tree.leaf_weight), 2 * dimension
        shapes = (leaves - 1, dimension), (leaves, size), (leaves,)
        self._old = [np.zeros((points, *shape)) for shape in shapes]
        self._new = [np.zeros((points, *shape)) for shape in shapes]

    def integrate(self, strain: Array, stress: Array, tangent: Array, tolerance: float) -> Array:
        """As `dmn_fem.online.NetworkLaw.integrate`; returns the iterations."""
        iterations = np.zeros(len(strain), dtype=np.int64)
        _integrate(
            *self._tree, tolerance, 30, strain, *self._old, *self._new, stress, tangent, iterations
        )
        return iterations

    def accept(self) -> None:
        """What was integrated becomes the past."""
        for old, new in zip(self._old, self._new, strict=True):
            old[:] = new
