import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.homogenization import TrainingSet
from dmn_fem.laws import initial_stiffness, read_phases
from dmn_fem.microstructure import PhaseImage
from dmn_fem.network import Network

PATH = "time,strain_11,stress_22,stress_33\n1,0.005,0,0\n2,0.01,0,0\n3,0.0,0,0\n"


@pytest.fixture
def folder(entered):
    """A folder with a small database, phases and a path, entered."""
    network = Network.random(2, ("matrix", "inclusion"), (0.9, 0.1), 8, np.random.default_rng(0))
    fractions = [0.1, 0.2, 0.3]
    networks = [network.with_phase_fraction([1 - v, v]) for v in fractions]
    descriptor = Descriptor("volume_fraction")
    database = Database(networks, [descriptor], np.array(fractions)[:, None], {"recipe": {}})
    database.save(entered / "db.safetensors")
    (entered / "path.csv").write_text(PATH)
    return entered


STIFFNESS = "database stiffness db.safetensors --phases phases.toml"
AT = "database stiffness db.safetensors --at volume_fraction=0.2"
POINT = "point db.safetensors --phases phases.toml --path path.csv --output out.csv"


def test_stiffness_as_json(folder, call):
    code, out, err = call(f"{STIFFNESS} --at volume_fraction=0.25 --json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["notation"] == "mandel"
    assert answer["components"] == ["11", "22", "33", "12"]
    laws = read_phases(folder / "phases.toml")
    network = Database.load(folder / "db.safetensors").at(volume_fraction=0.25)
    expected = network.stiffness(
        [initial_stiffness(laws[phase], 2) for phase in ("matrix", "inclusion")]
    )
    np.testing.assert_allclose(answer["stiffness"], expected, rtol=1e-13)
    assert call(f"{STIFFNESS} --at volume_fraction=0.25")[0] == 0


def test_info(folder, call):
    code, out, _ = call("database info db.safetensors --json")
    answer = json.loads(out)
    assert code == 0
    assert answer["phases"] == ["matrix", "inclusion"]
    assert [network["descriptors"] for network in answer["networks"]] == [[0.1], [0.2], [0.3]]
    code, out, _ = call("database info db.safetensors")
    assert code == 0
    assert "volume_fraction" in out


def test_point_writes_a_row_an_increment(folder, call):
    code, _, err = call(f"{POINT} --at volume_fraction=0.25 --picture out.png")
    assert (code, err) == (0, "")
    with (folder / "out.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["strain_11"]) for row in rows] == [0.005, 0.01, 0.0]
    assert all(abs(float(row["stress_22"])) < 1e-7 for row in rows)
    assert all(row["status"] == "1" for row in rows)
    assert float(rows[-1]["matrix.equivalent_plastic_strain"]) > 0
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")


def test_microstructure_and_samples(folder, call):
    line = "microstructure discs --volume-fraction 0.3 --count 3 --grid 16 --output cell.npz"
    assert call(f"{line} --picture cell.png")[0] == 0
    image = PhaseImage.load(folder / "cell.npz")
    assert image.phases.shape == (16, 16)
    assert abs(image.volume_fractions[1] - 0.3) < 1 / 256
    assert call("sample cell.npz --count 3 --output samples.h5")[0] == 0
    samples = TrainingSet.load(folder / "samples.h5")
    assert samples.stiffness.shape == (3, 3, 3)
    before = (folder / "samples.h5").stat().st_mtime_ns
    assert call("sample cell.npz --count 3 --output samples.h5")[0] == 0
    assert (folder / "samples.h5").stat().st_mtime_ns == before
    code, _, err = call("sample cell.npz --count 3 --seed 1 --output samples.h5")
    assert code == 2
    assert "another recipe" in err


@pytest.mark.parametrize(
    "verb",
    [
        "",
        "database",
        "microstructure",
        "sample",
        "train",
        "transfer",
        "build",
        "database info",
        "database map",
        "database stiffness",
        "point",
    ],
)
def test_help_teaches(call, verb):
    code, out, _ = call(f"{verb} --help")
    assert code == 0
    assert "Usage" in out
    assert verb in ("", "database") or "Example" in out


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (f"{STIFFNESS} --at volume_fraction=0.35", 2, "holds 0.1 to 0.3"),
        (f"{STIFFNESS} --at volume_fraction=nan", 2, "NAME=NUMBER"),
        (f"{STIFFNESS} --at volume_fraction", 2, "NAME=NUMBER"),
        (f"{STIFFNESS} --at aspect_ratio=3", 2, "volume_fraction"),
        (f"{STIFFNESS} --at volume_fraction=.1 --at volume_fraction=.2", 2, "twice"),
        (STIFFNESS, 2, "volume_fraction"),
        ("database stiffness db.safetensors", 2, "--phases"),
        (f"{AT} --phases no.toml", 2, "no.toml"),
        ("database stiffness path.csv --phases phases.toml", 2, "path.csv: "),
        ("database stiffness no_such --phases phases.toml", 2, "no_such"),
        (f"{AT} --phases path.csv", 2, "path.csv: not a TOML"),
        ("database info", 2, "FILE"),
        ("nonsense", 2, "nonsense"),
        ("sample no.npz --output samples.h5", 2, "no.npz"),
        ("sample path.csv --output samples.h5", 2, "path.csv"),
        ("microstructure discs --volume-fraction 1.2 --output cell.npz", 2, "between 0 and 1"),
        ("microstructure rods --volume-fraction 0.2 --output cell.npz", 2, "rods"),
        (POINT, 2, "volume_fraction"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(folder, call, line, code, message):
    before = sorted(folder.iterdir())
    status, _, err = call(line)
    assert status == code
    lines = [text for text in err.splitlines() if text.startswith("dmn-fem: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in err
    assert sorted(folder.iterdir()) == before


def test_phases_that_do_not_fit_are_named(folder, call):
    phases = (folder / "phases.toml").read_text()
    (folder / "phases.toml").write_text(phases.replace("[inclusion]", "[fibre]"))
    status, _, err = call(f"{STIFFNESS} --at volume_fraction=0.2")
    assert status == 2
    assert "phases.toml: has the phases matrix, fibre; the database needs matrix, inclusion" in err


def test_point_by_name_and_as_json(folder, call):
    line = (
        "point db.safetensors --phases phases.toml --at volume_fraction=0.2 --path shear "
        "--amplitude 0.004 --increments 2 --output out.csv --picture out.png --json"
    )
    status, out, err = call(line)
    assert (status, err) == (0, "")
    summary = json.loads(out)
    assert summary["rows"] == 26
    assert summary["estimated_error"] is None
    with (folder / "out.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[-1]["stress_12"]) == pytest.approx(summary["stress"]["12"])
    assert float(rows[19]["strain_12"]) == pytest.approx(0.004 / np.sqrt(2))
    assert (folder / "out.png").stat().st_size > 10_000


def test_a_path_that_there_is_not_is_said(folder, call):
    status, _, err = call(f"{POINT.replace('path.csv', 'spiral')} --at volume_fraction=0.2")
    assert status == 2
    assert "--path spiral: there is no such file; paths with a name are uniaxial" in err
    status, _, err = call(f"{POINT.replace('path.csv', 'cyclic')} --cycles 2")
    assert status == 2
    assert "--cycles repeats the rows of a file; cyclic is" in err
    status, out, _ = call(f"{POINT} --at volume_fraction=0.2 --cycles 2 --json")
    assert (status, json.loads(out)["rows"]) == (0, 6)
    status, _, err = call(f"{POINT} --at volume_fraction=0.2 --amplitude 0.1")
    assert status == 2
    assert "--amplitude is for uniaxial, shear, cyclic, nonproportional, not for path.csv" in err


def test_a_point_that_fails_is_status_1_and_keeps_the_rows_before(folder, call):
    phases = (folder / "phases.toml").read_text()
    matrix = phases.replace("modulus = 5.0", "modulus = 0.0").split("[inclusion]")[0]
    (folder / "phases.toml").write_text(matrix + matrix.replace("[matrix]", "[inclusion]"))
    rows = "1,0.01,0,0,0\n2,9.0,0,0,0\n"
    (folder / "path.csv").write_text("time,stress_11,stress_22,stress_33,stress_12\n" + rows)
    status, _, err = call(f"{POINT} --at volume_fraction=0.2")
    assert status == 1
    assert "row 2 did not converge" in err
    with (folder / "out.csv").open() as stream:
        written = list(csv.DictReader(stream))
    assert [row["status"] for row in written] == ["1", "-1"]


@pytest.mark.filterwarnings("default::dmn_fem.database.ExtrapolationWarning")
def test_extrapolation_is_said(folder, call):
    code, out, err = call(f"{STIFFNESS} --at volume_fraction=0.32 --extrapolate --json")
    assert code == 0
    assert "extrapolated" in err
    assert json.loads(out)["components"][0] == "11"


def test_the_command_line_starts_without_what_takes_long_to_import():
    """Help, and looking into a database, need no compiler and no scientific library."""
    code = (
        "import sys; from dmn_fem.cli import app;"
        "app(['database', 'info', 'discs_2d', '--json'], standalone_mode=False);"
        "print(sorted({'numba', 'scipy', 'matplotlib', 'torch', 'h5py'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "[]"


def test_warm_compiles_what_a_database_and_its_laws_need_once(folder, call):
    line = "warm db.safetensors --phases phases.toml"
    code, out, _ = call(line)
    assert code == 0
    assert "3 laws in" in out
    code, out, _ = call(line)
    assert code == 0
    assert out.startswith("nothing to compile: 3 laws in")
    (folder / "phases.toml").write_text('[other]\nlaw = "linear_elastic"\n')
    assert call(line)[0] == 2
