"""Pictures of how networks were trained: learning curves, and errors beside those of the data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from dmn_fem.plotting._figures import new_figure

_NAMED = 12  # networks that a legend names


def draw_learning_curves(curves: Sequence[Any], names: Sequence[str]) -> Figure:
    """Errors over the steps of the training, a colour for every network.

    Args:
        curves: A list of rows (step, training error, held-out error) per network; None or an empty
            one is not drawn.
        names: Of the networks.
    """
    figure = new_figure(8.0, 4.2)
    axes = figure.add_subplot()
    for number, (curve, name) in enumerate(zip(curves, names, strict=True)):
        if not curve:
            continue
        step, training, held_out = np.array(curve, dtype=float).T[:3]
        colour = colormaps["viridis"](number / max(len(names) - 1, 1))
        label = name if len(names) <= _NAMED else None
        axes.plot(step, 100 * training, color=colour, label=label)
        axes.plot(step, 100 * held_out, "--", color=colour, lw=1)
    axes.plot([], [], "--", color="black", lw=1, label="held out")
    axes.set(xlabel="step", ylabel="error in %", yscale="log")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    return figure


def draw_errors(
    errors: Sequence[Mapping[str, Any]],
    budgets: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    space: str,
) -> Figure:
    """Mean errors in stiffness of every network, with whiskers up to the maximum.

    Args:
        errors: ``training``, ``held_out`` and ``leave_one_out`` of every network, any may be
            missing.
        budgets: Error budgets of the data, see `ErrorBudget.summary`, any part may be missing.
        names: Of the networks.
        space: What the names are values of.
    """
    places = np.arange(len(names))
    series = {
        "training": [part(each, "training", "stiffness") for each in errors],
        "held out": [part(each, "held_out", "stiffness") for each in errors],
        "leave one out": [each.get("leave_one_out") for each in errors],
        "data: grid": [part(each, "discretisation", "error") for each in budgets],
        "data: realisation": [part(each, "realisations", "standard_deviation") for each in budgets],
        "data: tolerance": [each.get("tolerance") for each in budgets],
    }
    figure = new_figure(max(8.0, 0.5 * len(names) + 3.0), 4.2)
    axes = figure.add_subplot()
    for number, (label, values) in enumerate(series.items()):
        mean = np.array([100 * each["mean"] if each else np.nan for each in values])
        most = np.array([100 * each["maximum"] if each else np.nan for each in values])
        if np.isfinite(mean).any():
            x = places + 0.1 * (number - 2.5)
            axes.errorbar(
                x,
                mean,
                [np.zeros_like(mean), most - mean],
                fmt="s" if number > 2 else "o",
                ms=4,
                lw=1,
                color=f"C{number}",
                label=label,
            )
    axes.set(xlabel=space, ylabel="relative error in %", yscale="log")
    axes.set_xticks(places, names, rotation=0 if len(names) <= 8 else 90)
    axes.grid(alpha=0.3, axis="y", which="both")
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    return figure


def part(values: Mapping[str, Any], first: str, second: str) -> Mapping[str, float] | None:
    """An entry of an entry, None where one of them is missing."""
    found = values.get(first)
    return None if found is None else found.get(second)
