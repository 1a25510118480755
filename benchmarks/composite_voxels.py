"""Error of the effective stiffness on a grid: binary against composite voxels.

python benchmarks/composite_voxels.py                    # discs
python benchmarks/composite_voxels.py --kind spheres --grids 32 --reference 96
python benchmarks/composite_voxels.py --kind field --grids 24 48 --reference 96  # bicontinuous
"""

import argparse
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from dmn_fem.homogenization import Mixing, draw_phase_stiffness, homogenize
from dmn_fem.microstructure import (
    Particles,
    PhaseImage,
    RandomField,
    discs,
    random_field,
    spheres,
)

CELLS: dict[str, tuple[int, Callable[[float, int], Particles | RandomField]]] = {
    "discs": (2, lambda fraction, seed: discs(fraction, 30, seed, gap=0.05)),
    "spheres": (3, lambda fraction, seed: spheres(fraction, 12, seed, gap=0.05)),
    "field": (3, lambda fraction, seed: random_field(3, fraction, seed, wavelength=0.35)),
}
RULES: dict[str, Mixing | None] = {
    "laminate": Mixing.LAMINATE,
    "Voigt": Mixing.VOIGT,
    "Reuss": Mixing.REUSS,
    "mixture": None,
}


def main() -> None:
    """Measure and print a table; errors are ||C - C_fine|| / ||C_fine||."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=CELLS, default="discs")
    parser.add_argument("--fractions", nargs="+", type=float, default=[0.1, 0.3, 0.5, 0.6])
    parser.add_argument("--grids", nargs="+", type=int, default=[128, 256])
    parser.add_argument("--reference", type=int, default=1024, help="grid of the fine answer")
    parser.add_argument("--samples", type=int, default=20, help="draws of phase stiffnesses")
    parser.add_argument("--seed", type=int, default=101, help="of cell and draws")
    arguments = parser.parse_args()
    dimension, cell = CELLS[arguments.kind]
    draws = draw_phase_stiffness(dimension, 2, arguments.samples, arguments.seed)
    console = Console()
    for fraction in arguments.fractions:
        geometry = cell(fraction, arguments.seed)
        fine = geometry.image(arguments.reference)
        reference = [homogenize(fine, phases, 1e-3).stiffness for phases in draws]
        table = Table("grid", "voxels", "mean, %", "95 %, %", "maximum, %", title=f"{fraction}")
        for grid in arguments.grids:
            binary = geometry.image(grid, composite=False)
            _row(table, grid, "binary", _errors(binary, None, draws, reference))
            composite = geometry.image(grid)
            for name, rule in RULES.items():
                _row(table, grid, name, _errors(composite, rule, draws, reference))
        console.print(table)


def _errors(
    image: PhaseImage, rule: Mixing | None, draws: np.ndarray, reference: list[np.ndarray]
) -> np.ndarray:
    return np.array(
        [
            100 * np.linalg.norm(homogenize(image, phases, 1e-3, rule).stiffness - exact)
            / np.linalg.norm(exact)
            for phases, exact in zip(draws, reference, strict=True)
        ]
    )  # fmt: skip


def _row(table: Table, grid: int, name: str, errors: np.ndarray) -> None:
    values = errors.mean(), np.percentile(errors, 95), errors.max()
    table.add_row(str(grid), name, *(f"{value:.2f}" for value in values))


if __name__ == "__main__":
    main()
