"""One law of several networks: every point has its own, and answers as if it were alone."""

from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.laws import DruckerPrager, J2Plasticity, LinearElastic, LinearHardening, State
from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.online import NetworkLaw

PHASES = ("matrix", "inclusion")
STIFF = LinearElastic(1000.0, 0.2)
MATRICES = {
    "symmetric": J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)),
    "not symmetric": DruckerPrager(100.0, 0.3, 0.1, 30.0, 10.0, 1.0),
}
INDEX = np.array([2, 0, 1, 1, 2, 0, 0, 2, 1, 2, 0, 1, 0])


def networks_of(dimension: int, oriented: bool = False, leaves: int = 9) -> list[Network]:
    """Three of one tree; of the second a leaf is dead."""
    rng = np.random.default_rng(4)
    networks = [
        Network.random(dimension, PHASES, (1 - f, f), leaves, rng, oriented=oriented)
        for f in (0.2, 0.3, 0.45)
    ]
    activation = networks[1].leaf_activation.copy()
    activation[4] = -np.inf
    networks[1] = replace(networks[1], leaf_activation=activation)
    return networks


def directions(points: int, dimension: int) -> Array:
    rng = np.random.default_rng(8)
    return 0.001 * rng.normal(size=(points, 2 * dimension))


def follow(law: NetworkLaw, state: State, direction: Array, shares) -> tuple[Array, Array]:
    """Stress and tangent at the end of a path."""
    points, size = direction.shape
    stress, tangent = np.empty((points, size)), np.empty((points, size, size))
    for share in shares:
        assert law.integrate(share * direction, state, stress, tangent).failed == 0
        state.accept()
    return stress, tangent


@pytest.mark.parametrize(
    ("dimension", "matrix", "oriented"),
    [(2, "symmetric", False), (3, "symmetric", True), (2, "not symmetric", True)],
)
def test_a_mixed_batch_equals_laws_of_one_network(
    dimension: int, matrix: str, oriented: bool
) -> None:
    networks, laws = networks_of(dimension, oriented), {"matrix": MATRICES[matrix]}
    laws["inclusion"] = STIFF
    path, direction = (0.5, 1.0, 1.5, 1.2), directions(INDEX.size, dimension)
    law = NetworkLaw(networks, laws, 1e-13)
    state = law.allocate(INDEX.size, INDEX)
    found = *follow(law, state, direction, path), law.averages(state), law.maxima(state)
    for number, network in enumerate(networks):
        own = number == INDEX
        alone = NetworkLaw(network, laws, 1e-13)
        own_state = alone.allocate(int(own.sum()))
        stress, tangent = follow(alone, own_state, direction[own], path)
        np.testing.assert_allclose(found[0][own], stress, atol=1e-11 * np.abs(stress).max())
        np.testing.assert_allclose(found[1][own], tangent, atol=1e-10 * np.abs(tangent).max())
        for mixed, single in ((found[2], alone.averages), (found[3], alone.maxima)):
            for name, values in single(own_state).items():
                scale = np.abs(values).max()
                np.testing.assert_allclose(mixed[name][own], values, atol=1e-10 * scale)
        assert alone.averages(own_state)["matrix.equivalent_plastic_strain"].max() > 0


def test_order_and_neighbours_are_irrelevant() -> None:
    law = NetworkLaw(networks_of(3), {"matrix": MATRICES["symmetric"], "inclusion": STIFF})
    direction, path = directions(INDEX.size, 3), (0.5, 1.5)
    stress, _ = follow(law, law.allocate(INDEX.size, INDEX), direction, path)
    order = np.random.default_rng(0).permutation(INDEX.size)
    again, _ = follow(law, law.allocate(INDEX.size, INDEX[order]), direction[order], path)
    np.testing.assert_array_equal(again, stress[order])


def test_a_restart_goes_on_to_the_same_bits() -> None:
    law = NetworkLaw(networks_of(2), {"matrix": MATRICES["symmetric"], "inclusion": STIFF})
    direction, state = directions(INDEX.size, 2), law.allocate(INDEX.size, INDEX)
    follow(law, state, direction, (0.5, 1.0))
    restarted = law.allocate(INDEX.size, INDEX)
    restarted.load(state.export())
    expected, _ = follow(law, state, direction, (1.5, 1.2))
    found, _ = follow(law, restarted, direction, (1.5, 1.2))
    np.testing.assert_array_equal(found, expected)
    # Some of the points alone, as what fails is integrated again.
    few = np.array([11, 3, 4])
    taken = state.take(few)
    expected, _ = follow(law, state, direction, (2.0,))
    found, _ = follow(law, taken, direction[few], (2.0,))
    np.testing.assert_array_equal(found, expected[few])


def test_an_elastic_step_needs_no_iteration_in_any_network() -> None:
    law = NetworkLaw(networks_of(3), {"matrix": MATRICES["symmetric"], "inclusion": STIFF})
    direction = 0.05 * directions(INDEX.size, 3)
    status = law.integrate(direction, law.allocate(INDEX.size, INDEX), np.empty_like(direction))
    assert not status.iterations.any()


def test_a_network_without_a_phase_has_no_averages_of_it() -> None:
    networks = networks_of(2)
    networks[0] = networks[0].with_phase_fraction((1.0, 0.0))
    law = NetworkLaw(networks, {"matrix": STIFF, "inclusion": LinearElastic(10.0, 0.3)})
    index, strain = np.array([0, 1]), directions(2, 2)
    state, stress, tangent = law.allocate(2, index), np.empty((2, 4)), np.empty((2, 4, 4))
    assert law.integrate(strain, state, stress, tangent).failed == 0
    state.accept()
    np.testing.assert_allclose(stress[0], tangent[0] @ strain[0], rtol=1e-9)
    for values in (law.averages(state), law.maxima(state)):
        assert np.isnan(values["inclusion.stress"][0]).all()
        assert np.isfinite(values["inclusion.stress"][1]).all()


def test_networks_and_numbers_that_do_not_fit() -> None:
    laws = {"matrix": STIFF, "inclusion": STIFF}
    two, three = networks_of(2), networks_of(3)
    with pytest.raises(ValueError, match="of no network"):
        NetworkLaw([], laws)
    with pytest.raises(ValueError, match="network 1 has dimension 3; it must be that of network 0"):
        NetworkLaw([two[0], three[0]], laws)
    turned = replace(two[1], leaf_phase=1 - two[1].leaf_phase)
    with pytest.raises(ValueError, match="network 1 has another leaf_phase"):
        NetworkLaw([two[0], turned], laws)
    with pytest.raises(ValueError, match="leaf_orientation, or none"):
        NetworkLaw([two[0], networks_of(2, oriented=True)[0]], laws)
    law = NetworkLaw(two, laws)
    with pytest.raises(ValueError, match=r"network of point 1 is 3; it must lie in 0 … 2"):
        law.allocate(3, np.array([0, 3, 1]))
    with pytest.raises(ValueError, match=r"has shape \(2,\) and type int64; it must be \(3,\)"):
        law.allocate(3, np.array([0, 1]))
    with pytest.raises(ValueError, match="sensitivities are those of one network"):
        law.sensitivity(np.zeros((1, 1, 4)), np.zeros((1, 1, 8, 2)), np.zeros((1, 1, 4)))


@pytest.mark.parametrize("networks", [1, 3])
def test_threads_change_no_bit(networks: int) -> None:
    points, laws = 203, {"matrix": MATRICES["symmetric"], "inclusion": STIFF}
    index = np.arange(points) % networks
    direction, answers = directions(points, 2), []
    for threads in (1, 2, 3):
        law = NetworkLaw(networks_of(2)[:networks], laws, threads=threads)
        state = law.allocate(points, index)
        answers.append((*follow(law, state, direction, (0.7, 1.5)), state.old))
    for other in answers[1:]:
        for one, two in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="threads is 0; it must be at least 1"):
        NetworkLaw(networks_of(2), laws, threads=0)
