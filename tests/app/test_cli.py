"""The command line, in this process: what it leaves, and how it refuses, in one line and before compiling."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

import rollingball as rb
from rollingball.app import cli
from rollingball.app.doctor import EXTRAS, NEEDED, cuda_lines, file_sizes, report
from rollingball.app.scene import load_scene, schema, shipped

SHORT = ["--run.0.steps", "3", "--run.1.steps", "3"]
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


@pytest.fixture(autouse=True)
def nearby(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(capsys):
    """Run a command that has to fail with one line on stderr; returns that line."""

    def run(*arguments):
        capsys.readouterr()  # what the test itself has printed, as what it compiled with an empty kernel cache
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        line = caught.value.code
        assert isinstance(line, str) or line == 2
        if not isinstance(line, str):
            line = capsys.readouterr().err.rstrip("\n")
        assert line.startswith("rollingball: ")
        assert "\n" not in line
        assert len(line) < 1000
        return line

    return run


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A folder that ``run`` wrote, made once."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "mine.toml").write_text(SCENE)
    cli.main(["run", str(folder / "mine.toml"), "--out", str(folder / "rolled")])
    return folder / "rolled"


@pytest.fixture
def rolled(once, tmp_path):
    """A copy of it, to damage."""
    return Path(shutil.copytree(once, tmp_path / "rolled"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder that ``demo`` leaves, made once, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        cli.main(["demo"])
    return folder / "out/demo", printed.getvalue()


def picture(path):
    """A PNG as an array, when it is one and shows something."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(path)
    assert min(pixels.shape[:2]) > 300
    assert max(pixels.shape[:2]) < 6000
    assert 0.02 < (pixels[..., :3].min(axis=-1) < 0.9).mean() < 0.98
    return pixels


def pictures_of(path):
    """How many pictures a film has, when it is one that moves."""
    with Image.open(path) as film:
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(film.n_frames - 1)
        assert (np.abs(np.asarray(film.convert("RGB")) - first).max(axis=-1) > 60).sum() > 100
        return film.n_frames


# What commands leave


def test_demo_leaves_trajectories_a_scene_and_a_picture(demo):
    out, printed = demo
    names = load_scene("demo").names()
    others = {"scene.json", "paths.png", "roll.gif"}
    assert {path.name for path in out.iterdir()} == {f"{n}.safetensors" for n in names} | others
    assert pictures_of(out / "roll.gif") == 80  # four seconds
    for index, name in enumerate(names):
        run = rb.Trajectory.load(out / f"{name}.safetensors")
        assert run.step[-1] == getattr(load_scene("demo").run[index], "steps", run.step[-1])
        assert not any(rb.Status(status).failed for status in run.status)
    picture(out / "paths.png")
    assert all(name in printed for name in [*names, "paths.png", "roll.gif", load_scene("demo").title])


def test_the_demo_shows_what_a_ball_does_that_gradient_descent_does_not(demo):
    descent, ball = (rb.Trajectory.load(demo[0] / f"{name}.safetensors") for name in load_scene("demo").names())
    np.testing.assert_allclose(ball.center[0, :, :2], descent.foot[0], rtol=0, atol=1e-12)  # over the same points
    middle = rb.plot.Goal((0.0, 0.0), 1.0)
    assert (middle.reached(descent).sum(), middle.reached(ball).sum()) == (0, 24)
    assert ball.gap.min() > -1e-9


def test_overrides_change_the_trajectory(tmp_path):
    cli.main(["run", "sine-wedge", *SHORT, "--out", "a"])
    cli.main(["run", "sine-wedge", "--ball.radius", "0.3", "--run.0.steps=5", "--run.1.steps", "3", "--out=b"])
    cli.main(["run", "sine-wedge", *SHORT, "--surface.loss_scale", "0.5", "--out", "c"])
    a, b, c = (rb.Trajectory.load(tmp_path / folder / "footpoint.safetensors") for folder in "abc")
    assert (a.step[-1], b.step[-1]) == (3, 5)
    assert (np.unique(a.radius).tolist(), np.unique(b.radius).tolist()) == ([0.5, 1, 2], [0.3])
    assert c.scene["surface"]["loss_scale"] == 0.5
    assert rb.Trajectory.load(tmp_path / "b/distance.safetensors").step[-1] == 3


def test_run_rolls_a_scene_of_ones_own(rolled):
    run = rb.Trajectory.load(rolled / "one.safetensors")
    again = rb.simulate(
        rb.surfaces.quadratic([[1.0]]), rb.Ball(0.2), rb.FootpointRBO(lr=0.1), start=[[0.5]], steps=4, gap=None
    )
    np.testing.assert_array_equal(run.foot, again.foot)
    picture(rolled / "paths.png")


def test_run_goes_to_a_folder_named_after_the_scene(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text(SCENE)
    cli.main(["run", str(tmp_path / "mine.toml")])
    assert "one: 1 balls, 4 steps" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out/mine").iterdir()} == {"one.safetensors", "scene.json", "paths.png"}


def test_three_dimensions_are_projected(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text(SCENE.replace("[[0.5]]", "[[0.5, 0.5, 0.5]]"))
    cube = "[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]"
    cli.main(["run", "mine.toml", "--surface.matrix", cube, "--out", "cube"])
    assert {path.name for path in (tmp_path / "cube").iterdir()} == {"one.safetensors", "scene.json", "paths.png"}
    before = picture(tmp_path / "cube/paths.png")
    cli.main(["plot", "cube", "--axes", "0", "2"])
    assert not np.array_equal(picture(tmp_path / "cube/paths.png"), before)
    for refused, named in ((["plot", "cube", "--axes", "0", "3"], "axes"), (["animate", "cube"], "trajectory")):
        with pytest.raises(SystemExit) as caught:
            cli.main(refused)
        assert caught.value.code == 2
        assert f"rollingball: {named}: got " in capsys.readouterr().err


def test_the_energy_of_a_ball_with_mass_is_drawn_in_any_dimension(tmp_path):
    for dim, pictures in ((1, {"paths.png", "energy.png"}), (3, {"paths.png", "energy.png"})):
        slope = "[" + ", ".join(["0.3"] * dim) + "]"
        (tmp_path / "body.toml").write_text(
            f'[surface]\ntype = "plane"\nslope = {slope}\n[ball]\nradius = 0.5\nstart = [{[0.0] * dim}]\n'
            '[[run]]\nmethod = "rigid-ball"\nduration = 0.1\n'
        )
        cli.main(["run", "body.toml", "--out", f"body{dim}"])
        assert {path.name for path in (tmp_path / f"body{dim}").glob("*.png")} == pictures


def test_the_scene_left_behind_is_the_one_that_ran(rolled):
    content = json.loads((rolled / "scene.json").read_text())
    assert content["names"] == ["one"]
    assert content["scene"]["surface"]["matrix"] == [[1.0]]


IRONED = """
[surface]
type = "sine"
[iron]
radii = [0.5, 2.0]
[iron.delta]
low = 0.5
high = 2.0
count = 2
graph = ["full", "truncated"]
[plot]
box = [[-9.42477796076938, 9.42477796076938]]
"""


def test_iron_leaves_a_picture_and_the_numbers(tmp_path, capsys):
    scene = tmp_path / "ironed.toml"
    scene.write_text(IRONED)
    cli.main(["iron", str(scene), "--out", str(tmp_path / "out")])
    content = json.loads((tmp_path / "out" / "iron.json").read_text())
    delta = 1.7416700366280964  # oracle G07
    np.testing.assert_allclose(content["delta"]["full"], [2.0, delta], rtol=0, atol=1e-8)
    np.testing.assert_allclose(content["delta"]["truncated"], [2.0, delta], rtol=0, atol=1e-8)
    limits = content["limit of radius x delta"]
    assert limits["full"] == pytest.approx(np.pi**2 / 2, abs=1e-9)
    assert limits["truncated"] == pytest.approx(9 * np.pi**2 / 8, abs=1e-9)
    picture(tmp_path / "out" / "iron.png")
    assert "1.74167004" in capsys.readouterr().out


def test_iron_in_two_dimensions(tmp_path):
    cli.main(
        ["iron", "demo", "--out", str(tmp_path), "--iron.radii", "[0.5]", "--plot.box", "[[-2.0, 2.0], [-2.0, 2.0]]"]
    )
    assert json.loads((tmp_path / "iron.json").read_text())["radii"] == [0.5]
    picture(tmp_path / "iron.png")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["iron", "demo"], "$.iron"),
        (["run", "fig2-delta"], "$.run"),
        (["iron", "fig2-delta", "--iron.radii", "[0.0]"], "radii"),
        (["iron", "fig2-delta", "--iron.delta.high", "0.01"], "high"),
        (["iron", "fig2-delta", "--iron.delta.graph", '["half"]'], "graph"),
        (["iron", "fig2-delta", "--surface.dim", "3"], "$.iron"),
    ],
)
def test_iron_refuses_before_anything_is_compiled(arguments, named, refused, no_compiling, tmp_path):
    assert named in refused(*arguments, "--out", tmp_path)


def test_plot_draws_the_same_picture_again(rolled, capsys):
    before = picture(rolled / "paths.png")
    (rolled / "paths.png").unlink()
    capsys.readouterr()
    cli.main(["plot", str(rolled)])
    np.testing.assert_array_equal(picture(rolled / "paths.png"), before)
    assert capsys.readouterr().out == f"{rolled}/paths.png\n"


def test_animate_leaves_a_film_beside_its_run(rolled, tmp_path, capsys):
    capsys.readouterr()
    cli.main(["animate", str(rolled), "--seconds", "0.5", "--fps", "10"])
    assert capsys.readouterr().out == f"{rolled}/roll.gif\n"
    assert pictures_of(rolled / "roll.gif") == 5
    cli.main(["animate", str(rolled), "--out", "mine.gif", "--run-name", "one", "--fps", "3", "--seconds", "1"])
    assert pictures_of(tmp_path / "mine.gif") == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--run-name", "two"], "run-name"), (["--view", "contour"], "view"), (["--out", "a.avi"], "path"),
     (["--seconds", "0"], "seconds"), (["--fps", "0"], "fps")],
)  # fmt: skip
def test_animate_refuses_what_it_cannot_show(arguments, named, rolled, refused, tmp_path):
    assert f"rollingball: {named}: got " in refused("animate", "rolled", *arguments)
    assert list(tmp_path.rglob("*.gif")) == []


def test_animate_names_what_is_half_written(rolled, refused, tmp_path):
    file = rolled / "one.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "rolled/one.safetensors" in refused("animate", "rolled")
    (rolled / "scene.json").unlink()
    assert "rolled/scene.json" in refused("animate", "rolled")


# How plot refuses


@pytest.mark.parametrize("folder", ["nothing", "file", "empty"])
def test_plot_of_what_is_not_a_folder_of_runs(folder, refused, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    assert f"{folder}/scene.json" in refused("plot", folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"3", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"names": 3, "scene": {}}',
     b'{"names": ["one"], "scene": 3}', b'{"names": ["one"], "scene": {}}', b'{"names": ["../one"]}'],
)  # fmt: skip
def test_plot_of_a_manifest_that_run_did_not_write_names_it(content, rolled, refused):
    (rolled / "scene.json").write_bytes(content)
    assert "rolled/scene.json" in refused("plot", "rolled")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_plot_of_a_half_written_manifest_names_it(part, rolled, refused):
    whole = (rolled / "scene.json").read_bytes()
    (rolled / "scene.json").write_bytes(whole[: int(part * len(whole))])
    assert "rolled/scene.json" in refused("plot", "rolled")


@pytest.mark.parametrize("names", [[], ["../rolled/one"], ["one", "two"], ["two"]])
def test_plot_reads_no_other_files_than_those_of_its_scene(names, rolled, refused):
    content = json.loads((rolled / "scene.json").read_text())
    (rolled / "scene.json").write_text(json.dumps(content | {"names": names}))
    assert "rolled/scene.json" in refused("plot", "rolled")


@pytest.mark.parametrize("part", [None, 0, 0.1, 0.5, 0.99])
def test_plot_of_a_missing_or_half_written_trajectory_names_it(part, rolled, refused):
    file = rolled / "one.safetensors"
    whole = file.read_bytes()
    file.unlink()
    if part is not None:
        file.write_bytes(whole[: int(part * len(whole))])
    assert "rolled/one.safetensors" in refused("plot", "rolled")


def test_plot_of_a_foreign_trajectory_names_it(rolled, refused):
    other = rb.simulate(
        rb.surfaces.sine(2), rb.Ball(0.2), rb.FootpointRBO(lr=0.1), start=[[0.5, 0.5]], steps=0, gap=None
    )
    other.save(rolled / "one.safetensors")
    assert "rolled/one.safetensors" in refused("plot", "rolled")


# How run refuses: before anything is compiled, and without leaving anything


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "nope"], "nope: no such file"),
        (["run", "nope.toml"], "nope.toml: no such file"),
        (["run", "sine-wedge", "--ball.raduis", "1"], "$.ball.raduis"),
        (["run", "sine-wedge", "--run.7.lr", "1"], "--run.7.lr"),
        (["run", "sine-wedge", "--run.0.lr", "-1"], "lr: got -1"),
        (["run", "sine-wedge", "--ball.radius=0"], "radius: got 0"),
        (["run", "sine-wedge", "--ball.start", "[[0.1, 0.2], [0.3, 0.4]]"], "start"),
        (["run", "sine-wedge", "--plot.box", "[[0.0, 1.0], [0.0, 1.0]]"], "box"),
        (["run", "sine-wedge", "--device", "cuda:77"], "device: got 'cuda:77'"),
        (["run", "sine-wedge", "--lonely"], "--lonely"),
        (["run", "sine-wedge", "stray"], "stray"),
        (["run", "sine-wedge", "-x", "3"], "-x"),
        (["demo", "stray"], "stray"),
        (["demo", "--titel", "x"], "$.titel"),
        (["scenes", "check"], "scenes check"),
        (["scenes", "check", "nope"], "nope"),
        (["scenes", "check", "demo", "--titel", "x"], "$.titel"),
        (["scenes", "list", "--titel", "x"], "--titel"),
        (["scenes", "schema", "--titel", "x"], "--titel"),
        (["plot", "out", "--titel", "x"], "--titel"),
        (["animate", "out", "--titel", "x"], "--titel"),
        (["doctor", "--titel", "x"], "--titel"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_compiled(arguments, named, refused, no_compiling, tmp_path):
    assert named in refused(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["demo"], ["run", "sine-wedge"]])
@pytest.mark.parametrize("out", ["file", "file/below", "/proc/x", "n" * 300])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_compiled(
    command, out, refused, no_compiling, tmp_path
):
    if out == "/proc/x" and not Path("/proc/self").exists():
        pytest.skip("no /proc")
    (tmp_path / "file").write_text("kept")
    assert f"rollingball: {out}: " in refused(*command, "--out", out)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_name_too_long_for_a_file_costs_no_rolling(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(SCENE.replace('"one"', f'"{"n" * 300}"'))
    cli.main(["run", "mine.toml"])
    (file,) = (tmp_path / "out/mine").glob("*.safetensors")
    assert file.name.startswith("nnn")


def test_the_version_is_printed(capsys, no_compiling):
    cli.main(["--version"])
    assert capsys.readouterr().out == f"rollingball {rb.__version__}\n"


def test_a_folder_of_runs_where_one_is_asked_for_names_one(rolled, refused, tmp_path):
    assert "of which one is " + str(rolled / "one.safetensors") in refused("export", rolled, "--to", tmp_path / "x.csv")


def test_errors_end_with_status_2(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "nope"])
    code = caught.value.code
    assert (code if isinstance(code, int) else 1) == 2  # a string is printed, and the status is 1


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["scenes", "bogus"], ["plot"], ["run"], ["--bogus"]])
def test_unknown_commands_show_the_usage_and_end_with_status_2(arguments, capsys, no_compiling):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "rollingball" in capsys.readouterr().err


# Scenes and doctor


def test_scenes_list_names_every_shipped_scene_and_its_title(capsys, no_compiling):
    cli.main(["scenes", "list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped())
    assert all(line.endswith(load_scene(line.split()[0]).title) for line in lines)


def test_scenes_check_counts_the_runs(capsys, tmp_path, no_compiling):
    (tmp_path / "mine.toml").write_text(SCENE)
    cli.main(["scenes", "check", "mine.toml", "--run.0.lr", "0.5"])
    assert capsys.readouterr().out == "mine.toml: 1 runs, all good\n"


def test_scenes_schema_is_json(capsys, no_compiling):
    cli.main(["scenes", "schema"])
    assert json.loads(capsys.readouterr().out) == schema()


def test_doctor_names_every_package_and_a_device(capsys):
    cli.main(["doctor"])
    printed = capsys.readouterr().out
    for package in (*NEEDED, *EXTRAS):
        assert f"  {package} " in printed
    assert rb.__version__ in printed
    assert "\n  cpu " in printed


def test_doctor_says_which_driver_a_gpu_needs(capsys):
    cli.main(["doctor"])
    assert "which needs driver R" in capsys.readouterr().out
    [found] = cuda_lines((13, 4), (13, 0))
    assert found == "Warp has CUDA 13.4, which needs driver R580 or newer; the driver is for CUDA 13.0"
    assert cuda_lines((13, 4), None) == ["Warp has CUDA 13.4, which needs driver R580 or newer; no driver found"]
    assert cuda_lines((13, 4), (12, 8))[1] == "the driver is too old, so no CUDA device is seen: update it"
    assert cuda_lines(None, None) == ["Warp was built without CUDA"]


def test_doctor_bears_files_that_go_while_it_looks(tmp_path, monkeypatch):
    for name in ("kept", "gone"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kernel").write_bytes(b"12345")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    listed = os.scandir

    def scandir(folder):  # another program takes one away just before it is looked into
        if str(folder).endswith("gone"):
            shutil.rmtree(folder, ignore_errors=True)
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert file_sizes(tmp_path) == [5]


def test_doctor_says_what_is_missing(monkeypatch):
    monkeypatch.setattr("rollingball.app.doctor.version", lambda package: None)
    text = report()
    assert "MISSING: pip install torch" in text
    assert "without viser: pip install 'rollingball[view]'" in text


# In a process of its own


def spawned(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)


def test_the_commands_work_from_a_shell():
    helped = spawned(sys.executable, "-m", "rollingball", "--help")
    assert helped.returncode == 0
    assert all(name in helped.stdout for name in ("demo", "run", "plot", "scenes", "doctor"))
    script = shutil.which("rollingball", path=str(Path(sys.executable).parent)) or shutil.which("rollingball")
    if script is None:
        pytest.skip("the command is not installed")
    listed = spawned(script, "scenes", "list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(shipped())


@pytest.mark.parametrize("command", ["pass", "main(['--help'])", "main(['scenes', 'list'])"])
def test_heavy_packages_are_imported_only_where_they_are_used(command):
    code = f"""
import sys, rollingball
if {command!r} != "pass":
    from rollingball.app.cli import main
    try:
        {command}
    except SystemExit as end:
        assert end.code == 0
print("found", sorted({{"torch", "matplotlib", "sympy", "viser", "tqdm", "scipy"}} & set(sys.modules)))
"""
    ran = spawned(sys.executable, "-c", code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "found []"


PRESSED = """
title = "a ball that does not fit into the valley"
surface = { type = "sine" }
ball = { radius = 3.0, start = [[1.2]] }
run = [
    { name = "default", method = "footpoint-rbo", lr = 0.05, steps = 80 },
    { name = "local", method = "footpoint-rbo", lr = 0.05, steps = 80, projection = { type = "newton" } },
]
"""


def test_a_run_inside_the_surface_says_so_and_how_deep_wherever_it_is_shown(tmp_path, capsys):
    from rollingball.plot.notebook import trajectory_html
    from rollingball.plot.page.contents import page
    from rollingball.plot.page.readings import ending
    from rollingball.plot.sheets.runs import caption

    (tmp_path / "pressed.toml").write_text(PRESSED)
    cli.main(["run", "pressed.toml", "--out", "out"])
    first, second = capsys.readouterr().out.split("  local: ")
    assert "exact feet\n    1 of 1 running: " in first
    assert "inside" not in first.split("exact feet")[1]
    assert "local feet\n    1 of 1 inside: " in second
    assert "gap: down to -1.26; 1 of 1 inside by up to 42% of the radius" in second
    assert "running" not in second
    run = rb.Trajectory.load("out/local.safetensors")
    words = "1 of 1 inside by up to 42% of the radius"
    assert words in repr(run)
    assert words in trajectory_html(run)
    assert words in caption("local", run)
    assert "(by up to 0.42 of its radius)" in run.messages()[0]
    shown = page({"local": run}, load_scene("pressed.toml").build_surface())
    assert "(by up to 0.42 of its radius)" in ending(shown.casts["local"], 0)
