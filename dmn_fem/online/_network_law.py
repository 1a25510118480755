"""A network with a law in each leaf, as a constitutive law for many points."""

from collections.abc import Mapping

import numpy as np

from dmn_fem.laws import Field, PhaseLaw, State, Status, initial_stiffness
from dmn_fem.laws._batch import Members
from dmn_fem.network import Network, jump_operator
from dmn_fem.notation import Array, strain_size
from dmn_fem.online._kernels import integrate, localisation


class NetworkLaw:
    """The constitutive law of a deep material network; see `dmn_fem.laws.Law` for its methods.

    Args:
        network: Geometry of the network.
        laws: The law of every phase, by the phase's name.
        tolerance: Largest traction jump at any interface, relative to the mean norm of the leaves'
            stresses.

    Raises:
        ValueError: If laws are missing or belong to no phase.
    """

    def __init__(
        self, network: Network, laws: Mapping[str, PhaseLaw], tolerance: float = 1e-9
    ) -> None:
        self.network = network
        self.tolerance = tolerance
        self._axes = tuple(range(network.dimension))
        self._tree = tree = network.tree()
        self._operator = np.ascontiguousarray(jump_operator(tree.normal, network.dimension))
        size = self.strain_size
        rotation = tree.leaf_rotation
        self._rotation = np.zeros((0, size, size)) if rotation is None else rotation
        self._leaves = Members(
            laws,
            network.phases,
            tree.leaf_phase,
            tree.leaf_weight,
            network.dimension,
            Field("jumps", (len(tree.fraction), network.dimension)),
        )
        self._predictor = self._elastic_localisation()

    def _elastic_localisation(self) -> Array:
        """Where Newton's method starts: the jumps of the stress-free, elastic network.

        A rate-dependent law may have no stiffness without a time step; then the start is uniform.
        """
        stiffness = [initial_stiffness(law, self.dimension) for law in self._leaves.laws.values()]
        tangent = np.stack([stiffness[phase] for phase in self._tree.leaf_phase])
        for leaf, rotation in enumerate(self._rotation):
            tangent[leaf] = rotation @ tangent[leaf] @ rotation.T
        tree = self._tree
        predictor = localisation(self._axes, tree.children, tree.fraction, self._operator, tangent)
        return predictor if np.isfinite(predictor).all() else np.zeros_like(predictor)

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.network.dimension

    @property
    def strain_size(self) -> int:
        """4 or 6."""
        return strain_size(self.network.dimension)

    def allocate(self, points: int) -> State:
        """A stress-free state."""
        return self._leaves.allocate(points)

    def integrate(
        self,
        strain: Array,
        state: State,
        stress: Array,
        tangent: Array | None = None,
        dt: float = 0.0,
    ) -> Status:
        """Integrate to a total strain; see `dmn_fem.laws.Law.integrate`."""
        tree = self._tree
        points, size = strain.shape
        codes = np.empty(points, dtype=np.int8)
        iterations = np.empty(points, dtype=np.int32)
        integrate(
            self._axes,
            tree.leaf_weight,
            tree.children,
            tree.fraction,
            self._operator,
            tree.node_weight,
            self._leaves.compiled,
            self._leaves.share,
            self._rotation,
            self._predictor,
            self.tolerance,
            float(dt),
            strain,
            state.old,
            state.new,
            stress,
            np.empty((0, size, size)) if tangent is None else tangent,
            codes,
            iterations,
        )
        return Status(codes, iterations)

    def averages(self, state: State) -> dict[str, Array]:
        """Averages over each phase: strain, stress and the internal variables of its law."""
        return self._leaves.averages(state)


def material_law(law: PhaseLaw, dimension: int, name: str = "matrix") -> NetworkLaw:
    """The constitutive law of a single-phase material: a network of one leaf."""
    return NetworkLaw(Network.homogeneous(name, dimension), {name: law})
