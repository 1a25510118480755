from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from dmn_fem.homogenization import Mixing, UnitCellLaw, homogenize
from dmn_fem.laws import (
    Code,
    Field,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    PhaseLaw,
    VoceHardening,
    law_function,
)
from dmn_fem.microstructure import CutVoxels, PhaseImage, discs, layers, spheres
from dmn_fem.network import Network
from dmn_fem.online import LoadPath, NetworkLaw, drive, material_law

J2 = J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0))
STIFF = LinearElastic(500.0, 0.19)
SOFT = LinearElastic(5.0, 0.2)


def whole_layers(dimension):
    return layers(dimension, 8, (0.75, 0.25), names=("matrix", "inclusion"))


def cut_layers(dimension):
    """The same layers: one voxel wide and an end of half a voxel at either side."""
    layer = np.indices((8,) * dimension, dtype=np.uint8)[0]
    cut = np.flatnonzero((layer == 2) | (layer == 4))
    normal = np.tile(np.eye(dimension)[0], (cut.size, 1))
    half = CutVoxels(cut, np.ones(cut.size, dtype=np.uint8), np.full(cut.size, 0.5), normal)
    return PhaseImage((layer == 3).astype(np.uint8), ("matrix", "inclusion"), half)


@law_function
def maxwell(parameters, strain, old, new, dt, stress, tangent):
    modulus, ratio = parameters[0], dt / parameters[1]
    for i in range(strain.size):
        new[i] = (old[i] + ratio * strain[i]) / (1.0 + ratio)
        stress[i] = modulus * (strain[i] - new[i])
        for j in range(strain.size):
            tangent[i, j] = modulus / (1.0 + ratio) if i == j else 0.0
    return 1


@law_function
def kelvin_voigt(parameters, strain, old, new, dt, stress, tangent):
    for i in range(strain.size):
        new[i] = strain[i]
        stress[i] = parameters[0] * strain[i] + parameters[1] * (strain[i] - old[i]) / dt
        for j in range(strain.size):
            tangent[i, j] = parameters[0] + parameters[1] / dt if i == j else 0.0
    return 1


@law_function
def without_tangent(parameters, strain, old, new, dt, stress, tangent):
    stress[:] = parameters[0] * strain
    tangent[:] = parameters[1]
    return 1


@dataclass(frozen=True)
class Maxwell(PhaseLaw):
    """The example of the README."""

    modulus: float
    relaxation_time: float
    function: ClassVar = maxwell

    def parameters(self, dimension):
        return np.array([self.modulus, self.relaxation_time])

    def fields(self, dimension):
        return (Field("viscous_strain", (2 * dimension,)),)


@dataclass(frozen=True)
class KelvinVoigt(PhaseLaw):
    modulus: float
    viscosity: float
    function: ClassVar = kelvin_voigt

    def parameters(self, dimension):
        return np.array([self.modulus, self.viscosity])

    def fields(self, dimension):
        return (Field("strain_before", (2 * dimension,)),)


@dataclass(frozen=True)
class WithoutTangent(PhaseLaw):
    modulus: float
    tangent: float
    function: ClassVar = without_tangent

    def parameters(self, dimension):
        return np.array([self.modulus, self.tangent])


def rearranged(image, move, turn):
    """The image with its voxels moved, as the function `move` does, and its normals turned."""
    numbers = move(np.arange(image.phases.size).reshape(image.shape)).ravel()
    place = np.argsort(numbers)[image.cut.voxel]
    order = np.argsort(place)
    cut = CutVoxels(
        place[order],
        image.cut.phase[order],
        image.cut.share[order],
        (image.cut.normal @ np.array(turn).T)[order],
    )
    return PhaseImage(move(image.phases), image.names, cut, image.matrix)


def random_path(size, steps, seed):
    return np.cumsum(0.002 * np.random.default_rng(seed).normal(0.5, 1.0, (steps, size)), axis=0)


def differences(law, state, strain, step):
    """The tangent of a cell by central differences of its stress."""
    size = law.strain_size
    numerical = np.zeros((size, size))
    for column, direction in enumerate(step * np.eye(size)):
        answers = np.zeros((2, 1, size))
        for answer, sign in zip(answers, (1, -1), strict=True):
            law.integrate(strain[None] + sign * direction, state, answer)
        numerical[:, column] = (answers[0] - answers[1])[0] / (2 * step)
    return numerical


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("other", [STIFF, SOFT])
@pytest.mark.parametrize("cell_of", [whole_layers, cut_layers])
def test_layers_equal_the_laminate_of_two_leaves(dimension, other, cell_of):
    """The same plastic laminate by Fourier transforms and by a network, along a path."""
    laws = {"matrix": J2, "inclusion": other}
    angles = np.zeros((1, 1)) if dimension == 2 else np.array([[np.pi / 2, 0.0]])
    network = Network(
        dimension,
        ("matrix", "inclusion"),
        np.array([0, 1]),
        np.array([0.75, 0.25]),
        np.ones(2),
        angles,
    )
    cell = UnitCellLaw(cell_of(dimension), laws, 1e-11, 1e-10, Mixing.LAMINATE)
    exact = NetworkLaw(network, laws, tolerance=1e-12)
    states = [law.allocate(1) for law in (cell, exact)]
    size = cell.strain_size
    for strain in random_path(size, 5, 1):
        answers = []
        for law, state in zip((cell, exact), states, strict=True):
            stress, tangent = np.zeros((1, size)), np.zeros((1, size, size))
            assert law.integrate(strain[None], state, stress, tangent).codes[0] == Code.CONVERGED
            state.accept()
            answers.append((stress, tangent))
        (stress, tangent), (expected_stress, expected_tangent) = answers
        np.testing.assert_allclose(stress, expected_stress, atol=1e-9 * np.abs(stress).max())
        np.testing.assert_allclose(tangent, expected_tangent, atol=1e-7 * np.abs(tangent).max())
    ours, theirs = cell.averages(states[0]), exact.averages(states[1])
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6, atol=1e-9)
    assert ours["matrix.equivalent_plastic_strain"][0] > 0


def test_homogeneous_cell_is_the_material():
    image = PhaseImage(np.zeros((4, 4), dtype=np.uint8), ("matrix",))
    cell, material = UnitCellLaw(image, {"matrix": J2}), material_law(J2, 2)
    states = cell.allocate(2), material.allocate(2)
    for strain in random_path(4, 6, 0).reshape(3, 2, 4):
        ours, theirs = np.zeros((2, 4)), np.zeros((2, 4))
        cell.integrate(strain, states[0], ours)
        material.integrate(strain, states[1], theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        for state in states:
            state.accept()


@pytest.mark.parametrize("other", [STIFF, SOFT])
def test_tangent_hill_and_mixture_of_a_cell_with_discs(other):
    law = UnitCellLaw(
        discs(0.3, 5, seed=1).image(32), {"matrix": J2, "inclusion": other}, 1e-12, 1e-8
    )
    state, stress, tangent = law.allocate(1), np.zeros((1, 4)), np.zeros((1, 4, 4))
    start, end = random_path(4, 2, 4)
    law.integrate(start[None], state, stress)
    state.accept()
    law.integrate(end[None], state, stress, tangent)
    np.testing.assert_allclose(tangent[0], tangent[0].T, atol=1e-6 * tangent.max())
    step = 1e-8  # so small that no voxel starts or stops yielding within it
    np.testing.assert_allclose(
        differences(law, state, end, step), tangent[0], atol=1e-5 * tangent.max()
    )
    law.integrate(end[None], state, stress)
    state.accept()
    averages, fractions = law.averages(state), law.image.volume_fractions
    for quantity, macro in (("strain", end), ("stress", stress[0])):
        mixed = sum(
            fraction * averages[f"{phase}.{quantity}"][0]
            for phase, fraction in zip(("matrix", "inclusion"), fractions, strict=True)
        )
        np.testing.assert_allclose(mixed, macro, atol=1e-10 * np.abs(macro).max())


@pytest.mark.parametrize("other", [STIFF, SOFT])
def test_quarter_turn_and_translation_of_image_and_load(other):
    """Along a plastic path with unloading, in a cell with cut voxels."""
    image = discs(0.4, 4, seed=2).image(24)
    turned = rearranged(image, np.rot90, [[0, -1], [1, 0]])
    moved = rearranged(image, lambda values: np.roll(values, (5, -3), (0, 1)), np.eye(2))
    turn = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, -1]])
    path = np.outer([1.0, 0.3, -0.5], [0.004, -0.002, 0, 0.001])
    answers = []
    for cell, change in ((image, np.eye(4)), (turned, turn), (moved, np.eye(4))):
        law = UnitCellLaw(cell, {"matrix": J2, "inclusion": other}, tolerance=1e-10)
        response = drive(law, LoadPath.strain_driven(path @ change))
        plastic = response.averages["matrix.equivalent_plastic_strain"]
        answers.append(np.column_stack([response.stress @ change.T, plastic]))
    assert (np.diff(answers[0][:, 4], prepend=0.0) > 1e-4).any()
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-7, atol=1e-9)


def test_one_failed_cell_leaves_the_others_alone():
    law = UnitCellLaw(whole_layers(2), {"matrix": J2, "inclusion": STIFF})
    state, stress, tangent = law.allocate(3), np.zeros((3, 4)), np.zeros((3, 4, 4))
    strain = np.full((3, 4), 1e-3)
    strain[1, 0] = np.nan
    status = law.integrate(strain, state, stress, tangent)
    assert status.codes.tolist() == [1, -1, 1]
    assert np.isnan(stress[1]).all()
    assert np.isnan(tangent[1]).all()
    assert not state.new[1].any()
    np.testing.assert_array_equal(stress[0], stress[2])


def test_nearly_perfect_plasticity_in_one_large_step():
    perfect = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(0.01))
    law = UnitCellLaw(discs(0.3, 5, seed=1).image(32), {"matrix": perfect, "inclusion": SOFT})
    strain, stress = np.array([[0.02, -0.02, 0.0, 0.01]]), np.zeros((1, 4))
    assert law.integrate(strain, law.allocate(1), stress).codes[0] == Code.CONVERGED


def test_a_step_that_fails_alone_is_reached_through_halves():
    perfect = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(0.01))
    law = UnitCellLaw(discs(0.5, 8, seed=1).image(64), {"matrix": perfect, "inclusion": STIFF})
    strain, stress = np.array([[0.12, -0.12, 0.0, 0.0]]), np.zeros((1, 4))
    state = law.allocate(1)
    assert law.integrate(strain, state, stress).codes[0] == Code.FAILED
    assert np.isnan(stress).all()
    assert not state.new.any()
    response = drive(law, LoadPath.strain_driven(strain))
    assert list(response.status) == [Code.CONVERGED]
    fields = law.local_fields(response.state)
    np.testing.assert_allclose(fields.weight @ fields.strain, strain[0], atol=1e-13)
    limit = 0.1 + 0.01 * fields.internal["equivalent_plastic_strain"]
    matrix = fields.phase == 0
    assert (fields.equivalent_stress[matrix] <= limit[matrix] * (1 + 1e-9)).all()


@pytest.mark.parametrize("other", [STIFF, SOFT])
def test_uniaxial_and_plane_stress_of_a_cell(other):
    law = UnitCellLaw(discs(0.4, 4, seed=2).image(24), {"matrix": J2, "inclusion": other})
    nan = np.nan
    strain = np.array([[0.002, nan, nan, nan], [0.006, nan, nan, nan], [nan] * 4])
    stress = np.array([[nan, 0.0, 0.0, 0.0], [nan, 0.0, 0.0, 0.0], [0.0] * 4])
    told = []
    response = drive(law, LoadPath(np.array([1.0, 2, 3]), strain, stress), progress=told.append)
    assert told == [1, 2, 3]
    assert list(response.status) == [Code.CONVERGED] * 3
    largest = np.abs(response.stress).max()
    np.testing.assert_allclose(response.stress[:, 1:], 0.0, atol=1.001e-8 * largest)
    np.testing.assert_allclose(response.stress[2], 0.0, atol=1.001e-8 * largest)
    assert response.stress[0, 0] > 0.02
    assert response.strain[2, 0] > 1e-3  # what is left
    fields = law.local_fields(response.state)
    np.testing.assert_allclose(fields.weight @ fields.strain, response.strain[2], atol=1e-14)
    assert np.abs(fields.stress).max() > 0.01  # residual stresses


@pytest.mark.parametrize("other", [STIFF, SOFT])
def test_tangent_of_a_cell_with_spheres(other):
    image = spheres(0.3, 4, seed=0).image(16)
    laws = {"matrix": J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)), "inclusion": other}
    law = UnitCellLaw(image, laws, tolerance=1e-11, tangent_tolerance=1e-8)
    strain = np.array([0.003, -0.001, 0.0005, 0.002, -0.001, 0.0015])
    state, stress, tangent = law.allocate(1), np.zeros((1, 6)), np.zeros((1, 6, 6))
    assert law.integrate(strain[None], state, stress, tangent).codes[0] == Code.CONVERGED
    np.testing.assert_allclose(
        differences(law, state, strain, 1e-8), tangent[0], atol=1e-5 * tangent.max()
    )


def test_viscous_phases_of_one_relaxation_time_relax_together():
    """All fields shrink alike: each backward Euler step divides by 1 + dt / τ."""
    image = discs(0.4, 4, seed=2).image(24)
    laws = {"matrix": Maxwell(10.0, 2.0), "inclusion": Maxwell(200.0, 2.0)}
    law = UnitCellLaw(image, laws, tolerance=1e-9, tangent_tolerance=1e-8)
    moduli = np.array([10.0, 200.0])[:, None, None]
    elastic = homogenize(image, moduli * np.eye(4), 1e-10).stiffness
    strain, factor = np.array([0.01, -0.002, 0.003, 0.004]), 1.0
    state, stress, tangent = law.allocate(1), np.zeros((1, 4)), np.zeros((1, 4, 4))
    for dt in (0.0, 0.1, 1.0, 3.0):
        assert law.integrate(strain[None], state, stress, tangent, dt).codes[0] == Code.CONVERGED
        state.accept()
        factor /= 1.0 + dt / 2.0
        np.testing.assert_allclose(stress[0], factor * elastic @ strain, rtol=1e-7)
        expected = elastic / (1.0 + dt / 2.0)
        np.testing.assert_allclose(tangent[0], expected, atol=1e-7 * tangent.max())
        fields = law.local_fields(state)
        np.testing.assert_allclose(fields.weight @ fields.stress, stress[0], rtol=1e-7)


def test_points_of_a_batch_do_not_know_each_other():
    law = UnitCellLaw(discs(0.4, 4, seed=2).image(16), {"matrix": J2, "inclusion": STIFF})
    both, path = law.allocate(2), random_path(4, 6, 3).reshape(3, 2, 4)
    alone = [law.allocate(1), law.allocate(1)]
    for strain in path:
        stress, tangent = np.zeros((2, 4)), np.zeros((2, 4, 4))
        assert law.integrate(strain, both, stress, tangent).failed == 0
        both.accept()
        for point, state in enumerate(alone):
            own, own_tangent = np.zeros((1, 4)), np.zeros((1, 4, 4))
            law.integrate(strain[point : point + 1], state, own, own_tangent)
            state.accept()
            np.testing.assert_array_equal(own[0], stress[point])
            np.testing.assert_array_equal(own_tangent[0], tangent[point])
            np.testing.assert_array_equal(state.old[0], both.old[point])
            ours, theirs = law.local_fields(both, point), law.local_fields(state)
            np.testing.assert_array_equal(ours.stress, theirs.stress)


def test_a_state_goes_on_after_export_and_load():
    image, laws = discs(0.4, 4, seed=2).image(16), {"matrix": J2, "inclusion": STIFF}
    law, path = UnitCellLaw(image, laws), random_path(4, 4, 5)
    state, stress = law.allocate(1), np.zeros((1, 4))
    for strain in path[:2]:
        law.integrate(strain[None], state, stress)
        state.accept()
    exported = state.export()
    assert exported["strain_jump"].any()
    again, other = UnitCellLaw(image, laws), np.zeros((1, 4))
    loaded = again.allocate(1)
    loaded.load(exported)
    for strain in path[2:]:
        law.integrate(strain[None], state, stress)
        again.integrate(strain[None], loaded, other)
        state.accept()
        loaded.accept()
        np.testing.assert_array_equal(other, stress)
    np.testing.assert_array_equal(again.local_fields(loaded).stress, law.local_fields(state).stress)


def test_a_law_that_has_no_stiffness_without_a_time_step():
    """A viscous dashpot beside a spring: laminates in cut voxels, and the answer of springs."""
    image, dt = discs(0.4, 4, seed=2).image(24), 0.5
    laws = {"matrix": KelvinVoigt(10.0, 2.0), "inclusion": KelvinVoigt(200.0, 5.0)}
    law, strain = UnitCellLaw(image, laws, tolerance=1e-9), np.array([[0.01, -0.002, 0.003, 0.004]])
    stress = np.zeros((1, 4))
    assert law.integrate(strain, law.allocate(1), stress, dt=dt).codes[0] == Code.CONVERGED
    moduli = np.array([10.0 + 2.0 / dt, 200.0 + 5.0 / dt])[:, None, None]
    elastic = homogenize(image, moduli * np.eye(4), 1e-10, Mixing.LAMINATE).stiffness
    np.testing.assert_allclose(stress[0], elastic @ strain[0], rtol=1e-7)


def test_a_cell_that_flows_everywhere_without_resistance():
    perfect = J2Plasticity(100.0, 0.3, 0.1)
    image = PhaseImage(np.zeros((4, 4), dtype=np.uint8), ("matrix",))
    cell, material = UnitCellLaw(image, {"matrix": perfect}), material_law(perfect, 2)
    path = np.array([[0.01, -0.01, 0, 0], [0.02, -0.02, 0, 0], [0.02, -0.02, 0, 0.03]])
    ours, theirs = (drive(law, LoadPath.strain_driven(path)) for law in (cell, material))
    assert not ours.failed
    np.testing.assert_allclose(ours.stress, theirs.stress, rtol=1e-12, atol=1e-15)


def test_arrays_of_another_size_than_the_state_are_refused():
    law = UnitCellLaw(whole_layers(2), {"matrix": STIFF, "inclusion": SOFT})
    with pytest.raises(ValueError, match=r"strain has shape \(1, 4\); this law and state need"):
        law.integrate(np.zeros((1, 4)), law.allocate(2), np.zeros((1, 4)))


@pytest.mark.parametrize(("modulus", "tangent"), [(1.0, np.nan), (0.0, 0.0), (1.0, -1.0)])
def test_a_tangent_that_is_none_fails_the_point(modulus, tangent):
    image = discs(0.4, 4, seed=2).image(8, composite=False)
    laws = {"matrix": WithoutTangent(modulus, tangent), "inclusion": WithoutTangent(modulus, 0.0)}
    law, stress = UnitCellLaw(image, laws), np.zeros((1, 4))
    status = law.integrate(np.full((1, 4), 0.001), law.allocate(1), stress)
    assert status.codes[0] == Code.FAILED
    assert np.isnan(stress).all()
