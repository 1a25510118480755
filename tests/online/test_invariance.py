"""What may not change an answer, and what must change it in a known way."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_networks import (
    LAWS,
    PHASES,
    Problem,
    problems,
    random_law,
    random_network,
    random_paths,
)

from dmn_fem.laws import Code, J2Plasticity, LinearElastic, PhaseLaw, VoceHardening
from dmn_fem.laws._respond import respond_many
from dmn_fem.network import Network
from dmn_fem.notation import Array, mandel_rotation, rotation_from_quaternion
from dmn_fem.online import NetworkLaw, material_law

VOCE = J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0))
STIFF = LinearElastic(2000.0, 0.2)
TWO: dict[str, PhaseLaw] = {"matrix": VOCE, "fibre": STIFF}
SIZES = (0.0005, 0.002)
UNIQUE = sorted(set(LAWS) - {"associated", "drucker_prager"})


def law_of(problem: Problem) -> NetworkLaw:
    return NetworkLaw(problem.network, problem.laws, 1e-12, 100)


def follow(
    law: NetworkLaw,
    problem: Problem,
    points: slice | NDArray[np.integer] = slice(None),
    turn: Array | None = None,
) -> tuple[Array, Array]:
    """Stresses and tangents of some points along their paths, (increments, points, ...)."""
    strain = problem.strain[:, points] if turn is None else problem.strain[:, points] @ turn.T
    strain = np.ascontiguousarray(strain)
    steps, count, size = strain.shape
    state = law.allocate(count)
    stress, tangent = np.empty(strain.shape), np.empty((steps, count, size, size))
    for step in range(steps):
        external = problem.external(step, points)
        status = law.integrate(
            strain[step], state, stress[step], tangent[step], problem.dt, external
        )
        assert (status.codes == Code.CONVERGED).all()
        state.accept()
    return stress, tangent


def of_two(network: Network, laws: dict[str, PhaseLaw], strain: Array) -> Problem:
    return Problem(network, laws, strain, np.zeros(strain.shape[:2]), 1.0)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(problems(UNIQUE, points=13, leaves=20, sizes=SIZES), st.randoms(use_true_random=False))
def test_neither_order_nor_size_of_a_batch(problem: Problem, random) -> None:
    """Bit for bit: any order, and every point alone."""
    law, order = law_of(problem), np.arange(13)
    stress, tangent = follow(law, problem)
    random.shuffle(order)
    again, tangent_again = follow(law, problem, order)
    np.testing.assert_array_equal(again, stress[:, order])
    np.testing.assert_array_equal(tangent_again, tangent[:, order])
    for points in (1, 7, 8, 9):
        few, _ = follow(law, problem, slice(points))
        np.testing.assert_array_equal(few, stress[:, :points])


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    problems(UNIQUE, points=9, leaves=20, sizes=SIZES),
    st.integers(0, 8),
    st.sampled_from([np.nan, np.inf, -np.inf]),
    st.booleans(),
)
def test_a_broken_point_leaves_its_neighbours_as_they_are(
    problem: Problem, broken: int, value: float, in_state: bool
) -> None:
    law, others = law_of(problem), np.delete(np.arange(9), broken)
    size = law.strain_size
    states = [law.allocate(9), law.allocate(9)]
    for state in states:
        law.integrate(
            problem.strain[0], state, np.empty((9, size)), None, problem.dt, problem.external(0)
        )
        state.accept()
    strain = problem.strain[1].copy()
    if in_state:
        fields = states[1].export()
        for each in fields.values():
            each[broken] = value
        states[1].load(fields)
    else:
        strain[broken, 1] = value
    answers = []
    for state, of_points in zip(states, (problem.strain[1], strain), strict=True):
        stress, tangent = np.empty((9, size)), np.empty((9, size, size))
        before = state.export()
        status = law.integrate(of_points, state, stress, tangent, problem.dt, problem.external(1))
        answers.append((stress, tangent, status.codes, status.iterations))
    assert answers[1][2][broken] == Code.FAILED
    assert status.worst == broken
    assert np.isnan(answers[1][0][broken]).all()
    assert np.isnan(answers[1][1][broken]).all()
    for whole, rest in zip(*answers, strict=True):
        np.testing.assert_array_equal(rest[others], whole[others])
    for state in states:
        state.accept()
    whole, rest = (state.export() for state in states)
    for name, values in whole.items():
        np.testing.assert_array_equal(rest[name][others], values[others])
        np.testing.assert_array_equal(rest[name][broken], before[name][broken])


@settings(max_examples=15, deadline=None, derandomize=True)
@given(problems(UNIQUE, points=3, leaves=20, sizes=SIZES))
def test_network_and_path_turn_together(problem: Problem) -> None:
    """Laws of any symmetry; leaves need axes to turn with."""
    rng, dimension = np.random.default_rng(0), problem.network.dimension
    quaternion = rng.normal(size=4) * ([1, 0, 0, 1] if dimension == 2 else 1)
    rotation = rotation_from_quaternion(quaternion / np.linalg.norm(quaternion))
    turn = mandel_rotation(rotation)[: 2 * dimension, : 2 * dimension]
    network = problem.network
    if network.leaf_orientation is None:
        axes = np.tile([1.0, 0.0, 0.0, 0.0], (network.leaves, 1))
        network = replace(network, leaf_orientation=axes)
    as_it_is = NetworkLaw(network, problem.laws, 1e-12, 100)
    turned = NetworkLaw(network.rotated(rotation), problem.laws, 1e-12, 100)
    stress, tangent = follow(as_it_is, problem)
    found, found_tangent = follow(turned, problem, turn=turn)
    np.testing.assert_allclose(found, stress @ turn.T, rtol=0, atol=1e-9 * np.abs(stress).max())
    scale = np.abs(tangent).max()
    np.testing.assert_allclose(found_tangent, turn @ tangent @ turn.T, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("dimension", [2, 3])
def test_units_of_stress(dimension: int) -> None:
    rng = np.random.default_rng(4)
    network = random_network(dimension, 2, 21, rng)
    strain = random_paths(dimension, 3, 0.002, rng)
    answers = []
    for unit in (1.0, 1e9):
        hardening = VoceHardening(0.1 * unit, 50.0, unit)
        laws: dict[str, PhaseLaw] = {
            "matrix": J2Plasticity(100 * unit, 0.3, 0.1 * unit, hardening),
            "fibre": LinearElastic(2000 * unit, 0.2),
        }
        problem = of_two(network, laws, strain)
        answers.append(follow(law_of(problem), problem))
    for small, large in zip(*answers, strict=True):
        np.testing.assert_allclose(large, 1e9 * small, rtol=0, atol=1e-9 * np.abs(large).max())


def test_a_network_in_the_plane_is_one_in_space() -> None:
    """With the same normals and no shear out of the plane."""
    rng = np.random.default_rng(5)
    flat = random_network(2, 2, 25, rng)
    polar = np.full((24, 1), 0.5 * np.pi)
    deep = replace(flat, dimension=3, normal_angles=np.hstack([polar, flat.normal_angles]))
    strain = random_paths(2, 5, 0.002, rng)
    in_space = np.zeros((*strain.shape[:2], 6))
    in_space[:, :, :4] = strain
    problems_of_both = of_two(flat, TWO, strain), of_two(deep, TWO, in_space)
    answers = [follow(law_of(problem), problem) for problem in problems_of_both]
    (stress, tangent), (found, found_tangent) = answers
    scale = np.abs(stress).max()
    np.testing.assert_allclose(found[..., :4], stress, rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(found[..., 4:], 0, rtol=0, atol=1e-9 * scale)
    scale = np.abs(tangent).max()
    np.testing.assert_allclose(found_tangent[..., :4, :4], tangent, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", LAWS)
def test_one_leaf_is_the_law(name: str, dimension: int) -> None:
    """And a network of one law in all phases, too."""
    rng = np.random.default_rng(6)
    phase_law = random_law(name, rng)
    law = material_law(phase_law, dimension)
    alike = NetworkLaw(
        random_network(dimension, 2, 9, rng), dict.fromkeys(PHASES[:2], phase_law), 1e-12
    )
    strain, dt = random_paths(dimension, 11, 0.002, rng), 0.5
    size, width = law.strain_size, sum(f.size for f in phase_law.fields(dimension))
    old = np.zeros((11, width))
    state, of_alike = law.allocate(11), alike.allocate(11)
    stress, tangent = np.empty((11, size)), np.empty((11, size, size))
    other, other_tangent = np.empty((11, size)), np.empty((11, size, size))
    for now in strain:
        external = {each: rng.uniform(20, 200, 11) for each in phase_law.external}
        law.integrate(now, state, stress, tangent, dt, external)
        alike.integrate(now, of_alike, other, other_tangent, dt, external)
        state.accept()
        of_alike.accept()
        expected, expected_tangent, old = respond_many(phase_law, now, old, dt, external)
        for found, wanted in (
            (stress, expected), (other, expected), (tangent, expected_tangent),
            (other_tangent, expected_tangent),
        ):  # fmt: skip
            scale = np.abs(wanted).max()
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11 * scale)
        place = 0
        for field in phase_law.fields(dimension):
            wanted = field.in_full(old[:, place : place + field.size])
            place += field.size
            found = state[f"matrix.{field.name}"][:, 0]
            bound = 1e-11 * np.abs(wanted).max(initial=1e-5)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=bound)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(problems(sorted(set(LAWS) - {"hot", "expanding"}), points=8, leaves=16, sizes=SIZES))
def test_closed_cycles_of_strain_give_no_work(problem: Problem) -> None:
    """∮ σ·dε >= 0 around triangles that begin and end without strain, of ∮ |σ·dε|."""
    law, steps = NetworkLaw(problem.network, problem.laws, 1e-9, 100), 30
    zero, one, other = np.zeros_like(problem.strain[0]), problem.strain[1], problem.strain[3]
    state, before = law.allocate(8), zero
    stress, last = np.empty_like(zero), zero
    work, gross, sound = np.zeros(8), np.zeros(8), np.ones(8, dtype=bool)
    for start, end in ((zero, one), (one, other), (other, zero)):
        for share in np.linspace(0.0, 1.0, steps + 1)[1:]:
            strain = start + share * (end - start)
            sound &= law.integrate(strain, state, stress, None, problem.dt).codes >= 0
            state.accept()
            power = (0.5 * (last + stress) * (strain - before)).sum(axis=1)
            work, gross = work + power, gross + np.abs(power)
            before, last = strain, stress.copy()
    assert sound.any()
    assert (work[sound] >= -1e-6 * gross[sound]).all()
