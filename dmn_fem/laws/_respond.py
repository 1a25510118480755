"""A phase law at points of one's own, without a network: its formula on arrays, or its function."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem._laminate import MANDEL_ORDER, kept_components
from dmn_fem._lanes import LANES
from dmn_fem.laws._formulas import lanes_address, point_address
from dmn_fem.laws._kernels import one_by_one, side_by_side
from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._protocol import external_values
from dmn_fem.laws._tracing import apply, numbers_of
from dmn_fem.notation import SQRT2, Array


def respond(
    law: PhaseLaw,
    strain: ArrayLike,
    old: ArrayLike | None = None,
    dt: float = 0.0,
    external: Mapping[str, ArrayLike] | None = None,
) -> tuple[int, Array, Array, Array]:
    """Code, stress, tangent and new internal variables of a phase law at one point.

    Args:
        law: The law.
        strain: Mandel strain, (4,) or (6,).
        old: Internal variables at the start of the step; zero by default.
        dt: Time step.
        external: Values of the external fields; those without stress by default.
    """
    strain = np.ascontiguousarray(strain, dtype=float)
    dimension = 2 if strain.size == 4 else 3
    size = sum(field.size for field in law.fields(dimension))
    old = np.zeros(size) if old is None else np.ascontiguousarray(old, dtype=float)
    if type(law).function is None:
        stress, tangent, new = respond_many(law, strain[None], old[None], dt, external)
        code = 1 if np.isfinite(stress).all() else -1
        return code, stress[0], tangent[0], new[0]
    new, one_stress = np.zeros(size), np.zeros(strain.size)
    one_tangent = np.zeros((strain.size, strain.size))
    (numbers,) = _numbers(law, dimension, _outside(law, external, 1))
    code = type(law).function(numbers, strain, old, new, float(dt), one_stress, one_tangent)
    return code, one_stress, one_tangent, new


def respond_many(
    law: PhaseLaw,
    strain: Array,
    old: Array,
    dt: float = 0.0,
    external: Mapping[str, ArrayLike] | None = None,
) -> tuple[Array, Array, Array]:
    """Stresses (n, s), tangents (n, s, s) and new internal variables (n, ...) of a law.

    Args:
        law: The law.
        strain: Mandel strains, (n, s).
        old: Internal variables at the start of the step, (n, ...).
        dt: Time step.
        external: Values of the external fields, (n,) or one; those without stress by default.
    """
    points, size = strain.shape
    outside = _outside(law, external, points)
    if type(law).function is not None:
        rows = [dict(zip(law.external, each, strict=True)) for each in outside.T]
        many = zip(strain, old, rows, strict=True)
        found = [respond(law, one, before, dt, row) for one, before, row in many]
        stress, tangent, new = (np.array(part) for part in list(zip(*found, strict=True))[1:])
        return stress, tangent, new
    dimension = 2 if size == 4 else 3
    numbers = iter(numbers_of(law, dimension))
    with np.errstate(all="ignore"):  # what a formula computes and does not choose
        answer = apply(
            law, dimension, numbers, list(strain.T), list(old.T), np.float64(dt), list(outside)
        )
    stress, tangent = np.empty((points, size)), np.empty((points, size, size))
    new = np.empty(old.shape)
    for i in range(size):
        stress[:, i] = answer[0][i]
        for j in range(size):
            tangent[:, i, j] = answer[1][i][j]
    for i, each in enumerate(answer[2]):
        new[:, i] = each
    return stress, tangent, new


def respond_compiled(
    law: PhaseLaw,
    strain: Array,
    old: Array,
    dt: float = 0.0,
    external: Mapping[str, ArrayLike] | None = None,
) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """What `respond_many` gives, by a formula's machine code: for one point, and for `LANES`.

    The second tangents of a law that claims it are symmetric, from their upper triangles.

    Args:
        law: A law with a formula.
        strain: Mandel strains, (n, s), n a multiple of `LANES`.
        old: Internal variables at the start of the step, (n, ...).
        dt: Time step.
        external: Values of the external fields, (n,) or one; those without stress by default.
    """
    size = strain.shape[1]
    dimension = 2 if size == 4 else 3
    outside = _outside(law, external, len(strain))
    numbers = _numbers(law, dimension, outside)
    one = np.empty_like(strain), np.empty((len(strain), size, size)), np.empty_like(old)
    one_by_one(
        point_address(law, dimension), numbers, strain, old, one[2], float(dt), one[0], one[1]
    )
    constants = np.append(dt, numbers[0])
    blocks = np.arange(len(strain)).reshape(-1, LANES)
    found = [_in_lanes(law, constants, strain[own], old[own], outside[:, own]) for own in blocks]
    stress, tangent, new = (np.concatenate(each) for each in zip(*found, strict=True))
    return one, (stress, tangent, new)


def _in_lanes(
    law: PhaseLaw, constants: Array, strain: Array, old: Array, outside: Array
) -> tuple[Array, Array, Array]:
    """What a formula's machine code for `LANES` points gives of so many."""
    size = strain.shape[1]
    dimension = 2 if size == 4 else 3
    triangles = 1 if law.symmetric else 2
    rows, columns = kept_components(size + 1, triangles)
    order = np.array(MANDEL_ORDER[dimension])
    scale = np.where(order < 3, 1.0, SQRT2)
    end = 2 * size + rows.size
    memory = np.zeros((end + len(outside), LANES))
    memory[:size] = (scale * strain[:, order]).T
    memory[end:] = outside
    before, after = np.ascontiguousarray(old.T), np.zeros(old.T.shape)
    shape = tuple(range(dimension)), tuple(range(size + 1)), tuple(range(triangles))
    address = lanes_address(law, dimension, triangles)
    side_by_side(address, shape, constants[None], memory, before, after)
    stress, tangent = np.empty_like(strain), np.empty((LANES, size, size))
    stress[:, order] = (scale[:, None] * memory[size : 2 * size]).T
    matrix = np.empty((LANES, size + 1, size + 1))
    matrix[:, columns, rows] = memory[2 * size : end].T
    matrix[:, rows, columns] = memory[2 * size : end].T
    scaled = matrix[:, :size, :size] * np.outer(scale, scale)
    tangent[:, order[:, None], order] = scaled
    return stress, tangent, after.T


def _outside(law: PhaseLaw, external: Mapping[str, ArrayLike] | None, points: int) -> Array:
    """Values of the external fields of a law, (fields, points)."""
    given = law.external if external is None else external
    return external_values(tuple(law.external), given, points)


def _numbers(law: PhaseLaw, dimension: int, outside: Array) -> Array:
    """Parameters and external fields, as machine code for one point reads them, (points, n)."""
    numbers = numbers_of(law, dimension).astype(float)
    return np.hstack([np.tile(numbers, (outside.shape[1], 1)), outside.T])
