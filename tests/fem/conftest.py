import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def mpiexec():
    """Runs a script on some ranks; a failure on one of them ends all, and the test."""

    def run(script, *arguments, ranks=2):
        here = Path(__file__).parent
        launcher = Path(sys.executable).with_name("mpiexec")
        command = [
            launcher,
            "-n",
            str(ranks),
            sys.executable,
            "-m",
            "mpi4py",
            here / script,
            *arguments,
        ]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
