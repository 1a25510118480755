import numpy as np
import pytest

from dmn_fem.bridges import PointsFailed
from dmn_fem.bridges.small_strain_model import SmallStrainModel
from dmn_fem.notation import to_tensor


def blank(model, points):
    size = model.stress_strain_dim
    history = {name: np.zeros(points * width) for name, width in model.history_dim.items()}
    return np.zeros(points * size), np.zeros(points * size**2), history


@pytest.mark.parametrize("dimension", [2, 3])
def test_increments_of_the_gradient_follow_the_law(make_law, path, follow, dimension):
    law = make_law(dimension)
    model = SmallStrainModel(law)
    assert (model.geometric_dim, model.stress_strain_dim) == (dimension, law.strain_size)
    strains = path(law.strain_size)
    if dimension == 2:
        strains[:, 2] = 0.0
    stress, tangent, history = blank(model, 2)
    spin = np.array([[0.0, 1.0], [-1.0, 0.0]])
    before = np.zeros(law.strain_size)
    for strain, (answer, slope) in zip(strains, follow(law, strains), strict=True):
        gradient = to_tensor(strain - before)[:dimension, :dimension]
        gradient[:2, :2] += 1e-2 * spin
        model.evaluate(0.0, 1.0, np.tile(gradient.ravel(), 2), stress, tangent, history)
        for point in stress.reshape(2, -1):
            np.testing.assert_allclose(point, answer, rtol=1e-10, atol=1e-13)
        for point in tangent.reshape(2, *slope.shape):
            np.testing.assert_allclose(point, slope, rtol=1e-8, atol=1e-8)
        before = strain


def test_history_is_all_that_it_remembers(make_law, path):
    model = SmallStrainModel(make_law(3))
    gradients = [to_tensor(strain).ravel() for strain in path(6)]
    stress, tangent, history = blank(model, 1)
    model.evaluate(0.0, 1.0, gradients[1], stress, tangent, history)
    kept = {name: values.copy() for name, values in history.items()}
    model.evaluate(1.0, 1.0, gradients[2], stress, tangent, history)
    once = stress.copy()
    model.evaluate(2.0, 1.0, gradients[3], stress, tangent, history)
    model.evaluate(1.0, 1.0, gradients[2], stress, tangent, kept)
    np.testing.assert_array_equal(stress, once)


def test_points_without_a_stress_are_told(make_law):
    model = SmallStrainModel(make_law(3))
    stress, tangent, history = blank(model, 1)
    with pytest.raises(PointsFailed):
        model.evaluate(0.0, 1.0, np.full(9, np.nan), stress, tangent, history)
    with pytest.raises(ValueError, match="history"):
        model.evaluate(0.0, 1.0, np.zeros(9), stress, tangent, None)
