"""The file and the table that a training ends with."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from dmn_fem.cli._console import console
from dmn_fem.cli._database import listed

if TYPE_CHECKING:
    from dmn_fem.database import Database, Descriptor
    from dmn_fem.homogenization import TrainingSet
    from dmn_fem.network import Network
    from dmn_fem.training import Fit, Samples

_OF_NETWORKS = (
    "errors",
    "inelastic_errors",
    "learning_curves",
    "error_budgets",
    "samples",
    "samples_sha256",
    "training",
)
"""What a provenance lists for every network; all else holds for those of one making."""


@dataclass(frozen=True)
class Target:
    """What a network is fitted to.

    Attributes:
        path: The file of the training set.
        data: The training set.
        training: Its samples to train on.
        held_out: Its samples to check with.
        sha256: Of the file.
    """

    path: Path
    data: "TrainingSet"
    training: "Samples"
    held_out: "Samples"
    sha256: str


def save_family(
    output: Path,
    descriptors: list["Descriptor"],
    values: list[list[float]],
    fits: list["Fit"],
    targets: list[Target],
    making: list[dict[str, Any]],
    base: "Database | None" = None,
    *,
    alone: bool = False,
) -> None:
    """Write fitted networks, with what they were fitted to, how and how well.

    Args:
        output: The file.
        descriptors: What the networks are over.
        values: Of every fitted network.
        fits: The fitted networks.
        targets: What each was fitted to.
        making: How each was fitted.
        base: The database they were started from, if from one.
        alone: Whether the networks of the base stay out.
    """
    from dmn_fem.database import Database
    from dmn_fem.training import package_versions

    provenance: dict[str, Any] = {"versions": package_versions()}
    if base is not None:
        # Its recipe and versions are those of its networks alone.
        made = {name: each for name, each in base.provenance.items() if name not in _OF_NETWORKS}
        provenance["base"] = made
    base = None if alone else base
    sets = [each.data for each in targets]
    budgets = [None if each.error_budget is None else each.error_budget.summary() for each in sets]
    networks, points = [each.network for each in fits], values
    if base is not None:
        networks, points = [*base.networks, *networks], [*base.values.tolist(), *values]
    order = sorted(range(len(points)), key=points.__getitem__)
    networks, points = [networks[k] for k in order], [points[k] for k in order]
    database = Database(networks, descriptors, points)
    own: dict[str, list[Any]] = {
        "errors": [
            {
                "training": asdict(fitted.training),
                "held_out": asdict(fitted.held_out),
                "leave_one_out": _left_out(database, points.index(value), target.held_out),
            }
            for value, fitted, target in zip(values, fits, targets, strict=True)
        ],
        "inelastic_errors": [
            None if each.inelastic is None else {"training": asdict(each.inelastic)}
            for each in fits
        ],
        "learning_curves": [each.learning_curve for each in fits],
        "error_budgets": budgets,
        "samples": [each.recipe for each in sets],
        "samples_sha256": [each.sha256 for each in targets],
        "training": making,
    }
    for name, entries in own.items():
        entries = entries if base is None else [*listed(base, name), *entries]
        provenance[name] = [entries[k] for k in order]
    if base is not None:
        places = [order.index(number) for number in range(len(base.networks))]
        _forget_left_out(base, database, places, provenance["errors"])
    Database(networks, descriptors, points, provenance).save(output)
    names = [
        ", ".join(f"{each.name} {number:g}" for each, number in zip(descriptors, row, strict=True))
        for row in values
    ]
    _show_errors(names, fits, budgets)
    console.print(f"wrote {output}")


def _left_out(database: "Database", number: int, samples: "Samples") -> dict[str, float] | None:
    """Errors of what the others give where a network stands, None if nothing stands in."""
    from dmn_fem.training import evaluate

    network = database.left_out(number)
    if network is None:
        return None
    return asdict(evaluate(network.with_phase_fraction(samples.phase_fraction), samples).stiffness)


def _forget_left_out(
    base: "Database", database: "Database", places: Sequence[int], errors: list[Any]
) -> None:
    """Drop the leave-one-out errors of a base's networks for which others stand in now.

    Their samples are not at hand, and an error is told together with the networks it is of.
    """
    for number, place in enumerate(places):
        before, now = base.left_out(number), database.left_out(place)
        same = before is not None and now is not None and _alike(before, now)
        if errors[place] is not None and not same:
            errors[place] = {**errors[place], "leave_one_out": None}


def _alike(one: "Network", other: "Network") -> bool:
    """Whether networks of a family are the same but for round-off."""
    weights = np.allclose(one.leaf_weights, other.leaf_weights, rtol=0, atol=1e-9)
    # A normal and its opposite are the same.
    along = abs(np.einsum("md,md->m", one.normals, other.normals))
    return weights and np.allclose(along, 1.0, rtol=0, atol=1e-9)


def _show_errors(
    names: list[str], fits: list["Fit"], budgets: Sequence[dict[str, Any] | None]
) -> None:
    """Errors of networks, and how far the data they were fitted to can be trusted."""
    table = Table("network", "relative errors in %", "mean", "95 %", "maximum")
    for name, fitted, budget in zip(names, fits, budgets, strict=True):
        for samples, report in (("training", fitted.training), ("held out", fitted.held_out)):
            for norm, errors in asdict(report).items():
                table.add_row(
                    name,
                    f"{samples}, {norm}",
                    *(f"{100 * value:.3f}" for value in errors.values()),
                )
                name = ""
        if fitted.inelastic is not None:
            found = asdict(fitted.inelastic).values()
            table.add_row("", "training, inelastic", *(f"{100 * value:.3f}" for value in found))
        for part, spread in _budget_rows(budget):
            table.add_row(
                "", part, f"{100 * spread['mean']:.3f}", "", f"{100 * spread['maximum']:.3f}"
            )
        table.add_section()
    console.print(table)


def _budget_rows(budget: dict[str, Any] | None) -> Iterator[tuple[str, dict[str, float]]]:
    """What an error budget says of the data, part by part."""
    if budget is None:
        return
    if budget["discretisation"] is not None:
        yield "the data: grid", budget["discretisation"]["error"]
    if budget["realisations"] is not None:
        yield "the data: another realisation", budget["realisations"]["standard_deviation"]
    yield "the data: tolerance", budget["tolerance"]
