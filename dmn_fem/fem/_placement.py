"""Where a material field lives: on which mesh, in which of its cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from dolfinx import fem
from dolfinx.mesh import EntityMap, Mesh, MeshTags
from mpi4py import MPI
from numpy.typing import NDArray
from ufl.algorithms import extract_coefficients

from dmn_fem.fem._together import all_or_none
from dmn_fem.laws import Law, State


def mesh_of(strain: Any, mesh: Mesh | None, entity_maps: Sequence[EntityMap]) -> Mesh:
    """The mesh of a field: the one that is given, or that of the functions in the strain."""
    functions = extract_coefficients(strain)
    spaces = [f.function_space for f in functions if isinstance(f, fem.Function)]
    if not spaces:
        raise ValueError("the strain holds no function; give an expression of the displacement")
    meshes = list(dict.fromkeys(space.mesh for space in spaces))
    if mesh is None and len(meshes) > 1:
        raise ValueError("the functions in the strain live on several meshes; say mesh=...")
    mesh = meshes[0] if mesh is None else mesh
    if meshes != [mesh] and not entity_maps:
        raise ValueError(
            "the strain is on another mesh than the field; give the entity_maps between them, "
            "as dolfinx.mesh.create_submesh returns them"
        )
    return mesh


def tagged_cells(
    strain: Any, mesh: Mesh, tags: MeshTags, tag: int, entity_maps: Sequence[EntityMap]
) -> tuple[Mesh, NDArray[np.int32]]:
    """The mesh that tags belong to, and the tagged cells by their numbers on the field's mesh.

    Collective.

    Raises:
        ValueError: On all ranks, if no cell has the tag, the tags are of another mesh, or the field
            is on a submesh of other cells.
    """
    dimension = mesh.topology.dim
    cells = tags.find(tag)
    if not mesh.comm.allreduce(cells.size):
        known = sorted(set().union(*mesh.comm.allgather(set(tags.values.tolist()))))
        raise ValueError(
            f"no cell has the tag {tag}; there are {', '.join(map(str, known)) or 'none'}"
        )
    owner = tags.topology.index_map(dimension)
    if tags.dim == dimension and owner is mesh.topology.index_map(dimension):
        return mesh, cells
    functions = (f for f in extract_coefficients(strain) if isinstance(f, fem.Function))
    for whole in (function.function_space.mesh for function in functions):
        for each in entity_maps:
            sub = each.sub_topology.index_map(each.dim)
            if (
                tags.dim == each.dim == dimension
                and whole.topology.index_map(dimension) is owner
                and each.topology.index_map(dimension) is owner
                and sub is mesh.topology.index_map(dimension)
            ):
                inside = each.sub_topology_to_topology(cells, True)
                owned = mesh.topology.index_map(dimension).size_local
                same = np.array_equal(np.sort(inside[inside < owned]), np.arange(owned))
                if not mesh.comm.allreduce(same, op=MPI.LAND):
                    raise ValueError(
                        f"the submesh is not that of the cells with tag {tag}; "
                        "create it from them, or give no subdomain"
                    )
                return whole, inside
    raise ValueError("the tags are of another mesh than the field and the displacement")


def input_numbers(
    mesh: Mesh, cells: NDArray[np.int32], entity_maps: Sequence[EntityMap]
) -> NDArray[np.int64] | None:
    """Numbers of cells in the input of the mesh, or of the parent if it is a submesh.

    Returns:
        None on a submesh without its entity map: nothing tells which cells they were.
    """
    dimension = mesh.topology.dim
    for each in entity_maps:
        sub = each.sub_topology.index_map(each.dim)
        if each.dim == dimension and sub is mesh.topology.index_map(dimension):
            parents = each.sub_topology_to_topology(cells, False)
            return np.asarray(each.topology.original_cell_index[parents])
    try:
        return np.asarray(mesh.topology.original_cell_index[cells])
    except RuntimeError:  # DOLFINx holds none for submeshes
        return None


def rows_of(values: Any, what: str, mesh: Mesh, cells: NDArray[np.int32]) -> Any:
    """Rows of some cells, of an array with a row for every owned cell of a mesh. Collective.

    Raises:
        ValueError: On all ranks, if the array has not so many rows on any of them.
    """
    values, owned = np.asarray(values), mesh.topology.index_map(mesh.topology.dim).size_local
    wrong = values.shape[:1] != (owned,)
    if mesh.comm.allreduce(wrong, op=MPI.LOR):
        raise ValueError(
            f"{what} must have a row for every owned cell of the mesh"
            + (f", {owned} here; it has shape {values.shape}" if wrong else ", on every rank")
        )
    return values[cells]


def allocate(
    law: Law,
    network: NDArray[np.integer] | None,
    mesh: Mesh,
    cells: NDArray[np.int32],
    points: int,
) -> State:
    """The stress-free state of some owned cells, point by point. Collective.

    Args:
        law: The law.
        network: The number of its own for every owned cell of the mesh, of a law of several.
        mesh: The mesh.
        cells: The cells.
        points: Of each cell.

    Raises:
        ValueError: On all ranks, if numbers are missing on one, or states are laid out differently,
            so that no file could hold them.
    """
    own = {}
    if network is not None:
        own["network"] = np.repeat(rows_of(network, "network", mesh, cells), points)
    make: Any = law.allocate  # of a law that has networks
    state: State = all_or_none(mesh.comm, lambda: make(cells.size * points, **own))
    nothing = state.export(np.zeros(0, dtype=np.int32))
    layouts = mesh.comm.allgather({name: values.shape for name, values in nothing.items()})
    if any(layout != layouts[0] for layout in layouts):
        raise ValueError(
            "the state of the law is laid out differently on other ranks; networks that are given "
            "to a law must have the same leaves on all of them, dead ones apart"
        )
    return state
