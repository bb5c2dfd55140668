"""What a process that was killed while it saved leaves behind, and what power loss may find on the disk."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import rollingball as rb
from rollingball.core import files
from rollingball.core.files import folder_beside, locked_folder, write_beside

SAVER = """
import sys
from pathlib import Path
from rollingball.core.files import write_beside
content = b"x" * 40_000_000
print("ready", flush=True)
while True:
    write_beside(Path(sys.argv[1]), content)
"""
FOLDERS = """
import sys, time
from pathlib import Path
from rollingball.core.files import folder_beside, write_beside
with folder_beside(Path(sys.argv[1])) as folder:
    write_beside(folder / "one", b"x" * 1000)
    print("ready", flush=True)
    time.sleep(60)
"""


def killed(code, path, seconds):
    """Run code on a path in a process, and kill it some time after it said that it is ready."""
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


def test_the_next_save_of_a_name_deletes_what_killed_saves_left(tmp_path, request):
    path, left = tmp_path / "run", 0
    for kill in range(request.config.getoption("--kills")):
        killed(SAVER, path, 0.003 * (kill % 17))
        left += len(os.listdir(tmp_path)) > path.exists()
        assert not path.exists() or path.stat().st_size == 40_000_000
    print(f"{left} kills left a temporary file")
    write_beside(path, b"new")
    assert os.listdir(tmp_path) == ["run"]
    assert path.read_bytes() == b"new"


def test_a_temporary_file_of_an_older_version_is_deleted_too(tmp_path):
    (tmp_path / ".run.0123456789ab").write_bytes(b"half")
    (tmp_path / ".run.safetensors.0123456789ab").write_bytes(b"of another name")
    (tmp_path / ".run.notes").write_bytes(b"of a person")
    write_beside(tmp_path / "run", b"new")
    assert sorted(os.listdir(tmp_path)) == [".run.notes", ".run.safetensors.0123456789ab", "run"]


def test_the_temporary_file_of_a_running_save_is_kept(tmp_path, monkeypatch):
    replace = os.replace

    def save_twice(source, target):
        monkeypatch.setattr(os, "replace", replace)
        write_beside(tmp_path / "run", b"second")  # another process would come in here
        replace(source, target)

    monkeypatch.setattr(os, "replace", save_twice)
    write_beside(tmp_path / "run", b"first")
    assert (tmp_path / "run").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["run"]


def test_a_link_in_place_of_a_leftover_is_not_followed(tmp_path):
    (tmp_path / "kept").write_bytes(b"kept")
    (tmp_path / ".run.0123456789ab").symlink_to(tmp_path / "kept")
    write_beside(tmp_path / "run", b"new")
    assert (tmp_path / "kept").read_bytes() == b"kept"


def test_a_folder_that_was_left_unfinished_is_deleted_by_the_next(tmp_path):
    killed(FOLDERS, tmp_path / "folder", 0.0)
    assert len(os.listdir(tmp_path)) == 1
    with folder_beside(tmp_path / "folder") as folder:
        write_beside(folder / "two", b"whole")
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["two"]


def test_the_lock_of_a_folder_goes_with_its_process(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom rollingball.core.files import locked_folder\n"
        "with locked_folder(Path(sys.argv[1])):\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(rb.FileError, match="another process is writing there"), locked_folder(tmp_path):
            raise AssertionError("it was not free")
        process.send_signal(signal.SIGKILL)
    with locked_folder(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_content_and_name_are_on_the_disk_before_and_after_the_renaming(tmp_path, monkeypatch):
    calls = []

    def told(name, call):
        def record(*args):
            kind = "folder" if name == "fsync" and os.path.isdir(f"/proc/self/fd/{args[0]}") else "file"
            calls.append(f"{name} {kind}" if name == "fsync" else name)
            return call(*args)

        return record

    for name in ("fsync", "replace"):
        monkeypatch.setattr(files.os, name, told(name, getattr(os, name)))
    run = rb.Trajectory(
        **{name: np.zeros(1, dtype=np.int32) for name in ("step", "status", "steps", "evaluations")},
        time=np.zeros(1), foot=np.zeros((1, 1, 1)), center=np.zeros((1, 1, 2)), seconds=0.0,
        **{name: np.zeros((1, 1)) for name in ("loss", "gap", "residual", "radius")},
    )  # fmt: skip
    run.save(tmp_path / "run")
    assert calls == ["fsync file", "replace", "fsync folder"]


def test_a_disk_that_fills_while_it_synchronises_leaves_the_old_file(tmp_path, monkeypatch):
    write_beside(tmp_path / "run", b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(rb.FileError, match="run: cannot be written: No space left"):
        write_beside(tmp_path / "run", b"new")
    assert (tmp_path / "run").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["run"]
