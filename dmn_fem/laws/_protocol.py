"""The one interface of networks, single-phase materials and full-field unit cells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem.laws._state import State
from dmn_fem.notation import Array


class Code(IntEnum):
    """What became of a point, with the meaning that MGIS gives the numbers."""

    FAILED = -1
    UNRELIABLE = 0
    CONVERGED = 1


@dataclass(frozen=True)
class Status:
    """What `Law.integrate` says of a batch of points.

    Attributes:
        codes: `Code` of every point, int8, shape (points,).
        iterations: Newton iterations of every point, int32, shape (points,).
    """

    codes: NDArray[np.int8]
    iterations: NDArray[np.int32]

    @property
    def failed(self) -> int:
        """How many points failed."""
        return int(np.count_nonzero(self.codes == Code.FAILED))

    @property
    def worst(self) -> int | None:
        """The point of the lowest code and, among those, the most iterations; None of no points."""
        if self.codes.size == 0:
            return None
        candidates = np.flatnonzero(self.codes == self.codes.min())
        return int(candidates[np.argmax(self.iterations[candidates])])

    @property
    def step_factor(self) -> float:
        """Suggested factor for the next step: below 1 after a failure, above 1 after easy steps."""
        if self.failed:
            return 0.5
        return 1.5 if self.codes.size == 0 or self.iterations.max() <= 6 else 1.0


def external_values(
    names: Sequence[str], given: Mapping[str, ArrayLike] | None, points: int
) -> Array:
    """Values of external fields at points, in the order of the names, (names, points).

    Args:
        names: Those that a law reads.
        given: Values of each, (points,), or one for all points.
        points: How many.

    Raises:
        ValueError: If fields are missing, unknown or of another shape.
    """
    given = {} if given is None else given
    if set(given) != set(names):
        raise ValueError(
            f"the law reads {_listed(names)} and is given {_listed(given)}; "
            "it needs a value of each external field that it reads, and of no other"
        )
    values = np.empty((len(names), points))
    for row, name in zip(values, names, strict=True):
        shape = np.shape(given[name])
        if shape not in ((), (points,)):
            raise ValueError(f"{name} has shape {shape}; it must be ({points},) or one number")
        row[:] = given[name]
    return values


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no external fields"


class Law(Protocol):
    """A constitutive law for a batch of points, small strain, Mandel notation."""

    @property
    def dimension(self) -> int:
        """2 (four components) or 3 (six)."""
        ...

    @property
    def strain_size(self) -> int:
        """Number of strain components: 4 or 6."""
        ...

    @property
    def external(self) -> tuple[str, ...]:
        """Names of the external fields, such as ``temperature``, that the law reads."""
        ...

    def allocate(self, points: int) -> State:
        """A stress-free state of so many points, with the layout of this law."""
        ...

    def integrate(
        self,
        strain: Array,
        state: State,
        stress: Array,
        tangent: Array | None = None,
        dt: float = 0.0,
        external: Mapping[str, Array] | None = None,
    ) -> Status:
        """Integrate from the old state to a given total strain, in place.

        The new state, the stress and the tangent are pure functions of old state, strain, dt and
        external fields. No point raises; a failed point has code -1 and NaN in its stress and
        tangent.

        Args:
            strain: Total strain at the end of the step, (points, strain_size), C-contiguous.
            state: `state.old` is read, `state.new` is written.
            stress: Written, (points, strain_size).
            tangent: Written if given: consistent tangent, (points, strain_size, strain_size).
            dt: Time step.
            external: Values of the `external` fields at the end of the step, (points,) or one.

        Raises:
            ValueError: If external fields are missing, unknown or of another shape.
        """
        ...

    def averages(self, state: State) -> dict[str, Array]:
        """Volume averages over each phase of strain, stress and internal variables, as accepted.

        Names are ``phase.quantity`` (``matrix.stress``, ``matrix.plastic_strain``, ...), values
        have shape (points,) or (points, components). A state keeps no stresses: these are those of
        a step from the accepted state without strain and time.
        """
        ...

    def maxima(self, state: State) -> dict[str, Array]:
        """The largest local values in each phase, of what `averages` averages.

        Of tensors the largest Frobenius norm, of scalars the largest value.
        """
        ...


def check_sizes(
    law: Law, strain: Array, state: State, stress: Array, tangent: Array | None
) -> None:
    """Refuse arrays that compiled code would read or write beyond their ends.

    Raises:
        ValueError: If an array does not fit to the state and the law.
    """
    size = law.strain_size
    wanted: list[tuple[str, Array | None, tuple[int, ...]]] = [
        ("strain", strain, (state.points, size)),
        ("stress", stress, (state.points, size)),
        ("tangent", tangent, (state.points, size, size)),
    ]
    for name, array, shape in wanted:
        if array is not None and array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}; this law and state need {shape}")
