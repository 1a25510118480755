"""A moulded bracket of a short-fibre composite, whose every cell has its own microstructure.

Fibre orientation and volume fraction come from a table as a moulding simulation writes it
(``meshes/bracket_flow.csv``) and are mapped onto the cells; each cell has the network that a
database gives for them. The bracket hangs on a bolt through its flange, and the tip of its shelf is
pressed down into the plastic range and let back.

    python solvers/bracket.py
    mpiexec -n 2 python solvers/bracket.py --peak 4
    python solvers/bracket.py --restart
"""

import time
from pathlib import Path
from typing import Annotated

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
    cell_values_from,
    choose_linear_solver,
    draw_body,
    equivalent_stress,
    load_checkpoint,
    mandel_strain,
    reaction_force,
    read_mesh,
    save_checkpoint,
)
from dmn_fem.laws import read_phases
from dmn_fem.online import NetworkLaw

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

MESHES = Path(__file__).parents[1] / "meshes"
PHASES = Path(__file__).with_name("glass_fibre_polyamide.toml")
BOLTED, TIP = 2, 3
"""Tags of the faces, as ``meshes/bracket.py`` gives them."""

console = Console(stderr=True, quiet=MPI.COMM_WORLD.rank != 0)


class Bracket:
    """The bracket, held at its hole and moved down at its tip.

    Args:
        mesh_file: Its mesh, with the tags above.
        flow: Table of ``volume_fraction`` and ``orientation`` over the place.
        database: Name or file of a database over both.
        phases: Phase laws (TOML).
        rounding: Of descriptors, see `Database.at_points`.
    """

    def __init__(
        self, mesh_file: Path, flow: Path, database: str, phases: Path, rounding: float
    ) -> None:
        found = read_mesh(mesh_file)
        domain = found.mesh
        V = fem.functionspace(domain, ("Lagrange", 2, (3,)))
        u, v = fem.Function(V), ufl.TestFunction(V)
        self.down = fem.Constant(domain, 0.0)

        def face(tag: int, axis: int) -> np.ndarray:
            return fem.locate_dofs_topological(V.sub(axis), 2, found.facet_tags.find(tag))

        self.pressed = face(TIP, 2)
        held = fem.Constant(domain, 0.0)
        bcs = [fem.dirichletbc(held, face(BOLTED, axis), V.sub(axis)) for axis in range(3)]
        bcs.append(fem.dirichletbc(self.down, self.pressed, V.sub(2)))

        # Every cell has its own network; cells of equal descriptors share it.
        mapped = cell_values_from(flow, domain, normalise=["orientation"])
        self.orientation = mapped["orientation"]

        def law_of_cells() -> tuple[NetworkLaw, np.ndarray]:
            """Of the networks of this rank's cells, and the number of its own for each."""
            networks, number = Database.load(database).at_points(
                volume_fraction=mapped["volume_fraction"],
                orientation=mapped["orientation"],
                rounding=rounding,
            )
            return NetworkLaw(networks, read_phases(phases)), number

        law, number = all_or_none(domain.comm, law_of_cells)
        self.networks = len(law.networks)
        self.material = MaterialField(law, strain=mandel_strain(u), degree=2, network=number)
        F = ufl.dot(self.material.stress, mandel_strain(v)) * self.material.dx
        J = self.material.jacobian(F, u)
        options = {
            "snes_linesearch_type": "basic",
            "snes_rtol": 1e-8,
            "snes_atol": 1e-8,
            "snes_stol": 0.0,
            "snes_max_it": 15,
        }
        self.problem = NonlinearProblem(
            F, u, J=J, bcs=bcs, petsc_options_prefix="bracket_", petsc_options=options
        )
        self.material.attach(self.problem)
        self.linear_solver = choose_linear_solver(self.problem)


def run(bracket: Bracket, peak: float, steps: int, output: Path, restart: bool) -> None:
    """Press the tip down and let most of it come back; in a restart on from the checkpoint."""
    u, material = bracket.problem.u, bracket.material
    programme = Programme(np.array([0.0, 1.0, 2.0]), {"down": np.array([0.0, peak, 0.2 * peak])})

    def load(now: float) -> None:
        bracket.down.value = -programme("down", now)

    def force() -> float:
        return -reaction_force(bracket.problem, bracket.pressed)

    stepper = Stepper(bracket.problem, [material], load, growth=1.25, failures=output / "failures")
    if restart:
        load_checkpoint(output / "checkpoint", stepper)
    measured = {"displacement": lambda: -float(bracket.down.value), "force": force}
    history = History(output / "history.csv", [material], measured, resume=stepper.time)
    quantities = ["stress", "strain", "matrix.equivalent_plastic_strain", "fibre.stress"]
    results = ResultFile(output / "bracket.pvd", u, material, quantities, resume=stepper.time)
    for step in stepper.run(programme.times(steps)):
        history.write(step)
        console.print(
            f"time {step.time:.3f}  force {force():9.3f}  {step.iterations} iterations"
            + (f"  after {step.cutbacks} shorter steps" if step.cutbacks else "")
        )
        if step.requested:
            results.write(step.time)
        if step.time == 1.0:
            stress = equivalent_stress(material.cell_average("stress"))
            draw_body(output / "stress.png", stress, "von Mises stress", u)
            plastic = material.cell_average("matrix.equivalent_plastic_strain")
            draw_body(output / "plastic_strain.png", plastic, "matrix plastic strain", u)
        if step.requested:
            save_checkpoint(output / "checkpoint", stepper)
    largest = np.linalg.eigvalsh(bracket.orientation)[:, -1]
    alignment = cell_function(largest, material.mesh)
    draw_body(output / "alignment.png", alignment, "fibre alignment")


def draw_curve(history: Path, picture: Path) -> None:
    """Force over displacement, from the stress-free state on."""
    table = np.genfromtxt(history, delimiter=",", names=True)
    figure = Figure(figsize=(5.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(np.append(0.0, table["displacement"]), np.append(0.0, table["force"]), marker=".")
    axes.set_xlabel("displacement of the tip, mm")
    axes.set_ylabel("force, N")
    axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=150)


def main(
    mesh_file: Annotated[Path, typer.Option("--mesh", help="With tags of bolt and tip.")] = MESHES
    / "bracket.msh",
    flow: Annotated[Path, typer.Option(help="Table of orientation and fraction.")] = MESHES
    / "bracket_flow.csv",
    database: Annotated[str, typer.Option(help="Name or file of a database.")] = "short_fibres_3d",
    phases: Annotated[Path, typer.Option(help="Phase laws (TOML).")] = PHASES,
    peak: Annotated[float, typer.Option(help="Displacement of the tip, mm.")] = 6.0,
    steps: Annotated[int, typer.Option(min=1, help="Increments down, and again up.")] = 6,
    rounding: Annotated[float, typer.Option(help="Of descriptors; coarser shares more.")] = 0.05,
    output: Annotated[Path, typer.Option(help="Folder.")] = Path("results/bracket"),
    restart: Annotated[bool, typer.Option("--restart", help="Go on from the checkpoint.")] = False,
) -> None:
    """A moulded bracket whose every cell has its own microstructure."""
    started = time.perf_counter()
    try:
        output.mkdir(parents=True, exist_ok=True)
        bracket = Bracket(mesh_file, flow, database, phases, rounding)
        comm = bracket.material.mesh.comm
        points = comm.allreduce(bracket.material.state.points)
        networks = comm.allreduce(bracket.networks)
        console.print(
            f"{points} points, {networks} networks on {comm.size} ranks, "
            f"{bracket.linear_solver} linear solver"
        )
        run(bracket, peak, steps, output, restart)
        if comm.rank == 0:
            draw_curve(output / "history.csv", output / "force_displacement.png")
        console.print(f"{time.perf_counter() - started:.1f} s; results in {output}")
    except (OSError, ValueError, StepFailed) as error:
        console.print(f"[red]error:[/red] {error}")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
