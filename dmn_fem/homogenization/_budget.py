"""Error budget: how far the effective stiffnesses of a training set can be trusted.

A few of its samples, spread over the contrast of the phases, are computed again under other
conditions: on other grids, in other realisations of the microstructure, to a tighter tolerance. All
differences are relative ones in the Frobenius norm.

References:
    Kanit, Forest, Galliet, Mounoury and Jeulin (2003), Determination of the size of the
    representative volume element for random composites, Int. J. Solids Struct. 40, 3647-3679.
    Roache (1994), Perspective: a method for uniform reporting of grid refinement studies, J. Fluids
    Eng. 116 (limits of an observed order).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import stdtrit

from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array

TIGHTER = 10.0
"""How many times less than the set's own tolerance that of the variant ``tolerance`` is."""
_POOL = 4  # samples to choose one from: with so many the choice does not change when a set grows
_HIGHEST_ORDER = 2.0  # that composite voxels reach


class BudgetSettings(BaseModel):
    """What an error budget is made of.

    Attributes:
        samples: How many of the set's samples it is made with, at most; 0 for no budget.
        realisations: Further realisations of the microstructure, if it is generated.
        finer_grid: Compute on a grid of half the voxel size, too, which costs 4 (2D) or 8 (3D)
            times a sample; the order of convergence is then observed instead of assumed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: Annotated[int, Field(ge=0)] = 8
    realisations: Annotated[int, Field(ge=0)] = 5
    finer_grid: bool = False

    def choose(self, phase_stiffness: Array) -> NDArray[np.int64]:
        """Numbers of the samples that the budget is made with, from soft to stiff last phases.

        Args:
            phase_stiffness: Of all samples, (n, P, S, S); the choice is among the first.
        """
        pool = phase_stiffness[: _POOL * self.samples]
        _, log_determinant = np.linalg.slogdet(pool)
        order = np.argsort(log_determinant[:, -1] - log_determinant[:, 0], kind="stable")
        count = min(self.samples, len(pool))
        return np.sort(order[np.arange(count) * (len(pool) - 1) // max(count - 1, 1)])


def least_order(image: PhaseImage) -> float:
    """Order of convergence, in the voxel size, that stiffnesses of an image have at least.

    One for inclusions in a matrix on composite voxels, one half for all other images. Measured, for
    contrasts to 1000: 1.0 to 2.0 and more there, 0.5 to 1.0 on whole voxels and where no phase
    surrounds the other.
    """
    return 1.0 if image.cut is not None and image.matrix is not None else 0.5


@dataclass(frozen=True)
class Spread:
    """A relative error over the samples of a budget."""

    mean: float
    maximum: float

    @classmethod
    def of(cls, errors: Array) -> "Spread":
        """Of one error a sample."""
        return cls(float(errors.mean()), float(errors.max()))


@dataclass(frozen=True)
class Discretisation:
    """Error that is due to the grid.

    With a finer grid it is the difference of that to the set's own, times 2ᵖ/(2ᵖ-1): the order p is
    observed on the three grids, from the mean differences, and held between the least one of such
    images (see `least_order`) and 2. Without, it is the difference to the coarser grid over 2ᵖ-1
    for that least order, which errs on the safe side.

    Attributes:
        error: The extrapolated error of the set's own grid.
        order: The order p that was used.
        observed: Whether it was observed.
    """

    error: Spread
    order: float
    observed: bool


@dataclass(frozen=True)
class Realisations:
    """Scatter over realisations of the microstructure, its components added up as squares.

    Attributes:
        count: Number N of realisations, the set's own included.
        standard_deviation: Of one realisation, relative to the mean.
        confidence_95: Half width of the 95 % confidence interval of the mean of N (Student's t).
    """

    count: int
    standard_deviation: Spread
    confidence_95: Spread


@dataclass(frozen=True)
class ErrorBudget:
    """Samples of a training set under other conditions.

    Attributes:
        sample: Numbers of the samples, (m,).
        reference: Their effective stiffnesses in the set, (m, S, S).
        variants: The same under other conditions, by name: ``tolerance``, ``coarse``, ``fine``,
            ``realisation_1`` ...
        least_order: Order of convergence that the grids have at least.

    Raises:
        ValueError: If shapes do not match.
    """

    sample: NDArray[np.int64]
    reference: Array
    variants: Mapping[str, Array]
    least_order: float

    def __post_init__(self) -> None:
        for name, stiffness in {"reference": self.reference, **self.variants}.items():
            if stiffness.shape != (self.sample.size, *self.reference.shape[1:]):
                raise ValueError(f"{name} of the error budget has shape {stiffness.shape}")

    @property
    def tolerance(self) -> Spread:
        """Error that is due to the solver's tolerance: the difference to a tighter one."""
        return Spread.of(_difference(self.reference, self.variants["tolerance"]))

    @property
    def discretisation(self) -> Discretisation | None:
        """Error that is due to the grid; None if there is no other grid."""
        if "coarse" not in self.variants:
            return None
        coarser = _difference(self.variants["coarse"], self.reference)
        if "fine" not in self.variants:
            error = coarser / (2**self.least_order - 1)
            return Discretisation(Spread.of(error), self.least_order, observed=False)
        finer = _difference(self.reference, self.variants["fine"])
        order = self.least_order
        if finer.any():
            order = float(np.log2(max(coarser.mean() / finer.mean(), 2**order)))
            order = min(order, _HIGHEST_ORDER)
        error = finer * 2**order / (2**order - 1)
        return Discretisation(Spread.of(error), order, observed=True)

    @property
    def realisations(self) -> Realisations | None:
        """Scatter over realisations; None if there is but one."""
        others = [each for name, each in self.variants.items() if name.startswith("realisation_")]
        if not others:
            return None
        all_of_them = np.stack([self.reference, *others])
        count, mean = len(all_of_them), all_of_them.mean(axis=0)
        variance = ((all_of_them - mean) ** 2).sum(axis=(0, 2, 3)) / (count - 1)
        deviation = np.sqrt(variance) / np.linalg.norm(mean, axis=(1, 2))
        interval = stdtrit(count - 1, 0.975) / np.sqrt(count) * deviation
        return Realisations(count, Spread.of(deviation), Spread.of(interval))

    def summary(self) -> dict[str, Any]:
        """All parts as JSON knows them; None for what is not available."""
        parts = {
            "discretisation": self.discretisation,
            "realisations": self.realisations,
            "tolerance": self.tolerance,
        }
        return {"samples": self.sample.size} | {
            name: None if part is None else asdict(part) for name, part in parts.items()
        }


def _difference(values: Array, references: Array) -> Array:
    """‖C - C'‖ / ‖C'‖ of matrices (m, s, s), (m,)."""
    return np.linalg.norm(values - references, axis=(1, 2)) / np.linalg.norm(
        references, axis=(1, 2)
    )
