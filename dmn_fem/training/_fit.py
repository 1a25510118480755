"""Fitting a network to samples: L-BFGS and Adam, resumable."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numba
import torch

from dmn_fem.network import Network
from dmn_fem.training._checkpoint import Checkpoint
from dmn_fem.training._inelastic import InelasticSamples
from dmn_fem.training._run import Run
from dmn_fem.training._samples import ErrorReport, Errors, Samples, evaluate
from dmn_fem.training._settings import Progress, Settings


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted network and how good it is.

    Attributes:
        network: The network.
        training: Errors on the samples it was fitted to.
        held_out: Errors on samples it was not fitted to.
        inelastic: Errors on the inelastic samples it was fitted to, if there were any.
        history: What was reported on the way.
        validation_error: What `fit_best` validated it to, if it was asked to.
    """

    network: Network
    training: ErrorReport
    held_out: ErrorReport
    inelastic: Errors | None
    history: list[Progress] = field(repr=False)
    validation_error: float | None = None

    @property
    def learning_curve(self) -> list[list[float]]:
        """Rows of step, training error and held-out error, as JSON knows them."""
        return [[each.step, each.training_error, each.held_out_error] for each in self.history]


def fit(
    network: Network,
    training: Samples,
    held_out: Samples,
    settings: Settings | None = None,
    *,
    inelastic: InelasticSamples | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    start: int = 0,
) -> Fit:
    """Fit activations, normals and, where the network has them, leaf orientations to samples.

    The loss is the mean over samples of ‖C̄_dns - C̄_dmn‖² / ‖C̄_dns‖² (Frobenius), plus that of
    the inelastic samples, in double precision. Sums have one order, whatever the number of threads,
    so that a result depends on its arguments alone.

    Args:
        network: The start; its phase fractions are set to those of the samples. Its dead leaves
            stay dead.
        training: Samples to fit.
        held_out: Samples to report on, and to stop by if the settings say so.
        settings: How to fit, and what of the start stays.
        inelastic: Inelastic answers to fit as well.
        checkpoint: A file that keeps the state. A killed training goes on from it to the same
            result, bit by bit; a finished one returns it at once.
        progress: Called after every epoch of Adam and every 20 iterations of L-BFGS.
        start: Number of this start in `Progress`.

    Raises:
        ValueError: If network, samples and settings do not fit together.
        CheckpointError: If the checkpoint belongs to another training.

    Warns:
        CheckpointWarning: If a checkpoint is damaged and an older state is used.
    """
    settings = settings or Settings()
    for samples in (training, held_out):
        check(network, samples)
    network = network.with_phase_fraction(training.phase_fraction)
    fingerprint = fingerprint_of(network, training, held_out, settings, inelastic)
    store = None if checkpoint is None else Checkpoint(checkpoint, fingerprint)
    with one_thread():
        run = Run(network, training, held_out, settings, inelastic, start)
        state = store.load() if store else None
        if state is not None:
            run.load(state)
        while not run.finished:
            report = run.advance()
            if store:
                store.save(run.state())
            if progress:
                progress(report)
        result = run.result()
        return Fit(
            network=result,
            training=evaluate(result, training),
            held_out=evaluate(result, held_out),
            inelastic=None if inelastic is None else inelastic.errors(result),
            history=run.history,
        )


def check(network: Network, samples: Samples) -> None:
    """Network and samples are of the same kind."""
    if network.leaves < 2:
        raise ValueError("network has one leaf; training needs at least two")
    size = 3 if network.dimension == 2 else 6
    phases, found = len(network.phases), samples.phase_stiffness.shape
    if found[1] != phases or found[-1] != size:
        raise ValueError(
            f"samples have {found[1]} phases of {found[-1]} components; "
            f"the network needs {phases} phases of {size} components"
        )


def fingerprint_of(
    network: Network,
    training: Samples,
    held_out: Samples,
    settings: Settings,
    inelastic: InelasticSamples | None,
) -> str:
    """SHA-256 of all that determines the result."""
    kind = (network.dimension, network.phases, settings, training.digest(), held_out.digest())
    further = None if inelastic is None else inelastic.digest()
    digest = hashlib.sha256(repr((*kind, further)).encode())
    for array in (
        network.leaf_phase,
        network.phase_fraction,
        network.leaf_activation,
        network.normal_angles,
        network.leaf_orientation,
    ):
        digest.update(b"none" if array is None else array.tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread: tensors are small, and sums then have one order."""
    numba.get_num_threads()  # starts Numba's threads, which set those of PyTorch when they start
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
