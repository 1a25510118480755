import numpy as np
import pytest
import ufl

from dmn_fem.bridges import PointsFailed
from dmn_fem.fem import mandel_strain

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem, mesh
from dolfinx_materials.quadrature_map import QuadratureMap
from mpi4py import MPI

from dmn_fem.bridges.material import LawMaterial


def test_quadrature_map_follows_the_law(make_law, follow):
    law = make_law(2)
    domain = mesh.create_unit_square(MPI.COMM_SELF, 2, 2)
    V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
    u = fem.Function(V)
    points = QuadratureMap(domain, 2, LawMaterial(law))
    points.register_gradient("Strain", mandel_strain(u))
    v = ufl.TestFunction(V)
    residual = ufl.inner(points.fluxes["Stress"], mandel_strain(v)) * points.dx
    form = fem.form(points.derivative(residual, u, ufl.TrialFunction(V)))
    shares = (0.3, 1.0, 2.0, 0.5)
    gradient = np.array([[4e-3, 1e-3], [-2e-3, -1e-3]])
    strain = np.array([4e-3, -1e-3, 0.0, np.sqrt(0.5) * (1e-3 - 2e-3)])
    answers = follow(law, [share * strain for share in shares], dt=0.0)
    for share, (stress, _) in zip(shares, answers, strict=True):
        u.interpolate(lambda x, share=share: share * gradient @ x[:2])
        points.update()
        for value in points.fluxes["Stress"].x.array.reshape(-1, 4):
            np.testing.assert_allclose(value, stress, rtol=1e-10, atol=1e-13)
        points.advance()
    assert np.isfinite(fem.assemble_matrix(form).data).all()


def test_points_without_a_stress_are_told(make_law):
    material = LawMaterial(make_law(3))
    material.set_data_manager(3)
    with pytest.raises(PointsFailed, match="3 of 3"):
        material.integrate(np.full((3, 6), np.nan))
