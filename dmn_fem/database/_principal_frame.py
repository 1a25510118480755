"""Fibre orientation tensors: their eigenvalues, and the frame of their axes.

References:
    Advani and Tucker (1987), The use of tensors to describe and predict fiber orientation in short
    fiber composites, J. Rheol. 31, 751-784.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem.database._errors import DatabaseError
from dmn_fem.notation import Array

ROUNDING = 1e-6
"""What a tensor may lack of symmetry, of trace one and of eigenvalues >= 0, as from a file."""
_TURNS = ((1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))


def principal_orientation(orientation: ArrayLike) -> tuple[Array, Array | None]:
    """Eigenvalues a1 >= a2 >= a3 of sum one of an orientation, (3,), and its frame.

    Args:
        orientation: Second-order fibre orientation tensor, (3, 3), or three eigenvalues.

    Returns:
        The eigenvalues, and a rotation (3, 3) whose columns are the axes that belong to them, None
        if there was no tensor. Of the four rotations, which differ by half turns about the axes,
        it is the least one; axes of equal eigenvalues are as close to the global ones as can be.

    Raises:
        DatabaseError: If the tensor is not symmetric, its trace not one, or an eigenvalue negative.
    """
    given = np.asarray(orientation, dtype=float)
    if given.shape not in ((3,), (3, 3)) or not np.isfinite(given).all():
        raise DatabaseError(
            f"orientation has shape {given.shape}; it must be a tensor (3, 3) or three "
            "eigenvalues, all finite"
        )
    if given.ndim == 1:
        return _checked(np.sort(given)[::-1]), None
    if np.abs(given - given.T).max() > ROUNDING:
        raise DatabaseError(f"orientation is {given.tolist()}; it must be symmetric")
    eigenvalues, axes = np.linalg.eigh(0.5 * (given + given.T))
    order = np.argsort(-eigenvalues, kind="stable")
    eigenvalues, axes = _checked(eigenvalues[order]), axes[:, order]
    ends = np.flatnonzero(-np.diff(eigenvalues) > ROUNDING) + 1
    for equal in np.split(np.arange(3), ends):
        _align(axes, equal)
    axes[:, 2] *= np.sign(np.linalg.det(axes))
    return eigenvalues, axes * max(_TURNS, key=lambda signs: float(np.diag(axes) @ signs))


def _align(axes: Array, equal: NDArray[np.int64]) -> None:
    """Turn axes of one eigenvalue within their span, closest to the global ones; in place."""
    left, _, right = np.linalg.svd(axes[np.ix_(equal, equal)].T)
    axes[:, equal] = axes[:, equal] @ left @ right


def _checked(eigenvalues: Array) -> Array:
    """Eigenvalues of an orientation, free of rounding."""
    if abs(eigenvalues.sum() - 1.0) > ROUNDING:
        raise DatabaseError(f"the trace of orientation is {eigenvalues.sum():g}; it must be one")
    if eigenvalues.min() < -ROUNDING:
        raise DatabaseError(
            f"orientation has the eigenvalue {eigenvalues.min():g}; none may be negative"
        )
    eigenvalues = np.maximum(eigenvalues, 0.0)
    return eigenvalues / eigenvalues.sum()
