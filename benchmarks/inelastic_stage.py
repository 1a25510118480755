"""What the inelastic stage learns from: laws, levels, number and turns of paths, leaves.

Networks are trained from random starts on elastic samples of one cell of a database, and from each
of them once more with inelastic answers of the cell. A study varies one thing of `Stage`, all else
being as it is there. A row tells the errors of held-out elastic samples, the CPU seconds of the
stage with its answers where they are new, and errors along the standard paths for materials that
are none of those trained on: the largest one along a path and the mean along it, averaged over the
four paths and the starts, of the deviatoric stress relative to its largest value.

    python benchmarks/inelastic_stage.py
    python benchmarks/inelastic_stage.py spheres_3d --grid 16 --samples 60 --starts 1 \
        --studies materials --materials stiff soft
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dmn_fem.database import Database
from dmn_fem.homogenization import UnitCellLaw, sample, sample_inelastic
from dmn_fem.laws import (
    BackStress,
    ChabochePlasticity,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    PerzynaViscoplasticity,
    PhaseLaw,
    VoceHardening,
)
from dmn_fem.microstructure import PhaseImage, read_cell
from dmn_fem.network import Network
from dmn_fem.notation import Array
from dmn_fem.online import STANDARD_PATHS, NetworkLaw, deviatoric_error, drive, standard_path
from dmn_fem.training import InelasticSamples, Samples, Settings, evaluate, fit

MATRIX = (100.0, 0.3, 0.1)
"""Young's modulus, Poisson's ratio and yield stress of every matrix."""
LINEAR = J2Plasticity(*MATRIX, LinearHardening(3.0))
SATURATING = J2Plasticity(*MATRIX, VoceHardening(0.02, 50.0))
CHABOCHE = ChabochePlasticity(*MATRIX, (BackStress(20.0, 200.0), BackStress(3.0)))
VISCOUS = PerzynaViscoplasticity(*MATRIX, 0.1, 3.0, 100.0, LinearHardening(3.0))
STIFF, SOFT = LinearElastic(1000.0, 0.2), LinearElastic(0.3, 0.2)
TRAINING: dict[str, tuple[PhaseLaw, PhaseLaw]] = {
    "stiff": (LINEAR, STIFF),
    "soft": (LINEAR, SOFT),
    "stiff, saturating": (SATURATING, STIFF),
    "stiff, Chaboche": (CHABOCHE, STIFF),
    "stiff, viscous": (VISCOUS, STIFF),
}
"""What the stage is asked about: matrix and inclusions."""
CHECKED: dict[str, tuple[PhaseLaw, PhaseLaw]] = {
    "stiff": (J2Plasticity(*MATRIX, LinearHardening(5.0)), LinearElastic(500.0, 0.19)),
    "stiff, nearly perfect": (
        J2Plasticity(*MATRIX, VoceHardening(0.01, 100.0)),
        LinearElastic(500.0, 0.19),
    ),
    "stiff, Chaboche": (
        ChabochePlasticity(*MATRIX, (BackStress(15.0, 150.0), BackStress(5.0))),
        LinearElastic(500.0, 0.19),
    ),
    "stiff, viscous": (
        PerzynaViscoplasticity(*MATRIX, 0.05, 4.0, 50.0, LinearHardening(5.0)),
        LinearElastic(500.0, 0.19),
    ),
    "soft": (J2Plasticity(*MATRIX, LinearHardening(5.0)), LinearElastic(1.0, 0.19)),
}
"""What networks are compared with full fields for."""
TOLERANCE = 1e-4
console, bar = Console(width=160), Console(stderr=True)


@dataclass(frozen=True)
class Stage:
    """A choice of inelastic answers, and of the network that learns from them.

    Attributes:
        materials: Names in `TRAINING`.
        paths: Of every material.
        steps: Of a path, that are looked at, 1 or 2.
        levels: Least and largest deviatoric strain.
        weight: Of the inelastic loss beside the elastic one.
        leaves: Of the network.
    """

    materials: tuple[str, ...] = ("stiff",)
    paths: int = 24
    steps: int = 2
    levels: tuple[float, float] = (0.002, 0.015)
    weight: float = 0.1
    leaves: int = 128


STUDIES: dict[str, tuple[Any, ...]] = {
    "materials": (
        *((name,) for name in TRAINING),
        ("stiff", "soft"),
        ("stiff", "stiff, Chaboche"),
    ),
    "paths": (6, 24, 96),
    "steps": (1, 2),
    "levels": ((0.0005, 0.004), (0.001, 0.0075), (0.002, 0.015), (0.004, 0.03), (0.001, 0.03)),
    "weight": (0.02, 0.1, 0.5, 2.0),
    "leaves": (64, 128, 256, 512),
}
"""Values of an attribute of `Stage`."""


class Cell:
    """A cell, its elastic samples, and what its full fields answer, each asked once."""

    def __init__(self, image: PhaseImage, directory: Path, samples: int) -> None:
        self.image, self.directory = image, directory
        found = sample(image, directory / "elastic.h5", samples, 1, 1e-3)
        self.samples = Samples.of(found).split(samples // 5)
        self.references: dict[tuple[str, str], Array] = {}

    def laws(self, pair: tuple[PhaseLaw, PhaseLaw]) -> dict[str, PhaseLaw]:
        """The laws of matrix and inclusions by the names of the phases."""
        return dict(zip(self.image.names, pair, strict=True))

    def start(self, leaves: int, seed: int) -> Network:
        """A network that has seen elastic samples alone."""
        fraction, rng = self.samples[0].phase_fraction, np.random.default_rng(seed)
        start = Network.random(self.image.dimension, self.image.names, fraction, leaves, rng)
        return fit(start, *self.samples, Settings(iterations=1000)).network

    def answers(self, stage: Stage) -> InelasticSamples:
        """What a stage learns from."""
        file = self.directory / f"{stage.materials} {stage.paths} {stage.levels}.h5"
        materials = [self.laws(TRAINING[name]) for name in stage.materials]
        found = sample_inelastic(self.image, file, materials, stage.paths, stage.levels, TOLERANCE)
        strain, stress = (each[:, : stage.steps] for each in (found.strain, found.stress))
        return replace(InelasticSamples.of(found, stage.weight), strain=strain, stress=stress)

    def errors(self, network: Network, material: str) -> Array:
        """Largest and mean error in %, averages over the standard paths, (2,)."""
        laws, errors = self.laws(CHECKED[material]), []
        for name in STANDARD_PATHS:
            path = standard_path(name, self.image.dimension)
            if (material, name) not in self.references:
                full_field = drive(UnitCellLaw(self.image, laws, TOLERANCE), path)
                self.references[material, name] = full_field.stress
            # Enough iterations for whole increments: halved ones would be another path.
            stress = drive(NetworkLaw(network, laws, max_iterations=200), path).stress
            error = deviatoric_error(stress, self.references[material, name])
            errors.append((100 * error.max(), 100 * error.mean()))
        return np.mean(errors, axis=0)

    def row(self, network: Network, seconds: float, materials: Sequence[str]) -> list[Array]:
        """What a network is worth: largest and mean elastic error, seconds, errors of materials."""
        elastic = evaluate(network, self.samples[1]).stiffness
        return [
            100 * np.array([elastic.maximum, elastic.mean]),
            np.array([seconds]),
            *(self.errors(network, material) for material in materials),
        ]


def main() -> None:
    """Train, and print a table of every study."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", default="discs_2d", nargs="?", help="whose cell it is")
    parser.add_argument("--fraction", type=float, default=0.3, help="volume fraction")
    parser.add_argument("--grid", type=int, default=64, help="voxels along an edge")
    parser.add_argument("--samples", type=int, default=250, help="elastic ones")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=200, help="of the stage")
    parser.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--materials", nargs="+", choices=list(CHECKED), default=list(CHECKED))
    arguments = parser.parse_args()
    database = Database.load(arguments.database)
    recipe = database.provenance["recipe"]["microstructure"]
    wanted = {"volume_fraction": arguments.fraction, "grid": arguments.grid}
    image = read_cell(recipe | wanted).image()
    settings = Settings(iterations=arguments.iterations)
    starts: dict[tuple[int, int], Network] = {}
    with tempfile.TemporaryDirectory() as directory:
        cell = Cell(image, Path(directory), arguments.samples)

        def start(leaves: int, seed: int) -> Network:
            """Made once."""
            if (leaves, seed) not in starts:
                starts[leaves, seed] = cell.start(leaves, seed)
            return starts[leaves, seed]

        def after(stage: Stage, seed: int) -> list[Array]:
            """The row of one start behind the stage."""
            network, begin = start(stage.leaves, seed), process_time()
            answers = cell.answers(stage)
            result = fit(network, *cell.samples, settings, inelastic=answers).network
            return cell.row(result, process_time() - begin, arguments.materials)

        for study in arguments.studies:
            names = "elastic", "CPU s", *arguments.materials
            table = Table(study, *names, box=MARKDOWN, title="errors in %, largest / mean")
            leaves: set[int] = set()
            for value in track(STUDIES[study], study, console=bar):
                stage = replace(Stage(), **{study: value})
                seeds = range(arguments.starts)
                if stage.leaves not in leaves:
                    leaves.add(stage.leaves)
                    found = [start(stage.leaves, seed) for seed in seeds]
                    before = [cell.row(each, 0.0, arguments.materials) for each in found]
                    table.add_row(f"{stage.leaves} leaves, no stage", *means(before))
                table.add_row(name(value), *means([after(stage, seed) for seed in seeds]))
            console.print(table)


def name(value: Any) -> str:
    """What a row is called."""
    return " + ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def means(rows: list[list[Array]]) -> list[str]:
    """Means over the starts."""
    columns = (np.mean(column, axis=0) for column in zip(*rows, strict=True))
    return [" / ".join(f"{value:.2f}" for value in column) for column in columns]


if __name__ == "__main__":
    main()
