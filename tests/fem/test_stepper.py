import fem_checks
import numpy as np
import pytest
from fem_models import distorted, elastic_law, plastic_law, tension

from dmn_fem.fem import StepFailed, Stepper


def test_a_failed_point_shortens_the_step_and_leaves_no_trace():
    fem_checks.cutback()


def test_a_failed_point_on_one_rank_shortens_the_step_of_all(mpiexec):
    mpiexec("fem_checks.py", "cutback")


def test_too_many_cutbacks_end_where_they_began():
    fem_checks.surrender()


def test_too_many_cutbacks_end_all_ranks_together(mpiexec):
    mpiexec("fem_checks.py", "surrender")


def test_requested_times_are_hit_exactly():
    problem, material, load, _ = tension(plastic_law(2), distorted(2))
    times = [0.0, 0.1, 1 / 3, 0.7, 0.7000001, 1.0]
    steps = list(Stepper(problem, [material], load, dt=0.03).run(times))
    assert [step.time for step in steps if step.requested] == times[1:]
    ends = np.array([0.0, *(step.time for step in steps)])
    np.testing.assert_allclose(np.diff(ends), [step.dt for step in steps], rtol=1e-12)
    assert steps[0].dt == pytest.approx(0.1 / 4)
    assert max(step.dt for step in steps) > 0.06  # easy steps have grown


def test_easy_steps_grow_although_they_are_fitted_between_times():
    problem, material, load, _ = tension(elastic_law(2), distorted(2))
    steps = list(Stepper(problem, [material], load, dt=0.9).run([0.0, 1.0, 2.0, 3.0]))
    assert [step.time for step in steps] == [0.5, 1.0, 2.0, 3.0]


def test_linear_steps_start_from_their_solution():
    problem, material, load, _ = tension(elastic_law(2), distorted(2), snes_atol=1e-12)
    steps = list(Stepper(problem, [material], load).run([0.0, 0.5, 1.0]))
    assert [step.iterations for step in steps] == [1, 0]


def test_a_solver_that_gives_up_is_a_failed_step():
    problem, material, load, _ = tension(plastic_law(2), distorted(2), snes_max_it=1)
    with pytest.raises(StepFailed, match=r"from time 0 to 0.5 after 1 cutbacks: SNES stopped"):
        list(Stepper(problem, [material], load, max_cutbacks=1).run([0.0, 1.0]))
    assert not problem.u.x.array.any()
    assert not material.state.old.any()


@pytest.mark.parametrize("times", [[0.0], [0.0, 1.0, 1.0], [0.0, float("nan")]])
def test_times_must_increase(times):
    problem, material, load, _ = tension(elastic_law(2), distorted(2, 1))
    with pytest.raises(ValueError, match="times must increase"):
        next(Stepper(problem, [material], load).run(times))
