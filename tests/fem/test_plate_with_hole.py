import json
import os
from pathlib import Path

import numpy as np
import pytest
import pyvista

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network

ROOT = Path(__file__).parents[2]
COARSE = ROOT / "meshes" / "plate_with_hole_coarse.msh"


@pytest.fixture
def database(tmp_path):
    network = Network.random(2, ("matrix", "inclusion"), [0.8, 0.2], 8, np.random.default_rng(5))
    networks = [network, network.with_phase_fraction([0.6, 0.4])]
    path = tmp_path / "small.safetensors"
    cell = {"generator": "discs", "count": 5, "seed": 1, "gap": 0.15, "grid": 16}
    recipe = {
        "name": "small",
        "dimension": 2,
        "phases": ["matrix", "inclusion"],
        "descriptors": {"volume_fraction": [0.2, 0.4]},
        "microstructure": cell,
        "samples": {"count": 1, "seed": 0, "tolerance": 1e-3},
    }
    provenance = {"recipe": recipe}
    Database(networks, [Descriptor("volume_fraction")], [[0.2], [0.4]], provenance).save(path)
    return path


def curve(folder):
    return np.loadtxt(folder / "force_displacement.csv", delimiter=",", skiprows=1)


def test_one_and_two_ranks_give_the_same_curve(tmp_path, database, solve):
    arguments = ["--database", database, "--mesh", COARSE, "--steps", "3"]
    for ranks in (1, 2):
        status, _, said = solve("plate_with_hole", tmp_path / str(ranks), *arguments, ranks=ranks)
        assert status == 0, said
    one, two = curve(tmp_path / "1"), curve(tmp_path / "2")
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-10 * one[:, 2].max())
    peak = one[:, 2].argmax()
    assert one[peak, 1] == 0.01
    assert abs(one[-1, 2]) < 1e-2 * one[peak, 2]  # unloaded
    assert 0.005 < one[-1, 1] < 0.0099  # and plastic
    # Two ranks go on where one would have been stopped: nothing is left to do but the last steps.
    os.replace(tmp_path / "1" / "checkpoint.previous", tmp_path / "1" / "checkpoint")
    status, _, said = solve("plate_with_hole", tmp_path / "1", *arguments, "--restart", ranks=2)
    assert status == 0, said
    np.testing.assert_allclose(curve(tmp_path / "1"), one, rtol=0, atol=1e-10 * one[:, 2].max())
    history = np.loadtxt(tmp_path / "1" / "history.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(history[:, 0], one[1:, 0], rtol=1e-14)
    names = {path.name for path in (tmp_path / "2").iterdir()}
    assert {
        "force_displacement.png",
        "plastic_strain.png",
        "plate_with_hole.pvd",
        "stress.png",
    } <= names


def test_hundreds_of_steps_stay_in_order(tmp_path, solve):
    arguments = ["--law", "matrix", "--mesh", COARSE, "--steps", "101", "--strain", "1e-4"]
    status, _, said = solve("plate_with_hole", tmp_path, *arguments, "--checkpoint-every", "50")
    assert status == 0, said
    times = curve(tmp_path)[1:, 0]
    assert len(times) > 200
    assert (np.diff(times) > 0).all()
    reader = pyvista.PVDReader(tmp_path / "plate_with_hole.pvd")
    np.testing.assert_allclose(reader.time_values, times, rtol=1e-14)
    by_name = sorted(path.name for path in tmp_path.glob("plate_with_hole_*.vtu"))
    assert [each.path for each in reader.datasets] == by_name
    history = np.loadtxt(tmp_path / "history.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(history[:, 0], times, rtol=1e-14)


def test_network_and_unit_cell_are_compared(tmp_path, database, solve):
    arguments = ["--compare", "--database", database, "--steps", "2"]
    status, told, said = solve("plate_with_hole", tmp_path, *arguments, "--strain", "0.002")
    assert status == 0, said
    assert "largest difference of force" in told
    figures = json.loads((tmp_path / "compare.json").read_text())
    assert figures["dmn"]["points"] == figures["fe2"]["points"] == 99
    assert 0 < figures["force_error"] < 0.7  # the network is a random one
    assert set(figures["cost_ratio"]) < set(figures["dmn"])
    rows = np.loadtxt(tmp_path / "compare.csv", delimiter=",", skiprows=1)
    assert rows.shape[1] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--database", "missing.safetensors"], "missing.safetensors"),
        (["--law", "matrix", "--mesh", "missing.msh"], "missing.msh: not a mesh"),
    ],
)
def test_wrong_input_is_one_line_and_status_1(tmp_path, solve, arguments, message):
    status, _, said = solve("plate_with_hole", tmp_path, *arguments)
    assert status == 1
    assert message in said.replace("\n", "")
