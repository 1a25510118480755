"""The space of descriptors: which networks answer at a point, and with which weights.

The points of the networks are triangulated, and the weights at a point are its barycentric
coordinates in the simplex that holds it: linear in the descriptors, exact at the points and
continuous between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmn_fem.database._errors import DatabaseError, refuse
from dmn_fem.notation import Array

ROUND_OFF = 1e-9
"""A barycentric weight between this and its negative is none."""
_FLAT = 1e-12  # volume of a simplex in the unit box that is none
_SHEAR = 1e-3  # see _triangulate
_TOGETHER = 1e4  # how much more the sum of weights matters than the place, in _nearest


@dataclass(frozen=True)
class Descriptor:
    """A number that describes a microstructure, for example ``volume_fraction`` in unit ``1``."""

    name: str
    unit: str = "1"


@dataclass(frozen=True, eq=False)
class Mixtures:
    """Networks and their shares at many points of a descriptor space.

    Attributes:
        members: Numbers of the networks, (n, k).
        weights: Barycentric weights, (n, k), zero of those that have no share; rows of sum one.
        distance: From the hull of all networks in the unit box, (n,); zero inside.
    """

    members: NDArray[np.int64]
    weights: Array
    distance: Array


@dataclass(frozen=True, eq=False)
class Mixture:
    """Networks and their shares at a point of a descriptor space.

    Attributes:
        members: Numbers of the networks, (n,).
        weights: Barycentric weights, (n,), none of them zero, of sum one; there are negative ones
            only outside the hull.
        spread: Σ w_k (x_k - x)² over the members, (D,), with descriptors scaled to the unit box,
            which the error of a linear interpolation grows with.
        distance: From the hull of all networks, scaled likewise; zero inside.
    """

    members: NDArray[np.int64]
    weights: Array
    spread: Array
    distance: float


class DescriptorSpace:
    """Points of networks, triangulated.

    Args:
        descriptors: D descriptors.
        points: Their values, (K, D), one row a network.

    Attributes:
        simplices: The triangulation, (S, D+1) numbers of networks.

    Raises:
        DatabaseError: If a value is not finite, two networks share a point, or they are too few,
            or lie too flat, to span the space. A single network spans nothing and may stand alone.
    """

    def __init__(self, descriptors: Sequence[Descriptor], points: Array) -> None:
        self.descriptors, self.points = tuple(descriptors), points
        if not np.isfinite(points).all():
            raise DatabaseError("descriptor_values holds NaN or infinity; it must be finite")
        count, dimension = points.shape
        self.simplices = np.zeros((0, dimension + 1), dtype=np.int64)
        if count == 1:
            return
        if count <= dimension:
            raise DatabaseError(
                f"{count} networks over {dimension} descriptors; it takes one, or at least "
                f"{dimension + 1} that span them"
            )
        self._low, self._width = points.min(axis=0), np.ptp(points, axis=0)
        self._width[self._width == 0] = 1.0
        self._scaled = (points - self._low) / self._width
        distance = np.abs(self._scaled[:, None] - self._scaled).max(axis=-1)
        double = np.argwhere(np.triu(distance <= ROUND_OFF, 1))
        if double.size:
            raise DatabaseError(f"two networks stand at {self._named(points[double[0, 0]])}")
        rank = np.linalg.matrix_rank(self._scaled - self._scaled[0], tol=ROUND_OFF)
        if rank < dimension:
            raise DatabaseError(
                f"the {count} networks span {rank} of the {dimension} dimensions of "
                f"({', '.join(each.name for each in descriptors)}); they must span all"
            )
        self.simplices = _triangulate(self._scaled)
        lost = np.setdiff1d(np.arange(count), self.simplices)
        if lost.size:
            raise DatabaseError(
                f"the network at {self._named(points[lost[0]])} is too close to others to be told "
                "from them"
            )
        self._inverse = np.linalg.inv(_homogeneous(self._scaled[self.simplices]))

    def points_at(self, values: Mapping[str, ArrayLike]) -> Array:
        """Values by name as points, (n, D); one value may stand for all points.

        Raises:
            DatabaseError: If they are of other descriptors, or of different numbers of points.
        """
        names = [each.name for each in self.descriptors]
        if sorted(values) != sorted(names):
            raise DatabaseError(
                f"asked at ({', '.join(values)}); this database is over ({', '.join(names)})"
            )
        columns = [np.atleast_1d(np.asarray(values[name], dtype=float)) for name in names]
        count = max(column.size for column in columns)
        for name, column in zip(names, columns, strict=True):
            if column.shape not in ((1,), (count,)):
                raise DatabaseError(f"{name} has shape {column.shape}; it must be ({count},)")
        return np.column_stack([np.broadcast_to(column, count) for column in columns])

    def mixture(self, point: Array, *, extrapolate: bool = False) -> Mixture:
        """The networks that answer at a point (D,), and their weights; see `mixtures`."""
        found = self.mixtures(point[None], extrapolate=extrapolate)
        kept = found.weights[0] != 0.0
        members, weights = found.members[0, kept], found.weights[0, kept]
        spread = np.zeros(point.size)
        if len(self.points) > 1:
            scaled = (point - self._low) / self._width
            spread = weights @ (self._scaled[members] - scaled) ** 2
        return Mixture(members, weights, spread, float(found.distance[0]))

    def mixtures(self, points: Array, *, extrapolate: bool = False) -> Mixtures:
        """The networks that answer at points (n, D), and their weights.

        Args:
            points: In the order of the descriptors.
            extrapolate: Outside the hull, go on affinely from the simplex nearest to the point (of
                several as near, the one with the mildest negative weights).

        Raises:
            DatabaseError: Outside the hull by more than round-off, unless `extrapolate`; if a
                point is not finite.
        """
        distance = np.zeros(len(points))
        if len(self.points) == 1:
            refuse(~self.holds(points), lambda point: self.outside(points[point]))
            return Mixtures(
                np.zeros((len(points), 1), dtype=np.int64), np.ones((len(points), 1)), distance
            )
        held = np.isfinite(points).all(axis=1) if extrapolate else self.holds(points)
        refuse(~held, lambda point: self.outside(points[point]))
        weights = self._weights(points)
        worst = weights.min(axis=2)
        number = worst.argmax(axis=1)
        for point in np.flatnonzero(worst.max(axis=1) < -ROUND_OFF):
            scaled = (points[point] - self._low) / self._width
            number[point], distance[point] = self._nearest(scaled, worst[point])
        shares = weights[np.arange(len(points)), number]
        shares[np.abs(shares) <= ROUND_OFF] = 0.0
        return Mixtures(
            self.simplices[number], shares / shares.sum(axis=1, keepdims=True), distance
        )

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Whether points (n, D) are finite and in the hull of the networks, but for round-off."""
        if len(self.points) == 1:
            near = np.isclose(points, self.points[0], rtol=ROUND_OFF, atol=ROUND_OFF)
            return np.asarray(near.all(axis=1))
        finite = np.isfinite(points).all(axis=1)
        finite[finite] = self._weights(points[finite]).min(axis=2).max(axis=1) >= -ROUND_OFF
        return finite

    def _weights(self, points: Array) -> Array:
        """Barycentric coordinates in all simplices, (n, S, D+1)."""
        scaled = np.ones((len(points), points.shape[1] + 1))
        scaled[:, :-1] = (points - self._low) / self._width
        weights: Array = np.einsum("sij,nj->nsi", self._inverse, scaled)
        return weights

    @cached_property
    def left_out(self) -> tuple[Mixture | None, ...]:
        """What answers where each network stands if it is not there; None at hull vertices."""
        return tuple(self._left_out(number) for number in range(len(self.points)))

    def _left_out(self, number: int) -> Mixture | None:
        others = np.delete(np.arange(len(self.points)), number)
        if others.size == 0:
            return None
        try:
            space = DescriptorSpace(self.descriptors, self.points[others])
            found = space.mixture(self.points[number])
        except DatabaseError:
            return None
        return replace(found, members=others[found.members])

    def outside(self, point: Array) -> str:
        """That a point lies outside, and what lies inside, in one line."""
        ends = zip(self.points.min(axis=0), self.points.max(axis=0), strict=True)
        held = [f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in ends]
        if len(held) == 1:
            return f"{self._named(point)}; this database holds {held[0]}"
        names = (each.name for each in self.descriptors)
        ranges = ", ".join(f"{name} {text}" for name, text in zip(names, held, strict=True))
        return f"{self._named(point)}; this database holds the hull of its networks in {ranges}"

    def _named(self, point: Array) -> str:
        return ", ".join(
            f"{each.name} is {value:g}" for each, value in zip(self.descriptors, point, strict=True)
        )

    def _nearest(self, scaled: Array, worst: Array) -> tuple[int, float]:
        """The simplex nearest to a point outside, and how far that is."""
        from scipy.optimize import nnls  # half a second, and most points lie inside

        corners = _homogeneous(self._scaled[self.simplices])
        corners[:, -1] *= _TOGETHER
        target = np.append(scaled, _TOGETHER)
        distance = np.array([nnls(each, target)[1] for each in corners])
        near = np.flatnonzero(distance <= distance.min() + 1e-6)
        # A point that is outside by less than what the distance is computed to is outside, too.
        return int(near[worst[near].argmax()]), max(float(distance.min()), ROUND_OFF)


def _homogeneous(corners: Array) -> Array:
    """Corners (S, D+1, D) as columns (S, D+1, D+1), with a last row of ones."""
    columns = np.ones((corners.shape[0], corners.shape[1], corners.shape[1]))
    columns[:, :-1] = np.swapaxes(corners, 1, 2)
    return columns


def _triangulate(points: Array) -> NDArray[np.int64]:
    """Delaunay triangulation of points in the unit box, (S, D+1) numbers.

    The corners of a box lie on one sphere: its triangulation is not unique, and what Qhull makes of
    it in 3D has flat simplices whose neighbours do not match. A small shear, under which no such
    tie is left, leads to a triangulation that is valid for the points as they are, too.
    """
    dimension = points.shape[1]
    if dimension == 1:
        order = np.argsort(points[:, 0])
        return np.stack([order[:-1], order[1:]], axis=1)
    from scipy.spatial import Delaunay, QhullError  # half a second, not for one descriptor

    direction = ((1 + np.sqrt(5)) / 2) ** -np.arange(dimension)
    shear = np.outer(direction, direction)
    np.fill_diagonal(shear, 0.0)
    try:
        simplices = Delaunay(points @ (np.eye(dimension) - _SHEAR * shear)).simplices
    except QhullError as error:
        reason = str(error).partition("\n")[0]
        raise DatabaseError(f"descriptor_values cannot be triangulated: {reason}") from None
    # Along a straight side of the hull, round-off makes flat simplices that hold nothing.
    volume = np.abs(np.linalg.det(_homogeneous(points[simplices])))
    return simplices[volume > _FLAT].astype(np.int64)
