"""Questions to databases at the command line: several descriptors, orientations, errors."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.cli._database import _percent
from dmn_fem.database import Database, Descriptor
from dmn_fem.laws import initial_stiffness, read_phases
from dmn_fem.network import Network

EIGENVALUES = [(1.0, 0.0), (0.5, 0.5), (1 / 3, 1 / 3), (0.75, 0.25)]
STIFFNESS = "database stiffness db.safetensors --phases phases.toml"


def entry(mean, left_out):
    figures = {"mean": mean, "percentile_95": 2 * mean, "maximum": 3 * mean}
    held_out = {"stiffness": figures, "compliance": {key: 2 * v for key, v in figures.items()}}
    left_out = left_out and {"mean": left_out, "percentile_95": left_out, "maximum": left_out}
    return {"training": held_out, "held_out": held_out, "leave_one_out": left_out}


@pytest.fixture
def folder(entered):
    """A folder with a database over orientation and volume fraction, and phases, entered."""
    base = Network.random(3, ("matrix", "inclusion"), (0.9, 0.1), 8, np.random.default_rng(0))
    points = [(*each, v) for each in EIGENVALUES for v in (0.1, 0.2, 0.3)]
    networks = [
        replace(base.with_phase_fraction([1 - v, v]), normal_angles=base.normal_angles + first)
        for first, _, v in points
    ]
    names = ("orientation_1", "orientation_2", "volume_fraction")
    budget = {
        "samples": 8,
        "discretisation": {"error": {"mean": 0.03, "maximum": 0.04}},
        "realisations": None,
        "tolerance": {"mean": 0.0001, "maximum": 0.0002},
    }
    provenance = {
        "recipe": {"name": "fibres"},
        "errors": [entry(0.001, 0.02 if 0.15 < v < 0.25 else None) for _, _, v in points],
        "error_budgets": [budget, *[None] * 11],
    }
    database = Database(networks, [Descriptor(name) for name in names], points, provenance)
    database.save(entered / "db.safetensors")
    return entered


def asked_stiffness(folder, **values):
    laws = read_phases(folder / "phases.toml")
    network = Database.load(folder / "db.safetensors").at(**values)
    return network.stiffness([initial_stiffness(laws[phase], 3) for phase in network.phases])


def test_large_errors_are_written_without_powers_of_ten():
    assert _percent({"mean": 1.43, "maximum": 0.00123}) == "140 / 0.12"


def test_orientation_by_eigenvalues_and_by_components(folder, call):
    tensor = np.array([[0.6, 0.1, 0.0], [0.1, 0.3, 0.05], [0.0, 0.05, 0.1]])
    at = "--at volume_fraction=0.15 --json --at"
    for text, orientation in (
        ("0.7,0.1,0.2", [0.7, 0.2, 0.1]),
        ("0.6,0.3,0.1,0.1,0,0.05", tensor),
    ):
        code, out, err = call(f"{STIFFNESS} {at} orientation={text}")
        assert (code, err) == (0, "")
        expected = asked_stiffness(folder, volume_fraction=0.15, orientation=orientation)
        np.testing.assert_allclose(json.loads(out)["stiffness"], expected, rtol=1e-13)


def test_estimated_error_is_told(folder, call):
    values = {"orientation_1": 0.7, "orientation_2": 0.2, "volume_fraction": 0.15}
    at = " ".join(f"--at {name}={value}" for name, value in values.items())
    error = Database.load(folder / "db.safetensors").estimated_error(**values)
    assert 0.001 < error < 0.05
    assert json.loads(call(f"{STIFFNESS} {at} --json")[1])["estimated_error"] == error
    assert f"estimated error of the elastic stiffness: {100 * error:.2g} %" in call(
        f"{STIFFNESS} {at}"
    )[1].replace("\n", " ")
    (folder / "path.csv").write_text("time,strain_11\n1,0.001\n")
    line = f"point db.safetensors --phases phases.toml --path path.csv --output out.csv {at}"
    code, out, _ = call(line)
    assert code == 0
    assert f"{100 * error:.2g} %" in out


@pytest.mark.filterwarnings("default::dmn_fem.database.ExtrapolationWarning")
def test_an_extrapolation_has_no_estimate(folder, call):
    at = "--at orientation=0.7,0.2,0.1 --at volume_fraction=0.31 --extrapolate"
    code, out, err = call(f"{STIFFNESS} {at} --json")
    assert code == 0
    assert "extrapolated by 5 %" in err
    assert json.loads(out)["estimated_error"] is None
    assert "not available" in call(f"{STIFFNESS} {at}")[1]


@pytest.mark.parametrize("unit", [1.0, 1e9])
def test_no_digit_of_a_stiffness_is_cut_off(folder, call, unit):
    text = (folder / "phases.toml").read_text()
    for number in ("100.0", "500.0", "0.1", "5.0"):
        text = text.replace(f"= {number}\n", f"= {float(number) * unit}\n")
    (folder / "phases.toml").write_text(text)
    _, out, _ = call(f"{STIFFNESS} --at volume_fraction=0.2 --at orientation=0.7,0.2,0.1")
    assert ("in 1e+09" in out) == (unit > 1)
    rows = [line.split("│")[2:-1] for line in out.splitlines() if line.startswith("│")]
    stiffness = asked_stiffness(folder, volume_fraction=0.2, orientation=[0.7, 0.2, 0.1])
    shown = unit * np.array([[float(entry) for entry in row] for row in rows])
    assert np.abs(shown - stiffness).max() <= 1e-5 * np.abs(stiffness).max()


def test_info_shows_the_errors_of_every_network(folder, call):
    answer = json.loads(call("database info db.safetensors --json")[1])
    first, second = answer["networks"][:2]
    assert first["descriptors"] == [1.0, 0.0, 0.1]
    assert first["errors"]["leave_one_out"] is None
    assert first["error_budget"]["discretisation"]["error"]["mean"] == 0.03
    assert second["errors"]["held_out"]["compliance"]["maximum"] == 0.006
    assert second["errors"]["leave_one_out"]["mean"] == 0.02
    assert second["error_budget"] is None
    code, out, _ = call("database info db.safetensors")
    assert code == 0
    for text in ("0.1 / 0.2 / 0.3", "0.2 / 0.4 / 0.6", "2 / 2 / 2", "3 / 4", "0.01 / 0.02"):
        assert text in out


def test_info_of_what_ships(call):
    code, out, err = call("database info discs_2d")
    assert (code, err) == (0, "")
    assert "errors in %" in out


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("orientation=0.7,0.2", "three eigenvalues or six components"),
        ("orientation=0.7,0.2,x", "three eigenvalues or six components"),
        ("orientation=0.7,0.2,0.2", "trace of orientation is 1.1"),
        ("volume_fraction=0.1,0.2", "NAME=NUMBER"),
        ("orientation=1,0,0", "asked at"),
    ],
)
def test_a_wrong_question_is_one_line(folder, call, at, message):
    status, _, err = call(f"{STIFFNESS} --at {at}")
    assert status == 2
    (line,) = err.splitlines()
    assert message in line
