"""A periodic phase image: which phase fills each voxel of a rectangular cell."""

import hashlib
import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmn_fem._files import write_atomically
from dmn_fem.microstructure._axes import MaterialAxes
from dmn_fem.microstructure._interface import CutVoxels, block_means, gradient
from dmn_fem.notation import Array

_FORMAT = "dmn-fem/phase-image"
_VERSION = 2

# What a foreign or damaged file raises on its way through np.load, zipfile and json.
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class PhaseImage:
    """Phases of the voxels of a periodic cell.

    Voxels are squares or cubes of edge one; axis 0 of the array is direction 1. A name may belong
    to no voxel.

    Attributes:
        phases: Phase that fills each voxel, or most of it: uint8 or uint16, (n1, n2) or
            (n1, n2, n3).
        names: Names of the P phases; phase p is the p-th of them.
        cut: The voxels that hold a second phase, if any do.
        matrix: Name of the phase that surrounds all others as separate inclusions; None if no
            phase does. It decides how cut voxels are mixed, see `dmn_fem.homogenization`.
        slender: Whether those inclusions are many times longer than thick and not straight through
            the image: they carry load along their surface.
        axes: How the phases are turned in every voxel; None where all are aligned with the global
            axes.

    Raises:
        ValueError: If array, cut voxels, names and axes do not fit together.
    """

    phases: NDArray[np.unsignedinteger]
    names: tuple[str, ...]
    cut: CutVoxels | None = None
    matrix: str | None = None
    slender: bool = False
    axes: MaterialAxes | None = None

    def __post_init__(self) -> None:
        phases, cut = self.phases, self.cut
        if phases.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"phase image has dtype {phases.dtype}; it must be uint8 or uint16")
        if phases.ndim not in (2, 3) or phases.size == 0:
            raise ValueError(f"phase image has shape {phases.shape}; it must have 2 or 3 axes")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"phase names {self.names} are not distinct")
        if self.matrix is not None and self.matrix not in self.names:
            raise ValueError(f"matrix is {self.matrix!r}; the phases are {', '.join(self.names)}")
        each = (len(self.names), *phases.shape)
        if self.axes is not None and self.axes.number.shape != each:
            raise ValueError(f"axes are of {self.axes.number.shape}; this image needs {each}")
        largest = int(phases.max())
        if cut is not None and cut.voxel.size:
            largest = max(largest, int(cut.phase.max()))
            if cut.voxel[0] < 0 or cut.voxel[-1] >= phases.size:
                raise ValueError(f"cut voxels lie outside of the image of {phases.size} voxels")
            if cut.normal.shape[1] != phases.ndim:
                raise ValueError(f"normals of cut voxels must have {phases.ndim} components")
            if (cut.phase == phases.ravel()[cut.voxel]).any():
                raise ValueError("a cut voxel holds the same phase twice")
        if largest >= len(self.names):
            raise ValueError(
                f"phase image holds phase {largest}, but names {len(self.names)} phases only"
            )

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.phases.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self.phases.shape

    @property
    def volume_fractions(self) -> Array:
        """Volume fraction of every phase, (P,)."""
        count = len(self.names)
        voxels = np.bincount(self.phases.ravel(), minlength=count).astype(float)
        if self.cut is not None:
            first, share = self.phases.ravel()[self.cut.voxel], self.cut.share
            voxels += np.bincount(self.cut.phase, weights=share, minlength=count)
            voxels -= np.bincount(first, weights=share, minlength=count)
        return voxels / self.phases.size

    def share(self, name: str) -> Array:
        """Volume share of a phase in every voxel, from 0 to 1, of the image's shape.

        Raises:
            ValueError: If the image has no such phase.
        """
        if name not in self.names:
            raise ValueError(f"no phase is {name!r}; the phases are {', '.join(self.names)}")
        phase = self.names.index(name)
        share = (self.phases == phase).astype(float)
        if self.cut is not None:
            flat, cut = share.reshape(-1), self.cut
            first = self.phases.ravel()[cut.voxel] == phase
            second = cut.phase == phase
            flat[cut.voxel[first]] = 1.0 - cut.share[first]
            flat[cut.voxel[second]] = cut.share[second]
        return share

    @property
    def digest(self) -> str:
        """SHA-256 of all that the image holds but the names of its phases."""
        parts = [np.array(self.phases.shape), self.phases]
        if self.cut is not None:
            parts += [self.cut.voxel, self.cut.phase, self.cut.share, self.cut.normal]
        content = hashlib.sha256()
        for part in parts:
            content.update(np.ascontiguousarray(part).tobytes())
        if self.matrix is not None:
            number = self.names.index(self.matrix)
            content.update(number.to_bytes(1 + (number > 255), "little") + bytes([self.slender]))
        if self.axes is not None:
            for part in vars(self.axes).values():
                content.update(np.ascontiguousarray(part).tobytes())
        return content.hexdigest()

    def coarsen(self, factor: int) -> Self:
        """The image on voxels `factor` times as large, those with several phases being cut.

        A voxel with more than two phases keeps the two largest, in their proportion.

        Args:
            factor: Whole number that divides the voxels along each axis.

        Raises:
            ValueError: If it does not, or the image has axes.
        """
        if self.axes is not None:
            raise ValueError(
                "an image with axes cannot be coarsened; generate it on a coarser grid"
            )
        if factor < 1 or any(length % factor for length in self.shape):
            raise ValueError(f"factor is {factor}; it must divide the grid {self.shape}")
        shares = np.stack([block_means(self.share(name), factor) for name in self.names], -1)
        shape, flat = shares.shape[:-1], shares.reshape(-1, len(self.names))
        order = np.argsort(flat, axis=1, kind="stable")[:, ::-1]
        phases = order[:, 0].astype(self.phases.dtype)
        cut = None
        if len(self.names) > 1:
            voxel = np.flatnonzero(np.take_along_axis(flat, order[:, 1:2], axis=1) > 0.0)
            first, second = order[voxel, 0], order[voxel, 1]
            kept, lost = flat[voxel, second], flat[voxel, first]
            slopes = np.stack(
                [gradient(shares[..., phase]) for phase in range(len(self.names))], axis=-2
            ).reshape(-1, len(self.names), len(shape))
            normal = slopes[voxel, second] - slopes[voxel, first]
            length = np.linalg.norm(normal, axis=1)
            # Perfectly symmetric surroundings have no preferred direction: any will do.
            normal[length == 0.0, 0] = length[length == 0.0] = 1.0
            cut = CutVoxels(
                voxel,
                second.astype(self.phases.dtype),
                kept / (kept + lost),
                normal / length[:, None],
            )
        return type(self)(phases.reshape(shape), self.names, cut, self.matrix, self.slender)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the image to a file (NumPy's npz), complete or not at all."""
        header = {
            "format": _FORMAT,
            "format_version": _VERSION,
            "names": self.names,
            "matrix": self.matrix,
            "slender": self.slender,
        }
        arrays: dict[str, Any] = {"phases": self.phases, "header": np.array(json.dumps(header))}
        if self.cut is not None:
            arrays |= {f"cut_{key}": values for key, values in vars(self.cut).items()}
        if self.axes is not None:
            arrays |= {f"axes_{key}": values for key, values in vars(self.axes).items()}
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an image that `save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is truncated, foreign or of another version.
        """
        path = Path(path)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                header, arrays = json.loads(str(stored["header"])), dict(stored)
            if header["format"] != _FORMAT:
                raise ValueError(f"its format is {header['format']!r}")
            if header["format_version"] == _VERSION:
                cut = None
                if "cut_voxel" in arrays:
                    cut = CutVoxels(*(arrays[f"cut_{key.name}"] for key in fields(CutVoxels)))
                kind = header["matrix"], header["slender"]
                axes = None
                if "axes_number" in arrays:
                    axes = MaterialAxes(arrays["axes_quaternion"], arrays["axes_number"])
                return cls(arrays["phases"], tuple(header["names"]), cut, *kind, axes)
        except _DAMAGE as error:
            raise ValueError(f"{path} is not a whole phase image of dmn-fem: {error}") from error
        raise ValueError(
            f"{path} has format version {header['format_version']}; "
            f"this dmn-fem reads version {_VERSION}"
        )
