"""What a database tells of where its networks come from."""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a network depends on."""
    packages = ("dmn-fem", "numpy", "scipy", "numba", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
