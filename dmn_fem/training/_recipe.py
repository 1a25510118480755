"""Recipes: a database from a text file, every stage a file that is made once."""

import hashlib
import os
import platform
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmn_fem.database import Database, Descriptor
from dmn_fem.homogenization import DataRecipe, sample_family, start_processes
from dmn_fem.network import Network
from dmn_fem.training._fit import Fit
from dmn_fem.training._samples import Samples
from dmn_fem.training._settings import Progress, Settings
from dmn_fem.training._starts import fit_best
from dmn_fem.training._transfer import transfer_chain

StageProgress = Callable[[str, int, int], None]
"""Told what is being made, how much of it is done, and of how much."""

type Count = Annotated[int, Field(ge=1)]
type Seed = Annotated[int, Field(ge=0)]


class Training(BaseModel):
    """Leaves, seeds of the starts at the first fraction, and L-BFGS iterations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    leaves: Annotated[int, Field(ge=2)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    iterations: Count
    transfer_iterations: Count


class Recipe(DataRecipe):
    """A family of networks over the volume fraction.

    The network of the first fraction is the best of several random starts; each further one is
    trained from the one before. The last `samples.held_out` samples are not trained on.
    """

    dimension: Literal[2, 3]
    network: Training

    @model_validator(mode="after")
    def _networks_fit_together(self) -> Self:
        if not 0 < self.samples.held_out < self.samples.count:
            raise ValueError("samples.held_out must be at least 1 and less than samples.count")
        if len(self.phases) != 2:
            raise ValueError("phases must have two names")
        return self


def _silent(stage: str, done: int, count: int) -> None:
    """Progress that nobody wants to see."""


def build(
    recipe: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    processes: int = 1,
    progress: StageProgress = _silent,
) -> Database:
    """Make a database: images, samples, the first network, the chain over the fractions, the file.

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
    files = plan.files(directory)
    with start_processes(processes) as workers:
        sets = sample_family(
            plan, directory, workers, lambda _, done, count: progress("samples", done, count)
        )
    targets = [Samples.of(each).split(plan.samples.held_out) for each in sets]
    best, starts = _first(plan, targets[0], directory, processes, progress)

    def report(each: Progress) -> None:
        stage = f"network at {plan.volume_fractions[each.start + 1]:g}"
        progress(stage, each.step, each.steps)

    settings = Settings(iterations=plan.network.transfer_iterations)
    chain = transfer_chain(
        best.network, targets[1:], settings, directory=directory, progress=report
    )
    fits = [best, *chain]
    provenance = {
        "recipe": plan.model_dump(mode="json"),
        "versions": _versions(),
        "samples_sha256": {
            f"{fraction:g}": hashlib.sha256(file.read_bytes()).hexdigest()
            for fraction, file in files.items()
        },
        "error_budgets": {
            f"{fraction:g}": each.error_budget and each.error_budget.summary()
            for fraction, each in zip(files, sets, strict=True)
        },
        "start": plan.network.seeds[starts.index(best)],
        "starts_held_out_error": [each.held_out.stiffness.mean for each in starts],
        "errors": {
            f"{fraction:g}": {"training": asdict(each.training), "held_out": asdict(each.held_out)}
            for fraction, each in zip(files, fits, strict=True)
        },
    }
    database = Database(
        # The image has the fraction to half a voxel; what is asked for is the nominal one.
        [
            each.network.with_phase_fraction([1 - fraction, fraction])
            for fraction, each in zip(files, fits, strict=True)
        ],
        [Descriptor("volume_fraction")],
        [[fraction] for fraction in files],
        provenance,
    )
    database.save(path)
    return database


def _first(
    plan: Recipe,
    target: tuple[Samples, Samples],
    directory: Path,
    processes: int,
    progress: StageProgress,
) -> tuple[Fit, list[Fit]]:
    """The network of the first fraction, the best of random starts, and all of those."""

    def report(each: Progress) -> None:
        stage = f"network at {plan.volume_fractions[0]:g}, start {each.start + 1}"
        progress(stage, each.step, each.steps)

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
    return fit_best(
        starts, *target, settings, directory=directory, processes=processes, progress=report
    )


def _versions() -> dict[str, str]:
    packages = ("dmn-fem", "numpy", "scipy", "numba", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
