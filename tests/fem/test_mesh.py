from pathlib import Path

import meshio
import numpy as np
import pytest
import ufl

from dmn_fem.fem import read_mesh

# isort: split
from dolfinx import fem

MESHES = Path(__file__).parents[2] / "meshes"


def volume(domain):
    return fem.assemble_scalar(fem.form(fem.Constant(domain, 1.0) * ufl.dx))


@pytest.mark.parametrize("name", ["plate_with_hole", "plate_with_hole_coarse"])
def test_plate_is_the_square_without_the_disc(name):
    domain = read_mesh(MESHES / f"{name}.msh")
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
    domain = read_mesh(tmp_path / "one.vtu")
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
    with pytest.raises(ValueError, match=r"line.vtu: holds no cells of type tetra"):
        read_mesh(tmp_path / "line.vtu")
