"""A network against true FE² in space: one coarse model, a full-field cell at every point.

A tapered block of six quadratic tetrahedra is held below and moved upwards and sideways above,
far into the plastic range and back through zero force. Its material are elastic particles in a J2
matrix: once as a network of a database, once as a full-field cell of the database's own recipe.
Both take the same steps to the same tolerance. Costs are CPU seconds of the law, compilation
excluded, for a point and an increment with all its Newton iterations.

    python benchmarks/fe2.py --grid 12          # a glance, a minute
    python benchmarks/fe2.py                    # 24³ voxels, ten minutes
    python benchmarks/fe2.py --material plate   # where networks are at their worst
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ufl
from rich.console import Console
from rich.table import Table
from scale import Clock

from dmn_fem.database import Database
from dmn_fem.fem import (
    MaterialField,
    Programme,
    Stepper,
    choose_linear_solver,
    mandel_strain,
    reaction_force,
)
from dmn_fem.homogenization import DataRecipe, UnitCellLaw
from dmn_fem.laws import J2Plasticity, Law, LinearElastic, LinearHardening, VoceHardening
from dmn_fem.online import NetworkLaw

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

MATERIALS = {
    "aluminium": (
        J2Plasticity(70.0, 0.33, 0.1, VoceHardening(saturation=0.15, rate=20.0, modulus=0.7)),
        LinearElastic(400.0, 0.2),
    ),
    "plate": (J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)), LinearElastic(500.0, 0.19)),
}
"""Matrix and inclusions: silicon carbide in aluminium, GPa, and what the plate is made of."""

HEIGHT, TAPER = 2.0, 0.3
MOVED = {"upwards": (2, 0.02), "sideways": (0, 0.04)}
"""Axis and largest displacement of the top."""
PROGRAMME = Programme(np.array([0.0, 1.0, 2.0]), {"share": np.array([0.0, 1.0, 0.6])})


def main() -> None:
    """Run both laws, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="spheres_3d")
    parser.add_argument("--volume-fraction", type=float, default=0.3)
    parser.add_argument("--material", choices=MATERIALS, default="aluminium")
    parser.add_argument("--grid", type=int, default=24, help="voxels along the cell")
    parser.add_argument("--steps", type=int, default=2, help="up, and again down")
    parser.add_argument("--output", type=Path, help="JSON")
    arguments = parser.parse_args()
    database = Database.load(arguments.database)
    recipe = DataRecipe.model_validate(database.provenance["recipe"])
    cell = recipe.cell(volume_fraction=arguments.volume_fraction)
    image = recipe.image(cell.model_copy(update={"grid": arguments.grid}))
    phases = dict(zip(database.phases, MATERIALS[arguments.material], strict=True))
    laws: dict[str, Law] = {
        "network": NetworkLaw(database.at(volume_fraction=arguments.volume_fraction), phases),
        "full field": UnitCellLaw(image, phases),
    }
    runs = {name: run(name, law, arguments.steps) for name, law in laws.items()}
    if arguments.output:
        arguments.output.write_text(json.dumps(runs, indent=2), encoding="utf-8")
    voxels = "×".join(map(str, image.shape))
    points, increments = runs["network"]["points"], len(runs["network"]["iterations"])
    title = f"{arguments.database} and {voxels} voxels at {points} points, {increments} increments"
    Console(width=120).print(table_of(runs, title))


def run(name: str, law: Law, steps: int) -> dict[str, Any]:
    """The block with a law: forces of all steps, and what the law cost."""
    blank = np.zeros((1, 6)), law.allocate(1), np.empty((1, 6)), np.empty((1, 6, 6))
    law.integrate(*blank)  # compiled, or read from the cache, before the clock starts
    clock = Clock(time.process_time)
    law.integrate = clock.around(law.integrate)

    domain = mesh.create_unit_cube(MPI.COMM_SELF, 1, 1, 1)
    x = domain.geometry.x
    x[:, :2] *= 1 - TAPER * x[:, 2:]
    x[:, 2] *= HEIGHT
    V = fem.functionspace(domain, ("Lagrange", 2, (3,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    top = mesh.locate_entities_boundary(domain, 2, lambda x: np.isclose(x[2], HEIGHT))
    held = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[2], 0.0))
    bcs = [fem.dirichletbc(np.zeros(3), held, V)]
    tops, given = {}, {}
    for direction, (axis, _) in MOVED.items():
        tops[direction] = fem.locate_dofs_topological(V.sub(axis), 2, top)
        given[direction] = fem.Constant(domain, 0.0)
        bcs.append(fem.dirichletbc(given[direction], tops[direction], V.sub(axis)))
    material = MaterialField(law, strain=mandel_strain(u), degree=2)
    F = ufl.dot(material.stress, mandel_strain(v)) * material.dx
    J = material.jacobian(F, u)
    options = {
        "snes_linesearch_type": "basic",
        "snes_atol": 1e-5,  # of forces of some 0.5; the stress of a cell is known to 1e-6
        "snes_rtol": 0.0,
        "snes_stol": 0.0,
        "snes_max_it": 20,
    }
    problem = NonlinearProblem(
        F, u, J=J, bcs=bcs, petsc_options_prefix="block_", petsc_options=options
    )
    material.attach(problem)
    choose_linear_solver(problem)

    def load(now: float) -> None:
        for direction, (_, displacement) in MOVED.items():
            given[direction].value = PROGRAMME("share", now) * displacement

    forces, iterations = [[0.0] * len(tops)], []
    stepper = Stepper(problem, [material], load, growth=1.0)
    for step in stepper.run(PROGRAMME.times(steps)):
        forces.append([reaction_force(problem, dofs) for dofs in tops.values()])
        iterations.append(step.iterations)
        pulls = ", ".join(f"{force:.5f}" for force in forces[-1])
        print(f"{name}: time {step.time:g}, forces {pulls}, {clock.total:.2f} CPU s", flush=True)
    (plastic,) = (
        values
        for name, values in law.averages(material.state).items()
        if name.endswith("equivalent_plastic_strain")
    )
    points = material.state.points
    return {
        "points": points,
        "iterations": iterations,
        "forces": forces,
        "plastic_strain": [plastic.min(), plastic.max()],
        "cpu_seconds": clock.total / (points * len(iterations)),
    }


def table_of(runs: dict[str, dict[str, Any]], title: str) -> Table:
    """Forces and costs of both laws, side by side."""
    table = Table(title=title)
    for heading in ("", *runs, ""):
        table.add_column(heading, justify="right" if heading else "left")
    network, cell = runs.values()
    ours, true = (np.array(each["forces"]) for each in (network, cell))
    largest = np.linalg.norm(true, axis=1).argmax()
    for number, direction in enumerate(MOVED):
        peak = np.abs(true[:, number]).max()
        error = np.abs(ours - true)[:, number] / peak
        label = f"force {direction} at the peak, difference there / largest, %"
        forces = (f"{each[largest, number]:.5f}" for each in (ours, true))
        table.add_row(label, *forces, f"{100 * error[largest]:.2f} / {100 * error.max():.2f}")
    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "Newton iterations of all increments": lambda run: str(sum(run["iterations"])),
        "mean plastic strain of the matrix at the points": lambda run: "{:.3f} … {:.3f}".format(
            *run["plastic_strain"]
        ),
        "CPU µs of the law, a point and increment": lambda run: f"{1e6 * run['cpu_seconds']:.3g}",
    }
    for label, entry in rows.items():
        table.add_row(label, entry(network), entry(cell), "")
    table.add_row(
        "ratio of the costs", "", "", f"{cell['cpu_seconds'] / network['cpu_seconds']:.0f}"
    )
    return table


if __name__ == "__main__":
    main()
