"""Short fibres: gap, orientation tensor, volume fraction, and what their image shows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from dmn_fem.microstructure import Fibres, fibres
from dmn_fem.microstructure._fibre_kernels import closest_points

ROTATED = Rotation.from_euler("xyz", [20, 40, 60], degrees=True).as_matrix()
TENSORS = {
    "isotropic": np.eye(3) / 3,
    "injection": np.diag([0.7, 0.25, 0.05]),
    "rotated": ROTATED @ np.diag([0.6, 0.3, 0.1]) @ ROTATED.T,
    "unidirectional": np.diag([1.0, 0.0, 0.0]),
}


@njit
def least_distance(centers, directions, half):
    """Least distance between the axes of two fibres, periodic images included.

    Args:
        centers: (count, 3).
        directions: Unit vectors, (count, 3).
        half: Half the length of the axes; twice that and the distance is at most one.
    """
    least = math.inf
    offset = np.empty(3)
    for i in range(len(centers)):
        for j in range(i):
            for image in range(27):
                for axis in range(3):
                    part = centers[j, axis] - centers[i, axis]
                    offset[axis] = part - np.rint(part) + image // 3**axis % 3 - 1
                s, t = closest_points(offset, directions[i], directions[j], half)
                squared = 0.0
                for axis in range(3):
                    part = offset[axis] + t * directions[j, axis] - s * directions[i, axis]
                    squared += part * part
                least = min(least, squared)
    return math.sqrt(least)


def gap_of(cell: Fibres) -> float:
    """Least distance between two surfaces, in diameters."""
    half = 0.5 * (cell.length - cell.diameter)
    return least_distance(cell.centers, cell.directions, half) / cell.diameter - 1


@pytest.mark.parametrize("tensor", TENSORS.values(), ids=TENSORS.keys())
def test_fibres_are_as_asked(tensor: np.ndarray) -> None:
    cell = fibres(0.2, 100, 3, aspect_ratio=10, orientation=tensor, gap=0.05)
    assert cell.volume_fraction == pytest.approx(0.2, rel=1e-12)
    assert cell.length / cell.diameter == pytest.approx(10)
    np.testing.assert_allclose(cell.orientation_tensor, tensor, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(cell.directions, axis=1), 1)
    assert ((cell.centers >= 0) & (cell.centers < 1)).all()
    assert gap_of(cell) >= 0.05 - 1e-12


def test_a_planar_tensor_keeps_fibres_in_the_plane() -> None:
    cell = fibres(0.1, 60, 0, orientation=(0.6, 0.4, 0.0))
    np.testing.assert_allclose(cell.directions[:, 2], 0, atol=1e-12)
    assert gap_of(cell) >= 0.05 - 1e-12


def test_slender_fibres() -> None:
    cell = fibres(0.1, 150, 1, aspect_ratio=20)
    assert cell.volume_fraction == pytest.approx(0.1)
    assert gap_of(cell) >= 0.05 - 1e-12


@given(
    st.lists(st.floats(-1, 1), min_size=9, max_size=9).filter(
        lambda v: min(np.linalg.norm(v[3:6]), np.linalg.norm(v[6:])) > 0.1
    ),
    st.floats(0.1, 1.0),
)
@settings(max_examples=40, deadline=None)
def test_closest_points_of_segments(numbers: list[float], half: float) -> None:
    offset, first, second = np.array(numbers).reshape(3, 3)
    first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)

    def squared(parameters: np.ndarray) -> float:
        line = offset + parameters[1] * second - parameters[0] * first
        return float(line @ line)

    found = minimize(squared, [0, 0], bounds=[(-half, half)] * 2, tol=1e-12)
    s, t = closest_points(offset, first, second, half)
    assert max(abs(s), abs(t)) <= half + 1e-12
    # Within the bounds nothing is closer; the general minimiser may stop before it is there.
    assert squared(np.array([s, t])) <= found.fun + 1e-6


def test_image_shows_the_fibres() -> None:
    cell, grid = fibres(0.15, 30, 0, aspect_ratio=5), 48
    image = cell.image(grid)
    assert image.names == ("matrix", "fibre")
    assert image.matrix == "matrix"
    assert image.volume_fractions[1] == pytest.approx(0.15, abs=1e-6)
    # The nearest point of every axis, periodic images by the nearest to the axis' centre.
    rng = np.random.default_rng(0)
    index = rng.integers(grid, size=(2000, 3))
    offset = ((index + 0.5) / grid)[:, None] - cell.centers
    shifts = np.indices((3, 3, 3)).reshape(3, -1).T - 1
    offset = (offset - np.rint(offset))[:, :, None] + shifts
    half = 0.5 * (cell.length - cell.diameter)
    along = np.clip((offset * cell.directions[:, None]).sum(axis=-1), -half, half)
    across = np.linalg.norm(offset - along[..., None] * cell.directions[:, None], axis=-1)
    distance = across.min(axis=(1, 2)) - 0.5 * cell.diameter
    phase = image.phases[tuple(index.T)]
    assert (phase[distance < -0.3 / grid] == 1).all()
    assert (phase[distance > 0.3 / grid] == 0).all()
    whole = cell.image(grid, composite=False)
    assert np.mean(whole.phases != image.phases) < 0.005


def test_image_is_periodic() -> None:
    cell, grid = fibres(0.15, 20, 0, aspect_ratio=4), 24
    moved = Fibres(
        (cell.centers + np.array([5, 12, 20]) / grid) % 1,
        cell.directions,
        cell.length,
        cell.diameter,
    )
    rolled = np.roll(cell.image(grid).phases, (5, 12, 20), axis=(0, 1, 2))
    assert np.count_nonzero(moved.image(grid).phases != rolled) <= 2


def test_seeds() -> None:
    first, again, near, other = (
        fibres(fraction, 40, seed) for fraction, seed in ((0.1, 7), (0.1, 7), (0.105, 7), (0.1, 8))
    )
    np.testing.assert_array_equal(first.centers, again.centers)
    np.testing.assert_array_equal(first.directions, again.directions)
    moved = near.centers - first.centers
    assert np.linalg.norm(moved - np.rint(moved), axis=1).mean() < first.diameter
    assert not np.allclose(first.centers, other.centers)


def test_fibres_placed_at_a_larger_fraction_shrink_in_place() -> None:
    placed, small = fibres(0.15, 30, 2, 4.0), fibres(0.05, 30, 2, 4.0, placed_at=0.15)
    np.testing.assert_array_equal(small.centers, placed.centers)
    np.testing.assert_array_equal(small.directions, placed.directions)
    assert small.volume_fraction == pytest.approx(0.05)
    assert small.length / small.diameter == pytest.approx(4.0)
    same = fibres(0.15, 30, 2, 4.0, placed_at=0.15)
    assert (same.length, same.diameter) == (placed.length, placed.diameter)
    with pytest.raises(ValueError, match=r"at most placed_at, 0\.15"):
        fibres(0.2, 30, 2, 4.0, placed_at=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"volume_fraction": 0.0}, "volume_fraction is 0"),
        ({"count": 0}, "count is 0"),
        ({"aspect_ratio": 1.0}, "aspect_ratio is 1.0"),
        ({"gap": -1.0}, "gap is -1.0"),
        ({"count": 2}, "longer than the cell"),
        ({"orientation": (0.5, 0.5, 0.5)}, "trace one"),
        ({"orientation": (1.2, -0.2, 0.0)}, "positive semi-definite"),
        ({"orientation": (0.5, 0.5)}, "3 x 3"),
        ({"volume_fraction": 0.01, "count": 2, "aspect_ratio": 2.0}, "cannot have the orientation"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, message: str) -> None:
    arguments = {"volume_fraction": 0.2, "count": 50, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        fibres(**arguments)
