"""A network with a law in each leaf, as a constitutive law for many points."""

from collections.abc import Mapping

import numpy as np

from dmn_fem.laws import Field, PhaseLaw, Record, State, Status
from dmn_fem.laws._functions import law_address
from dmn_fem.network import Network, jump_operator
from dmn_fem.notation import Array, strain_size
from dmn_fem.online._kernels import integrate


class NetworkLaw:
    """The constitutive law of a deep material network; see `dmn_fem.laws.Law` for its methods.

    Args:
        network: Geometry of the network.
        laws: The law of every phase, by the phase's name.
        tolerance: Largest traction jump at any interface, relative to the mean norm of the leaves' stresses.

    Raises:
        ValueError: If laws are missing or belong to no phase.
    """

    def __init__(
        self, network: Network, laws: Mapping[str, PhaseLaw], tolerance: float = 1e-9
    ) -> None:
        if set(laws) != set(network.phases):
            raise ValueError(
                f"laws are given for {', '.join(sorted(laws)) or 'no phase'}; "
                f"the network has the phases {', '.join(network.phases)}"
            )
        self.network = network
        self.laws = {phase: laws[phase] for phase in network.phases}
        self.tolerance = tolerance
        self._axes = tuple(range(network.dimension))
        self._tree = tree = network.tree()
        self._operator = np.ascontiguousarray(jump_operator(tree.normal, network.dimension))
        size = self.strain_size
        rotation = tree.leaf_rotation
        self._rotation = np.zeros((0, size, size)) if rotation is None else rotation
        ordered = list(self.laws.values())
        self._addresses = np.array([law_address(type(law).function) for law in ordered])
        constants = [law.parameters(network.dimension) for law in ordered]
        self._parameters = np.concatenate(constants).astype(float)
        self._starts = np.cumsum([0, *(len(part) for part in constants)])

        jumps = Field("jumps", (len(tree.fraction), network.dimension))
        means = [
            Field(f"{phase}.{quantity}", (size,), unit)
            for phase in network.phases
            for quantity, unit in (("strain", "1"), ("stress", "stress"))
        ]
        counts = np.bincount(tree.leaf_phase, minlength=len(ordered))
        records = [
            Record(phase, int(count), law.fields(network.dimension))
            for (phase, law), count in zip(self.laws.items(), counts, strict=True)
        ]
        self._layout = [jumps, *means, *(record for record in records if record.fields)]
        self._mean_start = jumps.size
        widths = np.array([record.width for record in records])[tree.leaf_phase]
        first = jumps.size + sum(field.size for field in means)
        self._state_start = first + np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)

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
        return State(self._layout, points)

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
            tree.leaf_phase,
            self._rotation,
            tree.children,
            tree.fraction,
            self._operator,
            tree.node_weight,
            self._addresses,
            self._parameters,
            self._starts,
            self._state_start,
            self._mean_start,
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
        tree = self._tree
        result: dict[str, Array] = {}
        for number, (phase, law) in enumerate(self.laws.items()):
            weights = tree.leaf_weight[tree.leaf_phase == number]
            if weights.size == 0:
                continue
            for quantity in ("strain", "stress"):
                result[f"{phase}.{quantity}"] = state[f"{phase}.{quantity}"].copy()
            for field in law.fields(self.dimension):
                name = f"{phase}.{field.name}"
                result[name] = np.einsum("l,pl...->p...", weights / weights.sum(), state[name])
        return result


def material_law(law: PhaseLaw, dimension: int, name: str = "matrix") -> NetworkLaw:
    """The constitutive law of a single-phase material: a network of one leaf."""
    return NetworkLaw(Network.homogeneous(name, dimension), {name: law})
