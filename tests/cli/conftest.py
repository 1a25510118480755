import pytest

from dmn_fem.cli import main

PHASES = """
[matrix]
law = "j2_plasticity"
young_modulus = 100.0
poisson_ratio = 0.3
yield_stress = 0.1
hardening = { type = "linear", modulus = 5.0 }
[inclusion]
law = "linear_elastic"
young_modulus = 500.0
poisson_ratio = 0.19
"""


@pytest.fixture
def entered(tmp_path, monkeypatch):
    """An empty folder but for phases.toml, entered."""
    (tmp_path / "phases.toml").write_text(PHASES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(capsys):
    """Call the command line; gives exit status, standard output and standard error."""

    def run(line):
        with pytest.raises(SystemExit) as end:
            main(line.split())
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run
