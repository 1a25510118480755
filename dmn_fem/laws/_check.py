"""What a law is worth before it goes into a network: its tangent against differences."""

import numpy as np

from dmn_fem.laws._law import PhaseLaw
from dmn_fem.laws._respond import respond
from dmn_fem.notation import Array, strain_size


def initial_stiffness(law: PhaseLaw, dimension: int) -> Array:
    """Mandel stiffness, (4, 4) or (6, 6), of the stress-free state."""
    return respond(law, np.zeros(strain_size(dimension)))[2]


def check_tangent(
    law: PhaseLaw,
    dimension: int = 3,
    strain: float = 0.01,
    steps: int = 20,
    dt: float = 1.0,
    seed: int = 0,
) -> float:
    """Largest relative difference between a law's tangent and central differences of its stress.

    The law is driven along a random walk of strains, so that loading, unloading and reloading all
    occur. A consistent tangent gives 1e-6 or less; a kink exactly at a visited strain gives more.

    Args:
        law: The law.
        dimension: 2 or 3.
        strain: Size of the random steps.
        steps: Number of steps.
        dt: Time step.
        seed: Of the walk.
    """
    rng = np.random.default_rng(seed)
    size = strain_size(dimension)
    current, worst = np.zeros(size), 0.0
    old = np.zeros(sum(field.size for field in law.fields(dimension)))
    difference = 1e-6 * strain
    for _ in range(steps):
        current = current + strain * rng.normal(size=size)
        _, _, tangent, new = respond(law, current, old, dt)
        numerical = np.stack(
            [
                respond(law, current + step, old, dt)[1] - respond(law, current - step, old, dt)[1]
                for step in difference * np.eye(size)
            ],
            axis=1,
        ) / (2 * difference)
        worst = max(worst, float(np.abs(numerical - tangent).max() / np.abs(tangent).max()))
        old = new
    return worst
