"""A database against full-field unit cells of the same microstructures, along J2 paths.

The paths are strain-driven, to an amplitude of 1.5 % and three tenths of it back. Errors are the
largest difference along the path over the largest value, of the deviatoric stress (the hydrostatic
one is nearly elastic and flatters). Times are CPU seconds of this process, compilation excluded,
measured side by side. More than one grid shows what the full field itself is worth.

    python benchmarks/plasticity.py discs_2d --fractions 0.3 0.35 --grids 128 256
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path

import numpy as np

from dmn_fem.database import Database
from dmn_fem.homogenization import DataRecipe, UnitCellLaw
from dmn_fem.laws import (
    J2Plasticity,
    Law,
    LinearElastic,
    LinearHardening,
    PhaseLaw,
    VoceHardening,
)
from dmn_fem.notation import Array
from dmn_fem.online import LoadPath, NetworkLaw, Response, drive

LINEAR = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0))
MATERIALS: dict[str, dict[str, PhaseLaw]] = {
    "stiff, linear hardening": {"matrix": LINEAR, "inclusion": LinearElastic(500.0, 0.19)},
    "stiff, nearly perfect": {
        "matrix": J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.01, 100.0)),
        "inclusion": LinearElastic(500.0, 0.19),
    },
    "soft, linear hardening": {"matrix": LINEAR, "inclusion": LinearElastic(1.0, 0.19)},
}


DIRECTIONS = {
    "uniaxial": (-0.8, 1.0, 0.0, 0.0),
    "shear": (0.0, 0.0, 0.0, 1.0),
    "mixed": (-0.5, 1.0, 0.0, -0.3),
}
"""Directions of the Mandel strain."""


def load_path(direction: tuple[float, ...]) -> LoadPath:
    """Along a direction and back."""
    amplitudes = np.append(np.linspace(0.0, 0.015, 11)[1:], [0.0135, 0.012, 0.0105])
    strain = np.outer(amplitudes, direction) / np.linalg.norm(direction)
    return LoadPath.strain_driven(strain)


def deviator(stress: Array) -> Array:
    """Deviatoric part of Mandel vectors (rows, 4)."""
    result = stress.copy()
    result[:, :3] -= stress[:, :3].mean(axis=1, keepdims=True)
    return result


def timed(law: Law, path: LoadPath) -> tuple[Response, float]:
    """Response and CPU seconds."""
    start = time.process_time()
    response = drive(law, path)
    return response, time.process_time() - start


def main() -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", default="discs_2d", nargs="?")
    parser.add_argument("--fractions", type=float, nargs="+", default=[0.1, 0.3, 0.35, 0.5])
    parser.add_argument("--grids", type=int, nargs="+", help="default: that of the recipe")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    database = Database.load(arguments.database)
    recipe = DataRecipe.model_validate(database.provenance["recipe"])
    grids = arguments.grids or [recipe.members[0].cell.grid]
    rows = []
    cases = product(arguments.fractions, MATERIALS.items(), DIRECTIONS.items(), grids)
    print("fraction  phases                    path       grid  max %  mean %  DNS s / DMN s")
    for fraction, (material, laws), (name, direction), grid in cases:
        path = load_path(direction)
        dmn = NetworkLaw(database.at(volume_fraction=fraction), laws)
        image = recipe.cell(volume_fraction=fraction).model_copy(update={"grid": grid}).image()
        timed(dmn, path)  # compiles
        ours, our_time = timed(dmn, path)
        theirs, their_time = timed(UnitCellLaw(image, laws), path)
        difference = np.linalg.norm(deviator(ours.stress - theirs.stress), axis=1)
        errors = 100 * difference / np.linalg.norm(deviator(theirs.stress), axis=1).max()
        rows.append(
            {
                "volume_fraction": fraction,
                "phases": material,
                "path": name,
                "grid": grid,
                "max_error_percent": float(errors.max()),
                "mean_error_percent": float(errors.mean()),
                "dmn_seconds": our_time,
                "full_field_seconds": their_time,
            }
        )
        print(
            f"{fraction:8g}  {material:24s}  {name:9s}  {grid:4d}  {errors.max():5.2f}  "
            f"{errors.mean():6.2f}  {their_time:.2f} / {our_time:.4f}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
