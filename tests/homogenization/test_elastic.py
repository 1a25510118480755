"""Effective stiffnesses of phase images against what is known exactly."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.homogenization import (
    draw_phase_stiffness,
    hashin_shtrikman,
    homogenize,
    reuss,
    solve_linear,
    voigt,
)
from dmn_fem.microstructure import PhaseImage, discs, layers, spheres
from dmn_fem.network import jump_operator
from dmn_fem.network import laminate as laminate_stiffness
from dmn_fem.notation import (
    IN_PLANE,
    isotropic_stiffness,
    mandel_rotation,
    rotation_from_quaternion,
)


def anisotropic_stiffness(dimension: int, phases: int, seed: int) -> np.ndarray:
    """Drawn orthotropic stiffnesses, each turned: full matrices in the global axes."""
    rng = np.random.default_rng(seed)
    stiffness = draw_phase_stiffness(dimension, phases, 1, seed)[0]
    for phase in range(phases):
        if dimension == 2:
            half = rng.uniform(0, np.pi)
            quaternion = np.array([np.cos(half), 0, 0, np.sin(half)])
        else:
            quaternion = rng.normal(size=4)
        turn = mandel_rotation(rotation_from_quaternion(quaternion))
        if dimension == 2:
            turn = turn[np.ix_(IN_PLANE, IN_PLANE)]
        turned = turn @ stiffness[phase] @ turn.T
        stiffness[phase] = 0.5 * (turned + turned.T)
    return stiffness


def random_image(dimension: int, grid: int, phases: int, seed: int) -> PhaseImage:
    rng = np.random.default_rng(seed)
    voxels = rng.integers(0, phases, (grid,) * dimension, dtype=np.uint8)
    return PhaseImage(voxels, tuple(f"phase_{p}" for p in range(phases)))


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert np.linalg.norm(actual - expected) <= tolerance * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("dimension", "grid", "axis"),
    [(2, 8, 0), (2, 8, 1), (2, 9, 0), (2, 9, 1), (3, 6, 0), (3, 6, 1), (3, 6, 2), (3, 5, 2)],
)
@pytest.mark.parametrize("seed", range(4))
def test_laminates_are_exact(dimension: int, grid: int, axis: int, seed: int) -> None:
    stiffness = anisotropic_stiffness(dimension, 2, seed)
    image = layers(dimension, grid, [2 / grid, 1 - 2 / grid], axis)
    operator = jump_operator(np.eye(3)[axis], dimension)
    if dimension == 2:
        operator = operator[IN_PLANE]
    expected = laminate_stiffness(stiffness[0], stiffness[1], 2 / grid, operator)
    assert_close(homogenize(image, stiffness, 1e-13).stiffness, expected, 1e-12)


@pytest.mark.parametrize("dimension", [2, 3])
def test_laminate_of_three_phases_is_exact(dimension: int) -> None:
    stiffness = anisotropic_stiffness(dimension, 3, 5)
    operator = jump_operator(np.eye(3)[0], dimension)
    if dimension == 2:
        operator = operator[IN_PLANE]
    first = laminate_stiffness(stiffness[0], stiffness[1], 0.4, operator)
    expected = laminate_stiffness(first, stiffness[2], 0.5, operator)
    image = layers(dimension, 10, [0.2, 0.3, 0.5])
    assert_close(homogenize(image, stiffness, 1e-13).stiffness, expected, 1e-12)


def test_homogeneous_image_has_its_phase_stiffness() -> None:
    stiffness = anisotropic_stiffness(3, 2, 0)
    image = PhaseImage(np.ones((6, 6, 6), dtype=np.uint8), ("absent", "present"))
    assert_close(homogenize(image, stiffness).stiffness, stiffness[1], 1e-14)


@given(st.sampled_from([(2, 8), (2, 7), (3, 4), (3, 5)]), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_symmetric_and_between_reuss_and_voigt(shape, phases: int, seed: int) -> None:
    image = random_image(*shape, phases, seed)
    stiffness = anisotropic_stiffness(image.dimension, phases, seed)
    effective = homogenize(image, stiffness, 1e-8).stiffness
    np.testing.assert_array_equal(effective, effective.T)
    upper = voigt(image.volume_fractions, stiffness)
    lower = reuss(image.volume_fractions, stiffness)
    slack = 1e-9 * np.linalg.norm(upper)
    assert np.linalg.eigvalsh(effective).min() > 0
    assert np.linalg.eigvalsh(upper - effective).min() > -slack
    assert np.linalg.eigvalsh(effective - lower).min() > -slack


@pytest.mark.parametrize("dimension", [2, 3])
def test_translation_does_not_matter(dimension: int) -> None:
    image = random_image(dimension, 8, 2, 1)
    stiffness = anisotropic_stiffness(dimension, 2, 1)
    axes = tuple(range(dimension))
    moved = PhaseImage(np.roll(image.phases, (3, 1, 6)[:dimension], axes), image.names)
    assert_close(
        homogenize(moved, stiffness, 1e-11).stiffness,
        homogenize(image, stiffness, 1e-11).stiffness,
        1e-12,
    )


@pytest.mark.parametrize(("dimension", "plane"), [(2, (0, 1)), (3, (0, 1)), (3, (1, 2))])
def test_turning_everything_by_90_degrees_turns_the_stiffness(dimension: int, plane) -> None:
    first, second = plane
    rotation = np.eye(3)
    rotation[[first, second], [first, second]] = 0
    rotation[second, first], rotation[first, second] = 1, -1
    turn = mandel_rotation(rotation)
    if dimension == 2:
        turn = turn[np.ix_(IN_PLANE, IN_PLANE)]
    image = random_image(dimension, 7, 2, 2)
    stiffness = anisotropic_stiffness(dimension, 2, 2)
    turned = PhaseImage(np.rot90(image.phases, axes=plane).copy(), image.names)
    effective = homogenize(image, stiffness, 1e-11).stiffness
    assert_close(
        homogenize(turned, turn @ stiffness @ turn.T, 1e-11).stiffness,
        turn @ effective @ turn.T,
        1e-12,
    )


@pytest.mark.parametrize("dimension", [2, 3])
def test_phases_of_equal_shear_modulus_are_hills_case(dimension: int) -> None:
    """The bulk modulus is then known for any geometry (Hill 1963); here without hourglasses."""
    image = random_image(dimension, 9, 2, 3)
    shear, lame = 1.3, np.array([0.7, 40.0])
    bulk = lame + 2 * shear / dimension
    constraint = 2 * (dimension - 1) / dimension * shear
    fractions = image.volume_fractions
    expected = 1 / np.sum(fractions / (bulk + constraint)) - constraint
    size = 3 if dimension == 2 else 6
    stiffness = np.tile(2 * shear * np.eye(size), (2, 1, 1))
    stiffness[:, :dimension, :dimension] += lame[:, None, None]
    effective = homogenize(image, stiffness, 1e-11).stiffness
    isotropic = 2 * shear * np.eye(size)
    isotropic[:dimension, :dimension] += expected - 2 * shear / dimension
    assert_close(effective, isotropic, 1e-11)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("contrast", [0.05, 20.0])
def test_particles_lie_between_hashin_and_shtrikman(dimension: int, contrast: float) -> None:
    image = discs(0.3, 30, 0).image(64) if dimension == 2 else spheres(0.3, 20, 0).image(24)
    full = np.stack([isotropic_stiffness(1.0, 0.3), isotropic_stiffness(contrast, 0.2)])
    stiffness = full if dimension == 3 else full[:, IN_PLANE][:, :, IN_PLANE]
    bulk = stiffness[:, :dimension, :dimension].mean(axis=(1, 2))
    shear = stiffness[:, -1, -1] / 2
    lower, upper = hashin_shtrikman(image.volume_fractions, bulk, shear, dimension)
    effective = homogenize(image, stiffness).stiffness
    found = effective[:dimension, :dimension].mean()
    assert lower.bulk < found < upper.bulk
    deviator = np.trace(effective) - dimension * found
    modes = len(effective) - 1
    assert lower.shear < deviator / modes / 2 < upper.shear


def test_columns_in_3d_are_plane_strain() -> None:
    image = random_image(2, 6, 2, 4)
    columns = PhaseImage(np.repeat(image.phases[:, :, None], 6, axis=2), image.names)
    full = np.stack([isotropic_stiffness(1.0, 0.3), isotropic_stiffness(30.0, 0.1)])
    block = homogenize(columns, full, 1e-11).stiffness[:4, :4]
    with_33 = homogenize(image, full[:, :4, :4], 1e-11).stiffness
    in_plane = homogenize(image, full[:, IN_PLANE][:, :, IN_PLANE], 1e-11).stiffness
    assert_close(with_33, block, 1e-11)
    assert_close(with_33[np.ix_(IN_PLANE, IN_PLANE)], in_plane, 1e-13)


def test_error_is_of_the_order_of_the_tolerance_squared() -> None:
    image = discs(0.4, 10, 0).image(32)
    stiffness = draw_phase_stiffness(2, 2, 4, 1)
    for sample in stiffness:
        exact = homogenize(image, sample, 1e-10).stiffness
        found = homogenize(image, sample, 1e-4)
        assert found.error <= 1e-4
        assert (found.iterations > 0).all()
        assert_close(found.stiffness, exact, 1e-4)
        # An energy with approximate fields is never too small.
        excess = np.linalg.eigvalsh(found.stiffness - exact)
        assert excess.min() > -1e-12 * np.linalg.norm(exact)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:1], r"shape \(1, 3, 3\); this image needs \(2, 3, 3\) or \(2, 4, 4\)"),
        (lambda c: c * [[[1.0]], [[np.nan]]], "phase inclusion is not finite"),
        (lambda c: c + np.triu(np.ones((3, 3)), 1), "phase matrix is not symmetric"),
        (lambda c: c - 10 * np.eye(3), "phase matrix is not positive definite"),
    ],
)
def test_stiffnesses_that_are_none_are_refused(change, message: str) -> None:
    image = discs(0.3, 3, 0).image(8)
    stiffness = np.tile(isotropic_stiffness(1.0, 0.3, 2)[np.ix_(IN_PLANE, IN_PLANE)], (2, 1, 1))
    with pytest.raises(ValueError, match=message):
        homogenize(image, change(stiffness))


def test_unreached_tolerances_are_reported(monkeypatch) -> None:
    image = discs(0.5, 5, 0).image(16)
    stiffness = draw_phase_stiffness(2, 2, 1, 0)[0]
    with pytest.raises(ValueError, match="tolerance is 0"):
        homogenize(image, stiffness, 0.0)
    impatient = partial(solve_linear, maximum_iterations=3)
    monkeypatch.setattr("dmn_fem.homogenization._elastic.solve_linear", impatient)
    with pytest.raises(ValueError, match=r"did not converge: error .* after 3 iterations"):
        homogenize(image, stiffness)
