import numpy as np
import pytest
import ufl
from fem_models import elastic_law

from dmn_fem.fem import MaterialField, _linear_solver, choose_linear_solver, mandel_strain

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem, assemble_matrix
from mpi4py import MPI


def cantilever(dimension, cells, prefix):
    """A bar four times as long as thick that bends under its weight."""
    if dimension == 2:
        domain = mesh.create_rectangle(MPI.COMM_SELF, [[0, 0], [4, 1]], [4 * cells, cells])
    else:
        domain = mesh.create_box(MPI.COMM_SELF, [[0, 0, 0], [4, 1, 1]], [4 * cells, cells, cells])
    V = fem.functionspace(domain, ("Lagrange", 1, (dimension,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    material = MaterialField(elastic_law(dimension), strain=mandel_strain(u), degree=1)
    weight = fem.Constant(domain, np.eye(dimension)[-1] * -1e-3)
    F = ufl.dot(material.stress, mandel_strain(v)) * material.dx - ufl.dot(weight, v) * ufl.dx
    held = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[0], 0))
    problem = NonlinearProblem(
        F,
        u,
        J=material.jacobian(F, u),
        bcs=[fem.dirichletbc(np.zeros(dimension), held, V)],
        petsc_options_prefix=prefix,
        petsc_options={"snes_linesearch_type": "basic", "snes_rtol": 1e-9, "snes_stol": 0.0},
    )
    material.attach(problem)
    return problem


@pytest.mark.parametrize("dimension", [2, 3])
def test_multigrid_finds_what_a_factorisation_finds(dimension, monkeypatch):
    direct = cantilever(dimension, 3, "direct_")
    assert choose_linear_solver(direct) == "direct"
    monkeypatch.setattr(_linear_solver, "DIRECT_LIMIT", {2: 0, 3: 0})
    multigrid = cantilever(dimension, 3, "multigrid_")
    assert choose_linear_solver(multigrid) == "multigrid"
    assert multigrid.solver.getKSP().getType() == "cg"
    general = cantilever(dimension, 3, "general_")
    assert choose_linear_solver(general, symmetric=False) == "multigrid"
    assert general.solver.getKSP().getType() == "gmres"
    for problem in (direct, multigrid, general):
        problem.solve()
        assert problem.solver.getConvergedReason() > 0
        np.testing.assert_allclose(problem.u.x.array, direct.u.x.array, rtol=1e-6, atol=1e-9)


def test_iterations_hardly_grow_with_the_mesh(monkeypatch):
    monkeypatch.setattr(_linear_solver, "DIRECT_LIMIT", {2: 0, 3: 0})
    iterations = []
    for cells in (2, 6):
        problem = cantilever(3, cells, f"mesh_{cells}_")
        choose_linear_solver(problem)
        problem.solve()
        steps = problem.solver.getIterationNumber()
        iterations.append(problem.solver.getLinearSolveIterations() / steps)
    assert iterations[1] <= 1.5 * iterations[0]


@pytest.mark.parametrize("dimension", [2, 3])
def test_rigid_bodies_have_no_stress(dimension):
    problem = cantilever(dimension, 2, f"rigid_{dimension}_")
    problem.solve()
    stiffness = assemble_matrix(problem.J)
    stiffness.assemble()
    modes = _linear_solver.rigid_body_modes(problem.u.function_space).getVecs()
    assert len(modes) == {2: 3, 3: 6}[dimension]
    product = stiffness.createVecLeft()
    for number, mode in enumerate(modes):
        stiffness.mult(mode, product)
        assert product.norm() < 1e-12 * stiffness.norm()
        for other in modes[:number]:
            assert abs(mode.dot(other)) < 1e-12
        assert mode.norm() == pytest.approx(1.0)


def test_what_is_no_displacement_is_refused():
    domain = mesh.create_unit_square(MPI.COMM_SELF, 2, 2)
    temperature = fem.Function(fem.functionspace(domain, ("Lagrange", 1)))
    F = ufl.inner(ufl.grad(temperature), ufl.grad(ufl.TestFunction(temperature.function_space)))
    problem = NonlinearProblem(F * ufl.dx, temperature, petsc_options_prefix="heat_")
    with pytest.raises(ValueError, match="one displacement"):
        choose_linear_solver(problem)
