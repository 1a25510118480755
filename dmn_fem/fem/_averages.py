"""Averages over cells, and what can be one."""

from collections.abc import Mapping

import numpy as np

from dmn_fem.notation import Array, to_tensor

SCALAR: tuple[int, ...] = ()
MANDEL = ((4,), (6,))


def by_part(
    quantities: Mapping[str, Array], shapes: tuple[tuple[int, ...], ...] = (SCALAR, *MANDEL)
) -> dict[str, Array]:
    """Quantities, those of several parts (back stresses) part by part: ``name.1``, ``name.2``.

    Args:
        quantities: By name, (points, ...) or (points, parts, ...).
        shapes: Of a quantity at one point that stays whole.
    """
    result: dict[str, Array] = {}
    for name, values in quantities.items():
        if values.shape[1:] in shapes:
            result[name] = values
        else:
            parts = np.moveaxis(values, 1, 0)
            result |= by_part({f"{name}.{i}": each for i, each in enumerate(parts, 1)}, shapes)
    return result


def over_cells(values: Array, volumes: Array) -> Array:
    """Averages over cells of what quadrature points have.

    Args:
        values: Scalars or Mandel vectors, (cells, points, 1, 4 or 6).
        volumes: Of the points, (cells, points).

    Returns:
        Scalars, (cells, 1), or symmetric tensors, (cells, 3, 3).
    """
    shares = volumes / volumes.sum(axis=1, keepdims=True)
    average = np.einsum("cq,cqi->ci", shares, values)
    return to_tensor(average) if average.shape[1] in (4, 6) else average
