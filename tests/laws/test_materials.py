import numpy as np
import pytest

from dmn_fem.laws import (
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    OrthotropicElastic,
    TabulatedHardening,
    VoceHardening,
    check,
    initial_stiffness,
)
from dmn_fem.laws._check import respond
from dmn_fem.notation import isotropic_stiffness

HARDENINGS = [
    LinearHardening(0.0),
    LinearHardening(5.0),
    VoceHardening(0.1, 50.0, 1.0),
    TabulatedHardening((0.0, 0.01, 0.02, 0.05), (0.1, 0.15, 0.16, 0.2)),
]


def j2(hardening):
    return J2Plasticity(100.0, 0.3, 0.1, hardening)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("hardening", HARDENINGS, ids=lambda h: type(h).__name__)
@pytest.mark.parametrize("strain", [0.0005, 0.01])
def test_tangent_of_plasticity(hardening, dimension, strain):
    assert check(j2(hardening), dimension, strain).tangent < 1e-6


@pytest.mark.parametrize("dimension", [2, 3])
def test_elasticity_is_linear(dimension):
    orthotropic = OrthotropicElastic((9.0, 5.0, 3.0), (0.2, 0.3, 0.1), (1.0, 2.0, 4.0))
    assert check(orthotropic, dimension).tangent < 1e-8
    np.testing.assert_allclose(
        initial_stiffness(LinearElastic(3.0, 0.2), dimension),
        isotropic_stiffness(3.0, 0.2, dimension),
        rtol=1e-14,
    )
    np.testing.assert_allclose(
        initial_stiffness(j2(LinearHardening(1.0)), dimension),
        isotropic_stiffness(100.0, 0.3, dimension),
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize("hardening", HARDENINGS, ids=lambda h: type(h).__name__)
def test_simple_shear_follows_the_hardening_curve(hardening):
    """Under pure shear the equivalent stress is √3 τ and dp = dγ_plastic/√3."""
    law = j2(hardening)
    shear_modulus = 100.0 / 2.6
    old = np.zeros(6)
    for strain_12 in np.linspace(0.0, 0.03, 60)[1:]:
        strain = np.array([0, 0, 0, np.sqrt(2) * strain_12, 0, 0])
        code, stress, _, old = respond(law, strain, old)
        assert code == 1
        equivalent_stress = np.sqrt(3) * stress[3] / np.sqrt(2)
        plastic = 2 / np.sqrt(3) * (strain_12 - stress[3] / np.sqrt(2) / (2 * shear_modulus))
        if old[5] > 0:
            assert old[5] == pytest.approx(plastic, rel=1e-9)
            expected = {
                LinearHardening: lambda h, p: 0.1 + h.modulus * p,
                VoceHardening: lambda h, p: (
                    0.1 + h.modulus * p + h.saturation * (1 - np.exp(-h.rate * p))
                ),
                TabulatedHardening: lambda h, p: np.interp(p, h.plastic_strain, h.stress),
            }[type(hardening)](hardening, plastic)
            assert equivalent_stress == pytest.approx(expected, rel=1e-9)
    assert old[5] > 0.02


def test_unloading_is_elastic_and_dissipation_positive():
    law = j2(LinearHardening(5.0))
    plastic_strain, _ = law.fields(3)
    rng = np.random.default_rng(0)
    strain, old, stress = np.zeros(6), np.zeros(6), np.zeros(6)
    for _ in range(200):
        strain = strain + 5e-4 * rng.normal(size=6)
        _, stress, _, new = respond(law, strain, old)
        flow = plastic_strain.in_full(new[:5] - old[:5])
        assert stress @ flow >= -1e-15
        old = new
    _, back, tangent, same = respond(law, strain - 1e-6 * stress, old)
    np.testing.assert_array_equal(same, old)
    np.testing.assert_allclose(tangent, isotropic_stiffness(100.0, 0.3), rtol=1e-12, atol=1e-12)
    assert np.linalg.norm(back) < np.linalg.norm(stress)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LinearElastic(-1.0, 0.3), "young_modulus"),
        (lambda: LinearElastic(1.0, 0.5), "poisson_ratio"),
        (lambda: J2Plasticity(1.0, 0.3, 0.0), "yield_stress"),
        (lambda: J2Plasticity(1.0, 0.3, float("nan")), "yield_stress"),
        (lambda: LinearHardening(-1.0), "modulus"),
        (lambda: VoceHardening(1.0, -2.0), "rate"),
        (lambda: TabulatedHardening((0.0, 0.0), (1.0, 2.0)), "increase"),
        (lambda: TabulatedHardening((0.0, 1.0), (2.0, 1.0)), "decrease"),
        (lambda: TabulatedHardening((0.0,), (2.0,)), "at least two"),
        (lambda: j2(TabulatedHardening((0.0, 1.0), (0.2, 0.3))), "must be equal"),
        (lambda: OrthotropicElastic((1, 1, 1), (0.9, 0.9, 0.9), (1, 1, 1)), "positive definite"),
    ],
)
def test_parameters_out_of_range(build, message):
    with pytest.raises(ValueError, match=message):
        build()
