"""Campaigns: the training sets of a family, computed sample by sample, whatever comes in between.

Every result goes to a journal beside its training set as it comes, so that a killed campaign goes
on where it was; the training set itself appears whole, when the last of its results is there. What
a result is depends on its key alone, not on who computes it, when, or in which order.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dmn_fem.homogenization._executors import Workers
from dmn_fem.homogenization._journal import Journal, Key, refuse_other_recipe
from dmn_fem.homogenization._plan import ITSELF, ImageError, Plan

Progress = Callable[[str, int, int], None]
"""Told what is being computed, how many results of the campaign there are, and of how many."""


class CampaignError(RuntimeError):
    """A campaign could not go on; what it had is kept."""


def silent(what: str, done: int, count: int) -> None:
    """Progress that nobody wants to see."""


def run(plans: Sequence[Plan[Any]], workers: Workers, progress: Progress = silent) -> None:
    """Compute what the training sets lack.

    Args:
        plans: The sets, in the order in which they are computed.
        workers: Who computes.
        progress: Called once before the first result, and after every one.

    Raises:
        ValueError: If a file is damaged, foreign, of another recipe, larger than asked for, or in
            use; it is left as it is, and nothing is computed.
        CampaignError: If a result cannot be computed, or a worker ended; all others are kept.
        OSError: If a file cannot be written.
    """
    with ExitStack() as stack:
        sets = [_Making(plan, stack) for plan in plans]
        count = sum(len(plan.keys) for plan in plans)
        done = count - sum(len(making.missing) for making in sets)
        progress("samples", done, count)
        jobs = (job for making in sets for job in making.jobs())
        try:
            for job, result in _results(jobs, workers):
                job.making.keep(job.key, result)
                done += 1
                progress(job.title, done, count)
        except BrokenExecutor as error:
            raise CampaignError(
                "a worker ended abruptly (killed, or out of memory); the same call goes on from "
                f"the {done} results of {count} that are kept"
            ) from error


@dataclass(frozen=True)
class _Job:
    """A result to compute: whose it is, and the arguments of the plan's function."""

    making: "_Making"
    key: Key
    task: tuple[Any, ...]

    @property
    def title(self) -> str:
        """What progress says."""
        path = self.making.plan.path
        return path.stem + ("" if self.key[0] == ITSELF else ", error budget")

    @property
    def name(self) -> str:
        """What an error says."""
        plan = self.making.plan
        return f"{plan.path}: {plan.name(self.key)}"


class _Making:
    """A training set, as far as it is there; the stack closes its journal."""

    def __init__(self, plan: Plan[Any], stack: ExitStack) -> None:
        self.plan = plan
        self._results: dict[Key, Any] = {}
        self._journal: Journal[Any] | None = None
        beside = plan.path.with_name(plan.path.name + ".journal")
        if not self._read_set() or beside.exists():
            identity = {key: value for key, value in plan.recipe.items() if key not in plan.grows}
            self._journal = plan.journal(beside, identity)
            stack.callback(self._journal.close)
            # Another campaign may have finished the set before this one held the journal.
            self._read_set()
            self._results |= self._journal.results()
        self.missing = [key for key in plan.keys if key not in self._results]
        self._left = len(self.missing)
        self._finish()

    def jobs(self) -> Iterator[_Job]:
        """What is missing, images being made one by one."""
        for key, task in zip(self.missing, self.plan.tasks(self.missing), strict=True):
            yield _Job(self, key, task)

    def keep(self, key: Key, result: Any) -> None:
        """Take a result that was missing."""
        assert self._journal is not None
        self._journal.append(key, result)
        self._results[key] = result
        self._left -= 1
        self._finish()

    def _finish(self) -> None:
        """Write the set, if all of it is there and was not before."""
        if self._journal is not None and self._left == 0:
            self.plan.write(self._results)
            self._journal.remove()

    def _read_set(self) -> bool:
        """Take the results of the file, if it is there; tell whether it is what is asked for."""
        path, wanted = self.plan.path, self.plan.recipe
        if not path.exists():
            return False
        found, results = self.plan.read()
        refuse_other_recipe(path, found | {key: wanted[key] for key in self.plan.grows}, wanted)
        self._results |= results
        return found == wanted


def _results(jobs: Iterator[_Job], workers: Workers) -> Iterator[tuple[_Job, Any]]:
    """Results as they come; after a failure those that were still on their way, and then it."""
    running: dict[Future[Any], _Job] = {}
    failure: BaseException | None = None
    while True:
        try:
            free = workers.capacity - len(running) if failure is None else 0
            for job in islice(jobs, free):
                running[workers.executor.submit(job.making.plan.compute, *job.task)] = job
        except ImageError as error:
            failure = CampaignError(str(error))
        except BrokenExecutor as error:
            failure = error
        if not running:
            break
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            problem = future.exception()
            if problem is None:
                yield job, future.result()
            elif isinstance(problem, ValueError | MemoryError):
                failure = CampaignError(f"{job.name}: {problem}")
            else:
                failure = problem
        if failure is not None:
            running = {future: job for future, job in running.items() if not future.cancel()}
    if failure is not None:
        raise failure
