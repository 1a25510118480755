"""The journal of an unfinished campaign: results in the order of their samples, safe from a kill.

A line of JSON with the recipe, then one record a sample with its checksum. Records are appended: a
kill leaves at most the last one half written, and that one is dropped when the campaign goes on.
"""

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
        ValueError: If the file is no journal or has another recipe; it is left as it is.
    """

    def __init__(self, path: Path, recipe: dict[str, Any], size: int) -> None:
        self.path = path
        self._dtype = np.dtype(
            [("stiffness", "<f8", (size, size)), ("iterations", "<i8", size), ("residual", "<f8")]
        )
        if path.exists():
            refuse_other_recipe(path, self._read_recipe(), recipe)
        else:
            # A journal appears with its whole first line, or not at all.
            partial = path.with_name(path.name + ".partial")
            partial.write_bytes(json.dumps(recipe).encode() + b"\n")
            os.replace(partial, path)

    def records(self) -> NDArray[np.void]:
        """The whole records; a damaged one and all behind it are dropped from the file."""
        with self.path.open("r+b") as file:
            start = len(file.readline())
            content = file.read()
            length = self._dtype.itemsize
            whole = 0
            while self._is_whole(content[whole : whole + length + 4]):
                whole += length + 4
            file.truncate(start + whole)
        parts = [content[i : i + length] for i in range(0, whole, length + 4)]
        return np.frombuffer(b"".join(parts), dtype=self._dtype)

    def append(self, result: EffectiveStiffness) -> None:
        """Add the record of the next sample."""
        values = (result.stiffness, result.iterations, result.residual)
        record = np.array(values, dtype=self._dtype).tobytes()
        with self.path.open("ab", buffering=0) as file:
            file.write(record + zlib.crc32(record).to_bytes(4, "little"))

    def _is_whole(self, block: bytes) -> bool:
        record, checksum = block[:-4], block[-4:]
        return (
            len(record) == self._dtype.itemsize
            and zlib.crc32(record).to_bytes(4, "little") == checksum
        )

    def _read_recipe(self) -> dict[str, Any]:
        try:
            with self.path.open("rb") as file:
                recipe = json.loads(file.readline())
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
