"""Checkpoints of a training: a file that is whole or refused, and the one before it."""

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import torch

from dmn_fem._files import write_atomically

_MAGIC = b"dmn-fem/checkpoint 1 "
_HEADER = len(_MAGIC) + 64 + 1  # magic, SHA-256 of what follows, line feed


class CheckpointError(ValueError):
    """A checkpoint belongs to another training."""


class CheckpointWarning(UserWarning):
    """A checkpoint is damaged, and the training goes on from an older state."""


class Checkpoint:
    """Where a training keeps its state; the file before the last stays as ``PATH.previous``."""

    def __init__(self, path: str | os.PathLike[str], training: str) -> None:
        """Name the file.

        Args:
            path: The file.
            training: Fingerprint of everything that determines the training's result.
        """
        self.path = Path(path)
        self.previous = self.path.with_name(self.path.name + ".previous")
        self.training = training

    def save(self, state: dict[str, Any]) -> None:
        """Write a state; a kill at any moment leaves this or an older one to read."""
        buffer = io.BytesIO()
        torch.save({"training": self.training, "state": state}, buffer)
        content = buffer.getvalue()
        header = _MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and _is_whole(self.path.read_bytes()):
            os.replace(self.path, self.previous)  # a damaged one is no state to fall back to
        write_atomically(self.path, header + content)

    def load(self) -> dict[str, Any] | None:
        """The latest whole state, None if there is none.

        Raises:
            CheckpointError: If the file belongs to another training.

        Warns:
            CheckpointWarning: If a file is damaged; the message says from where training goes on.
        """
        for path, fallback in (
            (self.path, "the checkpoint before it"),
            (self.previous, "the start"),
        ):
            if not path.exists():
                continue
            content = path.read_bytes()
            if not _is_whole(content):
                warnings.warn(
                    f"{path}: damaged or no checkpoint; training goes on from {fallback}",
                    CheckpointWarning,
                    stacklevel=2,
                )
                continue
            stored = torch.load(io.BytesIO(content[_HEADER:]), weights_only=True)
            if stored["training"] != self.training:
                raise CheckpointError(
                    f"{path}: checkpoint of another training (other samples, start or settings); "
                    f"delete it or name another file"
                )
            return stored["state"]
        return None


def _is_whole(content: bytes) -> bool:
    digest = hashlib.sha256(content[_HEADER:]).hexdigest()
    return content[:_HEADER] == _MAGIC + digest.encode() + b"\n"
