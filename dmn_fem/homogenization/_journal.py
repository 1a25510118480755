"""The journal of an unfinished training set: results as they come, safe from a kill.

A line of JSON with what determines the results, then one record a result with its checksum. Records
are appended: a kill leaves at most the last one half written, and that one is dropped when the
campaign goes on. One campaign at a time holds the journal; the system frees it when that one ends,
however it ends.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

type Key = tuple[str, int]
"""Under which conditions, and the number of the sample."""


class Journal[Result]:
    """Results of a campaign as far as it came.

    Args:
        path: The file; it is made if there is none.
        identity: All that determines the result of a key.
        result: Makes a result from its parts.
        parts: Names, types and shapes of the parts: fields of a NumPy record and attributes of a
            result.

    Raises:
        ValueError: If the file is no journal, has another identity, or belongs to a campaign that
            is running; it is left as it is.
    """

    def __init__(
        self,
        path: Path,
        identity: dict[str, Any],
        result: Callable[..., Result],
        parts: list[tuple[str, str, tuple[int, ...]]],
    ) -> None:
        self.path = path
        self._result = result
        self._parts = [name for name, *_ in parts]
        self._dtype = np.dtype([("variant", "S24", ()), ("sample", "<i8", ()), *parts])
        self._file = _hold(path)
        try:
            self._start(identity)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Let other campaigns have the journal; one without results is deleted."""
        if not self._file.closed and not self.results():
            self.remove()
        self._file.close()

    def remove(self) -> None:
        """Delete the file, while it is held: its results are elsewhere."""
        self.path.unlink(missing_ok=True)
        self._file.close()

    def results(self) -> dict[Key, Result]:
        """The whole records; a damaged one and all behind it are dropped from the file."""
        self._file.seek(0)
        header, _, content = self._file.read().partition(b"\n")
        length = self._dtype.itemsize
        whole = 0
        while self._is_whole(content[whole : whole + length + 4]):
            whole += length + 4
        self._file.truncate(len(header) + 1 + whole)
        parts = [content[i : i + length] for i in range(0, whole, length + 4)]
        return {
            (str(each["variant"], "ascii"), int(each["sample"])): self._result(
                *(each[name] for name in self._parts)
            )
            for each in np.frombuffer(b"".join(parts), dtype=self._dtype)
        }

    def append(self, key: Key, result: Result) -> None:
        """Add a record.

        Raises:
            OSError: If it cannot be written, as on a full disk; the records before it stay.
        """
        values = (*key, *(getattr(result, name) for name in self._parts))
        record = np.array(values, dtype=self._dtype).tobytes()
        self._write(record + zlib.crc32(record).to_bytes(4, "little"))

    def _write(self, block: bytes) -> None:
        """Append all of it or nothing."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            while block:  # a disk that runs full takes a part first
                block = block[self._file.write(block) :]
        except OSError as error:
            self._file.truncate(end)
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _is_whole(self, block: bytes) -> bool:
        record, checksum = block[:-4], block[-4:]
        return (
            len(record) == self._dtype.itemsize
            and zlib.crc32(record).to_bytes(4, "little") == checksum
        )

    def _start(self, identity: dict[str, Any]) -> None:
        """Write the first line, or compare it."""
        line = json.dumps(identity).encode() + b"\n"
        content = self._file.read()
        if len(content) < len(line) and line.startswith(content):
            # New, or its campaign was killed in the first line.
            self._file.truncate(0)
            self._write(line)
            return
        try:
            found = json.loads(content.partition(b"\n")[0])
        except ValueError as error:
            raise ValueError(f"{self.path} is no journal of a campaign: {error}") from error
        if not isinstance(found, dict):
            raise ValueError(f"{self.path} is no journal of a campaign: it starts with no recipe")
        refuse_other_recipe(self.path, found, identity)


def _hold(path: Path) -> BinaryIO:
    """Open a file, or make it, for this process alone.

    Raises:
        ValueError: If another process holds it.
    """
    while True:
        file = path.open("a+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise ValueError(f"{path} belongs to a campaign that is running") from error
        if os.fstat(file.fileno()).st_nlink:
            file.seek(0)
            return file
        # Its campaign ended, and removed it, between our opening and our holding it.
        file.close()


def refuse_other_recipe(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Say in one line where the recipe of a file differs from the wanted one.

    Raises:
        ValueError: If it does.
    """
    differing = sorted(
        key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)
    )
    if differing:
        key = differing[0]
        raise ValueError(
            f"{path} belongs to another recipe ({key} is {found.get(key)!r} there, "
            f"{wanted.get(key)!r} here); choose another file or remove it"
        )
