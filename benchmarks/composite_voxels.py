"""Error of the full field on a grid: binary against composite voxels.

python benchmarks/composite_voxels.py                    # discs
python benchmarks/composite_voxels.py --kind spheres --grids 32 --reference 96
python benchmarks/composite_voxels.py --kind field --grids 24 48 --reference 96  # bicontinuous
python benchmarks/composite_voxels.py --plastic --fractions 0.3 --grids 64 128 --reference 256

Errors are ||C - C_fine|| / ||C_fine|| over drawn phase stiffnesses; on a plastic path the largest
and the mean difference of the deviatoric stress, over the largest deviatoric stress.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from dmn_fem.homogenization import Mixing, UnitCellLaw, draw_phase_stiffness, homogenize
from dmn_fem.laws import J2Plasticity, LinearElastic, LinearHardening
from dmn_fem.microstructure import (
    Particles,
    PhaseImage,
    RandomField,
    discs,
    random_field,
    spheres,
)
from dmn_fem.online import LoadPath, drive

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


MATRIX = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0))
INCLUSIONS = {"stiff": LinearElastic(500.0, 0.19), "soft": LinearElastic(1.0, 0.19)}


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=CELLS, default="discs")
    parser.add_argument("--fractions", nargs="+", type=float, default=[0.1, 0.3, 0.5, 0.6])
    parser.add_argument("--grids", nargs="+", type=int, default=[128, 256])
    parser.add_argument("--reference", type=int, default=768, help="grid of the fine answer")
    parser.add_argument("--samples", type=int, default=40, help="draws of phase stiffnesses")
    parser.add_argument("--seed", type=int, default=101, help="of cell and draws")
    parser.add_argument("--plastic", action="store_true", help="a J2 matrix along a path, in 2D")
    arguments = parser.parse_args()
    for fraction in arguments.fractions:
        geometry = CELLS[arguments.kind][1](fraction, arguments.seed)
        if arguments.plastic:
            plastic(geometry, arguments.grids, arguments.reference)
        else:
            elastic(geometry, arguments.grids, arguments.reference, arguments)


def elastic(
    geometry: Particles | RandomField, grids: list[int], reference: int, options: argparse.Namespace
) -> None:
    """Table of the errors of effective stiffnesses."""
    draws = draw_phase_stiffness(geometry.dimension, 2, options.samples, options.seed)
    fine = geometry.image(reference)
    exact = [homogenize(fine, phases, 1e-4).stiffness for phases in draws]
    table = Table(
        "grid", "voxels", "mean, %", "95 %, %", "maximum, %", title=f"{geometry.volume_fraction:g}"
    )
    for grid, name, image, rule in _cases(geometry, grids):
        errors = [
            100 * np.linalg.norm(homogenize(image, phases, 1e-4, rule).stiffness - answer)
            / np.linalg.norm(answer)
            for phases, answer in zip(draws, exact, strict=True)
        ]  # fmt: skip
        values = np.mean(errors), np.percentile(errors, 95), np.max(errors)
        table.add_row(str(grid), name, *(f"{value:.2f}" for value in values))
    Console().print(table)


def plastic(geometry: Particles | RandomField, grids: list[int], reference: int) -> None:
    """Tables of the errors of the stress along a path with unloading."""
    amplitude = 0.01 * np.append(np.linspace(0, 1, 9)[1:], np.linspace(1, 0.4, 5)[1:])
    path = LoadPath.strain_driven(np.outer(amplitude, [1.0, -0.5, 0.0, 0.3]))
    for name, inclusion in INCLUSIONS.items():
        laws = dict(zip(geometry.names, (MATRIX, inclusion), strict=True))

        def response(image: PhaseImage, rule: Mixing | None) -> np.ndarray:
            stress = drive(UnitCellLaw(image, laws, mixing=rule), path).stress  # noqa: B023
            stress[:, :3] -= stress[:, :3].mean(axis=1, keepdims=True)
            return stress

        exact = response(geometry.image(reference), None)
        size = np.linalg.norm(exact, axis=1).max()
        title = f"{geometry.volume_fraction:g}, {name} inclusions"
        table = Table("grid", "voxels", "maximum, %", "mean, %", title=title)
        for grid, voxels, image, rule in _cases(geometry, grids):
            errors = 100 * np.linalg.norm(response(image, rule) - exact, axis=1) / size
            table.add_row(str(grid), voxels, f"{errors.max():.2f}", f"{errors.mean():.2f}")
        Console().print(table)


def _cases(
    geometry: Particles | RandomField, grids: list[int]
) -> Iterator[tuple[int, str, PhaseImage, Mixing | None]]:
    for grid in grids:
        yield grid, "binary", geometry.image(grid, composite=False), None
        for name, rule in RULES.items():
            yield grid, name, geometry.image(grid), rule


if __name__ == "__main__":
    main()
