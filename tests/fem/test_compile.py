"""One rank compiles before the others load; all fail together."""

import pytest

from dmn_fem.fem import _compile


class Ranks:
    """A communicator of two as one of them sees it; the other one says what it is told to."""

    size = 2

    def __init__(self, rank, other=("", "")):
        self.rank, self._other, self.gathered = rank, list(other), 0

    def allgather(self, mine):
        self.gathered += 1
        both = [mine, self._other[self.gathered - 1]]
        return both if self.rank == 0 else both[::-1]


@pytest.mark.parametrize(("rank", "before"), [(0, 0), (1, 1)])
def test_rank_0_compiles_before_the_others_begin(rank, before, monkeypatch):
    comm, calls = Ranks(rank), []
    monkeypatch.setattr(_compile, "warm_up", lambda law: calls.append((law, comm.gathered)))
    _compile.compile_once("law", comm)
    assert calls == [("law", before)]
    assert comm.gathered == 2


@pytest.mark.parametrize("rank", [0, 1])
def test_what_fails_on_one_rank_is_raised_on_all(rank, monkeypatch):
    def fail(law):
        raise TypeError("no such operation")

    message = "the law cannot be compiled: TypeError on rank 0: no such operation"
    if rank == 0:
        monkeypatch.setattr(_compile, "warm_up", fail)
        comm = Ranks(0)
    else:
        comm = Ranks(1, ["TypeError on rank 0: no such operation"])
    with pytest.raises(RuntimeError, match=message):
        _compile.compile_once("law", comm)
    assert comm.gathered == 1


def test_a_rank_alone_compiles_at_its_first_call(monkeypatch):
    comm, calls = Ranks(0), []
    comm.size = 1
    monkeypatch.setattr(_compile, "warm_up", calls.append)
    _compile.compile_once("law", comm)
    assert calls == []
    assert comm.gathered == 0
