"""Pictures of design maps: curves over one descriptor, contours over two."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dmn_fem.design import CORNERS, ORIENTATION, DesignMap
from dmn_fem.notation import Array
from dmn_fem.plotting._figures import new_figure

_COLUMNS = 3
_LEVELS = 13
_BANDS = {
    "Reuss to Voigt": ("reuss", "voigt", 0.12),
    "Hashin-Shtrikman": ("hashin_shtrikman_lower", "hashin_shtrikman_upper", 0.25),
}
_DASHES = {"Mori-Tanaka": ("mori_tanaka", "--"), "self-consistent": ("self_consistent", ":")}
_TITLES = {
    "young_modulus": "Young's modulus",
    "poisson_ratio": "Poisson's ratio",
    "anisotropy": "universal anisotropy",
    "yield_stress": "yield stress at 0.2 %",
}
# Where the triangle of orientations has its corners in the picture.
_TRIANGLE = np.array([[0.0, 0.0], [0.5, np.sqrt(0.75)], [1.0, 0.0]])
_TRIANGLE_NAMES = ("isotropic", "planar", "aligned")


def plot_design_map(design: DesignMap, path: str | Path) -> None:
    """Draw a design map of one or two descriptors; see `draw_design_map`."""
    draw_design_map(design).savefig(path, dpi=150)


def draw_design_map(design: DesignMap) -> Figure:
    """A design map as a figure.

    Over one descriptor: the components of a quantity as curves in one panel, bounds as bands,
    Mori-Tanaka dashed, self-consistent dotted, full fields as circles, stored networks as triangles
    at the bottom. Over two: a panel of filled
    contours for every component; crosses are the stored networks, circles full fields in the
    colour of their value. Orientations are drawn on the triangle of their eigenvalues.

    Raises:
        ValueError: If more than two descriptors vary.
    """
    if len(design.descriptors) > 2:
        raise ValueError(
            f"{', '.join(design.descriptors)} vary; a picture shows one descriptor or two"
        )
    return _draw_curves(design) if len(design.descriptors) == 1 else _draw_contours(design)


def _draw_curves(design: DesignMap) -> Figure:
    """A panel for every group of components."""
    groups: dict[str, dict[str, Mapping[str, Array]]] = {}
    for quantity, sources in design.values.items():
        title, component = _parts(quantity)
        groups.setdefault(title, {})[component] = sources
    panels, figure = _panels(len(groups), 4.6, 3.6)
    order = np.argsort(design.points[:, 0])
    x = design.points[order, 0]
    for axes, (title, components) in zip(panels, groups.items(), strict=True):
        _draw_bands(axes, x, components, order)
        for number, (component, sources) in enumerate(components.items()):
            colour = f"C{number}"
            axes.plot(x, sources["network"][order], color=colour, label=component or "network")
            for source, dash in _DASHES.values():
                if source in sources:
                    axes.plot(x, sources[source][order], dash, color=colour, lw=1)
            if "full_field" in sources:
                axes.plot(x, sources["full_field"][order], "o", color=colour, mec="black")
        nodes = design.nodes[:, 0]
        if len(nodes):
            at_bottom = axes.get_xaxis_transform()
            axes.plot(nodes, np.zeros_like(nodes), "^k", ms=5, transform=at_bottom, clip_on=False)
        axes.set(xlabel=_spoken(design.descriptors[0]), title=title)
        axes.grid(alpha=0.3)
        _legend(axes, components)
    _caption(figure, design)
    return figure


def _draw_bands(
    axes: Axes, x: Array, components: Mapping[str, Mapping[str, Array]], order: NDArray[np.intp]
) -> None:
    """Bounds, those of all components together."""
    for name, (lower, upper, alpha) in _BANDS.items():
        have = [sources for sources in components.values() if lower in sources]
        if have:
            low = np.fmin.reduce([sources[lower][order] for sources in have])
            high = np.fmax.reduce([sources[upper][order] for sources in have])
            axes.fill_between(x, low, high, color="grey", alpha=alpha, lw=0, label=name)


def _legend(axes: Axes, components: Mapping[str, Mapping[str, Array]]) -> None:
    """What the lines of all components are, once."""
    sources = {source for each in components.values() for source in each}
    for name, (source, dash) in _DASHES.items():
        if source in sources:
            axes.plot([], [], dash, color="black", lw=1, label=name)
    if "full_field" in sources:
        axes.plot([], [], "o", color="white", mec="black", label="full field")
    axes.legend(fontsize="x-small")


def _draw_contours(design: DesignMap) -> Figure:
    """A panel for every quantity."""
    panels, figure = _panels(len(design.values), 4.4, 3.6)
    triangle = design.descriptors == ORIENTATION
    points, nodes = design.points, design.nodes
    if triangle:
        points, nodes = _on_triangle(points), _on_triangle(nodes)
    for axes, (quantity, sources) in zip(panels, design.values.items(), strict=True):
        values = sources["network"]
        known = np.isfinite(values)
        title, component = _parts(quantity)
        name, *stated = title.split(" at ")
        axes.set(title=" at ".join([f"{name} {component}".strip(), *stated]))
        if not _span(points[known]):
            axes.text(0.5, 0.5, "too few values", ha="center", transform=axes.transAxes)
            continue
        low, high = float(values[known].min()), float(values[known].max())
        # What is uniform but for rounding has no contours.
        low, high = (low, high) if high - low > 1e-9 * abs(high) else (low - 0.5, low + 0.5)
        levels = np.linspace(low, high, _LEVELS)
        shades = axes.tricontourf(*points[known].T, values[known], levels, cmap="viridis")
        # So many digits that the levels differ.
        digits = 2 + int(np.ceil(np.log10(max(abs(low), abs(high)) / (high - low))))
        figure.colorbar(shades, ax=axes, format=f"%.{max(digits, 3)}g")
        if len(nodes):
            axes.plot(*nodes.T, "x", color="white", mew=1.5, ms=6, clip_on=False)
            axes.plot(*nodes.T, "x", color="black", mew=0.8, ms=5, clip_on=False)
        full = sources.get("full_field", np.full(len(points), np.nan))
        at = np.isfinite(full)
        x, y = points[at].T
        look = {"s": 110, "edgecolors": "red", "norm": shades.norm, "cmap": shades.cmap}
        # Whole at the edge, and beneath the cross of a stored network.
        axes.scatter(x, y, c=full[at], clip_on=False, zorder=1.9, **look)
        if triangle:
            _frame_triangle(axes)
        else:
            axes.set(xlabel=_spoken(design.descriptors[0]), ylabel=_spoken(design.descriptors[1]))
    _caption(figure, design)
    return figure


def _span(points: Array) -> bool:
    """Whether points span a plane."""
    return len(points) > 2 and bool(np.linalg.matrix_rank(points - points[0], tol=1e-12) == 2)


def _on_triangle(eigenvalues: Array) -> Array:
    """Places of (orientation_1, orientation_2), (N, 2), on an equilateral triangle."""
    columns = np.vstack([CORNERS.T, np.ones(3)])
    rows = np.column_stack([eigenvalues, np.ones(len(eigenvalues))])
    return np.linalg.solve(columns, rows.T).T @ _TRIANGLE


def _frame_triangle(axes: Axes) -> None:
    axes.plot(*np.vstack([_TRIANGLE, _TRIANGLE[:1]]).T, color="grey", lw=1)
    for (x, y), name in zip(_TRIANGLE, _TRIANGLE_NAMES, strict=True):
        axes.text(x, y + (0.03 if y else -0.03), name, ha="center", va="bottom" if y else "top")
    axes.set(xlim=(-0.15, 1.15), ylim=(-0.12, 1.0), aspect="equal")
    axes.axis("off")


def _panels(count: int, width: float, height: float) -> tuple[list[Axes], Figure]:
    """So many panels in rows."""
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = new_figure(width * columns, height * rows + 0.3)
    return [figure.add_subplot(rows, columns, number + 1) for number in range(count)], figure


def _caption(figure: Figure, design: DesignMap) -> None:
    """What is held fixed."""
    if design.fixed:
        held = [
            f"{_spoken(name)} {', '.join(f'{part:g}' for part in np.ravel(value))}"
            for name, value in design.fixed.items()
        ]
        figure.suptitle("; ".join(held))


def _parts(quantity: str) -> tuple[str, str]:
    """``hardening_modulus_11_at_0.02`` as ``hardening modulus at 0.02`` and ``11``."""
    found = re.fullmatch(r"(.+?)_(\d+)((?:_at_.+)?)", quantity)
    name, component, rest = (quantity, "", "") if found is None else found.groups()
    return _TITLES.get(name, _spoken(name)) + _spoken(rest), component


def _spoken(name: str) -> str:
    return name.replace("_", " ")
