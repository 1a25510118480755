import subprocess
import sys
from pathlib import Path

import gmsh
import meshio
import numpy as np
import pytest
import ufl
from coupling_checks import ABAQUS

from dmn_fem.fem import read_mesh

# isort: split
from dolfinx import fem, mesh

MESHES = Path(__file__).parents[2] / "meshes"


def volume(domain):
    return fem.assemble_scalar(fem.form(fem.Constant(domain, 1.0) * ufl.dx))


@pytest.mark.parametrize("name", ["plate_with_hole", "plate_with_hole_coarse"])
def test_plate_is_the_square_without_the_disc(name):
    domain = read_mesh(MESHES / f"{name}.msh").mesh
    assert domain.geometry.dim == 2
    assert volume(domain) == pytest.approx(1 - np.pi * 0.3**2 / 4, rel=5e-3)


@pytest.mark.parametrize(
    ("kind", "dimension", "expected"),
    [("quad", 2, 1.0), ("hexahedron", 3, 1.0), ("tetra", 3, 1 / 6), ("triangle", 2, 0.5)],
)
def test_kinds_of_cells(tmp_path, kind, dimension, expected):
    corners = {
        "triangle": [[0, 0, 0], [1, 0, 0], [0, 1, 0]],
        "quad": [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]],
        "tetra": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
    }
    corners["hexahedron"] = [[x, y, z] for z in (0, 1) for x, y, _ in corners["quad"]]
    points = np.array(corners[kind], dtype=float)
    # A point that belongs to no cell is left out.
    points = np.vstack([[5.0, 5.0, 5.0], points])
    meshio.Mesh(points, [(kind, np.arange(1, len(points))[None])]).write(tmp_path / "one.vtu")
    domain = read_mesh(tmp_path / "one.vtu").mesh
    assert domain.geometry.dim == dimension
    assert volume(domain) == pytest.approx(expected)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"missing.msh: not a mesh that meshio reads"):
        read_mesh(tmp_path / "missing.msh")
    (tmp_path / "text.msh").write_text("no mesh")
    with pytest.raises(ValueError, match=r"text.msh: not a mesh that meshio reads"):
        read_mesh(tmp_path / "text.msh")
    points = np.zeros((2, 3))
    meshio.Mesh(points, [("line", [[0, 1]])]).write(tmp_path / "line.vtu")
    with pytest.raises(ValueError, match=r"line.vtu: holds cells of type line; those"):
        read_mesh(tmp_path / "line.vtu")


def written_by_gmsh(path, dimension, order, structured):
    """Two unit boxes side by side, tagged 1 and 2, and the side x = 0, tagged 7, all named."""
    gmsh.initialize()
    gmsh.option.setNumber("General.Terminal", 0)
    factory, model = gmsh.model.occ, gmsh.model
    if dimension == 2:
        boxes = [(2, factory.addRectangle(x, 0, 0, 1, 1)) for x in (0, 1)]
    else:
        boxes = [(3, factory.addBox(x, 0, 0, 1, 1, 1)) for x in (0, 1)]
    factory.fragment(boxes[:1], boxes[1:])
    factory.synchronize()
    for tag, name in ((1, "left"), (2, "right")):
        model.addPhysicalGroup(dimension, [boxes[tag - 1][1]], tag, name)
    low, high = -1e-3, 1 + 1e-3
    sides = model.getEntitiesInBoundingBox(low, low, low, -low, high, high, dimension - 1)
    model.addPhysicalGroup(dimension - 1, [side for _, side in sides], 7, "held")
    gmsh.option.setNumber("Mesh.MeshSizeMax", 0.6)
    if structured:  # quadrilaterals, hexahedra
        model.mesh.setTransfiniteAutomatic()
    model.mesh.generate(dimension)
    model.mesh.setOrder(order)
    gmsh.write(str(path))
    gmsh.finalize()


def check_tags(found, dimension):
    def measure(integral, tags, tag):
        one = fem.Constant(found.mesh, 1.0)
        form = fem.form(one * integral(domain=found.mesh, subdomain_data=tags, subdomain_id=tag))
        return fem.assemble_scalar(form)

    for tag in (1, 2):
        assert measure(ufl.Measure("dx"), found.cell_tags, tag) == pytest.approx(1.0)
    assert measure(ufl.Measure("ds"), found.facet_tags, 7) == pytest.approx(1.0)
    facets = found.facet_tags.find(7)
    midpoints = mesh.compute_midpoints(found.mesh, dimension - 1, facets)
    np.testing.assert_allclose(midpoints[:, 0], 0.0, atol=1e-12)
    left = mesh.compute_midpoints(found.mesh, dimension, found.cell_tags.find(1))
    assert left[:, 0].max() < 1.0


@pytest.mark.parametrize(
    ("dimension", "order", "structured", "ending"),
    [
        (2, 1, True, "msh"),
        (2, 2, False, "msh"),
        (2, 2, True, "vtu"),
        (3, 1, False, "xdmf"),
        (3, 2, False, "msh"),
        (3, 2, True, "msh"),
        (3, 2, True, "vtu"),
    ],
)
def test_tags_and_nodes_of_order_two(tmp_path, dimension, order, structured, ending):
    path = tmp_path / "boxes.msh"
    written_by_gmsh(path, dimension, order, structured)
    if ending != "msh":
        content = meshio.read(path)
        data = {"gmsh:physical": content.cell_data["gmsh:physical"]}
        copy = meshio.Mesh(content.points, content.cells, cell_data=data)
        path = tmp_path / f"boxes.{ending}"
        # HDF5 of XDMF is written where DOLFINx is not loaded.
        copy.write(tmp_path / "copy.vtu")
        program = "import meshio, sys; meshio.read(sys.argv[1]).write(sys.argv[2])"
        command = [sys.executable, "-c", program, tmp_path / "copy.vtu", path]
        subprocess.run(list(map(str, command)), check=True)
    found = read_mesh(path)
    assert found.mesh.geometry.cmaps[0].degree == order
    if ending == "msh":
        assert found.groups == {
            "left": (dimension, 1),
            "right": (dimension, 2),
            "held": (dimension - 1, 7),
        }
    check_tags(found, dimension)


def test_element_sets_of_abaqus_are_tags(tmp_path):
    (tmp_path / "two.inp").write_text(ABAQUS)
    found = read_mesh(tmp_path / "two.inp")
    assert found.groups == {"LEFT": (2, 1), "RIGHT": (2, 2), "HELD": (1, 1)}
    for tag, middle in ((1, 0.5), (2, 1.5)):
        cell = found.cell_tags.find(tag)
        assert mesh.compute_midpoints(found.mesh, 2, cell)[:, 0] == pytest.approx([middle])
    facet = found.facet_tags.find(1)
    np.testing.assert_allclose(mesh.compute_midpoints(found.mesh, 1, facet), [[0.0, 0.5, 0.0]])


def test_element_sets_are_those_of_their_blocks(tmp_path):
    # meshio alone takes RIGHT for the first block, which has no set, and keeps the last of HELD.
    content = ABAQUS.replace(", ELSET=LEFT", "")
    content = content.replace("3, 4, 1\n", "3, 4, 1\n*ELEMENT, TYPE=T2D2, ELSET=HELD\n4, 3, 6\n")
    (tmp_path / "blocks.inp").write_text(content)
    found = read_mesh(tmp_path / "blocks.inp")
    assert found.groups == {"RIGHT": (2, 1), "HELD": (1, 1)}
    cell = found.cell_tags.find(1)
    assert mesh.compute_midpoints(found.mesh, 2, cell)[:, 0] == pytest.approx([1.5])
    places = mesh.compute_midpoints(found.mesh, 1, found.facet_tags.find(1))
    np.testing.assert_allclose(np.sort(places[:, 0]), [0.0, 2.0], atol=1e-14)


def test_sets_of_abaqus_count_in_the_order_of_the_file_wherever_they_stand(tmp_path):
    content = ABAQUS.replace(
        "*ELEMENT, TYPE=CPS4, ELSET=RIGHT",
        "*ELSET, ELSET=FIRST\n1\n*ELEMENT, TYPE=CPS4, ELSET=RIGHT",
    )
    content = content.replace(", ELSET=LEFT", "").replace("*NODE", "*NODE, NSET=ALL")
    assert content.index("FIRST") < content.index("RIGHT")
    content += "*ELSET, ELSET=_Surf-1_S2, INTERNAL\n1, 2\n"
    (tmp_path / "order.inp").write_text(content)
    found = read_mesh(tmp_path / "order.inp")
    assert [name for name, (dimension, _) in found.groups.items() if dimension == 2] == [
        "FIRST",
        "RIGHT",
    ]
    assert [found.groups[name] for name in ("FIRST", "RIGHT")] == [(2, 1), (2, 2)]
    assert len(found.node_sets["ALL"]) == found.mesh.geometry.x.shape[0]


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        (
            "*ELSET, ELSET=MORE\n1\n*ELEMENT, TYPE=T2D2, ELSET=MORE\n9, 3, 6\n",
            "ELSET MORE is there twice",
        ),
        ("*INCLUDE, INPUT=more.inp\n", "includes files or has several"),
        ("*NODE\n7, 3, 0, 0\n", "includes files or has several"),
        ("*ELSET, ELSET=BOTH\nLEFT, RIGHT\n", "ELSET BOTH is made of other sets"),
        ("*NSET, NSET=TOP\n1\n", "NSET TOP is there twice"),
    ],
)
def test_abaqus_files_that_meshio_reads_wrong_are_refused(tmp_path, addition, message):
    (tmp_path / "more.inp").write_text(ABAQUS + addition)
    with pytest.raises(ValueError, match=f"more.inp: .*{message}"):
        read_mesh(tmp_path / "more.inp")


@pytest.mark.parametrize("tag", [np.int64(2**32 + 7), np.uint64(2**64 - 1), np.float64(1e30)])
def test_tags_beyond_32_bits_are_refused(tmp_path, tag):
    square = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    cells, path = [("triangle", [[0, 1, 2], [0, 2, 3]])], tmp_path / "tags.vtu"
    largest = np.array([1, 2**31 - 1])
    meshio.Mesh(square, cells, cell_data={"tag": [largest]}).write(path)
    assert set(read_mesh(path, tags="tag").cell_tags.values) == set(largest)
    meshio.Mesh(square, cells, cell_data={"tag": [np.array([1, tag])]}).write(path)
    with pytest.raises(ValueError, match=r"tags.vtu: cell data 'tag' hold .*; tags go up to 21474"):
        read_mesh(path, tags="tag")


def test_what_would_be_read_wrong_is_refused(tmp_path):
    square = [[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    mixed = [("triangle", [[0, 1, 2]]), ("quad", [[0, 1, 2, 3]])]
    meshio.Mesh(square, mixed).write(tmp_path / "mixed.vtu")
    with pytest.raises(ValueError, match=r"mixed.vtu: holds cells of type quad, triangle; those"):
        read_mesh(tmp_path / "mixed.vtu")
    bent = np.array(square)
    bent[1, 2] = 0.1
    meshio.Mesh(bent, mixed[1:]).write(tmp_path / "bent.vtu")
    with pytest.raises(ValueError, match=r"do not lie in a plane z = constant"):
        read_mesh(tmp_path / "bent.vtu")
    meshio.Mesh(square, mixed[1:]).write(tmp_path / "square.vtu")
    with pytest.raises(ValueError, match=r"no cell data 'layer'; there are none"):
        read_mesh(tmp_path / "square.vtu", tags="layer")
    (tmp_path / "sets.inp").write_text(ABAQUS + "*ELSET, ELSET=BOTH\n1, 2\n")
    with pytest.raises(ValueError, match=r"element sets .* overlap"):
        read_mesh(tmp_path / "sets.inp")
