r"""Databases against full-field unit cells of the same microstructures, at plasticity.

The paths are the standard ones (`dmn_fem.online.standard_path`): stretching and shear with
unloading, cycles, and a path that turns corners. Errors are the largest difference along the path
over the largest value, of the deviatoric stress (the hydrostatic one is nearly elastic and
flatters). Materials are stiff inclusions with two matrices, soft inclusions, or voids where the
database is of voids; none of them need be what the database's inelastic stage has seen. Times are
CPU seconds of this process, compilation excluded, measured side by side. Several databases are of
the same cells, those of the first one's recipe. More than one grid shows what the full field is
worth.

    python benchmarks/plasticity.py discs_2d discs_2d_inelastic --fractions 0.3 0.5 --grids 64
    python benchmarks/plasticity.py voids_2d --fractions 0.3 --grids 64
"""

import argparse
import json
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

from dmn_fem.database import Database
from dmn_fem.homogenization import UnitCellLaw
from dmn_fem.laws import (
    J2Plasticity,
    Law,
    LinearElastic,
    LinearHardening,
    PhaseLaw,
    VoceHardening,
    void,
)
from dmn_fem.microstructure import PhaseImage, read_cell
from dmn_fem.online import (
    STANDARD_PATHS,
    LoadPath,
    NetworkLaw,
    Response,
    deviatoric_error,
    drive,
    standard_path,
)

LINEAR = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0))
NEARLY_PERFECT = J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.01, 100.0))
MATERIALS: dict[str, tuple[PhaseLaw, PhaseLaw]] = {
    "stiff": (LINEAR, LinearElastic(500.0, 0.19)),
    "nearly-perfect": (NEARLY_PERFECT, LinearElastic(500.0, 0.19)),
    "soft": (LINEAR, LinearElastic(1.0, 0.19)),
    "void": (LINEAR, void(LINEAR)),
}
"""Laws of the matrix and of the inclusions; all but ``nearly-perfect`` harden linearly."""


def timed(law: Law, path: LoadPath) -> tuple[Response, float]:
    """Response and CPU seconds."""
    start = time.process_time()
    response = drive(law, path)
    return response, time.process_time() - start


def main() -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", default=["discs_2d"], nargs="*")
    parser.add_argument("--fractions", type=float, nargs="+", default=[0.3, 0.5])
    parser.add_argument("--grids", type=int, nargs="+", help="default: that of the recipe")
    parser.add_argument("--materials", nargs="+", choices=list(MATERIALS))
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    databases = {name: Database.load(name) for name in arguments.databases}
    first = next(iter(databases.values()))
    recipe = first.provenance["recipe"]["microstructure"]
    porous = first.provenance["recipe"]["samples"]["void"] is not None
    chosen = arguments.materials or (["void"] if porous else list(MATERIALS)[:-1])
    grids = arguments.grids or [read_cell(recipe | {"volume_fraction": 0.3}).grid]
    images = {
        (fraction, grid): named(
            read_cell(recipe | {"volume_fraction": fraction, "grid": grid}).image(), first.phases
        )
        for fraction, grid in product(arguments.fractions, grids)
    }
    networks = {
        fraction: {
            Path(name).stem: database.at(volume_fraction=fraction)
            for name, database in databases.items()
        }
        for fraction in arguments.fractions
    }
    rows = []
    print(
        "fraction  inclusions      path             grid  network             max %  mean %"
        "  DNS s / DMN s"
    )
    for (fraction, grid), image in images.items():
        for material, name in product(chosen, STANDARD_PATHS):
            laws = dict(zip(first.phases, MATERIALS[material], strict=True))
            path = standard_path(name, first.dimension)
            theirs, their_time = timed(UnitCellLaw(image, laws, 1e-4), path)
            for stage, network in networks[fraction].items():
                # Enough iterations for whole increments: halved ones would be another path.
                law = NetworkLaw(network, laws, max_iterations=200)
                timed(law, path)  # compiles
                ours, our_time = timed(law, path)
                error = 100 * deviatoric_error(ours.stress, theirs.stress)
                rows.append(
                    {
                        "volume_fraction": fraction,
                        "inclusions": material,
                        "path": name,
                        "grid": grid,
                        "network": stage,
                        "max_error_percent": float(error.max()),
                        "mean_error_percent": float(error.mean()),
                        "dmn_seconds": our_time,
                        "full_field_seconds": their_time,
                    }
                )
                print(
                    f"{fraction:8g}  {material:14s}  {name:15s}  {grid:4d}  {stage:18s}  "
                    f"{error.max():5.2f}  {error.mean():6.2f}  {their_time:.2f} / {our_time:.4f}",
                    flush=True,
                )
            if arguments.json:
                arguments.json.write_text(json.dumps(rows, indent=1))


def named(image: PhaseImage, phases: tuple[str, ...]) -> PhaseImage:
    """The image with a database's names of its phases."""
    matrix = None if image.matrix is None else phases[image.names.index(image.matrix)]
    return replace(image, names=phases, matrix=matrix)


if __name__ == "__main__":
    main()
