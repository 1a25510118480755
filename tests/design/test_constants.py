import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmn_fem.design import elastic_constants, universal_anisotropy
from dmn_fem.notation import isotropic_stiffness, mandel_rotation, orthotropic_stiffness
from dmn_fem.notation import rotation_from_quaternion as rotation

YOUNG, POISSON, SHEAR = (3.0, 2.0, 1.0), (0.3, 0.25, 0.2), (0.9, 0.7, 0.5)


def test_constants_of_an_orthotropic_stiffness_are_those_it_was_made_of():
    found = elastic_constants(orthotropic_stiffness(YOUNG, POISSON, SHEAR))
    expected = (*YOUNG, *SHEAR, *POISSON)
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-12)
    assert list(found) == [
        *(f"young_modulus_{i}" for i in (1, 2, 3)),
        *(f"shear_modulus_{pair}" for pair in (12, 13, 23)),
        *(f"poisson_ratio_{pair}" for pair in (12, 13, 23)),
    ]


def test_constants_in_2d_are_those_of_plane_strain():
    found = elastic_constants(isotropic_stiffness(2.0, 0.3, 2))
    plane = 2.0 / (1 - 0.3**2)
    expected = {
        "young_modulus_1": plane,
        "young_modulus_2": plane,
        "shear_modulus_12": 1 / 1.3,
        "poisson_ratio_12": 0.3 / 0.7,
    }
    assert found == pytest.approx(expected, rel=1e-12)


def test_constants_of_many_stiffnesses_at_once():
    many = np.stack([isotropic_stiffness(young, 0.2) for young in (1.0, 2.0, 5.0)])
    np.testing.assert_allclose(elastic_constants(many)["young_modulus_3"], [1, 2, 5], rtol=1e-12)
    assert universal_anisotropy(many).shape == (3,)


@pytest.mark.parametrize("dimension", [2, 3])
def test_an_isotropic_medium_has_no_anisotropy(dimension):
    assert universal_anisotropy(isotropic_stiffness(3.0, 0.4, dimension)) == pytest.approx(
        0, abs=1e-12
    )


@pytest.mark.parametrize("zener", [0.3, 2.0, 8.0])
def test_anisotropy_of_a_cubic_crystal(zener):
    # Ranganathan and Ostoja-Starzewski 2008, eq. 12: 6/5 (√A - 1/√A)² of Zener's ratio A.
    shear = zener * 1.0 / (2 * 1.3)
    crystal = orthotropic_stiffness((1.0,) * 3, (0.3,) * 3, (shear,) * 3)
    expected = 1.2 * (np.sqrt(zener) - 1 / np.sqrt(zener)) ** 2
    assert universal_anisotropy(crystal) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("zener", [0.3, 2.0, 8.0])
def test_anisotropy_of_a_square_symmetric_plane(zener):
    # Two shear moduli G and A G make G_V/G_R = (1 + A)²/4A, and K_V = K_R.
    plane = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, zener]])
    expected = 2 * (1 + zener) ** 2 / (4 * zener) - 2
    assert universal_anisotropy(plane) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.dot(q, q) > 0.01))
def test_anisotropy_does_not_depend_on_the_frame(quaternion):
    crystal = orthotropic_stiffness(YOUNG, POISSON, SHEAR)
    turned = mandel_rotation(rotation(quaternion)) @ crystal
    turned = turned @ mandel_rotation(rotation(quaternion)).T
    assert universal_anisotropy(turned) == pytest.approx(universal_anisotropy(crystal), rel=1e-9)
    assert universal_anisotropy(turned) > 0.1
