"""A point of a model whose step failed, integrated again, alone."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from dmn_fem.cli._console import WorkFailed, console
from dmn_fem.notation import COMPONENTS, component_scale

if TYPE_CHECKING:
    from dmn_fem.laws import Law

MOST_SUBSTEPS = 1024


def replay_point(law: "Law", path: Path) -> None:
    """Say what a law does with a recorded step: at once, and in ever more equal sub-steps.

    Raises:
        ValueError: If the file is no record of a point, or of another law.
        WorkFailed: If no number of sub-steps reaches the end.
    """
    from dmn_fem.laws import PointRecord, replay

    record = PointRecord.load(path)
    names, scale = COMPONENTS[law.dimension], component_scale(law.dimension)
    where = f"{record.where}, " if record.cell >= 0 else ""
    console.print(f"{path}: {where}time step {record.dt:g}", highlight=False)
    if record.message:
        console.print(record.message, highlight=False)
    attempts = Table("sub-steps", "code", "iterations", "reached")
    substeps, reached = 1, 0.0
    while reached < 1.0 and substeps <= MOST_SUBSTEPS:
        (attempt,) = replay(law, record, (substeps,))
        reached = attempt.reached
        attempts.add_row(
            str(substeps),
            f"{attempt.code.value} {attempt.code.name.lower()}",
            str(attempt.iterations),
            f"{100 * reached:.3g} %",
        )
        substeps *= 2
    tensors = Table("", *names)
    for label, values in (
        ("strain before", record.strain_before),
        ("strain", record.strain),
        ("stress", attempt.stress),
    ):
        tensors.add_row(label, *(f"{value:.5g}" for value in values / scale))
    console.print(attempts, tensors)
    if reached < 1.0:
        raise WorkFailed(f"{path}: not integrated, in up to {MOST_SUBSTEPS} sub-steps")
