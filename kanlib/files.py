"""Writing a file so that a crash leaves either the old one or the new one, never half of one."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from .errors import StorageError


def write_atomically(path: str | os.PathLike[str], data: bytes | str) -> Path:
    """Write `data` to a temporary file in the folder of `path`, flush it to disk, then rename it to `path`.

    A link is followed, an existing file keeps its permissions, text is written as UTF-8.

    Parameters
    ----------
    path : path-like
        Where to write. The folder must exist.
    data : bytes or str

    Returns
    -------
    pathlib.Path
        `path`, as a Path.

    Raises
    ------
    StorageError
        If `path` is a folder, or its folder is missing or cannot be written. An old file stays unchanged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(f"{folder}/answer.txt", "42").read_text()
    '42'
    """
    path = Path(path)
    check_writable(path)
    target = path.resolve()
    try:
        temporary = target.parent / f".{target.name[:100]}.{secrets.token_hex(8)}.part"
        try:
            with open(temporary, "xb") as file:
                file.write(data.encode("utf-8") if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, temporary)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(
            f"{path} was not written ({reason}); an older file is unchanged. Choose another folder."
        ) from error
    return path


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise StorageError when a file cannot be written at `path`, before any work is spent on its content."""
    path = Path(path)
    target = path.resolve()
    folder = path.parent
    if target.is_dir():
        raise StorageError(f"{path} is a folder; expected the path of a file. Add a file name to it.")
    if not target.parent.is_dir():
        raise StorageError(f"{path} cannot be written: there is no folder {folder}. Create it first.")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise StorageError(f"{path} cannot be written: no permission in {folder}. Choose another folder.")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
