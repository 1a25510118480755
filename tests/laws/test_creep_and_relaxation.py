"""Laws with time at one point against closed forms: held strains and held stresses."""

import numpy as np
import pytest
from test_closed_forms import BULK, NU, SHEAR, E, pure_shear

from dmn_fem.laws import (
    GeneralisedMaxwell,
    LinearHardening,
    NortonCreep,
    PerzynaViscoplasticity,
    PhaseLaw,
    PronyTerm,
    ScalarDamage,
)
from dmn_fem.online import LoadPath, Response, drive, material_law

SHEARED, PULLED = 3, 0


def held(law: PhaseLaw, component: int, value: float, time: np.ndarray) -> Response:
    """A component of the stress held from time 0 on, the others zero."""
    stress = np.zeros((time.size, 6))
    stress[:, component] = value * (np.sqrt(2) if component == SHEARED else 1.0)
    response = drive(material_law(law, 3), LoadPath(time, np.full_like(stress, np.nan), stress))
    assert not response.failed
    return response


def pulled(law: PhaseLaw, strain: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Stresses of uniaxial tension along strains at times."""
    strains, stress = np.full((time.size, 6), np.nan), np.zeros((time.size, 6))
    strains[:, PULLED], stress[:, PULLED] = strain, np.nan
    response = drive(material_law(law, 3), LoadPath(time, strains, stress))
    assert not response.failed
    return response.stress[:, PULLED]


@pytest.mark.parametrize("modulus", [0.0, 4.0])
def test_perzyna_relaxes_to_its_yield_stress(modulus: float) -> None:
    """o = √3 τ - σy - H p falls by 1 + (3 G + H) dt / (drag time) in a step of Euler's method."""
    law = PerzynaViscoplasticity(E, NU, 0.1, 0.05, 1.0, 100.0, LinearHardening(modulus))
    _, state = pure_shear(law, np.full(8, 0.01), 0.02)
    stress, _ = pure_shear(law, np.full(8, 0.01), 0.02)
    over = np.sqrt(3) * stress - 0.1 - modulus * state[:, -1]
    start = np.sqrt(3) * SHEAR * 0.01 - 0.1
    factor = 1 + (3 * SHEAR + modulus) * 0.02 / (0.05 * 100.0)
    np.testing.assert_allclose(over, start * factor ** -np.arange(1.0, 9.0), rtol=1e-9)


def test_perzyna_creeps_at_the_rate_of_its_overstress() -> None:
    """ε̇ = ((σ - σy) / drag)^n / time in tension; √3 and 1 / √3 in shear."""
    law, time = PerzynaViscoplasticity(E, NU, 0.1, 0.05, 3.0, 100.0), np.arange(6.0)
    rate = 1.6**3 / 100.0
    strain = held(law, PULLED, 0.18, time).strain
    np.testing.assert_allclose(strain[:, 0], 0.18 / E + rate * time, rtol=1e-8)
    np.testing.assert_allclose(strain[:, 1], -NU * 0.18 / E - rate * time / 2, rtol=1e-8)
    strain = held(law, SHEARED, 0.18 / np.sqrt(3), time).strain[:, SHEARED]
    expected = 0.18 / np.sqrt(3) / SHEAR + np.sqrt(3) * rate * time
    np.testing.assert_allclose(np.sqrt(2) * strain, expected, rtol=1e-8)


def test_perzyna_with_hardening_creeps_to_an_end() -> None:
    """H p approaches σ - σy as 1 - (1 + H dt / (drag time))^-k."""
    law = PerzynaViscoplasticity(E, NU, 0.1, 0.05, 1.0, 10.0, LinearHardening(4.0))
    strain = held(law, PULLED, 0.18, np.arange(8.0)).strain[:, 0]
    grown = 0.08 / 4.0 * (1 - (1 + 4.0 / (0.05 * 10.0)) ** -np.arange(8.0))
    np.testing.assert_allclose(strain, 0.18 / E + grown, rtol=1e-8)


def test_perzyna_at_a_constant_rate_of_tension() -> None:
    law, time = PerzynaViscoplasticity(E, NU, 0.1, 0.05, 5.0, 100.0), np.arange(1.0, 30.0)
    stress = pulled(law, 0.002 * time, time)
    assert stress[-1] == pytest.approx(0.1 + 0.05 * (0.002 * 100.0) ** 0.2, rel=1e-7)


def test_norton_relaxes_in_tension() -> None:
    """σ^(1-n) = σ0^(1-n) + (n - 1) E t / (s^n time), to first order in the step."""
    law, errors = NortonCreep(E, NU, 0.1, 4.0, 50.0), []
    for steps in (20, 40):
        time = np.linspace(0.0, 2.0, steps + 1)
        stress = pulled(law, np.full_like(time, 0.003), time)
        expected = (0.3**-3 + 3 * E * time / (0.1**4 * 50.0)) ** (-1 / 3)
        errors.append(np.abs(stress - expected)[-1] / expected[-1])
    assert errors[1] < 0.6 * errors[0] < 0.6 * 0.08


def test_norton_creeps_in_shear() -> None:
    """γ̇ = √3 (√3 τ / s)^n / time."""
    law, time = NortonCreep(E, NU, 0.1, 4.0, 50.0), np.arange(5.0)
    strain = held(law, SHEARED, 0.09, time).strain[:, SHEARED]
    rate = np.sqrt(3) * (np.sqrt(3) * 0.9) ** 4 / 50.0
    np.testing.assert_allclose(np.sqrt(2) * strain, 0.09 / SHEAR + rate * time, rtol=1e-8)


def test_norton_at_a_constant_rate_of_tension() -> None:
    law, time = NortonCreep(E, NU, 0.1, 4.0, 50.0), np.arange(1.0, 30.0)
    stress = pulled(law, 0.002 * time, time)
    assert stress[-1] == pytest.approx(0.1 * (0.002 * 50.0) ** 0.25, rel=1e-6)


def test_prony_terms_relax_in_tension() -> None:
    """With equal ratios E(t) / E = G(t) / G = K(t) / K, exact at any times."""
    law = GeneralisedMaxwell(E, NU, (PronyTerm(1.0, 0.3, 0.3), PronyTerm(10.0, 0.5, 0.5)))
    time = np.concatenate([[0.0], np.geomspace(0.1, 60.0, 7)])
    stress = pulled(law, np.full_like(time, 0.01), time)
    expected = 0.01 * E * (0.2 + 0.3 * np.exp(-time) + 0.5 * np.exp(-time / 10.0))
    np.testing.assert_allclose(stress, expected, rtol=1e-7)


def test_a_prony_term_creeps() -> None:
    """γ G / τ = (1 - g exp(-(1 - g) t / τ)) / (1 - g), to second order in the step."""
    law, errors = GeneralisedMaxwell(E, NU, (PronyTerm(2.0, 0.6),)), []
    for steps in (10, 20):
        time = np.linspace(0.0, 8.0, steps + 1)
        strain = held(law, SHEARED, 0.1, time).strain[:, SHEARED]
        expected = 0.1 / SHEAR * (1 - 0.6 * np.exp(-0.4 * time / 2.0)) / 0.4
        errors.append(np.abs(np.sqrt(2) * strain / expected - 1).max())
    assert errors[1] < 0.3 * errors[0] < 0.3 * 0.01
    volume = held(law, PULLED, 0.1, np.array([0.0, 3.0, 50.0])).strain[:, :3].sum(axis=1)
    np.testing.assert_allclose(volume, 0.1 / (3 * BULK), rtol=1e-7)  # only shear relaxes


def test_delayed_damage_relaxes_to_what_is_without_delay() -> None:
    """Strains held: r follows τ by Euler's method, and the stress falls to its value in no time."""
    late, soon = (ScalarDamage(E, NU, 0.1, 0.4, time) for time in (2.0, 0.0))
    angles = np.full(60, 0.008)
    stress, state = pure_shear(late, angles, 0.5)
    ratio = np.sqrt(SHEAR) * 0.008 / (0.1 / np.sqrt(E)) - 1.0
    np.testing.assert_allclose(state[:, 1], ratio * (1 - 1.25 ** -np.arange(1.0, 61.0)), rtol=1e-9)
    assert (np.diff(stress) < 0).all()
    assert stress[-1] == pytest.approx(pure_shear(soon, angles[:1])[0][0], rel=1e-4)
