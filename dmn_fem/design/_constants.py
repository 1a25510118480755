"""Engineering constants of an effective stiffness, and how anisotropic it is."""

import numpy as np
from numpy.typing import ArrayLike

from dmn_fem.homogenization import Moduli
from dmn_fem.notation import COMPONENTS, IN_PLANE, Array


def elastic_constants(stiffness: ArrayLike) -> dict[str, Array]:
    """Young's moduli, shear moduli and Poisson's ratios in the directions of the axes.

    E_i = 1/S_iiii, G_ij = 1/(4 S_ijij) and ν_ij = -S_jjii/S_iiii of the compliance S. In 2D they
    are those of plane strain: S is then the inverse of the in-plane stiffness, and an isotropic
    medium has E/(1-ν²) and ν/(1-ν).

    Args:
        stiffness: Mandel stiffnesses, (..., s, s) with s = 6, or 4 or 3 in 2D.

    Returns:
        ``young_modulus_1`` …, ``shear_modulus_12`` …, ``poisson_ratio_12`` …, each (...).
    """
    compliance = np.linalg.inv(_of_plane(stiffness))
    dimension = 2 if compliance.shape[-1] == 3 else 3
    young = 1 / np.diagonal(compliance, axis1=-2, axis2=-1)
    pairs = [name for name in COMPONENTS[dimension] if name[0] != name[1]]
    places = [(int(name[0]) - 1, int(name[1]) - 1) for name in pairs]
    return {
        **{f"young_modulus_{i + 1}": young[..., i] for i in range(dimension)},
        **{
            f"shear_modulus_{name}": 0.5 * young[..., dimension + place]
            for place, name in enumerate(pairs)
        },
        **{
            f"poisson_ratio_{name}": -compliance[..., j, i] * young[..., i]
            for name, (i, j) in zip(pairs, places, strict=True)
        },
    }


def universal_anisotropy(stiffness: ArrayLike) -> Array:
    """Universal anisotropy index, 0 for an isotropic medium and positive for all others.

    A = 5 G_V/G_R + K_V/K_R - 6 of the isotropic averages of stiffness (V) and compliance (R)
    (Ranganathan and Ostoja-Starzewski 2008, Universal elastic anisotropy index, PRL 101, 055504).
    In 2D, where one deviatoric direction stands for five, it is 2 G_V/G_R + K_V/K_R - 3 of the
    plane's moduli: the double contraction of both averages less that of the identity in both cases.

    Args:
        stiffness: Mandel stiffnesses, (..., s, s) with s = 6, or 4 or 3 in 2D.

    Returns:
        (...).
    """
    plane = _of_plane(stiffness)
    deviatoric = plane.shape[-1] - 1
    dimension = 2 if deviatoric == 2 else 3
    indices = []
    for matrix in plane.reshape(-1, *plane.shape[-2:]):
        mean, inverse = Moduli.nearest(matrix), Moduli.nearest(np.linalg.inv(matrix))
        bulk = dimension**2 * mean.bulk * inverse.bulk
        shear = 4 * mean.shear * inverse.shear
        indices.append(deviatoric * shear + bulk - deviatoric - 1)
    return np.reshape(indices, plane.shape[:-2])


def _of_plane(stiffness: ArrayLike) -> Array:
    """The stiffness, of (..., 4, 4) the in-plane part."""
    matrix = np.asarray(stiffness, dtype=float)
    return matrix[..., IN_PLANE[:, None], IN_PLANE] if matrix.shape[-1] == 4 else matrix
