"""Pruning: the least leaves die first, the error rises by no more than what is allowed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.network import Network
from dmn_fem.training import Samples, Settings, evaluate, fit, prune


@pytest.fixture
def problem(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> tuple[Network, Samples]:
    """A network of 16 leaves, of which 4 weigh next to nothing, and samples of another one."""
    network = random_network(16, seed=1)
    activation = network.leaf_activation.copy()
    activation[[2, 5, 6, 9]] = [-4.0, -4.1, -4.2, -4.3]
    samples = sampled(random_network(16, 0.35, seed=2), 30)
    return replace(network, leaf_activation=activation), samples


def test_what_weighs_nothing_dies(problem: tuple[Network, Samples]) -> None:
    network, samples = problem
    pruned, table = prune(network, samples, 1e-4)
    assert np.flatnonzero(pruned.leaf_activation == -np.inf).tolist() == [2, 5, 6, 9]
    assert [alive for alive, _ in table] == [16, 15, 14, 13, 12]
    assert pruned.tree().leaf_weight.size == 12
    np.testing.assert_array_equal(pruned.phase_fraction, samples.phase_fraction)
    for phase, fraction in enumerate(samples.phase_fraction):
        assert pruned.leaf_weights[pruned.leaf_phase == phase].sum() == pytest.approx(fraction)
    np.testing.assert_array_equal(pruned.normal_angles, network.normal_angles)


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.2])
def test_error_rises_by_no_more_than_allowed(
    problem: tuple[Network, Samples], tolerance: float
) -> None:
    network, samples = problem
    before = evaluate(network.with_phase_fraction(samples.phase_fraction), samples).stiffness.mean
    pruned, table = prune(network, samples, tolerance)
    assert table[0] == (16, before)
    assert table[-1] == (
        np.count_nonzero(pruned.leaf_weights),
        evaluate(pruned, samples).stiffness.mean,
    )
    assert all(error <= (1 + tolerance) * before for _, error in table)
    alive = pruned.leaf_weights > 0
    weights = network.with_phase_fraction(samples.phase_fraction).leaf_weights
    assert alive.all() or weights[~alive].max() <= weights[alive].min()


def test_every_phase_keeps_a_leaf(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> None:
    network = random_network(9, phases=3)
    pruned, table = prune(network, sampled(random_network(6, phases=3, seed=4), 10), 1e9)
    assert sorted(pruned.leaf_phase[pruned.leaf_weights > 0]) == [0, 1, 2]
    assert [alive for alive, _ in table] == list(range(9, 2, -1))


def test_the_dead_stay_dead_in_training(
    problem: tuple[Network, Samples],
) -> None:
    network, samples = problem
    pruned, table = prune(network, samples, 1e-4)
    for optimizer in ("lbfgs", "adam"):
        again = fit(
            pruned,
            *samples.split(10),
            Settings(optimizer=optimizer, iterations=20, epochs=2),  # type: ignore[arg-type]
        )
        dead = pruned.leaf_activation == -np.inf
        np.testing.assert_array_equal(again.network.leaf_activation == -np.inf, dead)
        assert np.isfinite(again.network.normal_angles).all()
        assert again.training.stiffness.mean < table[-1][1]


def test_a_negative_tolerance_is_refused(problem: tuple[Network, Samples]) -> None:
    with pytest.raises(ValueError, match=r"tolerance is -0\.1"):
        prune(*problem, -0.1)
