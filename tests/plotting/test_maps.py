import families
import numpy as np
import pytest

from dmn_fem.design import DesignMap, design_map, grid
from dmn_fem.laws import LinearElastic
from dmn_fem.plotting import plot_design_map
from dmn_fem.plotting._maps import draw_design_map

LAWS = {"matrix": LinearElastic(1.0, 0.3), "inclusion": LinearElastic(10.0, 0.2)}
DISCS = {"recipe": {"microstructure": {"generator": "discs"}}}


def panels(figure):
    return [axes for axes in figure.axes if axes.get_title()]


def test_curves_over_one_descriptor(tmp_path):
    database = families.over_fraction(DISCS)
    points = grid(database, {"volume_fraction": np.linspace(0.1, 0.4, 7)[::-1]})
    design = design_map(database, LAWS, points)
    figure = draw_design_map(design)
    titles = [axes.get_title() for axes in panels(figure)]
    assert titles == ["Young's modulus", "shear modulus", "Poisson's ratio", "universal anisotropy"]
    young = figure.axes[0]
    labels = [text.get_text() for text in young.get_legend().get_texts()]
    assert {"Reuss to Voigt", "1", "2", "Mori-Tanaka", "self-consistent"} <= set(labels)
    line = next(line for line in young.lines if line.get_label() == "1")
    assert (np.diff(line.get_xdata()) > 0).all()
    plot_design_map(design, tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_full_fields_are_circles():
    values = {"young_modulus_1": {"network": np.ones(3), "full_field": np.array([1, np.nan, 2])}}
    design = DesignMap(("a",), np.arange(3.0)[:, None], {}, np.zeros((0, 1)), values)
    axes = draw_design_map(design).axes[0]
    circles = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(circles.get_ydata(), [1, np.nan, 2])


def test_contours_over_two_descriptors():
    points = np.array([(x, y) for x in (0.0, 1.0, 2.0) for y in (0.0, 1.0)])
    values = {
        "young_modulus_1": {"network": points.sum(axis=1)},
        "yield_stress_11": {"network": np.where(points[:, 0] > 0, np.nan, 1.0)},
        "anisotropy": {"network": np.zeros(6)},
    }
    design = DesignMap(("a_b", "c"), points, {"d": 0.25}, points[:2], values)
    figure = draw_design_map(design)
    first, second, third = panels(figure)
    assert first.get_title() == "Young's modulus 1"
    assert (first.get_xlabel(), first.get_ylabel()) == ("a b", "c")
    assert second.texts[0].get_text() == "too few values"
    assert third.collections
    assert figure.get_suptitle() == "d 0.25"


def test_orientations_are_drawn_on_their_triangle():
    database = families.over_orientation()
    fixed = {"volume_fraction": 0.1}
    points = grid(database, {"orientation": 4}, fixed)
    design = design_map(database, LAWS, points, fixed, quantities=("young_modulus",), compare=False)
    assert set(design.values["young_modulus_1"]) == {"network"}
    axes = draw_design_map(design).axes[0]
    assert [text.get_text() for text in axes.texts] == ["isotropic", "planar", "aligned"]
    nodes = axes.lines[0].get_xydata()
    expected = [[0, 0], [0.5, np.sqrt(0.75)], [1, 0]]
    np.testing.assert_allclose(nodes, expected, atol=1e-3)


def test_three_descriptors_are_too_many():
    design = DesignMap(("a", "b", "c"), np.zeros((1, 3)), {}, np.zeros((0, 3)), {})
    with pytest.raises(ValueError, match="a, b, c vary; a picture shows one descriptor or two"):
        draw_design_map(design)
