"""Results over time for ParaView, and histories as tables; both go on after a restart."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import meshio
import numpy as np
from dolfinx import fem, plot
from mpi4py import MPI

from dmn_fem._files import write_atomically
from dmn_fem.fem._averages import MANDEL, SCALAR, by_part
from dmn_fem.fem._material import MaterialField
from dmn_fem.fem._stepper import Step
from dmn_fem.fem._together import all_or_none, on_first_rank
from dmn_fem.notation import Array, to_tensor

_KINDS = {
    "interval": "line",
    "triangle": "triangle",
    "quadrilateral": "quad",
    "tetrahedron": "tetra",
    "hexahedron": "hexahedron",
}


class ResultFile:
    """Displacement and cell averages over time, for ParaView: a ``.pvd`` with its ``.vtu`` files.

    Collective. After every `write` the file is complete, also if the program is killed.

    Args:
        path: The ``.pvd`` file.
        u: Displacement; its values at the mesh's vertices are written.
        field: Material field on the mesh of the displacement.
        quantities: Names for `MaterialField.cell_average`.
        points: Whether to write the quadrature points, too: stress, averages of the phases and
            largest values in them, as a cloud of points to ``<name>_points.pvd``.
        resume: Time of a restart: what an earlier run has written up to it is kept.

    Raises:
        ValueError: If the field is on another mesh. On all ranks, if an earlier file is none.
    """

    def __init__(
        self,
        path: str | Path,
        u: fem.Function,
        field: MaterialField,
        quantities: Sequence[str] = ("stress",),
        *,
        points: bool = False,
        resume: float | None = None,
    ) -> None:
        path = Path(path)
        mesh = u.function_space.mesh
        if field.mesh is not mesh:
            raise ValueError(
                f"{path}: the field is on another mesh than the displacement; give a displacement "
                "that is interpolated to the mesh of the field"
            )
        self._u, self._field, self._quantities = u, field, tuple(quantities)
        space = fem.functionspace(mesh, ("Lagrange", 1, u.ufl_shape))
        self._vertices = fem.Function(space, name="displacement")
        cells = np.arange(mesh.topology.index_map(mesh.topology.dim).size_local, dtype=np.int32)
        topology, _, places = plot.vtk_mesh(space, cells)
        nodes = topology.reshape(len(cells), space.dofmap.list.shape[1] + 1)[:, 1:]
        self._nodes, numbers = np.unique(nodes, return_inverse=True)
        self._cells = [(_KINDS[mesh.topology.cell_type.name], numbers.reshape(nodes.shape))]
        self._places = places[self._nodes]
        self._file = _Collection(path, mesh.comm, resume)
        self._cloud = None
        if points:
            self._cloud = _Collection(path.with_stem(f"{path.stem}_points"), mesh.comm, resume)

    def write(self, time: float) -> None:
        """Add the accepted state at a time."""
        self._vertices.interpolate(self._u)
        size = self._vertices.function_space.dofmap.bs
        displacement = np.zeros((len(self._nodes), 3))
        displacement[:, :size] = self._vertices.x.array.reshape(-1, size)[self._nodes]
        count = len(self._cells[0][1])
        averages = {}
        for name in self._quantities:
            average = self._field.cell_average(name)
            values = average.x.array.reshape(-1, max(int(np.prod(average.ufl_shape)), 1))[:count]
            averages[name] = [values if average.ufl_shape else values[:, 0]]
        grid = meshio.Mesh(self._places, self._cells, {"displacement": displacement}, averages)
        self._file.add(time, grid, count > 0)
        if self._cloud is not None:
            self._cloud.add(time, self._points(), len(self._field.cells) > 0)

    def _points(self) -> meshio.Mesh:
        """The quadrature points, each with what is known of it."""
        field = self._field
        places = field.positions(field.cells).reshape(field.state.points, -1)
        known: dict[str, Array] = {"stress": field.export(np.arange(len(field.cells)))[1]}
        known["stress"] = known["stress"].reshape(field.state.points, field.law.strain_size)
        for name, values in by_part(field.law.averages(field.state)).items():
            if len(values) and values.shape[1:] in MANDEL:
                by_cell = values.reshape(len(field.cells), -1, values.shape[1])
                values = field.in_global_axes(by_cell).reshape(values.shape)
            known[name] = values
        maxima = by_part(field.law.maxima(field.state), (SCALAR,))
        known |= {f"{name}.max": values for name, values in maxima.items()}
        data = {
            name: to_tensor(values).reshape(-1, 9) if values.shape[1:] in MANDEL else values
            for name, values in known.items()
        }
        position = np.zeros((len(places), 3))
        position[:, : places.shape[1]] = places
        return meshio.Mesh(position, [("vertex", np.arange(len(places))[:, None])], data)


class _Collection:
    """A ``.pvd`` file: which files belong to which time."""

    def __init__(self, path: Path, comm: MPI.Intracomm, resume: float | None) -> None:
        self._path, self._comm = path, comm
        self._entries: list[tuple[float, str, int]] = []
        if resume is not None:
            self._entries = on_first_rank(comm, lambda: _entries_until(path, resume))
        self._number = len({time for time, _, _ in self._entries})

    def add(self, time: float, mesh: meshio.Mesh, something: bool) -> None:
        """Write this rank's part, if it has something, and then the collection."""
        self._number += 1
        name = f"{self._path.stem}_{self._number:05d}_{self._comm.rank}.vtu"
        all_or_none(
            self._comm, lambda: mesh.write(self._path.with_name(name)) if something else None
        )
        names = self._comm.allgather(name if something else None)
        self._entries += [(time, each, part) for part, each in enumerate(names) if each]
        on_first_rank(self._comm, self._write)

    def _write(self) -> None:
        root = ElementTree.Element("VTKFile", type="Collection", version="1.0")
        collection = ElementTree.SubElement(root, "Collection")
        for when, file, part in self._entries:
            ElementTree.SubElement(
                collection, "DataSet", timestep=repr(float(when)), part=str(part), file=file
            )
        ElementTree.indent(root)
        write_atomically(self._path, ElementTree.tostring(root, xml_declaration=True))


def _entries_until(path: Path, time: float) -> list[tuple[float, str, int]]:
    """What an earlier collection holds up to a time."""
    if not path.exists():
        return []
    try:
        return [
            (float(each.attrib["timestep"]), each.attrib["file"], int(each.attrib["part"]))
            for each in ElementTree.parse(path).getroot().iter("DataSet")
            if float(each.attrib["timestep"]) <= time
        ]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: is no collection of results: {error}") from None


class History:
    """A table over the accepted steps as CSV: forces, displacements and energies.

    Columns are time, dt, iterations, cutbacks, internal_work (of all fields) and the quantities.
    Collective; every row is on the disk when `write` returns.

    Args:
        path: Of the file.
        fields: Material fields whose internal work is written.
        quantities: What else, by name; each is asked on all ranks.
        resume: Time of a restart: the rows of an earlier run up to it are kept.

    Raises:
        ValueError: On all ranks, if an earlier file has other columns.
    """

    def __init__(
        self,
        path: str | Path,
        fields: Sequence[MaterialField],
        quantities: Mapping[str, Callable[[], float]],
        *,
        resume: float | None = None,
    ) -> None:
        self._path, self._fields, self._quantities = Path(path), tuple(fields), dict(quantities)
        self._comm: MPI.Intracomm = self._fields[0].mesh.comm
        header = ["time", "dt", "iterations", "cutbacks", "internal_work", *self._quantities]

        def begin() -> None:
            rows = [] if resume is None else _rows_until(self._path, header, resume)
            write_atomically(self._path, _lines([header, *rows]).encode())

        on_first_rank(self._comm, begin)

    def write(self, step: Step) -> None:
        """Add a row for an accepted step."""
        work = sum(field.internal_work for field in self._fields)
        row = [step.time, step.dt, step.iterations, step.cutbacks, float(work)]
        row += [float(quantity()) for quantity in self._quantities.values()]

        def append() -> None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_lines([row]))

        on_first_rank(self._comm, append)


def _lines(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _rows_until(path: Path, header: list[str], time: float) -> list[list[str]]:
    """Whole rows of an earlier table up to a time; a kill may have cut the last one."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(re.sub(r"[^\n]*\Z", "", file.read()).splitlines()))
    if not rows or rows[0] != header:
        raise ValueError(f"{path}: has not the columns {', '.join(header)}")
    return [row for row in rows[1:] if float(row[0]) <= time]
