"""Effective conductivities of phase images against what is known exactly."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.homogenization import (
    Mixing,
    ScalarGrid,
    effective_conductivity,
    mori_tanaka,
    reuss,
    solve_linear,
    voigt,
)
from dmn_fem.microstructure import Particles, PhaseImage, discs, layers, spheres

GRIDS = [(8, 6), (9, 7), (6, 4, 5), (5, 3, 7)]


def conductivities(rng: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    """Random ones of any anisotropy."""
    factor = rng.normal(size=(count, dimension, dimension))
    return factor @ np.swapaxes(factor, 1, 2) + 0.1 * np.eye(dimension)


def random_image(shape: tuple[int, ...], phases: int, seed: int) -> PhaseImage:
    voxels = np.random.default_rng(seed).integers(0, phases, shape, dtype=np.uint8)
    return PhaseImage(voxels, tuple(f"phase_{p}" for p in range(phases)))


def conduct(image: PhaseImage, conductivity, tolerance=1e-10, mixing=None) -> np.ndarray:
    return effective_conductivity(image, conductivity, tolerance, mixing).conductivity


def isotropic(values, dimension: int) -> np.ndarray:
    return np.asarray(values)[:, None, None] * np.eye(dimension)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("shape", GRIDS)
def test_operators_fit_each_other(rng, shape: tuple[int, ...]) -> None:
    """Sources are the adjoint of gradients, and `apply` is gradient, flux and sources in one."""
    grid, d = ScalarGrid(shape), len(shape)
    potential, flux = rng.normal(size=grid.shape), rng.normal(size=(grid.voxels, d))
    mean = rng.normal(size=d)
    work = np.sum(flux * grid.strain(mean, potential))
    assert work == pytest.approx(
        mean @ flux.sum(axis=0) + np.vdot(grid.force(flux), potential), rel=1e-12
    )
    conductivity, index = conductivities(rng, 4, d), rng.integers(0, 4, grid.voxels)
    flux = grid.stress(conductivity, index, grid.strain(np.zeros(d), potential))
    np.testing.assert_allclose(
        grid.apply(conductivity, index, potential), grid.force(flux), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("shape", GRIDS)
def test_preconditioner_solves_the_homogeneous_medium(rng, shape: tuple[int, ...]) -> None:
    grid, d = ScalarGrid(shape), len(shape)
    conductivity, index = conductivities(rng, 1, d), np.zeros(grid.voxels, dtype=np.int32)
    load = grid.force(rng.normal(size=(grid.voxels, d)))
    solution = solve_linear(grid, conductivity, index, load, grid.green(conductivity[0]), 1e-10)
    assert solution.iterations == 1
    np.testing.assert_allclose(
        grid.apply(conductivity, index, solution.displacement), load, rtol=0, atol=1e-11
    )


def test_gradient_of_a_linear_potential() -> None:
    """Away from where it jumps back, so that components and directions are the right ones."""
    for shape in ((4, 5), (4, 5, 6)):
        grid, slope = ScalarGrid(shape), np.array([1.0, -2.0, 3.0])[: len(shape)]
        potential = np.einsum("i,i...->...", slope, np.indices(shape))[None]
        gradient = grid.strain(np.zeros(len(shape)), potential).reshape(*shape, -1)
        inside = gradient[tuple(slice(0, n - 1) for n in shape)]
        np.testing.assert_allclose(inside, np.broadcast_to(slope, inside.shape), atol=1e-13)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("grid", [6, 7])
@pytest.mark.parametrize("seed", range(4))
def test_laminates_are_exact(dimension: int, grid: int, seed: int) -> None:
    first, second = k = conductivities(np.random.default_rng(seed), 2, dimension)
    axis = seed % dimension
    f = 2 / grid
    n = np.eye(dimension)[axis]
    jump = (first - second) @ n
    normal = n @ ((1 - f) * first + f * second) @ n
    expected = f * first + (1 - f) * second - f * (1 - f) * np.outer(jump, jump) / normal
    image = layers(dimension, grid, [f, 1 - f], axis)
    np.testing.assert_allclose(conduct(image, k, 1e-13), expected, rtol=0, atol=1e-12)


@given(st.sampled_from(GRIDS), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_symmetric_and_between_the_means(shape, phases: int, seed: int) -> None:
    image = random_image(shape, phases, seed)
    k = conductivities(np.random.default_rng(seed), phases, len(shape))
    effective = conduct(image, k)
    np.testing.assert_array_equal(effective, effective.T)
    upper, lower = voigt(image.volume_fractions, k), reuss(image.volume_fractions, k)
    slack = 1e-9 * np.linalg.norm(upper)
    assert np.linalg.eigvalsh(effective).min() > 0
    assert np.linalg.eigvalsh(upper - effective).min() > -slack
    assert np.linalg.eigvalsh(effective - lower).min() > -slack


@pytest.mark.parametrize("shape", GRIDS)
def test_translation_does_not_matter(rng, shape: tuple[int, ...]) -> None:
    image, k = random_image(shape, 2, 1), conductivities(rng, 2, len(shape))
    moved = np.roll(image.phases, (3, 1, 2)[: len(shape)], tuple(range(len(shape))))
    np.testing.assert_allclose(
        conduct(PhaseImage(moved, image.names), k), conduct(image, k), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("plane", [(0, 1), (1, 2)])
def test_turning_everything_by_90_degrees_turns_the_conductivity(rng, plane) -> None:
    first, second = plane
    turn = np.eye(3)
    turn[[first, second], [first, second]] = 0
    turn[second, first], turn[first, second] = 1, -1
    image, k = random_image((5, 6, 7), 2, 1), conductivities(rng, 2, 3)
    turned = PhaseImage(np.rot90(image.phases, axes=plane).copy(), image.names)
    np.testing.assert_allclose(
        conduct(turned, turn @ k @ turn.T), turn @ conduct(image, k) @ turn.T, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("mixing", [None, Mixing.LAMINATE])
def test_phase_interchange_is_kellers(mixing) -> None:
    """Keller (1964), Mendelson (1975): K' = k1 k2 R K⁻¹ Rᵀ, on a grid without hourglasses.

    Laminates of cut voxels obey it, too.
    """
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    image = random_image((9, 7), 2, 5) if mixing is None else discs(0.4, 5, 0).image(31)
    k = np.array([1.0, 20.0])
    one = conduct(image, isotropic(k, 2), 1e-11, mixing)
    other = conduct(image, isotropic(k[::-1], 2), 1e-11, mixing)
    np.testing.assert_allclose(
        one @ turn @ other @ turn.T, k.prod() * np.eye(2), rtol=0, atol=1e-9 * k.prod()
    )


def test_duality_of_anisotropic_phases() -> None:
    """The plane's flux, turned, is a gradient: K[k] = R K[R k⁻¹ Rᵀ]⁻¹ Rᵀ (Milton 2002, 3.1)."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    image, k = random_image((9, 11), 3, 6), conductivities(np.random.default_rng(3), 3, 2)
    dual = conduct(image, turn @ np.linalg.inv(k) @ turn.T)
    np.testing.assert_allclose(
        conduct(image, k), turn @ np.linalg.inv(dual) @ turn.T, rtol=0, atol=1e-9
    )


def test_checkerboard_converges_to_the_geometric_mean() -> None:
    """Dykhne (1970); the fields are singular at the corners."""
    errors = []
    for n in (8, 16, 32, 64):
        quarter = np.indices((n, n)) < n // 2
        image = PhaseImage((quarter[0] ^ quarter[1]).astype(np.uint8), ("a", "b"))
        found = conduct(image, isotropic([1.0, 9.0], 2), 1e-8)
        np.testing.assert_allclose(found, found[0, 0] * np.eye(2), rtol=0, atol=1e-8)
        errors.append(abs(found[0, 0] / 3.0 - 1))
    assert errors[-1] < 0.02
    assert all(fine < 0.75 * coarse for coarse, fine in pairwise(errors))


@pytest.mark.parametrize("conductivity", [0.0, 0.1, 10.0, 1e4])
@pytest.mark.parametrize(("dimension", "grid", "fraction"), [(2, 64, 0.1), (3, 24, 0.05)])
def test_one_particle_is_maxwells(conductivity, dimension, grid, fraction) -> None:
    """In a square or cubic array the next term is of the order of the fraction to the power 4.

    (Rayleigh 1892.)
    """
    size = np.sqrt(fraction / np.pi) if dimension == 2 else np.cbrt(fraction / (4 / 3 * np.pi))
    image = Particles(np.full((1, dimension), 0.513), size).image(grid)
    k = isotropic([1.0, conductivity], dimension)
    expected = mori_tanaka([1 - fraction, fraction], k, dimension)
    found = conduct(image, k, 1e-6)
    change = np.linalg.norm(expected - np.eye(dimension))
    assert np.linalg.norm(found - expected) < 0.03 * change


@pytest.mark.parametrize("inclusion", [0.0, 1e-4, 1e4])
def test_high_contrast_converges(inclusion: float) -> None:
    """Composite voxels: a coarse grid and a fine one agree."""
    cell = discs(0.5, 10, 3)
    k = isotropic([1.0, inclusion], 2)
    coarse, fine = (conduct(cell.image(n), k, 1e-4) for n in (64, 128))
    assert np.linalg.norm(coarse - fine) < 0.03 * np.linalg.norm(fine)


def test_particles_in_3d_converge() -> None:
    cell = spheres(0.3, 6, 0, gap=0.2)
    k = isotropic([1.0, 100.0], 3)
    coarse, fine = (conduct(cell.image(n), k, 1e-4) for n in (20, 40))
    assert np.linalg.norm(coarse - fine) < 0.02 * np.linalg.norm(fine)


def test_columns_in_3d_are_the_plane_and_a_mean() -> None:
    image = random_image((5, 6), 2, 4)
    columns = PhaseImage(np.repeat(image.phases[:, :, None], 5, axis=2), image.names)
    k = np.array([1.0, 30.0])
    expected = np.zeros((3, 3))
    expected[:2, :2] = conduct(image, isotropic(k, 2))
    expected[2, 2] = image.volume_fractions @ k
    np.testing.assert_allclose(conduct(columns, isotropic(k, 3)), expected, rtol=0, atol=1e-9)


def test_error_is_of_the_order_of_the_tolerance_squared() -> None:
    image, k = discs(0.4, 10, 0).image(32), isotropic([1.0, 300.0], 2)
    exact = conduct(image, k, 1e-11)
    found = effective_conductivity(image, k, 1e-4)
    assert found.error <= 1e-4
    assert (found.iterations > 0).all()
    assert np.linalg.norm(found.conductivity - exact) < 1e-5 * np.linalg.norm(exact)
    assert np.linalg.eigvalsh(found.conductivity - exact).min() > -1e-12


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (np.ones((2, 3, 3)), r"phase_conductivity has shape \(2, 3, 3\); .* \(2, 2, 2\)"),
        (isotropic([1.0, np.nan], 2), "conductivity of phase inclusion is not finite"),
        (isotropic([1.0, -1.0], 2), "conductivity of phase inclusion is not positive definite"),
        (np.array([np.eye(2), [[1.0, 0.5], [0.0, 1.0]]]), "phase inclusion is not symmetric"),
        (np.zeros((2, 2, 2)), "conductivity of every phase is zero"),
    ],
)
def test_conductivities_that_are_none_are_refused(k, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        effective_conductivity(discs(0.3, 3, 0).image(8), k)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 gradient components on a grid of dimension 2"):
        ScalarGrid((4, 4)).green(np.eye(3))
    with pytest.raises(ValueError, match="tolerance is 0"):
        conduct(discs(0.3, 3, 0).image(8), isotropic([1.0, 2.0], 2), 0.0)
