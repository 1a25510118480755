"""A full-field unit cell as a constitutive law: true FE², and the reference for every network.

The fluctuation is found by Newton's method with a line search on the incremental potential; each
step is solved by conjugate gradients preconditioned with the Green operator of the mean tangent.
The consistent macroscopic tangent takes one more linear solve for every strain component.

A voxel that an interface cuts holds both phases. The jump between their strains is relaxed voxel by
voxel at every iteration and eliminated, as a network eliminates the jumps of its laminates; which
jumps are free is the rule of `_mixing`, by the contrast of the stress-free phases.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dmn_fem.homogenization._cut_parts import CutParts
from dmn_fem.homogenization._elastic import effective_stiffness
from dmn_fem.homogenization._full_field import SpectralGrid, solve_linear
from dmn_fem.homogenization._local_fields import LocalFields
from dmn_fem.homogenization._mixing import Mixing, axes_of
from dmn_fem.laws import Code, Field, PhaseLaw, State, Status, check_sizes
from dmn_fem.laws._batch import Compiled, Members
from dmn_fem.laws._kernels import respond
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array, strain_size

MAX_ITERATIONS = 50
MAX_HALVINGS = 8
_SHIFT = 1e-6  # what the reference medium is stiffer: perfect plasticity may leave it none
_LOCAL = 1e-2  # of the unbalanced energy: what cut voxels may add to it


class UnitCellLaw:
    """The constitutive law of a periodic voxel image; see `dmn_fem.laws.Law` for its methods.

    In 2D the strain 33 is uniform over the cell. Tangents are taken for symmetric: where those of a
    law are not, the stress is right all the same, but it takes more iterations or fails, and the
    macroscopic tangent is not the consistent one.

    Args:
        image: The phase image.
        laws: The law of every phase, by the phase's name.
        tolerance: Unbalanced forces relative to the stresses, both in the energy norm of the
            tangents.
        tangent_tolerance: Relative error of the diagonal of the macroscopic tangent, see
            `homogenize`.
        mixing: Rule of the voxels that an interface cuts; if not given, a mixture that suits the
            kind of image and the contrast of the stress-free phases.

    Raises:
        ValueError: If laws are missing or belong to no phase.
    """

    def __init__(
        self,
        image: PhaseImage,
        laws: Mapping[str, PhaseLaw],
        tolerance: float = 1e-6,
        tangent_tolerance: float = 1e-4,
        mixing: Mixing | None = None,
    ) -> None:
        self.image = image
        self.tolerance = tolerance
        self.tangent_tolerance = tangent_tolerance
        self._grid = SpectralGrid(image.shape)
        self._cut = CutParts(image, laws, mixing)
        size = self.strain_size
        leading = [Field("strain", (size,)), Field("displacement", self._grid.shape)]
        if self._cut.voxel.size:
            leading.append(Field("strain_jump", (self._cut.voxel.size, size)))
        self._leading = sum(field.size for field in leading)
        self._rotation = np.zeros((0, size, size))
        if image.axes is not None:
            rotation, number = axes_of(image, size)
            self._rotation = rotation[number[self._cut.member_phase, self._cut.member_voxel]]
        self._members = Members(
            laws,
            image.names,
            self._cut.member_phase,
            self._cut.member_weight,
            self.dimension,
            self._rotation[None],
            *leading,
        )
        self._every = np.arange(self._grid.voxels)

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self._grid.dimension

    @property
    def strain_size(self) -> int:
        """4 or 6."""
        return strain_size(self._grid.dimension)

    @property
    def external(self) -> tuple[str, ...]:
        """Names of the external fields that the laws read."""
        return self._members.external

    def allocate(self, points: int) -> State:
        """A stress-free state."""
        return self._members.allocate(points)

    def integrate(
        self,
        strain: Array,
        state: State,
        stress: Array,
        tangent: Array | None = None,
        dt: float = 0.0,
        external: Mapping[str, Array] | None = None,
    ) -> Status:
        """Integrate to a total strain; see `dmn_fem.laws.Law.integrate`."""
        check_sizes(self, strain, state, stress, tangent)
        points = strain.shape[0]
        outside = self._members.external_values(external, points)
        self._members.remember_external(state, outside)
        codes = np.empty(points, dtype=np.int8)
        iterations = np.empty(points, dtype=np.int32)
        for point in range(points):
            try:
                codes[point], iterations[point] = self._integrate_point(
                    strain[point],
                    state.old[point, :, 0],
                    state.new[point, :, 0],
                    float(dt),
                    self._members.compiled_at(outside[:, point]),
                    stress[point],
                    None if tangent is None else tangent[point],
                )
            except np.linalg.LinAlgError:  # a tangent without any stiffness
                codes[point], iterations[point] = Code.FAILED, 0
            if codes[point] == Code.FAILED:
                state.new[point] = state.old[point]
                stress[point] = np.nan
                if tangent is not None:
                    tangent[point] = np.nan
        return Status(codes, iterations)

    def averages(self, state: State) -> dict[str, Array]:
        """Averages over each phase; see `dmn_fem.laws.Law.averages`."""
        return self._members.averages(state, partial(self._local, state))

    def maxima(self, state: State) -> dict[str, Array]:
        """Largest values in each phase; see `dmn_fem.laws.Law.maxima`."""
        return self._members.maxima(state, partial(self._local, state))

    def _local(self, state: State, points: NDArray[np.integer]) -> tuple[Array, Array]:
        """Strains and stresses of all members at some points, (points, members, s)."""
        members = self._members
        strains, stresses = np.empty((2, points.size, members.phase.size, self.strain_size))
        for number, point in enumerate(points):
            past = state.old[point, :, 0]
            outside = members.past_external(state, points[number : number + 1])
            compiled = members.compiled_at(outside[:, 0])
            mean, displacement, jump = self._unknowns(past)
            strain = self._cut.member_strain(self._grid.strain(mean, displacement), jump)
            strains[number] = strain
            stresses[number], *_ = self._respond(compiled, strain, past, past.copy(), 0.0)
        return strains, stresses

    def local_fields(self, state: State, point: int = 0) -> LocalFields:
        """Strain, stress and internal variables within the cell of one point, as accepted.

        The stress is that of an increment without strain and time, hence of a law whose stress
        follows from strain, internal variables and external fields.

        Raises:
            ValueError: If phases have internal variables of one name and different shapes.
        """
        members, found = self._members, dict[str, Array]()
        values = members.values(state, partial(self._local, state), np.array([point]))
        for name, (each,) in values.items():
            phase, _, quantity = name.rpartition(".")
            shape = (members.phase.size, *each.shape[1:])
            everywhere = found.setdefault(quantity, np.full(shape, np.nan))
            if everywhere.shape != shape:
                raise ValueError(f"{quantity} has another shape in phase {phase}")
            everywhere[members.phase == self.image.names.index(phase)] = each
        return LocalFields(
            self.image.shape,
            self.image.names,
            self._cut.member_voxel,
            members.phase,
            self._cut.member_weight,
            found.pop("strain"),
            found.pop("stress"),
            found,
        )

    def _unknowns(self, past: Array) -> tuple[Array, Array, Array]:
        """Copies of mean strain, displacement and strain jumps in the state of a point."""
        size = self.strain_size
        nodal = size + self._grid.dimension * self._grid.voxels
        displacement = past[size:nodal].reshape(self._grid.shape).copy()
        jump = past[nodal : self._leading].reshape(-1, size).copy()
        return past[:size].copy(), displacement, jump

    def _respond(
        self, members: Compiled, strain: Array, old: Array, new: Array, dt: float
    ) -> tuple[Array, Array, int]:
        """Stress and tangent of the members, and the lowest code; new is written."""
        count, size = strain.shape
        stress, tangent = np.empty((count, size)), np.empty((count, size, size))
        rotation = self._rotation[-count:]  # those of the parts are the last ones
        code = respond(members, rotation, strain, old, new, dt, stress, tangent)
        return stress, tangent, code

    def _integrate_point(
        self,
        mean_strain: Array,
        old: Array,
        new: Array,
        dt: float,
        members: Compiled,
        mean_stress: Array,
        mean_tangent: Array | None,
    ) -> tuple[int, int]:
        """Code and Newton iterations of one point; its arrays are written."""
        grid, cut, size = self._grid, self._cut, self.strain_size
        _, displacement, jump = self._unknowns(old)
        step = np.zeros(grid.shape)
        slope, share, halvings, count, unbalanced = 0.0, 1.0, 0, 0, np.inf
        code: int = Code.FAILED
        if not np.isfinite(mean_strain).all():
            return code, count

        of_parts = self._members.compiled_from(members, cut.whole)

        def respond_in_parts(strain: Array) -> tuple[Array, Array]:
            return self._respond(of_parts, strain, old, new, dt)[:2]

        while True:
            around = grid.strain(mean_strain, displacement)
            if cut.voxel.size and count > 0:
                cut.relax(around, jump, respond_in_parts, _LOCAL * unbalanced)
            strain = cut.member_strain(around, jump)
            stress, tangent, law_code = self._respond(members, strain, old, new, dt)
            local = cut.condense(stress, tangent)
            force = grid.force(local.stress)
            if slope < 0.0 and halvings < MAX_HALVINGS:
                # The derivative of the convex incremental potential along the step; see the
                # network's Newton.
                now = float(np.vdot(force, step))
                if law_code < 0 or not now <= 0.25 * abs(slope):
                    shorter = share * abs(slope) / (abs(slope) + now) if law_code >= 0 else 0.0
                    shorter = max(shorter, 0.1 * share) if np.isfinite(shorter) else 0.1 * share
                    displacement += (shorter - share) * step
                    share = shorter
                    halvings += 1
                    continue
            if law_code < 0 or not np.isfinite(force).all():
                return code, count
            reference = local.tangent.mean(axis=0)
            reference += _SHIFT * np.trace(reference) / size * np.eye(size)
            green = grid.green(reference)
            unbalanced = float(np.vdot(force, grid.precondition(green, force))) + local.unbalanced
            scale = float(np.sum(local.stress @ np.linalg.inv(reference) * local.stress))
            if unbalanced <= self.tolerance**2 * scale:
                code = law_code
                break
            if count == MAX_ITERATIONS or not scale > 0.0:  # a NaN in a tangent as well
                return code, count
            count += 1
            residual = np.sqrt(unbalanced / scale)
            # As exact as the quadratic convergence of Newton's method can use.
            accuracy = min(0.1, max(residual, 0.3 * self.tolerance / residual))
            step = solve_linear(
                grid, local.tangent, self._every, -force, green, accuracy
            ).displacement
            displacement += step
            slope, share, halvings = float(np.vdot(force, step)), 1.0, 0

        new[: self._leading] = np.concatenate([mean_strain, displacement.ravel(), jump.ravel()])
        mean_stress[:] = local.stress.mean(axis=0)
        if mean_tangent is not None:
            mean_tangent[:] = effective_stiffness(
                grid, local.tangent, self._every, reference, self.tangent_tolerance
            ).stiffness
        return code, count
