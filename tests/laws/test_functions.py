from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from dmn_fem.laws import Code, Field, LinearElastic, PhaseLaw, check, law_function
from dmn_fem.network import Network
from dmn_fem.notation import isotropic_stiffness
from dmn_fem.online import NetworkLaw, material_law


@law_function
def kelvin_voigt(parameters, strain, old, new, dt, stress, tangent):
    size = strain.size
    for i in range(size):
        rate = (strain[i] - old[i]) / dt
        stress[i] = parameters[0] * strain[i] + parameters[1] * rate
        for j in range(size):
            tangent[i, j] = 0.0
        tangent[i, i] = parameters[0] + parameters[1] / dt
        new[i] = strain[i]
    return 1


@dataclass(frozen=True)
class KelvinVoigt(PhaseLaw):
    modulus: float
    viscosity: float
    function: ClassVar[Any] = kelvin_voigt

    def parameters(self, dimension):
        return np.array([self.modulus, self.viscosity])

    def fields(self, dimension):
        return (Field("strain_before", (2 * dimension,)),)


@law_function
def raises(parameters, strain, old, new, dt, stress, tangent):
    if strain[0] > 0.5:
        raise ValueError("out of range")
    for i in range(strain.size):
        stress[i] = strain[i]
        for j in range(strain.size):
            tangent[i, j] = 1.0 if i == j else 0.0
    return 1


@dataclass(frozen=True)
class Raises(PhaseLaw):
    function: ClassVar[Any] = raises

    def parameters(self, dimension):
        return np.zeros(0)


def test_a_users_law_in_a_network_with_its_history_and_rate():
    law = KelvinVoigt(3.0, 0.5)
    assert check(law, dt=0.1).tangent < 1e-7
    rng = np.random.default_rng(0)
    network = Network.random(3, ("a", "b"), (0.5, 0.5), 8, rng)
    composite = NetworkLaw(network, {"a": law, "b": law})
    state, stress = composite.allocate(1), np.zeros((1, 6))
    before = np.zeros(6)
    for _ in range(3):
        strain = before + rng.normal(size=6)
        composite.integrate(strain[None], state, stress, dt=0.2)
        state.accept()
        np.testing.assert_allclose(
            stress[0], 3.0 * strain + 0.5 * (strain - before) / 0.2, rtol=1e-8
        )
        before = strain
    np.testing.assert_allclose(composite.averages(state)["a.strain_before"][0], before, rtol=1e-7)


def test_an_exception_inside_a_law_fails_its_point_alone():
    law = material_law(Raises(), 3)
    strain = np.zeros((3, 6))
    strain[:, 0] = [0.1, 0.9, 0.2]
    stress, tangent = np.zeros((3, 6)), np.zeros((3, 6, 6))
    status = law.integrate(strain, law.allocate(3), stress, tangent)
    assert status.codes.tolist() == [Code.CONVERGED, Code.FAILED, Code.CONVERGED]
    assert status.failed == 1
    assert status.worst == 1
    assert status.step_factor < 1
    assert np.isnan(stress[1]).all()
    assert np.isnan(tangent[1]).all()
    np.testing.assert_array_equal(stress[[0, 2]], strain[[0, 2]])


def test_a_network_of_one_leaf_is_the_material():
    law = material_law(LinearElastic(5.0, 0.2), 2)
    strain = np.random.default_rng(0).normal(size=(4, 4))
    stress = np.zeros_like(strain)
    law.integrate(strain, law.allocate(4), stress)
    np.testing.assert_allclose(stress, strain @ isotropic_stiffness(5.0, 0.2, 2), rtol=1e-12)


def test_wrong_phases_are_named():
    network = Network.random(2, ("matrix", "inclusion"), (0.5, 0.5), 4, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"fibre, matrix; the phases are matrix, inclusion"):
        NetworkLaw(network, {"matrix": Raises(), "fibre": Raises()})
