"""A periodic phase image: which phase fills each voxel of a unit square or cube."""

import json
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dmn_fem.notation import Array

_FORMAT = "dmn-fem/phase-image"
_VERSION = 1

# What a foreign or damaged file raises on its way through np.load, zipfile and json.
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class PhaseImage:
    """Phases of the voxels of a periodic cell of edge one.

    Axis 0 of the array is direction 1. A name may belong to no voxel.

    Attributes:
        phases: Phase of every voxel, uint8, shape (n, n) or (n, n, n).
        names: Names of the P phases; phase p is the p-th of them.

    Raises:
        ValueError: If the array is no square or cube of uint8, or holds a phase without a name.
    """

    phases: NDArray[np.uint8]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        phases = self.phases
        if phases.dtype != np.uint8:
            raise ValueError(f"phase image has dtype {phases.dtype}; it must be uint8")
        if phases.ndim not in (2, 3) or len(set(phases.shape)) != 1 or phases.size == 0:
            raise ValueError(f"phase image has shape {phases.shape}; it must be a square or cube")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"phase names {self.names} are not distinct")
        if phases.max() >= len(self.names):
            raise ValueError(
                f"phase image holds phase {phases.max()}, but names {len(self.names)} phases only"
            )

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.phases.ndim

    @property
    def grid(self) -> int:
        """Voxels along each axis."""
        return self.phases.shape[0]

    @property
    def volume_fractions(self) -> Array:
        """Volume fraction of every phase, (P,)."""
        return np.bincount(self.phases.ravel(), minlength=len(self.names)) / self.phases.size

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the image to a file (NumPy's npz), complete or not at all."""
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        header = {"format": _FORMAT, "format_version": _VERSION, "names": self.names}
        with partial.open("wb") as file:
            np.savez_compressed(file, phases=self.phases, header=np.array(json.dumps(header)))
        os.replace(partial, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an image that `save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is truncated, foreign or of a newer version.
        """
        path = Path(path)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                header, phases = json.loads(str(stored["header"])), stored["phases"]
            if header["format"] != _FORMAT:
                raise ValueError(f"its format is {header['format']!r}")
        except _DAMAGE as error:
            raise ValueError(f"{path} is not a whole phase image of dmn-fem: {error}") from error
        if header["format_version"] != _VERSION:
            raise ValueError(
                f"{path} has format version {header['format_version']}; "
                f"this dmn-fem reads version {_VERSION}"
            )
        return cls(phases, tuple(header["names"]))


def laminate(
    dimension: int,
    grid: int,
    fractions: Sequence[float],
    axis: int = 0,
    names: Sequence[str] | None = None,
) -> PhaseImage:
    """A stack of layers, one a phase, whose interfaces lie between voxels.

    Args:
        dimension: 2 or 3.
        grid: Voxels along each axis.
        fractions: Volume fractions of the layers; times `grid` they must be whole numbers.
        axis: Normal direction of the layers, from 0.
        names: Names of the phases; `layer_1`, `layer_2`, ... if not given.

    Raises:
        ValueError: If the layers do not fill the grid with whole voxels.
    """
    voxels = np.rint(np.asarray(fractions, dtype=float) * grid).astype(int)
    if voxels.sum() != grid or not np.allclose(voxels / grid, fractions, rtol=0, atol=1e-9):
        raise ValueError(
            f"layers of fractions {tuple(fractions)} do not fill {grid} voxels; "
            "each must be a whole number of voxels and their sum one"
        )
    if not 0 <= axis < dimension:
        raise ValueError(f"axis is {axis}; it must be 0 … {dimension - 1}")
    layers = np.repeat(np.arange(voxels.size, dtype=np.uint8), voxels)
    shape = [grid if i == axis else 1 for i in range(dimension)]
    phases = np.broadcast_to(layers.reshape(shape), (grid,) * dimension).copy()
    names = names or [f"layer_{i + 1}" for i in range(voxels.size)]
    return PhaseImage(phases, tuple(names))
