"""The results of a study in one JSON file: each cell is computed once, so a study that was stopped goes on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rollingball.core.files import write_beside

PACKAGES = ("rollingball", "torch", "numpy", "scikit-learn", "pytorch_optimizer", "mnist1d")


def versions() -> dict[str, str]:
    """The versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


class Store:
    """The cells of a study by name.

    Args:
        path: The JSON file, made anew or gone on with.
        about: What the study is: its name, size, settings and seeds. A file of another study is refused.

    Raises:
        ValueError: for a file whose ``about`` or versions are others.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path, self.about = path, json.loads(json.dumps(about))
        self.cells: dict[str, Any] = {}
        if path.is_file():
            found = json.loads(path.read_text())
            if found["about"] != self.about or found["versions"] != versions():
                raise ValueError(f"{path} is of another study, size or version: name another folder with --out")
            self.cells = found["cells"]

    @classmethod
    def read(cls, path: Path) -> Store:
        """The results in a file as they are, whatever was installed when they were made, to report from."""
        store = cls.__new__(cls)
        content = json.loads(path.read_text())
        store.path, store.about, store.cells = path, content["about"], content["cells"]
        return store

    def cell(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of this name, computed where it is not there yet; its seconds are noted beside it."""
        if name not in self.cells:
            began = time.perf_counter()
            result = compute()
            self.cells[name] = {**result, "seconds": round(time.perf_counter() - began, 3)}
            self.write()
        return self.cells[name]

    def fill(self, rows: Sequence[tuple[str, Any]], seeds: int, compute: Callable[[str, Any, int], Any]) -> None:
        """Compute ``compute(method, settings, seed)`` for every row (method, settings), where it is not there yet."""
        for index, (name, settings) in enumerate(rows):
            for seed in range(seeds):
                given = name, settings, seed
                self.cell(f"{index}/{name}/{seed}", lambda given=given: compute(*given))

    def row(self, index: int, name: str, seeds: int) -> list[dict[str, Any]]:
        """The results of a row of :meth:`fill`, one a seed."""
        return [self.cells[f"{index}/{name}/{seed}"] for seed in range(seeds)]

    def write(self) -> None:
        """Write the file, whole or not at all."""
        task = f" --task {self.about['task']}" if "task" in self.about else ""
        content = {
            "about": self.about,
            "command": f"python -m studies {self.about['study']} --size {self.about['size']}{task}",
            "versions": versions(),
            "processor": platform.processor() or platform.machine(),
            "cells": self.cells,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_beside(self.path, json.dumps(content, indent=1).encode())


def seed_of(*parts: Any) -> int:
    """A seed that depends on the parts alone, in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")
