"""Gaussian random fields."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from dmn_fem.microstructure import RandomField, random_field


@pytest.mark.parametrize(("dimension", "grid"), [(2, 64), (3, 32)])
@given(volume_fraction=st.floats(0.1, 0.9), seed=st.integers(0, 99))
@settings(max_examples=8, deadline=None)
def test_volume_fraction_is_exact(
    dimension: int, grid: int, volume_fraction: float, seed: int
) -> None:
    cell = random_field(dimension, volume_fraction, seed, wavelength=0.25, bandwidth=0.5)
    image = cell.image(grid)
    assert image.volume_fractions[1] == pytest.approx(volume_fraction, abs=1e-6)
    assert image.matrix is None
    whole = cell.image(grid, composite=False)
    assert abs(whole.volume_fractions[1] - volume_fraction) <= 0.5 / whole.phases.size + 1e-12


def test_field_is_its_sum_of_waves_on_any_grid() -> None:
    cell = random_field(2, 0.5, 3)
    field, slope = cell.sample(36)
    x = (np.indices((36, 36)).reshape(2, -1).T + 0.5) / 36
    angle = 2 * np.pi * x @ cell.waves.T
    cosine, sine = cell.amplitudes.T
    np.testing.assert_allclose(
        field.ravel(), np.cos(angle) @ cosine + np.sin(angle) @ sine, atol=1e-11
    )
    gradient = (np.cos(angle) * sine - np.sin(angle) * cosine) @ (2 * np.pi * cell.waves)
    np.testing.assert_allclose(slope.reshape(-1, 2), gradient, atol=1e-9)
    # Every third voxel of a three times finer grid has the same centre.
    np.testing.assert_allclose(cell.sample(108)[0][1::3, 1::3], field, atol=1e-11)


@pytest.mark.parametrize("dimension", [2, 3])
def test_spectrum_is_a_shell(dimension: int) -> None:
    field, _ = random_field(dimension, 0.5, 0, wavelength=0.2, bandwidth=0.4).sample(24)
    power = np.abs(np.fft.fftn(field)) ** 2
    numbers = np.fft.fftfreq(24, 1 / 24)
    number = np.linalg.norm(np.stack(np.meshgrid(*[numbers] * dimension)), axis=0)
    inside = (number >= 4) & (number <= 6)
    assert power[~inside].sum() < 1e-20 * power.sum()
    assert (power[inside] > 0).all()


def test_values_are_normal() -> None:
    field, _ = random_field(3, 0.5, 0, bandwidth=0.5).sample(64)
    score = (field - field.mean()) / field.std()
    np.testing.assert_allclose(np.mean(score**3), 0, atol=0.1)
    np.testing.assert_allclose(np.mean(score**4), 3, atol=0.2)


def test_both_phases_are_connected_in_space() -> None:
    image = random_field(3, 0.5, 1).image(48)
    for phase in (0, 1):
        parts, _ = label(image.phases == phase)
        assert np.bincount(parts.ravel())[1:].max() > 0.95 * np.count_nonzero(parts)


def test_composite_voxels_are_the_fine_image_coarsened() -> None:
    cell = random_field(2, 0.4, 2, wavelength=0.25)
    shares = []
    for image in (cell.image(64), cell.image(512, composite=False).coarsen(8)):
        share = (image.phases.ravel() == 1).astype(float)
        share[image.cut.voxel] = np.where(
            image.cut.phase == 1, image.cut.share, 1 - image.cut.share
        )
        shares.append(share)
    assert np.abs(shares[0] - shares[1]).max() < 0.15
    assert np.abs(shares[0] - shares[1]).mean() < 0.004


def test_image_is_periodic() -> None:
    cell, grid = random_field(2, 0.4, 0, wavelength=0.2), 32
    shift = np.exp(-2j * np.pi * (cell.waves @ np.array([5, 9])) / grid)
    moved = (cell.amplitudes[:, 0] - 1j * cell.amplitudes[:, 1]) * shift
    amplitudes = np.column_stack([moved.real, -moved.imag])
    rolled = np.roll(cell.image(grid).phases, (5, 9), axis=(0, 1))
    assert (RandomField(cell.waves, amplitudes, 0.4).image(grid).phases == rolled).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimension": 1}, "dimension is 1"),
        ({"volume_fraction": 1.0}, "volume_fraction is 1.0"),
        ({"wavelength": 0.0}, "wavelength is 0.0"),
        ({"bandwidth": 2.0}, "bandwidth is 2.0"),
        ({"wavelength": 0.7, "bandwidth": 0.1}, "only 2 waves"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_field(**({"dimension": 2, "volume_fraction": 0.4, "seed": 0} | change))
    with pytest.raises(ValueError, match="need at least 32 voxels"):
        random_field(2, 0.4, 0, wavelength=0.125).image(16)
