"""Straight-line code: eight numbers at once, as the same formula gives them one by one."""

import numpy as np
from numba import njit

from dmn_fem._lanes import LANES, straight_line


def _formula(a, b, number):
    return (2.0 * a - b / number + 1.0) * -b, (1.0 - a) / (a + 3.0) - (b + number) * 0.5


def _write(length, numbers, source, result):
    for i in range(length):
        one, two = _formula(source[2 * i], source[2 * i + 1], numbers[i])
        result[2 * i] = one
        result[2 * i + 1] = two


_operation = straight_line(_write)


@njit
def _run(shape, memory, numbers, row):
    _operation(shape, memory, (0, memory.shape[0] // 2), numbers, row)


def test_arithmetic_equals_that_of_arrays() -> None:
    rng = np.random.default_rng(0)
    memory = rng.normal(size=(12, LANES))
    numbers = rng.normal(size=(4, 3))
    expected = memory.copy()
    for i in range(3):
        a, b = expected[2 * i], expected[2 * i + 1]
        expected[6 + 2 * i], expected[7 + 2 * i] = _formula(a, b, numbers[2, i])
    _run(((0, 0, 0),), memory, numbers, 2)
    np.testing.assert_allclose(memory, expected, rtol=1e-13, atol=1e-13)
