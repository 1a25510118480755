"""Operators on the periodic grid, and the linear solve that stands on them."""

import numpy as np
import pytest

from dmn_fem.homogenization import SpectralGrid, solve_linear
from dmn_fem.notation import IN_PLANE, isotropic_stiffness

GRIDS = [(2, 8, 3), (2, 9, 3), (2, 8, 4), (3, 6, 6), (3, 5, 6)]


def random_stiffness(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    factor = rng.normal(size=(count, size, size))
    return factor @ np.swapaxes(factor, 1, 2) + 0.1 * np.eye(size)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(("dimension", "n", "size"), GRIDS)
def test_force_is_the_adjoint_of_strain(rng, dimension: int, n: int, size: int) -> None:
    grid = SpectralGrid((n,) * dimension)
    displacement, stress = rng.normal(size=grid.shape), rng.normal(size=(grid.voxels, size))
    mean = rng.normal(size=size)
    work = np.sum(stress * grid.strain(mean, displacement))
    assert work == pytest.approx(
        mean @ stress.sum(axis=0) + np.vdot(grid.force(stress), displacement), rel=1e-12
    )


@pytest.mark.parametrize(("dimension", "n", "size"), GRIDS)
def test_strain_has_the_given_mean(rng, dimension: int, n: int, size: int) -> None:
    grid = SpectralGrid((n,) * dimension)
    mean = rng.normal(size=size)
    strain = grid.strain(mean, rng.normal(size=grid.shape))
    np.testing.assert_allclose(strain.mean(axis=0), mean, atol=1e-12)
    if size == 4:
        np.testing.assert_array_equal(strain[:, 2], mean[2])


@pytest.mark.parametrize("dimension", [2, 3])
def test_strain_of_a_wave_converges_with_second_order(dimension: int) -> None:
    """u = a sin(2π k·x / n): the strain is sym(a ⊗ k) 2π / n cos(2π k·x / n)."""
    a, k = np.array([0.3, -0.7, 0.5])[:dimension], np.array([1, 2, -1])[:dimension]
    pairs = [(0, 1)] if dimension == 2 else [(0, 1), (0, 2), (1, 2)]
    errors = []
    for n in (16, 32):
        wave = np.outer(a, 2 * np.pi * k) / n
        mandel = [wave[i, i] for i in range(dimension)]
        mandel += [(wave[i, j] + wave[j, i]) / np.sqrt(2) for i, j in pairs]
        grid = SpectralGrid((n,) * dimension)
        nodes = np.indices((n,) * dimension) / n
        phase = 2 * np.pi * np.einsum("i,i...->...", k, nodes)
        displacement = np.multiply.outer(a, np.sin(phase))
        centers = phase + np.pi * k.sum() / n
        exact = np.multiply.outer(np.cos(centers).ravel(), mandel)
        errors.append(n * abs(grid.strain(np.zeros(len(mandel)), displacement) - exact).max())
    assert 3.7 < errors[0] / errors[1] < 4.3


@pytest.mark.parametrize(("dimension", "n", "size"), GRIDS)
def test_apply_is_strain_stress_and_force_in_one(rng, dimension: int, n: int, size: int) -> None:
    grid = SpectralGrid((n,) * dimension)
    displacement = rng.normal(size=grid.shape)
    tangent = random_stiffness(rng, 5, size)
    index = rng.integers(0, 5, grid.voxels)
    strain = grid.strain(np.zeros(size), displacement)
    stress = np.einsum("vab,vb->va", tangent[index], strain)
    np.testing.assert_allclose(grid.stress(tangent, index, strain), stress, rtol=0, atol=1e-10)
    force = grid.force(stress)
    np.testing.assert_allclose(
        grid.apply(tangent, index, displacement), force, rtol=0, atol=1e-13 * abs(force).max()
    )


@pytest.mark.parametrize(("dimension", "n", "size"), GRIDS)
def test_preconditioner_solves_the_reference_medium(rng, dimension: int, n: int, size: int) -> None:
    """Up to what no voxel feels: rigid translations, and hourglass modes of an even grid."""
    grid = SpectralGrid((n,) * dimension)
    reference = random_stiffness(rng, 1, size)
    displacement = rng.normal(size=grid.shape)
    force = grid.apply(reference, np.zeros(grid.voxels, dtype=np.uint8), displacement)
    found = grid.precondition(grid.green(reference[0]), force)
    zero = np.zeros(size)
    np.testing.assert_allclose(
        grid.strain(zero, found), grid.strain(zero, displacement), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(found.reshape(dimension, -1).mean(axis=1), 0, atol=1e-14)


@pytest.mark.parametrize(("dimension", "n", "size"), GRIDS)
def test_solve_finds_the_displacement_of_a_load(rng, dimension: int, n: int, size: int) -> None:
    grid = SpectralGrid((n,) * dimension)
    tangent = random_stiffness(rng, grid.voxels, size)
    index = np.arange(grid.voxels)
    displacement = rng.normal(size=grid.shape)
    load = grid.apply(tangent, index, displacement)
    green = grid.green(tangent.mean(axis=0))
    solution = solve_linear(grid, tangent, index, load, green, 1e-12)
    assert solution.error <= 1e-12
    assert 0 < solution.iterations < 1000
    zero = np.zeros(size)
    expected = grid.strain(zero, displacement)
    np.testing.assert_allclose(
        grid.strain(zero, solution.displacement), expected, rtol=0, atol=1e-8 * abs(expected).max()
    )


@pytest.mark.parametrize(("dimension", "n", "size"), [(2, 32, 3), (3, 12, 6)])
def test_single_precision_of_the_preconditioner_costs_nothing(rng, dimension, n, size) -> None:
    """A loose tolerance takes it: as many steps in double precision, of a tight one, are equal."""
    grid = SpectralGrid((n,) * dimension)
    tangent, index = random_stiffness(rng, 4, size), rng.integers(0, 4, grid.voxels)
    load = grid.force(rng.normal(size=(grid.voxels, size)))
    green = grid.green(tangent.mean(axis=0))
    loose = solve_linear(grid, tangent, index, load, green, 1e-6)
    tight = solve_linear(grid, tangent, index, load, green, 1e-12, loose.iterations)
    assert loose.error == pytest.approx(tight.error, rel=1e-3)
    difference = loose.displacement - tight.displacement
    energies = [np.vdot(u, grid.apply(tangent, index, u)) for u in (difference, tight.displacement)]
    assert energies[0] < 1e-16 * energies[1]


def test_two_dimensional_stiffnesses_with_and_without_33_agree(rng) -> None:
    grid = SpectralGrid((8, 8))
    displacement = rng.normal(size=grid.shape)
    index = rng.integers(0, 3, grid.voxels)
    tangent = random_stiffness(rng, 3, 4)
    in_plane = np.ascontiguousarray(tangent[:, IN_PLANE][:, :, IN_PLANE])
    np.testing.assert_array_equal(
        grid.apply(tangent, index, displacement), grid.apply(in_plane, index, displacement)
    )
    np.testing.assert_allclose(grid.green(tangent[0]), grid.green(in_plane[0]), rtol=1e-14)


def test_a_load_that_is_no_number_ends_at_once() -> None:
    grid = SpectralGrid((8, 8))
    stiffness = isotropic_stiffness(1.0, 0.3, 2)
    load = np.full(grid.shape, np.nan)
    index = np.zeros(grid.voxels, dtype=np.uint8)
    solution = solve_linear(grid, stiffness[None], index, load, grid.green(stiffness), 1e-6)
    assert solution.iterations == 0
    assert solution.error == np.inf


def test_no_load_no_displacement() -> None:
    grid = SpectralGrid((4, 4, 4))
    stiffness = isotropic_stiffness(1.0, 0.3)
    index = np.zeros(grid.voxels, dtype=np.uint8)
    load = np.zeros(grid.shape)
    solution = solve_linear(grid, stiffness[None], index, load, grid.green(stiffness), 1e-6)
    assert (solution.iterations, solution.error) == (0, 0.0)
    assert not solution.displacement.any()


def test_solve_gives_up_and_says_so(rng) -> None:
    grid = SpectralGrid((16, 16))
    tangent = random_stiffness(rng, grid.voxels, 3)
    index = np.arange(grid.voxels)
    load = grid.apply(tangent, index, rng.normal(size=grid.shape))
    green = grid.green(tangent.mean(axis=0))
    solution = solve_linear(grid, tangent, index, load, green, 1e-10, maximum_iterations=3)
    assert solution.iterations == 3
    assert solution.error > 1e-10


def test_what_fits_no_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="grid of 4 axes"):
        SpectralGrid((8,) * 4)
    with pytest.raises(ValueError, match="one along each axis"):
        SpectralGrid((8, 0))
    with pytest.raises(ValueError, match="6 strain components on a grid of dimension 2"):
        SpectralGrid((8, 8)).strain(np.zeros(6), np.zeros((2, 8, 8)))
    with pytest.raises(ValueError, match="there must be 6"):
        SpectralGrid((4, 4, 4)).green(np.eye(4))
