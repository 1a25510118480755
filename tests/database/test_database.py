"""Databases: their parts, and questions to them."""

from dataclasses import replace

import numpy as np
import pytest
from random_databases import make_database, make_network, phase_stiffness

from dmn_fem.database import Database, DatabaseError, Descriptor, ExtrapolationWarning


@pytest.mark.parametrize("value", [0.0, 0.0999, 0.41, 1.5, -1.0, np.nan, np.inf])
def test_refuses_what_lies_outside(value: float) -> None:
    with pytest.raises(DatabaseError, match=r"^volume_fraction is .*; .* 0\.1 to 0\.4$"):
        make_database().at(volume_fraction=value)


def test_extrapolation_is_marked_and_goes_on_from_the_end() -> None:
    database = make_database()
    phases = phase_stiffness(2)
    with pytest.warns(ExtrapolationWarning, match=r"0\.1 to 0\.4: extrapolated"):
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
    with pytest.raises(DatabaseError, match="shape"):
        Database([one, two], descriptor, [0.1, 0.2])
    with pytest.raises(DatabaseError, match="without networks"):
        Database([], descriptor, np.zeros((0, 1)))
