"""Voids: a millionth of what is beside them."""

import numpy as np
import pytest

from dmn_fem.homogenization import homogenize
from dmn_fem.laws import J2Plasticity, LinearElastic, OrthotropicElastic, initial_stiffness, void
from dmn_fem.microstructure import discs
from dmn_fem.notation import IN_PLANE


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_void_is_isotropic_without_lateral_contraction(dimension: int) -> None:
    matrix = LinearElastic(200.0, 0.25)
    found = initial_stiffness(void(matrix), dimension)
    largest = 200.0 / (1 - 2 * 0.25)  # three times the bulk modulus
    np.testing.assert_allclose(found, 1e-6 * largest * np.eye(len(found)), rtol=1e-12)


def test_what_counts_is_the_stress_free_stiffness() -> None:
    assert void(J2Plasticity(200.0, 0.25, 1.0)) == void(LinearElastic(200.0, 0.25))
    stiff = OrthotropicElastic((9.0, 5.0, 3.0), (0.2, 0.3, 0.1), (1.0, 2.0, 4.0))
    largest = np.linalg.eigvalsh(initial_stiffness(stiff, 3))[-1]
    assert void(stiff).young_modulus == pytest.approx(1e-6 * largest)


def test_its_stiffness_does_not_matter() -> None:
    """A full field with it is one with nothing there."""
    image, matrix = discs(0.3, 5, 1, 0.1).image(48), LinearElastic(100.0, 0.3)
    plane = np.ix_(IN_PLANE, IN_PLANE)
    solid, little = (initial_stiffness(law, 2)[plane] for law in (matrix, void(matrix)))
    with_void = homogenize(image, [solid, little], 1e-6).stiffness
    with_nothing = homogenize(image, [solid, 0 * little], 1e-6).stiffness
    np.testing.assert_allclose(with_void, with_nothing, rtol=1e-4, atol=1e-5)
