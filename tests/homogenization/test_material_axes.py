"""Images whose phases are turned voxel by voxel, against images of as many turned phases."""

from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.homogenization import (
    UnitCellLaw,
    draw_phase_stiffness,
    effective_conductivity,
    homogenize,
    thermoelastic,
)
from dmn_fem.laws import (
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    OrthotropicElastic,
    initial_stiffness,
)
from dmn_fem.microstructure import CutVoxels, MaterialAxes, discs, spheres
from dmn_fem.notation import IN_PLANE, mandel_rotation, rotation_from_quaternion


def turned_image(dimension):
    """Inclusions of two orientations in a matrix that is not turned, and the same as three phases.

    The voxels of a half of the cell have the one orientation, those of the other the other.
    """
    particles = discs(0.3, 4, seed=1) if dimension == 2 else spheres(0.2, 2, seed=1)
    image = particles.image(16 if dimension == 2 else 8)
    axis = [0.0, 0.0, 1.0] if dimension == 2 else [0.36, 0.48, 0.8]
    angles = np.array([0.0, 0.4, -1.1])
    quaternion = np.column_stack([np.cos(angles), np.outer(np.sin(angles), axis)])
    half = 1 + (np.indices(image.shape)[0] < image.shape[0] // 2).astype(np.uint16)
    number = np.stack([np.zeros_like(half), half])
    turned = replace(image, axes=MaterialAxes(quaternion, number))

    def split(phase, where):
        return np.where(phase == 1, half.ravel()[where], 0).astype(np.uint8)

    everywhere = np.arange(image.phases.size)
    phases = split(image.phases.ravel(), everywhere).reshape(image.shape)
    cut = image.cut
    cut = CutVoxels(cut.voxel, split(cut.phase, cut.voxel), cut.share, cut.normal)
    names = ("matrix", "first", "second")
    return turned, replace(image, phases=phases, names=names, cut=cut), quaternion[1:]


@pytest.mark.parametrize("dimension", [2, 3])
def test_turned_voxels_equal_turned_phases(dimension) -> None:
    image, of_three, quaternion = turned_image(dimension)
    stiffness = draw_phase_stiffness(dimension, 2, 1, 3)[0]
    turns = mandel_rotation(rotation_from_quaternion(quaternion))
    if dimension == 2:
        turns = turns[:, IN_PLANE][:, :, IN_PLANE]
    phases = [stiffness[0], *(turns @ stiffness[1] @ turns.swapaxes(1, 2))]
    expected = homogenize(of_three, phases, 1e-8).stiffness
    found = homogenize(image, stiffness, 1e-8).stiffness
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    straight = homogenize(replace(image, axes=None), stiffness, 1e-8).stiffness
    assert np.abs(straight - expected).max() > 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("dimension", [2, 3])
def test_conductivities_turn_as_well(dimension) -> None:
    image, of_three, quaternion = turned_image(dimension)
    conductivity = np.stack([np.eye(dimension), np.diag([100.0, 3.0, 1.0][:dimension])])
    turns = rotation_from_quaternion(quaternion)[:, :dimension, :dimension]
    phases = [conductivity[0], *(turns @ conductivity[1] @ turns.swapaxes(1, 2))]
    np.testing.assert_allclose(
        effective_conductivity(image, conductivity, 1e-8).conductivity,
        effective_conductivity(of_three, phases, 1e-8).conductivity,
        atol=1e-6,
    )


@pytest.mark.parametrize("dimension", [2, 3])
def test_unit_cell_turns_its_laws(dimension) -> None:
    """Stress, tangent and averages of a plastic cell with fibres along 1 or, turned, along 2."""
    image, of_three, _ = turned_image(dimension)
    quarter = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.5**0.5, 0, 0, 0.5**0.5]])
    image = replace(image, axes=MaterialAxes(quarter, image.axes.number))
    matrix = J2Plasticity(3.0, 0.35, 0.03, LinearHardening(0.1))
    along_1 = OrthotropicElastic((70.0, 9.0, 5.0), (0.3, 0.25, 0.2), (4.0, 3.0, 2.0))
    along_2 = OrthotropicElastic((9.0, 70.0, 5.0), (0.3 * 9 / 70, 0.2, 0.25), (4.0, 2.0, 3.0))
    cells = (
        UnitCellLaw(image, {"matrix": matrix, "inclusion": along_1}, 1e-9, 1e-9),
        UnitCellLaw(of_three, {"matrix": matrix, "first": along_1, "second": along_2}, 1e-9, 1e-9),
    )
    size = cells[0].strain_size
    answers = []
    for law in cells:
        state, stress, tangent = law.allocate(1), np.zeros((1, size)), np.zeros((1, size, size))
        for factor in (0.01, 0.02):
            strain = factor * np.array([[1.0, -0.2, 0.3, 0.5, 0.2, -0.1][:size]])
            assert law.integrate(strain, state, stress, tangent).failed == 0
            state.accept()
        answers.append((stress, tangent, law.averages(state)))
    (stress, tangent, ours), (expected, expected_tangent, theirs) = answers
    np.testing.assert_allclose(stress, expected, atol=1e-7 * np.abs(expected).max())
    np.testing.assert_allclose(tangent, expected_tangent, atol=1e-5 * np.abs(tangent).max())
    for name in ("matrix.stress", "matrix.equivalent_plastic_strain"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-7)
    assert ours["matrix.equivalent_plastic_strain"] > 1e-3


def test_unit_cell_turns_its_laws_as_the_full_field_does() -> None:
    """About a skew axis: a turn the other way is another tangent."""
    image, _, _ = turned_image(3)
    along_1 = OrthotropicElastic((70.0, 9.0, 5.0), (0.3, 0.25, 0.2), (4.0, 3.0, 2.0))
    laws = {"matrix": LinearElastic(3.0, 0.35), "inclusion": along_1}
    law = UnitCellLaw(image, laws, 1e-8, 1e-8)
    stress, tangent = np.zeros((1, 6)), np.zeros((1, 6, 6))
    assert law.integrate(np.zeros((1, 6)), law.allocate(1), stress, tangent).failed == 0
    stiffness = [initial_stiffness(laws[name], 3) for name in image.names]
    expected = homogenize(image, stiffness, 1e-8).stiffness
    np.testing.assert_allclose(tangent[0], expected, atol=1e-6 * np.abs(expected).max())


def test_tensors_within_a_turned_phase_are_along_the_global_axes() -> None:
    """Of isotropic phases: whether and how they are turned changes nothing."""
    turned, _, _ = turned_image(2)
    j2 = J2Plasticity(3.0, 0.35, 0.03, LinearHardening(0.1))
    answers = []
    for image in (turned, replace(turned, axes=None)):
        law = UnitCellLaw(image, {"matrix": j2, "inclusion": j2})
        state = law.allocate(1)
        assert (
            law.integrate(np.array([[0.02, 0.0, -0.01, 0.01]]), state, np.zeros((1, 4))).failed == 0
        )
        state.accept()
        local = law.local_fields(state).internal["plastic_strain"]
        answers.append((local, law.averages(state)["inclusion.plastic_strain"]))
    for found, expected in zip(*answers, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert np.abs(expected).max() > 5e-3


def test_thermal_expansion_refuses_axes() -> None:
    image, _, _ = turned_image(3)
    with pytest.raises(ValueError, match="images with axes"):
        thermoelastic(image, np.stack([np.eye(6)] * 2), np.zeros(2))
