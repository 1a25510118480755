"""Databases: the file, its faults, interpolation."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from dmn_fem.database import (
    Database,
    DatabaseError,
    Descriptor,
    ExtrapolationWarning,
)
from dmn_fem.network import Network
from dmn_fem.notation import isotropic_stiffness

PHASES = ("matrix", "inclusion")
FRACTIONS = (0.1, 0.2, 0.4)


def make_network(fraction: float, seed: int, dimension: int = 2, leaves: int = 8) -> Network:
    rng = np.random.default_rng(seed)
    return Network.random(dimension, PHASES, (1 - fraction, fraction), leaves, rng)


def make_database(dimension: int = 2, leaves: int = 8, oriented: bool = False) -> Database:
    networks = [make_network(v, seed, dimension, leaves) for seed, v in enumerate(FRACTIONS)]
    if oriented:
        rng = np.random.default_rng(7)
        quaternions = rng.normal(size=(len(networks), leaves, 4))
        quaternions /= np.linalg.norm(quaternions, axis=-1, keepdims=True)
        networks = [
            replace(network, leaf_orientation=q)
            for network, q in zip(networks, quaternions, strict=True)
        ]
    return Database(
        networks,
        [Descriptor("volume_fraction")],
        [[v] for v in FRACTIONS],
        {"recipe": {"seeds": [0, 1]}, "note": "größer"},
    )


def phase_stiffness(dimension: int) -> np.ndarray:
    return np.stack(
        [isotropic_stiffness(1.0, 0.3, dimension), isotropic_stiffness(50.0, 0.2, dimension)]
    )


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
    assert loaded.descriptors == database.descriptors
    assert loaded.provenance == database.provenance
    assert (loaded.dimension, loaded.phases, loaded.leaves) == (dimension, PHASES, 7)
    np.testing.assert_array_equal(loaded.values, database.values)
    names = ("leaf_phase", "phase_fraction", "leaf_activation", "normal_angles", "leaf_orientation")
    for ours, theirs in zip(database.networks, loaded.networks, strict=True):
        for name in names:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_file_is_as_documented(path: Path) -> None:
    tensors = load_file(path)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "descriptor_values": (3, 1),
        "phase_fraction": (3, 2),
        "leaf_activation": (3, 8),
        "normal_angles": (3, 7, 1),
        "leaf_phase": (8,),
    }
    assert metadata_of(path) | {"provenance": ""} == {
        "format": "dmn-fem/database",
        "format_version": "1",
        "dimension": "2",
        "phases": '["matrix", "inclusion"]',
        "leaves": "8",
        "descriptors": '[{"name": "volume_fraction", "unit": "1"}]',
        "weights": "phase-normalised softplus, beta=4",
        "provenance": "",
    }


@pytest.mark.parametrize("oriented", [False, True])
@pytest.mark.parametrize("dimension", [2, 3])
def test_interpolation_is_exact_at_the_nodes_and_continuous(dimension: int, oriented: bool) -> None:
    database = make_database(dimension, 8, oriented)
    phases = phase_stiffness(dimension)
    for value, network in zip(FRACTIONS, database.networks, strict=True):
        assert database.at(volume_fraction=value) is network
        expected = network.stiffness(phases)
        for side in (-1e-9, 1e-9):
            if FRACTIONS[0] < value + side < FRACTIONS[-1]:
                near = database.at(volume_fraction=value + side)
                np.testing.assert_allclose(near.stiffness(phases), expected, rtol=1e-6, atol=1e-6)
                np.testing.assert_allclose(near.leaf_activation, network.leaf_activation, atol=1e-7)
    sweep = np.linspace(0.1, 0.4, 601)
    answers = np.stack([database.at(volume_fraction=v).stiffness(phases) for v in sweep])
    assert np.abs(np.diff(answers, axis=0)).max() < 0.02 * np.ptp(answers)


@given(st.floats(0.1, 0.4))
def test_phase_fractions_are_exact_between_nodes(value: float) -> None:
    network = make_database().at(volume_fraction=value)
    np.testing.assert_allclose(network.phase_fraction, [1 - value, value], rtol=0, atol=1e-15)
    inclusion = network.leaf_weights[network.leaf_phase == 1].sum()
    assert inclusion == pytest.approx(value, abs=1e-14)


def test_weights_are_linear_between_nodes() -> None:
    database = make_database()
    below, above = database.networks[1:]
    middle = database.at(volume_fraction=0.3)

    def share(network: Network) -> np.ndarray:
        return network.leaf_weights / network.phase_fraction[network.leaf_phase]

    np.testing.assert_allclose(share(middle), 0.5 * (share(below) + share(above)), rtol=1e-13)


def test_opposite_normals_are_one_laminate() -> None:
    database = make_database()
    first, second, third = database.networks
    flipped = replace(second, normal_angles=second.normal_angles + np.pi)
    other = Database(
        [first, flipped, third], database.descriptors, database.values, database.provenance
    )
    phases = phase_stiffness(2)
    for value in (0.13, 0.19, 0.22, 0.35):
        np.testing.assert_allclose(
            database.at(volume_fraction=value).stiffness(phases),
            other.at(volume_fraction=value).stiffness(phases),
            rtol=1e-12,
            atol=1e-12,
        )


@pytest.mark.parametrize("dimension", [2, 3])
def test_normals_turn_along_the_shortest_arc(dimension: int) -> None:
    database = make_database(dimension)
    below, middle, above = (database.at(volume_fraction=v).normals for v in (0.2, 0.3, 0.4))
    whole = np.arccos(np.abs((below * above).sum(-1)))
    assert whole.max() <= np.pi / 2
    for end in (below, above):
        half = np.arccos(np.minimum(np.abs((end * middle).sum(-1)), 1.0))
        np.testing.assert_allclose(half, whole / 2, atol=1e-7)


def test_dead_leaf_stays_dead_and_revives_linearly() -> None:
    first = make_network(0.1, 0)
    activation = first.leaf_activation.copy()
    activation[[2, 5]] = -np.inf
    first = replace(first, leaf_activation=activation)
    activation = make_network(0.2, 1).leaf_activation.copy()
    activation[5] = -np.inf
    second = replace(make_network(0.2, 1), leaf_activation=activation)
    database = Database([first, second], [Descriptor("volume_fraction")], [[0.1], [0.2]])
    middle = database.at(volume_fraction=0.15)
    assert middle.leaf_weights[5] == 0.0
    assert middle.leaf_weights[2] == pytest.approx(0.5 * 0.85 / 0.8 * second.leaf_weights[2])


@pytest.mark.parametrize("value", [0.0, 0.0999, 0.41, 1.5, -1.0, np.nan, np.inf])
def test_refuses_what_lies_outside(value: float) -> None:
    with pytest.raises(DatabaseError, match=r"^volume_fraction is .*; .* 0\.1 to 0\.4$"):
        make_database().at(volume_fraction=value)


def test_extrapolation_is_marked_and_goes_on_from_the_end() -> None:
    database = make_database()
    phases = phase_stiffness(2)
    with pytest.warns(ExtrapolationWarning, match=r"0\.1 to 0\.4: extrapolated"):
        near = database.at(volume_fraction=0.4 + 1e-9, extrapolate=True)
    end = database.networks[-1].stiffness(phases)
    np.testing.assert_allclose(near.stiffness(phases), end, rtol=1e-6, atol=1e-6)
    with pytest.warns(ExtrapolationWarning):
        far = database.at(volume_fraction=0.55, extrapolate=True)
    np.testing.assert_allclose(far.phase_fraction, [0.45, 0.55])
    assert np.linalg.eigvalsh(far.stiffness(phases)).min() > 0
    with (
        pytest.warns(ExtrapolationWarning),
        pytest.raises(DatabaseError, match="phase fractions"),
    ):
        database.at(volume_fraction=1.1, extrapolate=True)


def test_inside_the_range_extrapolate_changes_nothing() -> None:
    database = make_database()
    ours, theirs = (
        database.at(volume_fraction=0.3, extrapolate=flag).leaf_weights for flag in (False, True)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_one_network_answers_at_its_own_value_alone() -> None:
    network = make_network(0.3, 0)
    database = Database([network], [Descriptor("volume_fraction")], [[0.3]])
    assert database.at() is network
    assert database.at(volume_fraction=0.3) is network
    for flag in (False, True):
        with pytest.raises(DatabaseError, match=r"volume_fraction is 0\.31; .* holds 0\.3$"):
            database.at(volume_fraction=0.31, extrapolate=flag)


def test_questions_that_do_not_fit() -> None:
    with pytest.raises(DatabaseError, match=r"asked at \(temperature\); .* \(volume_fraction\)"):
        make_database().at(temperature=0.3)
    with pytest.raises(DatabaseError, match=r"asked at \(\)"):
        make_database().at()
    networks = make_database().networks
    plane = Database(networks, [Descriptor("a"), Descriptor("b")], [[0, 0], [0, 1], [1, 0]])
    with pytest.raises(DatabaseError, match="2 descriptors"):
        plane.at(a=0.1, b=0.1)


def test_parts_that_do_not_fit() -> None:
    one, two = make_network(0.1, 0), make_network(0.2, 1)
    descriptor = [Descriptor("volume_fraction")]
    with pytest.raises(DatabaseError, match="another leaf_phase"):
        Database(
            [one, replace(two, leaf_phase=two.leaf_phase[::-1].copy())], descriptor, [[0.1], [0.2]]
        )
    with pytest.raises(DatabaseError, match="has leaves 9"):
        Database([one, make_network(0.2, 1, leaves=9)], descriptor, [[0.1], [0.2]])
    with pytest.raises(DatabaseError, match="has phases"):
        Database([one, replace(two, phases=("a", "b"))], descriptor, [[0.1], [0.2]])
    with pytest.raises(DatabaseError, match="strictly increasing"):
        Database([one, two], descriptor, [[0.2], [0.1]])
    with pytest.raises(DatabaseError, match="shape"):
        Database([one, two], descriptor, [0.1, 0.2])
    with pytest.raises(DatabaseError, match="without networks"):
        Database([], descriptor, np.zeros((0, 1)))


def test_unknown_name_lists_what_ships() -> None:
    with pytest.raises(DatabaseError, match=r"^discs_9d: no such file and no shipped database; "):
        Database.load("discs_9d")


def metadata_of(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]


def rewrite(path: Path, metadata: dict | None = None, **tensors: np.ndarray | None) -> None:
    """The file again, with metadata (None: gone) and tensors (None: gone) exchanged."""
    content = load_file(path)
    texts = metadata_of(path)
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
    ({"descriptor_values": np.array([[0.1], [0.1], [0.4]])}, "strictly increasing"),
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_truncated_file_is_refused(path: Path, data: st.DataObject) -> None:
    content = path.read_bytes()
    broken = path.with_name("truncated.safetensors")
    broken.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    check_one_line(broken, "not a complete safetensors file")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(data=st.data())
def test_corrupted_file_gives_nothing_but_the_one_error(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    broken = path.with_name("corrupted.safetensors")
    broken.write_bytes(content)
    try:  # a flipped byte in a value or a text may leave a valid database
        message = f"{broken}: {Database.load(broken).leaves} leaves"
    except DatabaseError as error:
        message = str(error)
    assert message.startswith(f"{broken}: ")
    assert "\n" not in message
