"""The one interface: what a network, a single-phase material and a full-field unit cell have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
        """The point with the lowest code and, among those, the most iterations; None of an empty batch."""
        if self.codes.size == 0:
            return None
        candidates = np.flatnonzero(self.codes == self.codes.min())
        return int(candidates[np.argmax(self.iterations[candidates])])

    @property
    def step_factor(self) -> float:
        """Suggested factor for the next time step: below 1 after a failure, above 1 after easy steps."""
        if self.failed:
            return 0.5
        return 1.5 if self.codes.size == 0 or self.iterations.max() <= 6 else 1.0


@dataclass(frozen=True)
class Field:
    """One named quantity in the state of a point.

    Attributes:
        name: For example ``matrix.plastic_strain``.
        shape: Shape at one point, for example (leaves, 6) in Mandel components, () for a scalar.
        unit: ``1`` or ``stress`` (the user's own consistent unit).
    """

    name: str
    shape: tuple[int, ...]
    unit: str = "1"

    @property
    def size(self) -> int:
        """Number of values at one point."""
        return int(np.prod(self.shape, dtype=int))


class State:
    """Internal variables of a batch of points, as they were accepted (`old`) and as last integrated (`new`).

    Both are arrays of shape (points, width), one row a point, its fields one after the other; they start at zero.
    """

    def __init__(self, fields: Iterable[Field], points: int) -> None:
        self.fields = tuple(fields)
        self._slices: dict[str, tuple[slice, Field]] = {}
        width = 0
        for field in self.fields:
            self._slices[field.name] = (slice(width, width + field.size), field)
            width += field.size
        self.old: Array = np.zeros((points, width))
        self.new: Array = np.zeros((points, width))

    @property
    def points(self) -> int:
        """Number of points."""
        return self.old.shape[0]

    def accept(self) -> None:
        """The step converged: what was integrated becomes the past."""
        self.old[:] = self.new

    def revert(self) -> None:
        """The step failed: forget what was integrated."""
        self.new[:] = self.old

    def __getitem__(self, name: str) -> Array:
        """A view, shape (points, ...), of one field as accepted."""
        if name not in self._slices:
            raise KeyError(f"no field {name!r} in the state; there are {', '.join(self._slices)}")
        where, field = self._slices[name]
        return self.old[:, where].reshape(self.points, *field.shape)

    def export(self, points: NDArray[np.integer] | slice = slice(None)) -> dict[str, Array]:
        """Copies of all accepted fields at the given points, as plain arrays."""
        return {field.name: self[field.name][points].copy() for field in self.fields}

    def load(self, fields: Mapping[str, Array]) -> None:
        """Set the accepted (and the new) state from what `export` gave for all points.

        Raises:
            ValueError: If fields are missing, unknown or of another shape; nothing is changed then.
        """
        if set(fields) != set(self._slices):
            raise ValueError(f"state has fields {sorted(self._slices)}, got {sorted(fields)}")
        for name, values in fields.items():
            if np.shape(values) != self[name].shape:
                raise ValueError(
                    f"field {name} has shape {np.shape(values)}; this state needs {self[name].shape}"
                )
        for name, values in fields.items():
            where, _ = self._slices[name]
            self.old[:, where] = np.reshape(values, (self.points, -1))
        self.revert()


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
    ) -> Status:
        """Integrate from the old state to a given total strain, in place.

        The new state, the stress and the tangent are pure functions of old state, strain and dt. No point
        raises; a failed point has code -1 and NaN in its stress and tangent.

        Args:
            strain: Total strain at the end of the step, (points, strain_size), C-contiguous.
            state: `state.old` is read, `state.new` is written.
            stress: Written, (points, strain_size).
            tangent: Written if given: consistent tangent, (points, strain_size, strain_size).
            dt: Time step.
        """
        ...

    def averages(self, state: State) -> dict[str, Array]:
        """Volume averages over each phase of all that the accepted state knows.

        Names are ``phase.quantity`` (``matrix.stress``, ``matrix.plastic_strain``, ...), values have shape
        (points,) or (points, components).
        """
        ...
