"""A phase law at points of one's own, without a network: its formula on arrays, or its function."""

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.laws._formulas import apply, numbers_of
from dmn_fem.laws._law import PhaseLaw
from dmn_fem.notation import Array


def respond(
    law: PhaseLaw, strain: ArrayLike, old: ArrayLike | None = None, dt: float = 0.0
) -> tuple[int, Array, Array, Array]:
    """Code, stress, tangent and new internal variables of a phase law at one point.

    Args:
        law: The law.
        strain: Mandel strain, (4,) or (6,).
        old: Internal variables at the start of the step; zero by default.
        dt: Time step.
    """
    strain = np.ascontiguousarray(strain, dtype=float)
    dimension = 2 if strain.size == 4 else 3
    size = sum(field.size for field in law.fields(dimension))
    old = np.zeros(size) if old is None else np.ascontiguousarray(old, dtype=float)
    if type(law).function is None:
        stress, tangent, new = respond_many(law, strain[None], old[None], dt)
        code = 1 if np.isfinite(stress).all() else -1
        return code, stress[0], tangent[0], new[0]
    new, one_stress = np.zeros(size), np.zeros(strain.size)
    one_tangent = np.zeros((strain.size, strain.size))
    numbers = numbers_of(law, dimension)
    code = type(law).function(numbers, strain, old, new, float(dt), one_stress, one_tangent)
    return code, one_stress, one_tangent, new


def respond_many(
    law: PhaseLaw, strain: Array, old: Array, dt: float = 0.0
) -> tuple[Array, Array, Array]:
    """Stresses (n, s), tangents (n, s, s) and new internal variables (n, ...) of a law.

    Args:
        law: The law.
        strain: Mandel strains, (n, s).
        old: Internal variables at the start of the step, (n, ...).
        dt: Time step.
    """
    points, size = strain.shape
    if type(law).function is not None:
        found = [respond(law, *each, dt) for each in zip(strain, old, strict=True)]
        stress, tangent, new = (np.array(part) for part in list(zip(*found, strict=True))[1:])
        return stress, tangent, new
    dimension = 2 if size == 4 else 3
    numbers = iter(numbers_of(law, dimension))
    with np.errstate(all="ignore"):  # what a formula computes and does not choose
        answer = apply(law, dimension, numbers, list(strain.T), list(old.T), np.float64(dt))
    stress, tangent = np.empty((points, size)), np.empty((points, size, size))
    new = np.empty(old.shape)
    for i in range(size):
        stress[:, i] = answer[0][i]
        for j in range(size):
            tangent[:, i, j] = answer[1][i][j]
    for i, each in enumerate(answer[2]):
        new[:, i] = each
    return stress, tangent, new
