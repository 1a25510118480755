"""Training sets and their files."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from dmn_fem.homogenization import TrainingSet, sample
from dmn_fem.microstructure import spheres


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "spheres.h5"
    sample(spheres(0.2, 3, 0).image(8), path, 3, 0, descriptors={"volume_fraction": 0.2})
    return path


@pytest.fixture
def copy(path: Path, tmp_path) -> Path:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    return copy


def test_layout_of_the_file(path: Path) -> None:
    with h5py.File(path) as file:
        attributes = dict(file.attrs)
        shapes = {name: file[name].shape for name in file}
    assert attributes["format"] == "dmn-fem/samples"
    assert attributes["format_version"] == 1
    assert attributes["dimension"] == 3
    assert json.loads(attributes["phases"]) == ["matrix", "inclusion"]
    assert json.loads(attributes["descriptors"]) == {"volume_fraction": 0.2}
    assert json.loads(attributes["recipe"]).items() >= {"seed": 0, "tolerance": 1e-4}.items()
    assert shapes == {
        "phase_stiffness": (3, 2, 6, 6),
        "stiffness": (3, 6, 6),
        "iterations": (3, 6),
        "residual": (3,),
        "phase_image": (8, 8, 8),
    }


def test_round_trip(path: Path, tmp_path) -> None:
    loaded = TrainingSet.load(path)
    loaded.save(tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()
    assert loaded.dimension == 3
    assert loaded.phases == ("matrix", "inclusion")
    np.testing.assert_array_equal(loaded.volume_fractions, loaded.image.volume_fractions)
    assert loaded.volume_fractions[1] == pytest.approx(0.2, abs=1 / 512)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_file_is_refused_in_one_line(copy: Path, share: float) -> None:
    content = copy.read_bytes()
    copy.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"copy\.h5 is truncated or no HDF5 file") as caught:
        TrainingSet.load(copy)
    assert "\n" not in str(caught.value)


def test_foreign_files_are_refused(tmp_path) -> None:
    text, other = tmp_path / "text.h5", tmp_path / "other.h5"
    text.write_text("no samples")
    with h5py.File(other, "w") as file:
        file.create_group("stiffness")
    with pytest.raises(ValueError, match="no HDF5 file"):
        TrainingSet.load(text)
    with pytest.raises(ValueError, match="is no training set: its format is None"):
        TrainingSet.load(other)
    with pytest.raises(FileNotFoundError, match="there is no training set"):
        TrainingSet.load(tmp_path / "absent.h5")


def test_newer_file_is_refused(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(ValueError, match="format version 2; this dmn-fem reads version 1"):
        TrainingSet.load(copy)


def test_incomplete_and_inconsistent_files_are_refused(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        stiffness = file["stiffness"][()]
        del file["stiffness"]
    with pytest.raises(ValueError, match="incomplete training set"):
        TrainingSet.load(copy)
    with h5py.File(copy, "r+") as file:
        file["stiffness"] = stiffness[:2]
    with pytest.raises(ValueError, match=r"stiffness has shape \(2, 6, 6\); it must be \(3, 6, 6"):
        TrainingSet.load(copy)
