import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dmn_fem import notation


def random_symmetric(rng):
    tensor = rng.normal(size=(3, 3))
    return tensor + tensor.T


@given(seed=st.integers(0, 1000))
def test_mandel_keeps_the_scalar_product(seed):
    rng = np.random.default_rng(seed)
    a, b = random_symmetric(rng), random_symmetric(rng)
    assert notation.to_mandel(a) @ notation.to_mandel(b) == pytest.approx(np.sum(a * b), rel=1e-12)
    np.testing.assert_allclose(notation.to_tensor(notation.to_mandel(a)), a, rtol=1e-14)


@given(seed=st.integers(0, 1000))
def test_rotation_of_vectors_and_of_quaternions(seed):
    rng = np.random.default_rng(seed)
    quaternion = rng.normal(size=4)
    rotation = notation.rotation_from_quaternion(quaternion)
    reference = Rotation.from_quat(quaternion, scalar_first=True).as_matrix()
    np.testing.assert_allclose(rotation, reference, atol=1e-14)
    matrix = notation.mandel_rotation(rotation)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(6), atol=1e-14)
    tensor = random_symmetric(rng)
    np.testing.assert_allclose(
        matrix @ notation.to_mandel(tensor),
        notation.to_mandel(rotation @ tensor @ rotation.T),
        atol=1e-13,
    )


def test_two_dimensions_are_the_leading_components():
    np.testing.assert_array_equal(
        notation.isotropic_stiffness(3.0, 0.3, 2), notation.isotropic_stiffness(3.0, 0.3)[:4, :4]
    )
    vector = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(notation.to_mandel(notation.to_tensor(vector), 2), vector)


def test_isotropic_stiffness_by_its_compliance():
    young_modulus, poisson_ratio = 7.0, 0.28
    compliance = np.linalg.inv(notation.isotropic_stiffness(young_modulus, poisson_ratio))
    assert compliance[0, 0] == pytest.approx(1 / young_modulus)
    assert compliance[0, 1] == pytest.approx(-poisson_ratio / young_modulus)
    assert compliance[3, 3] == pytest.approx((1 + poisson_ratio) / young_modulus)


def test_orthotropic_stiffness_holds_the_isotropic_one():
    shear = 5.0 / 2.6
    np.testing.assert_allclose(
        notation.orthotropic_stiffness((5.0,) * 3, (0.3,) * 3, (shear,) * 3),
        notation.isotropic_stiffness(5.0, 0.3),
        rtol=1e-13,
        atol=1e-13,
    )


def test_voigt_has_engineering_shear():
    stiffness = notation.orthotropic_stiffness((9.0, 5.0, 3.0), (0.2, 0.3, 0.1), (1.0, 2.0, 4.0))
    standard = notation.stiffness_to_voigt(stiffness)
    np.testing.assert_allclose(np.diag(standard)[3:], [1.0, 2.0, 4.0])
    vumat = notation.stiffness_to_voigt(stiffness, "vumat")
    np.testing.assert_allclose(np.diag(vumat)[3:], [1.0, 4.0, 2.0])
    for order, voigt in (("standard", standard), ("vumat", vumat)):
        np.testing.assert_allclose(notation.stiffness_from_voigt(voigt, order), stiffness)


@pytest.mark.parametrize(("young_modulus", "poisson_ratio"), [(0, 0.3), (np.nan, 0.3), (1, 0.5)])
def test_bad_moduli_are_refused(young_modulus, poisson_ratio):
    with pytest.raises(ValueError, match="must"):
        notation.isotropic_stiffness(young_modulus, poisson_ratio)
    with pytest.raises(ValueError, match="positive definite"):
        notation.orthotropic_stiffness((1.0, 1.0, 1.0), (0.9, 0.9, 0.9), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="2 or 3"):
        notation.strain_size(4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_spins_are_rates_of_rotations(axis):
    def rotation(angle):
        turn = Rotation.from_rotvec(angle * np.eye(3)[axis])
        return notation.mandel_rotation(turn.as_matrix())

    rate = (rotation(1e-6) - rotation(-1e-6)) / 2e-6
    np.testing.assert_allclose(notation.mandel_spins()[axis], rate, atol=1e-10)
    np.testing.assert_array_equal(notation.mandel_spins(2), notation.mandel_spins()[:, :4, :4])
