"""dmn-fem microstructure: every generator from the command line."""

import csv

import numpy as np
import pytest

from dmn_fem.cli import main
from dmn_fem.microstructure import PhaseImage, fibres, laguerre


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["microstructure", *line.split()])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("line", "fractions"),
    [
        ("discs --volume-fraction 0.3 --count 5 --grid 24 --variation 0.2", [0.7, 0.3]),
        ("spheres --volume-fraction 0.3 --count 5 --grid 16", [0.7, 0.3]),
        ("random-field --volume-fraction 0.4 --dimension 2", [0.6, 0.4]),
        ("layers 0.25 0.42 0.33 --axis 2 --grid 16", [0.25, 0.42, 0.33]),
        ("weave --volume-fraction 0.4 --grid 32", [0.6, 0.2, 0.2]),
    ],
)
def test_images_are_written_and_drawn(call, line: str, fractions: list[float], tmp_path) -> None:
    picture = "--picture cell.png" if "--dimension 2" in line else ""
    code, out, err = call(f"{line} --output cell.npz {picture}")
    assert (code, err) == (0, "")
    image = PhaseImage.load(tmp_path / "cell.npz")
    np.testing.assert_allclose(image.volume_fractions, fractions, atol=1e-5)
    assert all(f"{part:.4f}" in out.replace("\n", " ") for part in fractions)
    if picture:
        assert (tmp_path / "cell.png").read_bytes().startswith(b"\x89PNG")


def test_fibres(call, tmp_path) -> None:
    line = "fibres --volume-fraction 0.1 --count 30 --aspect-ratio 5 --orientation 0.7 0.2 0.1"
    assert call(f"{line} --grid 24 --output cell.npz")[0] == 0
    expected = fibres(0.1, 30, 0, 5.0, (0.7, 0.2, 0.1)).image(24)
    assert PhaseImage.load(tmp_path / "cell.npz").digest == expected.digest


def test_polycrystal(call, tmp_path) -> None:
    line = "polycrystal --count 12 --variation 0.4 --grid 16 --orientations grains.csv"
    code, out, _ = call(f"{line} --output cell.npz")
    assert code == 0
    assert "12 phases" in out
    cell = laguerre(3, 12, 0, 0.4)
    assert PhaseImage.load(tmp_path / "cell.npz").digest == cell.image(16).digest
    with (tmp_path / "grains.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["grain"] for row in rows] == [f"grain_{i + 1}" for i in range(12)]
    np.testing.assert_allclose([float(row["volume"]) for row in rows], cell.volumes)
    written = [[float(row[f"q{i}"]) for i in range(4)] for row in rows]
    np.testing.assert_array_equal(written, cell.orientation)
    assert call("polycrystal --count 5 --dimension 2 --grid 16 --output voronoi.npz")[0] == 0


@pytest.mark.parametrize(
    "kind", ["discs", "spheres", "fibres", "polycrystal", "random-field", "layers", "weave"]
)
def test_help_has_an_example(call, kind: str) -> None:
    code, out, _ = call(f"{kind} --help")
    assert code == 0
    assert f"Example: dmn-fem microstructure {kind}" in " ".join(out.split())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rods --output c.npz", "rods"),
        ("discs --output c.npz", "--volume-fraction"),
        ("fibres --volume-fraction 0.2 --orientation 1 1 1 --output c.npz", "trace one"),
        ("layers 0.3 0.3 --output c.npz", "add up to one"),
        ("layers 0.5 0.5 --axis 0 --output c.npz", "axis is 0; it must be 1 … 2"),
        ("layers 0.5 0.5 --axis 3 --output c.npz", "axis is 3; it must be 1 … 2"),
        ("weave --volume-fraction 0.7 --output c.npz", "too thick"),
        ("polycrystal --dimension 4 --output c.npz", "dimension is 4"),
        ("random-field --grid 16 --output c.npz", "at least 32 voxels"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(call, line: str, message: str, tmp_path) -> None:
    code, _, err = call(line)
    assert code == 2
    said = [text for text in err.splitlines() if text.startswith("dmn-fem: ")]
    assert len(said) == 1
    assert message in said[0]
    assert not list(tmp_path.iterdir())


def test_too_large_a_grid_is_one_line(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main("microstructure discs --volume-fraction 0.3 --grid 100000000 --output a.npz".split())
    err = capsys.readouterr().err
    assert end.value.code == 1
    assert err.startswith("dmn-fem: not enough memory")
    assert err.count("\n") == 1
