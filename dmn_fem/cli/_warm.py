"""The verb that compiles ahead of time."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from dmn_fem.cli._console import console, progress_bar
from dmn_fem.cli._database import read_laws

if TYPE_CHECKING:
    from dmn_fem.online import NetworkLaw


def warm(
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="A database or its name: of what dimension."),
    ] = None,
    phases: Annotated[
        Path | None, typer.Option("--phases", metavar="TOML", help="The laws that are compiled.")
    ] = None,
) -> None:
    """Compile what networks and laws need, so that later calls start at once.

    Without --phases the common laws, in 2D and 3D unless a database is named. Those with lists of
    parameters (tables, Prony terms, back stresses) are compiled for as many as --phases gives them.
    What was compiled before is only looked at; where it is kept is decided by NUMBA_CACHE_DIR.

    Example: `dmn-fem warm discs_2d --phases phases.toml`
    """
    from numba.core.event import install_recorder

    from dmn_fem.laws import warm_up

    laws = list(_laws(file, phases))
    begin, compiled = perf_counter(), 0
    with progress_bar() as bar:
        task = bar.add_task("laws", total=len(laws), note="")
        for name, law in laws:
            bar.update(task, note=name)
            with install_recorder("numba:compile") as recorder:
                warm_up(law)
            compiled += sum(event.is_start for _, event in recorder.buffer)
            bar.advance(task)
        bar.update(task, note="")
    what = f"compiled {compiled} functions" if compiled else "nothing to compile"
    console.print(f"{what}: {len(laws)} laws in {perf_counter() - begin:.1f} s")


def _laws(file: str | None, phases: Path | None) -> "Iterator[tuple[str, NetworkLaw]]":
    """Laws of points to be compiled, by name: networks of one phase, that of all phases last."""
    from dmn_fem.database import Database
    from dmn_fem.laws import COMMON_LAWS, read_phases
    from dmn_fem.online import NetworkLaw, material_law

    database = None if file is None else Database.load(file)
    if phases is None:
        laws = COMMON_LAWS
    elif database is None:
        laws = read_phases(phases)
    else:
        laws = read_laws(phases, "database", database.phases)
    for dimension in (2, 3) if database is None else (database.dimension,):
        for name, law in laws.items():
            yield f"{dimension}D {name}", material_law(law, dimension)
    if database is not None and phases is not None:
        yield f"{file}", NetworkLaw(database.networks[0], laws)
