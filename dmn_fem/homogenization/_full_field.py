"""Full-field homogenisation of a periodic voxel image by conjugate gradients and FFTs.

The strain of a voxel is taken at its centre from the displacements of its corners (Willot's
rotated scheme: linear elements with one Gauss point). The equilibrium of the nodal forces is solved
for the displacement fluctuation by conjugate gradients, preconditioned with the Green operator of a
homogeneous reference medium: one FFT pair on `dimension` components an iteration. Nothing here
knows what gave a voxel its tangent; an inelastic unit cell stands on `SpectralGrid` and
`solve_linear`.

References:
    Willot (2015), Fourier-based schemes for computing the mechanical response of composites with
    accurate local fields, C. R. Mécanique 343.
    Leute et al. (2022), Elimination of ringing artifacts by finite-element projection in FFT-based
    homogenization, J. Comput. Phys. 453.
    Zeman et al. (2010), Accelerating a FFT-based solver for numerical homogenization of periodic
    media by conjugate gradients, J. Comput. Phys. 229.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from dmn_fem.homogenization import _kernels
from dmn_fem.notation import Array

MAXIMUM_ITERATIONS = 2000
"""Conjugate gradient iterations after which a linear problem counts as failed."""

_ROUNDING = 1e-15  # forces below this part of the load, or of the uniform stresses, are noise
_SINGLE_PRECISION = 1e-7  # tolerance above which it serves the preconditioner as well
_NOTHING = 1e-13  # part of the energy of the uniform strain that is zero up to rounding
_LEAST_WINDOW = 3  # iterations from whose energies an error is estimated at the very least


class SpectralGrid:
    """A periodic cell of voxels of edge one, and the operators on it.

    Displacements and forces are nodal fields of shape (dimension, n1, ..., nd). Strains and
    stresses have shape (voxels, size), voxels in C order, Mandel components: size 6 in 3D; in 2D
    either 3 (in plane, 11, 22, √2·12) or 4 (with a uniform 33 that does no work on the
    fluctuation).

    Args:
        shape: Voxels along each of the two or three axes.

    Attributes:
        dimension: 2 or 3.
        voxels: Number of voxels.
        shape: Shape of a nodal field, (dimension, n1, ..., nd).

    Raises:
        ValueError: If the shape has not two or three axes of at least one voxel.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.dimension = len(shape)
        if self.dimension not in (2, 3):
            raise ValueError(f"a grid of {self.dimension} axes; there must be 2 or 3")
        if min(shape) < 1:
            raise ValueError(f"a grid of {tuple(shape)} voxels; there must be one along each axis")
        self.voxels = math.prod(shape)
        self.shape = (self.dimension, *shape)

    def strain(self, mean: ArrayLike, displacement: Array) -> Array:
        """Strain (voxels, size) of a mean strain (size,) and a displacement fluctuation."""
        mean = np.ascontiguousarray(mean, dtype=float)
        self._check_size(mean.shape[-1])
        strain = np.empty((self.voxels, mean.size))
        kernel = _kernels.strain_2d if self.dimension == 2 else _kernels.strain_3d
        kernel(displacement, mean, strain)
        return strain

    def stress(self, tangent: Array, index: NDArray[np.integer], strain: Array) -> Array:
        """Stress C : strain of every voxel, (voxels, size), where C = tangent[index[voxel]]."""
        stress = np.empty_like(strain)
        _kernels.stress(strain, tangent, index, stress)
        return stress

    def force(self, stress: Array) -> Array:
        """Nodal forces of a stress (voxels, size): the adjoint of `strain`, minus the divergence.

        They are zero in equilibrium. The sum over voxels of stress : strain equals mean strain :
        sum of the stresses + force · displacement.
        """
        self._check_size(stress.shape[-1])
        force = np.empty(self.shape)
        kernel = _kernels.force_2d if self.dimension == 2 else _kernels.force_3d
        kernel(stress, force)
        return force

    def apply(self, tangent: Array, index: NDArray[np.integer], displacement: Array) -> Array:
        """Nodal forces of the stress C : strain of a displacement, where C = tangent[index[voxel]].

        Args:
            tangent: (m, size, size).
            index: Which of the m tangents a voxel has, (voxels,).
            displacement: Nodal field.
        """
        force = np.empty(self.shape)
        kernel = _kernels.apply_2d if self.dimension == 2 else _kernels.apply_3d
        kernel(displacement, tangent, index, force)
        return force

    def green(self, reference: ArrayLike) -> Array:
        """Green operator of a homogeneous medium of stiffness (size, size), for `precondition`.

        Per frequency the inverse of the acoustic matrix, packed as 11, 22, 12 or 11, 22, 33, 12,
        13, 23. It is zero where the discrete wave vector vanishes: at the mean, and at the
        hourglass modes of an even grid, which have no strain at the voxel centres.
        """
        reference = np.asarray(reference, dtype=float)
        self._check_size(reference.shape[-1])
        if self.dimension == 2:
            shear = reference.shape[-1] - 1
            position = np.array([[0, shear], [shear, 1]])
        else:
            position = np.array([[0, 3, 4], [3, 1, 5], [4, 5, 2]])
        d = self.dimension
        # sym(a ⊗ k) has the Mandel components a_i k_j / √2 off the diagonal.
        scale = np.where(np.eye(d, dtype=bool), 1.0, np.sqrt(0.5))
        moduli = reference[position[:, :, None, None], position] * np.multiply.outer(scale, scale)
        acoustic = np.einsum("injm,nq,mq->qij", moduli, self._wave_vectors, self._wave_vectors)
        present = (self._wave_vectors != 0.0).any(axis=0)
        acoustic[~present] = np.eye(d)
        inverse = np.linalg.inv(acoustic) * present[:, None, None]
        rows, columns = np.triu_indices(d, 1)
        packed = [inverse[:, i, i] for i in range(d)]
        packed += [inverse[:, i, j] for i, j in zip(rows, columns, strict=True)]
        return np.stack(packed)

    def precondition(self, green: NDArray[Any], force: Array) -> NDArray[Any]:
        """Displacement of the reference medium of a `green` operator, in the operator's precision.

        Args:
            green: Operator, in double or single precision.
            force: Nodal forces.
        """
        axes = tuple(range(1, self.dimension + 1))
        force = force.astype(green.dtype, copy=False)
        spectrum = scipy.fft.rfftn(force, axes=axes, workers=1)
        self._multiply(green, spectrum)
        size = self.shape[1:]
        return scipy.fft.irfftn(spectrum, s=size, axes=axes, workers=1, overwrite_x=True)

    def _multiply(self, green: NDArray[Any], spectrum: NDArray[Any]) -> None:
        """Apply a `green` operator to Fourier coefficients, in place."""
        kernel = _kernels.green_2d if self.dimension == 2 else _kernels.green_3d
        kernel(green, spectrum.reshape(self.dimension, -1))

    @cached_property
    def _wave_vectors(self) -> Array:
        """Discrete wave vectors without their common phase, (dimension, frequencies)."""
        angles = [np.pi * np.arange(n) / n for n in self.shape[1:]]
        angles[-1] = angles[-1][: self.shape[-1] // 2 + 1]
        sines = [np.sin(angle) for angle in angles]
        # Exactly zero at the Nyquist frequency, so that hourglass modes are recognised.
        cosines = [
            np.where(2 * np.arange(angle.size) == n, 0.0, np.cos(angle))
            for n, angle in zip(self.shape[1:], angles, strict=True)
        ]
        vectors = []
        for axis in range(self.dimension):
            factors = [sines[i] if i == axis else cosines[i] for i in range(self.dimension)]
            product = factors[0]
            for factor in factors[1:]:
                product = np.multiply.outer(product, factor)
            vectors.append(2.0 * product.ravel())
        return np.stack(vectors)

    def _check_size(self, size: int) -> None:
        allowed = (3, 4) if self.dimension == 2 else (6,)
        if size not in allowed:
            raise ValueError(
                f"{size} strain components on a grid of dimension {self.dimension}; "
                f"there must be {' or '.join(map(str, allowed))}"
            )


@dataclass(frozen=True)
class LinearSolution:
    """What `solve_linear` found.

    Attributes:
        displacement: Nodal field of zero mean, up to rounding in single precision.
        iterations: Conjugate gradient iterations made.
        error: What was asked to be less than the tolerance; infinite as long as unknown.
    """

    displacement: Array
    iterations: int
    error: float


def solve_linear(
    grid: SpectralGrid,
    tangent: Array,
    index: NDArray[np.integer],
    load: Array,
    green: NDArray[Any],
    tolerance: float,
    maximum_iterations: int = MAXIMUM_ITERATIONS,
    energy: float | None = None,
) -> LinearSolution:
    """Displacement whose nodal forces equal a load, by preconditioned conjugate gradients.

    For a mean strain E the load is ``-grid.force(stress of E)``, in a Newton step
    ``-grid.force(stress)``. The function never raises for a lack of convergence; the error tells.

    The error is the force that remains relative to the load, both in the energy norm of the
    reference medium, √(f · G f). At high contrasts that says little about the energy. If the energy
    of the uniform strain is given, the error is that of the relaxed energy, relative to itself:
    what the iterations to come would take off it, bounded in practice by what a last quarter of
    those made took off. (Meurant, Papež and Tichý 2021, Accurate error estimation in CG, Numer.
    Algorithms 88, have a window that adapts, too.)

    Args:
        grid: The grid.
        tangent: Symmetric tangents, positive definite or zero, (m, size, size).
        index: Which of them a voxel has, (voxels,): its phase, or its own number.
        load: Nodal field.
        green: Green operator of the reference medium, see `SpectralGrid.green`.
        tolerance: Error to reach.
        maximum_iterations: Iterations after which to give up.
        energy: Twice the energy that the tangents store in the uniform mean strain, per volume of a
            voxel.
    """
    displacement = np.zeros(grid.shape)
    remaining = load.copy()
    if tolerance > _SINGLE_PRECISION:
        # It halves the cost of a correction, and costs no iteration: forces and steps stay double.
        green = green.astype(np.float32)
    correction = grid.precondition(green, remaining)
    direction = correction.astype(float)
    square = initial = _kernels.dot(remaining.ravel(), correction.ravel())
    stored = energy
    exhausted = _ROUNDING**2 * max(initial, energy or 0.0)
    error = np.inf
    taken: list[float] = []
    while error > tolerance and square > exhausted and len(taken) < maximum_iterations:
        force = grid.apply(tangent, index, direction)
        step = square / _kernels.dot(direction.ravel(), force.ravel())
        _kernels.advance(
            step, direction.ravel(), force.ravel(), displacement.ravel(), remaining.ravel()
        )
        correction = grid.precondition(green, remaining)
        taken.append(step * square)
        previous, square = square, _kernels.dot(remaining.ravel(), correction.ravel())
        _kernels.turn(correction.ravel(), square / previous, direction.ravel())
        if energy is None or stored is None:
            error = float(np.sqrt(square / initial))
            continue
        energy -= taken[-1]
        window = _LEAST_WINDOW + len(taken) // 4
        if energy <= _NOTHING * stored:
            error = 0.0  # nothing resists the strain
        elif len(taken) >= window:
            error = sum(taken[-window:]) / energy
    return LinearSolution(displacement, len(taken), 0.0 if square <= exhausted else error)
