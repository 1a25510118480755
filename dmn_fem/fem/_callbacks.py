"""Laws are integrated before PETSc's SNES sees a residual or a Jacobian of a stock problem.

No callback raises because of a point: a failed point leaves NaN in its stress on its own rank, the
norm of the residual is then NaN on all ranks, and SNES ends everywhere with the same reason.
"""

from collections.abc import Callable
from typing import Any

from dolfinx.fem.petsc import NonlinearProblem, assign
from petsc4py import PETSc


def integrate_first(problem: NonlinearProblem, integrate: Callable[[bool], None]) -> None:
    """Put the integration of laws ahead of the callbacks of a problem.

    Args:
        problem: Of one or several unknowns.
        integrate: Integrates at the present displacement; it is told whether the tangent is needed.
    """
    # The callbacks must not hold the problem: SNES holds them where Python's garbage collector does
    # not see it, and no model would ever give back its memory and its MPI communicators.
    unknown = problem.u

    def ahead_of(callback: Callable[..., None], is_jacobian: bool) -> Callable[..., None]:
        def called(snes: Any, x: Any, *args: Any, **kargs: Any) -> None:
            nested = x.getType() == PETSc.Vec.Type.NEST
            for part in x.getNestSubVecs() if nested else [x]:
                part.ghostUpdate(PETSc.InsertMode.INSERT, PETSc.ScatterMode.FORWARD)
            assign(x, unknown)
            # The first residual of a solve lifts boundary values with the tangent. Line search
            # "basic" asks for the Jacobian wherever it asks for the residual, the others do not.
            integrate(
                is_jacobian
                or snes.getFunctionEvaluations() == 0
                or snes.getLineSearch().getType() == PETSc.SNESLineSearch.Type.BASIC
            )
            callback(snes, x, *args, **kargs)

        return called

    solver = problem.solver
    _, (residual, args, kargs) = solver.getFunction()
    solver.setFunction(ahead_of(residual, False), problem.b, args, kargs)
    _, _, (jacobian, args, kargs) = solver.getJacobian()
    solver.setJacobian(ahead_of(jacobian, True), problem.A, problem.P_mat, args, kargs)
