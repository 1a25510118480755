import signal
import subprocess
import sys
from pathlib import Path

import fem_checks
import numpy as np
import pytest
import ufl
from fem_checks import resumable
from fem_models import PETSC, distorted, network_law

from dmn_fem.fem import MaterialField, Stepper, load_checkpoint, mandel_strain, save_checkpoint

# isort: split
from dolfinx import fem
from dolfinx.fem.petsc import NonlinearProblem


def test_any_number_of_ranks_goes_on_where_any_other_was(tmp_path, mpiexec):
    """Two ranks also refuse a wrong file, with the same line."""
    fem_checks.restart(tmp_path)
    mpiexec("fem_checks.py", "restart,refuse", tmp_path)
    mpiexec("fem_checks.py", "restart", tmp_path, ranks=3)
    fem_checks.restart(tmp_path)  # now also from two and three ranks


def test_a_wrong_file_is_refused(tmp_path):
    stepper = resumable()
    list(stepper.run([0.0, 0.4]))
    save_checkpoint(tmp_path / "half_1", stepper)
    fem_checks.refuse(tmp_path)


def test_a_run_that_is_killed_loses_one_step_at_most(tmp_path):
    script = Path(fem_checks.__file__)

    def start(path):
        command = [sys.executable, script, "resume", path]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    path, done = tmp_path / "killed", [0.0]
    for kills in (3, 100):  # killed after so many steps, in the middle of what comes next
        process = start(path)
        for count, line in enumerate(process.stdout, start=1):
            done.append(float(line))
            if count == kills:
                process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert process.returncode == 0
    # What is told of is saved and not done again; one step may be saved and not told of.
    assert done[-1] == 1.0
    assert np.diff(done).min() > 0
    assert np.diff(done).max() < 0.25
    fem_checks.resume(tmp_path / "whole")
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_strain_out_of_the_plane_that_a_constant_tells_is_found_again(tmp_path):
    def body():
        domain = distorted(2, 3)
        V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
        u, v = fem.Function(V), ufl.TestFunction(V)
        axial = fem.Constant(domain, 0.0)
        field = MaterialField(network_law(2), mandel_strain(u, out_of_plane=axial))
        F = ufl.dot(field.stress, mandel_strain(v)) * field.dx
        held = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 0))
        problem = NonlinearProblem(
            F,
            u,
            J=field.jacobian(F, u),
            bcs=[fem.dirichletbc(np.zeros(2), held, V)],
            petsc_options_prefix="axial_",
            petsc_options=PETSC,
        )
        field.attach(problem)

        def load(time):
            axial.value = 0.004 * time

        return Stepper(problem, [field], load)

    times, path = [0.0, 0.3, 0.6, 1.0], tmp_path / "run"
    whole, again = body(), body()
    for step in whole.run(times):
        if step.time == 0.6:
            save_checkpoint(path, whole)
    load_checkpoint(path, again)
    list(again.run(times))
    assert whole.fields[0].state["matrix.equivalent_plastic_strain"].max() > 1e-3
    assert again.fields[0].internal_work == whole.fields[0].internal_work > 0
    np.testing.assert_array_equal(again.problem.u.x.array, whole.problem.u.x.array)
    np.testing.assert_array_equal(again.fields[0].state.old, whole.fields[0].state.old)


def test_the_file_before_is_kept(tmp_path):
    stepper, path = resumable(cells=2), tmp_path / "run"
    with pytest.raises(ValueError, match="run: nothing to write, no step was accepted yet"):
        save_checkpoint(path, stepper)
    for _ in stepper.run([0.0, 0.1, 0.2]):
        save_checkpoint(path, stepper)
    assert {each.name for each in tmp_path.iterdir()} == {"run", "run.previous"}
    other = resumable(cells=2)
    load_checkpoint(tmp_path / "run.previous", other)
    assert other.time == 0.1
    assert stepper.time == 0.2


def test_a_folder_that_is_missing_is_named(tmp_path):
    stepper = resumable(cells=2)
    list(stepper.run([0.0, 0.1]))
    with pytest.raises(OSError, match="missing"):
        save_checkpoint(tmp_path / "missing" / "run", stepper)
    with pytest.raises(FileNotFoundError, match="missing"):
        load_checkpoint(tmp_path / "missing" / "run", stepper)


def test_a_note_that_is_none_for_json_is_refused(tmp_path):
    stepper = resumable(cells=2)
    list(stepper.run([0.0, 0.1]))
    with pytest.raises(ValueError, match=r"run: the note cannot be written as JSON: .*ndarray"):
        save_checkpoint(tmp_path / "run", stepper, {"places": np.zeros(2)})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "message"),
    [("", "has version None"), (', "format_version": 2, "bytes": 0', "lacks model, stepper")],
)
def test_a_header_without_its_parts_is_refused(tmp_path, more, message):
    (tmp_path / "run").write_text(f'{{"format": "dmn-fem/checkpoint"{more}}}\n')
    with pytest.raises(ValueError, match=f"run: .*{message}"):
        load_checkpoint(tmp_path / "run", resumable(cells=2))
