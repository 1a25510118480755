"""Many members (leaves or voxels), each with the law of its phase: one compiled loop for all."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem._lanes import LANES
from dmn_fem.laws._formulas import lanes_address, point_address
from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._protocol import external_values
from dmn_fem.laws._state import Field, Record, State
from dmn_fem.laws._tracing import numbers_of
from dmn_fem.notation import Array, strain_size

type Compiled = tuple[NDArray[Any], ...]
type Local = Callable[[NDArray[np.integer]], tuple[Array, Array]]
"""Mandel strains and stresses of all members at some points, (points, members, s)."""

_CHUNK = 2**18
"""Strains of members that are in memory at once when a state is evaluated."""


class Members:
    """Members of a point, each with the law of its phase, laid out for `_kernels.respond`.

    The row of a point's state is: leading fields, external fields, and the internal variables of
    all members, phase by phase.

    Args:
        laws: The law of every phase, by the phase's name.
        phases: Names of the phases, in the order of their numbers.
        member_phase: Phase number of every member, (members,).
        weight: Volume fractions of the members, (members,), or of each network's, (K, members).
        dimension: 2 or 3.
        rotation: Mandel rotations from the axes of the members' phases to the global ones,
            (K, members, s, s), or of no members where all phases are aligned with the global axes.
        *leading: What determines the strains of the members, at the start of a point's row.

    Raises:
        ValueError: If laws are missing or belong to no phase, or an internal variable of one has
            the name of an external field that it reads.
    """

    def __init__(
        self,
        laws: Mapping[str, PhaseLaw],
        phases: Sequence[str],
        member_phase: NDArray[np.integer],
        weight: Array,
        dimension: int,
        rotation: Array,
        *leading: Field,
    ) -> None:
        if set(laws) != set(phases):
            raise ValueError(
                f"laws are given for {', '.join(sorted(laws)) or 'no phase'}; "
                f"the phases are {', '.join(phases)}"
            )
        self.laws = {phase: laws[phase] for phase in phases}
        self.phase = np.ascontiguousarray(member_phase, dtype=np.int64)
        self.dimension, self._rotation = dimension, rotation
        ordered = list(self.laws.values())
        counts = np.bincount(self.phase, minlength=len(ordered))
        weight = np.atleast_2d(weight)
        total = [np.bincount(self.phase, weights=row, minlength=len(ordered)) for row in weight]
        of_phase = np.stack(total)[:, self.phase]
        self.share = np.divide(
            weight, of_phase, out=np.full_like(weight, np.nan), where=of_phase > 0
        )
        """Volume fraction of every member within its phase, (K, members); NaN if there is none."""

        records = [
            Record(phase, int(count), law.fields(dimension))
            for (phase, law), count in zip(self.laws.items(), counts, strict=True)
        ]
        self.external = tuple(dict.fromkeys(name for law in ordered for name in law.external))
        """Names of the external fields that the laws read."""
        self._layout: list[Field | Record] = [*leading]
        # Every law knows the values at which it is without stress: each remembers its own.
        needed = [(phase, name) for phase, law in self.laws.items() for name in law.external]
        for phase, law in self.laws.items():
            if both := {each.name for each in law.fields(dimension)} & set(law.external):
                raise ValueError(
                    f"{', '.join(sorted(both))} of the law of {phase} is an internal variable and "
                    "an external field; give them different names"
                )
        self._layout += [Field(f"{phase}.{name}", ()) for phase, name in needed]
        self._layout += [record for record in records if record.fields]
        widths = np.array([record.width for record in records], dtype=np.int64)
        order = np.argsort(self.phase, kind="stable")
        ends = np.cumsum(widths[self.phase[order]])
        starts = np.empty(self.phase.size, dtype=np.int64)
        starts[order] = ends - widths[self.phase[order]]
        place = sum(field.size for field in leading)
        starts += place + len(needed)
        self._past_external = slice(place, place + len(needed))

        self.triangles = 1 if all(law.symmetric for law in ordered) else 2
        """Triangles of matrices to keep: two if the tangent of a phase is not symmetric."""
        self._external_row = np.array([self.external.index(name) for _, name in needed], dtype=int)
        # Behind the parameters of a law there is room for its external fields.
        self._numbers = [
            np.append(numbers_of(law, dimension), np.zeros(len(law.external))) for law in ordered
        ]
        numbers_end = np.cumsum([part.size for part in self._numbers])
        pairs = zip(numbers_end, ordered, strict=True)
        rooms = [np.arange(end - len(law.external), end) for end, law in pairs]
        self._rooms = np.concatenate(rooms)
        self._starts, self._widths = starts, widths

    @cached_property
    def compiled(self) -> Compiled:
        """What `_kernels.respond` needs: phases, addresses, parameters, where state starts."""
        laws = self.laws.values()
        return (
            self.phase,
            np.array([point_address(law, self.dimension) for law in laws], dtype=np.int64),
            np.concatenate(self._numbers).astype(float),
            np.cumsum([0, *(len(part) for part in self._numbers)]),
            self._starts,
            self._widths,
        )

    def compiled_from(self, members: Compiled, start: int) -> Compiled:
        """`compiled` of the members from a number on."""
        phase, addresses, constants, constant_starts, starts, widths = members
        return phase[start:], addresses, constants, constant_starts, starts[start:], widths

    def compiled_at(self, external: Array) -> Compiled:
        """`compiled` where the external fields have values: a column of `external_values`."""
        phase, addresses, constants, constant_starts, starts, widths = self.compiled
        constants = constants.copy()
        constants[self._rooms] = external
        return phase, addresses, constants, constant_starts, starts, widths

    def external_values(self, given: Mapping[str, ArrayLike] | None, points: int) -> Array:
        """External fields of all laws, phase by phase, (rows, points).

        Raises:
            ValueError: If fields are missing, unknown or of another shape.
        """
        return external_values(self.external, given, points)[self._external_row]

    def external_in_lanes(self, values: Array) -> Array:
        """`external_values` for kernels that take `LANES` points, (blocks, rows, `LANES`)."""
        points = values.shape[1]
        blocks = -(-points // LANES)
        full = np.empty((len(values), blocks * LANES))
        full[:, :points] = values
        full[:, points:] = values[:, -1:]
        return np.ascontiguousarray(full.reshape(len(values), blocks, LANES).swapaxes(0, 1))

    def remember_external(self, state: State, values: Array) -> None:
        """Write `external_values` into the new state."""
        blocks, _, lanes = state.new.shape
        full = np.zeros((len(values), blocks * lanes))
        full[:, : state.points] = values
        rows = full.reshape(len(values), blocks, lanes).swapaxes(0, 1)
        state.new[:, self._past_external] = rows

    def past_external(self, state: State, points: NDArray[np.integer]) -> Array:
        """`external_values` of the accepted state at some points."""
        block, lane = np.divmod(points, state.old.shape[2])
        return np.ascontiguousarray(state.old[block, self._past_external, lane].T)

    def in_lanes(self, dt: float) -> tuple[NDArray[np.int64], Array]:
        """What kernels need that take `LANES` points side by side; members must be phase by phase.

        Returns:
            A row for every phase: whether its law is a formula, the address of its machine code,
            and that of the code without tangent; the first member, their number, where their
            internal variables start, and their width; how many parameters and external fields it
            has together, how many external fields, and the first of these. The time step and the
            parameters of every phase, one row each.
        """
        numbers = np.zeros((len(self.laws), 1 + max(part.size for part in self._numbers)))
        numbers[:, 0] = dt
        for phase, given in enumerate(self._numbers):
            numbers[phase, 1 : 1 + given.size] = given
        return self._lane_rows, numbers

    @cached_property
    def _lane_rows(self) -> NDArray[np.int64]:
        rows = np.zeros((len(self.laws), 10), dtype=np.int64)
        first_field = 0
        for number, law in enumerate(self.laws.values()):
            own = np.flatnonzero(self.phase == number)
            first = int(own[0]) if own.size else 0
            formula = type(law).function is None
            if formula:
                addresses = [lanes_address(law, self.dimension, n) for n in (self.triangles, 0)]
            else:
                addresses = [point_address(law, self.dimension)] * 2
            place = int(self._starts[first]) if own.size else 0
            fields = len(law.external)
            rows[number, :3] = formula, *addresses
            rows[number, 3:7] = first, own.size, place, self._widths[number]
            rows[number, 7:] = self._numbers[number].size, fields, first_field
            first_field += fields
        return rows

    def allocate(self, points: int, lanes: int = 1) -> State:
        """A stress-free state of so many points."""
        state = State(self._layout, points, lanes)
        values = [value for law in self.laws.values() for value in law.external.values()]
        self.remember_external(state, np.tile(np.array(values, dtype=float)[:, None], points))
        state.accept()
        return state

    def values(self, state: State, local: Local, points: NDArray[np.integer]) -> dict[str, Array]:
        """Strain, stress and internal variables of every member at some points, as accepted.

        Returns:
            By ``phase.quantity``, (points, members of the phase, ...); Mandel vectors along the
            global axes.
        """
        result: dict[str, Array] = {}
        strain, stress = local(points)
        internal = state.export(points)
        for number, (phase, law) in enumerate(self.laws.items()):
            own = self.phase == number
            if own.any():
                result[f"{phase}.strain"] = strain[:, own]
                result[f"{phase}.stress"] = stress[:, own]
                for field in law.fields(self.dimension):
                    name = f"{phase}.{field.name}"
                    result[name] = self._turned(internal[name], state.network[points], own)
        return result

    def _turned(self, values: Array, network: NDArray[np.integer], own: NDArray[np.bool_]) -> Array:
        """Internal variables of a phase's members, tensors from their axes to the global ones."""
        size = self._rotation.shape[-1]
        if self._rotation.shape[1] == 0 or values.ndim < 3 or values.shape[-1] != size:
            return values
        turn = self._rotation[:, own][network]
        result: Array = np.einsum("pmij,pm...j->pm...i", turn, values)
        return result

    def averages(self, state: State, local: Local) -> dict[str, Array]:
        """Averages over each phase of what `values` gives."""

        def average(values: Array, share: Array) -> Array:
            result: Array = np.einsum("pm,pm...->p...", share, values)
            return result

        return self._reduced(state, local, average)

    def maxima(self, state: State, local: Local) -> dict[str, Array]:
        """Largest norms (of tensors) and values (of scalars) of what `values` gives, by phase."""

        def largest(values: Array, share: Array) -> Array:
            sizes = np.linalg.norm(values, axis=-1) if values.ndim > 2 else values
            # Of several networks some have members without weight, or none of a phase.
            there = share.reshape(*share.shape, *(1 for _ in sizes.shape[2:])) > 0
            result: Array = np.where(there, sizes, -np.inf).max(axis=1, initial=-np.inf)
            return np.where(result == -np.inf, np.nan, result)

        return self._reduced(state, local, largest)

    def _reduced(
        self, state: State, local: Local, reduction: Callable[[Array, Array], Array]
    ) -> dict[str, Array]:
        """What remains of values of members, chunk by chunk of the points.

        Args:
            state: The state.
            local: As in `values`.
            reduction: Of values (points, members, ...) and the members' shares in their phase,
                (points, members).
        """
        members = {phase: self.phase == number for number, phase in enumerate(self.laws)}
        count = max(1, _CHUNK // (self.phase.size * strain_size(self.dimension)))
        # Of no points there is a chunk, too: it tells the names.
        chunks = [
            {
                name: reduction(
                    values, self.share[state.network[points]][:, members[name.rpartition(".")[0]]]
                )
                for name, values in self.values(state, local, points).items()
            }
            for points in np.split(np.arange(state.points), range(count, state.points, count))
        ]
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
