"""A full-field unit cell as a constitutive law: true FE², and the reference for every network.

The fluctuation is found by Newton's method with a line search on the incremental potential; each
step is solved by conjugate gradients preconditioned with the Green operator of the mean tangent.
The consistent macroscopic tangent takes one more linear solve for every strain component.
"""

from collections.abc import Mapping

import numpy as np

from dmn_fem.homogenization._full_field import SpectralGrid, solve_linear
from dmn_fem.laws import Code, Field, PhaseLaw, State, Status
from dmn_fem.laws._batch import Members
from dmn_fem.laws._kernels import respond, store_means
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array, strain_size

MAX_ITERATIONS = 25
MAX_HALVINGS = 8


class UnitCellLaw:
    """The constitutive law of a periodic voxel image; see `dmn_fem.laws.Law` for its methods.

    In 2D the strain 33 is uniform over the cell.

    Args:
        image: The phase image.
        laws: The law of every phase, by the phase's name.
        tolerance: Unbalanced nodal forces relative to the stresses, both in the energy norm of the
            mean tangent.
        tangent_tolerance: Residual of the linear solves for the macroscopic tangent.

    Raises:
        ValueError: If laws are missing or belong to no phase.
    """

    def __init__(
        self,
        image: PhaseImage,
        laws: Mapping[str, PhaseLaw],
        tolerance: float = 1e-6,
        tangent_tolerance: float = 1e-4,
    ) -> None:
        self.image = image
        self.tolerance = tolerance
        self.tangent_tolerance = tangent_tolerance
        self._grid = SpectralGrid(image.shape)
        voxels = self._grid.voxels
        self._voxels = Members(
            laws,
            image.names,
            image.phases.ravel(),
            np.full(voxels, 1.0 / voxels),
            self.dimension,
            Field("displacement", self._grid.shape),
        )
        self._own = np.arange(voxels)
        self._no_rotation = np.zeros((0, self.strain_size, self.strain_size))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self._grid.dimension

    @property
    def strain_size(self) -> int:
        """4 or 6."""
        return strain_size(self.dimension)

    def allocate(self, points: int) -> State:
        """A stress-free state."""
        return self._voxels.allocate(points)

    def integrate(
        self,
        strain: Array,
        state: State,
        stress: Array,
        tangent: Array | None = None,
        dt: float = 0.0,
    ) -> Status:
        """Integrate to a total strain; see `dmn_fem.laws.Law.integrate`."""
        points = strain.shape[0]
        codes = np.empty(points, dtype=np.int8)
        iterations = np.empty(points, dtype=np.int32)
        for point in range(points):
            codes[point], iterations[point] = self._integrate_point(
                strain[point],
                state.old[point],
                state.new[point],
                float(dt),
                stress[point],
                None if tangent is None else tangent[point],
            )
            if codes[point] == Code.FAILED:
                state.new[point] = state.old[point]
                stress[point] = np.nan
                if tangent is not None:
                    tangent[point] = np.nan
        return Status(codes, iterations)

    def averages(self, state: State) -> dict[str, Array]:
        """Averages over each phase: strain, stress and the internal variables of its law."""
        return self._voxels.averages(state)

    def _integrate_point(
        self,
        mean_strain: Array,
        old: Array,
        new: Array,
        dt: float,
        mean_stress: Array,
        mean_tangent: Array | None,
    ) -> tuple[int, int]:
        """Code and Newton iterations of one point; its arrays are written."""
        grid, size = self._grid, self.strain_size
        leading = grid.dimension * grid.voxels
        stress = np.empty((grid.voxels, size))
        tangent = np.empty((grid.voxels, size, size))
        displacement = old[:leading].reshape(grid.shape).copy()
        step = np.zeros(grid.shape)
        slope, share, halvings, count = 0.0, 1.0, 0, 0
        code: int = Code.FAILED
        if not np.isfinite(mean_strain).all():
            return code, count
        while True:
            strain = grid.strain(mean_strain, displacement)
            law_code = respond(
                self._voxels.compiled, self._no_rotation, strain, old, new, dt, stress, tangent
            )
            force = grid.force(stress)
            if slope < 0.0 and halvings < MAX_HALVINGS:
                # The derivative of the convex incremental potential along the step; see the
                # network's Newton.
                now = float(np.vdot(force, step))
                if law_code < 0 or not now <= 0.8 * abs(slope):
                    shorter = share * abs(slope) / (abs(slope) + now) if law_code >= 0 else 0.0
                    shorter = max(shorter, 0.1 * share) if np.isfinite(shorter) else 0.1 * share
                    displacement += (shorter - share) * step
                    share = shorter
                    halvings += 1
                    continue
            if law_code < 0 or not np.isfinite(force).all():
                return code, count
            reference = tangent.mean(axis=0)
            green = grid.green(reference)
            unbalanced = float(np.vdot(force, grid.precondition(green, force)))
            scale = float(np.sum(stress @ np.linalg.inv(reference) * stress))
            residual = np.sqrt(max(unbalanced, 0.0) / scale) if scale > 0.0 else 0.0
            if residual <= self.tolerance:
                code = law_code
                break
            if count == MAX_ITERATIONS:
                return code, count
            count += 1
            # As exact as the quadratic convergence of Newton's method can use.
            accuracy = min(0.1, max(residual, 0.3 * self.tolerance / residual))
            step = solve_linear(grid, tangent, self._own, -force, green, accuracy).displacement
            displacement += step
            slope, share, halvings = float(np.vdot(force, step)), 1.0, 0

        new[:leading] = displacement.ravel()
        means = new[leading : leading + 2 * size * len(self._voxels.laws)]
        store_means(self._voxels.phase, self._voxels.share, strain, stress, means)
        mean_stress[:] = stress.mean(axis=0)
        if mean_tangent is not None:
            for column, unit in enumerate(np.eye(size)):
                load = -grid.force(tangent @ unit)
                solution = solve_linear(
                    grid, tangent, self._own, load, green, self.tangent_tolerance
                )
                local = grid.strain(unit, solution.displacement)
                mean_tangent[:, column] = np.einsum("vij,vj->i", tangent, local) / grid.voxels
        return code, count
