import numpy as np
import pytest

from dmn_fem.database import Database, DatabaseError, Descriptor
from dmn_fem.design import grid
from dmn_fem.network import Network

NETWORK = Network.random(3, ("matrix", "fibre"), (0.8, 0.2), 4, np.random.default_rng(0))


def over(names, values):
    return Database([NETWORK] * len(values), [Descriptor(name) for name in names], values)


def test_points_outside_the_database_are_left_out():
    database = over(("a", "b"), [(0, 0), (1, 0), (0, 1)])
    points = grid(database, {"a": np.linspace(0, 1, 3), "b": np.linspace(0, 1, 3)})
    found = set(zip(points["a"].tolist(), points["b"].tolist(), strict=True))
    assert found == {(0, 0), (0, 0.5), (0, 1), (0.5, 0), (0.5, 0.5), (1, 0)}
    with pytest.raises(DatabaseError, match="this database holds"):
        grid(database, {"a": [2.0], "b": [0.0]})
    with pytest.raises(DatabaseError, match="this database is over"):
        grid(database, {"a": [0.0]})


def test_orientations_fill_their_triangle_to_the_rounded_corners_of_a_recipe():
    names = ("orientation_1", "orientation_2", "volume_fraction")
    corners = [(0.3334, 0.3333), (0.5, 0.5), (1.0, 0.0)]
    database = over(names, [(*corner, part) for corner in corners for part in (0.1, 0.2)])
    points = grid(database, {"orientation": 5}, {"volume_fraction": 0.15})
    assert list(points) == ["orientation_1", "orientation_2"]
    first, second = points.values()
    assert first.size == 15
    assert {(0.3334, 0.3333), (0.5, 0.5), (1.0, 0.0)} <= set(
        zip(first.tolist(), second.tolist(), strict=True)
    )
    assert (first >= second - 1e-12).all()
    assert (second >= 1 - first - second - 1e-12).all()
    both = grid(database, {"orientation": 3, "volume_fraction": [0.1, 0.2]})
    assert both["volume_fraction"].size == 12
    with pytest.raises(ValueError, match="at least 2 points"):
        grid(database, {"orientation": 1}, {"volume_fraction": 0.15})
