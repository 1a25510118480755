"""What goes wrong with databases, and what is marked."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class DatabaseError(ValueError):
    """A database, its file or a question to it is wrong; the message is one line."""


class ExtrapolationWarning(UserWarning):
    """A network was extrapolated beyond the range of its database."""


def refuse(wrong: NDArray[np.bool_], reason: Callable[[int], str]) -> None:
    """Raise DatabaseError if points are wrong: how many, and why the first one is.

    Args:
        wrong: Whether a point is, (points,).
        reason: Why the point of a number is wrong.
    """
    if wrong.any():
        first = int(wrong.argmax())
        where = f"{wrong.sum()} of {wrong.size} points, the first is point {first}: "
        raise DatabaseError((where if wrong.size > 1 else "") + reason(first))
