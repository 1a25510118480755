"""The sampling law of phase stiffnesses."""

import numpy as np
import pytest

from dmn_fem.homogenization import draw_phase_stiffness

PAIRS = [(0, 1), (0, 2), (1, 2)]


def assert_fills(values: np.ndarray, low: float, high: float) -> None:
    """All values lie in the interval, and they reach into its outer twentieths."""
    margin = (high - low) / 20
    assert low - 1e-9 <= values.min() <= low + margin, values.min()
    assert high - margin <= values.max() <= high + 1e-9, values.max()


@pytest.mark.parametrize(("dimension", "phases", "size"), [(2, 2, 3), (3, 2, 6), (2, 3, 3)])
def test_stiffnesses_are_symmetric_and_positive_definite(dimension, phases, size) -> None:
    stiffness = draw_phase_stiffness(dimension, phases, 500, 0)
    assert stiffness.shape == (500, phases, size, size)
    np.testing.assert_array_equal(stiffness, np.swapaxes(stiffness, -1, -2))
    assert np.linalg.eigvalsh(stiffness).min() > 0


def test_law_in_2d() -> None:
    compliance = np.linalg.inv(draw_phase_stiffness(2, 2, 2000, 1))
    e1, e2 = 1 / compliance[..., 0, 0], 1 / compliance[..., 1, 1]
    np.testing.assert_allclose((e1 * e2)[:, 0], 1)
    assert_fills(np.log10(e1 * e2)[:, 1], -6, 6)
    for phase in range(2):
        assert_fills(np.log10(e2 / e1)[:, phase], -1, 1)
        assert_fills((0.5 / compliance[..., 2, 2] / np.sqrt(e1 * e2))[:, phase], 0.25, 0.5)
        assert_fills((-compliance[..., 0, 1] * np.sqrt(e1 * e2))[:, phase], 0.3, 0.7)
    np.testing.assert_allclose(compliance[..., :2, 2], 0, atol=1e-12)


def test_law_in_3d() -> None:
    compliance = np.linalg.inv(draw_phase_stiffness(3, 2, 2000, 1))
    young = 1 / np.diagonal(compliance, axis1=-2, axis2=-1)[..., :3]
    assert_fills(np.log10(young[:, 0]), -1, 1)
    assert_fills(np.log10(young[:, 1, 0] / young[:, 1, 1]), -2, 2)
    scale = np.log10(young[:, 1]).mean(axis=-1)
    assert scale.min() < -2.8
    assert scale.max() > 2.8
    for component, (i, j) in enumerate(PAIRS, start=3):
        mean = np.sqrt(young[..., i] * young[..., j])
        assert_fills(0.5 / compliance[..., component, component] / mean, 0.25, 0.5)
        assert_fills(-compliance[..., i, j] * mean, 0.0, 0.5)


@pytest.mark.parametrize("dimension", [2, 3])
def test_first_samples_do_not_depend_on_the_count(dimension: int) -> None:
    few, many = (draw_phase_stiffness(dimension, 2, count, 5) for count in (3, 10))
    np.testing.assert_array_equal(few, many[:3])
    assert not np.allclose(few, draw_phase_stiffness(dimension, 2, 3, 6))


@pytest.mark.parametrize(("void", "reference"), [(0, 1), (1, 0), (2, 0)])
def test_a_void_is_a_millionth_of_the_matrix(void: int, reference: int) -> None:
    solid, porous = (draw_phase_stiffness(3, 3, 20, 4, each) for each in (None, void))
    others = [phase for phase in range(3) if phase != void]
    np.testing.assert_array_equal(solid[:, others], porous[:, others])
    largest = np.linalg.eigvalsh(porous[:, reference])[:, -1]
    np.testing.assert_allclose(porous[:, void], 1e-6 * largest[:, None, None] * np.eye(6))


@pytest.mark.parametrize("dimension", [2, 3])
def test_contrast_bounds_the_scales_of_the_other_phases(dimension: int) -> None:
    """And it is all that it changes: the draws are those of another contrast, scaled."""
    wide, narrow = (
        draw_phase_stiffness(dimension, 3, 500, 7, contrast=each) for each in ((1e-3, 1e3), (1, 10))
    )
    np.testing.assert_array_equal(wide[:, 0], narrow[:, 0])
    factor = wide[:, 1:, 0, 0] / narrow[:, 1:, 0, 0]
    np.testing.assert_allclose(wide[:, 1:], factor[..., None, None] * narrow[:, 1:], atol=1e-9)
    # Of u in (0, 1) the one factor is 10^(6 u - 3), the other 10^u: between them 10^(5 u - 3).
    assert_fills(np.log10(factor), -3.0, 2.0)
    with pytest.raises(ValueError, match="contrast is"):
        draw_phase_stiffness(dimension, 2, 5, 0, contrast=(10.0, 1.0))


def test_draws_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="dimension is 1"):
        draw_phase_stiffness(1, 2, 5, 0)
    with pytest.raises(ValueError, match="2 phases and 0 samples"):
        draw_phase_stiffness(2, 2, 0, 0)
    for phases, void in ((2, 2), (1, 0)):
        with pytest.raises(ValueError, match=f"void is {void}; it must be one of {phases} phases"):
            draw_phase_stiffness(2, phases, 5, 0, void)
