"""Pictures: phase images, responses of a point, and the moduli that a database spans."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dmn_fem.database import Database
from dmn_fem.homogenization import LocalFields
from dmn_fem.homogenization.bounds import reuss, voigt
from dmn_fem.laws import PhaseLaw, initial_stiffness
from dmn_fem.microstructure import PhaseDescription, PhaseImage, vtk_messages
from dmn_fem.notation import COMPONENTS, Array, component_scale
from dmn_fem.online import Response

_NAMED = 6  # phases that a legend names
_BINS = 60


def new_figure(width: float = 6.0, height: float = 4.5) -> Figure:
    """A figure that needs no display and leaves pyplot's global state alone."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_picture(path: str | Path) -> None:
    """Whether a picture can be written to a file of this name.

    Raises:
        ValueError: If its suffix is no format of pictures.
    """
    formats = FigureCanvasAgg.get_supported_filetypes()
    if Path(path).suffix.removeprefix(".") not in formats:
        raise ValueError(f"{path}: pictures go to .{', .'.join(sorted(formats))}")


def plot_image(image: PhaseImage, path: str | Path) -> None:
    """Draw a phase image; of a cell in 3D all phases but the matrix, and its three middle planes.

    Raises:
        RuntimeError: If a cell in 3D is drawn without PyVista.
    """
    colours = _phase_colours(image)
    shade = np.zeros((*image.shape, 3))
    for name, colour in colours.items():
        shade += image.share(name)[..., None] * colour
    planes = {"12": shade}
    if image.dimension == 3:
        first, second, third = (length // 2 for length in image.shape)
        planes = {"12": shade[:, :, third], "13": shade[:, second], "23": shade[first]}
    views = len(planes) + (image.dimension == 3)
    figure = new_figure(4.0 * views, 4.3)
    for number, (name, plane) in enumerate(planes.items(), start=1):
        axes = figure.add_subplot(1, views, number)
        axes.imshow(np.clip(np.swapaxes(plane, 0, 1), 0, 1), origin="lower")
        axes.set(xlabel=f"$x_{name[0]}$", ylabel=f"$x_{name[1]}$", xticks=[], yticks=[])
    if image.dimension == 3:
        axes = figure.add_subplot(1, views, views)
        axes.imshow(_perspective(image, colours))
        axes.axis("off")
    parts = list(zip(image.names, image.volume_fractions, strict=True))
    if len(parts) <= _NAMED:
        for name, colour in colours.items():
            axes.plot([], [], "s", color=colour, markeredgecolor="grey", label=name)
        figure.legend(loc="outside lower center", ncols=len(parts), frameon=False)
        figure.suptitle(", ".join(f"{phase} {fraction:.3f}" for phase, fraction in parts))
    figure.savefig(path, dpi=150)


def plot_descriptions(descriptions: Mapping[str, PhaseDescription], path: str | Path) -> None:
    """Draw the two-point correlation and the lineal paths of every phase over the distance."""
    figure = new_figure(4.0 * len(descriptions), 4.0)
    for number, (name, each) in enumerate(descriptions.items(), start=1):
        axes = figure.add_subplot(1, len(descriptions), number)
        correlation = each.two_point_correlation
        axes.plot(correlation, "k", label="two-point correlation")
        axes.axhline(each.volume_fraction**2, color="k", ls=":", lw=1, label="volume fraction²")
        for axis, lineal in enumerate(each.lineal_path, start=1):
            axes.plot(lineal[: correlation.size], ls="--", label=f"lineal path along {axis}")
        axes.set(xlabel="distance in voxels", title=f"{name} {each.volume_fraction:.3f}")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)


def _phase_colours(image: PhaseImage) -> dict[str, Array]:
    """A colour (red, green, blue) for every phase."""
    places = np.linspace(0, 1, max(len(image.names), 2))
    return {
        name: np.array(colormaps["cividis"](place)[:3])
        for name, place in zip(image.names, places, strict=False)
    }


def _perspective(image: PhaseImage, colours: Mapping[str, Array]) -> NDArray[np.uint8]:
    """A cell in 3D without its matrix, (rows, columns, 3)."""
    with vtk_messages() as (vista, _):
        return _render(vista, image, colours)


def _render(vista: ModuleType, image: PhaseImage, colours: Mapping[str, Array]) -> Any:
    grid: Any = vista.ImageData(dimensions=[length + 1 for length in image.shape])
    grid.cell_data["phase"] = image.phases.ravel(order="F")
    plotter: Any = vista.Plotter(off_screen=True, window_size=(800, 800))
    for phase, name in enumerate(image.names):
        voxels = grid.threshold((phase, phase), scalars="phase")
        if name != image.matrix and voxels.n_cells:
            plotter.add_mesh(voxels, color=colours[name])
    plotter.add_mesh(grid.outline(), color="black")
    plotter.add_axes(xlabel="1", ylabel="2", zlabel="3")
    picture = plotter.screenshot(return_img=True)
    plotter.close()
    return picture


def plot_response(response: Response, path: str | Path) -> None:
    """Draw stress over strain, a line for every component that is stressed."""
    dimension = 2 if response.strain.shape[1] == 4 else 3
    scale = component_scale(dimension)
    figure = new_figure()
    axes = figure.add_subplot()
    strain = np.vstack([np.zeros((1, scale.size)), response.strain / scale])
    stress = np.vstack([np.zeros((1, scale.size)), response.stress / scale])
    driven = int(np.argmax(np.nanmax(np.abs(strain), axis=0)))
    for position, name in enumerate(COMPONENTS[dimension]):
        if np.nanmax(np.abs(stress[:, position])) > 1e-6 * np.nanmax(np.abs(stress)):
            axes.plot(strain[:, driven], stress[:, position], label=rf"$\sigma_{{{name}}}$")
    axes.set(xlabel=rf"$\varepsilon_{{{COMPONENTS[dimension][driven]}}}$", ylabel="stress")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


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


def plot_database(database: Database, laws: Mapping[str, PhaseLaw], path: str | Path) -> None:
    """Draw the elastic moduli over the descriptor, between the bounds of Voigt and Reuss.

    Stored networks are dots, interpolated ones the line.

    Raises:
        ValueError: If the database has several descriptors or one network.
    """
    if database.values.shape[1] != 1 or len(database.networks) < 2:
        raise ValueError("a plot needs a database of at least two networks over one descriptor")
    descriptor = database.descriptors[0].name
    dimension = database.dimension
    phases = np.stack([initial_stiffness(laws[name], dimension) for name in database.phases])
    nodes = database.values[:, 0]
    fine = np.linspace(nodes[0], nodes[-1], 101)
    networks = [database.at(**{descriptor: value}) for value in fine]
    line = _moduli(np.stack([network.stiffness(phases) for network in networks]))
    dots = _moduli(np.stack([network.stiffness(phases) for network in database.networks]))
    lower = _moduli(np.stack([reuss(network.phase_fraction, phases) for network in networks]))
    upper = _moduli(np.stack([voigt(network.phase_fraction, phases) for network in networks]))
    figure = new_figure(4.0 * len(line), 4.0)
    for number, name in enumerate(line, start=1):
        axes = figure.add_subplot(1, len(line), number)
        axes.fill_between(fine, lower[name], upper[name], alpha=0.15, label="Reuss to Voigt")
        axes.plot(fine, line[name], label="interpolated")
        axes.plot(nodes, dots[name], "o", label="trained")
        axes.set(xlabel=descriptor.replace("_", " "), title=name)
        axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def _moduli(stiffness: Array) -> dict[str, Any]:
    """Diagonal components of Mandel stiffnesses (..., s, s): the bounds hold for each of them."""
    return {
        "$C_{1111}$": stiffness[..., 0, 0],
        "$C_{2222}$": stiffness[..., 1, 1],
        "$C_{1212}$": stiffness[..., 3, 3] / 2,
    }
