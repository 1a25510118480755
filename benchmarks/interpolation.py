"""Elastic errors of a database between its networks, against full fields of the same cells.

The database is asked at its own values of its descriptor, half-way between them, and half a step
outside. The cells are those of its recipe, the phase stiffnesses are drawn anew: no sample of the
training is among them. Errors are relative, in the Frobenius norm of the stiffness.

Beside it stand networks that are trained independently, each from a random start of its own, and
interpolated in the same way; families that are trained anew as the database was (from the middle
outwards, then together), least and largest mean error; and how far the full fields of other
realisations of the cell are from those of this one. For the networks, training sets are made in a
directory, where they stay.

    python benchmarks/interpolation.py discs_2d --families 3
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dmn_fem.database import Database
from dmn_fem.homogenization import (
    BudgetSettings,
    DataRecipe,
    draw_phase_stiffness,
    homogenize,
    sample_family,
    start_processes,
)
from dmn_fem.microstructure import Cell
from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.training import Samples, Settings, fit, fit_family, rescale

FRESH_SEED = 20_000
TRAINING, HELD_OUT = 120, 20
ITERATIONS = Settings(iterations=600)
bar = Console(stderr=True)
type Target = tuple[Samples, Samples]


def full_fields(recipe: DataRecipe, cell: Cell, draws: Array) -> Array:
    """Homogenised stiffnesses of a cell, one for every draw of phase stiffnesses."""
    image = recipe.image(cell)
    return np.stack(
        [homogenize(image, phases, recipe.samples.tolerance).stiffness for phases in draws]
    )


def errors(answers: Array, references: Array) -> Array:
    """Relative errors of matrices (n, s, s)."""
    difference = np.linalg.norm(answers - references, axis=(1, 2))
    return difference / np.linalg.norm(references, axis=(1, 2))


def targets_of(recipe: DataRecipe, directory: Path) -> list[Target]:
    """Training sets of the recipe's cells, smaller than those of the database."""
    sampling = recipe.samples.model_copy(update={"count": TRAINING + HELD_OUT})
    smaller = recipe.model_copy(
        update={"samples": sampling, "error_budget": BudgetSettings(samples=0)}
    )
    with start_processes() as workers:
        sets = sample_family(smaller, directory, workers)
    return [Samples.of(each).split(HELD_OUT) for each in sets]


def random_start(like: Network, target: Target, seed: int) -> Network:
    """A random network of the same size."""
    rng = np.random.default_rng(seed)
    return Network.random(like.dimension, like.phases, target[0].phase_fraction, like.leaves, rng)


def independent(database: Database, targets: Sequence[Target]) -> Database:
    """Networks that know nothing of one another."""
    networks = [
        fit(random_start(database.networks[0], target, 100 + number), *target, ITERATIONS).network
        for number, target in enumerate(track(targets, "independent networks", console=bar))
    ]
    return Database(networks, database.descriptors, database.values)


def family(database: Database, targets: Sequence[Target], seed: int) -> Database:
    """Networks that descend from a random one in the middle, fitted together in the end."""
    middle = len(targets) // 2
    start = random_start(database.networks[0], targets[middle], seed)
    networks = {middle: fit(start, *targets[middle], ITERATIONS).network}
    outwards = [(k, k - 1) for k in range(middle + 1, len(targets))]
    outwards += [(k, k + 1) for k in reversed(range(middle))]
    for number, base in track(outwards, f"family of seed {seed}", console=bar):
        target = targets[number]
        begin = rescale(networks[base], target[0].phase_fraction)
        networks[number] = fit(begin, *target, ITERATIONS).network
    chain = [networks[number] for number in range(len(targets))]
    fits = fit_family(chain, targets, database.values, ITERATIONS)
    return Database([each.network for each in fits], database.descriptors, database.values)


def places(database: Database) -> list[tuple[float, str]]:
    """Values of the descriptor, and what they are to the database."""
    nodes = database.values[:, 0]
    half = 0.5 * np.diff(nodes)
    found = [(value, "trained") for value in nodes]
    found += [(value, "interpolated") for value in nodes[:-1] + half]
    found += [(nodes[0] - half[0], "extrapolated"), (nodes[-1] + half[-1], "extrapolated")]
    return [(round(float(value), 6), kind) for value, kind in sorted(found)]


def main() -> None:
    """Compare and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", default="discs_2d", nargs="?")
    parser.add_argument("--samples", type=int, default=40, help="fresh phase stiffnesses")
    parser.add_argument("--realisations", type=int, default=3, help="other cells, 10 samples each")
    parser.add_argument("--families", type=int, default=1, help="families that are trained anew")
    parser.add_argument("--directory", type=Path, default=Path("work/interpolation"))
    arguments = parser.parse_args()
    database = Database.load(arguments.database)
    if len(database.descriptors) != 1:
        parser.error("the database has several descriptors; this takes one")
    name = database.descriptors[0].name
    recipe = DataRecipe.model_validate(database.provenance["recipe"])
    void = None if recipe.samples.void is None else recipe.phases.index(recipe.samples.void)
    draws = draw_phase_stiffness(
        database.dimension, len(database.phases), arguments.samples, FRESH_SEED, void
    )
    targets = targets_of(recipe, arguments.directory / recipe.name)
    strangers = independent(database, targets)
    families = [family(database, targets, seed) for seed in range(arguments.families)]

    table = Table(name, "", title="Errors in %: mean / 95 % / maximum, or means")
    for column in ("database", "families anew", "independent networks", "other realisations"):
        table.add_column(column, justify="right")
    for value, kind in track(places(database), "full fields", console=bar):
        try:
            cell = recipe.cell(**{name: value})
            references = full_fields(recipe, cell, draws)
        except ValueError as error:
            bar.print(f"{name} {value:g} left out: {error}")
            continue

        def asked(source: Database, at: float = value, truth: Array = references) -> Array:
            network = source.at(extrapolate=True, **{name: at})
            return 100 * errors(network.stiffness(draws), truth)

        own = asked(database)
        anew = [asked(each).mean() for each in families]
        others = []
        seed = cell.model_dump().get("seed")
        if seed is not None:
            for number in range(1, arguments.realisations + 1):
                other = cell.model_copy(update={"seed": seed + number})
                others.append(errors(full_fields(recipe, other, draws[:10]), references[:10]))
        table.add_row(
            f"{value:g}",
            kind,
            f"{own.mean():.2f} / {np.percentile(own, 95):.2f} / {own.max():.2f}",
            f"{min(anew):.2f} to {max(anew):.2f}" if anew else "",
            f"{asked(strangers).mean():.1f}",
            f"{100 * np.mean(others):.1f}" if others else "",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
