"""The linear solver of Newton's steps: factorisation of small systems, multigrid for large ones."""

from typing import Any

import numpy as np
from dolfinx import fem, la
from dolfinx.fem.petsc import NonlinearProblem
from petsc4py import PETSc

from dmn_fem.notation import Array

DIRECT_LIMIT = {2: 500_000, 3: 60_000}
"""Degrees of freedom up to which a factorisation is the default, by dimension."""

_DIRECT = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}
_MULTIGRID = {
    "ksp_rtol": 1e-8,
    "pc_type": "gamg",
    "pc_gamg_threshold": 0.02,
    "mg_levels_ksp_type": "chebyshev",
    "mg_levels_pc_type": "jacobi",
}


def choose_linear_solver(problem: NonlinearProblem, *, symmetric: bool = True) -> str:
    """Give a problem of elasticity the linear solver that its size asks for. Collective.

    Small systems are factorised by MUMPS. Large ones go to conjugate gradients (or GMRES) with
    smoothed aggregation (PETSc's GAMG), whose coarse spaces hold the rigid body modes: without them
    the number of iterations grows with the mesh (Vaněk, Mandel and Brezina 1996, Computing 56).

    Args:
        problem: Its unknown is one displacement, Lagrange elements of 2 or 3 components.
        symmetric: Whether the Jacobian is: not so with laws of nonsymmetric tangents.

    Returns:
        ``direct`` or ``multigrid``.

    Raises:
        ValueError: If the unknown is no displacement.
    """
    u = problem.u
    if not isinstance(u, fem.Function) or u.ufl_shape not in ((2,), (3,)):
        raise ValueError("the unknown must be one displacement of 2 or 3 components")
    space, dimension = u.function_space, u.ufl_shape[0]
    size = space.dofmap.index_map.size_global * space.dofmap.index_map_bs
    direct = size <= DIRECT_LIMIT[dimension]
    options: dict[str, Any] = dict(_DIRECT)
    if not direct:
        options = _MULTIGRID | {"ksp_type": "cg" if symmetric else "gmres"}
        problem.A.setNearNullSpace(rigid_body_modes(space))
    database: Any = PETSc.Options()
    for name, value in options.items():  # they stay: multigrid reads those of its levels later
        database[f"{problem.solver.getOptionsPrefix()}{name}"] = value
    problem.solver.getKSP().setFromOptions()
    return "direct" if direct else "multigrid"


def rigid_body_modes(space: fem.FunctionSpace) -> PETSc.NullSpace:
    """Translations and rotations of a space of displacements, orthonormal. Collective."""
    dimension = space.value_size
    spins = [(i, j) for i in range(dimension) for j in range(i)]
    modes = []
    for number in range(dimension + len(spins)):

        def shape(x: Array, number: int = number) -> Array:
            values = np.zeros((dimension, x.shape[1]))
            if number < dimension:
                values[number] = 1.0
            else:
                i, j = spins[number - dimension]
                values[i], values[j] = x[j], -x[i]
            return values

        mode = fem.Function(space)
        mode.interpolate(shape)
        modes.append(mode)
    la.orthonormalize([mode.x for mode in modes])
    return PETSc.NullSpace().create(
        vectors=[mode.x.petsc_vec.copy() for mode in modes], comm=space.mesh.comm
    )
