import coupling_checks
import numpy as np
import pytest
import ufl
from coupling_checks import ELEMENTS, bent
from fem_models import (
    GRADIENT,
    PETSC,
    distorted,
    elastic_law,
    model,
    network_law,
    plastic_law,
)

from dmn_fem.fem import (
    MaterialField,
    axial_strain,
    axisymmetric_strain,
    mandel_strain,
    reaction_force,
)
from dmn_fem.laws import PlaneStress, UniaxialStress

# isort: split
import basix.ufl
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from dolfinx.mesh import CellType
from mpi4py import MPI


@pytest.mark.parametrize(
    "element", ELEMENTS, ids=lambda e: f"{e[0].name}-geometry{e[1]}-u{e[2]}-quadrature{e[3]}"
)
def test_every_element_passes_the_patch_test(element):
    coupling_checks.patch(*element)


def test_three_ranks_agree_with_one_point_and_with_each_other(mpiexec):
    mpiexec("coupling_checks.py", ranks=3)


def test_three_laws_on_tags_share_the_traction_of_their_interfaces():
    coupling_checks.three_laws()


def test_fields_on_submeshes_equal_fields_on_tags():
    coupling_checks.submesh()


def parts(domain):
    cells = np.arange(domain.topology.index_map(2).size_local, dtype=np.int32)
    left = mesh.compute_midpoints(domain, 2, cells)[:, 0] < 0.5
    tags = mesh.meshtags(domain, 2, cells, left.astype(np.int32))
    return tags, *mesh.create_submesh(domain, 2, tags.find(1))[:2]


def test_a_displacement_on_a_submesh_and_a_temperature_on_its_parent():
    domain = distorted(2)
    _, part, entity_map = parts(domain)
    u = fem.Function(fem.functionspace(part, ("Lagrange", 1, (2,))))
    u.interpolate(lambda x: (0.01 * x[0], 0.02 * x[1]))
    heat = fem.Function(fem.functionspace(domain, ("Lagrange", 1)))
    heat.interpolate(lambda x: 100 * x[0])
    strain = mandel_strain(u) - 1e-4 * heat * ufl.as_vector([1.0, 1.0, 1.0, 0.0])
    field = MaterialField(elastic_law(2), strain, mesh=part, entity_maps=[entity_map])
    field.accept()
    x = MaterialField(elastic_law(2), mandel_strain(u), mesh=part)._expression.X()
    points = fem.Expression(ufl.SpatialCoordinate(part), x).eval(part, field.cells)
    average = field.cell_average("strain").x.array.reshape(-1, 9)[:, 0]
    np.testing.assert_allclose(average, 0.01 - 0.01 * points[:, :, 0].mean(axis=1), atol=1e-14)


def test_submeshes_without_a_way_to_the_displacement_are_refused():
    domain = distorted(2)
    tags, part, entity_map = parts(domain)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    w = fem.Function(fem.functionspace(part, ("Lagrange", 1, (2,))))
    law, strain = elastic_law(2), mandel_strain(u)
    with pytest.raises(ValueError, match="several meshes; say mesh="):
        MaterialField(law, strain + mandel_strain(w), entity_maps=[entity_map])
    with pytest.raises(ValueError, match="give the entity_maps between them"):
        MaterialField(law, strain, mesh=part)
    with pytest.raises(ValueError, match="not that of the cells with tag 0"):
        MaterialField(law, strain, subdomain=(tags, 0), mesh=part, entity_maps=[entity_map])
    with pytest.raises(ValueError, match="the tags are of another mesh"):
        MaterialField(law, mandel_strain(w), subdomain=(tags, 1))
    assert MaterialField(law, mandel_strain(w)).input_cells is None


def loaded(strain_of, law, domain, load, held, weight=1.0):
    """A field under a linear form, with some components held on some sides."""
    V = fem.functionspace(domain, ("Lagrange", 2, (2,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    field = MaterialField(law, strain_of(u), degree=4, weight=weight)
    F = ufl.dot(field.stress, strain_of(v)) * weight * field.dx - load(v)
    bcs = []
    for axis, normal, position in held:
        facets = mesh.locate_entities_boundary(
            domain, 1, lambda x, n=normal, p=position: np.isclose(x[n], p)
        )
        dofs = fem.locate_dofs_topological(V.sub(axis), 1, facets)
        bcs.append(fem.dirichletbc(fem.Constant(domain, 0.0), dofs, V.sub(axis)))
    problem = NonlinearProblem(
        F, u, J=field.jacobian(F, u), bcs=bcs, petsc_options_prefix="tube_", petsc_options=PETSC
    )
    field.attach(problem)
    problem.solve()
    assert problem.solver.getConvergedReason() > 0
    return field, u


def test_thick_tube_under_pressure():
    # Lamé's tube, held in z: u_r = A r + B / r.
    inner, outer, pressure, young, poisson = 1.0, 2.0, 0.5, 100.0, 0.3
    domain = mesh.create_rectangle(
        MPI.COMM_WORLD, [[inner, 0.0], [outer, 0.5]], [12, 2], CellType.quadrilateral
    )
    x = ufl.SpatialCoordinate(domain)
    side = mesh.locate_entities_boundary(domain, 1, lambda x: np.isclose(x[0], inner))
    tags = mesh.meshtags(domain, 1, np.sort(side), np.ones(side.size, dtype=np.int32))
    ds = ufl.Measure("ds", domain, subdomain_id=1, subdomain_data=tags)
    held = [(1, 1, 0.0), (1, 1, 0.5)]
    field, u = loaded(
        lambda w: axisymmetric_strain(w, x),
        elastic_law(2),
        domain,
        lambda v: pressure * x[0] * v[0] * ds,
        held,
        weight=x[0],
    )
    a = pressure * inner**2 / (outer**2 - inner**2)
    b = a * outer**2
    shear = young / (2 * (1 + poisson))
    vertices = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    vertices.interpolate(u)
    found = vertices.x.array.reshape(-1, 2)[:, 0]
    radius = vertices.function_space.tabulate_dof_coordinates()[:, 0]
    expected = a * (1 - 2 * poisson) / (2 * shear) * radius + b / (2 * shear) / radius
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    stress = field.stress.x.array.reshape(-1, 4)
    r = fem.Expression(x, field._expression.X()).eval(domain, field.cells)[:, :, 0].ravel()
    np.testing.assert_allclose(stress[:, 2], a + b / r**2, rtol=1e-3)  # hoop
    np.testing.assert_allclose(stress[:, 1], 2 * poisson * a, rtol=2e-2)  # along the axis
    # Work is that of the pressure, per radian.
    field.accept()
    work = fem.assemble_scalar(fem.form(0.5 * pressure * x[0] * u[0] * ds))
    assert field.internal_work == pytest.approx(work, rel=1e-10)


@pytest.mark.parametrize("kind", ["mpi", "nest"])
def test_generalised_plane_strain_without_force_along_the_axis(kind):
    # The strain 33 is one more unknown, the mean of stress 33 its equation.
    domain = bent(CellType.triangle, 1)
    V = fem.functionspace(domain, ("Lagrange", 2, (2,)))
    R = fem.functionspace(domain, basix.ufl.real_element(domain.basix_cell(), ()))
    u, axial = fem.Function(V), fem.Function(R)
    v, w = ufl.TestFunction(V), ufl.TestFunction(R)
    field = MaterialField(plastic_law(2), mandel_strain(u, out_of_plane=axial))
    F = [ufl.dot(field.stress, mandel_strain(v)) * field.dx, field.stress[2] * w * field.dx]
    top = fem.Constant(domain, 0.01)
    held = fem.Constant(domain, 0.0)
    bcs = []
    for axis, position, value in ((0, 0.0, held), (1, 0.0, held), (1, 1.0, top)):
        facets = mesh.locate_entities_boundary(
            domain, 1, lambda x, a=axis, p=position: np.isclose(x[a], p)
        )
        dofs = fem.locate_dofs_topological(V.sub(axis), 1, facets)
        bcs.append(fem.dirichletbc(value, dofs, V.sub(axis)))
    options = PETSC
    if kind == "nest":  # no factorisation takes a nested matrix
        newton = {name: value for name, value in PETSC.items() if name.startswith("snes")}
        options = newton | {"ksp_type": "gmres", "pc_type": "none", "ksp_rtol": 1e-12}
        options |= {"ksp_gmres_restart": 200, "ksp_max_it": 400}
    problem = NonlinearProblem(
        F,
        [u, axial],
        J=field.jacobian(F, [u, axial]),
        bcs=bcs,
        kind=kind,
        petsc_options_prefix=f"axial_{kind}_",
        petsc_options=options,
    )
    field.attach(problem)
    problem.solve()
    assert problem.solver.getConvergedReason() > 0
    field.accept()
    # Uniaxial tension: J2 flow keeps the transverse strains equal, and all stress is σ22.
    stress = field.stress.x.array.reshape(-1, 4)
    np.testing.assert_allclose(stress[:, [0, 2, 3]], 0.0, atol=1e-9)
    tangent = 100.0 * 5.0 / 105.0
    np.testing.assert_allclose(stress[:, 1], 0.1 + tangent * (0.01 - 0.001), rtol=1e-9)
    plastic = 0.01 - stress[0, 1] / 100.0
    assert axial.x.array[0] == pytest.approx(-0.3 * stress[0, 1] / 100.0 - plastic / 2, rel=1e-8)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_axial_strain_of_bars(dimension):
    direction = np.array([2.0, -1.0, 2.0])[:dimension] / np.linalg.norm([2, -1, 2][:dimension])
    x = np.linspace(0.0, 1.5, 4)[:, None] * direction
    element = basix.ufl.element("Lagrange", "interval", 1, shape=(dimension,))
    cells = np.array([[0, 1], [1, 2], [2, 3]])
    domain = mesh.create_mesh(MPI.COMM_WORLD, cells, element, x)
    gradient = np.array([[0.4, 0.1, 0.3], [-0.2, 0.7, 0.1], [0.5, 0.2, -0.3]])
    gradient = gradient[:dimension, :dimension]
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (dimension,))))
    u.interpolate(lambda x: gradient @ x[:dimension])
    strain = fem.Expression(axial_strain(u), np.array([[0.3]])).eval(domain, np.arange(3))
    np.testing.assert_allclose(strain.ravel(), direction @ gradient @ direction, rtol=1e-12)


def test_strains_of_other_displacements_are_refused():
    plane, space = bent(CellType.triangle, 1), bent(CellType.tetrahedron, 1)
    u, w = (
        fem.Function(fem.functionspace(domain, ("Lagrange", 1, (domain.geometry.dim,))))
        for domain in (plane, space)
    )
    with pytest.raises(ValueError, match="out of the plane is given with a displacement in space"):
        mandel_strain(w, out_of_plane=0.1)
    with pytest.raises(ValueError, match="both must be"):
        axisymmetric_strain(w, ufl.SpatialCoordinate(space))
    with pytest.raises(ValueError, match="the mesh has other cells"):
        axial_strain(u)


def test_plane_stress_equals_a_body_with_a_free_face():
    # The sides move in x and y as told, in z as they like; top and bottom are free.
    inner, gradient = network_law(3), GRADIENT[:2, :2]
    domain = mesh.create_box(
        MPI.COMM_WORLD, [[0, 0, 0], [1, 1, 0.3]], [2, 2, 1], CellType.hexahedron
    )
    V = fem.functionspace(domain, ("Lagrange", 1, (3,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    body = MaterialField(inner, mandel_strain(u))
    F = ufl.dot(body.stress, mandel_strain(v)) * body.dx
    sides = mesh.locate_entities_boundary(
        domain, 2, lambda x: np.isclose(x[0] * x[1] * (1 - x[0]) * (1 - x[1]), 0)
    )
    bcs, told = [], []
    for axis in (0, 1):
        sub, _ = V.sub(axis).collapse()
        told.append(fem.Function(sub))
        dofs = fem.locate_dofs_topological((V.sub(axis), sub), 2, sides)
        bcs.append(fem.dirichletbc(told[axis], dofs, V.sub(axis)))
    sub, _ = V.sub(2).collapse()
    corner = fem.locate_dofs_geometrical((V.sub(2), sub), lambda x: np.isclose(x.sum(axis=0), 0))
    bcs.append(fem.dirichletbc(fem.Function(sub), corner, V.sub(2)))
    problem = NonlinearProblem(
        F, u, J=body.jacobian(F, u), bcs=bcs, petsc_options_prefix="free_", petsc_options=PETSC
    )
    body.attach(problem)
    sheet_problem, sheet, load = model(PlaneStress(inner), bent(CellType.triangle, 1), 1)
    for time in (0.5, 1.0):
        for axis in (0, 1):
            told[axis].interpolate(lambda x, a=axis, t=time: t * (gradient[a] @ x[:2]))
        problem.solve()
        assert problem.solver.getConvergedReason() > 0
        body.accept()
        load(time)
        sheet_problem.solve()
        sheet.accept()
    stress = body.stress.x.array.reshape(-1, 6)
    flat = sheet.stress.x.array.reshape(-1, 4)
    np.testing.assert_allclose(stress[:, [2, 4, 5]], 0.0, atol=1e-8)
    np.testing.assert_allclose(flat, np.broadcast_to(stress[0, :4], flat.shape), atol=1e-8)
    normal = [
        field.cell_average("strain").x.array.reshape(-1, 9)[:, 8].mean() for field in (body, sheet)
    ]
    assert normal[0] == pytest.approx(normal[1], rel=1e-6)


def test_two_bars_carry_a_force_into_the_plastic_range():
    # A symmetric two-bar truss: the force is 2 σ(ε) cos(α) with ε = w cos(α) / length.
    top = np.array([[-3.0, 4.0], [3.0, 4.0], [0.0, 0.0]])
    element = basix.ufl.element("Lagrange", "interval", 1, shape=(2,))
    domain = mesh.create_mesh(MPI.COMM_WORLD, np.array([[0, 2], [1, 2]]), element, top)
    V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    bars = MaterialField(UniaxialStress(plastic_law(3)), axial_strain(u), degree=1)
    F = ufl.dot(bars.stress, axial_strain(v)) * bars.dx
    down = fem.Constant(domain, -0.05)
    held = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 4.0))
    node = [
        fem.locate_dofs_geometrical(
            (V.sub(i), V.sub(i).collapse()[0]), lambda x: np.isclose(x[1], 0.0)
        )[0]
        for i in (0, 1)
    ]
    bcs = [
        fem.dirichletbc(np.zeros(2), held, V),
        fem.dirichletbc(fem.Constant(domain, 0.0), node[0], V.sub(0)),
        fem.dirichletbc(down, node[1], V.sub(1)),
    ]
    problem = NonlinearProblem(
        F, u, J=bars.jacobian(F, u), bcs=bcs, petsc_options_prefix="truss_", petsc_options=PETSC
    )
    bars.attach(problem)
    problem.solve()
    bars.accept()
    strain = 0.05 * 0.8 / 5.0
    stress = 0.1 + 100 * 5 / 105 * (strain - 0.001)
    assert reaction_force(problem, node[1]) == pytest.approx(-2 * 0.8 * stress, rel=1e-8)
    assert bars.cell_average("stress").x.array == pytest.approx(stress, rel=1e-8)
    transverse = bars.cell_average("strain").x.array.reshape(-1, 3, 3)[:, 1, 1]
    plastic = strain - stress / 100
    assert transverse == pytest.approx(-0.3 * stress / 100 - plastic / 2, rel=1e-6)
