"""A full-field unit cell as a constitutive law: true FE², and the reference for every network.

The fluctuation is found by Newton's method with a line search on the incremental potential; each
step is solved by conjugate gradients preconditioned with the Green operator of the mean tangent.
The consistent macroscopic tangent takes one more linear solve for every strain component.

A voxel that an interface cuts holds both phases. The jump between their strains is an unknown of
the same Newton iteration, eliminated voxel by voxel as a network eliminates the jumps of its
laminates; which jumps are free is the rule of `_mixing`, by the contrast of the stress-free phases.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmn_fem.homogenization._elastic import effective_stiffness
from dmn_fem.homogenization._full_field import SpectralGrid, solve_linear
from dmn_fem.homogenization._mixing import Mixing, jumps, parts
from dmn_fem.laws import Code, Field, PhaseLaw, State, Status, initial_stiffness
from dmn_fem.laws._batch import Members
from dmn_fem.laws._kernels import respond, store_means
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array, strain_size

MAX_ITERATIONS = 25
MAX_HALVINGS = 8


@dataclass(frozen=True)
class LocalFields:
    """Fields within one unit cell, a row for every member: a whole voxel, or a phase in a cut one.

    Attributes:
        voxel: Number of the voxel in C order, (members,).
        phase: Number of the phase, (members,).
        weight: Volume fraction of the member, (members,), sums to one.
        strain: Mandel, (members, s).
        stress: Mandel, (members, s).
    """

    voxel: NDArray[np.int64]
    phase: NDArray[np.int64]
    weight: Array
    strain: Array
    stress: Array

    def on_voxels(self, values: Array) -> Array:
        """Averages of member values (members, ...) over each voxel, (voxels, ...)."""
        count = int(self.voxel.max()) + 1
        total = np.bincount(self.voxel, self.weight, count)
        result = np.zeros((count, *values.shape[1:]))
        share = (self.weight / total[self.voxel]).reshape(-1, *(1,) * (values.ndim - 1))
        np.add.at(result, self.voxel, share * values)
        return result


class UnitCellLaw:
    """The constitutive law of a periodic voxel image; see `dmn_fem.laws.Law` for its methods.

    In 2D the strain 33 is uniform over the cell.

    Args:
        image: The phase image.
        laws: The law of every phase, by the phase's name.
        tolerance: Unbalanced forces relative to the stresses, both in the energy norm of the
            tangents.
        tangent_tolerance: Residual of the linear solves for the macroscopic tangent; its error is
            of the order of the square.
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
        self._cut = _CutVoxels(image, laws, mixing)
        size = self.strain_size
        leading = [Field("displacement", self._grid.shape)]
        if self._cut.voxel.size:
            leading.append(Field("strain_jump", (self._cut.voxel.size, size)))
        self._leading = sum(field.size for field in leading)
        self._members = Members(
            laws,
            image.names,
            self._cut.member_phase,
            self._cut.member_weight,
            self.dimension,
            *leading,
        )
        self._every = np.arange(self._grid.voxels)
        self._no_rotation = np.zeros((0, size, size))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self._grid.dimension

    @property
    def strain_size(self) -> int:
        """4 or 6."""
        return strain_size(self._grid.dimension)

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
        return self._members.averages(state)

    def local_fields(self, state: State, point: int = 0) -> LocalFields:
        """Strain and stress within the cell of one point, as accepted.

        Internal variables are in the state, phase by phase in the order of the members.
        """
        fractions = self.image.volume_fractions
        present = [name for name, part in zip(self.image.names, fractions, strict=True) if part > 0]
        mean = sum(
            part * state[f"{name}.strain"][point]
            for name, part in zip(present, fractions[fractions > 0], strict=True)
        )
        past = state.old[point]
        displacement, jump = self._unknowns(past)
        strain = self._cut.member_strain(self._grid.strain(mean, displacement), jump)
        # An increment of nothing gives the stress again.
        stress, _tangent, _ = self._respond(strain, past, past.copy(), 0.0)
        members = self._members
        return LocalFields(
            self._cut.member_voxel, members.phase, self._cut.member_weight, strain, stress
        )

    def _unknowns(self, past: Array) -> tuple[Array, Array]:
        """Copies of displacement and strain jumps in the state of a point."""
        nodal = self._grid.dimension * self._grid.voxels
        displacement = past[:nodal].reshape(self._grid.shape).copy()
        return displacement, past[nodal : self._leading].reshape(-1, self.strain_size).copy()

    def _respond(
        self, strain: Array, old: Array, new: Array, dt: float
    ) -> tuple[Array, Array, int]:
        """Stress and tangent of all members, and the lowest code; new is written."""
        count, size = strain.shape
        stress, tangent = np.empty((count, size)), np.empty((count, size, size))
        code = respond(
            self._members.compiled, self._no_rotation, strain, old, new, dt, stress, tangent
        )
        return stress, tangent, code

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
        grid, cut, size = self._grid, self._cut, self.strain_size
        displacement, jump = self._unknowns(old)
        step, jump_step = np.zeros(grid.shape), np.zeros_like(jump)
        slope, share, halvings, count = 0.0, 1.0, 0, 0
        code: int = Code.FAILED
        if not np.isfinite(mean_strain).all():
            return code, count
        while True:
            strain = cut.member_strain(grid.strain(mean_strain, displacement), jump)
            stress, tangent, law_code = self._respond(strain, old, new, dt)
            if slope < 0.0 and halvings < MAX_HALVINGS:
                # The derivative of the convex incremental potential along the step; see the
                # network's Newton.
                force = grid.force(cut.mean(stress))
                now = float(np.vdot(force, step)) + cut.work(stress, jump_step)
                if law_code < 0 or not now <= 0.8 * abs(slope):
                    shorter = share * abs(slope) / (abs(slope) + now) if law_code >= 0 else 0.0
                    shorter = max(shorter, 0.1 * share) if np.isfinite(shorter) else 0.1 * share
                    displacement += (shorter - share) * step
                    jump += (shorter - share) * jump_step
                    share = shorter
                    halvings += 1
                    continue
            if law_code < 0 or not np.isfinite(stress).all():
                return code, count
            try:
                local = cut.condense(stress, tangent)
            except np.linalg.LinAlgError:
                return code, count
            force = grid.force(local.stress)
            reference = local.tangent.mean(axis=0)
            green = grid.green(reference)
            unbalanced = float(np.vdot(force, grid.precondition(green, force))) + local.unbalanced
            scale = float(np.sum(local.stress @ np.linalg.inv(reference) * local.stress))
            residual = np.sqrt(max(unbalanced, 0.0) / scale) if scale > 0.0 else 0.0
            if residual <= self.tolerance:
                code = law_code
                break
            if count == MAX_ITERATIONS:
                return code, count
            count += 1
            # As exact as the quadratic convergence of Newton's method can use.
            accuracy = min(0.1, max(residual, 0.3 * self.tolerance / residual))
            step = solve_linear(
                grid, local.tangent, self._every, -force, green, accuracy
            ).displacement
            jump_step = local.jump(grid.strain(np.zeros(size), step))
            displacement += step
            jump += jump_step
            force = grid.force(cut.mean(stress))
            slope = float(np.vdot(force, step)) + cut.work(stress, jump_step)
            share, halvings = 1.0, 0

        new[: self._leading] = np.concatenate([displacement.ravel(), jump.ravel()])
        members = self._members
        means = new[self._leading : self._leading + 2 * size * len(members.laws)]
        store_means(members.phase, members.share, strain, stress, means)
        mean_stress[:] = local.stress.mean(axis=0)
        if mean_tangent is not None:
            mean_tangent[:] = effective_stiffness(
                grid, local.tangent, self._every, reference, self.tangent_tolerance
            ).stiffness
        return code, count


@dataclass(frozen=True)
class _Condensed:
    """Stress and tangent of every voxel once the jumps of the cut ones are eliminated.

    Attributes:
        stress: (voxels, s).
        tangent: (voxels, s, s).
        unbalanced: Energy of the stress jumps that the free jumps of strain still have to cure.
        voxel: Voxel of every part, (n,).
        from_strain: Minus the change of a part's jump with the strain of its voxel, (n, s, s).
        from_stress: Minus its change that the jump of the stresses asks for, (n, s).
    """

    stress: Array
    tangent: Array
    unbalanced: float
    voxel: NDArray[np.int64]
    from_strain: Array
    from_stress: Array

    def jump(self, strain: Array) -> Array:
        """Newton step of the jumps, (n, s), beside one of the strain, (voxels, s)."""
        return -np.einsum("nij,nj->ni", self.from_strain, strain[self.voxel]) - self.from_stress


class _CutVoxels:
    """Members of a cell, and what happens between the two that share a part of a cut voxel.

    Members are the whole voxels, then the first phases of all parts of cut voxels, then the second
    phases. With the jump b of a part they have the strains ε + f2 b and ε - f1 b.
    """

    def __init__(
        self, image: PhaseImage, laws: Mapping[str, PhaseLaw], mixing: Mixing | None
    ) -> None:
        phases, cut = image.phases.ravel().astype(np.int64), image.cut
        found = []
        if cut is not None and cut.voxel.size and set(laws) == set(image.names):
            # A rate-dependent law may have no stiffness without a time step: laminates then.
            stiffness = np.nan_to_num(
                [initial_stiffness(laws[name], image.dimension) for name in image.names]
            )
            found = parts(image, stiffness, mixing)
        self._voxels = phases.size
        self._groups: list[tuple[slice, Array]] = []
        count = sum(part.members.size for part in found)
        self.voxel = np.empty(count, dtype=np.int64)
        self._second, self._weight = np.empty((count, 1)), np.empty((count, 1))
        pair = np.empty((2, count), dtype=np.int64)
        start = 0
        for part in found:
            assert cut is not None
            group = slice(start, start + part.members.size)
            start = group.stop
            self.voxel[group] = cut.voxel[part.members]
            self._second[group, 0] = cut.share[part.members]
            self._weight[group] = part.weight
            pair[0, group], pair[1, group] = part.first, part.second
            basis = jumps(part.rule, cut.normal[part.members], strain_size(image.dimension))
            self._groups.append((group, basis))
        self._first = 1.0 - self._second
        self._whole = np.setdiff1d(np.arange(phases.size), self.voxel)
        self.member_voxel = np.concatenate([self._whole, self.voxel, self.voxel])
        self.member_phase = np.concatenate([phases[self._whole], *pair])
        shares = [self._weight * self._first, self._weight * self._second]
        weight = np.concatenate([np.ones((self._whole.size, 1)), *shares])[:, 0]
        self.member_weight: Array = weight / phases.size

    def member_strain(self, strain: Array, jump: Array) -> Array:
        """Strains of the members (members, s) of those of the voxels and jumps of the parts."""
        result: Array = strain[self.member_voxel]
        first, second = self._of_parts(result)
        first += self._second * jump
        second -= self._first * jump
        return result

    def mean(self, stress: Array) -> Array:
        """Mean stress of every voxel, (voxels, s), of those of the members."""
        first, second = self._of_parts(stress)
        return self._gather(stress, self._first * first + self._second * second)

    def work(self, stress: Array, jump: Array) -> float:
        """Derivative of the potential along a change of the jumps."""
        first, second = self._of_parts(stress)
        return float(np.sum(self._weight * self._first * self._second * (first - second) * jump))

    def condense(self, stress: Array, tangent: Array) -> _Condensed:
        """Eliminate the jumps: theory of one laminate, with the jumps that each rule allows.

        Raises:
            numpy.linalg.LinAlgError: If a jump finds no resistance.
        """
        first, second = self._of_parts(stress)
        stiff, other = self._of_parts(tangent)
        f1, f2 = self._first[..., None], self._second[..., None]
        both = f2 * stiff + f1 * other
        difference, traction = stiff - other, first - second
        from_strain, from_stress = np.zeros_like(difference), np.zeros_like(traction)
        unbalanced = 0.0
        product = self._first * self._second
        for group, basis in self._groups:
            transposed = np.swapaxes(basis, 1, 2)
            compliance = np.linalg.inv(transposed @ both[group] @ basis)
            # The whole jump of the stresses is no small number, its part along free jumps is.
            free = transposed @ traction[group, :, None]
            relaxed = compliance @ free
            from_strain[group] = basis @ (compliance @ (transposed @ difference[group]))
            from_stress[group] = (basis @ relaxed)[..., 0]
            energy = self._weight[group] * product[group] * (free * relaxed).sum(axis=1)
            unbalanced += float(energy.sum())
        mean: Array = self._first * first + self._second * second
        mean -= product * np.einsum("nij,nj->ni", difference, from_stress)
        mean_tangent: Array = f1 * stiff + f2 * other
        mean_tangent -= product[..., None] * (difference @ from_strain)
        return _Condensed(
            self._gather(stress, mean),
            self._gather(tangent, mean_tangent),
            unbalanced,
            self.voxel,
            from_strain,
            from_stress,
        )

    def _of_parts(self, values: Array) -> tuple[Array, Array]:
        """Views of member values: of the first and of the second phases of all parts."""
        whole, count = self._whole.size, self.voxel.size
        return values[whole : whole + count], values[whole + count :]

    def _gather(self, values: Array, of_parts: Array) -> Array:
        """Voxel values of those of the whole voxels among the members, and those of the parts."""
        if self.voxel.size == 0:
            return values
        result = np.zeros((self._voxels, *values.shape[1:]))
        result[self._whole] = values[: self._whole.size]
        weight = self._weight.reshape(-1, *(1,) * (values.ndim - 1))
        np.add.at(result, self.voxel, weight * of_parts)
        return result
