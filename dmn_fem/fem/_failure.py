"""Why a step failed: the worst point of all ranks and fields, or the solver; alike on all ranks."""

from collections.abc import Sequence
from dataclasses import replace

from mpi4py import MPI
from petsc4py import PETSc

from dmn_fem.fem._material import MaterialField
from dmn_fem.laws import PointRecord


class StepFailed(RuntimeError):
    """A step did not converge however short it was; raised on all ranks together.

    Displacement, states and loads are again those of the last accepted time.

    Attributes:
        record: The worst point of the last attempt, None if no point had failed.
    """

    def __init__(self, message: str, record: PointRecord | None = None) -> None:
        super().__init__(message)
        self.record = record


def find_failed_point(fields: Sequence[MaterialField], comm: MPI.Intracomm) -> PointRecord | None:
    """The worst point of the last solve, before anything is reverted. Collective.

    Returns:
        What happened there, also in words; the same on all ranks. None if no point failed.
    """
    failed = [field for field in fields if field.status.failed]
    everyone = comm.allgather(sum(field.status.failed for field in failed))
    if not any(everyone):
        return None
    rank = next(number for number, there in enumerate(everyone) if there)
    record = None
    if comm.rank == rank:
        record = failed[0].point_record(int(failed[0].status.worst or 0))
        message = (
            f"the law failed at {sum(everyone)} points, "
            f"worst on rank {rank}, {record.where}, strain {record.components}"
        )
        record = replace(record, message=message)
    return comm.bcast(record, root=rank)


def solver_failure(solver: PETSc.SNES) -> str:
    """Why the solver gave up, in words."""
    reason = solver.getConvergedReason()
    names = {value: name for name, value in vars(PETSc.SNES.ConvergedReason).items()}
    return (
        f"SNES stopped with reason {reason} ({names.get(reason, 'unknown')}) "
        f"after {solver.getIterationNumber()} iterations, no point failed"
    )
