"""Axes of the material within an image: how every phase is turned in every voxel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmn_fem.notation import Array


@dataclass(frozen=True)
class MaterialAxes:
    """Axes of the phases in the voxels of an image, as yarns take them along their paths.

    Attributes:
        quaternion: The T orientations that occur, unit quaternions, scalar first, from the axes of
            a phase to the global ones, (T, 4).
        number: Which of them each phase has in each voxel, uint16, (P, n1, ..., nd).

    Raises:
        ValueError: If quaternions are not of length one, turn an image in 2D out of its plane, or
            numbers are out of range.
    """

    quaternion: Array
    number: NDArray[np.uint16]

    def __post_init__(self) -> None:
        q, number = self.quaternion, self.number
        if q.ndim != 2 or q.shape[1:] != (4,) or len(q) == 0:
            raise ValueError(f"quaternions of axes have shape {q.shape}; it must be (T, 4)")
        if not np.allclose(np.linalg.norm(q, axis=1), 1.0, rtol=0, atol=1e-9):
            raise ValueError("quaternions of axes must have length one")
        if number.dtype != np.uint16 or number.ndim not in (3, 4):
            raise ValueError(
                f"numbers of axes are {number.dtype} of {number.ndim} axes; "
                "they must be uint16, (P, n1, ..., nd)"
            )
        if number.size and number.max() >= len(q):
            raise ValueError(f"axes have number {number.max()}, but there are {len(q)}")
        if number.ndim == 3 and q[:, 1:3].any():
            raise ValueError("axes in 2D turn about axis 3 alone")
