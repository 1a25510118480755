"""Phase images: what they accept, what their files survive."""

import json

import numpy as np
import pytest

from dmn_fem.microstructure import PhaseImage


def three_phases() -> PhaseImage:
    rng = np.random.default_rng(0)
    return PhaseImage(rng.integers(0, 3, (12, 12, 12), dtype=np.uint8), ("a", "b", "c"))


def test_volume_fractions_count_voxels() -> None:
    phases = np.zeros((4, 4), dtype=np.uint8)
    phases[0, :3] = 2
    image = PhaseImage(phases, ("a", "unused", "b"))
    np.testing.assert_array_equal(image.volume_fractions, [13 / 16, 0, 3 / 16])
    assert (image.dimension, image.shape) == (2, (4, 4))


@pytest.mark.parametrize(
    ("phases", "names", "message"),
    [
        (np.zeros((4, 4)), ("a",), "uint8"),
        (np.zeros(4, dtype=np.uint8), ("a",), "2 or 3 axes"),
        (np.zeros((0, 0), dtype=np.uint8), ("a",), "2 or 3 axes"),
        (np.full((4, 4), 2, dtype=np.uint8), ("a", "b"), "phase 2"),
        (np.zeros((4, 4), dtype=np.uint8), ("a", "a"), "distinct"),
    ],
)
def test_no_image(phases: np.ndarray, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PhaseImage(phases, names)


def test_file_round_trip(tmp_path) -> None:
    image = three_phases()
    image.save(tmp_path / "image.npz")
    loaded = PhaseImage.load(tmp_path / "image.npz")
    np.testing.assert_array_equal(loaded.phases, image.phases)
    assert loaded.names == image.names
    assert [path.name for path in tmp_path.iterdir()] == ["image.npz"]


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_truncated_file_is_refused_in_one_line(tmp_path, keep: float) -> None:
    path = tmp_path / "image.npz"
    three_phases().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    with pytest.raises(ValueError, match=r"image\.npz is not a whole phase image") as caught:
        PhaseImage.load(path)
    assert "\n" not in str(caught.value)


def test_damaged_file_is_refused(tmp_path) -> None:
    path = tmp_path / "image.npz"
    three_phases().save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a whole phase image"):
        PhaseImage.load(path)


def test_foreign_files_are_refused(tmp_path) -> None:
    np.savez(tmp_path / "other.npz", phases=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("no image")
    np.savez(tmp_path / "format.npz", phases=np.zeros(3), header=json.dumps({"format": "x"}))
    np.savez(tmp_path / "list.npz", phases=np.zeros(3), header=json.dumps(["x"]))
    for path in tmp_path.iterdir():
        with pytest.raises(ValueError, match=f"{path.name} is not a whole phase image"):
            PhaseImage.load(path)


def test_newer_file_is_refused(tmp_path) -> None:
    header = {"format": "dmn-fem/phase-image", "format_version": 3, "names": ["a"]}
    path = tmp_path / "image.npz"
    np.savez(path, phases=np.zeros((2, 2), dtype=np.uint8), header=json.dumps(header))
    with pytest.raises(ValueError, match="format version 3; this dmn-fem reads version 2"):
        PhaseImage.load(path)


def test_digest_of_a_matrix_of_any_number() -> None:
    names = tuple(f"p{number}" for number in range(300))
    phases = np.arange(300, dtype=np.uint16).reshape(15, 20)
    digests = {PhaseImage(phases, names, None, matrix).digest for matrix in (None, "p1", "p299")}
    assert len(digests) == 3
