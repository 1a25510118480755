"""Families of networks that are fitted together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dmn_fem.network import Network
from dmn_fem.training import CheckpointError, Fit, Progress, Samples, Settings, fit_family
from dmn_fem.training._family import _pairs_of_simplices
from dmn_fem.training._model import TorchNetwork

VALUES = np.array([[0.2], [0.3], [0.5]])

Target = tuple[Samples, Samples]


class Killed(Exception):
    """What ends a training before its time."""


@pytest.fixture
def family(random_network: Callable, sampled: Callable) -> tuple[list[Network], list[Target]]:
    """Networks that descend from one another, and samples of a reference at three fractions."""
    reference = random_network(seed=5)
    base, rng = random_network(seed=0), np.random.default_rng(0)
    networks, targets = [], []
    for (fraction,) in VALUES:
        truth = reference.with_phase_fraction([1 - fraction, fraction])
        networks.append(
            replace(
                base,
                phase_fraction=truth.phase_fraction,
                leaf_activation=base.leaf_activation + rng.uniform(-0.1, 0.1, base.leaves),
                normal_angles=base.normal_angles + rng.uniform(-0.3, 0.3, (base.leaves - 1, 1)),
            )
        )
        targets.append((sampled(truth, 30, 1), sampled(truth, 10, 2)))
    return networks, targets


def roughness(networks: list[Network]) -> float:
    """Second differences at 0.2, 0.3, 0.5, c = (4/3, -2, 2/3), from the definition."""
    total = 0.0
    shares = [
        network.leaf_weights
        / (network.phase_fraction / np.bincount(network.leaf_phase))[network.leaf_phase]
        for network in networks
    ]
    jumps = 4 / 3 * shares[0] - 2 * shares[1] + 2 / 3 * shares[2]
    total += float((jumps**2).mean())
    dyads = [np.einsum("mi,mj->mij", network.normals, network.normals) for network in networks]
    jumps = 4 / 3 * dyads[0] - 2 * dyads[1] + 2 / 3 * dyads[2]
    return total + float((jumps**2).sum(axis=(1, 2)).mean())


def mean_loss(networks: list[Network], targets: list[Target]) -> float:
    losses = []
    for network, (training, _) in zip(networks, targets, strict=True):
        difference = network.stiffness(training.phase_stiffness) - training.stiffness
        squares = (difference**2).sum(axis=(1, 2)) / (training.stiffness**2).sum(axis=(1, 2))
        losses.append(squares.mean())
    return float(np.mean(losses))


def test_smoothness_is_bought_with_the_loss_that_the_docstring_says(
    family: tuple[list[Network], list[Target]],
) -> None:
    networks, targets = family
    settings = Settings(iterations=60)

    def fitted(smoothness: float) -> list[Network]:
        fits = fit_family(networks, targets, VALUES, settings, smoothness=smoothness)
        return [each.network for each in fits]

    free, smooth = fitted(0.0), fitted(1e-3)
    assert mean_loss(free, targets) < 0.1 * mean_loss(networks, targets)
    assert roughness(smooth) < 0.5 * roughness(free)
    # Each is better than the other in what it was fitted for.
    total = [mean_loss(each, targets) + 1e-3 * roughness(each) for each in (free, smooth)]
    assert total[1] < total[0]


def test_without_smoothness_networks_go_their_own_ways(
    family: tuple[list[Network], list[Target]],
) -> None:
    networks, targets = family
    settings = Settings(iterations=20)
    fits = fit_family(networks[:2], targets[:2], VALUES[:2], settings, smoothness=0.7)
    assert len(fits) == 2  # one segment: nothing bends
    free = fit_family(networks[:2], targets[:2], VALUES[:2], settings, smoothness=0.0)
    for one, other in zip(fits, free, strict=True):
        np.testing.assert_array_equal(one.network.leaf_activation, other.network.leaf_activation)


def test_n_and_minus_n_are_as_smooth_as_one(family: tuple[list[Network], list[Target]]) -> None:
    networks, _ = family
    for network in networks:
        turned = replace(network, normal_angles=network.normal_angles + np.pi)
        for one, other in zip(
            TorchNetwork(network).coordinates(), TorchNetwork(turned).coordinates(), strict=True
        ):
            np.testing.assert_allclose(one.detach(), other.detach(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_affine_families_have_no_jumps_and_bent_ones_do(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    values = rng.uniform(-1, 3, (12, dimension)) * [1, 100, 0.01][:dimension]
    members, coefficients = _pairs_of_simplices(values)
    assert members.shape == coefficients.shape
    assert members.shape[0] > 0
    assert members.shape[1] == dimension + 2
    np.testing.assert_allclose(np.abs(coefficients).sum(axis=1), 4)
    affine = values @ rng.standard_normal(dimension) + 3.0
    jumps = (coefficients * affine[members]).sum(axis=1)
    np.testing.assert_allclose(jumps, 0, atol=1e-10 * np.abs(affine).max())
    bent = ((values / values.max(axis=0)) ** 2).sum(axis=1)
    assert np.abs((coefficients * bent[members]).sum(axis=1)).min() > 1e-6


def test_evenly_spaced_points_have_second_differences() -> None:
    members, coefficients = _pairs_of_simplices(np.array([[0.3], [0.1], [0.2]]))
    order = np.argsort(members[0])
    np.testing.assert_allclose(np.abs(coefficients[0][order]), [1, 1, 2])
    np.testing.assert_array_equal(members[0][order], [0, 1, 2])


def test_a_killed_training_goes_on_to_the_same_family(
    family: tuple[list[Network], list[Target]], tmp_path: Path
) -> None:
    networks, targets = family
    file = tmp_path / "family.checkpoint"

    def run(progress: Callable[[Progress], None], smoothness: float = 1e-4) -> list[Fit]:
        return fit_family(
            networks,
            targets,
            VALUES,
            Settings(iterations=60),
            smoothness=smoothness,
            checkpoint=file,
            progress=progress,
        )

    def killer(report: Progress) -> None:
        if report.step == 40:
            raise Killed

    with pytest.raises(Killed):
        run(killer)
    reports: list[Progress] = []
    resumed = run(reports.append)
    assert [each.step for each in reports] == [60]
    file.unlink()
    file.with_name(file.name + ".previous").unlink()
    whole = run(reports.append)
    for one, other in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(one.network.leaf_activation, other.network.leaf_activation)
        np.testing.assert_array_equal(one.network.normal_angles, other.network.normal_angles)
        assert one.history == other.history
        assert [each.step for each in one.history] == [20, 40, 60]
    assert reports[-1].training_error == pytest.approx(
        np.mean([each.training.stiffness.mean for each in whole]), rel=1e-9
    )
    with pytest.raises(CheckpointError):
        run(reports.append, smoothness=1e-3)


def test_what_does_not_fit_is_refused(family: tuple[list[Network], list[Target]]) -> None:
    networks, targets = family
    for settings in (Settings(optimizer="adam"), Settings(patience=3)):
        with pytest.raises(ValueError, match="fitted by lbfgs to its last iteration"):
            fit_family(networks, targets, VALUES, settings)
    for smoothness in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="smoothness is"):
            fit_family(networks, targets, VALUES, smoothness=smoothness)
    with pytest.raises(ValueError, match="3 networks, 2 targets, 3 inelastic answers and 3 values"):
        fit_family(networks, targets[:2], VALUES)
    other = replace(networks[0], leaf_phase=1 - networks[0].leaf_phase)
    with pytest.raises(ValueError, match="share leaf_phase"):
        fit_family([other, *networks[1:]], targets, VALUES)
