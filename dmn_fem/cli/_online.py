"""The verbs that use a database: info, stiffness, plot, and the one-point driver.

The driver takes a phase image as well: the full field answers.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from dmn_fem.cli._console import WorkFailed, console, progress_bar
from dmn_fem.database import Database
from dmn_fem.laws import PhaseLaw, initial_stiffness, read_phases
from dmn_fem.microstructure import PhaseImage
from dmn_fem.network import Network
from dmn_fem.notation import COMPONENTS, Array

if TYPE_CHECKING:
    from dmn_fem.homogenization import LocalFields
    from dmn_fem.online import Response

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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def info(file: DatabaseFile, as_json: AsJson = False) -> None:
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


def stiffness(
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
    laws = _laws(phases, "database", network.phases)
    dimension = network.dimension
    matrix = network.stiffness([initial_stiffness(law, dimension) for law in laws.values()])
    if as_json:
        answer = {
            "stiffness": matrix.tolist(),
            "notation": "mandel",
            "components": list(COMPONENTS[dimension]),
        }
        print(json.dumps(answer))
    else:
        _show_matrix(matrix, dimension)


def plot(
    file: DatabaseFile,
    phases: PhasesFile,
    output: Annotated[Path, typer.Option("--output", metavar="PNG")],
) -> None:
    """Elastic moduli over the descriptor, as a picture.

    Example: `dmn-fem database plot discs_2d --phases phases.toml --output moduli.png`
    """
    from dmn_fem.plotting import plot_database

    database = Database.load(file)
    plot_database(database, _laws(phases, "database", database.phases), output)
    console.print(f"wrote {output}")


def point(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A database or its name, or a phase image, .npz.")
    ],
    phases: PhasesFile,
    path: Annotated[
        Path, typer.Option("--path", metavar="CSV", help="time, strain_11 … or stress_11 …")
    ],
    output: Annotated[Path, typer.Option("--output", metavar="CSV")],
    at: At = None,
    extrapolate: Extrapolate = False,
    picture: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw it.")] = None,
    local: Annotated[
        Path | None,
        typer.Option(metavar="NPZ|VTI", help="Image: local fields at the end, on its voxels."),
    ] = None,
    histogram: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Image: how they are distributed in each phase."),
    ] = None,
) -> None:
    """Drive one point along a path of prescribed strains and stresses.

    Of a database the network answers, of a phase image the full field. Components in files
    are tensor components; one in no column has zero strain.

    Example: `dmn-fem point discs_2d --phases phases.toml --path path.csv --at volume_fraction=0.3
    --output result.csv`

    Example: `dmn-fem point cell.npz --phases phases.toml --path path.csv --output result.csv
    --local fields.vti --histogram stresses.png`
    """
    from dmn_fem.homogenization import LOCAL_FORMATS
    from dmn_fem.online import LoadPath, NetworkLaw, drive
    from dmn_fem.plotting import check_picture, plot_histograms, plot_response

    # Before the work, which may take long: what could not be written after it.
    for each in (output, picture, local, histogram):
        if each is not None and not each.parent.is_dir():
            raise ValueError(f"{each}: there is no folder {each.parent}")
    for each in (picture, histogram):
        if each is not None:
            check_picture(each)
    if Path(file).suffix == ".npz":
        if at or extrapolate:
            raise ValueError(f"{file} is a phase image; --at and --extrapolate are for databases")
        if local is not None and local.suffix not in LOCAL_FORMATS:
            raise ValueError(f"{local}: local fields go to {' or '.join(LOCAL_FORMATS)}")
        response, fields = _drive_cell(Path(file), phases, path)
    else:
        if local or histogram:
            raise ValueError(f"{file} is a database; --local and --histogram are for phase images")
        network = _ask(file, at, extrapolate)
        law = NetworkLaw(network, _laws(phases, "database", network.phases))
        response, fields = drive(law, LoadPath.read(path, network.dimension)), None
    response.write(output)
    if fields is not None and local is not None:
        fields.save(local)
    if fields is not None and histogram is not None:
        plot_histograms(fields, histogram)
    if picture is not None:
        plot_response(response, picture)
    if response.failed:
        raise WorkFailed(
            f"{path}: row {len(response.status)} did not converge; {output} holds the rows before"
        )
    console.print(f"wrote {output}: {len(response.status)} rows")


def _drive_cell(file: Path, phases: Path, path: Path) -> "tuple[Response, LocalFields | None]":
    """Response of a full-field unit cell, and its local fields if it reaches the end."""
    from dmn_fem.homogenization import UnitCellLaw
    from dmn_fem.online import LoadPath, drive

    image = PhaseImage.load(file)
    law = UnitCellLaw(image, _laws(phases, "image", image.names))
    rows = LoadPath.read(path, image.dimension)
    with progress_bar() as bar:
        task = bar.add_task("rows", total=len(rows.time), note="")
        response = drive(law, rows, progress=lambda done: bar.update(task, completed=done))
    return response, None if response.failed else law.local_fields(response.state)


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


def _laws(path: Path, owner: str, names: Sequence[str]) -> dict[str, PhaseLaw]:
    """Laws of ``phases.toml``, one for each phase of a database or an image and no others."""
    laws = read_phases(path)
    if set(laws) != set(names):
        raise ValueError(
            f"{path}: has the phases {', '.join(laws) or '(none)'}; "
            f"the {owner} needs {', '.join(names)}"
        )
    return {name: laws[name] for name in names}


def _show_matrix(matrix: Array, dimension: int) -> None:
    """Print a Mandel matrix as a table."""
    names = COMPONENTS[dimension]
    table = Table("", *names)
    for name, row in zip(names, matrix, strict=True):
        table.add_row(name, *(f"{value:.6g}" for value in row))
    console.print(table)
