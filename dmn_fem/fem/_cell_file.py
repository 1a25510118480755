"""Rows of numbers by cell in one file, in the order of the mesh's input, for any number of ranks.

All ranks write and read together by MPI-IO, each its own cells; no rank holds more than a chunk
of others' work. A row stands at the number that its cell has in the mesh's input
(`dolfinx.mesh.Topology.original_cell_index`), which no partition changes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from dmn_fem.notation import Array

_CHUNK = 2**26  # bytes that a rank has in hand at a time


class CellFile:
    """An open file; a context manager. Collective, all of it.

    A rank on which a call fails goes on with the others; `check` then raises on all of them.

    Args:
        path: Of the file.
        comm: Its ranks.
        size: Bytes of a new file to be written, nothing to read one.

    Raises:
        OSError: On all ranks, if it cannot be opened.
    """

    def __init__(self, path: Path, comm: MPI.Intracomm, size: int | None = None) -> None:
        self.path, self._comm = path, comm
        self._error: str | None = None
        mode = MPI.MODE_RDONLY if size is None else MPI.MODE_CREATE | MPI.MODE_WRONLY
        try:
            self._file = MPI.File.Open(comm, str(path), mode)
        except MPI.Exception as error:
            self._error = self._told(error)
        self.check()
        if size is not None:
            self._attempt(lambda: self._file.Set_size(0))
            self._attempt(lambda: self._file.Set_size(size))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.Close()

    def check(self) -> None:
        """Raise on all ranks what went wrong on any.

        Raises:
            OSError: The first of it.
        """
        for error in self._comm.allgather(self._error):
            if error is not None:
                raise OSError(error)

    def write_start(self, content: bytes) -> None:
        """Write bytes at the start, from rank 0."""
        self._file.Set_view(0, MPI.BYTE, MPI.BYTE)
        self._attempt(lambda: self._file.Write_at_all(0, content if self._comm.rank == 0 else b""))

    def sync(self) -> None:
        """Wait for the disk."""
        self._attempt(self._file.Sync)

    def write(
        self, offset: int, rows: NDArray[np.int64], width: int, values: Callable[[slice], Array]
    ) -> None:
        """Write rows of one array.

        Args:
            offset: Byte where row 0 is.
            rows: Numbers of this rank's rows, increasing.
            width: Float64 numbers in a row.
            values: Gives the values of a slice of `rows`, (rows, width).
        """
        for part in self._parts(len(rows), width):
            buffer = np.ascontiguousarray(values(part), dtype=float).ravel()
            self._at(offset, rows[part], width, self._file.Write_at_all, buffer)

    def read(self, offset: int, rows: NDArray[np.int64], width: int) -> Array:
        """Read rows of one array, (rows, width); arguments as in `write`."""
        result = np.empty((len(rows), width))
        for part in self._parts(len(rows), width):
            self._at(offset, rows[part], width, self._file.Read_at_all, result[part].reshape(-1))
        return result

    def _parts(self, count: int, width: int) -> Sequence[slice]:
        """Slices of this rank's rows, as many on every rank; none if a row holds nothing."""
        if width == 0:
            return []
        size = max(_CHUNK // (8 * width), 1)
        parts = self._comm.allreduce(-(-count // size), op=MPI.MAX)
        return [slice(min(i * size, count), min((i + 1) * size, count)) for i in range(parts)]

    def _at(
        self,
        offset: int,
        rows: NDArray[np.int64],
        width: int,
        transfer: Callable[[int, Array], None],
        buffer: Array,
    ) -> None:
        """Transfer a buffer to or from some rows."""
        row = MPI.DOUBLE.Create_contiguous(width)
        kind = row.Create_indexed_block(1, rows.tolist()) if rows.size else row.Dup()
        kind.Commit()
        self._attempt(lambda: self._file.Set_view(offset, MPI.DOUBLE, kind))
        self._attempt(lambda: transfer(0, buffer))
        kind.Free()
        row.Free()

    def _attempt(self, call: Callable[[], object]) -> None:
        try:
            call()
        except MPI.Exception as error:
            self._error = self._error or self._told(error)

    def _told(self, error: MPI.Exception) -> str:
        """An error in one line: what MPI calls it, and the innermost of MPICH's stack of calls."""
        what, _, stack = str(error).partition(", error stack:")
        _, _, cause = stack.strip().rpartition("\n")[2].partition(": ")
        told = f"{self.path}: {what}"
        return f"{told}: {cause}" if cause and not cause.startswith("MPI_") else told
