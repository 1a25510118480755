"""Mean-field estimates: inclusions that feel the others through a uniform field only.

One set of functions serves stiffness and conductivity, any anisotropy of the phases and of the
matrix: a property of the size of the dimension, (d, d), is a conductivity; one of size 6, in 2D 3
(in plane) or 4 (with 33), is a Mandel stiffness.

References:
    Benveniste (1987), A new approach to the application of Mori-Tanaka's theory in composite
    materials, Mech. Mater. 6.
    Advani and Tucker (1987), The use of tensors to describe and predict fiber orientation in short
    fiber composites, J. Rheol. 31 (orientation averaging and the hybrid closure).
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
from dmn_fem.notation import Array, to_tensor

_ITERATIONS = 1000  # of the self-consistent scheme, and the relative change at which it ends
_CHANGE = 1e-12

__all__ = [
    "SPHERE",
    "Inclusion",
    "dilute",
    "eshelby",
    "hill",
    "mori_tanaka",
    "orientation_average",
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


def orientation_average(aligned: ArrayLike, orientation: ArrayLike) -> Array:
    """Mean of a stiffness or conductivity over the directions of its axis (Advani and Tucker).

    The fourth-order orientation tensor that a stiffness needs is the hybrid closure of the second:
    exact for aligned fibres and for uniform directions.

    Args:
        aligned: Property of aligned fibres along direction 1, transversely isotropic about it,
            (6, 6) or (3, 3), as of `mori_tanaka`.
        orientation: Second-order orientation tensor, symmetric, of trace one, (3, 3).

    Returns:
        (6, 6) or (3, 3).

    Raises:
        ValueError: If the shapes are wrong, the property is not transversely isotropic about
            direction 1, or the tensor is no orientation tensor.
    """
    aligned = np.asarray(aligned, dtype=float)
    a2 = np.asarray(orientation, dtype=float)
    if aligned.shape not in [(3, 3), (6, 6)]:
        raise ValueError(f"aligned has shape {aligned.shape}; it must be (3, 3) or (6, 6)")
    if (
        a2.shape != (3, 3)
        or not np.allclose(a2, a2.T, rtol=0, atol=1e-9)
        or abs(np.trace(a2) - 1) > 1e-9
        or np.linalg.eigvalsh(a2).min() < -1e-9
    ):
        raise ValueError("an orientation tensor is symmetric, positive and of trace one, (3, 3)")
    invariants = _conductivity_basis if aligned.shape == (3, 3) else _stiffness_basis
    along_1 = invariants(np.diag([1.0, 0.0, 0.0]))
    coefficients = np.linalg.lstsq(along_1.reshape(len(along_1), -1).T, aligned.ravel())[0]
    if not np.allclose(
        np.tensordot(coefficients, along_1, 1), aligned, rtol=0, atol=1e-6 * abs(aligned).max()
    ):
        raise ValueError("aligned is not transversely isotropic about direction 1")
    return np.tensordot(coefficients, invariants(a2), 1)


def _concentration(phases: Array, reference: Array, polarization: Array) -> Array:
    """Strain of every phase as an inclusion, over that far away: (I + P (C_p - C))⁻¹."""
    return np.linalg.inv(np.eye(len(reference)) + polarization @ (phases - reference))


def _mean(fractions: Array, phases: Array, concentration: Array) -> Array:
    """<C A> <A>⁻¹: stiffness of phases whose strains stand in these proportions."""
    stress = np.einsum("p,pij,pjk->ik", fractions, phases, concentration)
    return _symmetric(stress @ np.linalg.inv(voigt(fractions, concentration)))


def _symmetric(matrix: Array) -> Array:
    return 0.5 * (matrix + matrix.T)


def _conductivity_basis(a2: Array) -> Array:
    return np.stack([a2, np.eye(3)])


def _stiffness_basis(a2: Array) -> Array:
    """Advani and Tucker's five tensors (their eq. 29) as Mandel matrices, (5, 6, 6)."""
    unit = np.eye(3)

    def product(pattern: str, a: Array, b: Array) -> Array:
        return np.einsum(pattern, a, b)

    def symmetrized(a: Array, b: Array) -> Array:
        """Sum of a_ij b_kl over the three ways to pair the indices."""
        patterns = "ij,kl->ijkl", "ik,jl->ijkl", "il,jk->ijkl"
        return np.sum([product(pattern, a, b) for pattern in patterns], axis=0)

    both = symmetrized(a2, unit) + symmetrized(unit, a2)
    linear = both / 7 - symmetrized(unit, unit) / 35
    quadratic = product("ij,kl->ijkl", a2, a2)
    hybrid = 1 - 27 * np.linalg.det(a2)
    pairs = product("ij,kl->ijkl", a2, unit) + product("ij,kl->ijkl", unit, a2)
    tensors = [
        hybrid * quadratic + (1 - hybrid) * linear,
        pairs,
        both - pairs,
        product("ij,kl->ijkl", unit, unit),
        product("ik,jl->ijkl", unit, unit) + product("il,jk->ijkl", unit, unit),
    ]
    basis = to_tensor(np.eye(6))
    return np.stack([np.einsum("aij,ijkl,bkl->ab", basis, each, basis) for each in tensors])


def _checked(
    fractions: ArrayLike, phase_property: ArrayLike, dimension: int
) -> tuple[Array, Array]:
    fractions = checked_fractions(fractions)
    phases = checked_properties(np.asarray(phase_property, dtype=float), dimension)
    if len(phases) != fractions.size:
        raise ValueError(f"{len(phases)} phase properties for {fractions.size} volume fractions")
    return fractions, phases
