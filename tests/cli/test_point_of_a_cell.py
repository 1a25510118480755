"""The verb point with a phase image: the full field answers."""

import csv

import numpy as np
import pytest

from dmn_fem.homogenization import UnitCellLaw
from dmn_fem.laws import read_phases
from dmn_fem.microstructure import discs
from dmn_fem.online import LoadPath, drive

POINT = "point cell.npz --phases phases.toml --path path.csv --output out.csv"


@pytest.fixture
def folder(entered):
    """A folder with a small cell, phases and a path, entered."""
    discs(0.4, 3, 0).image(16).save(entered / "cell.npz")
    rows = "time,strain_11,stress_22,stress_33\n1,0.002,0,0\n2,0.006,0,0\n3,0.004,0,0\n"
    (entered / "path.csv").write_text(rows)
    return entered


def test_the_full_field_answers(folder, call):
    code, out, err = call(f"{POINT} --local fields.npz --histogram spread.png --picture curve.png")
    assert code == 0
    assert "wrote out.csv: 3 rows" in out
    assert "3/3" in err  # the bar
    with (folder / "out.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    image = discs(0.4, 3, 0).image(16)
    law = UnitCellLaw(image, read_phases("phases.toml"))
    response = drive(law, LoadPath.read("path.csv", 2))
    written = [float(row["stress_11"]) for row in rows]
    np.testing.assert_allclose(written, response.stress[:, 0], rtol=1e-12)
    assert [row["status"] for row in rows] == ["1"] * 3
    with np.load("fields.npz") as fields:
        assert fields["stress_11"].shape == image.shape
        assert fields["stress_11"].mean() == pytest.approx(written[-1], rel=1e-5)
        plastic = fields["equivalent_plastic_strain"]
        share = image.share("matrix")
    mean = np.nansum(share * plastic) / share.sum()
    expected = float(rows[-1]["matrix.equivalent_plastic_strain"])
    assert mean == pytest.approx(expected, rel=1e-9)
    for picture in ("spread.png", "curve.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")


def test_elastic_phases_and_a_file_for_paraview(folder, call):
    phases = (folder / "phases.toml").read_text()
    elastic = phases[phases.index("[inclusion]") :]
    text = elastic + elastic.replace("[inclusion]", "[matrix]").replace("500.0", "10.0")
    (folder / "phases.toml").write_text(text)
    assert call(f"{POINT} --local fields.vti --histogram spread.png")[0] == 0
    assert (folder / "fields.vti").stat().st_size > 1000
    assert (folder / "spread.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{POINT} --at volume_fraction=0.3", "cell.npz is a phase image; --at and"),
        (f"{POINT} --local fields.csv", "fields.csv: local fields go to .npz or .vti"),
        (f"{POINT} --local no/fields.vti", "there is no folder no"),
        (POINT.replace("cell", "none"), "none.npz: No such file"),
        (POINT.replace("path.csv", "phases.toml"), "no column time"),
        (POINT.replace("cell.npz", "discs_2d") + " --local f.npz", "discs_2d is a database"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(folder, call, line, message):
    before = sorted(folder.iterdir())
    status, _, err = call(line)
    assert status == 2
    (said,) = [text for text in err.splitlines() if text.startswith("dmn-fem: ")]
    assert message in said
    assert sorted(folder.iterdir()) == before


def test_phases_that_do_not_fit_are_named(folder, call):
    phases = (folder / "phases.toml").read_text()
    (folder / "phases.toml").write_text(phases.replace("[inclusion]", "[fibre]"))
    status, _, err = call(POINT)
    assert status == 2
    assert "has the phases matrix, fibre; the image needs matrix, inclusion" in err


def test_a_cell_that_fails_is_status_1_and_writes_no_local_fields(folder, call, monkeypatch):
    monkeypatch.setattr("dmn_fem.online._point.MAX_CUTS", 0)
    phases = (folder / "phases.toml").read_text()
    (folder / "phases.toml").write_text(phases.replace("modulus = 5.0", "modulus = 0.0"))
    columns = "time,stress_11,stress_22,stress_33,stress_12\n"
    (folder / "path.csv").write_text(columns + "1,0.01,0,0,0\n2,9.0,0,0,0\n")
    status, _, err = call(f"{POINT} --local fields.npz")
    assert status == 1
    assert "row 2 did not converge; out.csv holds the rows before" in err
    assert not (folder / "fields.npz").exists()


def test_what_could_not_be_written_is_said_before_the_work(folder, call) -> None:
    for option, name in (("histogram", "h.xyz"), ("picture", "p"), ("local", "l.csv")):
        status, out, err = call(f"{POINT} --{option} {name}")
        assert (status, out) == (2, "")
        assert f"{name}: " in err
        assert not (folder / "out.csv").exists()
