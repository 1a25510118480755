"""The plain weave: volumes, symmetry, paths of the yarns and their sections."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.microstructure import weave
from dmn_fem.notation import rotation_from_quaternion


def inside(cell, points: np.ndarray) -> np.ndarray:
    """Whether points are in warp and in weft, by the definition of the weave, (points, 2)."""
    half = 0.5 * cell.thickness
    found = []
    for axis, sign in ((0, 1), (1, -1)):
        along, across, up = points[:, axis], points[:, 1 - axis], points[:, 2] - 0.5 * cell.height
        within = np.zeros(len(points), dtype=bool)
        for place, side in ((0.25, sign), (0.75, -sign)):
            middle = side * (half + 0.5 * cell.gap) * np.sin(2 * np.pi * along)
            lens = half * np.cos(np.pi * (across - place) / cell.width)
            within |= (np.abs(across - place) < 0.5 * cell.width) & (np.abs(up - middle) < lens)
        found.append(within)
    return np.stack(found, axis=1)


@given(st.floats(0.1, 0.5), st.floats(0.3, 0.5))
@settings(max_examples=10, deadline=None)
def test_yarns_fill_their_volume_and_do_not_meet(volume_fraction: float, width: float) -> None:
    if 8 * width * (0.25 - 0.02) / (2 * np.pi * 0.25) < volume_fraction:
        return
    cell = weave(volume_fraction, 0.25, width)
    rng = np.random.default_rng(0)
    points = rng.random((100_000, 3)) * [1, 1, cell.height]
    yarns = inside(cell, points)
    assert not yarns.all(axis=1).any()
    assert yarns.any(axis=1).mean() == pytest.approx(volume_fraction, abs=0.007)
    assert cell.volume_fraction == pytest.approx(volume_fraction)
    image = cell.image(32)
    assert image.volume_fractions[1:].sum() == pytest.approx(volume_fraction, abs=1e-6)
    assert image.volume_fractions[1] == pytest.approx(image.volume_fractions[2], abs=1e-9)


def test_image_shows_the_yarns() -> None:
    cell, grid = weave(0.45), 64
    image = cell.image(grid)
    assert image.shape == (64, 64, 16)
    assert image.names == ("matrix", "warp", "weft")
    assert image.matrix is None
    index = np.indices(image.shape).reshape(3, -1).T
    yarns = inside(cell, (index + 0.5) / grid)
    expected = np.where(yarns[:, 0], 1, np.where(yarns[:, 1], 2, 0))
    assert np.mean(image.phases.ravel() != expected) < 0.015
    whole = np.delete(np.arange(expected.size), image.cut.voxel)
    # Only the thin edges of the lenses differ where no voxel is cut.
    assert np.mean(image.phases.ravel()[whole] != expected[whole]) < 0.002


def test_shares_are_those_of_points_in_the_voxel() -> None:
    cell, grid = weave(0.45), 32
    image = cell.image(grid)
    levels = np.array(image.shape)
    yarn = sum(np.where(image.phases == phase, 1.0, 0.0).ravel() for phase in (1, 2))
    cut = image.cut
    yarn[cut.voxel] = np.where(cut.phase == 0, 1 - cut.share, cut.share)
    fine = 6
    index = np.indices(tuple(levels * fine)).reshape(3, -1).T
    points = inside(cell, (index + 0.5) / (grid * fine)).any(axis=1).astype(float)
    blocks = points.reshape([n for level in levels for n in (level, fine)]).mean(axis=(1, 3, 5))
    assert np.abs(yarn - blocks.ravel()).mean() < 0.015


def test_warp_turned_by_a_right_angle_is_weft() -> None:
    phases = weave(0.4).image(32).phases
    turned = np.swapaxes(phases, 0, 1)[:, :, ::-1]
    swapped = np.array([0, 2, 1])[turned]
    assert np.mean(swapped != phases) < 1e-3


def test_axes_follow_the_middle_lines() -> None:
    cell, grid = weave(0.4), 32
    image = cell.image(grid)
    axes, phases = image.axes, image.phases
    rotation = rotation_from_quaternion(axes.quaternion)[axes.number]
    np.testing.assert_array_equal(rotation[0], np.broadcast_to(np.eye(3), (*phases.shape, 3, 3)))
    steepest = 2 * np.pi * cell.amplitude
    for phase, axis in ((1, 0), (2, 1)):
        along = rotation[phase][..., axis]
        np.testing.assert_allclose(along[..., 1 - axis], 0, atol=1e-12)
        across = rotation[phase][..., 1 - axis]
        np.testing.assert_allclose(across, np.broadcast_to(np.eye(3)[1 - axis], across.shape))
        # The tangent points to where the yarn's own voxels go on: up and down half of its length.
        inside = phases == phase
        middle = (inside * np.arange(phases.shape[2])).sum(axis=2) / np.maximum(inside.sum(2), 1)
        row = np.take(middle, grid // 4, axis=1 - axis)
        slope = np.take(along[..., 2] / along[..., axis], grid // 4, axis=1 - axis)[:, 0]
        differences = 0.5 * (np.roll(row, -1) - np.roll(row, 1))
        assert np.corrcoef(slope, differences)[0, 1] > 0.75
        assert 0.98 * steepest < np.abs(slope).max() <= steepest
    # At a crossing yarns lie flat.
    assert np.abs(rotation[1:, 7:9, 7:9, :, 2, :2]).max() < 0.15 * steepest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0,), "volume_fraction is 0"),
        ((0.3, 0.0), "height is 0"),
        ((0.3, 0.25, 0.6), "width is 0.6"),
        ((0.3, 0.25, 0.4, -0.1), "gap is -0.1"),
        ((0.6, 0.25, 0.45, 0.02), "at most 0.527"),
        ((0.3, 0.25, 0.45, 0.3), "at most 0.000"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weave(*arguments)


def test_a_broken_height_is_refused() -> None:
    with pytest.raises(ValueError, match=r"7\.5 voxels of a grid of 30"):
        weave(0.3).image(30)
