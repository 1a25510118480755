"""Transfer: from a network of one microstructure to that of a neighbouring one, and on.

References:
    Liu, Wu and Koishi (2019), Transfer learning of deep material network for seamless
    structure-property predictions, Comput. Mech. 64, 451-465.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from dmn_fem.network import Network
from dmn_fem.training._fit import Fit, Progress, Settings, fit
from dmn_fem.training._samples import Samples


def rescale(network: Network, phase_fraction: ArrayLike) -> Network:
    """The naive transfer to other volume fractions (Liu, Wu and Koishi 2019): a start, no result.

    Liu multiplies the weights of each phase by (1 - v_t)/(1 - v_b) or v_t/v_b and leaves the
    angles. Weights that are normalised within phases do that once the fractions are set.

    Args:
        network: The base.
        phase_fraction: Volume fractions of the target, (P,).
    """
    return network.with_phase_fraction(phase_fraction)


def transfer_chain(
    base: Network,
    targets: Sequence[tuple[Samples, Samples]],
    settings: Settings | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Fit]:
    """Train a network for every target, each started from the one before, the first from the base.

    Tree and leaf phases stay, and neighbours stay close: that is what makes the networks
    interpolable. Order the targets so that neighbours resemble each other, the dilute end first.

    Args:
        base: A trained network.
        targets: Training and held-out samples of every target.
        settings: How to fine-tune.
        directory: Where the checkpoints ``target_0.checkpoint`` … go. A killed chain goes on from
            them to the same result, and finished targets are not trained again.
        progress: Called as in `fit`; `Progress.start` is the number of the target.

    Raises:
        ValueError: If samples do not fit the network.
        CheckpointError: If a checkpoint belongs to another chain.
    """
    fits: list[Fit] = []
    for number, (training, held_out) in enumerate(targets):
        file = None if directory is None else Path(directory) / f"target_{number}.checkpoint"
        start = rescale(fits[-1].network if fits else base, training.phase_fraction)
        fits.append(
            fit(
                start,
                training,
                held_out,
                settings,
                checkpoint=file,
                progress=progress,
                start=number,
            )
        )
    return fits
