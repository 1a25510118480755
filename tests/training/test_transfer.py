"""Transfer between volume fractions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network, softplus
from dmn_fem.training import (
    CheckpointError,
    Frozen,
    Progress,
    Samples,
    Settings,
    evaluate,
    fit,
    rescale,
    transfer_chain,
)

FRACTIONS = (0.3, 0.4, 0.5)


@pytest.fixture
def targets(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> list[tuple[Samples, Samples]]:
    """Samples of networks whose geometry changes a little with the volume fraction."""
    first, last = random_network(16, FRACTIONS[0], 1), random_network(16, FRACTIONS[-1], 2)
    family = Database([first, last], [Descriptor("v")], [[FRACTIONS[0]], [FRACTIONS[-1] + 2]])
    networks = [family.at(v=v).with_phase_fraction(np.array([1 - v, v])) for v in FRACTIONS]
    return [sampled(network, 30).split(10) for network in networks]


def test_rescaling_is_the_naive_transfer(random_network: Callable[..., Network]) -> None:
    base, target = 0.1, 0.6
    network = random_network(16, base)
    weights = network.leaf_weights
    naive = np.where(network.leaf_phase == 0, (1 - target) / (1 - base), target / base) * weights
    moved = rescale(network, [1 - target, target])
    np.testing.assert_allclose(moved.leaf_weights, naive, rtol=1e-13)
    np.testing.assert_array_equal(moved.normal_angles, network.normal_angles)
    assert softplus(moved.leaf_activation) == pytest.approx(softplus(network.leaf_activation))


def test_chain_learns_and_stays_interpolable(
    random_network: Callable[..., Network], targets: list[tuple[Samples, Samples]]
) -> None:
    base = random_network(16, FRACTIONS[0], 1)
    fits = transfer_chain(base, targets, Settings(iterations=100))
    for start, (training, held_out), result in zip(
        [base] + [each.network for each in fits[:-1]], targets, fits, strict=True
    ):
        np.testing.assert_array_equal(result.network.phase_fraction, training.phase_fraction)
        np.testing.assert_array_equal(result.network.leaf_phase, base.leaf_phase)
        naive = evaluate(rescale(start, training.phase_fraction), held_out)
        assert result.held_out.stiffness.mean < max(0.5 * naive.stiffness.mean, 1e-6)
        assert result.held_out.stiffness.mean < 0.005
    ends = [fits[0].network, fits[2].network]
    family = Database(ends, [Descriptor("volume_fraction")], [[0.3], [0.5]])
    between = evaluate(family.at(volume_fraction=0.4), targets[1][1])
    assert between.stiffness.mean < 0.02


def test_killed_chain_goes_on_to_the_same_result(
    tmp_path: Path,
    random_network: Callable[..., Network],
    targets: list[tuple[Samples, Samples]],
) -> None:
    base, settings = random_network(16, FRACTIONS[0], 3), Settings(iterations=40)
    whole = transfer_chain(base, targets, settings)

    def kill(report: Progress) -> None:
        if (report.start, report.step) == (1, 20):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer_chain(base, targets, settings, directory=tmp_path, progress=kill)
    seen: list[Progress] = []
    again = transfer_chain(base, targets, settings, directory=tmp_path, progress=seen.append)
    assert [(report.start, report.step) for report in seen] == [(1, 40), (2, 20), (2, 40)]
    for ours, theirs in zip(whole, again, strict=True):
        np.testing.assert_array_equal(ours.network.leaf_activation, theirs.network.leaf_activation)
        assert ours.held_out == theirs.held_out
    other = random_network(16, FRACTIONS[0], 4)
    with pytest.raises(CheckpointError, match=r"target_0\.checkpoint"):
        transfer_chain(other, targets, settings, directory=tmp_path)


def test_star_starts_every_target_from_the_base(
    random_network: Callable[..., Network], targets: list[tuple[Samples, Samples]]
) -> None:
    base, settings = random_network(16, FRACTIONS[0], 3), Settings(iterations=20)
    star = transfer_chain(base, targets, settings, order="star")
    for target, result in zip(targets, star, strict=True):
        alone = fit(rescale(base, target[0].phase_fraction), *target, settings)
        np.testing.assert_array_equal(result.network.leaf_activation, alone.network.leaf_activation)
        np.testing.assert_array_equal(result.network.normal_angles, alone.network.normal_angles)
    chain = transfer_chain(base, targets, settings)
    assert chain[0].held_out == star[0].held_out
    assert chain[1].held_out != star[1].held_out


def test_frozen_featurizer_keeps_the_base_along_the_chain(
    random_network: Callable[..., Network], targets: list[tuple[Samples, Samples]]
) -> None:
    first, last = random_network(16, FRACTIONS[0], 1), random_network(16, FRACTIONS[-1], 2)
    family = Database([first, last], [Descriptor("v")], [[FRACTIONS[0]], [FRACTIONS[-1]]])
    base = family.at(v=0.35)
    settings = Settings(iterations=60, frozen=Frozen(normals=True))
    for target, result in zip(targets, transfer_chain(base, targets, settings), strict=True):
        np.testing.assert_array_equal(result.network.normal_angles, base.normal_angles)
        naive = evaluate(rescale(base, target[0].phase_fraction), target[1])
        assert result.held_out.stiffness.mean < naive.stiffness.mean


def test_networks_with_orientations_are_transferred(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> None:
    family = [random_network(8, fraction, 1, oriented=True) for fraction in FRACTIONS]
    targets = [sampled(network, 20).split(5) for network in family]
    base = random_network(8, FRACTIONS[0], 1, oriented=True)
    fits = transfer_chain(base, targets, Settings(iterations=20))
    assert [each.held_out.stiffness.mean < 1e-6 for each in fits] == [True, True, True]
    assert all(each.network.leaf_orientation is not None for each in fits)


def test_wrong_transfers_are_refused(
    random_network: Callable[..., Network], targets: list[tuple[Samples, Samples]]
) -> None:
    base = random_network(16, FRACTIONS[0], 1)
    with pytest.raises(ValueError, match="order is 'ring'; it must be chain or star"):
        transfer_chain(base, targets, order="ring")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 inelastic answers for 3 targets"):
        transfer_chain(base, targets, inelastic=[None])
