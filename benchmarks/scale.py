"""What a quadrature point costs in a model: law, assembly and linear solve, on one rank and more.

A bar of a short-fibre composite is bent into the plastic range, with quadratic tetrahedra; every
number of ranks runs by itself, under mpiexec. The law's clock runs inside its `integrate`; assembly
is what else SNES's callbacks take (strains at the points included), the solve what SNES takes
beside its callbacks. All these times are the slowest rank's. The law's efficiency has two factors,
of CPU seconds, which other processes disturb less: what a point costs on one rank and on several,
and how evenly ranks share what all points cost.

    python benchmarks/scale.py                      # 10⁵ points, on 1 and 2 ranks; minutes
    python benchmarks/scale.py --cells 4 --steps 2  # a glance
    python benchmarks/scale.py --weak               # as many points on every rank
    python benchmarks/scale.py --pieces 8           # every rank has pieces all over the bar
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

DATABASE = "short_fibres_3d"
ORIENTATION = np.diag([0.6, 0.25, 0.15])
VOLUME_FRACTION = 0.15
LENGTH = 4
DEFLECTION = 0.06
LAWS = ["network", "j2"]


def main() -> None:
    """Run on every number of ranks, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=11, help="through the height of the bar")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--weak", action="store_true", help="--cells are those of one rank")
    parser.add_argument("--laws", nargs="+", choices=LAWS, default=LAWS)
    parser.add_argument("--pieces", type=int, default=1, help="of the mesh, for every rank")
    parser.add_argument("--output", type=Path, help="JSON")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)  # a run, under mpiexec
    arguments = parser.parse_args()
    if arguments.one:
        bend(arguments.cells, arguments.steps, arguments.pieces, arguments.one)
        return
    runs = []
    for ranks in arguments.ranks:
        cells = round(arguments.cells * ranks ** (1 / 3)) if arguments.weak else arguments.cells
        for law in arguments.laws:
            runs.append(launch(ranks, cells, arguments.steps, arguments.pieces, law))
    if arguments.output:
        arguments.output.write_text(json.dumps(runs, indent=2), encoding="utf-8")
    Console(width=120).print(cost_of(runs), point_of(runs))


def launch(ranks: int, cells: int, steps: int, pieces: int, law: str) -> dict[str, Any]:
    """A run under mpiexec, in processes of its own."""
    launcher = Path(sys.executable).with_name("mpiexec")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / f"{law}.json"
        command = [launcher, "-n", ranks, sys.executable, __file__, "--cells", cells]
        command += ["--steps", steps, "--pieces", pieces, "--one", result]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([str(part) for part in command], check=True, env=environment)
        return json.loads(result.read_text(encoding="utf-8"))


class Clock:
    """Adds up the time that functions take, by a clock of the `time` module."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.total = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*arguments: Any, **keywords: Any) -> Any:
            before = self.now()
            try:
                return function(*arguments, **keywords)
            finally:
                self.total += self.now() - before

        return timed


def memory() -> int:
    """Bytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def bend(cells: int, steps: int, pieces: int, result: Path) -> None:
    """A bar clamped at one end, pushed down at the other; what it cost goes to the file."""
    from dmn_fem.database import Database
    from dmn_fem.fem import (
        MaterialField,
        Stepper,
        choose_linear_solver,
        interleaved_partitioner,
        mandel_strain,
    )
    from dmn_fem.laws import J2Plasticity, LinearElastic, VoceHardening
    from dmn_fem.online import NetworkLaw, material_law

    # isort: split
    import ufl
    from dolfinx import fem, mesh
    from dolfinx.fem.petsc import NonlinearProblem
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    matrix = J2Plasticity(2.0, 0.4, 0.03, VoceHardening(saturation=0.05, rate=60.0, modulus=0.05))
    if result.stem == "network":
        network = Database.load(DATABASE).at(
            orientation=ORIENTATION, volume_fraction=VOLUME_FRACTION
        )
        law = NetworkLaw(network, {"matrix": matrix, "fibre": LinearElastic(72.0, 0.22)})
    else:
        law = material_law(replace(matrix, yield_stress=0.01), 3)
    blank = np.zeros((1, 6)), law.allocate(1), np.empty((1, 6)), np.empty((1, 6, 6))
    law.integrate(*blank)  # compiled, or read from the cache, before the clocks start

    shape = [LENGTH * cells, cells, cells]
    partitioner = interleaved_partitioner(pieces, mesh.GhostMode.shared_facet)
    domain = mesh.create_box(comm, [[0, 0, 0], [LENGTH, 1, 1]], shape, partitioner=partitioner)
    V = fem.functionspace(domain, ("Lagrange", 2, (3,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    before = memory()
    clocks = {name: Clock(time.perf_counter) for name in ("law", "callbacks", "solve")}
    clocks["law on the CPU"] = Clock(time.process_time)
    law.integrate = clocks["law"].around(clocks["law on the CPU"].around(law.integrate))
    material = MaterialField(law, strain=mandel_strain(u), degree=2)
    held = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[0], 0))
    facets = mesh.locate_entities_boundary(domain, 2, lambda x: np.isclose(x[0], LENGTH))
    pushed = fem.locate_dofs_topological(V.sub(2), 2, facets)
    deflection = fem.Constant(domain, 0.0)
    F = ufl.dot(material.stress, mandel_strain(v)) * material.dx
    problem = NonlinearProblem(
        F,
        u,
        J=material.jacobian(F, u),
        bcs=[
            fem.dirichletbc(np.zeros(3), held, V),
            fem.dirichletbc(deflection, pushed, V.sub(2)),
        ],
        petsc_options_prefix="bar_",
        petsc_options={
            "snes_linesearch_type": "basic",
            "snes_rtol": 1e-8,
            "snes_atol": 1e-12,
            "snes_stol": 0.0,
            "snes_max_it": 15,
        },
    )
    solver = choose_linear_solver(problem)
    material.attach(problem)
    for get, put, holder in (
        (problem.solver.getFunction, problem.solver.setFunction, [problem.b]),
        (problem.solver.getJacobian, problem.solver.setJacobian, [problem.A, problem.P_mat]),
    ):
        callback, arguments, keywords = get()[-1]
        put(clocks["callbacks"].around(callback), *holder, arguments, keywords)
    problem.solver.setUp()
    problem.solve = clocks["solve"].around(problem.solve)

    def load(now: float) -> None:
        deflection.value = -DEFLECTION * LENGTH * now

    law.integrate(np.zeros((material.state.points, 6)), material.state, *_targets(material))
    material.state.revert()  # all of its memory has been written to now
    held_bytes = memory() - before
    clocks["law"].total = clocks["law on the CPU"].total = 0.0
    stepper = Stepper(problem, [material], load)
    taken, linear = [], 0
    for step in stepper.run(np.linspace(0.0, 1.0, steps + 1)):
        taken.append(step)
        linear += problem.solver.getLinearSolveIterations()
    points = material.state.points

    def slowest(seconds: float) -> float:
        return comm.allreduce(seconds, op=MPI.MAX)

    plastic = law.averages(material.state)["matrix.equivalent_plastic_strain"]
    figures = {
        "law": result.stem,
        "solver": solver,
        "ranks": comm.size,
        "points": comm.allreduce(points),
        "unknowns": V.dofmap.index_map.size_global * 3,
        "steps": len(taken),
        "iterations": sum(step.iterations for step in taken),
        "linear_iterations": linear,
        "shared": comm.allreduce(V.dofmap.index_map.num_ghosts * 3) / comm.size,
        "yielded": comm.allreduce(int((plastic > 1e-8).sum())),
        "state_bytes": (material.state.old.nbytes + material.state.new.nbytes) / max(points, 1),
        "field_bytes": held_bytes / max(points, 1),
        "law_seconds": slowest(clocks["law"].total),
        "law_cpu_seconds": comm.allgather(clocks["law on the CPU"].total),
        "assembly_seconds": slowest(clocks["callbacks"].total - clocks["law"].total),
        "solve_seconds": slowest(clocks["solve"].total - clocks["callbacks"].total),
    }
    if comm.rank == 0:
        result.write_text(json.dumps(figures), encoding="utf-8")


def _targets(material: Any) -> tuple[np.ndarray, np.ndarray]:
    points = material.state.points
    return np.empty((points, 6)), np.empty((points, 6, 6))


def cost_of(runs: list[dict[str, Any]]) -> Table:
    """Seconds of every run, by what took them."""
    table = Table(title=f"A bar of {DATABASE}, bent; seconds of the slowest rank")
    for heading in (
        "", "ranks", "points", "unknowns", "of others, a rank", "steps", "Newton", "linear",
        "yielded", "law", "assembly", "solve",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    counted = "points", "unknowns", "shared", "steps", "iterations", "linear_iterations"
    for run in runs:
        table.add_row(
            run["law"],
            str(run["ranks"]),
            *(f"{run[name]:.0f}" for name in counted),
            f"{100 * run['yielded'] / run['points']:.0f} %",
            *(f"{run[f'{name}_seconds']:.1f}" for name in ("law", "assembly", "solve")),
        )
    return table


def point_of(runs: list[dict[str, Any]]) -> Table:
    """What a quadrature point takes, and how that changes with the ranks."""
    table = Table(title="A quadrature point")
    for heading in (
        "", "ranks", "law, CPU µs a Newton step", "efficiency at a point", "balance of the ranks",
        "bytes", "of them state",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    first: dict[str, float] = {}
    for run in runs:
        seconds = run["law_cpu_seconds"]
        cost = 1e6 * sum(seconds) / (run["points"] * run["iterations"])
        table.add_row(
            run["law"],
            str(run["ranks"]),
            f"{cost:.1f}",
            f"{100 * first.setdefault(run['law'], cost) / cost:.0f} %",
            f"{100 * sum(seconds) / (run['ranks'] * max(seconds)):.0f} %",
            f"{run['field_bytes']:.0f}",
            f"{run['state_bytes']:.0f}",
        )
    return table


if __name__ == "__main__":
    main()
