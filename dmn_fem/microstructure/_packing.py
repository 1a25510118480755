"""Periodic packings of discs or spheres without overlap: growth, relaxation and equilibrium.

References:
    Clarke and Wiley (1987), Numerical simulation of the dense random packing of a binary mixture
    of hard spheres, Phys. Rev. B 35 (relaxation of growing spheres, shaken where they jam).
    Metropolis et al. (1953), Equation of state calculations by fast computing machines, J. Chem.
    Phys. 21 (moves of hard discs in equilibrium).
"""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.spatial import cKDTree
from scipy.special import ndtri

from dmn_fem.microstructure._packing_kernels import stir
from dmn_fem.notation import Array

_DENSEST = {2: math.pi / math.sqrt(12), 3: math.pi / math.sqrt(18)}  # packings of equal particles
_GROWTH = 0.01  # of the volume fraction, between two relaxations
_SWEEPS = 3000  # of one relaxation, before it counts as jammed
_RETRY = 1000  # sweeps after a melt
_SLACK = 3e-3  # of the distance: pairs are pushed a little further, which unlocks dense packings
_MELT = 0.93  # diameters of a jammed packing while it is stirred: it must lose its order
_STIRS = 200  # of a jammed packing, before it counts as failed
_MOVES = 1000  # of every particle while it is stirred
_AMPLITUDE = 0.1  # of these moves, in mean diameters


def unit_ball(dimension: int) -> float:
    """Volume of the ball of radius one."""
    return math.pi if dimension == 2 else 4 / 3 * math.pi


def lognormal_sizes(count: int, variation: float, rng: np.random.Generator) -> Array:
    """Sizes of mean one: the quantiles of a lognormal distribution in random order.

    Args:
        count: Number of sizes.
        variation: Their coefficient of variation, which they have exactly.
        rng: Of the order.

    Raises:
        ValueError: If so few sizes cannot vary that much.
    """
    if variation == 0.0:
        return np.ones(count)
    score = ndtri((np.arange(count) + 0.5) / count)

    def sizes(spread: float) -> Array:
        # The largest is taken out of the exponent, which could overflow.
        values = np.exp(spread * (score - score[-1]))
        return values / values.mean()

    def excess(spread: float) -> float:
        return float(sizes(spread).std() - variation)

    if not (variation > 0 and count > 1 and excess(50.0) > 0):
        raise ValueError(
            f"{count} sizes cannot have a coefficient of variation of {variation}; "
            "it must be at least 0, and small for few sizes"
        )
    return rng.permutation(sizes(brentq(excess, 0.0, 50.0, xtol=1e-15)))


def pack(
    sizes: Array, dimension: int, volume_fraction: float, gap: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Centres and radii of particles without overlap in the periodic unit cell.

    Particles start as points at random and grow together; whenever some come too close, pairs push
    each other apart. Where that jams, the last packing is melted and tried again. Stages of growth
    lie at the same volume fractions whatever the target is: its path is that of larger targets too.

    Args:
        sizes: Relative radii, (count,).
        dimension: 2 or 3.
        volume_fraction: Of the particles.
        gap: Least distance between two surfaces, in mean diameters.
        rng: Of the start and of the stirring.

    Returns:
        Centres, (count, dimension), in [0, 1), and radii, (count,).

    Raises:
        ValueError: If arguments are out of range or the particles do not fit.
    """
    count = len(sizes)
    if not 0 < volume_fraction < 1:
        raise ValueError(f"volume_fraction is {volume_fraction}; it must lie between 0 and 1")
    if count < 1:
        raise ValueError(f"count is {count}; there must be at least one particle")
    if not gap >= 0:
        raise ValueError(f"gap is {gap}; it must be at least 0")
    if not (sizes > 0).all():
        raise ValueError("relative radii must be positive")
    sizes = sizes / sizes.mean()
    volume = unit_ball(dimension) * (sizes**dimension).sum()

    def radius(fraction: float) -> float:
        return float((fraction / volume) ** (1 / dimension))

    target = f"{count} particles of volume fraction {volume_fraction} and gap {gap}"
    if 2 * radius(volume_fraction) * (sizes.max() + gap) > 1:
        raise ValueError(f"{target} touch their own periodic images; ask for more particles")
    if (
        sizes.max() == sizes.min()
        and volume_fraction * (1 + gap) ** dimension > _DENSEST[dimension]
    ):
        raise ValueError(
            f"{target} could not be placed without overlap in any way; "
            "ask for a lower volume fraction or a smaller gap"
        )
    centers = rng.random((count, dimension))
    before = 0.0
    for fraction in (*np.arange(_GROWTH, volume_fraction, _GROWTH), volume_fraction):
        relaxed = _relax(centers, sizes, gap, 2 * radius(fraction), _SWEEPS)
        for _ in range(_STIRS):
            if relaxed is not None:
                break
            steps = rng.uniform(-_AMPLITUDE * before, _AMPLITUDE * before, (_MOVES, *centers.shape))
            stir(centers, 0.5 * _MELT * before * sizes, _MELT * before * gap, steps)
            relaxed = _relax(centers, sizes, gap, 2 * radius(fraction), _RETRY)
        if relaxed is None:
            raise ValueError(
                f"{target} could not be placed without overlap: stuck at {fraction:.2f}; "
                "ask for a lower volume fraction, a smaller gap, or another count or seed"
            )
        centers, before = relaxed, 2 * radius(fraction)
    return centers, radius(volume_fraction) * sizes


def settle(centers: Array, radii: Array, gap: float, rng: np.random.Generator) -> None:
    """Move particles at random, as hard ones do in equilibrium, which forgets how they were packed.

    Grown particles have pushed one another and touch too often: at a volume fraction of 0.3 and
    contrasts up to 1000 the mean stiffness of cells of 30 discs is 7 % off that of settled ones.

    Args:
        centers: (count, dimension), without overlap; changed in place, not wrapped.
        radii: (count,).
        gap: Least distance between two surfaces, in mean diameters.
        rng: Of the moves.
    """
    diameter = 2 * radii.mean()
    steps = rng.uniform(-_AMPLITUDE * diameter, _AMPLITUDE * diameter, (_MOVES, *centers.shape))
    stir(centers, radii, gap * diameter, steps)


def _relax(centers: Array, sizes: Array, gap: float, diameter: float, sweeps: int) -> Array | None:
    """Push pairs apart, half each, until all are far enough apart; None if that fails.

    Args:
        centers: (count, dimension).
        sizes: Radii of mean one, (count,).
        gap: Least distance between two surfaces, in mean diameters.
        diameter: The mean diameter.
        sweeps: Of all pairs, before it counts as failed.
    """
    reach = diameter * (sizes.max() + gap)
    for _ in range(sweeps):
        centers = centers % 1.0
        # A tiny negative coordinate modulo one is one; the tree wants less.
        centers[centers == 1.0] = 0.0
        pairs = cKDTree(centers, boxsize=1.0).query_pairs(reach, output_type="ndarray")
        first, second = pairs.T
        least = diameter * (0.5 * (sizes[first] + sizes[second]) + gap)
        separation = centers[first] - centers[second]
        separation -= np.rint(separation)
        length = np.linalg.norm(separation, axis=1)
        close = length < least
        if not close.any():
            return centers
        push = np.where(close, 0.5 * (least * (1 + _SLACK) - length) / length, 0.0)
        moves = push[:, None] * separation
        np.add.at(centers, first, moves)
        np.subtract.at(centers, second, moves)
    return None
