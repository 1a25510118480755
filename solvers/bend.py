"""A beam of a graded particle composite, bent up and down between steel pads.

The particles have settled: their volume fraction grows through the depth, and every layer of cells
has the network of its own fraction. Both faces yield, and the matrix hardens kinematically, so that
force over deflection is a loop. A quarter of the beam is modelled.

    python solvers/bend.py
    mpiexec -n 2 python solvers/bend.py --bottom 0.275 --top 0.275
    mpiexec -n 2 python solvers/bend.py --restart        # goes on where it was stopped
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import ufl
from matplotlib.figure import Figure
from rich.console import Console

from dmn_fem.database import Database
from dmn_fem.fem import (
    History,
    MaterialField,
    Programme,
    ResultFile,
    StepFailed,
    Stepper,
    all_or_none,
    cell_function,
    cell_values,
    choose_linear_solver,
    draw_body,
    load_checkpoint,
    mandel_strain,
    reaction_force,
    read_mesh,
    save_checkpoint,
)
from dmn_fem.laws import LinearElastic, read_phases
from dmn_fem.online import NetworkLaw, material_law
from dmn_fem.plotting import plot_results

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

MESHES = Path(__file__).parents[1] / "meshes"
PHASES = Path(__file__).with_name("silicon_carbide_aluminium.toml")
PROGRAMME = Path(__file__).with_suffix(".csv")
BEAM, PADS = 1, 2
HALF_SPAN, DEPTH, PAD_DEPTH = 20.0, 6.0, 1.0
"""Tags of the cells and measures, as in ``meshes/bend.py``."""
PLASTIC_STRAIN, MAGNIFICATION = "matrix.equivalent_plastic_strain", 8.0
"""What pictures show, and the factor of their displacement."""

console = Console(stderr=True, quiet=MPI.COMM_WORLD.rank != 0)


class Beam:
    """A quarter of the beam, held at the lower pad and moved at the upper one.

    Args:
        mesh_file: Its mesh, with the tags above.
        database: Name or file of a database over the volume fraction.
        phases: Phase laws (TOML).
        fractions: Volume fraction at the lower and the upper face, linear in between.
    """

    def __init__(
        self, mesh_file: Path, database: str, phases: Path, fractions: tuple[float, float]
    ) -> None:
        found = read_mesh(mesh_file)
        domain, self.tags = found.mesh, found.cell_tags
        V = fem.functionspace(domain, ("Lagrange", 2, (3,)))
        u, v = fem.Function(V), ufl.TestFunction(V)
        self.down, held = fem.Constant(domain, 0.0), fem.Constant(domain, 0.0)

        def dofs(axis: int, dimension: int, where: Callable[[np.ndarray], np.ndarray]) -> Any:
            """Of a component of u on faces (2) or edges (1) of the boundary."""
            entities = mesh.locate_entities_boundary(domain, dimension, where)
            domain.topology.create_connectivity(dimension, 3)
            return fem.locate_dofs_topological(V.sub(axis), dimension, entities)

        # The upper pad is moved at its face; the lower one may turn about a line.
        self.pressed = dofs(2, 2, lambda x: np.isclose(x[2], DEPTH + PAD_DEPTH))
        line = dofs(2, 1, lambda x: np.isclose(x[0], -HALF_SPAN) & np.isclose(x[2], -PAD_DEPTH))
        bcs = [
            fem.dirichletbc(held, dofs(0, 2, lambda x: np.isclose(x[0], 0.0)), V.sub(0)),
            fem.dirichletbc(held, dofs(1, 2, lambda x: np.isclose(x[1], 0.0)), V.sub(1)),
            fem.dirichletbc(held, line, V.sub(2)),
            fem.dirichletbc(self.down, self.pressed, V.sub(2)),
        ]

        # Cells of a layer share a network: their heights differ in the last digits alone.
        height = cell_values(lambda x: x[2], domain)
        self.fraction = np.interp(height, (0.0, DEPTH), fractions)

        def law_of_cells() -> tuple[NetworkLaw, np.ndarray]:
            """Of the networks of this rank's cells, and the number of its own for each."""
            composite = Database.load(database)
            networks, number = composite.at_points(volume_fraction=self.fraction, rounding=1e-6)
            return NetworkLaw(networks, read_phases(phases)), number

        law, number = all_or_none(domain.comm, law_of_cells)
        strain = mandel_strain(u)
        self.material = MaterialField(law, strain, 4, (self.tags, BEAM), network=number)
        steel = material_law(LinearElastic(210e3, 0.3), dimension=3)
        self.pads = MaterialField(steel, strain, 4, (self.tags, PADS))
        fields = (self.material, self.pads)
        F = sum(ufl.dot(field.stress, mandel_strain(v)) * field.dx for field in fields)
        J = self.material.jacobian(F, u, self.pads)
        options = {"snes_linesearch_type": "basic", "snes_max_it": 15}
        options |= {"snes_rtol": 1e-8, "snes_atol": 1e-8, "snes_stol": 0.0}
        self.problem = NonlinearProblem(
            F, u, J=J, bcs=bcs, petsc_options_prefix="bend_", petsc_options=options
        )
        for field in fields:
            field.attach(self.problem)
        choose_linear_solver(self.problem, symmetric=False)

    def force(self) -> float:
        """On the upper pad of the whole beam, down as the deflection."""
        return -4.0 * reaction_force(self.problem, self.pressed)


def run(beam: Beam, programme: Programme, steps: int, output: Path, restart: bool) -> None:
    """Bend the beam through a programme, in a restart on from the checkpoint."""
    u, material = beam.problem.u, beam.material

    def load(now: float) -> None:
        beam.down.value = -programme("deflection", now)

    stepper = Stepper(beam.problem, [material, beam.pads], load, failures=output / "failures")
    if restart:
        load_checkpoint(output / "checkpoint", stepper)
    measured = {"deflection": lambda: -float(beam.down.value), "force": beam.force}
    history = History(output / "history.csv", stepper.fields, measured, resume=stepper.time)
    quantities = ["stress", PLASTIC_STRAIN]
    results = ResultFile(output / "bend.pvd", u, material, quantities, resume=stepper.time)
    for step in stepper.run(programme.times(steps)):
        history.write(step)
        console.print(
            f"time {step.time:.3f}  deflection {-beam.down.value:6.3f}  "
            f"force {beam.force():9.2f}  {step.iterations} iterations, {step.cutbacks} cutbacks"
        )
        if step.requested:
            results.write(step.time)
        if step.time in programme.time:
            save_checkpoint(output / "checkpoint", stepper)
    fraction = cell_function(beam.fraction, material.mesh)
    plastic = material.cell_average(PLASTIC_STRAIN)
    for name, function in (("volume fraction", fraction), ("matrix plastic strain", plastic)):
        function.x.array[beam.tags.find(PADS)] = np.nan  # drawn in grey
        draw_body(output / f"{name.replace(' ', '_')}.png", function, name, u, MAGNIFICATION)


def draw_loop(history: Path, picture: Path) -> None:
    """Force over deflection, from the stress-free state on."""
    table = np.genfromtxt(history, delimiter=",", names=True)
    figure = Figure(figsize=(5.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(np.append(0.0, table["deflection"]), np.append(0.0, table["force"]), marker=".")
    axes.set(xlabel="deflection, mm", ylabel="force, N")
    axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=150)


def main(
    mesh_file: Annotated[Path, typer.Option("--mesh", help="Of beam and pads.")] = MESHES
    / "bend.msh",
    database: Annotated[str, typer.Option(help="Name or file of a database.")] = "spheres_3d",
    phases: Annotated[Path, typer.Option(help="Phase laws (TOML).")] = PHASES,
    bottom: Annotated[float, typer.Option(help="Volume fraction at the lower face.")] = 0.1,
    top: Annotated[float, typer.Option(help="Volume fraction at the upper face.")] = 0.45,
    programme: Annotated[Path, typer.Option(help="Deflection over time, mm (CSV).")] = PROGRAMME,
    steps: Annotated[int, typer.Option(min=1, help="Increments to each row of it.")] = 4,
    output: Annotated[Path, typer.Option(help="Folder.")] = Path("results/bend"),
    restart: Annotated[bool, typer.Option("--restart", help="Go on from the checkpoint.")] = False,
) -> None:
    """A beam of a graded particle composite, bent up and down."""
    started = time.perf_counter()
    try:
        output.mkdir(parents=True, exist_ok=True)
        beam = Beam(mesh_file, database, phases, (bottom, top))
        comm, law, state = MPI.COMM_WORLD, beam.material.law, beam.material.state
        numbers = state.points, state.old.nbytes + state.new.nbytes, len(law.networks)
        points, size, networks = comm.allreduce(np.array(numbers))
        console.print(f"{points} points, {size / 1e6:.0f} MB of state, {networks} networks")
        run(beam, Programme.read(programme), steps, output, restart)
        if comm.rank == 0:
            draw_loop(output / "history.csv", output / "force_deflection.png")
            results, animation = output / "bend.pvd", output / "bend.gif"
            plot_results(results, animation, PLASTIC_STRAIN, magnification=MAGNIFICATION)
        console.print(f"{time.perf_counter() - started:.1f} s; results in {output}")
    except (OSError, ValueError, StepFailed) as error:
        console.print(f"[red]error:[/red] {error}")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
