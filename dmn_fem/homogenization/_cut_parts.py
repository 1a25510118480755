"""What happens within the voxels of a unit cell that an interface cuts.

The two phases of a part of a cut voxel have the strains ε + f2 b and ε - f1 b, with a jump b in the
space that the part's rule allows (see `_mixing`). At the strain ε of the voxel it minimises the
incremental potential; eliminated, it leaves a stress and a tangent of the voxel, as in one laminate
of a network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dmn_fem.homogenization._mixing import Mixing, jumps, parts, straight_axis
from dmn_fem.laws import PhaseLaw, initial_stiffness
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array, strain_size

_MAX_ITERATIONS = 25
_SHORTEST = 0.1  # a step of a jump is never cut more than this at once

Respond = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Condensed:
    """Stress and tangent of every voxel once the jumps of the cut ones are eliminated.

    Attributes:
        stress: (voxels, s).
        tangent: (voxels, s, s).
        unbalanced: Energy of the stress jumps that the jumps of strain still have to cure.
    """

    stress: Array
    tangent: Array
    unbalanced: float


class CutParts:
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
            stiffness = np.array(
                [initial_stiffness(laws[name], image.dimension) for name in image.names]
            )
            if mixing is None and not np.isfinite(stiffness).all():
                mixing = Mixing.LAMINATE  # rate-dependent, without a stiffness in no time
            yields = [bool(laws[name].fields(image.dimension)) for name in image.names]
            found = parts(image, stiffness, mixing, yields)
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
            normal = cut.normal[part.members]
            basis = jumps(part.rule, normal, strain_size(image.dimension), straight_axis(image))
            self._groups.append((group, basis))
        self._first = 1.0 - self._second
        self._whole = np.setdiff1d(np.arange(phases.size), self.voxel)
        self.whole = self._whole.size
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

    def relax(self, strain: Array, jump: Array, respond: Respond, unbalanced: float) -> None:
        """Move the jumps towards the minimum of the potential at given strains of the voxels.

        Newton's method with a line search, part by part.

        Args:
            strain: (voxels, s).
            jump: (n, s); written.
            respond: Stress and tangent of the members of all parts of their strains, (2 n, s).
            unbalanced: Energy, see `Condensed`, that may remain.
        """
        around = strain[self.voxel]
        step, slope, share = np.zeros_like(jump), np.zeros(len(jump)), np.ones(len(jump))
        for _ in range(_MAX_ITERATIONS):
            members = [around + self._second * jump, around - self._first * jump]
            stress, tangent = respond(np.concatenate(members))
            first, second = np.split(stress, 2)
            _, from_stress, energy = self._jumps(first, second, *np.split(tangent, 2))
            if energy <= unbalanced or not np.isfinite(from_stress).all():
                return
            # The derivative of the convex potential along the last step; see the network's Newton.
            now = np.einsum("ni,ni->n", first - second, step)
            long = (slope < 0.0) & (now > 0.25 * np.abs(slope))
            change = -from_stress
            shorter = share[long] * np.abs(slope[long]) / (np.abs(slope[long]) + now[long])
            shorter = np.maximum(shorter, _SHORTEST * share[long])
            change[long] = (shorter - share[long])[:, None] * step[long]
            jump += change
            step = np.where(long[:, None], step, -from_stress)
            slope = np.where(long, slope, np.einsum("ni,ni->n", first - second, step))
            share = np.ones(len(jump))
            share[long] = shorter

    def condense(self, stress: Array, tangent: Array) -> Condensed:
        """Eliminate the jumps: theory of one laminate, with the jumps that each rule allows.

        Raises:
            numpy.linalg.LinAlgError: If a jump finds no resistance.
        """
        first, second = self._of_parts(stress)
        stiff, other = self._of_parts(tangent)
        from_strain, from_stress, unbalanced = self._jumps(first, second, stiff, other)
        product, difference = self._first * self._second, stiff - other
        mean: Array = self._first * first + self._second * second
        mean -= product * np.einsum("nij,nj->ni", difference, from_stress)
        mean_tangent: Array = self._first[..., None] * stiff + self._second[..., None] * other
        mean_tangent -= product[..., None] * (difference @ from_strain)
        return Condensed(
            self._gather(stress, mean),
            self._gather(tangent, mean_tangent),
            unbalanced,
        )

    def _jumps(
        self, first: Array, second: Array, stiff: Array, other: Array
    ) -> tuple[Array, Array, float]:
        """Minus derivative of the jumps by strain, minus their Newton step, and the energy left."""
        difference, traction = stiff - other, first - second
        both = self._second[..., None] * stiff + self._first[..., None] * other
        from_strain, from_stress = np.zeros_like(difference), np.zeros_like(traction)
        unbalanced = 0.0
        for group, basis in self._groups:
            transposed = np.swapaxes(basis, 1, 2)
            compliance = np.linalg.inv(transposed @ both[group] @ basis)
            # The whole jump of the stresses is no small number, its part along free jumps is.
            free = transposed @ traction[group, :, None]
            relaxed = compliance @ free
            from_strain[group] = basis @ (compliance @ (transposed @ difference[group]))
            from_stress[group] = (basis @ relaxed)[..., 0]
            energy = (self._weight * self._first * self._second)[group] * (free * relaxed).sum(1)
            unbalanced += float(energy.sum())
        return from_strain, from_stress, unbalanced

    def _of_parts(self, values: Array) -> tuple[Array, Array]:
        """Views of member values: of the first and of the second phases of all parts."""
        middle = self.whole + self.voxel.size
        return values[self.whole : middle], values[middle:]

    def _gather(self, values: Array, of_parts: Array) -> Array:
        """Voxel values of those of the whole voxels among the members, and those of the parts."""
        if self.voxel.size == 0:
            return values
        result = np.zeros((self._voxels, *values.shape[1:]))
        result[self._whole] = values[: self.whole]
        weight = self._weight.reshape(-1, *(1,) * (values.ndim - 1))
        np.add.at(result, self.voxel, weight * of_parts)
        return result
