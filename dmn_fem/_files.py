"""Files that are whole or not there."""

import errno
import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that readers, even after a kill at any moment, see old or new.

    Raises:
        OSError: If it cannot be written, as on a full disk; what was there stays.
    """
    path = Path(path)
    if path.is_symlink():
        path = path.resolve()  # a link stays one: the file that it points to is replaced
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is there and no regular file", str(path))
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
