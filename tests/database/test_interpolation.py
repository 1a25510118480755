"""Networks between networks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_databases import FRACTIONS, make_database, make_network, phase_stiffness

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network


@pytest.mark.parametrize("oriented", [False, True])
@pytest.mark.parametrize("dimension", [2, 3])
def test_interpolation_is_exact_at_the_nodes_and_continuous(dimension: int, oriented: bool) -> None:
    database = make_database(dimension, 8, oriented)
    phases = phase_stiffness(dimension)
    for value, network in zip(FRACTIONS, database.networks, strict=True):
        assert database.at(volume_fraction=value) is network
        expected = network.stiffness(phases)
        for side in (-1e-9, 1e-9):
            if FRACTIONS[0] < value + side < FRACTIONS[-1]:
                near = database.at(volume_fraction=value + side)
                np.testing.assert_allclose(near.stiffness(phases), expected, rtol=1e-6, atol=1e-6)
                np.testing.assert_allclose(near.leaf_activation, network.leaf_activation, atol=1e-7)
    # A jump stays one on a finer sweep; a steep turn of these unrelated networks does not.
    steps = []
    for count in (301, 3001):
        sweep = np.linspace(0.1, 0.4, count)
        answers = np.stack([database.at(volume_fraction=v).stiffness(phases) for v in sweep])
        steps.append(np.abs(np.diff(answers, axis=0)).max() / np.ptp(answers))
    assert steps[1] < 0.3 * steps[0]


@given(st.floats(0.1, 0.4))
def test_phase_fractions_are_exact_between_nodes(value: float) -> None:
    network = make_database().at(volume_fraction=value)
    np.testing.assert_allclose(network.phase_fraction, [1 - value, value], rtol=0, atol=1e-15)
    inclusion = network.leaf_weights[network.leaf_phase == 1].sum()
    assert inclusion == pytest.approx(value, abs=1e-14)


def test_weights_are_linear_between_nodes() -> None:
    database = make_database()
    below, above = database.networks[1:]
    middle = database.at(volume_fraction=0.3)

    def share(network: Network) -> np.ndarray:
        return network.leaf_weights / network.phase_fraction[network.leaf_phase]

    np.testing.assert_allclose(share(middle), 0.5 * (share(below) + share(above)), rtol=1e-13)


def test_opposite_normals_are_one_laminate() -> None:
    database = make_database()
    first, second, third = database.networks
    flipped = replace(second, normal_angles=second.normal_angles + np.pi)
    other = Database(
        [first, flipped, third], database.descriptors, database.values, database.provenance
    )
    phases = phase_stiffness(2)
    for value in (0.13, 0.19, 0.22, 0.35):
        np.testing.assert_allclose(
            database.at(volume_fraction=value).stiffness(phases),
            other.at(volume_fraction=value).stiffness(phases),
            rtol=1e-12,
            atol=1e-12,
        )


@pytest.mark.parametrize("dimension", [2, 3])
def test_normals_turn_along_the_shortest_arc(dimension: int) -> None:
    database = make_database(dimension)
    below, middle, above = (database.at(volume_fraction=v).normals for v in (0.2, 0.3, 0.4))
    whole = np.arccos(np.abs((below * above).sum(-1)))
    assert whole.max() <= np.pi / 2
    for end in (below, above):
        half = np.arccos(np.minimum(np.abs((end * middle).sum(-1)), 1.0))
        np.testing.assert_allclose(half, whole / 2, atol=1e-7)


def test_dead_leaf_stays_dead_and_revives_linearly() -> None:
    first = make_network(0.1, 0)
    activation = first.leaf_activation.copy()
    activation[[2, 5]] = -np.inf
    first = replace(first, leaf_activation=activation)
    activation = make_network(0.2, 1).leaf_activation.copy()
    activation[5] = -np.inf
    second = replace(make_network(0.2, 1), leaf_activation=activation)
    database = Database([first, second], [Descriptor("volume_fraction")], [[0.1], [0.2]])
    middle = database.at(volume_fraction=0.15)
    assert middle.leaf_weights[5] == 0.0
    assert middle.leaf_weights[2] == pytest.approx(0.5 * 0.85 / 0.8 * second.leaf_weights[2])
