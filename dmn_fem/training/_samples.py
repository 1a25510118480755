"""What a network is trained on, and how well it answers that."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from dmn_fem.homogenization import TrainingSet
from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.training._model import TorchNetwork


@dataclass(frozen=True, eq=False)
class Samples:
    """Elastic samples of one microstructure.

    Attributes:
        phase_stiffness: Mandel stiffnesses of the phases, (n, P, s, s); s = 3 (11, 22, √2·12) in
            2D, 6 in 3D.
        stiffness: Homogenised stiffnesses, (n, s, s).
        phase_fraction: Volume fractions of the phases, (P,).

    Raises:
        ValueError: If the arrays do not fit together or a stiffness is not positive definite.
    """

    phase_stiffness: Array
    stiffness: Array
    phase_fraction: Array

    def __post_init__(self) -> None:
        count, size = self.stiffness.shape[0], self.stiffness.shape[-1]
        if size not in (3, 6):
            raise ValueError(
                f"stiffness has shape {self.stiffness.shape}; training takes (n, 3, 3) in 2D "
                f"(in plane: 11, 22, √2·12) and (n, 6, 6) in 3D"
            )
        shape = (count, self.phase_fraction.size, size, size)
        if self.stiffness.shape != (count, size, size) or self.phase_stiffness.shape != shape:
            raise ValueError(
                f"stiffness has shape {self.stiffness.shape} and phase_stiffness "
                f"{self.phase_stiffness.shape}; they must be {(count, size, size)} and {shape}"
            )
        if count == 0:
            raise ValueError("no samples; training needs at least one")
        for name in ("stiffness", "phase_stiffness"):
            array = getattr(self, name)
            if not np.isfinite(array).all() or np.linalg.eigvalsh(array).min() <= 0:
                raise ValueError(f"{name} holds a matrix that is not positive definite")

    @classmethod
    def of(cls, data: TrainingSet) -> "Samples":
        """The samples of a training set, at the volume fractions of its image."""
        return cls(data.phase_stiffness, data.stiffness, data.volume_fractions)

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.stiffness.shape[0]

    def split(self, held_out: int) -> tuple["Samples", "Samples"]:
        """Samples to train on, and the last `held_out` ones to check with.

        Raises:
            ValueError: If one of the two would be empty.
        """
        if not 0 < held_out < self.count:
            raise ValueError(
                f"held_out is {held_out}; of {self.count} samples 1 to {self.count - 1} can be"
            )
        parts = slice(None, -held_out), slice(-held_out, None)
        training, checking = (
            Samples(self.phase_stiffness[part], self.stiffness[part], self.phase_fraction)
            for part in parts
        )
        return training, checking

    def digest(self) -> str:
        """SHA-256 of the arrays."""
        arrays = (self.phase_stiffness, self.stiffness, self.phase_fraction)
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


@dataclass(frozen=True)
class Errors:
    """Relative errors in the Frobenius norm over samples."""

    mean: float
    percentile_95: float
    maximum: float

    @classmethod
    def between(cls, answers: Array, references: Array) -> "Errors":
        """Errors of matrices (n, s, s)."""
        difference = np.linalg.norm(answers - references, axis=(1, 2))
        error = difference / np.linalg.norm(references, axis=(1, 2))
        return cls(float(error.mean()), float(np.percentile(error, 95)), float(error.max()))


@dataclass(frozen=True)
class ErrorReport:
    """Errors in stiffness and in compliance: with high contrast they rank samples differently."""

    stiffness: Errors
    compliance: Errors


def evaluate(network: Network, samples: Samples) -> ErrorReport:
    """How well a network answers samples."""
    with torch.no_grad():
        answers = TorchNetwork(network)(torch.tensor(samples.phase_stiffness)).numpy()
    return ErrorReport(
        stiffness=Errors.between(answers, samples.stiffness),
        compliance=Errors.between(np.linalg.inv(answers), np.linalg.inv(samples.stiffness)),
    )
