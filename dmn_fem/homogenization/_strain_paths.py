"""Strain paths of two steps that an inelastic training set asks a full field about.

The first step goes from the stress-free state to a level, the second on from there in another
direction: onwards, sideways or back. One step alone says how a microstructure yields; the second
says what the residual stresses of the first do to it, without which networks err most where the
loading turns.
"""

import numpy as np
from scipy.special import ndtri

from dmn_fem.notation import SQRT2, Array, strain_size

TURN = np.radians(30.0), np.pi
"""Angles between the directions of the two steps; the larger ones are the more frequent."""
VOLUMETRIC = 0.3
"""Largest volumetric part of a direction, relative to the deviatoric one."""


def strain_paths(dimension: int, count: int, levels: tuple[float, float], seed: int) -> Array:
    """Mandel strains at the ends of two steps, (count, 2, s).

    Directions cover the deviators evenly (those in the plane in 2D, all five in 3D), lengths of
    the first step the range of levels, evenly in the logarithm; the second step is about half as
    long. In between there is a volumetric part (in 2D of the plane). The paths are points of a
    Sobol sequence: any number of first ones covers all ranges, and more of them begin as fewer.

    Args:
        dimension: 2 or 3.
        count: Number of paths.
        levels: Least and largest norm of the deviatoric strain after the first step.
        seed: Of the scrambling of the sequence.
    """
    from scipy.stats import qmc  # nearly a second, for this alone

    deviators, sphere = _basis(dimension)
    size = len(deviators)
    sequence = qmc.Sobol(2 * size + 4, rng=seed)
    points = sequence.random_base2(int(np.ceil(np.log2(max(count, 2)))))[:count]
    points = np.clip(points, 1e-9, 1 - 1e-9)
    first = ndtri(points[:, :size])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    across = ndtri(points[:, size : 2 * size])
    across -= (across * first).sum(axis=1, keepdims=True) * first
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    length, onward, turn, volume = points[:, 2 * size :, None].swapaxes(0, 1)
    low, high = levels
    length = low * (high / low) ** length
    onward = 0.5 * low * (high / low) ** onward
    angle = TURN[1] - turn**2 * (TURN[1] - TURN[0])
    second = np.cos(angle) * first + np.sin(angle) * across
    swelling = VOLUMETRIC * (2 * volume - 1) * sphere
    start = length * (first @ deviators + swelling)
    end = start + onward * (second @ deviators - swelling)
    return np.stack([start, end], axis=1)


def _basis(dimension: int) -> tuple[Array, Array]:
    """Orthonormal deviators, (2 or 5, s), and the unit volumetric strain, (s,)."""
    size = strain_size(dimension)
    basis = np.zeros((size, size))
    basis[0, :2] = 1 / SQRT2, -1 / SQRT2
    if dimension == 2:
        basis[1, 3] = 1.0
        return basis[:2], np.array([1.0, 1.0, 0.0, 0.0]) / SQRT2
    basis[1, :3] = np.array([1.0, 1.0, -2.0]) / np.sqrt(6.0)
    basis[2:5, 3:] = np.eye(3)
    return basis[:5], np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]) / np.sqrt(3.0)
