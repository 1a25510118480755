"""What points remember from step to step: named fields, kept side by side in memory."""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dmn_fem._lanes import aligned
from dmn_fem.notation import Array

_TRACE = 1e-9
"""Share of a deviatoric tensor that its trace may be, for round-off in files."""


@dataclass(frozen=True)
class Field:
    """One named quantity in the state of a point.

    Attributes:
        name: For example ``matrix.plastic_strain``.
        shape: Shape at one point, for example (leaves, 6) in Mandel components, () for a scalar.
        unit: ``1`` or ``stress`` (the user's own consistent unit).
        deviatoric: Mandel vectors without a trace (last axis), whose component 33 is not kept.

    Raises:
        ValueError: If a deviatoric field has not 4 or 6 components.
    """

    name: str
    shape: tuple[int, ...]
    unit: str = "1"
    deviatoric: bool = False

    def __post_init__(self) -> None:
        if self.deviatoric and self.shape[-1:] not in ((4,), (6,)):
            raise ValueError(
                f"field {self.name} has shape {self.shape}; a deviatoric one has 4 or 6 components"
            )

    @property
    def kept_shape(self) -> tuple[int, ...]:
        """Shape of what is kept."""
        return (*self.shape[:-1], self.shape[-1] - 1) if self.deviatoric else self.shape

    @property
    def size(self) -> int:
        """Number of values that are kept at one point."""
        return int(np.prod(self.kept_shape, dtype=int))

    def in_full(self, kept: Array) -> Array:
        """Values of the field's shape from what is kept, (..., size)."""
        values = kept.reshape(*kept.shape[:-1], *self.kept_shape)
        if self.deviatoric:
            values = np.insert(values, 2, -(values[..., 0] + values[..., 1]), axis=-1)
        return values

    def to_keep(self, values: Array) -> Array:
        """What is kept, (..., size), of values of the field's shape.

        Raises:
            ValueError: If a deviatoric field has a trace.
        """
        if self.deviatoric:
            traces = np.abs(values[..., :3].sum(axis=-1))
            if (traces > _TRACE * np.abs(values).max(axis=-1, initial=0.0)).any():
                raise ValueError(f"field {self.name} has a trace; it must be deviatoric")
            values = np.delete(values, 2, axis=-1)
        return values.reshape(*values.shape[: values.ndim - len(self.shape)], self.size)


@dataclass(frozen=True)
class Record:
    """Several fields side by side, repeated: what each leaf or voxel of a phase remembers.

    Attributes:
        name: Prefix of the names of its fields, for example ``matrix``.
        count: How many repetitions a point has.
        fields: The fields of one repetition; those of the same repetition are neighbours in memory.
    """

    name: str
    count: int
    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Number of values in one repetition."""
        return sum(field.size for field in self.fields)


class State:
    """Internal variables of a batch of points, as accepted (`old`) and as integrated (`new`).

    Both are arrays of shape (blocks, width, lanes): ``lanes`` points side by side, what is kept of
    their fields and records one after the other; they start at zero, and the last block may have
    room for more. A field of a record is named ``record.field``, of shape (points, count, ...).

    Attributes:
        points: Number of points.
        network: Number of the network of every point, (points,), in a law of several. It belongs to
            the point as its place does, so that `export` and `load` leave it alone.
        old: As accepted.
        new: As integrated.
    """

    def __init__(self, layout: Iterable[Field | Record], points: int, lanes: int = 1) -> None:
        self._places: dict[str, tuple[slice, int, slice, Field]] = {}
        self.points = points
        self.network: NDArray[np.int64] = np.zeros(points, dtype=np.int64)
        width = 0
        for entry in layout:
            record = entry if isinstance(entry, Record) else Record("", 1, (entry,))
            where = slice(width, width + record.count * record.width)
            width = where.stop
            offset = 0
            for field in record.fields:
                inner = slice(offset, offset + field.size)
                offset = inner.stop
                if isinstance(entry, Record):
                    name = f"{record.name}.{field.name}"
                    field = replace(field, name=name, shape=(record.count, *field.shape))
                self._places[field.name] = (where, record.count, inner, field)
        shape = (-(-points // lanes), width, lanes)
        self.old: Array = aligned(shape)
        self.new: Array = aligned(shape)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all fields."""
        return tuple(self._places)

    def accept(self) -> None:
        """The step converged: what was integrated becomes the past."""
        self.old[:] = self.new

    def revert(self) -> None:
        """The step failed: forget what was integrated."""
        self.new[:] = self.old

    def take(self, points: NDArray[np.integer]) -> Self:
        """A state of its own for some points, in this order, from what is accepted of them."""
        taken, lanes = copy(self), self.old.shape[2]
        taken.points, taken.network = len(points), self.network[points]
        taken.old = np.zeros((-(-len(points) // lanes), *self.old.shape[1:]))
        block, lane = np.divmod(np.arange(len(points)), lanes)
        taken.old[block, :, lane] = self.old[points // lanes, :, points % lanes]
        taken.new = taken.old.copy()
        return taken

    def put(self, points: NDArray[np.integer], other: Self) -> None:
        """Set what is integrated at some points to that of another state, in its order."""
        lanes = self.new.shape[2]
        block, lane = np.divmod(np.arange(len(points)), lanes)
        self.new[points // lanes, :, points % lanes] = other.new[block, :, lane]

    def _view(self, name: str) -> Array:
        """A field in place, (blocks, count, size, lanes)."""
        where, count, inner, _ = self._places[name]
        blocks, _, lanes = self.old.shape
        width = (where.stop - where.start) // max(1, count)
        return self.old[:, where].reshape(blocks, count, width, lanes)[:, :, inner]

    def __getitem__(self, name: str) -> Array:
        """A copy of one field as accepted, in full, shape (points, ...).

        Raises:
            KeyError: If there is no such field.
        """
        if name not in self._places:
            raise KeyError(f"no field {name!r} in the state; there are {', '.join(self._places)}")
        return self.at(name, np.arange(self.points))

    def at(self, name: str, points: NDArray[np.integer]) -> Array:
        """A copy of one field at some points as accepted, in full, shape (points, ...)."""
        block, lane = np.divmod(points, self.old.shape[2])
        kept = self._view(name)[block, :, :, lane]
        field = self._places[name][3]
        return field.in_full(kept.reshape(len(points), field.size))

    def export(self, points: NDArray[np.integer] | slice = slice(None)) -> dict[str, Array]:
        """Copies of all accepted fields at the given points, in full, as plain arrays."""
        chosen = np.arange(self.points)[points]
        return {name: self.at(name, chosen) for name in self._places}

    def load(self, fields: Mapping[str, Array]) -> None:
        """Set the accepted (and the new) state from what `export` gave for all points.

        Raises:
            ValueError: If fields are missing, unknown, of another shape, or have a trace that they
                must not have; nothing is changed then.
        """
        if set(fields) != set(self._places):
            raise ValueError(f"state has fields {sorted(self._places)}, got {sorted(fields)}")
        for name, values in fields.items():
            expected = (self.points, *self._places[name][3].shape)
            if np.shape(values) != expected:
                raise ValueError(
                    f"field {name} has shape {np.shape(values)}; this state needs {expected}"
                )
        kept = {
            name: self._places[name][3].to_keep(np.asarray(values, dtype=float))
            for name, values in fields.items()
        }
        for name, values in kept.items():
            view = self._view(name)
            blocks, count, size, lanes = view.shape
            rows = np.zeros((blocks * lanes, count, size))
            rows[: self.points] = values.reshape(self.points, count, size)
            view[:] = np.moveaxis(rows.reshape(blocks, lanes, count, size), 1, -1)
        self.revert()
