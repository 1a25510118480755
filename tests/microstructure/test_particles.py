"""Generators of discs and spheres."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.homogenization import homogenize
from dmn_fem.microstructure import Particles, _packing, discs, spheres


def least_distance(particles: Particles) -> float:
    """Between two centres, periodic images and a particle's own included."""
    d = particles.dimension
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * d, indexing="ij"), axis=-1).reshape(-1, d)
    difference = particles.centers[:, None] - particles.centers
    distance = np.linalg.norm(difference[:, :, None] + shifts, axis=-1)
    return float(distance[distance > 0].min())


@pytest.mark.parametrize(
    ("generate", "volume_fraction", "count", "gap"),
    [
        (discs, 0.1, 30, 0.05),
        (discs, 0.7, 30, 0.05),
        (discs, 0.7, 1, 0.05),
        (discs, 0.7, 60, 0.0),
        (spheres, 0.2, 20, 0.05),
        (spheres, 0.6, 20, 0.01),
        (spheres, 0.6, 50, 0.01),
    ],
)
def test_no_overlap(
    generate: Callable[..., Particles], volume_fraction: float, count: int, gap: float
) -> None:
    particles = generate(volume_fraction, count, 1, gap=gap)
    assert particles.volume_fraction == pytest.approx(volume_fraction, rel=1e-14)
    assert len(particles.centers) == count
    assert ((particles.centers >= 0) & (particles.centers < 1)).all()
    assert least_distance(particles) >= 2 * particles.radius * (1 + gap) * (1 - 1e-14)


@given(st.floats(0.01, 0.6), st.integers(3, 40), st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_discs_never_overlap(volume_fraction: float, count: int, seed: int) -> None:
    particles = discs(volume_fraction, count, seed, gap=0.01)
    assert least_distance(particles) >= 2 * particles.radius * 1.01 * (1 - 1e-14)


@pytest.mark.parametrize(("generate", "grid"), [(discs, 97), (spheres, 31)])
@pytest.mark.parametrize("volume_fraction", [0.123, 0.4])
def test_image_has_the_prescribed_volume_fraction(
    generate: Callable[..., Particles], grid: int, volume_fraction: float
) -> None:
    particles = generate(volume_fraction, 12, 3)
    image = particles.image(grid)
    assert image.names == ("matrix", "inclusion")
    assert image.phases.shape == (grid,) * particles.dimension
    assert image.volume_fractions[1] == pytest.approx(volume_fraction, abs=1e-6)
    assert image.matrix == "matrix"
    whole = particles.image(grid, composite=False)
    assert abs(whole.volume_fractions[1] - volume_fraction) <= 0.5 / whole.phases.size + 1e-15


def test_image_shows_the_particles() -> None:
    particles = discs(0.4, 10, 0)
    grid = 128
    image = particles.image(grid)
    nodes = (np.indices((grid, grid)).reshape(2, -1).T + 0.5) / grid
    offset = nodes[:, None] - particles.centers
    distance = np.linalg.norm(offset - np.rint(offset), axis=-1).min(axis=1)
    inside = image.phases.ravel() == 1
    assert distance[inside].max() < particles.radius + 0.5 / grid
    assert distance[~inside].min() > particles.radius - 0.5 / grid


def test_image_is_periodic() -> None:
    particles = spheres(0.3, 10, 0)
    shift = np.array([4, 8, 2]) / 16
    moved = Particles((particles.centers + shift) % 1, particles.radius)
    rolled = np.roll(particles.image(16).phases, (4, 8, 2), axis=(0, 1, 2))
    # Rounding may swap the last voxels that still fit.
    assert np.count_nonzero(moved.image(16).phases != rolled) <= 2


def test_same_seed_same_cell() -> None:
    first, again, other = discs(0.5, 30, 7), discs(0.5, 30, 7), discs(0.5, 30, 8)
    np.testing.assert_array_equal(first.centers, again.centers)
    np.testing.assert_array_equal(first.image(32).phases, again.image(32).phases)
    assert not np.allclose(first.centers, other.centers)


@pytest.mark.parametrize("generate", [discs, spheres])
@pytest.mark.parametrize("variation", [0.0, 0.2])
def test_cells_placed_at_one_fraction_differ_in_size_alone(
    generate: Callable[..., Particles], variation: float
) -> None:
    placed = generate(0.5, 12, 7, 0.02, variation)
    dilute = generate(0.2, 12, 7, 0.02, variation, placed_at=0.5)
    np.testing.assert_array_equal(dilute.centers, placed.centers)
    scale = 0.4 ** (1 / placed.dimension)
    np.testing.assert_allclose(dilute.radii, scale * placed.radii, rtol=1e-14)
    assert dilute.volume_fraction == pytest.approx(0.2, rel=1e-14)


def test_stiffness_of_a_family_is_smooth_in_the_volume_fraction() -> None:
    phases = np.stack([np.eye(3), 100 * np.eye(3)])

    def stiffness(volume_fraction: float, **family: float) -> np.ndarray:
        image = discs(volume_fraction, 12, 1, **family).image(48)
        return np.log(homogenize(image, phases, 1e-4).stiffness[0, 0])

    def fourth_difference(**family: float) -> float:
        nodes = [stiffness(fraction, **family) for fraction in (0.2, 0.25, 0.3, 0.35, 0.4)]
        return abs(float(np.dot([1, -4, 6, -4, 1], nodes)))

    assert fourth_difference(placed_at=0.5) < 0.01
    assert fourth_difference() > 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 10, 0), "volume_fraction is 0"),
        ((1.2, 10, 0), "volume_fraction is 1.2"),
        ((float("nan"), 10, 0), "volume_fraction is nan"),
        ((0.3, 0, 0), "count is 0"),
        ((0.3, 10, 0, -0.1), "gap is -0.1"),
        ((0.79, 1, 0), "touch their own periodic images"),
        ((0.7, 5, 0, 0.2), "could not be placed without overlap in any way"),
        ((0.3, 10, 0, 0.1, -1.0), "coefficient of variation"),
        ((0.3, 10, 0, 0.1, 0.0, 0.2), "volume_fraction is 0.3; it must be positive and at most"),
        ((0.0, 10, 0, 0.1, 0.0, 0.2), "volume_fraction is 0.0; it must be positive and at most"),
        ((0.1, 10, 0, 0.1, 0.0, 1.2), "volume_fraction is 1.2"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        discs(*arguments)


def test_jammed_discs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_packing, "_STIRS", 2)
    with pytest.raises(ValueError, match="could not be placed without overlap: stuck at 0"):
        discs(0.75, 3, 0, 0.05)


def test_image_without_voxels_is_refused() -> None:
    with pytest.raises(ValueError, match="grid is 0"):
        discs(0.3, 3, 0).image(0)
