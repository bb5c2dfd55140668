"""Scenes whose runs are written as they are rolled, gone on with, and rolled by several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rollingball as rb
from rollingball.app import cli, rolling
from rollingball.app.folder import read
from rollingball.runs import size
from tests.runs.test_stream import same, shards

SCENE = """
[surface]
type = "sine"
[ball]
radius = [0.5, 1.5]
start = {{ around = [0.0], count = 90, spread = 3.0 }}
lift = true
[[run]]
method = "footpoint-rbo"
lr = 0.05
steps = {steps}
[[run]]
method = "entropy-sgd"
lr = 0.05
steps = 10
"""


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(SCENE.format(steps=30))
    return path


@pytest.fixture
def large(monkeypatch):
    """Every run counts as large, and its shards are small."""
    monkeypatch.setattr(rolling, "IN_MEMORY", 0)
    monkeypatch.setattr(size, "SHARD", 2**15)


def rolled(scene, out, *more):
    cli.main(["run", str(scene), "--out", str(out), *more])
    return read(out)[2]


def test_a_large_run_is_a_folder_with_the_same_numbers_and_pictures(scene, tmp_path, large, monkeypatch, capsys):
    runs = rolled(scene, tmp_path / "large")
    assert "footpoint-rbo.trajectory" in capsys.readouterr().out
    assert (tmp_path / "large" / "paths.png").stat().st_size > 1000
    monkeypatch.setattr(rolling, "IN_MEMORY", 2**28)
    for name, run in rolled(scene, tmp_path / "small").items():
        assert (tmp_path / "small" / f"{name}.safetensors").is_file()
        same(runs[name], run, scene=False)
    for name in runs:
        cli.main(["plot", str(tmp_path / "large")])
        table = rb.Trajectory.load(tmp_path / "large" / f"{name}.trajectory")
        assert len(table) == len(runs[name])


def test_the_folder_of_another_scene_is_replaced_and_a_foreign_run_refused(scene, tmp_path, large):
    out = tmp_path / "out"
    rolled(scene, out)
    other = tmp_path / "other.toml"
    other.write_text(SCENE.format(steps=20))
    assert len(rolled(other, out)["footpoint-rbo"]) == 21
    (out / "footpoint-rbo.trajectory" / "scene_digest").write_text("0")
    with pytest.raises(rb.FileError, match="a run of another scene"):
        read(out)


def test_resume_keeps_what_is_whole_and_goes_on_with_the_rest(scene, tmp_path, large, capsys):
    out = tmp_path / "out"
    before = {name: np.array(run.center) for name, run in rolled(scene, out).items()}
    times = {path: path.stat().st_mtime_ns for path in out.glob("*/*-*.safetensors")}
    manifest = json.loads((out / "scene.json").read_text())
    (out / "scene.json").write_text(json.dumps({**manifest, "whole": ["footpoint-rbo"]}))
    folder = out / "entropy-sgd.trajectory"
    (folder / "index.json").unlink()
    lost = shards(folder)[1]
    lost.unlink()
    capsys.readouterr()
    after = rolled(scene, out, "--resume")
    assert "footpoint-rbo: is there already" in capsys.readouterr().out
    for name, center in before.items():
        assert np.array_equal(after[name].center, center)
    assert [path for path, time in times.items() if path.stat().st_mtime_ns != time] == [lost]


def test_torchrun_rolls_a_scene_as_one_process_does(scene, tmp_path):
    pytest.importorskip("torch")
    out = tmp_path / "out"
    env = {**os.environ, "PYTHONPATH": str(Path(rb.__file__).parents[1])}
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command += ["--standalone", "-m", "rollingball", "run", str(scene), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("footpoint-rbo: ") == 1, "the first process speaks alone"
    runs = read(out)[2]
    for name, run in rolled(scene, tmp_path / "alone").items():
        same(runs[name], run, scene=False)
    times = {path: path.stat().st_mtime_ns for path in out.glob("*/*-*.safetensors")}
    (out / "footpoint-rbo.trajectory" / "index.json").unlink()
    lost = shards(out / "footpoint-rbo.trajectory")[0]
    lost.unlink()
    subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=True)
    assert [path for path, time in times.items() if path.stat().st_mtime_ns != time] == [lost]


def test_several_devices_are_named_with_commas(scene, tmp_path, large):
    runs = rolled(scene, tmp_path / "two", "--device", "cpu,cpu")
    for name, run in rolled(scene, tmp_path / "one").items():
        same(runs[name], run, scene=False)
    with pytest.raises(SystemExit):
        rolled(scene, tmp_path / "three", "--device", "cpu,tpu")
