import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from dmn_fem.cli import app
from dmn_fem.laws import check
from dmn_fem.online import LoadPath, drive, material_law

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
IMPORTS = """
from dataclasses import dataclass
from dmn_fem.laws import Field, PhaseLaw
"""


def test_the_law_of_the_readme(tmp_path):
    (code,) = [
        block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "PhaseLaw" in block
    ]
    file = tmp_path / "readme_law.py"
    file.write_text(IMPORTS + code)
    spec = importlib.util.spec_from_file_location("readme_law", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    law = module.Maxwell(100.0, 2.0)
    assert not check(law).failures
    strain = [[0.01, 0, 0, 0, 0, 0]] * 2
    response = drive(material_law(law, 3), LoadPath.strain_driven(strain, [1e-9, 100.0]))
    assert abs(response.stress[0, 0] - 1.0) < 1e-6
    assert abs(response.stress[1, 0]) < 0.05


def test_the_coupling_takes_at_most_ten_lines():
    example = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    assert "material.attach(problem)" in example
    assert len(example.splitlines()) <= 10


LINES = sorted(
    {
        line.split("#")[0].strip()
        for line in re.findall(r"^ {4}(?:mpiexec -n \d+ )?dmn-fem (.*)", README, re.M)
    }
)


@pytest.mark.parametrize("line", LINES)
def test_the_command_line_of_the_readme_is_there(line):
    command: Any = get_command(app)
    words = line.split()
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    asked = {word for word in words if word.startswith("--")}
    assert asked <= known


def test_there_are_command_lines_in_the_readme():
    assert len(LINES) > 15
