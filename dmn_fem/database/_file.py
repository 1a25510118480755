"""The file of a database: writing it, and reading it with every fault in one line."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dmn_fem._files import write_atomically
from dmn_fem.database._errors import DatabaseError
from dmn_fem.database._space import Descriptor
from dmn_fem.network import Network
from dmn_fem.notation import Array

_FORMAT = "dmn-fem/database"
_FORMAT_VERSION = 1
_WEIGHTS = "phase-normalised softplus, beta=4"
_CHECKSUM = "sha256"
_REQUIRED = {
    "descriptor_values": "F64",
    "phase_fraction": "F64",
    "leaf_activation": "F64",
    "normal_angles": "F64",
    "leaf_phase": "I64",
}
_OPTIONAL = {"leaf_orientation": "F64"}


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds, in the words of `Database`."""

    networks: Sequence[Network]
    descriptors: Sequence[Descriptor]
    values: Array
    provenance: Mapping[str, Any]


def write(contents: Contents, path: str | os.PathLike[str]) -> None:
    """Write a file; it appears complete or not at all."""
    networks = contents.networks
    first = networks[0]
    tensors: dict[str, NDArray[Any]] = {
        "descriptor_values": contents.values,
        "phase_fraction": np.stack([network.phase_fraction for network in networks]),
        "leaf_activation": np.stack([network.leaf_activation for network in networks]),
        "normal_angles": np.stack([network.normal_angles for network in networks]),
        "leaf_phase": first.leaf_phase,
    }
    if first.leaf_orientation is not None:
        tensors["leaf_orientation"] = np.stack(
            [np.asarray(network.leaf_orientation) for network in networks]
        )
    metadata = {
        "format": _FORMAT,
        "format_version": str(_FORMAT_VERSION),
        "dimension": str(first.dimension),
        "phases": json.dumps(first.phases),
        "leaves": str(first.leaves),
        "descriptors": json.dumps([asdict(each) for each in contents.descriptors]),
        "weights": _WEIGHTS,
        "provenance": json.dumps(contents.provenance),
    }
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    metadata[_CHECKSUM] = _digest(metadata, contiguous)
    write_atomically(path, _ordered(save(contiguous, metadata)))


def _ordered(content: bytes) -> bytes:
    """A safetensors file with its metadata in order, which `save` has in another every time."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def read(path: Path) -> Contents:
    """Read and check a file; every fault is one line that begins with its path."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_format(metadata)
            tensors = _tensors(file)
            if _CHECKSUM in metadata and metadata[_CHECKSUM] != _digest(metadata, tensors):
                raise DatabaseError(
                    "its checksum differs: it was damaged after it was written; copy it again"
                )
            return _assemble(metadata, tensors)
    except (SafetensorError, OSError) as error:
        raise DatabaseError(
            f"{path}: not a complete safetensors file ({error}); a database is a file that "
            f"Database.save wrote"
        ) from None
    except ValueError as error:
        raise DatabaseError(f"{path}: {' '.join(str(error).split())}") from None


def _digest(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of metadata, but for the checksum itself, and of tensors."""
    digest = hashlib.sha256()
    texts = {key: text for key, text in metadata.items() if key != _CHECKSUM}
    digest.update(json.dumps(texts, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def _check_format(metadata: Mapping[str, str]) -> None:
    """Refuse foreign files and newer ones before anything else is read."""
    if metadata.get("format") != _FORMAT:
        raise DatabaseError(f"format is {metadata.get('format')!r}; a database has {_FORMAT!r}")
    version = metadata.get("format_version", "")
    if not version.isdecimal():
        raise DatabaseError(f"format_version is {version!r}; it must be a number")
    if int(version) != _FORMAT_VERSION:
        raise DatabaseError(
            f"format_version is {version}; this version of dmn-fem reads {_FORMAT_VERSION}"
        )
    missing = [
        key
        for key in ("dimension", "phases", "leaves", "descriptors", "weights", "provenance")
        if key not in metadata
    ]
    if missing:
        raise DatabaseError(f"metadata lacks {', '.join(missing)}; a database has all of them")
    if metadata["weights"] != _WEIGHTS:
        raise DatabaseError(f"weights are {metadata['weights']!r}; they must be {_WEIGHTS!r}")


def _tensors(file: Any) -> dict[str, NDArray[Any]]:
    """The tensors of an open file, all there and of the right kind."""
    present = set(file.keys())
    missing = sorted(set(_REQUIRED) - present)
    if missing:
        raise DatabaseError(f"tensors {', '.join(missing)} are missing; a database has all of them")
    kinds = {name: kind for name, kind in (_REQUIRED | _OPTIONAL).items() if name in present}
    for name, kind in kinds.items():
        found = file.get_slice(name).get_dtype()
        if found != kind:
            raise DatabaseError(f"{name} is of type {found}; it must be {kind}")
    return {name: file.get_tensor(name) for name in kinds}


def _assemble(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> Contents:
    """Networks from metadata and tensors, checked against each other."""
    phases = _parsed(metadata, "phases")
    listed = _parsed(metadata, "descriptors")
    provenance = _parsed(metadata, "provenance")
    dimension, leaves = _parsed(metadata, "dimension"), _parsed(metadata, "leaves")
    if not (isinstance(phases, list) and phases and all(isinstance(name, str) for name in phases)):
        raise DatabaseError("phases must be a JSON list of names")
    if not isinstance(listed, list) or not all(
        isinstance(each, dict)
        and sorted(each) == ["name", "unit"]
        and all(isinstance(text, str) for text in each.values())
        for each in listed
    ):
        raise DatabaseError("descriptors must be a JSON list of objects of name and unit")
    if not isinstance(provenance, dict):
        raise DatabaseError("provenance must be a JSON object")
    if dimension not in (2, 3):
        raise DatabaseError(f"dimension is {dimension}; it must be 2 or 3")
    if not (isinstance(leaves, int) and leaves >= 1):
        raise DatabaseError(f"leaves is {leaves}; it must be a positive integer")
    networks = tensors["descriptor_values"].shape[0] if tensors["descriptor_values"].ndim else 0
    shapes = {
        "descriptor_values": (networks, len(listed)),
        "phase_fraction": (networks, len(phases)),
        "leaf_activation": (networks, leaves),
        "normal_angles": (networks, leaves - 1, dimension - 1),
        "leaf_phase": (leaves,),
        "leaf_orientation": (networks, leaves, 4),
    }
    for name, tensor in tensors.items():
        if tensor.shape != shapes[name]:
            raise DatabaseError(f"{name} has shape {tensor.shape}; it must be {shapes[name]}")
        dead = np.isneginf(tensor) if name == "leaf_activation" else False
        # A value beyond any sense is a corrupted one, and would overflow further down.
        if not (dead | (np.abs(tensor) < 1e100)).all():
            raise DatabaseError(f"{name} holds NaN, infinity or a huge value; it must be finite")
    orientation = tensors.get("leaf_orientation")
    if orientation is not None and not (np.abs((orientation**2).sum(-1) - 1) < 1e-6).all():
        raise DatabaseError("leaf_orientation must hold unit quaternions")
    return Contents(
        [
            Network(
                dimension=dimension,
                phases=tuple(phases),
                leaf_phase=tensors["leaf_phase"],
                phase_fraction=tensors["phase_fraction"][k],
                leaf_activation=tensors["leaf_activation"][k],
                normal_angles=tensors["normal_angles"][k],
                leaf_orientation=None if orientation is None else orientation[k],
            )
            for k in range(networks)
        ],
        [Descriptor(**each) for each in listed],
        tensors["descriptor_values"],
        _listed(provenance, tensors["descriptor_values"]),
    )


def _parsed(metadata: Mapping[str, str], key: str) -> Any:
    """A JSON value of the metadata."""
    try:
        return json.loads(metadata[key])
    except json.JSONDecodeError:
        raise DatabaseError(f"{key} is {metadata[key]!r}; it must be JSON") from None


def _listed(provenance: Mapping[str, Any], values: Array) -> dict[str, Any]:
    """Provenance with what it says of networks as lists: older files name them by the fraction."""
    listed = dict(provenance)
    for key in ("errors", "error_budgets"):
        if isinstance(listed.get(key), dict):
            listed[key] = [listed[key].get(f"{value:g}") for value in values[:, 0]]
    return listed
