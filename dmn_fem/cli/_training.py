"""The verbs that make networks: train, transfer and build."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.progress import TaskID
from rich.table import Table

from dmn_fem.cli._console import console, progress_bar
from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network

if TYPE_CHECKING:
    from dmn_fem.homogenization import TrainingSet
    from dmn_fem.training import Fit, Samples
    from dmn_fem.training import Progress as Training

SampleFile = Annotated[Path, typer.Argument(metavar="H5", help="A training set.")]
OutputDatabase = Annotated[Path, typer.Option("--output", metavar="FILE", help="The database.")]
HeldOut = Annotated[int, typer.Option(help="Samples that are not trained on.")]
Iterations = Annotated[int, typer.Option(help="Iterations of L-BFGS.")]


def train(
    samples: SampleFile,
    output: OutputDatabase,
    leaves: Annotated[int, typer.Option(help="Leaves of the network.")] = 64,
    starts: Annotated[int, typer.Option(help="Random starts; the best one is kept.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the first start, the others follow.")] = 0,
    held_out: HeldOut = 50,
    iterations: Iterations = 1000,
    processes: Annotated[int, typer.Option(help="Starts that run at once.")] = 1,
) -> None:
    """Fit a network to samples, from several random starts.

    A call that was interrupted goes on from the checkpoints beside the output.

    Example: `dmn-fem train samples.h5 --leaves 64 --output network.safetensors`
    """
    from dmn_fem.training import Settings, fit_best

    data, (training, checking) = _read_samples(samples, held_out)
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
    with _training_bars([f"start {number + 1}" for number in range(starts)]) as report:
        best, _ = fit_best(
            first,
            training,
            checking,
            Settings(iterations=iterations),
            directory=_checkpoints(output),
            processes=processes,
            progress=report,
        )
    _save_family(output, [best.network], [data], [best])


def transfer(
    base: Annotated[str, typer.Argument(metavar="BASE", help="Database to go on from.")],
    samples: Annotated[
        list[Path], typer.Argument(metavar="H5...", help="Training sets, one a target, in order.")
    ],
    output: OutputDatabase,
    held_out: HeldOut = 50,
    iterations: Iterations = 1000,
) -> None:
    """Carry a network over to further microstructures, one after the other: a family.

    The chain starts from the last network of BASE; the output holds those of BASE and the new
    ones, and interpolates between them. An interrupted call goes on from the checkpoints.

    Example: `dmn-fem transfer network.safetensors samples_0.2.h5 samples_0.3.h5
    --output family.safetensors`
    """
    from dmn_fem.training import Settings, transfer_chain

    family = Database.load(base)
    if [each.name for each in family.descriptors] != ["volume_fraction"]:
        raise ValueError(f"{base}: transfer needs a database over volume_fraction alone")
    read = [_read_samples(path, held_out) for path in samples]
    fractions = [*family.values[:, 0], *(data.descriptors["volume_fraction"] for data, _ in read)]
    if len(set(fractions)) < len(fractions):
        raise ValueError(f"{base} and the samples hold a volume fraction twice: {fractions}")
    with _training_bars([path.name for path in samples]) as report:
        fits = transfer_chain(
            family.networks[-1],
            [target for _, target in read],
            Settings(iterations=iterations),
            directory=_checkpoints(output),
            progress=report,
        )
    networks = [*family.networks, *(each.network for each in fits)]
    _save_family(output, networks, [data for data, _ in read], fits, family)


def build(
    recipe: Annotated[Path, typer.Argument(metavar="TOML", help="Recipe of a database.")],
    directory: Annotated[Path, typer.Option(help="Where all the stages leave their files.")],
    processes: Annotated[int, typer.Option(help="Processes for samples and starts.")] = 1,
) -> None:
    """Make a database from a recipe: cells, samples, a first network, the transfer chain.

    Every stage leaves files and is not done again; an interrupted call goes on where it was.

    Example: `dmn-fem build databases/discs_2d.toml --directory work`
    """
    from dmn_fem.training import build as build_database

    with progress_bar() as bar:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, count: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, note="")
            bar.update(tasks[stage], completed=done, total=count)

        database = build_database(recipe, directory, processes=processes, progress=report)
    table = Table("volume fraction", "mean error", "95 %", "maximum", title="held-out samples")
    for fraction, errors in database.provenance["errors"].items():
        stiffness = errors["held_out"]["stiffness"]
        table.add_row(fraction, *(f"{100 * value:.3f} %" for value in stiffness.values()))
    console.print(table)


def _read_samples(path: Path, held_out: int) -> tuple["TrainingSet", tuple["Samples", "Samples"]]:
    """A training set, and its samples for training and for checking."""
    from dmn_fem.homogenization import TrainingSet
    from dmn_fem.training import Samples

    data = TrainingSet.load(path)
    try:
        return data, Samples.of(data).split(held_out)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _checkpoints(output: Path) -> Path:
    """The folder of checkpoints that belongs to an output."""
    directory = output.with_name(f"{output.name}.checkpoints")
    directory.mkdir(exist_ok=True)
    return directory


@contextmanager
def _training_bars(names: list[str]) -> Iterator[Callable[["Training"], None]]:
    """A bar for every network in training; gives what the training reports to."""
    with progress_bar() as bar:
        tasks = [bar.add_task(name, total=None, note="") for name in names]

        def report(progress: "Training") -> None:
            bar.update(
                tasks[progress.start],
                completed=progress.step,
                total=progress.steps,
                note=f"error {100 * progress.held_out_error:.3f} %",
            )

        yield report


def _save_family(
    output: Path,
    networks: list[Network],
    sets: list["TrainingSet"],
    fits: list["Fit"],
    base: Database | None = None,
) -> None:
    """Write networks over the volume fraction, with what the new ones were fitted to."""
    values = [] if base is None else base.values[:, 0].tolist()
    provenance = {} if base is None else dict(base.provenance)
    errors = dict(provenance.get("errors", {}))
    table = Table("volume fraction", "mean error", "95 %", "maximum", title="held-out samples")
    for data, fit in zip(sets, fits, strict=True):
        value = data.descriptors["volume_fraction"]
        values.append(value)
        errors[f"{value:g}"] = {
            "training": asdict(fit.training),
            "held_out": asdict(fit.held_out),
            "samples": data.recipe,
        }
        stiffness = asdict(fit.held_out.stiffness)
        table.add_row(f"{value:g}", *(f"{100 * value:.3f} %" for value in stiffness.values()))
    order = np.argsort(values)
    Database(
        [networks[number] for number in order],
        [Descriptor("volume_fraction")],
        np.array(values)[order, None],
        provenance | {"errors": errors},
    ).save(output)
    console.print(table)
    console.print(f"wrote {output}")
