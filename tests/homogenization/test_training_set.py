"""Training sets and their files."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.homogenization import BudgetSettings, TrainingSet, sample
from dmn_fem.microstructure import PhaseImage, spheres


@pytest.fixture(scope="module")
def image() -> PhaseImage:
    return spheres(0.2, 3, 0).image(8)


@pytest.fixture(scope="module")
def path(image: PhaseImage, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "spheres.h5"
    budget = BudgetSettings(samples=2)
    sample(image, path, 3, 0, descriptors={"volume_fraction": 0.2}, budget=budget)
    return path


@pytest.fixture
def copy(path: Path, tmp_path) -> Path:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    return copy


def test_layout_of_the_file(path: Path, image: PhaseImage) -> None:
    shapes = {}
    with h5py.File(path) as file:
        attributes = dict(file.attrs)
        matrix = json.loads(file["image"].attrs["matrix"])
        summary = json.loads(file["error_budget"].attrs["summary"])
        file.visititems(lambda name, item: shapes.update({name: getattr(item, "shape", None)}))
    assert attributes["format"] == "dmn-fem/samples"
    assert attributes["format_version"] == 2
    assert attributes["dimension"] == 3
    assert json.loads(attributes["phases"]) == ["matrix", "inclusion"]
    assert json.loads(attributes["descriptors"]) == {"volume_fraction": 0.2}
    assert json.loads(attributes["recipe"]).items() >= {"seed": 0, "tolerance": 1e-4}.items()
    assert matrix == "matrix"
    assert summary["samples"] == 2
    assert image.cut is not None
    cut = image.cut.voxel.size
    assert {name: shape for name, shape in shapes.items() if shape is not None} == {
        "phase_stiffness": (3, 2, 6, 6),
        "stiffness": (3, 6, 6),
        "iterations": (3, 6),
        "error": (3,),
        "image/phases": (8, 8, 8),
        "image/cut/voxel": (cut,),
        "image/cut/phase": (cut,),
        "image/cut/share": (cut,),
        "image/cut/normal": (cut, 3),
        "error_budget/sample": (2,),
        "error_budget/stiffness/tolerance": (2, 6, 6),
        "error_budget/stiffness/coarse": (2, 6, 6),
    }


def test_round_trip(path: Path, image: PhaseImage, tmp_path) -> None:
    loaded = TrainingSet.load(path)
    loaded.save(tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()
    assert loaded.dimension == 3
    assert loaded.phases == ("matrix", "inclusion")
    assert loaded.image.digest == image.digest == loaded.recipe["phase_image"]
    np.testing.assert_allclose(loaded.volume_fractions, [0.8, 0.2], rtol=1e-9)


def test_round_trip_without_cut_voxels_and_budget(path: Path, image: PhaseImage, tmp_path) -> None:
    plain = replace(
        TrainingSet.load(path), image=PhaseImage(image.phases, image.names), error_budget=None
    )
    plain.save(tmp_path / "plain.h5")
    loaded = TrainingSet.load(tmp_path / "plain.h5")
    assert loaded.image.digest == plain.image.digest
    assert (loaded.image.cut, loaded.image.matrix, loaded.error_budget) == (None, None, None)


@settings(max_examples=100)
@given(data=st.data())
def test_a_flipped_bit_is_noticed(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    broken = path.with_name("broken.h5")
    broken.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.h5 (is damaged|has format version)") as caught:
        TrainingSet.load(broken)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.99])
def test_truncated_file_is_refused_in_one_line(copy: Path, share: float) -> None:
    content = copy.read_bytes()
    copy.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"copy\.h5 is damaged or") as caught:
        TrainingSet.load(copy)
    assert "\n" not in str(caught.value)


def test_foreign_files_are_refused(tmp_path) -> None:
    text, other = tmp_path / "text.h5", tmp_path / "other.h5"
    text.write_text("no samples")
    with h5py.File(other, "w") as file:
        file.create_group("stiffness")
    for path in (text, other):
        with pytest.raises(ValueError, match="is damaged or no training set"):
            TrainingSet.load(path)
    with pytest.raises(FileNotFoundError, match=r"no such training set: .*absent\.h5"):
        TrainingSet.load(tmp_path / "absent.h5")


def test_newer_file_is_refused(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes().replace(b"dmn-fem/samples 2 ", b"dmn-fem/samples 3 "))
    with pytest.raises(ValueError, match="format version 3; this dmn-fem reads version 2"):
        TrainingSet.load(copy)


def test_inconsistent_sets_are_refused(path: Path) -> None:
    whole = TrainingSet.load(path)
    with pytest.raises(ValueError, match=r"stiffness has shape \(2, 6, 6\), not \(3, 6, 6\)"):
        replace(whole, stiffness=whole.stiffness[:2])
    assert whole.error_budget is not None
    with pytest.raises(ValueError, match="coarse of the error budget has shape"):
        replace(whole.error_budget, variants={"coarse": whole.stiffness})
