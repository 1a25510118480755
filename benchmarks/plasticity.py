"""A database against full-field unit cells of the same microstructures, along J2 paths.

Errors are the largest stress difference along the path over the largest stress, both as Frobenius
norms; times are CPU seconds of this process, compilation excluded, measured side by side.

    python benchmarks/plasticity.py discs_2d --fractions 0.3 0.35
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dmn_fem.database import Database
from dmn_fem.homogenization import UnitCellLaw
from dmn_fem.laws import (
    J2Plasticity,
    Law,
    LinearElastic,
    LinearHardening,
    PhaseLaw,
    VoceHardening,
)
from dmn_fem.microstructure import ParticleCell
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


def load_paths(steps: int) -> dict[str, LoadPath]:
    """Uniaxial stress in the plane and simple shear, to 2 % and half-way back."""
    amplitude = 0.02 * np.concatenate(
        [np.arange(1, steps + 1), np.arange(steps - 1, steps // 2, -1)]
    )
    amplitude /= steps
    time_axis = np.arange(1.0, len(amplitude) + 1)
    uniaxial = np.zeros((len(amplitude), 4))
    uniaxial[:, 1] = amplitude
    stress = np.full_like(uniaxial, np.nan)
    uniaxial[:, 0], stress[:, 0] = np.nan, 0.0
    shear = np.zeros_like(uniaxial)
    shear[:, 3] = amplitude / np.sqrt(2)
    return {
        "uniaxial": LoadPath(time_axis, uniaxial, stress),
        "shear": LoadPath.strain_driven(shear),
    }


def timed(law: Law, path: LoadPath) -> tuple[Response, float]:
    """Response and CPU seconds."""
    start = time.process_time()
    response = drive(law, path, tolerance=1e-5)  # a unit cell is known to about 1e-6
    return response, time.process_time() - start


def main() -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", default="discs_2d", nargs="?")
    parser.add_argument("--fractions", type=float, nargs="+", default=[0.1, 0.3, 0.35, 0.5])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    database = Database.load(arguments.database)
    cell = ParticleCell(**database.provenance["recipe"]["microstructure"])
    paths = load_paths(arguments.steps)
    rows = []
    cases = list(product(arguments.fractions, MATERIALS.items(), paths.items()))
    for fraction, (material, laws), (name, path) in track(cases, console=Console(stderr=True)):
        dmn = NetworkLaw(database.at(volume_fraction=fraction), laws)
        full_field = UnitCellLaw(cell.image(fraction), laws)
        timed(dmn, path)  # compiles
        ours, our_time = timed(dmn, path)
        theirs, their_time = timed(full_field, path)
        difference = np.linalg.norm(ours.stress - theirs.stress, axis=1)
        scale = np.linalg.norm(theirs.stress, axis=1).max()
        rows.append(
            {
                "volume_fraction": fraction,
                "phases": material,
                "path": name,
                "max_error": float(difference.max() / scale),
                "mean_error": float(difference.mean() / scale),
                "dmn_seconds": our_time,
                "full_field_seconds": their_time,
                "ratio": their_time / our_time,
            }
        )
    table = Table(*rows[0])
    for row in rows:
        table.add_row(
            *(value if isinstance(value, str) else f"{value:.4g}" for value in row.values())
        )
    Console(width=160).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
