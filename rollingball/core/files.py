"""Files that are written whole or not at all, and the head of a file that says its format."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from rollingball.core.errors import FileError


def beside(path: Path) -> Path:
    """A new name in the folder of ``path``, for what is renamed to it when it is whole."""
    return path.parent / f".{path.name}.{secrets.token_hex(6)}"


def write_beside(path: Path, content: bytes) -> None:
    """Write a whole file or none: to a temporary name in the same folder, then renamed over ``path``."""
    name = beside(path)
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # the umask applies, as to any new file
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None


def checked_head(path: Path, metadata: dict[str, str], key: str, newest: int, what: str) -> dict[str, Any]:
    """The JSON under ``key`` in a safetensors file that is to be ``what``, of a format up to ``newest``."""
    try:
        head = json.loads(metadata[key])
        version = int(head["format"])
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        raise FileError(f"{path}: not {what}: a safetensors file without its metadata") from None
    refuse_newer(path, version, newest)
    return head


def refuse_newer(path: Path, version: int, newest: int) -> None:
    """A FileError for a format that this version does not know."""
    if version > newest:
        raise FileError(f"{path}: written by a newer rollingball (format {version}, this one reads {newest}); upgrade")
