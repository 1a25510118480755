import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.design._cells import cell_image, inclusions, orientation_tensor, read_recipe
from dmn_fem.network import Network

FIBRES = {
    "name": "fibres",
    "dimension": 3,
    "phases": ["resin", "glass"],
    "descriptors": {
        "orientation": [[0.4, 0.3, 0.3], [0.5, 0.5, 0.0], [0.9, 0.1, 0.0]],
        "volume_fraction": [0.05, 0.1],
    },
    "microstructure": {
        "generator": "fibres",
        "count": 12,
        "seed": 1,
        "gap": 0.0,
        "aspect_ratio": 5.0,
        "grid": 16,
    },
    "samples": {"count": 4, "seed": 0, "tolerance": 1e-3},
}


def database(recipe):
    network = Network.random(3, ("resin", "glass"), (0.9, 0.1), 4, np.random.default_rng(0))
    return Database([network], [Descriptor("volume_fraction")], [[0.1]], {"recipe": recipe})


def test_orientations_in_all_their_forms():
    expected = np.diag([0.7, 0.2, 0.1])
    for values in (
        {"orientation": (0.2, 0.1, 0.7)},
        {"orientation": expected},
        {"orientation_1": 0.7, "orientation_2": 0.2},
    ):
        np.testing.assert_allclose(orientation_tensor(values), expected, atol=1e-15)
    assert orientation_tensor({"volume_fraction": 0.1}) is None


@pytest.mark.parametrize(
    ("generator", "aspect_ratio"),
    [("discs", 1.0), ("spheres", 1.0), ("mixed_discs", 1.0), ("cylinders", np.inf)],
)
def test_particles_sit_in_a_matrix(generator, aspect_ratio):
    found = inclusions(database({"microstructure": {"generator": generator}}), {})
    assert (found.matrix, found.shape.aspect_ratio) == (0, aspect_ratio)
    assert found.orientation is None


def test_fibres_have_shape_and_orientation():
    found = inclusions(database(FIBRES), {"orientation_1": 0.6, "orientation_2": 0.3})
    assert (found.matrix, found.shape.aspect_ratio) == (0, 5.0)
    np.testing.assert_allclose(found.orientation, np.diag([0.6, 0.3, 0.1]))
    assert inclusions(database(FIBRES), {"aspect_ratio": 9.0}).shape.aspect_ratio == 9.0


@pytest.mark.parametrize("recipe", [{}, {"microstructure": {"generator": "weave"}}, "text"])
def test_nothing_is_known_of_other_microstructures(recipe):
    assert inclusions(database(recipe), {}).matrix is None


def test_a_cell_between_those_of_the_recipe_has_the_names_of_its_phases():
    recipe = read_recipe(database(FIBRES))
    asked = {"orientation_1": 0.6, "orientation_2": 0.3, "volume_fraction": 0.07}
    image = cell_image(recipe, asked)
    assert image.names == ("resin", "glass")
    assert image.volume_fractions[1] == pytest.approx(0.07, abs=0.01)
    same = cell_image(recipe, {"orientation": (0.1, 0.3, 0.6), "volume_fraction": 0.07})
    assert same.volume_fractions == pytest.approx(image.volume_fractions, abs=5e-3)
