"""Effective elastic stiffness of a phase image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem.homogenization._full_field import LinearSolution, SpectralGrid, solve_linear
from dmn_fem.homogenization._kernels import dot
from dmn_fem.homogenization._mixing import Mixing, voxel_stiffness
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array

SOLVER = "rotated scheme, composite voxels 1"
"""What results depend on beside their input: another name, other figures."""


@dataclass(frozen=True)
class EffectiveStiffness:
    """A homogenised stiffness and how it was reached.

    Attributes:
        stiffness: Mandel stiffness, (s, s), symmetric.
        iterations: Conjugate gradient iterations of every load case, (s,).
        error: Largest estimate of the relative error of the energy of a load case.
    """

    stiffness: Array
    iterations: NDArray[np.int64]
    error: float


def homogenize(
    image: PhaseImage,
    phase_stiffness: ArrayLike,
    tolerance: float = 1e-4,
    mixing: Mixing | None = None,
) -> EffectiveStiffness:
    """Effective stiffness of a periodic phase image of linear elastic phases.

    Args:
        image: The phases of the voxels.
        phase_stiffness: Mandel stiffness of every phase, any anisotropy, (P, s, s): s = 6 in 3D; in
            2D s = 3 for in-plane stiffnesses (11, 22, √2·12) of plane strain, or 4 with 33.
        tolerance: Relative error of the energy of each load case, which is that of the diagonal of
            the stiffness; the error of the local fields is of the order of its root.
        mixing: Rule of the voxels that an interface cuts; if not given, a mixture that suits the
            kind of image and the contrast of the phases.

    Raises:
        ValueError: If a stiffness is no symmetric positive definite matrix of the right size (zero,
            a void, is allowed beside others), or the conjugate gradients do not converge.
    """
    sizes = (3, 4) if image.dimension == 2 else (6,)
    stiffness = checked_phases(image, phase_stiffness, "stiffness", sizes)
    grid = SpectralGrid(image.shape)
    table, index = voxel_stiffness(image, stiffness, mixing)
    solutions = solve_load_cases(grid, table, index, stiffness.mean(axis=0), tolerance)
    return converged(stiffness_of(grid, table, index, solutions), tolerance)


def effective_stiffness(
    grid: SpectralGrid,
    tangent: Array,
    index: NDArray[np.integer],
    reference: Array,
    tolerance: float,
) -> EffectiveStiffness:
    """Effective stiffness of voxels with any tangents; it is the consistent tangent of a unit cell.

    From displacement fluctuations u_i that leave forces f_i it takes <ε_i : σ_j> = <σ_j>_i + u_i ·
    f_j / voxels: symmetric, and the energy bounds the grid's exact stiffness from above, so that
    its error is quadratic in that of the fields.

    Args:
        grid: The grid.
        tangent: Symmetric tangents, positive definite or zero, (m, s, s).
        index: Which of them a voxel has, (voxels,).
        reference: Stiffness of the reference medium, (s, s).
        tolerance: Relative error of the energy of each load case; whether it was reached is for the
            caller to see.
    """
    solutions = solve_load_cases(grid, tangent, index, reference, tolerance)
    return stiffness_of(grid, tangent, index, solutions)


def solve_load_cases(
    grid: SpectralGrid,
    tangent: Array,
    index: NDArray[np.integer],
    reference: Array,
    tolerance: float,
) -> list[LinearSolution]:
    """Fluctuations under the unit mean strains; arguments as in `effective_stiffness`.

    Raises:
        ValueError: If the tolerance is out of range.
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; it must lie between 0 and 1")
    green = grid.green(reference)
    solutions = []
    for mean_strain in np.eye(tangent.shape[-1]):
        stress = (tangent @ mean_strain)[index]
        load, energy = -grid.force(stress), float(stress.sum(axis=0) @ mean_strain)
        solutions.append(solve_linear(grid, tangent, index, load, green, tolerance, energy=energy))
    return solutions


def stiffness_of(
    grid: SpectralGrid,
    tangent: Array,
    index: NDArray[np.integer],
    solutions: list[LinearSolution],
) -> EffectiveStiffness:
    """Effective stiffness from the fluctuations under the unit mean strains."""
    size = tangent.shape[-1]
    stiffness = np.empty((size, size))
    for case, mean_strain in enumerate(np.eye(size)):
        strain = grid.strain(mean_strain, solutions[case].displacement)
        stress = grid.stress(tangent, index, strain)
        stiffness[:, case] = stress.mean(axis=0)
        force = grid.force(stress).ravel()
        for row, solution in enumerate(solutions):
            stiffness[row, case] += dot(solution.displacement.ravel(), force) / grid.voxels
    return EffectiveStiffness(
        0.5 * (stiffness + stiffness.T),
        np.array([solution.iterations for solution in solutions]),
        max(solution.error for solution in solutions),
    )


def converged(result: EffectiveStiffness, tolerance: float) -> EffectiveStiffness:
    """The result, if it reached the tolerance.

    Raises:
        ValueError: If it did not.
    """
    if not result.error <= tolerance:
        raise ValueError(
            f"the full field did not converge: error {result.error:.1e} after "
            f"{result.iterations.max()} iterations; the tolerance is {tolerance:.1e}"
        )
    return result


def checked_phases(
    image: PhaseImage, values: ArrayLike, quantity: str, sizes: tuple[int, ...]
) -> Array:
    """A stiffness or conductivity for every phase, (P, s, s), as contiguous floats.

    Args:
        image: The image whose phases these are.
        values: What is checked.
        quantity: Its name, for messages.
        sizes: The sizes s that fit.

    Raises:
        ValueError: If a matrix is not symmetric positive definite of the right size (zero is
            allowed beside others).
    """
    matrices = np.ascontiguousarray(values, dtype=float)
    count = len(image.names)
    if matrices.shape not in [(count, size, size) for size in sizes]:
        allowed = " or ".join(f"({count}, {size}, {size})" for size in sizes)
        raise ValueError(f"phase_{quantity} has shape {matrices.shape}; this image needs {allowed}")
    for name, matrix in zip(image.names, matrices, strict=True):
        if not np.isfinite(matrix).all():
            raise ValueError(f"{quantity} of phase {name} is not finite")
        if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-10 * abs(matrix).max()):
            raise ValueError(f"{quantity} of phase {name} is not symmetric")
        if matrix.any() and np.linalg.eigvalsh(matrix).min() <= 0:
            raise ValueError(f"{quantity} of phase {name} is not positive definite (nor zero)")
    if not matrices.any():
        raise ValueError(f"the {quantity} of every phase is zero; one must not be")
    return matrices
