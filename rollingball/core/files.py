"""Files that are written whole or not at all, folders that can be written, and the head of a file with its format."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rollingball.core.errors import FileError, InputError

try:
    import fcntl
except ImportError:  # not on Windows, which deletes no file that a program has open
    fcntl = None  # type: ignore[assignment]


def checked_path(path: Any, field: str = "path", allowed: str = "the path of a file") -> Path:
    """``path`` as a Path.

    Raises:
        InputError: for what is no path, and for an empty one, which would be the folder that is current.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(name := os.fspath(path), str) or not name:
        raise InputError(field, path, allowed)
    return Path(name)


def beside(path: Path) -> Path:
    """A new temporary name in the folder of ``path``, for content that is renamed to ``path`` when it is complete.

    Temporary files and folders that an ended process has left for this ``path`` are deleted first. A running process
    holds a lock on its temporary file, and the system takes that lock away when the process ends, however it ends.
    """
    leftover = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{12}")
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            if leftover.fullmatch(name):
                _delete_leftover(path.parent / name)
    return path.parent / f".{path.name}.{secrets.token_hex(6)}"


def write_beside(path: Path, content: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a whole file or none: to a temporary file in the same folder, then renamed to ``path``.

    File and folder are synchronised with the disk around the renaming, so that after a loss of power ``path`` has
    either its old content or the new one.

    Raises:
        FileError: when the file cannot be written.
    """
    temporary = None
    try:
        temporary, handle = _open_temporary(path)
        with os.fdopen(handle, "wb") as file:
            for piece in [content] if isinstance(content, bytes) else content:
                file.write(piece)
            file.flush()
            os.fsync(handle)
            if fcntl is not None:  # renamed while it is locked; Windows renames no open file
                os.replace(temporary, path)
        if fcntl is None:
            os.replace(temporary, path)
        synchronise(path.parent)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise FileError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None


@contextlib.contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``folder`` when the block ends, and is deleted when the block fails.

    Raises:
        FileError: when it cannot be made or renamed, such as over a folder that has content.
    """
    try:
        while True:
            temporary = beside(folder)
            temporary.mkdir(mode=0o777)  # the umask applies, as to any new folder
            handle = os.open(temporary, os.O_RDONLY) if fcntl is not None else None
            if handle is None or (_lock(handle) and os.fstat(handle).st_nlink):
                break
            os.close(handle)
    except OSError as error:
        raise FileError(f"{folder}: cannot be written: {error.strerror or error}") from None
    try:
        yield temporary
        synchronise(temporary)
        os.replace(temporary, folder)
        synchronise(folder.parent)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and not isinstance(error, FileError):
            raise FileError(f"{folder}: cannot be written: {error.strerror or error}") from None
        raise
    finally:
        if handle is not None:
            os.close(handle)


def synchronise(folder: Path) -> None:
    """Ask the system to put the names in a folder on its disk; some file systems cannot."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that one process at a time writes there; where the system has no such locks, go on.

    Raises:
        FileError: when the folder cannot be opened, or another process holds its lock.
    """
    if fcntl is None:
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise FileError(f"{folder}: cannot be opened: {error.strerror or error}") from None
    try:
        if not _lock(handle):
            raise FileError(
                f"{folder}: another process is writing there; wait for it, or choose another folder with --out"
            )
        yield
    finally:
        os.close(handle)  # gives the lock back


def writable(folder: Path) -> None:
    """Make a folder and see that files with content can be written into it.

    Raises:
        FileError: when it cannot be made, or holds no new file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made a folder: {error.strerror or error}") from None
    probe = folder / ".writable"
    write_beside(probe, bytes(2**16))  # a full disk takes files, but no content
    probe.unlink(missing_ok=True)  # another process may have deleted it already


def _open_temporary(path: Path) -> tuple[Path, int]:
    """A new temporary file beside ``path``, locked: its name and its file descriptor."""
    while True:
        name = beside(path)
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # the umask applies, as to any new file
        _lock(handle)
        if os.fstat(handle).st_nlink:
            return name, handle
        os.close(handle)  # another process took it for a leftover before it was locked


def _lock(handle: int) -> bool:
    """Lock an open file for this process; False when another process holds its lock."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
    return True


def _delete_leftover(path: Path) -> None:
    """Delete a temporary file or folder, if no running process holds its lock."""
    with contextlib.suppress(OSError):
        if fcntl is None:
            os.unlink(path)
            return
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)
        finally:
            os.close(handle)


def checked_head(path: Path, metadata: dict[str, str], key: str, newest: int, what: str) -> dict[str, Any]:
    """The JSON under ``key`` in the metadata of a safetensors file.

    Args:
        path: The file, for errors.
        metadata: Its metadata.
        key: The name under which the head stands.
        newest: The newest format that this version reads.
        what: What the file should be, for errors.

    Raises:
        FileError: for a file without this head, or of a newer format.
    """
    try:
        head = json.loads(metadata[key])
        version = int(head["format"])
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        raise FileError(f"{path}: not {what}: a safetensors file without its metadata") from None
    refuse_newer(path, version, newest)
    return dict(head)


def refuse_newer(path: Path, version: int, newest: int) -> None:
    """Raise a FileError for a format that this version does not know."""
    if version > newest:
        raise FileError(f"{path}: written by a newer rollingball (format {version}, this one reads {newest}); upgrade")
