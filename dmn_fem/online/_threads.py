"""Slices of blocks on threads: compiled kernels leave Python's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

_SLICES = 4
"""Slices for each thread: a thread that is done early takes one more."""


def in_slices(run: Callable[[slice], None], blocks: int, threads: int) -> None:
    """Call a function for slices that make up all blocks, on so many threads.

    Args:
        run: Its calls must not depend on each other.
        blocks: Their number.
        threads: Those at work; with one there is one slice, run by the caller.
    """
    count = min(blocks, threads * _SLICES) if threads > 1 else 1
    ends = [blocks * number // count for number in range(count + 1)] if count else [0, 0]
    slices = [slice(first, end) for first, end in pairwise(ends)]
    if len(slices) == 1:
        run(slices[0])
        return
    for _ in _pool(os.getpid(), threads).map(run, slices):
        pass


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this process: those of a parent do not survive a fork."""
    return ThreadPoolExecutor(threads, "blocks")
