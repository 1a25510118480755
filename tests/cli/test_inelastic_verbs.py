"""The verbs sample-inelastic and validate."""

import json

import numpy as np
import pytest

from dmn_fem.homogenization import InelasticSet
from dmn_fem.microstructure import PhaseImage, discs, of_two_kinds

SAMPLE = "sample-inelastic cell.npz --phases phases.toml --phases soft.toml --output inelastic.h5"


@pytest.fixture
def folder(entered):
    """A folder with a small cell and phases of two materials, entered."""
    discs(0.4, 3, 0).image(8).save(entered / "cell.npz")
    soft = (entered / "phases.toml").read_text().replace("500.0", "1.0")
    (entered / "soft.toml").write_text(soft)
    return entered


def test_sampling_makes_a_set_once(folder, call):
    line = f"{SAMPLE} --paths 2 --levels 0.002,0.01"
    code, out, err = call(line)
    assert code == 0
    assert "wrote 4 paths of 2 materials in inelastic.h5" in out
    assert "4/4" in err
    made = InelasticSet.load(folder / "inelastic.h5")
    assert [laws["inclusion"].young_modulus for laws in made.materials] == [500.0, 1.0]
    content = (folder / "inelastic.h5").read_bytes()
    assert call(line)[:2] == (0, "nothing to compute: 4 paths of 2 materials in inelastic.h5\n")
    assert (folder / "inelastic.h5").read_bytes() == content
    code, _, err = call(f"{SAMPLE} --paths 3")
    assert code == 2
    assert "another recipe" in err


def test_wrong_levels_are_said(folder, call):
    code, _, err = call(f"{SAMPLE} --levels 0.002")
    assert code == 2
    assert "--levels is 0.002; it must be two numbers" in err


def test_validation_compares_network_and_full_field(folder, call):
    line = "validate discs_2d cell.npz --phases phases.toml --amplitude 0.004"
    code, out, _ = call(f"{line} --paths uniaxial,nonproportional --picture both.png")
    assert code == 0
    assert "uniaxial" in out
    assert (folder / "both.png").stat().st_size > 10000
    code, out, _ = call(f"{line} --paths shear --json")
    errors = json.loads(out)["errors"]
    assert list(errors) == ["shear"]
    # A cell of three discs on a coarse grid is another microstructure, and still a like one.
    assert 0 < errors["shear"]["mean"] <= errors["shear"]["maximum"] < 0.5


def test_validation_asks_at_the_fraction_of_the_image(folder, call):
    line = "validate discs_2d cell.npz --phases phases.toml --paths shear --amplitude 0.004 --json"
    found = call(line)
    cell = PhaseImage.load("cell.npz")
    assert found == call(f"{line} --at volume_fraction={cell.volume_fractions[1]:.12g}")
    assert found[0] == 0
    turned = discs(0.4, 3, 0).image(8)
    swapped = 1 - turned.phases
    PhaseImage(swapped, ("inclusion", "matrix")).save("turned.npz")
    PhaseImage(turned.phases, ("matrix", "inclusion")).save("straight.npz")
    answers = [call(line.replace("cell.npz", f"{name}.npz"))[1] for name in ("turned", "straight")]
    ours, theirs = (json.loads(each)["errors"]["shear"]["maximum"] for each in answers)
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_validation_of_three_phases_asks_at_the_fraction_of_all_but_the_first(folder, call):
    of_two_kinds(discs(0.4, 4, 0), 0.5, 0).image(8).save("mixed.npz")
    tables = (folder / "phases.toml").read_text().replace("[inclusion]", "[first]")
    (folder / "three.toml").write_text(
        tables + tables[tables.index("[first]") :].replace("first", "second")
    )
    line = "validate mixed_discs_2d mixed.npz --phases three.toml --paths shear --json"
    found = call(f"{line} --amplitude 0.002")
    assert found[0] == 0
    assert found == call(f"{line} --amplitude 0.002 --at volume_fraction=0.4")


def test_validation_says_what_does_not_fit(folder, call):
    code, _, err = call("validate discs_2d cell.npz --phases phases.toml --paths spiral")
    assert code == 2
    assert "path is 'spiral'; it must be one of uniaxial" in err
    code, _, err = call("validate discs_2d cell.npz --phases phases.toml --paths ,")
    assert code == 2
    assert "path is ''; it must be one of uniaxial" in err
    PhaseImage(np.eye(4, dtype=np.uint8), ("matrix", "fibre")).save(folder / "other.npz")
    code, _, err = call("validate discs_2d other.npz --phases phases.toml")
    assert code == 2
    assert (
        "other.npz is of dimension 2 and phases matrix, fibre; discs_2d of 2 and matrix, inc" in err
    )
