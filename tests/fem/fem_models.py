"""Laws and models that the tests of the material field share, also with their MPI scripts."""

import numpy as np
import ufl

from dmn_fem.fem import MaterialField, mandel_strain
from dmn_fem.laws import J2Plasticity, LinearElastic, LinearHardening, Status
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw, material_law

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

ELASTIC = LinearElastic(young_modulus=100.0, poisson_ratio=0.3)
PLASTIC = J2Plasticity(
    young_modulus=100.0,
    poisson_ratio=0.3,
    yield_stress=0.1,
    hardening=LinearHardening(modulus=5.0),
)
PETSC = {
    "ksp_type": "preonly",
    "pc_type": "lu",
    "pc_factor_mat_solver_type": "mumps",
    "snes_linesearch_type": "basic",
    "snes_rtol": 1e-10,
    "snes_atol": 1e-13,
    "snes_stol": 0.0,
    "snes_max_it": 15,
}


class Faulty:
    """A law whose first point fails on one rank whenever it is stretched too far in one step."""

    def __init__(self, law, limit, rank=0):
        self.law, self.limit = law, limit
        self.faulty = MPI.COMM_WORLD.rank == rank
        self.dimension, self.strain_size = law.dimension, law.strain_size
        self.external = law.external
        self.accepted = None
        self.failures = 0

    def allocate(self, points):
        return self.law.allocate(points)

    def averages(self, state):
        return self.law.averages(state)

    def maxima(self, state):
        return self.law.maxima(state)

    def integrate(self, strain, state, stress, tangent=None, dt=0.0, external=None):
        status = self.law.integrate(strain, state, stress, tangent, dt, external)
        if self.faulty and dt > self.limit and len(strain) > 1:  # in the model alone
            self.failures += 1
            codes = status.codes.copy()
            codes[1] = -1
            stress[1] = np.nan
            return Status(codes, status.iterations)
        return status


class Sabotaged:
    """A law that fails at given attempts: {attempt: (rank, from which call on, point)}."""

    def __init__(self, law, faults):
        self.law, self.faults = law, faults
        self.dimension, self.strain_size = law.dimension, law.strain_size
        self.external = law.external
        self.attempt, self.call, self.fired = -1, 0, 0

    def allocate(self, points):
        return self.law.allocate(points)

    def averages(self, state):
        return self.law.averages(state)

    def integrate(self, strain, state, stress, tangent=None, dt=0.0, external=None):
        status = self.law.integrate(strain, state, stress, tangent, dt, external)
        rank, call, point = self.faults.get(self.attempt, (-1, 0, 0))
        self.call += 1
        if rank != MPI.COMM_WORLD.rank or self.call <= call:
            return status
        self.fired += self.call == call + 1
        codes = status.codes.copy()
        codes[point % codes.size] = -1
        stress[point % codes.size] = np.nan
        return Status(codes, status.iterations)


def distorted(dimension, cells=4, comm=MPI.COMM_WORLD):
    """A unit square or cube whose inner vertices are moved, alike on any number of ranks."""
    if dimension == 2:
        domain = mesh.create_unit_square(comm, cells, cells)
    else:
        domain = mesh.create_unit_cube(comm, cells, cells, cells)
    x = domain.geometry.x
    bump = np.prod(np.sin(np.pi * x[:, :dimension]), axis=1)
    for axis in range(dimension):
        x[:, axis] += 0.2 / cells * bump * np.sin(17 * x[:, 0] + 5 * axis + 11 * x[:, 1])
    return domain


def model(law, domain, degree=2, quadrature=2, **options):
    """A body with u = (t G) x on its whole boundary, and what moves it."""
    dimension = domain.geometry.dim
    V = fem.functionspace(domain, ("Lagrange", degree, (dimension,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    material = MaterialField(law, strain=mandel_strain(u), degree=quadrature)
    F = ufl.dot(material.stress, mandel_strain(v)) * material.dx
    domain.topology.create_connectivity(dimension - 1, dimension)
    facets = mesh.exterior_facet_indices(domain.topology)
    prescribed = fem.Function(V)
    bcs = [fem.dirichletbc(prescribed, fem.locate_dofs_topological(V, dimension - 1, facets))]
    problem = NonlinearProblem(
        F,
        u,
        J=material.jacobian(F, u),
        bcs=bcs,
        petsc_options_prefix="test_",
        petsc_options=PETSC | options,
    )
    material.attach(problem)
    gradient = GRADIENT[:dimension, :dimension]

    def load(time):
        prescribed.interpolate(lambda x: time * gradient @ x[:dimension])

    return problem, material, load


def tension(law, domain, degree=2, **options):
    """A square held at the bottom and pulled at the top: an inhomogeneous field."""
    V = fem.functionspace(domain, ("Lagrange", degree, (2,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    material = MaterialField(law, strain=mandel_strain(u), degree=2)
    F = ufl.dot(material.stress, mandel_strain(v)) * material.dx
    bottom = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 0))
    top = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 1))
    held, pulled = fem.Function(V), fem.Function(V)
    problem = NonlinearProblem(
        F,
        u,
        J=material.jacobian(F, u),
        bcs=[fem.dirichletbc(held, bottom), fem.dirichletbc(pulled, top)],
        petsc_options_prefix="tension_",
        petsc_options=PETSC | options,
    )
    material.attach(problem)

    def load(time):
        pulled.x.array.reshape(-1, 2)[:] = (0.002 * time, 0.004 * time)

    return problem, material, load, 2 * top + 1


def two_materials(left, right, domain):
    """A square of two materials side by side, held at the bottom and pulled at the top."""
    cells = domain.topology.index_map(2)
    everything = np.arange(cells.size_local + cells.num_ghosts, dtype=np.int32)
    middle = mesh.compute_midpoints(domain, 2, everything)[:, 0] > 0.5
    tags = mesh.meshtags(domain, 2, everything, middle.astype(np.int32))
    V = fem.functionspace(domain, ("Lagrange", 2, (2,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    fields = [
        MaterialField(law, strain=mandel_strain(u), degree=2, subdomain=(tags, tag))
        for tag, law in enumerate((left, right))
    ]
    F = sum(ufl.dot(field.stress, mandel_strain(v)) * field.dx for field in fields)
    bottom = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 0))
    top = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 1))
    held, pulled = fem.Function(V), fem.Function(V)
    problem = NonlinearProblem(
        F,
        u,
        J=fields[0].jacobian(F, u, fields[1]),
        bcs=[fem.dirichletbc(held, bottom), fem.dirichletbc(pulled, top)],
        petsc_options_prefix="two_",
        # Small, and many ranks may share a core: every rank solves all of it.
        petsc_options={name: value for name, value in PETSC.items() if name.startswith("snes")}
        | {"ksp_type": "preonly", "pc_type": "redundant"},
    )
    for field in fields:
        field.attach(problem)

    def load(time):
        pulled.x.array.reshape(-1, 2)[:] = (0.002 * time, 0.004 * time)

    return problem, fields, load


GRADIENT = np.array([[0.004, 0.001, 0.0005], [0.002, -0.001, -0.0003], [0.0, 0.0007, 0.002]])


def elastic_law(dimension):
    return material_law(ELASTIC, dimension)


def plastic_law(dimension):
    return material_law(PLASTIC, dimension)


def small_network(dimension):
    rng = np.random.default_rng(3)
    return Network.random(dimension, ("matrix", "inclusion"), [0.7, 0.3], 8, rng)


def network_law(dimension, modulus=500.0):
    """A small network of the plastic matrix and stiff elastic inclusions."""
    laws = {"matrix": PLASTIC, "inclusion": LinearElastic(modulus, 0.19)}
    return NetworkLaw(small_network(dimension), laws, tolerance=1e-12)
