import numpy as np
import pytest

from dmn_fem.laws import (
    GeneralisedMaxwell,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    PlaneStrain,
    PlaneStress,
    PronyTerm,
    UniaxialStress,
)
from dmn_fem.network import Network
from dmn_fem.online import LoadPath, NetworkLaw, drive, material_law

PLASTIC = J2Plasticity(
    young_modulus=100.0, poisson_ratio=0.3, yield_stress=0.1, hardening=LinearHardening(modulus=5.0)
)
STIFF = LinearElastic(young_modulus=500.0, poisson_ratio=0.19)


def network_law(dimension):
    rng = np.random.default_rng(3)
    network = Network.random(dimension, ("matrix", "inclusion"), [0.7, 0.3], 8, rng)
    return NetworkLaw(network, {"matrix": PLASTIC, "inclusion": STIFF}, tolerance=1e-12)


LAWS = {
    "plastic": lambda dimension: material_law(PLASTIC, dimension),
    "network": network_law,
}
WRAPPERS = {
    "plane stress": (PlaneStress, [2, 4, 5]),
    "bar": (UniaxialStress, [1, 2, 3, 4, 5]),
}


def walk(law, points, steps=6, size=2e-3, seed=1):
    """Random walks of strain, accepted step by step: strains, states before and after, answers."""
    rng = np.random.default_rng(seed)
    state = law.allocate(points)
    strain = np.zeros((points, law.strain_size))
    for _ in range(steps):
        strain = strain + size * rng.normal(size=strain.shape)
        stress = np.empty_like(strain)
        tangent = np.empty((*strain.shape, law.strain_size))
        status = law.integrate(strain, state, stress, tangent)
        assert (status.codes == 1).all()
        yield strain, state, stress, tangent
        state.accept()


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("kind", WRAPPERS)
def test_the_law_answers_the_completed_strain_with_the_same_stress(kind, name, dimension):
    wrapper, free = WRAPPERS[kind]
    inner = LAWS[name](dimension)
    free = [each for each in free if each < inner.strain_size]
    law = wrapper(inner)
    state, whole_stress = inner.allocate(20), np.empty((20, inner.strain_size))
    kept = [each for each in range(inner.strain_size) if each not in free]
    for strain, reduced, stress, _ in walk(law, 20):
        reduced.accept()
        whole = law.averages(reduced)["strain"]
        np.testing.assert_array_equal(whole[:, kept], strain[:, kept])
        inner.integrate(whole, state, whole_stress)
        state.accept()
        scale = np.abs(whole_stress).max()
        assert np.abs(whole_stress[:, free]).max() < 1e-6 * scale
        np.testing.assert_allclose(stress[:, kept], whole_stress[:, kept], atol=1e-9 * scale)
        assert not np.delete(stress, kept, axis=1).any()


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("kind", WRAPPERS)
def test_tangents_are_derivatives(kind, name):
    law = WRAPPERS[kind][0](LAWS[name](3), tolerance=1e-12)
    for strain, state, _, tangent in walk(law, 5):
        for component in range(law.strain_size):
            moved = []
            for sign in (1, -1):
                other, stress = strain.copy(), np.empty_like(strain)
                other[:, component] += sign * 1e-8
                law.integrate(other, state, stress)
                moved.append(stress)
            numerical = (moved[0] - moved[1]) / 2e-8
            np.testing.assert_allclose(
                numerical, tangent[:, :, component], atol=1e-6 * np.abs(tangent).max()
            )
        if kind == "plane stress":
            assert not tangent[:, 2].any()
            assert not tangent[:, :, 2].any()
        np.testing.assert_allclose(tangent, tangent.transpose(0, 2, 1), atol=1e-8)
        # The state must be that of the strain itself when it is accepted.
        law.integrate(strain, state, np.empty_like(strain))


def test_points_do_not_know_of_each_other():
    # Points that need many iterations and points that need none, alone and together.
    law = PlaneStress(network_law(3))
    *_, (strain, state, stress, _) = walk(law, 9)
    strain = strain * np.linspace(0.0, 3.0, 9)[:, None]
    tangent = np.empty((9, 4, 4))
    together = law.integrate(strain, state, stress, tangent)
    assert len(set(together.iterations)) > 1
    new = state.take(np.arange(9))
    new.put(np.arange(9), state)
    new.accept()
    for point in range(9):
        alone, one = state.take(np.array([point])), np.empty((1, 4))
        status = law.integrate(strain[[point]], alone, one)
        assert status.iterations[0] == together.iterations[point]
        np.testing.assert_allclose(one[0], stress[point], atol=1e-13)
        alone.accept()
        for name, values in alone.export().items():
            np.testing.assert_allclose(values[0], new[name][point], atol=1e-12)


def test_elastic_steps_cost_one_call_once_the_response_is_known():
    law = PlaneStress(material_law(STIFF, 3))
    strain, stress = np.array([[1e-3, 2e-3, 0.0, 5e-4]]), np.empty((1, 4))
    state, counts = law.allocate(1), []
    for factor in (1.0, 2.0, -3.0):
        counts.append(law.integrate(factor * strain, state, stress).iterations[0])
        state.accept()
    assert counts == [2, 1, 1]
    young, poisson = 500.0, 0.19
    modulus = young / (1 - poisson**2)
    expected = -3 * modulus * np.array([1e-3 + poisson * 2e-3, 2e-3 + poisson * 1e-3])
    np.testing.assert_allclose(stress[0, :2], expected, rtol=1e-9)


def test_a_bar_hardens_as_in_the_textbook():
    law = UniaxialStress(material_law(PLASTIC, 3))
    state, stress, tangent = law.allocate(1), np.empty((1, 1)), np.empty((1, 1, 1))
    law.integrate(np.array([[0.01]]), state, stress, tangent)
    modulus = 100 * 5 / 105
    assert tangent[0, 0, 0] == pytest.approx(modulus, rel=1e-8)
    assert stress[0, 0] == pytest.approx(0.1 + modulus * 0.009, rel=1e-8)
    state.accept()
    strain = law.averages(state)["strain"][0]
    assert strain[1] == pytest.approx(strain[2], abs=1e-15)


def test_very_large_first_steps_converge():
    law = PlaneStress(material_law(PLASTIC, 3))
    rng = np.random.default_rng(2)
    strain = 0.3 * rng.normal(size=(200, 4))
    state, stress = law.allocate(200), np.empty((200, 4))
    status = law.integrate(strain, state, stress)
    assert (status.codes == 1).all()


def test_plane_strain_of_a_law_in_space():
    inner = network_law(3)
    law, state, whole = PlaneStrain(inner), inner.allocate(4), np.zeros((4, 6))
    other, slope = np.empty((4, 6)), np.empty((4, 6, 6))
    for strain, _, stress, tangent in walk(law, 4):
        whole[:, :4] = strain
        inner.integrate(whole, state, other, slope)
        state.accept()
        np.testing.assert_array_equal(stress, other[:, :4])
        np.testing.assert_array_equal(tangent, slope[:, :4, :4])


def test_a_bar_relaxes_as_the_driven_point_does():
    maxwell = GeneralisedMaxwell(
        10.0, 0.3, terms=(PronyTerm(relaxation_time=1.0, shear_ratio=0.5),)
    )
    law, inner = UniaxialStress(material_law(maxwell, 3)), material_law(maxwell, 3)
    state, stress = law.allocate(1), np.empty((1, 1))
    free = np.full((5, 6), np.nan)
    held = np.where(np.arange(6) == 0, 0.01, free)
    driven = drive(inner, LoadPath(np.arange(1.0, 6.0), held, np.where(np.isnan(held), 0.0, free)))
    for expected in driven.stress[:, 0]:
        law.integrate(np.array([[0.01]]), state, stress, dt=1.0)
        state.accept()
        assert stress[0, 0] == pytest.approx(expected, rel=1e-6)
    assert expected < 0.09


class Failing:
    """A law that fails where a free strain is far out, and everywhere beyond a strain 11."""

    dimension, strain_size, external = 3, 6, ()

    def __init__(self, law, far):
        self.law, self.far = law, far

    def allocate(self, points):
        return self.law.allocate(points)

    def integrate(self, strain, state, stress, tangent=None, dt=0.0, external=None):
        status = self.law.integrate(strain, state, stress, tangent, dt, external)
        failed = (np.abs(strain[:, 2]) > self.far) | (strain[:, 0] > 0.5)
        status.codes[failed] = -1
        stress[failed] = np.nan
        tangent[failed] = np.nan
        return status


def test_failures_of_the_law_are_failures_or_shorter_steps():
    inner = material_law(PLASTIC, 3)
    strain = np.array([[0.02, 0.0, 0.0, 0.0], [0.9, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    stress, tangent = np.empty((3, 4)), np.empty((3, 4, 4))
    law = PlaneStress(Failing(inner, far=0.0200001))
    status = law.integrate(strain, law.allocate(3), stress, tangent)
    assert status.codes.tolist() == [1, -1, 1]
    assert np.isnan(stress[1]).all()
    assert np.isnan(tangent[1]).all()
    expected = np.empty((3, 4))
    PlaneStress(inner).allocate(3)
    PlaneStress(inner).integrate(strain, PlaneStress(inner).allocate(3), expected)
    np.testing.assert_allclose(stress[[0, 2]], expected[[0, 2]], atol=1e-9)


def test_a_point_without_stiffness_fails_without_raising(monkeypatch):
    inner = material_law(STIFF, 3)

    def limp(strain, state, stress, tangent=None, dt=0.0, external=None):
        status = NetworkLaw.integrate(inner, strain, state, stress, tangent)
        tangent[strain[:, 0] > 0.5] = 0.0
        return status

    monkeypatch.setattr(inner, "integrate", limp)
    law, strain = PlaneStress(inner), np.array([[0.1, 0.0, 0.0, 0.0], [0.6, 0.0, 0.0, 0.0]])
    stress = np.empty((2, 4))
    status = law.integrate(strain, law.allocate(2), stress)
    assert status.codes.tolist() == [1, -1]
    assert np.isnan(stress[1]).all()


def test_states_are_exported_and_loaded_whole():
    law = PlaneStress(network_law(3))
    *_, (strain, state, stress, _) = walk(law, 7)
    state.accept()
    fields = state.export()
    other = law.allocate(7)
    with pytest.raises(ValueError, match="state has fields"):
        other.load({name: each for name, each in fields.items() if name != "condensed.strain"})
    assert not other.law.old.any()
    other.load(fields)
    again, stresses = np.empty_like(stress), np.empty_like(stress)
    law.integrate(strain + 1e-3, state, stresses)
    law.integrate(strain + 1e-3, other, again)
    np.testing.assert_array_equal(again, stresses)
    assert set(fields) == set(state.names)
    state.revert()
    np.testing.assert_array_equal(state.law.new, state.law.old)


def test_dimensions_are_checked():
    with pytest.raises(ValueError, match="the law has dimension 2; PlaneStrain takes 3"):
        PlaneStrain(material_law(STIFF, 2))
    for wrapper in (PlaneStress, UniaxialStress):
        with pytest.raises(ValueError, match="the law has dimension 1"):
            wrapper(UniaxialStress(material_law(STIFF, 2)))


def test_a_point_that_fails_leaves_nothing_behind():
    law = PlaneStress(material_law(PLASTIC, 2), max_iterations=2)
    state = law.allocate(2)
    strain = np.array([[2e-4, 0.0, 0.0, 0.0], [2e-2, -1e-2, 0.0, 1e-2]])
    status = law.integrate(strain, state, np.empty((2, 4)))
    assert list(status.codes) == [1, -1]
    state.accept()
    for values in state.export().values():
        np.testing.assert_array_equal(values[1], 0.0)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_no_points_are_no_fault(wrapper):
    law = WRAPPERS[wrapper][0](material_law(PLASTIC, 3))
    nothing = np.zeros((0, law.strain_size))
    tangent = np.zeros((0, law.strain_size, law.strain_size))
    assert law.integrate(nothing, law.allocate(0), nothing.copy(), tangent).codes.size == 0
