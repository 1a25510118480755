"""The verbs of training sets: sample and samples info."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from dmn_fem.cli._console import console, progress_bar

if TYPE_CHECKING:
    from dmn_fem.homogenization import Spread, TrainingSet


def sample_data(
    source: Annotated[
        Path, typer.Argument(metavar="TOML|NPZ", help="Recipe of a family, or a phase image.")
    ],
    directory: Annotated[
        Path | None, typer.Option(help="Recipe: where the training sets go.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="H5", help="Image: the training set.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Image: samples, 200 if not given.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Image: of the phase stiffnesses, 0 if not given.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Image: relative error of energies, 1e-4 if not given.")
    ] = None,
    void: Annotated[
        str | None, typer.Option(metavar="PHASE", help="Image: the phase that is void, if any.")
    ] = None,
    processes: Annotated[int, typer.Option(help="Processes that compute.")] = 1,
    mpi: Annotated[bool, typer.Option("--mpi", help="The ranks of mpiexec compute.")] = False,
) -> None:
    """Homogenise phase images for random phase stiffnesses: training sets.

    A recipe, which may be that of a database, gives the training sets of its whole family. A call
    that was interrupted goes on where it was, a finished one computes nothing, and one that asks
    for more samples computes those.

    Example: `dmn-fem sample databases/discs_2d.toml --directory work --processes 4`

    Example: `mpiexec -n 4 dmn-fem sample databases/discs_2d.toml --directory work --mpi`

    Example: `dmn-fem sample cell.npz --count 200 --output samples.h5`
    """
    from dmn_fem.homogenization import (
        DataRecipe,
        sample,
        sample_family,
        start_processes,
        start_ranks,
    )
    from dmn_fem.microstructure import PhaseImage

    of_image = {
        "output": output,
        "count": count,
        "seed": seed,
        "tolerance": tolerance,
        "void": void,
    }
    if source.suffix == ".toml":
        excess = [f"--{name}" for name, value in of_image.items() if value is not None]
        if excess:
            raise typer.BadParameter(f"{source} is a recipe: it takes no {excess[0]}")
        if directory is None:
            raise typer.BadParameter(f"{source} is a recipe: it takes --directory")
    elif output is None or directory is not None:
        raise typer.BadParameter(f"{source} is an image: it takes --output and no --directory")
    if mpi and processes != 1:
        raise typer.BadParameter("--processes are of one machine; with --mpi the ranks compute")
    with start_ranks() if mpi else start_processes(processes) as workers:
        if workers is None:  # a rank that has computed for rank 0
            return
        missing: list[int] = []
        with campaign_bar(missing) as report:
            if directory is not None:
                recipe = DataRecipe.load(source)
                made = sample_family(recipe, directory, workers, report)
                files = [recipe.set_file(each, directory) for each in recipe.members]
                sets = dict(zip(files, made, strict=True))
            elif output is not None:
                image = PhaseImage.load(source)
                sets = {
                    output: sample(
                        image,
                        output,
                        200 if count is None else count,
                        0 if seed is None else seed,
                        1e-4 if tolerance is None else tolerance,
                        void=void,
                        workers=workers,
                        progress=report,
                    )
                }
    total = sum(len(each.stiffness) for each in sets.values())
    done = "wrote" if missing[0] else "nothing to compute:"
    console.print(f"{done} {total} samples in {directory or output}")
    _print_budgets(sets)


def samples_info(
    file: Annotated[Path, typer.Argument(metavar="H5", help="A training set.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what a training set holds, and how far it can be trusted.

    Example: `dmn-fem samples info samples.h5`
    """
    from dmn_fem.homogenization import TrainingSet

    found = TrainingSet.load(file)
    answer = {
        "dimension": found.dimension,
        "volume_fractions": dict(zip(found.phases, found.volume_fractions.tolist(), strict=True)),
        "grid": list(found.image.shape),
        "samples": len(found.stiffness),
        "descriptors": found.descriptors,
        "recipe": found.recipe,
        "error_budget": None if found.error_budget is None else found.error_budget.summary(),
    }
    if as_json:
        print(json.dumps(answer))
        return
    parts = zip(found.phases, found.volume_fractions, strict=True)
    console.print(f"{len(found.stiffness)} samples on {' x '.join(map(str, found.image.shape))}")
    console.print("volume fractions: " + ", ".join(f"{name} {part:.6g}" for name, part in parts))
    described = ", ".join(f"{name} {value:.6g}" for name, value in found.descriptors.items())
    console.print(f"descriptors: {described}")
    _print_budgets({file: found})


@contextmanager
def campaign_bar(missing: list[int]) -> Iterator[Callable[[str, int, int], None]]:
    """One bar of a campaign; gives what it reports to, and notes how much there was to compute."""
    bar = progress_bar()

    def report(what: str, done: int, count: int) -> None:
        if not missing:
            missing.append(count - done)
            bar.add_task(what, completed=done, total=count, note="")
            bar.start()  # not before: a call that is refused says one line
        bar.update(bar.task_ids[0], description=what, completed=done)

    try:
        yield report
    finally:
        if missing:
            bar.stop()


def _print_budgets(sets: "dict[Path, TrainingSet]") -> None:
    """A table of the error budgets of training sets."""
    table = Table(title="error budget, mean / maximum over samples in %")
    for name in ("", "grid", "realisation σ", "their mean ±", "tolerance"):
        table.add_column(name, no_wrap=True)
    for path, each in sets.items():
        if each.error_budget is None:
            continue
        grid, scatter = each.error_budget.discretisation, each.error_budget.realisations
        table.add_row(
            path.stem,
            _percent(grid.error if grid else None),
            _percent(scatter.standard_deviation if scatter else None),
            _percent(scatter.confidence_95 if scatter else None),
            _percent(each.error_budget.tolerance),
        )
    if table.row_count:
        console.print(table)


def _percent(error: "Spread | None") -> str:
    return f"{100 * error.mean:.2g} / {100 * error.maximum:.2g}" if error else "not available"
