"""Pictures of what a point answers: stress over strain, and local fields of a cell."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from dmn_fem.homogenization import LocalFields
from dmn_fem.notation import COMPONENTS, Array, component_scale
from dmn_fem.online import Response
from dmn_fem.plotting._figures import new_figure

_BINS = 60


def plot_response(response: Response, path: str | Path) -> None:
    """Draw stress over strain, and over time what the phases do.

    The first panel has a line for every component that is stressed. Then come the equivalent
    (von Mises) stress of each phase's mean stress, and the averages of internal variables that are
    numbers, such as the equivalent plastic strain.
    """
    curves = {"equivalent stress": _equivalent_stresses(response)}
    for name, values in response.averages.items():
        phase, _, quantity = name.partition(".")
        if values.ndim == 1:
            curves.setdefault(quantity.replace("_", " "), {})[phase] = values
    count = 1 + len(curves)
    columns = min(count, 3)
    figure = new_figure(5.0 * columns, 4.0 * -(-count // columns))
    panels = [figure.add_subplot(-(-count // columns), columns, n) for n in range(1, count + 1)]
    _draw_stress(panels[0], response)
    for axes, (title, phases) in zip(panels[1:], curves.items(), strict=True):
        for phase, values in phases.items():
            axes.plot(np.append(0.0, response.time), np.append(0.0, values), label=phase)
        axes.set(xlabel="time", ylabel=title)
        axes.grid(alpha=0.3)
        axes.legend(title="phase average")
    figure.savefig(path, dpi=150)


def _equivalent_stresses(response: Response) -> dict[str, Array]:
    """Von Mises stress of the mean stress of every phase, (rows,), by phase."""
    found = {}
    for name, values in response.averages.items():
        phase, _, quantity = name.partition(".")
        if quantity == "stress":
            deviator = np.array(values)
            deviator[:, :3] -= values[:, :3].mean(axis=1, keepdims=True)
            found[phase] = np.sqrt(1.5) * np.linalg.norm(deviator, axis=1)
    return found


def _draw_stress(axes: Axes, response: Response) -> None:
    """Stress over the largest strain."""
    dimension = 2 if response.strain.shape[1] == 4 else 3
    scale = component_scale(dimension)
    strain = np.vstack([np.zeros((1, scale.size)), response.strain / scale])
    stress = np.vstack([np.zeros((1, scale.size)), response.stress / scale])
    driven = int(np.argmax(np.nanmax(np.abs(strain), axis=0)))
    for position, name in enumerate(COMPONENTS[dimension]):
        if np.nanmax(np.abs(stress[:, position])) > 1e-6 * np.nanmax(np.abs(stress)):
            axes.plot(strain[:, driven], stress[:, position], label=rf"$\sigma_{{{name}}}$")
    axes.set(xlabel=rf"$\varepsilon_{{{COMPONENTS[dimension][driven]}}}$", ylabel="stress")
    axes.locator_params(axis="x", nbins=6)
    axes.grid(alpha=0.3)
    axes.legend()


def plot_histograms(fields: LocalFields, path: str | Path) -> None:
    """Draw how the local equivalent stress is distributed in each phase, and the plastic strain.

    Densities within a phase, weighted with the volume; a dashed line marks the phase's average. The
    highest values, in a thousandth of each phase, are not drawn: slivers of cut voxels reach far.
    """
    panels = {"equivalent stress": fields.equivalent_stress}
    if "equivalent_plastic_strain" in fields.internal:
        panels["equivalent plastic strain"] = fields.internal["equivalent_plastic_strain"]
    figure = new_figure(5.0 * len(panels), 4.0)
    for number, (title, values) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number)
        drawn = {
            name: ours
            for place, name in enumerate(fields.names)
            if (ours := fields.phase == place).any() and np.isfinite(values[ours]).all()
        }
        ends = [_quantile(values[ours], fields.weight[ours], 0.999) for ours in drawn.values()]
        edges = np.linspace(0.0, max(ends) or 1.0, _BINS + 1)
        for place, (name, ours) in enumerate(drawn.items()):
            volume, _ = fields.histogram(name, values, edges)
            average = np.average(values[ours], weights=fields.weight[ours])
            density = volume / (fields.weight[ours].sum() * np.diff(edges))
            colour = f"C{place % 10}"
            axes.stairs(density, edges, fill=True, alpha=0.3, color=colour)
            axes.stairs(density, edges, color=colour, label=f"{name}, average {average:.4g}")
            axes.axvline(average, color=colour, ls="--", lw=1)
        axes.set(xlabel=title, ylabel="density within the phase", xlim=(0.0, edges[-1]))
        axes.grid(alpha=0.3)
        axes.legend(title=f"largest value {np.nanmax(values):.4g}", fontsize="small")
    figure.savefig(path, dpi=150)


def _quantile(values: Array, weight: Array, part: float) -> float:
    """The value that this part of the weight does not exceed."""
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(share, part * share[-1])])
