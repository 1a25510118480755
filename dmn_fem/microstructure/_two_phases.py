"""Images of two phases from the distances of their voxels from surfaces."""

import numpy as np

from dmn_fem.microstructure._capsule_kernels import nearest_surfaces
from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._interface import fill, threshold, two_phases
from dmn_fem.notation import Array

_SLENDER = 2.0  # half lengths of a capsule's axis, in radii, from which on it counts as a fibre


def image_of_surfaces(
    distance: Array,
    normal: Array,
    shape: tuple[int, ...],
    volume_fraction: float,
    names: tuple[str, str],
    composite: bool,
    matrix: str | None,
    slender: bool = False,
) -> PhaseImage:
    """Image whose second phase lies inside of surfaces.

    Args:
        distance: Signed distances of the voxels from their nearest surfaces, see `fill`.
        normal: Unit normals of those, (voxels, K, dimension).
        shape: Voxels along each axis.
        volume_fraction: Of the second phase.
        names: Of both phases.
        composite: Voxels at a surface hold both phases, and the volume fraction is exact; else it
            is exact to half a voxel.
        matrix: Name of the phase that surrounds the other, if one does.
        slender: Whether that one is fibres.

    Raises:
        ValueError: If the grid is too coarse for the volume fraction.
    """
    if not composite:
        phases = threshold(distance, volume_fraction).astype(np.uint8)
        return PhaseImage(phases.reshape(shape), names, None, matrix, slender)
    shares, which = fill(distance, normal, volume_fraction)
    phases, cut = two_phases(shares, normal[np.arange(len(which)), which])
    return PhaseImage(phases.reshape(shape), names, cut, matrix, slender)


def image_of_capsules(
    centers: Array,
    arms: Array,
    radii: Array,
    grid: int,
    volume_fraction: float,
    names: tuple[str, str],
    composite: bool,
) -> PhaseImage:
    """Image of capsules (balls, where the arms are zero) in a periodic unit cell.

    Args:
        centers: (count, dimension).
        arms: From the centre to that of one end, (count, dimension).
        radii: (count,).
        grid: Voxels along each axis.
        volume_fraction: Of the capsules.
        names: Of the surrounding phase and of the capsules.
        composite: See `image_of_surfaces`.

    Raises:
        ValueError: If the grid has no voxel or is too coarse for the volume fraction.
    """
    if grid < 1:
        raise ValueError(f"grid is {grid}; there must be at least one voxel along each axis")
    dimension = centers.shape[1]
    missing = ((0, 0), (0, 3 - dimension))
    distance, normal = nearest_surfaces(
        (grid, grid, grid if dimension == 3 else 1),
        np.pad(centers * grid, missing, constant_values=0.5),
        np.pad(arms * grid, missing),
        radii * grid,
    )
    shape = (grid,) * dimension
    normal = normal[..., :dimension]
    slender = bool((np.linalg.norm(arms, axis=1) > _SLENDER * radii).all())
    return image_of_surfaces(
        distance, normal, shape, volume_fraction, names, composite, names[0], slender
    )
