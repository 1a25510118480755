"""What the verbs share: the console, progress bars, and failing."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from dmn_fem.notation import Array

console = Console()


class WorkFailed(Exception):
    """The call was right and the work did not succeed."""


def matrix_table(title: str, rows: Sequence[str], columns: Sequence[str], matrix: Array) -> Table:
    """A matrix as a table, to six digits of its largest entry.

    A large power of ten stands in the title: at the end of a narrow column it would be cut off.
    """
    largest = np.abs(matrix).max()
    digits = int(np.floor(np.log10(largest))) if largest > 0 else 0
    power = 0 if -4 < digits < 6 else 3 * (digits // 3)
    title = f"{title} in 1e{power:+03d}".strip() if power else title
    table = Table("", *columns, title=title or None, title_justify="left")
    for name, row in zip(rows, np.round(matrix / 10.0**power, 5 - digits + power), strict=True):
        table.add_row(name, *(f"{value:.6g}" for value in row))
    return table


def progress_bar() -> Progress:
    """One bar a task, with what is done, the time used and the time to go."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )
