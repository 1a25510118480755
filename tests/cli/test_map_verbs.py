import csv

import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network

MAP = "database map db.safetensors --phases phases.toml --output map.csv"
OVER = "--over volume_fraction=0.1:0.3:5"


@pytest.fixture
def folder(entered):
    """A folder with a database over one descriptor and one over orientations, entered."""
    rng = np.random.default_rng(0)
    flat = Network.random(2, ("matrix", "inclusion"), (0.9, 0.1), 8, rng)
    solid = Network.random(3, ("matrix", "inclusion"), (0.9, 0.1), 4, rng)
    parts = (0.1, 0.3)
    Database(
        [flat.with_phase_fraction([1 - part, part]) for part in parts],
        [Descriptor("volume_fraction")],
        [[part] for part in parts],
        {"recipe": {"microstructure": {"generator": "discs"}}},
    ).save(entered / "db.safetensors")
    corners = [(0.3334, 0.3333), (0.5, 0.5), (1.0, 0.0)]
    names = ("orientation_1", "orientation_2", "volume_fraction")
    Database(
        [solid.with_phase_fraction([1 - part, part]) for part in parts for _ in corners],
        [Descriptor(name) for name in names],
        [(*corner, part) for part in parts for corner in corners],
    ).save(entered / "fibres.safetensors")
    return entered


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_map_is_a_table_and_a_picture(folder, call):
    line = f"{MAP} {OVER} --quantities young_modulus,yield_stress --directions 11,12"
    code, out, err = call(f"{line} --picture map.png")
    assert code == 0, err
    assert "wrote map.csv: 5 points" in out
    table = rows(folder / "map.csv")
    assert [float(row["volume_fraction"]) for row in table] == [0.1, 0.15, 0.2, 0.25, 0.3]
    names = ("young_modulus_1", "young_modulus_2", "yield_stress_11", "yield_stress_12")
    assert set(names) <= set(table[0])
    for row in table:
        young = [float(row[f"young_modulus_1{end}"]) for end in (".reuss", "", ".voigt")]
        assert young == sorted(young)
    assert (folder / "map.png").read_bytes().startswith(b"\x89PNG")


def test_points_outside_are_left_out(folder, call):
    code, out, _ = call(f"{MAP} --over volume_fraction=0:0.3:4 --quantities anisotropy")
    assert code == 0
    said = " ".join(out.split())
    assert said == "wrote map.csv: 3 points inside the database; left out, outside of it: 1"


def test_a_map_over_orientations(folder, call):
    line = MAP.replace("db", "fibres") + " --over orientation=3 --fix volume_fraction=0.2"
    code, out, _ = call(f"{line} --quantities young_modulus --picture map.png")
    assert code == 0
    assert "6 points inside the database\n" in out
    assert len(rows(folder / "map.csv")) == 6
    line = f"{MAP.replace('db', 'fibres')} {OVER} --fix orientation=0.7,0.2,0.1"
    assert call(f"{line} --quantities anisotropy")[0] == 0
    assert rows(folder / "map.csv")[0]["orientation"] == "0.7 0.2 0.1"


def test_a_report(folder, call):
    code, out, _ = call("database report db.safetensors --output report.html")
    assert code == 0
    assert "wrote report.html" in out
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("verb", ["map", "report"])
def test_help_teaches(call, verb):
    code, out, _ = call(f"database {verb} --help")
    assert code == 0
    assert "Example" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{MAP} --over volume_fraction", "--over volume_fraction: it must be NAME=FIRST:LAST:"),
        (f"{MAP} --over volume_fraction=0.1:0.2", "it must be NAME=FIRST:LAST:COUNT"),
        (f"{MAP} --over volume_fraction=0.1:0.3:0", "it must be NAME=FIRST:LAST:COUNT"),
        (f"{MAP} --over volume_fraction=0.1:nan:3", "it must be NAME=FIRST:LAST:COUNT"),
        (f"{MAP} --over orientation=x", "orientation=COUNT"),
        (f"{MAP} --over volume_fraction=0.5:0.6:2", "holds 0.1 to 0.3"),
        (f"{MAP} --over size=0.1:0.6:2", "this database is over (volume_fraction)"),
        (f"{MAP} {OVER} {OVER}", "given twice"),
        (f"{MAP} {OVER} --fix volume_fraction=0.1", "given twice"),
        (f"{MAP} {OVER} --fix size=a", "--fix size=a: it must be NAME=NUMBER"),
        (f"{MAP} {OVER} --quantities stiffness", "'stiffness' is unknown"),
        (f"{MAP} {OVER} --quantities estimated_error", "does not hold the errors"),
        (f"{MAP} {OVER} --directions 33 --quantities yield_stress", "direction is 33"),
        (f"{MAP} {OVER} --dns 2", "recipe cannot be read for full fields"),
        (f"{MAP} {OVER} --picture map.txt", "pictures go to"),
        (f"{MAP} {OVER} --picture no/map.png", "there is no folder no"),
        (MAP, "--over"),
        ("database report db.safetensors --output no/report.html", "there is no folder no"),
        ("database report no.safetensors --output report.html", "no.safetensors"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(folder, call, line, message):
    before = sorted(folder.iterdir())
    code, _, err = call(line)
    assert code == 2
    lines = [text for text in err.splitlines() if text.startswith("dmn-fem: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert sorted(folder.iterdir()) == before
