import numpy as np
import pytest

from dmn_fem.homogenization import Mixing, UnitCellLaw
from dmn_fem.laws import Code, J2Plasticity, LinearElastic, LinearHardening, VoceHardening
from dmn_fem.microstructure import CutVoxels, PhaseImage, discs, laminate
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw, material_law

J2 = J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0))
STIFF = LinearElastic(500.0, 0.19)
SOFT = LinearElastic(5.0, 0.2)


def whole_layers(dimension):
    return laminate(dimension, 8, (0.75, 0.25), names=("matrix", "inclusion"))


def cut_layers(dimension):
    """The same layers: one voxel wide and an end of half a voxel at either side."""
    layer = np.indices((8,) * dimension, dtype=np.uint8)[0]
    cut = np.flatnonzero((layer == 2) | (layer == 4))
    normal = np.tile(np.eye(dimension)[0], (cut.size, 1))
    half = CutVoxels(cut, np.ones(cut.size, dtype=np.uint8), np.full(cut.size, 0.5), normal)
    return PhaseImage((layer == 3).astype(np.uint8), ("matrix", "inclusion"), half)


def turned_by_90(image):
    """The image after a quarter turn about direction 3."""
    numbers = np.rot90(np.arange(image.phases.size).reshape(image.shape)).ravel()
    place = np.argsort(numbers)[image.cut.voxel]
    order = np.argsort(place)
    first, second = image.cut.normal.T
    cut = CutVoxels(
        place[order],
        image.cut.phase[order],
        image.cut.share[order],
        np.stack([-second, first], axis=1)[order],
    )
    return PhaseImage(np.rot90(image.phases), image.names, cut, image.matrix)


def random_path(size, steps, seed):
    return np.cumsum(0.002 * np.random.default_rng(seed).normal(0.5, 1.0, (steps, size)), axis=0)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("other", [STIFF, SOFT])
@pytest.mark.parametrize("layers", [whole_layers, cut_layers])
def test_layers_equal_the_laminate_of_two_leaves(dimension, other, layers):
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
    cell = UnitCellLaw(layers(dimension), laws, 1e-11, 1e-10, Mixing.LAMINATE)
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
    numerical = np.zeros((4, 4))
    for column, direction in enumerate(step * np.eye(4)):
        answers = np.zeros((2, 1, 4))
        for answer, sign in zip(answers, (1, -1), strict=True):
            law.integrate(end[None] + sign * direction, state, answer)
        numerical[:, column] = (answers[0] - answers[1])[0] / (2 * step)
    np.testing.assert_allclose(numerical, tangent[0], atol=1e-5 * tangent.max())
    law.integrate(end[None], state, stress)
    state.accept()
    averages, fractions = law.averages(state), law.image.volume_fractions
    for quantity, macro in (("strain", end), ("stress", stress[0])):
        mixed = sum(
            fraction * averages[f"{phase}.{quantity}"][0]
            for phase, fraction in zip(("matrix", "inclusion"), fractions, strict=True)
        )
        np.testing.assert_allclose(mixed, macro, atol=1e-10 * np.abs(macro).max())


def test_quarter_turn_of_image_and_load():
    image = discs(0.4, 4, seed=2).image(24)
    turned = turned_by_90(image)
    laws = {"matrix": J2, "inclusion": STIFF}
    stresses = []
    for cell, strain in ((image, [0.004, -0.002, 0, 0.001]), (turned, [-0.002, 0.004, 0, -0.001])):
        law, stress = UnitCellLaw(cell, laws, tolerance=1e-10), np.zeros((1, 4))
        law.integrate(np.array([strain]), law.allocate(1), stress)
        stresses.append(stress[0])
    np.testing.assert_allclose(
        stresses[1], stresses[0][[1, 0, 2, 3]] * [1, 1, 1, -1], rtol=1e-8, atol=1e-10
    )


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
