"""Campaigns of inelastic training sets: of one image, and of the images of a family."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmn_fem.homogenization._campaign import Progress, run, silent
from dmn_fem.homogenization._executors import Workers, start_processes
from dmn_fem.homogenization._inelastic_set import InelasticSet
from dmn_fem.homogenization._journal import Journal, Key
from dmn_fem.homogenization._plan import ITSELF
from dmn_fem.homogenization._strain_paths import strain_paths
from dmn_fem.homogenization._unit_cell import UnitCellLaw
from dmn_fem.laws import Code, PhaseLaw, parse_phases, phase_tables
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array, strain_size


@dataclass(frozen=True)
class PathStress:
    """Stresses at the ends of the K steps of a path, (K, s), and Newton iterations, (K,)."""

    stress: Array
    iterations: NDArray[np.int64]


def follow_path(
    image: PhaseImage, laws: Mapping[str, PhaseLaw], strain: Array, tolerance: float
) -> PathStress:
    """Full-field stresses along a path of prescribed strains, a unit of time a step.

    Raises:
        ValueError: If a step does not converge.
    """
    law = UnitCellLaw(image, laws, tolerance)
    state, stress = law.allocate(1), np.empty((1, law.strain_size))
    stresses, iterations = np.empty_like(strain), np.empty(len(strain), dtype=np.int64)
    for step, mean in enumerate(strain):
        status = law.integrate(mean[None].copy(), state, stress, dt=1.0)
        if status.codes[0] == Code.FAILED:
            raise ValueError(
                f"the full field did not converge in step {step + 1}; "
                "smaller levels, or more hardening, do"
            )
        state.accept()
        stresses[step], iterations[step] = stress[0], status.iterations[0]
    return PathStress(stresses, iterations)


@dataclass(frozen=True)
class InelasticSetPlan:
    """What an inelastic training set is to hold; a `Plan` of a campaign.

    Attributes:
        path: The file.
        image: The microstructure.
        materials: The law of every phase by the phase's name, for every material.
        count: Number of paths of every material.
        levels: Least and largest deviatoric strain, see `strain_paths`.
        tolerance: Of the unbalanced forces, see `UnitCellLaw`.

    Raises:
        ValueError: If one of them is out of range, or a material is not of the image's phases.
    """

    grows: ClassVar[tuple[str, ...]] = ()

    path: Path
    image: PhaseImage
    materials: tuple[Mapping[str, PhaseLaw], ...]
    count: int
    levels: tuple[float, float]
    tolerance: float

    def __post_init__(self) -> None:
        if self.count < 1 or not self.materials:
            raise ValueError("an inelastic training set needs at least one material and one path")
        if not 0 < self.levels[0] < self.levels[1] < 1:
            raise ValueError(f"levels are {self.levels}; they must increase, between 0 and 1")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance is {self.tolerance}; it must lie between 0 and 1")
        for laws in self.materials:
            if set(laws) != set(self.image.names):
                raise ValueError(
                    f"a material is of the phases {', '.join(laws)}; "
                    f"the image has {', '.join(self.image.names)}"
                )

    @cached_property
    def material(self) -> NDArray[np.int64]:
        """Number of the material of every path, (n,)."""
        return np.repeat(np.arange(len(self.materials)), self.count)

    @cached_property
    def strain(self) -> Array:
        """Strain paths of all materials, others for each, (n, 2, s)."""
        dimension = self.image.dimension
        return np.concatenate(
            [
                strain_paths(dimension, self.count, self.levels, seed)
                for seed in range(len(self.materials))
            ]
        )

    @cached_property
    def keys(self) -> list[Key]:
        """Keys of all results, in the order in which they are computed."""
        return [(ITSELF, number) for number in range(len(self.strain))]

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """All that determines the set."""
        return {
            "generator": "two-step strain paths",
            "materials": [phase_tables(laws) for laws in self.materials],
            "paths": int(self.count),
            "levels": [float(level) for level in self.levels],
            "tolerance": float(self.tolerance),
            "phases": list(self.image.names),
            "phase_image": self.image.digest,
            "grid": list(self.image.shape),
        }

    @property
    def compute(self) -> Callable[..., PathStress]:
        """`follow_path`."""
        return follow_path

    def tasks(self, keys: Sequence[Key]) -> Iterator[tuple[Any, ...]]:
        """Arguments of `follow_path`, made one by one."""
        for _, number in keys:
            laws = self.materials[self.material[number]]
            yield self.image, laws, self.strain[number], self.tolerance

    def name(self, key: Key) -> str:
        """What progress and errors call a result."""
        material = self.material[key[1]]
        return f"path {key[1] - material * self.count + 1} of material {material + 1}"

    def journal(self, path: Path, identity: dict[str, Any]) -> Journal[PathStress]:
        """The journal for the results."""
        steps, size = self.strain.shape[1], strain_size(self.image.dimension)
        parts = [("stress", "<f8", (steps, size)), ("iterations", "<i8", (steps,))]
        return Journal(path, identity, PathStress, parts)

    def read(self) -> tuple[dict[str, Any], dict[Key, PathStress]]:
        """Recipe and results of the file."""
        found = InelasticSet.load(self.path)
        results = map(PathStress, found.stress, found.iterations)
        return found.recipe, {(ITSELF, number): each for number, each in enumerate(results)}

    def write(self, results: Mapping[Key, PathStress]) -> None:
        """Write the inelastic training set."""
        found = [results[key] for key in self.keys]
        InelasticSet(
            self.image,
            self.materials,
            self.material,
            self.strain,
            np.stack([each.stress for each in found]),
            np.stack([each.iterations for each in found]),
            self.recipe,
        ).save(self.path)


def sample_inelastic(
    image: PhaseImage,
    path: str | os.PathLike[str],
    materials: Sequence[Mapping[str, PhaseLaw]],
    count: int = 96,
    levels: tuple[float, float] = (0.002, 0.015),
    tolerance: float = 1e-4,
    *,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> InelasticSet:
    """Make an inelastic training set, or finish one that was interrupted, or read one.

    Choose materials that bracket those in use, with a matrix that hardens: a perfectly plastic one
    costs most and teaches least. Inclusions that are stiff and others that are soft make up for
    each other; for voids ask about voids (`dmn_fem.laws.void`). A few tens of paths do, of laws
    without rates for laws with them as well: see ``benchmarks/inelastic_stage.py``.

    Args:
        image: The microstructure.
        path: The HDF5 file to write; the journal of an unfinished set stands beside it.
        materials: The law of every phase by the phase's name, for every material.
        count: Number of strain paths for every material.
        levels: Least and largest deviatoric strain, see `strain_paths`; about 1.5 to 15 times the
            yield strain.
        tolerance: Of the unbalanced forces, see `UnitCellLaw`.
        workers: Who computes; this process, if not given.
        progress: Called after every path, and once before the first.

    Raises:
        ValueError: If the file or the journal is damaged, foreign, of another recipe or in use (it
            is left as it is), or if arguments are out of range.
        CampaignError: If a full field does not converge; all others are kept.
    """
    plan = InelasticSetPlan(Path(path), image, tuple(materials), count, levels, tolerance)
    with nullcontext(workers) if workers else start_processes() as chosen:
        run([plan], chosen, progress)
    return InelasticSet.load(plan.path)


class InelasticPlan(BaseModel):
    """The inelastic stage of a recipe: what full fields are asked, and what it weighs.

    Attributes:
        materials: Tables of phases, each as in ``phases.toml``.
        paths: Number of strain paths for every material.
        levels: Least and largest deviatoric strain, see `strain_paths`.
        grid: Voxels along an edge of the cells that answer, those of the elastic samples if not
            given; half as many cost a quarter and suffice with composite voxels.
        tolerance: Of the unbalanced forces, see `UnitCellLaw`.
        weight: Of the inelastic loss beside the elastic one; not looked at here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    materials: Annotated[tuple[dict[str, dict[str, Any]], ...], Field(min_length=1)]
    paths: Annotated[int, Field(ge=1)] = 96
    levels: tuple[float, float] = (0.002, 0.015)
    grid: Annotated[int, Field(ge=2)] | None = None
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    weight: Annotated[float, Field(gt=0)] = 2.0

    @model_validator(mode="after")
    def _laws_exist(self) -> Self:
        if not 0 < self.levels[0] < self.levels[1] < 1:
            raise ValueError(f"levels are {self.levels}; they must increase, between 0 and 1")
        assert self.laws
        return self

    @property
    def laws(self) -> tuple[dict[str, PhaseLaw], ...]:
        """The law of every phase by the phase's name, for every material."""
        return tuple(
            parse_phases(tables, f"material {number}")
            for number, tables in enumerate(self.materials, start=1)
        )


def sample_inelastic_family(
    plan: InelasticPlan,
    images: Mapping[Path, PhaseImage],
    workers: Workers,
    progress: Progress = silent,
) -> list[InelasticSet]:
    """Make the inelastic training sets of many images, or finish them, or read them.

    Args:
        plan: What to make.
        images: The file of every set and its microstructure, at the plan's grid.
        workers: Who computes, see `start_processes` and `start_ranks`.
        progress: Called after every path, and once before the first.

    Returns:
        The sets, in the order of the images.

    Raises:
        ValueError: See `sample_inelastic`.
        CampaignError: If a full field does not converge; all others are kept.
    """
    plans = [
        InelasticSetPlan(path, image, plan.laws, plan.paths, plan.levels, plan.tolerance)
        for path, image in images.items()
    ]
    run(plans, workers, progress)
    return [InelasticSet.load(each.path) for each in plans]
