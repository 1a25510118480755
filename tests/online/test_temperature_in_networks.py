"""Networks of laws that depend on temperature against the dense reference."""

from dataclasses import replace

import numpy as np
import pytest
from dense_reference import DenseNetwork
from test_network_law import random_network, random_path

from dmn_fem.laws import (
    J2Plasticity,
    LinearElastic,
    TemperatureDependent,
    ThermalExpansion,
    VoceHardening,
)
from dmn_fem.online import NetworkLaw

VOCE = J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0))
HOT = replace(VOCE, young_modulus=60.0, yield_stress=0.04)
LAWS = {
    "matrix": ThermalExpansion(TemperatureDependent((20.0, 120.0), (VOCE, HOT)), 2e-5, 20.0),
    "inclusion": ThermalExpansion(LinearElastic(500.0, 0.2), 1e-6, 20.0),
}


@pytest.mark.parametrize("dimension", [2, 3])
def test_sweeps_equal_the_dense_flattened_system(dimension: int) -> None:
    """While strain and temperature change together."""
    rng = np.random.default_rng(dimension)
    network = random_network(dimension, 9, dimension)
    law, reference = NetworkLaw(network, LAWS, 1e-12), DenseNetwork(network, LAWS)
    state, size = law.allocate(1), law.strain_size
    stress, tangent = np.zeros((1, size)), np.zeros((1, size, size))
    for strain in random_path(dimension, 5, dimension, 0.001):
        outside = {"temperature": rng.uniform(20, 120, 1)}
        assert law.integrate(strain[None], state, stress, tangent, 0.0, outside).codes[0] == 1
        state.accept()
        expected, expected_tangent = reference.integrate(strain, 0.0, outside)
        reference.accept()
        np.testing.assert_allclose(stress[0], expected, atol=1e-10 * np.abs(expected).max())
        scale = np.abs(expected_tangent).max()
        np.testing.assert_allclose(tangent[0], expected_tangent, atol=1e-9 * scale)
    assert state["matrix.equivalent_plastic_strain"].max() > 0


def test_a_hot_point_is_softer_than_its_neighbour() -> None:
    law = NetworkLaw(random_network(3, 32, 0), LAWS)
    strain = np.tile([0.004, 0, 0, 0.002, 0, 0], (3, 1))
    outside = {"temperature": np.array([20.0, 70.0, 120.0])}
    state, stress = law.allocate(3), np.empty((3, 6))
    assert law.integrate(strain, state, stress, external=outside).failed == 0
    size = np.linalg.norm(stress - stress[:, :3].mean(axis=1)[:, None] * [1, 1, 1, 0, 0, 0], axis=1)
    assert size[0] > 1.05 * size[1] > 1.1 * size[2]
    state.accept()
    grown = state["matrix.equivalent_plastic_strain"].mean(axis=1)
    assert grown[0] < grown[1] < grown[2]


def test_every_phase_is_stress_free_at_its_own_temperature() -> None:
    """The matrix was cured at 100, the inclusions came at 20: nothing is stressed before a step."""
    laws = {**LAWS, "matrix": replace(LAWS["matrix"], reference_temperature=100.0)}
    law = NetworkLaw(random_network(2, 9, 2), laws)
    state, stress = law.allocate(3), np.empty((3, 4))
    before = law.averages(state)
    for phase in laws:
        np.testing.assert_allclose(before[f"{phase}.stress"], 0.0, atol=1e-15)
    assert (
        law.integrate(np.zeros((3, 4)), state, stress, None, 0.0, {"temperature": 60.0}).failed == 0
    )
    state.accept()
    # It shrinks by 8e-4 between inclusions that hardly grow.
    assert (law.averages(state)["matrix.stress"][:, :3].sum(axis=1) > 0.05).all()
    for phase in laws:
        np.testing.assert_array_equal(state[f"{phase}.temperature"], 60.0)
