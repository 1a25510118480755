"""Samples that a random reference network answers: training data without a full field."""

from collections.abc import Callable

import numpy as np
import pytest

from dmn_fem.homogenization import draw_phase_stiffness
from dmn_fem.network import Network
from dmn_fem.training import Samples

PHASES = ("matrix", "inclusion")


@pytest.fixture
def random_network() -> Callable[..., Network]:
    def make(
        leaves: int = 8,
        fraction: float = 0.3,
        seed: int = 0,
        dimension: int = 2,
        phases: int = 2,
        oriented: bool = False,
    ) -> Network:
        names = tuple(f"phase_{p}" for p in range(phases)) if phases != 2 else PHASES
        others = np.full(phases - 1, 1 - fraction) / max(phases - 1, 1)
        fractions = np.append(others, fraction if phases > 1 else 1.0)
        rng = np.random.default_rng(seed)
        return Network.random(dimension, names, fractions, leaves, rng, oriented=oriented)

    return make


@pytest.fixture
def sampled() -> Callable[..., Samples]:
    def make(network: Network, count: int = 40, seed: int = 0) -> Samples:
        stiffness = draw_phase_stiffness(network.dimension, len(network.phases), count, seed)
        return Samples(stiffness, network.stiffness(stiffness), network.phase_fraction)

    return make
