import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("stub", "message"),
    [
        ("raise ImportError('no such library')", r"needs DOLFINx 0.10 or 0.11 (no such library)"),
        ("__version__ = '0.9.0'", "needs DOLFINx 0.10 or 0.11, the installed one is 0.9.0"),
    ],
)
def test_another_or_no_dolfinx_is_one_clear_line(tmp_path, stub, message):
    (tmp_path / "dolfinx.py").write_text(stub)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import dmn_fem.fem"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert message in done.stderr.strip().splitlines()[-1]


def test_what_few_models_need_is_loaded_when_it_is_needed():
    """Matplotlib, SciPy and PyVista take longer to load than all the rest, on every rank."""
    program = (
        "import sys, dmn_fem.fem, dmn_fem.database, dmn_fem.online\n"
        "print(*sorted({'matplotlib', 'scipy.linalg', 'pyvista'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
