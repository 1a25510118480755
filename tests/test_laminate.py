"""One laminate as plain arithmetic: NumPy's formula, and its adjoint against differences."""

import numpy as np
import pytest

from dmn_fem._laminate import AXES, adjoint, laminate
from dmn_fem.network import jump_operator
from dmn_fem.network import laminate as laminate_of_matrices
from dmn_fem.notation import SQRT2, Array


def random_pair(size: int, seed: int) -> tuple[Array, Array]:
    factor = np.random.default_rng(seed).normal(size=(2, size, size))
    first, second = factor @ np.swapaxes(factor, 1, 2) + np.eye(size)
    return first, 50 * second


def distinct(matrix: Array) -> list[float]:
    return list(matrix[np.triu_indices(len(matrix))])


@pytest.mark.parametrize("dimension", [2, 3])
def test_equals_the_formula_of_the_network(dimension: int) -> None:
    size = 2 * dimension
    first, second = random_pair(size, dimension)
    normal = np.array([0.6, -0.48, 0.64]) if dimension == 3 else np.array([0.6, -0.8, 0.0])
    expected = laminate_of_matrices(first, second, 0.3, jump_operator(normal, dimension))
    # In two dimensions the row 33, which no jump touches, goes last; and no component has a √2.
    order = [0, 1, 3, 2] if dimension == 2 else list(range(6))
    scale = np.array([1.0 if row < dimension or row == 2 else SQRT2 for row in order])
    pick = np.ix_(order, order)
    parts = [distinct(each[pick] / np.outer(scale, scale)) for each in (first, second, expected)]
    found, jump = [0.0] * len(parts[0]), [0.0] * dimension * size
    laminate(dimension, size, parts[0], parts[1], 0.3, list(normal[:dimension]), found, jump)
    np.testing.assert_allclose(found, parts[2], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("dimension", "size"), [(2, 3), (2, 5), (3, 6), (3, 7)])
def test_two_triangles_equal_the_formula(dimension: int, size: int) -> None:
    """Matrices that are not symmetric; of symmetric ones two triangles say the same as one."""
    rng = np.random.default_rng(size)
    normal, f1 = rng.normal(size=dimension), 0.3
    operator = np.zeros((size, dimension))
    for axis in range(dimension):
        for other in range(dimension):
            operator[AXES[dimension][axis][other], axis] += normal[other]
    symmetric = random_pair(size, 1)
    skewed = [each + rng.normal(size=(size, size)) for each in symmetric]
    for c1, c2 in (symmetric, skewed):
        difference = c1 - c2
        acoustic = operator.T @ ((1 - f1) * c1 + f1 * c2) @ operator
        relaxation = -np.linalg.solve(acoustic, operator.T @ difference)
        expected = f1 * c1 + (1 - f1) * c2 + f1 * (1 - f1) * difference @ operator @ relaxation
        found, jump = [0.0] * size**2, [0.0] * (dimension * size)
        laminate(dimension, size, c1.ravel(), c2.ravel(), f1, normal, found, jump, 2)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected.ravel(), atol=1e-12 * scale)
        np.testing.assert_allclose(jump, relaxation.ravel(), atol=1e-12 * scale)


@pytest.mark.parametrize(("dimension", "size"), [(2, 3), (2, 5), (3, 6), (3, 7)])
def test_adjoint_equals_differences(dimension: int, size: int) -> None:
    first, second = random_pair(size, size)
    rng = np.random.default_rng(0)
    normal, share = rng.normal(size=dimension), 0.35
    weight = rng.normal(size=(size, size))
    weight += weight.T
    where = np.triu_indices(size)
    result, jump = np.empty(len(where[0])), np.empty(dimension * size)

    def loss(values: Array) -> float:
        c1, c2 = np.split(values[1 + dimension :], 2)
        laminate(dimension, size, c1, c2, values[0], values[1 : 1 + dimension], result, jump)
        full = np.zeros((size, size))
        full[where] = result
        return float((weight * (full + np.triu(full, 1).T)).sum())

    values = np.concatenate([[share], normal, distinct(first), distinct(second)])
    arguments = (dimension, size, distinct(first), distinct(second), share, list(normal))
    acoustic = laminate(*arguments, result, jump)
    arguments = (*arguments, jump)
    by_share, by_normal, one, two = adjoint(*arguments, acoustic, distinct(weight), True)
    twice = np.where(where[0] == where[1], 1.0, 2.0)
    found = np.concatenate([[by_share], by_normal, twice * one, twice * two])
    steps = 1e-6 * np.eye(values.size)
    expected = [(loss(values + step) - loss(values - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
