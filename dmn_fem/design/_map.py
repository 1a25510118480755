"""Design maps: what a composite does over the descriptors of a database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.database import Database
from dmn_fem.design._cells import cell_image, inclusions, orientation_tensor, read_recipe
from dmn_fem.design._constants import elastic_constants, universal_anisotropy
from dmn_fem.design._estimates import estimates
from dmn_fem.design._plastic import hardening
from dmn_fem.design._table import FULL_FIELD, NETWORK, DesignMap
from dmn_fem.homogenization import UnitCellLaw, homogenize
from dmn_fem.laws import Law, PhaseLaw, initial_stiffness
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import COMPONENTS, Array
from dmn_fem.online import NetworkLaw

ELASTIC = ("young_modulus", "shear_modulus", "poisson_ratio", "anisotropy")
PLASTIC = ("yield_stress", "hardening_modulus")
QUALITY = ("estimated_error",)
QUANTITIES = ELASTIC + PLASTIC + QUALITY

type _Found = tuple[int, str, Mapping[str, float]]
"""A point's number, a source, and values by quantity."""


def design_map(
    database: Database,
    laws: Mapping[str, PhaseLaw],
    points: Mapping[str, ArrayLike],
    fixed: Mapping[str, Any] | None = None,
    *,
    quantities: Sequence[str] = ELASTIC,
    directions: Sequence[str] = ("11",),
    strain: float = 0.02,
    compare: bool = True,
    full_fields: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> DesignMap:
    """Properties of the composite at points of the descriptor space.

    Args:
        database: The networks; its recipe tells the shape of inclusions and makes full fields.
        laws: The law of every phase.
        points: A column of N values for every descriptor that varies.
        fixed: Values of the others, as `Database.at` takes them: ``orientation`` may be a tensor.
        quantities: Among ``young_modulus``, ``shear_modulus``, ``poisson_ratio`` (see
            `elastic_constants`), ``anisotropy`` (see `universal_anisotropy`), ``yield_stress`` and
            ``hardening_modulus`` (see `hardening`), ``estimated_error`` (see
            `Database.estimated_error`).
        directions: Stress components of yield and hardening.
        strain: Strain up to which these are looked for, and at which the hardening is told.
        compare: Whether bounds and mean-field estimates stand beside, see `estimates`.
        full_fields: At how many of the points, spread over their order, the full field of the
            recipe's cell answers as well.
        progress: Told how many networks and full fields are done, and of how many.

    Raises:
        ValueError: If laws, quantities or directions are none, a point lies outside the database,
            full fields are asked of a database without a recipe, or estimated errors of one that
            holds no errors to tell them from.
        RuntimeError: If a point does not converge; the message says which.
    """
    fixed = dict(fixed or {})
    _check(database, laws, quantities, directions)
    names = tuple(points)
    table = np.stack([np.asarray(column, dtype=float) for column in points.values()], axis=-1)
    where = [{**dict(zip(names, map(float, row), strict=True)), **fixed} for row in table]
    # Faults of points and recipe show before the work.
    networks = [database.at(**each) for each in where]
    estimated = "estimated_error" in quantities
    errors = [database.estimated_error(**each) for each in where] if estimated else []
    chosen = _spread(full_fields, len(where))
    images = _images(database, where, chosen)
    phases = np.stack(
        [initial_stiffness(laws[name], database.dimension) for name in database.phases]
    )
    inelastic = tuple(directions) if set(quantities) & set(PLASTIC) else ()

    def answers() -> Iterator[list[_Found]]:
        for place, network in enumerate(networks):
            stiffness = network.stiffness(phases)
            own = _elastic(stiffness)
            if inelastic:
                own |= _inelastic(NetworkLaw(network, laws), inelastic, strain, where[place])
            if errors:
                own["estimated_error"] = errors[place]
            found: list[_Found] = [(place, NETWORK, own)]
            if compare:
                known = inclusions(database, where[place])
                parts, turned = network.phase_fraction, network.leaf_orientation is not None
                beside = estimates(
                    stiffness, parts, phases, database.dimension, *known, turned=turned
                )
                found += [(place, name, each) for name, each in beside.items()]
            yield found
        for place, image in zip(chosen, images, strict=True):
            stiffness = homogenize(image, phases).stiffness
            own = _elastic(stiffness)
            if inelastic:
                own |= _inelastic(UnitCellLaw(image, laws), inelastic, strain, where[place])
            yield [(place, FULL_FIELD, own)]

    values: dict[str, dict[str, Array]] = {}
    for done, found in enumerate(answers(), start=1):
        for place, source, each in found:
            for quantity, value in each.items():
                if quantity.startswith(tuple(quantities)):
                    columns = values.setdefault(quantity, {})
                    column = columns.setdefault(source, np.full(len(where), np.nan))
                    column[place] = value
        if progress is not None:
            progress(done, len(networks) + len(chosen))
    return DesignMap(names, table, fixed, _nodes(database, names, fixed), values)


def _elastic(stiffness: Array) -> dict[str, float]:
    """Elastic properties of a composite."""
    found = {name: float(value) for name, value in elastic_constants(stiffness).items()}
    return found | {"anisotropy": float(universal_anisotropy(stiffness))}


def _inelastic(
    law: Law, directions: Sequence[str], strain: float, at: Mapping[str, Any]
) -> dict[str, float]:
    """How a composite yields and hardens under stress in some directions."""
    stresses: dict[str, float] = {}
    moduli: dict[str, float] = {}
    for direction in directions:
        try:
            answer = hardening(law, direction, strain)
        except RuntimeError as error:
            place = ", ".join(f"{name} = {value}" for name, value in at.items())
            raise RuntimeError(f"at {place}: {error}") from None
        stresses[f"yield_stress_{direction}"] = answer.yield_stress
        moduli[f"hardening_modulus_{direction}_at_{strain:g}"] = answer.hardening_modulus
    return stresses | moduli


def _check(
    database: Database,
    laws: Mapping[str, PhaseLaw],
    quantities: Sequence[str],
    directions: Sequence[str],
) -> None:
    """Refuse what cannot be answered, before the work."""
    if set(laws) != set(database.phases):
        raise ValueError(
            f"laws are given for {', '.join(laws) or '(none)'}; "
            f"the database needs {', '.join(database.phases)}"
        )
    if not quantities or not directions:
        raise ValueError("a design map needs a quantity and a direction, or more of them")
    if unknown := [name for name in quantities if name not in QUANTITIES]:
        raise ValueError(f"quantity {unknown[0]!r} is unknown; there are {', '.join(QUANTITIES)}")
    dimension = database.dimension
    allowed = [name for name in COMPONENTS[dimension] if dimension == 3 or name != "33"]
    if unknown := [name for name in directions if name not in allowed]:
        raise ValueError(f"direction is {unknown[0]}; it must be one of {', '.join(allowed)}")
    inelastic = any(law.fields(dimension) for law in laws.values())
    if set(quantities) & set(PLASTIC) and not inelastic:
        raise ValueError("yield_stress and hardening_modulus need a phase that yields")


def _spread(count: int, points: int) -> list[int]:
    """So many of the points, evenly spread over their order."""
    if not 0 <= count <= points:
        raise ValueError(f"{count} full fields are asked for at {points} points")
    return np.linspace(0, points - 1, count).round().astype(int).tolist()


def _images(
    database: Database, where: Sequence[Mapping[str, Any]], chosen: Sequence[int]
) -> list[PhaseImage]:
    """Phase images of some points."""
    if not chosen:
        return []
    recipe = read_recipe(database)
    return [cell_image(recipe, where[place]) for place in chosen]


def _nodes(database: Database, names: tuple[str, ...], fixed: Mapping[str, Any]) -> Array:
    """Descriptors that vary, of the stored networks that have the fixed ones, (K, D)."""
    held = [each.name for each in database.descriptors]
    known = {name: value for name, value in fixed.items() if name in held}
    tensor = orientation_tensor(fixed)
    if tensor is not None:
        first, second, _ = np.sort(np.linalg.eigvalsh(tensor))[::-1]
        known |= {"orientation_1": first, "orientation_2": second}
    ours = np.ones(len(database.networks), dtype=bool)
    for name, value in known.items():
        ours &= np.isclose(database.values[:, held.index(name)], float(value), rtol=0, atol=1e-9)
    return database.values[ours][:, [held.index(name) for name in names]]
