"""Recipes of training sets: read, refused, and turned into plans."""

from pathlib import Path

import numpy as np
import pytest

from dmn_fem.homogenization import BudgetSettings, DataRecipe
from dmn_fem.microstructure import discs

RECIPE = """
name = "small"
dimension = 2
phases = ["binder", "grain"]
volume_fractions = [0.2, 0.3]

[microstructure]
generator = "discs"
count = 4
seed = 7
gap = 0.15
grid = 16

[samples]
count = 12
seed = 0
tolerance = 1e-3
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def test_recipe_of_a_database_is_one_of_data(path: Path) -> None:
    plain = DataRecipe.load(path)
    assert plain.error_budget == BudgetSettings(samples=8, realisations=5, finer_grid=False)
    path.write_text(RECIPE.replace("seed = 0", "seed = 0\nheld_out = 4") + "[network]\nleaves = 8")
    assert DataRecipe.load(path).samples.count == plain.samples.count


def test_one_volume_fraction_needs_no_list(path: Path) -> None:
    path.write_text(RECIPE.replace("[0.2, 0.3]", "0.3"))
    recipe = DataRecipe.load(path)
    assert recipe.volume_fractions == (0.3,)
    assert recipe.files("work") == {0.3: Path("work/samples_0.3.h5")}


def test_plan_has_the_images_of_the_error_budget(path: Path) -> None:
    path.write_text(RECIPE + "[error_budget]\nsamples = 3\nrealisations = 2\nfiner_grid = true")
    plan = DataRecipe.load(path).plan(0.3, Path("set.h5"))
    assert plan.image.names == ("binder", "grain")
    assert plan.image.matrix == "binder"
    expected = {
        "coarse": discs(0.3, 4, 7, 0.15).image(8),
        "fine": discs(0.3, 4, 7, 0.15).image(32),
        "realisation_1": discs(0.3, 4, 8, 0.15).image(16),
        "realisation_2": discs(0.3, 4, 9, 0.15).image(16),
    }
    assert {name: make().digest for name, make in plan.variants.items()} == {
        name: image.digest for name, image in expected.items()
    }
    assert len(plan.keys) == len(set(plan.keys)) == 12 + 3 * (1 + 4)


def test_tasks_are_those_of_their_keys(path: Path) -> None:
    path.write_text(RECIPE + "[error_budget]\nsamples = 2\nrealisations = 0")
    plan = DataRecipe.load(path).plan(0.3, Path("set.h5"))
    keys = [("image", 5), ("tolerance", 2), ("coarse", 2)]
    (image, stiffness, tolerance), tight, coarse = plan.tasks(keys)
    assert (image.shape, tolerance) == ((16, 16), 1e-3)
    np.testing.assert_array_equal(stiffness, plan.phase_stiffness[5])
    assert (tight[0].shape, tight[2]) == ((16, 16), pytest.approx(1e-4))
    assert (coarse[0].shape, coarse[2]) == ((8, 8), 1e-3)


FAULTS = [
    ("[0.2, 0.3]", "[0.3, 0.3]", "strictly increasing"),
    ("[0.2, 0.3]", "[]", "volume_fractions: .* at least 1 item"),
    ("[0.2, 0.3]", "1.3", "volume_fractions.0: .* less than 1"),
    ("dimension = 2", "dimension = 3", "discs are not of dimension 3"),
    ('"grain"]', '"binder"]', "distinct names"),
    ('"grain"]', '"grain", "pore"]', "binder, grain, pore; discs have 2: matrix, inclusion"),
    ('"discs"', '"disks"', "microstructure: Input tag 'disks'"),
    ("grid = 16", "grid = 17", "grid is 17; it must be even"),
    ("tolerance = 1e-3", "tolerance = 2", "samples.tolerance: .* less than 1"),
    ("tolerance = 1e-3", "[error_budget]\nsamples = -1", "samples.tolerance: Field required"),
    (
        "tolerance = 1e-3",
        "tolerance = 1e-3\n[error_budget]\ngrids = 2",
        "error_budget.grids: Extra",
    ),
    ("[samples]", "[sample]", "sample: Extra inputs|samples: Field required"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_faults_are_one_line(path: Path, old: str, new: str, message: str) -> None:
    path.write_text(RECIPE.replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as caught:
        DataRecipe.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_every_generator_has_its_realisations_if_it_has_any(path: Path) -> None:
    cells = {
        'generator = "random_field"\ndimension = 2\nseed = 3\nwavelength = 0.3\ngrid = 40': 5,
        'generator = "layers"\ndimension = 2\ngrid = 20': 0,
    }
    head, tail = RECIPE.split("[microstructure]")[0], "[samples]" + RECIPE.split("[samples]")[1]
    for cell, realisations in cells.items():
        path.write_text(f"{head}[microstructure]\n{cell}\n{tail}")
        plan = DataRecipe.load(path).plan(0.3, Path("set.h5"))
        assert plan.image.names == ("binder", "grain")
        assert plan.image.volume_fractions[1] == pytest.approx(0.3)
        assert sum("realisation" in name for name in plan.variants) == realisations
        digests = {make().digest for make in plan.variants.values()} | {plan.image.digest}
        assert len(digests) == 2 + realisations
