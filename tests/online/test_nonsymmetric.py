"""Tangents that are not symmetric: Newton's method stays one, the macroscopic tangent exact."""

from dataclasses import replace

import numpy as np
import pytest
from dense_reference import DenseNetwork
from test_network_law import random_network, random_path

from dmn_fem.laws import BackStress, ChabochePlasticity, DruckerPrager, LinearElastic
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

STIFF = LinearElastic(500.0, 0.2)
CHABOCHE = ChabochePlasticity(100.0, 0.3, 0.1, (BackStress(20.0, 200.0), BackStress(2.0, 10.0)))
DRUCKER_PRAGER = DruckerPrager(100.0, 0.3, 0.1, 30.0, 10.0, 1.0)
ASSOCIATED = replace(DRUCKER_PRAGER, dilatancy_angle=30.0)
LAWS = {"chaboche": CHABOCHE, "drucker_prager": DRUCKER_PRAGER}


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", LAWS)
def test_sweeps_equal_the_dense_flattened_system(dimension: int, name: str) -> None:
    for seed in range(3):
        network = random_network(dimension, 7 + seed, seed)
        laws = {"matrix": LAWS[name], "inclusion": STIFF}
        law, reference = NetworkLaw(network, laws, tolerance=1e-12), DenseNetwork(network, laws)
        state, size = law.allocate(1), law.strain_size
        stress, tangent = np.zeros((1, size)), np.zeros((1, size, size))
        for strain in random_path(dimension, 4, seed, 0.001):
            assert law.integrate(strain[None], state, stress, tangent).codes[0] == 1
            state.accept()
            expected, expected_tangent = reference.integrate(strain)
            reference.accept()
            np.testing.assert_allclose(stress[0], expected, atol=1e-10 * np.abs(expected).max())
            scale = np.abs(expected_tangent).max()
            np.testing.assert_allclose(tangent[0], expected_tangent, atol=1e-9 * scale)
        assert state["matrix.equivalent_plastic_strain"].max() > 0


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", LAWS)
def test_tangent_against_differences(dimension: int, name: str) -> None:
    law = NetworkLaw(
        random_network(dimension, 32, 3), {"matrix": LAWS[name], "inclusion": STIFF}, 1e-12
    )
    rng, points, size = np.random.default_rng(3), 9, law.strain_size
    direction, state = 0.002 * rng.normal(size=(points, size)), law.allocate(points)
    stress, tangent = np.zeros((points, size)), np.zeros((points, size, size))
    asymmetry = 0.0
    for share in (0.5, 1.0, 0.6, -0.5):
        strain = share * direction
        assert law.integrate(strain, state, stress, tangent).failed == 0
        found, scale = state.new.copy(), np.abs(tangent).max()
        step = 1e-8 * rng.normal(size=size)
        up, down = np.zeros_like(stress), np.zeros_like(stress)
        law.integrate(strain + step, state, up)
        law.integrate(strain - step, state, down)
        error = tangent @ step - 0.5 * (up - down)
        np.testing.assert_allclose(error, 0.0, atol=1e-6 * scale * np.abs(step).max())
        asymmetry = max(asymmetry, np.abs(tangent - tangent.transpose(0, 2, 1)).max() / scale)
        state.new[:] = found
        state.accept()
    assert asymmetry > 1e-4  # far above what the differences resolve


@pytest.mark.parametrize("dimension", [2, 3])
def test_newton_needs_hardly_more_iterations_than_where_flow_is_associated(dimension: int) -> None:
    direction = 0.002 * np.random.default_rng(3).normal(size=(16, 2 * dimension))
    iterations = []
    for matrix in (ASSOCIATED, DRUCKER_PRAGER):
        law = NetworkLaw(random_network(dimension, 32, 3), {"matrix": matrix, "inclusion": STIFF})
        state, total = law.allocate(16), 0
        for share in (0.5, 1.0, 0.6, -0.5):
            status = law.integrate(share * direction, state, np.zeros_like(direction))
            assert status.failed == 0
            total += int(status.iterations.sum())
            state.accept()
        iterations.append(total)
    assert iterations[1] < 2 * iterations[0]


def test_oriented_leaves_of_an_isotropic_phase_change_nothing() -> None:
    """The turned matrices have both triangles, too."""
    rng = np.random.default_rng(1)
    oriented = Network.random(3, ("matrix", "inclusion"), (0.6, 0.4), 12, rng, oriented=True)
    laws = {"matrix": DRUCKER_PRAGER, "inclusion": STIFF}
    strain, answers = random_path(3, 3, 5, 0.001), []
    for network in (oriented, replace(oriented, leaf_orientation=None)):
        law, stress, tangent = (
            NetworkLaw(network, laws, 1e-12),
            np.zeros((3, 6)),
            np.zeros((3, 6, 6)),
        )
        assert law.integrate(strain, law.allocate(3), stress, tangent).failed == 0
        answers.append((stress, tangent))
    for one, other in zip(*answers, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8 * np.abs(other).max())
