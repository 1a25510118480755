import numpy as np
import pytest
import ufl
from fem_models import PETSC

from dmn_fem.fem import MaterialField, PathControl, StepFailed, mandel_strain, reaction_force
from dmn_fem.laws import LinearElastic, ScalarDamage
from dmn_fem.online import material_law

# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

MODULUS, STRENGTH, SOFTENING, WEAK = 100.0, 0.5, 0.5, 0.1


def bar(modulus=MODULUS):
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
        petsc_options=PETSC,
    )
    for field in fields:
        field.attach(problem)

    def load(value):
        factor.value = value

    opening = 10.0 * u[0].dx(0) * fields[1].dx
    return problem, fields, load, opening, lambda: -reaction_force(problem, end(0, 0.0)) / 0.1


def elongation(stress, softened):
    """Of the bar, in closed form: σ = strength exp(-softening (ε/ε0 - 1)) in the weak cell."""
    ratio = 1.0 - np.log(stress / STRENGTH) / SOFTENING if softened else stress / STRENGTH
    return (1 - WEAK) * stress / MODULUS + WEAK * ratio * STRENGTH / MODULUS


def test_a_softening_bar_snaps_back_as_its_closed_form():
    problem, fields, load, opening, force = bar()
    control = PathControl(problem, fields, load, opening, 0.0001, max_increment=0.0003)
    rows = []
    for step in control.run():
        rows.append((step.factor, step.measure, force()))
        assert step.iterations <= 6
        if step.measure > 0.0045 or len(rows) == 40:
            break
    factors, openings, stresses = np.array(rows).T
    peak = stresses.argmax()
    assert 2 <= peak < len(rows) - 8
    expected = [elongation(stress, n >= peak) for n, stress in enumerate(stresses)]
    # The last before the peak may be elastic still, in which case both forms are near.
    rising = [elongation(stress, False) for stress in stresses[: peak + 1]]
    error = np.abs(factors - expected)
    error[peak] = min(error[peak], abs(factors[peak] - rising[-1]))
    assert error.max() < 1e-9
    # The weak cell holds the sum of its opening; the ends come back, and at last forward again.
    assert (np.diff(openings) > 0).all()
    assert factors[peak:].min() < 0.8 * factors[peak]
    assert factors[-1] > factors[peak:].min() * 1.05
    work = sum(field.internal_work for field in fields)
    assert 0 < work < 0.1 * STRENGTH * openings[-1]


def test_a_path_without_an_end_is_left_where_it_was():
    problem, fields, load, opening, _ = bar()
    control = PathControl(problem, fields, load, opening, 0.001, max_cutbacks=2)
    steps = control.run()
    first = next(steps)
    before = problem.u.x.array.copy()
    problem.solver.setTolerances(atol=0.0, rtol=0.0)  # cannot be met
    with pytest.raises(StepFailed, match=r"from load factor .* after 2 cutbacks: no convergence"):
        next(steps)
    np.testing.assert_array_equal(problem.u.x.array, before)
    assert control.factor == first.factor


def test_a_measure_that_the_load_does_not_change_is_named():
    problem, fields, load, _, _ = bar()
    sideways = problem.u[1] * ufl.ds
    with pytest.raises(StepFailed, match="the load does not change the measure"):
        next(PathControl(problem, fields, load, sideways, 0.001, max_cutbacks=0).run())
