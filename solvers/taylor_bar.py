"""A rod of a particle composite that hits a rigid wall: explicit dynamics.

The classical test of Taylor (1948, Proc. R. Soc. A 194), axisymmetric, with the network of a
composite of spheres at every quadrature point and a matrix that yields later the faster it is
strained. Nothing but the material field is of dmn_fem: central differences, lumped masses and the
contact with the wall are the lines of `fly`. Every step takes a stress and no tangent.

    python solvers/taylor_bar.py
    mpiexec -n 2 python solvers/taylor_bar.py --speed 30
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import ufl
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from dmn_fem.database import Database
from dmn_fem.fem import MaterialField, ResultFile, axisymmetric_strain, draw_cells
from dmn_fem.laws import PlaneStrain, read_phases
from dmn_fem.online import NetworkLaw

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem, la, mesh
from mpi4py import MPI

PHASES = Path(__file__).with_name("glass_beads_epoxy.toml")
LENGTH, RADIUS = 50.0, 5.0
"""Of the rod, mm."""
COURANT = 0.4
"""Step over the time in which the fastest wave crosses a cell."""

console = Console(stderr=True, quiet=MPI.COMM_WORLD.rank != 0)


class Rod:
    """Half the section of a rod that flies along its axis z against a wall at z = 0.

    Args:
        law: A law of dimension 3.
        density: Mass per volume.
        cells: Along the radius; ten times as many along the axis.
    """

    def __init__(self, law: NetworkLaw, density: float, cells: int) -> None:
        corners, counts = [(0.0, 0.0), (RADIUS, LENGTH)], (cells, 10 * cells)
        domain = mesh.create_rectangle(MPI.COMM_WORLD, corners, counts, mesh.CellType.quadrilateral)
        V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
        self.u, v = fem.Function(V, name="displacement"), ufl.TestFunction(V)
        x = ufl.SpatialCoordinate(domain)
        self.material = MaterialField(
            PlaneStrain(law), strain=axisymmetric_strain(self.u, x), weight=x[0]
        )
        around, dx = 2 * np.pi * x[0], self.material.dx
        inner = ufl.dot(self.material.stress, axisymmetric_strain(v, x))
        self._forces = fem.form(inner * around * dx)
        self.owned = V.dofmap.index_map.size_local * 2
        self.mass = self._assembled(fem.form(density * (v[0] + v[1]) * around * dx))
        on_axis = mesh.locate_entities_boundary(domain, 1, lambda x: np.isclose(x[0], 0.0))
        on_wall = mesh.locate_entities_boundary(domain, 1, lambda x: np.isclose(x[1], 0.0))
        self.axis = self._dofs(on_axis, 0)
        self.wall = self._dofs(on_wall, 1)
        # The largest stiffness of any strain bounds the speed of waves.
        strain, stress, tangent = np.zeros((1, 6)), np.zeros((1, 6)), np.zeros((1, 6, 6))
        law.integrate(strain, law.allocate(1), stress, tangent)
        fastest = np.sqrt(np.linalg.eigvalsh(tangent[0])[-1] / density)
        self.dt = COURANT * (RADIUS / cells) / fastest

    def _dofs(self, facets: np.ndarray, axis: int) -> np.ndarray:
        """Owned degrees of freedom of a component on facets."""
        dofs = fem.locate_dofs_topological(self.u.function_space.sub(axis), 1, facets)
        return dofs[dofs < self.owned]

    def _assembled(self, form: fem.Form) -> np.ndarray:
        vector = fem.assemble_vector(form)
        vector.scatter_reverse(la.InsertMode.add)
        return vector.array[: self.owned]

    def total(self, values: np.ndarray) -> float:
        """Sum over the owned values of all ranks."""
        return self.u.function_space.mesh.comm.allreduce(float(values.sum()))

    def forces(self) -> np.ndarray:
        """Internal forces on the owned degrees of freedom after a step at the present strain."""
        self.u.x.scatter_forward()
        self.material.dt = self.dt
        self.material.accept()
        return self._assembled(self._forces)


def fly(rod: Rod, speed: float, duration: float, output: Path, frames: int) -> np.ndarray:
    """Let the rod hit the wall.

    Returns:
        Rows of time, force of the wall, kinetic energy, work of the stresses, and the energy that
        nodes lose where they stop at the wall.
    """
    u, mass, dt = rod.u.x.array[: rod.owned], rod.mass, rod.dt
    velocity, forces = np.zeros(rod.owned), np.zeros(rod.owned)
    velocity[1::2] = -speed
    work = lost = 0.0
    count = round(duration / dt)
    quantities = ["stress", "matrix.equivalent_plastic_strain"]
    results = ResultFile(output / "taylor_bar.pvd", rod.u, rod.material, quantities)
    rows = [(0.0, 0.0, rod.total(0.5 * mass * velocity**2), 0.0, 0.0)]
    results.write(0.0)
    steps = range(1, count + 1)
    for step in track(steps, "steps", console=console, disable=not console.is_terminal):
        before, free = velocity, velocity - dt * forces / mass
        free[rod.axis] = 0.0
        # A node that would enter the wall stops at it; none is held back.
        velocity = free.copy()
        into = rod.wall[u[rod.wall] + dt * free[rod.wall] < 0.0]
        velocity[into] = -u[into] / dt
        impulse, mean = mass * (velocity - free), 0.5 * (before + velocity)
        work += rod.total(dt * forces * mean)
        lost -= rod.total(impulse * mean)
        kinetic = rod.total(0.5 * mass * velocity**2)
        rows.append((step * dt, rod.total(impulse) / dt, kinetic, work, lost))
        u += dt * velocity
        forces = rod.forces()
        if step * frames // count > (step - 1) * frames // count:
            results.write(step * dt)
    return np.array(rows)


def write_history(path: Path, rows: np.ndarray) -> None:
    """Force and energies over time as a table and a picture."""
    header = "time,wall_force,kinetic_energy,work_of_stresses,lost_at_wall"
    np.savetxt(path, rows, fmt="%.16g", delimiter=",", header=header, comments="")
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    microseconds = 1e6 * rows[:, 0]
    left.plot(microseconds, rows[:, 1] / 1e3)
    left.set_ylabel("force of the wall, kN")
    names = ("kinetic", "work of the stresses", "lost at the wall")
    for name, values in zip(names, rows[:, 2:].T, strict=True):
        right.plot(microseconds, values / 1e3, label=name)
    right.plot(microseconds, rows[:, 2:].sum(axis=1) / 1e3, "k--", label="sum")
    right.set_ylabel("energy, J")
    right.set_ylim(top=1.4e-3 * rows[0, 2])  # room for the legend
    right.legend(ncols=2, loc="upper center")
    for axes in (left, right):
        axes.set_xlabel("time, µs")
        axes.grid(alpha=0.3)
    figure.savefig(path.with_suffix(".png"), dpi=150)


def main(
    speed: Annotated[float, typer.Option(help="At which the rod hits, m/s.")] = 40.0,
    volume_fraction: Annotated[float, typer.Option(help="Of the spheres.")] = 0.3,
    database: Annotated[str, typer.Option(help="Name or file of a database.")] = "spheres_3d",
    phases: Annotated[Path, typer.Option(help="Phase laws (TOML), MPa and s.")] = PHASES,
    density: Annotated[float, typer.Option(help="Of the composite, kg/m³.")] = 1600.0,
    duration: Annotated[float, typer.Option(help="Time to follow the rod, µs.")] = 90.0,
    cells: Annotated[int, typer.Option(min=1, help="Cells along the radius.")] = 6,
    frames: Annotated[int, typer.Option(min=1, help="Times at which results are written.")] = 20,
    output: Annotated[Path, typer.Option(help="Folder.")] = Path("results/taylor_bar"),
) -> None:
    """A rod of a particle composite that hits a rigid wall."""
    started = time.perf_counter()
    try:
        output.mkdir(parents=True, exist_ok=True)
        composite = Database.load(database).at(volume_fraction=volume_fraction)
        rod = Rod(NetworkLaw(composite, read_phases(phases)), 1e-12 * density, cells)
        rows = fly(rod, 1e3 * speed, 1e-6 * duration, output, frames)
        plastic = rod.material.cell_average("matrix.equivalent_plastic_strain")
        draw_cells(output / "plastic_strain.png", plastic, "matrix plastic strain", rod.u)
        if MPI.COMM_WORLD.rank == 0:
            write_history(output / "history.csv", rows)
        points = rod.u.function_space.mesh.comm.allreduce(rod.material.state.points)
        total = time.perf_counter() - started
        console.print(
            f"{points} points, {len(rows) - 1} steps in {total:.1f} s; results in {output}"
        )
    except (OSError, ValueError, RuntimeError) as error:
        console.print(f"[red]error:[/red] {error}")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
