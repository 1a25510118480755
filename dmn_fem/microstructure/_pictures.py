"""From grey values or labels to a periodic phase image: thresholds, and ways to close the cell.

References:
    Otsu (1979), A threshold selection method from gray-level histograms, IEEE Trans. SMC 9; for
    several thresholds Liao, Chen and Chung (2001), J. Inf. Sci. Eng. 17.
    Kwatra, Schödl, Essa, Turk and Bobick (2003), Graphcut textures: image and video synthesis using
    graph cuts, ACM Trans. Graph. 22 (the seam of least cost; eq. 1).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from dmn_fem.microstructure._image import PhaseImage

_LEVELS = 256  # grey levels that Otsu's method tells apart
_MANY = 16  # distinct values beyond which an array without names counts as grey
_PHASES = 65536  # that uint16 tells apart
_OVERLAP = 8  # the opposite margins that are stitched: this part of an edge
_FIRM = np.int32(2**20)  # capacity that no cut can afford


def otsu(values: ArrayLike, phases: int = 2) -> tuple[float, ...]:
    """Thresholds that part grey values into phases of least variance within each, exactly.

    Args:
        values: Grey values of any shape. More than 256 different ones are put into 256 bins.
        phases: Number of phases.

    Returns:
        The increasing phases - 1 thresholds, each midway between two grey levels that occur.

    Raises:
        ValueError: If there are fewer grey levels than phases, or values that are no numbers.
    """
    grey = _numbers(values).astype(float)
    levels, counts = np.unique(grey, return_counts=True)
    if levels.size > _LEVELS:
        counts, edges = np.histogram(grey, _LEVELS)
        levels = 0.5 * (edges[1:] + edges[:-1])[counts > 0]
        counts = counts[counts > 0]
    if not 2 <= phases <= levels.size:
        raise ValueError(
            f"{levels.size} grey levels cannot be parted into {phases} phases; "
            "at least 2 phases and as many levels are needed"
        )
    # The variance within classes is least where Σ (sum of a class)² / (its count) is largest.
    count = np.concatenate([[0.0], np.cumsum(counts)])
    total = np.concatenate([[0.0], np.cumsum(counts * (levels - levels.mean()))])
    first, end = np.triu_indices(levels.size + 1, 1)
    gain = np.full((levels.size + 1, levels.size + 1), -np.inf)
    gain[first, end] = (total[end] - total[first]) ** 2 / (count[end] - count[first])
    best, starts = gain[0], []
    for _ in range(phases - 1):
        candidates = best[:, None] + gain
        starts.append(candidates.argmax(axis=0))
        best = candidates.max(axis=0)
    cut, thresholds = levels.size, []
    for start in reversed(starts):
        cut = int(start[cut])
        thresholds.append(float(0.5 * (levels[cut - 1] + levels[cut])))
    return tuple(reversed(thresholds))


def segment(
    values: ArrayLike,
    thresholds: Sequence[float],
    names: Sequence[str] | None = None,
    matrix: str | None = None,
) -> PhaseImage:
    """Phase image of grey values: each threshold begins a brighter phase.

    Args:
        values: Grey values, (n1, n2) or (n1, n2, n3).
        thresholds: Increasing; a value equal to one belongs to the brighter phase.
        names: Names of the phases from dark to bright; ``phase_1``, ``phase_2``, ... if not given.
        matrix: See `PhaseImage`.

    Raises:
        ValueError: If thresholds do not increase, names do not match them or a phase is empty.
    """
    grey, edges = _numbers(values), np.asarray(thresholds, dtype=float)
    if edges.size == 0 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise ValueError(f"thresholds are {tuple(thresholds)}; they must be numbers that increase")
    phases = np.digitize(grey.astype(float), edges)
    empty = np.flatnonzero(np.bincount(phases.ravel(), minlength=edges.size + 1) == 0)
    if empty.size:
        raise ValueError(
            f"thresholds {tuple(thresholds)} leave phase {empty[0] + 1} without a voxel; "
            f"grey values lie between {grey.min()} and {grey.max()}"
        )
    return _image(phases, edges.size + 1, names, matrix)


def from_labels(
    values: ArrayLike,
    names: Sequence[str] | None = None,
    labels: Sequence[float] | None = None,
    matrix: str | None = None,
) -> PhaseImage:
    """Phase image of an array that holds one value for each phase.

    Args:
        values: Labels, (n1, n2) or (n1, n2, n3).
        names: Names of the phases in the order of `labels`; ``phase_1``, ``phase_2``, ... if not
            given.
        labels: Value of every phase; those that occur, increasing, if not given.
        matrix: See `PhaseImage`.

    Raises:
        ValueError: If values occur that are no label, or names do not match the labels.
    """
    array = _numbers(values)
    found = np.unique(array)
    if labels is None and names is None and found.size > _MANY:
        raise ValueError(
            f"the image holds {found.size} different values: grey values need thresholds, "
            "labels need a name each"
        )
    known = found if labels is None else np.asarray(labels)
    if np.unique(known).size != known.size:
        raise ValueError(f"labels {tuple(labels or ())} are not distinct")
    strangers = found[~np.isin(found, known)]
    if strangers.size:
        raise ValueError(f"the image holds the value {strangers[0]}, which is no label")
    order = np.argsort(known)
    phases = order[np.searchsorted(known, array, sorter=order)]
    return _image(phases, known.size, names, matrix)


def mirror(image: PhaseImage) -> PhaseImage:
    """A periodic cell, twice as long along each axis, of an image and its mirror images.

    No interface is invented, but the cell is orthotropic whatever the image was.

    Raises:
        ValueError: If the image has cut voxels (coarsen it afterwards) or axes.
    """
    phases = _whole(image)
    for axis in range(phases.ndim):
        phases = np.concatenate([phases, np.flip(phases, axis)], axis)
    return replace(image, phases=phases)


def stitch(image: PhaseImage, overlap: int | None = None) -> PhaseImage:
    """A periodic cell by overlapping opposite margins and cutting where they disagree least.

    Along one axis after the other the last voxels are laid upon the first. The seam is the minimum
    cut through the overlap; it costs at each pair of neighbours the voxels that differ.

    Args:
        image: Not periodic.
        overlap: Voxels that are lost along each axis; an eighth of the edge if not given.

    Raises:
        ValueError: If the overlap does not fit, or the image has cut voxels (coarsen it afterwards)
            or axes.
    """
    phases = _whole(image)
    for axis, length in enumerate(image.shape):
        width = max(length // _OVERLAP, 2) if overlap is None else overlap
        if not 2 <= width <= length // 2:
            raise ValueError(
                f"overlap is {width}; along an edge of {length} voxels it must be 2 … {length // 2}"
            )
        strip = np.moveaxis(phases, axis, 0)
        begin, rest, tail = strip[:width], strip[width : length - width], strip[length - width :]
        # Axes before this one are periodic by now, and the seam must be so too.
        closed = [other < axis for other in range(phases.ndim) if other != axis]
        seam = np.where(_before_seam(begin != tail, closed), tail, begin)
        phases = np.moveaxis(np.concatenate([seam, rest]), 0, axis)
    return replace(image, phases=np.ascontiguousarray(phases))


def _before_seam(differ: NDArray[np.bool_], closed: Sequence[bool]) -> NDArray[np.bool_]:
    """Which voxels lie before the minimum cut between first and last layer along axis 0.

    Args:
        differ: Where the two candidates differ, (width, ...).
        closed: Whether each axis but the first is periodic.
    """
    nodes = np.arange(differ.size).reshape(differ.shape)
    source, sink = differ.size, differ.size + 1
    tails, heads, capacities = [], [], []
    for axis, periodic in enumerate([False, *closed]):
        end = nodes.shape[axis] - (0 if periodic else 1)
        here, there = nodes, np.roll(nodes, -1, axis)
        tails.append(here.take(range(end), axis).ravel())
        heads.append(there.take(range(end), axis).ravel())
        costs = differ.ravel().astype(np.int32)
        capacities.append(costs[tails[-1]] + costs[heads[-1]])
    forth, back = np.concatenate(tails), np.concatenate(heads)
    cost = np.concatenate(capacities)
    costly = cost > 0
    forth, back, cost = forth[costly], back[costly], cost[costly]
    first, last = nodes[0].ravel(), nodes[-1].ravel()
    firm = np.full(first.size, _FIRM)
    ends = np.full(first.size, source), np.full(last.size, sink)
    rows = np.concatenate([forth, back, ends[0], last])
    columns = np.concatenate([back, forth, first, ends[1]])
    graph = csr_array(
        coo_array(
            (np.concatenate([cost, cost, firm, firm]), (rows, columns)), shape=(sink + 1, sink + 1)
        )
    )
    residual = graph - maximum_flow(graph, source, sink).flow
    residual.eliminate_zeros()
    reached = np.zeros(sink + 1, dtype=bool)
    reached[breadth_first_order(residual, source, return_predecessors=False)] = True
    return reached[: differ.size].reshape(differ.shape)


def _whole(image: PhaseImage) -> NDArray[np.unsignedinteger]:
    if image.cut is not None:
        raise ValueError("an image with cut voxels cannot be made periodic; coarsen it afterwards")
    if image.axes is not None:
        raise ValueError("an image with axes cannot be made periodic; generate it periodic")
    return image.phases


def _numbers(values: ArrayLike) -> NDArray[np.number]:
    array = np.asarray(values)
    if array.dtype.kind not in "buif" or array.size == 0 or not np.isfinite(array).all():
        raise ValueError("the image holds values that are no finite numbers, or none at all")
    return array


def _image(
    phases: NDArray[np.integer],
    count: int,
    names: Sequence[str] | None,
    matrix: str | None,
) -> PhaseImage:
    names = tuple(names or (f"phase_{number + 1}" for number in range(count)))
    if len(names) != count:
        raise ValueError(f"{len(names)} names are given ({', '.join(names)}) for {count} phases")
    if count > _PHASES:
        raise ValueError(f"the image holds {count} phases; it can hold {_PHASES}")
    kind = np.uint8 if count <= 256 else np.uint16
    return PhaseImage(phases.astype(kind), names, None, matrix)
