"""External fields at quadrature points: constants, functions, expressions."""

import numpy as np
import pytest
import ufl
from fem_models import PETSC, elastic_law

from dmn_fem.fem import MaterialField, mandel_strain
from dmn_fem.laws import LinearElastic, ThermalExpansion
from dmn_fem.online import material_law

# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

E, ALPHA, COLD = 100.0, 2e-5, 20.0
LAW = material_law(ThermalExpansion(LinearElastic(E, 0.3), ALPHA, COLD), 3)


def bar(temperature, clamped):
    """A bar along x whose sides are free; its ends are clamped along x, or one of them alone."""
    domain = mesh.create_box(MPI.COMM_WORLD, [[0, 0, 0], [2, 1, 1]], [4, 2, 2])
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (3,))))
    V, v = u.function_space, ufl.TestFunction(u.function_space)
    outside = temperature(domain)
    material = MaterialField(LAW, mandel_strain(u), external={"temperature": outside})
    F = ufl.dot(material.stress, mandel_strain(v)) * material.dx
    bcs = []
    for axis in range(3):
        ends = (0, 2) if axis == 0 and clamped else (0,)
        facets = mesh.locate_entities_boundary(
            domain, 2, lambda x, axis=axis, ends=ends: np.isin(np.round(x[axis], 9), ends)
        )
        dofs = fem.locate_dofs_topological(V.sub(axis), 2, facets)
        bcs.append(fem.dirichletbc(0.0, dofs, V.sub(axis)))
    problem = NonlinearProblem(
        F,
        u,
        J=material.jacobian(F, u),
        bcs=bcs,
        petsc_options_prefix=f"bar_{clamped}_",
        petsc_options=PETSC,
    )
    material.attach(problem)
    return problem, material, outside


def stresses(material):
    return material.stress.x.array.reshape(-1, 6)[: material.state.points]


def test_every_quadrature_point_has_its_own_temperature():
    """Of an expression and of a function; a clamped point is under -E α ΔT / (1 - 2ν)."""
    domain = mesh.create_unit_cube(MPI.COMM_WORLD, 2, 2, 2)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (3,))))
    x = ufl.SpatialCoordinate(domain)
    linear = fem.Function(fem.functionspace(domain, ("Lagrange", 1)))
    linear.interpolate(lambda x: 30.0 + 40.0 * x[0] - 7.0 * x[2])
    for temperature in (30.0 + 40.0 * x[0] - 7.0 * x[2], linear):
        material = MaterialField(LAW, mandel_strain(u), external={"temperature": temperature})
        material.accept()
        points = fem.Expression(x, material._points).eval(domain, material.cells).reshape(-1, 3)
        rise = 10.0 + points @ [40.0, 0.0, -7.0]
        pressure = E * ALPHA * rise / (1 - 2 * 0.3)
        np.testing.assert_allclose(stresses(material)[:, :3], -np.tile(pressure, (3, 1)).T)


def test_free_expansion_is_without_stress():
    problem, material, warm = bar(lambda domain: fem.Constant(domain, 70.0), clamped=False)
    problem.solve()
    assert np.abs(stresses(material)).max() < 1e-12
    np.testing.assert_array_equal(material.external["temperature"], 70.0)
    material.accept()
    warm.value = 120.0
    problem.solve()
    assert np.abs(stresses(material)).max() < 1e-12
    strain = material.cell_average("strain").x.array.reshape(-1, 3, 3)
    np.testing.assert_allclose(strain[:, 2, 2], ALPHA * 100.0, rtol=1e-9)


def test_a_clamped_bar_is_under_compression():
    """-E α ΔT, of a function that changes between two solves at the same displacement."""

    def temperature(domain):
        field = fem.Function(fem.functionspace(domain, ("DG", 0)))
        field.x.array[:] = COLD
        return field

    problem, material, field = bar(temperature, clamped=True)
    problem.solve()
    assert not stresses(material).any()
    for rise in (50.0, -30.0):
        field.x.array[:] = COLD + rise
        problem.solve()
        assert problem.solver.getConvergedReason() > 0
        expected = [-E * ALPHA * rise, 0, 0, 0, 0, 0]
        np.testing.assert_allclose(
            stresses(material), np.tile(expected, (material.state.points, 1)), atol=1e-9
        )
        material.accept()


def test_fields_that_do_not_fit_are_named():
    domain = mesh.create_unit_cube(MPI.COMM_WORLD, 1, 1, 1)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (3,))))
    strain = mandel_strain(u)
    with pytest.raises(ValueError, match="reads temperature and is given no external fields"):
        MaterialField(LAW, strain)
    with pytest.raises(ValueError, match="reads no external fields and is given temperature"):
        MaterialField(elastic_law(3), strain, external={"temperature": fem.Constant(domain, 1.0)})
    with pytest.raises(ValueError, match=r"temperature has the shape \(3,\); it must be a scalar"):
        MaterialField(LAW, strain, external={"temperature": u})
