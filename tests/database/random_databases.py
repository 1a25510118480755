"""Databases of random networks, for tests."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network
from dmn_fem.notation import isotropic_stiffness

PHASES = ("matrix", "inclusion")
FRACTIONS = (0.1, 0.2, 0.4)


def make_network(fraction: float, seed: int, dimension: int = 2, leaves: int = 8) -> Network:
    rng = np.random.default_rng(seed)
    return Network.random(dimension, PHASES, (1 - fraction, fraction), leaves, rng)


def make_database(dimension: int = 2, leaves: int = 8, oriented: bool = False) -> Database:
    networks = [make_network(v, seed, dimension, leaves) for seed, v in enumerate(FRACTIONS)]
    if oriented:
        rng = np.random.default_rng(7)
        quaternions = rng.normal(size=(len(networks), leaves, 4))
        quaternions /= np.linalg.norm(quaternions, axis=-1, keepdims=True)
        networks = [
            replace(network, leaf_orientation=q)
            for network, q in zip(networks, quaternions, strict=True)
        ]
    return Database(
        networks,
        [Descriptor("volume_fraction")],
        [[v] for v in FRACTIONS],
        {"recipe": {"seeds": [0, 1]}, "note": "größer"},
    )


def phase_stiffness(dimension: int) -> np.ndarray:
    return np.stack(
        [isotropic_stiffness(1.0, 0.3, dimension), isotropic_stiffness(50.0, 0.2, dimension)]
    )


def make_space(points: np.ndarray, names: str, dimension: int = 2) -> Database:
    """Related networks over several descriptors; one named volume_fraction is the fraction."""
    descriptors = [Descriptor(name) for name in names.split()]
    rng = np.random.default_rng(3)
    base = make_network(0.3, 0, dimension)
    networks = []
    for point in points:
        values = dict(zip(names.split(), point, strict=True))
        fraction = values.get("volume_fraction", 0.3)
        turn = rng.normal(scale=0.2, size=base.normal_angles.shape)
        growth = rng.uniform(0.7, 1.3, base.leaves)
        networks.append(
            replace(
                base,
                phase_fraction=np.array([1 - fraction, fraction]),
                leaf_activation=base.leaf_activation * growth,
                normal_angles=base.normal_angles + turn,
            )
        )
    return Database(networks, descriptors, points)


def steepest_steps(answer: Callable[[float], np.ndarray]) -> list[float]:
    """The largest of 50 steps from 0 to 1, and where it is, of ever shorter ones.

    Where the answer is continuous, steep as it may be, they go to zero; a jump stays.
    """
    start, end, steps = 0.0, 1.0, []
    for _ in range(5):
        sweep = np.linspace(start, end, 51)
        change = np.abs(np.diff(np.stack([answer(t) for t in sweep]), axis=0))
        size = change.reshape(50, -1).max(axis=1)
        steps.append(float(size.max()))
        start, end = sweep[size.argmax()], sweep[size.argmax() + 1]
    return steps
