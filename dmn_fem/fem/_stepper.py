"""Load stepping: adaptive increments that land on requested times, and nothing after a failure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

from dmn_fem.fem._material import MaterialField
from dmn_fem.laws import Code


class StepFailed(RuntimeError):
    """A step did not converge however short it was; raised on all ranks together.

    Displacement, states and loads are again those of the last accepted time.
    """


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

    A step that fails (the solver, or the law at a point on any rank) is undone and halved; easy
    steps make the next one longer. Steps start from the extrapolated displacement, except after a
    failure.

    Args:
        problem: The stock nonlinear problem; its line search should be ``basic``, ``cp`` or
            ``nleqerr``, which give up at once where a point failed.
        fields: The material fields attached to it.
        load: Sets boundary values and forces for a time; also called to go back.
        dt: First step; without it the first requested interval.
        max_cutbacks: How many times in a row a step may be shortened.
        growth: Largest factor from a step to the next.
        easy_iterations: SNES iterations up to which a step counts as easy.
        extrapolate: Whether to start from the extrapolated displacement.
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
    ) -> None:
        self.problem = problem
        self.fields = tuple(fields)
        self.load = load
        self.dt = dt
        self.max_cutbacks = max_cutbacks
        self.growth = growth
        self.easy_iterations = easy_iterations
        self.extrapolate = extrapolate
        self.comm: MPI.Comm = problem.u.function_space.mesh.comm
        self._rate: np.ndarray | None = None

    def run(self, times: Sequence[float]) -> Iterator[Step]:
        """Advance from ``times[0]``, the present, through all others; yields every accepted step.

        Raises:
            ValueError: If the times do not increase.
            StepFailed: On all ranks, naming time, rank, cell, point and strain of the worst point.
        """
        if len(times) < 2 or any(not end > start for start, end in pairwise(times)):
            raise ValueError(f"times must increase and be at least two, got {list(times)}")
        time = float(times[0])
        dt = self.dt if self.dt is not None else float(times[1]) - time
        for target in map(float, times[1:]):
            cutbacks = 0
            while time < target:
                # As many equal steps as are needed, the last of them exactly to the target.
                count = ceil((target - time) / dt * (1 - 1e-9))
                end = target if count <= 1 else time + (target - time) / count
                converged, factor, trouble = self._try(time, end, first=cutbacks == 0)
                if converged:
                    step = self._accept(time, end, cutbacks, end == target)
                    # A step much shorter than dt, for a near target, says nothing of dt.
                    if step.iterations <= self.easy_iterations and 2.0 * (end - time) > dt:
                        dt *= max(1.0, min(self.growth, factor))
                    time, cutbacks = end, 0
                    yield step
                elif cutbacks == self.max_cutbacks:
                    raise StepFailed(
                        f"no convergence from time {time:g} to {end:g} "
                        f"after {cutbacks} cutbacks: {trouble}"
                    )
                else:
                    dt, cutbacks = (end - time) * min(factor, 0.5), cutbacks + 1

    def _try(self, time: float, end: float, first: bool) -> tuple[bool, float, str]:
        """Solve for the end of a step; if that fails everything is as before.

        Returns:
            Whether it converged, the laws' factor for the next step, and what went wrong; the same
            on all ranks.
        """
        values = self.problem.u.x.array
        before = values.copy()
        self.load(end)
        for field in self.fields:
            field.dt = end - time
        if self.extrapolate and first and self._rate is not None:
            values += (end - time) * self._rate
        self.problem.solve()
        reason = self.problem.solver.getConvergedReason()
        factor = min((field.status.step_factor for field in self.fields), default=self.growth)
        factor = self.comm.allreduce(factor, op=MPI.MIN)
        if reason > 0:
            self._rate = (values - before) / (end - time)
            return True, factor, ""
        trouble = self._trouble(reason)
        values[:] = before
        for field in self.fields:
            field.revert()
        self.load(time)
        return False, factor, trouble

    def _accept(self, time: float, end: float, cutbacks: int, requested: bool) -> Step:
        for field in self.fields:
            field.accept()
        codes = [field.status.codes for field in self.fields]
        most = [field.status.iterations.max(initial=0) for field in self.fields]
        return Step(
            end,
            end - time,
            self.problem.solver.getIterationNumber(),
            int(self.comm.allreduce(max(most, default=0), op=MPI.MAX)),
            self.comm.allreduce(sum(int(np.sum(code == Code.UNRELIABLE)) for code in codes)),
            cutbacks,
            requested,
        )

    def _trouble(self, reason: int) -> str:
        """What went wrong, the same on all ranks: the worst point, or the solver."""
        failed = [field for field in self.fields if field.status.failed]
        mine = failed[0].worst_point() if failed else ""
        everyone = self.comm.allgather((sum(field.status.failed for field in failed), mine))
        total = sum(count for count, _ in everyone)
        for rank, (count, point) in enumerate(everyone):
            if count:
                return f"the law failed at {total} points, worst on rank {rank}, {point}"
        return f"SNES stopped with reason {reason}, no point failed"
