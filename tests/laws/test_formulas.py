"""Formulas: the same law as the function of one point, on floats and eight points at once."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from dmn_fem.laws import (
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    OrthotropicElastic,
    PhaseLaw,
    TabulatedHardening,
    VoceHardening,
)
from dmn_fem.laws._check import respond
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

LAWS = {
    "elastic": LinearElastic(20.0, 0.3),
    "orthotropic": OrthotropicElastic((900.0, 50.0, 30.0), (0.2, 0.3, 0.1), (10.0, 20.0, 4.0)),
    "perfect": J2Plasticity(100.0, 0.3, 0.1),
    "linear": J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)),
    "voce": J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0)),
}


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", LAWS)
def test_formula_equals_function(dimension: int, name: str) -> None:
    law, rng = LAWS[name], np.random.default_rng(0)
    size = 2 * dimension
    width = sum(field.size for field in law.fields(dimension))
    old = np.zeros((width, 40))
    for _ in range(4):
        strain = 0.003 * rng.normal(size=(size, 40))
        stress, tangent, new = law.formula(
            dimension, law.parameters(dimension), list(strain), list(old), 0.0
        )
        for point in range(40):
            _, one_stress, one_tangent, one_new = respond(law, strain[:, point], old[:, point])
            scale = np.abs(one_tangent).max()
            np.testing.assert_allclose(
                [each[point] for each in stress], one_stress, atol=1e-13 * scale * 0.01
            )
            found = [[np.broadcast_to(each, 40)[point] for each in row] for row in tangent]
            np.testing.assert_allclose(found, one_tangent, atol=1e-12 * scale)
            np.testing.assert_allclose([each[point] for each in new], one_new, atol=1e-15)
        old = np.array(new).reshape(width, 40)


def without_formula(law: PhaseLaw) -> PhaseLaw:
    """The same law, called point by point."""
    kind, names = type(law), [each.name for each in fields(law)]
    slow = type(kind.__name__, (kind,), {"formula": None})
    return slow(**{name: getattr(law, name) for name in names})


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("oriented", [False, True])
def test_eight_points_at_once_equal_one_by_one(dimension: int, oriented: bool) -> None:
    rng = np.random.default_rng(1)
    network = Network.random(dimension, ("a", "b"), (0.6, 0.4), 11, rng)
    if oriented:
        quaternion = rng.normal(size=(11, 4))
        if dimension == 2:
            quaternion[:, 1:3] = 0.0
        quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
        network = Network(**(vars(network) | {"leaf_orientation": quaternion}))
    laws = {"a": LAWS["voce"], "b": LAWS["orthotropic"]}
    fast = NetworkLaw(network, laws, 1e-12)
    slow = NetworkLaw(network, {name: without_formula(law) for name, law in laws.items()}, 1e-12)
    states = fast.allocate(13), slow.allocate(13)
    size = fast.strain_size
    answers: list[Any] = [None, None]
    for step in range(1, 5):
        strain = 0.001 * step * rng.normal(size=(13, size))
        for number, (law, state) in enumerate(zip((fast, slow), states, strict=True)):
            stress, tangent = np.empty((13, size)), np.empty((13, size, size))
            assert (law.integrate(strain, state, stress, tangent).codes == 1).all()
            state.accept()
            answers[number] = stress, tangent, state["a.plastic_strain"]
        for one, other in zip(*answers, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-9 * np.abs(other).max())
    assert states[0]["a.equivalent_plastic_strain"].max() > 1e-4


def test_a_table_of_hardening_goes_point_by_point() -> None:
    table = J2Plasticity(100.0, 0.3, 0.1, TabulatedHardening((0.0, 1.0), (0.1, 5.1)))
    assert table.formula is None
    network = Network.random(3, ("a", "b"), (0.5, 0.5), 8, np.random.default_rng(0))
    strain, stresses = np.array([[0.004, -0.002, -0.001, 0.001, 0.0, 0.002]]), []
    for law in (table, J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0))):
        composite = NetworkLaw(network, {"a": law, "b": LAWS["elastic"]}, 1e-12)
        stress = np.empty((1, 6))
        composite.integrate(strain, composite.allocate(1), stress)
        stresses.append(stress)
    np.testing.assert_allclose(stresses[0], stresses[1], rtol=1e-9)
