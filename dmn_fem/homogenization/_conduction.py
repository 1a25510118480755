"""Effective conductivity of a phase image: of heat, of electric current, of a diffusing species.

The equations are those of elasticity with a scalar field: a potential for the displacement, its
gradient for the strain, the flux k · gradient (the physical one has a minus) for the stress,
sources for the nodal forces. So a grid with these operators is all there is; the solver and the
composite voxels are those of `dmn_fem.homogenization.homogenize`.

References:
    Willot, Abdallah and Pellegrini (2014), Fourier-based schemes with modified Green operator for
    computing the electrical response of heterogeneous media with accurate local fields, Int. J.
    Numer. Methods Eng. 98.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem.homogenization import _conduction_kernels as _kernels
from dmn_fem.homogenization._elastic import (
    checked_phases,
    converged,
    solve_load_cases,
    stiffness_of,
)
from dmn_fem.homogenization._full_field import SpectralGrid
from dmn_fem.homogenization._mixing import Mixing, voxel_stiffness
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array


class ScalarGrid(SpectralGrid):
    """The grid for a scalar field, under the names of elasticity.

    A displacement is a potential and a force a source, nodal fields of shape (1, n1, ..., nd); a
    strain is a gradient and a stress a flux, (voxels, dimension); a stiffness is a conductivity.

    Args:
        shape: Voxels along each of the two or three axes.

    Raises:
        ValueError: If the shape has not two or three axes of at least one voxel.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(shape)
        self.shape = (1, *shape)

    def strain(self, mean: ArrayLike, displacement: Array) -> Array:
        """Gradient (voxels, dimension) of a mean gradient and a potential fluctuation."""
        mean = np.ascontiguousarray(mean, dtype=float)
        self._check_size(mean.shape[-1])
        gradient = np.empty((self.voxels, self.dimension))
        kernel = _kernels.gradient_2d if self.dimension == 2 else _kernels.gradient_3d
        kernel(displacement, mean, gradient)
        return gradient

    def force(self, stress: Array) -> Array:
        """Nodal sources of a flux (voxels, dimension): the adjoint of `strain`."""
        self._check_size(stress.shape[-1])
        source = np.empty(self.shape)
        kernel = _kernels.source_2d if self.dimension == 2 else _kernels.source_3d
        kernel(stress, source)
        return source

    def apply(self, tangent: Array, index: NDArray[np.integer], displacement: Array) -> Array:
        """Nodal sources of the flux of a potential; see `SpectralGrid.apply`."""
        source = np.empty(self.shape)
        kernel = _kernels.apply_2d if self.dimension == 2 else _kernels.apply_3d
        kernel(displacement, tangent, index, source)
        return source

    def green(self, reference: ArrayLike) -> Array:
        """Green operator of a homogeneous medium of conductivity (dimension, dimension).

        Per frequency 1 / (q · k q), in the shape of a spectrum; zero as in `SpectralGrid.green`.
        """
        reference = np.asarray(reference, dtype=float)
        self._check_size(reference.shape[-1])
        vectors = self._wave_vectors
        symbol = np.einsum("nq,nm,mq->q", vectors, reference, vectors)
        inverse = np.divide(1.0, symbol, out=np.zeros_like(symbol), where=symbol > 0.0)
        return inverse.reshape(*self.shape[1:-1], -1)

    def _multiply(self, green: NDArray[Any], spectrum: NDArray[Any]) -> None:
        spectrum *= green

    def _check_size(self, size: int) -> None:
        if size != self.dimension:
            raise ValueError(
                f"{size} gradient components on a grid of dimension {self.dimension}; "
                f"there must be {self.dimension}"
            )


@dataclass(frozen=True)
class EffectiveConductivity:
    """A homogenised conductivity and how it was reached.

    Attributes:
        conductivity: (d, d), symmetric.
        iterations: Conjugate gradient iterations of every load case, (d,).
        error: Largest estimate of the relative error of the dissipation of a load case.
    """

    conductivity: Array
    iterations: NDArray[np.int64]
    error: float


def effective_conductivity(
    image: PhaseImage,
    phase_conductivity: ArrayLike,
    tolerance: float = 1e-4,
    mixing: Mixing | None = None,
) -> EffectiveConductivity:
    """Effective conductivity of a periodic phase image.

    In 2D it is that of the plane; along fibres normal to it the mean of the phases is exact.

    Args:
        image: The phases of the voxels.
        phase_conductivity: Conductivity of every phase, any anisotropy, (P, d, d); zero is an
            insulator.
        tolerance: Relative error of the dissipation of each load case, which is that of the
            diagonal of the conductivity.
        mixing: Rule of the voxels that an interface cuts, see `homogenize`.

    Raises:
        ValueError: If a conductivity is no symmetric positive definite matrix of the right size
            (nor zero), or the conjugate gradients do not converge.
    """
    conductivity = checked_phases(image, phase_conductivity, "conductivity", (image.dimension,))
    grid = ScalarGrid(image.shape)
    table, index = voxel_stiffness(image, conductivity, mixing)
    solutions = solve_load_cases(grid, table, index, conductivity.mean(axis=0), tolerance)
    result = converged(stiffness_of(grid, table, index, solutions), tolerance)
    return EffectiveConductivity(result.stiffness, result.iterations, result.error)
