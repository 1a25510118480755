"""The plan of a training set: its results, each with a key, and what they are computed from.

What a result is depends on its key and on the set's recipe alone; how many there are is for the
recipe to say, and may grow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from dmn_fem.homogenization._budget import TIGHTER, BudgetSettings, ErrorBudget, least_order
from dmn_fem.homogenization._draw import CONTRAST, draw_phase_stiffness
from dmn_fem.homogenization._elastic import SOLVER, EffectiveStiffness, homogenize
from dmn_fem.homogenization._journal import Journal, Key
from dmn_fem.homogenization._training_set import TrainingSet
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array

ITSELF = "image"
"""Variant of the keys of the samples themselves."""


class ImageError(ValueError):
    """An image of an error budget cannot be made."""


class Plan[Result](Protocol):
    """What a file of results is to hold, and how they are computed; for `_campaign.run`."""

    grows: ClassVar[tuple[str, ...]]
    """Parts of the recipe that a finished file may be asked more of."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def keys(self) -> Sequence[Key]:
        """Keys of all results, in the order in which they are computed."""
        ...

    @property
    def recipe(self) -> dict[str, Any]:
        """All that determines the file."""
        ...

    @property
    def compute(self) -> Callable[..., Result]:
        """Makes a result of a task; a function that can be sent to other processes."""
        ...

    def tasks(self, keys: Sequence[Key]) -> Iterator[tuple[Any, ...]]:
        """Arguments of `compute`, made one by one."""
        ...

    def name(self, key: Key) -> str:
        """What progress and errors call a result."""
        ...

    def journal(self, path: Path, identity: dict[str, Any]) -> Journal[Result]:
        """The journal for the results."""
        ...

    def read(self) -> tuple[dict[str, Any], dict[Key, Result]]:
        """Recipe and results of the file, which is there."""
        ...

    def write(self, results: Mapping[Key, Result]) -> None:
        """Write the file from all of the results."""
        ...


@dataclass(frozen=True)
class SetPlan:
    """What a training set is to hold; a `Plan`.

    Attributes:
        path: The file.
        image: The microstructure.
        count: Number of samples.
        seed: Of the phase stiffnesses, see `draw_phase_stiffness`.
        tolerance: Relative error of the energies, see `homogenize`.
        descriptors: What describes the microstructure, by name.
        budget: Size of the error budget.
        variants: Makes the other images of the error budget, by name.
        microstructure: How the image was generated, as JSON knows it; None for an image from
            elsewhere.
        void: Name of the phase that is void, if one is.
        contrast: Least and largest factor from the first phase to another, if not those of
            `draw_phase_stiffness` itself.

    Raises:
        ValueError: If the tolerance is out of range.
    """

    grows: ClassVar[tuple[str, ...]] = ("count", "error_budget")

    path: Path
    image: PhaseImage
    count: int
    seed: int
    tolerance: float
    descriptors: Mapping[str, float]
    budget: BudgetSettings
    variants: Mapping[str, Callable[[], PhaseImage]]
    microstructure: dict[str, Any] | None = None
    void: str | None = None
    contrast: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance is {self.tolerance}; it must lie between 0 and 1")

    @cached_property
    def phase_stiffness(self) -> Array:
        """Of every sample, (n, P, S, S)."""
        names = self.image.names
        void = None if self.void is None else names.index(self.void)
        return draw_phase_stiffness(
            self.image.dimension,
            len(names),
            self.count,
            self.seed,
            void,
            CONTRAST if self.contrast is None else self.contrast,
        )

    @cached_property
    def budget_keys(self) -> dict[str, list[Key]]:
        """Keys of the error budget by variant; none without a budget."""
        if self.budget.samples == 0:
            return {}
        chosen = self.budget.choose(self.phase_stiffness)
        return {
            name: [(name, int(number)) for number in chosen]
            for name in ("tolerance", *self.variants)
        }

    @cached_property
    def keys(self) -> list[Key]:
        """Keys of all results, in the order in which they are computed."""
        samples = [(ITSELF, number) for number in range(self.count)]
        return samples + [key for keys in self.budget_keys.values() for key in keys]

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """All that determines the set."""
        return {
            "generator": "orthotropic phases after Liu, Wu and Koishi (2019)",
            "seed": int(self.seed),
            "count": int(self.count),
            "tolerance": float(self.tolerance),
            "solver": SOLVER,
            "phases": list(self.image.names),
            "void": self.void,
            "microstructure": self.microstructure,
            "phase_image": self.image.digest,
            "grid": list(self.image.shape),
            "descriptors": {name: float(value) for name, value in self.descriptors.items()},
            "error_budget": self.budget.model_dump(),
        } | ({} if self.contrast is None else {"contrast": list(self.contrast)})

    def tasks(self, keys: Sequence[Key]) -> Iterator[tuple[PhaseImage, Array, float]]:
        """Arguments of `homogenize`, made one by one.

        Raises:
            ImageError: If an image of the error budget cannot be made.
        """
        name, image = ITSELF, self.image
        for variant, number in keys:
            if variant != name:
                name = variant
                try:
                    image = self.variants.get(variant, lambda: self.image)()
                except ValueError as error:
                    message = f"{self.path}: {variant} of the error budget: {error}"
                    raise ImageError(message) from error
            tolerance = self.tolerance / TIGHTER if variant == "tolerance" else self.tolerance
            yield image, self.phase_stiffness[number], tolerance

    @property
    def compute(self) -> Callable[..., EffectiveStiffness]:
        """`homogenize`."""
        return homogenize

    def name(self, key: Key) -> str:
        """What progress and errors call a result."""
        variant, number = key
        where = "" if variant == ITSELF else f" ({variant} of the error budget)"
        return f"sample {number}{where}"

    def journal(self, path: Path, identity: dict[str, Any]) -> Journal[EffectiveStiffness]:
        """The journal for the results."""
        size = self.phase_stiffness.shape[-1]
        parts = [("stiffness", "<f8", (size, size)), ("iterations", "<i8", (size,))]
        return Journal(path, identity, EffectiveStiffness, [*parts, ("error", "<f8", ())])

    def read(self) -> tuple[dict[str, Any], dict[Key, EffectiveStiffness]]:
        """Recipe and results of the file.

        Raises:
            ValueError: If the file holds more than is asked for.
        """
        found, results = TrainingSet.load(self.path), {}
        if len(found.stiffness) > self.count:
            raise ValueError(
                f"{self.path} holds {len(found.stiffness)} samples already, {self.count} are asked "
                "for; ask for at least as many or choose another file"
            )
        samples = zip(found.stiffness, found.iterations, found.error, strict=True)
        for number, (stiffness, iterations, error) in enumerate(samples):
            results[ITSELF, number] = EffectiveStiffness(stiffness, iterations, float(error))
        if found.error_budget is not None:
            for name, variant in found.error_budget.variants.items():
                for number, stiffness in zip(found.error_budget.sample, variant, strict=True):
                    # Of the budget's results a set holds, and needs, the stiffness alone.
                    result = EffectiveStiffness(stiffness, np.zeros(len(stiffness), int), 0.0)
                    results[name, int(number)] = result
        return found.recipe, results

    def write(self, results: Mapping[Key, EffectiveStiffness]) -> None:
        """Write the training set."""
        self.training_set(results).save(self.path)

    def training_set(self, results: Mapping[Key, EffectiveStiffness]) -> TrainingSet:
        """The set, from all of its results."""
        samples = [results[key] for key in self.keys[: self.count]]
        stiffness, budget = np.stack([each.stiffness for each in samples]), None
        if self.budget_keys:
            chosen = np.array([number for _, number in self.budget_keys["tolerance"]])
            variants = {
                name: np.stack([results[key].stiffness for key in keys])
                for name, keys in self.budget_keys.items()
            }
            budget = ErrorBudget(chosen, stiffness[chosen], variants, least_order(self.image))
        return TrainingSet(
            self.image,
            self.phase_stiffness,
            stiffness,
            np.stack([each.iterations for each in samples]),
            np.array([each.error for each in samples]),
            self.recipe["descriptors"],
            self.recipe,
            budget,
        )
