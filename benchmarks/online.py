"""What an increment of a network costs, by leaves, law, yielded share and database, on one core.

A case is a batch of points that have been loaded in nine proportional increments, each in its own
random direction; measured is the tenth, again and again from the same old state. The strain is such
that the wanted share of the flowing leaves yields in it. Times are of CPU, the least of runs that
alternate between the variants; with them runs what the core can do at best (`flops`). A sweep is
one Newton iteration: the difference between a strict and a lax tolerance by the iterations between.

What it is compared with, on the same points: a first version in Numba (`naive_network`), and the
balance of all leaves as one dense system in NumPy (the reference of the tests, whose time at few
leaves is Python's).

    python benchmarks/online.py
    python benchmarks/online.py --only laws --json figures.json --csv figures.csv --picture cost.png
"""

import csv
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import flops
import matplotlib
import numpy as np
import typer
from naive_network import NaiveNetwork
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dmn_fem._lanes import LANES
from dmn_fem.database import Database
from dmn_fem.laws import (
    BackStress,
    ChabochePlasticity,
    DruckerPrager,
    GeneralisedMaxwell,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    NortonCreep,
    PerzynaViscoplasticity,
    PhaseLaw,
    PronyTerm,
    ScalarDamage,
    State,
    VoceHardening,
    void,
)
from dmn_fem.network import Network, jump_operator
from dmn_fem.notation import Array
from dmn_fem.online import NetworkLaw
from dmn_fem.online._scalar_kernels import localise

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "online"))
from dense_reference import DenseNetwork

VOCE = J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 50.0, 1.0))
STIFF = LinearElastic(2000.0, 0.2)
LAWS: dict[str, PhaseLaw] = {
    "J2, Voce": VOCE,
    "J2, linear": J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)),
    "Chaboche, 2 parts": ChabochePlasticity(
        100.0, 0.3, 0.1, (BackStress(20.0, 200.0), BackStress(2.0, 10.0)), VoceHardening(0.1, 50.0)
    ),
    "Perzyna": PerzynaViscoplasticity(100.0, 0.3, 0.1, 0.05, 5.0, 100.0, LinearHardening(2.0)),
    "Norton": NortonCreep(100.0, 0.3, 0.1, 5.0, 100.0),
    "Maxwell, 2 terms": GeneralisedMaxwell(
        100.0, 0.3, (PronyTerm(1.0, 0.3, 0.1), PronyTerm(10.0, 0.2))
    ),
    "Drucker-Prager": DruckerPrager(100.0, 0.3, 0.1, 30.0, 30.0, 1.0),
    "damage": ScalarDamage(100.0, 0.3, 0.1, 0.1, 2.0),
}
GROWING = ("equivalent_plastic_strain", "threshold_growth")
DATABASES = (
    "discs_2d", "mixed_discs_2d", "voids_2d", "spheres_3d", "fibres_ud_3d", "short_fibres_3d",
)  # fmt: skip
STEPS, DT = 10, 0.5
STRICT, LAX = 1e-9, (1e-2, 1.0)
THIS = "3D, 128 leaves"
DENSE_LEAVES = 128
"""More would take the dense system seconds."""


class Part(StrEnum):
    """What to measure."""

    LEAVES = "leaves"
    LAWS = "laws"
    DATABASES = "databases"


@dataclass(frozen=True)
class Case:
    """A network, its laws, and the share of leaves of its first phase that is to yield."""

    part: Part
    name: str
    network: Network
    laws: dict[str, PhaseLaw]
    share: float
    compared: bool = False


@dataclass(frozen=True)
class Row:
    """Figures of a case; times in microseconds a point."""

    part: str
    name: str
    dimension: int
    leaves: int
    yielded: float | None
    failed: int
    increment: float
    without_tangent: float
    iterations: float
    sweep: float | None
    kiloflop: float | None
    of_peak: float | None
    naive: float | None
    dense: float | None
    state_bytes: float
    peak: float


def cases(parts: Sequence[Part]) -> list[Case]:
    """All that is measured, in the order of the tables."""
    result: list[Case] = []
    names = ("matrix", "inclusion")
    networks = {
        (dimension, leaves): Network.random(
            dimension, names, (0.7, 0.3), leaves, np.random.default_rng(0)
        )
        for dimension in (2, 3)
        for leaves in (8, 32, 128, 512)
    }
    if Part.LEAVES in parts:
        for (dimension, leaves), network in networks.items():
            laws = {"matrix": VOCE, "inclusion": STIFF}
            for share in (0.0, 0.75, 1.0):
                name = f"{dimension}D, {leaves} leaves"
                result.append(Case(Part.LEAVES, name, network, laws, share, share == 0.75))
    if Part.LAWS in parts:
        for dimension in (2, 3):
            for name, law in LAWS.items():
                laws = {"matrix": law, "inclusion": STIFF}
                network = networks[dimension, 128]
                result.append(Case(Part.LAWS, f"{dimension}D, {name}", network, laws, 0.75))
    if Part.DATABASES in parts:
        for name in DATABASES:
            database = Database.load(name)
            network = database.networks[len(database.networks) // 2]
            matrix, *others = network.phases
            laws = {matrix: VOCE} | {
                other: void(VOCE) if other == "void" else STIFF for other in others
            }
            for share in (0.0, 0.75, 1.0):
                result.append(Case(Part.DATABASES, name, network, laws, share))
    return result


def directions(case: Case, points: int) -> Array:
    """Unit strains in random directions."""
    strain = np.random.default_rng(1).normal(size=(points, 2 * case.network.dimension))
    return strain / np.linalg.norm(strain, axis=1, keepdims=True)


def loaded(law: NetworkLaw, strain: Array) -> State:
    """The state before the last increment to a strain."""
    state, stress = law.allocate(len(strain)), np.empty_like(strain)
    for step in range(1, STEPS):
        law.integrate(step / STEPS * strain, state, stress, dt=DT)
        state.accept()
    return state


def yielded(case: Case, law: NetworkLaw, state: State, strain: Array) -> float | None:
    """Share of the leaves of the first phase that yield in the last increment."""
    phase = case.network.phases[0]
    own = [field.name for field in case.laws[phase].fields(law.dimension)]
    grows = [f"{phase}.{name}" for name in GROWING if name in own]
    if not grows:
        return None
    past = state.export()
    law.integrate(strain, state, np.empty_like(strain), dt=DT)
    state.accept()
    more = state[grows[0]] > past[grows[0]]
    state.load(past)
    return float(more.mean())


def amplitude(case: Case, law: NetworkLaw) -> float:
    """Size of the strain at which the wanted share yields."""
    if case.share == 0.0:
        return 1e-4
    low, high = 2e-4, 0.05
    strain = directions(case, 4 * LANES)
    wanted = min(case.share, 0.995)
    for _ in range(8):
        middle = float(np.sqrt(low * high))
        share = yielded(case, law, loaded(law, middle * strain), middle * strain)
        if share is None:
            return 0.01
        low, high = (middle, high) if share < wanted else (low, middle)
    return high


def seconds(function: Callable[[], object]) -> float:
    """CPU time of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def blocks(iterations: Array) -> float:
    """Iterations of blocks, which go on until their last point is done; the mean."""
    return float(iterations.reshape(-1, LANES).max(axis=1).mean())


def measure(case: Case, points: int, rounds: int) -> Row:
    """All figures of a case."""
    law = NetworkLaw(case.network, case.laws, STRICT)
    size, dimension = law.strain_size, law.dimension
    strain = amplitude(case, law) * directions(case, points)
    state = loaded(law, strain)
    stress, tangent = np.empty_like(strain), np.empty((points, size, size))
    status = law.integrate(strain, state, stress, tangent, DT)
    strict = blocks(status.iterations)
    for tolerance in LAX:
        lax = NetworkLaw(case.network, case.laws, tolerance)
        fewer = blocks(lax.integrate(strain, state, stress, None, DT).iterations)
        if fewer < strict:
            break
    runs: dict[str, Callable[[], object]] = {
        "increment": lambda: law.integrate(strain, state, stress, tangent, DT),
        "without": lambda: law.integrate(strain, state, stress, None, DT),
        "lax": lambda: lax.integrate(strain, state, stress, None, DT),
    }
    few = strain[: 2 * LANES].copy()
    if case.compared:
        naive = NaiveNetwork(case.network, case.laws, len(few))
        dense = DenseNetwork(case.network, case.laws)
        for step in range(1, STEPS):
            naive.integrate(step / STEPS * few, stress[: len(few)], tangent[: len(few)], STRICT)
            naive.accept()
            if case.network.leaves <= DENSE_LEAVES:
                dense.integrate(step / STEPS * strain[0])
                dense.accept()
        one = stress[: len(few)].copy(), tangent[: len(few)].copy()
        runs["naive"] = lambda: naive.integrate(few, *one, STRICT)
        if case.network.leaves <= DENSE_LEAVES:
            runs["dense"] = lambda: dense.integrate(strain[0])
    least = dict.fromkeys(runs, np.inf)
    best = 0.0
    for _ in range(rounds):
        best = max(best, flops.peak())
        for name, run in runs.items():
            least[name] = min(least[name], seconds(run))
    share = yielded(case, law, state, strain)
    sweep = done = None
    if strict > fewer:
        sweep = (least["without"] - least["lax"]) / points / (strict - fewer)
        done = operations(case, law, state, strain)
    each = least["increment"] / points
    return Row(
        case.part, case.name, dimension, len(case.network.tree().leaf_weight),
        None if share is None else 100 * share, status.failed, 1e6 * each,
        1e6 * least["without"] / points, float(status.iterations.mean()),
        sweep and 1e6 * sweep, done and done / 1e3, sweep and done and 100 * done / sweep / best,
        least["naive"] / len(few) / each if "naive" in least else None,
        least["dense"] / each if "dense" in least else None,
        state.old.nbytes / points, best / 1e9,
    )  # fmt: skip


def operations(case: Case, law: NetworkLaw, state: State, strain: Array) -> float:
    """Floating-point operations of a sweep at the end of the increment, a point."""
    tree, past = case.network.tree(), state.export(slice(LANES))
    whole = state.export()
    law.integrate(strain, state, np.empty_like(strain), dt=DT)
    state.accept()
    jumps = state["jumps"][:LANES]
    state.load(whole)
    dimension, leaves = law.dimension, len(tree.leaf_weight)
    members = np.zeros((LANES, leaves + len(tree.fraction), law.strain_size))
    members[:, -1] = strain[:LANES]
    operator = np.ascontiguousarray(jump_operator(tree.normal, dimension))
    for one, jump in zip(members, jumps, strict=True):
        localise(tuple(range(dimension)), tree.children, tree.fraction, operator, jump, one)
    laws = {}
    for number, (phase, phase_law) in enumerate(case.laws.items()):
        own = np.flatnonzero(tree.leaf_phase == number)
        fields = [(f, past[f"{phase}.{f.name}"]) for f in phase_law.fields(dimension)]
        rounds = []
        for leaf in range(0, len(own), max(1, len(own) // 16)):
            columns = [field.to_keep(values[:, leaf]) for field, values in fields]
            old = np.concatenate([np.empty((LANES, 0)), *columns], axis=1)
            rounds.append(flops.repetitions(phase_law, members[:, own[leaf]], old, DT))
        before = laws.get(phase_law, (0, 0.0))[0]
        laws[phase_law] = before + len(own), float(np.mean(rounds))
    lengths = tuple(len(each) for each in law._shape)
    return flops.of_sweep(lengths, len(tree.fraction), laws)


def hundred_increments(points: int) -> float:
    """Milliseconds a point of 100 plastic increments in 2D, 128 leaves, with tangents."""
    network = Network.random(2, ("matrix", "inclusion"), (0.7, 0.3), 128, np.random.default_rng(0))
    case = Case(Part.LEAVES, "", network, {"matrix": VOCE, "inclusion": STIFF}, 1.0)
    law = NetworkLaw(network, case.laws, STRICT)
    strain, best = 0.02 * directions(case, points), np.inf
    stress, tangent = np.empty_like(strain), np.empty((points, 4, 4))
    for _ in range(3):
        state, spent = law.allocate(points), 0.0
        for step in range(1, 101):
            now = step / 100 * strain
            spent += seconds(lambda: law.integrate(now, state, stress, tangent))  # noqa: B023
            spent += seconds(state.accept)
        best = min(best, spent)
    return 1e3 * best / points


def two_threads(points: int) -> float:
    """How much faster two threads take a plastic increment in 3D, 128 leaves, by the wall."""
    network = Network.random(3, ("matrix", "inclusion"), (0.7, 0.3), 128, np.random.default_rng(0))
    case = Case(Part.LEAVES, "", network, {"matrix": VOCE, "inclusion": STIFF}, 1.0)
    strain = 0.02 * directions(case, points)
    stress, tangent = np.empty_like(strain), np.empty((points, 6, 6))
    best = {}
    for _ in range(7):
        for threads in (1, 2):
            law = NetworkLaw(network, case.laws, STRICT, threads=threads)
            state = law.allocate(points)
            law.integrate(0.5 * strain, state, stress, tangent)
            state.accept()
            start = time.perf_counter()
            law.integrate(strain, state, stress, tangent)
            spent = time.perf_counter() - start
            best[threads] = min(best.get(threads, np.inf), spent)
    return best[1] / best[2]


def table(part: Part, rows: Sequence[Row]) -> Table:
    """The figures of a part."""
    result = Table(
        "case", "leaves", "yielded\n%", "increment\nµs", "no tangent\nµs", "iterations",
        "sweep\nµs", "sweep\nkflop", "of peak\n%", "naive\nx", "dense\nx", "1/s", "state\nB",
        title=f"by {part}: one point of a batch",
    )  # fmt: skip
    for row in rows:
        name = row.name + (f" ({row.failed} failed)" if row.failed else "")
        figures = (
            (row.yielded, ".0f"), (row.increment, ".2f"), (row.without_tangent, ".2f"),
            (row.iterations, ".1f"), (row.sweep, ".2f"), (row.kiloflop, ".1f"),
            (row.of_peak, ".0f"), (row.naive, ".1f"), (row.dense, ".0f"),
            (1e6 / row.increment, ".0f"), (row.state_bytes, ".0f"),
        )  # fmt: skip
        cells = ("" if value is None else format(value, form) for value, form in figures)
        result.add_row(name, str(row.leaves), *cells)
    return result


def draw(rows: Sequence[Row], path: Path) -> None:
    """Cost by leaves: ours and what it is compared with."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
    compared = (("naive", "first version in Numba"), ("dense", "dense system in NumPy"))
    for dimension, ax in zip((2, 3), axes, strict=True):
        own = [row for row in rows if row.part == Part.LEAVES and row.dimension == dimension]
        for share, label in ((0, "elastic"), (75, "three quarters yield"), (100, "all yield")):
            some = [row for row in own if abs((row.yielded or 0) - share) < 12]
            ax.loglog([r.leaves for r in some], [r.increment for r in some], "o-", label=label)
            for name, words in compared:
                far = [r for r in some if getattr(r, name)]
                times = [getattr(r, name) * r.increment for r in far]
                if far:
                    ax.loglog([r.leaves for r in far], times, "s--", label=words)
        ax.set(title=f"{dimension}D", xlabel="leaves", xticks=[8, 32, 128, 512])
        ax.set_xticks([], minor=True)
        ax.set_xticklabels(["8", "32", "128", "512"])
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("µs per point and increment")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.savefig(path, dpi=120)


def main(
    only: Annotated[list[Part] | None, typer.Option(help="parts; all by default")] = None,
    points: Annotated[int, typer.Option(help="of a batch, a multiple of 8")] = 256,
    rounds: Annotated[int, typer.Option(help="alternating runs, the least counts")] = 15,
    json_file: Annotated[Path | None, typer.Option("--json", help="write figures there")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="write figures there")] = None,
    picture: Annotated[Path | None, typer.Option(help="draw cost by leaves there")] = None,
) -> None:
    """Measure what increments of networks cost."""
    console = Console(width=140)
    flops.peak()  # compiles
    chosen = only or list(Part)
    progress = track(cases(chosen), console=Console(stderr=True), transient=True)
    rows = [measure(case, points, rounds) for case in progress]
    for part in chosen:
        console.print(table(part, [row for row in rows if row.part == part]))
    peaks = [row.peak for row in rows]
    console.print(
        f"peak {max(peaks):.0f} Gflop/s in the best case, {min(peaks):.0f} in the worst; "
        f"{LANES} lanes, {points} points"
    )
    hundred = None
    if Part.LEAVES in chosen:
        hundred = hundred_increments(points)
        console.print(f"100 plastic increments, 2D, 128 leaves: {hundred:.2f} ms a point")
        console.print(f"two threads are {two_threads(2 * points):.2f} times as fast as one")
        elastic, plastic = (row for row in rows if row.name == THIS and (row.yielded or 0) < 90)
        console.print(
            f"{THIS}: a plastic increment costs {plastic.increment / elastic.increment:.1f} elastic"
            f" ones, {plastic.without_tangent / elastic.without_tangent:.1f} without tangents"
        )
    figures = [asdict(row) for row in rows]
    if json_file is not None:
        json_file.write_text(json.dumps({"hundred_increments_ms": hundred, "rows": figures}))
    if csv_file is not None:
        with csv_file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(figures[0]))
            writer.writeheader()
            writer.writerows(figures)
    if picture is not None:
        draw(rows, picture)


if __name__ == "__main__":
    typer.run(main)
