"""What a run takes is said before it begins: bytes in memory or on the disk, beside what is there, and the cure."""

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import rollingball as rb
from rollingball.app.scene import to_scene
from rollingball.core.machine import free_disk, free_memory, in_words
from rollingball.runs import size

SINE, BALL = rb.surfaces.sine(), rb.Ball(0.5)
RUNS = {
    "discrete": (rb.FootpointRBO(lr=0.1), {"steps": 300}, "steps"),
    "flow": (rb.IronedFlow(), {"duration": 1.0, "save_at": np.linspace(0, 1, 301)}, "save_at"),
    "body": (rb.RigidBall(), {"duration": 1.0, "save_at": np.linspace(0, 1, 301)}, "save_at"),
}


def starts(balls):
    return np.broadcast_to(np.ones((1, 1)), (balls, 1))


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_without_the_memory_is_refused_with_the_number(kind, no_compiling, monkeypatch):
    method, options, field = RUNS[kind]
    monkeypatch.setattr(size, "free_memory", lambda: 10**9)
    with pytest.raises(rb.InputError) as caught:
        rb.simulate(SINE, BALL, method, start=starts(10**6), **options)
    message = str(caught.value)
    assert re.match(
        rf"{field}: got '301 frames x 1000000 balls, [\d.]+ [GT]B of memory'; allowed: at most 1 GB", message
    )
    assert "out=" in message
    assert ("every=" if field == "steps" else "save_at=") in message


def test_the_memory_of_every_device_is_looked_at(monkeypatch):
    free = {"cuda:0": 10**10, "cuda:1": 10**7}
    monkeypatch.setattr(size, "free_memory_of", free.get)
    plan = SimpleNamespace(
        out=None, devices=("cuda:0", "cuda:1"), balls=10**5, length=301, frames_by="steps", record=("foot", "loss"),
        surface=SINE, ball_bytes=0,
    )  # fmt: skip
    with pytest.raises(rb.InputError, match=r"241 MB of memory on cuda:1'; allowed: at most 10 MB.*every="):
        size.refuse_too_large(plan)
    free["cuda:1"] = 10**9
    size.refuse_too_large(plan)


def test_a_run_without_the_disk_is_refused_and_makes_no_folder(no_compiling, monkeypatch, tmp_path):
    method, options, _field = RUNS["discrete"]
    monkeypatch.setattr(size, "free_disk", lambda path: 10**9)
    with pytest.raises(rb.InputError, match=r"steps: got '301 frames x 1000000 balls, 14\.6 GB on the disk'"):
        rb.simulate(SINE, BALL, method, start=starts(10**6), out=tmp_path / "run", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_flow_whose_frames_fit_for_no_ball_is_refused_with_a_folder_too(no_compiling, monkeypatch, tmp_path):
    monkeypatch.setattr(size, "free_memory", lambda: 10**6)
    options = {"duration": 1.0, "save_at": np.linspace(0, 1, 10**5), "out": tmp_path / "run"}
    with pytest.raises(rb.InputError, match=r"^save_at: got '100000 frames x 5 balls, .* of memory for 5 of the balls"):
        rb.simulate(SINE, BALL, rb.FootpointFlow(), start=starts(5), **options)


def test_the_estimate_is_the_size_of_the_arrays():
    method, options, _field = RUNS["discrete"]
    run = rb.simulate(SINE, BALL, method, start=starts(50), gap=None, **options)
    arrays = [run.foot, run.center, run.loss, run.gap, run.residual, run.radius]
    one = sum(array.nbytes for array in arrays) / (len(run) * run.balls)
    request = {"start": starts(50), **options}
    from rollingball.methods.families import family_of
    from rollingball.runs.request import Request

    asked = family_of(method).plan(Request(surface=SINE, ball=BALL, method=method, **request))
    assert size.frame_bytes(asked) == one
    few = family_of(method).plan(Request(surface=SINE, ball=BALL, method=method, record=("loss",), **request))
    assert size.frame_bytes(few) == 8


def test_fewer_columns_or_frames_are_a_cure(monkeypatch):
    method, options, _field = RUNS["discrete"]
    monkeypatch.setattr(size, "free_memory", lambda: 200_000)
    monkeypatch.setattr(size, "SMALL", 0)
    with pytest.raises(rb.InputError, match="frames x 20 balls"):
        rb.simulate(SINE, BALL, method, start=starts(20), **options)
    assert len(rb.simulate(SINE, BALL, method, start=starts(20), gap=None, record=("loss",), **options)) == 301
    assert len(rb.simulate(SINE, BALL, method, start=starts(20), gap=None, every=10, **options)) == 31


def test_columns_that_were_not_asked_for_are_nan_and_the_others_as_ever():
    method, options, _field = RUNS["discrete"]
    everything = rb.simulate(SINE, BALL, method, start=starts(3), **options)
    few = rb.simulate(SINE, BALL, method, start=starts(3), record=["center", "loss"], **options)
    for name in ("center", "loss", "status", "steps", "time", "step"):
        np.testing.assert_array_equal(getattr(few, name), getattr(everything, name))
    for name in ("foot", "gap", "residual", "radius"):
        assert np.isnan(getattr(few, name)).all()
        assert getattr(few, name).shape == getattr(everything, name).shape
    gaps = rb.simulate(SINE, BALL, method, start=starts(3), record=["gap"], **options)
    np.testing.assert_array_equal(gaps.gap, everything.gap)
    assert np.isnan(gaps.foot).all()


@pytest.mark.parametrize("record", ["loss", ("time",), ("loss", 3), 5, ("velocity",), [None]])
def test_what_is_no_column_is_refused(record, no_compiling):
    method, options, _field = RUNS["discrete"]
    with pytest.raises(rb.InputError, match=r"^record: got .*allowed: some of foot, center, loss"):
        rb.simulate(SINE, BALL, method, start=[1.0], record=record, **options)


def test_scenes_are_checked_alike(no_compiling, monkeypatch):
    cloud = {"around": [0.0], "count": 10**5, "spread": 1.0}
    scene = {
        "surface": {"type": "sine"},
        "ball": {"radius": 0.5, "start": cloud},
        "run": [{"method": "footpoint-rbo", "lr": 0.02, "steps": 300}],
    }
    to_scene(scene).check()
    monkeypatch.setattr(size, "free_disk", lambda path: 10**8)
    with pytest.raises(rb.InputError, match=r"^\$\.run\[0\]\.steps: got '301 frames x 100000 balls, .* on the disk'"):
        to_scene(scene).check()


def test_a_limit_of_the_process_counts_as_the_end_of_its_memory():
    resource = pytest.importorskip("resource")
    if sys.platform != "linux":
        pytest.skip("what a process has taken is read from /proc")
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, resource.RLIM_INFINITY))\n"
        "from rollingball.core.machine import free_memory\nprint(free_memory())\n"
    )
    assert resource.RLIMIT_AS
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 3 * 10**9


def test_the_machine_has_memory_and_a_disk(tmp_path):
    assert free_memory() is None or free_memory() > 10**6
    assert free_disk(tmp_path / "not" / "there") == pytest.approx(free_disk(tmp_path), rel=0.1)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1.69e9, "1.69 GB"), (2.4e15, "2.4 PB")]
)
def test_bytes_in_words(count, words):
    assert in_words(count) == words
