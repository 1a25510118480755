"""The executor of this process; those of other processes and ranks work in the campaigns."""

import math

import pytest

from dmn_fem.homogenization import start_processes


def test_results_and_errors_come_back() -> None:
    with start_processes() as workers:
        futures = [workers.executor.submit(math.sqrt, number) for number in (4.0, -1.0, 9.0)]
        assert futures[0].result() == 2.0
        assert isinstance(futures[1].exception(), ValueError)
        assert futures[2].result() == 3.0


def test_interrupt_goes_through_at_once() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with start_processes() as workers, pytest.raises(KeyboardInterrupt):
        workers.executor.submit(interrupted)


def test_no_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="processes is 0"), start_processes(0):
        pass
