"""Sub-stepping: points at which Newton's method fails are integrated again in equal parts.

Newton's method may fail in one large step where laws soften or barely harden. Such a point starts
again from its old state and goes to its strain along the straight line in 2, 4, 8 … parts, each
with its share of the time step and of the change of external fields, until all parts of one
division converge. The answer is right, but it is another one than that of a single step, and as a
function of the strain it jumps where the number of parts changes; therefore its code is
`Code.UNRELIABLE`: usable, and shorter steps are advised. The number of parts follows from the point
alone, never from its neighbours.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmn_fem.laws import Code, State, Status
from dmn_fem.notation import Array

PERTURBATION = 1e-7
"""Of strains, for the central differences that give the tangent over all parts."""
DIFFERENCE_TOLERANCE = 1e-12
"""Largest relative traction jump of what is subtracted."""

type Points = NDArray[np.intp]
type Sweep = Callable[[Array, State, Array, Array | None, float, Array, float], Status]
"""One step: strain, state, stress, tangent, dt as `Law.integrate`; external fields, tolerance."""


@dataclass(frozen=True)
class Step:
    """A step of some points.

    Attributes:
        start: Strains of the old state, (points, s).
        end: Strains at the end, (points, s).
        state: The old state of these points; not written.
        dt: Time step.
        past: External fields of the old state, (fields, points); each law has its own.
        external: External fields at the end, likewise.
    """

    start: Array
    end: Array
    state: State
    dt: float
    past: Array
    external: Array

    def take(self, points: Points) -> "Step":
        """That of some of the points, in this order."""
        past, external = self.past[:, points], self.external[:, points]
        state = self.state.take(points)
        return Step(self.start[points], self.end[points], state, self.dt, past, external)


@dataclass(frozen=True)
class _Answer:
    """Of the points that reached the end; iterations are those of all points that started."""

    points: Points
    state: State
    stress: Array
    tangent: Array
    iterations: NDArray[np.int32]


def integrate_in_parts(
    sweep: Sweep,
    step: Step,
    places: Points,
    answers: tuple[State, Array, Array | None, Status],
    tolerance: float,
    most: int,
) -> None:
    """Integrate points in as few parts as converge; those that never do are left as they are.

    The tangent is the derivative of the answer over all parts, by central differences; it is not
    symmetric.

    Args:
        sweep: One step of the law.
        step: The step of these points.
        places: Where they are in the answers, (points,).
        answers: State, stress, tangent (or None) and status of a larger batch. Where a point
            succeeds they are overwritten, and its code is `Code.UNRELIABLE`; iterations of all are
            added.
        tolerance: Of the sweeps.
        most: Largest number of parts.
    """
    state, stress, tangent, status = answers
    left, parts = np.flatnonzero(np.isfinite(step.end).all(axis=1)), 2
    while left.size and parts <= most:
        own = step.take(left)
        found = _walk(sweep, own, tolerance, parts)
        status.iterations[places[left]] += found.iterations
        reached = places[left[found.points]]
        status.codes[reached] = Code.UNRELIABLE
        state.put(reached, found.state)
        stress[reached] = found.stress
        if tangent is not None and reached.size:
            tangent[reached] = _tangent(sweep, own, parts, found)
        left, parts = np.delete(left, found.points), 2 * parts


def _walk(sweep: Sweep, step: Step, tolerance: float, parts: int) -> _Answer:
    """Go from the old strains to the new ones; a point that fails on the way is dropped."""
    points, size = np.arange(len(step.end)), step.end.shape[1]
    iterations = np.zeros(points.size, dtype=np.int32)
    stress, tangent = np.empty((0, size)), np.empty((0, size, size))
    step = step.take(points)
    for part in range(1, parts + 1):
        if points.size == 0:
            break
        share = part / parts
        strain = (1.0 - share) * step.start + share * step.end
        external = (1.0 - share) * step.past + share * step.external
        stress, tangent = np.empty((points.size, size)), np.empty((points.size, size, size))
        wanted = tangent if part == parts else None
        status = sweep(strain, step.state, stress, wanted, step.dt / parts, external, tolerance)
        iterations[points] += status.iterations
        step.state.accept()
        reached = np.flatnonzero(status.codes != Code.FAILED)
        if reached.size < points.size:
            points, step = points[reached], step.take(reached)
            stress, tangent = stress[reached], tangent[reached]
    return _Answer(points, step.state, stress, tangent, iterations)


def _tangent(sweep: Sweep, step: Step, parts: int, found: _Answer) -> Array:
    """Derivative of what `_walk` found in the end, (points, s, s).

    That of the last part alone where there is none: where a neighbour fails or, as softening
    phases allow, reaches another of several answers.
    """
    size, count = step.end.shape[1], found.points.size
    near = step.take(np.repeat(found.points, 2 * size))
    changes = PERTURBATION * np.concatenate([np.eye(size), -np.eye(size)])
    near.end[:] += np.tile(changes, (count, 1))
    answer = _walk(sweep, near, DIFFERENCE_TOLERANCE, parts)
    stress = np.full((count * 2 * size, size), np.nan)
    stress[answer.points] = answer.stress
    up, down = np.moveaxis(stress.reshape(count, 2, size, size), 1, 0)
    slopes = np.swapaxes(up - down, 1, 2) / (2.0 * PERTURBATION)
    bend = np.abs(up + down - 2.0 * found.stress[:, None]).max(axis=(1, 2))
    smooth = bend <= 0.1 * np.abs(up - down).max(axis=(1, 2))  # and no NaN
    return np.where(smooth[:, None, None], slopes, found.tangent)
