"""Recipes of training sets: read, refused, and turned into plans."""

from pathlib import Path

import numpy as np
import pytest

from dmn_fem.homogenization import BudgetSettings, DataRecipe
from dmn_fem.microstructure import discs, fibres

RECIPE = """
name = "small"
dimension = 2
phases = ["binder", "grain"]
descriptors = { volume_fraction = [0.2, 0.3] }

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


def test_one_value_needs_no_list(path: Path) -> None:
    path.write_text(RECIPE.replace("[0.2, 0.3]", "0.3"))
    recipe = DataRecipe.load(path)
    (member,) = recipe.members
    assert member.descriptors == {"volume_fraction": 0.3}
    assert recipe.set_file(member, "work") == Path("work/samples_0.3.h5")


FIBRES = """
name = "short"
dimension = 3
phases = ["resin", "glass"]

[descriptors]
aspect_ratio = [3, 4.5]
orientation = [[0.5, 0.3, 0.2], [1, 0, 0]]

[microstructure]
generator = "fibres"
volume_fraction = 0.1
count = 20
seed = 1
gap = 0.05
grid = 16

[samples]
count = 1
seed = 0
tolerance = 1e-3
"""


def test_members_are_the_product_of_the_descriptors(path: Path) -> None:
    path.write_text(FIBRES)
    recipe = DataRecipe.load(path)
    assert [member.label for member in recipe.members] == [
        "3_0.5_0.3",
        "3_1_0",
        "4.5_0.5_0.3",
        "4.5_1_0",
    ]
    numbers = {
        "aspect_ratio": 4.5,
        "orientation_1": 0.5,
        "orientation_2": 0.3,
    }
    assert recipe.members[2].descriptors == numbers
    plan = recipe.plan(recipe.members[2], Path("set.h5"))
    assert plan.image.digest == fibres(0.1, 20, 1, 4.5, (0.5, 0.3, 0.2), 0.05).image(16).digest
    assert plan.recipe["descriptors"] == numbers
    assert DataRecipe.model_validate(recipe.model_dump(mode="json")) == recipe


def test_cells_of_any_values(path: Path) -> None:
    path.write_text(FIBRES)
    recipe = DataRecipe.load(path)
    asked = recipe.cell(aspect_ratio=4.0, orientation_1=0.75, orientation_2=0.125)
    assert asked == recipe.cell(aspect_ratio=4.0, orientation=(0.75, 0.125, 0.125))
    assert recipe.image(asked).volume_fractions[1] == pytest.approx(0.1)
    assert recipe.image(asked).names == ("resin", "glass")
    with pytest.raises(ValueError, match=r"asked at \(aspect_ratio\); this recipe is over"):
        recipe.cell(aspect_ratio=4.0)


def test_plan_has_the_images_of_the_error_budget(path: Path) -> None:
    path.write_text(RECIPE + "[error_budget]\nsamples = 3\nrealisations = 2\nfiner_grid = true")
    recipe = DataRecipe.load(path)
    plan = recipe.plan(recipe.members[1], Path("set.h5"))
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
    recipe = DataRecipe.load(path)
    plan = recipe.plan(recipe.members[1], Path("set.h5"))
    keys = [("image", 5), ("tolerance", 2), ("coarse", 2)]
    (image, stiffness, tolerance), tight, coarse = plan.tasks(keys)
    assert (image.shape, tolerance) == ((16, 16), 1e-3)
    np.testing.assert_array_equal(stiffness, plan.phase_stiffness[5])
    assert (tight[0].shape, tight[2]) == ((16, 16), pytest.approx(1e-4))
    assert (coarse[0].shape, coarse[2]) == ((8, 8), 1e-3)


FAULTS = [
    ("[0.2, 0.3]", "[0.3, 0.3]", "descriptors.volume_fraction: must be strictly increasing"),
    ("[0.2, 0.3]", "[0.2, 0.2000001]", "differ in their first six digits"),
    ("[0.2, 0.3]", "[0.2, 0.3], gap = 0.1", "descriptors.gap: has one value; it belongs in"),
    ("[0.2, 0.3]", "[]", "descriptors.volume_fraction.*at least 1 item"),
    ("[0.2, 0.3]", "1.3", "descriptors.volume_fraction: .* less than 1"),
    ("[0.2, 0.3]", '"many"', "descriptors.volume_fraction.*valid"),
    ("[0.2, 0.3]", "[[0.2, 0.1, 0.7]]", "descriptors.volume_fraction: must be numbers"),
    (
        "{ volume_fraction",
        "{ seed = [1, 2], volume_fraction",
        "descriptors.seed: the seed of a cell",
    ),
    ("{ volume_fraction", "{ length = [1, 2], volume_fraction", "descriptors.length: Extra inputs"),
    ("{ volume_fraction = [0.2, 0.3] }", "{}", "descriptors: .* at least 1 item"),
    ("seed = 7", "seed = 7\nvolume_fraction = 0.2", "volume_fraction is a descriptor"),
    ("gap = 0.15", "gap = -0.15", "microstructure.gap: .* greater than or equal to 0"),
    ("dimension = 2", "dimension = 3", "discs are not of dimension 3"),
    ('"grain"]', '"binder"]', "distinct names"),
    ('"grain"]', '"grain", "pore"]', "binder, grain, pore; discs have 2: matrix, inclusion"),
    ('"discs"', '"disks"', "microstructure: Input tag 'disks'"),
    ("grid = 16", "grid = 17", "grid is 17; it must be even"),
    ("tolerance = 1e-3", 'tolerance = 1e-3\nvoid = "pore"', "samples.void is 'pore'; the phases"),
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
        recipe = DataRecipe.load(path)
        plan = recipe.plan(recipe.members[1], Path("set.h5"))
        assert plan.image.names == ("binder", "grain")
        assert plan.image.volume_fractions[1] == pytest.approx(0.3)
        assert sum("realisation" in name for name in plan.variants) == realisations
        digests = {make().digest for make in plan.variants.values()} | {plan.image.digest}
        assert len(digests) == 2 + realisations
