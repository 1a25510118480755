from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.network import Network, jump_operator, laminate, softplus, softplus_inverse
from dmn_fem.notation import (
    IN_PLANE,
    isotropic_stiffness,
    mandel_rotation,
    orthotropic_stiffness,
    rotation_from_quaternion,
    strain_size,
    to_mandel,
)

PHASES = ("matrix", "inclusion")


def two_phases(dimension):
    return np.stack(
        [
            isotropic_stiffness(1.0, 0.3, dimension),
            orthotropic_stiffness((40.0, 10.0, 5.0), (0.2, 0.1, 0.3), (3.0, 4.0, 2.0), dimension),
        ]
    )


def test_softplus_round_trip():
    activation = np.array([-3.0, -0.1, 0.0, 0.5, 8.0])
    np.testing.assert_allclose(softplus_inverse(softplus(activation)), activation, atol=1e-9)


@given(seed=st.integers(0, 1000))
def test_jump_operator(seed):
    rng = np.random.default_rng(seed)
    jump, normal = rng.normal(size=(2, 3))
    normal /= np.linalg.norm(normal)
    dyad = np.outer(jump, normal)
    np.testing.assert_allclose(
        jump_operator(normal, 3) @ jump, to_mandel(0.5 * (dyad + dyad.T)), atol=1e-14
    )


@pytest.mark.parametrize("dimension", [2, 3])
def test_laminate_meets_its_two_conditions(dimension):
    """Continuous in-plane strains and tractions as one linear system, without the formula."""
    rng = np.random.default_rng(3)
    c1, c2 = two_phases(dimension)
    normal = rng.normal(size=3)
    normal[dimension:] = 0
    normal /= np.linalg.norm(normal)
    operator = jump_operator(normal, dimension)
    f1, size = 0.3, len(c1)
    # Unknowns eps1, eps2, a: f1 eps1 + f2 eps2 = E, eps1 - eps2 = H a, H'(C1 eps1 - C2 eps2) = 0.
    identity = np.eye(size)
    system = np.block(
        [
            [f1 * identity, (1 - f1) * identity, np.zeros((size, dimension))],
            [identity, -identity, -operator],
            [operator.T @ c1, -operator.T @ c2, np.zeros((dimension, dimension))],
        ]
    )
    right = np.zeros((2 * size + dimension, size))
    right[:size] = identity
    solution = np.linalg.solve(system, right)
    expected = f1 * c1 @ solution[:size] + (1 - f1) * c2 @ solution[size : 2 * size]
    np.testing.assert_allclose(laminate(c1, c2, f1, operator), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    dimension=st.sampled_from([2, 3]),
    leaves=st.integers(2, 33),
    fraction=st.floats(0.01, 0.99),
)
def test_stiffness_between_voigt_and_reuss(seed, dimension, leaves, fraction):
    rng = np.random.default_rng(seed)
    network = Network.random(dimension, PHASES, (1 - fraction, fraction), leaves, rng)
    phases = two_phases(dimension)
    stiffness = network.stiffness(phases)
    np.testing.assert_allclose(stiffness, stiffness.T, rtol=1e-12, atol=1e-12)
    voigt = np.tensordot(network.phase_fraction, phases, 1)
    reuss = np.linalg.inv(np.tensordot(network.phase_fraction, np.linalg.inv(phases), 1))
    assert np.linalg.eigvalsh(voigt - stiffness).min() > -1e-10
    assert np.linalg.eigvalsh(stiffness - reuss).min() > -1e-10
    assert network.leaf_weights.sum() == pytest.approx(1.0, abs=1e-14)
    own = np.bincount(network.leaf_phase, weights=network.leaf_weights)
    np.testing.assert_allclose(own, network.phase_fraction, rtol=1e-13)


def test_in_plane_stiffness_is_a_block_of_the_plane_strain_one():
    network = Network.random(2, PHASES, (0.6, 0.4), 16, np.random.default_rng(0))
    phases = two_phases(2)
    block = np.ix_(IN_PLANE, IN_PLANE)
    np.testing.assert_allclose(
        network.stiffness(phases[:, IN_PLANE][:, :, IN_PLANE]), network.stiffness(phases)[block]
    )


def test_equal_phases_are_a_homogeneous_material():
    network = Network.random(3, PHASES, (0.5, 0.5), 32, np.random.default_rng(1))
    stiffness = two_phases(3)[1]
    np.testing.assert_allclose(network.stiffness([stiffness, stiffness]), stiffness, rtol=1e-12)


def test_dead_leaves_leave_no_trace():
    rng = np.random.default_rng(5)
    network = Network.random(3, PHASES, (0.7, 0.3), 16, rng)
    network.leaf_activation[[0, 3, 4, 5, 6, 7]] = -np.inf
    tree = network.tree()
    assert len(tree.leaf_weight) == 10
    assert len(tree.fraction) == 9
    assert np.isfinite(network.stiffness(two_phases(3))).all()
    assert network.with_phase_fraction([1.0, 0.0]).stiffness(two_phases(3)) == pytest.approx(
        two_phases(3)[0], rel=1e-12
    )


def test_leaf_orientation_of_one_leaf_rotates_the_phase():
    quaternion = np.array([0.9, 0.1, -0.3, 0.2])
    phase = two_phases(3)[1]
    network = Network(
        3, ("fibre",), np.zeros(1, dtype=np.int64), np.ones(1), np.ones(1), np.zeros((0, 2)),
        quaternion[None],
    )  # fmt: skip
    rotation = mandel_rotation(rotation_from_quaternion(quaternion))
    np.testing.assert_allclose(network.stiffness(phase[None]), rotation @ phase @ rotation.T)


def rotation_of(rng, dimension):
    quaternion = rng.normal(size=4)
    if dimension == 2:
        quaternion[1:3] = 0
    return rotation_from_quaternion(quaternion)


@pytest.mark.parametrize("oriented", [False, True])
@pytest.mark.parametrize("dimension", [2, 3])
@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_rotated_network_has_the_rotated_stiffness(seed, dimension, oriented):
    """Isotropic phases without leaf orientations, phases of any kind with them."""
    rng = np.random.default_rng(seed)
    network = Network.random(dimension, PHASES, (0.7, 0.3), 16, rng)
    phases = np.stack(
        [isotropic_stiffness(1.0, 0.3, dimension), isotropic_stiffness(30.0, 0.1, dimension)]
    )
    if oriented:
        quaternions = rng.normal(size=(16, 4))
        if dimension == 2:
            quaternions[:, 1:3] = 0
        quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
        network, phases = replace(network, leaf_orientation=quaternions), two_phases(dimension)
    rotation = rotation_of(rng, dimension)
    matrix = mandel_rotation(rotation)[: phases.shape[-1], : phases.shape[-1]]
    expected = matrix @ network.stiffness(phases) @ matrix.T
    rotated = network.rotated(rotation).stiffness(phases)
    np.testing.assert_allclose(rotated, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("dimension", [2, 3])
def test_without_leaf_orientations_phases_stay_in_their_axes(dimension):
    rng = np.random.default_rng(2)
    network = Network.random(dimension, PHASES, (0.7, 0.3), 16, rng)
    rotation, phases = rotation_of(rng, dimension), two_phases(dimension)
    matrix = mandel_rotation(rotation)[: phases.shape[-1], : phases.shape[-1]]
    turned_back = network.stiffness(matrix.T @ phases @ matrix)
    np.testing.assert_allclose(
        network.rotated(rotation).stiffness(phases), matrix @ turned_back @ matrix.T, rtol=1e-10
    )


def test_rotations_compose():
    rng = np.random.default_rng(4)
    network = Network.random(3, PHASES, (0.7, 0.3), 8, rng)
    network = replace(network, leaf_orientation=np.eye(4)[rng.integers(0, 4, 8)])
    first, second = rotation_of(rng, 3), rotation_of(rng, 3)
    phases = two_phases(3)
    np.testing.assert_allclose(
        network.rotated(first).rotated(second).stiffness(phases),
        network.rotated(second @ first).stiffness(phases),
        rtol=1e-10,
    )


@pytest.mark.parametrize(
    ("dimension", "rotation", "message"),
    [
        (3, np.diag([1.0, 1.0, -1.0]), "rotation matrix"),
        (3, 2 * np.eye(3), "rotation matrix"),
        (3, np.full((3, 3), np.nan), "rotation matrix"),
        (2, np.eye(2), "rotation matrix"),
        (2, np.eye(3)[[1, 2, 0]], "about axis 3 alone"),
        (2, np.diag([1.0, -1.0, -1.0]), "about axis 3 alone"),
    ],
)
def test_what_is_no_rotation(dimension, rotation, message):
    network = Network.random(dimension, PHASES, (0.7, 0.3), 8, np.random.default_rng(0))
    with pytest.raises(ValueError, match=message) as caught:
        network.rotated(rotation)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phase_fraction": np.array([0.5, 0.6])}, "sum to one"),
        ({"phase_fraction": np.array([1.0])}, "shape"),
        ({"normal_angles": np.zeros((3, 2))}, "shape"),
        ({"normal_angles": np.full((7, 1), np.nan)}, "finite"),
        ({"leaf_activation": np.full(8, -np.inf)}, "no leaf"),
        ({"leaf_phase": np.full(8, 2)}, "leaf_phase"),
    ],
)
def test_bad_networks_are_refused(change, message):
    good = {
        "dimension": 2,
        "phases": PHASES,
        "leaf_phase": np.arange(8) % 2,
        "phase_fraction": np.array([0.5, 0.5]),
        "leaf_activation": np.ones(8),
        "normal_angles": np.zeros((7, 1)),
    }
    Network(**good)
    with pytest.raises(ValueError, match=message):
        Network(**(good | change))


@pytest.mark.parametrize("dimension", [2, 3])
def test_random_orientations_leave_all_else_as_it_was(dimension: int) -> None:
    plain, oriented = (
        Network.random(dimension, ("grain",), (1.0,), 9, np.random.default_rng(3), oriented=flag)
        for flag in (False, True)
    )
    assert plain.leaf_orientation is None
    np.testing.assert_array_equal(oriented.normal_angles, plain.normal_angles)
    np.testing.assert_array_equal(oriented.leaf_activation, plain.leaf_activation)
    assert np.linalg.norm(oriented.leaf_orientation, axis=1) == pytest.approx(np.ones(9))
    assert (oriented.leaf_orientation[:, 1:3] == 0).all() == (dimension == 2)


def triclinic(rng, dimension):
    size = strain_size(dimension)
    root = rng.normal(size=(size, size))
    return root @ root.T + size * np.eye(size)


@given(
    seed=st.integers(0, 1000),
    dimension=st.sampled_from([2, 3]),
    leaves=st.integers(2, 9),
    oriented=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_grafted_network_homogenises_in_two_steps(seed, dimension, leaves, oriented):
    rng = np.random.default_rng(seed)
    outer = Network.random(
        dimension, ("resin", "warp", "weft"), [0.3, 0.3, 0.4], max(leaves, 3), rng
    )
    if oriented:
        outer = Network.random(
            dimension, outer.phases, outer.phase_fraction, outer.leaves, rng, oriented=True
        )
    bundle = Network.random(dimension, ("resin", "fibre"), [0.4, 0.6], 5, rng, oriented=oriented)
    dead = bundle.leaf_activation.copy()
    dead[2] = -np.inf
    bundle = replace(bundle, leaf_activation=dead)
    turned = bundle.rotated(rotation_of(rng, dimension)) if oriented else bundle
    size = strain_size(dimension)
    resin, fibre = (triclinic(rng, dimension) for _ in range(2))
    network = outer.grafted({"warp": bundle, "weft": turned})
    assert network.phases == ("resin", "fibre")
    np.testing.assert_allclose(network.phase_fraction, [0.3 + 0.7 * 0.4, 0.7 * 0.6])
    assert len(network.tree().leaf_weight) == sum(
        {0: 1, 1: 4, 2: 4}[int(phase)] for phase in outer.leaf_phase
    )
    yarns = [each.stiffness([resin, fibre]) for each in (bundle, turned)]
    expected = outer.stiffness([resin, *yarns])
    np.testing.assert_allclose(
        network.stiffness([resin, fibre]), expected, rtol=1e-10, atol=1e-10 * size
    )


def test_yarns_turn_with_the_leaves_that_they_are():
    rng = np.random.default_rng(5)
    outer = Network.random(3, ("yarn",), [1.0], 3, rng, oriented=True)
    bundle = Network.random(3, ("resin", "fibre"), [0.4, 0.6], 4, rng)
    phases = [isotropic_stiffness(3.0, 0.35), isotropic_stiffness(70.0, 0.2)]
    np.testing.assert_allclose(
        outer.grafted({"yarn": bundle}).stiffness(phases),
        outer.stiffness([bundle.stiffness(phases)]),
        rtol=1e-11,
        atol=1e-11,
    )


def test_what_cannot_be_grafted_is_refused():
    outer, other = Network.homogeneous("resin", 3), Network.homogeneous("resin", 2)
    with pytest.raises(ValueError, match="no phase 'yarn'; there are"):
        outer.grafted({"yarn": outer})
    with pytest.raises(ValueError, match="has dimension 2, this one 3"):
        outer.grafted({"resin": other})
