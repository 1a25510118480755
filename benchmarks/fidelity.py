"""Transfer from much cheap data to little accurate data.

The accurate data are full fields on a fine grid; the cheap ones are full fields of the same cell on
a coarse grid, or a mean-field model of it (Mori-Tanaka: discs that do not know where the others
are). Four ways to a network are compared by their error on accurate samples that none of them saw:
the network of the cheap data as it is, a random start on the little accurate data, the network of
the cheap data fine-tuned on them, and the same with all normals frozen. Every seed has its own
starts and its own choice of accurate samples. No sample is used to stop a training.

    python benchmarks/fidelity.py --directory work --table fidelity.csv --picture docs/fidelity.png
"""

import argparse
import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dmn_fem.homogenization import BudgetSettings, draw_phase_stiffness, sample
from dmn_fem.homogenization.mean_field import mori_tanaka
from dmn_fem.microstructure import discs
from dmn_fem.network import Network
from dmn_fem.plotting import new_figure
from dmn_fem.training import Frozen, Samples, Settings, evaluate, fit

CHEAP, CHEAP_SEED = 200, 11
HELD_OUT, ACCURATE_SEED = 50, 12
ROWS = ("source as it is", "from scratch", "fine-tuned", "normals frozen")
console = Console()
type Errors = dict[tuple[str, str, int], list[float]]
"""Mean errors, one a seed, by source, row and number of accurate samples."""


def make_set(arguments: argparse.Namespace, grid: int, count: int, seed: int) -> Samples:
    """Full fields of the cell, made once."""
    cell = discs(arguments.volume_fraction, count=30, seed=1)
    path = Path(arguments.directory) / f"fidelity_{arguments.volume_fraction:g}_{grid}_{seed}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    image = cell.image(grid)
    return Samples.of(sample(image, path, count, seed, 1e-3, budget=BudgetSettings(samples=0)))


def make_mean_field(volume_fraction: float) -> Samples:
    """Mori-Tanaka estimates of discs at random."""
    phases = draw_phase_stiffness(2, 2, CHEAP, CHEAP_SEED)
    fractions = np.array([1 - volume_fraction, volume_fraction])
    stiffness = np.stack([mori_tanaka(fractions, each, 2) for each in phases])
    return Samples(phases, stiffness, fractions)


def part(samples: Samples, chosen: np.ndarray) -> Samples:
    """Some of the samples."""
    return replace(
        samples,
        phase_stiffness=samples.phase_stiffness[chosen],
        stiffness=samples.stiffness[chosen],
    )


def compare(arguments: argparse.Namespace) -> Errors:
    """Train all that is to be compared."""
    numbers = arguments.samples
    accurate = make_set(arguments, arguments.fine, max(numbers) + HELD_OUT, ACCURATE_SEED)
    pool, held_out = accurate.split(HELD_OUT)
    cheap = {
        f"grid of {arguments.coarse}²": make_set(arguments, arguments.coarse, CHEAP, CHEAP_SEED),
        "Mori-Tanaka": make_mean_field(arguments.volume_fraction),
    }
    settings = Settings(iterations=arguments.iterations)
    frozen = replace(settings, frozen=Frozen(normals=True))
    errors: Errors = defaultdict(list)
    for seed in track(range(arguments.seeds), "seeds", console=Console(stderr=True)):
        rng = np.random.default_rng(seed)
        order = rng.permutation(pool.count)
        start = Network.random(
            2, ("matrix", "inclusion"), pool.phase_fraction, arguments.leaves, rng
        )
        sources = {
            name: fit(start, samples, held_out, Settings(iterations=1000)).network
            for name, samples in cheap.items()
        }
        for number in numbers:
            little = part(pool, order[:number])
            scratch = fit(start, little, held_out, settings).held_out.stiffness.mean
            for name, source in sources.items():
                as_it_is = source.with_phase_fraction(pool.phase_fraction)
                found = (
                    evaluate(as_it_is, held_out).stiffness.mean,
                    scratch,
                    fit(source, little, held_out, settings).held_out.stiffness.mean,
                    fit(source, little, held_out, frozen).held_out.stiffness.mean,
                )
                for row, error in zip(ROWS, found, strict=True):
                    errors[name, row, number].append(error)
    return errors


def show(errors: Errors, numbers: list[int]) -> None:
    """Print a table a source: mean of the seeds, and their range."""
    for source in dict.fromkeys(name for name, _, _ in errors):
        table = Table(
            "accurate samples", *map(str, numbers),
            title=f"from {source}: held-out error in %, mean of seeds (least-largest)",
        )  # fmt: skip
        for row in ROWS:
            cells = []
            for number in numbers:
                found = 100 * np.array(errors[source, row, number])
                cells.append(f"{found.mean():.2f} ({found.min():.2f}-{found.max():.2f})")
            table.add_row(row, *cells)
        console.print(table)


def write_table(errors: Errors, path: str) -> None:
    """Write all errors to a CSV file, one row a training."""
    with Path(path).open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["source", "row", "accurate_samples", "seed", "held_out_error"])
        for (source, row, number), found in errors.items():
            for seed, error in enumerate(found):
                table.writerow([source, row, number, seed, f"{error:.6g}"])


def draw(errors: Errors, numbers: list[int], path: str) -> None:
    """Draw errors over the number of accurate samples, a panel a source; the bands are ranges."""
    sources = list(dict.fromkeys(name for name, _, _ in errors))
    figure = new_figure(10.0, 4.2)
    axes = figure.subplots(1, len(sources), sharey=True)
    for axis, source in zip(axes, sources, strict=True):
        for row, colour in zip(ROWS, ("0.5", "C3", "C0", "C2"), strict=True):
            found = 100 * np.array([errors[source, row, number] for number in numbers])
            marker = "" if row == ROWS[0] else "o"
            axis.loglog(numbers, found.mean(axis=1), color=colour, marker=marker, label=row)
            axis.fill_between(
                numbers, found.min(axis=1), found.max(axis=1), color=colour, alpha=0.15, lw=0
            )
        axis.set_title(f"cheap data: {source}")
        axis.set_xlabel("accurate samples")
        axis.set_xticks(numbers, [str(number) for number in numbers])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean error on held-out accurate samples, %")
    axes[0].legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Compare, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", default="work", help="of the training sets")
    parser.add_argument("--volume-fraction", type=float, default=0.4)
    parser.add_argument("--coarse", type=int, default=32, help="grid of the cheap data")
    parser.add_argument("--fine", type=int, default=256, help="grid of the accurate data")
    parser.add_argument("--samples", type=int, nargs="+", default=[2, 4, 8, 16, 32, 64])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--leaves", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=300, help="on the accurate data")
    parser.add_argument("--table", metavar="CSV")
    parser.add_argument("--picture", metavar="PNG")
    arguments = parser.parse_args()
    errors = compare(arguments)
    show(errors, arguments.samples)
    if arguments.table:
        write_table(errors, arguments.table)
    if arguments.picture:
        draw(errors, arguments.samples, arguments.picture)


if __name__ == "__main__":
    main()
