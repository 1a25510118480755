"""Stacks of layers of any thickness: voxels at their interfaces hold both layers."""

from collections.abc import Sequence

import numpy as np

from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._interface import CutVoxels

_WHOLE = 1e-9  # of a voxel: an interface nearer to a face lies in it


def layers(
    dimension: int,
    grid: int,
    fractions: Sequence[float],
    axis: int = 0,
    names: Sequence[str] | None = None,
) -> PhaseImage:
    """A stack of layers, one a phase, whose interfaces lie anywhere: the first begins at zero.

    Args:
        dimension: 2 or 3.
        grid: Voxels along each axis.
        fractions: Volume fractions of the layers, each at least one voxel thick.
        axis: Normal direction of the layers, from 0.
        names: Names of the phases; `layer_1`, `layer_2`, ... if not given.

    Raises:
        ValueError: If the fractions do not add up to one, or a layer is thinner than a voxel.
    """
    thickness = np.asarray(fractions, dtype=float) * grid
    if dimension not in (2, 3):
        raise ValueError(f"dimension is {dimension}; it must be 2 or 3")
    if not 0 <= axis < dimension:
        raise ValueError(f"axis is {axis}; it must be 0 … {dimension - 1}")
    if thickness.ndim != 1 or not abs(thickness.sum() - grid) <= _WHOLE * grid:
        raise ValueError(f"layers of fractions {tuple(fractions)} do not add up to one")
    if not (thickness >= 1 - _WHOLE).all():
        raise ValueError(
            f"layers of fractions {tuple(fractions)} must be at least a voxel thick, 1/{grid}"
        )
    tops = np.cumsum(thickness)[:-1]
    tops = np.where(np.abs(tops - np.rint(tops)) < _WHOLE * grid, np.rint(tops), tops)
    kind = np.uint8 if thickness.size <= 256 else np.uint16
    centers = np.arange(grid) + 0.5
    stack = np.searchsorted(tops, centers, side="right").astype(kind)
    shape = (grid,) * dimension
    along = np.indices(shape)[axis]
    # The planes of voxels that an interface cuts: the layers below and above it share them.
    below = np.flatnonzero(tops % 1 > 0)
    planes = tops[below].astype(int)
    lower_share = tops[below] % 1
    second = np.where(stack[planes] == below, below + 1, below)
    share = np.where(stack[planes] == below, 1 - lower_share, lower_share)
    place = np.full(grid, -1)
    place[planes] = np.arange(planes.size)
    voxel = np.flatnonzero(place[along] >= 0)
    which = place[along.ravel()[voxel]]
    normal = np.zeros((voxel.size, dimension))
    normal[:, axis] = 1.0
    cut = CutVoxels(voxel, second[which].astype(kind), share[which], normal)
    names = names or [f"layer_{i + 1}" for i in range(thickness.size)]
    return PhaseImage(stack[along], tuple(names), cut)
