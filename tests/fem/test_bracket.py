import shutil
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network

ROOT = Path(__file__).parents[2]
COARSE = ROOT / "meshes" / "bracket_coarse.msh"


@pytest.fixture
def database(tmp_path):
    """Small random networks at the corners of the descriptors of short fibres."""
    rng = np.random.default_rng(5)
    network = Network.random(3, ("matrix", "fibre"), [0.9, 0.1], 8, rng)
    corners = [(1 / 3, 1 / 3), (0.5, 0.5), (1.0, 0.0)]
    values = [(*corner, fraction) for corner in corners for fraction in (0.05, 0.2)]
    networks = [network.with_phase_fraction([1 - value[2], value[2]]) for value in values]
    names = ("orientation_1", "orientation_2", "volume_fraction")
    path = tmp_path / "small.safetensors"
    Database(networks, [Descriptor(name) for name in names], values).save(path)
    return path


def history(folder):
    return np.genfromtxt(folder / "history.csv", delimiter=",", names=True)


def test_one_rank_two_and_a_restart_press_with_the_same_force(tmp_path, database, solve):
    arguments = ["--database", database, "--mesh", COARSE, "--steps", "1", "--peak", "6"]
    curves = []
    for ranks in (1, 2):
        status, _, said = solve("bracket", tmp_path / str(ranks), *arguments, ranks=ranks)
        assert status == 0, said
        curves.append(history(tmp_path / str(ranks)))
    one, two = curves
    for name in ("time", "displacement", "force", "internal_work"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-8)
    displacement, force = one["displacement"], one["force"]
    peak = force.argmax()
    assert displacement[peak] == 6.0
    # Less force than an elastic bracket would have, which comes back by the line of unloading.
    stiffness = (force[peak] - force[-1]) / (displacement[peak] - displacement[-1])
    assert force[peak] < 0.97 * stiffness * 6.0
    for name in ("stress", "plastic_strain", "alignment", "force_displacement"):
        picture = matplotlib.image.imread(tmp_path / "2" / f"{name}.png")[..., :3]
        assert picture.std() > 0.05

    # Two ranks were stopped after the peak, and one goes on.
    stopped = tmp_path / "stopped"
    stopped.mkdir()
    shutil.copy(tmp_path / "2" / "history.csv", stopped)
    shutil.copy(tmp_path / "2" / "checkpoint.previous", stopped / "checkpoint")
    status, _, said = solve("bracket", stopped, *arguments, "--restart")
    assert status == 0, said
    assert "time 1.000" not in said
    np.testing.assert_allclose(history(stopped)["force"], force, rtol=1e-8)


@pytest.mark.parametrize(
    ("option", "file", "message"),
    [
        ("--flow", "none.csv", "none.csv: no table of numbers"),
        ("--mesh", "none.msh", "none.msh: not a mesh that meshio reads"),
    ],
)
def test_wrong_input_is_one_line_and_status_1(tmp_path, solve, option, file, message):
    status, _, said = solve("bracket", tmp_path, option, tmp_path / file)
    assert status == 1
    assert message in said.replace("\n", "")


def test_a_place_that_one_rank_alone_has_no_network_for_ends_both(tmp_path, database, solve):
    names, *rows = (ROOT / "meshes" / "bracket_flow.csv").read_text().splitlines()
    table = np.array([row.split(",") for row in rows], dtype=float)
    table[table[:, 0] == table[:, 0].max(), 3] = 0.9  # at the tip
    flow = tmp_path / "flow.csv"
    np.savetxt(flow, table, delimiter=",", header=names, comments="")
    arguments = ["--database", database, "--mesh", COARSE, "--flow", flow]
    status, _, said = solve("bracket", tmp_path / "out", *arguments, ranks=2)
    assert status == 1
    assert "volume_fraction" in said
    assert "Traceback" not in said
