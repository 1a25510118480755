"""The space of descriptors: triangulation, weights, and what lies outside."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from dmn_fem.database import DatabaseError, Descriptor, DescriptorSpace

NAMES = ("volume_fraction", "aspect_ratio", "waviness")


def space_of(points: np.ndarray) -> DescriptorSpace:
    return DescriptorSpace([Descriptor(name) for name in NAMES[: points.shape[1]]], points)


def factorial(*levels: list[float]) -> np.ndarray:
    return np.array(list(itertools.product(*levels)))


def orientations() -> np.ndarray:
    """Points on and in the triangle of eigenvalues a1 >= a2 >= a3, times a volume fraction."""
    first = np.array([1, 0, 0]), np.array([1 / 2, 1 / 2, 0]), np.array([1 / 3, 1 / 3, 1 / 3])
    shares = [(i, j, 3 - i - j) for i in range(4) for j in range(4 - i)]
    triangle = [sum(n * a for n, a in zip(each, first, strict=True)) / 3 for each in shares]
    return np.array([(a[0], a[1], v) for a in triangle for v in (0.05, 0.1, 0.2)])


SETS = {
    "line": np.array([[0.1], [0.2], [0.4], [0.65]]),
    "grid": factorial([0.1, 0.2, 0.4], [1.0, 2.0, 5.0, 10.0]),
    "box": factorial([0.1, 0.2, 0.3], [1.0, 2.0, 3.0], [0.0, 1.0, 2.0]),
    "orientations": orientations(),
    "scattered": np.random.default_rng(0).uniform(size=(12, 2)),
    "simplex": np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
}


@pytest.fixture(params=SETS)
def points(request: pytest.FixtureRequest) -> np.ndarray:
    return SETS[request.param]


def inside(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points in the hull: convex combinations of a few of them."""
    shares = rng.dirichlet(np.full(len(points), 0.1), count)
    return shares @ points


def all_weights(space: DescriptorSpace, point: np.ndarray) -> np.ndarray:
    mixture = space.mixture(point)
    weights = np.zeros(len(space.points))
    weights[mixture.members] = mixture.weights
    return weights


def test_weights_reproduce_the_point(points: np.ndarray) -> None:
    space = space_of(points)
    for point in inside(points, 200, np.random.default_rng(1)):
        weights = all_weights(space, point)
        assert weights.min() >= 0
        assert np.count_nonzero(weights) <= points.shape[1] + 1
        assert weights.sum() == pytest.approx(1, abs=1e-14)
        np.testing.assert_allclose(weights @ points, point, rtol=1e-9, atol=1e-9)


def test_every_network_answers_alone_where_it_stands(points: np.ndarray) -> None:
    space = space_of(points)
    for number, point in enumerate(points):
        for nearby in (point, point * (1 + 1e-15), point * (1 - 1e-15)):
            mixture = space.mixture(nearby)
            assert mixture.members.tolist() == [number]
            assert mixture.weights.tolist() == [1.0]
        assert not space.mixture(point).spread.any()


def test_weights_are_continuous(points: np.ndarray) -> None:
    """Along lines across the space no weight jumps: neighbouring simplices match."""
    space, rng = space_of(points), np.random.default_rng(2)
    for start, end in zip(inside(points, 10, rng), inside(points, 10, rng), strict=True):
        steps = np.linspace(0, 1, 400)[:, None]
        weights = np.array([all_weights(space, x) for x in start + steps * (end - start)])
        assert np.abs(np.diff(weights, axis=0)).max() < 0.06


def test_plain_delaunay_of_a_box_does_not_match() -> None:
    """Why the triangulation is what it is: faces of Qhull's own, flat simplices left out."""
    points = (SETS["box"] - SETS["box"].min(axis=0)) / np.ptp(SETS["box"], axis=0)
    assert unmatched(points, Delaunay(points).simplices) > 0
    assert unmatched(points, space_of(points).simplices) == 0


def unmatched(points: np.ndarray, simplices: np.ndarray) -> int:
    """Faces inside the unit box that belong to one simplex alone."""
    corners = points[simplices]
    full = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) > 1e-12
    faces: dict[tuple[int, ...], int] = {}
    for simplex in simplices[full]:
        for face in itertools.combinations(sorted(simplex.tolist()), len(simplex) - 1):
            faces[face] = faces.get(face, 0) + 1
    alone = [list(face) for face, count in faces.items() if count == 1]
    sides = (0.0, 1.0)
    return sum(
        not any((points[face] == side).all(axis=0).any() for side in sides) for face in alone
    )


def test_the_order_of_the_networks_does_not_matter() -> None:
    points = SETS["orientations"]
    order = np.random.default_rng(3).permutation(len(points))
    ours, theirs = space_of(points), space_of(points[order])
    for point in inside(points, 50, np.random.default_rng(4)):
        np.testing.assert_allclose(
            all_weights(ours, point)[order], all_weights(theirs, point), atol=1e-12
        )


def test_descriptors_are_scaled_to_their_ranges() -> None:
    points = SETS["scattered"]
    factor, shift = np.array([1e-3, 400.0]), np.array([3.0, -7.0])
    ours, theirs = space_of(points), space_of(points * factor + shift)
    for point in inside(points, 50, np.random.default_rng(5)):
        np.testing.assert_allclose(
            all_weights(ours, point), all_weights(theirs, point * factor + shift), atol=1e-9
        )


def test_a_single_network_answers_where_it_stands_but_for_round_off() -> None:
    space = space_of(np.array([[0.3 - 1e-16]]))
    found = space.mixture(np.array([0.3]))
    assert found.members.tolist() == [0]
    assert found.weights.tolist() == [1.0]
    for value in (0.3 + 1e-6, np.nan):
        with pytest.raises(DatabaseError, match=r"holds 0\.3"):
            space.mixture(np.array([value]))


def test_networks_apart_by_round_off_stand_at_one_point() -> None:
    with pytest.raises(DatabaseError, match="two networks stand at volume_fraction is 0"):
        space_of(np.array([[0.1], [np.nextafter(0.3, 0)], [0.3]]))


def test_round_off_at_the_hull_is_forgiven_and_no_more() -> None:
    space = space_of(SETS["orientations"])
    edge = np.array([0.7, 0.3, 0.12])  # a3 = 0
    assert space.mixture(edge * [1 + 1e-11, 1, 1]).distance == 0
    with pytest.raises(DatabaseError, match="the hull of its networks"):
        space.mixture(edge * [1 + 1e-7, 1, 1])


@settings(deadline=None)
@given(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5))
def test_extrapolation_goes_on_affinely_from_the_nearest_simplex(x: float, y: float) -> None:
    """On two triangles of the unit square; the distance is that of the square."""
    space = space_of(factorial([0.0, 1.0], [0.0, 1.0]))
    mixture = space.mixture(np.array([x, y]), extrapolate=True)
    np.testing.assert_allclose(mixture.weights @ space.points[mixture.members], [x, y], atol=1e-8)
    beyond = np.hypot(*(max(0 - each, each - 1, 0) for each in (x, y)))
    assert mixture.distance == pytest.approx(beyond, abs=2e-6)
    assert (mixture.weights.min() < 0) == (mixture.distance > 0)


def test_extrapolation_starts_at_the_hull_without_a_jump() -> None:
    space = space_of(SETS["box"])
    face = np.array([0.3, 1.7, 0.4])
    at, beyond = (space.mixture(face * [step, 1, 1], extrapolate=True) for step in (1, 1 + 1e-6))
    assert beyond.distance == pytest.approx(1.5e-6, rel=0.1)
    ours, theirs = np.zeros((2, len(space.points)))
    ours[at.members], theirs[beyond.members] = at.weights, beyond.weights
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_left_out() -> None:
    line = space_of(SETS["line"])
    assert line.left_out[0] is None
    assert line.left_out[3] is None
    found = line.left_out[1]
    assert found is not None
    assert found.members.tolist() == [0, 2]
    np.testing.assert_allclose(found.weights, [2 / 3, 1 / 3])
    # In one dimension the spread is the product of the distances to the two neighbours.
    assert found.spread == pytest.approx(0.1 * 0.2 / 0.55**2)
    grid = space_of(SETS["grid"])
    ends = {0, 3, 8, 11}
    for number, point in enumerate(SETS["grid"]):
        stands_in = grid.left_out[number]
        assert (stands_in is None) == (number in ends)
        if stands_in is not None:
            assert number not in stands_in.members
            there = stands_in.weights @ SETS["grid"][stands_in.members]
            np.testing.assert_allclose(there, point, atol=1e-12)
    assert all(each is None for each in space_of(SETS["simplex"]).left_out)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[0.1, 1.0], [0.2, 2.0], [0.3, 3.0], [0.5, 5.0]], r"span 1 of the 2 dimensions"),
        ([[0.1, 1.0], [0.2, 1.0], [0.3, 1.0]], r"span 1 of the 2 dimensions"),
        ([[0.1, 1.0], [0.2, 2.0]], r"2 networks over 2 descriptors; .* at least 3"),
        ([[0.1, 1.0], [0.2, 2.0], [0.1, 3.0], [0.2, 2.0]], "volume_fraction is 0.2, aspect_ratio"),
        ([[0.1, 1.0], [0.2, np.nan], [0.1, 3.0]], "NaN or infinity"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0.3, 0.2, 1e-12]], None),
        ([[0, 0, 0], [1, 0, 1], [0, 1, 1], [1, 1, 2], [0.5, 0.5, 1]], "span 2 of the 3"),
    ],
)
def test_points_that_span_no_space(points: list[list[float]], message: str | None) -> None:
    if message is None:  # a descriptor of tiny range is a descriptor: units are the user's
        assert len(space_of(np.array(points)).points) == 5
        return
    with pytest.raises(DatabaseError, match=message) as caught:
        space_of(np.array(points))
    assert "\n" not in str(caught.value)


def test_networks_too_close_together() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    points[-1] += 1e-15
    with pytest.raises(DatabaseError, match="two networks stand at"):
        space_of(points)
