"""Meshes from files, read on one rank and distributed to all."""

from pathlib import Path
from typing import Any

import basix.ufl
import meshio
import numpy as np
from dolfinx import mesh
from dolfinx.io.gmsh import cell_perm_array
from mpi4py import MPI

# meshio's name: cell type, dimension, nodes; the first kind that a file has is its cells.
_CELLS = {
    "tetra": (mesh.CellType.tetrahedron, 3, 4),
    "hexahedron": (mesh.CellType.hexahedron, 3, 8),
    "triangle": (mesh.CellType.triangle, 2, 3),
    "quad": (mesh.CellType.quadrilateral, 2, 4),
}


def read_mesh(path: str | Path, comm: MPI.Comm = MPI.COMM_WORLD) -> mesh.Mesh:
    """A mesh of straight triangles, quadrilaterals, tetrahedra or hexahedra, of any meshio format.

    Collective. The file is read on rank 0 and needs no Gmsh; boundaries are located by geometry.

    Raises:
        ValueError: On all ranks, if the file is missing, unreadable or holds no such cells.
    """
    kind = error = None
    points = cells = np.zeros((0, 0))
    if comm.rank == 0:
        try:
            kind, points, cells = _read(Path(path))
        except ValueError as wrong:
            error = str(wrong)
    kind, error = comm.bcast((kind, error))
    if error is not None:
        raise ValueError(error)
    cell, dimension, nodes = _CELLS[kind]
    element = basix.ufl.element("Lagrange", cell.name, 1, shape=(dimension,))
    return mesh.create_mesh(
        comm,
        cells=cells.reshape(-1, nodes)[:, cell_perm_array(cell, nodes)].astype(np.int64),
        e=element,
        x=np.array(points.reshape(len(points), -1)[:, :dimension], dtype=float, order="C")
        if comm.rank == 0
        else np.zeros((0, dimension)),
    )


def _read(path: Path) -> tuple[str, Any, Any]:
    """Kind, points and cells of a file, without the points that belong to no cell."""
    try:
        content = meshio.read(path)
    except (OSError, ValueError, meshio.ReadError, SystemExit) as error:
        raise ValueError(f"{path}: not a mesh that meshio reads: {error}") from None
    for kind in _CELLS:
        cells = [block.data for block in content.cells if block.type == kind]
        if cells:
            used, numbers = np.unique(np.concatenate(cells), return_inverse=True)
            return kind, content.points[used], numbers.reshape(-1, cells[0].shape[1])
    raise ValueError(f"{path}: holds no cells of type {', '.join(_CELLS)}")
