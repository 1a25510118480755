import numpy as np
import pytest

from dmn_fem.design import hardening
from dmn_fem.laws import J2Plasticity, LinearElastic, LinearHardening, VoceHardening
from dmn_fem.online import material_law

METAL = J2Plasticity(200.0, 0.3, 0.3, LinearHardening(6.0))


def test_yield_and_hardening_of_a_metal_bar():
    # σ = σ_y + H ε_p under uniaxial stress.
    answer = hardening(material_law(METAL, 3), "22", 0.02)
    assert answer.yield_stress == pytest.approx(0.3 + 6.0 * 0.002, rel=1e-6)
    assert answer.hardening_modulus == pytest.approx(6.0, rel=1e-6)


@pytest.mark.parametrize("dimension", [2, 3])
def test_yield_and_hardening_in_shear(dimension):
    # With γ_p = √3 p it is √3 τ = σ_y + H p.
    answer = hardening(material_law(METAL, dimension), "12", 0.02)
    expected = (0.3 + 6.0 * 0.002 / np.sqrt(3)) / np.sqrt(3)
    assert answer.yield_stress == pytest.approx(expected, rel=1e-6)
    assert answer.hardening_modulus == pytest.approx(2.0, rel=1e-6)


def test_a_bar_in_plane_strain_yields_later():
    # Incompressible flow: σ = 2/√3 σ_y once the plastic strain is large against the elastic one.
    perfect = J2Plasticity(200.0, 0.3, 0.03)
    answer = hardening(material_law(perfect, 2), "11", 0.02)
    assert answer.yield_stress == pytest.approx(2 / np.sqrt(3) * 0.03, rel=2e-3)
    assert answer.hardening_modulus == pytest.approx(0, abs=0.05)


def test_coarse_rows_miss_little_of_a_saturating_curve():
    law = J2Plasticity(200.0, 0.3, 0.2, VoceHardening(0.1, 200.0, 1.0))
    answer = hardening(material_law(law, 3), "11", 0.02)
    exact = 0.2 + 0.1 * (1 - np.exp(-0.4)) + 1.0 * 0.002
    assert answer.yield_stress == pytest.approx(exact, rel=5e-3)


def test_what_is_not_reached_has_no_value():
    elastic = hardening(material_law(LinearElastic(100.0, 0.3), 3), "11", 0.02)
    assert np.isnan(elastic).all()
    soon = hardening(material_law(METAL, 3), "11", 0.002)
    assert np.isnan(soon.yield_stress)
    assert soon.hardening_modulus == pytest.approx(6.0, rel=1e-6)


def test_questions_without_an_answer():
    law = material_law(METAL, 2)
    with pytest.raises(ValueError, match="direction is 33; it must be one of 11, 22, 12"):
        hardening(law, "33", 0.02)
    with pytest.raises(ValueError, match="strain is 0"):
        hardening(law, "11", 0.0)
    with pytest.raises(RuntimeError, match="no convergence at a strain 11"):
        hardening(_Failing(law), "11", 0.02)


class _Failing:
    """A law that gives up at the largest strains."""

    def __init__(self, law):
        self._law = law

    def __getattr__(self, name):
        return getattr(self._law, name)

    def integrate(self, strain, state, stress, tangent=None, dt=0.0, external=None):
        status = self._law.integrate(strain, state, stress, tangent, dt, external)
        status.codes[np.abs(strain).max(axis=1) > 0.01] = -1
        return status
