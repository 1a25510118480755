"""The law by which phase stiffnesses are drawn for a training set.

References:
    Liu, Wu and Koishi (2019), A deep material network for multiscale topology learning and
    accelerated nonlinear modeling of heterogeneous materials, CMAME 345, section 4.1.
    Liu and Wu (2019), Exploring the 3D architectures of deep material network in data-driven
    multiscale mechanics, JMPS 127.
"""

import numpy as np

from dmn_fem.laws import VOID
from dmn_fem.notation import Array

CONTRAST = (1e-3, 1e3)
"""Factors between the scales of the phases, after Liu, Wu and Koishi."""
_PAIRS = ((0, 1), (0, 2), (1, 2))


def draw_phase_stiffness(
    dimension: int,
    phases: int,
    count: int,
    seed: int,
    void: int | None = None,
    contrast: tuple[float, float] = CONTRAST,
) -> Array:
    """Random orthotropic stiffnesses, aligned with the axes, of every phase in every sample.

    The first phase sets the scale, all others are up to 1000 times stiffer or softer (log-uniform),
    if not told otherwise, and all have Young moduli in ratios to 10 (2D) or 100 (3D). The first
    samples do not depend on how many are drawn, nor those of other phases on which one is void.
    Poisson ratios are Liu's: ν_ij/√(E_j/E_i) is uniform, with the compliance -ν_ij/E_j, which makes
    every draw positive definite.

    Args:
        dimension: 2 (in plane: 11, 22, √2·12) or 3.
        phases: Number of phases P.
        count: Number of samples.
        seed: Of the random numbers.
        void: Number of the phase that is void, if one is: it has a millionth of the stiffness of
            the first other phase, isotropic and with a Poisson ratio of zero.
        contrast: Least and largest factor from the scale of the first phase to that of another.

    Returns:
        Mandel stiffnesses, (count, P, s, s) with s = 3 or 6.

    Raises:
        ValueError: If an argument is out of range.
    """
    if dimension not in (2, 3):
        raise ValueError(f"dimension is {dimension}; it must be 2 or 3")
    if phases < 1 or count < 1:
        raise ValueError(f"{phases} phases and {count} samples; there must be at least one of each")
    if void is not None and not (0 <= void < phases and phases > 1):
        raise ValueError(f"void is {void}; it must be one of {phases} phases, and not the only one")
    if not 0 < contrast[0] <= contrast[1] < np.inf:
        raise ValueError(f"contrast is {contrast}; it must be two positive numbers, least first")
    uniform = np.random.default_rng(seed).random((count, phases, 4 if dimension == 2 else 10))
    least, most = np.log10(contrast)
    scale = np.where(np.arange(phases) == 0, 0.0, least + (most - least) * uniform[..., 0])
    young, poisson, shear = (_draw_2d if dimension == 2 else _draw_3d)(uniform, scale)
    pairs = _PAIRS[: 1 if dimension == 2 else 3]
    size = dimension + len(pairs)
    compliance = np.zeros((count, phases, size, size))
    for i in range(dimension):
        compliance[..., i, i] = 1 / young[..., i]
    for position, (i, j) in enumerate(pairs):
        mean = np.sqrt(young[..., i] * young[..., j])
        compliance[..., i, j] = compliance[..., j, i] = -poisson[..., position] / mean
        shear_component = dimension + position
        compliance[..., shear_component, shear_component] = 0.5 / (shear[..., position] * mean)
    stiffness = np.linalg.inv(compliance)
    stiffness = 0.5 * (stiffness + np.swapaxes(stiffness, -1, -2))
    if void is not None:
        largest = np.linalg.eigvalsh(stiffness[:, 1 if void == 0 else 0])[:, -1]
        stiffness[:, void] = VOID * largest[:, None, None] * np.eye(size)
    return stiffness


def _draw_2d(uniform: Array, scale: Array) -> tuple[Array, Array, Array]:
    """Young moduli (..., 2), then normalised Poisson ratio and shear modulus, both (..., 1)."""
    product = 2 * scale
    ratio = -1 + 2 * uniform[..., 1]
    young = 10 ** (0.5 * np.stack([product - ratio, product + ratio], axis=-1))
    return young, 0.3 + 0.4 * uniform[..., 2:3], 0.25 + 0.25 * uniform[..., 3:4]


def _draw_3d(uniform: Array, scale: Array) -> tuple[Array, Array, Array]:
    """Young moduli, normalised Poisson ratios and normalised shear moduli, all (..., 3)."""
    young = 10 ** (scale[..., None] - 1 + 2 * uniform[..., 1:4])
    return young, 0.5 * uniform[..., 4:7], 0.25 + 0.25 * uniform[..., 7:10]
