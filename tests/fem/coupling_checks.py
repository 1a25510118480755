"""Checks of elements, several laws and submeshes on any number of ranks; also an MPI script."""

import tempfile
from dataclasses import replace
from pathlib import Path

import basix.ufl
import numpy as np
import pytest
import ufl
from fem_models import (
    ELASTIC,
    GRADIENT,
    PETSC,
    PLASTIC,
    elastic_law,
    model,
    plastic_law,
    small_network,
)
from scipy.optimize import brentq

from dmn_fem.fem import (
    MaterialField,
    Stepper,
    interleaved_partitioner,
    mandel_strain,
    read_mesh,
)
from dmn_fem.notation import to_mandel
from dmn_fem.online import NetworkLaw

# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from dolfinx.mesh import CellType
from mpi4py import MPI

# Cell, order of the geometry, order of the displacement, degree of the quadrature: the least that
# integrates a constant stress against all test functions.
ELEMENTS = [
    (CellType.triangle, 1, 1, 1),
    (CellType.triangle, 2, 2, 2),
    (CellType.quadrilateral, 1, 1, 2),
    (CellType.quadrilateral, 2, 2, 4),
    (CellType.tetrahedron, 1, 1, 1),
    (CellType.tetrahedron, 2, 2, 3),
    (CellType.hexahedron, 1, 1, 3),
    (CellType.hexahedron, 2, 2, 5),
]


ABAQUS = """*HEADING
*NODE
1, 0, 0, 0
2, 1, 0, 0
3, 2, 0, 0
4, 0, 1, 0
5, 1, 1, 0
6, 2, 1, 0
*ELEMENT, TYPE=CPS4, ELSET=LEFT
1, 1, 2, 5, 4
*ELEMENT, TYPE=CPS4, ELSET=RIGHT
2, 2, 3, 6, 5
*ELEMENT, TYPE=T2D2, ELSET=HELD
3, 4, 1
*NSET, NSET=TOP
4, 5, 6
*NSET, NSET=ODD, GENERATE
1, 5, 2
"""

# Each rank factorises the whole small matrix: a parallel factorisation sends messages without end
# where ranks share cores.
REDUNDANT = {
    "ksp_type": "preonly",
    "pc_type": "redundant",
    "redundant_ksp_type": "preonly",
    "redundant_pc_type": "lu",
}
SOLVER = {name: value for name, value in PETSC.items() if name.startswith("snes")} | REDUNDANT


def bent(cell, order, cells=2):
    """The unit square or cube with cells of an order, their inner nodes moved off straight lines.

    Alike on any number of ranks, also the numbers of its cells: rank 0 tells the mesh.
    """
    comm, dimension = (
        MPI.COMM_SELF,
        2 if cell in (CellType.triangle, CellType.quadrilateral) else 3,
    )
    create = mesh.create_unit_square if dimension == 2 else mesh.create_unit_cube
    straight = create(comm, *[cells] * dimension, cell)
    space = fem.functionspace(straight, ("Lagrange", order))
    index_map = space.dofmap.index_map
    x = space.tabulate_dof_coordinates()[: index_map.size_local, :dimension].copy()
    bump = np.prod(np.sin(np.pi * x), axis=1)
    for axis in range(dimension):
        x[:, axis] += 0.1 * bump * np.sin(7 * x[:, 0] + 5 * axis + 3 * x[:, 1])
    owned = straight.topology.index_map(dimension).size_local
    nodes = index_map.local_to_global(space.dofmap.list[:owned].ravel()).reshape(owned, -1)
    element = basix.ufl.element("Lagrange", cell.name, order, shape=(dimension,))
    if MPI.COMM_WORLD.rank > 0:
        nodes, x = nodes[:0], x[:0]
    return mesh.create_mesh(MPI.COMM_WORLD, nodes.astype(np.int64), element, x)


def patch(cell, geometry, displacement, degree):
    """Every point of any element answers to a homogeneous strain as the law does at one point."""
    domain = bent(cell, geometry)
    law = plastic_law(domain.geometry.dim)
    problem, material, load = model(law, domain, displacement, quadrature=degree, **REDUNDANT)
    gradient = np.zeros((3, 3))
    dimension = domain.geometry.dim
    gradient[:dimension, :dimension] = GRADIENT[:dimension, :dimension]
    strain = to_mandel((gradient + gradient.T) / 2, dimension)[None]
    state, stress = law.allocate(1), np.zeros((1, law.strain_size))
    for time in (0.5, 1.0):
        load(time)
        problem.solve()
        assert problem.solver.getConvergedReason() > 0
        material.accept()
        law.integrate(time * strain, state, stress)
        state.accept()
        values = material.stress.x.array.reshape(-1, law.strain_size)[: material.state.points]
        error = np.abs(values - stress).max(initial=0.0) / np.abs(stress).max()
        assert error < 1e-10, (cell.name, error)


def pulled_in_y(domain, fields, u, entity_maps=(), pull=0.01):
    """A body of fields between smooth walls, pulled in y by its upper side."""
    V = u.function_space
    v = ufl.TestFunction(V)
    F = sum(ufl.dot(field.stress, mandel_strain(v)) * field.dx for field in fields)
    dimension = domain.topology.dim

    def side(axis, position):
        facets = mesh.locate_entities_boundary(
            domain, dimension - 1, lambda x: np.isclose(x[axis], position)
        )
        return fem.locate_dofs_topological(V.sub(axis), dimension - 1, facets)

    held, top = fem.Constant(domain, 0.0), fem.Constant(domain, 0.0)
    walls = [(0, 0.0), (0, 1.0), (1, 0.0)] + [(2, 0.0), (2, 1.0)] * (dimension == 3)
    bcs = [fem.dirichletbc(held, side(*wall), V.sub(wall[0])) for wall in walls]
    bcs.append(fem.dirichletbc(top, side(1, 1.0), V.sub(1)))
    problem = NonlinearProblem(
        F,
        u,
        J=fields[0].jacobian(F, u, *fields[1:]),
        bcs=bcs,
        petsc_options_prefix="layers_",
        petsc_options=SOLVER,
        entity_maps=list(entity_maps) or None,
    )
    for field in fields:
        field.attach(problem)

    def load(time):
        top.value = pull * time

    return problem, load


def three_laws():
    """An elastic, a plastic and a composite layer: one traction, and strains that add up."""
    domain = mesh.create_unit_square(MPI.COMM_WORLD, 4, 8)
    network = small_network(2)
    quarter = np.pi / 2
    angles = quarter * np.round(network.normal_angles / quarter)  # without shear under tension
    composite = NetworkLaw(
        replace(network, normal_angles=angles), {"matrix": PLASTIC, "inclusion": ELASTIC}
    )
    laws = [elastic_law(2), composite, plastic_law(2)]
    heights = (0.25, 0.25, 0.5)
    owned = domain.topology.index_map(2).size_local
    cells = np.arange(owned, dtype=np.int32)
    layer = np.digitize(mesh.compute_midpoints(domain, 2, cells)[:, 1], np.cumsum(heights)[:-1])
    tags = mesh.meshtags(domain, 2, cells, layer.astype(np.int32))
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    fields = [
        MaterialField(law, mandel_strain(u), degree=1, subdomain=(tags, tag))
        for tag, law in enumerate(laws)
    ]
    problem, load = pulled_in_y(domain, fields, u)
    list(Stepper(problem, fields, load).run([0.0, 0.5, 1.0]))
    check_layers(fields, laws, heights)
    # A rank may have no cell of a law.
    stress = sum(field.cell_average("stress").x.array.reshape(-1, 9)[:, 4] for field in fields)
    np.testing.assert_allclose(stress, fields[0].mesh.comm.allreduce(stress.max(), MPI.MAX))
    for field in fields:
        assert field.positions(field.cells).shape[2] == 2


def check_layers(fields, laws, heights, pull=0.01):
    """Layers between smooth walls, against a scalar equation for the common traction."""
    states = [law.allocate(1) for law in laws]

    def answer(law, state, strain):
        vector, stress = np.zeros((1, law.strain_size)), np.zeros((1, law.strain_size))
        vector[0, 1] = strain
        law.integrate(vector, state, stress)
        return stress[0]

    def strain_under(traction, law, state):
        return brentq(lambda e: answer(law, state, e)[1] - traction, -0.1, 0.1, xtol=1e-15)

    for mean in (0.5 * pull, pull):

        def mismatch(traction, mean=mean):
            parts = zip(laws, states, heights, strict=True)
            return sum(h * strain_under(traction, law, state) for law, state, h in parts) - mean

        traction = brentq(mismatch, 0.0, 5.0, xtol=1e-14)
        stresses = [
            answer(law, state, strain_under(traction, law, state))
            for law, state in zip(laws, states, strict=True)
        ]
        for state in states:
            state.accept()
    for field, stress in zip(fields, stresses, strict=True):
        values = field.stress.x.array.reshape(-1, len(stress))
        points = field.stress.function_space.element.interpolation_points.shape[0]
        own = values.reshape(-1, points, len(stress))[field.cells]
        np.testing.assert_allclose(own, np.broadcast_to(stress, own.shape), atol=1e-7)


def submesh(dimension=2):
    """A field on a submesh, the displacement on the parent: as with tags on the parent."""
    create = mesh.create_unit_square if dimension == 2 else mesh.create_unit_cube
    domain = create(MPI.COMM_WORLD, *[4] * dimension)
    soft, stiff = plastic_law(dimension), elastic_law(dimension)
    owned = domain.topology.index_map(dimension).size_local
    cells = np.arange(owned, dtype=np.int32)
    left = mesh.compute_midpoints(domain, dimension, cells)[:, 0] < 0.5
    tags = mesh.meshtags(domain, dimension, cells, left.astype(np.int32))
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 2, (dimension,))))

    tagged = [
        MaterialField(law, mandel_strain(u), subdomain=(tags, tag))
        for tag, law in enumerate((soft, stiff))
    ]
    problem, load = pulled_in_y(domain, tagged, u)
    list(Stepper(problem, tagged, load).run([0.0, 0.5, 1.0]))
    expected = u.x.array.copy()
    assert np.abs(expected).max() > 0

    u.x.array[:] = 0
    fields, maps = [], []
    for tag, law in enumerate((soft, stiff)):
        part, entity_map, _, _ = mesh.create_submesh(domain, dimension, tags.find(tag))
        where = {"subdomain": (tags, tag), "mesh": part, "entity_maps": [entity_map]}
        fields.append(MaterialField(law, mandel_strain(u), **where))
        maps.append(entity_map)
    problem, load = pulled_in_y(domain, fields, u, maps)
    list(Stepper(problem, fields, load).run([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(u.x.array, expected, atol=1e-10 * np.abs(expected).max())
    for field, other in zip(fields, tagged, strict=True):
        np.testing.assert_array_equal(np.sort(field.input_cells), np.sort(other.input_cells))
        assert field.stress.x.array.size <= other.stress.x.array.size


def interleaved():
    """Every cell has one owner and every rank as many, all over the body; ghosts are whole."""
    comm, shape = MPI.COMM_WORLD, ([[0, 0, 0], [4, 1, 1]], [16, 4, 4])
    area = fem.Constant(mesh.create_box(MPI.COMM_SELF, *shape), 1.0) * ufl.dS
    expected = fem.assemble_scalar(fem.form(area))
    for mode in (mesh.GhostMode.none, mesh.GhostMode.shared_facet):
        domain = mesh.create_box(comm, *shape, partitioner=interleaved_partitioner(6, mode))
        cells = domain.topology.index_map(3)
        owned = np.arange(cells.size_local, dtype=np.int32)
        original = comm.allgather(domain.topology.original_cell_index[owned])
        assert np.array_equal(np.sort(np.concatenate(original)), np.arange(cells.size_global))
        assert cells.size_local > 0.9 * cells.size_global / comm.size
        x = mesh.compute_midpoints(domain, 3, owned)[:, 0]
        assert 0.3 < np.mean(x < 2) < 0.7, np.histogram(x, 4, (0, 4))
        if comm.size > 1:  # facets between ranks are those of a cell and of a ghost
            assert (cells.num_ghosts > 0) is (mode is mesh.GhostMode.shared_facet)
        if mode is mesh.GhostMode.shared_facet:
            form = fem.form(fem.Constant(domain, 1.0) * ufl.dS)
            found = comm.allreduce(fem.assemble_scalar(form))
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def tagged_mesh(partitioner=None):
    """Tags of cells and facets arrive where their cells are; what fails fails everywhere."""
    comm = MPI.COMM_WORLD
    folder = Path(comm.bcast(tempfile.mkdtemp() if comm.rank == 0 else None))
    if comm.rank == 0:
        (folder / "two.inp").write_text(ABAQUS)
    found = read_mesh(folder / "two.inp", partitioner=partitioner)
    for dimension, tags, tag, middle in (
        (2, found.cell_tags, 1, [0.5, 0.5, 0.0]),
        (2, found.cell_tags, 2, [1.5, 0.5, 0.0]),
        (1, found.facet_tags, 1, [0.0, 0.5, 0.0]),
    ):
        entities = tags.find(tag)
        places = comm.allgather(mesh.compute_midpoints(found.mesh, dimension, entities))
        places = np.concatenate(places)
        assert len(places)
        np.testing.assert_allclose(places, np.broadcast_to(middle, places.shape))
    for name, middle in (("TOP", [[0.5, 1.0, 0.0], [1.5, 1.0, 0.0]]), ("ODD", np.zeros((0, 3)))):
        own = found.facets_of(name)
        places = comm.allgather(mesh.compute_midpoints(found.mesh, 1, own))
        places = np.unique(np.concatenate(places).round(12), axis=0)
        np.testing.assert_allclose(places, middle)
    held = comm.allgather(found.mesh.geometry.x[found.node_sets["ODD"]])
    corners = np.unique(np.concatenate(held), axis=0)
    np.testing.assert_allclose(corners, [[0, 0, 0], [1, 1, 0], [2, 0, 0]])
    with pytest.raises(ValueError, match="no node set 'LOW'; there are TOP, ODD"):
        found.facets_of("LOW")
    with pytest.raises(ValueError, match=r"none.inp: not a mesh that meshio reads"):
        read_mesh(folder / "none.inp")


if __name__ == "__main__":
    patch(*ELEMENTS[1])
    patch(*ELEMENTS[4])
    three_laws()
    submesh()
    tagged_mesh()
    tagged_mesh(interleaved_partitioner(2))
    interleaved()
