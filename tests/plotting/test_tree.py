from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import PolyCollection

from dmn_fem.network import Network
from dmn_fem.plotting import plot_tree
from dmn_fem.plotting._tree import area, draw_tree, leaf_polygons


def network(seed, leaves, dimension=2, phases=("matrix", "inclusion")):
    fractions = np.full(len(phases), 1 / len(phases))
    return Network.random(dimension, phases, fractions, leaves, np.random.default_rng(seed))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 40),
    st.lists(st.floats(-8, 2), min_size=40, max_size=40),
)
def test_leaves_are_polygons_as_large_as_they_weigh(seed, leaves, activation):
    drawn = replace(network(seed, leaves), leaf_activation=np.array(activation[:leaves]))
    tree = drawn.tree()
    polygons = leaf_polygons(tree)
    np.testing.assert_allclose([area(each) for each in polygons], tree.leaf_weight, atol=1e-9)
    for polygon in polygons:
        assert (polygon >= -1e-9).all()
        assert (polygon <= 1 + 1e-9).all()


def test_the_cut_runs_along_the_interface():
    first, second = leaf_polygons(replace(network(0, 2), normal_angles=np.zeros((1, 1))).tree())
    assert first[:, 0].max() == pytest.approx(0.5)
    assert second[:, 0].min() == pytest.approx(0.5)
    assert (first[:, 1].min(), first[:, 1].max()) == (0, 1)


def test_dead_leaves_are_gone():
    alive = network(0, 8)
    activation = alive.leaf_activation.copy()
    activation[[2, 5]] = -np.inf
    figure = draw_tree(replace(alive, leaf_activation=activation))
    boxes, _ = _boxes(figure)
    assert len(boxes.get_paths()) == 6 + 5
    assert "6 of 8 leaves" in figure.axes[0].get_title()


def test_widths_are_weights_on_every_level():
    boxes, _ = _boxes(draw_tree(network(3, 16)))
    corners = np.array([path.vertices[:4] for path in boxes.get_paths()])
    for level in range(5):
        there = (corners[:, 0, 1] <= level) & (corners[:, 2, 1] > level)
        assert (corners[there, 1, 0] - corners[there, 0, 0]).sum() == pytest.approx(1.0)


def test_nodes_of_one_phase_have_no_stroke():
    pure = replace(network(0, 4), leaf_phase=np.array([0, 0, 1, 1]))
    _, strokes = _boxes(draw_tree(pure))
    assert strokes.N == 1
    _, strokes = _boxes(draw_tree(network(0, 4)))
    assert strokes.N == 3


@pytest.mark.parametrize(
    "drawn",
    [
        Network.homogeneous("only", 2),
        Network.homogeneous("only", 3),
        network(0, 256, 3, ("matrix", "fibre", "void")),
    ],
    ids=["one leaf 2D", "one leaf 3D", "three phases"],
)
def test_all_networks_can_be_drawn(drawn, tmp_path):
    plot_tree(drawn, tmp_path / "tree.png")
    assert (tmp_path / "tree.png").read_bytes().startswith(b"\x89PNG")
    assert len(draw_tree(drawn).axes) == (2 if drawn.dimension == 2 else 1)


def _boxes(figure):
    """Boxes and strokes of the tree."""
    collections = figure.axes[0].collections
    boxes = next(each for each in collections if type(each) is PolyCollection)
    strokes = next(each for each in collections if type(each).__name__ == "Quiver")
    return boxes, strokes
