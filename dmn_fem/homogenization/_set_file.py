"""HDF5 files that start with a line of their format and the SHA-256 of all behind it.

Not a bit of a set changes unnoticed. HDF5 skips the line as a user block.

h5py is imported where a file is touched: its HDF5 and that of a conda or Debian DOLFINx may clash,
and the unit cell of this room runs beside DOLFINx.
"""

import errno
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dmn_fem._files import write_atomically
from dmn_fem.microstructure import CutVoxels, MaterialAxes, PhaseImage

_HEADER = 512  # bytes: the least user block of HDF5


@dataclass(frozen=True)
class SetFormat:
    """A format of such files.

    Attributes:
        name: For example ``dmn-fem/samples``.
        version: The one that is written and read.
        noun: What a person calls the file.
    """

    name: str
    version: int
    noun: str

    def write(self, path: str | os.PathLike[str], fill: Callable[[Any], None]) -> None:
        """Write a file, complete or not at all; `fill` fills the HDF5 file."""
        import h5py

        buffer = io.BytesIO()
        with h5py.File(buffer, "w", userblock_size=_HEADER) as file:
            file.attrs["format"] = self.name
            file.attrs["format_version"] = self.version
            fill(file)
        content = buffer.getvalue()[_HEADER:]
        write_atomically(path, self._header(content) + content)

    @contextmanager
    def open(self, path: str | os.PathLike[str]) -> Iterator[Any]:
        """The HDF5 file, to be read.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, foreign or of another version.
        """
        import h5py

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, f"no such {self.noun}", str(path))
        content = path.read_bytes()
        self._refuse(path, content)
        with h5py.File(io.BytesIO(content), "r") as file:
            yield file

    def _header(self, content: bytes) -> bytes:
        """The bytes in front of an HDF5 file."""
        digest = hashlib.sha256(content).hexdigest()
        line = f"{self.name} {self.version} sha256 {digest}\n"
        return line.encode().ljust(_HEADER, b"\0")

    def _refuse(self, path: Path, content: bytes) -> None:
        """Say what is wrong with the bytes of a file, if anything is."""
        start = f"{self.name} ".encode()
        if not content.startswith(start):
            raise ValueError(
                f"{path} is damaged or no {self.noun}: it starts with no {self.name!r} (a file "
                "from before that line must be made again)"
            )
        version = content[len(start) : _HEADER].partition(b" ")[0].decode(errors="replace")
        if version.isdecimal() and version != str(self.version):
            raise ValueError(
                f"{path} has format version {version}; this dmn-fem reads version {self.version}"
            )
        if content[:_HEADER] != self._header(content[_HEADER:]):
            raise ValueError(
                f"{path} is damaged or truncated: it is not what its checksum tells; remove it, "
                "and the same call makes it again"
            )


def write_image(group: Any, image: PhaseImage) -> None:
    """Put a phase image, but for the names of its phases, into an HDF5 group."""
    group.attrs["matrix"] = json.dumps(image.matrix)
    group.attrs["slender"] = image.slender
    group["phases"] = image.phases
    if image.cut is not None:
        for key, values in vars(image.cut).items():
            group[f"cut/{key}"] = values
    if image.axes is not None:
        group["axes/quaternion"] = image.axes.quaternion
        group.create_dataset("axes/number", data=image.axes.number, compression="gzip")


def read_image(group: Any, names: tuple[str, ...]) -> PhaseImage:
    """The phase image of a group that `write_image` filled."""
    cut = None
    if "cut" in group:
        cut = CutVoxels(*(group["cut"][each.name][()] for each in fields(CutVoxels)))
    kind = json.loads(group.attrs["matrix"]), bool(group.attrs["slender"])
    axes = None
    if "axes" in group:
        axes = MaterialAxes(group["axes/quaternion"][()], group["axes/number"][()])
    return PhaseImage(group["phases"][()], names, cut, *kind, axes)
