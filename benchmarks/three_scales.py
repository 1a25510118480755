"""A woven composite in three scales: one grafted network against full fields of full fields.

Elastic: the stiffness of the grafted network against a full field of the weave whose yarns have the
stiffness of a full field of their fibres; and with one of the two scales replaced alone, which says
where the error comes from. Plastic: the grafted network against a full field of the weave whose
yarn voxels have the network of the fibres for a law, turned along the yarn, and whose matrix voxels
have the matrix's own: the same strains, error of the stress over its largest value. The cell there
has whole voxels; two grids show what that is worth. Times are CPU seconds of an increment.

    python benchmarks/three_scales.py --grids 48 64
"""

import argparse
import json
import time
from collections.abc import Mapping

import numpy as np

from dmn_fem.database import Database
from dmn_fem.homogenization import DataRecipe, SpectralGrid, homogenize, solve_linear
from dmn_fem.laws import (
    DruckerPrager,
    J2Plasticity,
    Law,
    PhaseLaw,
    TransverselyIsotropicElastic,
    VoceHardening,
    initial_stiffness,
)
from dmn_fem.microstructure import PhaseImage
from dmn_fem.network import Network
from dmn_fem.notation import Array, mandel_rotation, rotation_from_quaternion
from dmn_fem.online import LoadPath, NetworkLaw, drive, material_law

CARBON = TransverselyIsotropicElastic(230e3, 15e3, 0.2, 0.07, 15e3)
GLASS = TransverselyIsotropicElastic(72e3, 72e3, 0.22, 0.22, 72e3 / 2.44)
MATERIALS: dict[str, tuple[PhaseLaw, TransverselyIsotropicElastic]] = {
    "glass, J2": (J2Plasticity(3500.0, 0.35, 40.0, VoceHardening(30.0, 150.0, 100.0)), GLASS),
    "carbon, Drucker-Prager": (DruckerPrager(3500.0, 0.35, 32.0, 15.0, 15.0, 200.0), CARBON),
}
ACROSS = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
TOLERANCE = 1e-4  # of the unbalanced forces of a cell, in the energy norm


class LawCell:
    """A cell of whole voxels, each with any law of its phase, turned with the axes of the image.

    Args:
        image: The image; its cut voxels are taken as whole.
        laws: By the phase's name.
    """

    def __init__(self, image: PhaseImage, laws: Mapping[str, Law]) -> None:
        self.grid = SpectralGrid(image.shape)
        self.displacement = np.zeros(self.grid.shape)
        self.parts = []
        assert image.axes is not None
        turns = mandel_rotation(rotation_from_quaternion(image.axes.quaternion))
        for phase, (name, number) in enumerate(zip(image.names, image.axes.number, strict=True)):
            own = np.flatnonzero(image.phases.ravel() == phase)
            law, turn = laws[name], turns[number.ravel()[own]]
            self.parts.append((own, turn, law, law.allocate(own.size)))

    def respond(self, strain: Array) -> tuple[Array, Array]:
        """Stress and tangent of all voxels."""
        stress, tangent = np.empty(strain.shape), np.empty((*strain.shape, 6))
        for own, turn, law, state in self.parts:
            local = np.einsum("vji,vj->vi", turn, strain[own])
            its_stress, its_tangent = np.empty(local.shape), np.empty((*local.shape, 6))
            if law.integrate(local, state, its_stress, its_tangent, 1.0).failed:
                raise RuntimeError("a voxel failed")
            stress[own] = np.einsum("vij,vj->vi", turn, its_stress)
            tangent[own] = turn @ its_tangent @ turn.swapaxes(1, 2)
        return stress, tangent

    def advance(self, mean: Array) -> Array:
        """Mean stress at a mean strain, which is accepted."""
        grid, every = self.grid, np.arange(self.grid.voxels)
        for _ in range(30):
            stress, tangent = self.respond(grid.strain(mean, self.displacement))
            force, reference = grid.force(stress), tangent.mean(axis=0)
            green = grid.green(reference)
            unbalanced = float(np.vdot(force, grid.precondition(green, force)))
            scale = float(np.sum(stress @ np.linalg.inv(reference) * stress))
            if unbalanced <= TOLERANCE**2 * scale:
                for *_, state in self.parts:
                    state.accept()
                return np.asarray(stress.mean(axis=0))
            solution = solve_linear(grid, tangent, every, -force, green, 0.05)
            self.displacement += solution.displacement
        raise RuntimeError("the cell did not converge")


def elastic(
    weave: PhaseImage, yarn: PhaseImage, cell: Network, bundle: Network
) -> dict[str, float]:
    """Errors of the stiffness by what is a network."""
    turn = mandel_rotation(ACROSS)
    result = {}
    for material, (matrix, fibre) in MATERIALS.items():
        resin = initial_stiffness(matrix, 3)
        phases = np.stack([resin, fibre.stiffness(3)])
        yarns = homogenize(yarn, phases, 1e-5).stiffness, bundle.stiffness(phases)
        both = [np.stack([resin, each, turn @ each @ turn.T]) for each in yarns]
        exact = homogenize(weave, both[0], 1e-4).stiffness
        stand_ins = {
            "fibres": homogenize(weave, both[1], 1e-4).stiffness,
            "weave": cell.stiffness(both[0]),
            "both, grafted": grafted(cell, bundle).stiffness(phases),
        }
        for name, stiffness in stand_ins.items():
            error = np.linalg.norm(stiffness - exact) / np.linalg.norm(exact)
            result[f"{material}: {name}"] = 100 * float(error)
    return result


def grafted(cell: Network, bundle: Network) -> Network:
    """The network of three scales."""
    bundle = bundle.aligned()
    return cell.grafted({"warp": bundle, "weft": bundle.rotated(ACROSS)})


def paths(law: Law, steps: int) -> dict[str, Array]:
    """Strains under one component of stress, along the warp or in shear, up and halfway back.

    They are those of the network, which knows the lateral ones.
    """
    ramp = np.concatenate([np.arange(1, steps + 1), [0.75 * steps, 0.5 * steps]]) / steps
    result = {}
    for name, component, amplitude in (("tension", 0, 0.012), ("shear", 3, 0.02)):
        strain, stress = np.full((ramp.size, 6), np.nan), np.zeros((ramp.size, 6))
        strain[:, component], stress[:, component] = amplitude * ramp, np.nan
        result[name] = drive(law, LoadPath(np.arange(1.0, ramp.size + 1), strain, stress)).strain
    return result


def plastic(
    image: PhaseImage, cell: Network, bundle: Network, material: str, steps: int
) -> dict[str, dict[str, float]]:
    """Errors and costs along all paths."""
    matrix, fibre = MATERIALS[material]
    phases = {"matrix": matrix, "fibre": fibre}
    law = NetworkLaw(grafted(cell, bundle), phases)
    yarns = [bundle.aligned(), bundle.aligned().rotated(ACROSS)]
    result = {}
    for name, strains in paths(law, steps).items():
        laws: dict[str, Law] = {
            "matrix": material_law(matrix, 3),
            "warp": NetworkLaw(yarns[0], phases),
            "weft": NetworkLaw(yarns[1], phases),
        }
        full = LawCell(image, laws)
        start = time.process_time()
        reference = np.array([full.advance(strain) for strain in strains])
        middle = time.process_time()
        found = drive(law, LoadPath.strain_driven(strains)).stress
        end = time.process_time()
        error = np.linalg.norm(found - reference, axis=1) / np.linalg.norm(reference, axis=1).max()
        result[name] = {
            "largest error, %": 100 * float(error.max()),
            "mean error, %": 100 * float(error.mean()),
            "CPU s an increment, cell": (middle - start) / len(strains),
            "CPU ms an increment, network": 1e3 * (end - middle) / len(strains),
        }
    return result


def main() -> None:
    """Print errors and costs as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weave", default="weave_3d", help="name or file of a database")
    parser.add_argument("--yarn", default="yarn_3d", help="name or file of a database")
    parser.add_argument("--yarns", type=float, default=0.45, help="volume fraction of the yarns")
    parser.add_argument("--packing", type=float, default=0.6, help="of the fibres in a yarn")
    parser.add_argument("--grids", type=int, nargs="+", default=[48, 64], help="of the laws' cell")
    parser.add_argument("--steps", type=int, default=6, help="up")
    options = parser.parse_args()
    databases = [Database.load(options.weave), Database.load(options.yarn)]
    network, bundle = (
        database.at(volume_fraction=fraction)
        for database, fraction in zip(databases, (options.yarns, options.packing), strict=True)
    )
    recipes = [DataRecipe.model_validate(each.provenance["recipe"]) for each in databases]
    cells = [
        recipe.cell(volume_fraction=fraction)
        for recipe, fraction in zip(recipes, (options.yarns, options.packing), strict=True)
    ]
    weave, yarn = (recipe.image(cell) for recipe, cell in zip(recipes, cells, strict=True))
    leaves = len(grafted(network, bundle).tree().leaf_weight)
    print(
        json.dumps(
            {"leaves": leaves, "elastic, %": elastic(weave, yarn, network, bundle)}, indent=1
        )
    )
    for material in MATERIALS:
        for grid in options.grids:
            image = recipes[0].image(cells[0].model_copy(update={"grid": grid}))
            found = plastic(image, network, bundle, material, options.steps)
            print(json.dumps({f"{material}, grid {grid}": found}, indent=1), flush=True)


if __name__ == "__main__":
    main()
