"""Bounds on effective stiffnesses and conductivities whatever the microstructure is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.notation import IN_PLANE, Array


class Moduli(NamedTuple):
    """Moduli of an isotropic medium; in 2D the transverse bulk modulus λ + μ and the shear μ."""

    bulk: float
    shear: float

    @classmethod
    def nearest(cls, stiffness: ArrayLike) -> "Moduli":
        """Moduli of the isotropic stiffness next to a Mandel one (6, 6), (4, 4) or (3, 3).

        In 2D only the plane counts: of (4, 4) the component 33 is left out.
        """
        plane = _in_plane(stiffness)
        d = 2 if len(plane) == 3 else 3
        bulk = plane[:d, :d].mean()
        return cls(float(bulk), float((np.trace(plane) - d * bulk) / (2 * (len(plane) - 1))))

    def describe(self, stiffness: ArrayLike) -> bool:
        """Whether a Mandel stiffness, in 2D its plane, is the isotropic one of these moduli."""
        plane = _in_plane(stiffness)
        d = 2 if len(plane) == 3 else 3
        isotropic = 2 * self.shear * np.eye(len(plane))
        isotropic[:d, :d] += self.bulk - 2 * self.shear / d
        return bool(np.allclose(plane, isotropic, rtol=0, atol=1e-9 * abs(plane).max()))


def voigt(fractions: ArrayLike, phase_stiffness: ArrayLike) -> Array:
    """Upper bound, uniform strain: the mean of the stiffnesses (or conductivities).

    Args:
        fractions: Volume fractions, (P,).
        phase_stiffness: Mandel stiffnesses or conductivities, any anisotropy, (..., P, s, s).

    Returns:
        (..., s, s).

    Raises:
        ValueError: If the fractions are negative or do not sum to one.
    """
    fractions = checked_fractions(fractions)
    return np.einsum("p,...pij->...ij", fractions, np.asarray(phase_stiffness, dtype=float))


def reuss(fractions: ArrayLike, phase_stiffness: ArrayLike) -> Array:
    """Lower bound, uniform stress: the inverse of the mean compliance; arguments as in `voigt`.

    It is zero if a phase of zero stiffness has a part in the volume.
    """
    fractions = checked_fractions(fractions)
    stiffness = np.asarray(phase_stiffness, dtype=float)
    void = ~stiffness.any(axis=(-2, -1))
    compliance = np.linalg.inv(stiffness + void[..., None, None] * np.eye(stiffness.shape[-1]))
    bound = np.linalg.inv(voigt(fractions, compliance))
    return np.where((void & (fractions > 0)).any(axis=-1)[..., None, None], 0.0, bound)


def hashin_shtrikman(
    fractions: ArrayLike, bulk: ArrayLike, shear: ArrayLike, dimension: int
) -> tuple[Moduli, Moduli]:
    """Lower and upper bound of a statistically isotropic composite of isotropic phases.

    Walpole's form, valid also where the stiffer phase in bulk is the softer one in shear. In 2D the
    composite is transversely isotropic, in plane strain. (Torquato 2002, Random Heterogeneous
    Materials, 21.69-21.75)

    Args:
        fractions: Volume fractions, (P,).
        bulk: Bulk moduli, (P,); in 2D the transverse ones, λ + μ.
        shear: Shear moduli, (P,).
        dimension: 2 or 3.

    Raises:
        ValueError: If fractions, moduli or dimension are out of range.
    """
    fractions = checked_fractions(fractions)
    bulk, shear = np.asarray(bulk, dtype=float), np.asarray(shear, dtype=float)
    if dimension not in (2, 3):
        raise ValueError(f"dimension is {dimension}; it must be 2 or 3")
    if not bulk.shape == shear.shape == fractions.shape:
        raise ValueError("fractions, bulk and shear must have one value for every phase")
    if not ((bulk > 0).all() and (shear > 0).all()):
        raise ValueError(f"bulk moduli {bulk} and shear moduli {shear} must be positive")

    def bound(reference: Moduli) -> Moduli:
        d, (k, g) = dimension, reference
        bulk_constraint = 2 * (d - 1) / d * g
        shear_constraint = g * (d * k / 2 + (d + 1) * (d - 2) / d * g) / (k + 2 * g)
        return Moduli(
            float(1 / np.sum(fractions / (bulk + bulk_constraint)) - bulk_constraint),
            float(1 / np.sum(fractions / (shear + shear_constraint)) - shear_constraint),
        )

    return bound(Moduli(bulk.min(), shear.min())), bound(Moduli(bulk.max(), shear.max()))


def hashin_shtrikman_conductivity(
    fractions: ArrayLike, conductivity: ArrayLike, dimension: int
) -> tuple[float, float]:
    """Lower and upper bound of a statistically isotropic conductor of isotropic phases.

    (Torquato 2002, Random Heterogeneous Materials, 21.29-21.30)

    Args:
        fractions: Volume fractions, (P,).
        conductivity: Of the phases, (P,); zero is an insulator.
        dimension: 2 or 3.

    Raises:
        ValueError: If fractions, conductivities or dimension are out of range.
    """
    fractions = checked_fractions(fractions)
    conductivity = np.asarray(conductivity, dtype=float)
    if dimension not in (2, 3):
        raise ValueError(f"dimension is {dimension}; it must be 2 or 3")
    if conductivity.shape != fractions.shape or not (conductivity >= 0).all():
        raise ValueError(f"conductivity is {conductivity}; it must be >= 0, one for every phase")

    def bound(reference: float) -> float:
        if reference == 0.0:
            return 0.0
        constraint = (dimension - 1) * reference
        return float(1 / np.sum(fractions / (conductivity + constraint)) - constraint)

    return bound(conductivity.min()), bound(conductivity.max())


def checked_fractions(fractions: ArrayLike) -> Array:
    """Volume fractions as floats.

    Raises:
        ValueError: If they are negative or do not sum to one.
    """
    fractions = np.asarray(fractions, dtype=float)
    if not ((fractions >= 0).all() and abs(fractions.sum() - 1) < 1e-9):
        raise ValueError(f"volume fractions are {fractions}; they must be >= 0 and sum to one")
    return fractions


def _in_plane(stiffness: ArrayLike) -> Array:
    stiffness = np.asarray(stiffness, dtype=float)
    return stiffness[np.ix_(IN_PLANE, IN_PLANE)] if len(stiffness) == 4 else stiffness
