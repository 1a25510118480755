"""The maps of a report: elastic constants over the descriptors for phases that are told."""

import itertools
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from dmn_fem.database import Database, DatabaseError
from dmn_fem.design import ORIENTATION, design_map, elastic_constants, grid, universal_anisotropy
from dmn_fem.laws import LinearElastic, PhaseLaw, initial_stiffness
from dmn_fem.notation import Array
from dmn_fem.plotting import _html as html
from dmn_fem.plotting._maps import draw_design_map

CONTRAST = 10.0
"""Young's modulus of the last phase over that of the first, in the report's maps."""
_POISSON = 0.3
_VOID = 1e-6  # of a phase that is void, in place of zero
_CURVE, _CONTOUR = 51, 16  # points along a descriptor
_SLICES = 3  # of a third descriptor


def maps_section(database: Database) -> Iterator[str]:
    """The part of a report that draws elastic constants and the estimated error."""
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


def default_laws(database: Database) -> dict[str, LinearElastic]:
    """Isotropic phases whose Young's moduli rise to the contrast, and of a void nearly nothing."""
    recipe, samples = (database.provenance.get(name) for name in ("recipe", "samples"))
    plans = [recipe.get("samples") if isinstance(recipe, Mapping) else None]
    plans += samples if isinstance(samples, list) else []
    voids = {each.get("void") for each in plans if isinstance(each, Mapping)}
    moduli = np.geomspace(1.0, CONTRAST, len(database.phases))
    return {
        name: LinearElastic(_VOID if name in voids else float(modulus), _POISSON)
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
