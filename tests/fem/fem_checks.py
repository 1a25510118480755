"""Checks that hold on any number of ranks: called by tests, and by mpiexec as a script."""

import sys

import numpy as np
from fem_models import (
    GRADIENT,
    Faulty,
    Sabotaged,
    distorted,
    model,
    network_law,
    plastic_law,
    tension,
)

from dmn_fem.fem import StepFailed, Stepper, reaction_force
from dmn_fem.laws import Code, replay
from dmn_fem.notation import to_mandel

# isort: split
from mpi4py import MPI


def patch(dimension):
    """Homogeneous strain: every point answers as the law does at one point, on any path."""
    law = network_law(dimension)
    problem, material, load = model(law, distorted(dimension, 3 if dimension == 2 else 2))
    owned = material.mesh.topology.index_map(dimension).size_local
    assert material.state.points == owned * (3 if dimension == 2 else 4)  # no ghost is evaluated

    gradient = np.zeros((3, 3))
    gradient[:dimension, :dimension] = GRADIENT[:dimension, :dimension]
    strain = to_mandel((gradient + gradient.T) / 2, dimension)[None]
    state, stress = law.allocate(1), np.zeros((1, law.strain_size))
    for step in Stepper(problem, [material], load).run([0.0, 0.5, 1.0]):
        law.integrate(step.time * strain, state, stress)
        state.accept()
        values = material.stress.x.array.reshape(-1, law.strain_size)[: material.state.points]
        error = np.abs(values - stress).max(initial=0.0) / np.abs(stress).max()
        assert error < 1e-10, error


def cutback():
    """A point that fails on the last rank shortens the step of all; the result is untouched."""
    last = MPI.COMM_WORLD.size - 1
    faulty = Faulty(plastic_law(2), limit=0.3, rank=last)
    problem, material, load, dofs = tension(faulty, distorted(2))
    steps = list(Stepper(problem, [material], load, growth=1.0).run([0.0, 1.0]))
    assert MPI.COMM_WORLD.allreduce(faulty.failures) == 2
    assert [(step.time, step.cutbacks) for step in steps] == [
        (0.25, 2),
        (0.5, 0),
        (0.75, 0),
        (1.0, 0),
    ]

    healthy, healthy_material, healthy_load, _ = tension(plastic_law(2), distorted(2))
    times = [0.0, *(step.time for step in steps)]
    list(Stepper(healthy, [healthy_material], healthy_load).run(times))
    np.testing.assert_allclose(problem.u.x.array, healthy.u.x.array, atol=1e-13)
    np.testing.assert_allclose(material.state.old, healthy_material.state.old, atol=1e-12)
    forces = reaction_force(problem, dofs), reaction_force(healthy, dofs)
    np.testing.assert_allclose(*forces, rtol=1e-12)


def surrender():
    """Too many cutbacks: all ranks raise the same, and are where they were."""
    last = MPI.COMM_WORLD.size - 1
    faulty = Faulty(plastic_law(2), limit=1e30, rank=last)
    problem, material, load, _ = tension(faulty, distorted(2))
    calls = []

    def recorded(time):
        calls.append(time)
        load(time)

    stepper = Stepper(problem, [material], recorded, max_cutbacks=3)
    list(stepper.run([0.0, 0.25, 0.5]))
    before = problem.u.x.array.copy(), material.state.old.copy(), material.stress.x.array.copy()
    faulty.limit = 0.0
    try:
        list(stepper.run([0.5, 1.0]))
    except StepFailed as error:
        message, record = str(error), error.record
    else:
        raise AssertionError("the steps must fail")
    assert "after 3 cutbacks" in message
    assert f"rank {last}, cell" in message
    assert "point 1 at [" in message
    # The record is on every rank, and alone it answers as in the model.
    owner = MPI.COMM_WORLD.bcast(before[1] if faulty.faulty else None, root=last)
    assert record.point == 1
    assert record.message in message
    alone = plastic_law(2).allocate(1)
    alone.load({name: values[None] for name, values in record.state.items()})
    np.testing.assert_array_equal(alone.old[0, :, 0], owner[0, :, 1])
    (attempt,) = replay(plastic_law(2), record)
    assert attempt.code == Code.CONVERGED
    if faulty.faulty:
        np.testing.assert_array_equal(material.positions(material.cells[:1])[0, 1], record.position)
    assert len(set(MPI.COMM_WORLD.allgather(message))) == 1
    assert calls[-1] == 0.5
    owned = material.state.points * 4
    np.testing.assert_array_equal(problem.u.x.array, before[0])
    np.testing.assert_array_equal(material.state.old, before[1])
    np.testing.assert_array_equal(material.state.new, before[1])
    np.testing.assert_array_equal(material.stress.x.array[:owned], before[2][:owned])

    # And from there it goes on as if nothing had happened.
    faulty.limit = 1e30
    list(stepper.run([0.5, 1.0]))
    healthy, healthy_material, healthy_load, _ = tension(plastic_law(2), distorted(2))
    stepper = Stepper(healthy, [healthy_material], healthy_load)
    list(stepper.run([0.0, 0.25, 0.5]))
    list(stepper.run([0.5, 1.0]))
    np.testing.assert_allclose(problem.u.x.array, healthy.u.x.array, atol=1e-13)


def sabotage(faults, times=(0.0, 0.3, 1.0)):
    """Whatever fails wherever on the way, the end is that of the same steps without failures."""
    law = Sabotaged(network_law(2), faults)
    problem, material, load, _ = tension(law, distorted(2, 3))

    def counted(time):
        law.attempt, law.call = law.attempt + 1, 0
        load(time)

    stepper = Stepper(problem, [material], counted, max_cutbacks=len(faults))
    steps = list(stepper.run(times))
    ends = [step.time for step in steps]
    assert [step.time for step in steps if step.requested] == list(times[1:])
    assert sum(step.cutbacks for step in steps) == MPI.COMM_WORLD.allreduce(law.fired)

    healthy, healthy_material, healthy_load, _ = tension(network_law(2), distorted(2, 3))
    list(Stepper(healthy, [healthy_material], healthy_load).run([0.0, *ends]))
    np.testing.assert_allclose(problem.u.x.array, healthy.u.x.array, atol=1e-12)
    for name, values in material.state.export().items():
        expected = healthy_material.state[name]
        np.testing.assert_allclose(values, expected, atol=1e-8 * np.abs(expected).max(initial=1))
    work = healthy_material.internal_work
    np.testing.assert_allclose(material.internal_work, work, rtol=1e-9)
    return law.fired


def random_sabotage():
    """The same at random on every rank."""
    rng = np.random.default_rng(5)
    size, fired = MPI.COMM_WORLD.size, 0
    for _ in range(5):
        attempts = rng.choice(8, size=3, replace=False)
        fired += sabotage(
            {
                int(attempt): (int(rng.integers(size)), int(rng.integers(3)), int(rng.integers(99)))
                for attempt in attempts
            }
        )
    assert MPI.COMM_WORLD.allreduce(fired) > 3


def reaction():
    """Force of an inhomogeneous plastic run, written with all digits."""
    problem, material, load, dofs = tension(network_law(2), distorted(2))
    list(Stepper(problem, [material], load).run([0.0, 0.5, 1.0]))
    force = reaction_force(problem, dofs)
    assert len(set(MPI.COMM_WORLD.allgather(force))) == 1
    if MPI.COMM_WORLD.rank == 0:
        print(f"force {force!r}")
    return force


if __name__ == "__main__":
    CHECKS = {
        "patch": lambda: [patch(2), patch(3)],
        "cutback": cutback,
        "sabotage": random_sabotage,
        "surrender": surrender,
        "reaction": reaction,
    }
    CHECKS[sys.argv[1]]()
