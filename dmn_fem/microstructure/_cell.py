"""The description of a cell in recipes: a generator and its arguments, checked."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from dmn_fem.microstructure._extrusion import extrude
from dmn_fem.microstructure._fibres import fibres
from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._layers import layers
from dmn_fem.microstructure._mixture import of_two_kinds
from dmn_fem.microstructure._particles import discs, spheres
from dmn_fem.microstructure._random_field import random_field
from dmn_fem.microstructure._weave import weave

type _Count = Annotated[int, Field(ge=1)]
type _Seed = Annotated[int, Field(ge=0)]
type _Gap = Annotated[float, Field(ge=0)]
type _Positive = Annotated[float, Field(gt=0)]
type _Row = tuple[float, float, float]


class _Cell(BaseModel):
    """What all have.

    Attributes:
        phases: Names of the phases of its image.
        volume_fraction: Of all phases but the first.
        grid: Voxels along each axis; along those in plane of a flat cell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    phases: ClassVar[tuple[str, ...]]
    volume_fraction: Annotated[float, Field(gt=0, lt=1)]
    grid: Annotated[int, Field(ge=1)]


class ParticleCell(_Cell):
    """Particles at random in a periodic cell, of any volume fraction.

    Attributes:
        generator: ``discs`` (2D), ``spheres`` (3D) or ``cylinders`` (3D: discs drawn out along
            direction 1, unidirectional fibres; the grid is one voxel long there).
        count: Number of particles.
        seed: Of their placement.
        gap: Least distance between two surfaces where they are placed, in mean diameters.
        variation: Coefficient of variation of the diameters.
        placed_at: Volume fraction at which they are placed; see `discs`.

    Raises:
        ValueError: If one of them is missing or out of range.
    """

    phases = ("matrix", "inclusion")
    generator: Literal["discs", "spheres", "cylinders"]
    count: _Count
    seed: _Seed
    gap: _Gap
    variation: Annotated[float, Field(ge=0)] = 0.0
    placed_at: _Positive | None = None

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return 2 if self.generator == "discs" else 3

    def image(self) -> PhaseImage:
        """The phase image.

        Raises:
            ValueError: If the particles do not fit.
        """
        generate = spheres if self.generator == "spheres" else discs
        image = generate(
            self.volume_fraction, self.count, self.seed, self.gap, self.variation, self.placed_at
        ).image(self.grid)
        return extrude(image) if self.generator == "cylinders" else image


class MixedParticleCell(_Cell):
    """Equal discs of two kinds at random in a periodic square; see `of_two_kinds`.

    Attributes:
        count: Number of discs.
        seed: Of their placement, and of which are of the second kind.
        gap: Least distance between two surfaces where they are placed, in diameters.
        share: Of the discs that are of the second kind.
        placed_at: Volume fraction at which they are placed; see `discs`.
    """

    phases = ("matrix", "first", "second")
    generator: Literal["mixed_discs"]
    count: _Count
    seed: _Seed
    gap: _Gap
    share: Annotated[float, Field(ge=0, le=1)]
    placed_at: _Positive | None = None

    @property
    def dimension(self) -> int:
        """2."""
        return 2

    def image(self) -> PhaseImage:
        """The phase image.

        Raises:
            ValueError: If the discs do not fit or the share is no whole number of them.
        """
        particles = discs(
            self.volume_fraction, self.count, self.seed, self.gap, placed_at=self.placed_at
        )
        return of_two_kinds(particles, self.share, self.seed).image(self.grid)


class FibreCell(_Cell):
    """Straight short fibres in a periodic cube; see `fibres`."""

    phases = ("matrix", "fibre")
    generator: Literal["fibres"]
    count: _Count
    seed: _Seed
    gap: _Gap
    aspect_ratio: Annotated[float, Field(gt=1)]
    orientation: _Row | tuple[_Row, _Row, _Row]
    placed_at: _Positive | None = None

    @property
    def dimension(self) -> int:
        """3."""
        return 3

    def image(self) -> PhaseImage:
        """The phase image.

        Raises:
            ValueError: If the fibres do not fit or cannot have the orientation tensor.
        """
        return fibres(
            self.volume_fraction,
            self.count,
            self.seed,
            self.aspect_ratio,
            self.orientation,
            self.gap,
            self.placed_at,
        ).image(self.grid)


class RandomFieldCell(_Cell):
    """A periodic Gaussian random field cut at a level; see `random_field`."""

    phases = ("phase_1", "phase_2")
    generator: Literal["random_field"]
    dimension: Literal[2, 3]
    seed: _Seed
    wavelength: _Positive
    bandwidth: _Positive = 0.2

    def image(self) -> PhaseImage:
        """The phase image.

        Raises:
            ValueError: If no wave fits in the cell or the grid is too coarse.
        """
        return random_field(
            self.dimension, self.volume_fraction, self.seed, self.wavelength, self.bandwidth
        ).image(self.grid)


class LayerCell(_Cell):
    """Two layers; see `layers`.

    Attributes:
        axis: Normal direction of the layers, from 0.
    """

    phases = ("layer_1", "layer_2")
    generator: Literal["layers"]
    dimension: Literal[2, 3]
    axis: Annotated[int, Field(ge=0, le=2)] = 0

    def image(self) -> PhaseImage:
        """The phase image.

        Raises:
            ValueError: If a layer is thinner than a voxel.
        """
        fractions = (1 - self.volume_fraction, self.volume_fraction)
        return layers(self.dimension, self.grid, fractions, self.axis)


class WeaveCell(_Cell):
    """A plain weave in a flat cell; see `weave`."""

    phases = ("matrix", "warp", "weft")
    generator: Literal["weave"]
    height: _Positive
    width: _Positive
    gap: _Gap

    @property
    def dimension(self) -> int:
        """3."""
        return 3

    def image(self) -> PhaseImage:
        """The phase image.

        Raises:
            ValueError: If the yarns do not fit.
        """
        return weave(self.volume_fraction, self.height, self.width, self.gap).image(self.grid)


type Cell = Annotated[
    ParticleCell | MixedParticleCell | FibreCell | RandomFieldCell | LayerCell | WeaveCell,
    Field(discriminator="generator"),
]
"""Any of them, for the field of a recipe: ``generator`` says which."""


def read_cell(table: Mapping[str, object]) -> Cell:
    """The cell that the table ``microstructure`` of a recipe describes.

    Raises:
        ValueError: If a key is missing, unknown or out of range.
    """
    return TypeAdapter[Cell](Cell).validate_python(table)
