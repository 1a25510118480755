"""The verbs that look into a database and ask it: info, stiffness and plot."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from dmn_fem.cli._console import console, matrix_table
from dmn_fem.notation import COMPONENTS, Array, component_scale, to_tensor

if TYPE_CHECKING:
    from dmn_fem.database import Database
    from dmn_fem.laws import PhaseLaw
    from dmn_fem.network import Network

DatabaseFile = Annotated[
    str, typer.Argument(metavar="FILE", help="A path, or the name of a shipped database.")
]
PhasesFile = Annotated[
    Path, typer.Option("--phases", metavar="TOML", help="The law of every phase.")
]
At = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="NAME=VALUE",
        help="Descriptor, as volume_fraction=0.33; orientation takes three eigenvalues, "
        "as orientation=0.7,0.2,0.1, or the tensor's components 11,22,33,12,13,23.",
    ),
]
Extrapolate = Annotated[
    bool, typer.Option("--extrapolate", help="Allow descriptors outside the database's range.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def info(file: DatabaseFile, as_json: AsJson = False) -> None:
    """What a database holds, how it was made and how good it is.

    Example: `dmn-fem database info discs_2d`
    """
    from dmn_fem.database import Database

    database = Database.load(file)
    errors, budgets = (listed(database, name) for name in ("errors", "error_budgets"))
    if as_json:
        summary = {
            "dimension": database.dimension,
            "phases": list(database.phases),
            "leaves": database.leaves,
            "descriptors": [each.name for each in database.descriptors],
            "networks": [
                {
                    "descriptors": database.values[number].tolist(),
                    "phase_fraction": network.phase_fraction.tolist(),
                    "leaves_alive": int(np.count_nonzero(network.leaf_weights)),
                    "errors": errors[number],
                    "error_budget": budgets[number],
                }
                for number, network in enumerate(database.networks)
            ],
            "provenance": dict(database.provenance),
        }
        print(json.dumps(summary))
        return
    console.print(
        f"{database.dimension}D, phases {', '.join(database.phases)}, {database.leaves} leaves"
    )
    if pruning := database.provenance.get("pruning"):
        before, after = pruning["leaves"]
        largest = max(each["mean"] for each in pruning["change_of_answers"])
        console.print(
            f"pruned from {before} to {after} leaves behind the transfer, "
            f"which changed answers by up to {100 * largest:.3g} % (mean over samples)"
        )
    names = [each.name for each in database.descriptors]
    rows = [[f"{value:g}" for value in values] for values in database.values]
    table = Table("network", *names, "phase fractions", "leaves alive")
    for number, (row, network) in enumerate(zip(rows, database.networks, strict=True), start=1):
        fractions = ", ".join(f"{fraction:.4f}" for fraction in network.phase_fraction)
        alive = str(np.count_nonzero(network.leaf_weights))
        table.add_row(str(number), *row, fractions, alive)
    console.print(table)
    if len(names) > 1:  # no room for all descriptors beside errors
        names, rows = ["network"], [[str(number + 1)] for number in range(len(rows))]
    if any(errors):
        table = Table(*names, title="errors in %, mean / 95 % / maximum")
        for heading in ("stiffness", "compliance", "stiffness, left out"):
            table.add_column(heading, no_wrap=True)
        for row, each in zip(rows, errors, strict=True):
            held_out = (each or {}).get("held_out", {})
            parts = (held_out.get("stiffness"), held_out.get("compliance"))
            table.add_row(*row, *map(_percent, (*parts, (each or {}).get("leave_one_out"))))
        console.print(table)
    if any(budgets):
        table = Table(*names, title="error budget of the data in %, mean / maximum")
        for heading in ("grid", "realisation σ", "tolerance"):
            table.add_column(heading, no_wrap=True)
        for row, each in zip(rows, budgets, strict=True):
            grid, scatter = ((each or {}).get(part) for part in ("discretisation", "realisations"))
            parts = ((grid or {}).get("error"), (scatter or {}).get("standard_deviation"))
            table.add_row(*row, *map(_percent, (*parts, (each or {}).get("tolerance"))))
        console.print(table)
    for name in ("recipe", "versions"):
        if database.provenance.get(name):
            console.print_json(json.dumps({name: database.provenance[name]}))


def stiffness(
    file: DatabaseFile,
    phases: PhasesFile,
    at: At = None,
    extrapolate: Extrapolate = False,
    as_json: AsJson = False,
) -> None:
    """Elastic stiffness of the composite, in Mandel notation.

    The estimated error is the mean over phases of any stiffness, relative; see the table of errors
    in `dmn-fem database info`.

    Example: `dmn-fem database stiffness discs_2d --phases phases.toml --at volume_fraction=0.33`
    """
    from dmn_fem.laws import initial_stiffness

    network, error = ask(file, at, extrapolate)
    laws = read_laws(phases, "database", network.phases)
    dimension = network.dimension
    matrix = network.stiffness([initial_stiffness(law, dimension) for law in laws.values()])
    if as_json:
        answer = {
            "stiffness": matrix.tolist(),
            "notation": "mandel",
            "components": list(COMPONENTS[dimension]),
            "estimated_error": error,
        }
        print(json.dumps(answer))
    else:
        names = COMPONENTS[dimension]
        console.print(matrix_table("", names, names, matrix))
        console.print(error_line(error))


def asked(entries: list[str] | None) -> dict[str, Any]:
    """Values of the ``--at`` options: numbers, and the orientation as `Database.at` takes it.

    Raises:
        ValueError: If an entry is not NAME=NUMBER, or a name stands there twice.
    """
    values: dict[str, Any] = {}
    for entry in entries or []:
        name, separator, text = entry.partition("=")
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        counts = (3, 6) if name == "orientation" else (1,)
        if not separator or len(numbers) not in counts or not np.isfinite(numbers).all():
            right = (
                "three eigenvalues or six components, as orientation=0.7,0.2,0.1"
                if name == "orientation"
                else "NAME=NUMBER, as volume_fraction=0.33"
            )
            raise ValueError(f"--at {entry}: it must be {right}")
        if name in values:
            raise ValueError(f"--at {entry}: {name} is given twice")
        values[name] = numbers[0] if name != "orientation" else _orientation(numbers)
    return values


def _orientation(numbers: list[float]) -> Array:
    """Eigenvalues (3,) as they are, components 11, 22, 33, 12, 13, 23 as a tensor (3, 3)."""
    if len(numbers) == 3:
        return np.array(numbers)
    return to_tensor(np.array(numbers) * component_scale(3))


def check_descriptors(database: "Database", names: Collection[str]) -> None:
    """Refuse what is no descriptor, which a function may have a parameter of the name of.

    Raises:
        ValueError: If a database is not over it.
    """
    held = [each.name for each in database.descriptors]
    known = {*held, "orientation"} if {"orientation_1", "orientation_2"} <= set(held) else held
    if unknown := [name for name in names if name not in known]:
        raise ValueError(
            f"there is no descriptor {unknown[0]}; this database is over ({', '.join(held)})"
        )


def ask(file: str, at: list[str] | None, extrapolate: bool) -> "tuple[Network, float | None]":
    """The network that a database holds at the ``--at`` options, and its estimated error."""
    from dmn_fem.database import Database, DatabaseError

    database, values = Database.load(file), asked(at)
    check_descriptors(database, values)
    network = database.at(extrapolate=extrapolate, **values)
    try:
        return network, database.estimated_error(**values)
    except DatabaseError:  # an extrapolation, or no leave-one-out errors
        return network, None


def error_line(error: float | None) -> str:
    """The estimated error in words."""
    figure = "not available" if error is None else f"{100 * error:.2g} %"
    return f"estimated error of the elastic stiffness: {figure}"


def read_laws(path: Path, owner: str, names: Sequence[str]) -> "dict[str, PhaseLaw]":
    """Laws of ``phases.toml``, one for each phase of a database or an image and no others."""
    from dmn_fem.laws import read_phases

    laws = read_phases(path)
    if set(laws) != set(names):
        raise ValueError(
            f"{path}: has the phases {', '.join(laws) or '(none)'}; "
            f"the {owner} needs {', '.join(names)}"
        )
    return {name: laws[name] for name in names}


def listed(database: "Database", name: str) -> list[Any]:
    """What the provenance says of every network, None where it says nothing."""
    entries = database.provenance.get(name)
    unknown = [None] * len(database.networks)
    return entries if isinstance(entries, list) and len(entries) == len(unknown) else unknown


def _percent(errors: Mapping[str, float] | None) -> str:
    """Mean, 95 % and maximum, or those of them that there are."""
    return " / ".join(_two_digits(100 * value) for value in errors.values()) if errors else "-"


def _two_digits(value: float) -> str:
    """A number to two digits, however large, and without a power of ten."""
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")
