"""Several starts of a training, in this process or in several, and the best of them."""

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba

from dmn_fem._workers import end_with_parent
from dmn_fem.network import Network
from dmn_fem.training._fit import Fit, fit
from dmn_fem.training._inelastic import InelasticSamples
from dmn_fem.training._samples import Samples
from dmn_fem.training._settings import Progress, Settings

_SOFT = 1e4, 1e2
"""How many times stiffer than voids a phase is at first that approaches one."""
_APPROACH = 200  # iterations with each of them


def fit_best(
    starts: Sequence[Network],
    training: Samples,
    held_out: Samples,
    settings: Settings | None = None,
    *,
    inelastic: InelasticSamples | None = None,
    validate: Callable[[Network], float] | None = None,
    void: int | None = None,
    directory: str | os.PathLike[str] | None = None,
    processes: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Fit, list[Fit]]:
    """Fit from several starts: the best one, and all of them.

    The best one has the least mean held-out error in stiffness. With `validate` it has the least
    product of that error and the validated one: whoever halves the one may double the other,
    whatever their sizes.

    Args:
        starts: Networks to start from.
        training: Samples to fit.
        held_out: Samples to choose with.
        settings: How to fit.
        inelastic: Inelastic answers to fit as well.
        validate: Error of a network in something that it was not fitted to, as the response along
            an inelastic path; called once a fit, in this process, and kept as
            `Fit.validation_error`.
        void: Number of the phase that is void, if one is. Starts are then fitted at first as if it
            were merely soft: from a random start, where a laminate with a void carries nothing, the
            gradient leads nowhere, and in the plane such networks stay 30 % off.
        directory: Where the checkpoints ``start_0.checkpoint`` … go; none are kept without. A
            killed call goes on from them to the same result.
        processes: How many starts run at once; the result does not depend on it. With more than
            one a script that calls this needs the usual ``if __name__ == "__main__":``.
        progress: Called in this process, see `fit`.

    Raises:
        ValueError: If there is no start, or a start does not fit the samples.
        CheckpointError: If a checkpoint belongs to another training.
    """
    if not starts:
        raise ValueError("no starts; there must be at least one network to start from")
    jobs: list[dict[str, Any]] = [
        {
            "network": network,
            "training": training,
            "held_out": held_out,
            "settings": settings,
            "inelastic": inelastic,
            "checkpoint": None if directory is None else Path(directory) / f"start_{k}.checkpoint",
            "start": k,
            "void": void,
        }
        for k, network in enumerate(starts)
    ]
    if processes == 1:
        fits = [_fit_start(**job, progress=progress) for job in jobs]
    else:
        fits = _fit_elsewhere(jobs, processes, progress)
    if validate is not None:
        fits = [replace(each, validation_error=validate(each.network)) for each in fits]
    return min(fits, key=_score), fits


def _fit_start(
    network: Network, training: Samples, held_out: Samples, *, void: int | None, **arguments: Any
) -> Fit:
    """`fit` of a start, behind the approach to a void if there is one."""
    if void is not None:
        for factor in _SOFT:
            soft, checking = (_stiffened(each, void, factor) for each in (training, held_out))
            network = fit(network, soft, checking, Settings(iterations=_APPROACH)).network
    return fit(network, training, held_out, **arguments)


def _stiffened(samples: Samples, phase: int, factor: float) -> Samples:
    """Samples of which one phase is so many times stiffer, and the answers are not."""
    stiffness = samples.phase_stiffness.copy()
    stiffness[:, phase] *= factor
    return replace(samples, phase_stiffness=stiffness)


def _score(fitted: Fit) -> float:
    """What the best of several starts has least of; a network without an answer is the worst."""
    validated = 1.0 if fitted.validation_error is None else fitted.validation_error
    score = fitted.held_out.stiffness.mean * validated
    return math.inf if math.isnan(score) else score


def _fit_elsewhere(
    jobs: list[dict[str, Any]], processes: int, progress: Callable[[Progress], None] | None
) -> list[Fit]:
    """Fits in other processes, their progress told in this one."""
    # A fresh interpreter each: threads of PyTorch do not survive a fork.
    context = multiprocessing.get_context("spawn")
    queue, stop = context.SimpleQueue(), context.Event()
    with ProcessPoolExecutor(
        processes, context, initializer=_start_process, initargs=(queue, stop)
    ) as pool:
        futures = [pool.submit(_fit_here, job) for job in jobs]
        try:
            running = True
            while running:
                ended, others = wait(futures, timeout=0.2, return_when=FIRST_EXCEPTION)
                while not queue.empty():
                    report = queue.get()
                    if progress:
                        progress(report)
                running = bool(others) and not any(each.exception() for each in ended)
            # The error of one start is that of all: it is raised here before others have ended.
            return [each.result() for each in futures if each in ended]
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(each.done() for each in futures):
                while not queue.empty():  # a worker must not wait for a full pipe
                    queue.get()
                time.sleep(0.05)


class _Stopped(Exception):
    """Nobody waits for this training any more; its checkpoint is written."""


_queue: Any = None
_stop: Any = None


def _start_process(queue: Any, stop: Any) -> None:
    """Set up a worker process: where its progress goes, and when it ends."""
    global _queue, _stop
    _queue, _stop = queue, stop
    end_with_parent()
    # An interrupt reaches the whole process group: the parent tells its workers to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    numba.set_num_threads(1)  # the processes share the cores


def _fit_here(job: dict[str, Any]) -> Fit:
    """`_fit_start` in a worker process."""
    return _fit_start(**job, progress=_tell)


def _tell(report: Progress) -> None:
    """Progress of a worker process."""
    if _stop.is_set():
        raise _Stopped
    _queue.put(report)
