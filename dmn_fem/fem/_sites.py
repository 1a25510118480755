"""Where values are in the cells, and how those of a file are found again on any partition."""

from collections.abc import Callable
from functools import partial

import numpy as np
from dolfinx import fem
from dolfinx.mesh import Mesh
from numpy.typing import NDArray

from dmn_fem.fem._material import MaterialField
from dmn_fem.fem._placement import input_numbers
from dmn_fem.fem._stepper import Stepper
from dmn_fem.notation import Array

_OF_DOFS = ("positions", "values", "rate")
_OF_POINTS = ("positions", "answers", "stress", "state")
_NEAR = 1e-6  # of positions, relative to the size of a cell


class Sites:
    """Where values are in the cells: degrees of freedom, or quadrature points.

    Attributes:
        name: Before the names of its arrays.
        order: Cells, or positions in the cells of a field, in the order of the mesh's input.
        rows: Numbers of these cells in the mesh's input, increasing.
        widths: Numbers that a cell has of every array; `positions` is one of them.
        values: Gives them, of an array by name and of elements of `order`.
    """

    def __init__(
        self,
        name: str,
        mesh: Mesh,
        cells: NDArray[np.int32],
        numbers: NDArray[np.int64] | None,
        values: Callable[[str, NDArray[np.integer]], Array],
        names: tuple[str, ...],
    ) -> None:
        if numbers is None:
            raise ValueError(
                f"{name} is on a submesh, whose cells have no numbers of their own: give the field "
                "the entity_maps to the parent"
            )
        self.name, self.values = name, values
        self.order = np.argsort(numbers)
        self.rows = numbers[self.order]
        nothing = np.zeros(0, dtype=np.int32)
        self.widths = {each: int(np.prod(values(each, nothing).shape[1:])) for each in names}
        self._sizes = mesh.h(mesh.topology.dim, cells[self.order])

    def sorted_values(self, name: str, part: slice) -> Array:
        """Values of some cells in the order of the mesh's input, (cells, width)."""
        rows = self.order[part]
        return self.values(name, rows).reshape(len(rows), self.widths[name])

    def match(self, rows: Array) -> tuple[NDArray[np.intp], int]:
        """Find the sites of the cells by the positions that a file has for them.

        Returns:
            Number of every site in the file, (cells, sites), and a cell of which it has others, -1
            if there is none.
        """
        here = self.values("positions", self.order)
        there = rows.reshape(here.shape)
        near = (_NEAR * self._sizes)[:, None]
        order = np.tile(np.arange(here.shape[1]), (len(here), 1))
        moved = np.flatnonzero((np.linalg.norm(here - there, axis=2) > near).any(axis=1))
        for cell in moved:
            distance = np.linalg.norm(here[cell][:, None] - there[cell][None], axis=2)
            order[cell] = distance.argmin(axis=1)
            if (distance.min(axis=1) > near[cell]).any() or np.unique(order[cell]).size < len(
                order[cell]
            ):
                return order, int(self.rows[cell])
        return order, -1

    def unsorted(self, rows: Array, order: NDArray[np.intp]) -> Array:
        """Values of a file at this rank's cells and their sites, (cells, sites, numbers)."""
        values = rows.reshape(*order.shape, rows.shape[1] // order.shape[1])
        result = np.empty_like(values)
        result[self.order] = np.take_along_axis(values, order[:, :, None], axis=1)
        return result


def all_sites(stepper: Stepper, ghosts: bool = False) -> list[Sites]:
    """Sites of every unknown, in the owned cells or all of this rank, and of every field."""
    sites = []
    for number, u in enumerate(stepper.unknowns):
        mesh = u.function_space.mesh
        index_map = mesh.topology.index_map(mesh.topology.dim)
        cells = np.arange(index_map.size_local + ghosts * index_map.num_ghosts, dtype=np.int32)
        rate = np.zeros_like(u.x.array) if stepper.rate is None else stepper.rate[number]
        numbers, values = input_numbers(mesh, cells, ()), partial(_at_dofs, u, rate)
        sites.append(Sites(f"unknown {number}", mesh, cells, numbers, values, _OF_DOFS))
    for number, field in enumerate(stepper.fields):
        place, values = (field.mesh, field.cells, field.input_cells), partial(_at_points, field)
        sites.append(Sites(f"field {number}", *place, values, _OF_POINTS))
    return sites


def _at_dofs(u: fem.Function, rate: Array, name: str, cells: NDArray[np.integer]) -> Array:
    """Values at the degrees of freedom of some cells, (cells, dofs, numbers)."""
    space = u.function_space
    dofs = space.dofmap.list[cells]
    if name == "positions":
        if space.dofmap.index_map.size_global == 1:  # a number for the whole mesh, nowhere
            return np.zeros((*dofs.shape, 3))
        return np.asarray(space.tabulate_dof_coordinates()[dofs])
    values = {"values": u.x.array, "rate": rate}[name]
    return np.asarray(values.reshape(-1, space.dofmap.bs)[dofs])


def _at_points(field: MaterialField, name: str, cells: NDArray[np.integer]) -> Array:
    """Values at the quadrature points of some cells of a field, (cells, points, numbers)."""
    if name == "positions":
        return field.positions(field.cells[cells])
    if name == "answers":
        return field.answers[cells]
    state, stress = field.export(cells)
    if name == "stress":
        return stress
    count = len(cells) * stress.shape[1]
    columns = [values.reshape(count, int(np.prod(values.shape[1:]))) for values in state.values()]
    rows = np.concatenate(columns, axis=1)
    return rows.reshape(len(cells), stress.shape[1], rows.shape[1])
