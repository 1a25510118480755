"""Pruning: the leaves that a trained network answers as well without."""

from dataclasses import replace

import numpy as np

from dmn_fem.network import Network
from dmn_fem.training._samples import Samples, evaluate


def prune(
    network: Network, samples: Samples, tolerance: float
) -> tuple[Network, list[tuple[int, float]]]:
    """Let leaves die, that of the least weight first, as long as the answers hardly suffer.

    The weights of the other leaves of the phase grow to its fraction again. A dead leaf (activation
    -inf) costs nothing online, stays dead when the network is trained on, and every phase keeps a
    leaf. The tree remains, so that pruned networks still interpolate with others of their family.

    Args:
        network: A trained network.
        samples: What the error is measured on; its fractions are taken over.
        tolerance: By what share of itself the mean error in stiffness may rise.

    Returns:
        The pruned network, and the number of leaves alive and the mean error, from the network as
        it was to the pruned one.

    Raises:
        ValueError: If the tolerance is negative.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}; it must not be negative")
    network = network.with_phase_fraction(samples.phase_fraction)
    weights = network.leaf_weights
    table = [(int(np.count_nonzero(weights)), evaluate(network, samples).stiffness.mean)]
    limit = (1 + tolerance) * table[0][1]
    for leaf in np.argsort(weights, kind="stable"):
        activation = network.leaf_activation.copy()
        activation[leaf] = -np.inf
        siblings = weights[
            (network.leaf_phase == network.leaf_phase[leaf]) & (activation > -np.inf)
        ]
        if not siblings.any():
            continue  # the last leaf of its phase
        pruned = replace(network, leaf_activation=activation)
        error = evaluate(pruned, samples).stiffness.mean
        if error > limit:
            break
        network = pruned
        if weights[leaf] > 0:
            table.append((table[-1][0] - 1, error))
    return network, table
