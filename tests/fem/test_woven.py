from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network

ROOT = Path(__file__).parents[2]
COARSE = ROOT / "meshes" / "coupon_coarse.msh"
VOLUME_FRACTION = [Descriptor("volume_fraction")]


@pytest.fixture
def databases(tmp_path):
    """A weave of few leaves, symmetric in warp and weft, and a bundle of four."""
    first, second = [np.pi / 2, 0.0], [np.pi / 2, np.pi / 2]
    across = [0.0, 0.0]
    weave = Network(
        3,
        ("matrix", "warp", "weft"),
        np.array([1, 2, 1, 2, 0, 0]),
        np.array([0.6, 0.2, 0.2]),
        np.ones(6),
        np.array([across, first, second, across, across]),
    )
    rng = np.random.default_rng(1)
    bundle = Network.random(3, ("matrix", "fibre"), [0.4, 0.6], 4, rng)
    arguments = []
    for option, network, fractions in (
        ("--weave", weave, {0.4: [0.6, 0.2, 0.2], 0.5: [0.5, 0.25, 0.25]}),
        ("--yarn", bundle, {0.5: [0.5, 0.5], 0.65: [0.35, 0.65]}),
    ):
        networks = [network.with_phase_fraction(each) for each in fractions.values()]
        path = tmp_path / f"{option[2:]}.safetensors"
        Database(networks, VOLUME_FRACTION, [[each] for each in fractions]).save(path)
        arguments += [option, path]
    return arguments


def curve(output, angle):
    return np.loadtxt(output / f"stress_strain_{angle}.csv", delimiter=",", skiprows=1)


def test_a_weave_is_stiff_along_its_yarns_and_yields_between_them(tmp_path, databases, solve):
    """The second angle also on two ranks, and again from the checkpoint of these."""
    runs = [("one", 1, []), ("two", 2, ["--angles", "45"]), ("two", 1, ["--angles", "45"])]
    curves = []
    for number, (folder, ranks, others) in enumerate(runs):
        restart = ["--restart"] if number == 2 else []
        arguments = [*databases, "--mesh", COARSE, "--steps", "1", *others, *restart]
        status, _, said = solve("woven", tmp_path / folder, *arguments, ranks=ranks)
        assert status == 0, said
        curves.append(curve(tmp_path / folder, 45))
    between, on_two, again = curves
    np.testing.assert_allclose(on_two, between, rtol=0, atol=1e-7 * between[:, 2].max())
    np.testing.assert_allclose(again, on_two, rtol=0, atol=1e-12)
    along, peak = curve(tmp_path / "one", 0), 1
    assert along[peak, 1] == pytest.approx(0.012, rel=1e-12)
    assert along[peak, 2] > 1.25 * between[peak, 2]
    # Both yield; they come back elastically, along their own slopes.
    for rows in (along, between):
        slope = (rows[peak, 2] - rows[-1, 2]) / (rows[peak, 1] - rows[-1, 1])
        assert rows[peak, 2] < 0.97 * slope * rows[peak, 1]
    for name in ("stress_strain", "45/matrix", "45/yarn_matrix"):
        picture = matplotlib.image.imread(tmp_path / "one" / f"{name}.png")[..., :3]
        assert picture.std() > 0.05


def test_a_wrong_mesh_is_one_line_and_status_1(tmp_path, databases, solve):
    status, _, said = solve("woven", tmp_path, *databases, "--mesh", tmp_path / "none.msh")
    assert status == 1
    assert "none.msh: not a mesh that meshio reads" in said.replace("\n", "")
