"""Meshes from files, with their tags, read on one rank and distributed to all."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import basix.ufl
import meshio
import numpy as np
from dolfinx import la, mesh
from dolfinx.graph import adjacencylist
from dolfinx.io import distribute_entity_data
from dolfinx.mesh import CellType
from mpi4py import MPI
from numpy.typing import NDArray

from dmn_fem.fem._abaqus import read_abaqus
from dmn_fem.fem._together import on_first_rank
from dmn_fem.notation import Array


class _Kind(NamedTuple):
    cell: CellType
    dimension: int
    order: int
    facet: str  # meshio's name of its facets


# By meshio's name.
_KINDS = {
    "tetra": _Kind(CellType.tetrahedron, 3, 1, "triangle"),
    "hexahedron": _Kind(CellType.hexahedron, 3, 1, "quad"),
    "tetra10": _Kind(CellType.tetrahedron, 3, 2, "triangle6"),
    "hexahedron27": _Kind(CellType.hexahedron, 3, 2, "quad9"),
    "triangle": _Kind(CellType.triangle, 2, 1, "line"),
    "quad": _Kind(CellType.quadrilateral, 2, 1, "line"),
    "triangle6": _Kind(CellType.triangle, 2, 2, "line3"),
    "quad9": _Kind(CellType.quadrilateral, 2, 2, "line3"),
}
_VERTICES = {"line": 2, "line3": 2, "triangle": 3, "triangle6": 3, "quad": 4, "quad9": 4}
_LARGEST_TAG = np.iinfo(np.int32).max  # those of DOLFINx have 32 bits

# Corners in meshio's order, and of which corners the further nodes are the means.
_CORNERS: dict[CellType, list[tuple[int, ...]]] = {
    CellType.triangle: [(0, 0), (1, 0), (0, 1)],
    CellType.quadrilateral: [(0, 0), (1, 0), (1, 1), (0, 1)],
    CellType.tetrahedron: [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)],
    CellType.hexahedron: [(x, y, z) for z in (0, 1) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))],
}
_BETWEEN = {
    CellType.triangle: "01 12 20",
    CellType.quadrilateral: "01 12 23 30 0123",
    CellType.tetrahedron: "01 12 20 03 13 23",
    CellType.hexahedron: "01 12 23 30 45 56 67 74 04 15 26 37 "
    "0473 1265 0154 3762 0123 4567 01234567",
}

_HDF5 = (".xdmf", ".xmf", ".med", ".cgns", ".h5m", ".hmf")
_COPY = """
import meshio, sys
import numpy as np
mesh = meshio.read(sys.argv[1])
points = np.zeros((len(mesh.points), 3))
points[:, :mesh.points.shape[1]] = mesh.points
meshio.Mesh(points, mesh.cells, mesh.point_data, mesh.cell_data).write(sys.argv[2])
"""


@dataclass(frozen=True)
class TaggedMesh:
    """A mesh and the groups of its cells and facets.

    Attributes:
        mesh: The mesh.
        cell_tags: Tags of its cells; those without a tag are in none.
        facet_tags: Tags of its facets.
        groups: Dimension and tag of every group that has a name.
        node_sets: Vertices of this rank, ghosts included, of every node set of an Abaqus file; they
            may overlap, hence they are no tags.
    """

    mesh: mesh.Mesh
    cell_tags: mesh.MeshTags
    facet_tags: mesh.MeshTags
    groups: Mapping[str, tuple[int, int]]
    node_sets: Mapping[str, NDArray[np.int32]]

    def facets_of(self, node_set: str) -> NDArray[np.int32]:
        """Facets of the boundary all of whose corners are in a node set, on this rank.

        With them `dolfinx.fem.locate_dofs_topological` also finds what lies between the nodes.

        Raises:
            ValueError: If there is no such node set.
        """
        if node_set not in self.node_sets:
            known = ", ".join(self.node_sets) or "none"
            raise ValueError(f"no node set {node_set!r}; there are {known}")
        topology = self.mesh.topology
        corners = topology.connectivity(topology.dim - 1, 0)
        facets = mesh.exterior_facet_indices(topology)
        inside = [np.isin(corners.links(each), self.node_sets[node_set]).all() for each in facets]
        return facets[np.array(inside, dtype=bool)]


@dataclass(frozen=True)
class _Contents:
    """What rank 0 found: cells and facets as numbers of points, tags that are zero where none."""

    kind: _Kind
    points: Array
    cells: NDArray[np.int64]
    facets: NDArray[np.int64]
    cell_tags: NDArray[np.int32]
    facet_tags: NDArray[np.int64]
    groups: dict[str, tuple[int, int]]
    node_sets: dict[str, NDArray[np.int64]]


def read_mesh(
    path: str | Path,
    comm: MPI.Comm = MPI.COMM_WORLD,
    tags: str = "gmsh:physical",
    partitioner: Callable[..., Any] | None = None,
) -> TaggedMesh:
    """A mesh from a Gmsh, XDMF, VTK or Abaqus file, or of another format that meshio reads.

    Collective. Triangles, quadrilaterals, tetrahedra or hexahedra, of order 1 or 2 with all their
    nodes (6, 9, 10, 27); cells of one kind. The file is read on rank 0 and needs no Gmsh. Tags are
    Gmsh's physical groups, Abaqus' element sets (numbered from 1 in the order of the file), or the
    integers of a named array of cell data; facets are tagged by elements of their own. Of Abaqus
    node sets are known, too; surfaces (``*SURFACE``) are not read: write them as node sets, or as
    element sets of facets.

    Args:
        path: The file.
        comm: Ranks to distribute it to.
        tags: Name of the cell data that hold tags, where there are no element sets.
        partitioner: What distributes the cells, DOLFINx's own by default; see
            `interleaved_partitioner`.

    Raises:
        ValueError: On all ranks, if the file is missing or unreadable, holds no such cells, others
            of the same dimension too, cells out of the plane z = constant in 2D, sets that
            overlap, or tags of more than 32 bits.
    """
    held: list[_Contents] = []  # on rank 0 alone

    def read() -> tuple[_Kind, NDArray[np.int32], dict[str, tuple[int, int]], list[str]]:
        try:
            held.append(_read(Path(path), tags))
        except ValueError:
            raise
        except Exception as wrong:  # of what meshio has read, but nobody has foreseen
            raise ValueError(f"{path}: is no mesh: {type(wrong).__name__}: {wrong}") from wrong
        return held[0].kind, held[0].cell_tags, held[0].groups, list(held[0].node_sets)

    kind, cell_values, groups, node_sets = on_first_rank(comm, read)
    order, corners = _permutation(kind), _VERTICES[kind.facet]
    if held:
        (found,) = held
    else:  # the other ranks contribute nothing
        nothing = np.zeros((0, max(order.size, corners)), dtype=np.int64)
        points = np.zeros((0, kind.dimension))
        own_nodes = dict.fromkeys(node_sets, nothing[:, 0])
        found = _Contents(
            kind, points, nothing, nothing, cell_values, nothing[:, 0], groups, own_nodes
        )
    element = basix.ufl.element(
        "Lagrange",
        kind.cell.name,
        kind.order,
        lagrange_variant=basix.LagrangeVariant.equispaced,
        shape=(kind.dimension,),
    )
    domain = mesh.create_mesh(
        comm, found.cells[:, order], element, found.points, partitioner=partitioner
    )

    values = cell_values[domain.topology.original_cell_index]
    tagged = np.flatnonzero(values).astype(np.int32)
    cell_tags = mesh.meshtags(domain, kind.dimension, tagged, values[tagged])
    # A facet is told by its corners.
    entities, values = distribute_entity_data(
        domain, kind.dimension - 1, found.facets[:, :corners], found.facet_tags.astype(np.int32)
    )
    domain.topology.create_connectivity(kind.dimension - 1, 0)
    domain.topology.create_connectivity(kind.dimension - 1, kind.dimension)
    facet_tags = mesh.meshtags_from_entities(
        domain, kind.dimension - 1, adjacencylist(entities), values
    )
    vertices = {name: _vertices(domain, nodes) for name, nodes in found.node_sets.items()}
    return TaggedMesh(domain, cell_tags, facet_tags, groups, vertices)


def _vertices(domain: mesh.Mesh, nodes: NDArray[np.int64]) -> NDArray[np.int32]:
    """Vertices of this rank, from numbers of corners in the mesh's input on any rank."""
    found, _ = distribute_entity_data(
        domain, 0, nodes[:, None], np.zeros(len(nodes), dtype=np.int32)
    )
    index_map = domain.topology.index_map(0)
    chosen = la.vector(index_map)
    chosen.array[found[:, 0]] = 1.0
    chosen.scatter_reverse(la.InsertMode.add)
    chosen.scatter_forward()
    return np.flatnonzero(chosen.array).astype(np.int32)


def _read(path: Path, tags: str) -> _Contents:
    """Cells, facets and tags of a file, without the points that belong to no cell."""
    content = read_by_meshio(path)
    names = {block.type for block in content.cells}
    dimension = max((block.dim for block in content.cells), default=0)
    solid = {block.type for block in content.cells if block.dim == dimension}
    if len(solid) != 1 or not solid <= set(_KINDS):
        raise ValueError(
            f"{path}: holds cells of type {', '.join(sorted(names)) or 'none'}; those of the "
            f"highest dimension must be of one of the types {', '.join(_KINDS)}"
        )
    (name,) = solid
    kind = _KINDS[name]
    points = np.asarray(content.points, dtype=float)
    blocks = [number for number, block in enumerate(content.cells) if block.type == name]
    sides = [number for number, block in enumerate(content.cells) if block.type == kind.facet]
    values, groups = _tags(path, content, tags, blocks, sides, dimension)
    used, cells = np.unique(_joined(content, blocks), return_inverse=True)
    cells = cells.reshape(-1, content.cells[blocks[0]].data.shape[1])
    points = points[used]
    if dimension == 2 and points.shape[1] == 3:
        if np.ptp(points[:, 2]) > 1e-9 * np.ptp(points, axis=0).max():
            raise ValueError(f"{path}: its {name} cells do not lie in a plane z = constant")
        points = points[:, :2]
    facets, facet_tags = np.zeros((0, _VERTICES[kind.facet]), dtype=np.int64), np.zeros(0, int)
    if sides:
        facet_tags = np.concatenate([values[number] for number in sides])
        told = facet_tags != 0
        facets, facet_tags = _joined(content, sides)[told], facet_tags[told]
        if not np.isin(facets, used).all():
            raise ValueError(f"{path}: tagged {kind.facet} elements are no facets of {name} cells")
        facets = np.searchsorted(used, facets)
    cell_tags = np.concatenate([values[number] for number in blocks]).astype(np.int32)
    corners = np.unique(cells[:, : len(_CORNERS[kind.cell])])
    node_sets = {
        name: np.intersect1d(np.searchsorted(used, np.intersect1d(nodes, used)), corners)
        for name, nodes in content.point_sets.items()
    }
    return _Contents(
        kind, np.ascontiguousarray(points), cells, facets, cell_tags, facet_tags, groups, node_sets
    )


def read_by_meshio(path: Path) -> meshio.Mesh:
    """What a file holds.

    Raises:
        ValueError: If it is missing or unreadable.
    """
    try:
        if path.suffix.lower() == ".inp":
            return read_abaqus(path)
        if path.suffix.lower() not in _HDF5 or not path.is_file():
            return meshio.read(path)
        # h5py does not load beside DOLFINx, whose HDF5 is another one.
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "copy.vtu"
            command = [sys.executable, "-c", _COPY, path, copy]
            done = subprocess.run(
                list(map(str, command)), capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise ValueError(done.stderr.strip().rpartition("\n")[2])
            return meshio.read(copy)
    except (Exception, SystemExit) as wrong:  # meshio raises what its readers stumble over
        reason = " ".join(str(wrong).split())
        raise ValueError(f"{path}: not a mesh that meshio reads: {reason}") from None


def _joined(content: meshio.Mesh, blocks: list[int]) -> NDArray[np.int64]:
    return np.concatenate([content.cells[number].data for number in blocks]).astype(np.int64)


def _tags(
    path: Path, content: meshio.Mesh, name: str, blocks: list[int], sides: list[int], dimension: int
) -> tuple[list[NDArray[np.int64]], dict[str, tuple[int, int]]]:
    """Tags of the elements of every block, zero where there are none, and the named groups."""
    values = [np.zeros(len(block.data), dtype=np.int64) for block in content.cells]
    groups: dict[str, tuple[int, int]] = {}
    if name in content.cell_data:
        for number, data in enumerate(content.cell_data[name]):
            if np.shape(data) != values[number].shape or not np.array_equal(data, np.round(data)):
                raise ValueError(f"{path}: cell data {name!r} are no integers, one for each cell")
            large = np.abs(np.asarray(data, dtype=float)) > _LARGEST_TAG
            if large.any():
                raise ValueError(
                    f"{path}: cell data {name!r} hold {np.asarray(data)[large][0]}; "
                    f"tags go up to {_LARGEST_TAG}"
                )
            values[number] = np.asarray(data, dtype=np.int64)
        for group, (tag, its_dimension) in content.field_data.items():
            groups[group] = (int(its_dimension), int(tag))
    elif name != "gmsh:physical":
        known = ", ".join(content.cell_data) or "none"
        raise ValueError(f"{path}: no cell data {name!r}; there are {known}")
    for own, its_dimension in ((blocks, dimension), (sides, dimension - 1)):
        if name in content.cell_data:
            break
        holder: dict[int, str] = {}
        for group, members in content.cell_sets.items():
            if group.startswith("gmsh:") or all(len(members[number]) == 0 for number in own):
                continue
            tag = 1 + len(holder)
            holder[tag] = group
            groups[group] = (its_dimension, tag)
            for number in own:
                chosen = np.asarray(members[number], dtype=np.int64)
                before = values[number][chosen]
                if before.any():
                    other = holder[int(before[before != 0][0])]
                    raise ValueError(f"{path}: element sets {other} and {group} overlap")
                values[number][chosen] = tag
    return values, groups


def _permutation(kind: _Kind) -> NDArray[np.int64]:
    """Where the nodes of a DOLFINx cell stand in a cell of meshio, by their reference places."""
    corners = np.array(_CORNERS[kind.cell], dtype=float)
    nodes = list(corners)
    if kind.order == 2:
        nodes += [
            corners[list(map(int, each))].mean(axis=0) for each in _BETWEEN[kind.cell].split()
        ]
    element = basix.ufl.element(
        "Lagrange", kind.cell.name, kind.order, lagrange_variant=basix.LagrangeVariant.equispaced
    )
    distance = np.linalg.norm(element.basix_element.points[:, None] - np.array(nodes), axis=-1)
    return distance.argmin(axis=1)
