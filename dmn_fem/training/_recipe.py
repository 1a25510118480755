"""Recipes: a database from a text file, every stage a file that is made once."""

import hashlib
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmn_fem.database import Database, Descriptor
from dmn_fem.homogenization import DataRecipe, TrainingSet, sample_family, start_processes
from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.training._fit import Fit, fit
from dmn_fem.training._leave_one_out import leave_one_out
from dmn_fem.training._samples import Errors, Samples
from dmn_fem.training._settings import Progress, Settings
from dmn_fem.training._starts import fit_best
from dmn_fem.training._transfer import rescale

StageProgress = Callable[[str, int, int], None]
"""Told what is being made, how much of it is done, and of how much."""

type Count = Annotated[int, Field(ge=1)]
type Seed = Annotated[int, Field(ge=0)]


class Training(BaseModel):
    """Leaves, seeds of the starts at the first member, and L-BFGS iterations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    leaves: Annotated[int, Field(ge=2)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    iterations: Count
    transfer_iterations: Count


class Recipe(DataRecipe):
    """A family of networks over one descriptor or several.

    The network of the first member, the root, is the best of several random starts; each further
    one is trained from that of its nearest neighbour among those before, see `nearest_first`.
    The last `samples.held_out` samples are not trained on.
    """

    dimension: Literal[2, 3]
    network: Training

    @model_validator(mode="after")
    def _networks_fit_together(self) -> Self:
        if not 0 < self.samples.held_out < self.samples.count:
            raise ValueError("samples.held_out must be at least 1 and less than samples.count")
        if self.network.leaves < len(self.phases):
            raise ValueError(
                f"network.leaves is {self.network.leaves}; each of the {len(self.phases)} phases "
                "needs one"
            )
        return self

    @property
    def values(self) -> Array:
        """Descriptors of the members as numbers, (K, D)."""
        return np.array([list(member.descriptors.values()) for member in self.members])


def nearest_first(values: Array) -> list[tuple[int, int]]:
    """The order of transfer: members, each with the one that its network starts from.

    The tree grows from member 0 by the member that is nearest to one of it (Prim's algorithm),
    every descriptor being measured in its own range. Over one descriptor it is a chain.

    Args:
        values: Descriptors of the members, (K, D).

    Returns:
        Pairs of a member and an earlier one, all members but the first.
    """
    span = np.ptp(values, axis=0)
    points = values / np.where(span > 0, span, 1.0)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    done, pairs = [0], []
    left = list(range(1, len(values)))
    while left:
        between = distance[np.ix_(left, done)]
        # Rounding must not decide between neighbours that are equally near.
        row, column = np.argwhere(between <= between.min() + 1e-9)[0]
        member = left.pop(row)
        pairs.append((member, done[column]))
        done.append(member)
    return pairs


def _silent(stage: str, done: int, count: int) -> None:
    """Progress that nobody wants to see."""


def build(
    recipe: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    processes: int = 1,
    progress: StageProgress = _silent,
) -> Database:
    """Make a database: images, samples, the first network, the transfer to all others, the file.

    Every stage leaves a file in the directory and is not done again; a killed build goes on from
    them to the same networks, and a finished one is read. The database is ``NAME.safetensors``.

    Args:
        recipe: The TOML file, see `Recipe`.
        directory: Where the files go; it is made if it is not there.
        processes: Processes for samples and for starts. With more than one a script that calls
            this needs the usual ``if __name__ == "__main__":``.
        progress: Called often.

    Raises:
        ValueError: If the recipe is wrong, or a file in the directory is damaged or of another
            recipe (it is left as it is).
    """
    plan, directory = Recipe.load(recipe), Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{plan.name}.safetensors"
    if path.exists():
        database = Database.load(path)
        if database.provenance.get("recipe") != plan.model_dump(mode="json"):
            raise ValueError(f"{path}: made from another recipe; delete it or build elsewhere")
        return database
    with start_processes(processes) as workers:
        sets = sample_family(
            plan, directory, workers, lambda _, done, count: progress("samples", done, count)
        )
    targets = [Samples.of(each).split(plan.samples.held_out) for each in sets]
    starts = _fit_root(plan, targets[0], directory, processes, progress)
    best = min(starts, key=lambda each: each.held_out.stiffness.mean)
    fits = _transfer(plan, best, targets, directory, progress)
    networks = [each.network for each in fits]
    descriptors = [Descriptor(name) for name in plan.members[0].descriptors]
    without = leave_one_out(
        Database(networks, descriptors, plan.values), [held_out for _, held_out in targets]
    )
    provenance = _provenance(plan, directory, sets, fits, without) | {
        "start": plan.network.seeds[starts.index(best)],
        "starts_held_out_error": [each.held_out.stiffness.mean for each in starts],
    }
    database = Database(networks, descriptors, plan.values, provenance)
    database.save(path)
    return database


def _fit_root(
    plan: Recipe,
    target: tuple[Samples, Samples],
    directory: Path,
    processes: int,
    progress: StageProgress,
) -> list[Fit]:
    """Networks of the first member, from random starts."""
    label = plan.members[0].label

    def report(each: Progress) -> None:
        progress(f"network at {label}, start {each.start + 1}", each.step, each.steps)

    starts = [
        Network.random(
            plan.dimension,
            plan.phases,
            target[0].phase_fraction,
            plan.network.leaves,
            np.random.default_rng(seed),
        )
        for seed in plan.network.seeds
    ]
    settings = Settings(iterations=plan.network.iterations)
    _, fits = fit_best(
        starts, *target, settings, directory=directory, processes=processes, progress=report
    )
    return fits


def _transfer(
    plan: Recipe,
    root: Fit,
    targets: Sequence[tuple[Samples, Samples]],
    directory: Path,
    progress: StageProgress,
) -> list[Fit]:
    """Networks of all members, each trained from that of a neighbour."""
    settings = Settings(iterations=plan.network.transfer_iterations)
    fits = {0: root}
    for number, neighbour in nearest_first(plan.values):
        label = plan.members[number].label

        def report(each: Progress, stage: str = f"network at {label}") -> None:
            progress(stage, each.step, each.steps)

        training, held_out = targets[number]
        fits[number] = fit(
            rescale(fits[neighbour].network, training.phase_fraction),
            training,
            held_out,
            settings,
            checkpoint=directory / f"network_{label}.checkpoint",
            progress=report,
        )
    return [fits[number] for number in range(len(targets))]


def _provenance(
    plan: Recipe,
    directory: Path,
    sets: Sequence[TrainingSet],
    fits: Sequence[Fit],
    without: Sequence[Errors | None],
) -> dict[str, Any]:
    """What the networks were made from and how good they are, in the order of the networks."""
    files = [plan.set_file(member, directory) for member in plan.members]
    return {
        "recipe": plan.model_dump(mode="json"),
        "versions": _versions(),
        "samples_sha256": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        "error_budgets": [each.error_budget and each.error_budget.summary() for each in sets],
        "errors": [
            {
                "training": asdict(each.training),
                "held_out": asdict(each.held_out),
                "leave_one_out": None if stand_in is None else asdict(stand_in),
            }
            for each, stand_in in zip(fits, without, strict=True)
        ],
        "learning_curves": [each.learning_curve for each in fits],
    }


def _versions() -> dict[str, str]:
    packages = ("dmn-fem", "numpy", "scipy", "numba", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
