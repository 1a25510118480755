"""Recipes: a database from a text file, every stage a file that is made once."""

import hashlib
import os
import platform
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dmn_fem.database import Database, Descriptor
from dmn_fem.homogenization import TrainingSet, sample
from dmn_fem.microstructure import ParticleCell, PhaseImage
from dmn_fem.network import Network
from dmn_fem.training._fit import Fit, Progress, Settings, fit_best
from dmn_fem.training._samples import Samples
from dmn_fem.training._transfer import transfer_chain

StageProgress = Callable[[str, int, int], None]
"""Told what is being made, how much of it is done, and of how much."""

type Fraction = Annotated[float, Field(gt=0, lt=1)]
type Count = Annotated[int, Field(ge=1)]
type Seed = Annotated[int, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(_Table):
    """Samples at every volume fraction; the last `held_out` are not trained on."""

    count: Count
    held_out: Count
    seed: Seed
    tolerance: Annotated[float, Field(gt=0, lt=1)]


class Training(_Table):
    """Leaves, seeds of the starts at the first fraction, and L-BFGS iterations."""

    leaves: Annotated[int, Field(ge=2)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    iterations: Count
    transfer_iterations: Count


class Recipe(_Table):
    """A family of networks over the volume fraction.

    The network of the first fraction is the best of several random starts; each further one is
    trained from the one before.
    """

    name: Annotated[str, Field(pattern=r"^\w+$")]
    dimension: Literal[2, 3]
    phases: tuple[str, str]
    volume_fractions: Annotated[tuple[Fraction, ...], Field(min_length=1)]
    microstructure: ParticleCell
    samples: Sampling
    network: Training

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not (np.diff(self.volume_fractions) > 0).all():
            raise ValueError("volume_fractions must be strictly increasing: the dilute end first")
        if self.dimension != self.microstructure.dimension:
            kind = self.microstructure.generator
            raise ValueError(f"{kind} are not of dimension {self.dimension}")
        if self.samples.held_out >= self.samples.count:
            raise ValueError("samples.held_out must be less than samples.count")
        if len(set(self.phases)) != len(self.phases):
            raise ValueError("phases must have two names")
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
    files = {fraction: directory / f"samples_{fraction:g}.h5" for fraction in plan.volume_fractions}
    sets = [_samples(plan, fraction, file, processes, progress) for fraction, file in files.items()]
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


def _samples(
    plan: Recipe, fraction: float, file: Path, processes: int, progress: StageProgress
) -> TrainingSet:
    """The training set of one volume fraction, and its phase image beside it."""
    # Made anew at every call, so that samples of another cell are refused.
    image = PhaseImage(plan.microstructure.image(fraction).phases, plan.phases)
    training_set = sample(
        image,
        file,
        plan.samples.count,
        plan.samples.seed,
        plan.samples.tolerance,
        processes,
        {"volume_fraction": fraction},
        lambda done, count: progress(f"samples at {fraction:g}", done, count),
    )
    image.save(file.with_name(f"image_{fraction:g}.npz"))
    return training_set


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
