"""Databases of random networks, with all that a report may tell of them."""

import numpy as np

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network

PARTS = {"mean": 0.002, "percentile_95": 0.005, "maximum": 0.011}
REPORT = {"stiffness": PARTS, "compliance": PARTS}
SPREAD = {"mean": 0.004, "maximum": 0.009}


def family(names, values, dimension=2, phases=("matrix", "inclusion"), provenance=None):
    """One random tree at all values; the last phase has the last descriptor as its fraction."""
    rng = np.random.default_rng(0)
    base = Network.random(dimension, phases, np.full(len(phases), 1 / len(phases)), 8, rng)
    networks = []
    for value in values:
        last = value[-1] if value else 0.3
        others = (1 - last) / (len(phases) - 1)
        networks.append(base.with_phase_fraction([*[others] * (len(phases) - 1), last]))
    return Database(networks, [Descriptor(name) for name in names], values, provenance)


def over_fraction(provenance=None, **options):
    """Over the volume fraction."""
    values = [(part,) for part in (0.1, 0.2, 0.4)]
    return family(("volume_fraction",), values, provenance=provenance, **options)


def over_orientation(provenance=None):
    """Over the triangle of orientations and the volume fraction, in 3D."""
    corners = [(0.3334, 0.3333), (0.5, 0.5), (1.0, 0.0)]
    values = [(*corner, part) for corner in corners for part in (0.1, 0.2)]
    names = ("orientation_1", "orientation_2", "volume_fraction")
    return family(names, values, dimension=3, provenance=provenance)


def told(networks):
    """A provenance that lacks nothing."""
    budget = {
        "samples": 8,
        "discretisation": {"error": SPREAD, "order": 1.5, "observed": True},
        "realisations": {"count": 6, "standard_deviation": SPREAD, "confidence_95": SPREAD},
        "tolerance": SPREAD,
    }
    errors = {"training": REPORT, "held_out": REPORT, "leave_one_out": PARTS}
    return {
        "recipe": {"name": "a <b>&c", "microstructure": {"generator": "discs", "grid": 16}},
        "versions": {"python": "3.12.1", "dmn-fem": "0.1.0"},
        "start": 1,
        "samples_sha256": ["0123abcd" * 8] * networks,
        "errors": [errors] * networks,
        "error_budgets": [budget, *[None] * (networks - 1)],
        "learning_curves": [[[0, 0.3, 0.4], [10, 0.01, 0.02], [20, 0.002, 0.003]]] * networks,
    }
