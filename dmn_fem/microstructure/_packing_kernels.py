"""Hard particles that move at random: what frees a jammed packing."""

import numpy as np

from dmn_fem._compiled import njit


@njit(cache=True, error_model="numpy")
def stir(centers, radii, gap, steps):
    """Metropolis moves of one particle after the other that leave every pair far enough apart.

    Args:
        centers: (count, dimension), without overlap; changed in place, not wrapped.
        radii: (count,).
        gap: Least distance between two surfaces.
        steps: Moves that are tried, (rounds, count, dimension).
    """
    rounds, count, dimension = steps.shape
    trial = np.empty(dimension)
    for number in range(rounds):
        for mover in range(count):
            for axis in range(dimension):
                trial[axis] = centers[mover, axis] + steps[number, mover, axis]
            free = True
            for other in range(count):
                if other == mover:
                    continue
                squared = 0.0
                for axis in range(dimension):
                    difference = trial[axis] - centers[other, axis]
                    difference -= np.rint(difference)
                    squared += difference * difference
                least = radii[mover] + radii[other] + gap
                if squared < least * least:
                    free = False
                    break
            if free:
                centers[mover] = trial
