"""Periodic Gaussian random fields cut at a level: bicontinuous images as of spinodal decomposition.

References:
    Cahn (1965), Phase separation by spinodal decomposition in isotropic systems, J. Chem. Phys. 42.
    Soyarslan, Bargmann, Pradas and Weissmüller (2018), 3D stochastic bicontinuous microstructures,
    Acta Materialia 149.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._two_phases import image_of_surfaces
from dmn_fem.notation import Array


@dataclass(frozen=True)
class RandomField:
    """A sum of plane waves, the second phase where it is high.

    Attributes:
        waves: Whole waves along each edge of the cell, (waves, dimension).
        amplitudes: Of their cosines and sines, (waves, 2).
        volume_fraction: Of the second phase.
        names: Of both phases.
    """

    waves: NDArray[np.int64]
    amplitudes: Array
    volume_fraction: float
    names: tuple[str, str] = ("phase_1", "phase_2")

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.waves.shape[1]

    def sample(self, grid: int) -> tuple[Array, Array]:
        """The field at the centres of the voxels.

        Args:
            grid: Voxels along each axis.

        Returns:
            Values, (grid, ...), and gradients in edges of the cell, (grid, ..., dimension).

        Raises:
            ValueError: If the grid has no four voxels for the shortest wave.
        """
        most = int(np.abs(self.waves).max())
        if grid < 4 * most:
            raise ValueError(f"grid is {grid}; waves of 1/{most} need at least {4 * most} voxels")
        # A wave's value at the first centre is that of a phase shift by half a voxel.
        shift = np.exp(1j * np.pi * self.waves.sum(axis=1) / grid)
        complex_amplitude = (self.amplitudes[:, 0] - 1j * self.amplitudes[:, 1]) * shift
        shape = (grid,) * self.dimension

        def inverse(coefficients: NDArray[np.complex128]) -> Array:
            spectrum = np.zeros(shape, dtype=complex)
            spectrum[tuple(self.waves.T)] = coefficients
            return np.fft.ifftn(spectrum, norm="forward").real

        slopes = [
            inverse(2j * np.pi * self.waves[:, axis] * complex_amplitude)
            for axis in range(self.dimension)
        ]
        return inverse(complex_amplitude), np.stack(slopes, axis=-1)

    def image(self, grid: int, composite: bool = True) -> PhaseImage:
        """Phase image of the prescribed volume fraction; see `Particles.image`.

        Raises:
            ValueError: If the grid is too coarse for the waves or for the volume fraction.
        """
        field, slope = self.sample(grid)
        level = np.quantile(field, 1.0 - self.volume_fraction)
        steepness = np.maximum(np.linalg.norm(slope, axis=-1), 1e-300)
        distance = ((level - field) / steepness * grid).reshape(-1, 1)
        normal = (-slope / steepness[..., None]).reshape(-1, 1, self.dimension)
        shape = (grid,) * self.dimension
        return image_of_surfaces(
            distance, normal, shape, self.volume_fraction, self.names, composite, matrix=None
        )


def random_field(
    dimension: int,
    volume_fraction: float,
    seed: int,
    wavelength: float = 0.125,
    bandwidth: float = 0.2,
) -> RandomField:
    """Isotropic Gaussian random field of nearly one wavelength, periodic in the unit cell.

    The field of a seed is the same on every grid and at every volume fraction.

    Args:
        dimension: 2 or 3.
        volume_fraction: Of the second phase, where the field is high.
        seed: Of the amplitudes.
        wavelength: In edges of the cell.
        bandwidth: Relative width of the shell of wave numbers around 1 / wavelength.

    Raises:
        ValueError: If arguments are out of range, or no wave fits in the shell.
    """
    if dimension not in (2, 3):
        raise ValueError(f"dimension is {dimension}; it must be 2 or 3")
    if not 0 < volume_fraction < 1:
        raise ValueError(f"volume_fraction is {volume_fraction}; it must lie between 0 and 1")
    if not 0 < wavelength <= 1:
        raise ValueError(f"wavelength is {wavelength}; it must lie between 0 and 1, the cell")
    if not 0 < bandwidth < 2:
        raise ValueError(f"bandwidth is {bandwidth}; it must lie between 0 and 2")
    lowest, highest = (1 - bandwidth / 2) / wavelength, (1 + bandwidth / 2) / wavelength
    most = int(highest)
    waves = np.indices((2 * most + 1,) * dimension).reshape(dimension, -1).T - most
    # Of a wave and its opposite one is enough: the half of the cube after the origin.
    waves = waves[len(waves) // 2 + 1 :]
    number = np.linalg.norm(waves, axis=1)
    waves = waves[(number >= lowest) & (number <= highest)]
    if len(waves) < 2 * dimension:
        raise ValueError(
            f"only {len(waves)} waves of wavelength {wavelength} and bandwidth {bandwidth} fit in "
            "the cell; ask for a shorter wavelength or a broader band"
        )
    amplitudes = np.random.default_rng(seed).standard_normal((len(waves), 2))
    return RandomField(waves, amplitudes, volume_fraction)
