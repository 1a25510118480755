"""Formulas: the same on arrays, for one point and eight points at once."""

import importlib
import linecache
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from law_examples import LAWS
from numba import njit

from dmn_fem._lanes import LANES
from dmn_fem.laws import Field, LinearElastic, PhaseLaw, law_function
from dmn_fem.laws._formulas import lanes_address, point_address
from dmn_fem.laws._functions import call_law
from dmn_fem.laws._respond import respond_many
from dmn_fem.laws._tracing import code_key, numbers_of
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw, material_law


@njit
def one_point(address, parameters, strain, old, new, dt, stress, tangent):
    return call_law(address, parameters, strain, old, new, dt, stress, tangent)


def walk(law, dimension, points, steps, dt):
    """Strains, internal variables before, and what the formula gives of them on arrays."""
    rng, size = np.random.default_rng(0), 2 * dimension
    strain = np.zeros((points, size))
    old = np.zeros((points, sum(field.size for field in law.fields(dimension))))
    for _ in range(steps):
        strain = strain + 0.003 * rng.normal(size=strain.shape)
        answer = respond_many(law, strain, old, dt)
        yield strain, old, answer
        old = answer[2]


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", LAWS)
def test_one_point_compiled_equals_arrays(dimension: int, name: str) -> None:
    law = LAWS[name]
    address, size = point_address(law, dimension), 2 * dimension
    for strain, old, (stresses, tangents, news) in walk(law, dimension, 10, 4, 0.7):
        for point in range(10):
            stress, tangent = np.empty(size), np.empty((size, size))
            new, before = np.empty(old.shape[1]), old[point].copy()
            code = one_point(
                address,
                np.append(numbers_of(law, dimension), list(law.external.values())),
                strain[point],
                before,
                new,
                0.7,
                stress,
                tangent,
            )
            assert code == 1
            np.testing.assert_allclose(stress, stresses[point], atol=1e-13)
            np.testing.assert_allclose(tangent, tangents[point], atol=1e-11)
            np.testing.assert_allclose(new, news[point], atol=1e-13)


@pytest.mark.parametrize("name", LAWS)
def test_eight_points_at_once_equal_arrays(name: str) -> None:
    """Through a network of one leaf."""
    law, points = LAWS[name], LANES + 3
    composite = material_law(law, 3)
    state = composite.allocate(points)
    stress, tangent = np.empty((points, 6)), np.empty((points, 6, 6))
    for strain, _, (stresses, tangents, news) in walk(law, 3, points, 4, 0.7):
        assert (
            composite.integrate(strain, state, stress, tangent, 0.7, law.external).codes == 1
        ).all()
        state.accept()
        np.testing.assert_allclose(stress, stresses, atol=1e-12)
        np.testing.assert_allclose(tangent, tangents, atol=1e-10)
        place = 0
        for field in law.fields(3):
            found = state[f"matrix.{field.name}"][:, 0]
            expected = field.in_full(news[:, place : place + field.size])
            np.testing.assert_allclose(found, expected, atol=1e-12)
            place += field.size


@dataclass(frozen=True)
class ByFormula(PhaseLaw):
    """A Maxwell element without a tangent by hand."""

    modulus: float
    relaxation_time: float

    def fields(self, dimension):
        return (Field("viscous_strain", (2 * dimension,)),)

    def formula(self, strain, old, dt):
        ratio = dt / self.relaxation_time
        pairs = zip(strain, old.viscous_strain, strict=True)
        viscous = [(v + ratio * e) / (1.0 + ratio) for e, v in pairs]
        stress = [self.modulus * (e - v) for e, v in zip(strain, viscous, strict=True)]
        return stress, {"viscous_strain": viscous}


@law_function
def maxwell(parameters, strain, old, new, dt, stress, tangent):
    modulus, ratio = parameters[0], dt / parameters[1]
    for i in range(strain.size):
        new[i] = (old[i] + ratio * strain[i]) / (1.0 + ratio)
        stress[i] = modulus * (strain[i] - new[i])
        for j in range(strain.size):
            tangent[i, j] = modulus / (1.0 + ratio) if i == j else 0.0
    return 1


class ByFunction(ByFormula):
    """The same as a function of one point."""

    function = maxwell

    def parameters(self, dimension):
        return np.array([self.modulus, self.relaxation_time])


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("oriented", [False, True])
def test_formula_and_function_give_the_same_network(dimension: int, oriented: bool) -> None:
    rng = np.random.default_rng(1)
    network = Network.random(dimension, ("a", "b"), (0.6, 0.4), 11, rng)
    if oriented:
        quaternion = rng.normal(size=(11, 4))
        if dimension == 2:
            quaternion[:, 1:3] = 0.0
        quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
        network = Network(**(vars(network) | {"leaf_orientation": quaternion}))
    size, answers = 2 * dimension, []
    for kind in (ByFormula, ByFunction):
        composite = NetworkLaw(network, {"a": kind(10.0, 2.0), "b": LAWS["orthotropic"]}, 1e-12)
        state, steps = composite.allocate(13), np.random.default_rng(2)
        stress, tangent = np.empty((13, size)), np.empty((13, size, size))
        for _ in range(3):
            strain = steps.normal(size=(13, size))
            assert (composite.integrate(strain, state, stress, tangent, 0.5).codes == 1).all()
            state.accept()
        answers.append((stress, tangent, state["a.viscous_strain"]))
    for one, other in zip(*answers, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9 * np.abs(other).max())


def test_parameters_are_not_compiled_in() -> None:
    assert lanes_address(ByFormula(1.0, 2.0), 2, 1) == lanes_address(ByFormula(3.0, 4.0), 2, 1)
    assert point_address(LAWS["chaboche"], 2) != point_address(LAWS["prager"], 2)
    assert point_address(LAWS["voce"], 3) != point_address(LAWS["power"], 3)


@dataclass(frozen=True)
class Wrong(ByFormula):
    """Gives one new value too few."""

    def formula(self, strain, old, dt):
        return strain, {"viscous_strain": list(strain)[1:]}


def test_new_values_that_do_not_fit_are_named() -> None:
    law = NetworkLaw(
        Network.random(3, ("a", "b"), (0.5, 0.5), 4, np.random.default_rng(0)),
        {"a": Wrong(1.0, 1.0), "b": LinearElastic(1.0, 0.2)},
    )
    with pytest.raises(ValueError, match="Wrong: viscous_strain has 5 new values; its field has 6"):
        law.integrate(np.zeros((1, 6)), law.allocate(1), np.empty((1, 6)))


@pytest.mark.parametrize(
    ("line", "use"),
    [
        ("from helper_of_law import twice", "twice(e)"),
        ("import helper_of_law", "helper_of_law.twice(e)"),
        ("from helper_of_law import FACTOR", "FACTOR * e"),
    ],
)
def test_machine_code_depends_on_the_source(tmp_path, monkeypatch, line, use):
    """Of the law and of what its module imports."""
    monkeypatch.syspath_prepend(tmp_path)
    keys = []
    for factor in (1.0, 2.0):
        (tmp_path / "helper_of_law.py").write_text(
            f"FACTOR = {factor}\ndef twice(x):\n    return FACTOR * x\n"
        )
        (tmp_path / "law_with_helper.py").write_text(
            "from dataclasses import dataclass\n"
            "from dmn_fem.laws import PhaseLaw\n"
            f"{line}\n"
            "@dataclass(frozen=True)\n"
            "class Spring(PhaseLaw):\n"
            "    modulus: float\n"
            "    def formula(self, strain, old, dt):\n"
            f"        return [self.modulus * {use} for e in strain], {{}}\n"
        )
        for name in ("helper_of_law", "law_with_helper"):
            sys.modules.pop(name, None)
        linecache.clearcache()
        importlib.invalidate_caches()
        keys.append(code_key(importlib.import_module("law_with_helper").Spring(1.0), 2))
    assert keys[0] != keys[1]
