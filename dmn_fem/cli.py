"""The command line ``dmn-fem``: one verb for every arrow from a microstructure to a response.

Exit status: 0 done, 1 the work failed, 2 the call was wrong; one line per error on standard error.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from dmn_fem import __version__
from dmn_fem.database import Database, Descriptor
from dmn_fem.laws import PhaseLaw, initial_stiffness, read_phases
from dmn_fem.microstructure import PhaseImage, discs, spheres
from dmn_fem.network import Network
from dmn_fem.notation import COMPONENTS, Array

if TYPE_CHECKING:
    from dmn_fem.homogenization import TrainingSet
    from dmn_fem.training import Fit, Samples
    from dmn_fem.training import Progress as Training

app = typer.Typer(
    name="dmn-fem",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Deep material networks: from a microstructure to a constitutive law.",
)
database_app = typer.Typer(help="Look into a database and ask it.")
app.add_typer(database_app, name="database")
console = Console()

# UsageError of click, or of the copy of click inside newer versions of typer.
USAGE_ERROR: Any = typer.BadParameter.__base__


class Particles(StrEnum):
    """What `dmn-fem microstructure` generates."""

    discs = "discs"
    spheres = "spheres"


class WorkFailed(Exception):
    """The call was right and the work did not succeed."""


DatabaseFile = Annotated[
    str, typer.Argument(metavar="FILE", help="A path, or the name of a shipped database.")
]
PhasesFile = Annotated[
    Path, typer.Option("--phases", metavar="TOML", help="The law of every phase.")
]
At = Annotated[
    list[str] | None,
    typer.Option("--at", metavar="NAME=VALUE", help="Descriptor, as volume_fraction=0.33."),
]
Extrapolate = Annotated[
    bool, typer.Option("--extrapolate", help="Allow descriptors outside the database's range.")
]
SampleFile = Annotated[Path, typer.Argument(metavar="H5", help="A training set.")]
OutputDatabase = Annotated[Path, typer.Option("--output", metavar="FILE", help="The database.")]
HeldOut = Annotated[int, typer.Option(help="Samples that are not trained on.")]
Iterations = Annotated[int, typer.Option(help="Iterations of L-BFGS.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Picture = Annotated[Path | None, typer.Option(metavar="PNG", help="Draw a picture, too.")]


def _descriptors(entries: list[str] | None) -> dict[str, float]:
    """Values of the ``--at`` options.

    Raises:
        ValueError: If an entry is not NAME=NUMBER, or a name stands there twice.
    """
    values: dict[str, float] = {}
    for entry in entries or []:
        name, separator, value = entry.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = np.nan
        if not separator or not np.isfinite(number):
            raise ValueError(f"--at {entry}: it must be NAME=NUMBER, as volume_fraction=0.33")
        if name in values:
            raise ValueError(f"--at {entry}: {name} is given twice")
        values[name] = number
    return values


def _ask(file: str, at: list[str] | None, extrapolate: bool) -> Network:
    """The network that a database holds at the ``--at`` options."""
    return Database.load(file).at(extrapolate=extrapolate, **_descriptors(at))


def _laws(path: Path, network: Network | Database) -> dict[str, PhaseLaw]:
    """Laws of ``phases.toml``, one for each phase and no others."""
    laws = read_phases(path)
    if set(laws) != set(network.phases):
        raise ValueError(
            f"{path}: has the phases {', '.join(laws) or '(none)'}; "
            f"the database needs {', '.join(network.phases)}"
        )
    return {phase: laws[phase] for phase in network.phases}


def _show_matrix(matrix: Array, dimension: int) -> None:
    """Print a Mandel matrix as a table."""
    names = COMPONENTS[dimension]
    table = Table("", *names)
    for name, row in zip(names, matrix, strict=True):
        table.add_row(name, *(f"{value:.6g}" for value in row))
    console.print(table)


@app.callback(invoke_without_command=True)
def _without_verb(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


@database_app.callback(invoke_without_command=True)
def _without_question(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@database_app.command("info")
def database_info(file: DatabaseFile, as_json: AsJson = False) -> None:
    """What a database holds, how it was made and how good it is.

    Example: `dmn-fem database info discs_2d`
    """
    database = Database.load(file)
    summary = {
        "dimension": database.dimension,
        "phases": list(database.phases),
        "leaves": database.leaves,
        "descriptors": [each.name for each in database.descriptors],
        "networks": [
            {
                "descriptors": values.tolist(),
                "phase_fraction": network.phase_fraction.tolist(),
                "leaves_alive": int(np.count_nonzero(network.leaf_weights)),
            }
            for values, network in zip(database.values, database.networks, strict=True)
        ],
        "provenance": dict(database.provenance),
    }
    if as_json:
        print(json.dumps(summary))
        return
    console.print(
        f"{database.dimension}D, phases {', '.join(database.phases)}, {database.leaves} leaves"
    )
    table = Table(*(each.name for each in database.descriptors), "phase fractions", "leaves alive")
    for values, network in zip(database.values, database.networks, strict=True):
        table.add_row(
            *(f"{value:g}" for value in values),
            ", ".join(f"{fraction:.4f}" for fraction in network.phase_fraction),
            str(np.count_nonzero(network.leaf_weights)),
        )
    console.print(table)
    if database.provenance:
        console.print_json(json.dumps(dict(database.provenance)))


@database_app.command("stiffness")
def database_stiffness(
    file: DatabaseFile,
    phases: PhasesFile,
    at: At = None,
    extrapolate: Extrapolate = False,
    as_json: AsJson = False,
) -> None:
    """Elastic stiffness of the composite, in Mandel notation.

    Example: `dmn-fem database stiffness discs_2d --phases phases.toml --at volume_fraction=0.33`
    """
    network = _ask(file, at, extrapolate)
    laws = _laws(phases, network)
    dimension = network.dimension
    stiffness = network.stiffness([initial_stiffness(law, dimension) for law in laws.values()])
    if as_json:
        answer = {
            "stiffness": stiffness.tolist(),
            "notation": "mandel",
            "components": list(COMPONENTS[dimension]),
        }
        print(json.dumps(answer))
    else:
        _show_matrix(stiffness, dimension)


@database_app.command("plot")
def database_plot(
    file: DatabaseFile,
    phases: PhasesFile,
    output: Annotated[Path, typer.Option("--output", metavar="PNG")],
) -> None:
    """Elastic moduli over the descriptor, as a picture.

    Example: `dmn-fem database plot discs_2d --phases phases.toml --output moduli.png`
    """
    from dmn_fem.plotting import plot_database

    database = Database.load(file)
    plot_database(database, _laws(phases, database), output)
    console.print(f"wrote {output}")


@app.command()
def point(
    file: DatabaseFile,
    phases: PhasesFile,
    path: Annotated[
        Path, typer.Option("--path", metavar="CSV", help="time, strain_11 … or stress_11 …")
    ],
    output: Annotated[Path, typer.Option("--output", metavar="CSV")],
    at: At = None,
    extrapolate: Extrapolate = False,
    picture: Picture = None,
) -> None:
    """Drive one point along a path of prescribed strains and stresses.

    Components in files are tensor components; one in no column has zero strain.

    Example: `dmn-fem point discs_2d --phases phases.toml --path path.csv --at volume_fraction=0.3
    --output result.csv`
    """
    from dmn_fem.online import LoadPath, NetworkLaw, drive

    network = _ask(file, at, extrapolate)
    law = NetworkLaw(network, _laws(phases, network))
    response = drive(law, LoadPath.read(path, network.dimension))
    response.write(output)
    if picture is not None:
        from dmn_fem.plotting import plot_response

        plot_response(response, picture)
    if response.failed:
        raise WorkFailed(
            f"{path}: row {len(response.status)} did not converge; {output} holds the rows before"
        )
    console.print(f"wrote {output}: {len(response.status)} rows")


@app.command()
def microstructure(
    kind: Annotated[Particles, typer.Argument(help="What the cell is made of.")],
    output: Annotated[Path, typer.Option("--output", metavar="NPZ")],
    volume_fraction: Annotated[float, typer.Option(help="Of the particles.")],
    count: Annotated[int, typer.Option(help="Number of particles.")] = 30,
    seed: Annotated[int, typer.Option(help="Of the random placement.")] = 0,
    gap: Annotated[float, typer.Option(help="Least gap between particles, in diameters.")] = 0.05,
    grid: Annotated[int, typer.Option(help="Voxels along each axis.")] = 128,
    picture: Picture = None,
) -> None:
    """Generate a periodic cell: discs or spheres of prescribed volume fraction.

    Example: `dmn-fem microstructure discs --volume-fraction 0.3 --output cell.npz`
    """
    generator = {Particles.discs: discs, Particles.spheres: spheres}[kind]
    image = generator(volume_fraction, count, seed, gap).image(grid)
    image.save(output)
    if picture is not None:
        from dmn_fem.plotting import plot_image

        plot_image(image, picture)
    parts = zip(image.names, image.volume_fractions, strict=True)
    console.print(f"wrote {output}: " + ", ".join(f"{name} {part:.4f}" for name, part in parts))


@app.command("sample")
def sample_image(
    image: Annotated[Path, typer.Argument(metavar="NPZ", help="A phase image.")],
    output: Annotated[Path, typer.Option("--output", metavar="H5")],
    count: Annotated[int, typer.Option(help="Number of samples.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the phase stiffnesses.")] = 0,
    tolerance: Annotated[float, typer.Option(help="Residual of the full fields.")] = 1e-4,
    processes: Annotated[int, typer.Option(help="Processes that compute.")] = 1,
) -> None:
    """Homogenise a phase image for random phase stiffnesses: a training set.

    A call that was interrupted goes on where it was; a finished one computes nothing.

    Example: `dmn-fem sample cell.npz --count 200 --output samples.h5`
    """
    from dmn_fem.homogenization import sample

    phases = PhaseImage.load(image)
    with progress_bar() as bar:
        task = bar.add_task(output.name, total=count, note="")
        sample(
            phases,
            output,
            count,
            seed,
            tolerance,
            processes,
            {"volume_fraction": float(phases.volume_fractions[-1])},
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    console.print(f"wrote {output}: {count} samples")


@app.command()
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


@app.command()
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


@app.command()
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


def progress_bar() -> Progress:
    """One bar a task, with what is done, the time used and the time to go."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit status."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _say(str(message))
        sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    """Exit status of a call; what goes wrong is said."""
    try:
        # Typer gives the status of an early exit, as after --help.
        status: Any = app(arguments, standalone_mode=False)
        return status if isinstance(status, int) else 0
    except USAGE_ERROR as error:
        _say(error.format_message())
        return 2
    except (FileNotFoundError, IsADirectoryError) as error:
        _say(f"{error.filename}: {error.strerror}")
        return 2
    except ValueError as error:
        _say(str(error))
        return 2
    except (WorkFailed, OSError, RuntimeError) as error:
        _say(str(error))
        return 1
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted; the same call goes on where it was")
        return 130


def _say(message: str) -> None:
    """One line on standard error."""
    print("dmn-fem: " + " ".join(message.split()), file=sys.stderr)
