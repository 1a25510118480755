"""Machine code that the ranks share: compiled by one of them, loaded by the others."""

from mpi4py import MPI

from dmn_fem.laws import Law, warm_up


def compile_once(law: Law, comm: MPI.Comm) -> None:
    """Let rank 0 compile what a law needs before the others load it. Collective.

    Raises:
        RuntimeError: On all ranks, if it fails on any.
    """
    if comm.size == 1:
        return  # the first call compiles
    trouble = ""
    for turn in (True, False):
        if (comm.rank == 0) is turn:
            try:
                warm_up(law)
            except Exception as error:
                trouble = f"{type(error).__name__} on rank {comm.rank}: {error}"
        if found := next(filter(None, comm.allgather(trouble)), ""):
            raise RuntimeError(f"the law cannot be compiled: {found}")
