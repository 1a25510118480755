"""Restart: everything that a run needs to go on, in one file, for any number of ranks.

The file starts with a line of JSON: what the model is, where every array lies, and the numbers of
the stepper. Then follow the arrays, one row a cell in the order of the mesh's input: displacement
at the degrees of freedom, stress and state at the quadrature points, and the positions of both, by
which those of a cell are found again whatever order another partition gives them.
"""

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from dolfinx import fem
from dolfinx.mesh import Mesh
from mpi4py import MPI
from numpy.typing import NDArray

from dmn_fem.fem._cell_file import CellFile
from dmn_fem.fem._material import MaterialField
from dmn_fem.fem._placement import input_numbers
from dmn_fem.fem._stepper import Stepper
from dmn_fem.fem._together import on_first_rank
from dmn_fem.laws import Law
from dmn_fem.notation import Array

FORMAT = "dmn-fem/checkpoint"
_START = f'{{"format": "{FORMAT}"'.encode()
_NEAR = 1e-6  # of positions, relative to the size of a cell
_PROBES = ((1e-3, 20.0), (1e-2, 300.0))  # strains and external fields of which a law is asked


def save_checkpoint(
    path: str | Path, stepper: Stepper, note: Mapping[str, Any] | None = None
) -> None:
    """Write what a run needs to go on after its last accepted step. Collective.

    The file is whole or not there, also after a kill; the one before is kept as ``path.previous``.
    A run goes on from it bit by bit on as many ranks, and to round-off on others. (From three ranks
    on PETSc adds what ranks send in the order of arrival, so that no two runs are the same.)

    Args:
        path: Of the file, on a disk that all ranks see.
        stepper: Of the run.
        note: What else is to be found again, as JSON knows it.

    Raises:
        ValueError: If no step was accepted yet.
        OSError: On all ranks, if the file cannot be written; what was there stays.
    """
    path = Path(path)
    if stepper.time is None:
        raise ValueError(f"{path}: nothing to write, no step was accepted yet")
    sites = _all_sites(stepper)
    places, size = {}, 0
    for each in sites:
        # Fields of some cells leave holes, which take no room on the disk.
        count = stepper.comm.allreduce(int(each.rows.max(initial=-1)) + 1, op=MPI.MAX)
        for name, width in each.widths.items():
            places[f"{each.name}.{name}"] = size
            size += 8 * width * count
    about = {
        "format": FORMAT,
        "format_version": 1,
        "model": _model(stepper),
        "stepper": stepper.export(),
        "internal_work": [field.internal_work for field in stepper.fields],
        "note": dict(note or {}),
        "places": places,
        "bytes": size,
    }
    header = json.dumps(about).encode()
    header += b" " * (-(len(header) + 1) % 8) + b"\n"
    written = path.with_name(f".{path.name}.partial")
    with CellFile(written, stepper.comm, len(header) + size) as file:
        file.write_start(header)
        for each in sites:
            for name, width in each.widths.items():
                values = partial(each.sorted_values, name)
                file.write(len(header) + places[f"{each.name}.{name}"], each.rows, width, values)
        file.sync()
        file.check()
    on_first_rank(stepper.comm, lambda: _replace(written, path))


def load_checkpoint(path: str | Path, stepper: Stepper) -> dict[str, Any]:
    """Bring a run to where `save_checkpoint` found it, on any number of ranks. Collective.

    Displacement, stresses, states and the stepper's step are set, and the loads of that time;
    `Stepper.run` goes on from there.

    Args:
        path: Of the file.
        stepper: Of the same model: mesh, element, fields and laws.

    Returns:
        The note.

    Raises:
        ValueError: On all ranks, if the file is none or of another model; nothing is changed.
        OSError: On all ranks, if it cannot be read; nothing is changed.
    """
    path = Path(path)
    about, start = on_first_rank(stepper.comm, lambda: _read_header(path))
    _compare(path, about["model"], _model(stepper))
    sites = _all_sites(stepper, ghosts=True)
    arrays: dict[str, Array] = {}
    lost = -1
    with CellFile(path, stepper.comm) as file:
        for each in sites:
            places = {name: start + about["places"][f"{each.name}.{name}"] for name in each.widths}
            rows = file.read(places.pop("positions"), each.rows, each.widths["positions"])
            order, unknown = each.match(rows)
            lost = max(lost, unknown)
            for name, place in places.items():
                rows = file.read(place, each.rows, each.widths[name])
                arrays[f"{each.name}.{name}"] = each.unsorted(rows, order)
        file.check()
    lost = stepper.comm.allreduce(lost, op=MPI.MAX)
    if lost >= 0:
        raise ValueError(f"{path}: is of another mesh: its cell {lost} lies elsewhere")

    rates = []
    for number, u in enumerate(stepper.unknowns):
        space, rate = u.function_space, np.zeros_like(u.x.array)
        for name, vector in (("values", u.x.array), ("rate", rate)):
            by_dof = vector.reshape(-1, space.dofmap.bs)
            by_dof[space.dofmap.list] = arrays[f"unknown {number}.{name}"]
        u.x.scatter_forward()
        rates.append(rate)
    # Loads first: the strain may hold constants that they set.
    stepper.restore(about["stepper"], rates)
    for number, field in enumerate(stepper.fields):
        stress, values = arrays[f"field {number}.stress"], arrays[f"field {number}.state"]
        values = values.reshape(-1, values.shape[2])
        empty, _ = field.export(np.zeros(0, dtype=np.int32))
        ends = np.cumsum([int(np.prod(each.shape[1:])) for each in empty.values()])
        state = {
            name: part.reshape(len(part), *empty[name].shape[1:])
            for name, part in zip(empty, np.split(values, ends[:-1], axis=1), strict=True)
        }
        field.load(state, stress, about["internal_work"][number])
    return dict(about["note"])


class _Sites:
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


def _all_sites(stepper: Stepper, ghosts: bool = False) -> list[_Sites]:
    """Sites of every unknown, in the owned cells or all of this rank, and of every field."""
    sites = []
    for number, u in enumerate(stepper.unknowns):
        mesh = u.function_space.mesh
        index_map = mesh.topology.index_map(mesh.topology.dim)
        cells = np.arange(index_map.size_local + ghosts * index_map.num_ghosts, dtype=np.int32)
        rate = np.zeros_like(u.x.array) if stepper.rate is None else stepper.rate[number]
        names, values = ("positions", "values", "rate"), partial(_at_dofs, u, rate)
        numbers = input_numbers(mesh, cells, ())
        sites.append(_Sites(f"unknown {number}", mesh, cells, numbers, values, names))
    for number, field in enumerate(stepper.fields):
        names, values = ("positions", "stress", "state"), partial(_at_points, field)
        place = field.mesh, field.cells, field.input_cells
        sites.append(_Sites(f"field {number}", *place, values, names))
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
    state, stress = field.export(cells)
    if name == "stress":
        return stress
    count = len(cells) * stress.shape[1]
    columns = [values.reshape(count, int(np.prod(values.shape[1:]))) for values in state.values()]
    rows = np.concatenate(columns, axis=1)
    return rows.reshape(len(cells), stress.shape[1], rows.shape[1])


def _model(stepper: Stepper) -> dict[str, Any]:
    """What a file must agree with, in numbers and words. Collective; the same on all ranks."""
    comm, model = stepper.comm, {}
    for number, u in enumerate(stepper.unknowns):
        topology, dofmap = u.function_space.mesh.topology, u.function_space.dofmap
        model[f"unknown {number}"] = {
            "cell": topology.cell_type.name,
            "cells": topology.index_map(topology.dim).size_global,
            "components": dofmap.bs,
            "degrees of freedom of a cell": dofmap.list.shape[1],
        }
    for number, field in enumerate(stepper.fields):
        state, stress = field.export(np.zeros(0, dtype=np.int32))
        model[f"field {number}"] = {
            "cells": comm.allreduce(len(field.cells)),
            "quadrature points of a cell": stress.shape[1],
            "state": {name: list(values.shape[1:]) for name, values in state.items()},
            "answers": _common_answers(comm, field.law),
        }
    return model


def _common_answers(comm: MPI.Intracomm, law: Law) -> list[list[float]] | None:
    """The fingerprint of a law; None if cells, and with them ranks, have networks of their own."""
    several = len(getattr(law, "networks", ())) > 1
    first, *others = comm.allgather(None if several else _answers(law))
    return first if all(each == first for each in others) else None


def _answers(law: Law) -> list[list[float]]:
    """Stresses that a law answers to fixed strains: its fingerprint, whatever it is made of."""
    answers = []
    for amplitude, external in _PROBES:
        strain = amplitude * np.cos(np.arange(1.0, law.strain_size + 1.0))[None]
        stress = np.zeros_like(strain)
        outside = {name: np.array([external]) for name in law.external}
        law.integrate(strain, law.allocate(1), stress, None, 1.0, outside)
        answers.append(stress[0].tolist())
    return answers


def _compare(path: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse a file of another model, by the first thing that differs."""
    if set(there) != set(here):
        raise ValueError(
            f"{path}: is of another model: it has {', '.join(there)}, here are {', '.join(here)}"
        )
    for part, numbers in here.items():
        for name, value in numbers.items():
            other = there[part].get(name)
            if name == "answers":
                if not np.allclose(other, value, rtol=1e-6, atol=0.0, equal_nan=True):
                    raise ValueError(
                        f"{path}: is of another model: the law of {part} answered strains by other "
                        "stresses; it needs the same network and parameters"
                    )
            elif other != value:
                raise ValueError(
                    f"{path}: is of another model: {part}: {name} is {other}, here it is {value}"
                )


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Header of a file and where its arrays start."""
    with path.open("rb") as file:
        start = file.read(len(_START))
        if start != _START:
            raise ValueError(f"{path}: is no checkpoint of {FORMAT.split('/')[0]}")
        try:
            about = json.loads(start + file.readline())
        except ValueError as error:
            raise ValueError(f"{path}: has a damaged header: {error}") from None
        if about["format_version"] != 1:
            raise ValueError(f"{path}: has version {about['format_version']}, this program reads 1")
        begin, size = file.tell(), file.seek(0, os.SEEK_END)
        if size != begin + about["bytes"]:
            raise ValueError(f"{path}: has {size} bytes, it should have {begin + about['bytes']}")
    return about, begin


def _replace(written: Path, path: Path) -> None:
    """Put a file in place; at every moment there is a whole one."""
    if path.exists():
        link = path.with_name(f".{path.name}.link")
        link.unlink(missing_ok=True)
        os.link(path, link)
        os.replace(link, path.with_name(f"{path.name}.previous"))
    os.replace(written, path)
