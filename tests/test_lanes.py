"""Straight-line code: `LANES` numbers at once, as the same formula gives them one by one."""

import numpy as np
from numba import njit

from dmn_fem._lanes import LANES, exp, log, repeat, sqrt, straight_line, where


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


def test_every_lane_may_have_numbers_of_its_own() -> None:
    rng = np.random.default_rng(0)
    memory, numbers = rng.normal(size=(12, LANES)), rng.normal(size=(4, 3, LANES))
    found = memory.copy()
    _run(((0, 0, 0),), found, numbers, 2)
    for lane in range(LANES):
        alone = memory.copy()
        _run(((0, 0, 0),), alone, np.ascontiguousarray(numbers[:, :, lane]), 2)
        # Shared divisors may become factors.
        np.testing.assert_allclose(found[:, lane], alone[:, lane], rtol=1e-14, atol=1e-14)


def _functions(length, numbers, source, result):
    x, y = source[0], source[1]
    result[0] = exp(x)
    result[1] = where((x > -1.0) & ~(x >= y), x, 7.0)
    result[2] = where((x < -1.0) | (x <= y), sqrt(y), -x)
    # Newton's method for the square root, and how often the lanes wanted more.
    root, count = repeat(
        lambda root, count: (root * root - y > 1e-13 * y, 0.5 * (root + y / root), count + 1.0),
        [1.0 + y, 0.0 * y],
        30,
        y >= 0.0,
    )
    result[3], result[4] = root, count


_with_functions = straight_line(_functions)


@njit
def _run_functions(shape, memory, numbers):
    _with_functions(shape, memory, (0, 2), numbers, 0)


def in_lanes(x, y):
    memory = np.zeros((7, LANES))
    memory[0], memory[1] = x, y
    _run_functions(((0,),), memory, np.zeros((1, 1)))
    return memory[2:]


def both(x, y):
    """What lanes give, and what arrays give."""
    expected = {}
    _functions(1, None, (x, y), expected)
    return in_lanes(x, y), np.array([expected[row] for row in range(5)])


def test_functions_equal_those_of_arrays() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        found, expected = both(rng.uniform(-700, 700, LANES), 10 ** rng.uniform(-4, 4, LANES))
        np.testing.assert_allclose(found, expected, rtol=5e-16)
    found, expected = both(rng.normal(size=LANES), rng.uniform(0, 2, LANES))
    np.testing.assert_allclose(found, expected, rtol=5e-16)
    assert np.ptp(expected[4]) > 0  # lanes leave the loop one after the other


def test_the_ends_of_exp_and_nan() -> None:
    x = np.array([800.0, -800.0, np.inf, -np.inf, np.nan, 0.0, -708.5, 1e-300])
    found = in_lanes(x, np.ones(LANES))[0]
    np.testing.assert_array_equal(found, [np.inf, 0, np.inf, 0, np.nan, 1, 0, 1])


def _logarithm(length, numbers, source, result):
    result[0] = log(source[0])


_with_log = straight_line(_logarithm)


@njit
def _run_log(shape, memory, numbers):
    _with_log(shape, memory, (0, 1), numbers, 0)


def log_in_lanes(x):
    memory = np.zeros((2, LANES))
    memory[0] = x
    _run_log(((0,),), memory, np.zeros((1, 1)))
    return memory[1]


def test_log_equals_that_of_arrays() -> None:
    rng = np.random.default_rng(2)
    for x in (10 ** rng.uniform(-300, 300, LANES), 1 + 1e-6 * rng.normal(size=LANES)):
        np.testing.assert_allclose(log_in_lanes(x), np.log(x), rtol=7e-16)
    x = np.array([0.0, np.inf, -1.0, np.nan, 1.0, 2.0, -np.inf, 1.5])
    expected = [-np.inf, np.inf, np.nan, np.nan, 0.0, np.log(2.0), np.nan, np.log(1.5)]
    np.testing.assert_allclose(log_in_lanes(x), expected, rtol=4e-16)
