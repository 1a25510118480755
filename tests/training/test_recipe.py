"""Recipes: read, refused, and built into a database once."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import dmn_fem
from dmn_fem.database import Database
from dmn_fem.homogenization import TrainingSet
from dmn_fem.microstructure import PhaseImage, weave
from dmn_fem.training import Recipe, Samples, build, evaluate
from dmn_fem.training._recipe import nearest_first

SHIPPED = Path(__file__).parents[2] / "databases"
SMALL = """
name = "small"
dimension = 2
phases = ["binder", "grain"]
descriptors = { volume_fraction = [0.2, 0.3] }

[microstructure]
generator = "discs"
count = 4
seed = 0
gap = 0.15
grid = 24

[samples]
count = 12
held_out = 4
seed = 0
tolerance = 1e-3

[error_budget]
samples = 2
realisations = 1

[network]
leaves = 8
seeds = [3, 4]
iterations = 60
transfer_iterations = 40
joint_iterations = 20
pruning = 2.0
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_shipped_recipes_are_valid() -> None:
    recipes = sorted(SHIPPED.glob("*.toml"))
    assert recipes
    for path in recipes:
        assert Recipe.load(path).name == path.stem


def test_shipped_databases_are_those_of_their_recipes() -> None:
    shipped = sorted((Path(dmn_fem.__file__).parent / "data").glob("*.safetensors"))
    assert shipped
    for path in shipped:
        recipe = Recipe.load(SHIPPED / f"{path.stem}.toml")
        assert Database.load(path).provenance["recipe"] == recipe.model_dump(mode="json")


def test_builds_a_database_once(tmp_path: Path, recipe: Path) -> None:
    stages: list[str] = []
    directory = tmp_path / "work"
    database = build(recipe, directory, progress=lambda stage, *_: stages.append(stage))
    assert list(dict.fromkeys(stages)) == [
        "samples",
        "network at 0.2, start 1",
        "network at 0.2, start 2",
        "network at 0.3",
        "pruning",
        "all networks",
    ]
    files = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    assert {"image_0.2.npz", "samples_0.3.h5", "start_1.checkpoint", "small.safetensors"} <= set(
        files
    )
    stages.clear()
    again = build(recipe, directory, progress=lambda stage, *_: stages.append(stage))
    assert not stages
    assert {path.name: path.stat().st_mtime_ns for path in directory.iterdir()} == files
    for other in (again, Database.load(directory / "small.safetensors")):
        for ours, theirs in zip(database.networks, other.networks, strict=True):
            np.testing.assert_array_equal(ours.leaf_activation, theirs.leaf_activation)
    check_content(database, directory)


def check_content(database: Database, directory: Path) -> None:
    assert (database.dimension, database.phases, database.leaves) == (2, ("binder", "grain"), 8)
    np.testing.assert_array_equal(database.values, [[0.2], [0.3]])
    np.testing.assert_allclose(database.at(volume_fraction=0.25).phase_fraction, [0.75, 0.25])
    made = database.provenance
    assert made["recipe"] == Recipe.model_validate(made["recipe"]).model_dump(mode="json")
    errors = made["errors"]
    for key in ("samples_sha256", "error_budgets", "errors", "learning_curves"):
        assert len(made[key]) == 2
    check_pruning(database)
    best = dict((step, rest[-1]) for step, *rest in made["learning_curves"][0])[60]
    assert min(made["starts_held_out_error"]) == pytest.approx(best)
    for value, network, error, curve in zip(
        (0.2, 0.3), database.networks, errors, made["learning_curves"], strict=True
    ):
        assert PhaseImage.load(directory / f"image_{value}.npz").names == ("binder", "grain")
        samples = Samples.of(TrainingSet.load(directory / f"samples_{value}.h5"))
        network = network.with_phase_fraction(samples.phase_fraction)
        found = evaluate(network, samples.split(4)[1]).stiffness.mean
        assert found == pytest.approx(error["held_out"]["stiffness"]["mean"])
        step, _, held_out_error = curve[-1]
        assert step in (80, 60)
        assert held_out_error == pytest.approx(found)


def check_pruning(database: Database) -> None:
    """What died is dead in all networks, and what that changed is told."""
    pruning = database.provenance["pruning"]
    before, after = pruning["leaves"]
    dead = np.array([each.leaf_activation == -np.inf for each in database.networks])
    np.testing.assert_array_equal(dead[0], dead[1])
    assert (before, after) == (8, np.count_nonzero(~dead[0]))
    for errors, change in zip(
        pruning["training_errors"], pruning["change_of_answers"], strict=True
    ):
        assert errors[1] <= 3.0 * errors[0]
        assert 0 < change["mean"] <= change["maximum"]


def test_order_of_transfer() -> None:
    """A chain over one descriptor; over several a tree from the first, by scaled distances."""
    assert nearest_first(np.array([[0.1], [0.2], [0.5]])) == [(1, 0), (2, 1)]
    assert nearest_first(np.array([[0.1], [0.2], [0.5]]), 1) == [(0, 1), (2, 1)]
    grid = np.array([[x, y] for x in (1.0, 2.0) for y in (0.1, 0.2, 0.6)])
    assert nearest_first(grid) == [(1, 0), (2, 1), (3, 0), (4, 3), (5, 4)]
    assert nearest_first(np.array([[0.1, 3.0]])) == []


@settings(max_examples=30, deadline=None)
@given(arrays(float, (7, 2), elements=st.floats(0, 1), unique=True))
def test_every_member_starts_from_a_nearest_finished_one(values: np.ndarray) -> None:
    pairs, done = nearest_first(values), [0]
    points = values / np.ptp(values, axis=0)
    for member, start in pairs:
        assert start in done
        assert member not in done
        distance = np.linalg.norm(points[:, None] - points[done], axis=-1)
        distance[done] = np.inf
        chosen = np.linalg.norm(points[member] - points[start])
        assert chosen == pytest.approx(distance.min())
        done.append(member)
    assert sorted(done) == list(range(7))


FAMILY = """
name = "porous"
dimension = 2
phases = ["binder", "hard", "pore"]

[descriptors]
share = [0.25, 0.5]
volume_fraction = [0.2, 0.3]

[microstructure]
generator = "mixed_discs"
count = 4
seed = 0
gap = 0.15
grid = 16

[samples]
count = 6
held_out = 2
seed = 0
tolerance = 1e-3
void = "pore"

[error_budget]
samples = 0

[network]
leaves = 6
root = { share = 0.5, volume_fraction = 0.2 }
seeds = [3]
iterations = 20
transfer_iterations = 20
joint_iterations = 0
"""


def test_two_descriptors_three_phases_and_a_void(tmp_path: Path) -> None:
    path = tmp_path / "porous.toml"
    path.write_text(FAMILY)
    database = build(path, tmp_path / "work")
    assert database.phases == ("binder", "hard", "pore")
    assert [each.name for each in database.descriptors] == ["share", "volume_fraction"]
    np.testing.assert_array_equal(
        database.values, [[0.25, 0.2], [0.25, 0.3], [0.5, 0.2], [0.5, 0.3]]
    )
    for (share, fraction), network in zip(database.values, database.networks, strict=True):
        expected = [1 - fraction, (1 - share) * fraction, share * fraction]
        np.testing.assert_allclose(network.phase_fraction, expected, atol=2e-3)
    assert database.provenance["error_budgets"] == [None] * 4
    # Every network stands at a corner: the others cannot stand in for it.
    assert [each["leave_one_out"] for each in database.provenance["errors"]] == [None] * 4
    void = TrainingSet.load(tmp_path / "work" / "samples_0.5_0.3.h5").phase_stiffness[:, 2]
    np.testing.assert_array_equal(void, void[:, :1, :1] * np.eye(3))


WEAVE = """
name = "weave"
dimension = 3
phases = ["resin", "warp", "weft"]
descriptors = { volume_fraction = 0.4 }

[microstructure]
generator = "weave"
height = 0.25
width = 0.45
gap = 0.03
grid = 16

[samples]
count = 8
held_out = 2
seed = 0
tolerance = 1e-2
contrast = [0.5, 20.0]

[error_budget]
samples = 0

[network]
leaves = 6
seeds = [3]
iterations = 40
transfer_iterations = 20
joint_iterations = 0
"""


def test_leaves_turn_where_the_phases_of_the_cell_do(tmp_path: Path) -> None:
    path = tmp_path / "weave.toml"
    path.write_text(WEAVE)
    (network,) = build(path, tmp_path / "work").networks
    assert network.leaf_orientation is not None
    assert np.abs(network.leaf_orientation[:, 1:]).max() > 0.01
    samples = TrainingSet.load(tmp_path / "work" / "samples_0.4.h5")
    assert samples.recipe["contrast"] == [0.5, 20.0]
    image = weave(0.4, 0.25, 0.45, 0.03).image(16)
    assert samples.image.digest == image.digest


@pytest.mark.parametrize(
    "stage", ["samples", "network at 0.2, start 2", "network at 0.3", "all networks"]
)
def test_killed_build_goes_on_to_the_same_networks(
    tmp_path: Path, recipe: Path, stage: str
) -> None:
    whole = build(recipe, tmp_path / "whole")

    def kill(current: str, done: int, _: int) -> None:
        if current == stage and done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(recipe, tmp_path / "killed", progress=kill)
    again = build(recipe, tmp_path / "killed")
    for ours, theirs in zip(whole.networks, again.networks, strict=True):
        np.testing.assert_array_equal(ours.leaf_activation, theirs.leaf_activation)
        np.testing.assert_array_equal(ours.normal_angles, theirs.normal_angles)


def test_cells_of_another_recipe_are_not_used(tmp_path: Path, recipe: Path) -> None:
    """Without the finished database, an edited microstructure must still be noticed."""
    directory = tmp_path / "work"
    build(recipe, directory)
    (directory / "small.safetensors").unlink()
    recipe.write_text(SMALL.replace("gap = 0.15", "gap = 0.2"))
    with pytest.raises(ValueError, match="another recipe"):
        build(recipe, directory)


def test_results_of_another_recipe_are_refused(tmp_path: Path, recipe: Path) -> None:
    build(recipe, tmp_path)
    recipe.write_text(SMALL.replace("iterations = 60", "iterations = 80"))
    with pytest.raises(ValueError, match=r"small\.safetensors: made from another recipe"):
        build(recipe, tmp_path)
    (tmp_path / "small.safetensors").unlink()
    with pytest.raises(ValueError, match=r"another recipe; delete its \*\.checkpoint files"):
        build(recipe, tmp_path)


INELASTIC = """
[inelastic]
paths = 2
grid = 12
weight = 3.0
[[inelastic.materials]]
grain = { law = "linear_elastic", young_modulus = 500.0, poisson_ratio = 0.2 }
[inelastic.materials.binder]
law = "j2_plasticity"
young_modulus = 100.0
poisson_ratio = 0.3
yield_stress = 0.1
hardening = { type = "linear", modulus = 5.0 }
"""


@pytest.mark.parametrize("fractions", ["[0.2, 0.3]", "0.2"])
def test_inelastic_stage(tmp_path: Path, recipe: Path, fractions: str) -> None:
    text = SMALL.replace("[0.2, 0.3]", fractions).replace("iterations = 60", "iterations = 20")
    recipe.write_text(text + "inelastic_iterations = 20\n" + INELASTIC)
    stages: list[str] = []
    database = build(recipe, tmp_path / "work", progress=lambda stage, *_: stages.append(stage))
    assert "inelastic samples" in stages
    assert stages[-1] == "all networks, inelastic"
    errors = database.provenance["inelastic_errors"]
    assert len(errors) == len(database.networks)
    assert 0 < errors[0]["held_out"]["mean"] < 0.5
    assert (tmp_path / "work" / "inelastic_0.2.h5").exists()
    elastic = recipe.with_name("elastic.toml")
    elastic.write_text(text.replace('"small"', '"elastic"'))
    without = build(elastic, tmp_path / "work")
    assert without.provenance["inelastic_errors"] == []
    assert not np.array_equal(
        without.networks[0].leaf_activation, database.networks[0].leaf_activation
    )


INELASTIC_STAGE = f"inelastic_iterations = 20\n{INELASTIC}"
FAULTS = [
    ("leaves = 8", "leaves = 8\ninelastic_iterations = 9", "inelastic_iterations belong together"),
    ("pruning = 2.0", INELASTIC_STAGE.replace("paths = 2", "paths = 1"), "inelastic.paths is 1"),
    ("pruning = 2.0", INELASTIC_STAGE.replace("grain", "void"), "the phases are binder, grain"),
    ("leaves = 8", "leaves = 1", "network.leaves: .* greater than or equal to 2"),
    ("leaves = 8", "", "network.leaves: Field required"),
    (
        "leaves = 8",
        "leaves = 8\nroot = { volume_fraction = 0.25 }",
        "network.root is .* a member's",
    ),
    ("pruning = 2.0", "pruning = -0.1", "network.pruning: .* greater than or equal to 0"),
    ("leaves = 8", "leaves = 8\nlayers = 3", "network.layers: Extra inputs"),
    ("[0.2, 0.3]", "[0.3, 0.2]", "strictly increasing"),
    ("[0.2, 0.3]", "[0.2, 1.3]", "descriptors.volume_fraction: .* less than 1"),
    ("held_out = 4", "held_out = 4\ncontrast = [2.0, 1.0]", "contrast: .* least first"),
    ("held_out = 4", "held_out = 12", "held_out must be at least 1 and less"),
    ("dimension = 2", "dimension = 3", "discs are not of dimension 3"),
    ('"grain"]', '"binder"]', "phases must have distinct names"),
    ('"small"', '"a/b"', "name: "),
    ("dimension = 2", "dimension =", "no TOML file"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_faults_of_a_recipe_are_one_line(recipe: Path, old: str, new: str, message: str) -> None:
    recipe.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as caught:
        Recipe.load(recipe)
    assert str(caught.value).startswith(f"{recipe}: ")
    assert "\n" not in str(caught.value)
