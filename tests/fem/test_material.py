import gc
import weakref

import mixed_checks
import numpy as np
import pytest
import ufl
from fem_checks import patch
from fem_models import (
    PETSC,
    distorted,
    elastic_law,
    model,
    network_law,
    plastic_law,
    tension,
    two_materials,
)

from dmn_fem.fem import MaterialField, Stepper, mandel_strain
from dmn_fem.laws import PlaneStress
from dmn_fem.notation import isotropic_stiffness

# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI


@pytest.mark.parametrize("dimension", [2, 3])
def test_homogeneous_strain_equals_the_law_at_one_point(dimension):
    patch(dimension)


@pytest.mark.parametrize("dimension", [2, 3])
def test_homogeneous_strain_equals_the_law_at_one_point_on_two_ranks(dimension, on_two_ranks):
    on_two_ranks(f"patch_{dimension}d")


def test_newton_converges_quadratically():
    problem, material, load, _ = tension(network_law(2), distorted(2), snes_atol=1e-15)
    history = []
    problem.solver.setMonitor(lambda snes, iteration, norm: history.append(norm))
    stepper = Stepper(problem, [material], load, extrapolate=False)
    list(stepper.run([0.0, 0.4]))
    history.clear()
    list(stepper.run([0.4, 0.5]))
    # Near the solution every residual is about the square of the one before.
    scaled = np.array(history) / history[0]
    last = np.flatnonzero((scaled < 1e-2) & (scaled > 1e-9))
    assert last.size >= 2
    rates = np.log(scaled[last[1:]]) / np.log(scaled[last[:-1]])
    assert rates[-1] > 1.6, history


@pytest.mark.parametrize("wrap", [None, PlaneStress])
def test_newton_converges_quadratically_with_everything_at_once(wrap):
    """r_{k+1} <= C r_k², until round-off."""
    scaled = mixed_checks.residuals(wrap)
    scaled = scaled / scaled[0]
    last = np.flatnonzero(scaled > 1e-11)[-3:]
    constants = scaled[last[1:]] / scaled[last[:-1]] ** 2
    assert scaled[-1] < 1e-7 * scaled[last[0]], scaled
    assert constants.max() < 10, scaled


def test_a_model_that_nobody_holds_is_gone():
    """MPICH has 2048 communicators in a process, and a model takes sixteen of them."""
    problem, material, load, _ = tension(elastic_law(2), distorted(2))
    list(Stepper(problem, [material], load).run([0.0, 1.0]))
    left = [weakref.ref(each) for each in (problem, material, problem.u)]
    del problem, material, load, _
    gc.collect()
    assert [each() for each in left] == [None, None, None]


@pytest.mark.parametrize("linesearch", ["basic", "bt"])
def test_elastic_law_equals_a_pure_ufl_form(linesearch):
    domain = distorted(2)
    problem, material, load, _ = tension(elastic_law(2), domain, snes_linesearch_type=linesearch)
    list(Stepper(problem, [material], load).run([0.0, 1.0]))

    V = problem.u.function_space
    u, v = fem.Function(V), ufl.TestFunction(V)
    stiffness = ufl.as_matrix(isotropic_stiffness(100.0, 0.3, dimension=2).tolist())
    F = ufl.dot(ufl.dot(stiffness, mandel_strain(u)), mandel_strain(v)) * material.dx
    bottom = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 0))
    top = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 1))
    zero, pulled = fem.Function(V), fem.Function(V)
    pulled.x.array.reshape(-1, 2)[:] = (0.002, 0.004)
    bcs = [fem.dirichletbc(zero, bottom), fem.dirichletbc(pulled, top)]
    pure = NonlinearProblem(F, u, bcs=bcs, petsc_options_prefix="ufl_", petsc_options=PETSC)
    pure.solve()
    assert pure.solver.getIterationNumber() == problem.solver.getIterationNumber()
    np.testing.assert_allclose(problem.u.x.array, u.x.array, atol=1e-16)


def test_other_line_searches_find_the_same_plastic_solution():
    solutions = []
    for linesearch in ("basic", "cp"):
        law, domain = plastic_law(2), distorted(2)
        problem, material, load, _ = tension(law, domain, snes_linesearch_type=linesearch)
        list(Stepper(problem, [material], load).run([0.0, 0.5, 1.0]))
        solutions.append(problem.u.x.array.copy())
    np.testing.assert_allclose(*solutions, atol=1e-12)


def test_two_fields_with_one_law_equal_one_field():
    domain, law = distorted(2), plastic_law(2)
    split, (left, right), load = two_materials(law, law, domain)
    list(Stepper(split, [left, right], load).run([0.0, 0.5, 1.0]))
    problem, material, load, _ = tension(law, domain)
    list(Stepper(problem, [material], load).run([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(split.u.x.array, problem.u.x.array, atol=1e-13)
    both = left.cell_average("stress").x.array + right.cell_average("stress").x.array
    np.testing.assert_allclose(both, material.cell_average("stress").x.array, atol=1e-11)


def test_the_past_changes_only_when_accepted():
    problem, material, load, _ = tension(plastic_law(2), distorted(2))
    load(1.0)
    problem.solve()
    assert problem.solver.getConvergedReason() > 0
    assert not material.state.old.any()
    assert material.state.new.any()
    material.revert()
    assert not material.state.new.any()
    assert not material.stress.x.array.any()
    material.accept()  # integrates what was forgotten
    assert material.state.old.any()
    once = material.state.old.copy(), material.stress.x.array.copy()
    material.accept()  # the same displacement again: nothing more yields
    np.testing.assert_allclose(material.state.old, once[0], atol=1e-14)
    np.testing.assert_allclose(material.stress.x.array, once[1], atol=1e-12)


def test_a_law_that_fails_where_the_step_is_accepted_leaves_the_past_alone():
    problem, material, _, _ = tension(plastic_law(2), distorted(2))
    problem.u.x.array[:] = np.nan
    with pytest.raises(RuntimeError, match="points failed"):
        material.accept()
    assert not material.state.old.any()
    assert not material.stress.x.array.any()


@pytest.mark.parametrize("thick", [False, True])
def test_cell_average_is_the_integral_over_the_volume(thick):
    domain = mesh.create_unit_square(MPI.COMM_WORLD, 2, 2, mesh.CellType.quadrilateral)
    domain.geometry.x[4] += (0.1, 0.05, 0.0)  # cells that are not parallelograms
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 2, (2,))))
    u.interpolate(lambda x: (x[0] ** 2 * x[1], x[1] ** 2))
    weight = 1.0 + ufl.SpatialCoordinate(domain)[0] if thick else 1.0
    material = MaterialField(elastic_law(2), mandel_strain(u), degree=4, weight=weight)
    one = ufl.TestFunction(fem.functionspace(domain, ("DG", 0)))
    integral, volume = (
        fem.assemble_vector(fem.form(integrand * one * weight * material.dx)).array
        for integrand in (mandel_strain(u)[0], fem.Constant(domain, 1.0))
    )
    average = material.cell_average("strain").x.array.reshape(-1, 3, 3)
    np.testing.assert_allclose(average[:, 0, 0], integral / volume, rtol=1e-12)


def test_cell_average_names_what_there_is():
    problem, material, load = model(plastic_law(3), distorted(3, 2))
    list(Stepper(problem, [material], load).run([0.0, 1.0]))
    strain = material.cell_average("strain").x.array.reshape(-1, 3, 3)
    gradient = np.array([[0.004, 0.001, 0.0005], [0.002, -0.001, -0.0003], [0.0, 0.0007, 0.002]])
    np.testing.assert_allclose(
        strain, np.broadcast_to((gradient + gradient.T) / 2, strain.shape), atol=1e-14
    )
    plastic = material.cell_average("matrix.equivalent_plastic_strain")
    assert plastic.x.array.min() > 0
    assert plastic.ufl_shape == ()
    with pytest.raises(ValueError, match=r"no quantity 'stres'; there are .*matrix.plastic_strain"):
        material.cell_average("stres")


def test_wrong_dimensions_and_forms_are_refused():
    domain = mesh.create_unit_square(MPI.COMM_WORLD, 1, 1)
    V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
    u = fem.Function(V)
    with pytest.raises(ValueError, match=r"the law has dimension 3 and 6 .* the mesh dimension 2"):
        MaterialField(elastic_law(3), strain=mandel_strain(u))
    with pytest.raises(ValueError, match=r"the strain shape \(2,\)"):
        MaterialField(elastic_law(2), strain=u)
    with pytest.raises(ValueError, match=r"the weight has the shape \(2,\); it must be a scalar"):
        MaterialField(elastic_law(2), mandel_strain(u), weight=u)
    with pytest.raises(ValueError, match="the weight is not positive at every quadrature point"):
        MaterialField(elastic_law(2), mandel_strain(u), weight=ufl.SpatialCoordinate(domain)[0] - 1)
    tags = mesh.meshtags(domain, 2, np.arange(2, dtype=np.int32), np.array([3, 5], dtype=np.int32))
    with pytest.raises(ValueError, match="no cell has the tag 4; there are 3, 5"):
        MaterialField(elastic_law(2), mandel_strain(u), subdomain=(tags, 4))
    with pytest.raises(ValueError, match="the strain holds no function"):
        MaterialField(elastic_law(2), strain=ufl.as_vector([0.0, 0.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match=r"the displacement has shape \(\)"):
        mandel_strain(u[0])
