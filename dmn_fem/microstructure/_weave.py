"""Plain weave: two warp and two weft yarns that cross over and under each other."""

import math
from dataclasses import dataclass

import numpy as np

from dmn_fem.microstructure._axes import MaterialAxes
from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._interface import CutVoxels, fill, two_phases
from dmn_fem.notation import Array


@dataclass(frozen=True)
class Weave:
    """A plain weave in a flat cell, one wavelength of the yarns wide: the unit of length.

    Warp runs along direction 1, weft along direction 2. The middle line of a yarn is a sine; its
    section, across its direction in the plane, is a lens between two arcs of cosines. The axes of
    its material follow the middle line: a yarn is made of its material as it is where it lies flat,
    warp and weft each in the global axes there.

    Attributes:
        height: Of the cell.
        width: Of a yarn's section, at most half a wavelength.
        thickness: Of a yarn's section at its middle.
        gap: Between warp and weft where their middle lines cross.
        names: Names of matrix, warp and weft.
    """

    height: float
    width: float
    thickness: float
    gap: float
    names: tuple[str, str, str] = ("matrix", "warp", "weft")

    @property
    def dimension(self) -> int:
        """3."""
        return 3

    @property
    def volume_fraction(self) -> float:
        """Share of the cell that the yarns fill."""
        return 8 / math.pi * self.width * self.thickness / self.height

    @property
    def amplitude(self) -> float:
        """Of the middle lines."""
        return 0.5 * (self.thickness + self.gap)

    def shape(self, grid: int) -> tuple[int, int, int]:
        """Voxels along each axis, of `grid` along directions 1 and 2.

        Raises:
            ValueError: If the height is no whole number of voxels.
        """
        levels = round(self.height * grid)
        if levels < 1 or abs(levels - self.height * grid) > 1e-6:
            raise ValueError(
                f"height is {self.height}, {self.height * grid:g} voxels of a grid of {grid}; "
                "it must be a whole number of them"
            )
        return grid, grid, levels

    def image(self, grid: int) -> PhaseImage:
        """Phase image in which the yarns have their volume fraction exactly, with their axes.

        Args:
            grid: Voxels along directions 1 and 2.

        Raises:
            ValueError: If the height is no whole number of voxels, or the grid is too coarse.
        """
        shape = self.shape(grid)
        parts = [self._distances(axis, grid) for axis in (0, 1)]
        distance = np.stack([part[0].ravel() for part in parts], axis=1)
        normal = np.stack([part[1].reshape(-1, 3) for part in parts], axis=1)
        shares, which = fill(distance, normal, self.volume_fraction)
        # Within the yarns the nearer surface is that of the yarn itself.
        yarn = np.where((distance < 0).any(axis=1), distance.argmin(axis=1), which) + 1
        solid, cut = two_phases(shares, normal[np.arange(len(which)), yarn - 1])
        phases = np.where(solid == 1, yarn, 0).astype(np.uint8)
        second = np.where(phases[cut.voxel] == 0, yarn[cut.voxel], 0).astype(np.uint8)
        cut = CutVoxels(cut.voxel, second, cut.share, cut.normal)
        return PhaseImage(phases.reshape(shape), self.names, cut, axes=self.axes(grid))

    def axes(self, grid: int) -> MaterialAxes:
        """Axes of warp and weft along the middle lines of their yarns; the matrix has none.

        Args:
            grid: Voxels along directions 1 and 2.
        """
        quaternion = [np.array([[1.0, 0.0, 0.0, 0.0]])]
        number = np.zeros((3, *self.shape(grid)), dtype=np.uint16)
        for axis in (0, 1):
            slope = np.round(self._middle(axis, grid)[1], 12)
            slopes, which = np.unique(slope, return_inverse=True)
            number[1 + axis] = which.reshape(slope.shape) + sum(map(len, quaternion))
            # A rotation about the other axis of the plane raises a yarn's own.
            half = 0.5 * np.arctan(slopes)
            turned = np.zeros((half.size, 4))
            turned[:, 0], turned[:, 2 - axis] = np.cos(half), (2 * axis - 1) * np.sin(half)
            quaternion.append(turned)
        return MaterialAxes(np.concatenate(quaternion), number)

    def _middle(self, axis: int, grid: int) -> tuple[Array, Array]:
        """Height of the nearest yarn's middle line over the mid-plane, and its slope."""
        along, across, _ = self._coordinates(axis, grid)
        # Neighbouring yarns, and warp and weft, are on opposite sides where they cross.
        side = np.where(across < 0.5, 1.0, -1.0) * (1.0 if axis == 0 else -1.0)
        angle = 2 * math.pi * along
        middle = side * self.amplitude * np.sin(angle)
        return middle, side * self.amplitude * 2 * math.pi * np.cos(angle)

    def _distances(self, axis: int, grid: int) -> tuple[Array, Array]:
        """Signed distances, in voxels, from the surface of the nearest yarn, and outward normals.

        To first order: the height over the surface over the length of its gradient.
        """
        _, across, up = self._coordinates(axis, grid)
        middle, slope = self._middle(axis, grid)
        offset = across % 0.5 - 0.25
        angle = math.pi / self.width * offset
        above = np.where(up >= middle, 1.0, -1.0)
        # Beyond its tips the lens goes on as its tangents: no second lens comes.
        inner = np.clip(angle, -0.5 * math.pi, 0.5 * math.pi)
        lens = 0.5 * self.thickness * (np.cos(inner) - np.abs(angle - inner))
        lens_slope = -0.5 * self.thickness * math.pi / self.width * np.sin(inner)
        gradient = np.empty((*self.shape(grid), 3))
        gradient[..., axis] = -above * slope
        gradient[..., 1 - axis] = -lens_slope
        gradient[..., 2] = above
        length = np.linalg.norm(gradient, axis=-1)
        distance = (above * (up - middle) - lens) / length * grid
        return distance, gradient / length[..., None]

    def _coordinates(self, axis: int, grid: int) -> tuple[Array, Array, Array]:
        """Coordinates along the yarns, across them, and over the mid-plane."""
        first, second, levels = self.shape(grid)
        plane = [
            ((np.arange(first) + 0.5) / grid)[:, None, None],
            ((np.arange(second) + 0.5) / grid)[None, :, None],
        ]
        up = ((np.arange(levels) + 0.5) / grid - 0.5 * self.height)[None, None, :]
        return plane[axis], plane[1 - axis], up


def weave(
    volume_fraction: float, height: float = 0.25, width: float = 0.45, gap: float = 0.02
) -> Weave:
    """A plain weave whose yarns are as thick as their volume fraction needs.

    Args:
        volume_fraction: Of all yarns.
        height: Of the cell, in wavelengths.
        width: Of a yarn's section, in wavelengths, at most 0.5.
        gap: Between warp and weft where they cross, in wavelengths.

    Raises:
        ValueError: If arguments are out of range or the yarns are too thick for the cell.
    """
    if not 0 < volume_fraction < 1:
        raise ValueError(f"volume_fraction is {volume_fraction}; it must lie between 0 and 1")
    if not height > 0:
        raise ValueError(f"height is {height}; it must be positive")
    if not 0 < width <= 0.5:
        raise ValueError(f"width is {width}; it must be positive and at most 0.5")
    if not gap >= 0:
        raise ValueError(f"gap is {gap}; it must be at least 0")
    thickness = volume_fraction * math.pi * height / (8 * width)
    if 2 * thickness + gap > height:
        most = 8 * width * (height - gap) / (2 * math.pi * height)
        raise ValueError(
            f"yarns of volume fraction {volume_fraction} are too thick for the cell; "
            f"with this height, width and gap it must be at most {max(most, 0.0):.3f}"
        )
    return Weave(height, width, thickness, gap)
