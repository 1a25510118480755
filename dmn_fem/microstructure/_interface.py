"""Voxels cut by an interface: which phases share them, how much of each, and where it points.

An interface is taken as a plane within a voxel, from its signed distance to the voxel's centre. The
unit of length is the voxel's edge.

References:
    Kabel, Merkert and Schneider (2015), Use of composite voxels in FFT-based homogenization, CMAME
    294.
    Scardovelli and Zaleski (2000), Analytical relations connecting linear interfaces and volume
    fractions in rectangular grids, J. Comput. Phys. 164.
    Youngs (1984), An interface tracking method for a 3D Eulerian hydrodynamics code (normals from
    volume fractions).
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.optimize import brentq

from dmn_fem.notation import Array

_NEGLIGIBLE = 1e-6  # share of a phase below which a voxel counts as whole
_FLAT = 1e-3  # least component of a normal: the exact formula cancels at zero
_REACH = 1.0  # distance beyond which no plane cuts a voxel (half its diagonal, in 3D 0.87)


@dataclass(frozen=True)
class CutVoxels:
    """The voxels of an image that hold two phases.

    Attributes:
        voxel: Number of the voxel in C order, (m,), increasing.
        phase: The second phase of the voxel; the first is the image's own there, (m,).
        share: Volume share of the second phase, between 0 and 1, (m,).
        normal: Unit normal of the interface, (m, dimension); its sign has no meaning.

    Raises:
        ValueError: If shapes do not match, voxels repeat, or shares or normals are out of range.
    """

    voxel: NDArray[np.int64]
    phase: NDArray[np.unsignedinteger]
    share: Array
    normal: Array

    def __post_init__(self) -> None:
        count = self.voxel.size
        if not (
            self.voxel.shape == self.phase.shape == self.share.shape == (count,)
            and self.normal.shape[:1] == (count,)
            and self.normal.ndim == 2
        ):
            raise ValueError("voxel, phase, share and normal of cut voxels differ in length")
        if not (np.diff(self.voxel) > 0).all():
            raise ValueError("numbers of cut voxels must increase")
        if not ((self.share > 0) & (self.share < 1)).all():
            raise ValueError("shares of cut voxels must lie between 0 and 1")
        if not np.allclose(np.linalg.norm(self.normal, axis=1), 1.0, rtol=0, atol=1e-6):
            raise ValueError("normals of cut voxels must have length one")


def half_space_share(distance: Array, normal: Array) -> Array:
    """Share of a unit voxel that lies behind a plane: where (x - center) · normal < -distance.

    Args:
        distance: Signed distance of the voxel's centre from the plane, (...), negative behind it.
        normal: Unit normals, (..., dimension).

    Returns:
        Shares, (...), from 0 to 1.
    """
    slope = np.maximum(np.abs(normal), _FLAT)
    dimension = slope.shape[-1]
    # Distance of the plane from the corner that is deepest behind it.
    depth = 0.5 * slope.sum(axis=-1) - distance
    total = np.zeros(np.shape(distance))
    for corner in itertools.product((0, 1), repeat=dimension):
        beyond = np.maximum(depth - slope @ np.array(corner, dtype=float), 0.0)
        total += (-1) ** sum(corner) * beyond**dimension
    share = total / (math.factorial(dimension) * slope.prod(axis=-1))
    # At depths past the opposite corner the sum cancels to one, up to rounding.
    return np.clip(np.where(depth >= slope.sum(axis=-1), 1.0, share), 0.0, 1.0)


def fill(distance: Array, normal: Array, volume_fraction: float) -> tuple[Array, NDArray[np.int64]]:
    """Share of an inclusion in every voxel, of prescribed mean.

    The surfaces are moved by one small distance, the same everywhere, until the volume fraction
    holds exactly.

    Args:
        distance: Signed distances of the voxels' centres from the K nearest surfaces of disjoint
            inclusions, (voxels, K), negative inside.
        normal: Unit normals of those, (voxels, K, dimension).
        volume_fraction: Of the inclusions.

    Returns:
        Shares, (voxels,), and which of the K surfaces cuts the voxel (most), (voxels,).

    Raises:
        ValueError: If no move by less than a voxel gives the volume fraction.
    """
    near = np.flatnonzero((np.abs(distance) < 2 * _REACH).any(axis=1))
    shares = (distance < 0).astype(float)
    target = volume_fraction * len(distance) - np.delete(shares, near, axis=0).any(axis=1).sum()

    def near_shares(shift: float) -> Array:
        return half_space_share(distance[near] - shift, normal[near])

    def excess(shift: float) -> float:
        return float(np.minimum(near_shares(shift).sum(axis=1), 1.0).sum() - target)

    if not excess(-_REACH) <= 0 <= excess(_REACH):
        raise ValueError(
            f"no surface within a voxel of the given one encloses a volume fraction of "
            f"{volume_fraction}; is the grid fine enough?"
        )
    shares[near] = near_shares(brentq(excess, -_REACH, _REACH, xtol=1e-14))
    most = np.where(shares < 1.0, shares, 0.0).argmax(axis=1)
    return np.minimum(shares.sum(axis=1), 1.0), most


def threshold(distance: Array, volume_fraction: float) -> NDArray[np.bool_]:
    """Whole voxels of an inclusion: those deepest inside, until the volume is filled.

    Args:
        distance: Signed distances as in `fill`.
        volume_fraction: Reached to within half a voxel. Ties go by position.

    Returns:
        Which voxels belong to it, (voxels,).
    """
    inside = np.zeros(len(distance), dtype=bool)
    order = np.argsort(distance.min(axis=1), kind="stable")
    inside[order[: round(volume_fraction * len(distance))]] = True
    return inside


def two_phases(shares: Array, normal: Array) -> tuple[NDArray[np.uint8], CutVoxels]:
    """Phase 0 or 1 of every voxel, whichever has more of it, and the voxels that hold both.

    Args:
        shares: Of phase 1, (voxels,).
        normal: (voxels, dimension).
    """
    phases = (shares > 0.5).astype(np.uint8)
    voxel = np.flatnonzero((shares > _NEGLIGIBLE) & (shares < 1 - _NEGLIGIBLE))
    first = phases[voxel]
    second_share = np.where(first == 1, 1.0 - shares[voxel], shares[voxel])
    return phases, CutVoxels(voxel, (1 - first).astype(np.uint8), second_share, normal[voxel])


def block_means(field: Array, factor: int) -> Array:
    """Means over blocks of factor**dimension voxels, (blocks along each axis)."""
    shape = [length for n in field.shape for length in (n // factor, factor)]
    return field.reshape(shape).mean(axis=tuple(range(1, 2 * field.ndim, 2)))


def gradient(field: Array) -> Array:
    """Gradient of a periodic field by Youngs' stencil, (..., dimension), in voxels."""
    parts = []
    for axis in range(field.ndim):
        part = correlate1d(field, [-0.5, 0.0, 0.5], axis=axis, mode="wrap")
        for other in set(range(field.ndim)) - {axis}:
            part = correlate1d(part, [0.25, 0.5, 0.25], axis=other, mode="wrap")
        parts.append(part)
    return np.stack(parts, axis=-1)
