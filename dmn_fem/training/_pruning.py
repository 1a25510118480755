"""Pruning: the leaves that trained networks answer as well without."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dmn_fem.network import Network, softplus
from dmn_fem.training._fit import Fit, check, one_thread
from dmn_fem.training._model import TorchNetwork
from dmn_fem.training._samples import Errors, Samples, evaluate


def prune(
    network: Network, samples: Samples, tolerance: float
) -> tuple[Network, list[tuple[int, float]]]:
    """Let leaves of a network die as long as its answers hardly suffer; see `prune_family`.

    Args:
        network: A trained network.
        samples: What the error is measured on; its fractions are taken over.
        tolerance: By what share of itself the mean error in stiffness may rise.

    Returns:
        The pruned network, and the number of leaves alive and the mean error, from the network as
        it was to the pruned one.

    Raises:
        ValueError: If the tolerance is negative, or samples do not fit the network.
    """
    (pruned,), table = prune_family([network], [samples], tolerance)
    return pruned, [(alive, error) for alive, (error,) in table]


def prune_family(
    networks: Sequence[Network], samples: Sequence[Samples], tolerance: float
) -> tuple[list[Network], list[tuple[int, list[float]]]]:
    """Let leaves die in all networks of a family as long as the answers of all hardly suffer.

    Leaves are tried by their largest weight in any network, the lightest first. A leaf without
    which a network errs by more than the tolerance allows is kept, however light: between phases of
    high contrast a thin layer may matter. The weights of the other leaves of the phase grow to its
    fraction again. A dead leaf (activation -inf) costs nothing online, stays dead when networks are
    trained on or interpolated. Every phase keeps a leaf in every network, and all of its leaves if
    no samples contain it.

    Args:
        networks: Trained networks that share `leaf_phase`, K of them.
        samples: What their errors are measured on; their fractions are taken over.
        tolerance: By what share of itself the mean error in stiffness of each may rise.

    Returns:
        The pruned networks, and the number of leaves alive in any of them and the mean error of
        each, from the networks as they were to the pruned ones.

    Raises:
        ValueError: If the tolerance is negative, or networks and samples do not fit together.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}; it must not be negative")
    if len(networks) != len(samples):
        raise ValueError(f"{len(networks)} networks and samples of {len(samples)}; each needs some")
    if any(not np.array_equal(each.leaf_phase, networks[0].leaf_phase) for each in networks):
        raise ValueError("the networks of a family must share leaf_phase")
    for network, each in zip(networks, samples, strict=True):
        check(network, each)
    phase = networks[0].leaf_phase
    with one_thread(), torch.no_grad():
        trials = [_Trial(*each) for each in zip(networks, samples, strict=True)]
        weight = np.max([trial.network.leaf_weights for trial in trials], axis=0)
        own = softplus(np.array([each.leaf_activation for each in networks])) > 0
        alive = own.any(axis=0)
        sampled = np.any([each.phase_fraction > 0 for each in samples], axis=0)
        for trial in trials:
            trial.kill(np.flatnonzero(~alive))
        errors = [trial.error() for trial in trials]
        limits = [(1 + tolerance) * error for error in errors]
        table = [(int(alive.sum()), errors)]
        for leaf in np.argsort(weight, kind="stable"):
            others = alive & (phase == phase[leaf])
            others[leaf] = False
            needed = not own[:, others].any(axis=1).all()
            if not alive[leaf] or not sampled[phase[leaf]] or needed:
                continue
            errors = []
            for trial, limit in zip(trials, limits, strict=True):
                trial.kill(leaf)
                errors.append(trial.error())
                if not errors[-1] <= limit:
                    break
            if not errors[-1] <= limit:
                for trial in trials[: len(errors)]:
                    trial.revive(leaf)
                continue
            alive[leaf] = False
            table.append((int(alive.sum()), errors))
        return [trial.module.network() for trial in trials], table


def prune_fits(
    fits: Sequence[Fit], targets: Sequence[tuple[Samples, Samples]], tolerance: float
) -> tuple[list[Fit], dict[str, Any]]:
    """`prune_family` on what a training gave.

    Args:
        fits: Of every network.
        targets: Training samples of every network, which the errors are measured on, and held-out
            ones, which tell how the answers change.
        tolerance: As there.

    Returns:
        The fits with the pruned networks and their errors; and for the provenance, leaves alive and
        mean training errors before and after, and the changes of the answers.
    """
    training = [samples for samples, _ in targets]
    networks, table = prune_family([each.network for each in fits], training, tolerance)
    (before, errors_before), (after, errors_after) = table[0], table[-1]
    pruned, changes = [], []
    for network, each, (samples, held_out) in zip(networks, fits, targets, strict=True):
        phases = held_out.phase_stiffness
        change = Errors.between(network.stiffness(phases), each.network.stiffness(phases))
        changes.append(asdict(change))
        errors = evaluate(network, samples), evaluate(network, held_out)
        pruned.append(replace(each, network=network, training=errors[0], held_out=errors[1]))
    return pruned, {
        "leaves": [before, after],
        "training_errors": [list(each) for each in zip(errors_before, errors_after, strict=True)],
        "change_of_answers": changes,
    }


class _Trial:
    """A network, and how it answers its samples without some of its leaves."""

    def __init__(self, network: Network, samples: Samples) -> None:
        self.network = network.with_phase_fraction(samples.phase_fraction)
        self.module = TorchNetwork(self.network)
        self.phases = self.module.pack(torch.tensor(samples.phase_stiffness))
        self.reference = self.module.pack(torch.tensor(samples.stiffness))
        self.squares = self.module.squares(self.reference)

    def error(self) -> float:
        """Mean relative error in stiffness."""
        off: Tensor = self.module.homogenise(self.phases) - self.reference
        return float((self.module.squares(off) / self.squares).sqrt().mean())

    def kill(self, leaves: np.integer | np.ndarray) -> None:
        """Let leaves die."""
        self.module.leaf_activation[leaves] = -torch.inf

    def revive(self, leaf: np.integer) -> None:
        """Undo the death of a leaf."""
        self.module.leaf_activation[leaf] = float(self.network.leaf_activation[leaf])
