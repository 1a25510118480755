"""A database against full-field unit cells of the same microstructures, at plasticity.

The paths are the standard ones (`dmn_fem.online.standard_path`): stretching and shear with
unloading, cycles, and a path that turns corners. Errors are the largest difference along the path
over the largest value, of the deviatoric stress (the hydrostatic one is nearly elastic and
flatters). Materials are stiff inclusions with two matrices, soft inclusions, and voids; none of
them need be what the database's inelastic stage has seen. Times are CPU seconds of this process,
compilation excluded, measured side by side. More than one grid shows what the full field is worth.

With ``--inelastic`` the networks are trained on further, on elastic and inelastic answers of the
cells at the first grid, and stand in the table before and after.

    python benchmarks/plasticity.py discs_2d --fractions 0.3 0.5 --grids 64
    python benchmarks/plasticity.py discs_2d --fractions 0.3 --grids 64 --inelastic
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from dmn_fem.database import Database
from dmn_fem.homogenization import UnitCellLaw, sample, sample_inelastic
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
from dmn_fem.network import Network
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
MATERIALS: dict[str, dict[str, PhaseLaw]] = {
    "stiff, linear hardening": {"matrix": LINEAR, "inclusion": LinearElastic(500.0, 0.19)},
    "stiff, nearly perfect": {
        "matrix": J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.01, 100.0)),
        "inclusion": LinearElastic(500.0, 0.19),
    },
    "soft, linear hardening": {"matrix": LINEAR, "inclusion": LinearElastic(1.0, 0.19)},
    "void, linear hardening": {"matrix": LINEAR, "inclusion": void(LINEAR)},
}
TRAINED = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(3.0))
TRAINING: list[Mapping[str, PhaseLaw]] = [
    {"matrix": TRAINED, "inclusion": LinearElastic(young_modulus, 0.2)}
    for young_modulus in (1000.0, 300.0, 0.3)
]
"""What the inelastic stage of this benchmark asks about; none of `MATERIALS`."""


def timed(law: Law, path: LoadPath) -> tuple[Response, float]:
    """Response and CPU seconds."""
    start = time.process_time()
    response = drive(law, path)
    return response, time.process_time() - start


def trained(network: Network, image: PhaseImage) -> Network:
    """The network after an inelastic stage."""
    from dmn_fem.training import InelasticSamples, Samples, Settings, fit

    with tempfile.TemporaryDirectory() as folder:
        elastic = Samples.of(sample(image, Path(folder) / "elastic.h5", 250, 1, 1e-3))
        answers = sample_inelastic(image, Path(folder) / "inelastic.h5", TRAINING)
    settings = Settings(iterations=300)
    inelastic = InelasticSamples.of(answers)
    result = fit(network, *elastic.split(50), settings, inelastic=inelastic)
    return result.network.with_phase_fraction(network.phase_fraction)


def main() -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", default="discs_2d", nargs="?")
    parser.add_argument("--fractions", type=float, nargs="+", default=[0.3, 0.5])
    parser.add_argument("--grids", type=int, nargs="+", help="default: that of the recipe")
    parser.add_argument("--inelastic", action="store_true", help="train on, before and after")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    database = Database.load(arguments.database)
    recipe = database.provenance["recipe"]["microstructure"]
    grids = arguments.grids or [read_cell(recipe | {"volume_fraction": 0.3}).grid]
    images = {
        (fraction, grid): read_cell(recipe | {"volume_fraction": fraction, "grid": grid}).image()
        for fraction, grid in product(arguments.fractions, grids)
    }
    networks = {}
    for fraction in arguments.fractions:
        networks[fraction] = {"as it is": database.at(volume_fraction=fraction)}
        if arguments.inelastic:
            start = networks[fraction]["as it is"]
            networks[fraction]["inelastic stage"] = trained(start, images[fraction, grids[0]])
    rows = []
    print(
        "fraction  phases                  path             grid  network          max %  mean %"
        "  DNS s / DMN s"
    )
    for (fraction, grid), image in images.items():
        for (material, laws), name in product(MATERIALS.items(), STANDARD_PATHS):
            path = standard_path(name, 2)
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
                        "phases": material,
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
                    f"{fraction:8g}  {material:22s}  {name:15s}  {grid:4d}  {stage:15s}  "
                    f"{error.max():5.2f}  {error.mean():6.2f}  {their_time:.2f} / {our_time:.4f}",
                    flush=True,
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
