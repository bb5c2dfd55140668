"""Runs written to a folder that are killed or interrupted, whose disk fills or whose folder vanishes: they go on.

``pytest tests/faults/test_stream.py --kills 50`` kills more often.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import rollingball as rb
from rollingball.core import files
from rollingball.runs import size
from tests.runs.test_stream import same

ROLL = """
import sys
import numpy as np, warp as wp
wp.config.log_level = wp.LOG_WARNING
import rollingball as rb
from rollingball.runs import size
size.SHARD = 2**17
def roll(**more):
    start = np.random.default_rng(0).uniform(-3, 3, (1500, 1))
    options = {"start": start, "steps": 400, "every": 2, "gap": None, "seed": 3, "threads": 1}
    return rb.simulate(rb.surfaces.sine(), None, rb.EntropySGD(lr=0.05, inner_steps=5), **{**options, **more})
"""
ALONE = (
    ROLL
    + """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
roll(steps=0)
print("ready", flush=True)
try:
    run = roll(out=sys.argv[1])
    print("whole", flush=True)
except rb.RunInterrupted as interrupted:
    print(interrupted.trajectory, flush=True)
    sys.exit(130)
"""
)
TOGETHER = (
    ROLL
    + """
import torch.distributed as dist
dist.init_process_group("gloo")
roll(steps=0)
print("ready", flush=True)
run = roll(out=sys.argv[1], processes=dist.group.WORLD)
print("whole", len(run), flush=True)
dist.destroy_process_group()
"""
)


@pytest.fixture(scope="module")
def whole():
    """The same run in memory."""
    start = np.random.default_rng(0).uniform(-3, 3, (1500, 1))
    options = {"start": start, "steps": 400, "every": 2, "gap": None, "seed": 3}
    return rb.simulate(rb.surfaces.sine(), None, rb.EntropySGD(lr=0.05, inner_steps=5), **options)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def started(folder, processes=1):
    """The processes that roll into a folder, ready to begin."""
    begun, port = [], str(free_port())
    for rank in range(processes):
        env = {**os.environ, "PYTHONPATH": str(Path(rb.__file__).parents[1])}
        env |= {"RANK": str(rank), "WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        command = [sys.executable, "-c", ALONE if processes == 1 else TOGETHER, str(folder)]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env))
    for process in begun:
        assert process.stdout.readline() == "ready\n"
    return begun


def ended(begun):
    """Wait for processes and close what they wrote to; their exit codes."""
    codes = [process.wait(120) for process in begun]
    for process in begun:
        process.stdout.close()
    return codes


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_goes_on_and_ends_bit_for_bit(processes, whole, tmp_path, request):
    chance, kills, found = random.Random(processes), request.config.getoption("--kills"), 0
    kills = kills if processes == 1 or kills > 5 else 2  # each takes seconds to begin
    for number in range(kills):
        folder = tmp_path / f"run{number}"
        begun = started(folder, processes)
        time.sleep(chance.uniform(0.0, 1.2))
        for process in begun:
            process.send_signal(signal.SIGKILL)
        ended(begun)
        found += (folder / "index.json").exists()
        if (folder / "run.json").exists():
            part = readable(folder)
            if part is not None:
                assert np.isfinite(part.loss).all()
            run = rb.resume(folder)
        else:
            begun = started(folder)
            assert ended(begun) == [0]
            run = rb.Trajectory.load(folder)
        same(run, whole, scene=False)
        left = [name for name in os.listdir(folder) if name.startswith(".")]
        assert all(len(name.rsplit(".", 1)[-1]) == 12 for name in left)
        shutil.rmtree(folder)
    print(f"{found} of {kills} runs were whole before the kill")


def readable(folder):
    """What is written of a run, None where nothing is."""
    if not list(folder.glob("*-*.safetensors")):
        with pytest.raises(rb.FileError, match="nothing of its run is written yet"):
            rb.Trajectory.load(folder)
        return None
    return rb.Trajectory.load(folder)


def test_ctrl_c_leaves_a_record_that_is_read_and_gone_on_with(whole, tmp_path):
    folder = tmp_path / "run"
    (begun,) = started(folder)
    while not list(folder.glob("*-*.safetensors")):
        time.sleep(0.01)
    begun.send_signal(signal.SIGINT)
    said = begun.stdout.readline()
    assert ended([begun]) == [130]
    assert said.startswith("Trajectory(")
    part = rb.Trajectory.load(folder)
    assert "unfinished" in said
    assert repr(part) in said
    same(rb.resume(folder), whole, scene=False)


def test_two_processes_are_one(whole, tmp_path):
    begun = started(tmp_path / "run", 2)
    assert ended(begun) == [0, 0]
    same(rb.Trajectory.load(tmp_path / "run"), whole, scene=False)
    index = json.loads((tmp_path / "run" / "index.json").read_text())
    assert len(index["shards"]) == len(list((tmp_path / "run").glob("*-*.safetensors")))


BOWL = rb.surfaces.quadratic([[1.0]])
ARGUMENTS = {"start": np.linspace(1, 2, 200)[:, None], "steps": 20}


@pytest.mark.parametrize("written", [0, 1, 5])
def test_a_disk_that_fills_ends_in_one_line_and_what_was_whole_stays(written, tmp_path, monkeypatch):
    monkeypatch.setattr(size, "SHARD", 2**13)
    fsync, count = os.fsync, 0

    def full(handle):
        nonlocal count
        count += os.path.isfile(f"/proc/self/fd/{handle}")
        if count > 3 + written:  # the probe, what it starts from, and what it is
            raise OSError(28, "No space left on device")
        return fsync(handle)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(rb.FileError, match=r"safetensors: cannot be written: No space left on device$"):
        rb.simulate(BOWL, None, rb.GradientDescent(lr=0.1), out=tmp_path / "run", **ARGUMENTS)
    monkeypatch.setattr(files.os, "fsync", fsync)
    assert len(list((tmp_path / "run").glob("*-*.safetensors"))) == written
    if written:
        assert np.isfinite(rb.Trajectory.load(tmp_path / "run").loss).all()
    same(rb.resume(tmp_path / "run"), rb.simulate(BOWL, None, rb.GradientDescent(lr=0.1), **ARGUMENTS))


def test_a_folder_that_vanishes_ends_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(size, "SHARD", 2**13)
    replace, count = os.replace, 0

    def vanish(source, target):
        nonlocal count
        count += 1
        if count == 6:
            shutil.rmtree(tmp_path / "run")
        return replace(source, target)

    monkeypatch.setattr(files.os, "replace", vanish)
    with pytest.raises(rb.FileError, match=r"cannot be written: No such file or directory$"):
        rb.simulate(BOWL, None, rb.GradientDescent(lr=0.1), out=tmp_path / "run", **ARGUMENTS)


def test_one_process_at_a_time_writes_there(tmp_path):
    folder = tmp_path / "run"
    rb.simulate(BOWL, None, rb.GradientDescent(lr=0.1), out=folder, **ARGUMENTS)
    (folder / "index.json").unlink()
    with files.locked_folder(folder), pytest.raises(rb.FileError, match="another process is writing there"):
        rb.resume(folder)
