"""Standard paths, and the measure of validations."""

import numpy as np
import pytest

from dmn_fem.online import STANDARD_PATHS, deviatoric_error, standard_path


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("name", STANDARD_PATHS)
def test_paths_keep_to_their_amplitude(name: str, dimension: int) -> None:
    strain = standard_path(name, dimension, 0.02).strain
    size = np.linalg.norm(strain, axis=1)
    reach = {"cyclic": 2 / 3, "nonproportional": np.sqrt(8) / 3}.get(name, 1.0)
    assert size.max() == pytest.approx(0.02 * reach)
    steps = np.diff(strain, axis=0, prepend=0.0)
    assert np.linalg.norm(steps, axis=1).max() <= 0.02 * 2 / 15 * (1 + 1e-12)
    np.testing.assert_allclose(strain, 2 * standard_path(name, dimension, 0.01).strain)
    turns = np.einsum("ij,ij->i", steps[1:], steps[:-1])
    assert (turns < -1e-12).any() == (name != "nonproportional")
    if name == "nonproportional":
        np.testing.assert_allclose(strain[-1], 0.0, atol=1e-15)


def test_paths_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="path is 'spiral'; it must be one of uniaxial, shear"):
        standard_path("spiral", 2)
    with pytest.raises(ValueError, match="amplitude is 0"):
        standard_path("shear", 2, 0)


def test_error_is_of_the_deviator_and_relative_to_the_largest() -> None:
    reference = np.array([[1.0, -1.0, 0.0, 0.0], [2.0, -2.0, 0.0, 0.0]])
    stress = reference + np.array([[0.1, 0.1, 0.1, 0.0], [5.0, 5.0, 5.0, 0.2]])
    np.testing.assert_allclose(
        deviatoric_error(stress, reference), [0.0, 0.2 / np.sqrt(8)], atol=1e-15
    )
    assert deviatoric_error(stress[:1], reference)[1] == np.inf
    stress[1] = np.nan
    assert deviatoric_error(stress, reference)[1] == np.inf
