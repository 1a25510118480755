"""How a network is fitted, what of it stays as it is, and what is said on the way."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dmn_fem.network import Network


@dataclass(frozen=True)
class Frozen:
    """What a training leaves as it is in its start.

    The leaves are the end of a network where the phases enter, its first layer; the root, level 0
    of the tree, answers: it is the last layer. "Train the last k of K layers only" is
    ``Frozen(weights=True, orientations=True, lower_levels=K - k)``.

    Attributes:
        weights: The weights of the leaves within their phases.
        orientations: The orientations of the leaves.
        normals: The normals of all levels.
        upper_levels: The normals of so many levels, from the root on.
        lower_levels: The normals of so many levels, from the leaves on.

    Raises:
        ValueError: If a number of levels is negative.
    """

    weights: bool = False
    orientations: bool = False
    normals: bool = False
    upper_levels: int = 0
    lower_levels: int = 0

    def __post_init__(self) -> None:
        for name in ("upper_levels", "lower_levels"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")

    def trained(self, network: Network) -> dict[str, NDArray[np.bool_]]:
        """Which numbers of a network are trained, by the name of its array and in its shape.

        Raises:
            ValueError: If none is, as in a network of one leaf, or if the network has fewer levels
                than are to stay.
        """
        if network.leaves < 2:
            raise ValueError("network has one leaf; training needs at least two")
        nodes = np.arange(1, network.leaves)
        level = np.frexp(nodes)[1] - 1  # node i of the heap is on level ⌊log2(i + 1)⌋
        levels = int(level[-1]) + 1
        for name in ("upper_levels", "lower_levels"):
            if getattr(self, name) > levels:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; a network of {network.leaves} leaves has "
                    f"{levels} level{'s' if levels > 1 else ''} of normals"
                )
        upper, lower = self.upper_levels, levels - self.lower_levels
        node_trained = (level >= upper) & (level < lower) & (not self.normals)
        trained = {
            "leaf_activation": np.full(network.leaves, not self.weights),
            "normal_angles": np.broadcast_to(node_trained[:, None], network.normal_angles.shape),
        }
        if network.leaf_orientation is not None:
            shape = network.leaf_orientation.shape
            trained["leaf_orientation"] = np.full(shape, not self.orientations)
        if not any(mask.any() for mask in trained.values()):
            raise ValueError(f"{self} leaves nothing to train of {network.leaves} leaves")
        return trained


@dataclass(frozen=True)
class Settings:
    """How to fit.

    Attributes:
        optimizer: ``lbfgs`` (full batch, strong Wolfe line search), ``adam`` (mini-batches, cosine
            rate), or ``adam+lbfgs``, one after the other.
        iterations: Of L-BFGS, at most; rounded up to a multiple of 20.
        memory: Pairs that L-BFGS keeps; more than 100 brought nothing, 20 left a tenth more error.
        epochs: Of Adam.
        batch: Samples in a mini-batch of Adam.
        rate: Adam's first learning rate.
        seed: Order of the mini-batches.
        frozen: What is not trained.
        patience: Stop an optimizer when its last `patience` reports (20 iterations, or one epoch,
            each) brought the held-out error, plus the inelastic one if there is any, down by less
            than the share `improvement`, and return the best network that was reported instead of
            the last one. The held-out samples then take part in the training. None: all iterations
            are made.
        improvement: See `patience`.

    Raises:
        ValueError: If one of them is out of range.
    """

    optimizer: Literal["lbfgs", "adam", "adam+lbfgs"] = "lbfgs"
    iterations: int = 1000
    memory: int = 100
    epochs: int = 300
    batch: int = 20
    rate: float = 0.02
    seed: int = 0
    frozen: Frozen = Frozen()
    patience: int | None = None
    improvement: float = 0.01

    def __post_init__(self) -> None:
        if self.optimizer not in ("lbfgs", "adam", "adam+lbfgs"):
            raise ValueError(
                f"optimizer is {self.optimizer!r}; it must be lbfgs, adam or adam+lbfgs"
            )
        for name in ("iterations", "memory", "epochs", "batch", "rate", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}; it must be positive")
        if not 0 <= self.improvement < 1:
            raise ValueError(f"improvement is {self.improvement}; it must lie in [0, 1)")


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        start: Which of several starts, or targets of a transfer.
        optimizer: ``adam`` or ``lbfgs``.
        step: Epochs and iterations done, of all optimizers together.
        steps: Epochs and iterations asked for.
        training_error: Mean relative error on the training samples.
        held_out_error: The same on held-out samples.
        inelastic_error: Mean relative error on the inelastic samples, None without.
        seconds: Time spent since the start, without what lay between a kill and its resumption; not
            compared.
    """

    start: int
    optimizer: str
    step: int
    steps: int
    training_error: float
    held_out_error: float
    inelastic_error: float | None
    seconds: float = field(compare=False)

    @property
    def monitored_error(self) -> float:
        """Held-out error plus the inelastic one: what an early stop looks at."""
        return self.held_out_error + (self.inelastic_error or 0.0)
