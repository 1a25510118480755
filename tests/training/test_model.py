"""The network in PyTorch: equal to NumPy, differentiable, exact where theory is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.network import Network
from dmn_fem.training import TorchNetwork


def random_stiffness(rng: np.random.Generator, count: int, phases: int, size: int) -> np.ndarray:
    """Any anisotropy, contrast to 100."""
    factor = rng.normal(size=(count, phases, size, size))
    stiffness = factor @ np.swapaxes(factor, -1, -2) / size + np.eye(size)
    return stiffness * 10 ** rng.uniform(-1, 1, (count, phases, 1, 1))


def relative_difference(network: Network, stiffness: np.ndarray) -> float:
    expected = network.stiffness(stiffness)
    with torch.no_grad():
        found = TorchNetwork(network)(torch.tensor(stiffness)).numpy()
    norm = np.linalg.norm(expected, axis=(1, 2))
    return float((np.linalg.norm(found - expected, axis=(1, 2)) / norm).max())


@settings(max_examples=60, deadline=None)
@given(
    dimension=st.sampled_from([2, 3]),
    phases=st.integers(1, 3),
    leaves=st.integers(1, 21),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_numpy(dimension: int, phases: int, leaves: int, seed: int) -> None:
    leaves = max(leaves, phases)
    rng = np.random.default_rng(seed)
    names = tuple("abc"[:phases])
    network = Network.random(dimension, names, rng.dirichlet(np.ones(phases)), leaves, rng)
    stiffness = random_stiffness(rng, 4, phases, 3 if dimension == 2 else 6)
    assert relative_difference(network, stiffness) < 1e-12


@pytest.mark.parametrize("dimension", [2, 3])
def test_equals_numpy_with_dead_leaves(
    dimension: int, random_network: Callable[..., Network]
) -> None:
    network = random_network(13, 0.4, dimension=dimension)
    activation = network.leaf_activation.copy()
    # Both children of one node, one child of another; one of them by underflow.
    activation[[0, 1, 6, 9]] = -np.inf
    activation[5] = -1e4
    network = replace(network, leaf_activation=activation)
    stiffness = random_stiffness(np.random.default_rng(0), 5, 2, 3 if dimension == 2 else 6)
    assert relative_difference(network, stiffness) < 1e-12
    module = TorchNetwork(network)
    module(torch.tensor(stiffness)).sum().backward()
    for parameter in module.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    np.testing.assert_array_equal(module.leaf_activation.grad[[0, 1, 6, 9]], 0.0)


def test_equals_numpy_without_a_phase(random_network: Callable[..., Network]) -> None:
    network = random_network(8).with_phase_fraction(np.array([1.0, 0.0]))
    stiffness = random_stiffness(np.random.default_rng(0), 5, 2, 3)
    assert relative_difference(network, stiffness) < 1e-12
    np.testing.assert_allclose(network.stiffness(stiffness), stiffness[:, 0], rtol=1e-12)


@pytest.mark.parametrize("dimension", [2, 3])
def test_gradient_equals_differences(
    dimension: int, random_network: Callable[..., Network]
) -> None:
    module = TorchNetwork(random_network(7, 0.35, dimension=dimension, phases=3))
    rng = np.random.default_rng(1)
    stiffness = torch.tensor(random_stiffness(rng, 3, 3, 3 if dimension == 2 else 6))

    def answer(activation: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        values = {"leaf_activation": activation, "normal_angles": angles}
        return torch.func.functional_call(module, values, (stiffness,))

    parameters = tuple(p.detach().requires_grad_() for p in module.parameters())
    assert torch.autograd.gradcheck(answer, parameters, eps=1e-6, atol=1e-7, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_fractions_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fractions = rng.dirichlet(np.ones(3))
    network = Network.random(2, ("a", "b", "c"), fractions, 17, rng)
    network = replace(network, leaf_activation=rng.normal(0, 5, 17))
    weights = TorchNetwork(network).leaf_weights().detach().numpy()
    found = np.bincount(network.leaf_phase, weights=weights)
    np.testing.assert_allclose(found, fractions, rtol=1e-14)
    np.testing.assert_allclose(weights, network.leaf_weights, rtol=1e-13)


@pytest.mark.parametrize("dimension", [2, 3])
def test_opposite_normals_are_one_laminate(
    dimension: int, random_network: Callable[..., Network]
) -> None:
    network = random_network(9, dimension=dimension)
    opposite = network.normal_angles.copy()
    opposite[:, -1] += np.pi
    opposite[:, : dimension - 2] = np.pi - opposite[:, : dimension - 2]
    flipped = replace(network, normal_angles=opposite)
    np.testing.assert_allclose(flipped.normals, -network.normals, atol=1e-15)
    stiffness = torch.tensor(
        random_stiffness(np.random.default_rng(0), 4, 2, 3 if dimension == 2 else 6)
    )
    with torch.no_grad():
        ours, theirs = TorchNetwork(network)(stiffness), TorchNetwork(flipped)(stiffness)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_order_of_phases_is_irrelevant(random_network: Callable[..., Network]) -> None:
    network = random_network(11, phases=3)
    order = np.array([2, 0, 1])
    other = replace(
        network,
        phases=tuple(network.phases[p] for p in order),
        phase_fraction=network.phase_fraction[order],
        leaf_phase=np.argsort(order)[network.leaf_phase],
    )
    stiffness = random_stiffness(np.random.default_rng(0), 4, 3, 3)
    with torch.no_grad():
        ours = TorchNetwork(network)(torch.tensor(stiffness))
        theirs = TorchNetwork(other)(torch.tensor(stiffness[:, order]))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_squares_are_those_of_mandel_matrices(random_network: Callable[..., Network]) -> None:
    module = TorchNetwork(random_network(2, dimension=3))
    stiffness = torch.tensor(random_stiffness(np.random.default_rng(0), 5, 1, 6)[:, 0])
    expected = torch.linalg.matrix_norm(stiffness) ** 2
    torch.testing.assert_close(module.squares(module.pack(stiffness)), expected, rtol=1e-13, atol=0)


def test_conversion_there_and_back(random_network: Callable[..., Network]) -> None:
    network = random_network(10, dimension=3)
    module = TorchNetwork(network)
    back = module.network()
    for name in ("leaf_phase", "phase_fraction", "leaf_activation", "normal_angles"):
        np.testing.assert_array_equal(getattr(back, name), getattr(network, name))
    with torch.no_grad():
        module.leaf_activation += 1.0
    np.testing.assert_array_equal(back.leaf_activation, network.leaf_activation)


def oriented(network: Network, rng: np.random.Generator) -> Network:
    """With random orientations of the leaves, in 2D about axis 3."""
    quaternion = rng.normal(size=(network.leaves, 4))
    if network.dimension == 2:
        quaternion[:, 1:3] = 0.0
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    return replace(network, leaf_orientation=quaternion)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize(("leaves", "phases"), [(1, 1), (9, 2)])
def test_orientations_equal_numpy(
    dimension: int, leaves: int, phases: int, random_network: Callable[..., Network]
) -> None:
    rng = np.random.default_rng(3)
    network = oriented(random_network(leaves, dimension=dimension, phases=phases), rng)
    stiffness = random_stiffness(rng, 5, phases, 3 if dimension == 2 else 6)
    assert relative_difference(network, stiffness) < 1e-12
    back = TorchNetwork(network).network().leaf_orientation
    np.testing.assert_allclose(back, network.leaf_orientation, atol=1e-15)


@pytest.mark.parametrize("dimension", [2, 3])
def test_gradient_by_orientations_equals_differences(
    dimension: int, random_network: Callable[..., Network]
) -> None:
    rng = np.random.default_rng(3)
    module = TorchNetwork(oriented(random_network(9, dimension=dimension), rng))
    stiffness = torch.tensor(random_stiffness(rng, 2, 2, 3 if dimension == 2 else 6))

    def answer(*values: torch.Tensor) -> torch.Tensor:
        names = ("leaf_activation", "normal_angles", "leaf_orientation")
        given = dict(zip(names, values, strict=True))
        return torch.func.functional_call(module, given, (stiffness,))

    parameters = tuple(p.detach().requires_grad_() for p in module.parameters())
    assert torch.autograd.gradcheck(answer, parameters, eps=1e-6, atol=1e-7, rtol=1e-6)


def test_orientations_out_of_the_plane_are_refused(random_network: Callable[..., Network]) -> None:
    turned = replace(random_network(4), leaf_orientation=np.tile([0.6, 0.8, 0, 0], (4, 1)))
    with pytest.raises(ValueError, match="axis 3"):
        TorchNetwork(turned)


@pytest.mark.parametrize("activation", [-30.0, -100.0, -170.0, -180.0, -186.0, -200.0, -1000.0])
def test_gradients_of_leaves_that_die_are_finite(
    random_network: Callable, sampled: Callable, activation: float
) -> None:
    network = random_network()
    samples = sampled(network, 5)
    dying = replace(
        network,
        leaf_activation=np.where(np.arange(8) < 4, activation + 0.1 * np.arange(8), 0.5),
    )
    module = TorchNetwork(dying)
    module(torch.tensor(samples.phase_stiffness)).sum().backward()
    for parameter in module.parameters():
        assert torch.isfinite(parameter.grad).all()
