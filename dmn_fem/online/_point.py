"""The one-point driver: any law along a path of prescribed strain and stress components."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem._files import write_atomically
from dmn_fem.laws import Code, Law, State
from dmn_fem.notation import COMPONENTS, Array, component_scale, strain_size

MAX_ITERATIONS = 20
MAX_CUTS = 10
"""An increment is halved at most so many times before the point counts as failed."""


@dataclass(frozen=True)
class LoadPath:
    """Prescribed strain and stress components from the stress-free state at time 0, row by row.

    Attributes:
        time: At the end of the increments, increasing, (rows,).
        strain: Mandel strain where it is prescribed, NaN elsewhere, (rows, 4 or 6).
        stress: Mandel stress where it is prescribed, NaN elsewhere, (rows, 4 or 6).
        external: External fields by name, each (rows,); up to the first row they are as there.
        increments: In how many equal increments a row is reached from the row before, (rows,) or
            one number for all.

    Raises:
        ValueError: If times do not increase from 0 on, a component has two values or none, an
            external field has not one in every row, or a row no whole number of increments.
    """

    time: Array
    strain: Array
    stress: Array
    external: Mapping[str, Array] = field(default_factory=dict)
    increments: ArrayLike = 1

    def __post_init__(self) -> None:
        counts = np.broadcast_to(self.increments, self.time.shape)
        if (wrong := np.flatnonzero(~(counts >= 1) | (counts % 1 != 0))).size:
            raise ValueError(
                f"row {wrong[0] + 1}: increments is {counts[wrong[0]]:g}; "
                "it must be a whole number, at least 1"
            )
        for name, values in self.external.items():
            if np.shape(values) != self.time.shape or not np.isfinite(values).all():
                raise ValueError(f"{name} must have a value in every row")
        steps = np.diff(self.time, prepend=0.0)
        if not (np.isfinite(self.time).all() and (steps[1:] > 0).all() and (steps >= 0).all()):
            raise ValueError("time must be finite, not negative and increase from row to row")
        dimension = 2 if self.strain.shape[-1] == 4 else 3
        given = np.isfinite(self.strain).astype(int) + np.isfinite(self.stress)
        for row, component in np.argwhere(given != 1):
            name = COMPONENTS[dimension][component]
            raise ValueError(
                f"row {row + 1}: component {name} has "
                + ("neither a strain nor a stress" if given[row, component] == 0 else "both values")
                + "; prescribe it by one of the two"
            )

    @classmethod
    def strain_driven(cls, strain: Array, time: Array | None = None) -> Self:
        """All strain components prescribed, Mandel, (rows, 4 or 6); a unit of time a row or so."""
        strain = np.asarray(strain, dtype=float)
        time = np.arange(1.0, len(strain) + 1.0) if time is None else np.asarray(time, dtype=float)
        return cls(time, strain, np.full_like(strain, np.nan))

    @property
    def rows(self) -> int:
        """How many increments there are in all: rows of the response."""
        return int(np.broadcast_to(self.increments, self.time.shape).sum())

    def refined(self, factor: int) -> Self:
        """The same path in so many times as many increments."""
        return replace(self, increments=np.asarray(self.increments) * factor)

    def repeated(self, cycles: int) -> Self:
        """The same rows so many times, one cycle after the other.

        Raises:
            ValueError: If there are no cycles, or time does not go on in the first row.
        """
        if cycles < 1:
            raise ValueError(f"cycles is {cycles}; it must be at least 1")
        if cycles > 1 and self.time[0] == 0:
            raise ValueError("the first row is at time 0; a path to repeat begins after it")
        times = self.time + self.time[-1] * np.arange(cycles)[:, None]
        counts = np.broadcast_to(self.increments, self.time.shape)
        return type(self)(
            times.ravel(),
            np.tile(self.strain, (cycles, 1)),
            np.tile(self.stress, (cycles, 1)),
            {name: np.tile(values, cycles) for name, values in self.external.items()},
            np.tile(counts, cycles),
        )

    @classmethod
    def read(cls, path: str | Path, dimension: int, external: Sequence[str] = ()) -> Self:
        """Read a CSV file: ``time``, any of ``strain_11 … stress_23`` (tensor components).

        A component is prescribed by the one of its two columns that has a value in the row; a
        component in no column has zero strain. Each external field has a column of its name. A
        column ``increments`` says in how many equal increments a row is reached, else it is one.

        Args:
            path: Of the file.
            dimension: 2 or 3.
            external: Names of the external fields, such as those of a `Law`.

        Raises:
            ValueError: With file and row, if the table is not right.
            OSError: If the file cannot be read.
        """
        names, size = COMPONENTS[dimension], strain_size(dimension)
        columns = {f"{kind}_{name}" for kind in ("strain", "stress") for name in names}
        with Path(path).open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream, restkey="", skipinitialspace=True)
            header = [name.strip() for name in table.fieldnames or ()]
            table.fieldnames = header
            for name in ("time", *external):
                if name not in header:
                    raise ValueError(f"{path}: there is no column {name}")
            others = ["time", "increments", *external]
            if unknown := [name for name in header if name not in columns | set(others)]:
                raise ValueError(
                    f"{path}: unknown column {unknown[0]!r}; in {dimension}D there may be "
                    f"{', '.join(others)} and {', '.join(sorted(columns))}"
                )
            if len(set(header)) != len(header):
                raise ValueError(f"{path}: a column stands there twice")
            rows = []
            for number, entries in enumerate(table, start=1):
                if None in entries.values() or "" in entries:
                    raise ValueError(f"{path}: row {number} has not {len(header)} entries")
                try:
                    rows.append({k: float(v) if v.strip() else np.nan for k, v in entries.items()})
                except ValueError as error:
                    raise ValueError(f"{path}: row {number}: {error}") from None
        if not rows:
            raise ValueError(f"{path}: there are no rows")
        values = {kind: np.full((len(rows), size), np.nan) for kind in ("strain", "stress")}
        for position, (name, scale) in enumerate(
            zip(names, component_scale(dimension), strict=True)
        ):
            used = False
            for kind, array in values.items():
                if f"{kind}_{name}" in header:
                    array[:, position] = [scale * row[f"{kind}_{name}"] for row in rows]
                    used = True
            if not used:
                values["strain"][:, position] = 0.0
        fields = {name: np.array([row[name] for row in rows]) for name in ("time", *external)}
        try:
            increments = np.array([row.get("increments", 1.0) for row in rows])
            time = fields.pop("time")
            return cls(time, values["strain"], values["stress"], fields, increments)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


@dataclass
class Response:
    """What a law answered along a path; a failed point ends it with a row of code -1 and NaN.

    Attributes:
        time: (rows,).
        strain: Mandel, (rows, 4 or 6).
        stress: Mandel, (rows, 4 or 6).
        iterations: Iterations of the law, summed over the increment, (rows,).
        status: Lowest `Code` of the increment, (rows,).
        averages: Averages per phase, (rows, ...), by name.
        state: Of the point at the end, one point; of a failed one where it failed.
        external: External fields by name, each (rows,).
    """

    time: Array
    strain: Array
    stress: Array
    iterations: Sequence[int]
    status: Sequence[int]
    averages: dict[str, Array]
    state: State
    external: dict[str, Array] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the law gave up before the end of the path."""
        return len(self.status) > 0 and self.status[-1] == Code.FAILED

    def _parts(self) -> dict[str, Array]:
        """Averages; of several tensors under one name each for itself, ``name_1`` and so on."""
        parts: dict[str, Array] = {}
        for name, values in self.averages.items():
            if values.ndim < 3:
                parts[name] = values
            else:
                terms = np.moveaxis(values, 1, 0)
                parts |= {f"{name}_{number}": each for number, each in enumerate(terms, 1)}
        return parts

    def summary(self) -> dict[str, Any]:
        """The end in plain numbers, by name: tensor components, averages, what it took."""
        dimension = 2 if self.strain.shape[-1] == 4 else 3
        names, scale = COMPONENTS[dimension], component_scale(dimension)

        def components(values: Array) -> dict[str, float]:
            return dict(zip(names, (values / scale).tolist(), strict=True))

        last = -2 if self.failed and len(self.status) > 1 else -1
        return {
            "converged": not self.failed,
            "rows": len(self.status) - self.failed,
            "unreliable_rows": int(np.count_nonzero(np.array(self.status) == Code.UNRELIABLE)),
            "iterations": int(sum(self.iterations)),
            "time": float(self.time[last]),
            "strain": components(self.strain[last]),
            "stress": components(self.stress[last]),
            "largest_stress": components(np.fmax.reduce(np.abs(self.stress), axis=0)),
            "averages": {
                name: float(values[last]) if values.ndim == 1 else components(values[last])
                for name, values in self._parts().items()
            },
        }

    def write(self, path: str | Path) -> None:
        """Write a CSV file: time, external fields, components, iterations, status, averages."""
        dimension = 2 if self.strain.shape[-1] == 4 else 3
        names, scale = COMPONENTS[dimension], component_scale(dimension)
        header, columns = ["time", *self.external], [self.time, *self.external.values()]
        tensors = {"strain": self.strain, "stress": self.stress}
        for kind, values in tensors.items():
            header += [f"{kind}_{name}" for name in names]
            columns += list((values / scale).T)
        header += ["iterations", "status"]
        columns += [np.asarray(self.iterations), np.asarray(self.status)]
        for kind, values in self._parts().items():
            if values.ndim == 1:
                header.append(kind)
                columns.append(values)
            else:
                header += [f"{kind}_{name}" for name in names]
                columns += list((values / scale).T)
        stream = io.StringIO(newline="")
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(zip(*(column.tolist() for column in columns), strict=True))
        write_atomically(path, stream.getvalue().encode())


def drive(
    law: Law,
    path: LoadPath,
    tolerance: float = 1e-8,
    progress: Callable[[int], object] | None = None,
) -> Response:
    """Take one point of a law along a path.

    Unknown strains follow from the prescribed stresses by Newton's method with the law's tangent.
    The path between two rows is straight, and there is a row of the response for every increment.
    One that does not converge is halved.

    Args:
        law: Any law.
        path: Prescribed components, of the law's dimension, and its external fields.
        tolerance: Of the prescribed stresses, relative to the largest stress so far or, if that is
            more, to what the tangent makes of the increment.
        progress: Told how many increments are done, after each.

    Raises:
        ValueError: If path and law differ in dimension or external fields.
    """
    size = law.strain_size
    if path.strain.shape[1] != size:
        raise ValueError(
            f"the path has {path.strain.shape[1]} components and the law {size}: "
            "one is 2D, one is 3D"
        )
    state = law.allocate(1)
    strain, stress = np.zeros(size), np.zeros(size)
    time, largest = 0.0, 0.0
    fields = {name: float(values[0]) for name, values in path.external.items()}
    rows: list[tuple[float, Array, Array, int, int]] = []
    averages: list[dict[str, Array]] = []
    outside: list[Mapping[str, float]] = []
    for row, part, count in _increments(path):
        if part == 0:
            time_start, strain_start, stress_start = time, strain, stress
            fields_start = fields
        strain_end, stress_end = path.strain[row], path.stress[row]
        fields_end = {name: float(values[row]) for name, values in path.external.items()}
        done, stop = part / count, (part + 1) / count
        share, cuts, iterations, status = stop - done, 0, 0, int(Code.CONVERGED)
        while done < stop and status != Code.FAILED:
            target = min(done + share, stop)
            fields = {
                name: start + target * (fields_end[name] - start)
                for name, start in fields_start.items()
            }
            code, more, new_strain, new_stress = _increment(
                law,
                state,
                strain,
                strain_start + target * (strain_end - strain_start),
                stress_start + target * (stress_end - stress_start),
                (target - done) * (path.time[row] - time_start),
                fields,
                tolerance,
                largest,
            )
            iterations += more
            if code == Code.FAILED:
                state.revert()
                cuts, share = cuts + 1, 0.5 * share
                if cuts > MAX_CUTS:
                    status = int(Code.FAILED)
            else:
                state.accept()
                strain, stress, done = new_strain, new_stress, target
                largest = max(largest, float(np.abs(stress).max()))
                status = min(status, code)
        if status == Code.FAILED:
            strain, stress = np.full(size, np.nan), np.full(size, np.nan)
        last = part + 1 == count
        time = float(path.time[row] if last else time_start + stop * (path.time[row] - time_start))
        rows.append((time, strain, stress, iterations, status))
        outside.append(fields)
        means = law.averages(state)
        if status == Code.FAILED:
            means = {name: np.full_like(values, np.nan) for name, values in means.items()}
        averages.append(means)
        if progress is not None:
            progress(len(rows))
        if status == Code.FAILED:
            break
    times, strains, stresses, counts, codes = zip(*rows, strict=True)
    return Response(
        np.array(times),
        np.array(strains),
        np.array(stresses),
        counts,
        codes,
        {name: np.concatenate([row[name] for row in averages]) for name in averages[0]},
        state,
        {name: np.array([each[name] for each in outside]) for name in path.external},
    )


def _increments(path: LoadPath) -> Iterator[tuple[int, int, int]]:
    """Row, number within the row, and how many the row has, of every increment."""
    for row, count in enumerate(np.broadcast_to(path.increments, path.time.shape)):
        for part in range(int(count)):
            yield row, part, int(count)


def _increment(
    law: Law,
    state: State,
    start: Array,
    strain_end: Array,
    stress_end: Array,
    dt: float,
    external: Mapping[str, float],
    tolerance: float,
    largest: float,
) -> tuple[int, int, Array, Array]:
    """Code, iterations, strain, stress after an increment; NaN marks what is not prescribed."""
    unknown = np.flatnonzero(np.isnan(strain_end))
    strain = np.where(np.isnan(strain_end), start, strain_end)
    size = law.strain_size
    stress, tangent = np.empty((1, size)), np.empty((1, size, size))
    iterations = 0
    outside = {name: np.array([value]) for name, value in external.items()}
    for _ in range(MAX_ITERATIONS):
        status = law.integrate(
            strain[None], state, stress, tangent if unknown.size else None, dt, outside
        )
        iterations += int(status.iterations[0])
        if status.codes[0] == Code.FAILED:
            break
        if unknown.size == 0:
            return int(status.codes[0]), iterations, strain, stress[0]
        residual = stress_end[unknown] - stress[0, unknown]
        # Free expansion ends without stress. Stresses on the way there are no measure: where a
        # phase softens, an iterate may run away to where there is none.
        change = tangent[0] @ (strain - start)
        if np.abs(residual).max() <= tolerance * max(largest, *np.abs(stress[0]), *np.abs(change)):
            return int(status.codes[0]), iterations, strain, stress[0]
        strain = strain.copy()
        block = tangent[0][np.ix_(unknown, unknown)]
        strain[unknown] += np.linalg.lstsq(block, residual)[0]
    return int(Code.FAILED), iterations, strain, stress[0]
