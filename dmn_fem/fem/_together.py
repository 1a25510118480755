"""What one rank cannot do fails on all of them, with the same line."""

from collections.abc import Callable, Sequence
from typing import cast

from mpi4py import MPI

_KINDS: dict[str, type[Exception]] = {"ValueError": ValueError, "OSError": OSError}


def on_first_rank[T](comm: MPI.Comm, action: Callable[[], T]) -> T:
    """What an action gives on rank 0, on all ranks. Collective.

    Raises:
        ValueError: On all ranks, if it raises one on rank 0.
        OSError: The same.
        RuntimeError: On all ranks, of whatever else it raises.
    """
    result, error = None, None
    if comm.rank == 0:
        try:
            result = action()
        except Exception as wrong:
            error = _told(wrong)
    result, error = comm.bcast((result, error))
    _raise([error])
    return result


def all_or_none[T](comm: MPI.Comm, action: Callable[[], T]) -> T:
    """What an action gives on every rank for itself; if one cannot, all raise. Collective.

    For what depends on the cells of a rank: an error on one alone would leave the others waiting
    for it for ever.

    Args:
        comm: The ranks.
        action: Of every rank alone; it must not be collective.

    Raises:
        ValueError: On all ranks, if it raises one on any of them; that of the first such rank.
        OSError: The same.
        RuntimeError: On all ranks, of whatever else it raises.
    """
    result, error = None, None
    try:
        result = action()
    except Exception as wrong:
        error = _told(wrong)
    _raise(comm.allgather(error))
    return cast("T", result)


type _Told = tuple[str, tuple[object, ...]]


def _told(error: Exception) -> _Told:
    """The kind of an error and what it is made of: not every error can be sent."""
    if isinstance(error, OSError):
        if error.errno is None:
            return "OSError", (str(error),)
        return "OSError", (error.errno, error.strerror, error.filename)
    if isinstance(error, ValueError):
        return "ValueError", (str(error),)
    return "RuntimeError", (f"{type(error).__name__}: {error}",)


def _raise(errors: Sequence[_Told | None]) -> None:
    for error in errors:
        if error is not None:
            kind, arguments = error
            raise _KINDS.get(kind, RuntimeError)(*arguments)
