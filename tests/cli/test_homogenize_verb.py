"""The verb homogenize: what it answers, and what it says of a wrong call."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dmn_fem.homogenization import (
    effective_conductivity,
    hashin_shtrikman_conductivity,
    homogenize,
    thermoelastic,
)
from dmn_fem.laws import initial_stiffness, read_phases
from dmn_fem.microstructure import MaterialAxes, PhaseImage, discs, layers, spheres

ORDER = (
    "reuss",
    "hashin_shtrikman_lower",
    "mori_tanaka",
    "full_field",
    "hashin_shtrikman_upper",
    "voigt",
)


@pytest.fixture
def folder(entered):
    """A folder with a plane and a solid cell and their phases, entered."""
    discs(0.3, 8, 0).image(32).save(entered / "plane.npz")
    spheres(0.3, 4, 0).image(12).save(entered / "solid.npz")
    return entered


@pytest.mark.parametrize(("name", "dimension"), [("plane", 2), ("solid", 3)])
def test_stiffness_and_its_estimates(folder, call, name, dimension) -> None:
    code, out, err = call(f"homogenize {name}.npz --phases phases.toml --json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    image, laws = PhaseImage.load(folder / f"{name}.npz"), read_phases("phases.toml")
    stiffness = [initial_stiffness(laws[phase], dimension) for phase in image.names]
    np.testing.assert_allclose(
        answer["stiffness"], homogenize(image, stiffness).stiffness, rtol=1e-12
    )
    assert answer["notation"] == "mandel"
    assert len(answer["components"]) == len(stiffness[0])
    assert answer["volume_fractions"]["inclusion"] == pytest.approx(0.3, abs=1e-9)
    for modulus in ("bulk_modulus", "shear_modulus"):
        values = answer[modulus]
        assert all(values[low] <= values[high] * (1 + 1e-12) for low, high in pairwise(ORDER))
        assert values["mori_tanaka"] < values["self_consistent"] < values["voigt"]


def test_expansion_and_conductivity(folder, call) -> None:
    code, out, err = call(
        "homogenize plane.npz --phases phases.toml --expansion matrix=6e-5 "
        "--expansion inclusion=5e-6,4e-6,3e-6 --conductivity matrix=0.2 "
        "--conductivity inclusion=1.1 --tolerance 1e-6 --json"
    )
    assert (code, err) == (0, "")
    answer = json.loads(out)
    image, laws = PhaseImage.load(folder / "plane.npz"), read_phases("phases.toml")
    stiffness = [initial_stiffness(laws[phase], 2) for phase in image.names]
    expansion = [[6e-5, 6e-5, 6e-5, 0], [5e-6, 4e-6, 3e-6, 0]]
    expected = thermoelastic(image, stiffness, expansion, 1e-6)
    np.testing.assert_allclose(answer["expansion"], expected.expansion, rtol=1e-10)
    np.testing.assert_allclose(answer["stiffness"], expected.stiffness, rtol=1e-10)
    phases = np.multiply.outer([0.2, 1.1], np.eye(2))
    conductivity = effective_conductivity(image, phases, 1e-6).conductivity
    np.testing.assert_allclose(answer["conductivity"], conductivity, rtol=1e-10)
    means = answer["mean_conductivity"]
    assert means["full_field"] == pytest.approx(np.trace(conductivity) / 2)
    bounds = hashin_shtrikman_conductivity(image.volume_fractions, [0.2, 1.1], 2)
    assert (means["hashin_shtrikman_lower"], means["hashin_shtrikman_upper"]) == bounds


def test_tables_for_people(folder, call) -> None:
    code, out, _ = call(
        "homogenize plane.npz --phases phases.toml --expansion matrix=1 --expansion inclusion=2 "
        "--conductivity matrix=1 --conductivity inclusion=2"
    )
    assert code == 0
    for word in ("stiffness", "expansion", "conductivity", "Voigt", "self-consistent"):
        assert word in out


def test_turned_phases_have_no_bounds_but_voigts(folder, call) -> None:
    """Inclusions conduct along 1 or, turned, along 2; their stiffness is isotropic."""
    image = PhaseImage.load("plane.npz")
    number = np.zeros((2, *image.shape), np.uint16)
    number[1, :16] = 1
    axes = MaterialAxes(np.array([[1.0, 0, 0, 0], [0.5**0.5, 0, 0, 0.5**0.5]]), number)
    replace(image, axes=axes).save("turned.npz")
    line = (
        "homogenize turned.npz --phases phases.toml --conductivity matrix=1 "
        "--conductivity inclusion=9,3"
    )
    _, out, _ = call(f"{line} --json")
    answer = json.loads(out)
    assert set(answer["mean_conductivity"]) == {"full_field", "voigt"}
    assert answer["mean_conductivity"]["voigt"] == pytest.approx(0.7 * 1 + 0.3 * 6)
    assert set(ORDER) <= set(answer["bulk_modulus"])
    _, out, _ = call(line)
    assert "anisotropic phases are turned in the voxels" in out


def test_estimates_that_do_not_exist_are_left_out(folder, call) -> None:
    """Insulating layers: no matrix, no self-consistent medium, anisotropic in the plane."""
    layers(2, 8, [0.75, 0.25], names=("inclusion", "matrix")).save("layers.npz")
    line = "homogenize layers.npz --conductivity inclusion=0 --conductivity matrix=2,1 --json"
    code, out, _ = call(line)
    answer = json.loads(out)
    assert code == 0
    assert "stiffness" not in answer
    assert set(answer["mean_conductivity"]) == {"full_field", "reuss", "voigt"}
    np.testing.assert_allclose(answer["conductivity"], np.diag([0, 0.25]), atol=1e-9)
    assert call(line.removesuffix("--json"))[0] == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("plane.npz", "give --phases or --conductivity"),
        ("plane.npz --expansion matrix=1", "--expansion needs the stiffnesses of --phases"),
        ("plane.npz --conductivity matrix=1", "given for matrix; the phases of the image are"),
        ("plane.npz --conductivity matrix", "must be PHASE=NUMBER, or 2 numbers"),
        ("plane.npz --conductivity matrix=1,2,3", "must be PHASE=NUMBER, or 2 numbers"),
        ("plane.npz --conductivity matrix=1 --conductivity matrix=2", "given twice"),
        ("plane.npz --phases other.toml", "other.toml: has the phases steel; the image needs"),
        ("none.npz --conductivity matrix=1", "none.npz: No such file"),
        ("plane.npz --phases phases.toml --tolerance 2", "tolerance is 2"),
    ],
)
def test_wrong_calls(folder, call, line, message) -> None:
    phases = (folder / "phases.toml").read_text()
    (folder / "other.toml").write_text(phases.replace("[matrix]", "[steel]").split("[incl")[0])
    code, out, err = call(f"homogenize {line}")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
