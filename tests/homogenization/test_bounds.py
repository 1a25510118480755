"""Bounds of effective stiffnesses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmn_fem.homogenization import (
    Moduli,
    draw_phase_stiffness,
    hashin_shtrikman,
    hashin_shtrikman_conductivity,
    reuss,
    voigt,
)
from dmn_fem.notation import IN_PLANE, isotropic_stiffness

MODULUS = st.floats(1e-3, 1e3)


def test_reuss_is_below_voigt_and_both_are_exact_for_one_phase() -> None:
    stiffness = draw_phase_stiffness(3, 3, 20, 0)
    fractions = [0.2, 0.5, 0.3]
    difference = voigt(fractions, stiffness) - reuss(fractions, stiffness)
    assert difference.shape == (20, 6, 6)
    assert np.linalg.eigvalsh(difference).min() > 0
    for bound in (voigt, reuss):
        np.testing.assert_allclose(bound([0, 1, 0], stiffness), stiffness[:, 1], rtol=1e-10)


@given(st.floats(0.01, 0.99), MODULUS, MODULUS, MODULUS, MODULUS, st.sampled_from([2, 3]))
def test_hashin_shtrikman_is_within_voigt_and_reuss(f, k1, k2, g1, g2, dimension) -> None:
    fractions, bulk, shear = np.array([f, 1 - f]), np.array([k1, k2]), np.array([g1, g2])
    lower, upper = hashin_shtrikman(fractions, bulk, shear, dimension)
    for values, low, high in ((bulk, lower.bulk, upper.bulk), (shear, lower.shear, upper.shear)):
        slack = 1 + 1e-9
        assert 1 / np.sum(fractions / values) <= low * slack
        assert low <= high * slack
        assert high <= np.sum(fractions * values) * slack


@pytest.mark.parametrize("dimension", [2, 3])
def test_hashin_shtrikman_bulk_in_its_textbook_form(dimension: int) -> None:
    """K1 + f2 / (1/(K2 - K1) + f1/(K1 + 2(d-1)/d G1))  (Hashin 1983)."""
    f1, f2, k1, k2, g1, g2 = 0.7, 0.3, 2.0, 20.0, 1.0, 15.0
    c = 2 * (dimension - 1) / dimension
    lower, upper = hashin_shtrikman([f1, f2], [k1, k2], [g1, g2], dimension)
    assert lower.bulk == pytest.approx(k1 + f2 / (1 / (k2 - k1) + f1 / (k1 + c * g1)))
    assert upper.bulk == pytest.approx(k2 + f1 / (1 / (k1 - k2) + f2 / (k2 + c * g2)))


def test_hashin_shtrikman_shear_in_its_textbook_form() -> None:
    f1, f2, k1, k2, g1, g2 = 0.7, 0.3, 2.0, 20.0, 1.0, 15.0
    lower, _ = hashin_shtrikman([f1, f2], [k1, k2], [g1, g2], 3)
    hashin = 6 * (k1 + 2 * g1) * f1 / (5 * g1 * (3 * k1 + 4 * g1))
    assert lower.shear == pytest.approx(g1 + f2 / (1 / (g2 - g1) + hashin))
    lower, _ = hashin_shtrikman([f1, f2], [k1, k2], [g1, g2], 2)
    hashin = (k1 + 2 * g1) * f1 / (2 * g1 * (k1 + g1))
    assert lower.shear == pytest.approx(g1 + f2 / (1 / (g2 - g1) + hashin))


def test_bounds_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to one"):
        voigt([0.5, 0.4], np.tile(np.eye(3), (2, 1, 1)))
    with pytest.raises(ValueError, match="volume fractions"):
        reuss([1.5, -0.5], np.tile(np.eye(3), (2, 1, 1)))
    with pytest.raises(ValueError, match="must be positive"):
        hashin_shtrikman([0.5, 0.5], [1, 0], [1, 1], 3)
    with pytest.raises(ValueError, match="one value for every phase"):
        hashin_shtrikman([0.5, 0.5], [1], [1], 3)
    with pytest.raises(ValueError, match="dimension is 1"):
        hashin_shtrikman([0.5, 0.5], [1, 2], [1, 1], 1)


def test_reuss_of_a_void_is_zero_where_the_void_has_a_part() -> None:
    stiffness = draw_phase_stiffness(2, 2, 3, 0)
    stiffness[1, 0] = 0.0
    bound = reuss([0.4, 0.6], stiffness)
    np.testing.assert_array_equal(bound[1], np.zeros((3, 3)))
    assert np.linalg.eigvalsh(bound[[0, 2]]).min() > 0
    np.testing.assert_allclose(reuss([0.0, 1.0], stiffness), stiffness[:, 1], rtol=1e-10)


@given(st.floats(0.01, 0.99), MODULUS, MODULUS, st.sampled_from([2, 3]))
def test_conductivity_bounds_are_ordered(f, k1, k2, dimension) -> None:
    fractions, k = np.array([f, 1 - f]), np.array([k1, k2])
    lower, upper = hashin_shtrikman_conductivity(fractions, k, dimension)
    slack = 1 + 1e-9
    assert 1 / np.sum(fractions / k) <= lower * slack
    assert lower <= upper * slack
    assert upper <= np.sum(fractions * k) * slack


def test_conductivity_bounds_of_insulators() -> None:
    assert hashin_shtrikman_conductivity([0.3, 0.7], [0.0, 2.0], 3) == (
        0.0,
        pytest.approx(2 * 0.7 / (1 + 0.3 / 2)),
    )


@pytest.mark.parametrize(
    ("k", "dimension", "message"),
    [([1.0], 2, "one for every phase"), ([1, -1], 2, ">= 0"), ([1, 1], 4, "dimension is 4")],
)
def test_conductivities_that_are_none_are_refused(k, dimension, message) -> None:
    with pytest.raises(ValueError, match=message):
        hashin_shtrikman_conductivity([0.5, 0.5], k, dimension)


def test_nearest_moduli() -> None:
    young, nu = 3.0, 0.3
    shear, lame = young / 2.6, young * nu / (1.3 * 0.4)
    for stiffness, bulk in (
        (isotropic_stiffness(young, nu), lame + 2 / 3 * shear),
        (isotropic_stiffness(young, nu, 2), lame + shear),
        (isotropic_stiffness(young, nu, 2)[np.ix_(IN_PLANE, IN_PLANE)], lame + shear),
    ):
        moduli = Moduli.nearest(stiffness)
        assert moduli == pytest.approx((bulk, shear))
        assert moduli.describe(stiffness)
        stiffness[0, 0] *= 1.01
        assert not Moduli.nearest(stiffness).describe(stiffness)
