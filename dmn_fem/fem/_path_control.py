"""Control by a displacement: equilibrium paths beyond limit points, where no load can lead."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ufl
from dolfinx import fem, la
from dolfinx.fem.petsc import NonlinearProblem, assign
from mpi4py import MPI

from dmn_fem.fem._failure import StepFailed, find_failed_point
from dmn_fem.fem._material import MaterialField
from dmn_fem.notation import Array


@dataclass(frozen=True)
class PathStep:
    """An accepted step along the equilibrium path; the same on all ranks.

    Attributes:
        factor: Load factor at its end.
        measure: The measure at its end.
        iterations: Newton iterations.
        cutbacks: How many longer steps had failed before it.
    """

    factor: float
    measure: float
    iterations: int
    cutbacks: int


class PathControl:
    """Follows an equilibrium path along which a measure of the displacement grows.

    The load factor λ is one more unknown and the growth of the measure its equation:
    R(u, λ) = 0, c(Δu) = increment, with c linear, as in the indirect displacement control of de
    Borst (1987, Comput. Struct. 25:211-224). Each iteration solves with the problem's Jacobian for
    the residual and for its derivative by λ (Batoz and Dhatt 1979, Int. J. Numer. Methods Eng.
    14:1262-1266), so that a path that softens or snaps back is followed as long as the measure
    grows on it: take the opening of what softens, such as the mean strain of its cells.

    The laws must not depend on time; they are given a time step of zero.

    Attributes:
        factor: The last accepted load factor.

    Args:
        problem: The stock nonlinear problem of one unknown with its fields attached; its SNES
            tells tolerances, largest number of iterations and linear solver.
        fields: The material fields attached to it.
        load: Sets boundary values and forces for a load factor, affine in it.
        measure: UFL integral that is linear in the displacement, such as ``u[1] * ds(top)``.
        increment: Of the measure, in the first step; negative to let it shrink.
        max_increment: Largest size of an increment; without it that of the first.
        max_cutbacks: How many times in a row an increment may be halved.
        growth: Largest factor from an increment to the next.
        easy_iterations: Newton iterations up to which a step counts as easy.

    Raises:
        ValueError: If the increment is zero, or the largest size of one is not positive.
    """

    def __init__(
        self,
        problem: NonlinearProblem,
        fields: Sequence[MaterialField],
        load: Callable[[float], None],
        measure: Any,
        increment: float,
        *,
        max_increment: float | None = None,
        max_cutbacks: int = 8,
        growth: float = 1.5,
        easy_iterations: int = 5,
    ) -> None:
        if not abs(increment) > 0:
            raise ValueError(f"increment is {increment}; the measure must grow or shrink by it")
        if max_increment is not None and not max_increment > 0:
            raise ValueError(f"max_increment is {max_increment}; it must be positive")
        self.problem = problem
        self.fields = tuple(fields)
        self.load = load
        self.increment = increment
        self.max_increment = abs(increment) if max_increment is None else max_increment
        self.max_cutbacks = max_cutbacks
        self.growth = growth
        self.easy_iterations = easy_iterations
        self.factor = 0.0
        space = problem.u.function_space
        self.comm: MPI.Intracomm = space.mesh.comm
        derivative = ufl.derivative(measure, problem.u, ufl.TestFunction(space))
        gradient = fem.assemble_vector(fem.form(derivative))
        gradient.scatter_reverse(la.InsertMode.add)
        owned = space.dofmap.index_map.size_local * space.dofmap.index_map_bs
        self._gradient: Array = gradient.array[:owned]
        self._size = float(np.sqrt(self._measure(self._gradient)))
        self._residual, self._probe, self._forward, self._back = (
            problem.b.duplicate() for _ in range(4)
        )

    def run(self) -> Iterator[PathStep]:
        """Accepted steps, without end: leave the loop when the path has gone far enough.

        Raises:
            StepFailed: On all ranks, if a step does not converge however short it is.
        """
        u, cutbacks = self.problem.u, 0
        while True:
            start, factor = u.x.array.copy(), self.factor
            for field in self.fields:
                field.dt = 0.0
            iterations, trouble = self._try()
            if not trouble:
                for field in self.fields:
                    field.accept()
                here = self._measure(u.x.array[: self._gradient.size])
                yield PathStep(self.factor, here, iterations, cutbacks)
                if iterations <= self.easy_iterations:
                    longer = min(self.growth * abs(self.increment), self.max_increment)
                    self.increment = float(np.copysign(longer, self.increment))
                cutbacks = 0
                continue
            record = find_failed_point(self.fields, self.comm)
            u.x.array[:], self.factor = start, factor
            self.load(factor)
            for field in self.fields:
                field.revert()
            if cutbacks == self.max_cutbacks:
                raise StepFailed(
                    f"no equilibrium from load factor {factor:g} by an increment of "
                    f"{self.increment:g} after {cutbacks} cutbacks: "
                    + (record.message if record is not None else trouble),
                    record,
                )
            self.increment, cutbacks = 0.5 * self.increment, cutbacks + 1

    def _try(self) -> tuple[int, str]:
        """Newton's method for a step; returns its iterations and what went wrong, if anything."""
        solver, x = self.problem.solver, self.problem.x
        rtol, atol, _, max_iterations = solver.getTolerances()
        assign(self.problem.u, x)
        remaining, tolerance = self.increment, 0.0
        for iteration in range(max_iterations + 1):
            load = self._solve()
            error = self._residual.norm()
            if not np.isfinite(load):
                return iteration, "the residual is not finite, or the stiffness singular"
            if iteration > 0 and error <= tolerance:
                return iteration, ""
            forward, back = self._measure(self._forward.array), self._measure(self._back.array)
            if abs(back) <= 1e-12 * self._size * self._back.norm():
                return iteration, "the load does not change the measure"
            # remaining = c(-forward - change back)
            change = -(remaining + forward) / back
            self.problem.x.axpy(-1.0, self._forward)
            self.problem.x.axpy(-change, self._back)
            self.factor += change
            remaining = 0.0
            if iteration == 0:
                tolerance = max(atol, rtol * abs(change) * load)
        return max_iterations, f"no convergence in {max_iterations} iterations"

    def _solve(self) -> float:
        """Solve for the residual (`_forward`) and its derivative by the factor (`_back`).

        Returns:
            The norm of that derivative, NaN if there is nothing to solve.
        """
        solver, x = self.problem.solver, self.problem.x
        preconditioner = self.problem.P_mat or self.problem.A
        # The Jacobian comes first: the residual lifts boundary values with its tangents.
        self.load(self.factor)
        solver.computeJacobian(x, self.problem.A, preconditioner)
        solver.computeFunction(x, self._residual)
        # The residual is linear in the factor, so any difference is its derivative.
        self.load(self.factor + 1.0)
        solver.computeFunction(x, self._probe)
        self.load(self.factor)
        self._probe.axpy(-1.0, self._residual)
        if not np.isfinite(self._residual.norm()):
            return np.nan
        linear = solver.getKSP()
        linear.setOperators(self.problem.A, preconditioner)
        linear.solve(self._residual, self._forward)
        linear.solve(self._probe, self._back)
        finite = np.isfinite(self._forward.norm()) and np.isfinite(self._back.norm())
        return float(self._probe.norm()) if finite else np.nan

    def _measure(self, values: Array) -> float:
        """The measure of a displacement, given at the owned degrees of freedom."""
        return float(self.comm.allreduce(float(self._gradient @ values)))
