"""Safetensors files written from arrays as they lie in memory, and read by mapping the file into memory."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import FileError

LARGEST_HEAD = 2**24  # bytes
TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U64": "<u8",
    "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
NAMES = {np.dtype(code): name for name, code in TYPES.items()}


def pieces(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> Iterator[bytes | memoryview]:
    """The content of a safetensors file, piece by piece; contiguous arrays are not copied."""
    head: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    # larger numbers first, so that each lies at a multiple of its size
    ordered = dict(sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize))
    for name, array in ordered.items():
        begin, end = end, end + array.nbytes
        head[name] = {"dtype": NAMES[array.dtype.newbyteorder("<")], "shape": array.shape, "data_offsets": [begin, end]}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    for array in ordered.values():
        if sys.byteorder == "big":
            array = array.astype(array.dtype.newbyteorder("<"))
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def mapped(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a safetensors file, read-only and read from the disk where they are used, and its metadata.

    Raises:
        FileError: for a file that is missing, cut off, or whose head does not describe what it holds.
    """
    try:
        whole = np.memmap(path, mode="r", dtype=np.uint8)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError:  # an empty file
        raise FileError(f"{path}: not a whole safetensors file: it is empty") from None
    try:
        length = int.from_bytes(whole[:8].tobytes(), "little")
        if len(whole) < 8 or length > min(LARGEST_HEAD, len(whole) - 8):
            raise ValueError("its head is longer than the file")
        head = json.loads(whole[8 : 8 + length].tobytes())
        metadata, content = dict(head.pop("__metadata__", {})), whole[8 + length :]
        arrays = {name: _array(content, entry) for name, entry in head.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise FileError(f"{path}: not a whole safetensors file ({error})") from None
    return arrays, metadata


def _array(content: np.ndarray, entry: Any) -> np.ndarray:
    """The array that an entry of the head describes; ValueError for one that is not there."""
    kind, shape, (begin, end) = np.dtype(TYPES[entry["dtype"]]), entry["shape"], entry["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
        raise ValueError("its sizes are no whole numbers")
    if not begin <= end <= len(content) or end - begin != math.prod(shape) * kind.itemsize:
        raise ValueError("its sizes are not those of the file")
    return content[begin:end].view(kind).reshape(shape) if end > begin else np.zeros(shape, dtype=kind)
