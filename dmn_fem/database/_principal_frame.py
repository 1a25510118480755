"""Fibre orientation tensors: their eigenvalues, and the frame of their axes.

References:
    Advani and Tucker (1987), The use of tensors to describe and predict fiber orientation in short
    fiber composites, J. Rheol. 31, 751-784.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem.database._errors import DatabaseError, refuse
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
    eigenvalues, frames = principal_orientations(given[None])
    return eigenvalues[0], None if frames is None else frames[0]


def principal_orientations(given: Array) -> tuple[Array, Array | None]:
    """`principal_orientation` of many tensors (n, 3, 3), or of n times three eigenvalues (n, 3)."""
    if given.shape[1:] not in ((3,), (3, 3)) or not np.isfinite(given).all():
        raise DatabaseError(
            f"orientation has shape {given.shape[1:]}; it must be a tensor (3, 3) or three "
            "eigenvalues, all finite"
        )
    if given.ndim == 2:
        return _checked(np.sort(given)[:, ::-1]), None
    refuse(
        np.abs(given - given.swapaxes(1, 2)).max(axis=(1, 2)) > ROUNDING,
        lambda point: f"orientation is {given[point].tolist()}; it must be symmetric",
    )
    eigenvalues, axes = np.linalg.eigh(0.5 * (given + given.swapaxes(1, 2)))
    eigenvalues, axes = _checked(eigenvalues[:, ::-1]), axes[:, :, ::-1].copy()
    apart = -np.diff(eigenvalues) > ROUNDING
    for pattern in ((True, True), (True, False), (False, True), (False, False)):
        own = np.flatnonzero((apart == pattern).all(axis=1))
        for equal in np.split(np.arange(3), np.flatnonzero(pattern) + 1):
            _align(axes, own, equal)
    axes[:, :, 2] *= np.sign(np.linalg.det(axes))[:, None]
    best = np.einsum("nii,ti->nt", axes, _TURNS).argmax(axis=1)
    return eigenvalues, axes * np.array(_TURNS)[best][:, None]


def _align(axes: Array, own: NDArray[np.int64], equal: NDArray[np.int64]) -> None:
    """Turn axes of one eigenvalue within their span, closest to the global ones; in place.

    Args:
        axes: Of all tensors, (n, 3, 3).
        own: Numbers of the tensors that are meant.
        equal: Numbers of the axes.
    """
    square = np.ix_(own, equal, equal)
    left, _, right = np.linalg.svd(axes[square].swapaxes(1, 2))
    columns = np.ix_(own, np.arange(3), equal)
    axes[columns] = axes[columns] @ left @ right


def _checked(eigenvalues: Array) -> Array:
    """Eigenvalues of orientations (n, 3), free of rounding."""
    traces, least = eigenvalues.sum(axis=1), eigenvalues.min(axis=1)
    refuse(
        np.abs(traces - 1.0) > ROUNDING,
        lambda point: f"the trace of orientation is {traces[point]:g}; it must be one",
    )
    refuse(
        least < -ROUNDING,
        lambda point: f"orientation has the eigenvalue {least[point]:g}; none may be negative",
    )
    eigenvalues = np.maximum(eigenvalues, 0.0)
    result: Array = eigenvalues / eigenvalues.sum(axis=1, keepdims=True)
    return result
