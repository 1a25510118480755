"""The report of a database: one HTML file that needs nothing else."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dmn_fem._files import write_atomically
from dmn_fem.database import Database
from dmn_fem.plotting import _html as html
from dmn_fem.plotting._report_maps import maps_section
from dmn_fem.plotting._training import draw_errors, draw_learning_curves, part
from dmn_fem.plotting._tree import draw_tree


def write_report(database: Database, path: str | Path) -> None:
    """Write all that is known of a database as one HTML file, pictures inlined.

    Recipe, versions and hashes; learning curves; errors beside the data's error budget; the trees;
    elastic constants over the descriptors for isotropic phases of a stated contrast; the
    estimated error. What the provenance lacks is said to be not recorded.

    Raises:
        OSError: If the file cannot be written.
    """
    recipe = database.provenance.get("recipe")
    name = recipe.get("name", "database") if isinstance(recipe, Mapping) else "database"
    sections = (_summary, _recipe, _making, _errors, _learning, maps_section, _trees)
    parts = [html.heading(str(name), 1), *(part for each in sections for part in each(database))]
    write_atomically(path, html.page(str(name), parts).encode())


def _summary(database: Database) -> Iterator[str]:
    yield html.paragraph(
        f"{len(database.networks)} deep material networks of {database.leaves} leaves in "
        f"{database.dimension}D, phases {', '.join(database.phases)}."
    )
    ranges = zip(database.descriptors, database.values.T, strict=True)
    yield html.table(
        ("descriptor", "unit", "least", "largest", "values"),
        [
            (each.name, each.unit, f"{column.min():g}", f"{column.max():g}", len(np.unique(column)))
            for each, column in ranges
        ],
    )


def _recipe(database: Database) -> Iterator[str]:
    yield html.heading("Recipe")
    recipe = database.provenance.get("recipe")
    if isinstance(recipe, Mapping) and recipe:
        yield html.tree_of_values(recipe)
    elif database.provenance.get("training"):
        yield html.paragraph("None: networks fitted to training sets one by one, as told below.")
    else:
        yield html.not_recorded("The recipe")


def _making(database: Database) -> Iterator[str]:
    yield html.heading("How it was made")
    shown = {"recipe", "learning_curves", "samples_sha256"}
    shown |= {"errors", "inelastic_errors", "error_budgets"}
    rest = {name: each for name, each in database.provenance.items() if name not in shown}
    yield html.tree_of_values(rest) if rest else html.not_recorded("Versions and seeds")
    hashes = database.provenance.get("samples_sha256")
    if not hashes:
        yield html.not_recorded("Hashes of the sample files")
        return
    if isinstance(hashes, Mapping):
        rows = list(hashes.items())
    elif len(hashes) == len(database.networks):
        rows = list(zip(_names(database), (each or "not recorded" for each in hashes), strict=True))
    else:
        rows = list(enumerate(hashes, start=1))
    yield html.folded("SHA-256 of the sample files", html.table(("samples", "SHA-256"), rows))


def _errors(database: Database) -> Iterator[str]:
    yield html.heading("Errors")
    names, errors, budgets = (
        _names(database),
        _per_network(database, "errors"),
        _per_network(database, "error_budgets"),
    )
    if not any(errors):
        yield html.not_recorded("The errors of the networks")
    if not any(budgets):
        yield html.not_recorded("The error budget of the data")
    if not any(errors) and not any(budgets):
        return
    inelastic = _per_network(database, "inelastic_errors")
    sets = [name for name in ("training", "held_out") if any(name in each for each in inelastic)]
    yield html.paragraph(
        "Relative errors of the homogenised stiffness in %: mean / 95 % / maximum over samples of "
        "phase stiffnesses. Left out: the network that the others give in its place, against its "
        "samples. Beside them what the samples themselves are uncertain by, mean / maximum: the "
        "grid, one realisation of the microstructure (standard deviation), the solver's tolerance."
        + (" Inelastic: the deviatoric stress along paths, its largest error." if sets else "")
    )
    kinds = list(itertools.product(("training", "held_out"), ("stiffness", "compliance")))
    header = [
        _space(database) or "network",
        *(f"{kind.replace('_', ' ')}, {norm}" for kind, norm in kinds),
        "left out, stiffness",
        "data: grid",
        "data: realisation",
        "data: tolerance",
        *(f"{name.replace('_', ' ')}, inelastic" for name in sets),
    ]
    yield html.table(
        header,
        [
            [
                label,
                *(_percent(part(each, kind, norm)) for kind, norm in kinds),
                _percent(each.get("leave_one_out")),
                _percent(part(budget, "discretisation", "error")),
                _percent(part(budget, "realisations", "standard_deviation")),
                _percent(budget.get("tolerance")),
                *(_percent(paths.get(name)) for name in sets),
            ]
            for label, each, budget, paths in zip(names, errors, budgets, inelastic, strict=True)
        ],
    )
    caption = "Mean errors in stiffness; whiskers reach to the maximum."
    yield html.picture(draw_errors(errors, budgets, names, _space(database)), caption)


def _learning(database: Database) -> Iterator[str]:
    yield html.heading("Learning curves")
    curves = database.provenance.get("learning_curves")
    if not isinstance(curves, list) or len(curves) != len(database.networks) or not any(curves):
        yield html.not_recorded("The learning curves")
        return
    caption = "Mean relative error over the steps, training and held out (dashed)."
    yield html.picture(draw_learning_curves(curves, _names(database)), caption)


def _trees(database: Database) -> Iterator[str]:
    yield html.heading("Networks")
    yield html.paragraph(
        "Each row is a level of the tree, each box a node as wide as it weighs and coloured by the "
        "phases below it; strokes are interface normals, and dots their component out of plane."
        + (
            " Beside it a square, cut along every interface into leaves as large as they weigh."
            if database.dimension == 2
            else ""
        )
    )
    for number, (name, network) in enumerate(zip(_names(database), database.networks, strict=True)):
        drawn = html.picture(draw_tree(network), f"Network {name}.", "png")
        yield html.folded(name, drawn, unfolded=number == 0)


def _space(database: Database) -> str:
    """What the names of the networks are."""
    return ", ".join(each.name.replace("_", " ") for each in database.descriptors)


def _names(database: Database) -> list[str]:
    """The networks by their descriptors."""
    return [", ".join(f"{value:g}" for value in row) or "network" for row in database.values]


def _per_network(database: Database, name: str) -> list[Mapping[str, Any]]:
    """An entry of the provenance for every network, empty where there is none."""
    listed = database.provenance.get(name)
    if not isinstance(listed, list) or len(listed) != len(database.networks):
        return [{} for _ in database.networks]
    return [each if isinstance(each, Mapping) else {} for each in listed]


def _percent(errors: Mapping[str, float] | None) -> str:
    """``mean / 95 % / maximum`` in %, of what there is."""
    if not errors:
        return "–"
    parts = [errors[name] for name in ("mean", "percentile_95", "maximum") if name in errors]
    return " / ".join(f"{100 * value:.3g}" for value in parts)
