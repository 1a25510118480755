import fem_checks
import numpy as np
import pytest
from fem_models import Faulty, distorted, elastic_law, network_law, plastic_law, tension
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.fem import StepFailed, Stepper, reaction_force
from dmn_fem.laws import PointRecord


def test_a_failed_point_shortens_the_step_and_leaves_no_trace():
    fem_checks.cutback()


def test_a_failed_point_on_one_rank_shortens_the_step_of_all(on_two_ranks):
    on_two_ranks("cutback")


def test_too_many_cutbacks_end_where_they_began():
    fem_checks.surrender()


def test_too_many_cutbacks_end_all_ranks_together(on_two_ranks):
    on_two_ranks("surrender")


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
    with pytest.raises(ValueError, match=r"dt is -0.1; the first step must be positive"):
        Stepper(problem, [material], load, dt=-0.1)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.integers(0, 9),
        st.tuples(st.just(0), st.integers(0, 3), st.integers(0, 1000)),
        min_size=1,
        max_size=4,
    )
)
def test_failures_at_random_leave_no_trace(faults):
    fem_checks.sabotage(faults)


def test_failures_at_random_on_any_rank_leave_no_trace(on_two_ranks):
    on_two_ranks("sabotage")


def test_the_start_goes_as_far_as_the_boundary_does():
    problem, material, load, _ = tension(elastic_law(2), distorted(2), snes_atol=1e-12)
    turns = [0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 1.5, 1.5, 0.0]
    stepper = Stepper(problem, [material], lambda time: load(np.interp(time, *turns)))
    # Elastic: right wherever the load goes on, at half the speed too; back it does not predict.
    steps = list(stepper.run([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]))
    assert [step.iterations for step in steps] == [1, 0, 0, 0, 0, 0, 1]


def test_internal_work_is_the_work_of_the_boundary():
    problem, material, load, dofs = tension(network_law(2), distorted(2))
    forces, ends = [np.zeros(2)], [0.0]
    for step in Stepper(problem, [material], load).run([0.0, 0.2, 0.6, 1.0]):
        forces.append([reaction_force(problem, each) for each in (dofs - 1, dofs)])
        ends.append(step.time)
    displacement = np.outer(ends, [0.002, 0.004])
    work = np.sum(
        (np.array(forces)[1:] + np.array(forces)[:-1]) / 2 * np.diff(displacement, axis=0)
    )
    assert material.internal_work == pytest.approx(work, rel=1e-9)


def test_failed_points_are_saved(tmp_path):
    faulty = Faulty(plastic_law(2), limit=0.3)
    problem, material, load, _ = tension(faulty, distorted(2))
    stepper = Stepper(problem, [material], load, failures=tmp_path / "failures")
    list(stepper.run([0.0, 1.0]))
    names = sorted(path.name for path in (tmp_path / "failures").iterdir())
    assert names == [f"step_00001_attempt_{number}.npz" for number in (1, 2)]
    record = PointRecord.load(tmp_path / "failures" / names[0])
    assert (record.dt, record.point) == (1.0, 1)
    assert "the law failed at 1 points" in record.message


def test_without_failures_no_folder_is_made(tmp_path):
    problem, material, load, _ = tension(plastic_law(2), distorted(2))
    list(Stepper(problem, [material], load, failures=tmp_path / "failures").run([0.0, 1.0]))
    assert not (tmp_path / "failures").exists()


def test_a_run_goes_on_from_the_present_time():
    problem, material, load, _ = tension(plastic_law(2), distorted(2))
    stepper = Stepper(problem, [material], load)
    assert [step.time for step in stepper.run([0.0, 0.5])] == [0.5]
    assert list(stepper.run([0.0, 0.25, 0.5])) == []
    assert [step.time for step in stepper.run([0.0, 0.5, 1.0])] == [1.0]
    assert (stepper.time, stepper.steps) == (1.0, 2)
    with pytest.raises(ValueError, match=r"begin at 1.5, the present time is 1"):
        next(stepper.run([1.5, 2.0]))
