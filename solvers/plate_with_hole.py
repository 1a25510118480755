"""A plate with a hole, in plane strain, whose every quadrature point is a particle composite.

A quarter of the plate is pulled in y into the plastic range and unloaded to zero force. The
composite is a deep material network from a database (``--law dmn``), a full-field unit cell
(``--law fe2``) or the bare matrix (``--law matrix``); the model is the same.

    python solvers/plate_with_hole.py --volume-fraction 0.25
    mpiexec -n 2 python solvers/plate_with_hole.py
    python solvers/plate_with_hole.py --compare

A run that was stopped goes on from its last checkpoint, on any number of ranks:

    mpiexec -n 2 python solvers/plate_with_hole.py --restart
"""

import json
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import ufl
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from dmn_fem.database import Database
from dmn_fem.fem import (
    History,
    MaterialField,
    ResultFile,
    StepFailed,
    Stepper,
    draw_cells,
    equivalent_stress,
    load_checkpoint,
    mandel_strain,
    reaction_force,
    read_mesh,
    save_checkpoint,
)
from dmn_fem.homogenization import DataRecipe, UnitCellLaw
from dmn_fem.laws import Law, PhaseLaw, State, Status, read_phases
from dmn_fem.online import NetworkLaw, material_law

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem, mesh
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

MESHES = Path(__file__).parents[1] / "meshes"
PHASES = Path(__file__).with_name("phases.toml")

console = Console(stderr=True, quiet=MPI.COMM_WORLD.rank != 0)


class LawName(StrEnum):
    """What answers at a quadrature point."""

    DMN = "dmn"
    FE2 = "fe2"
    MATRIX = "matrix"


class Clocked:
    """A law that knows what it cost on this rank."""

    def __init__(self, law: Law) -> None:
        self.law = law
        self.dimension, self.strain_size = law.dimension, law.strain_size
        self.external = law.external
        self.wall = self.cpu = 0.0

    def allocate(self, points: int) -> State:
        """See `dmn_fem.laws.Law`."""
        return self.law.allocate(points)

    def averages(self, state: State) -> dict[str, Any]:
        """See `dmn_fem.laws.Law`."""
        return self.law.averages(state)

    def maxima(self, state: State) -> dict[str, Any]:
        """See `dmn_fem.laws.Law`."""
        return self.law.maxima(state)

    def integrate(
        self,
        strain: Any,
        state: State,
        stress: Any,
        tangent: Any = None,
        dt: float = 0.0,
        external: Mapping[str, Any] | None = None,
    ) -> Status:
        """See `dmn_fem.laws.Law`."""
        wall, cpu = time.perf_counter(), time.process_time()
        status = self.law.integrate(strain, state, stress, tangent, dt, external)
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        return status


def constitutive_law(
    name: LawName,
    phases: Mapping[str, PhaseLaw],
    database: str,
    volume_fraction: float,
    grid: int | None,
) -> Law:
    """The law of the composite."""
    if name is LawName.MATRIX:
        return material_law(phases["matrix"], dimension=2)
    composite = Database.load(database)
    if name is LawName.FE2:
        # By default the cell is the one, voxel by voxel, that the database was trained on.
        if "recipe" not in composite.provenance:
            raise ValueError(f"{database} does not tell its microstructure; true FE² needs it")
        recipe = DataRecipe.model_validate(composite.provenance["recipe"])
        cell = recipe.cell(volume_fraction=volume_fraction)
        cell = cell.model_copy(update={"grid": grid or cell.grid})
        return UnitCellLaw(recipe.image(cell), phases)
    return NetworkLaw(composite.at(volume_fraction=volume_fraction), phases)


class Plate:
    """The plate, pulled by a displacement of its upper edge.

    Args:
        law: The law at its quadrature points.
        mesh_file: Its mesh: the unit square without a hole around the origin.
        tolerance: Norm of the residual at which a step has converged.
    """

    def __init__(self, law: Law, mesh_file: Path, tolerance: float) -> None:
        domain = read_mesh(mesh_file).mesh
        V = fem.functionspace(domain, ("Lagrange", 2, (2,)))
        u, v = fem.Function(V), ufl.TestFunction(V)
        self.pull = fem.Constant(domain, 0.0)
        symmetry = fem.Constant(domain, 0.0)

        def edge(axis: int, position: float) -> Any:
            facets = mesh.locate_entities_boundary(
                domain, 1, lambda x: np.isclose(x[axis], position)
            )
            return fem.locate_dofs_topological(V.sub(axis), 1, facets)

        self.pulled = edge(1, 1.0)
        bcs = [
            fem.dirichletbc(symmetry, edge(0, 0.0), V.sub(0)),
            fem.dirichletbc(symmetry, edge(1, 0.0), V.sub(1)),
            fem.dirichletbc(self.pull, self.pulled, V.sub(1)),
        ]
        options = {
            "ksp_type": "preonly",
            "pc_type": "lu",
            "pc_factor_mat_solver_type": "mumps",
            "snes_linesearch_type": "basic",
            "snes_atol": tolerance,
            "snes_rtol": 0.0,
            "snes_stol": 0.0,
            "snes_max_it": 20,
        }

        # The coupling: these five lines put a law into a model.
        self.material = MaterialField(law, strain=mandel_strain(u), degree=2)
        F = ufl.dot(self.material.stress, mandel_strain(v)) * self.material.dx
        J = self.material.jacobian(F, u)
        self.problem = NonlinearProblem(
            F, u, J=J, bcs=bcs, petsc_options_prefix="plate_", petsc_options=options
        )
        self.material.attach(self.problem)

    def points(self) -> int:
        """Number of quadrature points on all ranks."""
        return MPI.COMM_WORLD.allreduce(self.material.state.points)


def run(
    plate: Plate,
    peak: float,
    steps: int,
    label: str,
    output: Path | None,
    unloaded: float | None = None,
    checkpoint_every: int = 1,
    restart: bool = False,
) -> Any:
    """Pull to a mean strain and unload to a displacement, by default to that of zero force.

    With an output folder a checkpoint is written there after every so many steps; a restart goes
    on from it.

    Returns:
        Rows of time, displacement and force, the stress-free state included.
    """
    u, material = plate.problem.u, plate.material
    turns, displacements = [0.0, 1.0, 2.0], [0.0, peak, 0.0]

    def load(time: float) -> None:
        plate.pull.value = np.interp(time, turns, displacements)

    failures = None if output is None else output / "failures"
    stepper = Stepper(plate.problem, [material], load, failures=failures)
    curve = [(0.0, 0.0, 0.0)]
    if restart and output is not None:
        curve = [tuple(row) for row in load_checkpoint(output / "checkpoint", stepper)["curve"]]

    def until(time: float) -> list[tuple[float, float, float]]:
        return [row for row in curve if row[0] <= time]

    columns = (
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, console=console, transient=False) as progress:
        bar = progress.add_task(label, total=2 * steps + 1, now="")
        results = None
        if output is not None:
            quantities = ["stress", "strain", *sorted(material.law.averages(material.state))]
            results = ResultFile(
                output / "plate_with_hole.pvd", u, material, quantities, resume=stepper.time
            )
            history = History(
                output / "history.csv",
                [material],
                {"displacement": lambda: curve[-1][1], "force": lambda: curve[-1][2]},
                resume=stepper.time,
            )

        def advance(times: Any) -> None:
            for step in stepper.run(times):
                force = reaction_force(plate.problem, plate.pulled)
                curve.append((step.time, float(plate.pull.value), force))
                if results is not None:
                    results.write(step.time)
                    history.write(step)
                    if stepper.steps % checkpoint_every == 0:
                        save_checkpoint(output / "checkpoint", stepper, {"curve": curve})
                now = f"force {force:.5f}, {step.iterations} iterations"
                progress.update(bar, completed=min(2 * steps + 1, 1 + steps * step.time), now=now)

        # A first small step is elastic; its stiffness says about where unloading ends.
        advance([0.0, 0.01])
        _, displacement, force = until(0.01)[-1]
        stiffness = force / displacement
        advance([0.01, *(time for time in np.linspace(0.0, 1.0, steps + 1) if time > 0.01)])
        if output is not None and stepper.time == 1.0:
            stress = equivalent_stress(material.cell_average("stress"))
            draw_cells(output / "stress.png", stress, "von Mises stress at the peak", u)
        displacements[2] = peak - until(1.0)[-1][2] / stiffness if unloaded is None else unloaded
        advance(np.linspace(1.0, 2.0, steps + 1))
        # It may have yielded in reverse: secant steps to zero force.
        for turn in (3.0, 4.0) if unloaded is None else ():
            (_, before, force_before), (_, now, force) = until(turn - 1.0)[-2:]
            if abs(force) < 1e-3 * max(row[2] for row in curve):
                break
            turns.append(turn)
            displacements.append(now - force * (now - before) / (force - force_before))
            advance([turn - 1.0, turn])
        if output is not None:
            plastic = material.cell_average("matrix.equivalent_plastic_strain")
            draw_cells(
                output / "plastic_strain.png",
                plastic,
                "mean equivalent plastic strain of the matrix",
                u,
            )
    return np.array(curve)


def write_curve(path: Path, curves: Mapping[str, Any]) -> None:
    """Force over displacement as a picture."""
    figure = Figure(figsize=(5.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for (name, curve), style in zip(curves.items(), ("-", "--"), strict=False):
        axes.plot(100 * curve[:, 1], curve[:, 2], style, marker=".", label=name)
    axes.set_xlabel("displacement of the edge, % of the half width")
    axes.set_ylabel("force")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def compare(
    laws: Mapping[str, Law], mesh_file: Path, peak: float, steps: int, output: Path
) -> None:
    """The same model and path with the network and with true FE², side by side."""
    curves: dict[str, Any] = {}
    figures: dict[str, dict[str, float]] = {}
    unloaded = None
    for name, law in laws.items():
        clocked = Clocked(law)
        # The answer of a unit cell is known to about 1e-6; both meet the same tolerance.
        plate = Plate(clocked, mesh_file, tolerance=1e-6)
        clocked.law.integrate(  # compile before the clock starts
            np.zeros((1, 4)), law.allocate(1), np.zeros((1, 4)), np.zeros((1, 4, 4))
        )
        curve = run(plate, peak, steps, name, None, unloaded)
        increments = len(curve) - 1
        curves[name] = curve[curve[:, 0] <= 2.0]  # both follow the path of the first
        unloaded = curves[name][-1, 1]
        share = 1e6 / (plate.points() * increments)
        figures[name] = {
            "points": plate.points(),
            "increments": increments,
            "wall_us_per_point_and_increment": share * MPI.COMM_WORLD.allreduce(clocked.wall),
            "cpu_us_per_point_and_increment": share * MPI.COMM_WORLD.allreduce(clocked.cpu),
        }
    if MPI.COMM_WORLD.rank != 0:
        return
    network, full_field = curves[LawName.DMN], curves[LawName.FE2]
    times = full_field[:, 0]
    forces = np.interp(times, network[:, 0], network[:, 2])
    largest = np.abs(full_field[:, 2]).max()
    error = float(np.abs(forces - full_field[:, 2]).max() / largest)
    ratio = {
        clock: figures[LawName.FE2][clock] / figures[LawName.DMN][clock]
        for clock in ("wall_us_per_point_and_increment", "cpu_us_per_point_and_increment")
    }
    table = Table(title="Network against true FE², the same coarse model and path")
    for heading in ("", "DMN", "FE²", "FE² / DMN"):
        table.add_column(heading, justify="right" if heading else "left")
    for clock in ratio:
        row = [figures[name][clock] for name in (LawName.DMN, LawName.FE2)]
        label = f"{clock[:4].strip('_')} time of the law, µs per point and increment"
        table.add_row(label, f"{row[0]:.1f}", f"{row[1]:.0f}", f"{ratio[clock]:.0f}")
    peaks = [np.abs(curves[name][:, 2]).max() for name in (LawName.DMN, LawName.FE2)]
    table.add_row("largest force", *(f"{value:.5f}" for value in peaks), "")
    table.add_row("largest difference of force / largest force", "", "", f"{100 * error:.2f} %")
    Console().print(table)
    rows = np.column_stack([times, full_field[:, 1], forces, full_field[:, 2]])
    header = "time,displacement,force_dmn,force_fe2"
    np.savetxt(output / "compare.csv", rows, delimiter=",", header=header, comments="")
    content = {"force_error": error, "cost_ratio": ratio, **figures}
    (output / "compare.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    write_curve(output / "compare.png", {"DMN": network, "FE²": full_field})


def main(
    law: Annotated[LawName, typer.Option(help="What answers at a quadrature point.")] = LawName.DMN,
    volume_fraction: Annotated[float, typer.Option(help="Of the discs.")] = 0.3,
    database: Annotated[str, typer.Option(help="Name or file of a database.")] = "discs_2d",
    phases: Annotated[Path, typer.Option(help="Phase laws (TOML).")] = PHASES,
    mesh_file: Annotated[Path | None, typer.Option("--mesh", help="Any meshio format.")] = None,
    strain: Annotated[float, typer.Option(help="Mean strain at the peak.")] = 0.01,
    steps: Annotated[int, typer.Option(min=1, help="Increments up, and again down.")] = 10,
    grid: Annotated[
        int | None,
        typer.Option(min=1, help="Voxels along a cell of FE²; the database's if not given."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder.")] = Path("results/plate_with_hole"),
    checkpoint_every: Annotated[int, typer.Option(min=1, help="So many increments.")] = 1,
    restart: Annotated[
        bool, typer.Option("--restart", help="Go on from the checkpoint in the output folder.")
    ] = False,
    comparison: Annotated[
        bool, typer.Option("--compare", help="DMN against FE² on the coarse mesh.")
    ] = False,
) -> None:
    """A plate with a hole whose every quadrature point is a particle composite."""
    coarse = comparison or law is LawName.FE2
    mesh_file = mesh_file or MESHES / f"plate_with_hole{'_coarse' if coarse else ''}.msh"
    started = time.perf_counter()
    try:
        phase_laws = read_phases(phases)
        output.mkdir(parents=True, exist_ok=True)
        names = [LawName.DMN, LawName.FE2] if comparison else [law]
        laws = {
            name: constitutive_law(name, phase_laws, database, volume_fraction, grid)
            for name in names
        }
        if comparison:
            compare(laws, mesh_file, strain, steps, output)
        else:
            clocked = Clocked(laws[law])
            # A unit cell is converged to 1e-6, a network far below.
            plate = Plate(clocked, mesh_file, 1e-6 if law is LawName.FE2 else 1e-12)
            curve = run(
                plate,
                strain,
                steps,
                law,
                output,
                checkpoint_every=checkpoint_every,
                restart=restart,
            )
            if MPI.COMM_WORLD.rank == 0:
                path = output / "force_displacement.csv"
                header = "time,displacement,force"
                np.savetxt(path, curve, fmt="%.16g", delimiter=",", header=header, comments="")
                write_curve(output / "force_displacement.png", {law: curve})
            total = time.perf_counter() - started
            console.print(
                f"{plate.points()} points, {len(curve) - 1} increments in {total:.1f} s, "
                f"{clocked.wall:.1f} s of them in the law; results in {output}"
            )
    except (OSError, ValueError, StepFailed) as error:
        console.print(f"[red]error:[/red] {error}")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
