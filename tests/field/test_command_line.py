"""The command line where people use it: homes that are read-only, full disks, files of other programs, slips."""

import json
import math
import os
import subprocess
import sys
import tomllib
import weakref

import numpy as np
import pytest

import rollingball as rb
from rollingball.app import cli
from rollingball.app.scene import load_scene, shipped, to_scene
from rollingball.core import launch

SCENE = """
title = "a parabola"
surface = { type = "quadratic", matrix = [[1.0]] }
ball = { radius = 0.2, start = [[0.5]] }
[[run]]
name = "one"
method = "footpoint-rbo"
lr = 0.1
steps = 4
"""


def shell(*arguments, cwd=None, stdout=subprocess.PIPE, **environment):
    """A command in a process of its own, as a shell runs it."""
    command = [sys.executable, "-m", "rollingball", *map(str, arguments)]
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=300, check=False, cwd=cwd,
        env={**os.environ, **environment},
    )  # fmt: skip


def refused(ran, *named):
    """The one line with which a command ended."""
    assert ran.returncode == 2, ran.stderr
    (line,) = own(ran.stderr)
    assert line.startswith("rollingball: ")
    for name in named:
        assert name in line
    return line


def own(text):
    """The lines that are not of Warp's native library, which tells of a missing CUDA driver."""
    return [line for line in text.splitlines() if not line.startswith("Warp CUDA warning")]


@pytest.fixture
def line(capsys):
    """Run a command in this process that ends with one line on stderr and status 2; returns that line."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        assert caught.value.code == 2
        printed = capsys.readouterr().err
        assert printed.startswith("rollingball: ")
        assert printed.count("\n") == 1
        return printed

    return run


@pytest.fixture
def scene(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(SCENE)
    return tmp_path / "mine.toml"


# Homes and caches that cannot be written


@pytest.mark.parametrize("command", [["run", "mine.toml"], ["doctor"]])
@pytest.mark.parametrize("home", ["/dev/null", "a file", "read-only"])
def test_a_home_that_cannot_be_written_names_the_variable_for_the_kernel_cache(command, home, scene, tmp_path):
    if home == "a file":
        home = tmp_path / "home"
        home.write_text("")
    if home == "read-only":
        if os.getuid() == 0:
            pytest.skip("root writes everywhere")
        home = tmp_path / "home"
        home.mkdir(mode=0o555)
    environment = {"HOME": str(home), "XDG_CACHE_HOME": f"{home}/.cache", "MPLCONFIGDIR": str(tmp_path)}
    os.environ.pop("WARP_CACHE_PATH", None)
    refused(shell(*command, cwd=tmp_path, **environment), "WARP_CACHE_PATH", f"{home}/.cache")


@pytest.mark.parametrize("command", [["run", "mine.toml"], ["doctor"]])
def test_a_kernel_cache_that_cannot_be_made_is_named(command, scene, tmp_path):
    refused(shell(*command, cwd=tmp_path, WARP_CACHE_PATH="/proc/nothing"), "WARP_CACHE_PATH", "/proc/nothing")


def test_the_library_says_the_same():
    code = (
        "import rollingball as rb\n"
        "try:\n    rb.simulate(rb.surfaces.sine(), rb.Ball(0.1), rb.FootpointRBO(lr=0.1), start=[0.0], steps=1)\n"
        "except rb.FileError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "WARP_CACHE_PATH": "/dev/null/cache"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "WARP_CACHE_PATH" in ran.stdout, ran.stderr


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied")])
def test_a_compiler_that_cannot_write_its_cache_is_one_line(error, scene, monkeypatch, line):
    import warp as wp

    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr(wp, "load_module", fails)
    monkeypatch.setattr(launch, "_loaded", weakref.WeakKeyDictionary())  # of a test before this one
    printed = line("run", "mine.toml")
    assert error.strerror in printed
    assert "WARP_CACHE_PATH" in printed


# Output that cannot be written


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("command", ["scenes schema", "--help", "doctor"])
@pytest.mark.parametrize("reader", ["head -n 1", "true"])
def test_a_reader_that_has_enough_hears_of_no_error(command, reader):
    pipe = f"{sys.executable} -m rollingball {command} | {reader}"
    ran = subprocess.run(["sh", "-c", pipe], capture_output=True, text=True, timeout=100, check=False)
    assert own(ran.stderr) == []


def test_a_disk_that_is_full_is_met_before_anything_is_compiled(scene, monkeypatch, line, no_compiling):
    def full(handle):
        if os.fstat(handle).st_size:  # a file without content needs no room
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("rollingball.core.files.os.fsync", full)
    assert "No space left on device" in line("run", "mine.toml", "--out", "out")
    assert list((scene.parent / "out").iterdir()) == []


def test_an_interruption_is_one_line_and_status_130(scene, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("rollingball.app.rolling.roll_scene", interrupted)
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "mine.toml"])
    assert caught.value.code == 130
    assert capsys.readouterr().err.count("\n") == 1


# Numbers as Python and argparse read them

NUMBERS = {
    ".5": 0.5, "5.": 5.0, "+.5": 0.5, "+5": 5, "1e-3": 1e-3, "1.e-3": 1e-3, ".5e1": 5.0, "1E2": 100.0, "1_000": 1000,
    "1_0.5": 10.5, "007": 7, "00.5": 0.5, " 5 ": 5, "5e+1": 50.0, "0x10": 16, "1e3": 1000.0,
}  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_read_as_python_reads_them(text, scene):
    for value in (text, f"[{text}]", f"[1, {text}, 2]"):
        read = load_scene(scene, {"ball.radius": value}).ball.radius
        expected = {text: NUMBERS[text], f"[{text}]": [NUMBERS[text]]}.get(value, [1, NUMBERS[text], 2])
        assert read == expected
    schedule = load_scene(scene, {"ball.radius": f'{{ values = [{text}, 1.], kind = "linear" }}'}).ball.radius
    assert schedule == rb.Schedule([NUMBERS[text], 1.0], kind="linear")


@pytest.mark.parametrize(("text", "value"), [("-.5", -0.5), ("-5.", -5.0), ("-1e-3", -1e-3), ("[[-.5]]", -0.5)])
def test_negative_numbers_too(text, value, scene):
    start = text if text.startswith("[") else f"[[{text}]]"
    assert load_scene(scene, {"ball.start": start}).ball.points().tolist() == [[value]]


@pytest.mark.parametrize("text", ["7", "007", "+7", "0_7", " 7 ", "0x7"])
def test_whole_numbers_too(text, scene):
    assert load_scene(scene, {"run.0.steps": text}).run[0].steps == 7


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("TRUE", True), ("yes", True), ("on", True), ("1", True), ("false", False),
     ("False", False), ("no", False), ("Off", False), ("0", False)],
)  # fmt: skip
def test_booleans_are_read_as_people_write_them(text, value, scene):
    assert load_scene(scene, {"ball.lift": text}).ball.lift is value


@pytest.mark.parametrize(
    "text", ["2024", ".5", "5.", "true", "True", "nan", "inf", "1e-3", "a, b", "[1", "2020-01-01", ""]
)
def test_a_title_stays_what_was_typed(text, scene):
    read = load_scene(scene, {"title": text, "run.0.name": text})
    assert (read.title, read.run[0].name) == (text, text)


@pytest.mark.parametrize("text", ["inf", "-inf", "+inf", "Infinity", "INF", "nan", "NaN", "-nan", "1e999", "9" * 5000])
@pytest.mark.parametrize("key", ["ball.radius", "run.0.lr", "ball.mass", "surface.loss_scale", "run.0.steps"])
def test_what_is_not_finite_is_refused_by_name(key, text, scene, line, no_compiling):
    printed = line("run", "mine.toml", f"--{key}={text}")
    assert key.rpartition(".")[2] in printed
    assert "got" in printed


@pytest.mark.parametrize(
    "text", ["1,000", "5f", "0,5", "1/2", "five", "1e", ".", "-", "1__0", "_1", "0x", "1 2", "5%", "½"]
)
def test_what_is_no_number_is_refused_by_name(text, scene, line, no_compiling):
    assert "$.ball.radius: got " in line("run", "mine.toml", "--ball.radius", text)


def numeric_places(value, path=()):
    """The paths of all numbers in plain data."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from numeric_places(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value[:2]):
            yield from numeric_places(part, (*path, index))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path


@pytest.mark.parametrize("name", shipped())
def test_no_number_of_a_shipped_scene_may_be_infinite_or_missing(name, no_compiling):
    table = tomllib.loads(shipped()[name].read_text())
    for *parents, last in list(numeric_places(table)):
        for bad in (math.inf, -math.inf, math.nan):
            place = changed = tomllib.loads(shipped()[name].read_text())
            for part in parents:
                place = place[part]
            place[last] = bad
            with pytest.raises(rb.InputError, match="got"):
                to_scene(changed).check()


@pytest.mark.parametrize(
    "arguments", [["--ball.radius", ".5", "--run.0.lr=5e-2"], ["--ball.radius=.5", "--run.0.lr", ".05"]]
)
def test_a_number_that_begins_with_a_point_rolls_a_ball_of_that_size(arguments, scene):
    cli.main(["run", "mine.toml", *arguments, "--out", "out"])
    run = rb.Trajectory.load("out/one.safetensors")
    assert np.unique(run.radius).tolist() == [0.5]
    assert run.time[-1] == pytest.approx(0.2)


# Files as other programs write them


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_and_any_line_end_are_read(mark, end, scene, tmp_path):
    (tmp_path / "windows.toml").write_bytes(mark + SCENE.replace("\n", end).encode())
    assert load_scene(tmp_path / "windows.toml") == load_scene(scene)


def test_a_multi_line_string_with_windows_line_ends_is_the_same(scene, tmp_path):
    text = SCENE.replace('"a parabola"', '"""\na parabola,\nand more"""')
    (tmp_path / "windows.toml").write_bytes(text.replace("\n", "\r\n").encode())
    assert load_scene(tmp_path / "windows.toml").title == "a parabola,\nand more"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_unicode_encodings_are_refused_by_name(encoding, scene, tmp_path, line, no_compiling):
    (tmp_path / "wide.toml").write_bytes(SCENE.encode(encoding))
    for command in (["scenes", "check", "wide.toml"], ["run", "wide.toml"]):
        printed = line(*command)
        assert "wide.toml" in printed
        assert "UTF-" in printed


def test_latin_letters_in_another_encoding_are_refused_by_name(scene, tmp_path, line):
    (tmp_path / "latin.toml").write_bytes(SCENE.replace("parabola", "parábola").encode("latin-1"))
    assert "UTF-8" in line("scenes", "check", "latin.toml")


def test_a_manifest_with_a_byte_order_mark_is_read(scene, tmp_path):
    cli.main(["run", "mine.toml", "--out", "out"])
    manifest = tmp_path / "out/scene.json"
    manifest.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(json.loads(manifest.read_text()), indent=1).replace("\n", "\r\n").encode()
    )
    cli.main(["plot", "out"])


# Slips of the fingers


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["runn", "demo"], "did you mean run?"),
        (["dmeo"], "did you mean demo?"),
        (["animte", "out"], "did you mean animate?"),
        (["Run", "demo"], "did you mean run?"),
        (["animate", "out", "--run", "one"], "did you mean --run-name?"),
        (["animate", "out", "--run=one"], "did you mean --run-name?"),
        (["animate", "--run", "one", "out"], "did you mean --run-name?"),
        (["plot", "--run", "one", "out"], "--run: no such option; there are --axes, --plane"),
        (["doctor", "--quick"], "--quick: no such option; there are --warm"),
        (["animate", "out", "--second", "4"], "did you mean --seconds?"),
        (["run", "demo", "--devise", "cpu"], "did you mean --device?"),
        (["demo", "--output", "x"], "did you mean --out?"),
        (["paper", "--quik"], "did you mean --quick?"),
        (["export", "run", "--to", "x", "--bal", "1"], "did you mean --ball?"),
        (["view", "out", "--prt", "1"], "did you mean --port?"),
    ],
)
def test_slips_are_asked_about(arguments, meant, line, no_compiling):
    assert meant in line(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [[], ["bogus"], ["scenes", "chek"], ["animate", "out", "--view", "contuor"], ["plot"], ["run"], ["--bogus"],
     ["animate", "out", "--fps", "fast"], ["plot", "out", "--axes", "0"], ["demo", "--out"], ["plot", "a", "b"],
     ["run", "demo", "--ball.radius"], ["run", "demo", "--ball.lift", "--out", "x", "--run.0.steps", "3"]],
)  # fmt: skip
def test_every_wrong_command_is_one_line(arguments, line, no_compiling):
    line(*arguments)
