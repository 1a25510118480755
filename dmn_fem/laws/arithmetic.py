"""What formulas of laws are written with: functions of numbers, of Mandel vectors, and roots.

The numbers are arrays, several doubles side by side during code generation (`dmn_fem._lanes`), or
either of them with derivatives (`Dual`), which is where tangents come from that nobody writes.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from dmn_fem import _lanes
from dmn_fem._lanes import repeat


class Dual:
    """A value and its derivatives in some variables; those that are not there are zero.

    Arithmetic differentiates forward, comparisons compare values.
    """

    __array_ufunc__ = None  # arrays leave arithmetic to this class

    def __init__(self, value: Any, slopes: Mapping[Hashable, Any]) -> None:
        self.value = value
        self.slopes = slopes

    def __add__(self, other: Any) -> "Dual":
        return _chain(self.value + value_of(other), (self, 1.0), (other, 1.0))

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Dual":
        return _chain(self.value - value_of(other), (self, 1.0), (other, -1.0))

    def __rsub__(self, other: Any) -> "Dual":
        return _chain(other - self.value, (self, -1.0))

    def __mul__(self, other: Any) -> "Dual":
        factor = value_of(other)
        if other is self:
            return _chain(factor * factor, (self, 2.0 * factor))
        return _chain(self.value * factor, (self, factor), (other, self.value))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Dual":
        inverse = 1.0 / value_of(other)
        ratio = self.value * inverse
        slope = -(ratio * inverse) if isinstance(other, Dual) else 0.0
        return _chain(ratio, (self, inverse), (other, slope))

    def __rtruediv__(self, other: Any) -> "Dual":
        inverse = 1.0 / self.value
        ratio = other * inverse
        return _chain(ratio, (self, -(ratio * inverse)))

    def __neg__(self) -> "Dual":
        return _chain(-self.value, (self, -1.0))

    def __lt__(self, other: Any) -> Any:
        return self.value < value_of(other)

    def __le__(self, other: Any) -> Any:
        return self.value <= value_of(other)

    def __gt__(self, other: Any) -> Any:
        return self.value > value_of(other)

    def __ge__(self, other: Any) -> Any:
        return self.value >= value_of(other)


def value_of(number: Any) -> Any:
    """A number without its derivatives."""
    return number.value if isinstance(number, Dual) else number


def _chain(value: Any, *terms: tuple[Any, Any]) -> Dual:
    """The chain rule: operands, and the derivatives of the value in them."""
    slopes: dict[Hashable, Any] = {}
    for operand, factor in terms:
        for key, slope in operand.slopes.items() if isinstance(operand, Dual) else ():
            part = _times(factor, slope)
            slopes[key] = slopes[key] + part if key in slopes else part
    return Dual(value, slopes)


def _times(factor: Any, slope: Any) -> Any:
    """A product, without a multiplication by one."""
    for one, other in ((factor, slope), (slope, factor)):
        if isinstance(one, float) and abs(one) == 1.0:
            return other if one > 0 else -other
    return factor * slope


def where(condition: Any, then: Any, otherwise: Any) -> Any:
    """One of two values, point by point. Both are computed, so neither may fail.

    Derivatives are those of the chosen one; an infinite one of the other does no harm.
    """
    value = _lanes.where(condition, value_of(then), value_of(otherwise))
    both = [each.slopes if isinstance(each, Dual) else {} for each in (then, otherwise)]
    if not any(both):
        return value
    keys = {**both[0], **both[1]}
    return Dual(
        value,
        {
            key: _lanes.where(condition, both[0].get(key, 0.0), both[1].get(key, 0.0))
            for key in keys
        },
    )


def maximum(first: Any, second: Any) -> Any:
    """The larger of two numbers."""
    return where(first > second, first, second)


def minimum(first: Any, second: Any) -> Any:
    """The smaller of two numbers."""
    return where(first < second, first, second)


def sqrt(number: Any) -> Any:
    """Square root; where it may be that of zero, see `norm`."""
    root_of = _lanes.sqrt(value_of(number))
    return _chain(root_of, (number, 0.5 / root_of)) if isinstance(number, Dual) else root_of


def exp(number: Any) -> Any:
    """Exponential."""
    value = _lanes.exp(value_of(number))
    return _chain(value, (number, value)) if isinstance(number, Dual) else value


def log(number: Any) -> Any:
    """Natural logarithm."""
    value = _lanes.log(value_of(number))
    return _chain(value, (number, 1.0 / number.value)) if isinstance(number, Dual) else value


def power(number: Any, exponent: Any) -> Any:
    """A number >= 0 to a positive power that does not depend on strains.

    Its derivative at zero is taken as zero, which it is for exponents above one.
    """
    base = value_of(number)
    value = _lanes.exp(exponent * _lanes.log(base))
    if not isinstance(number, Dual):
        return value
    positive = base > 0.0
    slope = exponent * value / _lanes.where(positive, base, 1.0)
    return _chain(value, (number, _lanes.where(positive, slope, 0.0)))


def root(
    function: Callable[[Any], Any], start: Any, end: Any, among: Any = None, limit: int = 100
) -> Any:
    """Where a function of one number is zero, by Newton's method within a bracket.

    The derivatives of the root in what the function depends on are those of the implicit function
    theorem, so that nothing of the iteration is differentiated.

    Args:
        function: Positive or zero at `start`, negative or zero at `end`, written with this module.
        start: Where Newton's method starts; best where it stays on its side of the root.
        end: The other end of the bracket, above or below.
        among: Points where a root is wanted; the others give `start`, without derivatives.
        limit: Of iterations; a point that needs more gives NaN.
    """
    seed = object()
    first, last = value_of(start), value_of(end)
    smallest = 1e-15 * (last - first)  # what a residual that is a difference can tell

    def residual(number: Any) -> Dual:
        return function(Dual(number, {seed: 1.0}))

    def step(number: Any, positive: Any, negative: Any, _: Any) -> tuple[Any, ...]:
        found = residual(number)
        newton = number - found.value / found.slopes[seed]
        positive = _lanes.where(found.value >= 0.0, number, positive)
        negative = _lanes.where(found.value <= 0.0, number, negative)
        inside = (newton - positive) * (newton - negative) <= 0.0
        following = _lanes.where(inside, newton, 0.5 * (positive + negative))
        change = following - number
        # The next change is the square of this one.
        more = change * change > 1e-18 * (following * following) + smallest * smallest
        return more, following, positive, negative, _lanes.where(more, 1.0, 0.0)

    # The first step is the same for all; often it is the only value that anyone needs.
    more, *begun = step(first, first, last, None)
    if among is not None:
        more = more & among
    number, _, _, going = repeat(step, begun, limit, more)
    number = _lanes.where(going > 0.0, float("nan"), number)
    if among is not None:
        number = _lanes.where(among, number, first)
    found = residual(number)
    slopes = {key: each for key, each in found.slopes.items() if key is not seed}
    if not slopes:
        return number
    factor = -1.0 / found.slopes[seed]
    if among is not None:
        factor = _lanes.where(among, factor, 0.0)
    return _chain(number, (Dual(found.value, slopes), factor))


def dot(first: Sequence[Any], second: Sequence[Any]) -> Any:
    """Σ a b."""
    total = first[0] * second[0]
    for a, b in zip(first[1:], second[1:], strict=True):
        total = total + a * b
    return total


def norm(vector: Sequence[Any]) -> Any:
    """√(Σ a a); 1e-150 instead of zero, where it has no derivative."""
    squared = dot(vector, vector)
    return sqrt(where(squared > 1e-300, squared, 1e-300))


def trace(vector: Sequence[Any]) -> Any:
    """Sum of the normal components of a Mandel vector, which come first in 2D and 3D."""
    return vector[0] + vector[1] + vector[2]


def deviator(vector: Sequence[Any]) -> list[Any]:
    """A Mandel vector without its mean."""
    mean = trace(vector) * (1.0 / 3.0)
    return [each - mean if i < 3 else each for i, each in enumerate(vector)]


def add(vector: Sequence[Any], mean: Any) -> list[Any]:
    """A Mandel vector and a hydrostatic one."""
    return [each + mean if i < 3 else each for i, each in enumerate(vector)]
