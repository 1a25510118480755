"""Voxels cut by an interface: what their rules promise, and what they are for."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.homogenization import (
    Mixing,
    draw_phase_stiffness,
    effective_conductivity,
    homogenize,
    reuss,
    voigt,
)
from dmn_fem.homogenization._mixing import jumps, mixture, parts, straight_axis, voxel_stiffness
from dmn_fem.microstructure import CutVoxels, PhaseImage, discs, extrude, fibres, spheres
from dmn_fem.network import jump_operator
from dmn_fem.network import laminate as laminate_stiffness
from dmn_fem.notation import IN_PLANE, isotropic_stiffness


def drawn(dimension, seed):
    return draw_phase_stiffness(dimension, 2, 1, seed)[0]


def one_voxel(share, normal):
    """A voxel that two phases share, as an image."""
    normal = np.atleast_2d(normal)
    cut = CutVoxels(np.zeros(1, int), np.ones(1, np.uint8), np.array([share]), normal)
    return PhaseImage(np.zeros((1,) * normal.shape[1], np.uint8), ("matrix", "inclusion"), cut)


def unit_normal(dimension, seed):
    normal = np.random.default_rng(seed).normal(size=dimension)
    return normal / np.linalg.norm(normal)


@pytest.mark.parametrize("dimension", [2, 3])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.99))
def test_the_more_jumps_are_free_the_softer(dimension, seed, share):
    stiffness = drawn(dimension, seed)
    image = one_voxel(share, unit_normal(dimension, seed))
    found = [voxel_stiffness(image, stiffness, rule)[0][2] for rule in Mixing]
    for stiff, soft in itertools.pairwise(found):
        assert np.linalg.eigvalsh(stiff - soft).min() > -1e-10 * np.linalg.norm(stiff)
    fractions = [1 - share, share]
    np.testing.assert_allclose(found[0], voigt(fractions, stiffness), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found[2], reuss(fractions, stiffness), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("size", [3, 4, 6])
def test_laminate_voxels_are_laminates(size):
    dimension = 3 if size == 6 else 2
    normal = unit_normal(dimension, 3)
    stiffness = np.stack([isotropic_stiffness(1.0, 0.3, dimension)] * 2)
    stiffness[1] *= 7.0
    operator = jump_operator(normal, dimension)
    if size == 3:
        plane = np.ix_([0, 1], IN_PLANE, IN_PLANE)
        stiffness, operator = stiffness[plane], operator[IN_PLANE]
    found = voxel_stiffness(one_voxel(0.3, normal), stiffness, Mixing.LAMINATE)[0][2]
    np.testing.assert_allclose(
        found, laminate_stiffness(stiffness[0], stiffness[1], 0.7, operator), rtol=1e-12
    )


def test_conductivity_mixes_by_the_same_rules():
    """Layers conduct in series across, in parallel along."""
    image = one_voxel(0.25, [1.0, 0.0, 0.0])
    conductivity = np.stack([np.eye(3), 4 * np.eye(3)])
    across, along = 1 / (0.75 + 0.25 / 4), 0.75 + 0.25 * 4
    expected = {
        Mixing.VOIGT: [along, along, along],
        Mixing.LAMINATE: [across, along, along],
        Mixing.REUSS: [across, across, across],
    }
    for rule, diagonal in expected.items():
        found = voxel_stiffness(image, conductivity, rule)[0][2]
        np.testing.assert_allclose(found, np.diag(diagonal), rtol=1e-12, atol=1e-14)


def test_the_jump_of_strain_33_is_never_free_in_the_plane():
    for rule in Mixing:
        assert not jumps(rule, np.array([[0.6, 0.8]]), 4)[:, 2].any()


def test_straight_fibres_carry_their_share_of_an_axial_load():
    """Even where cut voxels are Reuss ones in the plane, and the plane is that of discs."""
    plane = discs(0.4, 5, 1, 0.15).image(32)
    image, block = extrude(plane), np.ix_([0, 1], [1, 2, 5], [1, 2, 5])
    for modulus in (5.0, 1000.0):
        phases = np.stack([isotropic_stiffness(1.0, 0.3), isotropic_stiffness(modulus, 0.3)])
        found = homogenize(image, phases, 1e-6).stiffness
        axial_modulus = 1 / np.linalg.inv(found)[0, 0]
        assert axial_modulus == pytest.approx(0.6 + 0.4 * modulus, rel=1e-6)
        # Which part of a voxel is Reuss goes by all moduli here, and by those in the plane there.
        in_plane = homogenize(plane, phases[block], 1e-6).stiffness
        np.testing.assert_allclose(
            found[np.ix_([1, 2, 5], [1, 2, 5])], in_plane, rtol=1e-3, atol=1e-4
        )


def test_images_of_one_voxel_are_not_straight():
    assert straight_axis(extrude(discs(0.3, 2, 1).image(8))) == 0
    assert straight_axis(spheres(0.3, 2, 1).image(8)) is None
    assert straight_axis(one_voxel(0.5, [1.0, 0.0, 0.0])) is None


def test_straight_fibres_conduct_along_like_layers():
    image = extrude(discs(0.4, 5, 1, 0.15).image(32))
    for rule in Mixing:
        found = effective_conductivity(image, [np.eye(3), 50 * np.eye(3)], 1e-6, rule).conductivity
        assert found[0, 0] == pytest.approx(0.6 + 0.4 * 50, rel=1e-6)


def test_mixture_follows_the_contrast_of_an_inclusion():
    matrix = isotropic_stiffness(1.0, 0.3, 2)
    reuss_part = [
        mixture(matrix, factor * matrix, 0, 2).get(Mixing.REUSS, 0) for factor in (1.01, 5, 50, 1e4)
    ]
    assert reuss_part == sorted(reuss_part)
    assert (reuss_part[0], reuss_part[-1]) == (pytest.approx(0.027, abs=0.01), 1.0)
    voigt_part = [
        mixture(matrix, factor * matrix, 0, 2).get(Mixing.VOIGT, 0)
        for factor in (0.5, 0.05, 1e-3, 0)
    ]
    assert voigt_part == sorted(voigt_part)
    assert voigt_part[-1] == 1.0
    for stiff in (1e-3, 1.0, 1e3):
        assert mixture(matrix, stiff * matrix, None, 2) == {Mixing.LAMINATE: 1.0}
        assert mixture(matrix, stiff * matrix, 0, 2) == mixture(stiff * matrix, matrix, 1, 2)
        assert sum(mixture(matrix, stiff * matrix, 0, 2).values()) == pytest.approx(1.0)
    # In the plane alone, or with 33: one contrast.
    plane = np.ix_(IN_PLANE, IN_PLANE)
    assert mixture(matrix, 5 * matrix, 0, 2) == mixture(matrix[plane], 5 * matrix[plane], 0, 2)


def test_fibres_are_laminates_up_to_higher_contrasts():
    matrix = isotropic_stiffness(1.0, 0.3)
    for contrast in (10, 100, 1000):
        fibre, ball = (
            mixture(matrix, contrast * matrix, 0, 3, slender)[Mixing.REUSS]
            for slender in (True, False)
        )
        assert fibre < ball
    assert fibres(0.05, 20, 1, aspect_ratio=10).image(12).slender
    assert not fibres(0.05, 20, 1, aspect_ratio=2).image(12).slender
    assert not spheres(0.1, 3, 1).image(8).slender


def test_walls_of_a_bicontinuous_image_keep_some_stiffness_in_3d():
    stiffness = isotropic_stiffness(1.0, 0.3)
    parts = [
        mixture(stiffness, factor * stiffness, None, 3).get(Mixing.VOIGT, 0)
        for factor in (5, 50, 500, 0)
    ]
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0, 1)
    assert parts[2] < 0.12


def test_a_matrix_that_flows_makes_an_elastic_inclusion_the_stiff_one():
    matrix = isotropic_stiffness(1.0, 0.3, 2)
    assert mixture(matrix, matrix, 0, 2, flows=True)[Mixing.REUSS] > 0.5
    assert Mixing.VOIGT in mixture(matrix, 1e-3 * matrix, 0, 2, flows=True)
    image = discs(0.3, 3, 1).image(16)
    stiffness = np.stack([matrix, matrix])
    rules = [{part.rule for part in parts(image, stiffness, None, yields)}
             for yields in ([False, False], [True, False], [True, True])]  # fmt: skip
    assert Mixing.REUSS in rules[1]
    assert rules[0] == rules[2]


@pytest.mark.parametrize("contrast", [1e-3, 1e-2, 1e-1, 10.0, 1e2, 1e3])
def test_composite_voxels_bring_a_coarse_grid_close_to_a_fine_one(contrast):
    cell = discs(0.5, 8, seed=5)
    phases = np.stack([isotropic_stiffness(1.0, 0.3, 2), isotropic_stiffness(contrast, 0.2, 2)])
    fine = homogenize(cell.image(256), phases, 1e-3).stiffness

    def error(image):
        answer = homogenize(image, phases, 1e-3).stiffness
        return np.linalg.norm(answer - fine) / np.linalg.norm(fine)

    composite, binary = error(cell.image(64)), error(cell.image(64, composite=False))
    assert composite < 0.35 * binary
    assert composite < 0.02


def test_translation_by_voxels_changes_nothing():
    cell = discs(0.4, 4, seed=2)
    moved = replace(cell, centers=(cell.centers + np.array([5, -3]) / 24) % 1.0)
    phases = drawn(2, 8)
    one, other = (homogenize(each.image(24), phases, 1e-9).stiffness for each in (cell, moved))
    np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dimension", [2, 3])
def test_voids_and_nearly_rigid_inclusions_converge(dimension):
    cell = discs(0.3, 5, seed=1) if dimension == 2 else spheres(0.2, 4, seed=1)
    matrix = isotropic_stiffness(1.0, 0.3, dimension)
    image = cell.image(32 if dimension == 2 else 16)
    void = homogenize(image, [matrix, 0 * matrix], 1e-6)
    tiny = homogenize(image, [matrix, 1e-8 * matrix], 1e-6)
    np.testing.assert_allclose(void.stiffness, tiny.stiffness, rtol=1e-4, atol=1e-5)
    assert np.linalg.eigvalsh(void.stiffness).min() > 0.1
    rigid = [homogenize(image, [matrix, factor * matrix]).stiffness for factor in (3e3, 3e4)]
    within = np.delete(np.arange(len(matrix)), [2] if dimension == 2 else [])  # 33 is the mean's
    block = np.ix_(within, within)
    np.testing.assert_allclose(rigid[0][block], rigid[1][block], rtol=5e-3, atol=5e-3)
    assert void.iterations.max() < 600


def test_what_does_not_converge_is_said():
    """At contrast 1e9 conjugate gradients get nowhere, whatever the forces look like."""
    matrix = isotropic_stiffness(1.0, 0.3, 3)
    with pytest.raises(ValueError, match=r"did not converge: error .* after 2000 iterations"):
        homogenize(spheres(0.2, 4, seed=1).image(12), [matrix, 1e9 * matrix])


def test_a_voxel_between_two_voids_is_a_void():
    image = PhaseImage(np.array([[0, 0], [0, 1]], np.uint8), ("solid", "pore", "hole"))
    cut = CutVoxels(np.array([3]), np.array([2], np.uint8), np.array([0.5]), np.array([[1.0, 0]]))
    solid = isotropic_stiffness(1.0, 0.3, 2)
    table, index = voxel_stiffness(replace(image, cut=cut), np.stack([solid, 0 * solid, 0 * solid]))
    assert not table[index[3]].any()


def test_every_phase_void_is_refused():
    with pytest.raises(ValueError, match="one must not be"):
        homogenize(discs(0.3, 3, 1).image(8), np.zeros((2, 3, 3)))


def test_what_nothing_holds_together_has_no_stiffness():
    """Discs in a void: the relaxed energy is zero, up to rounding."""
    solid = isotropic_stiffness(1.0, 0.3, 2)[np.ix_(IN_PLANE, IN_PLANE)]
    found = homogenize(discs(0.3, 3, 1).image(24), [0 * solid, solid], 1e-8)
    np.testing.assert_allclose(found.stiffness, 0, atol=1e-9)
    assert 0 <= found.error <= 1e-8
