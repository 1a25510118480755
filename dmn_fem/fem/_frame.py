"""Local axes of a law: strains are turned into them, stresses and tangents back."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.mesh import Mesh
from mpi4py import MPI
from numpy.typing import NDArray

from dmn_fem.fem._placement import rows_of
from dmn_fem.laws import Law
from dmn_fem.notation import Array, mandel_rotation

_ORTHOGONAL = 1e-6  # how far R Rᵀ may be from one


class Frame:
    """Local axes at the points of a field. Collective.

    Args:
        read: Gives directions or rotations, (cells, 1 or points, ...), see `rotations`.
        rank: 1 of directions, 2 of rotations.
        dimension: 2 or 3.
        strain_size: 4 (rotations of the plane) or 6.
        comm: Of the mesh.

    Raises:
        ValueError: As `rotations`.
    """

    def __init__(
        self,
        read: Callable[[], Array],
        rank: int,
        dimension: int,
        strain_size: int,
        comm: MPI.Comm,
    ) -> None:
        self._read, self._given = read, read()
        self._axes = rotations(self._given, rank, dimension, comm)
        turn = mandel_rotation(self._axes)[..., :strain_size, :strain_size]
        self._turn = np.ascontiguousarray(turn)

    @property
    def changed(self) -> bool:
        """Whether what was given on this rank is no longer what it was."""
        return not np.array_equal(self._read(), self._given)

    def to_local(self, vectors: Array) -> Array:
        """Local components of Mandel vectors, (cells, points, strain_size)."""
        return np.ascontiguousarray((vectors[..., None, :] @ self._turn)[..., 0, :])

    def to_global(self, vectors: Array) -> Array:
        """Global components of Mandel vectors, (cells, points, 4 or 6)."""
        turn, size = self._turn, vectors.shape[-1]
        if size != turn.shape[-1]:  # a law in space within a model in the plane
            turn = mandel_rotation(self._axes)[..., :size, :size]
        return np.asarray((turn @ vectors[..., None])[..., 0])

    def to_global_matrix(self, matrices: Array) -> Array:
        """Global components of stiffnesses, (cells, points, strain_size, strain_size)."""
        return np.asarray(self._turn @ matrices @ self._turn.swapaxes(-1, -2))


def frame_of(
    given: Any,
    compiled: Callable[[Any], fem.Expression],
    law: Law,
    mesh: Mesh,
    cells: NDArray[np.int32],
) -> Frame | None:
    """The frame of a law in some owned cells. Collective.

    Args:
        given: UFL, an array with a row for every owned cell of the mesh, or nothing.
        compiled: Makes what evaluates UFL at the quadrature points.
        law: The law.
        mesh: The mesh.
        cells: The cells.

    Raises:
        ValueError: On all ranks, if it is none.
    """
    if given is None:
        return None
    if isinstance(given, ufl.core.expr.Expr):
        rank, read = len(given.ufl_shape), partial(compiled(given).eval, mesh, cells)
    else:
        rows_of(given, "the frame", mesh, cells)
        rank, read = np.ndim(given) - 1, partial(_rows, given, cells)
    return Frame(read, rank, law.dimension, law.strain_size, mesh.comm)


def _rows(given: Any, cells: NDArray[np.int32]) -> Array:
    return np.asarray(given)[cells][:, None]


def rotations(values: Array, rank: int, dimension: int, comm: MPI.Comm) -> Array:
    """Rotations of directions, or rotations as they are. Collective.

    A direction is the local axis 1. In space the other two follow from the least rotation that
    takes the global axis 1 there; opposite to it, from the half turn about the global axis 3.

    Args:
        values: Directions (..., d) or rotations (..., d, d), with d the dimension.
        rank: 1 of directions, 2 of rotations.
        dimension: 2 or 3.
        comm: Of the mesh.

    Returns:
        (..., 3, 3).

    Raises:
        ValueError: On all ranks, if a direction is zero or a matrix no rotation on any of them.
    """
    error = None
    if rank not in (1, 2) or values.shape[-rank:] != (dimension,) * rank:
        error = (
            f"the frame has shape {values.shape[-rank:]} at a point; it must be a direction, "
            f"({dimension},), or a rotation, ({dimension}, {dimension})"
        )
    elif rank == 2:
        whole = np.zeros((*values.shape[:-2], 3, 3))
        whole[..., 2, 2] = 1.0
        whole[..., :dimension, :dimension] = values
        square = whole @ whole.swapaxes(-1, -2)
        off = np.abs(square - np.eye(3)).max(axis=(-1, -2), initial=0.0)
        wrong = ~((off < _ORTHOGONAL) & (np.linalg.det(whole) > 0))
        if wrong.any():
            error = (
                f"{np.count_nonzero(wrong)} matrices of the frame are no rotations, the first is "
                f"{values[wrong][0].round(6).tolist()}; interpolate directions, or give rotations "
                "that are constant in each cell"
            )
    else:
        length = np.linalg.norm(values, axis=-1, keepdims=True)
        wrong = ~((length > 0) & np.isfinite(length))
        if wrong.any():
            error = f"{np.count_nonzero(wrong)} directions of the frame are zero or not finite"
    errors = [each for each in comm.allgather(error) if each is not None]
    if errors:
        raise ValueError(errors[0])
    return whole if rank == 2 else _along(values / length)


def _along(direction: Array) -> Array:
    """Rotations whose local axis 1 is a unit vector, (..., 2 or 3) to (..., 3, 3)."""
    if direction.shape[-1] == 2:
        direction = np.concatenate([direction, np.zeros((*direction.shape[:-1], 1))], axis=-1)
    x, y, z = np.moveaxis(direction, -1, 0)
    flat = np.zeros_like(x)
    cross = np.array([[flat, -y, -z], [y, flat, flat], [z, flat, flat]])
    cross = np.moveaxis(cross, (0, 1), (-2, -1))
    # R = 1 + V + V² / (1 + cos): Rodrigues' formula for the rotation that takes e1 to p.
    bend = np.where(x < 0.0, (y * y + z * z) / (1.0 + abs(x)), 1.0 + x)  # 1 + x cancels at -1
    opposite = bend < 1e-12
    bend[opposite] = 1.0
    turn = np.eye(3) + cross + cross @ cross / bend[..., None, None]
    turn[opposite] = np.diag([-1.0, -1.0, 1.0])
    return np.asarray(turn)
