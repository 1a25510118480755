"""Pictures of bodies in space."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dolfinx import fem, plot
from numpy.typing import NDArray

from dmn_fem.fem._together import on_first_rank


def draw_body(
    path: str | Path,
    function: fem.Function,
    label: str,
    u: fem.Function | None = None,
    scale: float = 1.0,
) -> None:
    """Picture of a scalar that is constant in each cell of a mesh in space. Collective.

    Args:
        path: PNG file, written by rank 0.
        function: Scalar function of degree 0; cells where it is NaN are drawn in grey.
        label: What the colours show.
        u: Displacement; with it the deformed body is drawn.
        scale: Factor of the displacement.

    Raises:
        OSError: On all ranks, if the file cannot be written.
    """
    mesh = function.function_space.mesh
    space = fem.functionspace(mesh, ("Lagrange", 1, (3,)))
    vertices = fem.Function(space)
    vertices.interpolate(lambda x: x[:3])
    if u is not None:
        displacement = fem.Function(space)
        displacement.interpolate(u)
        vertices.x.array[:] += scale * displacement.x.array
    count = mesh.topology.index_map(3).size_local
    cells = np.arange(count, dtype=np.int32)
    topology, types, _ = plot.vtk_mesh(space, cells)
    mine = (topology, types, vertices.x.array.reshape(-1, 3), function.x.array[:count])
    gathered = mesh.comm.gather(mine)
    on_first_rank(mesh.comm, lambda: _draw(path, gathered, label))


def _draw(path: str | Path, parts: Sequence[tuple[Any, ...]], label: str) -> None:
    """Picture of the parts of a body that the ranks have."""
    import pyvista  # takes seconds to load

    grids = []
    for topology, types, points, values in parts:
        if types.size:
            grid = pyvista.UnstructuredGrid(topology, types, points)
            grid.cell_data[label] = values
            grids.append(grid)
    body = grids[0].merge(grids[1:]) if len(grids) > 1 else grids[0]
    colours: NDArray[np.float64] = body.cell_data[label]
    pyvista.vtk_verbosity("off")  # it would tell of a display that is not there
    plotter = pyvista.Plotter(off_screen=True, window_size=(1100, 900))
    plotter.add_mesh(
        body,
        scalars=label,
        cmap="viridis",
        clim=(np.nanmin(colours), np.nanmax(colours)),
        nan_color="lightgrey",
        show_edges=True,
        edge_opacity=0.2,
        ambient=0.7,
        diffuse=0.4,
        scalar_bar_args={
            "title": f"{label}\n",  # the line below keeps it clear of the numbers
            "vertical": True,
            "position_x": 0.86,
            "position_y": 0.25,
            "fmt": "%.3g",
        },
    )
    plotter.view_isometric()
    plotter.screenshot(str(path))
    plotter.close()
