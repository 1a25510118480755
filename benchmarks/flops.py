"""Floating-point operations: how many a core can do, and how many a sweep of a network does.

The peak is that of chains of fused multiply-adds that do not wait for each other, on the vectors
that networks are computed with. What a sweep does is counted in LLVM's code of the functions that
the network's kernel is made of: additions, subtractions, multiplications and divisions of one lane,
after optimisation; a fused pair is two. What is repeated until all lanes are done counts as often.
"""

import inspect
import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from unittest.mock import patch

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit

from dmn_fem._lanes import LANES, Numbers, Rows, repeat, straight_line
from dmn_fem.laws import PhaseLaw, arithmetic
from dmn_fem.laws._formulas import _rows_of_member
from dmn_fem.laws._respond import respond_many
from dmn_fem.notation import Array
from dmn_fem.online import _node

CHAINS, LENGTH, REPEATS = 12, 64, 20_000


def _chains(_: int, numbers: Any, rows: Any) -> None:
    factor, term = numbers[0], numbers[1]
    values = [rows[i] for i in range(CHAINS)]
    for _ in range(LENGTH):
        values = [each * factor + term for each in values]
    for i, each in enumerate(values):
        rows[i] = each


_fused = straight_line(_chains)


@njit(cache=True, error_model="numpy", nogil=True)
def _run(repeats, memory, numbers):
    for _ in range(repeats):
        _fused(((0,),), memory, (0,), numbers, 0)


def peak(repeats: int = REPEATS) -> float:
    """Operations per second of CPU time, of one run of some milliseconds."""
    memory, numbers = np.ones((CHAINS, LANES)), np.array([[0.999, 0.001]])
    start = time.process_time()
    _run(repeats, memory, numbers)
    seconds = time.process_time() - start
    return 2.0 * CHAINS * LENGTH * LANES * repeats / seconds


@cache
def _count(function: Callable[..., None], lengths: tuple[int, ...]) -> dict[str, int]:
    """Operations in the blocks of optimised code: those that are run once, and those that repeat.

    The function is one for `straight_line`.
    """
    rows = len(inspect.signature(function).parameters) - len(lengths) - 1
    module = ir.Module()
    pointer = ir.DoubleType().as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer] * (rows + 1))
    code = ir.Function(module, kind, "counted")
    builder = ir.IRBuilder(code.append_basic_block("entry"))
    zero = ir.Constant(ir.IntType(64), 0)
    numbers, *places = code.args
    function(*lengths, Numbers(builder, numbers), *(Rows(builder, each, zero) for each in places))
    builder.ret_void()
    parsed = llvm.parse_assembly(str(module))
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2)
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(2))
    passes.getModulePassManager().run(parsed, passes)
    counts = {"once": 0, "repeat": 0}
    block = "once"
    for line in str(parsed).splitlines():
        if label := re.match(r'"?([\w.]+)"?:', line):
            block = "repeat" if label[1].startswith("repeat") else "once"
        counts[block] += bool(re.search(r"= f(add|sub|mul|div) ", line))
        counts[block] += 2 * bool(re.search(r"= (tail )?call .*@llvm\.fmuladd\.", line))
    return counts


def repetitions(law: PhaseLaw, strain: Array, old: Array, dt: float) -> int:
    """How often the local iteration of a law goes round until all points are done."""
    rounds = 0

    def counted(step: Any, start: Any, limit: int, among: Any) -> Any:
        def one(*state: Any) -> Any:
            nonlocal rounds
            rounds += 1
            return step(*state)

        return repeat(one, start, limit, among)

    with patch.object(arithmetic, "repeat", counted):
        respond_many(law, strain, old, dt)
    return rounds


def of_sweep(
    lengths: tuple[int, ...], nodes: int, leaves: Mapping[PhaseLaw, tuple[int, float]]
) -> float:
    """Operations of one Newton iteration of one point: leaves, averages, up, down and onwards.

    Args:
        lengths: The shape of the kernel: dimension, rows of a matrix, triangles.
        nodes: Inner nodes of the tree.
        leaves: How many leaves have a law, and the mean repetitions of its local iteration.
    """
    dimension = lengths[0]

    def once(function: Callable[..., None]) -> int:
        return _count(function, lengths)["once"]

    total: float = (nodes + 1) * once(_node._norm)
    for function in (_node._condense, _node._advance, _node._average):
        total += nodes * once(function)
    for law, (count, rounds) in leaves.items():
        own = _count(_rows_of_member(law, dimension), lengths)
        total += count * (own["once"] + rounds * own["repeat"])
    return total
