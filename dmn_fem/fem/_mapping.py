"""Values of cells: from functions of place, and mapped from the results of another program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import basix
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.mesh import Mesh, compute_midpoints
from mpi4py import MPI

from dmn_fem.fem._mesh import read_by_meshio
from dmn_fem.fem._placement import rows_of
from dmn_fem.fem._together import on_first_rank
from dmn_fem.notation import COMPONENTS, Array


def cell_values(source: Any, mesh: Mesh) -> Array:
    """Values at the midpoints of the owned cells.

    Args:
        source: A UFL expression or function, or a callable of the coordinates (3, cells) that
            returns values (..., cells), as for `dolfinx.fem.Function.interpolate`.
        mesh: The mesh.

    Returns:
        (cells, ...).
    """
    dimension = mesh.topology.dim
    cells = np.arange(mesh.topology.index_map(dimension).size_local, dtype=np.int32)
    if isinstance(source, ufl.core.expr.Expr):
        middle = basix.geometry(mesh.basix_cell()).mean(axis=0)[None]
        values = fem.Expression(source, middle).eval(mesh, cells)
        return np.asarray(values.reshape(cells.size, *source.ufl_shape))
    values = np.asarray(source(compute_midpoints(mesh, dimension, cells).T), dtype=float)
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def cell_function(values: Array, mesh: Mesh, name: str = "values") -> fem.Function:
    """A function of degree 0 with the values of the owned cells, for pictures. Collective.

    Args:
        values: As `cell_values` and `cell_values_from` give them, (cells, ...).
        mesh: The mesh.
        name: Of the function.

    Raises:
        ValueError: On all ranks, if the values are not one for each owned cell.
    """
    owned = mesh.topology.index_map(mesh.topology.dim).size_local
    values = rows_of(values, name, mesh, np.arange(owned, dtype=np.int32))
    function = fem.Function(fem.functionspace(mesh, ("DG", 0, values.shape[1:])), name=name)
    function.x.array[: values.size] = values.ravel()
    function.x.scatter_forward()
    return function


def cell_values_from(
    path: str | Path,
    mesh: Mesh,
    method: str = "linear",
    tolerance: float | None = None,
    normalise: Sequence[str] = (),
) -> dict[str, Array]:
    """Results of another program, such as a moulding simulation, at the midpoints of owned cells.

    Collective; rank 0 reads. A CSV file has columns ``x``, ``y`` (and ``z`` in space) and others;
    six that end on ``_11``, ``_22``, ``_33``, ``_12``, ``_13`` and ``_23`` are a symmetric tensor.
    Of any other file, read by meshio, the point data are taken or, if it has none, the cell data at
    the midpoints of its cells; nine components are a tensor.

    Args:
        path: The file.
        mesh: The mesh; its coordinates and those of the file must be the same.
        method: ``linear`` on a Delaunay triangulation of the places, or ``nearest``.
        tolerance: How far a midpoint may be from the nearest place, where it is outside of their
            hull or the method is nearest; the place's value is taken then. By default the largest
            distance of a place to its nearest neighbour.
        normalise: Names of tensors to be divided by their trace, such as orientation tensors that
            were written with few digits.

    Returns:
        (cells,), (cells, components) or (cells, 3, 3) by name.

    Raises:
        ValueError: On all ranks, if the file is missing, unreadable or holds no values or numbers
            that are not finite, its places do not span the mesh's space, or a midpoint is farther
            out than the tolerance.
    """
    # These take a second to load.
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError, cKDTree

    if method not in ("linear", "nearest"):
        raise ValueError(f"method is {method!r}; it must be 'linear' or 'nearest'")
    dimension = mesh.geometry.dim
    places, values = on_first_rank(mesh.comm, lambda: _read(Path(path), dimension, normalise))
    middle = cell_values(lambda x: x[:dimension], mesh)
    tree = cKDTree(places)
    distance, nearest = tree.query(middle)
    result = {name: each[nearest] for name, each in values.items()}
    outside = np.ones(len(middle), dtype=bool)
    if method == "linear":
        try:
            place = LinearNDInterpolator(places, np.arange(len(places), dtype=float))
        except (QhullError, ValueError) as wrong:
            reason = str(wrong).partition("\n")[0]
            raise ValueError(f"{path}: its places have no triangulation: {reason}") from None
        outside = np.isnan(place(middle))
        for name, each in values.items():
            inner = LinearNDInterpolator(place.tri, each.reshape(len(each), -1))(middle[~outside])
            result[name][~outside] = inner.reshape(-1, *each.shape[1:])
    if tolerance is None:
        tolerance = float(tree.query(places, k=2)[0][:, 1].max()) if len(places) > 1 else 0.0
    far = outside & (distance > tolerance)
    report = (np.count_nonzero(far), distance[far].max(initial=0.0))
    counts, distances = zip(*mesh.comm.allgather(report), strict=True)
    if any(counts):
        raise ValueError(
            f"{path}: {sum(counts)} cells are farther from its places than the tolerance of "
            f"{tolerance:.3g}, by up to {max(distances):.3g}; the mesh may be moved or scaled"
        )
    for name in normalise:
        trace = np.trace(result[name], axis1=1, axis2=2)
        bad = not (trace > 0).all()
        if mesh.comm.allreduce(bad, op=MPI.LOR):
            raise ValueError(f"{path}: tensors {name} have a trace that is not positive")
        result[name] = result[name] / trace[:, None, None]
    return result


def _read(path: Path, dimension: int, normalise: Sequence[str]) -> tuple[Array, dict[str, Array]]:
    """Places, (n, dimension), and values, (n, ...) by name."""
    places, values = (_from_csv if path.suffix.lower() == ".csv" else _from_mesh)(path)
    if not values:
        raise ValueError(f"{path}: holds no values")
    for name, each in {"places": places, **values}.items():
        if not np.isfinite(each).all():
            raise ValueError(f"{path}: {name} are not all finite numbers")
    if places.shape[1] < dimension:
        raise ValueError(f"{path}: has no coordinate z; the mesh is in space")
    unknown = set(normalise) - {name for name, each in values.items() if each.ndim == 3}
    if unknown:
        raise ValueError(f"{path}: holds no tensor {', '.join(sorted(unknown))}")
    if places.shape[1] > dimension and np.ptp(places[:, dimension:]) > 0:
        raise ValueError(f"{path}: its places do not lie in a plane z = constant as the mesh does")
    return places[:, :dimension], values


def _from_csv(path: Path) -> tuple[Array, dict[str, Array]]:
    try:
        with path.open(encoding="utf-8") as lines:
            names = [name.strip() for name in next(lines).split(",")]
            table = np.loadtxt(lines, delimiter=",", ndmin=2)
    except (OSError, StopIteration, ValueError) as wrong:
        raise ValueError(f"{path}: no table of numbers with a line of names: {wrong}") from None
    if names[:2] != ["x", "y"] or table.shape[1] != len(names) or len(set(names)) != len(names):
        raise ValueError(f"{path}: its columns must be x, y, z and values, of different names")
    count = 3 if names[2:3] == ["z"] else 2
    columns = dict(zip(names[count:], table[:, count:].T, strict=True))
    values: dict[str, Array] = {}
    for name, column in columns.items():
        stem, mark, ending = name.rpartition("_")
        components = [f"{stem}_{each}" for each in COMPONENTS[3]]
        if mark and ending in COMPONENTS[3] and set(components) <= set(columns):
            tensor = np.empty((len(table), 3, 3))
            for component, indices in zip(components, COMPONENTS[3], strict=True):
                i, j = (int(index) - 1 for index in indices)
                tensor[:, i, j] = tensor[:, j, i] = columns[component]
            values[stem] = tensor
        else:
            values[name] = column.copy()
    return table[:, :count], values


def _from_mesh(path: Path) -> tuple[Array, dict[str, Array]]:
    content = read_by_meshio(path)
    places = np.asarray(content.points, dtype=float)
    # What Gmsh notes of its geometry is no result.
    data, of_cells = (
        {name: each for name, each in given.items() if not name.startswith("gmsh:")}
        for given in (content.point_data, content.cell_data)
    )
    if not data and of_cells:
        places = np.concatenate([places[block.data].mean(axis=1) for block in content.cells])
        data = {name: np.concatenate(parts) for name, parts in of_cells.items()}
    values = {name: np.asarray(each, dtype=float) for name, each in data.items()}
    return places, {
        name: each.reshape(-1, 3, 3) if each.shape[1:] == (9,) else each
        for name, each in values.items()
    }
