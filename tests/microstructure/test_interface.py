"""Planes within voxels, and images that they fill exactly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmn_fem.microstructure import CutVoxels, PhaseImage, discs, spheres
from dmn_fem.microstructure._interface import fill, gradient, half_space_share, threshold


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("dimension", [2, 3])
def test_share_of_a_half_space_against_points_at_random(dimension: int) -> None:
    rng = np.random.default_rng(0)
    normal = unit(rng.standard_normal((40, dimension)))
    distance = rng.uniform(-0.8, 0.8, 40)
    points = rng.uniform(-0.5, 0.5, (40_000, dimension))
    counted = (points @ normal.T < -distance).mean(axis=0)
    # Four standard deviations of the count.
    np.testing.assert_allclose(half_space_share(distance, normal), counted, atol=0.01)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_share_of_a_plane_along_a_face_is_its_depth(dimension: int, axis: int) -> None:
    normal = np.eye(dimension)[axis % dimension]
    distance = np.linspace(-0.7, 0.7, 29)
    share = half_space_share(distance, np.broadcast_to(normal, (29, dimension)))
    np.testing.assert_allclose(share, np.clip(0.5 - distance, 0, 1), atol=2e-3)


def test_share_of_a_cut_corner() -> None:
    for dimension in (2, 3):
        normal = np.full(dimension, 1 / math.sqrt(dimension))
        # The plane cuts edges of length a off the corner that is deepest behind it.
        edge = 0.3
        distance = np.array((0.5 * dimension - edge) / math.sqrt(dimension))
        expected = edge**dimension / math.factorial(dimension)
        assert half_space_share(distance, normal) == pytest.approx(expected, rel=1e-12)


@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) > 0.1),
    st.floats(-1, 1),
)
def test_both_sides_of_a_plane_fill_the_voxel(direction: list[float], distance: float) -> None:
    normal = unit(np.array(direction))
    behind = half_space_share(np.array(distance), normal)
    before = half_space_share(np.array(-distance), -normal)
    assert behind + before == pytest.approx(1.0, abs=1e-9)
    assert 0 <= behind <= 1


@given(st.floats(0.2, 0.4))
def test_fill_is_exact(volume_fraction: float) -> None:
    grid, radius = 20, 0.3
    offset = (np.indices((grid, grid)).reshape(2, -1).T + 0.5) / grid - 0.513
    length = np.linalg.norm(offset, axis=1)
    distance, normal = (length - radius) * grid, offset / length[:, None]
    if abs(math.sqrt(volume_fraction / math.pi) - radius) * grid < 0.9:
        shares, which = fill(distance[:, None], normal[:, None], volume_fraction)
        assert shares.mean() == pytest.approx(volume_fraction, abs=1e-12)
        assert not which.any()
        assert shares[distance < -2.8].min() == 1
        assert shares[distance > 2.8].max() == 0
    inside = threshold(distance[:, None], volume_fraction)
    assert abs(inside.mean() - volume_fraction) <= 0.5 / grid**2 + 1e-12


def test_what_cannot_be_filled_is_refused() -> None:
    distance, normal = np.full((16, 1), 10.0), np.tile([1.0, 0.0], (16, 1, 1))
    with pytest.raises(ValueError, match="is the grid fine enough"):
        fill(distance, normal, 0.3)


@pytest.mark.parametrize(("make", "grid"), [(discs, 32), (spheres, 16)])
def test_a_coarse_image_is_a_fine_one_coarsened(make, grid: int) -> None:
    particles = make(0.2, 4, 1, gap=0.4)  # surfaces apart: Youngs' stencil is three voxels wide
    coarse = particles.image(grid)
    fine = particles.image(8 * grid, composite=False).coarsen(8)
    np.testing.assert_allclose(fine.volume_fractions, coarse.volume_fractions, atol=1e-4)
    # Planes instead of spheres, and steps instead of spheres, err by about a fiftieth.
    shares = [inclusion(image) for image in (coarse, fine)]
    assert np.abs(shares[0] - shares[1]).max() < 0.1
    assert np.abs(shares[0] - shares[1]).mean() < 0.005
    normals = [normals_of(image) for image in (coarse, fine)]
    cosine = np.abs((normals[0] * normals[1]).sum(axis=1))
    both = np.minimum(shares[0], shares[1]) * (1 - np.maximum(shares[0], shares[1])) > 0.05
    assert cosine[both].min() > 0.9
    assert cosine[both].mean() > 0.995


def inclusion(image: PhaseImage) -> np.ndarray:
    """Share of the second phase in every voxel."""
    shares = (image.phases.ravel() == 1).astype(float)
    cut = image.cut
    shares[cut.voxel] = np.where(cut.phase == 1, cut.share, 1 - cut.share)
    return shares


def normals_of(image: PhaseImage) -> np.ndarray:
    normals = np.zeros((image.phases.size, image.dimension))
    normals[image.cut.voxel] = image.cut.normal
    return normals


def test_gradient_of_plane_waves() -> None:
    n = 64
    x = 2 * np.pi * np.arange(n) / n
    field = np.sin(x)[:, None] + np.zeros((n, n))
    slope = gradient(field)
    np.testing.assert_allclose(
        slope[..., 0], np.cos(x)[:, None] * np.sin(x[1]) + 0 * field, atol=1e-15
    )
    np.testing.assert_allclose(slope[..., 1], 0, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": np.array([0.5, 1.0])}, "shares"),
        ({"voxel": np.array([3, 3])}, "increase"),
        ({"normal": np.array([[1.0, 0.0], [1.0, 1.0]])}, "length one"),
        ({"phase": np.array([1], dtype=np.uint8)}, "differ in length"),
    ],
)
def test_no_cut_voxels(change: dict, message: str) -> None:
    whole = {
        "voxel": np.array([1, 3]),
        "phase": np.array([1, 1], dtype=np.uint8),
        "share": np.array([0.5, 0.25]),
        "normal": np.array([[1.0, 0.0], [0.0, 1.0]]),
    }
    CutVoxels(**whole)
    with pytest.raises(ValueError, match=message):
        CutVoxels(**(whole | change))
