"""Recipes: a database from a text file, every stage a file that is made once."""

import hashlib
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmn_fem.database import Database, Descriptor
from dmn_fem.homogenization import DataRecipe, TrainingSet, sample_family, start_processes
from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.training._family import fit_family
from dmn_fem.training._fit import Fit, fit
from dmn_fem.training._leave_one_out import leave_one_out
from dmn_fem.training._samples import Errors, Samples
from dmn_fem.training._settings import Progress, Settings
from dmn_fem.training._starts import fit_best
from dmn_fem.training._transfer import rescale

StageProgress = Callable[[str, int, int], None]
"""Told what is being made, how much of it is done, and of how much."""

_SOFT = 1e4, 1e2  # times stiffer than voids, at first
_APPROACH = 200  # iterations with each of them

type Count = Annotated[int, Field(ge=1)]
type Seed = Annotated[int, Field(ge=0)]


class Training(BaseModel):
    """How the networks are trained.

    Attributes:
        leaves: Of every network.
        root: Descriptors of the member whose network is trained first; the first member, if not
            given. What is in the middle, or dense, makes a better root than what is dilute.
        seeds: Of the random starts there.
        iterations: Of L-BFGS from each of them.
        transfer_iterations: Of every further network.
        joint_iterations: Of all networks together in the end, see `fit_family`; none if 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    leaves: Annotated[int, Field(ge=2)]
    root: dict[str, float | tuple[float, float, float]] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    iterations: Count
    transfer_iterations: Count
    joint_iterations: Annotated[int, Field(ge=0)]


class Recipe(DataRecipe):
    """A family of networks over one descriptor or several.

    The network of one member, the root, is the best of several random starts; each further one is
    trained from that of its nearest neighbour among those before, see `nearest_first`; then they
    are trained together. The last `samples.held_out` samples are not trained on.
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
        if self.network.root is not None and self.network.root not in self._entries:
            raise ValueError(f"network.root is {self.network.root}; it must be a member's")
        return self

    @property
    def _entries(self) -> list[dict[str, Any]]:
        """Descriptors of the members as the recipe gives them."""
        return [
            dict(zip(self.descriptors, values, strict=True))
            for values in product(*self.descriptors.values())
        ]

    @property
    def root(self) -> int:
        """Number of the member whose network is trained first."""
        return 0 if self.network.root is None else self._entries.index(self.network.root)

    @property
    def values(self) -> Array:
        """Descriptors of the members as numbers, (K, D)."""
        return np.array([list(member.descriptors.values()) for member in self.members])


def nearest_first(values: Array, root: int = 0) -> list[tuple[int, int]]:
    """The order of transfer: members, each with the one that its network starts from.

    The tree grows from the root by the member that is nearest to one of it (Prim's algorithm),
    every descriptor being measured in its own range. Over one descriptor it is a chain, to both
    sides of the root.

    Args:
        values: Descriptors of the members, (K, D).
        root: Number of the member to start from.

    Returns:
        Pairs of a member and an earlier one, all members but the root.
    """
    span = np.ptp(values, axis=0)
    points = values / np.where(span > 0, span, 1.0)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    done, pairs = [root], []
    left = [member for member in range(len(values)) if member != root]
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
    starts = _fit_root(plan, targets[plan.root], directory, processes, progress)
    best = min(starts, key=lambda each: each.held_out.stiffness.mean)
    stages = [_transfer(plan, best, targets, directory, progress)]
    if plan.network.joint_iterations and len(targets) > 1:
        stages.append(_join(plan, stages[0], targets, directory, progress))
    fits = stages[-1]
    networks = [each.network for each in fits]
    descriptors = [Descriptor(name) for name in plan.members[0].descriptors]
    without = leave_one_out(
        Database(networks, descriptors, plan.values), [held_out for _, held_out in targets]
    )
    provenance = _provenance(plan, directory, sets, fits, without) | {
        "learning_curves": [_curve(each) for each in zip(*stages, strict=True)],
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
    """Networks of the root, from random starts."""
    label = plan.members[plan.root].label

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
    if plan.samples.void is not None:
        number = plan.phases.index(plan.samples.void)
        starts = [_approach_void(start, target, number) for start in starts]
    settings = Settings(iterations=plan.network.iterations)
    _, fits = fit_best(
        starts, *target, settings, directory=directory, processes=processes, progress=report
    )
    return fits


def _approach_void(start: Network, target: tuple[Samples, Samples], void: int) -> Network:
    """A start for porous samples, first fitted as if the voids were merely soft.

    From a random start, where a laminate with a void carries nothing, the gradient leads nowhere:
    in the plane such networks stay 30 % off.
    """
    for factor in _SOFT:
        soft = [
            replace(each, phase_stiffness=_scaled(each.phase_stiffness, void, factor))
            for each in target
        ]
        start = fit(start, soft[0], soft[1], Settings(iterations=_APPROACH)).network
    return start


def _scaled(phase_stiffness: Array, phase: int, factor: float) -> Array:
    """The stiffnesses (n, P, s, s), those of one phase multiplied."""
    scale = np.ones(phase_stiffness.shape[1])
    scale[phase] = factor
    return scale[:, None, None] * phase_stiffness


def _transfer(
    plan: Recipe,
    root: Fit,
    targets: Sequence[tuple[Samples, Samples]],
    directory: Path,
    progress: StageProgress,
) -> list[Fit]:
    """Networks of all members, each trained from that of a neighbour."""
    settings = Settings(iterations=plan.network.transfer_iterations)
    fits = {plan.root: root}
    for number, neighbour in nearest_first(plan.values, plan.root):
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


def _join(
    plan: Recipe,
    fits: Sequence[Fit],
    targets: Sequence[tuple[Samples, Samples]],
    directory: Path,
    progress: StageProgress,
) -> list[Fit]:
    """The networks trained together."""
    return fit_family(
        [each.network for each in fits],
        targets,
        plan.values,
        Settings(iterations=plan.network.joint_iterations),
        checkpoint=directory / "family.checkpoint",
        progress=lambda each: progress("all networks", each.step, each.steps),
    )


def _curve(stages: Sequence[Fit]) -> list[list[float]]:
    """The learning curve of a network over all its trainings, steps counted on."""
    rows: list[list[float]] = []
    for each in stages:
        before = rows[-1][0] if rows else 0
        rows += [[before + step, *errors] for step, *errors in each.learning_curve]
    return rows


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
    }


def _versions() -> dict[str, str]:
    packages = ("dmn-fem", "numpy", "scipy", "numba", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
