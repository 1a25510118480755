"""Checks that hold on any number of ranks: called by tests, and by mpiexec as a script."""

import json
import sys
from pathlib import Path

import numpy as np
from fem_models import (
    GRADIENT,
    Faulty,
    Sabotaged,
    distorted,
    elastic_law,
    model,
    network_law,
    plastic_law,
    tension,
    two_materials,
)

from dmn_fem.fem import StepFailed, Stepper, load_checkpoint, reaction_force, save_checkpoint
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
    problem, material, load, _ = tension(law, distorted(2, 2))

    def counted(time):
        law.attempt, law.call = law.attempt + 1, 0
        load(time)

    stepper = Stepper(problem, [material], counted, max_cutbacks=len(faults))
    steps = list(stepper.run(times))
    ends = [step.time for step in steps]
    assert [step.time for step in steps if step.requested] == list(times[1:])
    assert sum(step.cutbacks for step in steps) == MPI.COMM_WORLD.allreduce(law.fired)

    healthy, healthy_material, healthy_load, _ = tension(network_law(2), distorted(2, 2))
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
    for _ in range(3):
        attempts = rng.choice(8, size=3, replace=False)
        fired += sabotage(
            {
                int(attempt): (int(rng.integers(size)), int(rng.integers(3)), int(rng.integers(99)))
                for attempt in attempts
            }
        )
    assert MPI.COMM_WORLD.allreduce(fired) >= 3


TIMES = [0.0, 0.4, 1.0]


def resumable(left=None, cells=4):
    """A run with a step size of its own."""
    law = network_law(2) if left is None else left
    problem, fields, load = two_materials(law, plastic_law(2), distorted(2, cells))
    return Stepper(problem, fields, load, dt=0.15)


def numbers(path):
    """All numbers of a checkpoint: those of the header, and the arrays."""
    content = Path(path).read_bytes()
    header, _, rest = content.partition(b"\n")
    about = json.loads(header)
    work, stepper = about["internal_work"], about["stepper"]
    return np.array([*work, stepper["time"], stepper["steps"]]), np.frombuffer(rest)


def restart(folder):
    """From where a run on any number of ranks was, another goes on to the same end."""
    comm = MPI.COMM_WORLD
    stepper = resumable()
    half, whole = (Path(folder) / f"{name}_{comm.size}" for name in ("half", "whole"))
    for step in stepper.run(TIMES):
        if stepper.steps == 2:
            assert not step.requested
            save_checkpoint(half, stepper, {"word": "two"})
    save_checkpoint(whole, stepper)
    comm.barrier()
    for start in sorted(Path(folder).glob("half_*")):
        stepper, again = resumable(), Path(folder) / "again"
        assert load_checkpoint(start, stepper) == {"word": "two"}
        assert stepper.steps == 2
        for _ in stepper.run(TIMES):
            pass
        save_checkpoint(again, stepper)
        # From three ranks on PETSc adds what ranks send in the order of arrival.
        if comm.rank == 0 and start == half and comm.size < 3:
            assert again.read_bytes() == whole.read_bytes()  # every bit
        elif comm.rank == 0:
            for one, other in zip(numbers(again), numbers(whole), strict=True):
                np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)
        comm.barrier()


def refuse(folder):
    """A wrong file is refused with the same line on all ranks, and nothing is changed."""
    comm = MPI.COMM_WORLD
    content = (Path(folder) / "half_1").read_bytes()
    wrong = Path(folder) / "wrong"
    cases = [
        (resumable(), b"anything", "is no checkpoint of dmn-fem"),
        (resumable(), content[:-8], f"has {len(content) - 8} bytes, it should have {len(content)}"),
        (resumable(), content[:200] + b"\n", "has a damaged header"),
        (resumable(cells=3), content, "unknown 0: cells is 32, here it is 18"),
        (resumable(elastic_law(2)), content, "field 0: state is"),
        (resumable(network_law(2, modulus=501.0)), content, "the law of field 0 answered"),
    ]
    moved = resumable()
    moved.problem.u.function_space.mesh.geometry.x[:, 0] *= 1.001
    cases.append((moved, content, "is of another mesh: its cell"))
    for stepper, given, message in cases:
        if comm.rank == 0:
            wrong.write_bytes(given)
        comm.barrier()
        try:
            load_checkpoint(wrong, stepper)
        except ValueError as error:
            lines = comm.allgather(str(error))
        else:
            raise AssertionError(f"{message}: was not refused")
        assert message in lines[0], lines[0]
        assert len(set(lines)) == 1
        assert "\n" not in lines[0]
        assert stepper.time is None
        assert not stepper.problem.u.x.array.any()
        comm.barrier()


def resume(path):
    """A run that saves every step, from where it was killed if it was."""
    stepper = resumable(cells=3)
    if Path(path).exists():
        load_checkpoint(path, stepper)
    for step in stepper.run(np.linspace(0.0, 1.0, 11)):
        save_checkpoint(path, stepper)
        print(step.time, flush=True)


def reaction():
    """Force of an inhomogeneous plastic run."""
    problem, material, load, dofs = tension(network_law(2), distorted(2))
    list(Stepper(problem, [material], load).run([0.0, 0.5, 1.0]))
    force = reaction_force(problem, dofs)
    assert len(set(MPI.COMM_WORLD.allgather(force))) == 1
    return force


def everything():
    """All that needs no file, told of when it is done: ranks take longer to start than to check."""
    checks = {
        "patch_2d": lambda: patch(2),
        "patch_3d": lambda: patch(3),
        "cutback": cutback,
        "surrender": surrender,
        "sabotage": random_sabotage,
        "reaction": reaction,
    }
    for name, check in checks.items():
        found = check()
        if MPI.COMM_WORLD.rank == 0:
            print(name, found, flush=True)


if __name__ == "__main__":
    CHECKS = {
        "everything": everything,
        "refuse": lambda: refuse(sys.argv[2]),
        "restart": lambda: restart(sys.argv[2]),
        "resume": lambda: resume(sys.argv[2]),
    }
    for name in sys.argv[1].split(","):
        CHECKS[name]()
