"""Means over fibre directions against direct averages and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmn_fem.homogenization import Inclusion, mori_tanaka, orientation_average
from dmn_fem.homogenization._orientation import _fourth_order
from dmn_fem.notation import isotropic_stiffness, mandel_rotation, rotation_from_quaternion

TURN = rotation_from_quaternion([0.3, -0.5, 0.7, 0.2])


@pytest.fixture(scope="module")
def aligned() -> np.ndarray:
    """A composite of long fibres along direction 1."""
    stiffness = np.stack([isotropic_stiffness(1.0, 0.35), isotropic_stiffness(20.0, 0.2)])
    return mori_tanaka([0.8, 0.2], stiffness, 3, Inclusion(15.0))


def rotation_to(direction: np.ndarray) -> np.ndarray:
    """A rotation that takes direction 1 to the given one."""
    frame, _ = np.linalg.qr(np.column_stack([direction, np.eye(3)]))
    frame[:, 0] = direction
    frame[:, 2] *= np.linalg.det(frame)
    return frame


def test_is_the_mean_over_directions(aligned) -> None:
    """Of an angular central Gaussian distribution: uniform directions, stretched."""
    uniform, weight = Inclusion().wave_vectors(3)
    direction = uniform @ (np.diag([2.0, 1.0, 0.6]) @ TURN)
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    a2 = np.einsum("m,mi,mj->ij", weight, direction, direction)
    turns = np.stack([mandel_rotation(rotation_to(each)) for each in direction])
    expected = np.einsum("m,mij,jk,mlk->il", weight, turns, aligned, turns, optimize=True)
    np.testing.assert_allclose(orientation_average(aligned, a2), expected, rtol=0, atol=1e-8)


def test_aligned_fibres_are_turned(aligned) -> None:
    turn = mandel_rotation(TURN)
    for rotation, mandel in ((np.eye(3), np.eye(6)), (TURN, turn)):
        found = orientation_average(aligned, np.outer(rotation[:, 0], rotation[:, 0]))
        np.testing.assert_allclose(found, mandel @ aligned @ mandel.T, rtol=0, atol=1e-7)


def test_uniform_directions_are_isotropic(aligned) -> None:
    turn = mandel_rotation(TURN)
    uniform = orientation_average(aligned, np.eye(3) / 3)
    np.testing.assert_allclose(turn @ uniform @ turn.T, uniform, rtol=0, atol=1e-12)
    assert uniform[:3, :3].sum() == pytest.approx(aligned[:3, :3].sum())
    assert np.trace(uniform) == pytest.approx(np.trace(aligned))


def test_planar_directions_have_known_moments() -> None:
    """Uniform in a plane: 3/8 and 1/8."""
    fourth = _fourth_order(np.diag([0.5, 0.0, 0.5]))
    assert fourth[0, 0, 0, 0] == pytest.approx(3 / 8, abs=1e-8)
    assert fourth[0, 2, 2, 0] == pytest.approx(1 / 8, abs=1e-8)
    assert abs(fourth[1]).max() < 1e-8


@given(st.floats(0, 1), st.floats(0, 1))
def test_fourth_order_tensor_has_the_second_as_its_trace(first: float, second: float) -> None:
    """Over all orientation states, aligned and planar ones included."""
    low, high = sorted((first, second))
    a2 = TURN @ np.diag([low, high - low, 1 - high]) @ TURN.T
    fourth = _fourth_order(a2)
    np.testing.assert_allclose(np.einsum("ijkk->ij", fourth), a2, rtol=0, atol=1e-8)
    np.testing.assert_allclose(fourth, np.transpose(fourth, (1, 2, 3, 0)), rtol=0, atol=1e-12)


def test_conductivity_needs_the_second_tensor_alone() -> None:
    a2 = TURN @ np.diag([0.6, 0.3, 0.1]) @ TURN.T
    found = orientation_average(np.diag([3.0, 1.0, 1.0]), a2)
    np.testing.assert_allclose(found, np.eye(3) + 2 * a2, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "tensor", "message"),
    [
        (np.eye(4), np.eye(3) / 3, r"shape \(4, 4\)"),
        (np.eye(6), np.eye(3), "of trace one"),
        (np.eye(6), np.diag([1.2, -0.2, 0.0]), "positive"),
        (np.diag([1.0, 2.0, 3.0, 1.0, 1.0, 1.0]), np.eye(3) / 3, "not transversely isotropic"),
    ],
)
def test_wrong_arguments_are_refused(matrix, tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        orientation_average(matrix, tensor)
