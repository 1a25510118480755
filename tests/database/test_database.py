"""Databases: their parts, and questions to them."""

from dataclasses import replace

import numpy as np
import pytest
from random_databases import make_database, make_network, make_space, phase_stiffness
from scipy.spatial.transform import Rotation

from dmn_fem.database import Database, DatabaseError, Descriptor, ExtrapolationWarning


@pytest.mark.parametrize("value", [0.0, 0.0999, 0.41, 1.5, -1.0, np.nan, np.inf])
def test_refuses_what_lies_outside(value: float) -> None:
    with pytest.raises(DatabaseError, match=r"^volume_fraction is .*; .* 0\.1 to 0\.4$"):
        make_database().at(volume_fraction=value)


def test_extrapolation_is_marked_and_goes_on_from_the_end() -> None:
    database = make_database()
    phases = phase_stiffness(2)
    with pytest.warns(ExtrapolationWarning, match=r"0\.1 to 0\.4: extrapolated by 3\.33e-07 %"):
        near = database.at(volume_fraction=0.4 + 1e-9, extrapolate=True)
    end = database.networks[-1].stiffness(phases)
    np.testing.assert_allclose(near.stiffness(phases), end, rtol=1e-6, atol=1e-6)
    with pytest.warns(ExtrapolationWarning):
        far = database.at(volume_fraction=0.55, extrapolate=True)
    np.testing.assert_allclose(far.phase_fraction, [0.45, 0.55])
    assert np.linalg.eigvalsh(far.stiffness(phases)).min() > 0
    with (
        pytest.warns(ExtrapolationWarning),
        pytest.raises(DatabaseError, match="phase fractions"),
    ):
        database.at(volume_fraction=1.1, extrapolate=True)


def test_inside_the_range_extrapolate_changes_nothing() -> None:
    database = make_database()
    ours, theirs = (
        database.at(volume_fraction=0.3, extrapolate=flag).leaf_weights for flag in (False, True)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_one_network_answers_at_its_own_value_alone() -> None:
    network = make_network(0.3, 0)
    database = Database([network], [Descriptor("volume_fraction")], [[0.3]])
    assert database.at() is network
    assert database.at(volume_fraction=0.3) is network
    for flag in (False, True):
        with pytest.raises(DatabaseError, match=r"volume_fraction is 0\.31; .* holds 0\.3$"):
            database.at(volume_fraction=0.31, extrapolate=flag)


def test_questions_that_do_not_fit() -> None:
    with pytest.raises(DatabaseError, match=r"asked at \(temperature\); .* \(volume_fraction\)"):
        make_database().at(temperature=0.3)
    with pytest.raises(DatabaseError, match=r"asked at \(\)"):
        make_database().at()


def test_parts_that_do_not_fit() -> None:
    one, two = make_network(0.1, 0), make_network(0.2, 1)
    descriptor = [Descriptor("volume_fraction")]
    with pytest.raises(DatabaseError, match="another leaf_phase"):
        Database(
            [one, replace(two, leaf_phase=two.leaf_phase[::-1].copy())], descriptor, [[0.1], [0.2]]
        )
    with pytest.raises(DatabaseError, match="has leaves 9"):
        Database([one, make_network(0.2, 1, leaves=9)], descriptor, [[0.1], [0.2]])
    with pytest.raises(DatabaseError, match="has phases"):
        Database([one, replace(two, phases=("a", "b"))], descriptor, [[0.1], [0.2]])
    with pytest.raises(DatabaseError, match="strictly increasing"):
        Database([one, two], descriptor, [[0.2], [0.1]])
    with pytest.raises(DatabaseError, match="two networks stand at volume_fraction is"):
        Database([one, two], descriptor, [[0.2], [0.2]])
    with pytest.raises(DatabaseError, match="shape"):
        Database([one, two], descriptor, [0.1, 0.2])
    with pytest.raises(DatabaseError, match="without networks"):
        Database([], descriptor, np.zeros((0, 1)))


def orientation_database() -> Database:
    """Networks over orientation and fraction, on the triangle of eigenvalues, in 3D."""
    triangle = [(1.0, 0.0), (0.5, 0.5), (1 / 3, 1 / 3), (0.75, 0.25), (2 / 3, 1 / 6)]
    points = np.array([(*each, v) for each in triangle for v in (0.1, 0.2)])
    return make_space(points, "orientation_1 orientation_2 volume_fraction", 3)


def test_an_orientation_tensor_asks_its_eigenvalues_and_turns_the_network() -> None:
    database, phases = orientation_database(), phase_stiffness(3)
    eigenvalues = np.array([0.7, 0.2, 0.1])
    straight = database.at(volume_fraction=0.13, orientation_1=0.7, orientation_2=0.2)
    listed = database.at(volume_fraction=0.13, orientation=eigenvalues[[1, 0, 2]])
    np.testing.assert_allclose(listed.stiffness(phases), straight.stiffness(phases), rtol=1e-12)
    turn = Rotation.from_euler("xyz", [0.2, -0.3, 0.4]).as_matrix()
    tensor = turn @ np.diag(eigenvalues) @ turn.T
    found = database.at(volume_fraction=0.13, orientation=tensor).stiffness(phases)
    expected = straight.rotated(turn).stiffness(phases)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_corners_and_edges_of_the_triangle_of_orientations_are_inside() -> None:
    database = orientation_database()
    turn = Rotation.from_euler("xyz", [0.2, -0.3, 0.4]).as_matrix()
    for eigenvalues in ([1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3, [0.8, 0.2, 0], [0.6, 0.2, 0.2]):
        for matrix in (np.eye(3), turn):
            tensor = matrix @ np.diag(eigenvalues) @ matrix.T
            assert database.at(volume_fraction=0.2, orientation=tensor).dimension == 3


def test_questions_for_an_orientation_that_do_not_fit() -> None:
    tensor = np.diag([0.7, 0.2, 0.1])
    with pytest.raises(DatabaseError, match=r"over \(volume_fraction\)"):
        make_database().at(volume_fraction=0.2, orientation=tensor)
    database = orientation_database()
    with pytest.raises(DatabaseError, match="stands for orientation_1 and orientation_2"):
        database.at(volume_fraction=0.1, orientation=tensor, orientation_1=0.7)
    with pytest.raises(DatabaseError, match="asked at"):
        database.at(orientation=tensor)
    with pytest.raises(DatabaseError, match="trace"):
        database.at(volume_fraction=0.1, orientation=2 * tensor)


def test_extrapolation_over_several_descriptors_is_marked() -> None:
    database = make_space(
        np.array([[0.1, 1.0], [0.4, 1.0], [0.1, 3.0], [0.4, 3.0]]), "volume_fraction aspect_ratio"
    )
    held = r"holds the hull of its networks in volume_fraction 0\.1 to 0\.4, aspect_ratio 1 to 3"
    with pytest.raises(DatabaseError, match=held):
        database.at(volume_fraction=0.43, aspect_ratio=2.0)
    with pytest.warns(ExtrapolationWarning, match=f"{held}: extrapolated by 10 %"):
        network = database.at(volume_fraction=0.43, aspect_ratio=2.0, extrapolate=True)
    np.testing.assert_allclose(network.phase_fraction, [0.57, 0.43], rtol=1e-12)


def test_left_out_is_what_the_others_give() -> None:
    database = make_database()
    others = Database(
        [database.networks[0], database.networks[2]],
        database.descriptors,
        database.values[[0, 2]],
    )
    found, phases = database.left_out(1), phase_stiffness(2)
    assert found is not None
    expected = others.at(volume_fraction=0.2).stiffness(phases)
    np.testing.assert_allclose(found.stiffness(phases), expected, rtol=1e-13, atol=1e-13)
    assert database.left_out(0) is None
    assert database.left_out(2) is None
