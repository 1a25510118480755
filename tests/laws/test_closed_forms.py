"""Laws at one point against closed forms: tension, shear, relaxation, creep, apex, damage."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq

from dmn_fem.laws import (
    BackStress,
    ChabochePlasticity,
    DruckerPrager,
    GeneralisedMaxwell,
    J2Plasticity,
    LinearHardening,
    NortonCreep,
    PerzynaViscoplasticity,
    PhaseLaw,
    PowerHardening,
    PronyTerm,
    ScalarDamage,
    TransverselyIsotropicElastic,
    initial_stiffness,
)
from dmn_fem.laws._respond import respond

E, NU = 100.0, 0.3
SHEAR, BULK = E / 2.6, E / 1.2


def pure_shear(law: PhaseLaw, angles: np.ndarray, dt: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Shear stresses τ and internal variables along a path of shears γ."""
    old, stresses, states = None, [], []
    for gamma in angles:
        code, stress, _, old = respond(law, [0, 0, 0, gamma / np.sqrt(2), 0, 0], old, dt)
        assert code == 1
        stresses.append(stress[3] / np.sqrt(2))
        states.append(old)
    return np.array(stresses), np.array(states)


def tension(law: PhaseLaw, strain: float, old: np.ndarray | None, dt: float) -> tuple:
    """Axial stress and new state under uniaxial stress: Newton on the lateral strain."""
    lateral = -NU * strain
    for _ in range(50):
        _, stress, tangent, new = respond(law, [strain, lateral, lateral, 0, 0, 0], old, dt)
        if abs(stress[1]) < 1e-15:
            break
        lateral -= stress[1] / (tangent[1, 1] + tangent[1, 2])
    assert abs(stress[1]) < 1e-12
    return stress[0], new


def test_swift_hardening_in_tension() -> None:
    law, old = J2Plasticity(E, NU, 0.1, PowerHardening(0.01, 0.3)), None
    for strain in np.linspace(0, 0.02, 9)[1:]:
        stress, old = tension(law, strain, old, 0.0)
        if old[5] > 0:
            assert stress == pytest.approx(0.1 * (1 + old[5] / 0.01) ** 0.3, rel=1e-10)
            assert strain - stress / E == pytest.approx(old[5], rel=1e-10)


def test_prager_in_cyclic_shear() -> None:
    """The yield surface keeps its size √3 τ = σy and moves: |τ - C γp / 3| = σy / √3."""
    law = ChabochePlasticity(E, NU, 0.1, (BackStress(6.0),))
    gamma = np.concatenate([np.linspace(0, 0.02, 20), np.linspace(0.02, -0.02, 40)])
    stress, state = pure_shear(law, gamma)
    plastic = gamma - stress / SHEAR
    centre = 6.0 / 3.0 * plastic
    flows = np.diff(state[:, 5], prepend=0.0) > 0
    assert flows[:20].any()
    assert flows[20:].any()
    np.testing.assert_allclose(np.abs(stress - centre)[flows], 0.1 / np.sqrt(3), rtol=1e-10)
    np.testing.assert_allclose(state[:, 8] / np.sqrt(2), centre, atol=1e-12)


def test_armstrong_frederick_saturates() -> None:
    """Under monotonic loading √3 τ = σy + C/γ (1 - exp(-γ p)), to first order in the step."""
    law, found = ChabochePlasticity(E, NU, 0.1, (BackStress(30.0, 200.0),)), []
    for steps in (100, 200):
        stress, state = pure_shear(law, np.linspace(0, 0.06, steps))
        expected = 0.1 + 30.0 / 200.0 * (1 - np.exp(-200.0 * state[:, 5]))
        flows = state[:, 5] > 0
        found.append(np.abs(np.sqrt(3) * stress - expected)[flows].max())
        assert np.sqrt(3) * stress[-1] == pytest.approx(0.25, rel=2e-3)
    assert found[1] < 0.6 * found[0] < 0.6 * 0.01


def test_without_recall_and_modulus_chaboche_is_j2() -> None:
    hardening = LinearHardening(5.0)
    tiny = ChabochePlasticity(E, NU, 0.1, (BackStress(1e-12),), hardening)
    gamma = np.array([0.001, 0.01, 0.0, -0.02])
    one, _ = pure_shear(tiny, gamma)
    other, _ = pure_shear(J2Plasticity(E, NU, 0.1, hardening), gamma)
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_perzyna_reaches_its_overstress() -> None:
    """At a constant rate √3 τ = σy + drag (ṗ time)^(1/exponent), with ṗ = γ̇ / √3."""
    law = PerzynaViscoplasticity(E, NU, 0.1, 0.05, 5.0, 100.0)
    rate, dt = 2e-3, 1.0
    stress, _ = pure_shear(law, rate * dt * np.arange(1, 60), dt)
    expected = 0.1 + 0.05 * (rate / np.sqrt(3) * 100.0) ** 0.2
    assert np.sqrt(3) * stress[-1] == pytest.approx(expected, rel=1e-9)
    # So fast that nothing flows, so slow that it is rate-independent.
    fast, _ = pure_shear(law, np.array([0.01]), 1e-18)
    slow, _ = pure_shear(law, np.array([0.01]), 1e25)
    none, _ = pure_shear(law, np.array([0.01]), 0.0)
    assert fast[0] == pytest.approx(SHEAR * 0.01, rel=1e-9)
    assert none[0] == SHEAR * 0.01
    assert np.sqrt(3) * slow[0] == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize("exponent", [1.0, 3.0, 12.0, 80.0])
def test_norton_relaxes_as_implicit_euler(exponent: float) -> None:
    """√3 τ = q solves q + 3 G dt/time (q/s)^n = 3 G γ/√3 in one step."""
    for dt in (1e-6, 1e-2, 1.0, 1e4):
        law = NortonCreep(E, NU, 0.1, exponent, 10.0)
        stress, _ = pure_shear(law, np.array([0.01]), dt)
        trial = np.sqrt(3) * SHEAR * 0.01

        def balance(q: float, dt: float = dt, trial: float = trial) -> float:
            return float(q + 3 * SHEAR * dt / 10.0 * (q / 0.1) ** exponent - trial)

        expected = brentq(balance, 0.0, trial, xtol=1e-15)
        assert np.sqrt(3) * stress[0] == pytest.approx(expected, rel=1e-9)


def test_norton_creeps_at_its_rate() -> None:
    """Under a constant stress the creep strain grows by (σ / s)^n / time."""
    law, old, strain, stress = NortonCreep(E, NU, 0.1, 4.0, 50.0), None, 0.0015, 0.15
    grown = []
    for _ in range(4):
        for _ in range(30):
            found, new = tension(law, strain, old, 0.5)
            slope = (tension(law, strain + 1e-7, old, 0.5)[0] - found) / 1e-7
            strain += (stress - found) / slope
            if abs(found - stress) < 1e-13:
                break
        old = new
        grown.append(new[5])
    np.testing.assert_allclose(np.diff(grown, prepend=0.0), 0.5 / 50.0 * 1.5**4, rtol=1e-8)


def test_relaxation_of_prony_terms() -> None:
    law = GeneralisedMaxwell(E, NU, (PronyTerm(1.0, 0.3, 0.1), PronyTerm(10.0, 0.2)))
    gamma, times = 0.01, np.concatenate([[0.0], np.geomspace(1e-7, 100, 30)])
    old, before = None, 0.0
    for time in times:
        strain = [0.002, 0.002, 0.002, gamma / np.sqrt(2), 0, 0]
        _, stress, _, old = respond(law, strain, old, time - before)
        before = time
        shear = SHEAR * (0.5 + 0.3 * np.exp(-time) + 0.2 * np.exp(-time / 10))
        bulk = BULK * (0.9 + 0.1 * np.exp(-time))
        assert stress[3] / np.sqrt(2) == pytest.approx(shear * gamma, rel=1e-10)
        assert stress[0] == pytest.approx(bulk * 0.006, rel=1e-10)


@pytest.mark.parametrize("dt", [1e-9, 1e-5, 0.3, 7.0])
def test_a_constant_strain_rate_is_integrated_exactly(dt: float) -> None:
    """σ = ∫ G(t - s) γ̇ ds, whatever the step."""
    law = GeneralisedMaxwell(E, NU, (PronyTerm(2.0, 0.6),))
    stress, _ = pure_shear(law, 0.1 * dt * np.arange(1, 6), dt)
    time = dt * np.arange(1, 6)
    expected = SHEAR * 0.1 * (0.4 * time + 0.6 * 2.0 * -np.expm1(-time / 2.0))
    np.testing.assert_allclose(stress, expected, rtol=1e-9)


def test_drucker_prager_at_the_cone_and_at_its_apex() -> None:
    law = DruckerPrager(E, NU, 0.1, 30.0, 20.0)
    half = np.sqrt(3) * (3 - 0.5)
    eta, xi = 6 * 0.5 / half, 6 * np.cos(np.pi / 6) / half
    for strain in ([0.002, 0, -0.003, 0.004, 0, 0], [0.002, 0, 0, 0, 0.004, 0]):
        _, stress, _, new = respond(law, strain)
        assert new[6] > 0
        pressure = stress[:3].mean()
        deviator = stress.copy()
        deviator[:3] -= pressure
        assert np.linalg.norm(deviator) / np.sqrt(2) + eta * pressure == pytest.approx(xi * 0.1)
    _, stress, _, new = respond(law, [0.02, 0.021, 0.02, 0.001, 0, 0])
    np.testing.assert_allclose(stress, [0.1 * xi / eta] * 3 + [0] * 3, atol=1e-12)
    assert 0.1 * xi / eta == pytest.approx(0.1 / np.tan(np.pi / 6))  # c cot φ
    assert new[:3].sum() == pytest.approx(0.061 - 3 * 0.1 * xi / eta / (3 * BULK))
    # Dilatancy: volume grows by η̄ times the multiplier, ε̄p by ξ times it.
    _, _, _, new = respond(law, [0.002, 0, -0.003, 0.004, 0, 0])
    sine = np.sin(np.radians(20))
    assert new[:3].sum() / new[6] == pytest.approx(6 * sine / np.sqrt(3) / (3 - sine) / xi)


def test_drucker_prager_in_uniaxial_compression() -> None:
    """The strength is that of Mohr and Coulomb, 2 c cos φ / (1 - sin φ)."""
    law, old = DruckerPrager(E, NU, 0.1, 30.0, 20.0), None
    for strain in -np.linspace(0, 0.01, 11)[1:]:
        stress, old = tension(law, strain, old, 0.0)
    assert stress == pytest.approx(-0.2 * np.cos(np.pi / 6) / 0.5, rel=1e-9)


def test_damage_in_tension() -> None:
    law, old, soft = ScalarDamage(E, NU, 0.1, 0.4), None, 0.4
    for strain in np.linspace(0, 0.006, 13)[1:]:
        stress, old = tension(law, strain, old, 0.0)
        ratio = strain / 0.001  # τ / r0 = σ_undamaged / strength
        share = 1.0 if ratio <= 1 else np.exp(soft * (1 - ratio)) / ratio
        assert stress == pytest.approx(E * strain * share, rel=1e-9)
        assert old[0] == pytest.approx(1 - share, abs=1e-12)
    stress, same = tension(law, 0.002, old, 0.0)  # unloads to the origin
    assert stress == pytest.approx(E * 0.002 * (1 - old[0]))
    np.testing.assert_array_equal(same, old)


def test_damage_follows_late() -> None:
    """time ṙ = τ - r, by implicit Euler."""
    law, old, growth = ScalarDamage(E, NU, 0.1, 0.4, 2.0), None, 0.0
    for _ in range(5):
        _, old = tension(law, 0.004, old, 0.5)
        growth = (growth + 0.5 / 2.0 * 3.0) / (1 + 0.5 / 2.0)
        assert old[1] == pytest.approx(growth, rel=1e-10)
    assert respond(law, [0.1, 0, 0, 0, 0, 0], None, 0.0)[3][0] == 0.0


def test_transverse_isotropy_has_its_moduli() -> None:
    stiffness = initial_stiffness(TransverselyIsotropicElastic(90.0, 30.0, 0.2, 0.3, 20.0), 3)
    compliance = np.linalg.inv(stiffness)
    np.testing.assert_allclose(1 / np.diag(compliance)[:3], [90.0, 30.0, 30.0])
    np.testing.assert_allclose(1 / np.diag(compliance)[3:], [40.0, 40.0, 30.0 / 1.3])
    assert -compliance[0, 1] * 90.0 == pytest.approx(0.2)
    angle = 0.7  # about the axis 1
    c, s, r = np.cos(angle), np.sin(angle), np.sqrt(2)
    turn = np.eye(6)
    turn[np.ix_([1, 2, 5], [1, 2, 5])] = [
        [c * c, s * s, -r * c * s], [s * s, c * c, r * c * s],
        [r * c * s, -r * c * s, c * c - s * s],
    ]  # fmt: skip
    turn[np.ix_([3, 4], [3, 4])] = [[c, -s], [s, c]]
    np.testing.assert_allclose(turn @ stiffness @ turn.T, stiffness, atol=1e-12)


PRONY = PronyTerm(1.0, 0.5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TransverselyIsotropicElastic(0.0, 1.0, 0.2, 0.3, 1.0), "axial_modulus is 0.0"),
        (lambda: TransverselyIsotropicElastic(1.0, 1.0, 0.2, 1.3, 1.0), "transverse_poisson"),
        (lambda: TransverselyIsotropicElastic(1.0, 9.0, 0.9, 0.3, 1.0), "positive definite"),
        (lambda: PowerHardening(0.0, 0.3), "hardening strain is 0.0"),
        (lambda: PowerHardening(0.1, 1.3), "hardening exponent is 1.3"),
        (lambda: BackStress(-1.0), "kinematic modulus is -1.0"),
        (lambda: BackStress(1.0, -1.0), "kinematic recall is -1.0"),
        (lambda: ChabochePlasticity(E, NU, 0.1, ()), "kinematic is empty"),
        (lambda: ChabochePlasticity(E, NU, 0.0, (BackStress(1.0),)), "yield_stress is 0.0"),
        (lambda: PerzynaViscoplasticity(E, NU, 0.1, 0.0, 1.0, 1.0), "drag is 0.0"),
        (lambda: PerzynaViscoplasticity(E, NU, 0.1, 1.0, 0.5, 1.0), "exponent is 0.5"),
        (lambda: NortonCreep(E, NU, 0.1, float("nan"), 1.0), "exponent is nan"),
        (lambda: NortonCreep(E, NU, 0.1, 2.0, 0.0), "time is 0.0"),
        (lambda: PronyTerm(0.0, 0.1), "relaxation_time is 0.0"),
        (lambda: PronyTerm(1.0, 1.1), "shear_ratio is 1.1"),
        (lambda: GeneralisedMaxwell(E, NU, ()), "terms is empty"),
        (lambda: GeneralisedMaxwell(E, NU, (PRONY, PRONY, PRONY)), "of all terms is 1.5"),
        (lambda: DruckerPrager(E, NU, 0.0, 30.0, 20.0), "cohesion is 0.0"),
        (lambda: DruckerPrager(E, NU, 0.1, 90.0, 20.0), "friction_angle is 90.0"),
        (lambda: DruckerPrager(E, NU, 0.1, 30.0, 31.0), "dilatancy_angle is 31.0"),
        (lambda: ScalarDamage(E, NU, 0.1, -1.0), "softening is -1.0"),
        (lambda: ScalarDamage(E, 0.5, 0.1, 1.0), "poisson_ratio"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        build()
    assert "\n" not in str(error.value)
