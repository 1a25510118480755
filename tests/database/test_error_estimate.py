"""The estimated error between networks."""

from typing import Any

import numpy as np
import pytest
from random_databases import FRACTIONS, make_database, make_space

from dmn_fem.database import Database, DatabaseError


def entry(held_out: float, left_out: float | None) -> dict[str, Any]:
    def figures(mean: float) -> dict[str, float]:
        return {"mean": mean, "percentile_95": 2 * mean, "maximum": 3 * mean}

    return {
        "held_out": {"stiffness": figures(held_out), "compliance": figures(9.9)},
        "leave_one_out": None if left_out is None else figures(left_out),
    }


def with_errors(database: Database, errors: Any) -> Database:
    return Database(database.networks, database.descriptors, database.values, {"errors": errors})


def test_at_a_network_it_is_its_held_out_error() -> None:
    errors = [entry(0.001, None), entry(0.002, 0.05), entry(0.003, None)]
    database = with_errors(make_database(), errors)
    for value, each in zip(FRACTIONS, errors, strict=True):
        found = database.estimated_error(volume_fraction=value)
        assert found == each["held_out"]["stiffness"]["mean"]


def test_halfway_on_equal_spacing_it_adds_a_quarter_of_the_left_out_error() -> None:
    points = np.array([[0.1], [0.2], [0.3], [0.4]])
    database = make_space(points, "volume_fraction")
    errors = [entry(0.001, None), entry(0.002, 0.04), entry(0.001, 0.08), entry(0.002, None)]
    database = with_errors(database, errors)
    expected = {0.15: 0.0015 + 0.01, 0.25: 0.0015 + 0.015, 0.35: 0.0015 + 0.02}
    for value, error in expected.items():
        assert database.estimated_error(volume_fraction=value) == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize(
    ("levels", "names"),
    [
        ([[0.1, 0.15, 0.3, 0.5]], "volume_fraction"),
        ([[0.1, 0.2, 0.5], [1.0, 2.0, 5.0, 9.0]], "volume_fraction aspect_ratio"),
        ([[0.1, 0.2, 0.5], [1.0, 2.0, 5.0], [0.0, 0.1, 0.4]], "volume_fraction b c"),
    ],
)
def test_it_is_the_error_of_linear_interpolation_of_a_paraboloid(
    levels: list[list[float]], names: str
) -> None:
    """What is estimated from leave-one-out errors of Σ c_d x_d² is the error everywhere."""
    points = np.stack([axis.ravel() for axis in np.meshgrid(*levels)], axis=1)
    points = points[np.lexsort(points.T[::-1])]
    database = make_space(points, names)

    def paraboloid(point: np.ndarray) -> float:
        scaled = (point - points.min(axis=0)) / np.ptp(points, axis=0)
        return float(np.array([1.0, 0.1, 4.0])[: scaled.size] @ scaled**2)

    errors = []
    for number, point in enumerate(points):
        stands_in = database._space.left_out[number]
        left_out = None
        if stands_in is not None:
            members = stands_in.members
            left_out = stands_in.weights @ [paraboloid(points[k]) for k in members]
            left_out -= paraboloid(point)
        errors.append(entry(0.0, left_out))
    database = with_errors(database, errors)
    rng = np.random.default_rng(0)
    for point in rng.dirichlet(np.full(len(points), 0.1), 50) @ points:
        mixture = database._space.mixture(point)
        true = mixture.weights @ [paraboloid(points[k]) for k in mixture.members]
        values = dict(zip(names.split(), point, strict=True))
        expected = pytest.approx(true - paraboloid(point), rel=1e-7, abs=1e-9)
        assert database.estimated_error(**values) == expected


def test_a_simplex_without_left_out_errors_takes_the_largest_of_the_database() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [-0.3, -0.3]])
    errors = [entry(0.001, None)] * 4 + [entry(0.001, 0.03)]
    database = with_errors(make_space(points, "a b"), errors)
    assert database.estimated_error(a=0.3, b=0.3) > 0.001


def test_a_descriptor_along_which_nothing_is_left_out_counts_as_the_most_curved() -> None:
    points = np.array([[a, b] for a in (0.0, 0.5, 1.0) for b in (0.0, 1.0)])
    errors = [entry(0.0, 0.04 if a == 0.5 else None) for a, _ in points]
    database = with_errors(make_space(points, "a b"), errors)
    halfway = [
        database.estimated_error(**at) for at in ({"a": 0.25, "b": 0.0}, {"a": 0.5, "b": 0.5})
    ]
    np.testing.assert_allclose(halfway, [0.01, 0.04], rtol=1e-9)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (None, "does not hold the errors"),
        ([entry(0.1, 0.1)], "does not hold the errors"),
        ([entry(0.1, 0.1), None, entry(0.1, 0.1)], "does not hold the errors"),
        ([{}, {}, {}], "not of the kind"),
        ([entry(0.1, None)] * 3, "no leave-one-out errors"),
    ],
)
def test_without_errors_there_is_no_estimate(errors: Any, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        with_errors(make_database(), errors).estimated_error(volume_fraction=0.3)
    assert "\n" not in str(caught.value)


def test_of_an_extrapolation_there_is_no_estimate() -> None:
    database = with_errors(make_database(), [entry(0.1, 0.1)] * 3)
    with pytest.raises(DatabaseError, match=r"holds 0\.1 to 0\.4"):
        database.estimated_error(volume_fraction=0.5)
