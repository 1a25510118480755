"""From grey values and labels to periodic phase images."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from dmn_fem.microstructure import (
    MaterialAxes,
    PhaseImage,
    discs,
    from_labels,
    mirror,
    otsu,
    segment,
    stitch,
)


def within_variance(grey, thresholds) -> float:
    part = np.digitize(grey, thresholds)
    return sum(grey[part == p].size * grey[part == p].var() for p in np.unique(part))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=6, max_size=60), st.integers(2, 4))
def test_otsu_leaves_least_variance_within_phases(values, phases) -> None:
    grey = np.array(values)
    levels = np.unique(grey)
    if levels.size < phases:
        with pytest.raises(ValueError, match="cannot be parted"):
            otsu(grey, phases)
        return
    every = itertools.combinations((levels[1:] + levels[:-1]) / 2, phases - 1)
    least = min(within_variance(grey, thresholds) for thresholds in every)
    assert within_variance(grey, otsu(grey, phases)) == pytest.approx(least, abs=1e-9)


def test_otsu_agrees_with_scikit_image() -> None:
    filters = pytest.importorskip("skimage.filters")  # comes with porespy
    rng = np.random.default_rng(0)
    means = np.array([40, 110, 200])[rng.integers(0, 3, (64, 64))]
    grey = np.clip(rng.normal(means, 12), 0, 255).astype(np.uint8)
    for phases in (2, 3, 4):
        # Its threshold is the last level of the darker class.
        ours, theirs = otsu(grey, phases), filters.threshold_multiotsu(grey, phases)
        np.testing.assert_array_equal(
            np.digitize(grey, ours), np.digitize(grey, theirs, right=True)
        )


def test_otsu_of_many_levels_finds_the_gap() -> None:
    rng = np.random.default_rng(0)
    grey = np.concatenate([rng.normal(-3, 0.3, 5000), rng.normal(5, 0.3, 5000)])
    assert -1 < otsu(grey)[0] < 3


def test_thresholds_begin_a_brighter_phase() -> None:
    image = segment([[0, 99], [100, 200]], [100, 150.5], ["dark", "grey", "bright"], "grey")
    np.testing.assert_array_equal(image.phases, [[0, 0], [1, 2]])
    assert image.matrix == "grey"
    assert segment([[0, 1]], [0.5]).names == ("phase_1", "phase_2")


@pytest.mark.parametrize(
    ("values", "thresholds", "names", "message"),
    [
        ([[0, 1]], [], None, "must be numbers that increase"),
        ([[0, 1]], [2, 1], None, "must be numbers that increase"),
        ([[0, 1]], [np.nan], None, "must be numbers that increase"),
        ([[0, 1]], [0.5, 3], None, "phase 3 without a voxel; grey values lie between 0 and 1"),
        ([[0, np.nan]], [0.5], None, "no finite numbers"),
        ([["a", "b"]], [0.5], None, "no finite numbers"),
        ([[0, 1]], [0.5], ["a", "b", "c"], "3 names are given .* for 2 phases"),
    ],
)
def test_thresholds_that_do_not_segment(values, thresholds, names, message) -> None:
    with pytest.raises(ValueError, match=message):
        segment(values, thresholds, names)


def test_labels_become_phases_in_their_order() -> None:
    values = [[255, 0], [128, 0]]
    np.testing.assert_array_equal(from_labels(values).phases, [[2, 0], [1, 0]])
    image = from_labels(values, ["x", "y", "none", "z"], [128, 255, 7, 0], "z")
    np.testing.assert_array_equal(image.phases, [[1, 3], [0, 3]])
    assert (image.names, image.matrix) == (("x", "y", "none", "z"), "z")
    assert from_labels(np.arange(600).reshape(20, 30), [str(i) for i in range(600)]).phases.max()


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="holds the value 128, which is no label"):
        from_labels([[0, 128]], labels=[0, 255])
    with pytest.raises(ValueError, match="not distinct"):
        from_labels([[0, 0]], labels=[0, 0])
    with pytest.raises(ValueError, match="20 different values: grey values need thresholds"):
        from_labels(np.arange(20).reshape(4, 5))
    with pytest.raises(ValueError, match="1 names are given"):
        from_labels([[0, 1]], ["a"])


@pytest.mark.parametrize("shape", [(5, 8), (3, 4, 5)])
def test_mirror_is_periodic_and_keeps_fractions(shape) -> None:
    rng = np.random.default_rng(1)
    image = PhaseImage(rng.integers(0, 2, shape, dtype=np.uint8), ("a", "b"), None, "a", True)
    closed = mirror(image)
    assert closed.shape == tuple(2 * n for n in shape)
    for either in (closed, stitch(image, 2) if min(shape) > 3 else closed):
        assert either.matrix == "a"
        assert either.slender
    np.testing.assert_allclose(closed.volume_fractions, image.volume_fractions)
    for axis in range(len(shape)):
        np.testing.assert_array_equal(closed.phases.take(0, axis), closed.phases.take(-1, axis))


def jumps(phases, axis) -> float:
    """Neighbours that differ across the border of the cell, over those that differ inside."""
    inside = np.diff(phases.astype(int), axis=axis) != 0
    return float((phases.take(0, axis) != phases.take(-1, axis)).mean() / inside.mean())


@pytest.mark.parametrize("shape", [(96, 80), (40, 36, 32)])
def test_stitched_margins_have_no_more_interfaces_than_the_rest(shape) -> None:
    # A random field that is not periodic: the middle of a larger one.
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(size=[n + 20 for n in shape])
        middle = gaussian_filter(noise, 2.0)[(slice(10, -10),) * len(shape)]
        image = segment(middle, [0.0])
        closed = stitch(image, 10)
        assert closed.shape == tuple(n - 10 for n in shape)
        np.testing.assert_allclose(closed.volume_fractions, image.volume_fractions, atol=0.06)
        for axis in range(len(shape)):
            assert jumps(image.phases, axis) > 2.0
            assert jumps(closed.phases, axis) < 1.7
    # Nor has any layer, in the seam or not, more than the worst one of the image.
    others = tuple(range(1, len(shape)))
    before = (np.diff(image.phases.astype(int), axis=0) != 0).mean(axis=others)
    after = (closed.phases != np.roll(closed.phases, 1, 0)).mean(axis=others)
    assert after.max() < 1.3 * before.max()


@pytest.mark.parametrize("overlap", [2, 6, None])
def test_stitching_a_periodic_image_gives_its_period(overlap) -> None:
    cell = discs(0.3, 6, 0).image(40, composite=False)
    width = overlap or 5
    wider = PhaseImage(np.pad(cell.phases, (0, width), mode="wrap"), cell.names)
    np.testing.assert_array_equal(stitch(wider, width).phases, cell.phases)


def test_cut_passes_where_both_margins_agree() -> None:
    phases = np.zeros((20, 6), dtype=np.uint8)
    phases[1] = 1  # a layer in one margin, none in the other
    image = PhaseImage(phases, ("a", "b"))
    closed = stitch(image, 3).phases
    # Whichever margin wins, layers are whole and no seam crosses them.
    assert all(len(np.unique(layer)) == 1 for layer in closed)


def test_overlaps_that_do_not_fit_are_refused() -> None:
    image = PhaseImage(np.zeros((20, 10), dtype=np.uint8), ("a",))
    for overlap in (1, 6):
        with pytest.raises(ValueError, match=f"overlap is {overlap}; .* 2 … "):
            stitch(image, overlap)
    cut = discs(0.3, 4, 0).image(16)
    axes = MaterialAxes(np.array([[1.0, 0.0, 0.0, 0.0]]), np.zeros((1, 20, 10), np.uint16))
    for close in (mirror, stitch):
        with pytest.raises(ValueError, match="coarsen it afterwards"):
            close(cut)
        with pytest.raises(ValueError, match="with axes cannot be made periodic"):
            close(replace(image, axes=axes))
