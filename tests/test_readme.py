"""README.md is true: its snippets run as they stand, and its commands exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rollingball.app import cli, commands
from rollingball.app.scene import load_scene

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_snippets_run(number, tmp_path):
    script = tmp_path / "snippet.py"
    script.write_text(blocks("python")[number])
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_the_scene_is_one(tmp_path):
    (text,) = blocks("toml")
    path = tmp_path / "scene.toml"
    path.write_text(text)
    load_scene(path).check()


def test_commands_exist(monkeypatch, tmp_path):
    (listing,) = blocks("text")
    called = []
    # what takes minutes, or serves a page until it is interrupted, is parsed here and run by tests of its own
    names = ("Demo", "Run", "Sensitivity", "Plot", "Animate", "View", "Paper", "Scenes", "Doctor")
    kinds = [getattr(commands, name) for name in names]
    for kind in kinds:
        monkeypatch.setattr(kind, "__call__", lambda self, overrides: called.append((type(self), overrides)))
    lines = [line.split("  ")[0] for line in listing.splitlines() if line.startswith("rollingball")]
    for line in lines:
        cli.main(shlex.split(line)[1:])
    assert {kind for kind, _ in called} == set(kinds)
    assert (commands.Run, {"ball.radius": "5"}) in called


def test_there_are_two_set_up_commands_of_one_line():
    commands = [line for block in blocks("sh") for line in block.strip().splitlines()]
    assert len(commands) == 2
    assert "rollingball demo" in commands[0]
    assert ".venv/bin/pytest" in commands[1]
