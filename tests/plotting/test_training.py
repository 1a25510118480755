import families
import numpy as np

from dmn_fem.plotting._training import draw_errors, draw_learning_curves


def test_learning_curves_of_the_networks_that_have_one():
    curve = [[0, 0.3, 0.4], [10, 0.01, 0.02]]
    figure = draw_learning_curves([curve, None, curve], ["0.1", "0.2", "0.3"])
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines if not line.get_label().startswith("_")] == [
        "0.1",
        "0.3",
        "held out",
    ]
    np.testing.assert_allclose(lines[0].get_ydata(), [30.0, 1.0])


def test_errors_beside_those_of_the_data():
    told = families.told(2)
    budgets = [each or {} for each in told["error_budgets"]]
    figure = draw_errors(told["errors"], budgets, ["0.1", "0.2"], "volume fraction")
    labels = [each.get_label() for each in figure.axes[0].containers]
    assert labels == [
        "training",
        "held out",
        "leave one out",
        "data: grid",
        "data: realisation",
        "data: tolerance",
    ]
    only = draw_errors([{}, {}], budgets, ["0.1", "0.2"], "")
    assert len(only.axes[0].containers) == 3
