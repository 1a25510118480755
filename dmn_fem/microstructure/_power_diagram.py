"""Periodic power (Laguerre) diagrams: cells of prescribed volume, by weights of their centres.

A point belongs to the centre c with the least |x - c|² - w. The diagram is the dual of the lower
convex hull of the centres lifted to (c, |c|² - w).

References:
    Aurenhammer (1987), Power diagrams: properties, algorithms and applications, SIAM J. Comput. 16.
    Kitagawa, Mérigot and Thibert (2019), Convergence of a Newton algorithm for semi-discrete
    optimal transport, JEMS 21 (the damped Newton method).
    Bourne, Kok, Roper and Spanjer (2020), Laguerre tessellations and polycrystalline
    microstructures: a fast algorithm for generating grains of given volumes, Phil. Mag. 100.
"""

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve
from scipy.spatial import ConvexHull

from dmn_fem.notation import Array

_STEPS = 100  # of Newton's method
_HALVINGS = 30  # of one of them
_ACCURACY = 1e-10  # of the volumes, relative to their mean


def cell_volumes(centers: Array, weights: Array) -> Array:
    """Volume of every cell, (count,); zero where the cell is empty."""
    return _measure(centers, weights)[0]


def fit_weights(centers: Array, volumes: Array) -> Array:
    """Weights for which the cells have prescribed volumes.

    Args:
        centers: (count, dimension), in [0, 1).
        volumes: Positive, of sum one, (count,).

    Returns:
        Weights, (count,), of mean zero.

    Raises:
        ValueError: If centres coincide, volumes are not positive or Newton's method fails.
    """
    weights = np.zeros(len(centers))
    present, slope = _measure(centers, weights)
    least = 0.5 * min(present.min(), volumes.min())
    if not least > 0:
        raise ValueError("centres of cells coincide, or prescribed volumes are not positive")
    for _ in range(_STEPS):
        error = volumes - present
        if np.abs(error).max() < _ACCURACY * volumes.mean():
            return weights - weights.mean()
        # Weights matter up to a constant: the first stays as it is.
        step = np.zeros(len(centers))
        step[1:] = spsolve(slope[1:, 1:].tocsc(), error[1:])
        for _ in range(_HALVINGS):
            trial, trial_slope = _measure(centers, weights + step)
            if trial.min() >= least and np.linalg.norm(volumes - trial) < np.linalg.norm(error):
                break
            step *= 0.5
        else:
            break
        weights, present, slope = weights + step, trial, trial_slope
    raise ValueError("no weights were found that give the cells their volumes")


def _measure(centers: Array, weights: Array) -> tuple[Array, coo_array]:
    """Volumes of the cells, (count,), and their derivatives by the weights, (count, count)."""
    count, dimension = centers.shape
    shifts = np.array(list(itertools.product((0, -1, 1), repeat=dimension)), dtype=float)
    points = (centers + shifts[:, None]).reshape(-1, dimension)
    # The origin of the paraboloid lies in the middle of the cell, for the sake of rounding.
    lifted = ((points - 0.5) ** 2).sum(axis=1) - np.tile(weights, len(shifts))
    hull = ConvexHull(np.column_stack([points, lifted]))
    below = hull.equations[:, dimension] < -1e-12
    simplices = hull.simplices[below]
    # The lower facet z = (2 v) · x + … belongs to the corner v of the diagram.
    planes = hull.equations[below]
    corners = 0.5 - 0.5 * planes[:, :dimension] / planes[:, dimension, None]
    pairs, ends = [], []
    for a, b in itertools.permutations(range(dimension + 1), 2):
        own = simplices[:, a] < count
        pairs.append(simplices[own][:, [a, b]])
        ends.append(corners[own])
    faces, face = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    first, second = faces.T
    line = points[second] - points[first]
    length = np.linalg.norm(line, axis=1)
    area = _areas(np.concatenate(ends), face.ravel(), line / length[:, None])
    other = second % count
    weight = np.stack([weights[first], weights[other]])
    height = 0.5 * (length**2 + weight[0] - weight[1]) / length
    volumes = np.bincount(first, area * height / dimension, minlength=count)
    coupling = 0.5 * area / length
    matrix = coo_array((-coupling, (first, other)), shape=(count, count)).tocsr()
    matrix = matrix + diags_array(np.bincount(first, coupling, minlength=count))
    return volumes, matrix


def _areas(corners: Array, face: NDArray[np.int64], normal: Array) -> Array:
    """Lengths (2D) or areas (3D) of plane convex faces.

    Args:
        corners: Of all faces, (corners, dimension).
        face: Which face each belongs to, (corners,).
        normal: Of the faces, (faces, dimension).
    """
    number = np.bincount(face)
    middle = np.stack([np.bincount(face, part) for part in corners.T], axis=1) / number[:, None]
    offset = corners - middle[face]
    if corners.shape[1] == 2:
        return np.bincount(face, np.linalg.norm(offset, axis=1))
    other = np.eye(3)[np.abs(normal).argmin(axis=1)]
    first = np.cross(normal, other)
    first /= np.linalg.norm(first, axis=1)[:, None]
    second = np.cross(normal, first)
    x, y = (offset * first[face]).sum(axis=1), (offset * second[face]).sum(axis=1)
    order = np.lexsort((np.arctan2(y, x), face))
    x, y, face = x[order], y[order], face[order]
    last = np.cumsum(number) - 1
    following = np.arange(face.size) + 1
    following[last] = last - number + 1
    return 0.5 * np.abs(np.bincount(face, x * y[following] - x[following] * y))
