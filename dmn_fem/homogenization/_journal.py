"""The journal of an unfinished campaign: results in the order of their samples, safe from a kill.

A line of JSON with the recipe, then one record a sample with its checksum. Records are appended: a
kill leaves at most the last one half written, and that one is dropped when the campaign goes on.
One campaign at a time holds the journal; the system frees it when that one ends, however it ends.
"""

import fcntl
import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmn_fem.homogenization._elastic import EffectiveStiffness


class Journal:
    """Results of a campaign as far as it came.

    Args:
        path: The file; it is made if there is none.
        recipe: All that determines the results.
        size: Components of a strain, S.

    Raises:
        ValueError: If the file is no journal, has another recipe, or belongs to a campaign that is
            running; it is left as it is.
    """

    def __init__(self, path: Path, recipe: dict[str, Any], size: int) -> None:
        self.path = path
        self._dtype = np.dtype(
            [("stiffness", "<f8", (size, size)), ("iterations", "<i8", size), ("residual", "<f8")]
        )
        if not path.exists():
            # A journal appears with its whole first line, or not at all.
            partial = path.with_name(path.name + ".partial")
            partial.write_bytes(json.dumps(recipe).encode() + b"\n")
            os.replace(partial, path)
        self._file = path.open("r+b", buffering=0)
        try:
            self._hold()
            refuse_other_recipe(path, self._read_recipe(), recipe)
        except ValueError:
            self.close()
            raise

    def close(self) -> None:
        """Let other campaigns have the journal."""
        self._file.close()

    def remove(self) -> None:
        """Delete the file: its results are elsewhere."""
        self.path.unlink(missing_ok=True)

    def records(self) -> NDArray[np.void]:
        """The whole records; a damaged one and all behind it are dropped from the file."""
        self._file.seek(0)
        header, _, content = self._file.read().partition(b"\n")
        length = self._dtype.itemsize
        whole = 0
        while self._is_whole(content[whole : whole + length + 4]):
            whole += length + 4
        self._file.truncate(len(header) + 1 + whole)
        parts = [content[i : i + length] for i in range(0, whole, length + 4)]
        return np.frombuffer(b"".join(parts), dtype=self._dtype)

    def append(self, result: EffectiveStiffness) -> None:
        """Add the record of the next sample."""
        values = (result.stiffness, result.iterations, result.residual)
        record = np.array(values, dtype=self._dtype).tobytes()
        self._file.seek(0, os.SEEK_END)
        self._file.write(record + zlib.crc32(record).to_bytes(4, "little"))

    def _is_whole(self, block: bytes) -> bool:
        record, checksum = block[:-4], block[-4:]
        return (
            len(record) == self._dtype.itemsize
            and zlib.crc32(record).to_bytes(4, "little") == checksum
        )

    def _hold(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"{self.path} belongs to a campaign that is running") from error

    def _read_recipe(self) -> dict[str, Any]:
        try:
            recipe = json.loads(self._file.read().partition(b"\n")[0])
        except ValueError as error:
            raise ValueError(f"{self.path} is no journal of a campaign: {error}") from error
        if not isinstance(recipe, dict):
            raise ValueError(f"{self.path} is no journal of a campaign: it starts with no recipe")
        return recipe


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
