"""Fitting a network to samples: L-BFGS and Adam, several starts, resumable."""

import contextlib
import hashlib
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dmn_fem._workers import end_with_parent
from dmn_fem.network import Network
from dmn_fem.training._checkpoint import Checkpoint
from dmn_fem.training._model import TorchNetwork
from dmn_fem.training._samples import ErrorReport, Samples, evaluate

_CHUNK = 20  # L-BFGS iterations between two checkpoints


@dataclass(frozen=True)
class Settings:
    """How to fit.

    Attributes:
        optimizer: ``lbfgs`` (full batch, strong Wolfe line search), ``adam`` (mini-batches, cosine
            rate), or ``adam+lbfgs``, one after the other.
        iterations: Of L-BFGS, at most; rounded up to a multiple of 20.
        memory: Pairs that L-BFGS keeps.
        epochs: Of Adam.
        batch: Samples in a mini-batch of Adam.
        rate: Adam's first learning rate.
        seed: Order of the mini-batches.

    Raises:
        ValueError: If one of them is out of range.
    """

    optimizer: Literal["lbfgs", "adam", "adam+lbfgs"] = "lbfgs"
    iterations: int = 1000
    memory: int = 20
    epochs: int = 300
    batch: int = 20
    rate: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in ("lbfgs", "adam", "adam+lbfgs"):
            raise ValueError(
                f"optimizer is {self.optimizer!r}; it must be lbfgs, adam or adam+lbfgs"
            )
        for name in ("iterations", "memory", "epochs", "batch", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        start: Which of several starts.
        optimizer: ``adam`` or ``lbfgs``.
        step: Epochs or iterations done.
        steps: Epochs or iterations asked for.
        training_error: Mean relative error on the training samples.
        held_out_error: The same on held-out samples.
    """

    start: int
    optimizer: str
    step: int
    steps: int
    training_error: float
    held_out_error: float


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted network and how good it is.

    Attributes:
        network: The network.
        training: Errors on the samples it was fitted to.
        held_out: Errors on samples it never saw.
        history: What was reported on the way.
    """

    network: Network
    training: ErrorReport
    held_out: ErrorReport
    history: list[Progress] = field(repr=False)


def fit(
    network: Network,
    training: Samples,
    held_out: Samples,
    settings: Settings | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    start: int = 0,
) -> Fit:
    """Fit activations and normals to samples.

    The loss is the mean over samples of ‖C̄_dns - C̄_dmn‖² / ‖C̄_dns‖² (Frobenius), in double
    precision on one thread, so that a result depends on its arguments alone.

    Args:
        network: The start; its phase fractions are set to those of the samples.
        training: Samples to fit.
        held_out: Samples to report on.
        settings: How to fit.
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
        _check(network, samples)
    network = network.with_phase_fraction(training.phase_fraction)
    fingerprint = _fingerprint(network, training, held_out, settings)
    store = None if checkpoint is None else Checkpoint(checkpoint, fingerprint)
    with _one_thread():
        run = _Run(TorchNetwork(network), training, held_out, settings, start)
        state = store.load() if store else None
        if state is not None:
            run.load(state)
        while not run.finished:
            report = run.advance()
            if store:
                store.save(run.state())
            if progress:
                progress(report)
        result = run.module.network()
        return Fit(result, evaluate(result, training), evaluate(result, held_out), run.history)


def fit_best(
    starts: Sequence[Network],
    training: Samples,
    held_out: Samples,
    settings: Settings | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    processes: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Fit, list[Fit]]:
    """Fit from several starts; the best by its mean held-out error in stiffness, and all of them.

    Args:
        starts: Networks to start from.
        training: Samples to fit.
        held_out: Samples to choose with.
        settings: How to fit.
        directory: Where the checkpoints ``start_0.checkpoint`` … go; none are kept without.
        processes: How many starts run at once; the result does not depend on it.
        progress: Called in this process, see `fit`.
    """
    if not starts:
        raise ValueError("no starts; there must be at least one network to start from")
    jobs = [
        (network, None if directory is None else Path(directory) / f"start_{k}.checkpoint", k)
        for k, network in enumerate(starts)
    ]
    if processes == 1:
        fits = [
            fit(network, training, held_out, settings, checkpoint=file, progress=progress, start=k)
            for network, file, k in jobs
        ]
    else:
        # A fresh interpreter each: threads of PyTorch do not survive a fork.
        context = multiprocessing.get_context("spawn")
        queue = context.SimpleQueue()
        with ProcessPoolExecutor(
            processes, context, initializer=_remember, initargs=(queue,)
        ) as pool:
            futures = [
                pool.submit(_fit_elsewhere, network, training, held_out, settings, file, k)
                for network, file, k in jobs
            ]
            running = True
            while running:
                running = bool(wait(futures, timeout=0.2).not_done)
                while not queue.empty():
                    report = queue.get()
                    if progress:
                        progress(report)
            fits = [future.result() for future in futures]
    return min(fits, key=lambda each: each.held_out.stiffness.mean), fits


_queue: Any = None


def _remember(queue: Any) -> None:
    """Set up a worker process: where its progress goes, and that it ends with its parent."""
    global _queue
    _queue = queue
    end_with_parent()


def _fit_elsewhere(
    network: Network,
    training: Samples,
    held_out: Samples,
    settings: Settings | None,
    checkpoint: Path | None,
    start: int,
) -> Fit:
    """`fit` in a worker process."""
    return fit(
        network,
        training,
        held_out,
        settings,
        checkpoint=checkpoint,
        progress=_queue.put,
        start=start,
    )


class _Run:
    """A training as a sequence of steps, with all that determines the next one in its state."""

    def __init__(
        self,
        module: TorchNetwork,
        training: Samples,
        held_out: Samples,
        settings: Settings,
        start: int,
    ) -> None:
        self.module = module
        self.settings = settings
        self.start = start
        self.history: list[Progress] = []
        self.data = self._packed(training)
        self.held_out = self._packed(held_out)
        self.generator = torch.Generator().manual_seed(settings.seed)
        lengths = {"adam": settings.epochs, "lbfgs": settings.iterations}
        self.stages = [(name, lengths[name]) for name in settings.optimizer.split("+")]
        self.stage, self.step = 0, 0
        self.optimizer = self._optimizer()

    @property
    def finished(self) -> bool:
        return self.stage == len(self.stages)

    def advance(self) -> Progress:
        """One epoch of Adam, or a chunk of L-BFGS."""
        name, steps = self.stages[self.stage]
        done = self._adam(steps) if name == "adam" else self._lbfgs()
        report = Progress(
            start=self.start,
            optimizer=name,
            step=self.step,
            steps=steps,
            training_error=self._error(*self.data),
            held_out_error=self._error(*self.held_out),
        )
        self.history.append(report)
        if done or self.step >= steps:
            self.stage, self.step = self.stage + 1, 0
            if not self.finished:
                self.optimizer = self._optimizer()
        return report

    def state(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "stage": self.stage,
            "step": self.step,
            "history": [asdict(report) for report in self.history],
        }

    def load(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.generator.set_state(state["generator"])
        self.stage, self.step = state["stage"], state["step"]
        self.history = [Progress(**report) for report in state["history"]]
        if not self.finished:
            self.optimizer = self._optimizer()
            self.optimizer.load_state_dict(state["optimizer"])

    def _packed(self, samples: Samples) -> tuple[Tensor, Tensor]:
        pack = self.module.pack
        return pack(torch.tensor(samples.phase_stiffness)), pack(torch.tensor(samples.stiffness))

    def _optimizer(self) -> torch.optim.Optimizer:
        if self.stages[self.stage][0] == "adam":
            return torch.optim.Adam(self.module.parameters(), lr=self.settings.rate)
        return torch.optim.LBFGS(
            self.module.parameters(),
            max_iter=_CHUNK,
            max_eval=25 * _CHUNK,
            history_size=self.settings.memory,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

    def _adam(self, epochs: int) -> bool:
        rate = 0.5 * self.settings.rate * (1 + math.cos(math.pi * self.step / epochs))
        self.optimizer.param_groups[0]["lr"] = rate
        phases, reference = self.data
        order = torch.randperm(reference.shape[-1], generator=self.generator)
        for batch in order.split(self.settings.batch):
            self.optimizer.zero_grad()
            self._loss(phases[..., batch], reference[..., batch]).backward()
            self.optimizer.step()
        self.step += 1
        return False

    def _lbfgs(self) -> bool:
        def closure() -> Tensor:
            self.optimizer.zero_grad()
            loss = self._loss(*self.data)
            loss.backward()
            return loss

        self.optimizer.step(closure)
        (memory,) = self.optimizer.state.values()
        before, self.step = self.step, memory["n_iter"]
        return self.step - before < _CHUNK  # no step reduces the loss any more

    def _loss(self, phases: Tensor, reference: Tensor) -> Tensor:
        return self._squared_errors(phases, reference).mean()

    @torch.no_grad()
    def _error(self, phases: Tensor, reference: Tensor) -> float:
        return float(self._squared_errors(phases, reference).sqrt().mean())

    def _squared_errors(self, phases: Tensor, reference: Tensor) -> Tensor:
        """‖C̄_dns - C̄_dmn‖² / ‖C̄_dns‖² of every sample."""
        squares = self.module.squares
        return squares(self.module.homogenise(phases) - reference) / squares(reference)


def _check(network: Network, samples: Samples) -> None:
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


def _fingerprint(network: Network, *parts: Samples | Settings) -> str:
    """SHA-256 of all that determines the result."""
    digest = hashlib.sha256(repr((network.dimension, network.phases)).encode())
    for array in (
        network.leaf_phase,
        network.phase_fraction,
        network.leaf_activation,
        network.normal_angles,
    ):
        digest.update(array.tobytes())
    for part in parts:
        digest.update((part.digest() if isinstance(part, Samples) else repr(part)).encode())
    return digest.hexdigest()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Run PyTorch on one thread: tensors are small, and sums then have one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
