import numpy as np
import pytest
import ufl
from coupling_checks import bent
from fem_models import PETSC, distorted, elastic_law, network_law

from dmn_fem.fem import MaterialField, mandel_strain
from dmn_fem.fem._frame import rotations
from dmn_fem.laws import OrthotropicElastic, PlaneStrain, initial_stiffness
from dmn_fem.notation import mandel_rotation, rotation_from_quaternion, to_tensor
from dmn_fem.online import material_law

# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from dolfinx.mesh import CellType
from mpi4py import MPI

WOOD = OrthotropicElastic(
    young_moduli=(100.0, 20.0, 8.0), poisson_ratios=(0.3, 0.25, 0.2), shear_moduli=(9.0, 7.0, 4.0)
)


def any_rotation(dimension):
    quaternion = np.array([0.7, 0.4, -0.3, 0.6])
    if dimension == 2:
        quaternion[1:3] = 0.0
    return rotation_from_quaternion(quaternion)


def solved(domain, law, turn, frame=None):
    """A body whose boundary moves by t G x, twisted, and its field at the end of two steps."""
    dimension = domain.geometry.dim
    V = fem.functionspace(domain, ("Lagrange", 2, (dimension,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    field = MaterialField(law, mandel_strain(u), frame=frame)
    F = ufl.dot(field.stress, mandel_strain(v)) * field.dx
    domain.topology.create_connectivity(dimension - 1, dimension)
    facets = mesh.exterior_facet_indices(domain.topology)
    moved = fem.Function(V)
    problem = NonlinearProblem(
        F,
        u,
        J=field.jacobian(F, u),
        bcs=[fem.dirichletbc(moved, fem.locate_dofs_topological(V, dimension - 1, facets))],
        petsc_options_prefix="turned_",
        petsc_options=PETSC,
    )
    field.attach(problem)
    gradient = np.array([[0.004, 0.001, 0.0], [0.003, -0.002, 0.001], [0.0, 0.002, 0.003]])

    def motion(x, time):
        back = turn.T[:dimension, :dimension] @ x[:dimension]
        local = gradient[:dimension, :dimension] @ back
        local[0] += 0.004 * back[1] ** 2
        return time * turn[:dimension, :dimension] @ local

    for time in (0.5, 1.0):
        moved.interpolate(lambda x, t=time: motion(x, t))
        problem.solve()
        assert problem.solver.getConvergedReason() > 0
        field.accept()
    return field, u, problem.solver.getIterationNumber()


@pytest.mark.parametrize("cell", [CellType.triangle, CellType.tetrahedron])
def test_a_rotated_frame_equals_a_rotated_model(cell):
    # The same body, turned as a whole with its loads, its law in a frame that turned with it.
    domain, turned = bent(cell, 1), bent(cell, 1)
    dimension = domain.geometry.dim
    law, turn = network_law(dimension), any_rotation(dimension)
    turned.geometry.x[:] = turned.geometry.x @ turn.T
    owned = turned.topology.index_map(dimension).size_local
    frame = np.tile(turn[:dimension, :dimension], (owned, 1, 1))
    plain, u, count = solved(domain, law, np.eye(3))
    other, w, other_count = solved(turned, law, turn, frame)
    size = law.strain_size
    q = mandel_rotation(turn)[:size, :size]
    stress = plain.stress.x.array.reshape(-1, size) @ q.T
    np.testing.assert_allclose(other.stress.x.array.reshape(-1, size), stress, atol=1e-9)
    expected = u.x.array.reshape(-1, dimension) @ turn[:dimension, :dimension].T
    np.testing.assert_allclose(w.x.array.reshape(-1, dimension), expected, atol=1e-11)
    assert other_count == count
    for name in ("matrix.plastic_strain", "strain"):
        tensors = plain.cell_average(name).x.array.reshape(-1, 3, 3)
        found = other.cell_average(name).x.array.reshape(-1, 3, 3)
        np.testing.assert_allclose(found, turn @ tensors @ turn.T, atol=1e-11)
    record = [field.point_record(3) for field in (plain, other)]
    np.testing.assert_allclose(record[0].strain, record[1].strain, atol=1e-11)


def test_fibres_may_follow_circles():
    # Axis 1 along the tangent of circles, at every quadrature point.
    domain = mesh.create_unit_square(MPI.COMM_WORLD, 4, 4)
    domain.geometry.x[:, 0] += 1.0
    x = ufl.SpatialCoordinate(domain)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 2, (2,))))
    u.interpolate(lambda x: 0.01 * np.stack([x[0] * x[1], x[0] - x[1] ** 2]))
    around = ufl.as_vector([-x[1], x[0]])
    field = MaterialField(material_law(WOOD, 2), mandel_strain(u), degree=3, frame=around)
    field.accept()
    at = field.positions(field.cells).reshape(-1, 2)
    strain = fem.Expression(mandel_strain(u), field._points).eval(domain, field.cells)
    stress = field.stress.x.array
    strain, stress = (to_tensor(each.reshape(-1, 4))[:, :2, :2] for each in (strain, stress))
    radial = at / np.linalg.norm(at, axis=1, keepdims=True)
    hoop = radial @ [[0.0, 1.0], [-1.0, 0.0]]
    stiffness = initial_stiffness(WOOD, 2)

    def component(tensors, one, other):
        return np.einsum("pi,pij,pj->p", one, tensors, other)

    normal = np.stack([component(strain, axis, axis) for axis in (hoop, radial)])
    for number, axis in enumerate((hoop, radial)):
        expected = stiffness[number, :2] @ normal
        np.testing.assert_allclose(component(stress, axis, axis), expected, atol=1e-13)
    shear = stiffness[3, 3] * component(strain, hoop, radial)
    np.testing.assert_allclose(component(stress, hoop, radial), shear, atol=1e-13)


@pytest.mark.parametrize("kind", ["array", "function"])
def test_directions_are_the_axis_one_of_the_law(kind):
    domain = bent(CellType.tetrahedron, 1)
    direction = np.array([-0.2, 0.5, 0.7])
    owned = domain.topology.index_map(3).size_local
    frame = np.tile(direction, (owned, 1))
    if kind == "function":
        frame = fem.Function(fem.functionspace(domain, ("DG", 0, (3,))))
        frame.x.array.reshape(-1, 3)[:] = direction
    p = direction / np.linalg.norm(direction)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (3,))))
    u.interpolate(lambda x: 0.01 * np.outer(p, p) @ x)
    law = material_law(WOOD, 3)
    field = MaterialField(law, mandel_strain(u), degree=1, frame=frame)
    field.accept()
    local, stress = np.zeros((1, 6)), np.empty((1, 6))
    local[0, 0] = 0.01
    law.integrate(local, law.allocate(1), stress)
    tensor = field.cell_average("stress").x.array.reshape(-1, 3, 3)
    np.testing.assert_allclose(p @ tensor @ p, stress[0, 0], rtol=1e-12)
    np.testing.assert_allclose(np.trace(tensor[0]), stress[0, :3].sum(), rtol=1e-12)


def test_opposite_and_global_directions():
    domain = bent(CellType.hexahedron, 1, cells=1)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (3,))))
    gradient = np.array([[1.0, 0.4, 0.1], [0.0, 2.0, 0.7], [0.5, 0.0, -1.0]]) * 1e-3
    u.interpolate(lambda x: gradient @ x)
    stresses = []
    for direction in ([1.0, 0, 0], [-1.0, 0, 0], None):
        frame = None if direction is None else np.array([direction])
        field = MaterialField(material_law(WOOD, 3), mandel_strain(u), frame=frame)
        field.accept()
        stresses.append(field.stress.x.array.copy())
    # Wood does not change under half turns about its axes.
    np.testing.assert_allclose(stresses[0], stresses[2], atol=1e-14)
    np.testing.assert_allclose(stresses[1], stresses[2], atol=1e-14)


def test_directions_next_to_the_opposite_one_have_rotations():
    """Near -1 the cosine plus one cancels: a formula that divides by it bends the axes."""
    across = np.logspace(-3, -7, 30)[:, None] * np.array([0.6, 0.8])
    directions = np.column_stack([-np.sqrt(1.0 - (across**2).sum(axis=1)), across])
    turns = rotations(directions, 1, 3, MPI.COMM_SELF)
    unit = np.broadcast_to(np.eye(3), turns.shape)
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), unit, rtol=0, atol=1e-14)
    # Nearer than a millionth it is the half turn.
    np.testing.assert_allclose(turns[:, :, 0], directions, rtol=0, atol=2e-6)


def test_a_law_in_space_turns_in_the_plane():
    domain, law = bent(CellType.triangle, 1), PlaneStrain(network_law(3))
    turned = bent(CellType.triangle, 1)
    turn = any_rotation(2)
    turned.geometry.x[:] = turned.geometry.x @ turn.T
    owned = turned.topology.index_map(2).size_local
    plain, *_ = solved(domain, law, np.eye(3))
    other, *_ = solved(turned, law, turn, np.tile(turn[:2, :1].T, (owned, 1)))
    tensors = plain.cell_average("matrix.plastic_strain").x.array.reshape(-1, 3, 3)
    found = other.cell_average("matrix.plastic_strain").x.array.reshape(-1, 3, 3)
    np.testing.assert_allclose(found, turn @ tensors @ turn.T, atol=1e-11)
    assert np.abs(tensors[:, 0, 2]).max() > 1e-8


@pytest.mark.parametrize("kind", ["array", "function"])
def test_a_frame_that_changes_is_refused(kind):
    domain = distorted(2)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    frame = fem.Function(fem.functionspace(domain, ("DG", 0, (2,))))
    axes = frame.x.array.reshape(-1, 2)
    axes[:] = (1.0, 0.5)
    given = frame if kind == "function" else axes
    field = MaterialField(material_law(WOOD, 2), mandel_strain(u), frame=given)
    u.interpolate(lambda x: 0.01 * x[:2])
    field.accept()
    before = field.stress.x.array.copy()
    axes[3] = (0.9, 0.5)
    u.interpolate(lambda x: 0.02 * x[:2])
    with pytest.raises(ValueError, match="the frame has changed since the field was made"):
        field.accept()
    np.testing.assert_array_equal(field.stress.x.array, before)  # nothing was accepted
    axes[3] = (1.0, 0.5)
    field.accept()
    np.testing.assert_allclose(field.stress.x.array, 2 * before, atol=1e-13)


def test_what_is_no_frame_is_refused():
    domain = distorted(2)
    owned = domain.topology.index_map(2).size_local
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))

    def field(frame):
        return MaterialField(elastic_law(2), mandel_strain(u), frame=frame)

    with pytest.raises(ValueError, match=f"a row for every owned cell of the mesh, {owned} here"):
        field(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"shape \(3,\) at a point; it must be a direction"):
        field(np.ones((owned, 3)))
    with pytest.raises(ValueError, match="2 directions of the frame are zero"):
        field(np.where(np.arange(owned)[:, None] < 2, 0.0, np.ones(2)))
    mirrored = np.tile(np.eye(2), (owned, 1, 1))
    mirrored[4, 1, 1] = -1.0
    with pytest.raises(ValueError, match=r"1 matrices .* no rotations, the first is \[\[1.0, 0.0"):
        field(mirrored)


def test_a_frame_and_a_field_of_numbers_alone_hold_everywhere():
    domain = distorted(2)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    u.interpolate(lambda x: 0.001 * x[:2] * (1 + x[1]))
    c, s = 0.6, 0.8
    rotation = ufl.as_matrix([[c, -s], [s, c]])
    rows = np.tile([c, s], (domain.topology.index_map(2).size_local, 1))
    stresses = []
    for frame in (rows, ufl.as_vector([c, s]), rotation):
        field = MaterialField(material_law(WOOD, 2), mandel_strain(u), frame=frame)
        field.accept()
        stresses.append(field.stress.x.array.copy())
    np.testing.assert_allclose(stresses[1:], stresses[:1] * 2, rtol=1e-12, atol=1e-16)
