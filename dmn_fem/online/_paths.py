"""Standard strain paths for checking one law against another, and the measure of such checks."""

from itertools import pairwise

import numpy as np

from dmn_fem.notation import Array
from dmn_fem.online._point import LoadPath

STANDARD_PATHS = "uniaxial", "shear", "cyclic", "nonproportional"
"""Names that `standard_path` knows."""
_STRETCH = {2: (-0.8, 1.0, 0.0, 0.0), 3: (-0.4, -0.4, 1.0, 0.0, 0.0, 0.0)}
_SHEAR = {2: (0.0, 0.0, 0.0, 1.0), 3: (0.0, 0.0, 0.0, 1.0, 0.0, 0.0)}


def standard_path(name: str, dimension: int, amplitude: float = 0.015) -> LoadPath:
    """A standard path of prescribed strains.

    ``uniaxial`` (stretching with nearly constant volume) and ``shear`` go to the amplitude in ten
    increments and three tenths back, beyond reversed yielding. ``cyclic``
    stretches to two thirds of it, as far into compression, and back. ``nonproportional`` walks
    around a square of stretch and shear with edges of two thirds.

    Args:
        name: One of `STANDARD_PATHS`.
        dimension: 2 (plane strain) or 3.
        amplitude: Norm of the largest strain of the first two.

    Raises:
        ValueError: If there is no such path, or the amplitude is not positive.
    """
    if name not in STANDARD_PATHS:
        raise ValueError(f"path is {name!r}; it must be one of {', '.join(STANDARD_PATHS)}")
    if not 0 < amplitude < np.inf:
        raise ValueError(f"amplitude is {amplitude}; it must be positive")
    stretch, shear = (np.array(each[dimension]) for each in (_STRETCH, _SHEAR))
    stretch /= np.linalg.norm(stretch)
    edge = 2 / 3 * amplitude
    if name in ("uniaxial", "shear"):
        length = np.append(np.arange(1, 11) / 10, [0.9, 0.8, 0.7])
        strain = amplitude * np.outer(length, stretch if name == "uniaxial" else shear)
    elif name == "cyclic":
        length = _straight([[0.0], [1.0], [-1.0], [1.0]], 10)
        strain = edge * length * stretch
    else:
        corners = _straight([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]], 10)
        strain = edge * (corners @ np.stack([stretch, shear]))
    return LoadPath.strain_driven(strain)


def deviatoric_error(stress: Array, reference: Array) -> Array:
    """Difference of the deviatoric stresses, relative to the largest one along the reference.

    The hydrostatic stress is nearly elastic and would flatter.

    Args:
        stress: Mandel stresses along a path, (rows, s); fewer than the reference where it ended.
        reference: Of the law that is right, (rows, s).

    Returns:
        (rows,), infinite where `stress` has no value.
    """
    difference = np.full(reference.shape, np.inf)
    difference[: len(stress)] = _deviator(stress) - _deviator(reference[: len(stress)])
    error = np.linalg.norm(np.where(np.isfinite(difference), difference, np.inf), axis=1)
    return error / np.linalg.norm(_deviator(reference), axis=1).max()


def _straight(corners: list[list[float]], increments: int) -> Array:
    """Points along straight lines between corners, without the first, (rows, components)."""
    points = np.array(corners)
    share = np.arange(1, increments + 1)[:, None] / increments
    return np.concatenate([start + share * (end - start) for start, end in pairwise(points)])


def _deviator(stress: Array) -> Array:
    result = np.array(stress)
    result[:, :3] -= stress[:, :3].mean(axis=1, keepdims=True)
    return result
