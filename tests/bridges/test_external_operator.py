import numpy as np
import pytest
import ufl

from dmn_fem.bridges import PointsFailed
from dmn_fem.bridges.external_operator import ExternalFunction
from dmn_fem.fem import MaterialField, mandel_strain

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
import basix.ufl
import dolfinx_external_operator as neighbour
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI
from petsc4py import PETSc

OPTIONS = {
    "ksp_type": "preonly",
    "pc_type": "lu",
    "snes_linesearch_type": "basic",
    "snes_rtol": 1e-12,
    "snes_atol": 1e-13,
    "snes_stol": 0.0,
}


def body():
    """A square, clamped below, pulled and sheared above, and its load."""
    domain = mesh.create_unit_square(MPI.COMM_SELF, 3, 3)
    V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
    pull = fem.Constant(domain, np.zeros(2))
    bcs = []
    for height, value in ((0.0, fem.Constant(domain, np.zeros(2))), (1.0, pull)):
        facets = mesh.locate_entities_boundary(
            domain, 1, lambda x, height=height: np.isclose(x[1], height)
        )
        bcs.append(fem.dirichletbc(value, fem.locate_dofs_topological(V, 1, facets), V))
    return V, pull, bcs


STEPS = np.array([[1e-3, 2e-3], [2e-3, 6e-3], [0.0, 3e-3]])


def with_external_operator(law):
    V, pull, bcs = body()
    u, v = fem.Function(V), ufl.TestFunction(V)
    element = basix.ufl.quadrature_element("triangle", value_shape=(4,), degree=2)
    dx = ufl.Measure(
        "dx", V.mesh, metadata={"quadrature_degree": 2, "quadrature_scheme": "default"}
    )
    operator = neighbour.FEMExternalOperator(
        mandel_strain(u), function_space=fem.functionspace(V.mesh, element), name="stress"
    )
    operator.external_function = function = ExternalFunction(law)
    F = ufl.inner(operator, mandel_strain(v)) * dx
    J = ufl.algorithms.expand_derivatives(ufl.derivative(F, u, ufl.TrialFunction(V)))
    F, of_stress = neighbour.replace_external_operators(F)
    J, of_tangent = neighbour.replace_external_operators(J)
    problem = NonlinearProblem(
        F, u, J=J, bcs=bcs, petsc_options_prefix="external_", petsc_options=OPTIONS
    )

    def evaluate(snes, x, *arguments, **keywords):
        x.ghostUpdate(PETSc.InsertMode.INSERT, PETSc.ScatterMode.FORWARD)
        fem.petsc.assign(x, u)
        operands = neighbour.evaluate_operands(of_stress)
        ((_, stress),) = neighbour.evaluate_external_operators(of_tangent, operands)
        of_stress[0].ref_coefficient.x.array[:] = stress
        residual(snes, x, *arguments, **keywords)

    _, (residual, arguments, keywords) = problem.solver.getFunction()
    problem.solver.setFunction(evaluate, problem.b, arguments, keywords)
    answers = []
    for pull.value in STEPS:
        problem.solve()
        assert problem.solver.getConvergedReason() > 0
        function.accept()
        answers.append(u.x.array.copy())
    return answers


def with_material_field(law):
    V, pull, bcs = body()
    u, v = fem.Function(V), ufl.TestFunction(V)
    material = MaterialField(law, strain=mandel_strain(u), degree=2)
    F = ufl.inner(material.stress, mandel_strain(v)) * material.dx
    problem = NonlinearProblem(
        F,
        u,
        J=material.jacobian(F, u),
        bcs=bcs,
        petsc_options_prefix="field_",
        petsc_options=OPTIONS,
    )
    material.attach(problem)
    answers = []
    for pull.value in STEPS:
        problem.solve()
        assert problem.solver.getConvergedReason() > 0
        material.accept()
        answers.append(u.x.array.copy())
    return answers


def test_their_operator_gives_the_displacements_of_a_material_field(make_law):
    law = make_law(2)
    for theirs, ours in zip(with_external_operator(law), with_material_field(law), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-12)


def test_stress_alone_and_with_tangent_agree(make_law, path):
    law = make_law(3)
    function = ExternalFunction(law)
    strain = np.stack([path(6)[:2], path(6)[2:]])  # cells, points, components
    stress = function((0,))(strain)
    tangent, again = function((1,))(strain)
    np.testing.assert_array_equal(stress, again)
    assert stress.shape == (24,)
    assert tangent.shape == (144,)
    with pytest.raises(NotImplementedError, match="no derivative"):
        function((2,))


def test_points_without_a_stress_are_told(make_law):
    function = ExternalFunction(make_law(2))
    strain = np.zeros((2, 1, 4))
    strain[1] = np.inf
    with pytest.raises(PointsFailed, match="1 of 2 points found no stress, point 1"):
        function((0,))(strain)


def test_reverted_step_is_forgotten(make_law, path):
    function = ExternalFunction(make_law(2))
    first, second, *_ = path(4)[:, None, None]
    before = function((0,))(first)
    function.revert()
    function((0,))(10 * second)
    function.revert()
    np.testing.assert_array_equal(function((0,))(first), before)
