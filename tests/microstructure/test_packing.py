"""Packings of discs and spheres: dense ones, of many seeds, and of several sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from dmn_fem.microstructure import discs, spheres
from dmn_fem.microstructure._packing import lognormal_sizes, pack, settle
from dmn_fem.microstructure._packing_kernels import stir


def least_gap(centers: np.ndarray, radii: np.ndarray) -> float:
    """Between two surfaces, periodic images included; in mean diameters."""
    d = centers.shape[1]
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * d, indexing="ij"), axis=-1).reshape(-1, d)
    distance = np.linalg.norm((centers[:, None] - centers)[:, :, None] + shifts, axis=-1)
    gaps = distance - (radii[:, None] + radii)[:, :, None]
    return float(gaps[distance > 0].min() / (2 * radii.mean()))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("dimension", "volume_fraction", "count", "gap"),
    [(2, 0.65, 30, 0.05), (2, 0.65, 80, 0.02), (3, 0.6, 30, 0.01), (3, 0.6, 50, 0.01)],
)
def test_dense_packings_of_any_seed(
    dimension: int, volume_fraction: float, count: int, gap: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    centers, radii = pack(np.ones(count), dimension, volume_fraction, gap, rng)
    assert least_gap(centers, radii) >= gap - 1e-12
    volume = np.pi if dimension == 2 else 4 / 3 * np.pi
    assert volume * (radii**dimension).sum() == pytest.approx(volume_fraction, rel=1e-12)


@pytest.mark.parametrize(("make", "volume_fraction"), [(discs, 0.65), (spheres, 0.6)])
@pytest.mark.parametrize("variation", [0.1, 0.5])
def test_sizes_are_distributed_as_asked(make, volume_fraction: float, variation: float) -> None:
    particles = make(volume_fraction, 60, 2, gap=0.02, variation=variation)
    radii = particles.radii
    assert radii.std() / radii.mean() == pytest.approx(variation, rel=1e-9)
    assert particles.volume_fraction == pytest.approx(volume_fraction, rel=1e-12)
    assert least_gap(particles.centers, radii) >= 0.02 - 1e-12
    score = np.log(radii)
    assert kstest((score - score.mean()) / score.std(), norm.cdf).pvalue > 0.9
    image = particles.image(32)
    assert image.volume_fractions[1] == pytest.approx(volume_fraction, abs=1e-6)


@given(st.integers(20, 200), st.floats(0.0, 1.0), st.integers(0, 99))
@settings(max_examples=25)
def test_lognormal_sizes(count: int, variation: float, seed: int) -> None:
    sizes = lognormal_sizes(count, variation, np.random.default_rng(seed))
    assert sizes.mean() == pytest.approx(1, rel=1e-12)
    assert sizes.std() == pytest.approx(variation, abs=1e-9)
    assert (sizes > 0).all()


def test_sizes_that_cannot_be_are_refused() -> None:
    rng = np.random.default_rng(0)
    for count, variation in ((1, 0.1), (10, -0.1), (3, 5.0), (10, float("nan"))):
        with pytest.raises(ValueError, match="coefficient of variation"):
            lognormal_sizes(count, variation, rng)
    with pytest.raises(ValueError, match="relative radii must be positive"):
        pack(np.array([1.0, 0.0]), 2, 0.1, 0.0, rng)


def test_relative_radii_are_the_users() -> None:
    sizes = np.array([1.0, 2.0, 3.0, 4.0])
    centers, radii = pack(sizes, 3, 0.3, 0.1, np.random.default_rng(0))
    np.testing.assert_allclose(radii / radii[0], sizes)
    assert least_gap(centers, radii) >= 0.1 - 1e-12


def test_growth_of_equal_discs_is_that_of_the_first_release() -> None:
    centers, _ = pack(np.ones(4), 2, 0.5, 0.15, np.random.default_rng(1))
    first_release = [
        [0.5580678042186105, 0.9506919007390573],
        [0.09791343320128, 0.9484212427241219],
        [0.31183145201048545, 0.42332644897257565],
        [0.8277025938204418, 0.4091991363691613],
    ]
    np.testing.assert_allclose(centers, first_release, rtol=0, atol=1e-12)


def neighbours_in_reach(centers: np.ndarray, reach: float) -> float:
    """Mean number of particles whose centre is that close to a particle's, in the nearest image."""
    difference = centers[:, None] - centers
    distance = np.linalg.norm(difference - np.rint(difference), axis=-1)
    return float((distance < reach).mean(axis=1).sum() - 1)


def test_settled_discs_have_the_contacts_of_hard_discs_in_equilibrium() -> None:
    # Scaled-particle theory of hard discs (Helfand, Frisch and Lebowitz 1961):
    # g(contact) = (1 - φ/2) / (1 - φ)². Grown discs touch far more often.
    fraction, count, shell = 0.3, 60, 1.03
    expected = 4 * fraction * (shell**2 - 1) * (1 - fraction / 2) / (1 - fraction) ** 2
    grown, settled = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        centers, radii = pack(np.ones(count), 2, fraction, 0.0, rng)
        grown.append(neighbours_in_reach(centers, shell * 2 * radii[0]))
        settle(centers, radii, 0.0, rng)
        settled.append(neighbours_in_reach(centers, shell * 2 * radii[0]))
    error = np.std(settled) / np.sqrt(len(settled))
    assert abs(np.mean(settled) - expected) < 4 * error < 0.5 * expected
    assert np.mean(grown) > 3 * expected


def test_stirred_particles_stay_apart_and_move() -> None:
    centers, radii = pack(np.ones(20), 3, 0.4, 0.0, np.random.default_rng(0))
    stirred = centers.copy()
    steps = np.random.default_rng(1).uniform(-0.05, 0.05, (100, 20, 3))
    stir(stirred, radii, 0.0, steps)
    assert least_gap(stirred % 1, radii) >= -1e-12
    assert np.linalg.norm(stirred - centers, axis=1).min() > 0
