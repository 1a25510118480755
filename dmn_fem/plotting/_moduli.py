"""Pictures of the elastic moduli that a database spans."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dmn_fem.database import Database
from dmn_fem.homogenization.bounds import reuss, voigt
from dmn_fem.laws import PhaseLaw, initial_stiffness
from dmn_fem.notation import Array
from dmn_fem.plotting._figures import new_figure


def plot_database(database: Database, laws: Mapping[str, PhaseLaw], path: str | Path) -> None:
    """Draw the elastic moduli over the descriptor, between the bounds of Voigt and Reuss.

    Stored networks are dots, interpolated ones the line. Anisotropic phases whose axes turn within
    the microstructure have no such bounds.

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
    turned = database.networks[0].leaf_orientation is not None
    bounded = not turned or all(law.isotropic for law in laws.values())
    lower = _moduli(np.stack([reuss(network.phase_fraction, phases) for network in networks]))
    upper = _moduli(np.stack([voigt(network.phase_fraction, phases) for network in networks]))
    figure = new_figure(4.0 * len(line), 4.0)
    for number, name in enumerate(line, start=1):
        axes = figure.add_subplot(1, len(line), number)
        if bounded:
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
