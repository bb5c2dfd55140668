"""A folder belongs to one scene: killed, interrupted and parallel runs never leave runs of two scenes in one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import rollingball as rb
from rollingball.app import cli
from rollingball.app.folder import read
from rollingball.app.manifest import DIGEST, digest_of
from rollingball.core.errors import RunInterrupted
from rollingball.core.files import locked_folder

SCENE = """
title = "{title}"
surface = {{ type = "quadratic", matrix = [[1.0]] }}
ball = {{ radius = {radius}, start = [[0.5]] }}
"""
RUN = '[[run]]\nname = "{name}"\nmethod = "footpoint-rbo"\nlr = 0.1\nsteps = 4\n'


def scene_text(radius, names=("one", "two")):
    return SCENE.format(title=f"radius {radius}", radius=radius) + "".join(RUN.format(name=name) for name in names)


@pytest.fixture(autouse=True)
def nearby(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for radius in (0.2, 0.3):
        Path(f"{radius}.toml").write_text(scene_text(radius))


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def belongs_to_one_scene(folder):
    """Whether what is in a folder is of one scene, or is refused as not whole; the radius of that scene."""
    try:
        scene, _surface, runs = read(Path(folder))
    except rb.FileError as error:
        if not any(reason in str(error) for reason in ("none of its runs is whole", "is it a folder that run wrote")):
            raise
        return None
    assert scene.title == f"radius {scene.ball.radius:g}"
    for run in runs.values():
        assert np.unique(run.radius).tolist() == [scene.ball.radius]
    return scene.ball.radius


def test_the_manifest_says_whose_folder_it_is_and_which_runs_are_whole():
    cli.main(["run", "0.2.toml", "--out", "out"])
    content = json.loads(Path("out/scene.json").read_text())
    assert content["names"] == content["whole"] == ["one", "two"]
    assert content["digest"] == digest_of(content["scene"])
    for name in content["names"]:
        assert rb.Trajectory.load(f"out/{name}.safetensors").scene[DIGEST] == content["digest"]


def test_the_same_scene_has_the_same_digest_and_another_has_another():
    digests = []
    for scene, more in (("0.2.toml", []), ("0.2.toml", []), ("0.3.toml", []), ("0.2.toml", ["--run.0.steps", "5"])):
        cli.main(["run", scene, "--out", "out", *more])
        digests.append(json.loads(Path("out/scene.json").read_text())["digest"])
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_runs_of_another_scene_are_not_taken_for_its_own(capsys):
    cli.main(["run", "0.2.toml", "--out", "a"])
    cli.main(["run", "0.3.toml", "--out", "b"])
    os.replace("b/one.safetensors", "a/one.safetensors")
    for command in (["plot", "a"], ["animate", "a"], ["view", "a", "--html", "page.html"]):
        assert "a/one.safetensors: a run of another scene" in refused(capsys, *command)


def test_an_older_run_under_a_new_manifest_is_not_either(capsys):
    cli.main(["run", "0.2.toml", "--out", "a"])
    cli.main(["run", "0.3.toml", "--out", "b"])
    os.replace("b/scene.json", "a/scene.json")
    assert "a run of another scene" in refused(capsys, "plot", "a")


def test_a_manifest_whose_scene_was_changed_is_refused(capsys):
    cli.main(["run", "0.2.toml", "--out", "a"])
    content = json.loads(Path("a/scene.json").read_text())
    content["scene"]["ball"]["radius"] = 0.4
    Path("a/scene.json").write_text(json.dumps(content))
    assert "its scene was changed" in refused(capsys, "plot", "a")


def test_a_folder_of_an_older_version_is_read():
    cli.main(["run", "0.2.toml", "--out", "a"])
    content = json.loads(Path("a/scene.json").read_text())
    Path("a/scene.json").write_text(json.dumps({name: content[name] for name in ("names", "scene")}))
    for name in content["names"]:
        run = rb.Trajectory.load(f"a/{name}.safetensors")
        del run.scene[DIGEST]
        run.save(f"a/{name}.safetensors")
    cli.main(["plot", "a"])


def test_another_scene_takes_the_folder_over_and_leaves_other_files():
    cli.main(["run", "0.2.toml", "--out", "out"])
    Path("out/notes.txt").write_text("mine")
    Path("0.3.toml").write_text(scene_text(0.3, ["two", "three"]))
    cli.main(["run", "0.3.toml", "--out", "out"])
    files = {"two.safetensors", "three.safetensors", "scene.json", "paths.png", "notes.txt"}
    assert set(os.listdir("out")) == files
    assert belongs_to_one_scene("out") == 0.3


def test_names_of_a_foreign_manifest_delete_nothing_outside_the_folder():
    Path("out").mkdir()
    Path("kept.safetensors").write_text("kept")
    Path("out/.kept.safetensors").write_text("kept")
    content = {"names": ["../kept", ".kept", "a/../../kept"], "scene": {}}
    Path("out/scene.json").write_text(json.dumps(content))
    cli.main(["run", "0.2.toml", "--out", "out"])
    assert Path("kept.safetensors").read_text() == Path("out/.kept.safetensors").read_text() == "kept"


@pytest.mark.parametrize("command", [["run", "0.2.toml"], ["iron", "fig2-delta"], ["compare", "compare-bowl"],
                                     ["sensitivity", "sensitivity-sine"], ["paper"], ["demo"]])  # fmt: skip
def test_a_folder_where_another_process_writes_is_refused_before_anything_is_compiled(command, capsys, no_compiling):
    Path("out").mkdir()
    with locked_folder(Path("out")):
        assert "out: another process is writing there" in refused(capsys, *command, "--out", "out")
    assert os.listdir("out") == []


def test_finished_runs_of_an_interrupted_scene_keep_their_manifest(monkeypatch, capsys):
    from rollingball.app.scene import Scene

    roll = Scene.roll

    def interrupted(self, index, **options):
        run = roll(self, index, **options)
        if index == 1:
            raise RunInterrupted(run[:2])
        return run

    monkeypatch.setattr(Scene, "roll", interrupted)
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "0.2.toml", "--out", "out"])
    assert caught.value.code == 130
    assert capsys.readouterr().err.count("\n") == 1
    assert list(read(Path("out"))[2]) == ["one"]
    assert len(rb.Trajectory.load("out/two.interrupted.safetensors")) == 2
    cli.main(["plot", "out"])


def start(scene, out="out"):
    command = [sys.executable, "-u", "-m", "rollingball", "run", scene, "--out", out]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_runs_over_older_ones_never_mix(request):
    names = [f"run-{number}" for number in range(20)]
    for radius in (0.2, 0.3):
        Path(f"{radius}.toml").write_text(scene_text(radius, names))
    cli.main(["run", "0.2.toml", "--out", "out"])  # its kernels are compiled now
    chance, seen, partial = random.Random(0), [], 0
    for kill in range(request.config.getoption("--kills")):
        with start(("0.3.toml", "0.2.toml")[kill % 2]) as process:
            for line in process.stdout:
                if line.startswith("  run-") and chance.random() < 0.3:
                    break
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
        seen.append(belongs_to_one_scene("out"))
        partial += len(json.loads(Path("out/scene.json").read_text())["whole"]) < len(names)
    print({str(radius): seen.count(radius) for radius in set(seen)}, f"{partial} with runs missing")
    assert partial > 0
    cli.main(["run", "0.3.toml", "--out", "out"])
    assert belongs_to_one_scene("out") == 0.3
    assert set(os.listdir("out")) == {*(f"{name}.safetensors" for name in names), "scene.json", "paths.png"}


def test_two_processes_in_one_folder_do_not_mix():
    cli.main(["run", "0.2.toml", "--out", "out"])
    with start("0.2.toml") as first, start("0.3.toml") as second:
        errors = [process.communicate()[1] for process in (first, second)]
    codes = [first.returncode, second.returncode]
    assert 0 in codes
    assert set(codes) <= {0, 2}
    assert all("another process is writing there" in error for code, error in zip(codes, errors, strict=True) if code)
    assert belongs_to_one_scene("out") in (0.2, 0.3)
