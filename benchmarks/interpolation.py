"""Elastic error of a database at its own and at interpolated volume fractions, against full fields.

The cells are those of the database's recipe, the phase stiffnesses are drawn anew: no sample of
the training is among them. Errors are relative, in the Frobenius norm of the stiffness.

    python benchmarks/interpolation.py discs_2d
"""

import argparse

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dmn_fem.database import Database
from dmn_fem.homogenization import DataRecipe, draw_phase_stiffness, homogenize

FRESH_SEED = 20_000


def main() -> None:
    """Compare and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", default="discs_2d", nargs="?")
    parser.add_argument("--samples", type=int, default=50)
    arguments = parser.parse_args()
    database = Database.load(arguments.database)
    recipe = database.provenance["recipe"]
    cells = DataRecipe.model_validate(recipe)
    nodes = database.values[:, 0]
    fractions = np.sort(np.concatenate([nodes, 0.5 * (nodes[1:] + nodes[:-1])])).round(6)
    draws = draw_phase_stiffness(database.dimension, 2, arguments.samples, FRESH_SEED)
    table = Table("volume fraction", "", "mean", "95 %", "maximum")
    for fraction in track(fractions, console=Console(stderr=True)):
        image = cells.cell(volume_fraction=fraction).image()
        network = database.at(volume_fraction=fraction)
        errors = []
        for phases in draws:
            reference = homogenize(image, phases, recipe["samples"]["tolerance"]).stiffness
            answer = network.stiffness(phases)
            errors.append(np.linalg.norm(answer - reference) / np.linalg.norm(reference))
        figures = (np.mean(errors), np.percentile(errors, 95), np.max(errors))
        kind = "trained" if fraction in nodes else "interpolated"
        table.add_row(f"{fraction:g}", kind, *(f"{100 * figure:.2f} %" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
