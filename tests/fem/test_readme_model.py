"""What the README says of a model is run, or at least bound to what there is."""

import ast
import inspect
import re
import shutil
from pathlib import Path

import pytest
import ufl
from fem_models import distorted

import dmn_fem.bridges
import dmn_fem.database
import dmn_fem.fem
import dmn_fem.laws
import dmn_fem.laws.arithmetic
import dmn_fem.network
import dmn_fem.online
import dmn_fem.plotting
from dmn_fem.database import Database
from dmn_fem.fem import MaterialField, mandel_strain
from dmn_fem.laws import read_phases
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

# isort: split
import numpy as np
from dolfinx import fem
from dolfinx.fem.petsc import NonlinearProblem

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_coupling_of_the_readme_runs(tmp_path, monkeypatch):
    code = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    shutil.copy(ROOT / "solvers" / "phases.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    domain = distorted(2)
    V = fem.functionspace(domain, ("Lagrange", 1, (2,)))
    u, v = fem.Function(V), ufl.TestFunction(V)
    held = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[1], 0))
    pull = fem.Constant(domain, (0.0, 0.01))
    names = {
        "Database": Database,
        "MaterialField": MaterialField,
        "NetworkLaw": NetworkLaw,
        "NonlinearProblem": NonlinearProblem,
        "bcs": [fem.dirichletbc(np.zeros(2), held, V)],
        "load": ufl.dot(pull, v) * ufl.ds,
        "mandel_strain": mandel_strain,
        "read_phases": read_phases,
        "u": u,
        "ufl": ufl,
        "v": v,
    }
    exec(code, names)
    names["problem"].solve()
    assert names["problem"].solver.getConvergedReason() > 0
    assert u.x.array.max() > 0


ROOMS = (
    dmn_fem.bridges,
    dmn_fem.database,
    dmn_fem.fem,
    dmn_fem.laws,
    dmn_fem.laws.arithmetic,
    dmn_fem.network,
    dmn_fem.online,
    dmn_fem.plotting,
)
KNOWN = {name: value for room in ROOMS for name, value in vars(room).items() if name[0] != "_"}
KNOWN |= {"NonlinearProblem": NonlinearProblem, "print": print, "Maxwell": None}
OBJECTS = {"database": Database, "network": Network, "bundle": Network, "material": MaterialField}


def pieces():
    """What stands in the README between backticks and is Python."""
    text = re.sub(r"```.*?```", "", README, flags=re.S)
    for piece in re.findall(r"`([^`]+)`", text):
        try:
            yield piece, ast.parse(" ".join(piece.replace("…", "...").split()))
        except SyntaxError:
            continue


def called(function):
    """What a call in the README calls; None of what it does not tell."""
    if isinstance(function, ast.Name):
        return KNOWN[function.id]
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return getattr(OBJECTS[function.value.id], function.attr)
    return None


CALLS = [
    pytest.param(node, id=ast.unparse(node))
    for _, tree in pieces()
    for node in ast.walk(tree)
    if isinstance(node, ast.Call) and called(node.func) is not None
]


def test_there_are_calls_in_the_readme():
    assert len(CALLS) >= 10


@pytest.mark.parametrize("call", CALLS)
def test_calls_of_the_readme_have_arguments_that_there_are(call):
    parameters = inspect.signature(called(call.func)).parameters.values()
    if not any(each.kind is each.VAR_KEYWORD for each in parameters):
        assert {each.arg for each in call.keywords} <= {each.name for each in parameters}


def test_names_of_the_readme_are_there():
    names = {
        piece
        for piece, tree in pieces()
        if re.fullmatch(r"[A-Z][a-z]\w+[A-Z]\w+|[a-z]+(_[a-z]+)+", piece)
        and isinstance(tree.body[0], ast.Expr)
    }
    databases = {path.stem for path in (ROOT / "databases").glob("*.toml")}
    folders = {path.name for path in ROOT.iterdir()}
    assert len(names) >= 8
    assert names - databases - folders <= set(KNOWN), names - databases - folders - set(KNOWN)
