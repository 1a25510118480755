"""The description of a particle cell in recipes: all but its volume fraction."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._particles import discs, spheres


class ParticleCell(BaseModel):
    """Particles at random in a periodic cell, of any volume fraction.

    Attributes:
        generator: ``discs`` (2D) or ``spheres`` (3D).
        count: Number of particles.
        seed: Of their placement.
        gap: Least distance between two surfaces, in diameters.
        grid: Voxels along each axis.

    Raises:
        ValueError: If one of them is missing or out of range.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    generator: Literal["discs", "spheres"]
    count: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    gap: Annotated[float, Field(ge=0)]
    grid: Annotated[int, Field(ge=1)]

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return {"discs": 2, "spheres": 3}[self.generator]

    def image(self, volume_fraction: float) -> PhaseImage:
        """The cell of a volume fraction, phases ``matrix`` and ``inclusion``.

        Raises:
            ValueError: If the particles do not fit.
        """
        generate = {"discs": discs, "spheres": spheres}[self.generator]
        return generate(volume_fraction, self.count, self.seed, self.gap).image(self.grid)
