"""Recipes: read, refused, and built into a database once."""

from pathlib import Path

import numpy as np
import pytest

from dmn_fem.database import Database
from dmn_fem.homogenization import TrainingSet
from dmn_fem.microstructure import PhaseImage
from dmn_fem.training import Recipe, Samples, build, evaluate

SHIPPED = Path(__file__).parents[2] / "databases"
SMALL = """
name = "small"
dimension = 2
phases = ["binder", "grain"]
volume_fractions = [0.2, 0.3]

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


def test_builds_a_database_once(tmp_path: Path, recipe: Path) -> None:
    stages: list[str] = []
    directory = tmp_path / "work"
    database = build(recipe, directory, progress=lambda stage, *_: stages.append(stage))
    assert list(dict.fromkeys(stages)) == [
        "samples",
        "network at 0.2, start 1",
        "network at 0.2, start 2",
        "network at 0.3",
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
    assert set(made["samples_sha256"]) == set(made["errors"]) == {"0.2", "0.3"}
    assert (
        min(made["starts_held_out_error"]) == made["errors"]["0.2"]["held_out"]["stiffness"]["mean"]
    )
    for value, network in zip((0.2, 0.3), database.networks, strict=True):
        assert PhaseImage.load(directory / f"image_{value}.npz").names == ("binder", "grain")
        samples = Samples.of(TrainingSet.load(directory / f"samples_{value}.h5"))
        network = network.with_phase_fraction(samples.phase_fraction)
        found = evaluate(network, samples.split(4)[1]).stiffness.mean
        assert found == pytest.approx(made["errors"][f"{value}"]["held_out"]["stiffness"]["mean"])


@pytest.mark.parametrize("stage", ["samples", "network at 0.2, start 2", "network at 0.3"])
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


FAULTS = [
    ("leaves = 8", "leaves = 1", "network.leaves: .* greater than or equal to 2"),
    ("leaves = 8", "", "network.leaves: Field required"),
    ("leaves = 8", "leaves = 8\nlayers = 3", "network.layers: Extra inputs"),
    ("[0.2, 0.3]", "[0.3, 0.2]", "strictly increasing"),
    ("[0.2, 0.3]", "[0.2, 1.3]", "volume_fractions.1: .* less than 1"),
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
