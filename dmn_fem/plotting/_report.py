"""The report of a database: one HTML file that needs nothing else."""

import itertools
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dmn_fem._files import write_atomically
from dmn_fem.database import Database, DatabaseError
from dmn_fem.design import ORIENTATION, design_map, elastic_constants, grid, universal_anisotropy
from dmn_fem.laws import LinearElastic, PhaseLaw, initial_stiffness
from dmn_fem.notation import Array
from dmn_fem.plotting import _html as html
from dmn_fem.plotting._maps import draw_design_map
from dmn_fem.plotting._training import draw_errors, draw_learning_curves, part
from dmn_fem.plotting._tree import draw_tree

CONTRAST = 10.0
"""Young's modulus of the last phase over that of the first, in the report's maps."""
_POISSON = 0.3
_VOID = 1e-6  # of a phase that is void, in place of zero
_CURVE, _CONTOUR = 51, 16  # points along a descriptor
_SLICES = 3  # of a third descriptor


def write_report(database: Database, path: str | Path) -> None:
    """Write all that is known of a database as one HTML file, pictures inlined.

    Recipe, versions and hashes; learning curves; errors beside the data's error budget; the trees;
    elastic constants over the descriptors for isotropic phases of contrast `CONTRAST`; the
    estimated error. What the provenance lacks is said to be not recorded.

    Raises:
        OSError: If the file cannot be written.
    """
    recipe = database.provenance.get("recipe")
    name = recipe.get("name", "database") if isinstance(recipe, Mapping) else "database"
    sections = (_summary, _recipe, _making, _errors, _learning, _maps, _trees)
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
    else:
        yield html.not_recorded("The recipe")


def _making(database: Database) -> Iterator[str]:
    yield html.heading("How it was made")
    shown = ("recipe", "errors", "error_budgets", "learning_curves", "samples_sha256")
    rest = {name: each for name, each in database.provenance.items() if name not in shown}
    yield html.tree_of_values(rest) if rest else html.not_recorded("Versions and seeds")
    hashes = database.provenance.get("samples_sha256")
    if not hashes:
        yield html.not_recorded("Hashes of the sample files")
        return
    if isinstance(hashes, Mapping):
        rows = list(hashes.items())
    elif len(hashes) == len(database.networks):
        rows = list(zip(_names(database), hashes, strict=True))
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
    yield html.paragraph(
        "Relative errors of the homogenised stiffness in %: mean / 95 % / maximum over samples of "
        "phase stiffnesses. Left out: the network that the others give in its place, against its "
        "samples. Beside them what the samples themselves are uncertain by, mean / maximum: the "
        "grid, one realisation of the microstructure (standard deviation), the solver's tolerance."
    )
    kinds = list(itertools.product(("training", "held_out"), ("stiffness", "compliance")))
    header = [
        _space(database) or "network",
        *(f"{kind.replace('_', ' ')}, {norm}" for kind, norm in kinds),
        "left out, stiffness",
        "data: grid",
        "data: realisation",
        "data: tolerance",
    ]
    yield html.table(
        header,
        [
            [
                name,
                *(_percent(part(each, kind, norm)) for kind, norm in kinds),
                _percent(each.get("leave_one_out")),
                _percent(part(budget, "discretisation", "error")),
                _percent(part(budget, "realisations", "standard_deviation")),
                _percent(budget.get("tolerance")),
            ]
            for name, each, budget in zip(names, errors, budgets, strict=True)
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


def _maps(database: Database) -> Iterator[str]:
    yield html.heading("Effective moduli")
    laws = default_laws(database)
    moduli = ", ".join(f"{name} {law.young_modulus:g}" for name, law in laws.items())
    yield html.paragraph(
        f"Isotropic phases with Young's moduli {moduli}, all of Poisson's ratio {_POISSON:g}"
        + (", in plane strain." if database.dimension == 2 else ".")
    )
    if len(database.networks) == 1:
        yield _one_network(database, laws)
        return
    quantities = ["young_modulus", "shear_modulus", "anisotropy"]
    if len(database.descriptors) == 1:
        quantities.append("poisson_ratio")
    over, slices = _axes(database)
    grids = [grid(database, over, fixed) for fixed in slices]
    if all(map(partial(_has_estimate, database), grids, slices)):
        quantities.append("estimated_error")
    else:
        yield html.not_recorded("What an estimate of the error between the networks needs")
    for points, fixed in zip(grids, slices, strict=True):
        curves = len(points) == 1
        design = design_map(database, laws, points, fixed, quantities=quantities, compare=curves)
        place = "".join(f", at {name} {value:g}" for name, value in fixed.items())
        marks = (
            "Grey bands are bounds, dashed and dotted lines mean-field estimates, triangles at the "
            "bottom stored networks."
            if curves
            else "Crosses are stored networks."
        )
        caption = f"Over {' and '.join(points)}{place}. {marks}".replace("_", " ")
        yield html.picture(draw_design_map(design), caption, "svg" if curves else "png")


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


def default_laws(database: Database) -> dict[str, LinearElastic]:
    """Isotropic phases whose Young's moduli rise to the contrast, and of a void nearly nothing."""
    recipe = database.provenance.get("recipe")
    samples = recipe.get("samples") if isinstance(recipe, Mapping) else None
    void = samples.get("void") if isinstance(samples, Mapping) else None
    moduli = np.geomspace(1.0, CONTRAST, len(database.phases))
    return {
        name: LinearElastic(_VOID if name == void else float(modulus), _POISSON)
        for name, modulus in zip(database.phases, moduli, strict=True)
    }


def _one_network(database: Database, laws: Mapping[str, PhaseLaw]) -> str:
    """Elastic constants of the only network."""
    phases = [initial_stiffness(laws[name], database.dimension) for name in database.phases]
    stiffness = database.networks[0].stiffness(phases)
    constants = elastic_constants(stiffness) | {"anisotropy": universal_anisotropy(stiffness)}
    rows = [(name.replace("_", " "), f"{value:.5g}") for name, value in constants.items()]
    return html.table(("quantity", "value"), rows)


def _axes(database: Database) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """What varies in a map, see `grid`, and what is fixed in each of the maps."""
    names = [each.name for each in database.descriptors]
    columns = {name: np.unique(database.values[:, number]) for number, name in enumerate(names)}
    over: dict[str, Any] = {}
    if set(ORIENTATION) <= set(names):
        over["orientation"] = _CONTOUR
        others = [name for name in names if name not in ORIENTATION]
    else:
        count = _CURVE if len(names) == 1 else _CONTOUR
        for name in names[:2]:
            over[name] = np.linspace(columns[name][0], columns[name][-1], count)
        others = names[2:]
    # Of one further descriptor its ends and the middle, of more the middles alone.
    places = np.linspace(0, 1, _SLICES) if len(others) == 1 else np.array([0.5])
    held = [_stored(columns[name], places) for name in others]
    return over, [dict(zip(others, each, strict=True)) for each in itertools.product(*held)]


def _stored(values: Array, places: Array) -> list[float]:
    """Some of the stored values, by their places from 0 to 1 among them."""
    return values[np.unique(np.round(places * (len(values) - 1)).astype(int))].tolist()


def _has_estimate(
    database: Database, points: Mapping[str, Array], fixed: Mapping[str, float]
) -> bool:
    """Whether the database can estimate its error at all of the points."""
    try:
        for row in zip(*points.values(), strict=True):
            database.estimated_error(**dict(zip(points, map(float, row), strict=True)), **fixed)
    except DatabaseError:
        return False
    return True


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
