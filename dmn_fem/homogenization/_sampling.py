"""The sampling campaign: one microstructure, many phase stiffnesses, a training set at the end.

Finished samples go to a journal beside the training set, so that a killed campaign goes on where it
was. The training set itself is written once, at the end.
"""

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dmn_fem.homogenization._draw import draw_phase_stiffness
from dmn_fem.homogenization._elastic import EffectiveStiffness, homogenize
from dmn_fem.homogenization._journal import Journal, refuse_other_recipe
from dmn_fem.homogenization._training_set import TrainingSet
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array

Progress = Callable[[int, int], None]
"""Told how many samples are done, and of how many."""


def _silent(done: int, count: int) -> None:
    """Progress that nobody wants to see."""


def sample(
    image: PhaseImage,
    path: str | os.PathLike[str],
    count: int,
    seed: int,
    tolerance: float = 1e-4,
    processes: int = 1,
    descriptors: Mapping[str, float] | None = None,
    progress: Progress = _silent,
) -> TrainingSet:
    """Make a training set, or finish one that was interrupted, or read one that is there.

    The result depends on image, count, seed and tolerance alone, to the last bit: not on
    interruptions and not on the number of processes.

    Args:
        image: The microstructure.
        path: The HDF5 file to write; the journal of an unfinished campaign stands beside it.
        count: Number of samples.
        seed: Of the phase stiffnesses, see `draw_phase_stiffness`.
        tolerance: Relative residual of the full fields, see `homogenize`.
        processes: Processes that compute. With more than one they are spawned: a script that calls
            this needs the usual ``if __name__ == "__main__":``.
        descriptors: What describes the microstructure, by name; the volume fraction of the last
            phase, if not given.
        progress: Called after every sample, and once before the first.

    Raises:
        ValueError: If the file or the journal is damaged, foreign, of another recipe or in use (it
            is left as it is), if arguments are out of range, or if a full field does not converge.
    """
    path = Path(path)
    if processes < 1:
        raise ValueError(f"processes is {processes}; there must be at least one")
    stiffnesses = draw_phase_stiffness(image.dimension, len(image.names), count, seed)
    if descriptors is None:
        descriptors = {"volume_fraction": float(image.volume_fractions[-1])}
    recipe: dict[str, Any] = {
        "generator": "orthotropic phases after Liu, Wu and Koishi (2019)",
        "seed": int(seed),
        "count": int(count),
        "tolerance": float(tolerance),
        "phases": list(image.names),
        "phase_image": hashlib.sha256(image.phases.tobytes()).hexdigest(),
        "grid": image.grid,
        "descriptors": {name: float(value) for name, value in descriptors.items()},
    }
    if path.exists():
        refuse_other_recipe(path, TrainingSet.load(path).recipe, recipe)
        progress(count, count)
    else:
        beside = path.with_name(path.name + ".journal")
        with closing(Journal(beside, recipe, stiffnesses.shape[-1])) as journal:
            _finish(journal, image, stiffnesses, tolerance, processes, progress)
            records = journal.records()
            TrainingSet(
                image,
                stiffnesses,
                records["stiffness"],
                records["iterations"],
                records["residual"],
                recipe["descriptors"],
                recipe,
            ).save(path)
            journal.remove()
    return TrainingSet.load(path)


def _finish(
    journal: Journal,
    image: PhaseImage,
    stiffnesses: Array,
    tolerance: float,
    processes: int,
    progress: Progress,
) -> None:
    """Compute the samples that the journal lacks."""
    count = len(stiffnesses)
    done = len(journal.records())
    progress(done, count)
    for result in _results(image, stiffnesses[done:], tolerance, processes):
        journal.append(result)
        done += 1
        progress(done, count)


def _results(
    image: PhaseImage, stiffnesses: Array, tolerance: float, processes: int
) -> Iterator[EffectiveStiffness]:
    """Effective stiffnesses in the order of the samples."""
    if processes == 1 or len(stiffnesses) < 2:
        for phase_stiffness in stiffnesses:
            yield homogenize(image, phase_stiffness, tolerance)
        return
    executor = ProcessPoolExecutor(
        min(processes, len(stiffnesses)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(image, tolerance),
    )
    try:
        yield from executor.map(_work, stiffnesses)
    finally:
        executor.shutdown(cancel_futures=True)


_task: dict[str, Any] = {}
"""What every sample of a worker process shares."""


def _start_worker(image: PhaseImage, tolerance: float) -> None:
    _task.update(image=image, tolerance=tolerance)
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A worker whose parent was killed would wait for its next sample for ever.
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _work(phase_stiffness: Array) -> EffectiveStiffness:
    return homogenize(_task["image"], phase_stiffness, _task["tolerance"])
