"""The elastic answer of a network and its gradient: compiled on the CPU, plain PyTorch elsewhere.

Both take the matrices of R sources by their distinct components, samples last, (R, c, n); the
source of every leaf, (M,); the share f1 of the first child in every node, (M-1,), and the unit
normals, (M-1, dimension), in heap order. They give the root's matrix, (c, n). Matrices may have
rows beyond the strains, see `dmn_fem._laminate`.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dmn_fem._laminate import AXES
from dmn_fem._lanes import LANES
from dmn_fem.notation import Array
from dmn_fem.training._kernels import backpropagate, homogenise, places

_CHUNK = 4  # blocks; sums over samples are those of chunks, whichever thread computes them


def matrix_size(components: int) -> int:
    """Rows of a symmetric matrix with so many distinct components."""
    return (math.isqrt(8 * components + 1) - 1) // 2


class CompiledSweep(torch.autograd.Function):
    """Numba, `LANES` samples side by side, on `numba.get_num_threads` threads.

    The result does not depend on the number of threads, to the last bit. The backward sweep
    computes the nodes' matrices again: from the cache they come faster than from memory.
    """

    @staticmethod
    def forward(
        ctx: Any, columns: Tensor, source: Tensor, share: Tensor, normals: Tensor
    ) -> Tensor:
        """The root's matrix."""
        ctx.save_for_backward(columns, source, share, normals)
        padded, arguments = _prepared(columns, source, share, normals)
        result = np.empty(padded.shape[1:])

        def run(first: int, last: int, memory: Array) -> None:
            homogenise(*arguments, first, last, memory, result)

        _in_chunks(run, arguments)
        return torch.from_numpy(result[:, : columns.shape[-1]])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, sensitivity: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of columns (if wanted), shares and normals."""
        columns, source, share, normals = ctx.saved_tensors
        padded, arguments = _prepared(columns, source, share, normals)
        # Samples that fill up the last block have no say.
        given = np.zeros(padded.shape[1:])
        given[:, : columns.shape[-1]] = sensitivity.numpy()
        wanted = ctx.needs_input_grad[0]
        by_column = np.empty(padded.shape if wanted else (0, *padded.shape[1:]))
        parts: dict[int, Array] = {}

        def run(first: int, last: int, memory: Array) -> None:
            parts[first] = np.empty((share.numel(), 1 + normals.shape[1]))
            backpropagate(*arguments, given, first, last, memory, parts[first], by_column)

        _in_chunks(run, arguments)
        gradient = torch.from_numpy(sum(parts[first] for first in sorted(parts)))
        by_column = by_column[..., : columns.shape[-1]]
        return (
            torch.from_numpy(by_column) if wanted else None,
            None,
            gradient[:, 0],
            gradient[:, 1:],
        )


def _prepared(
    columns: Tensor, source: Tensor, share: Tensor, normals: Tensor
) -> tuple[Array, tuple[Any, ...]]:
    """Columns of whole blocks, the last sample repeated, and the first arguments of the kernels."""
    missing = -columns.shape[-1] % LANES
    given = columns.detach().numpy()
    padded = np.pad(given, ((0, 0), (0, 0), (0, missing)), mode="edge") if missing else given
    padded = np.ascontiguousarray(padded)
    shape = tuple(range(normals.shape[1])), tuple(range(matrix_size(columns.shape[1])))
    numbers = np.column_stack([share.detach().numpy(), normals.detach().numpy()])
    return padded, (shape, padded, source.numpy(), numbers)


def _in_chunks(run: Callable[[int, int, Array], None], arguments: tuple[Any, ...]) -> None:
    """Run over all blocks of samples, chunk by chunk, each with a memory of its thread."""
    shape, columns, _, numbers = arguments
    blocks = columns.shape[-1] // LANES
    chunks = [(first, min(first + _CHUNK, blocks)) for first in range(0, blocks, _CHUNK)]
    rows = places(shape, numbers.shape[0], columns.shape[0])[-1]
    threads = min(numba.get_num_threads(), len(chunks))

    def work(mine: list[tuple[int, int]]) -> None:
        memory = np.empty((rows, LANES))
        for first, last in mine:
            run(first, last, memory)

    shares = [chunks[number::threads] for number in range(threads)]
    others = [_pool(os.getpid()).submit(work, each) for each in shares[1:]]
    work(shares[0])
    for each in others:
        each.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of this process: those of a parent do not survive a fork."""
    return ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS, "sweep")


def plain_sweep(columns: Tensor, source: Tensor, share: Tensor, normals: Tensor) -> Tensor:
    """Plain PyTorch, for any device: a level of the tree is one batched product.

    One matrix per node maps the columns of both children to f1 C1 + f2 C2, D H and K of the theory.
    What follows eliminates the jump step by step, so that no library solves small systems.
    """
    dimension, size = normals.shape[1], matrix_size(columns.shape[1])
    current = columns[source]
    leaves = current.shape[0]
    maps = _level_maps(dimension, size, share, normals)
    coupling = (share * (1 - share))[:, None, None]
    # The deepest level holds the last leaves; those before them join one level higher.
    depth = (leaves - 1).bit_length()
    shallow = 2**depth - leaves
    waiting, current = current[:shallow], current[shallow:]
    for level in reversed(range(depth)):
        first = 2**level - 1
        nodes = slice(first, first + current.shape[0] // 2)
        pairs = current.reshape(current.shape[0] // 2, -1, current.shape[-1])
        current = _relax(dimension, size, torch.bmm(maps[nodes], pairs), coupling[nodes])
        if level == depth - 1 and shallow:
            current = torch.cat([current, waiting])
    return current[0]


def _level_maps(dimension: int, size: int, share: Tensor, normals: Tensor) -> Tensor:
    """From both children to f1 C1 + f2 C2, D H and K, (M-1, c + s d + d(d+1)/2, 2c)."""
    jump_map, acoustic_map = (
        torch.as_tensor(each, dtype=share.dtype, device=share.device)
        for each in _operators(dimension, size)
    )
    f1, f2 = share[:, None, None], 1 - share[:, None, None]
    identity = torch.eye(jump_map.shape[-1], dtype=share.dtype, device=share.device)
    jump = torch.einsum("nb,bij->nij", normals, jump_map)
    acoustic = torch.einsum("nb,nc,bcij->nij", normals, normals, acoustic_map)
    first = torch.cat([f1 * identity, jump, f2 * acoustic], dim=1)
    second = torch.cat([f2 * identity, -jump, f1 * acoustic], dim=1)
    return torch.cat([first, second], dim=2)


def _relax(dimension: int, size: int, ingredients: Tensor, coupling: Tensor) -> Tensor:
    """f1 C1 + f2 C2 - f1 f2 (D H) K⁻¹ (D H)ᵀ, (nodes, c, n), by elimination of the jump."""
    rows, columns = np.triu_indices(size)
    d, triangle = dimension, dimension * (dimension + 1) // 2
    stiffness, jumps, acoustic = ingredients.split([rows.size, size * d, triangle], dim=1)
    g = list(jumps.split(size, dim=1))
    entries = iter(acoustic.split(1, dim=1))
    k = {(i, j): next(entries) for i in range(d) for j in range(i, d)}
    for i in range(d):
        scaled = coupling / k[i, i] * g[i]
        stiffness = stiffness - scaled[:, rows] * g[i][:, columns]
        for j in range(i + 1, d):
            ratio = k[i, j] / k[i, i]
            g[j] = g[j] - ratio * g[i]
            for m in range(j, d):
                k[j, m] = k[j, m] - ratio * k[i, m]
    return stiffness


@cache
def _operators(dimension: int, size: int) -> tuple[Array, Array]:
    """Coefficients of D H and Hᵀ C H in the components of the normal and of the matrix.

    Returns:
        Those of n_b in D H (column by column), (d, d s, c); those of n_b n_e in the upper triangle
        of K, (d, d, d(d+1)/2, c).
    """
    axes, row = range(dimension), AXES[dimension]
    component = np.zeros((size, size), dtype=int)
    component[np.triu_indices(size)] = np.arange(size * (size + 1) // 2)
    component = np.maximum(component, component.T)
    triangle = [(a, e) for a in axes for e in range(a, dimension)]
    jump = np.zeros((dimension, dimension * size, component.max() + 1))
    acoustic = np.zeros((dimension, dimension, len(triangle), component.max() + 1))
    for b in axes:
        for a in axes:
            for i in range(size):
                jump[b, a * size + i, component[i, row[a][b]]] = 1.0
        for e in axes:
            for number, (i, j) in enumerate(triangle):
                acoustic[b, e, number, component[row[i][b], row[j][e]]] += 1.0
    return jump, acoustic
