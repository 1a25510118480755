"""Load programmes: named amplitudes over time from a table."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from dmn_fem.notation import Array


@dataclass(frozen=True)
class Programme:
    """Named amplitudes over time, straight between the rows of a table.

    Attributes:
        time: Times of the rows, increasing, (rows,), two at least.
        amplitudes: Values at these times, (rows,), by name.

    Raises:
        ValueError: If times do not increase or values are missing, with name and row.
    """

    time: Array
    amplitudes: Mapping[str, Array]

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", np.array(self.time, dtype=float))
        values = {name: np.array(each, dtype=float) for name, each in self.amplitudes.items()}
        object.__setattr__(self, "amplitudes", values)
        if self.time.ndim != 1 or self.time.size < 2:
            raise ValueError(f"a programme needs two rows at least, got {self.time.size}")
        if not values:
            raise ValueError("a programme needs an amplitude beside its time")
        for name, each in {"time": self.time, **values}.items():
            if each.shape != self.time.shape:
                raise ValueError(f"{name} has shape {each.shape}, time has {self.time.shape}")
            if (bad := np.flatnonzero(~np.isfinite(each))).size:
                raise ValueError(f"row {bad[0] + 1}: {name} is {each[bad[0]]}, it must be a number")
        if (bad := np.flatnonzero(np.diff(self.time) <= 0)).size:
            row = int(bad[0]) + 2
            raise ValueError(f"row {row}: time {self.time[row - 1]:g} must be after the row before")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a CSV file: a column ``time``, the other columns are amplitudes.

        Raises:
            ValueError: With file and row, if the table is not right.
            OSError: If the file cannot be read.
        """
        with Path(path).open(newline="", encoding="utf-8") as stream:
            header, *rows = [[entry.strip() for entry in row] for row in csv.reader(stream)] or [[]]
        if "time" not in header or "" in header or len(set(header)) != len(header):
            raise ValueError(f"{path}: the header must name time and every amplitude once")
        for number, row in enumerate(rows, start=1):
            if len(row) != len(header):
                raise ValueError(f"{path}: row {number} has {len(row)} entries, not {len(header)}")
        try:
            columns = {
                name: np.array([float(row[position]) for row in rows])
                for position, name in enumerate(header)
            }
            return cls(columns.pop("time"), columns)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def __call__(self, name: str, time: float) -> float:
        """An amplitude at a time.

        Raises:
            ValueError: If there is no such amplitude, or the time is outside of the table.
        """
        if name not in self.amplitudes:
            raise ValueError(f"no amplitude {name!r}; there are {', '.join(self.amplitudes)}")
        if not self.time[0] <= time <= self.time[-1]:
            raise ValueError(
                f"time {time:g} is outside of the programme, {self.time[0]:g} to {self.time[-1]:g}"
            )
        return float(np.interp(time, self.time, self.amplitudes[name]))

    def times(self, increments: int = 1) -> list[float]:
        """Times to request: every row, and each interval in so many equal parts."""
        share = np.arange(increments) / increments
        inner = self.time[:-1, None] + np.diff(self.time)[:, None] * share
        return [*inner.ravel().tolist(), float(self.time[-1])]

    def repeated(self, cycles: int, start: int = 0) -> "Programme":
        """The programme with its rows from one on run through several times.

        Args:
            cycles: How many times in all.
            start: Number of the row, from 0, where a cycle begins; rows before it are run once.

        Raises:
            ValueError: If an amplitude does not end a cycle as it begins it.
        """
        if not (cycles >= 1 and 0 <= start < self.time.size - 1):
            raise ValueError(
                f"got {cycles} cycles from row {start}; it must be one at least, "
                f"from a row of 0 to {self.time.size - 2}"
            )
        for name, values in self.amplitudes.items():
            if values[start] != values[-1]:
                raise ValueError(
                    f"{name} begins a cycle at {values[start]:g} and ends it at {values[-1]:g}"
                )
        period = self.time[-1] - self.time[start]
        once = self.time[start + 1 :]
        later = [once + count * period for count in range(1, cycles)]
        return Programme(
            np.concatenate([self.time, *later]),
            {
                name: np.concatenate([values, *([values[start + 1 :]] * (cycles - 1))])
                for name, values in self.amplitudes.items()
            },
        )
