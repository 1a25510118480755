"""Where design maps are asked for: grids in the descriptor space of a database."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.database import Database, DatabaseError
from dmn_fem.notation import Array

ORIENTATION = ("orientation_1", "orientation_2")
CORNERS = np.array([[1 / 3, 1 / 3], [1 / 2, 1 / 2], [1.0, 0.0]])
"""Two largest eigenvalues of isotropic, planar isotropic and aligned orientations of fibres."""
_ROUNDED = 1e-3  # how far off a corner a recipe may state it


def grid(
    database: Database, over: Mapping[str, ArrayLike], fixed: Mapping[str, Any] | None = None
) -> dict[str, Array]:
    """Columns of the points of a product grid that a database answers without extrapolation.

    Args:
        database: The database.
        over: Values of each descriptor that varies. ``orientation`` is the number of points along
            a side of the triangle of orientations, and makes the columns ``orientation_1`` and
            ``orientation_2``.
        fixed: Values of the others, as `Database.at` takes them.

    Raises:
        DatabaseError: If the database answers at none of them.
        ValueError: If there are fewer than two points along a side.
    """
    axes = []
    for name, values in over.items():
        if name == "orientation":
            axes.append(_triangle(database, int(np.asarray(values))))
        else:
            axes.append([{name: float(value)} for value in np.ravel(values)])
    inside: list[dict[str, float]] = []
    refusal = DatabaseError("a grid needs a point")
    for parts in itertools.product(*axes):
        point: dict[str, Any] = {k: value for part in parts for k, value in part.items()}
        try:
            database.at(**point, **(fixed or {}))
        except DatabaseError as error:
            refusal = error
        else:
            inside.append(point)
    if not inside:
        raise refusal
    return {name: np.array([point[name] for point in inside]) for name in inside[0]}


def _triangle(database: Database, side: int) -> list[dict[str, float]]:
    """Orientations on the triangle; its corners are those of the networks, which may be rounded."""
    if side < 2:
        raise ValueError(f"orientation is {side}; it must be at least 2 points along a side")
    names = [each.name for each in database.descriptors]
    corners = CORNERS.copy()
    if set(ORIENTATION) <= set(names):
        stored = database.values[:, [names.index(name) for name in ORIENTATION]]
        for corner in corners:
            nearest = stored[np.abs(stored - corner).max(axis=1).argmin()]
            if np.abs(nearest - corner).max() <= _ROUNDED:
                corner[:] = nearest
    steps = np.arange(side)
    shares = [(i, j, side - 1 - i - j) for i in steps for j in steps[: side - i]]
    points = np.array(shares) / (side - 1) @ corners
    return [dict(zip(ORIENTATION, map(float, point), strict=True)) for point in points]
