import numpy as np
import pytest
import ufl
from path_checks import MODULUS, SOFTENING, STRENGTH, WEAK, bar, follow

from dmn_fem.fem import PathControl, StepFailed, _linear_solver, choose_linear_solver


def elongation(stress, softened):
    """Of the bar, in closed form: σ = strength exp(-softening (ε/ε0 - 1)) in the weak cell."""
    ratio = 1.0 - np.log(stress / STRENGTH) / SOFTENING if softened else stress / STRENGTH
    return (1 - WEAK) * stress / MODULUS + WEAK * ratio * STRENGTH / MODULUS


def test_a_softening_bar_snaps_back_as_its_closed_form():
    problem, fields, load, opening, force = bar()
    control = PathControl(problem, fields, load, opening, 0.0001, max_increment=0.0003)
    rows = []
    for step in control.run():
        rows.append((step.factor, step.measure, force()))
        assert step.iterations <= 6
        if step.measure > 0.0045 or len(rows) == 40:
            break
    factors, openings, stresses = np.array(rows).T
    peak = stresses.argmax()
    assert 2 <= peak < len(rows) - 8
    expected = [elongation(stress, n >= peak) for n, stress in enumerate(stresses)]
    # The last before the peak may be elastic still, in which case both forms are near.
    rising = [elongation(stress, False) for stress in stresses[: peak + 1]]
    error = np.abs(factors - expected)
    error[peak] = min(error[peak], abs(factors[peak] - rising[-1]))
    assert error.max() < 1e-9
    # The weak cell holds the sum of its opening; the ends come back, and at last forward again.
    assert (np.diff(openings) > 0).all()
    assert factors[peak:].min() < 0.8 * factors[peak]
    assert factors[-1] > factors[peak:].min() * 1.05
    work = sum(field.internal_work for field in fields)
    assert 0 < work < 0.1 * STRENGTH * openings[-1]


def test_a_path_without_an_end_is_left_where_it_was():
    problem, fields, load, opening, _ = bar()
    control = PathControl(problem, fields, load, opening, 0.001, max_cutbacks=2)
    steps = control.run()
    first = next(steps)
    before = problem.u.x.array.copy()
    problem.solver.setTolerances(atol=0.0, rtol=0.0)  # cannot be met
    with pytest.raises(StepFailed, match=r"from load factor .* after 2 cutbacks: no convergence"):
        next(steps)
    np.testing.assert_array_equal(problem.u.x.array, before)
    assert control.factor == first.factor


def test_a_measure_that_would_stay_is_refused():
    problem, fields, load, opening, _ = bar()
    for increment in (0.0, float("nan")):
        with pytest.raises(ValueError, match=f"increment is {increment}; the measure must grow or"):
            PathControl(problem, fields, load, opening, increment)
    with pytest.raises(ValueError, match=r"max_increment is 0.0; it must be positive"):
        PathControl(problem, fields, load, opening, 0.001, max_increment=0.0)


def test_a_measure_that_the_load_does_not_change_is_named():
    problem, fields, load, _, _ = bar()
    sideways = problem.u[1] * ufl.ds
    with pytest.raises(StepFailed, match="the load does not change the measure"):
        next(PathControl(problem, fields, load, sideways, 0.001, max_cutbacks=0).run())


@pytest.mark.parametrize("choice", ["direct", "multigrid"])
def test_the_path_is_that_of_any_linear_solver(monkeypatch, choice):
    expected = np.array(follow(bar()))
    if choice == "multigrid":
        monkeypatch.setattr(_linear_solver, "DIRECT_LIMIT", {2: 0, 3: 0})
    model = bar(snes_atol=1e-11)
    assert choose_linear_solver(model[0], symmetric=False) == choice
    np.testing.assert_allclose(follow(model), expected, atol=1e-7 * np.abs(expected).max())
