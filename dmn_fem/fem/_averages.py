"""Averages over cells as functions of degree 0, and what can be one."""

from collections.abc import Mapping

import numpy as np
from dolfinx import fem
from dolfinx.mesh import Mesh
from numpy.typing import NDArray

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


def cell_function(
    mesh: Mesh, cells: NDArray[np.int32], name: str, values: Array, volumes: Array
) -> fem.Function:
    """Averages of what quadrature points have. Collective.

    Args:
        mesh: The mesh.
        cells: Owned cells; others have zero.
        name: Of the function.
        values: Scalars or Mandel vectors, (cells, points, 1, 4 or 6).
        volumes: Of the points, (cells, points).

    Returns:
        A scalar, or a symmetric (3, 3) tensor.
    """
    shares = volumes / volumes.sum(axis=1, keepdims=True)
    average = np.einsum("cq,cqi->ci", shares, values)
    if average.shape[1] in (4, 6):
        average = to_tensor(average)
    space = fem.functionspace(mesh, ("DG", 0, average.shape[1:] if average.ndim == 3 else ()))
    function = fem.Function(space, name=name)
    function.x.array.reshape(-1, *average.shape[1:])[cells] = average
    function.x.scatter_forward()
    return function
