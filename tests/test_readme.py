"""README.md is true: its snippets run as they stand, and its commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import rollingball as rb

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


def test_pages_and_pictures_that_it_names_are_there():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link]
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_first_code_ends_well_and_says_what_it_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(blocks("python")[0], "README.md", "exec"), names)  # noqa: S102 - the project's own text
    descent, run = names["descent"], names["run"]
    for shown, low, high in ((descent, -0.03, 0.79), (run, -0.14, 0.01)):
        assert [shown.loss[-1].min(), shown.loss[-1].max()] == pytest.approx([low, high], abs=5e-3)
        assert not any(rb.Status(status).failed for status in shown.status)
    assert (-run.gap / run.radius).max() < 0.03  # not inside by more than this share of the radius


def test_the_ball_with_mass_does_what_is_printed_and_its_derivatives_are_those_of_other_throws():
    names = {}
    (code,) = [code for code in blocks("python") if "RigidBall" in code]
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - the project's own text
    run, by, method, throw = (names[name] for name in ("run", "by", "bouncing", "throw"))
    assert [what for _time, what in run.history(0)] == ["impact"] * 2
    assert [time for time, _what in run.history(0)] == pytest.approx([0.475, 1.166], abs=5e-4)
    found = [run.center[-1, 0, 0], *by.velocity[0], by.friction[0], by.restitution[0]]
    assert found == pytest.approx([2.962, 0.867, 0.068, 0.177, -1.554], abs=5e-4)

    def end(right=0.0, friction=0.0, restitution=0.0):
        other = rb.RigidBall(
            contact="unilateral", friction=method.friction + friction, restitution=method.restitution + restitution
        )
        thrown = {**throw, "start_velocity": [[2.0 + right, 0.0]]}
        return rb.simulate(names["floor"], names["marble"], other, **thrown, duration=1.5, gap=None).center[-1, 0, 0]

    h = 1e-5
    beside = [(end(**{name: h}) - end(**{name: -h})) / (2 * h) for name in ("right", "friction", "restitution")]
    assert [found[1], *found[3:]] == pytest.approx(beside, rel=1e-6)


def test_there_are_two_set_up_commands_of_one_line():
    commands = [line for block in blocks("sh") for line in block.strip().splitlines()]
    assert len(commands) == 2
    assert "rollingball demo" in commands[0]
    assert ".venv/bin/pytest" in commands[1]
