"""The space of descriptors: which networks answer at a point, and with which weights.

The points of the networks are triangulated, and the weights at a point are its barycentric
coordinates in the simplex that holds it: linear in the descriptors, exact at the points and
continuous between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dmn_fem.database._errors import DatabaseError
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

    def point(self, values: Mapping[str, float]) -> Array:
        """Values by name as a point, (D,).

        Raises:
            DatabaseError: If they are of other descriptors.
        """
        names = [each.name for each in self.descriptors]
        if sorted(values) != sorted(names):
            raise DatabaseError(
                f"asked at ({', '.join(values)}); this database is over ({', '.join(names)})"
            )
        return np.array([float(values[name]) for name in names])

    def mixture(self, point: Array, *, extrapolate: bool = False) -> Mixture:
        """The networks that answer at a point (D,), and their weights.

        Args:
            point: In the order of the descriptors.
            extrapolate: Outside the hull, go on affinely from the simplex nearest to the point (of
                several as near, the one with the mildest negative weights).

        Raises:
            DatabaseError: Outside the hull by more than round-off, unless `extrapolate`; if the
                point is not finite.
        """
        near = np.allclose(point, self.points[0], rtol=ROUND_OFF, atol=ROUND_OFF)
        if len(self.points) == 1 and near:
            return Mixture(np.zeros(1, dtype=np.int64), np.ones(1), np.zeros(point.size), 0.0)
        if len(self.points) == 1 or not np.isfinite(point).all():
            raise DatabaseError(self.outside(point))
        scaled = (point - self._low) / self._width
        weights = self._inverse @ np.append(scaled, 1.0)
        worst = weights.min(axis=1)
        number, distance = int(worst.argmax()), 0.0
        if worst[number] < -ROUND_OFF:
            if not extrapolate:
                raise DatabaseError(self.outside(point))
            number, distance = self._nearest(scaled, worst)
        kept = np.abs(weights[number]) > ROUND_OFF
        members, shares = self.simplices[number][kept], weights[number][kept]
        shares = shares / shares.sum()
        spread = shares @ (self._scaled[members] - scaled) ** 2
        return Mixture(members, shares, spread, distance)

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
