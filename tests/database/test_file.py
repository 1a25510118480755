"""The file of a database and its faults."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_databases import make_database
from safetensors.numpy import load_file, save_file

from dmn_fem.database import Database, DatabaseError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "family.safetensors"
    make_database().save(path)
    return path


@pytest.mark.parametrize("oriented", [False, True])
@pytest.mark.parametrize("dimension", [2, 3])
def test_round_trip_loses_nothing(tmp_path: Path, dimension: int, oriented: bool) -> None:
    database = make_database(dimension, 7, oriented)
    dead = replace(
        database.networks[1],
        leaf_activation=np.where(np.arange(7) == 3, -np.inf, database.networks[1].leaf_activation),
    )
    networks = (database.networks[0], dead, database.networks[2])
    database = Database(networks, database.descriptors, database.values, database.provenance)
    database.save(tmp_path / "a.safetensors")
    loaded = Database.load(tmp_path / "a.safetensors")
    assert_equal(loaded, database)


def test_file_is_as_documented(path: Path) -> None:
    tensors = load_file(path)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "descriptor_values": (3, 1),
        "phase_fraction": (3, 2),
        "leaf_activation": (3, 8),
        "normal_angles": (3, 7, 1),
        "leaf_phase": (8,),
    }
    metadata = metadata_of(path)
    assert len(metadata.pop("sha256")) == 64
    assert metadata | {"provenance": ""} == {
        "format": "dmn-fem/database",
        "format_version": "1",
        "dimension": "2",
        "phases": '["matrix", "inclusion"]',
        "leaves": "8",
        "descriptors": '[{"name": "volume_fraction", "unit": "1"}]',
        "weights": "phase-normalised softplus, beta=4",
        "provenance": "",
    }


def test_equal_databases_are_equal_files(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for file in files:
        make_database().save(file)
    assert len({file.read_bytes() for file in files}) == 1
    assert list(metadata_of(files[0])) == sorted(metadata_of(files[0]))


def test_unknown_name_lists_what_ships() -> None:
    with pytest.raises(DatabaseError, match=r"^discs_9d: no such file and no shipped database; "):
        Database.load("discs_9d")


def metadata_of(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]


def rewrite(path: Path, metadata: dict | None = None, **tensors: np.ndarray | None) -> None:
    """The file again, with metadata (None: gone) and tensors (None: gone) exchanged.

    The checksum is gone, too, so that what comes after it is looked at.
    """
    content = load_file(path)
    texts = metadata_of(path)
    del texts["sha256"]
    for name, tensor in tensors.items():
        content.pop(name)
        if tensor is not None:
            content[name] = tensor
    for key, text in (metadata or {}).items():
        texts.pop(key)
        if text is not None:
            texts[key] = text
    save_file(content, path, texts)


METADATA_FAULTS = [
    ({"format": "pt"}, "format is 'pt'"),
    ({"format": None}, "format is None"),
    ({"format_version": "2"}, "format_version is 2; this version of dmn-fem reads 1"),
    ({"format_version": "new"}, "format_version is 'new'"),
    ({"phases": None, "leaves": None}, "metadata lacks phases, leaves"),
    ({"weights": "relu"}, "weights are 'relu'"),
    ({"phases": "[1, 2]"}, "phases must be"),
    ({"phases": "[["}, "must be JSON"),
    ({"dimension": "4"}, "dimension is 4"),
    ({"dimension": "3"}, r"normal_angles has shape \(3, 7, 1\); it must be \(3, 7, 2\)"),
    ({"leaves": "9"}, r"leaf_activation has shape \(3, 8\); it must be \(3, 9\)"),
    ({"leaves": "-1"}, "leaves is -1"),
    ({"descriptors": '["volume_fraction"]'}, "descriptors must be"),
    ({"provenance": "3"}, "provenance must be"),
]


@pytest.mark.parametrize(("metadata", "message"), METADATA_FAULTS)
def test_faults_of_the_metadata(path: Path, metadata: dict, message: str) -> None:
    rewrite(path, metadata)
    check_one_line(path, message)


TENSOR_FAULTS = [
    ({"leaf_phase": None, "normal_angles": None}, "tensors leaf_phase, normal_angles are missing"),
    ({"leaf_phase": np.zeros(8, dtype=np.int32)}, "leaf_phase is of type I32; it must be I64"),
    ({"leaf_phase": np.arange(8)}, "leaf_phase must lie in 0"),
    ({"leaf_phase": np.zeros(8, dtype=np.int64)}, "phase inclusion has fraction 0.1 but no leaf"),
    ({"leaf_activation": np.zeros((2, 8))}, r"leaf_activation has shape \(2, 8\)"),
    ({"leaf_activation": np.full((3, 8), np.nan)}, "leaf_activation holds NaN"),
    ({"leaf_activation": np.full((3, 8), np.inf)}, "leaf_activation holds NaN, infinity"),
    ({"normal_angles": np.full((3, 7, 1), -np.inf)}, "normal_angles holds NaN, infinity"),
    ({"phase_fraction": np.full((3, 2), 0.6)}, "phase_fraction is .* sum to one"),
    ({"descriptor_values": np.array([[0.1], [0.1], [0.4]])}, "two networks stand at"),
    ({"descriptor_values": np.array(0.1)}, r"descriptor_values has shape \(\)"),
]


@pytest.mark.parametrize(("tensors", "message"), TENSOR_FAULTS)
def test_faults_of_the_tensors(path: Path, tensors: dict, message: str) -> None:
    rewrite(path, **tensors)
    check_one_line(path, message)


def test_orientations_must_be_unit_quaternions(path: Path) -> None:
    make_database(oriented=True).save(path)
    rewrite(path, leaf_orientation=np.full((3, 8, 4), 1.0))
    check_one_line(path, "unit quaternions")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n" * 40])
def test_foreign_files(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    check_one_line(path, "not a complete safetensors file")


def check_one_line(path: Path, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        Database.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
@given(data=st.data())
def test_truncated_file_is_refused(path: Path, data: st.DataObject) -> None:
    content = path.read_bytes()
    broken = path.with_name("truncated.safetensors")
    broken.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    check_one_line(broken, "not a complete safetensors file")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400, deadline=None
)
@given(data=st.data())
def test_corrupted_file_gives_nothing_but_the_one_error(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    broken = path.with_name("corrupted.safetensors")
    broken.write_bytes(content)
    try:  # what the file does not need may change: a name in its header, for one
        loaded = Database.load(broken)
    except DatabaseError as error:
        message = str(error)
        assert message.startswith(f"{broken}: ")
        assert "\n" not in message
    else:
        if "sha256" in metadata_of(broken):  # its name may have changed, too
            assert_equal(loaded, make_database())


def test_every_flipped_bit_of_the_tensors_is_refused(path: Path) -> None:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    broken = path.with_name("flipped.safetensors")
    for position in range(8 * start, 8 * len(content), 41):
        flipped = bytearray(content)
        flipped[position // 8] ^= 1 << position % 8
        broken.write_bytes(flipped)
        check_one_line(broken, "checksum differs")


def test_changed_metadata_is_refused(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"inclusion", b"inclusi0n"))
    check_one_line(path, "checksum differs")


def test_a_file_without_checksum_is_read(path: Path) -> None:
    rewrite(path)
    assert "sha256" not in metadata_of(path)
    assert_equal(Database.load(path), make_database())


def test_what_older_files_name_by_the_fraction_is_listed(path: Path) -> None:
    errors = {f"{v:g}": {"held_out": number} for number, v in enumerate((0.1, 0.2, 0.4))}
    provenance = {"errors": errors, "error_budgets": {"0.1": None, "0.2": {"samples": 8}}}
    rewrite(path, {"provenance": json.dumps(provenance)})
    found = Database.load(path).provenance
    assert found["errors"] == list(errors.values())
    assert found["error_budgets"] == [None, {"samples": 8}, None]


def test_points_that_span_no_space_are_refused_with_the_path(path: Path) -> None:
    rewrite(path, descriptor_values=np.array([[0.2], [0.1], [0.4]]))
    check_one_line(path, "volume_fraction must be strictly increasing")


@pytest.mark.parametrize("name", ["discs_2d"])
def test_what_ships_is_read(name: str) -> None:
    database = Database.load(name)
    assert database.dimension == 2
    assert len(database.provenance["errors"]) == len(database.networks)


def assert_equal(ours: Database, theirs: Database) -> None:
    assert ours.descriptors == theirs.descriptors
    assert ours.provenance == theirs.provenance
    assert (ours.dimension, ours.phases) == (theirs.dimension, theirs.phases)
    np.testing.assert_array_equal(ours.values, theirs.values)
    names = ("leaf_phase", "phase_fraction", "leaf_activation", "normal_angles", "leaf_orientation")
    for one, other in zip(ours.networks, theirs.networks, strict=True):
        for name in names:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
