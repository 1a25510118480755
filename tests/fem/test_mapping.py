import meshio
import numpy as np
import pytest
import ufl
from coupling_checks import bent

from dmn_fem.fem import cell_function, cell_values, cell_values_from

# isort: split
from dolfinx import fem, mesh
from dolfinx.mesh import CellType
from mpi4py import MPI

GRID = np.stack(np.meshgrid(*[np.linspace(-0.1, 1.1, 7)] * 3, indexing="ij"), axis=-1).reshape(
    -1, 3
)


def fraction(x):
    return 0.1 + 0.05 * x[0] - 0.02 * x[1] + 0.01 * x[-1]


def orientation(x):
    a = np.zeros((3, 3, x.shape[1]))
    a[0, 0], a[1, 1] = 0.5 + 0.2 * x[0], 0.3 - 0.1 * x[0]
    a[2, 2] = 1 - a[0, 0] - a[1, 1]
    a[0, 1] = a[1, 0] = 0.05 * x[1]
    return a


def table(path, places=GRID, scale=1.0):
    a = scale * orientation(places.T)
    columns = [a[0, 0], a[1, 1], a[2, 2], a[0, 1], a[0, 2], a[1, 2]]
    rows = np.column_stack([places, fraction(places.T), *columns])
    names = [*"xyz"[: places.shape[1]], "volume_fraction"]
    names += [f"orientation_{each}" for each in "11 22 33 12 13 23".split()]
    np.savetxt(path, rows, delimiter=",", header=",".join(names), comments="")


@pytest.fixture
def domain():
    return bent(CellType.tetrahedron, 1)


def test_a_table_of_linear_fields_is_mapped_exactly(tmp_path, domain):
    table(tmp_path / "flow.csv")
    values = cell_values_from(tmp_path / "flow.csv", domain)
    assert set(values) == {"volume_fraction", "orientation"}
    np.testing.assert_allclose(values["volume_fraction"], cell_values(fraction, domain), rtol=1e-12)
    expected = cell_values(orientation, domain)
    np.testing.assert_allclose(values["orientation"], expected, atol=1e-12)
    nearest = cell_values_from(tmp_path / "flow.csv", domain, method="nearest")
    error = np.abs(nearest["volume_fraction"] - values["volume_fraction"])
    assert 1e-4 < error.max() < 0.05 * 0.2


@pytest.mark.parametrize("where", ["points", "cells"])
def test_results_on_another_mesh_are_mapped(tmp_path, domain, where):
    points = GRID
    places = np.arange(7**3).reshape(7, 7, 7)
    corners = [(i, j, k) for k in (0, 1) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
    cells = np.stack(
        [places[i : 6 + i, j : 6 + j, k : 6 + k].ravel() for i, j, k in corners], axis=1
    )
    at = points if where == "points" else points[cells].mean(axis=1)
    data = {"a": np.moveaxis(orientation(at.T), -1, 0).reshape(-1, 9), "v": fraction(at.T)}
    kind = {"point_data": data}
    if where == "cells":
        kind = {"cell_data": {name: [each] for name, each in data.items()}}
    meshio.Mesh(points, [("hexahedron", cells)], **kind).write(tmp_path / "flow.vtu")
    values = cell_values_from(tmp_path / "flow.vtu", domain)
    np.testing.assert_allclose(values["v"], cell_values(fraction, domain), rtol=1e-12)
    np.testing.assert_allclose(values["a"], cell_values(orientation, domain), atol=1e-12)


def test_tensors_are_normalised_when_asked(tmp_path, domain):
    table(tmp_path / "flow.csv", scale=1.01)
    plain = cell_values_from(tmp_path / "flow.csv", domain)["orientation"]
    np.testing.assert_allclose(np.trace(plain, axis1=1, axis2=2), 1.01)
    unit = cell_values_from(tmp_path / "flow.csv", domain, normalise=["orientation"])["orientation"]
    np.testing.assert_allclose(unit, cell_values(orientation, domain), atol=1e-12)
    with pytest.raises(ValueError, match="holds no tensor volume_fraction"):
        cell_values_from(tmp_path / "flow.csv", domain, normalise=["volume_fraction"])


def test_a_little_outside_the_nearest_place_counts_and_farther_out_none(tmp_path, domain):
    inside = GRID[(GRID > 0.05).all(axis=1) & (GRID < 0.75).all(axis=1)]
    table(tmp_path / "part.csv", places=inside)
    values = cell_values_from(tmp_path / "part.csv", domain, tolerance=1.0)
    assert np.isfinite(values["orientation"]).all()
    with pytest.raises(ValueError, match=r"part.csv: \d+ cells are farther from its places"):
        cell_values_from(tmp_path / "part.csv", domain, tolerance=0.05)
    scaled = GRID * 1000
    table(tmp_path / "millimetres.csv", places=scaled)
    with pytest.raises(ValueError, match="the mesh may be moved or scaled"):
        cell_values_from(tmp_path / "millimetres.csv", domain, method="nearest", tolerance=1.0)


def test_files_in_the_plane(tmp_path, domain):
    plane = bent(CellType.triangle, 1)
    table(tmp_path / "plane.csv", places=np.unique(GRID[:, :2], axis=0))
    values = cell_values_from(tmp_path / "plane.csv", plane)
    np.testing.assert_allclose(
        values["volume_fraction"], cell_values(lambda x: fraction(x[:2]), plane), rtol=1e-12
    )
    with pytest.raises(ValueError, match="has no coordinate z"):
        cell_values_from(tmp_path / "plane.csv", domain)
    table(tmp_path / "space.csv")
    with pytest.raises(ValueError, match="do not lie in a plane"):
        cell_values_from(tmp_path / "space.csv", plane)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table of numbers"),
        ("x,y,v\n1,2,three\n", "no table of numbers"),
        ("x,v\n1,2\n", "its columns must be x, y, z and values"),
        ("x,y,z\n1,2,3\n", "holds no values"),
        ("x,y,z,v\n1,2,3,nan\n", "v are not all finite"),
        ("x,y,z,v\n1,2,3,1\n1,2,4,1\n", "its places have no triangulation"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, domain, text, message):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        cell_values_from(tmp_path / "bad.csv", domain)


def test_missing_files_and_methods_are_named(tmp_path, domain):
    with pytest.raises(ValueError, match=r"none.vtu: not a mesh that meshio reads"):
        cell_values_from(tmp_path / "none.vtu", domain)
    with pytest.raises(ValueError, match="method is 'cubic'"):
        cell_values_from(tmp_path / "none.vtu", domain, method="cubic")


def test_functions_at_midpoints():
    domain = mesh.create_unit_square(MPI.COMM_WORLD, 3, 2, CellType.quadrilateral)
    f = fem.Function(fem.functionspace(domain, ("Lagrange", 1, (2,))))
    f.interpolate(lambda x: (x[0], 2 * x[1]))
    middle = mesh.compute_midpoints(domain, 2, np.arange(6, dtype=np.int32))
    np.testing.assert_allclose(cell_values(f, domain), middle[:, :2] * [1, 2], atol=1e-14)
    x = ufl.SpatialCoordinate(domain)
    np.testing.assert_allclose(cell_values(x[0] * x[1], domain), middle[:, 0] * middle[:, 1])


def test_values_of_cells_are_those_of_a_function(domain):
    values = cell_values(orientation, domain)
    function = cell_function(values, domain, "orientation")
    assert function.name == "orientation"
    np.testing.assert_array_equal(cell_values(function, domain), values)
    with pytest.raises(ValueError, match="orientation must have a row for every owned cell"):
        cell_function(values[1:], domain, "orientation")


def test_cell_data_of_gmsh_are_mapped_and_its_own_notes_are_not(tmp_path):
    points = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]])
    triangles = np.array([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])
    middle = points[triangles].mean(axis=1)
    notes = {"gmsh:dim_tags": np.tile([2, 1], (len(points), 1))}
    number = [np.ones(4, dtype=int)]
    own = {"gmsh:physical": number, "gmsh:geometrical": number}
    square = mesh.create_rectangle(MPI.COMM_WORLD, [[0.6, 0.35], [1.2, 0.6]], [2, 2])
    for name, data in (("results", {"v": [fraction(middle.T)]}), ("bare", {})):
        content = meshio.Mesh(
            points, [("triangle", triangles)], point_data=notes, cell_data={**own, **data}
        )
        meshio.write(tmp_path / f"{name}.msh", content, file_format="gmsh")
    values = cell_values_from(tmp_path / "results.msh", square)
    assert set(values) == {"v"}
    inside = cell_values(lambda x: x[:2], square)
    np.testing.assert_allclose(values["v"], cell_values(fraction, square), rtol=1e-12)
    assert len(inside) == 8
    with pytest.raises(ValueError, match=r"bare.msh: holds no values"):
        cell_values_from(tmp_path / "bare.msh", square)
