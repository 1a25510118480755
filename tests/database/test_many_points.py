"""Questions at many points at once: the networks of `at`, shared where descriptors are equal."""

from itertools import product

import numpy as np
import pytest
from random_databases import make_database, make_space

from dmn_fem.database import Database, DatabaseError, ExtrapolationWarning
from dmn_fem.network import Network
from dmn_fem.notation import Array

TRIANGLE = [(1.0, 0.0), (0.5, 0.5), (1 / 3, 1 / 3)]
NAMES = "orientation_1 orientation_2 volume_fraction"


def oriented_database() -> Database:
    corners = [(*shape, fraction) for shape, fraction in product(TRIANGLE, (0.1, 0.2))]
    return make_space(np.array(corners), NAMES, 3)


def random_tensors(count: int) -> Array:
    vectors = np.random.default_rng(5).normal(size=(count, 4, 3))
    moments = np.einsum("nki,nkj->nij", vectors, vectors)
    result: Array = moments / np.trace(moments, axis1=1, axis2=2)[:, None, None]
    return result


def assert_equal(one: Network, other: Network) -> None:
    for name in ("phase_fraction", "leaf_activation", "normals", "leaf_orientation"):
        first, second = getattr(one, name), getattr(other, name)
        if first is None:
            assert second is None
            continue
        if name != "phase_fraction":  # n and -n, q and -q are the same
            first, second = np.abs(first), np.abs(second)
        np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("dimension", "oriented"), [(2, False), (3, False), (3, True)])
def test_equal_those_at_each_point(dimension: int, oriented: bool) -> None:
    database = make_database(dimension, oriented=oriented)
    fractions = np.array([0.15, 0.1, 0.33, 0.15, 0.4, 0.33])
    networks, index = database.at_points(volume_fraction=fractions)
    assert len(networks) == 4
    for fraction, number in zip(fractions, index, strict=True):
        assert_equal(networks[number], database.at(volume_fraction=fraction))
    # Stored networks are not copied.
    assert networks[index[1]] is database.networks[0]
    assert networks[index[4]] is database.networks[2]


def test_orientations_equal_those_at_each_point() -> None:
    database, tensors = oriented_database(), random_tensors(7)
    tensors[2], tensors[5] = np.diag([0.2, 0.6, 0.2]), tensors[0]
    tensors[3], tensors[4] = np.eye(3) / 3, np.diag([0.5, 0.0, 0.5])
    networks, index = database.at_points(volume_fraction=0.17, orientation=tensors)
    assert len(networks) == 6
    assert index[5] == index[0]
    for tensor, number in zip(tensors, index, strict=True):
        assert_equal(networks[number], database.at(volume_fraction=0.17, orientation=tensor))
    eigenvalues = np.linalg.eigvalsh(tensors)
    networks, index = database.at_points(volume_fraction=0.17, orientation=eigenvalues)
    for three, number in zip(eigenvalues, index, strict=True):
        assert_equal(networks[number], database.at(volume_fraction=0.17, orientation=three))


def test_rounding_shares_networks_and_leaves_none_outside() -> None:
    database = make_database()
    fractions = np.array([0.1, 0.1004, 0.1996, 0.2003, 0.3998, 0.4])
    networks, index = database.at_points(volume_fraction=fractions, rounding=0.03)
    # 0.1 would go to 0.09 and 0.4 to 0.39, of which the first is outside.
    found = [network.phase_fraction[1] for network in networks]
    np.testing.assert_allclose(np.array(found)[index], [0.1, 0.1004, 0.21, 0.21, 0.39, 0.39])
    tensors = random_tensors(40)
    tensors[7] = np.diag([1.0, 0.0, 0.0])
    database = oriented_database()
    fine, _ = database.at_points(volume_fraction=0.2, orientation=tensors, rounding=1e-3)
    coarse, index = database.at_points(volume_fraction=0.2, orientation=tensors, rounding=0.2)
    assert len(coarse) < len(fine) == 40
    assert index.max() == len(coarse) - 1
    with pytest.raises(ValueError, match=r"^rounding is 0\.0; it must be positive$"):
        database.at_points(volume_fraction=0.2, orientation=tensors, rounding=0.0)


def test_refusals_say_how_many_points_and_the_first() -> None:
    database = make_database()
    given = np.array([0.2, 0.3, 0.05, 0.2, 0.7])
    with pytest.raises(
        DatabaseError,
        match=r"^2 of 5 points, the first is point 2: volume_fraction is 0\.05; .* 0\.1 to 0\.4$",
    ):
        database.at_points(volume_fraction=given)
    # Rounding does not bring them in.
    with pytest.raises(DatabaseError, match=r"^1 of 2 points"):
        database.at_points(volume_fraction=[0.2, 0.41], rounding=0.1)
    with pytest.raises(DatabaseError, match="point 1: volume_fraction is nan"):
        database.at_points(volume_fraction=[0.2, np.nan, 0.3])
    with pytest.raises(DatabaseError, match=r"has shape \(2, 1\); it must be"):
        database.at_points(volume_fraction=[[0.2], [0.3]])
    with pytest.raises(DatabaseError, match="asked at 2 points; at answers one"):
        database.at(volume_fraction=[0.2, 0.3])  # type: ignore[arg-type]
    tensors = random_tensors(4)
    tensors[3] *= 1.1
    with pytest.raises(DatabaseError, match=r"^1 of 4 points, the first is point 3: the trace"):
        oriented_database().at_points(volume_fraction=0.15, orientation=tensors)


def test_extrapolation_is_marked_once() -> None:
    database = make_database()
    with pytest.warns(ExtrapolationWarning, match=r"by up to 33\.3 % of the range") as warned:
        networks, index = database.at_points(volume_fraction=[0.3, 0.45, 0.5], extrapolate=True)
    assert len(warned) == 1
    with pytest.warns(ExtrapolationWarning):
        alone = database.at(volume_fraction=0.5, extrapolate=True)
    assert_equal(networks[index[2]], alone)


def test_no_points_have_a_network_all_the_same() -> None:
    """A rank without cells has a law, too."""
    networks, index = oriented_database().at_points(
        orientation=np.zeros((0, 3, 3)), volume_fraction=np.zeros(0)
    )
    assert len(networks) == 1
    assert index.shape == (0,)
