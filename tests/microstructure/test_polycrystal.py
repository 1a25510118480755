"""Power diagrams and the polycrystals made of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from dmn_fem.microstructure import Polycrystal, laguerre, voronoi
from dmn_fem.microstructure._power_diagram import _measure, cell_volumes, fit_weights
from dmn_fem.notation import isotropic_stiffness, orthotropic_stiffness, rotation_from_quaternion

CRYSTAL = orthotropic_stiffness((2.0, 1.0, 0.7), (0.2, 0.25, 0.3), (0.6, 0.5, 0.4))


def nearest_grain(cell: Polycrystal, points: np.ndarray) -> np.ndarray:
    """By the definition of the diagram, over all periodic images."""
    offset = points[:, None] - cell.centers
    offset -= np.rint(offset)
    return ((offset**2).sum(axis=-1) - cell.weights).argmin(axis=1)


@pytest.mark.parametrize("dimension", [2, 3])
def test_volumes_against_points_at_random(dimension: int) -> None:
    rng = np.random.default_rng(0)
    cell = Polycrystal(rng.random((12, dimension)), 0.01 * rng.random(12), np.zeros((12, 4)))
    grain = nearest_grain(cell, rng.random((200_000, dimension)))
    counted = np.bincount(grain, minlength=12) / grain.size
    np.testing.assert_allclose(cell.volumes, counted, atol=0.003)
    assert cell.volumes.sum() == pytest.approx(1, abs=1e-12)


def test_volumes_of_a_chequered_cell() -> None:
    centers = np.array([[0.25, 0.25], [0.75, 0.75], [0.25, 0.75], [0.75, 0.25]])
    np.testing.assert_allclose(cell_volumes(centers, np.zeros(4)), 0.25, atol=1e-14)
    # Two layers: a weight moves their faces by its half over the distance of the centres.
    layers = np.array([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    volumes = cell_volumes(layers, np.array([0.05, 0.0]))
    np.testing.assert_allclose(volumes, [0.6, 0.4], atol=1e-14)


@pytest.mark.parametrize("dimension", [2, 3])
def test_derivative_of_the_volumes(dimension: int) -> None:
    rng = np.random.default_rng(1)
    centers, weights, change = rng.random((9, dimension)), 0.01 * rng.random(9), rng.random(9)
    slope = _measure(centers, weights)[1]
    difference = cell_volumes(centers, weights + 1e-6 * change)
    difference -= cell_volumes(centers, weights - 1e-6 * change)
    np.testing.assert_allclose(slope @ change, difference / 2e-6, atol=1e-6)


@given(st.integers(2, 30), st.sampled_from([2, 3]), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_weights_give_any_volumes(count: int, dimension: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    volumes = rng.uniform(0.2, 1.0, count)
    volumes /= volumes.sum()
    centers = rng.random((count, dimension))
    np.testing.assert_allclose(
        cell_volumes(centers, fit_weights(centers, volumes)), volumes, rtol=0, atol=1e-9 / count
    )


def test_coinciding_centres_are_refused() -> None:
    centers = np.array([[0.1, 0.1], [0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="centres of cells coincide"):
        fit_weights(centers, np.full(3, 1 / 3))


@pytest.mark.parametrize(("dimension", "grid"), [(2, 100), (3, 40)])
@pytest.mark.parametrize("variation", [0.0, 0.8])
def test_image_has_the_prescribed_volumes(dimension: int, grid: int, variation: float) -> None:
    count = 40
    cell = laguerre(dimension, count, 2, variation)
    assert cell.volumes.std() * count == pytest.approx(variation, abs=1e-8)
    if variation:
        score = np.log(cell.volumes)
        assert kstest((score - score.mean()) / score.std(), norm.cdf).pvalue > 0.9
    image = cell.image(grid)
    assert image.matrix is None
    np.testing.assert_allclose(image.volume_fractions, cell.volumes, atol=0.005 / count)
    whole = cell.image(grid, composite=False)
    np.testing.assert_array_equal(whole.phases, image.phases)
    coarse = np.abs(whole.volume_fractions - cell.volumes).max()
    assert np.abs(image.volume_fractions - cell.volumes).max() < 0.5 * coarse


def test_image_shows_the_grains() -> None:
    cell, grid = laguerre(3, 20, 0, 0.5), 24
    voxels = (np.indices((grid,) * 3).reshape(3, -1).T + 0.5) / grid
    image = cell.image(grid)
    np.testing.assert_array_equal(image.phases.ravel(), nearest_grain(cell, voxels))
    fine = cell.image(6 * grid, composite=False).coarsen(6)
    both, first, second = np.intersect1d(
        image.cut.voxel, fine.cut.voxel, assume_unique=True, return_indices=True
    )
    same = image.cut.phase[first] == fine.cut.phase[second]
    assert same.mean() > 0.9
    difference = image.cut.share[first] - fine.cut.share[second]
    assert np.abs(difference[same]).mean() < 0.02
    cosine = (image.cut.normal[first] * fine.cut.normal[second]).sum(axis=1)
    assert np.median(np.abs(cosine[same])) > 0.98
    assert both.size > 0.8 * image.cut.voxel.size


def test_image_is_periodic() -> None:
    cell, grid = laguerre(2, 15, 0, 0.5), 32
    moved = Polycrystal(
        (cell.centers + np.array([5, 9]) / grid) % 1, cell.weights, cell.orientation
    )
    rolled = np.roll(cell.image(grid).phases, (5, 9), axis=(0, 1))
    assert np.count_nonzero(moved.image(grid).phases != rolled) <= 2


def test_many_grains_need_wider_voxels() -> None:
    image = voronoi(2, 300, 0).image(64)
    assert image.phases.dtype == np.uint16
    assert len(image.names) == 300
    assert voronoi(2, 256, 0).image(64).phases.dtype == np.uint8


def test_the_users_volumes() -> None:
    cell = laguerre(2, 4, 0, volumes=[1, 2, 3, 4])
    np.testing.assert_allclose(cell.volumes, [0.1, 0.2, 0.3, 0.4], atol=1e-10)
    assert len(laguerre(3, 1, 0).image(4).names) == 1


def test_orientations_are_uniform() -> None:
    rotation = rotation_from_quaternion(voronoi(3, 4000, 0).orientation)
    # Each component of a uniform rotation is uniform on -1 … 1, of variance 1/3.
    np.testing.assert_allclose(rotation.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose((rotation**2).mean(axis=0), 1 / 3, atol=0.03)
    assert kstest(rotation[:, 2, 2], lambda x: 0.5 * (x + 1)).pvalue > 0.01


def test_stiffness_of_grains() -> None:
    cell = voronoi(3, 4000, 1)
    rotated = cell.stiffness(CRYSTAL)
    np.testing.assert_allclose(np.linalg.eigvalsh(rotated[:5]), [np.linalg.eigvalsh(CRYSTAL)] * 5)
    # Their mean is isotropic, with the invariants of the crystal.
    bulk = CRYSTAL[:3, :3].sum() / 9
    shear = (np.trace(CRYSTAL) - 3 * bulk) / 10
    young, poisson = (
        9 * bulk * shear / (3 * bulk + shear),
        0.5 - 0.5 * 3 * shear / (3 * bulk + shear),
    )
    np.testing.assert_allclose(
        rotated.mean(axis=0), isotropic_stiffness(young, poisson), atol=0.02 * CRYSTAL.max()
    )
    plane = voronoi(2, 3, 1).stiffness(CRYSTAL)
    assert plane.shape == (3, 4, 4)
    full = Polycrystal(np.zeros((3, 3)), np.zeros(3), voronoi(2, 3, 1).orientation)
    np.testing.assert_allclose(plane, full.stiffness(CRYSTAL)[:, :4, :4])


def test_identity_leaves_the_crystal() -> None:
    cell = Polycrystal(np.zeros((1, 3)), np.zeros(1), np.array([[1.0, 0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(cell.stiffness(CRYSTAL)[0], CRYSTAL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimension": 4}, "dimension is 4"),
        ({"count": 0}, "count is 0"),
        ({"volumes": [1, 2]}, "5 positive numbers"),
        ({"volumes": [1, 2, 3, 4, 0]}, "5 positive numbers"),
        ({"variation": -1.0}, "coefficient of variation"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        laguerre(**({"dimension": 2, "count": 5, "seed": 0} | arguments))
    with pytest.raises(ValueError, match="grid is 0"):
        voronoi(2, 5, 0).image(0)
