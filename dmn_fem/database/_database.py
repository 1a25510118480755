"""Networks over descriptors of the microstructure, and the questions they answer."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem.database._error_estimate import estimate
from dmn_fem.database._errors import DatabaseError, ExtrapolationWarning, refuse
from dmn_fem.database._file import Contents, read, write
from dmn_fem.database._interpolation import interpolate, interpolate_many
from dmn_fem.database._principal_frame import ROUNDING, principal_orientations
from dmn_fem.database._space import Descriptor, DescriptorSpace, Mixture
from dmn_fem.network import Network
from dmn_fem.notation import Array

_SUFFIX = ".safetensors"
_CHUNK = 1024
"""Networks that are interpolated at once."""


@dataclass(frozen=True, eq=False)
class Database:
    """Networks over descriptors of the microstructure.

    Networks without leaf orientations know no axes of a phase but the global ones: an anisotropic
    law keeps these in all of its phase. Where inclusions point in several directions, as the fibres
    of ``short_fibres_3d``, such networks are for isotropic inclusions alone; ``weave_3d`` has leaf
    orientations.

    Attributes:
        networks: K networks that share dimension, phases and `leaf_phase`.
        descriptors: D descriptors.
        values: Values of the descriptors, (K, D), points that span the space of the descriptors (or
            one alone); a single descriptor is strictly increasing.
        provenance: How the networks were made, anything that JSON holds (recipe, seeds, versions,
            hashes of the sample files, errors reached).

    Raises:
        DatabaseError: If the parts do not fit together.
    """

    networks: tuple[Network, ...]
    descriptors: tuple[Descriptor, ...]
    values: Array
    provenance: Mapping[str, Any]
    _space: DescriptorSpace = field(repr=False)

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
        space = DescriptorSpace(descriptors, values)
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
        object.__setattr__(self, "_space", space)

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

    def at(
        self, *, extrapolate: bool = False, orientation: ArrayLike | None = None, **values: float
    ) -> Network:
        """The network at a point of the descriptor space, ``at(volume_fraction=0.33)``.

        At a point that the database holds this is the stored network. In between it is made of the
        networks around the point, with its barycentric coordinates w_k on a triangulation of the
        descriptor space: the weights within each phase and the fractions of the phases are linear
        in each simplex, and a normal is the principal eigenvector of Σ w_k n_k n_kᵀ (between two
        networks it turns along the shortest arc, n and -n identified).

        A database over ``orientation_1`` and ``orientation_2``, the two largest eigenvalues of the
        fibre orientation tensor, may be asked with the tensor: its eigenvalues are looked up, and
        the network, of a cell whose principal axes are the global ones, is rotated into those of
        the tensor. Of the four rotations, which differ by half turns about the axes, the least one
        is taken. Where two eigenvalues coincide their axes are not determined, and the answer jumps
        by as much as the cell lacks of the symmetry that its tensor has; measured for cells of 60
        and 20 fibres of aspect ratio 5 at a fraction of 0.1, when the axes of a1 = a2 = 0.45 change
        places: 0.5 and 0.8 % of the stiffness at a contrast of 10, 1.5 and 2.7 % at 100. A half
        turn changes as much. How phases turn is told in `Network.rotated`.

        Args:
            extrapolate: Go on outside the hull of the networks, affinely from the nearest simplex;
                a leaf whose weight would turn negative is dead there.
            orientation: Symmetric tensor (3, 3) of trace one in place of ``orientation_1`` and
                ``orientation_2``, or three eigenvalues in any order, which rotate nothing.
            **values: The descriptors by name; a database of one network may be asked without.

        Raises:
            DatabaseError: Outside the hull unless `extrapolate`; other descriptors than the
                database's; a value that is not finite; no orientation tensor.
            ValueError: If a network in 2D would have to be rotated out of its plane.

        Warns:
            ExtrapolationWarning: If the network is an extrapolation.
        """
        if not values and orientation is None and len(self.networks) == 1:
            return self.networks[0]
        point, frame = self._asked_once(values, orientation)
        mixture = self._space.mixture(point, extrapolate=extrapolate)
        if mixture.distance:
            warnings.warn(
                f"{self._space.outside(point)}: extrapolated by {100 * mixture.distance:.3g} % of "
                "the range",
                ExtrapolationWarning,
                stacklevel=2,
            )
        network = self._mixed(mixture)
        return network if frame is None else network.rotated(frame)

    def at_points(
        self,
        *,
        extrapolate: bool = False,
        orientation: ArrayLike | None = None,
        rounding: float | None = None,
        **values: ArrayLike,
    ) -> tuple[tuple[Network, ...], NDArray[np.int64]]:
        """The networks at many points, ``at_points(volume_fraction=fraction_of_cells)``.

        Points of equal descriptors share their network; see `at` for what it is. Descriptors that
        were computed from places differ in their last digits: ``rounding=1e-6`` makes them equal.

        Args:
            extrapolate: As in `at`.
            orientation: Tensors (n, 3, 3), or eigenvalues (n, 3), in place of ``orientation_1`` and
                ``orientation_2``.
            rounding: Round descriptors, and the independent components of orientations, to
                multiples of this, so that more points share a network. What lay in the hull and
                would be rounded out of it, or to no orientation, stays as it is.
            **values: The descriptors by name, (n,), or one number for all points.

        Returns:
            Distinct networks, and the number of its own for every point, (n,): what `NetworkLaw`
            and its ``allocate`` take. Where leaves are dead in some networks of the database alone,
            there may be networks that no point has behind them: with these, laws have the same
            leaves, and states the same fields, whatever the points are.

        Raises:
            DatabaseError: As in `at`; it tells how many points are refused, and the first one.
            ValueError: As in `at`, and if rounding is not positive.

        Warns:
            ExtrapolationWarning: If networks are extrapolations.
        """
        if rounding is not None and not rounding > 0:
            raise ValueError(f"rounding is {rounding}; it must be positive")
        tensors = None if orientation is None else np.asarray(orientation, dtype=float)
        points, frames = self._asked(values, tensors)
        if not extrapolate:
            held = self._space.holds(points)
            refuse(~held, lambda point: self._space.outside(points[point]))
        if rounding is not None:
            values, tensors = self._rounded(rounding, values, tensors, extrapolate)
            points, frames = self._asked(values, tensors)
        rows = points if frames is None else np.column_stack([points, frames.reshape(-1, 9)])
        _, first, index = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        networks: list[Network] = []
        distance = 0.0
        for chunk in np.split(first, range(_CHUNK, first.size, _CHUNK)):
            found = self._space.mixtures(points[chunk], extrapolate=extrapolate)
            distance = max(distance, found.distance.max(initial=0.0))
            mixed = interpolate_many(self.networks, found.members, found.weights)
            # A point that the database holds has the stored network.
            alone = np.count_nonzero(found.weights, axis=1) == 1
            for number in np.flatnonzero(alone):
                mixed[number] = self.networks[found.members[number, found.weights[number] != 0][0]]
            if frames is not None:
                pairs = zip(mixed, frames[chunk], strict=True)
                mixed = [network.rotated(frame) for network, frame in pairs]
            networks += mixed
        if distance:
            warnings.warn(
                f"networks extrapolated by up to {100 * distance:.3g} % of the range",
                ExtrapolationWarning,
                stacklevel=2,
            )
        # Of no points there is a network, too: a rank without cells has a law all the same.
        networks = networks or [self.networks[0]]
        live = np.any([network.leaf_weights > 0 for network in networks], axis=0)
        for network in self.networks:
            if (own := network.leaf_weights > 0)[~live].any():
                networks.append(network)
                live |= own
        return tuple(networks), index.reshape(-1)

    def left_out(self, number: int) -> Network | None:
        """The network that the others give where one stands; None at a vertex of their hull."""
        mixture = self._space.left_out[number]
        return None if mixture is None else self._mixed(mixture)

    def estimated_error(self, *, orientation: ArrayLike | None = None, **values: float) -> float:
        """Estimate of the relative elastic error of the network at a point.

        It is made of the errors in stiffness, means over samples, that ``provenance["errors"]``
        holds for every network k: e_k on held-out samples, and l_k the leave-one-out error, of the
        network that the others give in its place. The error of a linear interpolation grows with
        the spread of its nodes, q(x) = Σ_d c_d Σ_k w_k (x_kd - x_d)²; in one dimension that is
        c w (1 - w) h². The curvatures c_d along the descriptors follow from l_k ≈ q_k by least
        squares over all networks, q_k being the spread of what stood in for k, and l_k / q_k tells
        how much more than that the family is curved around k:

            e(x) = Σ w_k e_k + q(x) Σ w_k l_k / q_k

        On equal spacing in one dimension the second term is a quarter of l_k halfway. A network
        without l_k, at a vertex of the hull, takes the largest l_k / q_k of its simplex (if there
        is none, of the database).

        The estimate supposes that cells change smoothly with the descriptors, and networks with
        them. Measured, the true error over the estimated one: for discs in 2D over the volume
        fraction 0.7 to 1.4 where the discs of all cells have the same places, up to 3 where they
        have others; for capsules over volume fraction and aspect ratio 0.4 to 1.9 (5th and 95th
        percentile) with all networks started from the one in the middle.

        Args:
            orientation: As in `at`.
            **values: As in `at`.

        Raises:
            DatabaseError: As in `at`, and if the database holds no such errors.
        """
        if not values and orientation is None and len(self.networks) == 1:
            point = self.values[0]
        else:
            point, _ = self._asked_once(values, orientation)
        return estimate(self._space, self._space.mixture(point), self.provenance.get("errors"))

    def _asked_once(
        self, values: Mapping[str, float], orientation: ArrayLike | None
    ) -> tuple[Array, Array | None]:
        """The point that is asked for, and the frame to rotate its network into."""
        tensor = None if orientation is None else np.asarray(orientation, dtype=float)[None]
        points, frames = self._asked(values, tensor)
        if len(points) != 1:
            raise DatabaseError(f"asked at {len(points)} points; at answers one, at_points many")
        return points[0], None if frames is None else frames[0]

    def _asked(
        self, values: Mapping[str, ArrayLike], orientation: Array | None
    ) -> tuple[Array, Array | None]:
        """The points that are asked for, (n, D), and the frames of their networks, (n, 3, 3)."""
        if orientation is None:
            return self._space.points_at(values), None
        own = ("orientation_1", "orientation_2")
        if not set(own) <= {each.name for each in self.descriptors} or set(own) & set(values):
            raise DatabaseError(
                f"asked at ({', '.join(['orientation', *values])}); an orientation stands for "
                f"{' and '.join(own)}, this database is over "
                f"({', '.join(each.name for each in self.descriptors)})"
            )
        eigenvalues, frames = principal_orientations(orientation)
        points = self._space.points_at({**values, **dict(zip(own, eigenvalues.T, strict=False))})
        return points, None if frames is None else np.broadcast_to(frames, (len(points), 3, 3))

    def _rounded(
        self,
        rounding: float,
        values: Mapping[str, ArrayLike],
        orientation: Array | None,
        extrapolate: bool,
    ) -> tuple[dict[str, ArrayLike], Array | None]:
        """What is asked for, rounded where the database still answers then; see `at_points`."""

        def near(given: ArrayLike) -> Array:
            result: Array = np.round(np.asarray(given, dtype=float) / rounding) * rounding
            return result

        rounded, tensors = {name: near(each) for name, each in values.items()}, orientation
        stays: NDArray[np.bool_] = np.zeros(1, dtype=bool)
        if orientation is not None:
            # Symmetry and the trace are no components to round.
            if orientation.ndim == 3:
                upper = np.triu(near(orientation))
                tensors = upper + np.triu(upper, 1).swapaxes(1, 2)
                tensors[:, 2, 2] = 1.0 - tensors[:, 0, 0] - tensors[:, 1, 1]
                least = np.linalg.eigvalsh(tensors)[:, 0]
            else:
                tensors = near(np.sort(orientation)[:, ::-1])
                tensors[:, 2] = 1.0 - tensors[:, 0] - tensors[:, 1]
                least = tensors.min(axis=1)
            stays = least < -ROUNDING
            tensors[stays] = orientation[stays]
        if not extrapolate:
            stays = stays | ~self._space.holds(self._asked(rounded, tensors)[0])
        if orientation is not None and tensors is not None:
            axes = (slice(None), *[None] * (orientation.ndim - 1))
            tensors = np.where(stays[axes], orientation, tensors)
        return {
            name: np.where(stays, values[name], each) for name, each in rounded.items()
        }, tensors

    def _mixed(self, mixture: Mixture) -> Network:
        networks = [self.networks[member] for member in mixture.members]
        return networks[0] if len(networks) == 1 else interpolate(networks, mixture.weights)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file; it appears complete or not at all."""
        contents = Contents(self.networks, self.descriptors, self.values, self.provenance)
        write(contents, path)

    @classmethod
    def load(cls, source: str | os.PathLike[str]) -> "Database":
        """Read a file, or a database that ships with the package by its name, ``"discs_2d"``.

        Raises:
            DatabaseError: If there is no such file or name, or the file is truncated, foreign, of a
                newer format version or inconsistent.
        """
        path = Path(source)
        if path.is_file():
            return cls._read(path)
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
            return cls._read(path)

    @classmethod
    def _read(cls, path: Path) -> "Database":
        contents = read(path)
        try:
            return cls(
                contents.networks, contents.descriptors, contents.values, contents.provenance
            )
        except DatabaseError as error:
            raise DatabaseError(f"{path}: {error}") from None
