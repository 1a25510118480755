"""The verb that makes a database from a recipe."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID
from rich.table import Table

from dmn_fem.cli._console import console, progress_bar


def build(
    recipe: Annotated[Path, typer.Argument(metavar="TOML", help="Recipe of a database.")],
    directory: Annotated[Path, typer.Option(help="Where all the stages leave their files.")],
    processes: Annotated[int, typer.Option(help="Processes for samples and starts.")] = 1,
) -> None:
    """Make a database from a recipe: cells, samples, a first network, the transfer to all others.

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
    names = [descriptor.name.replace("_", " ") for descriptor in database.descriptors]
    table = Table(*names, "mean error", "95 %", "maximum", title="held-out samples")
    for values, errors in zip(database.values, database.provenance["errors"], strict=True):
        figures = errors["held_out"]["stiffness"].values()
        table.add_row(
            *(f"{value:g}" for value in values), *(f"{100 * figure:.3f} %" for figure in figures)
        )
    console.print(table)
