"""A bar that softens and snaps back, on any number of ranks."""

from itertools import islice

import numpy as np
import ufl
from fem_models import PETSC

from dmn_fem.fem import MaterialField, PathControl, mandel_strain, reaction_force
from dmn_fem.laws import LinearElastic, ScalarDamage
from dmn_fem.online import material_law

# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

MODULUS, STRENGTH, SOFTENING, WEAK = 100.0, 0.5, 0.5, 0.1


def bar(modulus=MODULUS, **options):
    """A bar of ten cells, one of them softening, pulled by a displacement of its end."""
    domain = mesh.create_rectangle(
        MPI.COMM_WORLD, [[0, 0], [1, 0.1]], [10, 1], mesh.CellType.quadrilateral
    )
    cells = np.arange(domain.topology.index_map(2).size_local, dtype=np.int32)
    middle = mesh.compute_midpoints(domain, 2, cells)[:, 0]
    tags = mesh.meshtags(domain, 2, cells, np.isclose(middle, 0.45).astype(np.int32))
    V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    laws = LinearElastic(modulus, 0.0), ScalarDamage(modulus, 0.0, STRENGTH, SOFTENING)
    fields = [
        MaterialField(material_law(law, 2), mandel_strain(u), subdomain=(tags, tag))
        for tag, law in enumerate(laws)
    ]
    F = sum(ufl.dot(field.stress, mandel_strain(v)) * field.dx for field in fields)
    factor, zero = fem.Constant(domain, 0.0), fem.Constant(domain, 0.0)

    def end(axis, where):
        facets = mesh.locate_entities_boundary(domain, 1, lambda x: np.isclose(x[0], where))
        return fem.locate_dofs_topological(V.sub(axis), 1, facets)

    bcs = [fem.dirichletbc(zero, end(axis, 0.0), V.sub(axis)) for axis in (0, 1)]
    bcs.append(fem.dirichletbc(factor, end(0, 1.0), V.sub(0)))
    problem = NonlinearProblem(
        F,
        u,
        J=fields[0].jacobian(F, u, fields[1]),
        bcs=bcs,
        petsc_options_prefix="bar_",
        petsc_options=PETSC | options,
    )
    for field in fields:
        field.attach(problem)

    def load(value):
        factor.value = value

    opening = 10.0 * u[0].dx(0) * fields[1].dx
    return problem, fields, load, opening, lambda: -reaction_force(problem, end(0, 0.0)) / 0.1


def follow(model, steps=12):
    """Load factor, measure and force of some steps, beyond the peak and back."""
    problem, fields, load, opening, force = model
    control = PathControl(problem, fields, load, opening, 0.0001, max_increment=0.0003)
    return [[step.factor, step.measure, force()] for step in islice(control.run(), steps)]


def compare(expected):
    """These ranks follow the path that one rank has followed, all of them alike."""
    rows = follow(bar())
    assert MPI.COMM_WORLD.allgather(rows) == [rows] * MPI.COMM_WORLD.size
    assert (np.diff(np.array(expected)[:, 0]) < 0).any()  # snap-back
    scale = np.abs(expected).max(axis=0)
    np.testing.assert_allclose(rows / scale, expected / scale, rtol=0, atol=1e-10)
