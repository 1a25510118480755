"""Pictures: phase images, responses of a point, and the moduli that a database spans."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dmn_fem.database import Database
from dmn_fem.homogenization.bounds import reuss, voigt
from dmn_fem.laws import PhaseLaw, initial_stiffness
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import COMPONENTS, Array, component_scale
from dmn_fem.online import Response


def new_figure(width: float = 6.0, height: float = 4.5) -> Figure:
    """A figure that needs no display and leaves pyplot's global state alone."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plot_image(image: PhaseImage, path: str | Path) -> None:
    """Draw a phase image; of a cube its three middle planes."""
    phases = image.phases
    middle = [length // 2 for length in image.shape]
    planes = {"12": phases}
    if image.dimension == 3:
        first, second, third = middle
        planes = {"12": phases[:, :, third], "13": phases[:, second], "23": phases[first]}
    figure = new_figure(4.0 * len(planes), 4.3)
    for number, (name, plane) in enumerate(planes.items(), start=1):
        axes = figure.add_subplot(1, len(planes), number)
        top = len(image.names) - 1
        axes.imshow(plane.T, origin="lower", cmap="cividis", vmin=0, vmax=max(top, 1))
        axes.set(xlabel=f"$x_{name[0]}$", ylabel=f"$x_{name[1]}$", xticks=[], yticks=[])
    parts = zip(image.names, image.volume_fractions, strict=True)
    figure.suptitle(", ".join(f"{phase} {fraction:.3f}" for phase, fraction in parts))
    figure.savefig(path, dpi=150)


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
