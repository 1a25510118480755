from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.laws import PointRecord, read_phases
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

REPLAY = "point db.safetensors --phases phases.toml --replay point.npz"


@pytest.fixture
def folder(entered):
    """A folder with a small database and a recorded point, entered."""
    network = Network.random(2, ("matrix", "inclusion"), (0.9, 0.1), 4, np.random.default_rng(0))
    database = Database([network], [Descriptor("volume_fraction")], np.array([[0.1]]), {})
    database.save(entered / "db.safetensors")
    law = NetworkLaw(
        Database.load(entered / "db.safetensors").at(volume_fraction=0.1),
        read_phases(entered / "phases.toml"),
    )
    state = {name: values[0] for name, values in law.allocate(1).export().items()}
    strain = np.array([0.004, 0.0, 0.0, 0.001 * np.sqrt(2)])
    record = PointRecord(strain, np.zeros(4), state, 0.5, position=np.ones(2), cell=17, point=2)
    replace(record, message="the law failed at 1 points").save(entered / "point.npz")
    return entered, law, record


def test_a_point_alone_says_what_it_does(folder, call):
    _, law, record = folder
    code, out, err = call(REPLAY + " --at volume_fraction=0.1")
    assert (code, err) == (0, "")
    assert "cell 17, point 2 at [1, 1], time step 0.5" in out
    assert "the law failed at 1 points" in out
    stress = np.zeros((1, 4))
    law.integrate(record.strain[None].copy(), law.allocate(1), stress, None, 0.5)
    assert "1 converged" in out
    assert f"{stress[0, 0]:.5g}" in out
    assert f"{stress[0, 3] / np.sqrt(2):.5g}" in out


def test_a_point_that_fails_however_small_the_steps_is_status_1(folder, call):
    entered, _, record = folder
    replace(record, strain=np.full(4, np.nan)).save(entered / "point.npz")
    code, out, err = call(REPLAY + " --at volume_fraction=0.1")
    assert code == 1
    assert "-1 failed" in out
    assert "not integrated, in up to 1024 sub-steps" in err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (REPLAY + " --path path.csv", "give it alone"),
        (REPLAY.replace("point.npz", "phases.toml"), "phases.toml: not a record of a point"),
        (REPLAY.replace("point.npz", "none.npz"), "none.npz: No such file"),
        ("point db.safetensors --phases phases.toml", "give --path and --output, or --replay"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(folder, call, line, message):
    code, _, err = call(line + " --at volume_fraction=0.1")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
