import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

HERE = Path(__file__).parent
SOLVERS = HERE.parents[1] / "solvers"


def launch(ranks, *command):
    """A program of Python on some ranks, to its end."""
    launcher = Path(sys.executable).with_name("mpiexec")
    whole = [launcher, "-n", ranks, sys.executable, *command]
    return subprocess.run(
        list(map(str, whole)), capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def mpiexec():
    """Runs a script on some ranks; a failure on one of them ends all, and the test."""

    def run(script, *arguments, ranks=2):
        done = launch(ranks, "-m", "mpi4py", HERE / script, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def on_two_ranks():
    """What two ranks have found in a check of `fem_checks`; behind one that fails all fail."""
    done = launch(2, "-m", "mpi4py", HERE / "fem_checks.py", "everything")
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())

    def passed(check):
        assert check in found, done.stdout + done.stderr
        return found[check]

    return passed


@pytest.fixture
def solve():
    """Runs a solver; gives exit status, standard output and standard error.

    On one rank it is called here: a process of its own would first load DOLFINx again.
    """

    def run(name, output, *arguments, ranks=1):
        script = SOLVERS / f"{name}.py"
        arguments = ["--output", output, *arguments]
        if ranks > 1:
            done = launch(ranks, script, *arguments)
            return done.returncode, done.stdout, done.stderr
        specification = spec_from_file_location(name, script)
        module = module_from_spec(specification)
        specification.loader.exec_module(module)
        app = typer.Typer()
        app.command()(module.main)
        done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
        return done.exit_code, done.stdout, done.stderr

    return run
