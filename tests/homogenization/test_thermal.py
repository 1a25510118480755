"""Effective thermal expansions of phase images against what is known exactly."""

import numpy as np
import pytest

from dmn_fem.homogenization import (
    Mixing,
    SpectralGrid,
    homogenize,
    solve_linear,
    thermoelastic,
)
from dmn_fem.homogenization._mixing import voxel_stiffness
from dmn_fem.microstructure import PhaseImage, discs, layers, spheres
from dmn_fem.network import jump_operator
from dmn_fem.notation import isotropic_stiffness, mandel_rotation

SIZE = {2: 4, 3: 6}


def stiffnesses(seed: int, phases: int, dimension: int) -> np.ndarray:
    """Random ones of any anisotropy."""
    size = SIZE[dimension]
    factor = np.random.default_rng(seed).normal(size=(phases, size, size))
    return factor @ np.swapaxes(factor, 1, 2) + 0.5 * np.eye(size)


def expansions(seed: int, phases: int, dimension: int) -> np.ndarray:
    return np.random.default_rng(seed + 1000).normal(size=(phases, SIZE[dimension]))


def random_image(shape: tuple[int, ...], phases: int, seed: int) -> PhaseImage:
    voxels = np.random.default_rng(seed).integers(0, phases, shape, dtype=np.uint8)
    return PhaseImage(voxels, tuple(f"phase_{p}" for p in range(phases)))


def cut_image(dimension: int) -> PhaseImage:
    return discs(0.4, 6, 0).image(24) if dimension == 2 else spheres(0.3, 3, 0).image(12)


def levin(stiffness: np.ndarray, expansion: np.ndarray, effective: np.ndarray) -> np.ndarray:
    """At one uniform strain two phases have one stress, with which the composite has it, too."""
    first, second = -np.einsum("pij,pj->pi", stiffness, expansion)
    strain = -np.linalg.solve(stiffness[0] - stiffness[1], first - second)
    return strain - np.linalg.solve(effective, stiffness[0] @ strain + first)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("mixing", [None, *Mixing])
def test_two_phases_are_levins(dimension: int, mixing) -> None:
    """Exact for any image and any mixture of cut voxels: their stresses are mixed consistently."""
    image = cut_image(dimension)
    stiffness, alpha = stiffnesses(3, 2, dimension), expansions(3, 2, dimension)
    found = thermoelastic(image, stiffness, alpha, 1e-10, mixing)
    expected = levin(stiffness, alpha, found.stiffness)
    np.testing.assert_allclose(found.expansion, expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(
        found.stiffness, homogenize(image, stiffness, 1e-20, mixing).stiffness, rtol=1e-12
    )


@pytest.mark.parametrize("contrast", [0.02, 50.0])
@pytest.mark.parametrize("dimension", [2, 3])
def test_error_is_of_the_order_of_the_tolerance(contrast: float, dimension: int) -> None:
    stiffness = np.stack(
        [isotropic_stiffness(1.0, 0.3, dimension), isotropic_stiffness(contrast, 0.2, dimension)]
    )
    alpha = np.array([1.0, 0.1])
    found = thermoelastic(cut_image(dimension), stiffness, alpha, 1e-4)
    both = np.multiply.outer(alpha, np.arange(SIZE[dimension]) < 3)
    expected = levin(stiffness, both, found.stiffness)
    assert np.linalg.norm(found.expansion - expected) < 1e-4 * np.linalg.norm(expected)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_laminate_of_three_phases_is_exact(dimension: int, axis: int) -> None:
    stiffness, alpha = stiffnesses(1, 3, dimension), expansions(1, 3, dimension)
    stress = -np.einsum("pij,pj->pi", stiffness, alpha)
    operator = jump_operator(np.eye(3)[axis], dimension)

    def layered(first, second, fraction: float):
        """Theory: p̄ = f1 p1 + f2 p2 - f1 f2 D H K⁻¹ Hᵀ (p1 - p2)."""
        (c1, p1), (c2, p2) = first, second
        acoustic = operator.T @ ((1 - fraction) * c1 + fraction * c2) @ operator
        coupling = fraction * (1 - fraction) * (c1 - c2) @ operator @ np.linalg.inv(acoustic)
        return (
            fraction * c1 + (1 - fraction) * c2 - coupling @ operator.T @ (c1 - c2),
            fraction * p1 + (1 - fraction) * p2 - coupling @ operator.T @ (p1 - p2),
        )

    phases = list(zip(stiffness, stress, strict=True))
    effective, clamped = layered(layered(phases[0], phases[1], 0.4), phases[2], 0.5)
    found = thermoelastic(layers(dimension, 10, [0.2, 0.3, 0.5], axis), stiffness, alpha, 1e-13)
    np.testing.assert_allclose(found.stiffness, effective, rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.thermal_stress, clamped, rtol=0, atol=1e-11)
    np.testing.assert_allclose(
        found.expansion, -np.linalg.solve(effective, clamped), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize(("shape", "dimension"), [((8, 6), 2), ((5, 4, 6), 3)])
def test_is_the_mean_stress_of_the_clamped_cell(shape, dimension: int) -> None:
    """The load cases give what a solve with the thermal load itself gives."""
    image = random_image(shape, 3, 2)
    stiffness, alpha = stiffnesses(2, 3, dimension), expansions(2, 3, dimension)
    grid = SpectralGrid(shape)
    table, index = voxel_stiffness(image, stiffness)
    stress = -np.einsum("pij,pj->pi", stiffness, alpha)[index]
    green = grid.green(stiffness.mean(axis=0))
    solution = solve_linear(grid, table, index, -grid.force(stress), green, 1e-11)
    strain = grid.strain(np.zeros(SIZE[dimension]), solution.displacement)
    clamped = (grid.stress(table, index, strain) + stress).mean(axis=0)
    found = thermoelastic(image, stiffness, alpha, 1e-11)
    np.testing.assert_allclose(found.thermal_stress, clamped, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dimension", [2, 3])
def test_one_expansion_everywhere_is_that_of_the_cell(dimension: int) -> None:
    image, stiffness = cut_image(dimension), stiffnesses(4, 2, dimension)
    alpha = expansions(4, 1, dimension)[0]
    found = thermoelastic(image, stiffness, [alpha, alpha], 1e-11)
    np.testing.assert_allclose(found.expansion, alpha, rtol=0, atol=1e-9)


def test_voids_do_not_matter_to_the_expansion() -> None:
    image, stiffness = cut_image(2), stiffnesses(5, 2, 2)
    stiffness[1] = 0.0
    alpha = expansions(5, 2, 2)
    found = thermoelastic(image, stiffness, alpha, 1e-9)
    np.testing.assert_allclose(found.expansion, alpha[0], rtol=0, atol=1e-7)


def test_turning_everything_by_90_degrees_turns_the_expansion() -> None:
    turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    mandel = mandel_rotation(turn)
    image = random_image((5, 6, 7), 2, 3)
    stiffness, alpha = stiffnesses(6, 2, 3), expansions(6, 2, 3)
    turned = PhaseImage(np.rot90(image.phases, axes=(2, 0)).copy(), image.names)
    there = thermoelastic(turned, mandel @ stiffness @ mandel.T, alpha @ mandel.T, 1e-11)
    here = thermoelastic(image, stiffness, alpha, 1e-11)
    np.testing.assert_allclose(there.expansion, mandel @ here.expansion, rtol=0, atol=1e-9)


def test_columns_in_3d_are_generalised_plane_strain() -> None:
    image = random_image((6, 5), 2, 4)
    columns = PhaseImage(np.repeat(image.phases[:, :, None], 5, axis=2), image.names)
    full = np.stack([isotropic_stiffness(1.0, 0.3), isotropic_stiffness(30.0, 0.1)])
    alpha = [1.0, 0.2]
    flat = thermoelastic(image, full[:, :4, :4], alpha, 1e-11)
    long = thermoelastic(columns, full, alpha, 1e-11)
    np.testing.assert_allclose(flat.expansion, long.expansion[:4], rtol=0, atol=1e-9)
    np.testing.assert_allclose(flat.thermal_stress, long.thermal_stress[:4], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        ([1.0], r"phase_expansion has shape \(1,\); this image needs \(2,\) or \(2, 4\)"),
        (np.ones((2, 3)), r"phase_expansion has shape \(2, 3\)"),
        ([1.0, np.inf], "expansion of phase inclusion is not finite"),
    ],
)
def test_expansions_that_are_none_are_refused(alpha, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        thermoelastic(cut_image(2), stiffnesses(0, 2, 2), alpha)


def test_in_plane_stiffnesses_are_refused() -> None:
    with pytest.raises(ValueError, match=r"along 33; .* needs \(4, 4\)"):
        thermoelastic(cut_image(2), np.tile(np.eye(3), (2, 1, 1)), [1.0, 2.0])


def test_a_cell_in_pieces_is_refused() -> None:
    solid_and_void = np.stack([isotropic_stiffness(1.0, 0.3), np.zeros((6, 6))])
    with pytest.raises(ValueError, match="do not hold the cell together"):
        thermoelastic(layers(3, 4, [0.5, 0.5]), solid_and_void, [1.0, 0.0])
