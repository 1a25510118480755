"""Pruning: light leaves die, the error rises by no more than what is allowed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.homogenization import draw_phase_stiffness
from dmn_fem.network import Network
from dmn_fem.training import Samples, Settings, _pruning, evaluate, fit, prune, prune_family


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


def nearly_answered(network: Network, samples: Samples) -> Samples:
    """Samples that a network answers with errors of one percent, and no better without a leaf."""
    answers = 1.01 * network.stiffness(samples.phase_stiffness)
    return Samples(samples.phase_stiffness, answers, network.phase_fraction)


def test_what_weighs_nothing_dies(problem: tuple[Network, Samples]) -> None:
    network, samples = problem
    samples = nearly_answered(network, samples)
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
    after = evaluate(pruned, samples).stiffness.mean
    assert table[0] == (16, pytest.approx(before, rel=1e-10))
    assert table[-1] == (np.count_nonzero(pruned.leaf_weights), pytest.approx(after, rel=1e-10))
    assert all(error <= (1 + tolerance) * before * (1 + 1e-10) for _, error in table)
    alive = pruned.leaf_activation > -np.inf
    np.testing.assert_array_equal(pruned.leaf_activation[alive], network.leaf_activation[alive])


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


def test_a_family_keeps_what_any_of_its_networks_needs(
    problem: tuple[Network, Samples],
) -> None:
    """Leaf 2 is light in one network alone."""
    light, samples = problem
    activation = light.leaf_activation.copy()
    activation[2] = 0.5
    heavy = replace(light, leaf_activation=activation)
    family = [light, heavy]
    pruned, table = prune_family(family, [nearly_answered(n, samples) for n in family], 1e-4)
    for network in pruned:
        assert np.flatnonzero(network.leaf_activation == -np.inf).tolist() == [5, 6, 9]
    assert [alive for alive, _ in table] == [16, 15, 14, 13]
    errors = np.array([each for _, each in table])
    assert (errors <= 1.0001 * errors[0]).all()


def test_a_phase_that_no_samples_contain_keeps_its_leaves(
    random_network: Callable[..., Network],
) -> None:
    """They cannot tell which it needs at other fractions."""
    network = random_network(9, phases=3)
    stiffness = draw_phase_stiffness(2, 3, 4, 0)
    without = network.with_phase_fraction([0.4, 0.6, 0.0])
    answers = 1.01 * without.stiffness(stiffness)
    pruned, _ = prune(network, Samples(stiffness, answers, without.phase_fraction), 1e9)
    alive = pruned.leaf_activation > -np.inf
    assert np.bincount(pruned.leaf_phase[alive]).tolist() == [1, 1, 3]


def test_every_phase_keeps_a_leaf_in_every_network_of_a_family(
    problem: tuple[Network, Samples],
) -> None:
    """Two networks whose inclusions have a single leaf alive, and not the same one."""
    network, samples = problem
    inclusions = np.flatnonzero(network.leaf_phase == 1)
    family = []
    for leaf in inclusions[:2]:
        activation = network.leaf_activation.copy()
        activation[inclusions[inclusions != leaf]] = -np.inf
        family.append(replace(network, leaf_activation=activation))
    pruned, _ = prune_family(family, [samples, samples], 1e9)
    for each, leaf in zip(pruned, inclusions[:2], strict=True):
        assert each.leaf_weights[leaf] == pytest.approx(samples.phase_fraction[1])


def test_a_leaf_without_which_the_error_is_no_number_is_kept(
    problem: tuple[Network, Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([0.1])
    monkeypatch.setattr(_pruning._Trial, "error", lambda _: next(errors, np.nan))
    network, samples = problem
    pruned, table = prune(network, samples, 1e9)
    assert [alive for alive, _ in table] == [16]
    np.testing.assert_array_equal(pruned.leaf_activation, network.leaf_activation)


def test_what_does_not_fit_together_is_refused(
    problem: tuple[Network, Samples], random_network: Callable[..., Network]
) -> None:
    network, samples = problem
    with pytest.raises(ValueError, match="2 networks and samples of 1"):
        prune_family([network, network], [samples], 0.1)
    with pytest.raises(ValueError, match="must share leaf_phase"):
        prune_family([network, random_network(9)], [samples, samples], 0.1)


def test_a_negative_tolerance_is_refused(problem: tuple[Network, Samples]) -> None:
    with pytest.raises(ValueError, match=r"tolerance is -0\.1"):
        prune(*problem, -0.1)
