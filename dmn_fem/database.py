"""Databases: networks over descriptors of the microstructure, one file, interpolated on demand.

All networks of a database share their leaf phases, hence their tree, and descend from one another
by transfer: that is what makes them interpolable (Liu, Wu and Koishi 2019). The file is of the
safetensors format: no pickle, opened without PyTorch and without HDF5.

References:
    Liu, Wu and Koishi (2019), Transfer learning of deep material network for seamless
    structure-property predictions, Comput. Mech. 64, 451-465.
"""

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dmn_fem._files import write_atomically
from dmn_fem.network import Network, softplus, softplus_inverse
from dmn_fem.notation import Array

FORMAT = "dmn-fem/database"
FORMAT_VERSION = 1
WEIGHTS = "phase-normalised softplus, beta=4"
_SUFFIX = ".safetensors"
_REQUIRED = {
    "descriptor_values": "F64",
    "phase_fraction": "F64",
    "leaf_activation": "F64",
    "normal_angles": "F64",
    "leaf_phase": "I64",
}
_OPTIONAL = {"leaf_orientation": "F64"}


class DatabaseError(ValueError):
    """A database, its file or a question to it is wrong; the message is one line."""


class ExtrapolationWarning(UserWarning):
    """A network was extrapolated beyond the range of its database."""


@dataclass(frozen=True)
class Descriptor:
    """A number that describes a microstructure, for example ``volume_fraction`` in unit ``1``."""

    name: str
    unit: str = "1"


@dataclass(frozen=True, eq=False)
class Database:
    """Networks over descriptors of the microstructure.

    Attributes:
        networks: K networks that share dimension, phases and `leaf_phase`.
        descriptors: D descriptors.
        values: Values of the descriptors, (K, D); a single descriptor is strictly increasing.
        provenance: How the networks were made, anything that JSON holds (recipe, seeds, versions,
            hashes of the sample files, errors reached).

    Raises:
        DatabaseError: If the parts do not fit together.
    """

    networks: tuple[Network, ...]
    descriptors: tuple[Descriptor, ...]
    values: Array
    provenance: Mapping[str, Any]

    def __init__(
        self,
        networks: Sequence[Network],
        descriptors: Sequence[Descriptor],
        values: Any,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        if not networks:
            raise DatabaseError("a database without networks; it needs at least one")
        values = np.asarray(values, dtype=float)
        if values.shape != (len(networks), len(descriptors)):
            raise DatabaseError(
                f"descriptor_values has shape {values.shape}; "
                f"it must be {(len(networks), len(descriptors))}"
            )
        if not np.isfinite(values).all():
            raise DatabaseError("descriptor_values holds NaN or infinity; it must be finite")
        if len(descriptors) == 1 and not (np.diff(values[:, 0]) > 0).all():
            raise DatabaseError(f"{descriptors[0].name} must be strictly increasing")
        first = networks[0]
        for number, network in enumerate(networks):
            for name in ("dimension", "phases", "leaves"):
                if getattr(network, name) != getattr(first, name):
                    raise DatabaseError(
                        f"network {number} has {name} {getattr(network, name)}; "
                        f"it must be that of network 0, {getattr(first, name)}"
                    )
            if not np.array_equal(network.leaf_phase, first.leaf_phase):
                raise DatabaseError(f"network {number} has another leaf_phase than network 0")
            if (network.leaf_orientation is None) != (first.leaf_orientation is None):
                raise DatabaseError("all networks of a database have leaf_orientation, or none has")
        object.__setattr__(self, "networks", tuple(networks))
        object.__setattr__(self, "descriptors", tuple(descriptors))
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "provenance", dict(provenance or {}))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.networks[0].dimension

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases."""
        return self.networks[0].phases

    @property
    def leaves(self) -> int:
        """Number of leaves of every network, dead ones included."""
        return self.networks[0].leaves

    def at(self, *, extrapolate: bool = False, **values: float) -> Network:
        """The network at a point of the descriptor space, ``at(volume_fraction=0.33)``.

        At a value that the database holds this is the stored network. In between, the weights
        within each phase (of sum one, so that both ends have the same total) and the fractions of
        the phases are linear in the descriptor, and the normals turn along the shortest arc, n and
        -n identified.

        Args:
            extrapolate: Go on beyond the range along the line through the two outermost networks;
                a leaf whose weight would turn negative is dead there.
            **values: The descriptors by name; a database of one network may be asked without.

        Raises:
            DatabaseError: Outside the range unless `extrapolate`; another descriptor than the
                database's; a value that is not finite; several descriptors.

        Warns:
            ExtrapolationWarning: If the network is an extrapolation.
        """
        if not values and len(self.networks) == 1:
            return self.networks[0]
        names = [descriptor.name for descriptor in self.descriptors]
        if sorted(values) != sorted(names):
            raise DatabaseError(
                f"asked at ({', '.join(values)}); this database is over ({', '.join(names)})"
            )
        if len(names) != 1:
            raise DatabaseError(
                f"a database over {len(names)} descriptors; interpolation needs exactly one"
            )
        name, value, nodes = names[0], float(values[names[0]]), self.values[:, 0]
        if value in nodes:
            return self.networks[int(np.flatnonzero(nodes == value)[0])]
        if not nodes[0] < value < nodes[-1]:
            held = f"{nodes[0]:g}" if nodes.size == 1 else f"{nodes[0]:g} to {nodes[-1]:g}"
            message = f"{name} is {value:g}; this database holds {held}"
            if not extrapolate or nodes.size == 1 or not np.isfinite(value):
                raise DatabaseError(message)
            warnings.warn(f"{message}: extrapolated", ExtrapolationWarning, stacklevel=2)
        left = int(np.clip(np.searchsorted(nodes, value) - 1, 0, nodes.size - 2))
        position = (value - nodes[left]) / (nodes[left + 1] - nodes[left])
        return _interpolate(self.networks[left], self.networks[left + 1], position)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file; it appears complete or not at all."""
        networks = self.networks
        tensors = {
            "descriptor_values": self.values,
            "phase_fraction": np.stack([network.phase_fraction for network in networks]),
            "leaf_activation": np.stack([network.leaf_activation for network in networks]),
            "normal_angles": np.stack([network.normal_angles for network in networks]),
            "leaf_phase": networks[0].leaf_phase,
        }
        if networks[0].leaf_orientation is not None:
            tensors["leaf_orientation"] = np.stack(
                [np.asarray(network.leaf_orientation) for network in networks]
            )
        descriptors = [{"name": each.name, "unit": each.unit} for each in self.descriptors]
        metadata = {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "dimension": str(self.dimension),
            "phases": json.dumps(self.phases),
            "leaves": str(self.leaves),
            "descriptors": json.dumps(descriptors),
            "weights": WEIGHTS,
            "provenance": json.dumps(self.provenance),
        }
        contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        write_atomically(path, save(contiguous, metadata))

    @classmethod
    def load(cls, source: str | os.PathLike[str]) -> "Database":
        """Read a file, or a database that ships with the package by its name, ``"discs_2d"``.

        Raises:
            DatabaseError: If there is no such file or name, or the file is truncated, foreign, of a
                newer format version or inconsistent.
        """
        path = Path(source)
        if path.is_file():
            return _read(path)
        data = resources.files("dmn_fem") / "data"
        shipped = sorted(
            each.name.removesuffix(_SUFFIX)
            for each in data.iterdir()
            if each.name.endswith(_SUFFIX)
        )
        if str(source) not in shipped:
            raise DatabaseError(
                f"{source}: no such file and no shipped database; "
                f"shipped are: {', '.join(shipped) or 'none'}"
            )
        with resources.as_file(data / f"{source}{_SUFFIX}") as path:
            return _read(path)


def _interpolate(first: Network, second: Network, position: float) -> Network:
    """The network at a position between two (0 and 1), or beyond them."""
    phase = first.leaf_phase
    (share_1, total_1), (share_2, total_2) = _shares(first), _shares(second)
    share = np.maximum((1 - position) * share_1 + position * share_2, 0.0)
    # Totals mean nothing; carrying them along makes activations continuous, too.
    inside = min(max(position, 0.0), 1.0)
    weight = share * ((1 - inside) * total_1 + inside * total_2)[phase]
    activation = np.full(weight.shape, -np.inf)
    activation[weight > 0] = softplus_inverse(weight[weight > 0])
    fraction = (1 - position) * first.phase_fraction + position * second.phase_fraction
    if (fraction < 0).any():
        raise DatabaseError(f"extrapolation leads to phase fractions {fraction}; they must be >= 0")
    orientation = None
    if first.leaf_orientation is not None and second.leaf_orientation is not None:
        orientation = _turn(first.leaf_orientation, second.leaf_orientation, position)
    return Network(
        dimension=first.dimension,
        phases=first.phases,
        leaf_phase=phase,
        phase_fraction=fraction,
        leaf_activation=activation,
        normal_angles=_angles(_turn(first.normals, second.normals, position), first.dimension),
        leaf_orientation=orientation,
    )


def _shares(network: Network) -> tuple[Array, Array]:
    """Weights of sum one within each phase, (M,), and the totals they had, (P,)."""
    weight = softplus(network.leaf_activation)
    total = np.bincount(network.leaf_phase, weights=weight, minlength=len(network.phases))
    leaf_total = total[network.leaf_phase]
    return np.divide(weight, leaf_total, out=np.zeros_like(weight), where=leaf_total > 0), total


def _turn(first: Array, second: Array, position: float) -> Array:
    """Unit vectors (..., k) along the shortest arc, u and -u identified."""
    cosine = (first * second).sum(-1, keepdims=True)
    second, cosine = np.where(cosine < 0, -second, second), np.abs(cosine)
    angle = np.arctan2(np.linalg.norm(second - cosine * first, axis=-1, keepdims=True), cosine)
    # sin(t α) / sin α, regular at α = 0
    sinc = np.sinc(angle / np.pi)
    weight_1 = (1 - position) * np.sinc((1 - position) * angle / np.pi) / sinc
    weight_2 = position * np.sinc(position * angle / np.pi) / sinc
    return weight_1 * first + weight_2 * second


def _angles(normals: Array, dimension: int) -> Array:
    """Angles of unit normals; inverts `network.unit_normals` up to the normal's sign."""
    azimuth = np.arctan2(normals[:, 1], normals[:, 0])
    if dimension == 2:
        return azimuth[:, None]
    polar = np.arctan2(np.hypot(normals[:, 0], normals[:, 1]), normals[:, 2])
    return np.stack([polar, azimuth], axis=-1)


def _read(path: Path) -> Database:
    """Read and check a file; every fault is one line that begins with its path."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_format(metadata)
            return _assemble(metadata, _tensors(file))
    except (SafetensorError, OSError) as error:
        raise DatabaseError(
            f"{path}: not a complete safetensors file ({error}); a database is a file that "
            f"Database.save wrote"
        ) from None
    except ValueError as error:
        raise DatabaseError(f"{path}: {' '.join(str(error).split())}") from None


def _check_format(metadata: Mapping[str, str]) -> None:
    """Refuse foreign files and newer ones before anything else is read."""
    if metadata.get("format") != FORMAT:
        raise DatabaseError(f"format is {metadata.get('format')!r}; a database has {FORMAT!r}")
    version = metadata.get("format_version", "")
    if not version.isdecimal():
        raise DatabaseError(f"format_version is {version!r}; it must be a number")
    if int(version) != FORMAT_VERSION:
        raise DatabaseError(
            f"format_version is {version}; this version of dmn-fem reads {FORMAT_VERSION}"
        )
    missing = [
        key
        for key in ("dimension", "phases", "leaves", "descriptors", "weights", "provenance")
        if key not in metadata
    ]
    if missing:
        raise DatabaseError(f"metadata lacks {', '.join(missing)}; a database has all of them")
    if metadata["weights"] != WEIGHTS:
        raise DatabaseError(f"weights are {metadata['weights']!r}; they must be {WEIGHTS!r}")


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


def _assemble(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> Database:
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
    return Database(
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
        provenance,
    )


def _parsed(metadata: Mapping[str, str], key: str) -> Any:
    """A JSON value of the metadata."""
    try:
        return json.loads(metadata[key])
    except json.JSONDecodeError:
        raise DatabaseError(f"{key} is {metadata[key]!r}; it must be JSON") from None
