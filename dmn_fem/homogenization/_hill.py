"""Hill's and Eshelby's tensors of one inclusion in an infinite medium, by quadrature.

One set of functions serves stiffness and conductivity, any anisotropy of the medium: a property of
the size of the dimension, (d, d), is a conductivity; one of size 6, in 2D 3 (in plane) or 4 (with
33), is a Mandel stiffness.

References:
    Willis (1977), Bounds and self-consistent estimates for the overall properties of anisotropic
    composites, JMPS 25 (Hill's tensor as an integral over directions).
    Eshelby (1957), The determination of the elastic field of an ellipsoidal inclusion, and related
    problems, Proc. R. Soc. A 241.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.homogenization._mixing import Mixing, jumps
from dmn_fem.notation import Array, strain_size

_POLAR, _AZIMUTHAL = 96, 48  # points of the quadrature over directions


@dataclass(frozen=True)
class Inclusion:
    """Shape of inclusions, all alike: spheroids, in 2D ellipses.

    Attributes:
        aspect_ratio: Length along the axis over width: 1 is a sphere or disc, ``inf`` a fibre, in
            2D a layer.
        axis: Direction of the axis, of any length, (3,) or (2,); direction 1 if not given.

    Raises:
        ValueError: If the aspect ratio is not positive or the axis has no direction.
    """

    aspect_ratio: float = 1.0
    axis: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.aspect_ratio > 0:
            raise ValueError(f"aspect_ratio is {self.aspect_ratio}; it must be positive")
        if self.axis is not None and not 0 < np.linalg.norm(self.axis) < np.inf:
            raise ValueError(f"axis is {self.axis}; it must have a direction")

    def wave_vectors(self, dimension: int) -> tuple[Array, Array]:
        """Unit vectors, (m, dimension), and weights whose sum is one, (m,), of Hill's integral.

        Directions uniform over a sphere are stretched as the inverse of the inclusion is.

        Raises:
            ValueError: If the axis has not as many components.
        """
        axis = np.eye(dimension)[0] if self.axis is None else np.array(self.axis, dtype=float)
        if axis.shape != (dimension,):
            raise ValueError(f"axis has {axis.size} components; there must be {dimension}")
        # The tangent of the latitude is spread between sphere and image, so that both its
        # boundary layers are resolved for long and for flat inclusions.
        if np.isinf(self.aspect_ratio):
            latitude, weight = np.zeros(1), np.ones(1)
        else:
            root = np.sqrt(self.aspect_ratio)
            latitude, weight = _latitudes(dimension)
            sine, cosine = np.sin(latitude), np.cos(latitude)
            # Derivative of the latitude on the sphere, times its circle's radius in 3D.
            weight = weight * root / (cosine**2 + self.aspect_ratio * sine**2)
            if dimension == 3:
                weight *= cosine / np.sqrt(cosine**2 + self.aspect_ratio * sine**2)
            latitude = np.arctan2(sine, root * cosine)
        if dimension == 2:
            local = np.stack([np.sin(latitude), np.cos(latitude)], axis=-1)
        else:
            azimuth = 2 * np.pi * np.arange(_AZIMUTHAL) / _AZIMUTHAL
            local = np.stack(
                [
                    np.repeat(np.sin(latitude), _AZIMUTHAL),
                    np.outer(np.cos(latitude), np.cos(azimuth)).ravel(),
                    np.outer(np.cos(latitude), np.sin(azimuth)).ravel(),
                ],
                axis=-1,
            )
            weight = np.repeat(weight, _AZIMUTHAL)
        # Columns of the basis: the axis, and what completes it.
        basis, _ = np.linalg.qr(np.column_stack([axis, np.eye(dimension)]))
        return local @ basis.T, weight / weight.sum()


SPHERE = Inclusion()
"""A sphere, in 2D a disc."""


def hill(reference: ArrayLike, dimension: int, inclusion: Inclusion = SPHERE) -> Array:
    """Hill's tensor P: a uniform polarisation p in the inclusion gives it the strain -P : p.

    P = <H (Hᵀ C H)⁻¹ Hᵀ> over the directions of `Inclusion.wave_vectors`, where H a = sym(a ⊗ n)
    for a stiffness, and H = n for a conductivity.

    Args:
        reference: Stiffness or conductivity of the infinite medium, any anisotropy, (s, s).
        dimension: 2 or 3.
        inclusion: Shape of the inclusion.

    Returns:
        (s, s), symmetric.

    Raises:
        ValueError: If shapes do not match or the medium is not positive definite.
    """
    medium = checked_properties(np.asarray(reference, dtype=float)[None], dimension)[0]
    if np.linalg.eigvalsh(medium).min() <= 0:
        raise ValueError("the medium around an inclusion must be positive definite")
    return hill_of(medium, *operators(medium, dimension, inclusion))


def eshelby(reference: ArrayLike, dimension: int, inclusion: Inclusion = SPHERE) -> Array:
    """Eshelby's tensor S = P : C, from an eigenstrain to the inclusion's strain; as in `hill`."""
    return hill(reference, dimension, inclusion) @ np.asarray(reference, dtype=float)


def operators(reference: Array, dimension: int, inclusion: Inclusion) -> tuple[Array, Array]:
    """H of every direction, (m, s, k), and its weight, (m,), in Hill's integral."""
    vectors, weights = inclusion.wave_vectors(dimension)
    return jumps(Mixing.LAMINATE, vectors, len(reference)), weights


def hill_of(reference: Array, operators: Array, weights: Array) -> Array:
    """Hill's tensor from what `operators` gives."""
    transposed = np.swapaxes(operators, 1, 2)
    inverse = np.linalg.inv(transposed @ reference @ operators)
    return np.tensordot(weights, operators @ inverse @ transposed, 1)


def checked_properties(phases: Array, dimension: int) -> Array:
    """Stiffnesses or conductivities (P, s, s) whose size fits the dimension.

    Raises:
        ValueError: If it does not.
    """
    sizes = {dimension, strain_size(dimension)} | ({3} if dimension == 2 else set())
    if phases.ndim != 3 or phases.shape[1] != phases.shape[2] or phases.shape[1] not in sizes:
        allowed = " or ".join(str(size) for size in sorted(sizes))
        raise ValueError(
            f"properties of phases have shape {phases.shape}; "
            f"they must be (P, s, s) with s = {allowed} in dimension {dimension}"
        )
    return phases


def _latitudes(dimension: int) -> tuple[Array, Array]:
    """Latitudes from the equator to the pole, of which opposite directions need one half alone."""
    if dimension == 2:
        # Equal steps over a period: the integrand is smooth and periodic.
        return np.pi * np.arange(4 * _POLAR) / (4 * _POLAR), np.ones(4 * _POLAR)
    position, weight = np.polynomial.legendre.leggauss(_POLAR)
    return np.pi / 4 * (1 + position), weight
