"""Training sets: what a network learns from, and the HDF5 file that keeps it.

The file starts with a line that names the format and holds the SHA-256 of all behind it: not a bit
of a set changes unnoticed. HDF5 skips it as a user block.

h5py is imported where a file is touched: its HDF5 and that of a conda or Debian DOLFINx may clash,
and the unit cell of this room runs beside DOLFINx.
"""

import errno
import hashlib
import io
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmn_fem._files import write_atomically
from dmn_fem.homogenization._budget import ErrorBudget, least_order
from dmn_fem.microstructure import CutVoxels, PhaseImage
from dmn_fem.notation import Array

FORMAT = "dmn-fem/samples"
VERSION = 2
_HEADER = 512  # bytes: the least user block of HDF5


@dataclass(frozen=True)
class TrainingSet:
    """Phase stiffnesses, and the effective stiffnesses that one microstructure makes of them.

    Stiffnesses are Mandel matrices with S = 3 (in plane: 11, 22, √2·12) in 2D and 6 in 3D.

    Attributes:
        image: The microstructure.
        phase_stiffness: (n, P, S, S).
        stiffness: Effective stiffnesses, (n, S, S).
        iterations: Conjugate gradient iterations of every load case, (n, S).
        error: Largest estimated relative error of the energy of a load case, (n,).
        descriptors: What describes the microstructure, by name (``volume_fraction``, ...).
        recipe: All that determines the set, as JSON knows it.
        error_budget: How far the stiffnesses can be trusted, if that was computed.

    Raises:
        ValueError: If shapes do not match.
    """

    image: PhaseImage
    phase_stiffness: Array
    stiffness: Array
    iterations: NDArray[np.int64]
    error: Array
    descriptors: dict[str, float]
    recipe: dict[str, Any]
    error_budget: ErrorBudget | None = None

    def __post_init__(self) -> None:
        count, size = self.error.size, 3 if self.dimension == 2 else 6
        expected = {
            "phase_stiffness": (count, len(self.phases), size, size),
            "stiffness": (count, size, size),
            "iterations": (count, size),
            "error": (count,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape}")

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

        buffer = io.BytesIO()
        with h5py.File(buffer, "w", userblock_size=_HEADER) as file:
            file.attrs["format"] = FORMAT
            file.attrs["format_version"] = VERSION
            file.attrs["dimension"] = self.dimension
            file.attrs["phases"] = json.dumps(self.phases)
            file.attrs["descriptors"] = json.dumps(self.descriptors)
            file.attrs["recipe"] = json.dumps(self.recipe)
            for name in ("phase_stiffness", "stiffness", "iterations", "error"):
                file[name] = getattr(self, name)
            image = file.create_group("image")
            image.attrs["matrix"] = json.dumps(self.image.matrix)
            image.attrs["slender"] = self.image.slender
            image["phases"] = self.image.phases
            if self.image.cut is not None:
                for key, values in vars(self.image.cut).items():
                    image[f"cut/{key}"] = values
            if self.error_budget is not None:
                budget = file.create_group("error_budget")
                budget.attrs["summary"] = json.dumps(self.error_budget.summary())
                budget["sample"] = self.error_budget.sample
                for key, values in sorted(self.error_budget.variants.items()):
                    budget[f"stiffness/{key}"] = values
        content = buffer.getvalue()[_HEADER:]
        write_atomically(path, _header(content) + content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a set that `save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, foreign or of another version.
        """
        import h5py

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, "no such training set", str(path))
        content = path.read_bytes()
        _refuse(path, content)
        with h5py.File(io.BytesIO(content), "r") as file:
            attributes = {
                key: json.loads(file.attrs[key]) for key in ("phases", "descriptors", "recipe")
            }
            image, cut, budget = file["image"], None, None
            if "cut" in image:
                cut = CutVoxels(*(image["cut"][each.name][()] for each in fields(CutVoxels)))
            matrix = json.loads(image.attrs["matrix"])
            kind = matrix, bool(image.attrs["slender"])
            phases = PhaseImage(image["phases"][()], tuple(attributes["phases"]), cut, *kind)
            arrays = {
                key: file[key][()]
                for key in ("phase_stiffness", "stiffness", "iterations", "error")
            }
            if "error_budget" in file:
                sample, variants = (file["error_budget"][key] for key in ("sample", "stiffness"))
                budget = ErrorBudget(
                    sample[()],
                    arrays["stiffness"][sample[()]],
                    {key: values[()] for key, values in variants.items()},
                    least_order(phases),
                )
            return cls(
                phases,
                **arrays,
                descriptors=attributes["descriptors"],
                recipe=attributes["recipe"],
                error_budget=budget,
            )


def _header(content: bytes) -> bytes:
    """The bytes in front of an HDF5 file."""
    line = f"{FORMAT} {VERSION} sha256 {hashlib.sha256(content).hexdigest()}\n"
    return line.encode().ljust(_HEADER, b"\0")


def _refuse(path: Path, content: bytes) -> None:
    """Say what is wrong with the bytes of a file, if anything is."""
    start = f"{FORMAT} ".encode()
    if not content.startswith(start):
        raise ValueError(
            f"{path} is damaged or no training set: it starts with no {FORMAT!r} (a set of format "
            "version 1 must be made again)"
        )
    version = content[len(start) : _HEADER].partition(b" ")[0].decode(errors="replace")
    if version.isdecimal() and version != str(VERSION):
        raise ValueError(
            f"{path} has format version {version}; this dmn-fem reads version {VERSION}"
        )
    if content[:_HEADER] != _header(content[_HEADER:]):
        raise ValueError(
            f"{path} is damaged or truncated: it is not what its checksum tells; remove it, and "
            "the same call makes it again"
        )
