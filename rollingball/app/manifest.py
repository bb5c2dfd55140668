"""The manifest of a folder of runs, ``scene.json``: whose folder it is, and which of its runs are whole.

A folder belongs to one scene. The digest of that scene stands in the manifest and in the file of every run, so that
runs of another scene are not taken for its own. The manifest is written before the first run begins, and again after
each run is saved.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollingball.core.errors import FileError
from rollingball.core.files import write_beside
from rollingball.runs.index import delete_run
from rollingball.runs.trajectory import Trajectory

if TYPE_CHECKING:
    from rollingball.app.scene import Scene

NAME = "scene.json"
DIGEST = "scene_digest"  # its key in the scene of a trajectory
PICTURES = ("paths.png", "energy.png", "roll.gif")  # what commands draw of the runs, in the same folder


@dataclass(frozen=True)
class Manifest:
    """What ``scene.json`` says.

    Attributes:
        folder: The folder.
        scene: The scene as plain data.
        names: The name of each of its runs.
        whole: The names of the runs that are saved.
        digest: What tells this scene from others; None in folders of older versions, which wrote none.
    """

    folder: Path
    scene: dict[str, Any]
    names: list[str]
    whole: list[str]
    digest: str | None

    def path_of(self, name: str) -> Path:
        """The file of a run that was rolled in memory."""
        return self.folder / f"{name}.safetensors"

    def folder_of(self, name: str) -> Path:
        """The folder of a run that was written as it was rolled."""
        return self.folder / f"{name}.trajectory"

    def place_of(self, name: str) -> Path:
        """The file or the folder in which a run is."""
        return self.folder_of(name) if self.folder_of(name).is_dir() else self.path_of(name)

    def save_run(self, name: str, run: Trajectory) -> Manifest:
        """Save a run with the digest of the scene, then the manifest that calls it whole, which is returned.

        Raises:
            FileError: when a file cannot be written.
        """
        self.marked(run).save(self.path_of(name))
        delete_run(self.folder_of(name))
        return self._with(name)

    def stamp_run(self, name: str) -> Manifest:
        """The same for a run that was written to its folder as it was rolled.

        Raises:
            FileError: when a file cannot be written.
        """
        write_beside(self.folder_of(name) / DIGEST, (self.digest or "").encode())
        self.path_of(name).unlink(missing_ok=True)
        return self._with(name)

    def _with(self, name: str) -> Manifest:
        """The manifest that calls a run whole, which is written."""
        after = dataclasses.replace(self, whole=[*(n for n in self.whole if n != name), name])
        after.write()
        return after

    def marked(self, run: Trajectory) -> Trajectory:
        """A run with the digest of the scene."""
        return dataclasses.replace(run, scene={**run.scene, DIGEST: self.digest})

    def load_run(self, name: str) -> Trajectory:
        """Load a run.

        Raises:
            FileError: for a file that is missing or damaged, or a run of another scene.
        """
        place = self.place_of(name)
        run = Trajectory.load(place)
        digest = run.scene.get(DIGEST)
        if place.is_dir():
            with contextlib.suppress(OSError, ValueError):
                digest = (place / DIGEST).read_text()
        if digest != self.digest:
            raise FileError(f"{place}: a run of another scene than {self.folder / NAME}; roll that scene again")
        return run

    def write(self) -> None:
        """Write ``scene.json``."""
        content = {"digest": self.digest, "names": self.names, "whole": self.whole, "scene": self.scene}
        write_beside(self.folder / NAME, json.dumps(content, indent=2).encode())


def digest_of(scene: dict[str, Any]) -> str:
    """The SHA-256 of plain data, the order of keys aside, in hexadecimal."""
    return hashlib.sha256(json.dumps(scene, sort_keys=True).encode()).hexdigest()


def begin(folder: Path, scene: Scene, keep: bool = False) -> Manifest:
    """Make a folder the folder of a scene.

    The runs and pictures of another scene, which the manifest there names, are deleted.

    Args:
        folder: The folder.
        scene: The scene.
        keep: Whether runs of this scene that are there stay whole; else none of it is whole yet.

    Raises:
        FileError: when the manifest cannot be written.
    """
    import msgspec

    plain = msgspec.to_builtins(scene)
    manifest = Manifest(folder, plain, scene.names(), [], digest_of(plain))
    with contextlib.suppress(FileError):
        earlier = read_manifest(folder)
        other = earlier.digest != manifest.digest
        names = [name for name in earlier.names if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)]
        if keep and not other:
            there = [name for name in earlier.whole if name in manifest.names and earlier.place_of(name).exists()]
            manifest = dataclasses.replace(manifest, whole=there)
        else:
            for name in names:
                (earlier.folder_of(name) / DIGEST).unlink(missing_ok=True)
                delete_run(earlier.folder_of(name))
        if other:
            for path in (*map(earlier.path_of, names), *(folder / picture for picture in PICTURES)):
                with contextlib.suppress(OSError):
                    path.unlink()
    manifest.write()
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        FileError: for one that is missing, half written or foreign.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        names = [str(name) for name in content["names"]]
        whole = [str(name) for name in content.get("whole", names)]
        scene, digest = dict(content["scene"]), content.get("digest")
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); is it a folder that run wrote?") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FileError(f"{path}: not what rollingball run writes") from None
    if digest is not None and digest != digest_of(scene):
        raise FileError(f"{path}: its scene was changed after its runs were rolled; roll that scene again")
    return Manifest(folder, scene, names, whole, digest)
