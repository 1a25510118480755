import numpy as np
import pytest
from fem_models import distorted, plastic_law, tension

from dmn_fem.fem import Programme, Stepper

CYCLE = Programme([0.0, 1.0, 3.0, 4.0], {"pull": [0.0, 2.0, -2.0, 0.0], "hold": [1.0] * 4})


def test_amplitudes_are_straight_between_rows():
    assert [CYCLE("pull", time) for time in (0.0, 0.5, 1.0, 2.0, 4.0)] == [0, 1, 2, 0, 0]
    assert CYCLE("hold", 2.2) == 1.0


def test_times_hit_every_row():
    assert CYCLE.times() == [0.0, 1.0, 3.0, 4.0]
    assert CYCLE.times(2) == [0.0, 0.5, 1.0, 2.0, 3.0, 3.5, 4.0]


def test_cycles_repeat_the_table_from_a_row():
    ramped = Programme([0.0, 1.0, 2.0, 3.0], {"pull": [0.0, 1.0, -1.0, 1.0]}).repeated(3, start=1)
    assert ramped.time.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert ramped.amplitudes["pull"].tolist() == [0, 1, -1, 1, -1, 1, -1, 1]


def test_a_table_in_a_file(tmp_path):
    (tmp_path / "cycle.csv").write_text("pull, time\n0,0\n1,0.5\n0,1\n")
    programme = Programme.read(tmp_path / "cycle.csv")
    assert programme.times() == [0.0, 0.5, 1.0]
    assert programme("pull", 0.25) == 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "header must name time"),
        ("pull\n1\n", "header must name time"),
        ("time,pull,pull\n0,1,2\n", "every amplitude once"),
        ("time,pull\n0,1\n", "two rows at least"),
        ("time\n0\n1\n", "an amplitude beside"),
        ("time,pull\n0,1\n1\n", "row 2 has 1 entries, not 2"),
        ("time,pull\n0,1\n0,2\n", "row 2: time 0 must be after"),
        ("time,pull\n0,1\n1,nan\n", "row 2: pull is nan"),
        ("time,pull\n0,1\n1,much\n", "could not convert"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path, content, message):
    (tmp_path / "wrong.csv").write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        Programme.read(tmp_path / "wrong.csv")
    assert "wrong.csv: " in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CYCLE("push", 1.0), "no amplitude 'push'; there are pull, hold"),
        (lambda: CYCLE("pull", 4.1), "time 4.1 is outside of the programme, 0 to 4"),
        (lambda: CYCLE.repeated(2, start=1), "pull begins a cycle at 2 and ends it at 0"),
        (lambda: CYCLE.repeated(0), "got 0 cycles"),
        (lambda: CYCLE.repeated(2, start=3), "from a row of 0 to 2"),
    ],
)
def test_what_a_programme_does_not_know(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_cyclic_run_closes_its_loop():
    problem, material, load, _ = tension(plastic_law(2), distorted(2, 2))
    programme = CYCLE.repeated(3)
    stepper = Stepper(problem, [material], lambda time: load(programme("pull", time)))
    steps = list(stepper.run(programme.times(2)))
    assert [step.time for step in steps if step.requested] == programme.times(2)[1:]
    assert programme("pull", stepper.time) == 0.0
    # Linear isotropic hardening: every cycle hardens, so plastic strain accumulates for ever.
    assert material.state["matrix.equivalent_plastic_strain"].min() > 0
    assert np.isfinite(material.internal_work)
    assert material.internal_work > 0
