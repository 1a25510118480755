"""Descriptors against analytic cases, brute force and porespy."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dmn_fem.microstructure import (
    Particles,
    PhaseImage,
    describe,
    discs,
    layers,
    lineal_path,
    normal_tensor,
    orientation_tensor,
    radial_average,
    specific_surface,
    two_point_correlation,
)
from dmn_fem.microstructure._fibres import fibres

small_images = hnp.arrays(
    np.uint8,
    st.one_of(hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6)),
    elements=st.integers(0, 1),
).map(lambda phases: PhaseImage(phases, ("a", "b")))


def one_ball(dimension: int, radius: float, seed: int, grid: int, composite: bool) -> PhaseImage:
    """A disc or sphere of a radius in voxels somewhere in its cell."""
    center = np.random.default_rng(seed).random((1, dimension))
    return Particles(center, np.array([radius / grid])).image(grid, composite)


@settings(max_examples=40, deadline=None)
@given(small_images)
def test_two_point_correlation_counts_pairs(image) -> None:
    correlation = two_point_correlation(image, "b")
    inside = image.phases == 1
    axes = tuple(range(image.dimension))
    for shift in np.ndindex(image.shape):
        pairs = (inside & np.roll(inside, [-step for step in shift], axes)).mean()
        assert correlation[shift] == pytest.approx(pairs, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(small_images)
def test_lineal_path_counts_segments(image) -> None:
    inside = image.phases == 1
    for axis in range(image.dimension):
        path = lineal_path(image, "b", axis)
        assert path.size == image.shape[axis] + 1
        assert path[0] == pytest.approx(inside.mean(), abs=1e-12)
        for z in range(1, path.size):
            # A segment of length z that begins within a voxel touches z + 1 of them.
            run = np.ones_like(inside)
            for step in range(z + 1):
                run &= np.roll(inside, -step, axis)
            assert path[z] == pytest.approx(run.mean(), abs=1e-12)


def test_laminate_has_its_correlation_and_paths() -> None:
    image = layers(3, 20, [0.3, 0.7], axis=1)
    correlation = two_point_correlation(image, "layer_1")
    np.testing.assert_allclose(correlation[:, 0, :], 0.3, atol=1e-12)
    np.testing.assert_allclose(correlation[5, :8, 3] * 20, [6, 5, 4, 3, 2, 1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(lineal_path(image, "layer_1", 0), 0.3)
    np.testing.assert_allclose(lineal_path(image, "layer_1", 1)[:7] * 20, [6, 5, 4, 3, 2, 1, 0])
    np.testing.assert_allclose(normal_tensor(image, "layer_1"), np.diag([0, 1, 0]), atol=1e-12)


def test_two_point_correlation_of_a_disc_is_the_lens_of_two() -> None:
    radius, grid = 12.0, 64
    image = one_ball(2, radius, 0, grid, composite=False)
    average = radial_average(two_point_correlation(image, "inclusion"))
    r = np.arange(25.0)
    half = np.arccos(r / (2 * radius))
    lens = 2 * radius**2 * half - r * np.sqrt(radius**2 - r**2 / 4)
    np.testing.assert_allclose(average[:25], lens / grid**2, atol=2e-3)
    assert average.size == 33


def test_radial_average_of_equal_values_and_of_distance() -> None:
    np.testing.assert_allclose(radial_average(np.full((6, 9, 8), 0.7)), np.full(4, 0.7))
    squares = [np.minimum(np.arange(n), n - np.arange(n)) ** 2 for n in (40, 50)]
    distance = np.sqrt(np.add.outer(*squares))
    np.testing.assert_allclose(radial_average(distance), np.arange(21), atol=0.25)


@pytest.mark.parametrize("composite", [False, True])
@pytest.mark.parametrize(("dimension", "radius", "error"), [(2, 15, 0.01), (3, 10, 0.012)])
def test_specific_surface_of_discs_and_spheres(dimension, radius, error, composite) -> None:
    grid = 64 if dimension == 2 else 32
    exact = (2 * math.pi * radius if dimension == 2 else 4 * math.pi * radius**2) / grid**dimension
    found = [
        specific_surface(one_ball(dimension, radius, seed, grid, composite), "inclusion")
        for seed in range(5)
    ]
    assert np.mean(found) == pytest.approx(exact, rel=error / 2)
    np.testing.assert_allclose(found, exact, rtol=error)


def test_specific_surface_errs_within_its_bounds_for_a_plane() -> None:
    for dimension in (2, 3):
        image = layers(dimension, 10, [0.5, 0.5])
        assert 0.92 < specific_surface(image, "layer_1") / 0.2 < 1.0
    # One diagonal layer: in 2D its surface has length 2 √2 n in a cell of n².
    phases = np.add.outer(np.arange(20), np.arange(20)) % 20 < 10
    diagonal = specific_surface(PhaseImage(phases.astype(np.uint8), ("a", "b")), "b")
    assert 0.94 < diagonal / (2 * math.sqrt(2) / 20) < 1.03


def test_surface_is_the_same_from_both_sides_and_the_slope_of_the_correlation() -> None:
    image = discs(0.4, 20, 0).image(256, composite=False)
    surface = specific_surface(image, "inclusion")
    assert surface == pytest.approx(specific_surface(image, "matrix"), rel=1e-12)
    correlation = two_point_correlation(image, "inclusion")
    slopes = [correlation[0, 0] - correlation[step] for step in ((0, 1), (1, 0))]
    assert np.pi * np.mean(slopes) == pytest.approx(surface, rel=0.03)


@pytest.mark.parametrize("dimension", [2, 3])
def test_normals_of_balls_point_everywhere(dimension) -> None:
    image = one_ball(dimension, 10, 1, 32, True)
    tensor = normal_tensor(image, "inclusion")
    np.testing.assert_allclose(tensor, np.eye(dimension) / dimension, atol=0.005)


@pytest.mark.parametrize("composite", [False, True])
@pytest.mark.parametrize("orientation", [(0.8, 0.15, 0.05), (1 / 3, 1 / 3, 1 / 3)])
def test_orientation_tensor_of_short_fibres(orientation, composite) -> None:
    cell = fibres(0.06, 20, 0, 10.0, orientation)
    found = orientation_tensor(cell.image(72, composite), "fibre")
    assert np.trace(found) == pytest.approx(1)
    np.testing.assert_allclose(found, cell.orientation_tensor, atol=0.02)


def test_orientation_tensor_of_a_layer_lies_in_it() -> None:
    found = orientation_tensor(layers(2, 20, [0.2, 0.8], axis=1), "layer_1")
    np.testing.assert_allclose(found, np.diag([1, 0]), atol=1e-12)


def test_translation_and_exchange_of_axes() -> None:
    image = discs(0.3, 10, 3).image(40, composite=False)
    moved = PhaseImage(np.roll(image.phases, (7, -3), (0, 1)).T.copy(), image.names, None, "matrix")
    one, other = describe(image)["inclusion"], describe(moved)["inclusion"]
    np.testing.assert_allclose(one.two_point_correlation, other.two_point_correlation, atol=1e-14)
    np.testing.assert_allclose(one.lineal_path[0], other.lineal_path[1], atol=1e-14)
    assert one.specific_surface == pytest.approx(other.specific_surface)
    np.testing.assert_allclose(one.orientation_tensor, other.orientation_tensor[::-1, ::-1])


def test_share_is_part_of_the_voxel() -> None:
    image = discs(0.3, 10, 3).image(40)
    shares = [image.share(name) for name in image.names]
    np.testing.assert_allclose(sum(shares), 1.0, atol=1e-12)
    np.testing.assert_allclose([each.mean() for each in shares], image.volume_fractions)
    larger = np.where(shares[1] > shares[0], 1, 0)
    np.testing.assert_array_equal(larger, image.phases)
    with pytest.raises(ValueError, match="no phase is 'x'; the phases are matrix, inclusion"):
        image.share("x")


def test_description_as_json_and_of_a_phase_that_is_nowhere() -> None:
    image = PhaseImage(np.zeros((4, 6), dtype=np.uint8), ("all", "none"))
    answer = json.loads(json.dumps({k: v.to_json() for k, v in describe(image).items()}))
    assert answer["none"]["orientation_tensor"] is answer["all"]["normal_tensor"] is None
    assert (answer["all"]["specific_surface"], answer["none"]["volume_fraction"]) == (0, 0)
    assert answer["all"]["lineal_path"] == [[1] * 5, [1] * 7]
    np.testing.assert_allclose(answer["none"]["two_point_correlation"], 0)


def test_phases_and_axes_that_are_none_are_refused() -> None:
    image = discs(0.3, 4, 0).image(16)
    for describe_phase in (two_point_correlation, specific_surface, normal_tensor):
        with pytest.raises(ValueError, match="no phase is 'x'"):
            describe_phase(image, "x")
    for name, axis in (("x", 0), ("matrix", 2), ("matrix", -1)):
        with pytest.raises(ValueError, match="axes are 0 … 1, phases are matrix, inclusion"):
            lineal_path(image, name, axis)


def test_two_point_correlation_agrees_with_porespy() -> None:
    metrics = pytest.importorskip("porespy.metrics")
    image = discs(0.3, 6, 0).image(64, composite=False)
    # porespy's is not periodic: of many periods, the border is a small part.
    many = np.tile(image.phases == 1, (8, 8))
    theirs = metrics.two_point_correlation(many, bins=np.arange(33) - 0.5)
    ours = radial_average(two_point_correlation(image, "inclusion"))
    np.testing.assert_allclose(theirs.probability_scaled, ours[:32], atol=0.005)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_lineal_path_agrees_with_porespy(axis) -> None:
    porespy = pytest.importorskip("porespy")
    rng = np.random.default_rng(0)
    inside = np.pad(rng.random((14, 14, 14)) < 0.7, 1)  # no chord goes round the cell
    image = PhaseImage(inside.astype(np.uint8), ("a", "b"))
    ahead = porespy.filters.distance_transform_lin(inside, axis=axis, mode="forward")
    found = porespy.metrics.lineal_path_distribution(ahead, bins=np.arange(0.5, 17.5))
    # A segment of z whole voxels begins wherever more than z voxels of the phase lie ahead.
    expected = inside.mean() * np.append(np.cumsum(found.relfreq[::-1])[::-1], 0.0)
    np.testing.assert_allclose(lineal_path(image, "b", axis), expected, atol=1e-12)
