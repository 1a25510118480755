"""A network with a law in each leaf, as a constitutive law for many points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from dmn_fem._laminate import MANDEL_ORDER, kept_components
from dmn_fem._lanes import LANES
from dmn_fem.laws import Code, Field, PhaseLaw, State, Status, check_sizes, initial_stiffness
from dmn_fem.laws._batch import Members
from dmn_fem.network import Network, jump_operator
from dmn_fem.notation import SQRT2, Array, mandel_spins, strain_size
from dmn_fem.online._adjoint_kernels import gradient
from dmn_fem.online._geometry import Geometry
from dmn_fem.online._kernels import evaluate, integrate, localisation
from dmn_fem.online._substeps import Step, integrate_in_parts
from dmn_fem.online._threads import in_slices


@dataclass(frozen=True)
class Sensitivity:
    """Derivatives of a function of stresses in the parameters of a network, in its own order.

    Attributes:
        share: By the share f1 of the first child of every inner node at fixed weight of the node,
            (M-1,).
        normal: By the unit normals, (M-1, dimension).
        rotation: By small rotations of the leaves about the axes, (M, 3), or None without leaf
            orientations.
    """

    share: Array
    normal: Array
    rotation: Array | None


class NetworkLaw:
    """The constitutive law of a deep material network; see `dmn_fem.laws.Law` for its methods.

    The axes of an anisotropic law are those of its leaf. Where a network has no leaf orientations
    they are the global ones in every leaf, also where the phase is fibres of several directions,
    and they stay behind when the network is turned; see `Network.rotated`.

    Args:
        network: Geometry of the network, or of several that share dimension, phases and the phases
            of their leaves, as those interpolated from one database do (`Database.at_points`).
        laws: The law of every phase, by the phase's name.
        tolerance: Largest traction jump at any interface, relative to the root mean square of the
            leaves' stresses.
        max_iterations: Of Newton's method; nearly perfect plasticity may need many in a large step.
        max_substeps: Equal parts into which the step of a point that fails is divided at most; 1
            divides none.
        threads: At work on the points of a batch; answers do not depend on it, to the last bit.

    A law of several networks keeps numbers of each distinct one. In 3D and with M leaves these are
    8 (24 M - 23) bytes, 18 M of them for the elastic start, and 288 M more with leaf orientations:
    24 kB, or 61 kB, with 128 leaves. In 2D they are 8 (13 M - 12) bytes, and 128 M.

    Raises:
        ValueError: If laws are missing or belong to no phase, networks do not fit together, or
            there are no parts or threads.
    """

    def __init__(
        self,
        network: Network | Sequence[Network],
        laws: Mapping[str, PhaseLaw],
        tolerance: float = 1e-9,
        max_iterations: int = 30,
        max_substeps: int = 64,
        threads: int = 1,
    ) -> None:
        if max_substeps < 1:
            raise ValueError(f"max_substeps is {max_substeps}; it must be at least 1")
        if threads < 1:
            raise ValueError(f"threads is {threads}; it must be at least 1")
        self.networks = (network,) if isinstance(network, Network) else tuple(network)
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.max_substeps = max_substeps
        self.threads = threads
        self._geometry = geometry = Geometry(self.networks)
        self._tree = tree = geometry.tree
        size = self.strain_size
        self._leaves = Members(
            laws,
            self.networks[0].phases,
            tree.leaf_phase,
            geometry.leaf_weight,
            self.dimension,
            geometry.rotation,
            Field("strain", (size,)),
            Field("jumps", (len(tree.fraction), self.dimension)),
        )
        lengths = self.dimension, size + 1, self._leaves.triangles
        self._shape = tuple(tuple(range(length)) for length in lengths)
        self._numbers = self._table(geometry.numbers)
        self._leaf_numbers = self._table(geometry.leaf_weight[..., None])
        rows = geometry.rotation.reshape(*geometry.rotation.shape[:2], size * size)
        self._rotation = self._table(rows)

    def _table(self, numbers: Array) -> Array:
        """Numbers (networks, rows, n) as kernels take them: one network has no first axis."""
        return numbers if len(self.networks) > 1 else numbers[0]

    @cached_property
    def _predictor(self) -> Array:
        """Where Newton's method starts: the jumps of the stress-free, elastic networks.

        A rate-dependent law may have no stiffness without a time step; then the start is uniform.
        """
        order = np.array(MANDEL_ORDER[self.dimension])
        scale = np.where(order < 3, 1.0, 1.0 / SQRT2)
        stiffness = [initial_stiffness(law, self.dimension) for law in self._leaves.laws.values()]
        phases = np.stack([stiffness[phase] for phase in self._tree.leaf_phase])
        matrix = np.zeros((len(phases), order.size + 1, order.size + 1))
        rows, columns = kept_components(order.size + 1, self._leaves.triangles)
        nodes, width = self._geometry.numbers.shape[1], self.dimension * order.size
        predictor = np.empty((len(self.networks), nodes, width))
        for number, (numbers, rotation) in enumerate(
            zip(self._geometry.numbers, self._geometry.rotation, strict=True)
        ):
            leaves = rotation @ phases @ rotation.swapaxes(1, 2) if len(rotation) else phases
            matrix[:, :-1, :-1] = leaves[:, order[:, None], order] * np.outer(scale, scale)
            predictor[number] = localisation(
                self._shape, self._tree.children, numbers, matrix[:, rows, columns]
            )
        predictor[~np.isfinite(predictor).all(axis=(1, 2))] = 0.0
        return self._table(predictor)

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.networks[0].dimension

    @property
    def strain_size(self) -> int:
        """4 or 6."""
        return strain_size(self.dimension)

    @property
    def external(self) -> tuple[str, ...]:
        """Names of the external fields that the laws read."""
        return self._leaves.external

    def allocate(self, points: int, network: NDArray[np.integer] | None = None) -> State:
        """A stress-free state.

        Args:
            points: Number of points.
            network: Number of the network of every point, (points,); by default the first one's.

        Raises:
            ValueError: If there are no such networks.
        """
        state = self._leaves.allocate(points, LANES)
        if network is not None:
            given, count = np.asarray(network), len(self.networks)
            if given.shape != (points,) or not np.issubdtype(given.dtype, np.integer):
                raise ValueError(
                    f"network has shape {given.shape} and type {given.dtype}; "
                    f"it must be ({points},) integers"
                )
            wrong = np.flatnonzero((given < 0) | (given >= count))
            if wrong.size:
                raise ValueError(
                    f"network of point {wrong[0]} is {given[wrong[0]]}; "
                    f"it must lie in 0 … {count - 1}"
                )
            state.network[:] = given
        return state

    def integrate(
        self,
        strain: Array,
        state: State,
        stress: Array,
        tangent: Array | None = None,
        dt: float = 0.0,
        external: Mapping[str, Array] | None = None,
    ) -> Status:
        """Integrate to a total strain; see `dmn_fem.laws.Law.integrate`.

        Points that fail are integrated again in parts, see `_substeps`.
        """
        check_sizes(self, strain, state, stress, tangent)
        given = self._leaves.external_values(external, len(strain))
        status = self._sweep(strain, state, stress, tangent, dt, given, self.tolerance)
        failed = np.flatnonzero(status.codes == Code.FAILED)
        if failed.size and self.max_substeps > 1:
            own, everywhere = state.take(failed), np.arange(failed.size)
            past = self._leaves.past_external(own, everywhere)
            step = Step(own["strain"], strain[failed], own, dt, past, given[:, failed])
            integrate_in_parts(
                self._sweep,
                step,
                failed,
                (state, stress, tangent, status),
                self.tolerance,
                self.max_substeps,
            )
        return status

    def _sweep(
        self,
        strain: Array,
        state: State,
        stress: Array,
        tangent: Array | None,
        dt: float,
        external: Array,
        tolerance: float,
    ) -> Status:
        """One step of all points, without sub-steps."""
        points, size = strain.shape
        codes = np.empty(points, dtype=np.int8)
        iterations = np.empty(points, dtype=np.int32)
        self._leaves.remember_external(state, external)
        networks = _in_lanes(state.network)
        order = np.array(MANDEL_ORDER[self.dimension])
        laws, outside = self._leaves.in_lanes(dt), self._leaves.external_in_lanes(external)
        wanted = np.empty((0, size, size)) if tangent is None else tangent
        predictor = self._predictor

        def run(blocks: slice) -> None:
            own = slice(blocks.start * LANES, blocks.stop * LANES)
            integrate(
                self._shape,
                order,
                self._tree.children,
                networks[blocks],
                self._numbers,
                self._leaf_numbers,
                predictor,
                *laws,
                self._rotation,
                tolerance,
                self.max_iterations,
                strain[own],
                outside[blocks],
                state.old[blocks],
                state.new[blocks],
                stress[own],
                wanted[own],
                codes[own],
                iterations[own],
            )

        in_slices(run, len(networks), self.threads)
        return Status(codes, iterations)

    def averages(self, state: State) -> dict[str, Array]:
        """Averages over each phase; see `dmn_fem.laws.Law.averages`."""
        return self._leaves.averages(state, partial(self._local, state))

    def maxima(self, state: State) -> dict[str, Array]:
        """Largest values of any leaf in each phase; see `dmn_fem.laws.Law.maxima`."""
        return self._leaves.maxima(state, partial(self._local, state))

    def leaves(
        self, state: State, points: NDArray[np.integer] | slice = slice(None)
    ) -> dict[str, Array]:
        """Strain, stress and internal variables leaf by leaf, as accepted.

        The stress is that of a step from the accepted state without strain and time.

        Returns:
            By ``phase.quantity``, (points, leaves of the phase, ...), Mandel vectors along the
            global axes. The leaves are those
            of `Network.tree`: its ``leaf_weight``, ``leaf_number`` and so on where its
            ``leaf_phase`` is the number of the phase.
        """
        chosen = np.arange(state.points)[points]
        return self._leaves.values(state, partial(self._local, state), chosen)

    def _local(self, state: State, points: NDArray[np.integer]) -> tuple[Array, Array]:
        """Strains and stresses of all leaves at some points, (points, leaves, s)."""
        size, leaves = self.strain_size, self._leaves.phase.size
        strain, stress = np.empty((2, points.size, leaves, size))
        evaluate(
            self._shape,
            np.array(MANDEL_ORDER[self.dimension]),
            self._tree.children,
            _in_lanes(state.network[points]),
            self._numbers,
            *self._leaves.in_lanes(0.0),
            self._rotation,
            self._leaves.external_in_lanes(self._leaves.past_external(state, points)),
            state.old,
            points,
            strain,
            stress,
        )
        return strain, stress

    def follow(self, strain: Array, dt: float = 1.0) -> tuple[Array, Array]:
        """Take points from the stress-free state along paths of prescribed strains.

        Args:
            strain: Mandel strains at the ends of the K increments, (paths, K, s).
            dt: Time of an increment.

        Returns:
            Stresses, (paths, K, s), NaN from the increment on that does not converge; jumps of the
            inner nodes, (paths, K, ...), for `sensitivity`.

        Raises:
            ValueError: If laws read external fields.
        """
        if self.external:
            raise ValueError(
                f"paths to follow have no external fields; the laws read {', '.join(self.external)}"
            )
        paths, steps, size = strain.shape
        state = self.allocate(paths)
        stress, stresses = np.empty((paths, size)), np.empty(strain.shape)
        jumps = []
        failed, nothing = np.zeros(paths, dtype=bool), np.empty((0, paths))
        for step in range(steps):
            mean = np.ascontiguousarray(strain[:, step])
            # The adjoint knows nothing of parts of an increment.
            status = self._sweep(mean, state, stress, None, dt, nothing, self.tolerance)
            failed |= status.codes == Code.FAILED
            state.accept()
            stresses[:, step] = np.where(failed[:, None], np.nan, stress)
            jumps.append(state["jumps"].copy())
        return stresses, np.stack(jumps, axis=1)

    def sensitivity(
        self, strain: Array, jumps: Array, of_stress: Array, dt: float = 1.0
    ) -> Sensitivity:
        """Derivatives of Σ of_stress·σ̄ over the increments of converged paths (`follow`).

        Args:
            strain: As in `follow`, (paths, K, s).
            jumps: What `follow` found.
            of_stress: Derivatives by the macroscopic stresses, (paths, K, s).
            dt: Time of an increment.

        Raises:
            ValueError: If the law is one of several networks.
        """
        if len(self.networks) > 1:
            raise ValueError(
                f"sensitivities are those of one network; the law has {len(self.networks)}"
            )
        tree, network, rotation = self._tree, self.networks[0], self._geometry.rotation[0]
        operator = np.ascontiguousarray(jump_operator(tree.normal, self.dimension))
        of_share = np.zeros(tree.fraction.size)
        of_normal = np.zeros((tree.fraction.size, self.dimension))
        of_rotation = np.zeros((len(rotation), 3))
        gradient(
            tuple(range(self.dimension)),
            tree.children,
            tree.fraction,
            operator,
            tree.node_weight,
            tree.leaf_weight,
            mandel_spins(self.dimension),
            self._leaves.compiled,
            rotation,
            float(dt),
            np.ascontiguousarray(strain),
            np.ascontiguousarray(jumps),
            np.ascontiguousarray(of_stress),
            of_share,
            of_normal,
            of_rotation,
        )
        share, normal = np.zeros(network.leaves - 1), np.zeros((network.leaves - 1, self.dimension))
        share[tree.node_number], normal[tree.node_number] = of_share, of_normal
        if network.leaf_orientation is None:
            return Sensitivity(share, normal, None)
        turns = np.zeros((network.leaves, 3))
        turns[tree.leaf_number] = of_rotation
        return Sensitivity(share, normal, turns)


def _in_lanes(network: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of networks block by block, (blocks, lanes); the last block is filled up with 0."""
    blocks = np.zeros((-(-network.size // LANES), LANES), dtype=np.int64)
    blocks.reshape(-1)[: network.size] = network
    return blocks


def material_law(law: PhaseLaw, dimension: int, name: str = "matrix") -> NetworkLaw:
    """The constitutive law of a single-phase material: a network of one leaf."""
    return NetworkLaw(Network.homogeneous(name, dimension), {name: law})
