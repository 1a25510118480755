"""Particles of two kinds in one packing: three phases."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._particles import Particles


@dataclass(frozen=True)
class MixedParticles:
    """Equal discs or spheres, some of which are of a second kind.

    Attributes:
        particles: All of them.
        second: Which are of the second kind, (count,).
        names: Names of the surrounding phase and of the two kinds.

    Raises:
        ValueError: If the particles differ in size.
    """

    particles: Particles
    second: NDArray[np.bool_]
    names: tuple[str, str, str] = ("matrix", "first", "second")

    def __post_init__(self) -> None:
        if np.ndim(self.particles.radius) > 0:
            raise ValueError("particles of two kinds must have one radius")

    def image(self, grid: int, composite: bool = True) -> PhaseImage:
        """Phase image; the volume fraction of all particles is exact, see `Particles.image`.

        A voxel between particles of both kinds counts for the nearer one.

        Raises:
            ValueError: If the grid has no voxel or is too coarse for the volume fraction.
        """
        plain = self.particles.image(grid, composite)
        centers = np.moveaxis(np.indices(plain.shape), 0, -1).reshape(-1, plain.dimension) + 0.5
        tree = cKDTree(self.particles.centers, boxsize=1.0)
        _, nearest = tree.query(centers / grid)
        kind = (1 + self.second[nearest]).astype(plain.phases.dtype)
        phases = np.where(plain.phases.ravel() == 1, kind, 0).astype(plain.phases.dtype)
        cut = plain.cut
        if cut is not None:
            second_phase = np.where(cut.phase == 1, kind[cut.voxel], 0).astype(cut.phase.dtype)
            cut = replace(cut, phase=second_phase)
        return PhaseImage(phases.reshape(plain.shape), self.names, cut, self.names[0])


def of_two_kinds(particles: Particles, share: float, seed: int) -> MixedParticles:
    """Make some of the particles those of a second kind, at random.

    With a larger share more particles become so, those of a smaller one among them.

    Args:
        particles: Equal ones.
        share: Of the second kind; the number of particles times it must be whole.
        seed: Of the choice.

    Raises:
        ValueError: If the share is no whole number of particles.
    """
    count = len(particles.centers)
    number = round(share * count)
    if not 0 <= share <= 1 or abs(number - share * count) > 1e-6 * count:
        raise ValueError(
            f"share is {share}; it must be a whole number of the {count} particles over {count}"
        )
    # A generator of its own: the centres do not depend on the share.
    order = np.random.default_rng([seed, 2]).permutation(count)
    return MixedParticles(particles, order < number)
