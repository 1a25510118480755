"""Periodic cells of straight short fibres without overlap, of prescribed orientation tensor.

References:
    Schneider (2017), The sequential addition and migration method to generate representative volume
    elements for the homogenization of short fiber reinforced plastics, Comput. Mech. 59. Here all
    fibres are there from the start and grow; where they overlap, they migrate in the same way.
    Tyler (1987), Statistical analysis for the angular central Gaussian distribution on the sphere,
    Biometrika 74 (the directions).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.microstructure._fibre_kernels import neighbours, push_apart
from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._two_phases import image_of_capsules
from dmn_fem.notation import Array

_GROWTH = 0.01  # of the volume fraction, between two migrations
_SWEEPS = 10000  # of one migration, before it counts as jammed
_SLACK = 0.02  # of the distance of two axes: pairs are pushed a little further
_SKIN = 0.5  # diameters by which fibres may move before their neighbours are looked up again
_CORRECTIONS = 1000  # of the directions, before the tensor counts as out of reach
_TENSOR = 1e-10  # error of the components of the orientation tensor


@dataclass(frozen=True)
class Fibres:
    """Equal straight fibres, cylinders with hemispherical ends, in a periodic unit cube.

    Attributes:
        centers: (count, 3), in [0, 1).
        directions: Unit vectors, (count, 3); their signs have no meaning.
        length: From end to end, in edges of the cell.
        diameter: In edges of the cell.
        names: Names of the surrounding phase and of the fibres.
    """

    centers: Array
    directions: Array
    length: float
    diameter: float
    names: tuple[str, str] = ("matrix", "fibre")

    @property
    def dimension(self) -> int:
        """3."""
        return 3

    @property
    def volume_fraction(self) -> float:
        """Share of the cell that the fibres fill."""
        return len(self.centers) * _volume(self.length / self.diameter) * self.diameter**3

    @property
    def orientation_tensor(self) -> Array:
        """Mean of the dyads of the directions, (3, 3): the second-order orientation tensor."""
        return _tensor(self.directions)

    def image(self, grid: int, composite: bool = True) -> PhaseImage:
        """Phase image of the prescribed volume fraction; see `Particles.image`.

        Raises:
            ValueError: If the grid has no voxel or is too coarse for the volume fraction.
        """
        return image_of_capsules(
            self.centers,
            0.5 * (self.length - self.diameter) * self.directions,
            np.full(len(self.centers), 0.5 * self.diameter),
            grid,
            self.volume_fraction,
            self.names,
            composite,
        )


def fibres(
    volume_fraction: float,
    count: int,
    seed: int,
    aspect_ratio: float = 10.0,
    orientation: ArrayLike = (1 / 3, 1 / 3, 1 / 3),
    gap: float = 0.05,
    placed_at: float | None = None,
) -> Fibres:
    """Straight short fibres in a periodic unit cube, without overlap.

    The same seed starts from the same fibres and grows along the same path at every volume
    fraction, so cells at neighbouring fractions resemble each other; if they are all placed at one
    fraction, they differ in the size of their fibres alone. A fraction of 0.2 is reached at aspect
    ratio 10 with the default gap, whatever the orientation.

    Args:
        volume_fraction: Share of the cube that the fibres fill.
        count: Number of fibres.
        seed: Of the random start.
        aspect_ratio: Length from end to end over diameter, more than one.
        orientation: Second-order orientation tensor, (3, 3), or its diagonal, (3,); it is met to
            rounding. Directions follow the angular central Gaussian distribution.
        gap: Least distance between two surfaces, in diameters.
        placed_at: Volume fraction up to which the fibres grow to find their places, where they then
            shrink; that of the fibres themselves, if not given.

    Raises:
        ValueError: If arguments are out of range or the fibres do not fit.
    """
    if placed_at is not None:
        if not 0 < volume_fraction <= placed_at:
            raise ValueError(
                f"volume_fraction is {volume_fraction}; it must be positive and at most placed_at, "
                f"{placed_at}"
            )
        placed = fibres(placed_at, count, seed, aspect_ratio, orientation, gap)
        scale = (volume_fraction / placed_at) ** (1 / 3)
        return replace(placed, length=scale * placed.length, diameter=scale * placed.diameter)
    if not 0 < volume_fraction < 1:
        raise ValueError(f"volume_fraction is {volume_fraction}; it must lie between 0 and 1")
    if count < 1:
        raise ValueError(f"count is {count}; there must be at least one fibre")
    if not (aspect_ratio > 1 and math.isfinite(aspect_ratio)):
        raise ValueError(f"aspect_ratio is {aspect_ratio}; it must be more than 1")
    if not gap >= 0:
        raise ValueError(f"gap is {gap}; it must be at least 0")
    tensor = _checked(orientation)

    def diameter(fraction: float) -> float:
        return float((fraction / (count * _volume(aspect_ratio))) ** (1 / 3))

    target = f"{count} fibres of volume fraction {volume_fraction} and gap {gap} (seed {seed})"
    if diameter(volume_fraction) * (aspect_ratio + gap) > 1:
        raise ValueError(f"{target} are longer than the cell; ask for more fibres")
    rng = np.random.default_rng(seed)
    centers = rng.random((count, 3))
    directions = _correct(rng.standard_normal((count, 3)), tensor)
    # Stages lie at the same fractions whatever the target: its path is that of larger targets too.
    for fraction in (*np.arange(_GROWTH, volume_fraction, _GROWTH), volume_fraction):
        migrated = _migrate(centers, directions, tensor, diameter(fraction), aspect_ratio, gap)
        if migrated is None:
            raise ValueError(
                f"{target} could not be placed without overlap: stuck at {fraction:.2f}; ask for a "
                "lower volume fraction or aspect ratio, a smaller gap, or another count or seed"
            )
        centers, directions = migrated
    thickness = diameter(volume_fraction)
    return Fibres(centers, directions, aspect_ratio * thickness, thickness)


def _migrate(
    centers: Array,
    directions: Array,
    tensor: Array,
    diameter: float,
    aspect_ratio: float,
    gap: float,
) -> tuple[Array, Array] | None:
    """Push overlapping fibres apart, keeping the orientation tensor; None if that fails."""
    half = 0.5 * (aspect_ratio - 1) * diameter
    least = diameter * (1 + gap)
    moves, turns = np.empty_like(centers), np.empty_like(directions)
    travelled = math.inf
    for _ in range(_SWEEPS):
        if travelled > 0.5 * _SKIN * diameter:
            centers = centers % 1.0
            pairs, shifts = neighbours(centers, 2 * half + least + _SKIN * diameter)
            travelled = 0.0
        if not push_apart(
            centers, directions, half, least, least * (1 + _SLACK), pairs, shifts, moves, turns
        ):
            return centers % 1.0, directions
        centers = centers + moves
        directions = _correct(directions + turns, tensor)
        travelled += float(np.abs(moves).max()) * math.sqrt(3)
    return None


def _correct(vectors: Array, tensor: Array) -> Array:
    """Unit vectors of prescribed orientation tensor, a linear map of the given ones, made unit.

    Vectors of a normal distribution become ones of an angular central Gaussian distribution.

    Raises:
        ValueError: If no such map is found.
    """
    values, axes = np.linalg.eigh(tensor)
    root = (axes * np.sqrt(np.maximum(values, 0.0))) @ axes.T
    for _ in range(_CORRECTIONS):
        vectors = vectors / np.linalg.norm(vectors, axis=1)[:, None]
        present = _tensor(vectors)
        if np.abs(present - tensor).max() < _TENSOR:
            return vectors
        values, axes = np.linalg.eigh(present)
        inverse = np.where(values > 1e-12, 1 / np.sqrt(np.maximum(values, 1e-12)), 0.0)
        vectors = vectors @ ((axes * inverse) @ axes.T @ root)
    raise ValueError(
        f"{len(vectors)} fibres cannot have the orientation tensor {tensor.tolist()}; "
        "ask for more fibres"
    )


def _checked(orientation: ArrayLike) -> Array:
    """The orientation tensor (3, 3) of itself or of its diagonal."""
    tensor = np.asarray(orientation, dtype=float)
    if tensor.shape == (3,):
        tensor = np.diag(tensor)
    if (
        tensor.shape != (3, 3)
        or not np.allclose(tensor, tensor.T, rtol=0, atol=1e-9)
        or not abs(np.trace(tensor) - 1) < 1e-6
        or np.linalg.eigvalsh(tensor).min() < -1e-9
    ):
        raise ValueError(
            f"orientation is {np.asarray(orientation).tolist()}; it must be a symmetric, positive "
            "semi-definite 3 x 3 tensor of trace one, or its three diagonal components"
        )
    return tensor / np.trace(tensor)


def _tensor(directions: Array) -> Array:
    return directions.T @ directions / len(directions)


def _volume(aspect_ratio: float) -> float:
    """Volume of a fibre of diameter one."""
    return math.pi / 4 * (aspect_ratio - 1) + math.pi / 6
