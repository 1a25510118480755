import pytest

from dmn_fem.fem import all_or_none
from dmn_fem.fem._together import on_first_rank

# isort: split
from mpi4py import MPI


def test_what_one_rank_cannot_write_or_read_ends_all_of_them(tmp_path, mpiexec):
    done = mpiexec("fault_checks.py", tmp_path).split()
    assert set(done) >= {"pictures", "results", "checkpoints", "failures", "fields", "meshes"}


@pytest.mark.parametrize("together", [all_or_none, on_first_rank])
def test_errors_keep_their_kind_and_others_are_named(together):
    def fail(error):
        raise error

    with pytest.raises(FileNotFoundError, match="no such thing: 'where'"):
        together(MPI.COMM_WORLD, lambda: fail(OSError(2, "no such thing", "where")))
    with pytest.raises(OSError, match=r"^without a number$"):
        together(MPI.COMM_WORLD, lambda: fail(OSError("without a number")))
    with pytest.raises(ValueError, match=r"^wrong$"):
        together(MPI.COMM_WORLD, lambda: fail(ValueError("wrong")))
    with pytest.raises(RuntimeError, match=r"^KeyError: 'key'$"):
        together(MPI.COMM_WORLD, lambda: fail(KeyError("key")))
    assert together(MPI.COMM_WORLD, lambda: 3) == 3
