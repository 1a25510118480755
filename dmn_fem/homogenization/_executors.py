"""Who computes a campaign: this process, further ones, or MPI ranks.

mpi4py is imported when ranks are asked for, and by nobody else.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from dmn_fem._workers import end_with_parent


@dataclass(frozen=True)
class Workers:
    """Who computes.

    Attributes:
        executor: Takes the tasks.
        capacity: Tasks that it is given before one is done, so that no worker waits.
    """

    executor: Executor
    capacity: int


@contextmanager
def start_processes(count: int = 1) -> Iterator[Workers]:
    """Start processes that compute, and end them; one is this process itself.

    Args:
        count: Number of processes. More than one are spawned: a script that calls this needs the
            usual ``if __name__ == "__main__":``.

    Raises:
        ValueError: If there is no process.
    """
    if count < 1:
        raise ValueError(f"processes is {count}; there must be at least one")
    if count == 1:
        yield Workers(_Here(), 1)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_start_process) as executor:
        try:
            yield Workers(executor, 2 * count)
        finally:
            executor.shutdown(cancel_futures=True)


@contextmanager
def start_ranks() -> Iterator[Workers | None]:
    """Let MPI ranks compute; all ranks of the world call this.

    Rank 0 gets the workers: all other ranks, or itself if it is alone. The others compute, and get
    None when rank 0 is done.
    """
    from mpi4py import MPI
    from mpi4py.futures import MPICommExecutor

    with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
        if executor is None:
            yield None
        else:  # typed as what makes it
            yield Workers(cast(Executor, executor), 2 * MPI.COMM_WORLD.size)


def _start_process() -> None:
    end_with_parent()
    # An interrupt reaches the whole process group: the parent says so, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Here(Executor):
    """Runs a task at once, in this process."""

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, **options: Any
    ) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **options))
        except (ValueError, MemoryError) as error:
            future.set_exception(error)
        return future
