"""Periodic polycrystals: Voronoi and Laguerre grains with crystal orientations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._interface import CutVoxels, half_space_share
from dmn_fem.microstructure._packing import lognormal_sizes, pack
from dmn_fem.microstructure._power_diagram import cell_volumes, fit_weights
from dmn_fem.notation import Array, mandel_rotation, rotation_from_quaternion, strain_size

_NEIGHBOURS = 8  # of the nearest grains whose faces a voxel may lie at
_NEGLIGIBLE = 1e-6  # share of a grain below which a voxel counts as whole
_PACKED = {2: 0.6, 3: 0.45}  # volume fraction of the balls whose centres become those of grains


@dataclass(frozen=True)
class Polycrystal:
    """Grains of a periodic unit cell: a point belongs to the least |x - center|² - weight.

    Attributes:
        centers: (grains, dimension), in [0, 1).
        weights: (grains,); equal ones are Voronoi's diagram.
        orientation: Unit quaternions, scalar first, (grains, 4), of the rotations from the axes of
            the crystal to those of the cell; in 2D too, where grains are columns.
    """

    centers: Array
    weights: Array
    orientation: Array

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.centers.shape[1]

    @property
    def volumes(self) -> Array:
        """Volume of every grain, (grains,), of sum one."""
        return cell_volumes(self.centers, self.weights)

    def image(self, grid: int, composite: bool = True) -> PhaseImage:
        """Phase image in which every grain is a phase: ``grain_1``, ``grain_2`` and so on.

        Args:
            grid: Voxels along each axis.
            composite: Voxels at a face of two grains hold both, cut by their nearest face.

        Raises:
            ValueError: If the grid has no voxel.
        """
        if grid < 1:
            raise ValueError(f"grid is {grid}; there must be at least one voxel along each axis")
        count, dimension = self.centers.shape
        shape = (grid,) * dimension
        voxels = (np.indices(shape).reshape(dimension, -1).T + 0.5) / grid
        # One more axis makes the weighted distance a distance.
        lift = np.sqrt(self.weights.max() - self.weights)
        tree = cKDTree(np.column_stack([self.centers, lift]), boxsize=(*[1.0] * dimension, 0.0))
        points = np.column_stack([voxels, np.zeros(len(voxels))])
        power, grain = tree.query(points, np.arange(1, min(_NEIGHBOURS, count) + 1))
        dtype = np.uint8 if count <= 256 else np.uint16
        phases = grain[:, 0].astype(dtype)
        names = tuple(f"grain_{number + 1}" for number in range(count))
        if not composite or count == 1:
            return PhaseImage(phases.reshape(shape), names)
        offset = self.centers[grain] - voxels[:, None]
        offset -= np.rint(offset)
        line = offset[:, 1:] - offset[:, :1]
        length = np.linalg.norm(line, axis=-1)
        distance = (power[:, 1:] ** 2 - power[:, :1] ** 2) / (2 * length)
        nearest = distance.argmin(axis=1)
        rows = np.arange(len(voxels))
        normal = line[rows, nearest] / length[rows, nearest, None]
        share = half_space_share(distance[rows, nearest] * grid, normal)
        voxel = np.flatnonzero(share > _NEGLIGIBLE)
        second = grain[voxel, 1 + nearest[voxel]].astype(dtype)
        cut = CutVoxels(voxel, second, share[voxel], normal[voxel])
        return PhaseImage(phases.reshape(shape), names, cut)

    def stiffness(self, crystal: ArrayLike) -> Array:
        """Stiffness of every grain in the axes of the cell.

        Args:
            crystal: Mandel stiffness in the axes of the crystal, (6, 6).

        Returns:
            (grains, 6, 6), or (grains, 4, 4) in 2D: plane strain and its relatives.
        """
        size = strain_size(self.dimension)
        rotations = [mandel_rotation(each) for each in rotation_from_quaternion(self.orientation)]
        rotated = [each @ np.asarray(crystal, dtype=float) @ each.T for each in rotations]
        return np.stack(rotated)[:, :size, :size]


def voronoi(dimension: int, count: int, seed: int) -> Polycrystal:
    """Voronoi grains of centres at random, orientations uniform on SO(3).

    Args:
        dimension: 2 or 3.
        count: Number of grains.
        seed: Of centres and orientations.

    Raises:
        ValueError: If arguments are out of range.
    """
    _check(dimension, count)
    centers = np.random.default_rng(seed).random((count, dimension))
    return Polycrystal(centers, np.zeros(count), _orientations(count, seed))


def laguerre(
    dimension: int,
    count: int,
    seed: int,
    variation: float = 0.0,
    volumes: ArrayLike | None = None,
) -> Polycrystal:
    """Laguerre grains of prescribed volumes, orientations uniform on SO(3).

    Centres are those of a packing of discs or spheres as large as the grains, so that grains are
    round rather than slender.

    Args:
        dimension: 2 or 3.
        count: Number of grains.
        seed: Of centres, order of the volumes, and orientations.
        variation: Coefficient of variation of the volumes, which have a lognormal distribution.
        volumes: Relative volumes of the grains, (count,), instead of a distribution.

    Raises:
        ValueError: If arguments are out of range.
    """
    _check(dimension, count)
    if volumes is None:
        wanted = lognormal_sizes(count, variation, np.random.default_rng([seed, 1]))
    else:
        wanted = np.asarray(volumes, dtype=float)
    if wanted.shape != (count,) or not ((wanted > 0) & np.isfinite(wanted)).all():
        raise ValueError(f"volumes must be {count} positive numbers, one a grain")
    wanted = wanted / wanted.sum()
    rng = np.random.default_rng(seed)
    centers, _ = pack(wanted ** (1 / dimension), dimension, _PACKED[dimension], 0.0, rng)
    return Polycrystal(centers, fit_weights(centers, wanted), _orientations(count, seed))


def _check(dimension: int, count: int) -> None:
    if dimension not in (2, 3):
        raise ValueError(f"dimension is {dimension}; it must be 2 or 3")
    if count < 1:
        raise ValueError(f"count is {count}; there must be at least one grain")


def _orientations(count: int, seed: int) -> Array:
    rotations = Rotation.random(count, np.random.default_rng([seed, 2]))
    quaternions: Array = rotations.as_quat(scalar_first=True)
    return quaternions
