"""Bounds of effective stiffnesses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmn_fem.homogenization import draw_phase_stiffness, hashin_shtrikman, reuss, voigt

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
