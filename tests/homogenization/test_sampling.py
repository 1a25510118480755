"""Training sets of one image: what they hold, how they grow, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dmn_fem.homogenization import (
    BudgetSettings,
    TrainingSet,
    draw_phase_stiffness,
    homogenize,
    sample,
)
from dmn_fem.microstructure import PhaseImage, discs, layers, of_two_kinds, weave

COUNT, SEED = 10, 3
BUDGET = BudgetSettings(samples=2, realisations=0)


@pytest.fixture(scope="module")
def image() -> PhaseImage:
    return discs(0.4, 5, 0).image(24)


@pytest.fixture(scope="module")
def finished(image: PhaseImage, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("campaign") / "samples.h5"
    sample(image, path, COUNT, SEED, budget=BUDGET)
    return path


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "samples.h5"
    copy.write_bytes(finished.read_bytes())
    return copy


def test_samples_are_those_of_the_law_and_the_full_field(image, finished: Path) -> None:
    training_set = TrainingSet.load(finished)
    expected = draw_phase_stiffness(2, 2, COUNT, SEED)
    np.testing.assert_array_equal(training_set.phase_stiffness, expected)
    assert training_set.image.digest == image.digest
    for number in (0, COUNT - 1):
        found = homogenize(image, expected[number])
        np.testing.assert_array_equal(training_set.stiffness[number], found.stiffness)
        np.testing.assert_array_equal(training_set.iterations[number], found.iterations)
    assert training_set.error.max() <= 1e-4
    assert training_set.descriptors == {"volume_fraction": image.volume_fractions[1]}
    assert [path.name for path in finished.parent.iterdir()] == ["samples.h5"]


def test_a_phase_may_be_void(image: PhaseImage, copy: Path, tmp_path: Path) -> None:
    budget = BudgetSettings(samples=0, realisations=0)
    name = image.names[1]
    found = sample(image, tmp_path / "void.h5", 2, SEED, void=name, budget=budget)
    assert found.recipe["void"] == name
    expected = draw_phase_stiffness(2, 2, 2, SEED, void=1)
    np.testing.assert_array_equal(found.phase_stiffness, expected)
    with pytest.raises(ValueError, match="void is 'hole'; the image has matrix"):
        sample(image, tmp_path / "hole.h5", 2, SEED, void="hole")
    with pytest.raises(ValueError, match="another recipe"):
        sample(image, copy, COUNT, SEED, void=name, budget=BUDGET)


def test_volume_fraction_is_that_of_all_phases_but_the_first(tmp_path: Path) -> None:
    """As of generated cells, and of the databases that are over it."""
    image = of_two_kinds(discs(0.4, 4, 0), 0.5, 0).image(16)
    budget = BudgetSettings(samples=0, realisations=0)
    found = sample(image, tmp_path / "set.h5", 1, SEED, 1e-2, budget=budget)
    assert len(found.phases) == 3
    assert found.descriptors["volume_fraction"] == pytest.approx(0.4, abs=1e-6)


def test_error_budget_of_an_image(image, finished: Path) -> None:
    training_set = TrainingSet.load(finished)
    budget = training_set.error_budget
    assert budget is not None
    assert budget.realisations is None
    np.testing.assert_array_equal(budget.reference, training_set.stiffness[budget.sample])
    for position, number in enumerate(budget.sample):
        stiffness = training_set.phase_stiffness[number]
        expected = {
            "coarse": homogenize(image.coarsen(2), stiffness),
            "tolerance": homogenize(image, stiffness, 1e-5),
        }
        assert set(budget.variants) == set(expected)
        for name, result in expected.items():
            np.testing.assert_array_equal(budget.variants[name][position], result.stiffness)


def test_finished_set_computes_nothing(image, finished: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a finished campaign computes")

    monkeypatch.setattr("dmn_fem.homogenization._plan.homogenize", fail)
    before = finished.stat()
    reports: list[tuple[int, int]] = []
    training_set = sample(
        image,
        finished,
        COUNT,
        SEED,
        budget=BUDGET,
        progress=lambda _, *report: reports.append(report),
    )
    assert reports == [(COUNT + 4, COUNT + 4)]
    assert len(training_set.stiffness) == COUNT
    assert finished.stat() == before
    assert [path.name for path in finished.parent.iterdir()] == ["samples.h5"]


def test_set_grows_by_its_new_samples_alone(image, copy: Path, tmp_path: Path) -> None:
    reports: list[int] = []
    budget = BudgetSettings(samples=2, realisations=0)
    sample(image, copy, 13, SEED, budget=budget, progress=lambda _, done, __: reports.append(done))
    assert reports == [14, 15, 16, 17]
    sample(image, tmp_path / "at_once.h5", 13, SEED, budget=budget)
    assert copy.read_bytes() == (tmp_path / "at_once.h5").read_bytes()


def test_budget_grows_and_goes(image, copy: Path, finished: Path, tmp_path: Path) -> None:
    reports: list[int] = []
    larger = BudgetSettings(samples=3, realisations=0)
    sample(
        image, copy, COUNT, SEED, budget=larger, progress=lambda _, done, __: reports.append(done)
    )
    assert reports[0] > COUNT
    sample(image, tmp_path / "at_once.h5", COUNT, SEED, budget=larger)
    assert copy.read_bytes() == (tmp_path / "at_once.h5").read_bytes()
    none = sample(image, copy, COUNT, SEED, budget=BudgetSettings(samples=0))
    assert none.error_budget is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "seed is 3 there, 4 here"),
        ({"tolerance": 1e-3}, "tolerance is 0.0001 there, 0.001 here"),
        ({"descriptors": {"volume_fraction": 0.4}}, "descriptors is"),
        ({"image": discs(0.4, 5, 1).image(24)}, "another recipe"),
        ({"count": COUNT - 1}, "holds 10 samples already, 9 are asked for"),
    ],
)
def test_file_of_another_recipe_is_left_alone(image, finished, change, message) -> None:
    before = finished.read_bytes()
    arguments = {"image": image, "path": finished, "count": COUNT, "seed": SEED} | change
    with pytest.raises(ValueError, match=message) as caught:
        sample(**arguments, budget=BUDGET)
    assert "\n" not in str(caught.value)
    assert finished.read_bytes() == before
    assert [path.name for path in finished.parent.iterdir()] == ["samples.h5"]


def test_damaged_file_is_left_alone(image, copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[-100] ^= 1
    copy.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged or truncated"):
        sample(image, copy, COUNT, SEED, budget=BUDGET)
    assert copy.read_bytes() == content


def test_three_phases_in_3d_on_an_odd_grid(tmp_path) -> None:
    image = layers(3, 5, [0.2, 0.2, 0.6])
    training_set = sample(image, tmp_path / "layers.h5", 2, 0)
    assert training_set.phase_stiffness.shape == (2, 3, 6, 6)
    assert training_set.stiffness.shape == (2, 6, 6)
    assert training_set.error_budget is not None
    assert training_set.error_budget.discretisation is None
    assert training_set.error_budget.tolerance.maximum < 1e-5


def test_an_image_with_axes_has_no_coarser_grid(tmp_path) -> None:
    image = weave(0.3, 0.25, 0.42).image(8)
    budget = BudgetSettings(samples=1, realisations=0)
    training_set = sample(image, tmp_path / "weave.h5", 1, 0, 1e-2, budget=budget)
    assert training_set.error_budget is not None
    assert training_set.error_budget.discretisation is None


def test_room_imports_neither_torch_nor_dolfinx() -> None:
    code = (
        "import sys; import dmn_fem.homogenization;"
        "sys.exit(bool({'torch', 'dolfinx', 'petsc4py', 'mpi4py', 'h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
