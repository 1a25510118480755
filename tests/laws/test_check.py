"""What the check of a law says of sound and of wrong ones."""

from dataclasses import dataclass

import numpy as np
import pytest
from law_examples import LAWS

from dmn_fem.laws import Field, LinearElastic, PhaseLaw, check, law_function
from dmn_fem.laws._tracing import numbers_of


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_sound(name: str, dimension: int) -> None:
    report = check(LAWS[name], dimension, 0.003)
    assert report.failures == (), str(report)
    assert report.tangent < 1e-7
    assert report.compiled is not None


@pytest.mark.parametrize("strain", [3e-4, 0.03])
@pytest.mark.parametrize("name", [name for name in LAWS if name not in ("elastic", "orthotropic")])
def test_small_and_large_steps(name: str, strain: float) -> None:
    """Around first yield, and far beyond it in a single step."""
    report = check(LAWS[name], 3, strain)
    assert report.failures == (), str(report)


def test_what_a_law_claims() -> None:
    asymmetric = ("chaboche", "drucker_prager")
    anisotropic = ("transverse", "orthotropic", "expanding")
    for name, law in LAWS.items():
        assert law.symmetric == (name not in asymmetric)
        assert law.isotropic == (name not in anisotropic)
    assert check(LAWS["transverse"]).objectivity is None
    assert check(LAWS["chaboche"]).asymmetry is None


@dataclass(frozen=True)
class Anisotropic(PhaseLaw):
    """Claims to be isotropic."""

    modulus: float

    def formula(self, strain, old, dt):
        return [(2.0 if i == 0 else 1.0) * self.modulus * e for i, e in enumerate(strain)], {}


@dataclass(frozen=True)
class Engine(Anisotropic):
    """Gives energy: a force that depends on the turn of the way."""

    def formula(self, strain, old, dt):
        stress = [self.modulus * e for e in strain]
        stress[0] = stress[0] + self.modulus * strain[1]
        return stress, {}


@dataclass(frozen=True)
class Nan(Anisotropic):
    def formula(self, strain, old, dt):
        return [each / (0.0 * each) for each in strain], {}


@law_function
def wrong_tangent(parameters, strain, old, new, dt, stress, tangent):
    for i in range(strain.size):
        stress[i] = parameters[0] * strain[i]
        for j in range(strain.size):
            tangent[i, j] = 1.001 * parameters[0] if i == j else 0.0
    return 1


@dataclass(frozen=True)
class WrongTangent(PhaseLaw):
    modulus: float
    function = wrong_tangent

    def parameters(self, dimension):
        return np.array([self.modulus])


def test_faults_are_found() -> None:
    assert check(Anisotropic(1.0)).failures == ("objectivity",)
    # Machine code of a law that claims symmetry keeps half of its tangent.
    failures = {"work", "asymmetry", "objectivity", "compiled"}
    assert set(check(Engine(1.0)).failures) == failures
    report = check(WrongTangent(5.0))
    assert report.failures == ("tangent",)
    assert report.tangent == pytest.approx(1e-3, rel=1e-2)
    assert report.compiled is None
    assert {"tangent", "work", "compiled"} <= set(check(Nan(1.0)).failures)


def test_the_report_prints_line_by_line() -> None:
    lines = str(check(WrongTangent(5.0))).splitlines()
    assert lines[0] == "WrongTangent"
    assert "WRONG" in lines[1]
    assert all(line.endswith(("ok", "-")) for line in lines[2:])
    assert len(lines) == 6


@dataclass(frozen=True)
class Neither(PhaseLaw):
    modulus: float


@dataclass(frozen=True)
class Matter(PhaseLaw):
    """With a parameter that is no number."""

    what: object

    def fields(self, dimension):
        return (Field("nothing", ()),)


def test_laws_that_are_none() -> None:
    with pytest.raises(NotImplementedError, match="Neither has neither a formula nor a function"):
        check(Neither(1.0))
    with pytest.raises(TypeError, match="formulas read numbers, sequences and dataclasses"):
        numbers_of(Matter(object()), 3)
    assert numbers_of(LinearElastic(1.0, 0.0), 3).size == 36
