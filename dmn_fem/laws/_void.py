"""The law that stands for a void in a network."""

import numpy as np

from dmn_fem.laws._check import initial_stiffness
from dmn_fem.laws._elasticity import LinearElastic
from dmn_fem.laws._law import PhaseLaw

VOID = 1e-6
"""Stiffness of a void, of the largest of the phase beside it."""


def void(beside: PhaseLaw) -> LinearElastic:
    """A void: a millionth of the stiffness of another phase, with a Poisson ratio of zero.

    A network cannot have phases of no stiffness at all: laminates of two of them have no answer.
    Networks of porous media are trained with voids of this stiffness, see
    `dmn_fem.homogenization.draw_phase_stiffness`.

    Args:
        beside: Law of the matrix; what counts is its stress-free stiffness.

    Raises:
        ValueError: If that has no stiffness.
    """
    largest = float(np.linalg.eigvalsh(initial_stiffness(beside, 3))[-1])
    if not largest > 0:
        raise ValueError(f"a void beside {beside}: it must have a stiffness")
    return LinearElastic(VOID * largest, 0.0)
