"""Training sets: what a network learns from, and the HDF5 file that keeps it."""

import json
import os
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmn_fem.homogenization._budget import ErrorBudget, least_order
from dmn_fem.homogenization._set_file import SetFormat, read_image, write_image
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array

FORMAT = SetFormat("dmn-fem/samples", 2, "training set")


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
        FORMAT.write(path, self._fill)

    def _fill(self, file: Any) -> None:
        """Put all into an HDF5 file."""
        file.attrs["dimension"] = self.dimension
        file.attrs["phases"] = json.dumps(self.phases)
        file.attrs["descriptors"] = json.dumps(self.descriptors)
        file.attrs["recipe"] = json.dumps(self.recipe)
        for name in ("phase_stiffness", "stiffness", "iterations", "error"):
            file[name] = getattr(self, name)
        write_image(file.create_group("image"), self.image)
        if self.error_budget is not None:
            budget = file.create_group("error_budget")
            budget.attrs["summary"] = json.dumps(self.error_budget.summary())
            budget["sample"] = self.error_budget.sample
            for key, values in sorted(self.error_budget.variants.items()):
                budget[f"stiffness/{key}"] = values

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a set that `save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, foreign or of another version.
        """
        with FORMAT.open(path) as file:
            attributes = {
                key: json.loads(file.attrs[key]) for key in ("phases", "descriptors", "recipe")
            }
            image, budget = read_image(file["image"], tuple(attributes["phases"])), None
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
                    least_order(image),
                )
            return cls(
                image,
                **arrays,
                descriptors=attributes["descriptors"],
                recipe=attributes["recipe"],
                error_budget=budget,
            )
