"""Inelastic training sets: stresses of one microstructure along short strain paths.

Elastic samples do not determine how a network yields: full fields localise, and phases that are
uniform and elastic do not probe that. A few full-field stresses do.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmn_fem.homogenization._set_file import SetFormat, read_image, write_image
from dmn_fem.laws import PhaseLaw, parse_phases, phase_tables
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array, strain_size

FORMAT = SetFormat("dmn-fem/inelastic-samples", 1, "inelastic training set")


@dataclass(frozen=True)
class InelasticSet:
    """Full-field stresses of one microstructure along strain paths, for materials in its phases.

    Strains and stresses are Mandel vectors with s = 4 in 2D (33 included) and 6 in 3D. Every path
    starts stress-free, and a step takes a unit of time.

    Attributes:
        image: The microstructure.
        materials: The law of every phase by the phase's name, for every material.
        material: Number of the material of every path, (n,).
        strain: Macroscopic strains at the ends of the K steps, (n, K, s).
        stress: Macroscopic stresses there, (n, K, s).
        iterations: Newton iterations, (n, K).
        recipe: All that determines the set, as JSON knows it.

    Raises:
        ValueError: If shapes or phases do not match.
    """

    image: PhaseImage
    materials: tuple[Mapping[str, PhaseLaw], ...]
    material: NDArray[np.int64]
    strain: Array
    stress: Array
    iterations: NDArray[np.int64]
    recipe: dict[str, Any]

    def __post_init__(self) -> None:
        paths, steps = self.iterations.shape
        expected = {
            "material": (paths,),
            "strain": (paths, steps, strain_size(self.image.dimension)),
            "stress": (paths, steps, strain_size(self.image.dimension)),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape}")
        if not set(self.material.tolist()) <= set(range(len(self.materials))):
            raise ValueError(f"material must lie in 0 … {len(self.materials) - 1}")
        for laws in self.materials:
            if set(laws) != set(self.image.names):
                raise ValueError(
                    f"a material is of the phases {', '.join(laws)}; "
                    f"the image has {', '.join(self.image.names)}"
                )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the set to an HDF5 file, complete or not at all."""
        FORMAT.write(path, self._fill)

    def _fill(self, file: Any) -> None:
        """Put all into an HDF5 file."""
        file.attrs["phases"] = json.dumps(self.image.names)
        file.attrs["materials"] = json.dumps([phase_tables(laws) for laws in self.materials])
        file.attrs["recipe"] = json.dumps(self.recipe)
        for name in ("material", "strain", "stress", "iterations"):
            file[name] = getattr(self, name)
        write_image(file.create_group("image"), self.image)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a set that `save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, foreign or of another version.
        """
        with FORMAT.open(path) as file:
            names = tuple(json.loads(file.attrs["phases"]))
            tables = json.loads(file.attrs["materials"])
            arrays = {key: file[key][()] for key in ("material", "strain", "stress", "iterations")}
            return cls(
                read_image(file["image"], names),
                tuple(parse_phases(table, str(path)) for table in tables),
                **arrays,
                recipe=json.loads(file.attrs["recipe"]),
            )
