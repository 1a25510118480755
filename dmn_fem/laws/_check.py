"""What a law is worth before it goes into a network."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._respond import respond, respond_compiled, respond_many
from dmn_fem.notation import Array, mandel_rotation, rotation_from_quaternion, strain_size

_POINTS, _CYCLE = 8, 40
_STEPS = 20  # of the walk along which the tangent is checked


_LIMITS = (
    ("tangent", 1e-6, "tangent against differences"),
    ("work", -1e-6, "work of closed cycles"),
    ("asymmetry", 1e-9, "asymmetry of the tangent"),
    ("objectivity", 1e-9, "rotated path, rotated stress"),
    ("compiled", 1e-10, "machine code against formula"),
)


@dataclass(frozen=True)
class LawReport:
    """What `check` found; prints as a table.

    Attributes:
        law: Name of its class.
        tangent: Largest relative difference of the tangent from central differences.
        work: Smallest work of a closed strain cycle from the stress-free start, of the sum of all
            that was done and gained. Negative is energy out of nothing.
        asymmetry: Largest relative difference of the tangent from its transpose; None if the law
            does not claim to be symmetric.
        objectivity: Largest relative difference of the stress of a rotated path from the rotated
            stress; None if the law does not claim to be isotropic.
        compiled: Largest relative difference of stress, tangent and internal variables between
            formula and machine code, for one point and for several; None for a function.
    """

    law: str
    tangent: float
    work: float
    asymmetry: float | None
    objectivity: float | None
    compiled: float | None

    @property
    def failures(self) -> tuple[str, ...]:
        """The names of what is not within its limit."""
        return tuple(name for name, limit, _ in _LIMITS if not self._holds(name, limit))

    def _holds(self, name: str, limit: float) -> bool:
        value = getattr(self, name)
        # Written so that a NaN does not hold.
        return value is None or bool(value >= limit if limit < 0 else value <= limit)

    def __str__(self) -> str:
        lines = [self.law]
        for name, limit, words in _LIMITS:
            value, sign = getattr(self, name), ">=" if limit < 0 else "<="
            verdict = "ok" if self._holds(name, limit) else "WRONG"
            found = f"{value:9.1e} {sign} {limit:.0e}  {verdict}" if value is not None else "  -"
            lines.append(f"  {words:30s}{found}")
        return "\n".join(lines)


@np.errstate(invalid="ignore")  # a NaN is reported, not warned of
def check(
    law: PhaseLaw,
    dimension: int = 3,
    strain: float = 0.01,
    dt: float = 1.0,
    seed: int = 0,
    external: Mapping[str, float] | None = None,
) -> LawReport:
    """Check tangent, work, symmetry, objectivity and machine code of a law.

    Points are driven along random walks of strains and around random closed cycles, so that
    loading, unloading and reloading all occur.

    Args:
        law: The law.
        dimension: 2 or 3.
        strain: Size of the random steps.
        dt: Time step.
        seed: Of the walks.
        external: Values of the external fields, constant in time; by default those of the law.

    Raises:
        ValueError: If external fields are missing or unknown.
    """
    rng = np.random.default_rng(seed)
    size = strain_size(dimension)
    turn = mandel_rotation(_rotation(rng, dimension))[:size, :size]
    walk = np.cumsum(strain * rng.normal(size=(6, _POINTS, size)), axis=0)
    old = turned_old = np.zeros((_POINTS, _width(law, dimension)))
    formula = type(law).function is None
    asymmetry, objectivity, compiled = [0.0], [0.0], [0.0]
    for current in walk:
        stress, tangent, new = respond_many(law, current, old, dt, external)
        turned, _, turned_old = respond_many(law, current @ turn.T, turned_old, dt, external)
        transposed = tangent.transpose(0, 2, 1)
        objectivity.append(_difference(turned, stress @ turn.T))
        asymmetry.append(_difference(tangent, transposed))
        if formula:
            one, many = respond_compiled(law, current, old, dt, external)
            kept = 0.5 * (tangent + transposed) if law.symmetric else tangent
            of_many = stress, kept, new
            pairs = zip((*one, *many), (stress, tangent, new, *of_many), strict=True)
            compiled += [_difference(found, wanted) for found, wanted in pairs]
        old = new
    return LawReport(
        type(law).__name__,
        _tangent_difference(law, dimension, strain, dt, external, rng),
        _smallest_work(law, dimension, strain, dt, external, rng),
        float(np.max(asymmetry)) if law.symmetric else None,
        float(np.max(objectivity)) if law.isotropic else None,
        float(np.max(compiled)) if formula else None,
    )


def _smallest_work(
    law: PhaseLaw,
    dimension: int,
    strain: float,
    dt: float,
    external: Mapping[str, float] | None,
    rng: np.random.Generator,
) -> float:
    """∮ σ·dε around triangles that begin and end without stress, of ∮ |σ·dε|."""
    size = strain_size(dimension)
    corners = np.zeros((4, _POINTS, size))
    corners[1:3] = 2.0 * strain * rng.normal(size=(2, _POINTS, size))
    if law.external:
        corners += _strain_without_stress(law, dimension, dt, external)
    old = np.zeros((_POINTS, _width(law, dimension)))
    current, before = corners[0], np.zeros((_POINTS, size))
    work, gross = np.zeros(_POINTS), np.zeros(_POINTS)
    for start, end in itertools.pairwise(corners):
        for share in np.linspace(0.0, 1.0, _CYCLE + 1)[1:]:
            following = start + share * (end - start)
            stress, _, old = respond_many(law, following, old, dt, external)
            power = 0.5 * ((before + stress) * (following - current)).sum(axis=1)
            work, gross = work + power, gross + np.abs(power)
            current, before = following, stress
    return float((work / np.where(gross > 0, gross, 1.0)).min())


def _strain_without_stress(
    law: PhaseLaw, dimension: int, dt: float, external: Mapping[str, float] | None
) -> Array:
    """What external fields do to a free point, (s,), by Newton's method."""
    strain = np.zeros(strain_size(dimension))
    for _ in range(_STEPS):
        code, stress, tangent, _ = respond(law, strain, None, dt, external)
        if code < 0 or not np.isfinite(tangent).all():
            break
        strain = strain - np.linalg.lstsq(tangent, stress)[0]
    return strain


def _width(law: PhaseLaw, dimension: int) -> int:
    return sum(field.size for field in law.fields(dimension))


def _difference(one: Array, other: Array) -> float:
    """Largest difference of the largest value; NaN if there is one."""
    if one.size == 0:
        return 0.0
    scale = np.abs(other).max()
    return float(np.abs(one - other).max() / (scale if scale > 0 else 1.0))


def _rotation(rng: np.random.Generator, dimension: int) -> Array:
    """Any rotation, in 2D one of the plane."""
    quaternion = rng.normal(size=4)
    if dimension == 2:
        quaternion[1:3] = 0.0
    return rotation_from_quaternion(quaternion)


def initial_stiffness(law: PhaseLaw, dimension: int) -> Array:
    """Mandel stiffness, (4, 4) or (6, 6), of the stress-free state and its external fields."""
    return respond(law, np.zeros(strain_size(dimension)))[2]


@np.errstate(invalid="ignore")
def _tangent_difference(
    law: PhaseLaw,
    dimension: int,
    strain: float,
    dt: float,
    external: Mapping[str, float] | None,
    rng: np.random.Generator,
) -> float:
    """Of the tangent and central differences of the stress along a random walk of strains."""
    size = strain_size(dimension)
    old = np.zeros((1, _width(law, dimension)))
    current, differences = np.zeros(size), [0.0]
    moves = 1e-6 * strain * np.concatenate([np.eye(size), -np.eye(size)])
    for _ in range(_STEPS):
        current = current + strain * rng.normal(size=size)
        _, (tangent,), new = respond_many(law, current[None], old, dt, external)
        many = np.repeat(old, len(moves), axis=0)
        moved, _, _ = respond_many(law, current + moves, many, dt, external)
        numerical = (moved[:size] - moved[size:]).T / (2e-6 * strain)
        differences.append(_difference(numerical, tangent))
        old = new
    return float(np.max(differences))
