"""Mean-field estimates: inclusions that feel the others through a uniform field only.

One set of functions serves stiffness and conductivity, any anisotropy of the phases and of the
matrix: a property of the size of the dimension, (d, d), is a conductivity; one of size 6, in 2D 3
(in plane) or 4 (with 33), is a Mandel stiffness.

References:
    Benveniste (1987), A new approach to the application of Mori-Tanaka's theory in composite
    materials, Mech. Mater. 6.
"""

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.homogenization._hill import (
    SPHERE,
    Inclusion,
    checked_properties,
    eshelby,
    hill,
    hill_of,
    operators,
)
from dmn_fem.homogenization.bounds import checked_fractions, voigt
from dmn_fem.notation import Array

_ITERATIONS = 1000  # of the self-consistent scheme, and the relative change at which it ends
_CHANGE = 1e-12

__all__ = [
    "SPHERE",
    "Inclusion",
    "dilute",
    "eshelby",
    "hill",
    "mori_tanaka",
    "self_consistent",
]


def dilute(
    fractions: ArrayLike,
    phase_property: ArrayLike,
    dimension: int,
    inclusion: Inclusion = SPHERE,
    matrix: int = 0,
) -> Array:
    """Inclusions that do not feel each other: exact to first order in their volume fractions.

    Args:
        fractions: Volume fractions of the P phases, (P,).
        phase_property: Stiffness or conductivity of every phase, (P, s, s); zero is a void.
        dimension: 2 or 3.
        inclusion: Shape of the inclusions of all phases.
        matrix: Which phase surrounds the others.

    Returns:
        (s, s); it need not be positive definite at large fractions.

    Raises:
        ValueError: If fractions or shapes do not match, or the matrix is not positive definite.
    """
    fractions, phases = _checked(fractions, phase_property, dimension)
    reference = phases[matrix]
    concentration = _concentration(phases, reference, hill(reference, dimension, inclusion))
    return _symmetric(
        reference + np.einsum("p,pij,pjk->ik", fractions, phases - reference, concentration)
    )


def mori_tanaka(
    fractions: ArrayLike,
    phase_property: ArrayLike,
    dimension: int,
    inclusion: Inclusion = SPHERE,
    matrix: int = 0,
) -> Array:
    """Mori-Tanaka: every inclusion sits in the mean field of the matrix.

    For spheres or discs in an isotropic matrix that is the softest (stiffest) phase it is the
    lower (upper) Hashin-Shtrikman bound; of a conductivity, Maxwell's formula. Arguments and what
    is raised as in `dilute`.

    Returns:
        (s, s), symmetric.
    """
    fractions, phases = _checked(fractions, phase_property, dimension)
    reference = phases[matrix]
    return _mean(
        fractions,
        phases,
        _concentration(phases, reference, hill(reference, dimension, inclusion)),
    )


def self_consistent(
    fractions: ArrayLike,
    phase_property: ArrayLike,
    dimension: int,
    inclusion: Inclusion = SPHERE,
) -> Array:
    """Self-consistent: every phase, grains of one shape, sits in the effective medium.

    Where voids reach the fraction at which the medium falls apart (spheres 1/2, discs 1/3; of a
    conductivity 2/3 and 1/2) there is no positive answer. Arguments as in `dilute`.

    Returns:
        (s, s), symmetric.

    Raises:
        ValueError: As in `dilute`, or if there is no positive definite answer.
    """
    fractions, phases = _checked(fractions, phase_property, dimension)
    medium = voigt(fractions, phases)
    if np.linalg.eigvalsh(medium).min() > 0:
        directions = operators(medium, dimension, inclusion)
        scale = np.linalg.norm(medium)
        for _ in range(_ITERATIONS):
            concentration = _concentration(phases, medium, hill_of(medium, *directions))
            previous, medium = medium, _mean(fractions, phases, concentration)
            if np.linalg.eigvalsh(medium).min() <= 1e-9 * scale:
                break
            if np.linalg.norm(medium - previous) <= _CHANGE * np.linalg.norm(medium):
                return medium
    raise ValueError(
        f"no self-consistent medium was found at volume fractions {fractions}: voids take it apart"
    )


def _concentration(phases: Array, reference: Array, polarization: Array) -> Array:
    """Strain of every phase as an inclusion, over that far away: (I + P (C_p - C))⁻¹."""
    return np.linalg.inv(np.eye(len(reference)) + polarization @ (phases - reference))


def _mean(fractions: Array, phases: Array, concentration: Array) -> Array:
    """<C A> <A>⁻¹: stiffness of phases whose strains stand in these proportions."""
    stress = np.einsum("p,pij,pjk->ik", fractions, phases, concentration)
    return _symmetric(stress @ np.linalg.inv(voigt(fractions, concentration)))


def _symmetric(matrix: Array) -> Array:
    return 0.5 * (matrix + matrix.T)


def _checked(
    fractions: ArrayLike, phase_property: ArrayLike, dimension: int
) -> tuple[Array, Array]:
    fractions = checked_fractions(fractions)
    phases = checked_properties(np.asarray(phase_property, dtype=float), dimension)
    if len(phases) != fractions.size:
        raise ValueError(f"{len(phases)} phase properties for {fractions.size} volume fractions")
    return fractions, phases
