import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.laws import (
    Code,
    J2Plasticity,
    LinearElastic,
    OrthotropicElastic,
    VoceHardening,
    initial_stiffness,
)
from dmn_fem.network import Network, jump_operator, laminate
from dmn_fem.online import NetworkLaw

J2 = J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0))
STIFF = LinearElastic(2000.0, 0.2)
SOFT = LinearElastic(2.0, 0.2)
PHASES = ("matrix", "inclusion")


def random_network(dimension, leaves, seed, phases=PHASES):
    rng = np.random.default_rng(seed)
    return Network.random(dimension, phases, rng.dirichlet(np.full(len(phases), 3.0)), leaves, rng)


def with_turned_leaves(network):
    quaternions = np.random.default_rng(7).normal(size=(network.leaves, 4))
    quaternions[:, 1:3] *= network.dimension - 2
    lengths = np.linalg.norm(quaternions, axis=1, keepdims=True)
    return replace(network, leaf_orientation=quaternions / lengths)


def random_path(dimension, steps, seed, size=0.002):
    """A random walk with a bias: loading, unloading and changes of direction."""
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=2 * dimension) + rng.normal(size=(steps, 2 * dimension))
    return np.cumsum(size * walk, axis=0)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("leaves", [1, 2, 13, 128])
def test_elastic_answer_equals_numpy(dimension, leaves):
    phases = PHASES[:1] if leaves == 1 else ("matrix", "inclusion", "fibre")[: min(leaves, 3)]
    network = random_network(dimension, leaves, leaves, phases)
    fibre = OrthotropicElastic((900.0, 50.0, 30.0), (0.2, 0.3, 0.1), (10.0, 20.0, 4.0))
    laws = dict(zip(phases, [J2, STIFF, fibre], strict=False))
    law = NetworkLaw(network, laws)
    size = law.strain_size
    strain = 1e-6 * np.eye(size)
    stress, tangent = np.zeros((size, size)), np.zeros((size, size, size))
    status = law.integrate(strain, law.allocate(size), stress, tangent)
    assert (status.codes == Code.CONVERGED).all()
    expected = network.stiffness([initial_stiffness(laws[name], dimension) for name in phases])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        tangent, np.broadcast_to(expected, tangent.shape), atol=1e-12 * scale
    )
    np.testing.assert_allclose(stress / 1e-6, expected, atol=1e-11 * scale)


@pytest.mark.parametrize("dimension", [2, 3])
def test_elastic_increments_need_no_iteration(dimension):
    """Loading below yield, and unloading from a plastic state: the start is the solution."""
    inclusion = LinearElastic(110.0, 0.3)  # so alike that all leaves unload together
    law = NetworkLaw(random_network(dimension, 64, 3), {"matrix": J2, "inclusion": inclusion})
    state, stress = law.allocate(1), np.zeros((1, law.strain_size))
    direction = np.zeros((1, law.strain_size))
    direction[0, :2] = [-0.5, 1.0]
    for amplitude, elastic in ((1e-4, True), (0.01, False), (0.0099, True)):
        status = law.integrate(amplitude * direction, state, stress)
        assert (status.iterations[0] == 0) == elastic
        state.accept()


def test_laminate_of_two_leaves_is_exact():
    network = Network(
        3, PHASES, np.array([0, 1]), np.array([0.6, 0.4]), np.ones(2), np.array([[0.7, 1.9]])
    )
    operator = jump_operator(network.normals[0], 3)
    laws = {"matrix": SOFT, "inclusion": STIFF}
    expected = laminate(*(initial_stiffness(laws[phase], 3) for phase in PHASES), 0.6, operator)
    law = NetworkLaw(network, laws)
    tangent = np.zeros((1, 6, 6))
    law.integrate(np.zeros((1, 6)), law.allocate(1), np.zeros((1, 6)), tangent)
    np.testing.assert_allclose(tangent[0], expected, rtol=1e-12, atol=1e-12 * expected.max())


def test_oriented_leaves_equal_numpy_and_rotate_with_the_network():
    network = with_turned_leaves(random_network(3, 16, 2))
    fibre = OrthotropicElastic((90.0, 5.0, 3.0), (0.2, 0.3, 0.1), (1.0, 2.0, 4.0))
    law = NetworkLaw(network, {"matrix": STIFF, "inclusion": fibre})
    tangent = np.zeros((1, 6, 6))
    law.integrate(np.zeros((1, 6)), law.allocate(1), np.zeros((1, 6)), tangent)
    expected = network.stiffness([initial_stiffness(STIFF, 3), initial_stiffness(fibre, 3)])
    np.testing.assert_allclose(tangent[0], expected, atol=1e-12 * expected.max())


def test_averages_satisfy_hill_and_the_rule_of_mixtures():
    network = random_network(3, 64, 8)
    law = NetworkLaw(network, {"matrix": J2, "inclusion": STIFF}, 1e-11)
    state, stress = law.allocate(1), np.zeros((1, 6))
    for strain in random_path(3, 5, 1):
        law.integrate(strain[None], state, stress)
        state.accept()
    averages = law.averages(state)
    for quantity, macro in (("strain", strain), ("stress", stress[0])):
        mixed = sum(
            fraction * averages[f"{phase}.{quantity}"][0]
            for phase, fraction in zip(network.phases, network.phase_fraction, strict=True)
        )
        np.testing.assert_allclose(mixed, macro, atol=1e-10 * np.abs(macro).max())
    assert averages["matrix.equivalent_plastic_strain"][0] > 0


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("oriented", [False, True])
def test_stress_and_state_do_not_depend_on_who_wants_a_tangent(dimension, oriented):
    """To the last bit, from the first elastic increments on to unloading."""
    network = random_network(dimension, 32, 7)
    if oriented:
        network = with_turned_leaves(network)
    law = NetworkLaw(network, {"matrix": J2, "inclusion": STIFF})
    size = law.strain_size
    states = law.allocate(19), law.allocate(19)
    stresses, tangent = np.zeros((2, 19, size)), np.zeros((19, size, size))
    direction = np.random.default_rng(3).normal(size=(19, size))
    counts = []
    for amplitude in (1e-5, 2e-3, 5e-3, 4.99e-3, -1e-3):
        one = law.integrate(amplitude * direction, states[0], stresses[0])
        other = law.integrate(amplitude * direction, states[1], stresses[1], tangent)
        np.testing.assert_array_equal(one.iterations, other.iterations)
        np.testing.assert_array_equal(stresses[0], stresses[1])
        np.testing.assert_array_equal(states[0].new, states[1].new)
        counts.append(one.iterations.max())
        for state in states:
            state.accept()
    assert counts[0] == 0
    assert max(counts) > 3


def test_elastic_increments_equal_full_solves():
    """What the predictor finds at once is what Newton's method finds from another start."""
    network = random_network(3, 32, 3)
    stiff = LinearElastic(110.0, 0.3)
    law = NetworkLaw(network, {"matrix": J2, "inclusion": stiff}, 1e-13)
    blind = NetworkLaw(network, {"matrix": J2, "inclusion": stiff}, 1e-13)
    blind._predictor[:] = 0.0
    direction = np.array([[-0.5, 1.0, -0.4, 0.2, 0.3, 0.1]])
    states, stresses, tangents = [], np.zeros((2, 1, 6)), np.zeros((2, 1, 6, 6))
    for each in (law, blind):
        state = each.allocate(1)
        each.integrate(0.01 * direction, state, stresses[0])
        state.accept()
        states.append(state)
    states[1].load(states[0].export())
    found = law.integrate(0.0099 * direction, states[0], stresses[0], tangents[0])
    wanted = blind.integrate(0.0099 * direction, states[1], stresses[1], tangents[1])
    assert found.iterations[0] == 0
    assert wanted.iterations[0] > 0
    np.testing.assert_allclose(stresses[0], stresses[1], atol=1e-12 * np.abs(stresses[1]).max())
    np.testing.assert_allclose(tangents[0], tangents[1], atol=1e-12 * tangents[1].max())
    np.testing.assert_allclose(states[0].new, states[1].new, atol=1e-15)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("oriented", [False, True])
def test_leaves_of_a_state_give_its_averages_maxima_and_stress(dimension, oriented):
    """All along the global axes, however the leaves are turned."""
    points, network = 11, random_network(dimension, 32, 8)
    if oriented:
        network = with_turned_leaves(network)
    law = NetworkLaw(network, {"matrix": J2, "inclusion": STIFF}, 1e-11)
    state, stress = law.allocate(points), np.zeros((points, law.strain_size))
    for strain in np.stack([random_path(dimension, 4, seed) for seed in range(points)], axis=1):
        law.integrate(np.ascontiguousarray(strain), state, stress)
        state.accept()
    tree, leaves = law.networks[0].tree(), law.leaves(state)
    averages, maxima = law.averages(state), law.maxima(state)
    assert set(leaves) == set(averages) == set(maxima)
    assert "matrix.plastic_strain" in leaves
    assert "inclusion.plastic_strain" not in leaves
    total = {"strain": 0.0, "stress": 0.0}
    for name, values in leaves.items():
        phase, quantity = name.split(".")
        weight = tree.leaf_weight[tree.leaf_phase == PHASES.index(phase)]
        assert values.shape[:2] == (points, weight.size)
        mean = np.einsum("m,pm...->p...", weight, values)
        np.testing.assert_allclose(averages[name], mean / weight.sum(), rtol=1e-13, atol=1e-15)
        sizes = values if values.ndim == 2 else np.linalg.norm(values, axis=-1)
        np.testing.assert_array_equal(maxima[name], sizes.max(axis=1))
        if quantity in total:
            total[quantity] = total[quantity] + mean
    np.testing.assert_allclose(total["strain"], strain, atol=1e-14)
    np.testing.assert_allclose(total["stress"], stress, atol=1e-10 * np.abs(stress).max())
    for strain_of, p, leaf_stress in zip(
        leaves["matrix.strain"][3], leaves["matrix.plastic_strain"][3], leaves["matrix.stress"][3],
        strict=True,
    ):  # fmt: skip
        stiffness = initial_stiffness(J2, dimension)
        np.testing.assert_allclose(stiffness @ (strain_of - p), leaf_stress, atol=1e-12)
    some = law.leaves(state, np.array([9, 3]))
    for name, values in leaves.items():
        np.testing.assert_array_equal(some[name], values[[9, 3]])


def test_a_state_of_128_leaves_takes_little_memory():
    """Macroscopic strain, jumps, and six numbers a plastic leaf; nothing of elastic leaves."""
    network = random_network(3, 128, 0)
    law = NetworkLaw(network, {"matrix": J2, "inclusion": STIFF})
    assert np.bincount(network.leaf_phase).tolist() == [64, 64]
    state = law.allocate(8)
    assert state.old.nbytes == 8 * 8 * (6 + 127 * 3 + 64 * 6)
    assert state.old.nbytes <= 8 * 6200


def test_new_state_is_a_function_of_the_old_one_alone():
    law = NetworkLaw(random_network(3, 32, 4), {"matrix": J2, "inclusion": STIFF})
    first, second = law.allocate(1), law.allocate(1)
    start, end = random_path(3, 2, 9)
    a, b = np.zeros((1, 6)), np.zeros((1, 6))
    for state in (first, second):
        law.integrate(start[None], state, a)
        state.accept()
    law.integrate(-5 * end[None], first, a)  # an excursion that is not accepted
    law.integrate(end[None], first, a)
    law.integrate(end[None], second, b)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(first.new, second.new)
    first.revert()
    np.testing.assert_array_equal(first.new, first.old)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("size", [0.002, 0.05])
def test_line_search_makes_every_step_converge(dimension, size):
    """Perfect plasticity with soft inclusions: without line search most of these points fail."""
    failures = 0
    for seed in range(10):
        law = NetworkLaw(
            random_network(dimension, 64, seed),
            {"matrix": J2Plasticity(100.0, 0.3, 0.1), "inclusion": SOFT},
        )
        strain = random_path(dimension, 1, seed, size)
        failures += law.integrate(strain, law.allocate(1), np.zeros_like(strain)).failed
    assert failures == 0


def test_importing_the_package_imports_none_of_the_heavy_ones():
    code = (
        "import sys, dmn_fem, dmn_fem.online, dmn_fem.database, dmn_fem.laws;"
        "print(sorted({'torch', 'dolfinx', 'petsc4py', 'mpi4py', 'h5py'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_arrays_of_other_sizes_are_refused():
    law = NetworkLaw(
        random_network(3, 4, 0),
        {"matrix": LinearElastic(1.0, 0.3), "inclusion": LinearElastic(2.0, 0.3)},
    )
    state, right = law.allocate(4), np.zeros((4, 6))
    for wrong in ((4, 4), (9, 6)):
        with pytest.raises(
            ValueError, match=r"strain has shape .*; this law and state need \(4, 6\)"
        ):
            law.integrate(np.zeros(wrong), state, right)
        with pytest.raises(ValueError, match="stress has shape"):
            law.integrate(right, state, np.zeros(wrong))
    with pytest.raises(ValueError, match="tangent has shape"):
        law.integrate(right, state, right.copy(), np.zeros((4, 6, 4)))
