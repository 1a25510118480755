"""Numba's ``njit`` with a cache that survives what happens to folders of files.

Numba keeps machine code beside the sources, or in the user's cache folder where it may not write
there. What it does not do, this does:

- A damaged file is compiled again. Numba's own cache ends in a traceback, or runs what it finds.
- Code is compiled again when any source of the package changes that its module imports, directly or
  not. Numba looks at the module alone, and code that others generate would stay what it was.
- Where nothing can be written, or a disk is full, compiling goes on in memory.
- What lies beside the sources is read also by those who may not write there.
- Every signature has a file of its own, so that processes that compile at once lose nothing.

Where Numba keeps it all is decided by Numba, see ``NUMBA_CACHE_DIR`` in its manual.
"""

import hashlib
import pickle
import re
import sys
import warnings
from collections.abc import Callable
from functools import cache as once
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, NullCache
from numba.core.serialize import dumps

from dmn_fem._files import write_atomically

_DIGEST = hashlib.sha256().digest_size


def njit(*signatures: Any, cache: bool = False, **options: Any) -> Callable[[Any], Any]:
    """Compile a function as `numba.njit` does, for given signatures at once.

    Args:
        *signatures: Of which machine code is wanted now; any others are refused later. Without
            them calls decide.
        cache: Whether to keep the machine code.
        **options: Those of `numba.njit`.
    """

    def compile_it(function: Any) -> Any:
        dispatcher = numba.njit(**options)(function)
        if cache:
            dispatcher._cache = _cache_of(function)
        for signature in signatures:
            dispatcher.compile(signature)
        if signatures:
            dispatcher.disable_compile()
        return dispatcher

    return compile_it


def _cache_of(function: Any) -> NullCache | FunctionCache:
    try:
        return _Cache(function)
    except RuntimeError:  # Numba finds no folder where it may write
        return _Nowhere()


class _Cache(FunctionCache):
    """Numba's cache of a function, with other files."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        stamp = repr(self._impl.locator.get_source_stamp())
        self._cache_file = _Files(function, Path(self._cache_path), stamp)

    def save_overload(self, signature: Any, code: Any) -> None:
        try:
            super().save_overload(signature, code)
        except OSError as error:
            _warn(f"{self._cache_path}: compiled code cannot be kept: {error.strerror}")


class _Nowhere(NullCache):
    """What says once that nothing is kept."""

    def save_overload(self, signature: Any, code: Any) -> None:
        _warn("there is no folder to keep compiled code in; set NUMBA_CACHE_DIR to one")


class _Files:
    """The compiled signatures of a function, a file each: two digests, and what Numba keeps.

    Args:
        function: The function.
        folder: Where its files are written.
        stamp: What Numba knows its source by.
    """

    def __init__(self, function: Any, folder: Path, stamp: str) -> None:
        self._name, self._module = function.__qualname__, function.__module__
        self._source = Path(function.__code__.co_filename)
        self._folder, self._stamp = folder, stamp

    def _place(self, key: Any) -> tuple[str, bytes]:
        """Name of the file of a signature, and digest of all that the code in it is made of."""
        signature, machine, function = key
        name = re.sub(r"\W", "_", f"{self._module}.{self._name}")
        which = hashlib.sha256(repr((signature, machine)).encode()).hexdigest()[:24]
        sources = _sources_of(self._module, self._source)
        made_of = f"{numba.__version__} {self._stamp} {function} {sources}"
        return f"{name}.{which}.nbc", hashlib.sha256(made_of.encode()).digest()

    def load(self, key: Any) -> Any:
        """What was kept for a signature, None if there is nothing fit for use."""
        name, made_of = self._place(key)
        beside = self._source.parent / "__pycache__"
        for folder in dict.fromkeys((self._folder, beside)):
            try:
                content = (folder / name).read_bytes()
            except OSError:
                continue
            if content[:_DIGEST] != made_of:
                continue
            data = content[2 * _DIGEST :]
            if content[_DIGEST : 2 * _DIGEST] == hashlib.sha256(data).digest():
                return pickle.loads(data)
            _warn(f"{folder / name} is damaged; it is compiled again")
        return None

    def save(self, key: Any, code: Any) -> None:
        """Keep a signature; readers see the whole file or none."""
        name, made_of = self._place(key)
        data = dumps(code)
        write_atomically(self._folder / name, made_of + hashlib.sha256(data).digest() + data)


@once
def _sources_of(module: str, file: Path) -> str:
    """Digest of the source of a module and of all that it imports from its own package."""
    found, waiting = {module: file}, [module]
    while waiting:
        path = found[name := waiting.pop()]
        source = path.read_text(encoding="utf-8") if path.is_file() else ""
        for other in _imports(source, name.partition(".")[0]) - set(found):
            found[other] = Path(sys.modules[other].__file__ or "")
            waiting.append(other)
    digest = hashlib.sha256()
    for name, path in sorted(found.items()):
        digest.update(name.encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def _imports(source: str, package: str) -> set[str]:
    """The modules of a package in ``from … import`` at the beginning of lines."""
    names: set[str] = set()
    pattern = rf"^from ({package}(?:\.\w+)*) import (.*)"
    for origin, members in re.findall(pattern, source, re.MULTILINE):
        listed = {f"{origin}.{member.strip()}" for member in members.split(",")}
        names |= listed if listed <= set(sys.modules) else {origin}
    return names & set(sys.modules) - {__name__}


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)
