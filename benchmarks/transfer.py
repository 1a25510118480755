"""Transfer learning over the volume fraction: errors, naive transfer, time, and what to freeze.

Every seed makes a family: a random start at the first fraction that is named, then a chain to the
last one. The dense end goes first: leaves that a dilute microstructure lets die do not come back.
All errors are those of held-out samples, relative, in the Frobenius norm; seconds are CPU seconds
on one core. The training sets are those of a recipe, made where they are missing.

    python benchmarks/transfer.py databases/discs_2d.toml --directory work

With ``--strategies`` it compares what is frozen, in chains and in stars, instead; a table of
Markdown:

    python benchmarks/transfer.py --strategies --fractions 0.6 0.3 0.1 --iterations 100

References:
    Liu, Wu and Koishi (2019), Transfer learning of deep material network for seamless
    structure-property predictions, Comput. Mech. 64, 451-465.
"""

import argparse
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dmn_fem.homogenization import DataRecipe, sample_family, start_processes
from dmn_fem.network import Network
from dmn_fem.training import (
    ErrorReport,
    Fit,
    Frozen,
    Progress,
    Samples,
    Settings,
    evaluate,
    fit,
    rescale,
    transfer_chain,
)

GOALS = (0.01, 0.003)
"""Errors to which iterations and seconds are counted."""
ALIVE = 1e-6
"""Weight of a leaf that counts as alive."""
ORDERS: tuple[Literal["chain", "star"], ...] = ("chain", "star")
console, bar = Console(width=200), Console(stderr=True)
type Target = tuple[Samples, Samples]


@dataclass
class Clocked:
    """A fit, and the CPU seconds at each of its reports."""

    fit: Fit
    seconds: list[float]

    def reaches(self, goal: float) -> tuple[int, float] | None:
        """Iterations and seconds after which the held-out error is below a goal."""
        for report, seconds in zip(self.fit.history, self.seconds, strict=True):
            if report.held_out_error <= goal:
                return report.step, seconds
        return None


def clocked(start: Network, target: Target, settings: Settings) -> Clocked:
    """Fit, and look at the clock."""
    seconds: list[float] = []
    before = time.process_time()

    def look(_: Progress) -> None:
        seconds.append(time.process_time() - before)

    return Clocked(fit(start, *target, settings, progress=look), seconds)


def random_start(target: Target, phases: Sequence[str], leaves: int, seed: int) -> Network:
    dimension = 2 if target[0].stiffness.shape[-1] == 3 else 3
    rng = np.random.default_rng(seed)
    return Network.random(dimension, tuple(phases), target[0].phase_fraction, leaves, rng)


def spread(values: Iterable[float], digits: int) -> str:
    """Mean of seeds, and their range."""
    values = list(values)
    low, high = min(values), max(values)
    return f"{statistics.fmean(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def show_errors(fractions: list[float], families: list[list[Clocked]]) -> None:
    """Errors of the families, member by member."""
    table = Table("volume fraction", *map(str, fractions), title="held-out error in %, over seeds")
    for norm, name, digits in (
        ("stiffness", "mean", 3),
        ("stiffness", "percentile_95", 2),
        ("stiffness", "maximum", 2),
        ("compliance", "mean", 3),
        ("compliance", "maximum", 2),
    ):
        reports = [[getattr(each.fit.held_out, norm) for each in family] for family in families]
        table.add_row(
            f"{norm}, {name.replace('_', ' ')}",
            *(
                spread((100 * getattr(report, name) for report in member), digits)
                for member in zip(*reports, strict=True)
            ),
        )
    alive = [[(each.fit.network.leaf_weights > ALIVE).sum() for each in f] for f in families]
    table.add_row("leaves alive", *(spread(member, 0) for member in zip(*alive, strict=True)))
    console.print(table)


def show_naive(fractions: list[float], bases: list[Fit], targets: list[Target]) -> None:
    """Errors of networks of one fraction at all fractions, with nothing trained."""
    table = Table("naive transfer", *map(str, fractions), title="error in %, over seeds")
    reports = [
        [evaluate(rescale(base.network, each.phase_fraction), each) for _, each in targets]
        for base in bases
    ]
    for name in ("mean", "maximum"):
        member = zip(*reports, strict=True)
        table.add_row(
            name, *(spread((100 * getattr(r.stiffness, name) for r in each), 1) for each in member)
        )
    console.print(table)


def show_speed(
    fractions: list[float], families: list[list[Clocked]], alone: list[list[Clocked]]
) -> None:
    """Iterations and seconds to the goals, transferred and from random starts."""
    table = Table("", "goal", *map(str, fractions), title="iterations / CPU seconds, mean of seeds")
    for name, fits in (("transferred", families), ("random start", alone)):
        for goal in GOALS:
            cells = []
            for member in zip(*fits, strict=True):
                found = [each.reaches(goal) for each in member]
                reached = [each for each in found if each is not None]
                text = "-"
                if reached:
                    steps, seconds = np.mean(reached, axis=0)
                    text = f"{steps:.0f} / {seconds:.2f}"
                if 0 < len(reached) < len(found):
                    text += f" ({len(reached)} of {len(found)})"
                cells.append(text)
            table.add_row(name, f"{100 * goal:g} %", *cells)
    console.print(table)
    for name, fits in (("transferred", families), ("random starts", alone)):
        totals = [sum(each.seconds[-1] for each in family) for family in fits]
        console.print(f"CPU seconds for the {len(fractions)} networks, {name}: {spread(totals, 1)}")


def show_strategies(
    fractions: list[float],
    targets: list[Target],
    phases: Sequence[str],
    settings: Settings,
    leaves: int,
    seeds: int,
) -> None:
    """What to freeze, in a chain and in a star, from the same first networks."""
    levels = int(np.ceil(np.log2(leaves)))
    strategies = {
        "everything is trained": Frozen(),
        "normals frozen": Frozen(normals=True),
        "weights frozen": Frozen(weights=True),
        f"upper {levels // 2} of {levels} levels frozen": Frozen(upper_levels=levels // 2),
        f"lower {levels // 2} of {levels} levels frozen": Frozen(lower_levels=levels // 2),
        "last 3 levels alone are trained": Frozen(weights=True, lower_levels=levels - 3),
    }
    bases = [
        fit(random_start(targets[0], phases, leaves, seed), *targets[0], settings).network
        for seed in track(range(seeds), "first networks", console=bar)
    ]
    table = Table("strategy", "order", *map(str, fractions[1:]), box=MARKDOWN)

    def add(name: str, order: str, members: Iterable[Sequence[ErrorReport]]) -> None:
        """A row: means of the seeds, and the range of their means."""
        cells = []
        for reports in members:
            means = [100 * each.stiffness.mean for each in reports]
            worst = max(100 * each.stiffness.maximum for each in reports)
            cells.append(f"{spread(means, 2)} / {worst:.1f}")
        table.add_row(name, order, *cells)

    others = targets[1:]
    rescaled = [
        [evaluate(rescale(base, training.phase_fraction), held_out) for base in bases]
        for training, held_out in others
    ]
    add("rescaled, not trained", "", rescaled)
    starts = [
        [
            fit(random_start(target, phases, leaves, seed), *target, settings).held_out
            for seed in range(seeds)
        ]
        for target in track(others, "random starts", console=bar)
    ]
    add("random start", "", starts)
    jobs = [(name, order) for name in strategies for order in ORDERS]
    for name, order in track(jobs, "strategies", console=bar):
        frozen = replace(settings, frozen=strategies[name])
        chains = [transfer_chain(base, others, frozen, order=order) for base in bases]
        members = [[each.held_out for each in member] for member in zip(*chains, strict=True)]
        add(name, order, members)
    console.print(
        f"held-out error in %, mean of {seeds} seeds (their range) / maximum of all, "
        f"{settings.iterations} iterations from {fractions[0]:g}"
    )
    console.print(table)


def main() -> None:
    """Train and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", default="databases/discs_2d.toml", nargs="?")
    parser.add_argument("--directory", default="work", help="of the training sets")
    parser.add_argument(
        "--fractions", type=float, nargs="+", default=[0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--leaves", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=Settings.iterations)
    parser.add_argument(
        "--strategies", action="store_true", help="compare what to freeze, and nothing else"
    )
    arguments = parser.parse_args()
    recipe = DataRecipe.load(arguments.recipe)
    with start_processes() as workers:
        sets = sample_family(recipe, arguments.directory, workers)
    by_fraction = {each.descriptors["volume_fraction"]: each for each in sets}
    fractions = arguments.fractions
    targets = [Samples.of(by_fraction[each]).split(recipe.samples.held_out) for each in fractions]
    settings = Settings(iterations=arguments.iterations)
    if arguments.strategies:
        show_strategies(
            fractions, targets, recipe.phases, settings, arguments.leaves, arguments.seeds
        )
        return
    # What is compiled is compiled before the clock runs.
    clocked(random_start(targets[0], recipe.phases, 4, 0), targets[0], Settings(iterations=20))
    families: list[list[Clocked]] = []
    alone: list[list[Clocked]] = []
    for seed in track(range(arguments.seeds), "seeds", console=bar):
        starts = [random_start(each, recipe.phases, arguments.leaves, seed) for each in targets]
        alone.append(
            [clocked(each, target, settings) for each, target in zip(starts, targets, strict=True)]
        )
        family = alone[-1][:1]
        for target in targets[1:]:
            start = rescale(family[-1].fit.network, target[0].phase_fraction)
            family.append(clocked(start, target, settings))
        families.append(family)
    show_errors(fractions, families)
    dilute = fractions.index(min(fractions))
    show_naive(fractions, [each[dilute].fit for each in alone], targets)
    show_speed(fractions, families, alone)


if __name__ == "__main__":
    main()
