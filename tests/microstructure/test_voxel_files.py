"""Voxel files: axes, round trips, and one line for what is damaged or foreign."""

import sys

import numpy as np
import pytest
import pyvista
from PIL import Image

from dmn_fem.microstructure import PhaseImage, discs, from_labels, read_voxels, write_voxels


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def image_of(rng, *shape: int, names=("a", "b", "c")) -> PhaseImage:
    return PhaseImage(rng.integers(0, len(names), shape, dtype=np.uint8), names)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 4)])
@pytest.mark.parametrize("suffix", ["png", "tif", "npy", "vti", "raw"])
def test_round_trip(tmp_path, rng, shape, suffix) -> None:
    image, path = image_of(rng, *shape), tmp_path / f"image.{suffix}"
    if (suffix, len(shape)) == ("png", 3):
        with pytest.raises(ValueError, match="holds 2 dimensions"):
            write_voxels(image, path)
        return
    for order in ("F", "C") if suffix == "raw" else (None,):
        write_voxels(image, path, order=order)
        raw = {"shape": shape, "dtype": "uint8", "order": order} if suffix == "raw" else {}
        back = from_labels(read_voxels(path, **raw), image.names)
        np.testing.assert_array_equal(back.phases, image.phases)
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
    if suffix != "raw":
        with pytest.raises(ValueError, match="order is for raw voxels"):
            write_voxels(image, path, order="F")
        with pytest.raises(ValueError, match="are for raw voxels"):
            read_voxels(path, order="C")


def test_picture_has_direction_1_to_the_right_and_direction_2_up(tmp_path) -> None:
    picture = np.zeros((4, 6), dtype=np.uint8)
    picture[0, 5] = 200  # top right
    picture[3, 1] = 100  # bottom, second from the left
    Image.fromarray(picture).save(tmp_path / "a.png")
    values = read_voxels(tmp_path / "a.png")
    assert values.shape == (6, 4)
    assert (values[5, 3], values[1, 0]) == (200, 100)
    write_voxels(PhaseImage((values > 150).astype(np.uint8), ("a", "b")), tmp_path / "b.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")) > 0, picture > 150)


def test_pages_of_a_stack_follow_along_direction_3(tmp_path) -> None:
    pages = [Image.fromarray(np.full((4, 6), level, dtype=np.uint16)) for level in (7, 300, 9)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    values = read_voxels(tmp_path / "stack.tif")
    assert values.shape == (6, 4, 3)
    np.testing.assert_array_equal(values[2, 1], [7, 300, 9])


def test_colours_become_grey_by_their_luma(tmp_path) -> None:
    colours = np.zeros((1, 3, 3), dtype=np.uint8)
    colours[0] = np.diag([255, 255, 255])
    Image.fromarray(colours).save(tmp_path / "rgb.png")
    grey = read_voxels(tmp_path / "rgb.png")
    np.testing.assert_allclose(grey[:, 0], [0.299 * 255, 0.587 * 255, 0.114 * 255], atol=1)


def test_first_axis_of_raw_and_vtk_voxels_runs_fastest(tmp_path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(range(6)))
    values = read_voxels(tmp_path / "a.raw", shape=(3, 2), dtype="uint8")
    np.testing.assert_array_equal(values, [[0, 3], [1, 4], [2, 5]])
    big = np.arange(6, dtype=">u2")
    (tmp_path / "b.raw").write_bytes(big.tobytes())
    values = read_voxels(tmp_path / "b.raw", shape=(3, 2), dtype=">u2", order="C")
    np.testing.assert_array_equal(values, big.reshape(3, 2))


def test_vtk_cells_and_points(tmp_path) -> None:
    grid = pyvista.ImageData(dimensions=(4, 3, 5))
    grid.cell_data["cells"] = np.arange(3 * 2 * 4)
    grid.point_data["points"] = grid.points[:, 1]
    grid.point_data["vectors"] = grid.points
    grid.save(tmp_path / "a.vti")
    cells = read_voxels(tmp_path / "a.vti", array="cells")
    np.testing.assert_array_equal(cells.ravel(order="F"), np.arange(24))
    points = read_voxels(tmp_path / "a.vti", array="points")
    assert points.shape == (4, 3, 5)
    np.testing.assert_array_equal(points[1, :, 2], [0, 1, 2])
    with pytest.raises(ValueError, match="name one of its arrays, cells, points, vectors"):
        read_voxels(tmp_path / "a.vti")
    with pytest.raises(ValueError, match="several components"):
        read_voxels(tmp_path / "a.vti", array="vectors")
    grid.spacing = (1.0, 1.0, 2.0)
    grid.save(tmp_path / "a.vti")
    with pytest.raises(ValueError, match="spacing"):
        read_voxels(tmp_path / "a.vti", array="cells")


def test_vtk_file_holds_the_shares_of_cut_voxels(tmp_path) -> None:
    image = discs(0.3, 4, 0).image(32)
    write_voxels(image, tmp_path / "cell.vti")
    for name in image.names:
        share = read_voxels(tmp_path / "cell.vti", array=f"share_{name}")
        np.testing.assert_array_equal(share, image.share(name))
        assert ((share > 0.01) & (share < 0.99)).any()
    np.testing.assert_array_equal(read_voxels(tmp_path / "cell.vti", array="phase"), image.phases)


@pytest.mark.parametrize("suffix", ["png", "tif", "npy", "vti"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.9])
def test_truncated_file_gets_one_line(tmp_path, rng, capfd, suffix, keep) -> None:
    path = tmp_path / f"image.{suffix}"
    write_voxels(image_of(rng, 40, 40), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ValueError, match=rf"image\.{suffix} (is not|holds no)") as caught:
        read_voxels(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_damaged_vtk_file_gets_one_line(tmp_path, rng, capfd) -> None:
    path = tmp_path / "image.vti"
    write_voxels(image_of(rng, 60, 60), path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"A" * 40
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"image\.vti is not whole VTK image data: \w+") as caught:
        read_voxels(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", ["png", "tif", "npy", "vti"])
def test_foreign_file_gets_one_line(tmp_path, suffix) -> None:
    path = tmp_path / f"image.{suffix}"
    path.write_text("<VTKFile type='PolyData'/> no image")
    with pytest.raises(ValueError, match=rf"image\.{suffix} ") as caught:
        read_voxels(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.raw", b"123", {"shape": (2, 2), "dtype": "u1"}, "3 bytes; shape .* needs 4"),
        ("a.raw", b"1234", {"shape": (2, 2), "dtype": "colour"}, "no such type"),
        ("a.raw", b"1234", {"shape": (2, 2), "dtype": "S1"}, "must be numbers"),
        ("a.raw", b"1234", {}, "need a shape and a dtype"),
        ("a.raw", b"1234", {"shape": (4,), "dtype": "u1"}, "2 or 3 axes"),
        ("a.raw", b"1234", {"shape": (0, 4), "dtype": "u1"}, "needs 0"),
        ("a.npy", b"", {"shape": (2, 2), "dtype": "u1"}, "for raw voxels"),
        ("a.npy", b"", {"array": "x"}, "only .vti"),
        ("a.jpg", b"", {}, "no known voxel file"),
    ],
)
def test_calls_that_do_not_suit_the_file(tmp_path, name, content, options, message) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_voxels(tmp_path / name, **options)


def test_arrays_that_are_no_images(tmp_path) -> None:
    for values in (np.zeros(4), np.zeros((2, 2), dtype=complex), np.zeros((0, 3))):
        np.save(tmp_path / "a.npy", values)
        with pytest.raises(ValueError, match=r"a\.npy (holds no array|has shape)"):
            read_voxels(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"not a whole \.npy"):
        read_voxels(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError):
        read_voxels(tmp_path / "none.npy")


def test_pages_that_differ_are_refused(tmp_path) -> None:
    pages = [Image.fromarray(np.zeros((4, n), dtype=np.uint8)) for n in (4, 5)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match="pages differ"):
        read_voxels(tmp_path / "a.tif")


def test_missing_pyvista_is_said(tmp_path, rng, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(RuntimeError, match=r"pip install 'dmn-fem\[vtk\]'"):
        write_voxels(image_of(rng, 4, 4), tmp_path / "a.vti")
