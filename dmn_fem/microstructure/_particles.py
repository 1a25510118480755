"""Periodic cells of equal discs or spheres without overlap, by growth and relaxation."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._interface import fill, threshold, two_phases
from dmn_fem.notation import Array

_GROWTH = 0.01  # of the volume fraction, between two relaxations
_SWEEPS = 3000  # of one relaxation, before it counts as jammed
_SHAKES = 30  # of a jammed packing, before it counts as failed
_AMPLITUDE = 0.3  # of a shake, in diameters
_SURFACES = 2  # that may cut one voxel
_SLACK = 3e-3  # of the distance: pairs are pushed a little further, which unlocks dense packings


@dataclass(frozen=True)
class Particles:
    """Equal discs or spheres in a periodic unit cell.

    Attributes:
        centers: (count, dimension), in [0, 1).
        radius: Radius, in edges of the cell.
        names: Names of the surrounding phase and of the particles.
    """

    centers: Array
    radius: float
    names: tuple[str, str] = ("matrix", "inclusion")

    @property
    def dimension(self) -> int:
        """2 (discs) or 3 (spheres)."""
        return self.centers.shape[1]

    @property
    def volume_fraction(self) -> float:
        """Share of the cell that the particles fill."""
        return len(self.centers) * _unit_ball(self.dimension) * self.radius**self.dimension

    def image(self, grid: int, composite: bool = True) -> PhaseImage:
        """Phase image of the prescribed volume fraction.

        Args:
            grid: Voxels along each axis.
            composite: Voxels at a surface hold both phases, and the volume fraction is exact.
                Without, they hold the one or the other, and it is exact to half a voxel.

        Raises:
            ValueError: If the grid has no voxel or is too coarse for the volume fraction.
        """
        if grid < 1:
            raise ValueError(f"grid is {grid}; there must be at least one voxel along each axis")
        axes = [(np.arange(grid) + 0.5) / grid] * self.dimension
        voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, self.dimension)
        # Radii are equal: the nearest centre belongs to the nearest surface.
        nearest = np.arange(1, min(len(self.centers), _SURFACES) + 1)
        distance, particle = cKDTree(self.centers, boxsize=1.0).query(voxels, nearest)
        surface = (distance - self.radius) * grid
        if not composite:
            phases = threshold(surface, self.volume_fraction).astype(np.uint8)
            return PhaseImage(phases.reshape((grid,) * self.dimension), self.names)
        outward = voxels[:, None] - self.centers[particle]
        outward -= np.rint(outward)
        outward /= np.maximum(distance, 1e-300)[..., None]
        shares, which = fill(surface, outward, self.volume_fraction)
        phases, cut = two_phases(shares, outward[np.arange(len(voxels)), which])
        return PhaseImage(
            phases.reshape((grid,) * self.dimension), self.names, cut, matrix=self.names[0]
        )


def discs(volume_fraction: float, count: int, seed: int, gap: float = 0.05) -> Particles:
    """Equal discs at random in a periodic unit square, without overlap.

    The same seed starts from the same centres and grows along the same path at every volume
    fraction, so cells at neighbouring fractions resemble each other. Fractions to 0.7 are reached
    with the default gap.

    Args:
        volume_fraction: Share of the square that the discs fill.
        count: Number of discs.
        seed: Of the random start.
        gap: Least distance between two surfaces, in diameters.

    Raises:
        ValueError: If arguments are out of range or the discs do not fit.
    """
    return _grow(2, volume_fraction, count, seed, gap)


def spheres(volume_fraction: float, count: int, seed: int, gap: float = 0.01) -> Particles:
    """Equal spheres at random in a periodic unit cube, without overlap; see `discs`.

    Fractions to 0.6 are reached with the default gap.
    """
    return _grow(3, volume_fraction, count, seed, gap)


def _grow(dimension: int, volume_fraction: float, count: int, seed: int, gap: float) -> Particles:
    if not 0 < volume_fraction < 1:
        raise ValueError(f"volume_fraction is {volume_fraction}; it must lie between 0 and 1")
    if count < 1:
        raise ValueError(f"count is {count}; there must be at least one particle")
    if not gap >= 0:
        raise ValueError(f"gap is {gap}; it must be at least 0")

    def radius(fraction: float) -> float:
        return float((fraction / (count * _unit_ball(dimension))) ** (1 / dimension))

    target = f"{count} particles of volume fraction {volume_fraction} and gap {gap} (seed {seed})"
    if 2 * radius(volume_fraction) * (1 + gap) > 1:
        raise ValueError(f"{target} touch their own periodic images; ask for more particles")
    rng = np.random.default_rng(seed)
    centers = rng.random((count, dimension))
    # Stages lie at the same fractions whatever the target: its path is that of larger targets too.
    stages = np.arange(_GROWTH, volume_fraction, _GROWTH)
    for fraction in (*stages, volume_fraction):
        distance = 2 * radius(fraction) * (1 + gap)
        relaxed = _relax(centers, distance)
        for _ in range(_SHAKES):
            if relaxed is not None:
                break
            centers = centers + _AMPLITUDE * distance * rng.uniform(-0.5, 0.5, centers.shape)
            relaxed = _relax(centers, distance)
        if relaxed is None:
            raise ValueError(
                f"{target} could not be placed without overlap: stuck at {fraction:.2f}; "
                "ask for a lower volume fraction, a smaller gap, or another count or seed"
            )
        centers = relaxed
    return Particles(centers, radius(volume_fraction))


def _relax(centers: Array, distance: float) -> Array | None:
    """Push pairs apart, half each, until all are `distance` apart; None if that fails."""
    for _ in range(_SWEEPS):
        centers = centers % 1.0
        # A tiny negative coordinate modulo one is one; the tree wants less.
        centers[centers == 1.0] = 0.0
        pairs = cKDTree(centers, boxsize=1.0).query_pairs(distance, output_type="ndarray")
        first, second = pairs.T
        separation = centers[first] - centers[second]
        separation -= np.rint(separation)
        length = np.linalg.norm(separation, axis=1)
        if (length >= distance).all():
            return centers
        push = 0.5 * (distance * (1 + _SLACK) - length) / length
        moves = push[:, None] * separation
        np.add.at(centers, first, moves)
        np.subtract.at(centers, second, moves)
    return None


def _unit_ball(dimension: int) -> float:
    """Volume of the ball of radius one."""
    return math.pi if dimension == 2 else 4 / 3 * math.pi
