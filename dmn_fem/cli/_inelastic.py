"""The verbs of plasticity offline: sample-inelastic and validate."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dmn_fem.cli._console import WorkFailed, console, progress_bar
from dmn_fem.cli._data import campaign_bar
from dmn_fem.cli._database import AsJson, At, DatabaseFile, Extrapolate, PhasesFile, ask, read_laws

ImageFile = Annotated[Path, typer.Argument(metavar="NPZ", help="A phase image.")]


def sample_inelastic(
    image: ImageFile,
    phases: Annotated[
        list[Path],
        typer.Option(metavar="TOML", help="The law of every phase; once for every material."),
    ],
    output: Annotated[Path, typer.Option(metavar="H5", help="The inelastic training set.")],
    paths: Annotated[int, typer.Option(min=1, help="Strain paths for every material.")] = 96,
    levels: Annotated[
        str, typer.Option(help="Least and largest strain, about 1.5 and 15 yield strains.")
    ] = "0.002,0.015",
    tolerance: Annotated[float, typer.Option(help="Of the unbalanced forces.")] = 1e-4,
    processes: Annotated[int, typer.Option(help="Processes that compute.")] = 1,
) -> None:
    """Ask a phase image for stresses at plasticity: an inelastic training set.

    The full field follows paths of two steps, out to a strain and on in another direction. A call
    that was interrupted goes on where it was, a finished one computes nothing.

    Example: `dmn-fem sample-inelastic cell.npz --phases stiff.toml --phases soft.toml --paths 96
    --output inelastic.h5`
    """
    from dmn_fem.homogenization import sample_inelastic, start_processes
    from dmn_fem.laws import read_phases
    from dmn_fem.microstructure import PhaseImage

    try:
        low, high = (float(level) for level in levels.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"--levels is {levels}; it must be two numbers, LOW,HIGH"
        ) from None
    loaded = PhaseImage.load(image)
    materials = [read_phases(each) for each in phases]
    missing: list[int] = []
    with start_processes(processes) as workers, campaign_bar(missing) as report:
        made = sample_inelastic(
            loaded,
            output,
            materials,
            paths,
            (low, high),
            tolerance,
            workers=workers,
            progress=report,
        )
    done = "wrote" if missing[0] else "nothing to compute:"
    console.print(f"{done} {len(made.stress)} paths of {len(made.materials)} materials in {output}")


def validate(
    file: DatabaseFile,
    image: ImageFile,
    phases: PhasesFile,
    at: At = None,
    extrapolate: Extrapolate = False,
    paths: Annotated[
        str | None,
        typer.Option(help="Among uniaxial,shear,cyclic,nonproportional; all if not given."),
    ] = None,
    amplitude: Annotated[float, typer.Option(help="Norm of the largest strain.")] = 0.015,
    picture: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw both.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a network with the full field of a phase image along standard strain paths.

    Errors are those of the deviatoric stress, relative to its largest value along the path. A
    database over the volume fraction alone is asked at the image's, if --at is not given.

    Example: `dmn-fem validate discs_2d cell.npz --phases phases.toml --paths uniaxial,cyclic
    --picture validation.png`
    """
    from dmn_fem.database import Database
    from dmn_fem.homogenization import UnitCellLaw
    from dmn_fem.microstructure import PhaseImage
    from dmn_fem.online import STANDARD_PATHS, NetworkLaw, deviatoric_error, drive, standard_path
    from dmn_fem.plotting import check_picture, plot_validation

    if picture is not None:
        check_picture(picture)
        if not picture.parent.is_dir():
            raise ValueError(f"{picture}: there is no folder {picture.parent}")
    cell = PhaseImage.load(image)
    database = Database.load(file)
    if cell.dimension != database.dimension or set(cell.names) != set(database.phases):
        raise ValueError(
            f"{image} is of dimension {cell.dimension} and phases {', '.join(cell.names)}; {file} "
            f"of {database.dimension} and {', '.join(database.phases)}"
        )
    if not at and [each.name for each in database.descriptors] == ["volume_fraction"]:
        fractions = dict(zip(cell.names, cell.volume_fractions, strict=True))
        part = sum(fractions[name] for name in database.phases[1:])
        at = [f"volume_fraction={part:.12g}"]
    network, _ = ask(file, at, extrapolate)
    laws = read_laws(phases, "database", network.phases)
    chosen = STANDARD_PATHS if paths is None else paths.split(",")
    routes = {name: standard_path(name, cell.dimension, amplitude) for name in chosen}
    responses, errors = {}, {}
    with progress_bar() as bar:
        task = bar.add_task(
            "full field", total=sum(len(each.time) for each in routes.values()), note=""
        )
        for name, route in routes.items():
            theirs = drive(UnitCellLaw(cell, laws), route, progress=lambda _: bar.advance(task))
            if theirs.failed:
                raise WorkFailed(f"{image}: the full field did not converge along {name}")
            # Enough iterations for whole increments: halved ones would be another path.
            ours = drive(NetworkLaw(network, laws, max_iterations=200), route)
            if ours.failed:
                raise WorkFailed(f"{file}: the network did not converge along {name}")
            error = deviatoric_error(ours.stress, theirs.stress)
            responses[name] = ours, theirs
            errors[name] = {"maximum": float(error.max()), "mean": float(error.mean())}
    if picture is not None:
        plot_validation(responses, picture)
    if as_json:
        print(json.dumps({"errors": errors}))
        return
    table = Table("path", "increments", "maximum %", "mean %")
    for name, each in errors.items():
        rows = str(len(routes[name].time))
        table.add_row(name, rows, f"{100 * each['maximum']:.2f}", f"{100 * each['mean']:.2f}")
    console.print(table)
