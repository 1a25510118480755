import os
import shutil
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from PIL import Image

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network

ROOT = Path(__file__).parents[2]
COARSE = ROOT / "meshes" / "bend_coarse.msh"

PHASES = """
[matrix]
law = "j2_plasticity"
young_modulus = 70e3
poisson_ratio = 0.33
yield_stress = 120.0
hardening = { type = "linear", modulus = 1500.0 }

[inclusion]
law = "linear_elastic"
young_modulus = 410e3
poisson_ratio = 0.19
"""


@pytest.fixture
def arguments(tmp_path):
    """Small random networks, a matrix that compiles soon, a cycle from the middle to the middle."""
    network = Network.random(3, ("matrix", "inclusion"), [0.9, 0.1], 8, np.random.default_rng(5))
    networks = [network, network.with_phase_fraction([0.5, 0.5])]
    database = tmp_path / "small.safetensors"
    Database(networks, [Descriptor("volume_fraction")], [[0.1], [0.5]]).save(database)
    programme = tmp_path / "cycle.csv"
    programme.write_text("time,deflection\n0,0\n1,0.4\n3,-0.4\n4,0\n")
    phases = tmp_path / "phases.toml"
    phases.write_text(PHASES)
    return [
        "--phases",
        phases,
        "--database",
        database,
        "--mesh",
        COARSE,
        "--programme",
        programme,
        "--steps",
        "1",
    ]


def history(folder):
    return np.genfromtxt(folder / "history.csv", delimiter=",", names=True)


def test_the_loop_on_one_rank_on_two_and_after_a_restart(tmp_path, arguments, solve):
    for ranks in (1, 2):
        status, _, said = solve("bend", tmp_path / str(ranks), *arguments, ranks=ranks)
        assert status == 0, said
        if ranks == 1:
            # Three layers share a network each; nobody asks for the two at the pads' heights.
            assert "648 points" in said
            assert " 5 networks" in said
    one, two = history(tmp_path / "1"), history(tmp_path / "2")
    for name in ("deflection", "force", "internal_work"):
        largest = np.abs(one[name]).max()
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-8 * largest)

    deflection, force = np.append(0.0, one["deflection"]), np.append(0.0, one["force"])
    peak, trough = force[deflection == 0.4], force[deflection == -0.4]
    # The matrix hardens, in compression as in tension, and yields when it comes back.
    assert peak < -trough < 1.3 * peak
    assert force[-1] > 0.1 * peak
    # What the pads do at the beam is what is in it: four quarters, and no more.
    work = np.sum(0.5 * (force[1:] + force[:-1]) * np.diff(deflection))
    assert work > 0.2 * 0.4 * peak
    np.testing.assert_allclose(4.0 * one["internal_work"][-1], work, rtol=1e-7)

    for name in ("volume_fraction", "matrix_plastic_strain", "force_deflection"):
        picture = matplotlib.image.imread(tmp_path / "2" / f"{name}.png")[..., :3]
        assert picture.std() > 0.05
    with Image.open(tmp_path / "2" / "bend.gif") as animation:
        assert animation.n_frames == 3

    # Two ranks were stopped after the second row of the programme, and one goes on.
    stopped = tmp_path / "stopped"
    stopped.mkdir()
    shutil.copy(tmp_path / "2" / "history.csv", stopped)
    os.replace(tmp_path / "2" / "checkpoint.previous", stopped / "checkpoint")
    status, _, said = solve("bend", stopped, *arguments, "--restart")
    assert status == 0, said
    assert "time 3.000" not in said
    after = history(stopped)
    np.testing.assert_allclose(after["time"], one["time"], rtol=1e-14)
    np.testing.assert_allclose(after["force"], one["force"], rtol=0, atol=1e-8 * peak.max())


def test_a_fraction_that_no_network_has_is_one_line_and_status_1(tmp_path, solve):
    status, _, said = solve("bend", tmp_path, "--mesh", COARSE, "--top", "0.7")
    assert status == 1
    assert "volume_fraction" in said
