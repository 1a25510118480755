"""CPU time, memory and scaling of elastic samples, and muSpectre beside them.

    python benchmarks/full_field.py --plot full_field.png
    python benchmarks/full_field.py --large                # 128^3 too: minutes, 1 GB

A sample is all load cases of one drawn pair of phases (contrast up to 10^3) on composite voxels.
Times are CPU seconds on one core, compilation excluded; those of the campaigns, on processes and on
MPI ranks of which the first only hands out, are wall-clock rates.

The comparison has binary voxels on odd grids (muSpectre's projection lets hourglass strains through
on even ones), isotropic phases of contrast 100, and in both codes the same discretisation. The
tolerances mean different things: each code gets the loosest of a ladder, three steps a decade, at
which its own 11 component lies within 1e-4 of what it gives with a tight tolerance.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from dmn_fem.homogenization import (
    Workers,
    draw_phase_stiffness,
    homogenize,
    sample,
    start_processes,
    start_ranks,
)
from dmn_fem.microstructure import PhaseImage, discs, spheres
from dmn_fem.notation import IN_PLANE, isotropic_stiffness
from dmn_fem.plotting import new_figure

GRIDS = {2: (32, 64, 128, 256, 512), 3: (16, 32, 64)}
PEER_GRIDS = ((2, 127), (3, 33), (3, 63))
PEER_MODULI = ((1.0, 0.35), (100.0, 0.2))  # Young's modulus, Poisson's ratio
PEER_ERROR = 1e-4
PROCESSES = (1, 2)
CAMPAIGN = 60  # samples of a campaign, on 128^2 voxels


def main() -> None:
    """Measure, print the tables and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="PNG", help="draw the scaling")
    parser.add_argument("--large", action="store_true", help="128^3 voxels too")
    parser.add_argument("--memory", type=int, metavar="N", help="bytes a voxel of N^3 alone")
    parser.add_argument("--ranks", action="store_true", help="rate of a campaign alone, by mpiexec")
    arguments = parser.parse_args()
    if arguments.memory:
        print(memory(arguments.memory))
    elif arguments.ranks:
        with start_ranks() as workers:
            if workers is not None:
                print(rate(workers))
    else:
        console = Console()
        times = elastic_samples(console, arguments.large)
        if importlib.util.find_spec("muSpectre"):
            beside_muspectre(console)
        rates = campaigns(console)
        if arguments.plot:
            plot(times, rates, arguments.plot)


def cell(dimension: int, grid: int) -> PhaseImage:
    """30 discs or 20 spheres at a volume fraction of 0.3."""
    particles = discs(0.3, 30, seed=1) if dimension == 2 else spheres(0.3, 20, seed=1)
    return particles.image(grid)


def elastic_samples(console: Console, large: bool) -> dict[int, dict[int, float]]:
    """Table of samples; CPU seconds of each by dimension and number of voxels."""
    table = Table(
        *("grid", "load cases", "CPU s, mean", "max", "CG iterations, mean", "bytes / voxel")
    )
    times: dict[int, dict[int, float]] = {2: {}, 3: {}}
    for dimension, grids in GRIDS.items():
        for grid in (*grids, 128) if large and dimension == 3 else grids:
            image = cell(dimension, grid)
            voxels = grid**dimension
            draws = draw_phase_stiffness(dimension, 2, 10, seed=0)
            homogenize(cell(dimension, 8), draws[0])  # compiles
            seconds, iterations = [], []
            for phases in draws[: 10 if voxels < 1e5 else 3 if voxels < 1e6 else 1]:
                spent, result = timed(partial(homogenize, image, phases, 1e-4))
                seconds.append(spent)
                iterations.append(np.mean(result.iterations))
            times[dimension][voxels] = float(np.mean(seconds))
            table.add_row(
                f"{grid}^{dimension}",
                str(len(result.stiffness)),
                f"{np.mean(seconds):.3f}",
                f"{np.max(seconds):.3f}",
                f"{np.mean(iterations):.0f}",
                call("--memory", str(grid)) if dimension == 3 and grid >= 64 else "",
            )
    console.print(table)
    return times


def timed[T](work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of a call and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def call(*arguments: str, launcher: tuple[str, ...] = ()) -> str:
    """What this program prints in a process of its own."""
    command = [*launcher, sys.executable, __file__, *arguments]
    environment = os.environ | {"UCX_TLS": os.environ.get("UCX_TLS", "self,sm,tcp")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


def memory(grid: int) -> int:
    """Bytes a voxel that a sample takes at its peak, beside the image and the program."""
    phases = draw_phase_stiffness(3, 2, 1, seed=0)[0]
    phases[1] = 10 * phases[0]  # a contrast of few iterations: they all take the same memory
    homogenize(cell(3, 8), phases)
    image = cell(3, grid)
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
    before = resident("VmRSS")
    homogenize(image, phases, 1e-2)
    return round((resident("VmHWM") - before) / grid**3)


def resident(name: str) -> int:
    """A figure of this process in bytes, as Linux gives it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(name)))


def beside_muspectre(console: Console) -> None:
    """Table of both codes at an equal error of the result."""
    table = Table(
        *("grid", "CPU s", "muSpectre, CPU s", "ratio", "iterations", "muSpectre", "difference")
    )
    for dimension, grid in PEER_GRIDS:
        table.add_row(f"{grid}^{dimension}", *peer_row(dimension, grid))
    console.print(table)


def peer_row(dimension: int, grid: int) -> list[str]:
    """What stands in the table of both codes about one grid."""
    from muspectre_cell import MuSpectreCell

    image = PhaseImage(cell(dimension, grid).phases, ("matrix", "inclusion"))
    stiffness = np.array([isotropic_stiffness(*moduli) for moduli in PEER_MODULI])
    if dimension == 2:
        stiffness = stiffness[:, IN_PLANE][:, :, IN_PLANE]
    ours = partial(homogenize, image, stiffness)
    peer = MuSpectreCell(image.phases, PEER_MODULI)
    tolerance = loosest(lambda tolerance: ours(tolerance).stiffness[0, 0])
    seconds, result = timed(partial(ours, tolerance))
    tolerance = loosest(lambda tolerance: peer.column(0, tolerance)[0][0])
    peer_seconds, columns = timed(
        lambda: [peer.column(case, tolerance) for case in range(len(result.stiffness))]
    )
    found = np.transpose([column for column, _ in columns])
    difference = np.linalg.norm(found - result.stiffness) / np.linalg.norm(found)
    return [
        f"{seconds:.2f}",
        f"{peer_seconds:.2f}",
        f"{peer_seconds / seconds:.1f}",
        f"{np.mean(result.iterations):.0f}",
        f"{np.mean([iterations for _, iterations in columns]):.0f}",
        f"{difference:.0e}",
    ]


def loosest(answer: Callable[[float], float]) -> float:
    """Loosest tolerance of a ladder whose answer has the error that is asked for."""
    tight = answer(1e-8)
    for step in count(3):
        tolerance = 10 ** (-step / 3)
        if abs(answer(tolerance) / tight - 1) <= PEER_ERROR:
            return tolerance


def campaigns(console: Console) -> dict[str, list[float]]:
    """Table of samples a second on processes and on ranks."""
    rates: dict[str, list[float]] = {"processes": [], "ranks": []}
    for number in PROCESSES:
        with start_processes(number) as workers:
            rates["processes"].append(rate(workers))
        launcher = (mpiexec(), "-n", str(number + 1))
        rates["ranks"].append(float(call("--ranks", launcher=launcher)))
    table = Table("samples / s of 128^2", *(f"{number} computing" for number in PROCESSES))
    for name, values in rates.items():
        table.add_row(name, *(f"{value:.1f}" for value in values))
    console.print(table)
    return rates


def mpiexec() -> str:
    """The launcher beside this Python, else that of the system."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else "mpiexec"


def rate(workers: Workers) -> float:
    """Samples a second of a campaign, once the workers are warm."""
    image = cell(2, 128)
    list(workers.executor.map(warm, [image] * workers.capacity))
    with tempfile.TemporaryDirectory() as directory:
        start = time.perf_counter()
        sample(image, Path(directory, "samples.h5"), CAMPAIGN, 0, workers=workers)
        return CAMPAIGN / (time.perf_counter() - start)


def warm(image: PhaseImage) -> None:
    """Compile, and leave the next call to another worker, which may still be starting."""
    homogenize(image, draw_phase_stiffness(2, 2, 1, seed=0)[0])
    time.sleep(3)


def plot(times: dict[int, dict[int, float]], rates: dict[str, list[float]], path: str) -> None:
    """Draw CPU time over voxels, and rates over processes and ranks."""
    figure = new_figure(9.0, 4.0)
    left, right = figure.subplots(1, 2)
    for dimension, of_voxels in times.items():
        voxels, seconds = np.array(list(of_voxels)), np.array(list(of_voxels.values()))
        (line,) = left.loglog(voxels, seconds, "o-", label=f"{dimension}D")
        linear = seconds[-1] * voxels / voxels[-1]
        left.loglog(voxels, linear, ":", color=line.get_color(), label="linear")
    left.set(xlabel="voxels", ylabel="CPU seconds a sample", title="all load cases, one core")
    right.plot(PROCESSES, rates["processes"], "o-", label="processes")
    right.plot(PROCESSES, rates["ranks"], "s-", label="ranks, beside the first")
    ideal = rates["processes"][0] * np.array(PROCESSES)
    right.plot(PROCESSES, ideal, "k:", label="ideal")
    right.set(xlabel="computing", ylabel="samples a second", title="campaign on 128² voxels")
    right.set(xticks=PROCESSES, ylim=(0, None))
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
