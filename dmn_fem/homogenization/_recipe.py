"""Recipes: the training sets of a family of microstructures, from a text file."""

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from dmn_fem.homogenization._budget import BudgetSettings
from dmn_fem.homogenization._campaign import Progress, run, silent
from dmn_fem.homogenization._executors import Workers
from dmn_fem.homogenization._plan import SetPlan
from dmn_fem.homogenization._training_set import TrainingSet
from dmn_fem.microstructure import Cell, PhaseImage

type _Fraction = Annotated[float, Field(gt=0, lt=1)]


class Sampling(BaseModel):
    """Samples of every microstructure.

    Attributes:
        count: Number of samples.
        seed: Of the phase stiffnesses.
        tolerance: Relative error of the energies, see `homogenize`.
        held_out: How many, the last ones, a network is not trained on; not looked at here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    held_out: Annotated[int, Field(ge=0)] = 0


class DataRecipe(BaseModel):
    """The training sets of a family of microstructures over the volume fraction.

    Attributes:
        name: Of the family.
        dimension: 2 or 3.
        phases: Names of the phases, in the order of the generator's own.
        volume_fractions: Of what the generator says; one or more, strictly increasing.
        microstructure: The generated cell, all but its volume fraction.
        samples: What is sampled.
        error_budget: Size of the error budget of every training set.
        network: What a network is trained with, see `dmn_fem.training.Recipe`; not looked at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^\w+$")]
    dimension: int
    phases: Annotated[tuple[str, ...], Field(min_length=1)]
    volume_fractions: Annotated[
        tuple[_Fraction, ...],
        BeforeValidator(lambda given: (given,) if isinstance(given, int | float) else given),
        Field(min_length=1),
    ]
    microstructure: Cell
    samples: Sampling
    error_budget: BudgetSettings = BudgetSettings()
    network: Any = None

    @model_validator(mode="after")
    def _data_fit_together(self) -> Self:
        pairs = zip(self.volume_fractions, self.volume_fractions[1:], strict=False)
        if not all(first < second for first, second in pairs):
            raise ValueError("volume_fractions must be strictly increasing: the dilute end first")
        if len(set(self.files("").values())) < len(self.volume_fractions):
            raise ValueError("volume_fractions must differ in their first six digits")
        cell = self.microstructure
        if self.dimension != cell.dimension:
            raise ValueError(f"{cell.generator} are not of dimension {self.dimension}")
        if len(set(self.phases)) != len(self.phases):
            raise ValueError("phases must have distinct names")
        if len(self.phases) != len(cell.phases):
            raise ValueError(
                f"phases are {', '.join(self.phases)}; {cell.generator} have {len(cell.phases)}: "
                f"{', '.join(cell.phases)}"
            )
        if self.error_budget.samples and cell.grid % 2:
            raise ValueError(
                f"microstructure.grid is {cell.grid}; it must be even, as the error "
                "budget has a grid of half as many voxels (or error_budget.samples be 0)"
            )
        return self

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a TOML file.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is no TOML, or a key is missing, unknown or out of range.
        """
        try:
            return cls.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "recipe"
            raise ValueError(f"{path}: {where}: {first['msg']}") from None
        except ValueError as error:
            raise ValueError(f"{path}: no TOML file: {error}") from None

    def files(self, directory: str | os.PathLike[str]) -> dict[float, Path]:
        """The training set of every volume fraction."""
        return {
            fraction: Path(directory) / f"samples_{fraction:g}.h5"
            for fraction in self.volume_fractions
        }

    def image(self, volume_fraction: float, **changes: int) -> PhaseImage:
        """The phase image of a volume fraction, the cell being changed in some of its numbers."""
        image = self.microstructure.model_copy(update=changes).image(volume_fraction)
        matrix = None if image.matrix is None else self.phases[image.names.index(image.matrix)]
        return PhaseImage(image.phases, self.phases, image.cut, matrix, image.slender)

    def plan(self, volume_fraction: float, path: Path) -> SetPlan:
        """The plan of one training set."""

        def changed(**changes: int) -> Callable[[], PhaseImage]:
            return lambda: self.image(volume_fraction, **changes)

        cell = self.microstructure
        variants = {"coarse": changed(grid=cell.grid // 2)}
        if self.error_budget.finer_grid:
            variants["fine"] = changed(grid=2 * cell.grid)
        seed = cell.model_dump().get("seed")
        if seed is not None:
            for number in range(1, self.error_budget.realisations + 1):
                variants[f"realisation_{number}"] = changed(seed=seed + number)
        return SetPlan(
            path,
            self.image(volume_fraction),
            self.samples.count,
            self.samples.seed,
            self.samples.tolerance,
            {"volume_fraction": volume_fraction},
            self.error_budget,
            variants,
            cell.model_dump(mode="json"),
        )


def sample_family(
    recipe: DataRecipe,
    directory: str | os.PathLike[str],
    workers: Workers,
    progress: Progress = silent,
) -> list[TrainingSet]:
    """Make the training sets of a recipe, or finish them, or read them.

    The directory gets ``samples_0.1.h5`` and ``image_0.1.npz`` for every volume fraction. What they
    hold depends on the recipe alone, to the last bit. A recipe that asks for more samples, or
    another error budget, than the sets have makes them grow: only what is new is computed.

    Args:
        recipe: What to make.
        directory: Where the files go; it is made if it is not there.
        workers: Who computes, see `start_processes` and `start_ranks`.
        progress: Called after every result, and once before the first.

    Returns:
        The sets, in the order of the volume fractions.

    Raises:
        ValueError: If a microstructure cannot be made, or a file is damaged, foreign, of another
            recipe, larger than asked for or in use (it is left as it is).
        CampaignError: If a full field does not converge or a worker ended; all others are kept.
    """
    files = recipe.files(directory)
    plans = [recipe.plan(fraction, path) for fraction, path in files.items()]
    Path(directory).mkdir(parents=True, exist_ok=True)
    run(plans, workers, progress)
    for fraction, plan in zip(files, plans, strict=True):
        image = plan.path.with_name(f"image_{fraction:g}.npz")
        if not image.exists() or PhaseImage.load(image).digest != plan.image.digest:
            plan.image.save(image)
    return [TrainingSet.load(plan.path) for plan in plans]
