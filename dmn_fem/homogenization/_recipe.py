"""Recipes: the training sets of a family of microstructures, from a text file."""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from dmn_fem.homogenization._budget import BudgetSettings
from dmn_fem.homogenization._campaign import Progress, run, silent
from dmn_fem.homogenization._executors import Workers
from dmn_fem.homogenization._plan import SetPlan
from dmn_fem.homogenization._training_set import TrainingSet
from dmn_fem.microstructure import Cell, PhaseImage, read_cell

type _Eigenvalues = tuple[float, float, float]
type _Values = Annotated[
    tuple[float, ...] | tuple[_Eigenvalues, ...],
    BeforeValidator(lambda given: (given,) if isinstance(given, int | float) else given),
    Field(min_length=1),
]
_NO_DESCRIPTORS = "generator", "grid", "seed"


class Sampling(BaseModel):
    """Samples of every microstructure.

    Attributes:
        count: Number of samples.
        seed: Of the phase stiffnesses.
        tolerance: Relative error of the energies, see `homogenize`.
        void: Name of the phase that is void, if one is, see `draw_phase_stiffness`.
        contrast: Least and largest factor from the first phase to another, see there.
        held_out: How many, the last ones, a network is not trained on; not looked at here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    void: str | None = None
    # A recipe without it says nothing of it: what was made before it was known stays its own.
    contrast: tuple[float, float] | None = Field(None, exclude_if=lambda given: given is None)
    held_out: Annotated[int, Field(ge=0)] = 0

    @field_validator("contrast")
    @classmethod
    def _in_order(cls, contrast: tuple[float, float] | None) -> tuple[float, float] | None:
        if contrast is not None and not 0 < contrast[0] <= contrast[1] < float("inf"):
            raise ValueError("must be two positive numbers, least first")
        return contrast


@dataclass(frozen=True)
class Member:
    """One microstructure of a family.

    Attributes:
        descriptors: Its descriptors as numbers, by name; an orientation counts for two,
            ``orientation_1`` and ``orientation_2``, its first eigenvalues.
        cell: How it is generated.
    """

    descriptors: Mapping[str, float]
    cell: Cell

    @property
    def label(self) -> str:
        """The descriptors as text, ``0.75_0.25_0.1``: what files are named after."""
        return "_".join(f"{value:g}" for value in self.descriptors.values())


class DataRecipe(BaseModel):
    """The training sets of a family of microstructures over one descriptor or several.

    The members of the family are the product of the descriptors' values.

    Attributes:
        name: Of the family.
        dimension: 2 or 3.
        phases: Names of the phases, in the order of the generator's own.
        descriptors: Values by name, a name being that of an entry of the cell: numbers, strictly
            increasing, or, of an orientation, the eigenvalues of orientation tensors, largest
            first. The cells of the latter have the first eigenvalue along axis 1.
        microstructure: The generated cell, all but its descriptors.
        samples: What is sampled.
        error_budget: Size of the error budget of every training set.
        network: What a network is trained with, see `dmn_fem.training.Recipe`; not looked at.
        inelastic: What it is trained further with, likewise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^\w+$")]
    dimension: int
    phases: Annotated[tuple[str, ...], Field(min_length=1)]
    descriptors: Annotated[dict[str, _Values], Field(min_length=1)]
    microstructure: dict[str, Any]
    samples: Sampling
    error_budget: BudgetSettings = BudgetSettings()
    network: Any = None
    inelastic: Any = None

    @model_validator(mode="after")
    def _data_fit_together(self) -> Self:
        for name, values in self.descriptors.items():
            _check_descriptor(name, values)
        constant = [name for name, values in self.descriptors.items() if len(values) == 1]
        if constant and len(self.descriptors) > 1:
            raise ValueError(
                f"descriptors.{constant[0]}: has one value; it belongs in microstructure"
            )
        labels = [member.label for member in self.members]
        if len(set(labels)) < len(labels):
            raise ValueError("values of descriptors must differ in their first six digits")
        cell = self.members[0].cell
        if self.dimension != cell.dimension:
            raise ValueError(f"{cell.generator} are not of dimension {self.dimension}")
        if len(set(self.phases)) != len(self.phases):
            raise ValueError("phases must have distinct names")
        if len(self.phases) != len(cell.phases):
            raise ValueError(
                f"phases are {', '.join(self.phases)}; {cell.generator} have {len(cell.phases)}: "
                f"{', '.join(cell.phases)}"
            )
        if self.samples.void is not None and self.samples.void not in self.phases:
            raise ValueError(
                f"samples.void is {self.samples.void!r}; the phases are {', '.join(self.phases)}"
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

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The microstructures, the last descriptor changing first."""
        members = []
        for values in product(*self.descriptors.values()):
            entries = dict(zip(self.descriptors, values, strict=True))
            numbers: dict[str, float] = {}
            for name, value in entries.items():
                numbers |= _numbers(name, value)
            members.append(Member(numbers, self.cell(**entries)))
        return tuple(members)

    def cell(self, **values: Any) -> Cell:
        """The cell at any values of the descriptors, those of the family or others.

        Args:
            **values: As a database of the recipe knows them, ``orientation_1`` and
                ``orientation_2`` being the first eigenvalues of a diagonal orientation tensor; or
                as the cell itself does, ``orientation``.

        Raises:
            ValueError: If descriptors are missing, unknown or out of range.
        """
        if "orientation_1" in values and "orientation_2" in values:
            first, second = values.pop("orientation_1"), values.pop("orientation_2")
            values["orientation"] = (first, second, 1 - first - second)
        if sorted(values) != sorted(self.descriptors):
            raise ValueError(
                f"asked at ({', '.join(values)}); this recipe is over "
                f"({', '.join(self.descriptors)})"
            )
        twice = sorted(set(values) & set(self.microstructure))
        if twice:
            raise ValueError(f"{twice[0]} is a descriptor; microstructure must not have it, too")
        try:
            return read_cell(self.microstructure | values)
        except ValidationError as error:
            first = error.errors()[0]
            # Behind the generator, which tells one kind of cell from another.
            entry = [str(part) for part in first["loc"][1:]]
            table = "descriptors" if entry and entry[0] in values else "microstructure"
            raise ValueError(f"{'.'.join([table, *entry])}: {first['msg']}") from None

    def image(self, cell: Cell) -> PhaseImage:
        """The phase image of a cell of the family, with the recipe's names of the phases."""
        image = cell.image()
        matrix = None if image.matrix is None else self.phases[image.names.index(image.matrix)]
        return replace(image, names=self.phases, matrix=matrix)

    def set_file(self, member: Member, directory: str | os.PathLike[str]) -> Path:
        """The training set of a member."""
        return Path(directory) / f"samples_{member.label}.h5"

    def plan(self, member: Member, path: Path) -> SetPlan:
        """The plan of one training set."""
        cell = member.cell

        def changed(**changes: int) -> Callable[[], PhaseImage]:
            return lambda: self.image(cell.model_copy(update=changes))

        variants = {"coarse": changed(grid=cell.grid // 2)}
        if self.error_budget.finer_grid:
            variants["fine"] = changed(grid=2 * cell.grid)
        seed = cell.model_dump().get("seed")
        if seed is not None:
            for number in range(1, self.error_budget.realisations + 1):
                variants[f"realisation_{number}"] = changed(seed=seed + number)
        return SetPlan(
            path,
            self.image(cell),
            self.samples.count,
            self.samples.seed,
            self.samples.tolerance,
            member.descriptors,
            self.error_budget,
            variants,
            cell.model_dump(mode="json"),
            self.samples.void,
            self.samples.contrast,
        )


def _numbers(name: str, value: Any) -> dict[str, float]:
    """The numbers that a value of a descriptor is, by name."""
    if isinstance(value, tuple):
        return {f"{name}_1": value[0], f"{name}_2": value[1]}
    return {name: value}


def _check_descriptor(name: str, values: tuple[float, ...] | tuple[_Eigenvalues, ...]) -> None:
    """Refuse values that are no descriptor's."""
    if name in _NO_DESCRIPTORS:
        raise ValueError(f"descriptors.{name}: the {name} of a cell does not describe it")
    numbers = [value for value in values if isinstance(value, float)]
    if len(numbers) == len(values):
        if name == "orientation":
            raise ValueError("descriptors.orientation: each must have three eigenvalues")
        if any(first >= second for first, second in pairwise(numbers)):
            raise ValueError(f"descriptors.{name}: must be strictly increasing")
        return
    if name != "orientation":
        raise ValueError(f"descriptors.{name}: must be numbers")
    for value in values:
        if isinstance(value, tuple) and sorted(value, reverse=True) != list(value):
            raise ValueError(
                f"descriptors.orientation: {list(value)} must be eigenvalues, largest first"
            )


def sample_family(
    recipe: DataRecipe,
    directory: str | os.PathLike[str],
    workers: Workers,
    progress: Progress = silent,
) -> list[TrainingSet]:
    """Make the training sets of a recipe, or finish them, or read them.

    The directory gets ``samples_0.1.h5`` and ``image_0.1.npz`` for every member, named after its
    descriptors. What they hold depends on the recipe alone, to the last bit. A recipe that asks for
    more samples, or another error budget, than the sets have makes them grow: only what is new is
    computed.

    Args:
        recipe: What to make.
        directory: Where the files go; it is made if it is not there.
        workers: Who computes, see `start_processes` and `start_ranks`.
        progress: Called after every result, and once before the first.

    Returns:
        The sets, in the order of the members.

    Raises:
        ValueError: If a microstructure cannot be made, or a file is damaged, foreign, of another
            recipe, larger than asked for or in use (it is left as it is).
        CampaignError: If a full field does not converge or a worker ended; all others are kept.
    """
    plans = [recipe.plan(each, recipe.set_file(each, directory)) for each in recipe.members]
    Path(directory).mkdir(parents=True, exist_ok=True)
    run(plans, workers, progress)
    for member, plan in zip(recipe.members, plans, strict=True):
        image = plan.path.with_name(f"image_{member.label}.npz")
        if not image.exists() or PhaseImage.load(image).digest != plan.image.digest:
            plan.image.save(image)
    return [TrainingSet.load(plan.path) for plan in plans]
