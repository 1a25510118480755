"""Derivatives that nobody writes: against differences and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmn_fem.laws import arithmetic as a
from dmn_fem.laws.arithmetic import Dual

FUNCTIONS = {
    "polynomial": lambda x, y: 2.0 * x * y - y / x + (3.0 - x) / (y + 1.0) - -x,
    "functions": lambda x, y: a.sqrt(x) * a.exp(-y) + a.log(x + y) * a.power(y, 1.7),
    "choice": lambda x, y: a.where(x > y, x * x, y * y * y) + a.maximum(x, y) - a.minimum(x, 2.0),
    "vectors": lambda x, y: a.norm([x, 2.0 * y, x * y, 1.0]) + a.trace(a.deviator([x, y, x, y])),
    "root": lambda x, y: a.root(lambda z: x - z - y * z * z * z, 0.0 * x, x),
    "from above": lambda x, y: a.root(lambda z: z + y * a.exp(z) - x - y, x, 0.0 * x),
    "root in root": lambda x, y: a.root(
        lambda z: x - z - a.root(lambda w: y + z - w - w * w * w, 0.0, y + x), 0.0 - y, x
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=st.floats(0.1, 5.0), y=st.floats(0.1, 5.0))
def test_derivatives_equal_differences(name: str, x: float, y: float) -> None:
    function, step = FUNCTIONS[name], 1e-6
    if abs(x - y) < 1e-4 or abs(x - 2.0) < 1e-4:  # kinks of a choice
        return
    x_, y_ = np.array([x]), np.array([y])
    found = function(Dual(x_, {"x": 1.0}), Dual(y_, {"y": 1.0}))
    np.testing.assert_allclose(found.value, function(x_, y_), rtol=1e-12, atol=1e-12)
    in_x = (function(x_ + step, y_) - function(x_ - step, y_)) / (2 * step)
    in_y = (function(x_, y_ + step) - function(x_, y_ - step)) / (2 * step)
    np.testing.assert_allclose(found.slopes["x"], in_x, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.slopes.get("y", 0.0), in_y, rtol=1e-6, atol=1e-7)


def test_what_is_not_chosen_does_no_harm() -> None:
    x = Dual(np.array([0.0, 4.0]), {0: 1.0})
    with np.errstate(all="ignore"):
        found = a.where(x > 0.0, a.sqrt(x), 0.0)
    np.testing.assert_array_equal(found.value, [0.0, 2.0])
    np.testing.assert_array_equal(found.slopes[0], [0.0, 0.25])
    length = a.norm([Dual(np.zeros(1), {0: 1.0})])
    assert length.value < 1e-100
    assert length.slopes[0] == 0.0
    with np.errstate(divide="ignore"):
        assert a.power(x, 2.5).slopes[0][0] == 0.0


def test_a_root_where_one_is_wanted() -> None:
    x = Dual(np.array([8.0, 8.0]), {0: 1.0})
    found = a.root(lambda z: x - z * z * z, 1.0, 9.0, np.array([True, False]))
    np.testing.assert_allclose(found.value, [2.0, 1.0])
    np.testing.assert_allclose(found.slopes[0], [1.0 / 12.0, 0.0])


def test_newton_that_leaves_the_bracket_is_halved() -> None:
    """Far out a sigmoid is flat, and Newton's method goes anywhere."""
    found = a.root(
        lambda z: 1.0 / (1.0 + a.exp(z - 3.0)) - 0.5, np.array([-30.0]), np.array([90.0])
    )
    np.testing.assert_allclose(found, 3.0, rtol=1e-12)


def test_a_root_out_of_reach_is_none() -> None:
    with np.errstate(all="ignore"):
        found = a.root(lambda z: 8.0 - z * z * z, np.array([1e-3]), np.array([1e6]), limit=3)
    assert np.isnan(found).all()
