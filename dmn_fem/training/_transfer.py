"""Transfer: from a network of one microstructure to those of others.

How much of a network is kept is for `Settings.frozen` to say: nothing frozen is a
fine-tuning, frozen normals are a frozen featurizer. The baseline is `rescale`: no training at all.

References:
    Liu, Wu and Koishi (2019), Transfer learning of deep material network for seamless
    structure-property predictions, Comput. Mech. 64, 451-465.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from numpy.typing import ArrayLike

from dmn_fem.network import Network
from dmn_fem.training._fit import Fit, fit
from dmn_fem.training._inelastic import InelasticSamples
from dmn_fem.training._samples import Samples
from dmn_fem.training._settings import Progress, Settings


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
    order: Literal["chain", "star"] = "chain",
    inelastic: Sequence[InelasticSamples | None] | None = None,
    directory: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Fit]:
    """Train a network for every target, each started from a trained one.

    Tree and leaf phases stay, and neighbours stay close: that is what makes the networks
    interpolable.

    Args:
        base: A trained network: of a `Fit`, or of a database at a value of its descriptors.
        targets: Training and held-out samples of every target.
        settings: How to train, and what of the base stays (`Settings.frozen`).
        order: In a chain the first target starts from the base, each further one from the one
            before; in a star all of them start from the base. Order the targets of a chain so that
            neighbours resemble each other, and begin where the microstructure is densest: leaves
            that a dilute one lets die do not come back. (Discs from 0.1 to 0.6, 500 iterations: 32
            and 70 of 128 leaves alive and 0.56 and 0.38 % at 0.6; from 0.6 to 0.1 104 and 110, 0.27
            and 0.25 %, and no more than that anywhere.)
        inelastic: Inelastic answers of every target to fit as well, None where there are none.
        directory: Where the checkpoints ``target_0.checkpoint`` … go. A killed transfer goes on
            from them to the same result, and finished targets are not trained again.
        progress: Called as in `fit`; `Progress.start` is the number of the target.

    Raises:
        ValueError: If samples do not fit the network, or there are not as many inelastic answers as
            targets.
        CheckpointError: If a checkpoint belongs to another transfer.
    """
    if order not in ("chain", "star"):
        raise ValueError(f"order is {order!r}; it must be chain or star")
    if inelastic is not None and len(inelastic) != len(targets):
        raise ValueError(
            f"{len(inelastic)} inelastic answers for {len(targets)} targets; each needs one or None"
        )
    fits: list[Fit] = []
    for number, (training, held_out) in enumerate(targets):
        file = None if directory is None else Path(directory) / f"target_{number}.checkpoint"
        start = fits[-1].network if fits and order == "chain" else base
        fits.append(
            fit(
                rescale(start, training.phase_fraction),
                training,
                held_out,
                settings,
                inelastic=None if inelastic is None else inelastic[number],
                checkpoint=file,
                progress=progress,
                start=number,
            )
        )
    return fits
