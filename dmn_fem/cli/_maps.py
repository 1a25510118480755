"""The verbs that survey a database: design maps, and the report."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import ArrayLike

from dmn_fem.cli._console import console
from dmn_fem.cli._data import campaign_bar
from dmn_fem.cli._database import DatabaseFile, PhasesFile, check_descriptors, read_laws


def map_database(
    file: DatabaseFile,
    phases: PhasesFile,
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="NAME=FIRST:LAST:COUNT",
            help="A descriptor that varies; orientation=COUNT is the triangle of orientations.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="CSV", help="A row a point, bounds and all.")
    ],
    fix: Annotated[
        list[str] | None,
        typer.Option(
            "--fix",
            metavar="NAME=VALUE",
            help="A descriptor that does not; of an orientation its three eigenvalues.",
        ),
    ] = None,
    quantities: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Among young_modulus, shear_modulus, poisson_ratio, anisotropy, yield_stress, "
            "hardening_modulus, estimated_error.",
        ),
    ] = "young_modulus,shear_modulus,poisson_ratio,anisotropy",
    directions: Annotated[
        str, typer.Option(metavar="NAMES", help="Stresses of yield and hardening: 11, 12 …")
    ] = "11",
    strain: Annotated[
        float, typer.Option(help="Strain up to which yield is looked for, and of the hardening.")
    ] = 0.02,
    dns: Annotated[
        int, typer.Option(help="At how many points a full field of the recipe's cell answers, too.")
    ] = 0,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw it, over one descriptor or two.")
    ] = None,
) -> None:
    """Properties of the composite over the descriptors, beside bounds and mean-field estimates.

    Moduli and yield stresses (0.2 % plastic strain) are in the units of the phases; in 2D they
    are those of plane strain. Points of the grid outside the database are left out.

    Example: `dmn-fem database map discs_2d --phases phases.toml --over volume_fraction=0.1:0.6:21
    --output map.csv --picture map.png`

    Example: `dmn-fem database map short_fibres_3d --phases phases.toml
    --over volume_fraction=0.05:0.2:16 --fix orientation=0.7,0.2,0.1
    --quantities young_modulus,yield_stress --directions 11,22 --dns 3 --output map.csv`
    """
    from dmn_fem.database import Database
    from dmn_fem.design import design_map, grid
    from dmn_fem.plotting import check_picture, plot_design_map

    axes = dict(_axis(entry) for entry in over)
    fixed = dict(_fixed(entry) for entry in fix or [])
    if len(axes) < len(over) or len(fixed) < len(fix or []) or set(axes) & set(fixed):
        raise ValueError("--over and --fix: a descriptor is given twice")
    for each in (output, picture):
        if each is not None and not each.parent.is_dir():
            raise ValueError(f"{each}: there is no folder {each.parent}")
    if picture is not None:
        check_picture(picture)
        if len(axes) + ("orientation" in axes) > 2:
            raise ValueError("--picture: it shows one descriptor or two; --output takes any number")
    database = Database.load(file)
    check_descriptors(database, [*axes, *fixed])
    laws = read_laws(phases, "database", database.phases)
    points = grid(database, axes, fixed)
    with campaign_bar([]) as report:
        design = design_map(
            database,
            laws,
            points,
            fixed,
            quantities=_names(quantities),
            directions=_names(directions),
            strain=strain,
            full_fields=dns,
            progress=lambda done, total: report("points", done, total),
        )
    design.write(output)
    if picture is not None:
        plot_design_map(design, picture)
    inside, outside = len(design.points), _count(axes) - len(design.points)
    left_out = f"; left out, outside of it: {outside}" if outside else ""
    console.print(f"wrote {output}: {inside} points inside the database{left_out}")


def report_database(
    file: DatabaseFile,
    output: Annotated[Path, typer.Option("--output", metavar="HTML")],
) -> None:
    """All about a database in one file for a browser: recipe, errors, trees, maps.

    Example: `dmn-fem database report discs_2d --output report.html`
    """
    from dmn_fem.database import Database
    from dmn_fem.plotting import write_report

    if not output.parent.is_dir():
        raise ValueError(f"{output}: there is no folder {output.parent}")
    write_report(Database.load(file), output)
    console.print(f"wrote {output}")


def _axis(entry: str) -> tuple[str, ArrayLike]:
    """Name and values of an option ``--over``."""
    name, _, text = entry.partition("=")
    try:
        if name == "orientation":
            return name, int(text)
        first, last, count = text.split(":")
        values = np.linspace(float(first), float(last), int(count))
        if values.size and np.isfinite(values).all():
            return name, values
        raise ValueError(text)
    except ValueError:
        raise ValueError(
            f"--over {entry}: it must be NAME=FIRST:LAST:COUNT, as volume_fraction=0.1:0.6:21, "
            "or orientation=COUNT"
        ) from None


def _count(axes: Mapping[str, ArrayLike]) -> int:
    """Points of a grid, inside the database and outside."""
    sides = {name: np.size(values) for name, values in axes.items()}
    if "orientation" in axes:
        along = int(np.asarray(axes["orientation"]))
        sides["orientation"] = along * (along + 1) // 2  # a triangle
    return math.prod(sides.values())


def _fixed(entry: str) -> tuple[str, float | tuple[float, ...]]:
    """Name and value of an option ``--fix``."""
    name, _, text = entry.partition("=")
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not name or len(numbers) not in (1, 3) or not np.isfinite(numbers).all():
        raise ValueError(f"--fix {entry}: it must be NAME=NUMBER, or three numbers 0.7,0.2,0.1")
    return name, numbers[0] if len(numbers) == 1 else numbers


def _names(text: str) -> tuple[str, ...]:
    """Names of a comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
