"""An open-hole coupon of a woven composite in three scales: fibres in yarns, yarns in a weave.

The network of a plain weave takes that of a bundle of fibres, turned along each yarn, in place of
every leaf of its yarns, and is again one network: the law of every quadrature point. The coupon is
pulled along its warp, and again with the weave turned by 45 degrees.

    python solvers/woven.py
    mpiexec -n 2 python solvers/woven.py --angles 0,15,30,45

A run that was stopped goes on from its last checkpoints: add ``--restart``.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import ufl
from matplotlib.figure import Figure
from rich.console import Console

from dmn_fem.database import Database
from dmn_fem.fem import (
    MaterialField,
    ResultFile,
    StepFailed,
    Stepper,
    all_or_none,
    choose_linear_solver,
    draw_body,
    load_checkpoint,
    mandel_strain,
    reaction_force,
    read_mesh,
    save_checkpoint,
)
from dmn_fem.laws import read_phases
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

# DOLFINx comes after dmn_fem.fem, which prepares it.
# isort: split
from dolfinx import fem
from dolfinx.fem.petsc import NonlinearProblem
from mpi4py import MPI

MESHES = Path(__file__).parents[1] / "meshes"
PHASES = Path(__file__).with_name("glass_epoxy.toml")
HELD, PULLED, MIDDLE = 2, 3, 4
"""Tags of the faces, as ``meshes/coupon.py`` gives them."""
PICTURES = {
    "matrix.equivalent_plastic_strain": "plastic strain between the yarns",
    "yarn_matrix.equivalent_plastic_strain": "plastic strain within the yarns",
}
ACROSS = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]  # from warp to weft

console = Console(stderr=True, quiet=MPI.COMM_WORLD.rank != 0)


def three_scales(weave: str, yarn: str, yarns: float, packing: float) -> Network:
    """The network of a weave whose yarns are bundles of fibres.

    Args:
        weave: Name or file of the database of the weave.
        yarn: Of unidirectional fibres along axis 1.
        yarns: Volume fraction of the yarns in the weave.
        packing: That of the fibres in a yarn.

    Returns:
        Its phases are the matrix between the yarns, that within them, and the fibres.
    """
    bundle = Database.load(yarn).at(volume_fraction=packing).aligned()
    bundle = replace(bundle, phases=("yarn_matrix", "fibre"))
    cell = Database.load(weave).at(volume_fraction=yarns)
    return cell.grafted({"warp": bundle, "weft": bundle.rotated(ACROSS)})


def price(law: NetworkLaw, points: int = 64) -> tuple[float, float]:
    """Bytes of the state, and CPU microseconds of a plastic increment with tangent, of a point."""
    strain, state = 0.005 * np.random.default_rng(0).normal(size=(points, 6)), law.allocate(points)
    answer = state, np.empty((points, 6)), np.empty((points, 6, 6))
    law.integrate(strain, *answer)  # compiles
    start = time.process_time()
    law.integrate(strain, *answer)
    seconds = time.process_time() - start
    return (state.old.nbytes + state.new.nbytes) / points, 1e6 * seconds / points


class Coupon:
    """The coupon, held and pulled by its ends.

    Args:
        mesh_file: Its mesh, the upper half of it, with the tags above.
        law: The law at its quadrature points.
        angle: Between the pull and the warp, in degrees.
    """

    def __init__(self, mesh_file: Path, law: NetworkLaw, angle: float) -> None:
        found = read_mesh(mesh_file)
        domain = found.mesh
        V = fem.functionspace(domain, ("Lagrange", 2, (3,)))
        u, v = fem.Function(V), ufl.TestFunction(V)
        self.pull, held = fem.Constant(domain, 0.0), fem.Constant(domain, 0.0)

        def face(tag: int, axis: int) -> np.ndarray:
            return fem.locate_dofs_topological(V.sub(axis), 2, found.facet_tags.find(tag))

        self.pulled = face(PULLED, 0)
        bcs = [
            fem.dirichletbc(held, face(tag, axis), V.sub(axis))
            for tag, axis in ((HELD, 0), (HELD, 1), (PULLED, 1), (MIDDLE, 2))
        ]
        bcs.append(fem.dirichletbc(self.pull, self.pulled, V.sub(0)))
        turn = np.radians(angle)
        warp = fem.Constant(domain, [np.cos(turn), np.sin(turn), 0.0])
        self.material = MaterialField(law, strain=mandel_strain(u), degree=2, frame=warp)
        F = ufl.dot(self.material.stress, mandel_strain(v)) * self.material.dx
        options = {
            "snes_linesearch_type": "basic",
            "snes_rtol": 1e-8,
            "snes_atol": 1e-7,
            "snes_stol": 0.0,
            "snes_max_it": 15,
        }
        self.problem = NonlinearProblem(
            F,
            u,
            J=self.material.jacobian(F, u),
            bcs=bcs,
            petsc_options_prefix="coupon_",
            petsc_options=options,
        )
        self.material.attach(self.problem)
        choose_linear_solver(self.problem)
        x, comm = domain.geometry.x, domain.comm
        size = [
            comm.allreduce(x[:, axis].max(), MPI.MAX) - comm.allreduce(x[:, axis].min(), MPI.MIN)
            for axis in range(3)
        ]
        self.length, self.section = size[0], size[1] * size[2]


def run(coupon: Coupon, peak: float, steps: int, output: Path, restart: bool) -> np.ndarray:
    """Pull to a mean strain and let a part of it back.

    Returns:
        Rows of time, mean strain and mean stress, the stress-free state included.
    """
    u, material = coupon.problem.u, coupon.material

    def load(now: float) -> None:
        strain = np.interp(now, [0.0, 1.0, 1.5], [0.0, peak, 0.7 * peak])
        coupon.pull.value = strain * coupon.length

    stepper = Stepper(coupon.problem, [material], load, growth=1.25)
    curve = [(0.0, 0.0, 0.0)]
    if restart and (output / "checkpoint").exists():
        curve = [tuple(row) for row in load_checkpoint(output / "checkpoint", stepper)["curve"]]
    quantities = ["stress", "strain", *PICTURES]
    results = ResultFile(
        output / "coupon.pvd", u, material, quantities, points=True, resume=stepper.time
    )
    for step in stepper.run([*np.linspace(0.0, 1.0, steps + 1), 1.25, 1.5]):
        stress = reaction_force(coupon.problem, coupon.pulled) / coupon.section
        strain = float(coupon.pull.value) / coupon.length
        curve.append((step.time, strain, stress))
        console.print(
            f"strain {100 * strain:.3f} %  stress {stress:7.2f}  {step.iterations} iterations"
        )
        if step.requested:
            results.write(step.time)
        if step.time == 1.0:
            for quantity, label in PICTURES.items():
                file = output / f"{quantity.partition('.')[0]}.png"
                draw_body(file, material.cell_average(quantity), label, u)
        save_checkpoint(output / "checkpoint", stepper, {"curve": curve})
    return np.array(curve)


def draw_curves(path: Path, curves: dict[float, np.ndarray]) -> None:
    """Mean stress over mean strain at every angle as a picture, and each as a table."""
    figure = Figure(figsize=(5.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for angle, curve in curves.items():
        axes.plot(100 * curve[:, 1], curve[:, 2], marker=".", label=f"{angle:g}° to the warp")
        file = path.with_name(f"stress_strain_{angle:g}.csv")
        header = "time,strain,stress"
        np.savetxt(file, curve, fmt="%.16g", delimiter=",", header=header, comments="")
    axes.set(xlabel="mean strain, %", ylabel="mean stress, MPa")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def main(
    mesh_file: Annotated[Path, typer.Option("--mesh", help="With tags of its ends.")] = MESHES
    / "coupon.msh",
    weave: Annotated[str, typer.Option(help="Name or file of a database.")] = "weave_3d",
    yarn: Annotated[str, typer.Option(help="Name or file of a database.")] = "yarn_3d",
    phases: Annotated[Path, typer.Option(help="Phase laws (TOML).")] = PHASES,
    yarns: Annotated[float, typer.Option(help="Volume fraction of the yarns.")] = 0.45,
    packing: Annotated[float, typer.Option(help="Of the fibres in a yarn.")] = 0.6,
    angles: Annotated[str, typer.Option(help="Between pull and warp, degrees.")] = "0,45",
    peak: Annotated[float, typer.Option(help="Largest mean strain.")] = 0.012,
    steps: Annotated[int, typer.Option(min=1, help="Increments to it.")] = 6,
    output: Annotated[Path, typer.Option(help="Folder.")] = Path("results/woven"),
    restart: Annotated[
        bool, typer.Option("--restart", help="Go on from the checkpoints in the output folder.")
    ] = False,
) -> None:
    """An open-hole coupon of a woven composite in three scales."""
    started = time.perf_counter()
    try:
        network = three_scales(weave, yarn, yarns, packing)
        laws = read_phases(phases)
        if "matrix" in laws:  # the resin is the same within the yarns, if nobody says otherwise
            laws.setdefault("yarn_matrix", laws["matrix"])
        law = NetworkLaw(network, laws)
        comm, curves = MPI.COMM_WORLD, {}
        # The other ranks load what the first compiles.
        memory, microseconds = all_or_none(comm, lambda: (0, 0) if comm.rank else price(law))
        console.print(
            f"{len(network.tree().leaf_weight)} leaves; a point takes {memory / 1000:.0f} kB "
            f"and {microseconds:.0f} µs for a plastic increment"
        )
        for angle in [float(each) for each in angles.split(",")]:
            folder = output / f"{angle:g}"
            folder.mkdir(parents=True, exist_ok=True)
            coupon = Coupon(mesh_file, law, angle)
            points = comm.allreduce(coupon.material.state.points)
            console.print(f"{angle:g} degrees: {points} points on {comm.size} ranks")
            curves[angle] = run(coupon, peak, steps, folder, restart)
        if comm.rank == 0:
            draw_curves(output / "stress_strain.png", curves)
        total = time.perf_counter() - started
        console.print(f"all angles in {total:.1f} s; results in {output}")
    except (OSError, ValueError, StepFailed) as error:
        console.print(f"[red]error:[/red] {error}")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
