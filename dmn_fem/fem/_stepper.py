"""Load stepping: adaptive increments that land on requested times, and nothing after a failure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from dolfinx import fem
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

from dmn_fem.fem._failure import StepFailed, find_failed_point, solver_failure
from dmn_fem.fem._material import MaterialField
from dmn_fem.fem._together import on_first_rank
from dmn_fem.laws import Code, PointRecord
from dmn_fem.notation import Array


@dataclass(frozen=True)
class Step:
    """An accepted step; the same on all ranks.

    Attributes:
        time: Its end.
        dt: Its length.
        iterations: SNES iterations.
        law_iterations: The most that any point needed.
        unreliable: Number of points whose law says 0, usable but unreliable.
        cutbacks: How many longer steps had failed before it.
        requested: Whether its end is one of the requested times.
    """

    time: float
    dt: float
    iterations: int
    law_iterations: int
    unreliable: int
    cutbacks: int
    requested: bool


class Stepper:
    """Advances a problem in time.

    A step that fails (the solver, or the law at a point on any rank) is undone and shortened; easy
    steps make the next one longer. Steps start from the extrapolated displacement, except after a
    failure.

    Attributes:
        time: The last accepted time; None before the first step.
        steps: How many steps were accepted.
        unknowns: Of the problem, one or several.
        rate: Of every unknown in the last step, with which the next is extrapolated.

    Args:
        problem: The stock nonlinear problem; its line search should be ``basic``, ``cp`` or
            ``nleqerr``, which give up at once where a point failed.
        fields: The material fields attached to it.
        load: Sets boundary values and forces for a time; also called to go back.
        dt: First step of a run; without it the first requested interval.
        max_cutbacks: How many times in a row a step may be shortened.
        growth: Largest factor from a step to the next.
        easy_iterations: SNES iterations up to which a step counts as easy.
        extrapolate: Whether to start from the extrapolated displacement.
        failures: Folder; the worst point of every step that failed at a point is saved there, for
            ``dmn-fem point --replay``. It is made when it is needed.

    Raises:
        ValueError: If the first step is not positive.
    """

    def __init__(
        self,
        problem: NonlinearProblem,
        fields: Sequence[MaterialField],
        load: Callable[[float], None],
        *,
        dt: float | None = None,
        max_cutbacks: int = 8,
        growth: float = 1.5,
        easy_iterations: int = 5,
        extrapolate: bool = True,
        failures: str | Path | None = None,
    ) -> None:
        if dt is not None and not dt > 0:
            raise ValueError(f"dt is {dt}; the first step must be positive")
        self.problem = problem
        self.fields = tuple(fields)
        self.load = load
        self.dt = dt
        self.max_cutbacks = max_cutbacks
        self.growth = growth
        self.easy_iterations = easy_iterations
        self.extrapolate = extrapolate
        self.failures = None if failures is None else Path(failures)
        several = isinstance(problem.u, Sequence)
        self.unknowns: tuple[fem.Function, ...] = tuple(problem.u if several else [problem.u])
        self.comm: MPI.Intracomm = self.unknowns[0].function_space.mesh.comm
        self.time: float | None = None
        self.steps = 0
        self._dt: float | None = None  # of the run under way
        self.rate: list[Array] | None = None

    def export(self) -> dict[str, float | None]:
        """Where the run is, in numbers; with `rate` and the fields it can go on from there."""
        return {"time": self.time, "steps": self.steps, "dt": self._dt}

    def restore(self, numbers: Mapping[str, Any], rate: list[Array]) -> None:
        """Be where another run was; the loads are set for its time.

        Args:
            numbers: What it exported.
            rate: Its rate.
        """
        self.time, self.steps, self._dt = (numbers[name] for name in ("time", "steps", "dt"))
        self.rate = rate
        if self.time is not None:
            self.load(self.time)

    def run(self, times: Sequence[float]) -> Iterator[Step]:
        """Advance from ``times[0]`` through all others, each exactly hit; yields accepted steps.

        Times up to the present one, where an earlier run or a restart has led, are done already.

        Raises:
            ValueError: If the times do not increase, or begin after the present time.
            StepFailed: On all ranks, naming time, rank, cell, point and strain of the worst point.
        """
        if len(times) < 2 or any(not end > start for start, end in pairwise(times)):
            raise ValueError(f"times must increase and be at least two, got {list(times)}")
        start = float(times[0])
        if self.time is None:
            self.time = start
        elif start - self.time > 1e-9 * (times[-1] - times[0]):
            raise ValueError(f"times begin at {start:g}, the present time is {self.time:g}")
        if self.time > times[-1]:
            return
        try:
            for target in map(float, times[1:]):
                if target > self.time:
                    yield from self._advance(target)
        finally:
            self._dt = None

    def _advance(self, target: float) -> Iterator[Step]:
        """Steps to a requested time."""
        time, cutbacks = self.time, 0
        assert time is not None
        if self._dt is None:
            self._dt = self.dt if self.dt is not None else target - time
        while time < target:
            # As many equal steps as are needed, the last of them exactly to the target.
            count = ceil((target - time) / self._dt * (1 - 1e-9))
            end = target if count <= 1 else time + (target - time) / count
            iterations, factor, trouble, record = self._try(time, end, first=cutbacks == 0)
            if not trouble:
                step = self._accept(time, end, iterations, cutbacks, end == target)
                # A step much shorter than dt, for a near target, says nothing of dt.
                if iterations <= self.easy_iterations and 2.0 * (end - time) > self._dt:
                    self._dt *= max(1.0, min(self.growth, factor))
                time, cutbacks = end, 0
                yield step
                continue
            if record is not None:
                self._save(record, cutbacks)
            if cutbacks == self.max_cutbacks:
                raise StepFailed(
                    f"no convergence from time {time:g} to {end:g} "
                    f"after {cutbacks} cutbacks: {trouble}",
                    record,
                )
            self._dt, cutbacks = (end - time) * min(factor, 0.5), cutbacks + 1

    def _try(
        self, time: float, end: float, first: bool
    ) -> tuple[int, float, str, PointRecord | None]:
        """Solve for the end of a step; if that fails everything is as before.

        Returns:
            SNES iterations, the laws' factor for the next step, what went wrong (empty if nothing
            did), and the point that failed; the same on all ranks.
        """
        values = [each.x.array for each in self.unknowns]
        before = [each.copy() for each in values]
        self.load(end)
        for field in self.fields:
            field.dt = end - time
        if self.extrapolate and first and self.rate is not None:
            reach = self._reach(end - time)
            for each, rate in zip(values, self.rate, strict=True):
                each += reach * rate
        self.problem.solve()
        iterations = self.problem.solver.getIterationNumber()
        factor = min((field.status.step_factor for field in self.fields), default=self.growth)
        factor = self.comm.allreduce(factor, op=MPI.MIN)
        if self.problem.solver.getConvergedReason() > 0:
            changes = zip(values, before, strict=True)
            self.rate = [(now - then) / (end - time) for now, then in changes]
            return iterations, factor, "", None
        record = find_failed_point(self.fields, self.comm)
        trouble = solver_failure(self.problem.solver) if record is None else record.message
        for each, then in zip(values, before, strict=True):
            each[:] = then
        for field in self.fields:
            field.revert()
        self.load(time)
        return iterations, factor, trouble, record

    def _reach(self, dt: float) -> float:
        """How far to extrapolate in time: as far as the boundary values go, never backwards."""
        _, (_, _, options) = self.problem.solver.getFunction()
        if "bcs" not in (options or {}):  # DOLFINx 0.10 keeps them to itself
            return dt
        F = self.problem.F
        spaces = [form.function_spaces[0] for form in (F if isinstance(F, Sequence) else [F])]
        assert self.rate is not None
        sums = np.zeros(2)
        for bcs, u, rate in zip(
            fem.bcs_by_block(spaces, options["bcs"]), self.unknowns, self.rate, strict=True
        ):
            wanted = u.x.array.copy()
            for bc in bcs:
                bc.set(wanted)
            owned = [bc.dof_indices()[0][: bc.dof_indices()[1]] for bc in bcs]
            dofs = np.unique(np.concatenate([*owned, np.zeros(0, dtype=np.int32)]))
            change = (wanted - u.x.array)[dofs]
            sums += rate[dofs] @ change, rate[dofs] @ rate[dofs]
        along, norm = self.comm.allreduce(sums)
        return float(max(along / norm, 0.0)) if norm > 0.0 else dt

    def _save(self, record: PointRecord, cutbacks: int) -> None:
        """Save a point that failed, on one rank; a disk that fails stops all."""
        folder = self.failures
        if folder is None:
            return

        def save() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            record.save(folder / f"step_{self.steps + 1:05d}_attempt_{cutbacks + 1}.npz")

        on_first_rank(self.comm, save)

    def _accept(
        self, time: float, end: float, iterations: int, cutbacks: int, requested: bool
    ) -> Step:
        for field in self.fields:
            field.accept()
        self.time = end
        self.steps += 1
        codes = [field.status.codes for field in self.fields]
        most = [field.status.iterations.max(initial=0) for field in self.fields]
        return Step(
            end,
            end - time,
            iterations,
            int(self.comm.allreduce(max(most, default=0), op=MPI.MAX)),
            self.comm.allreduce(sum(int(np.sum(code == Code.UNRELIABLE)) for code in codes)),
            cutbacks,
            requested,
        )
