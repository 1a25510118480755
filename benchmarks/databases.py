"""How good the databases that ship are: errors at their networks, between them, and of the data.

A row a network: mean, 95th percentile and maximum over samples that it was not trained on; the mean
of what the other networks give in its place; and the error of its data, that of the grid. All are
relative, in the Frobenius norm of the stiffness, and come from the file.

With ``--fresh N`` the database is asked between its networks, too: in the middles of pairs that are
neighbours in its descriptors, against N full fields of cells and phases that no network has seen.

    python benchmarks/databases.py
    python benchmarks/databases.py short_fibres_3d --fresh 10
"""

import argparse
from importlib import resources
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dmn_fem.database import Database
from dmn_fem.homogenization import DataRecipe, draw_phase_stiffness, homogenize
from dmn_fem.notation import Array

FRESH_SEED = 30_000


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", nargs="*", help="names or files; all that ship by default")
    parser.add_argument("--fresh", type=int, default=0, metavar="N", help="full fields a point")
    parser.add_argument("--points", type=int, default=8, help="between the networks, at most")
    arguments = parser.parse_args()
    console = Console()
    for name in arguments.databases or shipped():
        database = Database.load(name)
        console.print(table_of_networks(name, database))
        if arguments.fresh:
            console.print(table_between(name, database, arguments.fresh, arguments.points))


def shipped() -> list[str]:
    """Names of the databases in the package."""
    files = (resources.files("dmn_fem") / "data").iterdir()
    return sorted(Path(each.name).stem for each in files if each.name.endswith(".safetensors"))


def table_of_networks(name: str, database: Database) -> Table:
    """What the provenance tells of every network."""
    alive = np.count_nonzero(np.max([each.leaf_weights for each in database.networks], axis=0))
    title = f"{Path(name).stem}: {alive} of {database.leaves} leaves, held-out errors in %"
    table = Table(*names(database), "mean", "95 %", "maximum", "left out", "grid", title=title)
    made = database.provenance
    for values, errors, budget in zip(
        database.values, made["errors"], made["error_budgets"], strict=True
    ):
        held_out, without = errors["held_out"]["stiffness"], errors["leave_one_out"]
        grid = budget and budget["discretisation"]
        table.add_row(
            *(f"{value:.4g}" for value in values),
            *(percent(figure) for figure in held_out.values()),
            percent(without["mean"]) if without else "",
            percent(grid["error"]["mean"]) if grid else "",
        )
    return table


def table_between(name: str, database: Database, count: int, points: int) -> Table:
    """Errors in the middles of neighbouring networks, against full fields."""
    recipe = DataRecipe.model_validate(database.provenance["recipe"])
    void = recipe.samples.void
    draws = draw_phase_stiffness(
        database.dimension,
        len(database.phases),
        count,
        FRESH_SEED,
        None if void is None else database.phases.index(void),
    )
    title = f"{Path(name).stem}: between the networks, {count} full fields each, errors in %"
    table = Table(*names(database), "mean", "maximum", "estimated", title=title)
    for values in track(middles(database.values)[:points], console=Console(stderr=True)):
        asked = dict(zip((each.name for each in database.descriptors), values, strict=True))
        image = recipe.image(recipe.cell(**asked))
        network = database.at(**asked).with_phase_fraction(image.volume_fractions)
        errors = []
        for phases in draws:
            reference = homogenize(image, phases, recipe.samples.tolerance).stiffness
            difference = np.linalg.norm(network.stiffness(phases) - reference)
            errors.append(difference / np.linalg.norm(reference))
        table.add_row(
            *(f"{value:.4g}" for value in values),
            percent(np.mean(errors)),
            percent(np.max(errors)),
            percent(database.estimated_error(**asked)),
        )
    return table


def middles(values: Array) -> Array:
    """Middles of every network and its nearest neighbours that are new, spread over all."""
    scaled = values / np.ptp(values, axis=0)
    first, second = np.triu_indices(len(values), 1)
    distance = np.linalg.norm(scaled[first] - scaled[second], axis=1)
    middle = 0.5 * (values[first] + values[second])
    order = np.argsort(distance, kind="stable")[: 2 * len(values)]
    new = [k for k in order if not (np.abs(values - middle[k]).max(axis=1) < 1e-9).any()]
    found = np.unique(middle[new].round(9), axis=0)
    return found[np.random.default_rng(0).permutation(len(found))]


def names(database: Database) -> list[str]:
    """Headings of the descriptors."""
    return [each.name.replace("_", " ") for each in database.descriptors]


def percent(value: float | None) -> str:
    """A relative error in percent."""
    return "" if value is None else f"{100 * value:.2f}"


if __name__ == "__main__":
    main()
