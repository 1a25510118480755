"""What is kept of compiled code, and what happens to folders of files."""

import importlib
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from dmn_fem import _compiled

KERNEL = """
from dmn_fem._compiled import njit
from kept_code.constants import FACTOR

@njit(cache=True, error_model="numpy")
def scaled(values):
    return FACTOR * values.sum()
"""
VALUES = np.arange(4.0)


class Package:
    """A package of two modules in a folder; every call of its function is that of a new process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kept_code"
        self.folder.mkdir()
        (self.folder / "__init__.py").write_text("")
        (self.folder / "kernel.py").write_text(KERNEL)
        self.set_factor(2.0)

    def set_factor(self, factor: float) -> None:
        (self.folder / "constants.py").write_text(f"FACTOR = {factor!r}\n")

    @property
    def beside(self) -> Path:
        return self.folder / "__pycache__"

    def function(self):
        for name in [name for name in sys.modules if name.split(".")[0] == "kept_code"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        _compiled._sources_of.cache_clear()
        return importlib.import_module("kept_code.kernel").scaled

    def call(self) -> tuple[float, bool]:
        """The answer, and whether it needed the compiler."""
        function = self.function()
        answer = function(VALUES)
        return answer, bool(function.stats.cache_misses)


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    yield Package(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "kept_code"]:
        del sys.modules[name]


def test_code_is_kept_until_a_source_changes_that_it_imports(package):
    assert package.call() == (12.0, True)
    assert package.call() == (12.0, False)
    package.set_factor(3.0)
    assert package.call() == (18.0, True)
    assert package.call() == (18.0, False)
    assert len(list(package.beside.iterdir())) == 1


@pytest.mark.parametrize("damage", ["empty", "header", "half", "flipped", "nothing of the kind"])
def test_a_damaged_file_is_compiled_again_and_said_in_one_line(package, damage):
    package.call()
    (file,) = package.beside.glob("*.nbc")
    content = file.read_bytes()
    flipped = bytearray(content)
    for place in np.random.default_rng(0).integers(64, len(content), 20):
        flipped[place] ^= 0xFF
    file.write_bytes(
        {
            "empty": b"",
            "header": content[:50],
            "half": content[: len(content) // 2],
            "flipped": bytes(flipped),
            "nothing of the kind": b"x" * 500,
        }[damage]
    )
    if damage in ("half", "flipped", "header"):
        with pytest.warns(RuntimeWarning, match="is damaged; it is compiled again") as said:
            assert package.call() == (12.0, True)
        assert len(said) == 1
        assert "\n" not in str(said[0].message)
    else:
        assert package.call() == (12.0, True)
    assert package.call() == (12.0, False)


def test_without_a_folder_beside_the_sources_that_of_the_user_is_used(package, tmp_path):
    package.beside.write_text("no folder")
    assert package.call() == (12.0, True)
    assert package.call() == (12.0, False)
    assert len(list((tmp_path / "user").rglob("*.nbc"))) == 1


def test_without_any_folder_code_is_compiled_in_memory(package, tmp_path):
    package.beside.write_text("no folder")
    (tmp_path / "user").write_text("no folder")
    with pytest.warns(RuntimeWarning, match="no folder to keep compiled code in; set NUMBA_CACHE"):
        assert package.call()[0] == 12.0


def test_what_lies_beside_the_sources_is_read_from_another_folder(package, tmp_path, monkeypatch):
    package.call()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "own"))
    assert package.call() == (12.0, False)
    package.set_factor(3.0)
    assert package.call() == (18.0, True)
    assert package.call() == (18.0, False)
    assert len(list((tmp_path / "own").rglob("*.nbc"))) == 1


def test_a_folder_that_can_no_longer_be_written_costs_a_warning(package):
    function = package.function()
    package.beside.rename(package.folder / "gone")
    package.beside.write_text("no folder")
    with pytest.warns(RuntimeWarning, match="compiled code cannot be kept"):
        assert function(VALUES) == 12.0
    assert function(VALUES) == 12.0


def test_given_signatures_are_compiled_at_once_and_no_others_later():
    function = _compiled.njit(numba.float64(numba.float64), error_model="numpy")(lambda x: 2.0 * x)
    assert len(function.overloads) == 1
    with pytest.raises(TypeError, match="No matching definition"):
        function("text")
