"""The verbs that make and show training sets."""

import json

import pytest

from dmn_fem.homogenization import (
    DataRecipe,
    TrainingSet,
    homogenize,
    sample_family,
    start_processes,
)
from dmn_fem.microstructure import discs

RECIPE = """
name = "tiny"
dimension = 2
phases = ["binder", "grain"]
descriptors = { volume_fraction = [0.2, 0.3] }
microstructure = { generator = "discs", count = 4, seed = 0, gap = 0.15, grid = 16 }
samples = { count = 5, seed = 0, tolerance = 1e-3 }
error_budget = { samples = 2, realisations = 2 }
"""


@pytest.fixture
def folder(entered):
    (entered / "tiny.toml").write_text(RECIPE)
    discs(0.3, 4, 0).image(16).save(entered / "cell.npz")
    return entered


def test_family_of_a_recipe(folder, call):
    code, out, err = call("sample tiny.toml --directory work")
    assert code == 0
    assert "wrote 10 samples in work" in out
    assert "samples_0.3" in out
    assert "26/26" in err
    code, out, _ = call("sample tiny.toml --directory work")
    assert code == 0
    assert "nothing to compute: 10 samples in work" in out


def test_image_that_is_asked_for_more_samples(folder, call):
    for count in (3, 5):
        code, out, _ = call(f"sample cell.npz --count {count} --output samples.h5")
        assert code == 0
        assert f"wrote {count} samples in samples.h5" in out
    assert len(TrainingSet.load(folder / "samples.h5").stiffness) == 5
    code, _, err = call("sample cell.npz --count 4 --output samples.h5")
    assert code == 2
    assert "holds 5 samples already, 4 are asked for" in err


def test_info(folder, call):
    call("sample tiny.toml --directory work")
    code, out, err = call("samples info work/samples_0.3.h5 --json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["samples"] == 5
    assert answer["volume_fractions"]["grain"] == pytest.approx(0.3)
    budget = answer["error_budget"]
    assert budget["realisations"]["count"] == 3
    for part in (budget["discretisation"]["error"], budget["tolerance"]):
        assert 0 < part["mean"] <= part["maximum"]
    code, out, _ = call("samples info work/samples_0.3.h5")
    assert code == 0
    for word in ("5 samples on 16 x 16", "grain 0.3", "grid", "realisation", "tolerance"):
        assert word in out


def test_failing_sample_is_status_1(folder, call, monkeypatch):
    def fail(*_):
        raise ValueError("the full field did not converge")

    monkeypatch.setattr("dmn_fem.homogenization._plan.homogenize", fail)
    code, _, err = call("sample tiny.toml --directory work")
    assert code == 1
    assert "dmn-fem: work/samples_0.2.h5: sample 0: the full field did not converge" in err


def test_interrupt_is_said_and_loses_nothing(folder, call, monkeypatch):
    results = iter([homogenize] * 7)

    def interrupted(*arguments):
        for each in results:
            return each(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dmn_fem.homogenization._plan.homogenize", interrupted)
        code, _, err = call("sample tiny.toml --directory work")
    assert code == 130
    assert "dmn-fem: interrupted; samples, trainings and builds go on" in err
    reports = []
    with start_processes() as workers:
        recipe = DataRecipe.load("tiny.toml")
        sample_family(recipe, "work", workers, lambda _, done, __: reports.append(done))
    assert reports[0] == 7


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sample tiny.toml", "it takes --directory"),
        ("sample tiny.toml --directory work --count 3", "it takes no --count"),
        ("sample cell.npz", "it takes --output"),
        ("sample cell.npz --output s.h5 --directory work", "no --directory"),
        ("sample tiny.toml --directory work --mpi --processes 2", "the ranks compute"),
        ("sample tiny.toml --directory work --processes 0", "processes is 0"),
        ("sample cell.npz --output s.h5 --tolerance 0", "tolerance is 0"),
        ("sample cell.npz --output s.h5 --count 0", "0 samples"),
        ("sample cell.npz --output none/s.h5", "none/s.h5.journal: No such file"),
        ("sample no.toml --directory work", "no.toml"),
        ("samples info cell.npz", "is damaged or no training set"),
        ("samples info no.h5", "no.h5: no such training set"),
    ],
)
def test_wrong_call_is_one_line_and_status_2(folder, call, line, message):
    before = sorted(folder.iterdir())
    code, _, err = call(line)
    assert code == 2
    said = [text for text in err.splitlines() if text.startswith("dmn-fem: ")]
    assert len(said) == 1
    assert message in said[0]
    assert sorted(folder.iterdir()) == before


def test_help_teaches(call):
    code, out, _ = call("samples info --help")
    assert code == 0
    assert "Example" in out
    assert call("samples")[0] == 0
