"""Training sets: what a network learns from, and the HDF5 file that keeps it.

h5py is imported where a file is touched: its HDF5 and that of a conda or Debian DOLFINx may clash,
and the unit cell of this room runs beside DOLFINx.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array

FORMAT = "dmn-fem/samples"
VERSION = 1


@dataclass(frozen=True)
class TrainingSet:
    """Phase stiffnesses, and the effective stiffnesses that one microstructure makes of them.

    Stiffnesses are Mandel matrices with S = 3 (in plane: 11, 22, √2·12) in 2D and 6 in 3D.

    Attributes:
        image: The microstructure.
        phase_stiffness: (n, P, S, S).
        stiffness: Effective stiffnesses, (n, S, S).
        iterations: Conjugate gradient iterations of every load case, (n, S).
        residual: Largest relative residual of the load cases, (n,).
        descriptors: What describes the microstructure, by name (``volume_fraction``, ...).
        recipe: All that determines the set, as JSON knows it.
    """

    image: PhaseImage
    phase_stiffness: Array
    stiffness: Array
    iterations: NDArray[np.int64]
    residual: Array
    descriptors: dict[str, float]
    recipe: dict[str, Any]

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.image.dimension

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the P phases."""
        return self.image.names

    @property
    def volume_fractions(self) -> Array:
        """Volume fractions of the phases in the image, (P,)."""
        return self.image.volume_fractions

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the set to an HDF5 file, complete or not at all."""
        import h5py

        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        with h5py.File(partial, "w") as file:
            file.attrs["format"] = FORMAT
            file.attrs["format_version"] = VERSION
            file.attrs["dimension"] = self.dimension
            file.attrs["phases"] = json.dumps(self.phases)
            file.attrs["descriptors"] = json.dumps(self.descriptors)
            file.attrs["recipe"] = json.dumps(self.recipe)
            file["phase_stiffness"] = self.phase_stiffness
            file["stiffness"] = self.stiffness
            file["iterations"] = self.iterations
            file["residual"] = self.residual
            file["phase_image"] = self.image.phases
        os.replace(partial, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a set that `save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is truncated, foreign, of a newer version or inconsistent.
        """
        import h5py

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no training set {path}")
        try:
            with h5py.File(path, "r") as file:
                _refuse_other_format(path, file.attrs)
                names = tuple(json.loads(file.attrs["phases"]))
                loaded = cls(
                    PhaseImage(file["phase_image"][()], names),
                    file["phase_stiffness"][()],
                    file["stiffness"][()],
                    file["iterations"][()],
                    file["residual"][()],
                    json.loads(file.attrs["descriptors"]),
                    json.loads(file.attrs["recipe"]),
                )
        except OSError as error:
            raise ValueError(f"{path} is truncated or no HDF5 file: {error}") from error
        except KeyError as error:
            raise ValueError(f"{path} is an incomplete training set: {error}") from error
        loaded._check(path)
        return loaded

    def _check(self, path: Path) -> None:
        count, size = self.residual.size, 3 if self.dimension == 2 else 6
        expected = {
            "phase_stiffness": (count, len(self.phases), size, size),
            "stiffness": (count, size, size),
            "iterations": (count, size),
            "residual": (count,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{path}: {name} has shape {getattr(self, name).shape}; it must be {shape}"
                )


def _refuse_other_format(path: Path, attributes: Mapping[str, Any]) -> None:
    if attributes.get("format") != FORMAT:
        raise ValueError(
            f"{path} is no training set: its format is {attributes.get('format')!r}, "
            f"it must be {FORMAT!r}"
        )
    if attributes["format_version"] != VERSION:
        raise ValueError(
            f"{path} has format version {attributes['format_version']}; "
            f"this dmn-fem reads version {VERSION}"
        )
