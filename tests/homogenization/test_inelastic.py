"""Inelastic training sets: paths, campaign, file."""

from pathlib import Path

import numpy as np
import pytest

from dmn_fem.homogenization import (
    CampaignError,
    InelasticPlan,
    InelasticSet,
    UnitCellLaw,
    sample_inelastic,
    sample_inelastic_family,
    start_processes,
)
from dmn_fem.homogenization._strain_paths import strain_paths
from dmn_fem.laws import J2Plasticity, LinearElastic, LinearHardening, VoceHardening
from dmn_fem.microstructure import PhaseImage, discs
from dmn_fem.online import LoadPath, drive

J2 = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0))
STIFF = {"matrix": J2, "inclusion": LinearElastic(500.0, 0.19)}
SOFT = {
    "matrix": J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.05, 50.0, 1.0)),
    "inclusion": LinearElastic(1.0, 0.19),
}
COMPUTE = "dmn_fem.homogenization._inelastic.follow_path"


@pytest.fixture(scope="module")
def image() -> PhaseImage:
    return discs(0.3, 3, seed=1).image(8)


@pytest.fixture(scope="module")
def finished(image, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("inelastic") / "set.h5"
    sample_inelastic(image, path, [STIFF, SOFT], 3)
    return path


@pytest.mark.parametrize("dimension", [2, 3])
def test_paths_cover_what_they_should(dimension: int) -> None:
    levels = 0.001, 0.02
    strain = strain_paths(dimension, 64, levels, 0)
    sphere = np.array([1.0, 1.0, dimension - 2.0, 0, 0, 0])[: strain.shape[-1]]
    sphere /= np.linalg.norm(sphere)
    volumetric = strain @ sphere
    deviator = strain - volumetric[..., None] * sphere
    first, second = deviator[:, 0], deviator[:, 1] - deviator[:, 0]
    lengths = np.linalg.norm(first, axis=1)
    assert levels[0] <= lengths.min() < 1.1 * levels[0]
    assert 0.9 * levels[1] < lengths.max() <= levels[1]
    assert (abs(volumetric[:, 0]) <= 0.3 * lengths * (1 + 1e-12)).all()
    unit = first / lengths[:, None]
    turn = (unit * second).sum(1) / np.linalg.norm(second, axis=1)
    assert -1 <= turn.min() < -0.98
    assert 0.8 < turn.max() < np.cos(np.radians(29.9))
    np.testing.assert_allclose(unit.T @ unit / 64 * (2 if dimension == 2 else 5), _plane(dimension),
                               atol=0.15)  # fmt: skip
    np.testing.assert_array_equal(strain_paths(dimension, 5, levels, 0), strain[:5])
    if dimension == 2:
        assert not strain[..., 2].any()


def _plane(dimension: int) -> np.ndarray:
    """Projection onto the deviators that the directions come from."""
    if dimension == 2:
        return np.array([[0.5, -0.5, 0, 0], [-0.5, 0.5, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    result = np.eye(6)
    result[:3, :3] -= 1 / 3
    return result


def test_stresses_are_those_of_the_unit_cell(image, finished: Path) -> None:
    found = InelasticSet.load(finished)
    assert found.materials == (STIFF, SOFT)
    assert found.material.tolist() == [0, 0, 0, 1, 1, 1]
    for number in (1, 5):
        law = UnitCellLaw(image, found.materials[found.material[number]], tolerance=1e-7)
        expected = drive(law, LoadPath.strain_driven(found.strain[number])).stress
        scale = abs(expected).max()
        np.testing.assert_allclose(found.stress[number], expected, atol=2e-4 * scale)


def test_interrupted_campaign_goes_on_to_the_same_bytes(
    image, finished: Path, tmp_path: Path, monkeypatch
) -> None:
    from dmn_fem.homogenization._inelastic import follow_path

    left = [4]

    def interrupted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return follow_path(*arguments)

    path, done = tmp_path / "set.h5", []
    monkeypatch.setattr(COMPUTE, interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample_inelastic(image, path, [STIFF, SOFT], 3)
    monkeypatch.undo()
    assert not path.exists()
    sample_inelastic(
        image, path, [STIFF, SOFT], 3, progress=lambda _, number, count: done.append(number)
    )
    assert done == [4, 5, 6]
    assert path.read_bytes() == finished.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_other_recipe_and_damaged_file_are_refused(image, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belongs to another recipe"):
        sample_inelastic(image, finished, [STIFF], 3)
    content = bytearray(finished.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or truncated"):
        InelasticSet.load(damaged)
    damaged.write_bytes(b"something else")
    with pytest.raises(ValueError, match="no inelastic training set"):
        InelasticSet.load(damaged)


def test_full_field_that_does_not_converge_is_named(image, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("dmn_fem.homogenization._unit_cell.MAX_ITERATIONS", 0)
    with pytest.raises(CampaignError, match=r"set.h5: path 1 of material 1: the full field did"):
        sample_inelastic(image, tmp_path / "set.h5", [STIFF], 1)


def test_wrong_arguments_are_refused(image, tmp_path: Path) -> None:
    path = tmp_path / "set.h5"
    with pytest.raises(ValueError, match="at least one material and one path"):
        sample_inelastic(image, path, [], 3)
    with pytest.raises(ValueError, match="they must increase"):
        sample_inelastic(image, path, [STIFF], 3, levels=(0.01, 0.002))
    with pytest.raises(ValueError, match="a material is of the phases matrix, void; the image has"):
        sample_inelastic(image, path, [{"matrix": J2, "void": J2}], 3)


def test_family_of_a_recipe(image, finished: Path, tmp_path: Path) -> None:
    j2 = {"law": "j2_plasticity", "young_modulus": 100, "poisson_ratio": 0.3, "yield_stress": 0.1}
    voce = {"type": "voce", "saturation": 0.05, "rate": 50, "modulus": 1}
    plan = InelasticPlan.model_validate(
        {
            "materials": [
                {
                    "matrix": j2 | {"hardening": {"type": "linear", "modulus": 5}},
                    "inclusion": {"law": "linear_elastic", "young_modulus": 500,
                                  "poisson_ratio": 0.19},
                },
                {
                    "matrix": j2 | {"hardening": voce},
                    "inclusion": {"law": "linear_elastic", "young_modulus": 1,
                                  "poisson_ratio": 0.19},
                },
            ],
            "paths": 3,
        }
    )  # fmt: skip
    assert InelasticPlan.model_validate_json(plan.model_dump_json()) == plan
    with start_processes() as workers:
        (made,) = sample_inelastic_family(plan, {tmp_path / "set.h5": image}, workers)
    np.testing.assert_array_equal(made.stress, InelasticSet.load(finished).stress)
    with pytest.raises(ValueError, match=r"material 1: \[matrix\]: law is 'magic'"):
        InelasticPlan(materials=({"matrix": {"law": "magic"}},))
