"""The verbs of phase images: what they write, what they refuse, with which status."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from dmn_fem.cli import main
from dmn_fem.microstructure import PhaseImage, discs, spheres


@pytest.fixture
def folder(entered):
    """A folder with a grey picture, a labelled one, and a cell; entered."""
    rng = np.random.default_rng(0)
    bright = discs(0.3, 6, 0).image(64, composite=False).phases
    grey = np.clip(rng.normal(60 + 120 * bright.T[::-1], 10), 0, 255).astype(np.uint8)
    bar = np.full((8, 64), 255, dtype=np.uint8)
    Image.fromarray(np.vstack([grey, bar])).save(entered / "sem.png")
    np.save(entered / "labels.npy", rng.integers(0, 3, (20, 30, 10)).astype(np.int16))
    discs(0.3, 6, 0).image(32).save(entered / "cell.npz")
    return entered


@pytest.fixture
def call(capfd):
    """Call the command line; gives exit status, standard output and standard error."""

    def run(line):
        with pytest.raises(SystemExit) as end:
            main(line.split())
        captured = capfd.readouterr()
        return end.value.code, captured.out, captured.err

    return run


def test_import_of_a_micrograph(folder, call) -> None:
    code, out, err = call(
        "image import sem.png --crop :,8: --otsu --phases matrix,disc --matrix matrix "
        "--output cell.npz --picture cell.png"
    )
    assert (code, err) == (0, "")
    image = PhaseImage.load("cell.npz")
    assert (image.names, image.matrix) == (("matrix", "disc"), "matrix")
    np.testing.assert_array_equal(image.phases, discs(0.3, 6, 0).image(64, False).phases)
    assert "64 x 64 voxels" in out
    assert f"disc {image.volume_fractions[1]:.4f}" in out
    assert (folder / "cell.png").stat().st_size > 1000


def test_import_thresholds_closes_and_coarsens(folder, call) -> None:
    line = "image import sem.png --crop 0:-4,8: --threshold 120 --output out.npz"
    assert call(f"{line} --periodic mirror --coarsen 4")[0] == 0
    image = PhaseImage.load("out.npz")
    assert (image.shape, image.names) == ((30, 32), ("phase_1", "phase_2"))
    assert image.cut is not None
    assert call(f"{line} --periodic cut --overlap 10")[0] == 0
    assert PhaseImage.load("out.npz").shape == (50, 54)


def test_import_of_labels_and_raw_voxels(folder, call) -> None:
    labels = np.load("labels.npy")
    assert call("image import labels.npy --labels 2,0,1 --phases x,y,z --output out.npz")[0] == 0
    np.testing.assert_array_equal(PhaseImage.load("out.npz").phases, np.array([1, 2, 0])[labels])
    (folder / "a.raw").write_bytes(labels.tobytes())
    raw = "image import a.raw --shape 20,30,10 --dtype int16 --order C --output out.npz"
    assert call(raw)[0] == 0
    np.testing.assert_array_equal(PhaseImage.load("out.npz").phases, labels)


@pytest.mark.parametrize("suffix", ["png", "tif", "npy", "vti", "raw"])
def test_export_and_back(folder, call, suffix) -> None:
    code, out, err = call(f"image export cell.npz cell.{suffix}")
    assert (code, out, err) == (0, f"wrote cell.{suffix}: 0 matrix, 1 inclusion\n", "")
    more = {"vti": "--array phase", "raw": "--shape 32,32 --dtype uint8"}.get(suffix, "")
    assert call(f"image import cell.{suffix} {more} --output back.npz")[0] == 0
    expected = PhaseImage.load("cell.npz").phases
    np.testing.assert_array_equal(PhaseImage.load("back.npz").phases, expected)


def test_describe(folder, call) -> None:
    code, out, err = call("image describe cell.npz --json --picture curves.png")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert (answer["shape"], answer["matrix"]) == ([32, 32], PhaseImage.load("cell.npz").matrix)
    assert answer["cut_voxels"] > 0
    inclusion = answer["phases"]["inclusion"]
    assert inclusion["volume_fraction"] == pytest.approx(0.3)
    assert len(inclusion["two_point_correlation"]) == 17
    assert (folder / "curves.png").stat().st_size > 1000
    code, out, _ = call("image describe cell.npz")
    assert code == 0
    assert "0.30000" in out


def test_picture_in_3d(folder, call) -> None:
    spheres(0.2, 3, 0).image(16).save("spheres.npz")
    assert call("image export spheres.npz spheres.tif")[0] == 0
    code, _, err = call(
        "image import spheres.tif --phases a,b --matrix a --output b.npz --picture b.png"
    )
    assert (code, err) == (0, "")
    picture = np.asarray(Image.open("b.png").convert("RGB")).astype(int)
    perspective = picture[:, -picture.shape[1] // 4 :]
    # Yellow spheres (red and green far above blue) on white; no blue matrix.
    assert (perspective[..., 0] - perspective[..., 2] > 60).sum() > 500


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("image import none.png --output o.npz", "none.png: No such file or directory"),
        ("image import sem.png --output o.npz", "sem.png: .* different values: grey values need"),
        ("image import sem.png --otsu --threshold 3 --output o.npz", "give one of"),
        ("image import sem.png --threshold x --output o.npz", "--threshold is 'x'"),
        ("image import sem.png --threshold 300 --output o.npz", "sem.png: thresholds"),
        ("image import sem.png --otsu --crop 0:65,: --output o.npz", "--crop keeps 0:65 of 64"),
        ("image import sem.png --otsu --crop 0:64 --output o.npz", "2 directions need A:B,A:B"),
        ("image import sem.png --otsu --coarsen 7 --output o.npz", "must divide the grid"),
        ("image import sem.png --otsu --overlap 4 --output o.npz", "--overlap goes with"),
        ("image import sem.png --otsu --matrix x --output o.npz", "matrix is 'x'"),
        ("image import sem.png --otsu --periodic cut --overlap 50 --output o.npz", "overlap is 50"),
        ("image import cell.npz --output o.npz", "no known voxel file"),
        ("image import a.raw --shape 2 --output o.npz", "a.raw: raw voxels need"),
        ("image export cell.npz cell.jpg", "no known voxel file"),
        ("image export labels.npy cell.png", "labels.npy is not a whole phase image"),
        ("image describe none.npz", "none.npz: No such file or directory"),
    ],
)
def test_wrong_calls_have_status_2_and_one_line(folder, call, line, message) -> None:
    code, out, err = call(line)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert re.search(message, err)
    assert not (folder / "o.npz").exists()


def test_no_verb_prints_the_help(call) -> None:
    code, out, _ = call("image")
    assert code == 0
    assert "describe" in out


def test_output_in_a_folder_that_is_missing(folder, call) -> None:
    code, _, err = call("image export cell.npz missing/cell.npy")
    assert code == 2
    assert err == "dmn-fem: missing/cell.npy: No such file or directory\n"
