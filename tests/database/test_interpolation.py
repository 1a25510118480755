"""Networks between networks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_databases import (
    FRACTIONS,
    make_database,
    make_network,
    make_space,
    phase_stiffness,
    steepest_steps,
)

from dmn_fem.database import Database, Descriptor
from dmn_fem.database._interpolation import interpolate
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
    steps = steepest_steps(lambda t: database.at(volume_fraction=0.1 + 0.3 * t).stiffness(phases))
    assert steps[-1] < 1e-3 * steps[0]


@settings(deadline=None)
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


def shortest_arc(first: np.ndarray, second: np.ndarray, position: float) -> np.ndarray:
    """Unit vectors at constant speed along the shortest arc, u and -u identified."""
    cosine = (first * second).sum(-1, keepdims=True)
    second = np.where(cosine < 0, -second, second)
    angle = np.arccos(np.clip(np.abs(cosine), 0, 1))
    ends = np.sin((1 - position) * angle) * first + np.sin(position * angle) * second
    return ends / np.sin(angle)


@pytest.mark.parametrize("dimension", [2, 3])
def test_between_two_networks_normals_stay_on_the_shortest_arc(dimension: int) -> None:
    """And move on it at constant speed, up to the third order of the angle between the ends."""
    first = make_network(0.3, 0, dimension)
    rng = np.random.default_rng(1)
    for size in (0.1, 0.2):
        moved = first.normal_angles + size * rng.uniform(-1, 1, first.normal_angles.shape)
        pair = (first, replace(first, normal_angles=moved))
        for position in (0.1, 0.25, 0.5, 0.8):
            found = interpolate(pair, np.array([1 - position, position])).normals
            expected = shortest_arc(pair[0].normals, pair[1].normals, position)
            angle = np.linalg.norm(np.cross(found, expected), axis=-1)
            assert angle.max() < 0.15 * size**3 + 1e-9
            out_of_arc = np.cross(pair[0].normals, pair[1].normals)
            assert np.abs((found * out_of_arc).sum(-1)).max() < 1e-12


@pytest.mark.parametrize("oriented", [False, True])
def test_the_order_of_the_networks_does_not_matter(oriented: bool) -> None:
    networks = make_database(3, 8, oriented).networks
    weights, phases = np.array([0.2, 0.5, 0.3]), phase_stiffness(3)
    ours = interpolate(networks, weights).stiffness(phases)
    theirs = interpolate(networks[::-1], weights[::-1]).stiffness(phases)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def test_leaf_orientations_are_rotations_and_opposite_quaternions_are_one() -> None:
    first, second, third = make_database(3, 8, oriented=True).networks
    assert second.leaf_orientation is not None
    opposite = replace(second, leaf_orientation=-second.leaf_orientation)
    weights = np.array([0.2, 0.5, 0.3])
    ours = interpolate((first, second, third), weights).leaf_orientation
    theirs = interpolate((first, opposite, third), weights).leaf_orientation
    assert ours is not None
    assert theirs is not None
    np.testing.assert_allclose(np.linalg.norm(ours, axis=-1), 1, rtol=1e-14)
    np.testing.assert_allclose(np.abs((ours * theirs).sum(-1)), 1, rtol=1e-12)


def test_several_descriptors_are_exact_at_the_networks_and_continuous() -> None:
    levels = [0.1, 0.2, 0.4], [1.0, 2.0, 5.0], [0.0, 0.5, 1.0]
    points = np.stack([axis.ravel() for axis in np.meshgrid(*levels)], axis=1)
    database = make_space(points, "volume_fraction b c")
    phases = phase_stiffness(2)

    def ask(point: np.ndarray) -> Network:
        return database.at(volume_fraction=point[0], b=point[1], c=point[2])

    for point, network in zip(points, database.networks, strict=True):
        assert ask(point) is network
    rng = np.random.default_rng(0)
    for start, end in rng.dirichlet(np.full(len(points), 0.1), (4, 2)) @ points:
        network = ask(0.3 * start + 0.7 * end)
        assert network.phase_fraction.sum() == pytest.approx(1, abs=1e-14)
        steps = steepest_steps(
            lambda t, start=start, end=end: ask((1 - t) * start + t * end).stiffness(phases)
        )
        assert steps[-1] < 1e-4 * steps[0]


def test_the_volume_fraction_asked_for_is_met_between_several_networks() -> None:
    points = np.array([[0.1, 1.0], [0.4, 1.0], [0.1, 4.0], [0.4, 4.0], [0.2, 2.0]])
    database = make_space(points, "volume_fraction aspect_ratio")
    network = database.at(volume_fraction=0.27, aspect_ratio=3.1)
    np.testing.assert_allclose(network.phase_fraction, [0.73, 0.27], rtol=0, atol=1e-15)


def test_negative_weights_kill_leaves_and_turn_normals_no_further_than_the_difference() -> None:
    """Far beyond two networks normals tend to a limit, they do not turn round and round."""
    pair = make_network(0.3, 0), make_network(0.3, 1)
    far, farther = (interpolate(pair, np.array([1 - t, t])) for t in (1e4, 1e6))
    np.testing.assert_allclose(
        np.abs((far.normals * farther.normals).sum(-1)), 1, rtol=0, atol=1e-4
    )
    assert (far.leaf_weights == 0).any()
    assert far.leaf_weights.sum() == pytest.approx(1)
