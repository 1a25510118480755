"""Means over the directions of fibres.

References:
    Advani and Tucker (1987), The use of tensors to describe and predict fiber orientation in short
    fiber composites, J. Rheol. 31 (orientation averaging).
    Montgomery-Smith, He, Jack and Smith (2011), Exact tensor closures for the three-dimensional
    Jeffery's equation, J. Fluid Mech. 680 (angular central Gaussian distributions).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import root

from dmn_fem.notation import Array, to_tensor

_LEAST = 1e-9  # eigenvalue below which fibres count as never pointing there


def orientation_average(aligned: ArrayLike, orientation: ArrayLike) -> Array:
    """Mean of a stiffness or conductivity over the directions of its axis (Advani and Tucker).

    A stiffness needs the fourth-order orientation tensor too: it is that of the angular central
    Gaussian distribution with the given second-order one, which short fibres of
    `dmn_fem.microstructure` follow. Aligned fibres and uniform directions are among them.

    Args:
        aligned: Property of aligned fibres along direction 1, transversely isotropic about it,
            (6, 6) or (3, 3), as of `mori_tanaka`.
        orientation: Second-order orientation tensor, symmetric, of trace one, (3, 3).

    Returns:
        (6, 6) or (3, 3), to 1e-8.

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
    axis = np.diag([1.0, 0.0, 0.0])
    if len(aligned) == 3:
        along_1, mean = np.stack([axis, np.eye(3)]), np.stack([a2, np.eye(3)])
    else:
        along_1 = _stiffness_basis(axis, np.multiply.outer(axis, axis))
        mean = _stiffness_basis(a2, _fourth_order(a2))
    coefficients = np.linalg.lstsq(along_1.reshape(len(along_1), -1).T, aligned.ravel())[0]
    rebuilt = np.tensordot(coefficients, along_1, 1)
    if not np.allclose(rebuilt, aligned, rtol=0, atol=1e-6 * abs(aligned).max()):
        raise ValueError("aligned is not transversely isotropic about direction 1")
    return np.tensordot(coefficients, mean, 1)


def _fourth_order(a2: Array) -> Array:
    """Fourth-order orientation tensor of the angular central Gaussian distribution, (3, 3, 3, 3).

    Its density is (p · B p)^(-3/2) / 4π with det B = 1; B has the axes of a2, and its eigenvalues
    are found by their logarithms, as fibres that are nearly aligned have very different ones.
    """
    eigenvalues, axes = np.linalg.eigh(a2)
    target = np.maximum(eigenvalues, _LEAST)
    target /= target.sum()

    def error(two: Array) -> Array:
        second, _ = _moments(np.array([*two, -two.sum()]))
        return np.log(second[:2] / target[:2])

    start = -2 * np.log(target)
    two = root(error, (start - start.mean())[:2], tol=1e-12).x
    _, fourth = _moments(np.array([*two, -two.sum()]))
    principal = np.zeros((3, 3, 3, 3))
    for i in range(3):
        for j in range(3):
            principal[i, i, j, j] = principal[i, j, i, j] = principal[i, j, j, i] = fourth[i, j]
    return np.einsum("ai,bj,ck,dl,ijkl->abcd", axes, axes, axes, axes, principal)


def _moments(log_b: Array) -> tuple[Array, Array]:
    """Moments <p_i²>, (3,), and <p_i² p_j²>, (3, 3), of the distribution of B = diag(b).

    With 1/r_i = b_i + s and R² = r_1 r_2 r_3 they are ∫ r_i R ds / 2 and ∫ s r_i r_j R ds / 4,
    the latter three times for i = j. In log s the trapezoidal rule converges exponentially.
    """
    step = 0.4
    u = np.arange(log_b.min() - 40.0, log_b.max() + 60.0, step)
    s = np.exp(u)
    r = 1 / (np.exp(log_b)[:, None] + s)
    weight = step * s * np.sqrt(r.prod(axis=0))
    second = 0.5 * r @ weight
    fourth = 0.25 * (r * weight * s) @ r.T
    return second, fourth * (1 + 2 * np.eye(3))


def _stiffness_basis(a2: Array, a4: Array) -> Array:
    """Advani and Tucker's five tensors (their eq. 29) as Mandel matrices, (5, 6, 6)."""
    unit = np.eye(3)

    def product(pattern: str, a: Array, b: Array) -> Array:
        return np.einsum(f"{pattern}->ijkl", a, b)

    tensors = [
        a4,
        product("ij,kl", a2, unit) + product("ij,kl", unit, a2),
        product("ik,jl", a2, unit)
        + product("il,jk", a2, unit)
        + product("ik,jl", unit, a2)
        + product("il,jk", unit, a2),
        product("ij,kl", unit, unit),
        product("ik,jl", unit, unit) + product("il,jk", unit, unit),
    ]
    basis = to_tensor(np.eye(6))
    return np.stack([np.einsum("aij,ijkl,bkl->ab", basis, each, basis) for each in tensors])
