"""The verb that drives one point, of a database or, the full field answering, of a phase image."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmn_fem.cli._console import WorkFailed, console, progress_bar
from dmn_fem.cli._database import AsJson, At, Extrapolate, PhasesFile, ask, error_line, read_laws
from dmn_fem.cli._replay import replay_point

if TYPE_CHECKING:
    from dmn_fem.homogenization import LocalFields
    from dmn_fem.laws import Law
    from dmn_fem.online import LoadPath, Response


def point(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A database or its name, or a phase image, .npz.")
    ],
    phases: PhasesFile,
    path: Annotated[
        str | None,
        typer.Option(
            metavar="CSV|NAME",
            help="time, strain_11 … or stress_11 …; or uniaxial, shear, cyclic, nonproportional.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="CSV", help="Goes with --path.")
    ] = None,
    at: At = None,
    extrapolate: Extrapolate = False,
    increments: Annotated[
        int, typer.Option(min=1, help="Into which each row (each increment of it) is divided.")
    ] = 1,
    cycles: Annotated[int, typer.Option(min=1, help="How many times the file's rows follow.")] = 1,
    amplitude: Annotated[
        float | None, typer.Option(help="Of a named path: norm of its largest strain, or 0.015.")
    ] = None,
    as_json: AsJson = False,
    picture: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw it.")] = None,
    local: Annotated[
        Path | None,
        typer.Option(metavar="NPZ|VTI", help="Image: local fields at the end, on its voxels."),
    ] = None,
    histogram: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Image: how they are distributed in each phase."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--replay", metavar="NPZ", help="Instead: a point whose step failed."),
    ] = None,
) -> None:
    """Drive one point along a path of prescribed strains and stresses.

    Of a database the network answers, of a phase image the full field. Rows of the file are turning
    points: a column increments says in how many steps each is reached. Components are tensor
    components (strain_12 is half the shear angle), stresses in the unit of the moduli; a component
    in no column has zero strain. Laws that depend on temperature need a column temperature.

    Example: `dmn-fem point discs_2d --phases phases.toml --path path.csv --at volume_fraction=0.3
    --output result.csv`

    Example: `dmn-fem point discs_2d --phases phases.toml --path cyclic
    --at volume_fraction=0.3 --output result.csv --picture result.png`

    Example: `dmn-fem point cell.npz --phases phases.toml --path path.csv --output result.csv
    --local fields.vti --histogram stresses.png`

    Example: `dmn-fem point discs_2d --phases phases.toml --at volume_fraction=0.3
    --replay failures/step_00012_attempt_1.npz`
    """
    if record is not None:
        others = path, output, picture, local, histogram, as_json, amplitude
        if any(others) or increments > 1 or cycles > 1:
            raise ValueError("--replay takes the path from its file and prints; give it alone")
        replay_point(_law_of(file, phases, at, extrapolate), record)
        return
    if path is None or output is None:
        raise ValueError("give --path and --output, or --replay")
    from dmn_fem.online import STANDARD_PATHS, NetworkLaw, drive
    from dmn_fem.plotting import check_picture, plot_histograms, plot_response

    # Before the work, which may take long: what could not be written after it.
    for each in (output, picture, local, histogram):
        if each is not None and not each.parent.is_dir():
            raise ValueError(f"{each}: there is no folder {each.parent}")
    for each in (picture, histogram):
        if each is not None:
            check_picture(each)

    if cycles > 1 and path in STANDARD_PATHS:
        raise ValueError(f"--cycles repeats the rows of a file; {path} is a path of its own length")

    def loading(law: "Law") -> "LoadPath":
        return _loading(path, law, amplitude).repeated(cycles).refined(increments)

    if Path(file).suffix == ".npz":
        if at or extrapolate:
            raise ValueError(f"{file} is a phase image; --at and --extrapolate are for databases")
        from dmn_fem.homogenization import LOCAL_FORMATS

        if local is not None and local.suffix not in LOCAL_FORMATS:
            raise ValueError(f"{local}: local fields go to {' or '.join(LOCAL_FORMATS)}")
        response, fields = _drive_cell(Path(file), phases, loading)
        error = None
    else:
        if local or histogram:
            raise ValueError(f"{file} is a database; --local and --histogram are for phase images")
        network, error = ask(file, at, extrapolate)
        law = NetworkLaw(network, read_laws(phases, "database", network.phases))
        response, fields = drive(law, loading(law)), None
    response.write(output)
    if fields is not None and local is not None:
        fields.save(local)
    if fields is not None and histogram is not None:
        plot_histograms(fields, histogram)
    if picture is not None:
        plot_response(response, picture)
    if as_json:
        print(json.dumps(response.summary() | {"estimated_error": error}))
    if response.failed:
        raise WorkFailed(
            f"{path}: row {len(response.status)} did not converge; {output} holds the rows before"
        )
    if not as_json:
        if Path(file).suffix != ".npz":
            console.print(error_line(error))
        console.print(f"wrote {output}: {len(response.status)} rows")


def _law_of(file: str, phases: Path, at: list[str] | None, extrapolate: bool) -> "Law":
    """The law of a database's network, or of a phase image."""
    from dmn_fem.online import NetworkLaw

    if Path(file).suffix != ".npz":
        network, _ = ask(file, at, extrapolate)
        return NetworkLaw(network, read_laws(phases, "database", network.phases))
    from dmn_fem.homogenization import UnitCellLaw
    from dmn_fem.microstructure import PhaseImage

    image = PhaseImage.load(file)
    return UnitCellLaw(image, read_laws(phases, "image", image.names))


def _loading(path: str, law: "Law", amplitude: float | None) -> "LoadPath":
    """A path from a file, or a named one."""
    from dmn_fem.online import STANDARD_PATHS, LoadPath, standard_path

    if path in STANDARD_PATHS:
        return standard_path(path, law.dimension, 0.015 if amplitude is None else amplitude)
    if amplitude is not None:
        raise ValueError(f"--amplitude is for {', '.join(STANDARD_PATHS)}, not for {path}")
    if not Path(path).exists():
        raise ValueError(
            f"--path {path}: there is no such file; paths with a name are "
            f"{', '.join(STANDARD_PATHS)}"
        )
    return LoadPath.read(path, law.dimension, law.external)


def _drive_cell(
    file: Path, phases: Path, loading: "Callable[[Law], LoadPath]"
) -> "tuple[Response, LocalFields | None]":
    """Response of a full-field unit cell, and its local fields if it reaches the end."""
    from dmn_fem.homogenization import UnitCellLaw
    from dmn_fem.microstructure import PhaseImage
    from dmn_fem.online import drive

    image = PhaseImage.load(file)
    law = UnitCellLaw(image, read_laws(phases, "image", image.names))
    rows = loading(law)
    with progress_bar() as bar:
        task = bar.add_task("rows", total=rows.rows, note="")
        response = drive(law, rows, progress=lambda done: bar.update(task, completed=done))
    if response.failed:
        return response, None
    return response, law.local_fields(response.state)
