"""Pictures of networks: which leaf weighs what, where it hangs, and how the interfaces turn."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.optimize import brentq

from dmn_fem.network import Network, Tree
from dmn_fem.notation import Array
from dmn_fem.plotting._figures import new_figure, phase_colours

_WIDTH = 12.0  # of the tree, in inches
_ROW = 0.45
_LEAST = 0.05  # inches that a node must be wide to get the stroke of its normal
_PURE = 0.999  # part of one phase from which on a node counts as made of it


def plot_tree(network: Network, path: str | Path) -> None:
    """Draw a network; see `draw_tree`."""
    draw_tree(network).savefig(path, dpi=150)


def draw_tree(network: Network) -> Figure:
    """A network as a figure: its tree, and in 2D the laminates within laminates it stands for.

    In the tree each level is a row of nodes as wide as they weigh, the root on top; a leaf reaches
    to the bottom. The colour mixes those of the phases by their volume below the node, the stroke
    is the interface normal, projected on the plane of directions 1 (right) and 2 (up), and in 3D a
    dot grows with its component 3. A node of one phase (to a thousandth), whose laminate does
    nothing, has none; and dead leaves are gone.

    In 2D a square stands beside it that is cut at every node by a line along its interface, in the
    proportion of the node's children: every leaf is a polygon as large as it weighs.
    """
    tree = network.tree()
    place = _Placement(tree, len(network.phases))
    flat = network.dimension == 2
    depth = int(place.level.max()) + 1
    height = max(_ROW * depth + 0.9, 4.5 if flat else 0.0)
    figure = new_figure(_WIDTH + (height if flat else 0.0), height)
    colours = np.stack(list(phase_colours(network.phases).values()))
    if flat:
        left, right = figure.subplots(1, 2, width_ratios=[_WIDTH, height])
        _draw_cuts(right, tree, colours)
    else:
        left = figure.subplots()
    _draw_levels(left, tree, place, colours, depth)
    for name, colour in zip(network.phases, colours, strict=True):
        left.plot([], [], "s", color=colour, markeredgecolor="grey", label=name)
    figure.legend(loc="outside lower center", ncols=len(colours), frameon=False)
    alive = len(tree.leaf_weight)
    left.set_title(
        f"{alive} of {network.leaves} leaves, {place.mixed.sum()} laminates of several phases, "
        "volume fractions " + ", ".join(f"{part:.3f}" for part in network.phase_fraction)
    )
    return figure


class _Placement:
    """Where leaves and nodes, numbered as in `Tree.children`, stand in the rows.

    Attributes:
        left: Where they begin, as part of the width.
        width: How much they weigh.
        level: Their row, the root's is 0.
        share: Parts of the phases in them, (leaves + nodes, P).
        mixed: Whether a node is more than its phase: a laminate of one phase without orientations
            is that phase, and its normal says nothing, (nodes,).
    """

    def __init__(self, tree: Tree, phases: int) -> None:
        leaves, nodes = len(tree.leaf_weight), len(tree.fraction)
        self.width = np.concatenate([tree.leaf_weight, tree.node_weight])
        self.left = np.zeros(leaves + nodes)
        self.level = np.zeros(leaves + nodes, dtype=np.int64)
        self.share = np.zeros((leaves + nodes, phases))
        self.share[np.arange(leaves), tree.leaf_phase] = 1.0
        for node, (first, second) in enumerate(tree.children):
            part = tree.fraction[node]
            mixed = part * self.share[first] + (1 - part) * self.share[second]
            self.share[leaves + node] = mixed
        pure = self.share[leaves:].max(axis=1) >= _PURE
        self.mixed = ~pure | (tree.leaf_rotation is not None)
        for node in reversed(range(nodes)):
            first, second = tree.children[node]
            self.left[first] = self.left[leaves + node]
            self.left[second] = self.left[first] + self.width[first]
            self.level[tree.children[node]] = self.level[leaves + node] + 1


def _draw_levels(axes: Axes, tree: Tree, place: _Placement, colours: Array, depth: int) -> None:
    """Rows of nodes as wide as they weigh."""
    leaves = len(tree.leaf_weight)
    bottom = np.where(np.arange(len(place.left)) < leaves, depth, place.level + 1)
    right = place.left + place.width
    corners = [
        [place.left, place.level],
        [right, place.level],
        [right, bottom],
        [place.left, bottom],
    ]
    axes.add_collection(
        PolyCollection(
            list(np.array(corners).transpose(2, 0, 1)),
            facecolors=place.share @ colours,
            edgecolors="white",
            linewidths=0.4,
        )
    )
    wide = np.flatnonzero(place.mixed & (tree.node_weight * _WIDTH >= _LEAST))
    inner = leaves + wide
    middle = place.left[inner] + 0.5 * place.width[inner]
    length = 0.8 * np.minimum(place.width[inner] * _WIDTH, _ROW)
    normal = tree.normal[wide] * length[:, None]
    at = (middle, place.level[inner] + 0.5)
    for colour, thickness in (("white", 0.035), ("black", 0.016)):
        axes.quiver(
            *at,
            normal[:, 0],
            normal[:, 1],
            color=colour,
            angles="uv",
            pivot="mid",
            units="inches",
            scale=1.0,
            scale_units="inches",
            width=thickness,
            headwidth=0,
            headlength=0,
            headaxislength=0,
        )
    axes.scatter(*at, s=(72 * 0.25 * normal[:, 2]) ** 2, color="black", linewidths=0)
    axes.set(xlim=(0, 1), ylim=(depth, 0), xlabel="volume fraction", ylabel="level")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_cuts(axes: Axes, tree: Tree, colours: Array) -> None:
    """A square cut into the leaves."""
    axes.add_collection(
        PolyCollection(
            leaf_polygons(tree),
            facecolors=colours[tree.leaf_phase],
            edgecolors="white",
            linewidths=0.4,
        )
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect="equal")
    axes.set(xlabel="$x_1$", ylabel="$x_2$", title="cut along every interface")


def leaf_polygons(tree: Tree) -> list[Array]:
    """The unit square cut at every node along its interface: a convex polygon for each leaf.

    The areas are the weights of the leaves.
    """
    leaves = len(tree.leaf_weight)
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    polygons = {leaves + len(tree.fraction) - 1: square}
    for node in reversed(range(len(tree.fraction))):
        first, second = tree.children[node].tolist()
        whole = polygons.pop(leaves + node)
        parts = _cut(whole, tree.normal[node, :2], float(tree.fraction[node]))
        polygons[first], polygons[second] = parts
    return [polygons[leaf] for leaf in range(leaves)]


def area(polygon: Array) -> float:
    """Area of a convex polygon of corners (n, 2)."""
    x, y = polygon.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _below(polygon: Array, height: Array, level: float) -> Array:
    """The part of a convex polygon whose height is at most a level."""
    corners = []
    for here, there, low, high in zip(
        polygon, np.roll(polygon, -1, axis=0), height, np.roll(height, -1), strict=True
    ):
        if low <= level:
            corners.append(here)
        if (low - level) * (high - level) < 0:
            corners.append(here + (level - low) / (high - low) * (there - here))
    return np.array(corners).reshape(-1, 2)


def _cut(polygon: Array, normal: Array, fraction: float) -> tuple[Array, Array]:
    """A convex polygon in two by a line of this normal; the first has this part of the area."""
    height = polygon @ normal
    low, high = height.min(), height.max()
    target = fraction * area(polygon)
    level = brentq(lambda level: area(_below(polygon, height, level)) - target, low, high)
    return _below(polygon, height, level), _below(polygon, -height, -level)
