"""Periodic cells of discs or spheres without overlap, equal or of a distribution of sizes."""

from dataclasses import dataclass

import numpy as np

from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._packing import lognormal_sizes, pack, settle, unit_ball
from dmn_fem.microstructure._two_phases import image_of_capsules
from dmn_fem.notation import Array


@dataclass(frozen=True)
class Particles:
    """Discs or spheres in a periodic unit cell.

    Attributes:
        centers: (count, dimension), in [0, 1).
        radius: Radius of all of them or of each, (count,), in edges of the cell.
        names: Names of the surrounding phase and of the particles.
    """

    centers: Array
    radius: float | Array
    names: tuple[str, str] = ("matrix", "inclusion")

    @property
    def dimension(self) -> int:
        """2 (discs) or 3 (spheres)."""
        return self.centers.shape[1]

    @property
    def radii(self) -> Array:
        """Radius of each particle, (count,), in edges of the cell."""
        return np.broadcast_to(np.asarray(self.radius, dtype=float), len(self.centers))

    @property
    def volume_fraction(self) -> float:
        """Share of the cell that the particles fill."""
        return float(unit_ball(self.dimension) * (self.radii**self.dimension).sum())

    def image(self, grid: int, composite: bool = True) -> PhaseImage:
        """Phase image of the prescribed volume fraction.

        Args:
            grid: Voxels along each axis.
            composite: Voxels at a surface hold both phases, and the volume fraction is exact.
                Without, they hold the one or the other, and it is exact to half a voxel.

        Raises:
            ValueError: If the grid has no voxel or is too coarse for the volume fraction.
        """
        return image_of_capsules(
            self.centers,
            np.zeros_like(self.centers),
            self.radii,
            grid,
            self.volume_fraction,
            self.names,
            composite,
        )


def discs(
    volume_fraction: float,
    count: int,
    seed: int,
    gap: float = 0.05,
    variation: float = 0.0,
    placed_at: float | None = None,
) -> Particles:
    """Discs at random in a periodic unit square, without overlap: also unidirectional fibres.

    They are placed as hard discs in equilibrium. Cells of a family that are all placed at one
    fraction, its largest, differ in the size of the discs alone: what they answer is as smooth in
    the volume fraction as what lies between two of them in a database has to be. Their price is
    that dilute ones are more regular than chance would have them. Fractions to 0.7 are reached with
    the default gap.

    Args:
        volume_fraction: Share of the square that the discs fill.
        count: Number of discs.
        seed: Of all that is random.
        gap: Least distance between two surfaces where the discs are placed, in mean diameters.
        variation: Coefficient of variation of the diameters, which have a lognormal distribution.
        placed_at: Volume fraction at which the discs find their places, where they then shrink;
            that of the discs themselves, if not given.

    Raises:
        ValueError: If arguments are out of range or the discs do not fit.
    """
    return _place(2, volume_fraction, count, seed, gap, variation, placed_at)


def spheres(
    volume_fraction: float,
    count: int,
    seed: int,
    gap: float = 0.01,
    variation: float = 0.0,
    placed_at: float | None = None,
) -> Particles:
    """Spheres at random in a periodic unit cube, without overlap; see `discs`.

    Fractions to 0.6 are reached with the default gap.
    """
    return _place(3, volume_fraction, count, seed, gap, variation, placed_at)


def _place(
    dimension: int,
    volume_fraction: float,
    count: int,
    seed: int,
    gap: float,
    variation: float,
    placed_at: float | None,
) -> Particles:
    if count < 1:
        raise ValueError(f"count is {count}; there must be at least one particle")
    if placed_at is None:
        placed_at = volume_fraction
    elif not 0 < volume_fraction <= placed_at:
        raise ValueError(
            f"volume_fraction is {volume_fraction}; it must be positive and at most placed_at, "
            f"{placed_at}"
        )
    # Sizes have a generator of their own: without variation the centres are the same.
    sizes = lognormal_sizes(count, variation, np.random.default_rng([seed, 1]))
    rng = np.random.default_rng(seed)
    centers, radii = pack(sizes, dimension, placed_at, gap, rng)
    settle(centers, radii, gap, rng)
    radii = radii * (volume_fraction / placed_at) ** (1 / dimension)
    # A tiny negative coordinate modulo one is one.
    return Particles(centers % 1.0 % 1.0, radii if variation else float(radii[0]))
