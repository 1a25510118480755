"""Mandel notation: tensors as vectors, stiffnesses as matrices, rotations as orthogonal matrices.

A symmetric tensor of a ``dimension`` 3 problem is the vector ``11, 22, 33, √2·12, √2·13, √2·23``; a
``dimension`` 2 problem (plane strain and its relatives) keeps ``11, 22, 33, √2·12``. A
two-dimensional *in-plane* stiffness, as elastic training uses it, has the three components ``11,
22, √2·12``. Engineering (Voigt) notation exists only in the two border functions at the end.

References:
    Mehrabadi and Cowin (1990), Eigentensors of linear anisotropic elastic materials.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Array = NDArray[np.float64]

SQRT2 = np.sqrt(2.0)
COMPONENTS = {2: ("11", "22", "33", "12"), 3: ("11", "22", "33", "12", "13", "23")}
"""Names of the components in the order of a Mandel vector, by dimension."""

IN_PLANE = np.array([0, 1, 3])
"""Where the in-plane components ``11, 22, √2·12`` stand in a two-dimensional Mandel vector."""

_INDICES = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_VOIGT_ORDERS = {"standard": (0, 1, 2, 3, 4, 5), "vumat": (0, 1, 2, 3, 5, 4)}


def strain_size(dimension: int) -> int:
    """Number of Mandel components: 4 in 2D, 6 in 3D.

    Raises:
        ValueError: If ``dimension`` is neither 2 nor 3.
    """
    if dimension not in COMPONENTS:
        raise ValueError(f"dimension is {dimension}; it must be 2 or 3")
    return len(COMPONENTS[dimension])


def component_scale(dimension: int) -> Array:
    """Factors from tensor components to Mandel components: 1 on the diagonal, √2 off it."""
    return np.array([1.0 if name[0] == name[1] else SQRT2 for name in COMPONENTS[dimension]])


def to_mandel(tensor: ArrayLike, dimension: int = 3) -> Array:
    """Mandel vectors (..., 4 or 6) of symmetric tensors (..., 3, 3)."""
    tensor = np.asarray(tensor, dtype=float)
    size = strain_size(dimension)
    return np.stack([tensor[..., i, j] for i, j in _INDICES[:size]], axis=-1) * component_scale(
        dimension
    )


def to_tensor(vector: ArrayLike) -> Array:
    """Symmetric tensors (..., 3, 3) of Mandel vectors (..., 4 or 6)."""
    vector = np.asarray(vector, dtype=float)
    dimension = 2 if vector.shape[-1] == 4 else 3
    components = vector / component_scale(dimension)
    tensor = np.zeros((*vector.shape[:-1], 3, 3))
    for position, (i, j) in enumerate(_INDICES[: vector.shape[-1]]):
        tensor[..., i, j] = tensor[..., j, i] = components[..., position]
    return tensor


def mandel_rotation(rotation: ArrayLike) -> Array:
    """Orthogonal matrices Q (..., 6, 6), ``to_mandel(R T Rᵀ) = Q to_mandel(T)``, of R (..., 3, 3).

    A stiffness rotates as ``Q C Qᵀ``.
    """
    rotation = np.asarray(rotation, dtype=float)
    rotation = rotation[..., None, :, :]
    turned = rotation @ to_tensor(np.eye(6)) @ rotation.swapaxes(-1, -2)
    return to_mandel(turned).swapaxes(-1, -2)


def mandel_spins(dimension: int = 3) -> Array:
    """Rates of `mandel_rotation` under rotations about the axes 1, 2 and 3, (3, s, s)."""
    size = strain_size(dimension)
    # E' = W E - E W with W v = axis × v, for E = the tensors of the Mandel basis.
    spin = np.cross(np.eye(3)[:, None], np.eye(3)[None]).swapaxes(1, 2)
    basis = to_tensor(np.eye(6)[:size])
    rate = spin[:, None] @ basis - basis @ spin[:, None]
    return to_mandel(rate).swapaxes(1, 2)[:, :size, :size]


def rotation_from_quaternion(quaternion: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), scalar first, of any length."""
    q = np.asarray(quaternion, dtype=float)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def isotropic_stiffness(young_modulus: float, poisson_ratio: float, dimension: int = 3) -> Array:
    """Stiffness of an isotropic material, 4 x 4 (plane strain and its relatives) or 6 x 6.

    Raises:
        ValueError: If the parameters do not give a positive definite stiffness.
    """
    if not (young_modulus > 0 and np.isfinite(young_modulus)):
        raise ValueError(f"young_modulus is {young_modulus}; it must be positive and finite")
    if not -1 < poisson_ratio < 0.5:
        raise ValueError(f"poisson_ratio is {poisson_ratio}; it must lie between -1 and 0.5")
    size = strain_size(dimension)
    lame = young_modulus * poisson_ratio / ((1 + poisson_ratio) * (1 - 2 * poisson_ratio))
    stiffness = young_modulus / (1 + poisson_ratio) * np.eye(size)
    stiffness[:3, :3] += lame
    return stiffness


def orthotropic_stiffness(
    young_moduli: Sequence[float],
    poisson_ratios: Sequence[float],
    shear_moduli: Sequence[float],
    dimension: int = 3,
) -> Array:
    """Stiffness of an orthotropic material in its own axes, 4 x 4 or 6 x 6.

    Args:
        young_moduli: E1, E2, E3.
        poisson_ratios: ν12, ν13, ν23, where νij = -ε_j/ε_i under a stress along i.
        shear_moduli: G12, G13, G23 (tensorial shear stress over engineering shear strain).
        dimension: 2 or 3.

    Raises:
        ValueError: If the parameters do not give a positive definite stiffness.
    """
    e1, e2, e3 = young_moduli
    nu12, nu13, nu23 = poisson_ratios
    compliance = np.zeros((6, 6))
    compliance[:3, :3] = [
        [1 / e1, -nu12 / e1, -nu13 / e1],
        [-nu12 / e1, 1 / e2, -nu23 / e2],
        [-nu13 / e1, -nu23 / e2, 1 / e3],
    ]
    compliance[3:, 3:] = np.diag(0.5 / np.asarray(shear_moduli, dtype=float))
    if not np.isfinite(compliance).all() or np.linalg.eigvalsh(compliance).min() <= 0:
        raise ValueError(
            f"orthotropic moduli E = {tuple(young_moduli)}, nu = {tuple(poisson_ratios)}, "
            f"G = {tuple(shear_moduli)} do not give a positive definite stiffness"
        )
    stiffness = np.linalg.inv(compliance)
    size = strain_size(dimension)
    return 0.5 * (stiffness + stiffness.T)[:size, :size]


def stiffness_to_voigt(stiffness: ArrayLike, order: str = "standard") -> Array:
    """Engineering (Voigt) stiffness (6, 6), for γ = 2ε, of a Mandel stiffness (6, 6).

    Args:
        stiffness: Mandel stiffness.
        order: ``standard`` for Abaqus/Standard (11, 22, 33, 12, 13, 23), ``vumat`` for
            Abaqus/Explicit (11, 22, 33, 12, 23, 13).
    """
    scale = component_scale(3)
    permutation = list(_VOIGT_ORDERS[order])
    voigt = np.asarray(stiffness, dtype=float) / np.outer(scale, scale)
    return voigt[np.ix_(permutation, permutation)]


def stiffness_from_voigt(voigt: ArrayLike, order: str = "standard") -> Array:
    """Mandel stiffness (6, 6) of an engineering (Voigt) one; inverse of `stiffness_to_voigt`."""
    scale = component_scale(3)
    inverse = np.argsort(_VOIGT_ORDERS[order])
    return np.asarray(voigt, dtype=float)[np.ix_(inverse, inverse)] * np.outer(scale, scale)
