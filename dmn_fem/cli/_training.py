"""The verbs that make networks from training sets: train and transfer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from dmn_fem.cli._console import console, progress_bar
from dmn_fem.cli._database import At, asked, check_descriptors
from dmn_fem.cli._family import Target, save_family
from dmn_fem.notation import Array

if TYPE_CHECKING:
    from dmn_fem.homogenization import TrainingSet
    from dmn_fem.training import Frozen, InelasticSamples, Settings
    from dmn_fem.training import Progress as Training

_ROUNDED = 0.02  # how much volume fractions of one cell on two grids may differ

SampleFile = Annotated[Path, typer.Argument(metavar="H5", help="A training set.")]
OutputDatabase = Annotated[Path, typer.Option("--output", metavar="FILE", help="The database.")]
HeldOut = Annotated[int, typer.Option(help="Samples that are not trained on.")]
Iterations = Annotated[int, typer.Option(help="Iterations of L-BFGS, at most.")]
Optimizer = Annotated[str, typer.Option(help="lbfgs, adam or adam+lbfgs, one after the other.")]
Inelastic = Annotated[
    list[Path] | None,
    typer.Option(
        "--inelastic",
        metavar="H5",
        help="Inelastic training set of the same cell, fitted as well; for transfer once a target.",
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        help="Stop early: when so many times 20 iterations bring the held-out error down by less "
        "than 1 %."
    ),
]


def train(
    samples: SampleFile,
    output: OutputDatabase,
    leaves: Annotated[int, typer.Option(min=2, help="Leaves of the network.")] = 64,
    descriptor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What the database is over; volume_fraction if not given. May be given again.",
        ),
    ] = None,
    starts: Annotated[int, typer.Option(min=1, help="Random starts; the best one is kept.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the first start, the others follow.")] = 0,
    held_out: HeldOut = 50,
    iterations: Iterations = 1000,
    optimizer: Optimizer = "lbfgs",
    patience: Patience = None,
    prune: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0.0,
            help="Drop the least leaves, as long as the training error rises by no more than this "
            "share of itself.",
        ),
    ] = None,
    inelastic: Inelastic = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="H5",
            help="Inelastic training set of the same cell that is not fitted: the best start has "
            "the least product of its error and the held-out one.",
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Starts that run at once.")] = 1,
) -> None:
    """Fit a network to samples, from several random starts.

    A call that was interrupted goes on from the checkpoints beside the output.

    Example: `dmn-fem train samples.h5 --leaves 64 --output network.safetensors --prune 0.01`
    """
    from dmn_fem.database import Descriptor
    from dmn_fem.network import Network
    from dmn_fem.training import evaluate, file_sha256, fit_best
    from dmn_fem.training import prune as prune_leaves

    _check_output(output)
    target = _read_samples(samples, held_out)
    data, training = target.data, target.training
    names = descriptor or ["volume_fraction"]
    values = _values(samples, data, names)
    settings = _settings(iterations, optimizer, patience, [])
    answers = _read_inelastic(inelastic, [target])
    (checked,) = _read_inelastic([validation] if validation else None, [target])
    making: dict[str, Any] = {
        "verb": "train",
        "leaves": leaves,
        "seeds": list(range(seed, seed + starts)),
        **_making(settings, held_out, inelastic[0] if inelastic else None),
    }
    if validation is not None:
        making["validation_sha256"] = file_sha256(validation)
    first = [
        Network.random(
            data.dimension,
            data.phases,
            training.phase_fraction,
            leaves,
            np.random.default_rng(each),
        )
        for each in range(seed, seed + starts)
    ]
    if data.image.axes is not None:
        first = [start.aligned() for start in first]
    bars = _training_bars([f"start {number + 1}" for number in range(starts)])
    with bars as report, _checkpoints(output) as directory:
        best, fits = fit_best(
            first,
            training,
            target.held_out,
            settings,
            inelastic=answers[0],
            validate=None if checked is None else lambda network: checked.errors(network).mean,
            void=data.phases.index(data.recipe["void"]) if data.recipe.get("void") else None,
            directory=directory,
            processes=processes,
            progress=report,
        )
    console.print(
        "starts: "
        + ", ".join(
            f"{100 * each.held_out.stiffness.mean:.3f} %"
            + (f" (inelastic {100 * each.validation_error:.3g} %)" if each.validation_error else "")
            for each in fits
        )
        + f"; the best is start {fits.index(best) + 1}"
    )
    making |= {
        "start": seed + fits.index(best),
        "starts_held_out_error": [each.held_out.stiffness.mean for each in fits],
    }
    if validation is not None:
        making["starts_validation_error"] = [each.validation_error for each in fits]
    if prune is not None:
        network, table = prune_leaves(best.network, training, prune)
        best = replace(
            best,
            network=network,
            training=evaluate(network, training),
            held_out=evaluate(network, target.held_out),
            inelastic=None if answers[0] is None else answers[0].errors(network),
        )
        (before, error), (after, pruned_error) = table[0], table[-1]
        console.print(
            f"pruned from {before} to {after} leaves; the mean training error rises from "
            f"{100 * error:.4f} to {100 * pruned_error:.4f} %"
        )
        making["pruning"] = {"share": prune, "leaves": [before, after]}
    save_family(output, [Descriptor(name) for name in names], [values], [best], [target], [making])


def transfer(
    base: Annotated[str, typer.Argument(metavar="BASE", help="Database to go on from.")],
    samples: Annotated[
        list[Path], typer.Argument(metavar="H5...", help="Training sets, one a target, in order.")
    ],
    output: OutputDatabase,
    at: At = None,
    star: Annotated[
        bool, typer.Option("--star", help="Start all targets from the base, not in a chain.")
    ] = False,
    alone: Annotated[
        bool, typer.Option("--alone", help="Write the new networks without those of BASE.")
    ] = False,
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="What stays as it is in the base: weights, normals, orientations, upper:LEVELS "
            "(from the root on) or lower:LEVELS (from the leaves on). May be given again.",
        ),
    ] = None,
    held_out: HeldOut = 50,
    iterations: Iterations = 1000,
    optimizer: Optimizer = "lbfgs",
    patience: Patience = None,
    inelastic: Inelastic = None,
) -> None:
    """Carry a network over to further microstructures: a family.

    The first target starts from the last network of BASE, or from BASE at the given descriptors,
    each further one from the one before. The output holds the networks of BASE and the new
    ones, and interpolates between them; with --alone it holds the new ones, as where a network of
    many cheap samples is fitted to few accurate ones of the same microstructure. An interrupted
    call goes on from the checkpoints.

    Example: `dmn-fem transfer network.safetensors samples_0.2.h5 samples_0.3.h5
    --output family.safetensors`

    Example: `dmn-fem transfer discs_2d more.h5 --at volume_fraction=0.3 --freeze normals
    --output family.safetensors`
    """
    from dmn_fem.database import Database
    from dmn_fem.training import transfer_chain

    _check_output(output)
    family = Database.load(base)
    place = asked(at)
    check_descriptors(family, place)
    start = family.at(**place) if place else family.networks[-1]
    settings = _settings(iterations, optimizer, patience, freeze or [])
    settings.frozen.trained(start)
    targets = [_read_samples(path, held_out) for path in samples]
    names = [each.name for each in family.descriptors]
    for path, data in ((each.path, each.data) for each in targets):
        if data.phases != family.phases:
            raise ValueError(
                f"{path}: phases are {', '.join(data.phases)}; {base} has "
                f"{', '.join(family.phases)}"
            )
        if data.image.axes is not None and start.leaf_orientation is None:
            raise ValueError(f"{path}: its phases are turned; leaves of {base} cannot be")
    values = [_values(each.path, each.data, names) for each in targets]
    answers = _read_inelastic(inelastic, targets)
    there = [] if alone else family.values.tolist()
    held = [tuple(f"{value:.9g}" for value in row) for row in [*there, *values]]
    if twice := [point for point in held if held.count(point) > 1]:
        raise ValueError(
            f"{'' if alone else f'{base} and '}the samples hold the same {', '.join(names)} twice: "
            f"{', '.join(twice[0])}"
        )
    before = [f"{Path(base).name} at {', '.join(at or _place(names, family.values[-1]))}"]
    before += before * len(values) if star else [", ".join(_place(names, row)) for row in values]
    files: list[Path | None] = [*inelastic] if inelastic else [None] * len(targets)
    making = [
        {"verb": "transfer", "from": origin, **_making(settings, held_out, path)}
        for origin, path in zip(before, files, strict=False)
    ]
    bars = _training_bars([path.name for path in samples])
    with bars as report, _checkpoints(output) as directory:
        fits = transfer_chain(
            start,
            [(each.training, each.held_out) for each in targets],
            settings,
            order="star" if star else "chain",
            inelastic=answers,
            directory=directory,
            progress=report,
        )
    save_family(
        output, list(family.descriptors), values, fits, targets, making, family, alone=alone
    )


def _settings(
    iterations: int, optimizer: str, patience: int | None, freeze: Sequence[str]
) -> "Settings":
    """Settings of a training as they stand on the command line."""
    from dmn_fem.training import Settings

    return Settings(
        optimizer=optimizer,  # type: ignore[arg-type]  # checked there
        iterations=iterations,
        patience=patience,
        frozen=_frozen(freeze),
    )


def _frozen(entries: Sequence[str]) -> "Frozen":
    """What ``--freeze`` names.

    Raises:
        ValueError: If an entry is no part of a network.
    """
    from dmn_fem.training import Frozen

    parts: dict[str, Any] = {}
    for entry in entries:
        name, _, levels = entry.partition(":")
        if entry in ("weights", "normals", "orientations"):
            parts[entry] = True
        elif name in ("upper", "lower") and levels.isdecimal():
            parts[f"{name}_levels"] = int(levels)
        else:
            raise ValueError(
                f"--freeze {entry}: it must be weights, normals, orientations, upper:LEVELS or "
                "lower:LEVELS"
            )
    return Frozen(**parts)


def _values(path: Path, data: "TrainingSet", names: Sequence[str]) -> list[float]:
    """Descriptors of a training set by name.

    Raises:
        ValueError: If it does not have one of them.
    """
    for name in names:
        if name not in data.descriptors:
            raise ValueError(
                f"{path}: has no descriptor {name}; it has {', '.join(data.descriptors)}"
            )
    return [data.descriptors[name] for name in names]


def _place(names: Sequence[str], values: Iterable[float]) -> list[str]:
    """Descriptors as ``--at`` takes them."""
    return [f"{name}={value:g}" for name, value in zip(names, values, strict=True)]


def _making(settings: "Settings", held_out: int, inelastic: Path | None) -> dict[str, Any]:
    """What the provenance tells of any training."""
    from dmn_fem.training import file_sha256

    told = {**asdict(settings), "held_out": held_out}
    return told if inelastic is None else {**told, "inelastic_sha256": file_sha256(inelastic)}


def _read_samples(path: Path, held_out: int) -> Target:
    """A training set, and its samples for training and for checking."""
    from dmn_fem.homogenization import TrainingSet
    from dmn_fem.training import Samples, file_sha256

    data = TrainingSet.load(path)
    try:
        training, checking = Samples.of(data).split(held_out)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return Target(path, data, training, checking, file_sha256(path))


def _read_inelastic(
    paths: Sequence[Path] | None, targets: Sequence[Target]
) -> list["InelasticSamples | None"]:
    """Inelastic answers beside elastic training sets, none of them if no file is named.

    Raises:
        ValueError: If there are not as many files, or one is of another microstructure.
    """
    from dmn_fem.homogenization import InelasticSet
    from dmn_fem.training import InelasticSamples

    if not paths:
        return [None] * len(targets)
    if len(paths) != len(targets):
        raise ValueError(
            f"--inelastic is given {len(paths)} times for {len(targets)} training sets"
        )
    answers: list[InelasticSamples | None] = []
    for path, target in zip(paths, targets, strict=True):
        data = target.data
        found = InelasticSet.load(path)
        fractions = found.image.volume_fractions
        # The grid may be another one, and voxels round.
        if (
            found.image.names != data.phases
            or np.abs(fractions - data.volume_fractions).max() > _ROUNDED
        ):
            raise ValueError(
                f"{path} is of {_named(found.image.names, fractions)}; "
                f"{target.path} of {_named(data.phases, data.volume_fractions)}"
            )
        answers.append(InelasticSamples.of(found))
    return answers


def _named(phases: Sequence[str], fractions: Array) -> str:
    """Phases and their volume fractions in words."""
    return ", ".join(f"{name} {part:.4g}" for name, part in zip(phases, fractions, strict=True))


def _check_output(output: Path) -> None:
    """Refuse what no database could be written to, before the work.

    Raises:
        ValueError: If the suffix is another one, or there is no such folder.
    """
    if output.suffix != ".safetensors":
        raise ValueError(f"--output {output}: a database is a file *.safetensors")
    if not output.parent.is_dir():
        raise ValueError(f"--output {output}: there is no folder {output.parent}")
    if output.is_dir():
        raise ValueError(f"--output {output}: is a folder, not a file")


@contextmanager
def _checkpoints(output: Path) -> Iterator[Path]:
    """The folder of checkpoints that belongs to an output.

    Raises:
        ValueError: If it holds those of another training.
    """
    from dmn_fem.training import CheckpointError

    folder = output.with_name(f"{output.name}.checkpoints")
    try:
        yield folder
    except CheckpointError:
        raise ValueError(
            f"{folder}: holds checkpoints of another training (other samples, starts or settings); "
            "delete the folder or name another --output"
        ) from None


@contextmanager
def _training_bars(names: list[str]) -> Iterator[Callable[["Training"], None]]:
    """A bar for every network in training; gives what the training reports to."""
    bar = progress_bar()
    tasks = [bar.add_task(name, total=None, note="") for name in names]

    def report(progress: "Training") -> None:
        note = (
            f"error {100 * progress.training_error:.3f} %, "
            f"held out {100 * progress.held_out_error:.3f} %, {progress.seconds:.1f} s"
        )
        bar.start()  # not before: a call that is refused says one line
        bar.update(tasks[progress.start], completed=progress.step, total=progress.steps, note=note)

    try:
        yield report
    finally:
        if bar.live.is_started:
            bar.stop()
