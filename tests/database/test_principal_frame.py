"""Orientation tensors and their frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dmn_fem.database import DatabaseError
from dmn_fem.database._principal_frame import principal_orientation


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_frame_and_eigenvalues_give_the_tensor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(5, 3))
    tensor = (vectors.T @ vectors) / (vectors**2).sum()
    eigenvalues, frame = principal_orientation(tensor)
    assert frame is not None
    assert (np.diff(eigenvalues) <= 0).all()
    assert eigenvalues.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(frame @ np.diag(eigenvalues) @ frame.T, tensor, atol=1e-13)
    assert np.linalg.det(frame) == pytest.approx(1, abs=1e-13)


def test_the_frame_is_the_least_of_the_four_rotations() -> None:
    tensor = np.diag([0.7, 0.2, 0.1])
    np.testing.assert_array_equal(principal_orientation(tensor)[1], np.eye(3))
    for angle in (-0.7, 0.3, 0.75):
        turn = Rotation.from_euler("z", angle).as_matrix()
        _, frame = principal_orientation(turn @ tensor @ turn.T)
        np.testing.assert_allclose(frame, turn, atol=1e-12)


def test_equal_eigenvalues_have_a_frame() -> None:
    for values in ([1 / 3] * 3, [0.5, 0.5, 0.0], [0.6, 0.2, 0.2]):
        eigenvalues, frame = principal_orientation(np.diag(values))
        np.testing.assert_allclose(eigenvalues, values)
        np.testing.assert_allclose(frame, np.eye(3), atol=1e-14)


def test_eigenvalues_alone_are_sorted_and_rotate_nothing() -> None:
    eigenvalues, frame = principal_orientation([0.1, 0.7, 0.2])
    assert frame is None
    np.testing.assert_allclose(eigenvalues, [0.7, 0.2, 0.1])


def test_rounding_is_made_up_for() -> None:
    eigenvalues, _ = principal_orientation(np.diag([0.8000004, 0.2000004, -0.0000005]))
    assert eigenvalues.sum() == pytest.approx(1, abs=1e-15)
    assert eigenvalues[2] == 0


@pytest.mark.parametrize(
    ("orientation", "message"),
    [
        (np.diag([0.7, 0.2, 0.2]), "trace of orientation is 1.1; it must be one"),
        ([0.7, 0.2, 0.2], "trace of orientation is 1.1"),
        (np.diag([1.2, -0.1, -0.1]), "eigenvalue -0.1; none may be negative"),
        ([[0.7, 0.1, 0], [0, 0.2, 0], [0, 0, 0.1]], "must be symmetric"),
        ([0.7, 0.3], r"shape \(2,\)"),
        ([0.7, 0.3, np.nan], "finite"),
    ],
)
def test_what_is_no_orientation(orientation: object, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        principal_orientation(orientation)
    assert "\n" not in str(caught.value)


def test_axes_of_equal_eigenvalues_turn_least() -> None:
    turn = Rotation.from_euler("x", 0.4).as_matrix()
    tensor = turn @ np.diag([0.5, 0.5, 0.0]) @ turn.T
    _, frame = principal_orientation(tensor)
    assert frame is not None
    np.testing.assert_allclose(frame @ np.diag([0.5, 0.5, 0.0]) @ frame.T, tensor, atol=1e-12)
    np.testing.assert_allclose(frame, turn, atol=1e-6)
