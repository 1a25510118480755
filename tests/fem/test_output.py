import fem_checks
import matplotlib.image
import numpy as np
import pytest
from fem_models import distorted, model, plastic_law, tension

from dmn_fem.fem import (
    Stepper,
    draw_body,
    draw_cells,
    equivalent_stress,
    reaction_force,
)

# isort: split
from dolfinx import fem, mesh
from mpi4py import MPI


def test_reaction_is_stress_times_area():
    problem, material, load = model(plastic_law(2), distorted(2))
    list(Stepper(problem, [material], load).run([0.0, 1.0]))
    V = problem.u.function_space
    facets = mesh.locate_entities_boundary(material.mesh, 1, lambda x: np.isclose(x[1], 1.0))
    top = fem.locate_dofs_topological(V.sub(1), 1, facets)
    stress = material.cell_average("stress").x.array.reshape(-1, 3, 3)
    # The corners also carry half of the traction of their other edge: at (0, 1) and (1, 1) these
    # halves of the shear stress are opposite.
    assert reaction_force(problem, top) == pytest.approx(stress[0, 1, 1], rel=1e-10)


def test_reaction_does_not_depend_on_the_partition(on_two_ranks):
    assert float(on_two_ranks("reaction")) == pytest.approx(fem_checks.reaction(), rel=1e-12)


def test_equivalent_stress_of_uniaxial_stress():
    domain = mesh.create_unit_square(MPI.COMM_WORLD, 1, 1)
    stress = fem.Function(fem.functionspace(domain, ("DG", 0, (3, 3))))
    stress.x.array.reshape(-1, 9)[:, 4] = -3.0
    np.testing.assert_allclose(equivalent_stress(stress).x.array, 3.0)


@pytest.mark.parametrize("cell", [mesh.CellType.triangle, mesh.CellType.quadrilateral])
def test_picture_shows_every_cell(tmp_path, cell):
    domain = mesh.create_unit_square(MPI.COMM_WORLD, 2, 2, cell)
    values = fem.Function(fem.functionspace(domain, ("DG", 0)))
    values.interpolate(lambda x: (x[0] > 0.5) * 1.0)
    draw_cells(tmp_path / "cells.png", values, "left and right")
    picture = matplotlib.image.imread(tmp_path / "cells.png")[:, :, :3]
    dark, bright = (np.array([68, 1, 84]) / 255, np.array([253, 231, 36]) / 255)
    shares = [
        np.isclose(picture, colour, atol=0.02).all(axis=2).mean() for colour in (dark, bright)
    ]
    assert shares[0] > 0.2
    assert shares[0] == pytest.approx(shares[1], rel=0.05)


def test_deformed_picture_of_a_run(tmp_path):
    problem, material, load, _ = tension(plastic_law(2), distorted(2))
    list(Stepper(problem, [material], load).run([0.0, 1.0]))
    stress = equivalent_stress(material.cell_average("stress"))
    draw_cells(tmp_path / "stress.png", stress, "stress", problem.u)
    assert matplotlib.image.imread(tmp_path / "stress.png").std() > 0.05


def test_picture_of_a_body_in_space(tmp_path):
    domain = mesh.create_unit_cube(MPI.COMM_WORLD, 2, 2, 2, mesh.CellType.hexahedron)
    values = fem.Function(fem.functionspace(domain, ("DG", 0)))
    values.interpolate(lambda x: (x[0] > 0.5) * 1.0)
    u = fem.Function(fem.functionspace(domain, ("Lagrange", 2, (3,))))
    u.interpolate(lambda x: (0 * x[0], 0 * x[0], 0.5 * x[0] ** 2))
    pictures = []
    for name, displacement in (("still", None), ("moved", u)):
        draw_body(tmp_path / f"{name}.png", values, "front and back", displacement)
        pictures.append(matplotlib.image.imread(tmp_path / f"{name}.png")[:, :, :3])
    still, moved = pictures
    yellow = (still[:, :, 0] > 0.5) & (still[:, :, 2] < 0.4)
    assert yellow.mean() > 0.02
    assert (np.abs(still - moved).max(axis=2) > 0.1).mean() > 0.01
