"""The compiled sweep against plain PyTorch, differences and the theory."""

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.training._sweep import CompiledSweep, matrix_size, plain_sweep

STRAINS = {2: 3, 3: 6}


def random_case(
    dimension: int, extra: int, leaves: int, sources: int, samples: int, seed: int
) -> tuple[torch.Tensor, ...]:
    """Columns, source, share and normals; matrices are positive definite."""
    rng = np.random.default_rng(seed)
    size = STRAINS[dimension] + extra
    factor = rng.normal(size=(sources, samples, size, size))
    matrices = factor @ np.swapaxes(factor, -1, -2) / size + np.eye(size)
    matrices *= 10 ** rng.uniform(-1, 1, (sources, samples, 1, 1))
    rows, columns = np.triu_indices(size)
    packed = np.ascontiguousarray(np.moveaxis(matrices[..., rows, columns], 1, -1))
    normals = rng.normal(size=(leaves - 1, dimension))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    source = rng.integers(0, sources, leaves)
    share = rng.uniform(0, 1, leaves - 1)
    return tuple(torch.tensor(each) for each in (packed, source, share, normals))


def gradients(
    run: object, case: tuple[torch.Tensor, ...], weights: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    columns, source, share, normals = case
    given = [each.clone().requires_grad_() for each in (columns, share, normals)]
    result = run(given[0], source, given[1], given[2])  # type: ignore[operator]
    return (result.detach(), *torch.autograd.grad((result * weights).sum(), given))


@settings(max_examples=40, deadline=None)
@given(
    dimension=st.sampled_from([2, 3]),
    extra=st.integers(0, 2),
    leaves=st.integers(2, 40),
    sources=st.integers(1, 4),
    samples=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_plain_pytorch(
    dimension: int, extra: int, leaves: int, sources: int, samples: int, seed: int
) -> None:
    case = random_case(dimension, extra, leaves, sources, samples, seed)
    weights = torch.tensor(np.random.default_rng(1).normal(size=case[0].shape[1:]))
    ours = gradients(CompiledSweep.apply, case, weights)
    theirs = gradients(plain_sweep, case, weights)
    # Between leaves of one source gradients vanish: what counts is the size of the stiffness.
    scale = float(theirs[0].abs().max())
    for one, other in zip(ours, theirs, strict=True):
        limit = 1e-12 * max(scale, float(other.abs().max()))
        torch.testing.assert_close(one, other, rtol=0, atol=limit)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_gradient_equals_differences(dimension: int, extra: int) -> None:
    columns, source, share, normals = random_case(dimension, extra, 5, 5, 3, 2)
    given = tuple(each.requires_grad_() for each in (columns, share, normals))

    def answer(columns: torch.Tensor, share: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
        return CompiledSweep.apply(columns, source, share, normals)

    assert torch.autograd.gradcheck(answer, given, eps=1e-6, atol=1e-6, rtol=1e-6)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case(2, 0, 16, 2, 300, 0)
    weights = torch.ones(case[0].shape[1:], dtype=torch.float64)
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(numba, "get_num_threads", lambda threads=threads: threads)
        results.append(gradients(CompiledSweep.apply, case, weights))
    for other in results[1:]:
        for one, another in zip(results[0], other, strict=True):
            assert torch.equal(one, another)


def test_uniform_eigenstress_passes_unchanged() -> None:
    """The row "1": leaves with stresses C ε + p have, with one p for all, that p on average."""
    columns, source, share, normals = random_case(3, 1, 12, 12, 2, 4)
    rows, places = np.triu_indices(7)
    eigenstress = torch.arange(1.0, 8.0, dtype=torch.float64)
    columns[:, places == 6] = eigenstress[rows[places == 6], None]
    found = CompiledSweep.apply(columns, source, share, normals)[places == 6]
    expected = eigenstress[:, None].expand(-1, 2)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", range(1, 9))
def test_matrix_size(size: int) -> None:
    assert matrix_size(size * (size + 1) // 2) == size
