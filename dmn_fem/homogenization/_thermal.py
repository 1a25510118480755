"""Effective thermal expansion of a phase image.

The elastic load cases answer it (Levin; Rosen and Hashin): where a change of temperature by one
degree gives the clamped voxels the stress p, the mean stress of the clamped cell is p̄ = <Aᵀ p>,
with the strains A under the unit mean strains. The cell then expands by ᾱ = -C̄⁻¹ p̄.

References:
    Levin (1967), On the coefficients of thermal expansion of heterogeneous materials, Mech. Solids
    2.
    Rosen and Hashin (1970), Effective thermal expansion coefficients and specific heats of
    composite materials, Int. J. Eng. Sci. 8.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.homogenization._elastic import (
    EffectiveStiffness,
    checked_phases,
    converged,
    solve_load_cases,
    stiffness_of,
)
from dmn_fem.homogenization._full_field import SpectralGrid
from dmn_fem.homogenization._kernels import dot
from dmn_fem.homogenization._mixing import (
    Mixing,
    jumps,
    parts,
    straight_axis,
    voxel_stiffness,
)
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array, strain_size

_SINGULAR = 1e12  # condition number of a stiffness that has no meaningful inverse


@dataclass(frozen=True)
class EffectiveThermoelasticity(EffectiveStiffness):
    """A homogenised thermoelastic law σ = C̄ : (ε - ᾱ ΔT), and how it was reached.

    Attributes:
        expansion: ᾱ, Mandel strain per degree of the free cell, (s,).
        thermal_stress: p̄ = -C̄ ᾱ, Mandel stress per degree of the clamped cell, (s,).
    """

    expansion: Array
    thermal_stress: Array


def thermoelastic(
    image: PhaseImage,
    phase_stiffness: ArrayLike,
    phase_expansion: ArrayLike,
    tolerance: float = 1e-4,
    mixing: Mixing | None = None,
) -> EffectiveThermoelasticity:
    """Effective stiffness and thermal expansion of a periodic phase image.

    In 2D the stiffnesses have the component 33, with a strain that is uniform over the cell: the
    expansion is that of long fibres whose cross-section the image is, free to expand along 33 too.
    In plane strain the clamped direction adds to it: solve the law with ε33 = 0.

    Args:
        image: The phases of the voxels.
        phase_stiffness: Mandel stiffness of every phase, (P, s, s): s = 6 in 3D, 4 in 2D; zero is a
            void.
        phase_expansion: Mandel strain per degree of every phase, (P, s), or one number for a phase
            that expands alike in all directions, (P,).
        tolerance: Relative error of the local fields in the energy norm. That of the expansion is
            of its order, that of the stiffness is its square.
        mixing: Rule of the voxels that an interface cuts, see `homogenize`.

    Raises:
        ValueError: If a stiffness is no symmetric positive definite matrix of the right size (nor
            zero), the expansions do not fit, the conjugate gradients do not converge, or nothing
            holds the cell together.
    """
    size = strain_size(image.dimension)
    if image.dimension == 2 and np.shape(phase_stiffness)[-1:] == (3,):
        raise ValueError(
            "in-plane stiffnesses do not tell the thermal stress along 33; "
            "thermal expansion in 2D needs (4, 4) with that component"
        )
    if image.axes is not None:
        raise ValueError("thermal expansion of images with axes is not known")
    stiffness = checked_phases(image, phase_stiffness, "stiffness", (size,))
    expansion = _checked_expansion(image, phase_expansion, size)
    phase_stress = -np.einsum("pij,pj->pi", stiffness, expansion)
    grid = SpectralGrid(image.shape)
    table, index = voxel_stiffness(image, stiffness, mixing)
    stress = _voxel_stress(image, stiffness, phase_stress, mixing)[index]
    solutions = solve_load_cases(grid, table, index, stiffness.mean(axis=0), tolerance**2)
    elastic = stiffness_of(grid, table, index, solutions)
    elastic = converged(replace(elastic, error=elastic.error**0.5), tolerance)
    force = grid.force(stress).ravel()
    work = [dot(solution.displacement.ravel(), force) for solution in solutions]
    mean_stress = stress.mean(axis=0) + np.array(work) / grid.voxels
    if np.linalg.cond(elastic.stiffness) > _SINGULAR:
        raise ValueError("the phases do not hold the cell together: its expansion is undefined")
    return EffectiveThermoelasticity(
        elastic.stiffness,
        elastic.iterations,
        elastic.error,
        -np.linalg.solve(elastic.stiffness, mean_stress),
        mean_stress,
    )


def _voxel_stress(
    image: PhaseImage, phase_stiffness: Array, phase_stress: Array, rule: Mixing | None
) -> Array:
    """Clamped stresses of the rows of `voxel_stiffness`: phases, then cut voxels.

    With D = C1 - C2 and K = Hᵀ (f2 C1 + f1 C2) H a voxel of two phases has the stress
    f1 p1 + f2 p2 - f1 f2 D H K⁻¹ Hᵀ (p1 - p2), where H spans the jumps of strain of its rule.
    """
    cut = image.cut
    if cut is None:
        return phase_stress
    count, size = phase_stress.shape
    table = np.zeros((count + cut.voxel.size, size))
    table[:count] = phase_stress
    for part in parts(image, phase_stiffness, rule):
        first, second = phase_stiffness[part.first], phase_stiffness[part.second]
        if not (first.any() or second.any()):
            continue  # two voids
        share = 1.0 - cut.share[part.members][:, None]
        jump = phase_stress[part.first] - phase_stress[part.second]
        operator = jumps(part.rule, cut.normal[part.members], size, straight_axis(image))
        transposed = np.swapaxes(operator, 1, 2)
        mixed = share[..., None] * second + (1.0 - share)[..., None] * first
        amplitude = np.linalg.solve(transposed @ mixed @ operator, (transposed @ jump)[..., None])
        relaxed = (share * (1.0 - share)) * ((first - second) @ operator @ amplitude)[..., 0]
        table[count + part.members] += part.weight * (
            phase_stress[part.second] + share * jump - relaxed
        )
    return table


def _checked_expansion(image: PhaseImage, phase_expansion: ArrayLike, size: int) -> Array:
    """Mandel strains (P, s)."""
    expansion = np.asarray(phase_expansion, dtype=float)
    count = len(image.names)
    if expansion.shape == (count,):
        expansion = np.where(np.arange(size) < 3, expansion[:, None], 0.0)
    if expansion.shape != (count, size):
        raise ValueError(
            f"phase_expansion has shape {expansion.shape}; "
            f"this image needs ({count},) or ({count}, {size})"
        )
    for name, strain in zip(image.names, expansion, strict=True):
        if not np.isfinite(strain).all():
            raise ValueError(f"expansion of phase {name} is not finite")
    return expansion
