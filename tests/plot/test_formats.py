"""Files for other tools, read again by the readers of these tools: what stands where, when, and how it is turned."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rollingball as rb
from rollingball.plot.formats.motion import motions
from rollingball.plot.page.contents import page
from tests.plot.runs import BOX, LINE, PLANE, make
from tests.plot.test_landscape import parts_of

SECONDS, FPS = 0.5, 8
MOMENTS = 4


@pytest.fixture(scope="module")
def rolled():
    """Two runs in d = 2 by name, and where their balls are at the moments of a file."""
    runs = {"two words": make(2, balls=2), "b": make(2, radius=0.3)}
    return runs, motions(page(runs, PLANE, BOX[2]), SECONDS, FPS)


def written(runs, path, surface=PLANE, dim=2):
    rb.plot.export(runs, surface, path, box=BOX[dim], fps=FPS, seconds=SECONDS)
    return path


def turned(quaternion, vectors):
    """Vectors turned by a unit quaternion, its real part first."""
    w, v = quaternion[0], quaternion[1:]
    return vectors + 2 * np.cross(v, np.cross(v, vectors) + w * vectors)


def test_balls_are_where_the_runs_say(rolled):
    runs, found = rolled
    for (name, run), motion in zip(runs.items(), found, strict=True):
        assert (motion.name, len(motion.time)) == (name, MOMENTS)
        np.testing.assert_allclose(motion.center[[0, -1]], run.center[[0, -1]], atol=1e-12)
        np.testing.assert_allclose(motion.radius, run.radius[0, 0], atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(motion.turn, axis=-1), 1.0, atol=1e-12)
        assert (np.diff(motion.turn, axis=0)[..., :] ** 2).sum(axis=-1).max() <= 2 + 1e-12  # the short way round


def test_usd_has_the_balls_at_each_time_and_the_landscape(rolled, tmp_path):
    usd = pytest.importorskip("pxr.Usd")
    geometry = pytest.importorskip("pxr.UsdGeom")
    runs, found = rolled
    for suffix in (".usda", ".usdc", ".usd"):
        stage = usd.Stage.Open(str(written(runs, tmp_path / f"run{suffix}")))
        assert (stage.GetEndTimeCode(), stage.GetTimeCodesPerSecond()) == (MOMENTS - 1, FPS)
        assert geometry.GetStageUpAxis(stage) == "Z"
        balls = [prim for prim in stage.Traverse() if prim.GetName().startswith("ball_")]
        assert len(balls) == sum(run.balls for run in runs.values())
        prims = iter(balls)
        for motion in found:
            for ball in range(motion.cast.run.balls):
                place = geometry.Xformable(next(prims))
                for code in range(MOMENTS):
                    matrix = np.array(place.ComputeLocalToWorldTransform(code))  # of row vectors
                    np.testing.assert_allclose(matrix[3, :3], motion.center[code, ball], atol=1e-6)
                    axes = motion.radius[code, ball] * turned(motion.turn[code, ball], np.eye(3))
                    np.testing.assert_allclose(matrix[:3, :3], axes, atol=1e-5)
        mesh = geometry.Mesh(stage.GetPrimAtPath("/rollingball/landscape"))
        points = np.array(mesh.GetPointsAttr().Get())
        np.testing.assert_allclose(points[:, 2], PLANE.value(points[:, :2].astype(float)), atol=1e-5)


def test_gltf_rolls_the_balls_by_an_animation(rolled, tmp_path):
    runs, found = rolled
    head, arrays, _body = parts_of(written(runs, tmp_path / "run.glb").read_bytes())
    (animation,) = head["animations"]
    by_node = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        by_node.setdefault(channel["target"]["node"], {})[channel["target"]["path"]] = sampler
    balls = [(motion, ball) for motion in found for ball in range(motion.cast.run.balls)]
    assert len(by_node) == len(balls)
    for (node, samplers), (motion, ball) in zip(sorted(by_node.items()), balls, strict=True):
        assert head["nodes"][node]["name"] == f"{motion.name}, ball {ball}"
        np.testing.assert_allclose(head["nodes"][node]["scale"], [motion.radius[0, ball]] * 3, rtol=1e-6)
        np.testing.assert_allclose(arrays[samplers["translation"]["output"]], motion.center[:, ball], atol=1e-6)
        np.testing.assert_allclose(
            arrays[samplers["rotation"]["output"]], motion.turn[:, ball][:, [1, 2, 3, 0]], atol=1e-6
        )
        clock = arrays[samplers["translation"]["input"]].ravel()
        np.testing.assert_allclose(clock, np.linspace(0, SECONDS, MOMENTS), atol=1e-6)
    root = head["nodes"][0]
    x, y, z, w = root["rotation"]
    np.testing.assert_allclose(turned(np.array([w, x, y, z]), np.array([0.0, 0.0, 1.0])), [0, 1, 0], atol=1e-12)


def test_gltf_is_read_by_another_reader(rolled, tmp_path):
    trimesh = pytest.importorskip("trimesh")
    runs, _found = rolled
    scene = trimesh.load(written(runs, tmp_path / "run.glb"))
    assert len(scene.geometry) >= 1 + 2 * 2


def test_rerun_verifies_its_recording(rolled, tmp_path):
    pytest.importorskip("rerun")
    from rerun.chunk import RrdReader

    runs, _found = rolled
    path = written(runs, tmp_path / "run.rrd")
    entities = {str(chunk.entity_path) for chunk in RrdReader(path).stream()}
    assert {"/landscape", "/b/balls", "/b/loss", "/two\\ words/balls", "/two\\ words/paths"} <= entities


@pytest.mark.parametrize(("package", "suffix", "extra"), [("pxr", ".usda", "usd"), ("rerun", ".rrd", "rerun")])
def test_a_missing_package_is_one_line_that_says_how_to_get_it(rolled, tmp_path, package, suffix, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(rb.RollingBallError, match=rf"pip install 'rollingball\[{extra}\]'"):
        written(rolled[0], tmp_path / f"run{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_sections_and_points_are_written_too(tmp_path):
    run = make(1, radius=0.0)
    written(run, tmp_path / "a.glb", LINE, 1)
    with pytest.raises(rb.InputError, match="path: got "):
        written(run, tmp_path / "a.obj", LINE, 1)
    with pytest.raises(rb.InputError, match="seconds"):
        rb.plot.export(run, LINE, tmp_path / "a.glb", seconds=0.0)


def test_the_command_writes_by_the_suffix(tmp_path):
    sine = rb.surfaces.sine()
    run = rb.simulate(sine, rb.Ball(0.5), rb.FootpointRBO(lr=0.05), start=[1.2], steps=5)
    run.save(tmp_path / "run.safetensors")
    command = [sys.executable, "-m", "rollingball", "export", "run.safetensors", "--to"]
    done = subprocess.run([*command, "run.glb"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "run.glb: run\n"
    assert Path(tmp_path / "run.glb").read_bytes().startswith(b"glTF")
    refused = subprocess.run([*command, "run.obj"], cwd=tmp_path, capture_output=True, text=True)
    assert (refused.returncode, "to: got 'run.obj'" in refused.stderr) == (2, True)
