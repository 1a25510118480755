"""The verbs train and transfer, on training sets that a network answers."""

import hashlib
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.homogenization import (
    InelasticSet,
    TrainingSet,
    draw_phase_stiffness,
    homogenize,
    sample_inelastic,
)
from dmn_fem.laws import read_phases
from dmn_fem.microstructure import MaterialAxes, PhaseImage, discs
from dmn_fem.network import Network
from dmn_fem.training import (
    InelasticSamples,
    Samples,
    file_sha256,
    leave_one_out,
    package_versions,
)

TRAIN = "train samples_2.h5 --leaves 6 --starts 2 --held-out 5 --iterations 20"


@pytest.fixture
def folder(entered):
    """A folder with training sets of discs at volume fractions of 2/16, 4/16 and 6/16, entered."""
    for number in (2, 4, 6):
        save_set(entered / f"samples_{number}.h5", number, ("matrix", "inclusion"))
    save_set(entered / "other.h5", 3, ("matrix", "fibre"))
    return entered


def save_set(path, number, phases):
    fraction = number / 16
    pixels = (np.arange(16) < number).astype(np.uint8).reshape(4, 4)
    rng = np.random.default_rng(0)
    network = Network.random(2, phases, [1 - fraction, fraction], 4, rng)
    stiffness = draw_phase_stiffness(2, 2, 20, 0)
    TrainingSet(
        PhaseImage(pixels, phases),
        stiffness,
        network.stiffness(stiffness),
        np.ones((20, 3), dtype=np.int64),
        np.zeros(20),
        {"volume_fraction": fraction},
        {"seed": 0},
    ).save(path)


def test_a_family_is_trained_and_transferred(folder, call):
    code, out, _ = call(f"{TRAIN} --prune 0.2 --output base.safetensors")
    assert code == 0
    for text in ("starts: ", "pruned from 6 to", "held out, compliance", "wrote base"):
        assert text in out
    base = Database.load(folder / "base.safetensors")
    assert base.values.tolist() == [[0.125]]
    assert base.networks[0].phase_fraction.tolist() == [0.875, 0.125]
    line = "transfer base.safetensors samples_6.h5 samples_4.h5 --held-out 5 --iterations 20"
    assert call(f"{line} --output family.safetensors")[0] == 0
    family = Database.load(folder / "family.safetensors")
    assert family.values.ravel().tolist() == [0.125, 0.25, 0.375]
    made = family.provenance
    left_out = [each["leave_one_out"] is not None for each in made["errors"]]
    assert left_out == [False, True, False]
    held_out = [each["held_out"]["stiffness"]["mean"] for each in made["errors"]]
    curves = made["learning_curves"]
    assert [len(curve) for curve in curves] == [1, 1, 1]
    # The base was pruned after its last report.
    assert [curve[-1][2] for curve in curves[1:]] == pytest.approx(held_out[1:])
    assert made["error_budgets"] == [None, None, None]
    # Any point of a database is a base, and what is frozen stays that of the base.
    line = "transfer family.safetensors other.h5 --held-out 5 --at volume_fraction=0.2"
    code, _, err = call(f"{line} --output further.safetensors")
    assert code == 2
    assert "other.h5: phases are matrix, fibre; family.safetensors has matrix, inclusion" in err


def test_what_networks_were_made_from_is_told_of_each(folder, call):
    """As a build does; the recipe of a base is that of its own networks, and of no new one."""
    line = f"{TRAIN} --seed 3 --prune 0.2 --output base.safetensors"
    assert call(line)[0] == 0
    base = Database.load("base.safetensors")
    made = base.provenance
    assert made["versions"] == package_versions()
    assert made["samples_sha256"] == [hashlib.sha256(Path("samples_2.h5").read_bytes()).hexdigest()]
    (told,) = made["training"]
    errors = told["starts_held_out_error"]
    assert told["seeds"] == [3, 4]
    assert told["start"] == 3 + errors.index(min(errors))
    assert (told["leaves"], told["iterations"], told["optimizer"]) == (6, 20, "lbfgs")
    assert told["pruning"]["leaves"] == [6, np.count_nonzero(base.networks[0].leaf_weights)]

    older = {"recipe": {"name": "built"}, "versions": {"numpy": "1.0"}, "samples_sha256": ["abc"]}
    Database(base.networks, base.descriptors, base.values, older).save("built.safetensors")
    line = "transfer built.safetensors samples_4.h5 samples_6.h5 --held-out 5 --iterations 20"
    assert call(f"{line} --freeze upper:1 --output family.safetensors")[0] == 0
    made = Database.load("family.safetensors").provenance
    assert "recipe" not in made
    assert made["base"] == {"recipe": {"name": "built"}, "versions": {"numpy": "1.0"}}
    assert made["versions"] == package_versions()
    hashes = [file_sha256(f"samples_{number}.h5") for number in (4, 6)]
    assert made["samples_sha256"] == ["abc", *hashes]
    assert made["training"][0] is None
    assert [each["from"] for each in made["training"][1:]] == [
        "built.safetensors at volume_fraction=0.125",
        "volume_fraction=0.25",
    ]
    assert [each["frozen"]["upper_levels"] for each in made["training"][1:]] == [1, 1]
    assert call("database report base.safetensors --output report.html")[0] == 0
    text = Path("report.html").read_text()
    assert re.findall(r"([\w ]+): not recorded", text) == ["The error budget of the data"]


def test_left_out_errors_are_taken_over_held_out_samples(folder, call):
    """As those of a build are."""
    for number in (2, 6):
        line = f"train samples_{number}.h5 --leaves 6 --starts 1 --held-out 5 --iterations 20"
        assert call(f"{line} --output {number}.safetensors")[0] == 0
    ends = [Database.load(f"{number}.safetensors").networks[0] for number in (2, 6)]
    over = [Descriptor("volume_fraction")]
    Database(ends, over, [[2 / 16], [6 / 16]]).save("base.safetensors")
    line = "transfer base.safetensors samples_4.h5 --held-out 5 --iterations 20"
    assert call(f"{line} --output family.safetensors")[0] == 0
    family = Database.load("family.safetensors")
    _, held_out = Samples.of(TrainingSet.load("samples_4.h5")).split(5)
    _, expected, _ = leave_one_out(family, [held_out] * 3)
    assert family.provenance["errors"][1]["leave_one_out"] == asdict(expected)


def test_left_out_errors_are_those_of_the_networks_that_stand_in_now(folder, call):
    """The base has them over a wide spacing; a network that comes between makes it a small one."""
    fractions, rng = [0.05, 0.2, 0.375, 0.45], np.random.default_rng(1)
    base = Network.random(2, ("matrix", "inclusion"), [0.95, 0.05], 4, rng)
    errors = [
        {"held_out": {"stiffness": {"mean": 0.01}}, "leave_one_out": left_out}
        for left_out in (None, {"mean": 0.08}, {"mean": 0.04}, None)
    ]
    Database(
        [base.with_phase_fraction([1 - part, part]) for part in fractions],
        [Descriptor("volume_fraction")],
        [[part] for part in fractions],
        {"errors": errors},
    ).save("base.safetensors")
    line = "transfer base.safetensors samples_2.h5 --held-out 5 --iterations 20"
    assert call(f"{line} --output family.safetensors")[0] == 0
    family = Database.load("family.safetensors")
    assert family.values.ravel().tolist() == [0.05, 0.125, 0.2, 0.375, 0.45]
    left_out = [each["leave_one_out"] for each in family.provenance["errors"]]
    assert left_out[1]["mean"] > 0
    assert left_out[:1] + left_out[2:] == [None, None, {"mean": 0.04}, None]


def test_another_training_of_an_output_says_what_to_delete(folder, call):
    assert call(f"{TRAIN} --output base.safetensors")[0] == 0
    code, _, err = call(f"{TRAIN} --seed 5 --output base.safetensors")
    assert code == 2
    assert "base.safetensors.checkpoints: holds checkpoints of another training" in err
    assert "delete the folder or name another --output" in err


def test_from_cheap_samples_to_accurate_ones_of_the_same_cell(folder, call):
    assert call(f"{TRAIN} --output cheap.safetensors")[0] == 0
    line = "transfer cheap.safetensors samples_2.h5 --held-out 15 --iterations 20"
    assert call(f"{line} --alone --output accurate.safetensors")[0] == 0
    database = Database.load("accurate.safetensors")
    assert database.values.tolist() == [[0.125]]
    assert len(database.provenance["errors"]) == 1


def test_samples_of_voids_are_approached(folder, call):
    """From random starts, without that, such networks stay 30 % off."""
    image = discs(0.3, 4, 0).image(16)
    image = replace(image, names=("matrix", "void"), matrix="matrix")
    stiffness = draw_phase_stiffness(2, 2, 24, 0, void=1)
    TrainingSet(
        image,
        stiffness,
        np.stack([homogenize(image, each).stiffness for each in stiffness]),
        np.ones((24, 3), dtype=np.int64),
        np.zeros(24),
        {"volume_fraction": 0.3},
        {"void": "void"},
    ).save("pores.h5")
    line = "train pores.h5 --leaves 12 --starts 1 --held-out 4 --iterations 100"
    assert call(f"{line} --output pores.safetensors")[0] == 0
    (errors,) = Database.load("pores.safetensors").provenance["errors"]
    assert errors["training"]["stiffness"]["mean"] < 0.1


def test_the_best_start_is_chosen_by_inelastic_paths_too(folder, call):
    image = TrainingSet.load("samples_2.h5").image
    sample_inelastic(image, "paths.h5", [read_phases("phases.toml")], 2)
    code, out, _ = call(f"{TRAIN} --starts 3 --validation paths.h5 --output base.safetensors")
    assert code == 0
    out = " ".join(out.split())
    scores = [
        float(held_out) * float(inelastic)
        for held_out, inelastic in re.findall(r"([\d.]+) % \(inelastic ([\d.]+) %\)", out)
    ]
    assert len(scores) == 3
    assert f"the best is start {scores.index(min(scores)) + 1}" in out
    code, _, err = call(f"{TRAIN} --validation samples_2.h5 --output base.safetensors")
    assert code == 2
    assert "samples_2.h5 is damaged or no inelastic" in err


def test_phases_that_are_turned_need_leaves_that_turn(folder, call):
    data = TrainingSet.load("samples_4.h5")
    axes = MaterialAxes(np.eye(4)[:1], np.zeros((2, 4, 4), dtype=np.uint16))
    turned = replace(data.image, axes=axes)
    replace(data, image=turned).save("turned.h5")
    assert call(f"{TRAIN} --output base.safetensors")[0] == 0
    line = "transfer base.safetensors turned.h5 --held-out 5 --iterations 20"
    code, _, err = call(f"{line} --output family.safetensors")
    assert code == 2
    assert "turned.h5: its phases are turned; leaves of base.safetensors cannot be" in err


def test_frozen_parts_and_stars(folder, call):
    assert call(f"{TRAIN} --output base.safetensors")[0] == 0
    line = "transfer base.safetensors samples_4.h5 samples_6.h5 --held-out 5 --iterations 20"
    assert call(f"{line} --freeze normals --output frozen.safetensors")[0] == 0
    first, *others = Database.load(folder / "frozen.safetensors").networks
    for network in others:
        np.testing.assert_array_equal(network.normal_angles, first.normal_angles)
        assert (network.leaf_activation != first.leaf_activation).all()
    freeze = "--freeze weights --freeze upper:1"
    assert call(f"{line} {freeze} --star --output star.safetensors")[0] == 0
    first, *others = Database.load(folder / "star.safetensors").networks
    for network in others:
        np.testing.assert_array_equal(network.leaf_activation, first.leaf_activation)
        assert (network.normal_angles != first.normal_angles).ravel().tolist() == [
            False, True, True, True, True
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{TRAIN} --descriptor aspect_ratio", "it has volume_fraction"),
        (f"{TRAIN} --optimizer sgd", "lbfgs, adam or adam+lbfgs"),
        (f"{TRAIN} --patience 0", "patience is 0"),
        (f"{TRAIN} --processes 0", "--processes"),
        (f"{TRAIN} --prune -1", "--prune"),
        (f"{TRAIN} --output samples_2.h5", "a database is a file *.safetensors"),
        (f"{TRAIN} --output nowhere/new.safetensors", "there is no folder nowhere"),
        (f"{TRAIN} --inelastic samples_4.h5", "samples_4.h5 is damaged or no inelastic"),
        ("train samples_2.h5 --held-out 20", "samples_2.h5: held_out is 20"),
        ("transfer DB samples_4.h5 --freeze roots", "--freeze roots: it must be"),
        ("transfer DB samples_4.h5 --freeze upper:x", "--freeze upper:x: it must be"),
        (
            "transfer DB samples_4.h5 --freeze upper:9",
            "upper_levels is 9; a network of 4 leaves has 2 levels of normals",
        ),
        ("transfer DB samples_4.h5 --at volume_fraction=.1", "0.125"),
        ("transfer DB samples_2.h5 --held-out 5", "volume_fraction twice"),
        ("transfer DB samples_4.h5 --at extrapolate=1", "no descriptor extrapolate"),
        ("transfer ONE samples_4.h5 --held-out 5", "network has one leaf"),
        (
            "transfer DB samples_4.h5 samples_6.h5 --held-out 5 --inelastic samples_4.h5",
            "--inelastic is given 1 times for 2 training sets",
        ),
        (
            "transfer DB samples_4.h5 --freeze weights --freeze normals",
            "leaves nothing to train",
        ),
    ],
)
def test_wrong_calls_are_one_line_and_leave_nothing(folder, call, line, message):
    network = Network.random(2, ("matrix", "inclusion"), [0.875, 0.125], 4, np.random.default_rng())
    Database([network], [Descriptor("volume_fraction")], [[0.125]]).save(folder / "DB")
    one = Network.homogeneous("matrix", 2)
    Database([one], [Descriptor("volume_fraction")], [[0.125]]).save(folder / "ONE")
    there = {path: path.read_bytes() for path in folder.iterdir()}
    code, _, err = call(line if "--output" in line else f"{line} --output new.safetensors")
    assert code == 2
    assert err.startswith("dmn-fem: ")
    assert len(err.splitlines()) == 1
    assert message in err
    assert {path: path.read_bytes() for path in folder.iterdir()} == there


def test_inelastic_samples_take_part_in_training_and_transfer(folder, call):
    for number, cell in ((2, "samples_2.h5"), (4, "samples_4.h5")):
        image = TrainingSet.load(cell).image
        sample_inelastic(image, f"inelastic_{number}.h5", [read_phases("phases.toml")], 2)
    code, out, _ = call(f"{TRAIN} --inelastic inelastic_2.h5 --output base.safetensors")
    assert code == 0
    assert "training, inelastic" in out
    assert call(f"{TRAIN} --output elastic.safetensors")[0] == 0
    base, elastic = Database.load("base.safetensors"), Database.load("elastic.safetensors")
    network = base.networks[0]
    assert (network.leaf_activation != elastic.networks[0].leaf_activation).any()
    answers = InelasticSamples.of(InelasticSet.load("inelastic_2.h5"))
    (found,) = base.provenance["inelastic_errors"]
    assert found == {"training": asdict(answers.errors(network))}
    line = "transfer base.safetensors samples_4.h5 --held-out 5 --iterations 20"
    line += " --output family.safetensors"
    code, _, err = call(f"{line} --inelastic inelastic_2.h5")
    assert code == 2
    assert "inelastic_2.h5 is of matrix 0.875, inclusion 0.125; samples_4.h5 of matrix 0.75" in err
    assert call(f"{line} --inelastic inelastic_4.h5")[0] == 0
    errors = Database.load("family.safetensors").provenance["inelastic_errors"]
    assert errors[0] == found
    assert list(errors[1]) == ["training"]
