"""What comes out of a run: reaction forces, pictures of cell values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from dolfinx import fem, la
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI
from numpy.typing import NDArray

from dmn_fem.fem._together import on_first_rank
from dmn_fem.notation import Array


def reaction_force(problem: NonlinearProblem, dofs: NDArray[np.integer]) -> float:
    """Sum of the residual over constrained degrees of freedom. Collective.

    The stress is that of the last integration, so call it after a step was accepted.

    Args:
        problem: A problem with one unknown function.
        dofs: Degrees of freedom on this rank, unrolled, as `dolfinx.fem.locate_dofs_topological`
            gives for a component ``V.sub(i)``; ghosts among them are not counted twice.

    Returns:
        The force that the constraint exerts on the body, the same on all ranks.
    """
    space = problem.u.function_space
    residual = fem.assemble_vector(problem.F)
    residual.scatter_reverse(la.InsertMode.add)
    owned = space.dofmap.index_map.size_local * space.dofmap.index_map_bs
    dofs = np.unique(dofs)
    mine = float(residual.array[dofs[dofs < owned]].sum())
    return space.mesh.comm.allreduce(mine, op=MPI.SUM)


def equivalent_stress(stress: fem.Function) -> fem.Function:
    """Von Mises stress of a stress tensor that is constant in each cell.

    Args:
        stress: Function of degree 0 and shape (3, 3), as `MaterialField.cell_average` gives it.
    """
    tensor = stress.x.array.reshape(-1, 3, 3)
    deviator = tensor - np.trace(tensor, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3
    space = fem.functionspace(stress.function_space.mesh, ("DG", 0))
    equivalent = fem.Function(space, name="equivalent_stress")
    equivalent.x.array[:] = np.sqrt(1.5 * np.sum(deviator**2, axis=(1, 2)))
    return equivalent


def draw_cells(
    path: str | Path, function: fem.Function, label: str, u: fem.Function | None = None
) -> None:
    """Picture of a scalar that is constant in each cell of a plane mesh. Collective.

    Args:
        path: PNG file, written by rank 0.
        function: Scalar function of degree 0.
        label: What the colours show.
        u: Displacement; with it the deformed body is drawn (to scale).

    Raises:
        OSError: On all ranks, if the file cannot be written.
    """
    mesh = function.function_space.mesh
    cells = mesh.topology.index_map(mesh.topology.dim).size_local
    space = fem.functionspace(mesh, ("Lagrange", 1, (2,)))
    vertices = fem.Function(space)
    vertices.interpolate(lambda x: x[:2])
    if u is not None:
        displacement = fem.Function(space)
        displacement.interpolate(u)
        vertices.x.array[:] += displacement.x.array
    corners = vertices.x.array.reshape(-1, 2)[space.dofmap.list[:cells]]
    gathered = mesh.comm.gather((corners, function.x.array[:cells]))
    on_first_rank(mesh.comm, lambda: _draw(path, gathered, label))


def _draw(path: str | Path, parts: Sequence[tuple[Array, Array]], label: str) -> None:
    """Picture of cells, each with a value, from all ranks."""
    from matplotlib.figure import Figure  # takes a second to load

    corners, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    if corners.shape[1] == 4:  # a quadrilateral is two triangles; its corners are 0 1 3 2 around
        corners = np.concatenate([corners[:, :3], corners[:, [1, 3, 2]]])
        values = np.tile(values, 2)
    x, y = corners.reshape(-1, 2).T
    slenderness = np.ptp(x) / np.ptp(y)
    width, height = min(4.5 * max(slenderness, 0.3), 8.0), min(8.0 / slenderness, 4.5)
    figure = Figure(figsize=(width + 1.2, max(height, 1.5)), layout="constrained")
    axes = figure.add_subplot()
    triangles = np.arange(len(x)).reshape(-1, 3)
    colours = axes.tripcolor(x, y, triangles, facecolors=values, cmap="viridis", rasterized=True)
    axes.set_aspect("equal")
    axes.set_axis_off()
    figure.colorbar(colours, label=label)
    figure.savefig(path, dpi=150)
