"""CPU time of an elastic sample: all load cases of one drawn pair of phases, on one core.

python benchmarks/full_field.py
"""

import time

import numpy as np
from rich.console import Console
from rich.table import Table

from dmn_fem.homogenization import draw_phase_stiffness, homogenize
from dmn_fem.microstructure import discs, spheres

CELLS = {
    (2, 128): lambda grid: discs(0.3, 30, seed=1).image(grid),
    (2, 256): lambda grid: discs(0.3, 30, seed=1).image(grid),
    (3, 32): lambda grid: spheres(0.3, 20, seed=1).image(grid),
    (3, 64): lambda grid: spheres(0.3, 20, seed=1).image(grid),
}


def main() -> None:
    """Time and print a table."""
    table = Table("grid", "load cases", "CPU s, mean", "CPU s, max", "CG iterations, mean")
    for (dimension, grid), cell in CELLS.items():
        image = cell(grid)
        draws = draw_phase_stiffness(dimension, 2, 10 if grid < 64 or dimension == 2 else 3, seed=0)
        homogenize(image, draws[0])  # compiles
        seconds, iterations = [], []
        for phases in draws:
            start = time.process_time()
            result = homogenize(image, phases, 1e-4)
            seconds.append(time.process_time() - start)
            iterations.append(np.mean(result.iterations))
        table.add_row(
            f"{grid}^{dimension}",
            str(len(result.stiffness)),
            f"{np.mean(seconds):.3f}",
            f"{np.max(seconds):.3f}",
            f"{np.mean(iterations):.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
