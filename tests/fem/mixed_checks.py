"""A model of all at once, on any number of ranks.

Hexahedra of order 2 with bent edges, a network for every cell, local axes that turn from point to
point, a temperature that changes in space and time, and plastic flow.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import ufl
from coupling_checks import bent
from fem_models import PETSC, PLASTIC, small_network

from dmn_fem.database import Database, Descriptor
from dmn_fem.fem import (
    MaterialField,
    Stepper,
    cell_values,
    load_checkpoint,
    mandel_strain,
    save_checkpoint,
)
from dmn_fem.laws import LinearElastic, ThermalExpansion
from dmn_fem.online import NetworkLaw

# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from dolfinx.mesh import CellType
from mpi4py import MPI

COMM = MPI.COMM_WORLD
LAWS = {
    "matrix": ThermalExpansion(PLASTIC, 2e-5, 20.0),
    "inclusion": ThermalExpansion(LinearElastic(500.0, 0.2), 1e-6, 20.0),
}


def database(seed_angle=0.0):
    network = small_network(3)
    network = replace(network, normal_angles=network.normal_angles + seed_angle)
    networks = [network.with_phase_fraction(each) for each in ([0.9, 0.1], [0.6, 0.4])]
    return Database(networks, [Descriptor("volume_fraction")], [[0.1], [0.4]])


def fraction(x):
    """Of some values in space, equal to the last bit on every partition."""
    return 0.1 + 0.1 * np.floor(2.9 * x[1]) + 0.05 * np.floor(1.9 * x[0])


def mixed(angle=0.0, shift=0.0, turn=0.3, wrap=None):
    """A cube (a square with a wrapper), held below, pulled and sheared above while it warms up."""
    domain = bent(CellType.hexahedron if wrap is None else CellType.quadrilateral, 2)
    dimension = domain.geometry.dim
    V = fem.functionspace(domain, ("Lagrange", 2, (dimension,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    x, clock = ufl.SpatialCoordinate(domain), fem.Constant(domain, 0.0)
    given = cell_values(lambda x: fraction(x) + shift, domain)
    networks, index = database(angle).at_points(volume_fraction=given)
    law = NetworkLaw(networks, LAWS, tolerance=1e-13)
    axis = [1.0, turn + 0.5 * x[1], 0.4 * x[0]][:dimension]
    field = MaterialField(
        law if wrap is None else wrap(law),
        mandel_strain(u),
        degree=5,  # fewer points leave modes without stiffness
        external={"temperature": 20.0 + 60.0 * clock * x[0]},
        frame=ufl.as_vector(axis),
        network=index,
    )
    F = ufl.dot(field.stress, mandel_strain(v)) * field.dx
    ends = [
        mesh.locate_entities_boundary(
            domain, dimension - 1, lambda x, p=p: np.isclose(x[dimension - 1], p)
        )
        for p in (0.0, 1.0)
    ]
    dofs = [fem.locate_dofs_topological(V, dimension - 1, facets) for facets in ends]
    moved = fem.Function(V)
    problem = NonlinearProblem(
        F,
        u,
        J=field.jacobian(F, u),
        bcs=[fem.dirichletbc(fem.Function(V), dofs[0]), fem.dirichletbc(moved, dofs[1])],
        petsc_options_prefix="mixed_",
        petsc_options=PETSC | {"snes_rtol": 0.0, "snes_atol": 1e-13},
    )
    field.attach(problem)

    def load(time):
        clock.value = time
        pull = np.array([0.003, 0.002, 0.006])[-dimension:]
        moved.x.array.reshape(-1, dimension)[:] = time * pull

    return Stepper(problem, [field], load), field


TIMES = [0.0, 0.5, 1.0]


def numbers(stepper, field):
    """Displacement, stress and state of this rank."""
    state = np.concatenate([each.ravel() for each in field.state.export().values()])
    return stepper.problem.u.x.array, field.export(np.arange(field.cells.size))[1].ravel(), state


def run(folder):
    """To the end, with a checkpoint there and halfway."""
    stepper, field = mixed()
    for step in stepper.run(TIMES):
        save_checkpoint(Path(folder) / ("half" if step.time < 1 else "end"), stepper)
    return stepper, field


def compare(folder):
    """These ranks find what one rank has found, from the start and from halfway."""
    known, known_field = mixed()
    load_checkpoint(Path(folder) / "end", known)
    expected = numbers(known, known_field)
    for start in (None, "half"):
        stepper, field = mixed()
        if start is not None:
            load_checkpoint(Path(folder) / start, stepper)
        for _ in stepper.run(TIMES):
            pass
        for found, other in zip(numbers(stepper, field), expected, strict=True):
            scale = COMM.allreduce(np.abs(other).max(initial=0.0), op=MPI.MAX)
            np.testing.assert_allclose(found, other, rtol=0, atol=1e-10 * scale)
        np.testing.assert_allclose(field.internal_work, known_field.internal_work, rtol=1e-10)


def refuse(folder):
    """Other networks, another field of them or other axes are another model, on all ranks."""
    for change in ({"angle": 0.01}, {"shift": 0.01}, {"turn": 0.31}):
        stepper, _ = mixed(**change)
        try:
            load_checkpoint(Path(folder) / "half", stepper)
        except ValueError as error:
            lines = set(COMM.allgather(str(error)))
        else:
            raise AssertionError(f"{change} was not refused")
        (line,) = lines
        assert "the law of field 0 answered strains by other stresses in 8 cells" in line
        assert "the first is cell 0" in line
        assert stepper.time is None
        assert not stepper.problem.u.x.array.any()


def residuals(wrap=None):
    """Norms of the residual in the last step, in which points yield on."""
    stepper, field = mixed(wrap=wrap)
    stepper.extrapolate = False
    list(stepper.run([0.0, 0.9]))
    before = field.state["matrix.equivalent_plastic_strain"].max()
    history = []
    stepper.problem.solver.setMonitor(lambda snes, iteration, norm: history.append(norm))
    list(stepper.run([0.9, 1.0]))
    assert field.state["matrix.equivalent_plastic_strain"].max() > before > 1e-3
    return np.array(history)
