"""Databases from recipes: samples and trainings are files that are made once."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dmn_fem.database import Database, Descriptor
from dmn_fem.homogenization import (
    TrainingSet,
    Workers,
    sample_family,
    sample_inelastic_family,
    start_processes,
)
from dmn_fem.network import Network
from dmn_fem.training._checkpoint import CheckpointError
from dmn_fem.training._family import fit_family
from dmn_fem.training._fit import Fit, fit
from dmn_fem.training._inelastic import InelasticSamples
from dmn_fem.training._leave_one_out import leave_one_out
from dmn_fem.training._provenance import file_sha256, package_versions
from dmn_fem.training._pruning import prune_fits
from dmn_fem.training._recipe import Recipe, nearest_first
from dmn_fem.training._samples import Errors, Samples
from dmn_fem.training._settings import Progress, Settings
from dmn_fem.training._starts import fit_best
from dmn_fem.training._transfer import rescale

StageProgress = Callable[[str, int, int], None]
"""Told what is being made, how much of it is done, and of how much."""

type Target = tuple[Samples, Samples]

_CHECKED = 6  # one inelastic path in so many is not trained on


def _silent(stage: str, done: int, count: int) -> None:
    """Progress that nobody wants to see."""


def build(
    recipe: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    processes: int = 1,
    progress: StageProgress = _silent,
) -> Database:
    """Make a database: images, samples, the first network, transfer, pruning, the file.

    Samples and trainings leave files in the directory and are not done again (pruning is); a killed
    build goes on from them to the same networks, and a finished one is read. The database is
    ``NAME.safetensors``.

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
    try:
        database = _made(plan, directory, processes, progress)
    except CheckpointError:
        raise ValueError(
            f"{directory}: holds checkpoints of another recipe; delete its *.checkpoint files "
            "(samples stay) or build elsewhere"
        ) from None
    database.save(path)
    return database


def _made(plan: Recipe, directory: Path, processes: int, progress: StageProgress) -> Database:
    """The database of a recipe."""
    with start_processes(processes) as workers:
        sets = sample_family(
            plan, directory, workers, lambda _, done, count: progress("samples", done, count)
        )
        answers = _inelastic_answers(plan, directory, workers, progress)
    targets = [Samples.of(each).split(plan.samples.held_out) for each in sets]
    turned = sets[plan.root].image.axes is not None
    best, starts = _fit_root(plan, targets[plan.root], turned, directory, processes, progress)
    fits, pruning = _transfer(plan, best, targets, directory, progress), None
    if plan.network.pruning is not None:
        progress("pruning", 0, 1)
        fits, pruning = prune_fits(fits, targets, plan.network.pruning)
        progress("pruning", 1, 1)
    stages = [fits]
    if plan.network.joint_iterations:
        steps = plan.network.joint_iterations
        stages.append(_together(plan, stages[-1], targets, None, steps, directory, progress))
    if plan.network.inelastic_iterations is not None:
        steps, training = plan.network.inelastic_iterations, [each for each, _ in answers]
        stages.append(_together(plan, stages[-1], targets, training, steps, directory, progress))
    fits = stages[-1]
    networks = [each.network for each in fits]
    descriptors = [Descriptor(name) for name in plan.members[0].descriptors]
    without = leave_one_out(
        Database(networks, descriptors, plan.values), [held_out for _, held_out in targets]
    )
    provenance = _provenance(plan, directory, sets, fits, without) | {
        "pruning": pruning,
        "learning_curves": [_curve(each) for each in zip(*stages, strict=True)],
        "inelastic_errors": [
            {
                "training": asdict(training.errors(network)),
                "held_out": asdict(held_out.errors(network)),
            }
            for network, (training, held_out) in zip(networks, answers, strict=False)
        ],
        "start": plan.network.seeds[starts.index(best)],
        "starts_held_out_error": [each.held_out.stiffness.mean for each in starts],
    }
    return Database(networks, descriptors, plan.values, provenance)


def _fit_root(
    plan: Recipe,
    target: Target,
    turned: bool,
    directory: Path,
    processes: int,
    progress: StageProgress,
) -> tuple[Fit, list[Fit]]:
    """Networks of the root, from random starts: the best one, and all of them.

    Where the phases of the cell are turned, the leaves are as well, at first by nothing.
    """
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
    if turned:
        starts = [start.aligned() for start in starts]
    return fit_best(
        starts,
        *target,
        Settings(iterations=plan.network.iterations),
        void=None if plan.samples.void is None else plan.phases.index(plan.samples.void),
        directory=directory,
        processes=processes,
        progress=report,
    )


def _transfer(
    plan: Recipe,
    root: Fit,
    targets: Sequence[Target],
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


def _together(
    plan: Recipe,
    fits: Sequence[Fit],
    targets: Sequence[Target],
    answers: Sequence[InelasticSamples] | None,
    iterations: int,
    directory: Path,
    progress: StageProgress,
) -> list[Fit]:
    """All networks trained at once, on inelastic answers, too, if there are any."""
    name = "family" if answers is None else "inelastic_family"
    stage = "all networks" if answers is None else "all networks, inelastic"
    networks, settings = [each.network for each in fits], Settings(iterations=iterations)

    def report(each: Progress) -> None:
        progress(stage, each.step, each.steps)

    checkpoint = directory / f"{name}.checkpoint"
    if len(networks) == 1:
        answer = None if answers is None else answers[0]
        return [
            fit(
                networks[0],
                *targets[0],
                settings,
                inelastic=answer,
                checkpoint=checkpoint,
                progress=report,
            )
        ]
    return fit_family(
        networks,
        targets,
        plan.values,
        settings,
        smoothness=plan.network.smoothness,
        inelastic=answers,
        checkpoint=checkpoint,
        progress=report,
    )


def _inelastic_answers(
    plan: Recipe, directory: Path, workers: Workers, progress: StageProgress
) -> list[tuple[InelasticSamples, InelasticSamples]]:
    """Of every member, to train on and to check with; none without that stage."""
    if plan.inelastic is None:
        return []
    change = {} if plan.inelastic.grid is None else {"grid": plan.inelastic.grid}
    images = {
        directory / f"inelastic_{member.label}.h5": plan.image(
            member.cell.model_copy(update=change)
        )
        for member in plan.members
    }
    sets = sample_inelastic_family(
        plan.inelastic,
        images,
        workers,
        lambda _, done, count: progress("inelastic samples", done, count),
    )
    weight, checked = plan.inelastic.weight, max(plan.inelastic.paths // _CHECKED, 1)
    return [InelasticSamples.of(each, weight).split(checked) for each in sets]


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
        "versions": package_versions(),
        "samples_sha256": [file_sha256(file) for file in files],
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
