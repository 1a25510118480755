"""Derivatives of stresses along paths in the geometry of a network, against differences."""

from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.laws import J2Plasticity, LinearElastic, LinearHardening, OrthotropicElastic
from dmn_fem.network import Network, unit_normals
from dmn_fem.online import NetworkLaw

STEP = 1e-6
J2 = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(3.0))
LAWS = {"matrix": J2, "inclusion": LinearElastic(1000.0, 0.2)}
ORTHOTROPIC = {
    "matrix": J2,
    "inclusion": OrthotropicElastic((900.0, 300.0, 100.0), (0.2, 0.2, 0.2), (200.0, 100.0, 50.0)),
}
PLANE = np.array(
    [
        [[4, -4, 0, 2], [3, -3, 0, 3], [1, -1, 0, 4]],
        [[1, 6, 0, 2], [0, 4, 0, 1], [5, -1, 0, 4]],
    ]
)


def paths(dimension: int) -> np.ndarray:
    if dimension == 2:
        return 1e-3 * PLANE
    shear = np.broadcast_to([[2, 0], [2, 3], [1, 3]], (2, 3, 2))
    return 1e-3 * np.concatenate([PLANE, shear], axis=2)


def network(dimension: int, oriented: bool = False, dead: bool = False) -> Network:
    rng = np.random.default_rng(1)
    result = Network.random(dimension, ("matrix", "inclusion"), [0.7, 0.3], 16, rng)
    if dead:
        result.leaf_activation[[3, 6, 7]] = -np.inf
    if oriented:
        quaternion = rng.normal(size=(16, 4)) * ([1, 0, 0, 1] if dimension == 2 else 1)
        quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
        result = replace(result, leaf_orientation=quaternion)
    return result


def shares(network: Network) -> np.ndarray:
    inner = network.leaves - 1
    weight = np.concatenate([np.zeros(inner), network.leaf_weights])
    for node in reversed(range(inner)):
        weight[node] = weight[2 * node + 1] + weight[2 * node + 2]
    return np.where(weight[:inner] > 0, weight[1::2] / np.maximum(weight[:inner], 1e-300), 0.5)


def turned(network: Network, rotation: np.ndarray) -> Network:
    """Leaves turned by small rotation vectors about the global axes."""
    q = network.leaf_orientation
    assert q is not None
    w, v = q[:, :1], q[:, 1:]
    scalar = w - 0.5 * (rotation * v).sum(1, keepdims=True)
    vector = v + 0.5 * (w * rotation + np.cross(rotation, v))
    moved = np.concatenate([scalar, vector], axis=1)
    return replace(network, leaf_orientation=moved / np.linalg.norm(moved, axis=1, keepdims=True))


def law(network: Network, laws=LAWS) -> NetworkLaw:
    return NetworkLaw(network, laws, tolerance=1e-12, max_iterations=200)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("dead", [False, True])
def test_gradient(dimension: int, steps: int, dead: bool) -> None:
    rng = np.random.default_rng(2)
    start, strain = network(dimension, dead=dead), paths(dimension)[:, :steps]
    weight = rng.normal(size=strain.shape)
    at_start = law(start)
    found = at_start.sensitivity(strain, at_start.follow(strain)[1], weight)
    assert found.rotation is None

    turn = rng.normal(size=start.normal_angles.shape)
    grow = np.where(np.isfinite(start.leaf_activation), rng.normal(size=16), 0.0)
    for name in ("angles", "activations"):
        ends = [
            replace(start, normal_angles=start.normal_angles + sign * STEP * turn)
            if name == "angles"
            else replace(start, leaf_activation=start.leaf_activation + sign * STEP * grow)
            for sign in (1, -1)
        ]
        after, before = (np.sum(weight * law(each).follow(strain)[0]) for each in ends)
        normal = unit_normals(ends[0].normal_angles) - unit_normals(ends[1].normal_angles)
        share = shares(ends[0]) - shares(ends[1])
        expected = np.sum(found.normal * normal[:, :dimension]) + np.sum(found.share * share)
        assert expected == pytest.approx(after - before, rel=1e-6)


@pytest.mark.parametrize("dimension", [2, 3])
def test_gradient_by_leaf_rotations(dimension: int) -> None:
    rng = np.random.default_rng(3)
    start, strain = network(dimension, oriented=True), paths(dimension)
    weight = rng.normal(size=strain.shape)
    at_start = law(start, ORTHOTROPIC)
    found = at_start.sensitivity(strain, at_start.follow(strain)[1], weight)
    turn = rng.normal(size=(16, 3)) * ([0, 0, 1] if dimension == 2 else 1)
    after, before = (
        np.sum(weight * law(turned(start, sign * STEP * turn), ORTHOTROPIC).follow(strain)[0])
        for sign in (1, -1)
    )
    assert np.sum(found.rotation * turn) == pytest.approx((after - before) / (2 * STEP), rel=1e-6)


def test_paths_end_where_they_fail() -> None:
    """One Newton iteration is too few for plasticity, and enough where all stays elastic."""
    strain = paths(2) * np.array([1e-3, 1.0, 1.0])[:, None]
    stress, _ = NetworkLaw(network(2), LAWS, max_iterations=1).follow(strain)
    assert np.isfinite(stress[:, 0]).all()
    assert np.isnan(stress[:, 1:]).all()
