"""Strains of a displacement as UFL vectors in Mandel notation, one function a kinematics."""

from typing import Any

import ufl
from ufl.domain import extract_unique_domain

from dmn_fem.notation import SQRT2


def mandel_strain(u: Any, out_of_plane: Any = 0.0) -> Any:
    """Small strain of a displacement in the plane or in space.

    Plane strain is the default in 2D. Generalised plane strain gives the strain normal to the
    plane: a `dolfinx.fem.Constant` that is prescribed, or a function on a space of
    `basix.ufl.real_element`, a second unknown of the problem, whose equation sets the force
    ∫ σ33 dx (``stress[2] * test * dx``).

    Args:
        u: A vector of 2 or 3 components: a function, an argument or an expression.
        out_of_plane: Strain 33 in 2D, a number or a UFL scalar.

    Returns:
        ``11, 22, 33, √2·12`` in 2D, ``11, 22, 33, √2·12, √2·13, √2·23`` in 3D.

    Raises:
        ValueError: If ``u`` has neither 2 nor 3 components, or a strain 33 is given in 3D.
    """
    if u.ufl_shape not in ((2,), (3,)):
        raise ValueError(f"the displacement has shape {u.ufl_shape}; it must be (2,) or (3,)")
    e = ufl.sym(ufl.grad(u))
    if u.ufl_shape == (2,):
        return ufl.as_vector([e[0, 0], e[1, 1], out_of_plane, SQRT2 * e[0, 1]])
    if out_of_plane != 0.0:
        raise ValueError("a strain out of the plane is given with a displacement in space")
    shear = [SQRT2 * e[i, j] for i, j in ((0, 1), (0, 2), (1, 2))]
    return ufl.as_vector([e[0, 0], e[1, 1], e[2, 2], *shear])


def axisymmetric_strain(u: Any, x: Any) -> Any:
    """Small strain of a torsionless displacement of a body of revolution.

    The mesh is the half section in the plane (r, z). A volume integral is one over the section
    with the weight r: ``F = ufl.dot(stress, axisymmetric_strain(v, x)) * x[0] * dx`` per radian;
    tell the field, too (``MaterialField(..., weight=x[0])``), for its work and averages.

    Args:
        u: Displacement along r and z.
        x: Coordinates r and z, `ufl.SpatialCoordinate` of the mesh.

    Returns:
        ``rr, zz, θθ, √2·rz``: 1 is r, 2 is z and 3 is θ for the law.

    Raises:
        ValueError: If ``u`` or ``x`` has not 2 components.
    """
    if u.ufl_shape != (2,) or x.ufl_shape != (2,):
        raise ValueError(
            f"displacement and coordinates have shapes {u.ufl_shape} and {x.ufl_shape}; "
            "both must be (2,): r and z"
        )
    e = ufl.sym(ufl.grad(u))
    return ufl.as_vector([e[0, 0], e[1, 1], u[0] / x[0], SQRT2 * e[0, 1]])


def axial_strain(u: Any) -> Any:
    """Small strain along bars: of a mesh of intervals on a line, in the plane or in space.

    Args:
        u: Displacement with as many components as the bars have coordinates; on a line also a
            scalar.

    Returns:
        A vector of one component.

    Raises:
        ValueError: If the mesh is not of intervals or the displacement of another size.
    """
    mesh = extract_unique_domain(u)
    dimension = mesh.geometric_dimension
    if mesh.topological_dimension != 1:
        raise ValueError("axial strain is that of intervals; the mesh has other cells")
    if dimension == 1 and u.ufl_shape == ():
        u = ufl.as_vector([u])
    if u.ufl_shape != (dimension,):
        raise ValueError(f"the displacement has shape {u.ufl_shape}; it must be ({dimension},)")
    jacobian = ufl.Jacobian(mesh)
    along = ufl.as_vector([jacobian[i, 0] for i in range(dimension)])
    return ufl.as_vector([ufl.dot(along, ufl.dot(ufl.grad(u), along)) / ufl.dot(along, along)])
