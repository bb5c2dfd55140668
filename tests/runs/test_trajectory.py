"""Trajectories: slicing, times, joining, files, and going on with a run."""

import dataclasses
import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

import rollingball as rb
from rollingball.runs.fields import FIELDS
from rollingball.runs.trajectory import Trajectory

FRAMES = tuple(field.name for field in FIELDS if not field.optional and field.axes[0].startswith("T"))
BALLS = tuple(field.name for field in FIELDS if not field.optional and field.axes == ("B",))


def make(frames=5, balls=2, dim=2, dtype=np.float64, own_times=False):
    """A trajectory of drawn numbers."""
    rng = np.random.default_rng(3)
    foot = rng.normal(size=(frames, balls, dim)).astype(dtype)
    time = np.arange(frames) * 0.5
    return Trajectory(
        step=np.arange(frames) * 5,
        time=time[:, None] * np.arange(1, balls + 1) if own_times else time,
        foot=foot,
        center=rng.normal(size=(frames, balls, dim + 1)),
        loss=rng.normal(size=(frames, balls)),
        gap=rng.normal(size=(frames, balls)),
        residual=rng.normal(size=(frames, balls)),
        radius=np.full((frames, balls), 0.5),
        status=np.arange(balls, dtype=np.int32),
        steps=np.arange(balls) + 7,
        evaluations=np.arange(balls) * 11,
        seconds=0.25,
        scene={"surface": {"type": "sine", "dim": dim}, "note": "é ∑ \u2028", "numbers": [1, 2.5, None, True]},
        state={"foot.point": foot[-1], "steps": np.arange(balls, dtype=np.int32)},
        certified=True,
    )


def same(one, other, names=FRAMES + BALLS):
    for name in names:
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype, name
        assert a.shape == b.shape, name
        assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes(), name


def rolled(steps=20, every=1, dtype="float64", **more):
    given = {
        "surface": rb.surfaces.sine(),
        "ball": rb.Ball(radius=0.5),
        "method": rb.FootpointRBO(lr=0.05),
        "start": [[1.2], [-2.0]],
    }
    given |= more
    named = (given.pop("surface"), given.pop("ball"), given.pop("method"))
    return rb.simulate(*named, steps=steps, every=every, dtype=dtype, gap=None, **given)


# Frames and balls


@pytest.mark.parametrize("pick", [slice(None), slice(1, 3), slice(None, None, 2), slice(None, None, -1), slice(2, 2)])
def test_slices_pick_frames(pick):
    run = make()
    part = run[pick]
    for name in FRAMES:
        np.testing.assert_array_equal(getattr(part, name), getattr(run, name)[pick])
    same(part, run, BALLS)
    assert (part.scene, part.seconds, part.certified) == (run.scene, run.seconds, run.certified)


def test_every_tenth_frame():
    run = make(frames=31)
    assert run[10::10].step.tolist() == [50, 100, 150]
    assert (len(run[10::10]), run.dim, run.balls) == (3, 2, 2)


@pytest.mark.parametrize("index", [0, 2, -1, -5, np.int64(3)])
def test_an_int_gives_one_frame(index):
    run = make()
    part = run[index]
    assert (len(part), part.foot.shape, part.time.shape) == (1, (1, 2, 2), (1,))
    np.testing.assert_array_equal(part.loss[0], run.loss[index])


@pytest.mark.parametrize("index", [5, -6, 10**9])
def test_there_is_no_frame_beyond_the_end(index):
    with pytest.raises(IndexError, match="of 5"):
        make()[index]


def test_frames_can_be_listed():
    run = make()
    assert run[[3, 1]].step.tolist() == [15, 5]
    assert run[np.array([0, -1])].step.tolist() == [0, 20]
    assert run[run.time > 0.7].step.tolist() == [10, 15, 20]
    assert len(list(run)) == 5


@pytest.mark.parametrize(
    ("pick", "kept"),
    [
        (slice(10), True),
        (slice(None, None, 4), True),
        (-1, True),
        ([0, 4], True),
        (4, True),
        (slice(2, 5), True),
        (slice(None, None, -1), False),
        (slice(None, None, 3), False),
        (0, False),
        ([4, 0], False),
        (slice(0), False),
        (slice(-1), False),
    ],
)
def test_the_final_state_stays_with_the_last_frame(pick, kept):
    assert (make()[pick].state is not None) == kept


@pytest.mark.parametrize("pick", [1, -1, slice(1, None), [1], [1, 0], np.array([True, False]), np.array([1, 1])])
def test_select_picks_balls(pick):
    run = make(own_times=True)
    part = run.select(pick)
    index = pick if not isinstance(pick, int) else [pick]
    for name in FRAMES:
        expected = getattr(run, name) if name == "step" else getattr(run, name)[:, index]
        np.testing.assert_array_equal(getattr(part, name), expected)
    for name in BALLS:
        np.testing.assert_array_equal(getattr(part, name), getattr(run, name)[index])
    for name, value in run.state.items():
        np.testing.assert_array_equal(part.state[name], value[index])


def test_select_keeps_shared_times():
    assert make().select(0).time.tolist() == make().time.tolist()


@pytest.mark.parametrize("pick", [[], (), np.zeros(0), range(0), np.array([False, False])], ids=str)
def test_select_of_nothing_is_a_run_of_no_balls(pick, tmp_path):
    none = make(own_times=True).select(pick)
    assert (none.balls, none.foot.shape) == (0, (5, 0, 2))
    assert "0 balls" in repr(none)
    assert "no balls" in none._repr_html_()
    none.save(tmp_path / "none.safetensors")
    assert Trajectory.load(tmp_path / "none.safetensors").balls == 0


@pytest.mark.parametrize(
    "pick", [2, -3, [0, 2], 1.0, [0.5], "0", None, [True], [True] * 3, [[0], [1]], [[0], [0, 1]]], ids=str
)
def test_a_ball_that_is_not_there_is_refused(pick):
    with pytest.raises(rb.InputError, match=r"balls: got .*; allowed: whole numbers within \[-2, 2\), a slice, or a"):
        make().select(pick)


def test_words():
    run = make(balls=3)
    deepest = -100 * run.gap.min() / 0.5
    words = f"1 running, 1 converged, 1 focal point; 3 of 3 inside by up to {deepest:.0f}% of the radius"
    assert repr(run) == f"Trajectory(5 frames, 3 balls, d=2: {words})"
    assert [text.split(":")[0] for text in run.messages()] == ["running", "converged", "focal point"]


# Times


def test_at_is_linear_between_frames():
    run = make()
    part = run.at([0.0, 0.125, 0.5, 1.9, 2.0])
    left, share = [0, 0, 1, 3, 4], np.array([0, 0.25, 0, 0.8, 0])
    for name in FRAMES:
        values = getattr(run, name)
        after = values[np.minimum(np.array(left) + 1, 4)]
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        np.testing.assert_allclose(
            getattr(part, name), values[left] * (1 - weight) + after * weight, rtol=1e-13, atol=1e-14
        )
    assert part.time.tolist() == [0.0, 0.125, 0.5, 1.9, 2.0]
    assert part.step.tolist() == [0, 1.25, 5, 19, 20]
    assert part.state is None
    same(part, run, BALLS)


def test_at_a_frame_is_that_frame():
    run = make()
    for index in range(5):
        np.testing.assert_array_equal(run.at(run.time[index]).foot[0], run.foot[index])
    assert len(run.at(0.3)) == 1
    assert run.at([1.7, 0.2]).time.tolist() == [1.7, 0.2]
    assert run[2].at(1.0).foot.tolist() == run[2].foot.tolist()


def test_at_with_uneven_times():
    run = dataclasses.replace(make(), time=np.array([0.0, 0.1, 1.0, 1.0, 4.0]))
    np.testing.assert_allclose(run.at(2.5).loss[0], (run.loss[3] + run.loss[4]) / 2, rtol=1e-14)
    np.testing.assert_allclose(run.at(0.4).loss[0], run.loss[1] * 2 / 3 + run.loss[2] / 3, rtol=1e-13)


@pytest.mark.parametrize("time", [-1e-9, 2.0001, [0.5, 3.0], np.nan, np.inf, [], [[0.5]], "text", None])
def test_at_refuses_times_outside_the_run(time):
    with pytest.raises(rb.InputError) as error:
        make().at(time)
    assert error.value.field == "time"


def test_at_needs_shared_times():
    with pytest.raises(rb.InputError, match="select one ball"):
        make(own_times=True).at(0.5)


# Joining


def later_than(run, frames=3):
    rng = np.random.default_rng(4)
    foot = rng.normal(size=(frames, run.balls, run.dim))
    foot[0] = run.foot[-1]
    steps = np.arange(frames) * 2
    return dataclasses.replace(
        make(frames, run.balls, run.dim), step=steps, time=7 + steps * 0.125, foot=foot, seconds=1.0, certified=False
    )


def test_append_has_the_shared_frame_once():
    run = make()
    later = later_than(run)
    whole = run.append(later)
    assert whole.step.tolist() == [0, 5, 10, 15, 20, 22, 24]
    np.testing.assert_allclose(whole.time, [0, 0.5, 1, 1.5, 2, 2.25, 2.5], rtol=1e-15)
    np.testing.assert_array_equal(whole.foot[4], run.foot[4])
    for name in set(FRAMES) - {"step", "time"}:
        np.testing.assert_array_equal(getattr(whole, name)[:4], getattr(run, name)[:4])
        np.testing.assert_array_equal(getattr(whole, name)[5:], getattr(later, name)[1:])
    assert whole.steps.tolist() == (run.steps + later.steps).tolist()
    assert whole.evaluations.tolist() == (run.evaluations + later.evaluations).tolist()
    assert (whole.seconds, whole.certified, whole.state) == (1.25, False, later.state)
    assert (len(run), len(later)) == (5, 3)


def test_append_mixes_shared_and_own_times():
    run = make(own_times=True)
    whole = run.append(later_than(run))
    np.testing.assert_allclose(whole.time[-1], run.time[-1] + 0.5)
    np.testing.assert_allclose(whole.time[:5], run.time)
    shared = make().append(dataclasses.replace(later_than(make()), time=np.array([[0, 0], [1, 2], [2, 4.0]])))
    np.testing.assert_allclose(shared.time[-1], [4, 6])


def test_a_run_without_frames_or_balls_has_nothing_at_a_time_and_nothing_to_append():
    run = make()
    with pytest.raises(rb.InputError, match=r"^time: .* a frame or more"):
        run[0:0].at([0.0])
    with pytest.raises(rb.InputError, match=r"^time: .* a ball or more"):
        make(own_times=True).select([]).at([0.0])
    for one, other in ((run, run[0:0]), (run[0:0], run)):
        with pytest.raises(rb.InputError, match=r"^later: "):
            one.append(other)


def test_append_nothing():
    run = make()
    same(run.append(run[-1]), run, FRAMES)


@pytest.mark.parametrize("change", ["foot", "balls", "dim"])
def test_append_refuses_what_does_not_follow(change):
    run = make()
    if change == "foot":
        later = later_than(run)
        later.foot[0, 0, 0] += 1e-15
        later.foot[0, 1, 1] = np.nextafter(later.foot[0, 1, 1], 9)
    else:
        later = make(balls=3) if change == "balls" else make(dim=3)
    with pytest.raises(rb.InputError) as error:
        run.append(later)
    assert error.value.field == "later"


# Files


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("own_times", [False, True])
def test_files_keep_every_bit(tmp_path, dtype, own_times):
    run = make(dtype=dtype, own_times=own_times)
    run.loss[1] = np.nan, -np.inf
    run.gap[:] = np.nan
    run.foot[2, 0] = np.inf, -0.0
    run.save(tmp_path / "run.safetensors")
    again = Trajectory.load(str(tmp_path / "run.safetensors"))
    same(again, run)
    assert (again.scene, again.seconds, again.certified) == (run.scene, run.seconds, run.certified)
    assert list(again.state) == list(run.state) or set(again.state) == set(run.state)
    for name, value in run.state.items():
        assert again.state[name].dtype == value.dtype
        np.testing.assert_array_equal(again.state[name], value)
    assert os.listdir(tmp_path) == ["run.safetensors"]


def test_files_of_slices(tmp_path):
    run = make()
    for part in (run[::-1], run[::2], run.select(1), run[3], run[:0], dataclasses.replace(run, state=None)):
        part.save(tmp_path / "part")
        again = Trajectory.load(tmp_path / "part")
        same(again, part)
        assert (again.state is None) == (part.state is None)


def test_a_run_survives_its_file(tmp_path):
    run = rolled()
    run.save(tmp_path / "run")
    again = Trajectory.load(tmp_path / "run")
    same(again, run)
    assert again.scene == run.scene
    assert again.scene["surface"] == rb.surfaces.sine().recipe
    assert again.scene["run"]["seed"] == 0
    assert json.loads(json.dumps(run.scene)) == run.scene


def test_a_file_can_be_read_by_others(tmp_path):
    make().save(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o044 == 0o044 & ~current_umask()


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("step", ["replace", "open", "fdopen"])
def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "run"
    make().save(path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        if step == "fdopen":
            os.close(args[0])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"rollingball.core.files.os.{step}", fail)
        with pytest.raises(rb.FileError, match=r"run: cannot be written: No space left"):
            make(frames=9).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run"]


def test_a_write_that_stops_half_way_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run"
    make().save(path)
    before = path.read_bytes()
    real = os.fdopen

    class Half:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, content):
            self.file.write(content[: len(content) // 2])
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rollingball.core.files.os.fdopen", lambda *args: Half(real(*args)))
        with pytest.raises(rb.FileError, match="No space left"):
            make(frames=9).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("place", ["missing/run", "file/run", "folder"])
def test_places_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(rb.FileError) as error:
        make().save(tmp_path / place)
    assert str(tmp_path / place) in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(rb.FileError, match="cannot be written"):
            make().save(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def refused(path, match="run"):
    """Loading ``path`` is a FileError that names it, and leaves it as it was."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(rb.FileError, match=match) as error:
        Trajectory.load(path)
    assert str(path) in str(error.value)
    assert isinstance(error.value, OSError)
    if before is not None:
        assert path.read_bytes() == before
    return str(error.value)


def test_truncated_files(tmp_path):
    path = tmp_path / "run"
    make().save(path)
    whole = path.read_bytes()
    lengths = {*range(0, 24), *range(24, len(whole), 97), len(whole) - 1}
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        refused(path)
    path.write_bytes(whole + b"more")
    refused(path)


FOREIGN = {
    "text": b"step,time\n1,2\n" * 9,
    "zeros": bytes(4096),
    "zip": b"PK\x03\x04" + bytes(99),
    "numpy": b"\x93NUMPY" + bytes(99),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_foreign_files(tmp_path, content):
    (tmp_path / "run").write_bytes(content)
    refused(tmp_path / "run", "not a whole safetensors file")


def test_files_that_are_not_there(tmp_path):
    refused(tmp_path / "run", "cannot be read|not a whole")
    refused(tmp_path, "cannot be read|not a whole")


@pytest.mark.parametrize("path", [None, 3, "", b"run", True], ids=repr)
def test_what_is_no_path_is_refused_wherever_one_is_asked_for(path):
    empty = rb.Comparison(*[np.zeros(0)] * 8, 0.1, *[np.zeros(0)] * 3)
    for call in (
        make().save, rb.Trajectory.load, rb.load_scene, rb.pytorch.LossPlane.load, empty.save,
        lambda path: rb.plot.save(None, path), rb.pytorch.read_recording,
    ):  # fmt: skip
        with pytest.raises(rb.InputError, match=r"^(path|folder): got .*; allowed: the path of a "):
            call(path)


def written(path, arrays=None, head=None, scene=None, drop=(), raw=None):
    """A file like that of :func:`make`, changed."""
    run = make()
    parts = {name: getattr(run, name) for name in FRAMES + BALLS if name not in drop} | (arrays or {})
    metadata = {
        "rollingball": json.dumps(head or {"format": 1, "seconds": 1.0, "certified": False}),
        "scene": scene or "{}",
    }
    save_file(
        {name: np.ascontiguousarray(value) for name, value in parts.items()},
        path,
        metadata=metadata if raw is None else raw,
    )
    return path


def test_the_changed_files_would_load(tmp_path):
    same(Trajectory.load(written(tmp_path / "run")), make())


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"format": "pt"},
        {"rollingball": "{"},
        {"rollingball": "[1]"},
        {"rollingball": "{}"},
        {"rollingball": '{"format": null}'},
    ],
)
def test_safetensors_of_others(tmp_path, raw):
    refused(written(tmp_path / "run", raw=raw), "not a rollingball trajectory")


def test_newer_files(tmp_path):
    text = refused(written(tmp_path / "run", head={"format": 2, "something": "new"}), "newer rollingball")
    assert "format 2" in text
    assert "upgrade" in text


@pytest.mark.parametrize("name", FRAMES + BALLS)
def test_missing_arrays(tmp_path, name):
    assert name in refused(written(tmp_path / "run", drop=(name,)), "missing").split("trajectory: ")[1]


WRONG = {
    "step": (4,),
    "time": (5, 3),
    "foot": (5, 2),
    "center": (5, 2, 2),
    "loss": (5,),
    "gap": (5, 3),
    "residual": (4, 2),
    "radius": (),
    "status": (3,),
    "steps": (2, 1),
    "evaluations": (1,),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_shapes(tmp_path, name):
    refused(written(tmp_path / "run", {name: np.zeros(WRONG[name])}), f"{name} has shape")


@pytest.mark.parametrize(
    "head",
    [
        {"format": 1},
        {"format": 1, "seconds": "x", "certified": 0},
        {"format": 1, "seconds": None, "certified": 0},
        {"format": float("inf")},
    ],
)
def test_heads_that_make_no_sense(tmp_path, head):
    refused(written(tmp_path / "run", head=head), "not a rollingball trajectory")


@pytest.mark.parametrize("scene", ["{", "[1]", "3", '"text"', "[" * 100000])
def test_scenes_that_make_no_sense(tmp_path, scene):
    refused(written(tmp_path / "run", scene=scene), "not a rollingball trajectory")


# Going on


METHODS = {
    "footpoint": (rb.Ball(radius=0.5), rb.FootpointRBO(lr=0.05)),
    "gradient projection": (
        rb.Ball(radius=0.5),
        rb.FootpointRBO(lr=0.05, projection=rb.GradientProjection(step_size=0.1, steps=20)),
    ),
    "distance": (rb.Ball(radius=0.5), rb.DistanceRBO(lr=0.05)),
    "heavy ball": (None, rb.HeavyBall(lr=0.05, momentum=0.8)),
    "entropy": (None, rb.EntropySGD(lr=0.05, inner_steps=5, noise=0.1)),
}
SAME = ("foot", "center", "loss", "residual", "radius", "status", "evaluations", "steps", "step")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", METHODS)
class TestResume:
    def run(self, kind, dtype, steps, **more):
        ball, method = METHODS[kind]
        return rolled(steps, dtype=dtype, ball=ball, method=method, seed=5, **more)

    def test_it_is_the_uninterrupted_run(self, kind, dtype, tmp_path):
        whole, part = self.run(kind, dtype, 20), self.run(kind, dtype, 8)
        assert np.abs(whole.foot[-1] - whole.foot[8]).max() > 1e-3
        resumed = rb.resume(part, steps=12, gap=None)
        same(resumed, whole, SAME)
        np.testing.assert_allclose(resumed.time, whole.time, rtol=1e-14)
        for name, value in whole.state.items():
            assert resumed.state[name].tobytes() == value.tobytes(), name
        part.save(tmp_path / "run")
        same(rb.resume(Trajectory.load(tmp_path / "run"), steps=12, gap=None), whole, SAME)
        same(rb.resume(rb.resume(part, steps=5, gap=None), steps=7, gap=None), whole, SAME)

    def test_with_fewer_frames_it_has_one_more_where_they_join(self, kind, dtype):
        whole, part = self.run(kind, dtype, 20), self.run(kind, dtype, 8, every=3)
        assert part.step.tolist() == [0, 3, 6, 8]
        resumed = rb.resume(part, steps=12, gap=None)
        assert resumed.step.tolist() == [0, 3, 6, 8, 11, 14, 17, 20]
        same(resumed, whole[resumed.step], SAME)
        sparse = self.run(kind, dtype, 20, every=3)
        assert sparse.step.tolist() == [0, 3, 6, 9, 12, 15, 18, 20]
        same(sparse, whole[sparse.step], SAME)


def test_resume_goes_on_along_schedules_with_steps_of_their_own():
    ball = rb.Ball(radius=rb.Schedule([0.5, 0.1], kind="geometric", steps=20))
    method = rb.FootpointRBO(lr=rb.Schedule([[0.05, 0.02], [0.01, 0.03]], steps=15))
    whole, part = (rolled(steps, ball=ball, method=method) for steps in (20, 8))
    resumed = rb.resume(part, steps=12, gap=None)
    assert whole.time.shape == (21, 2)
    same(resumed, whole, ("foot", "center", "loss", "residual", "status", "evaluations", "steps", "step"))
    np.testing.assert_allclose(resumed.time, whole.time, rtol=1e-13)
    np.testing.assert_allclose(resumed.radius, whole.radius, rtol=1e-15)


@pytest.mark.parametrize("cut", [10, 100, 180])
def test_resume_keeps_stop_rules_and_their_patience(cut):
    stop = rb.Stop(displacement=1e-3, patience=30)
    more = {"stop": stop, "start": [[-1.4], [1.2]], "method": rb.FootpointRBO(lr=0.05)}
    whole = rolled(300, **more)
    assert whole.status.tolist() == [rb.Status.CONVERGED] * 2
    assert whole.steps[0] < 100 < whole.steps[1]
    same(rb.resume(rolled(cut, **more), steps=300 - cut, gap=None), whole, SAME)


def test_resume_after_a_callback_ended_the_run():
    # callbacks are asked at recorded frames, so that the last frame is the state from which the run goes on
    part = rolled(20, every=3, chunk=4, callback=lambda progress: progress.step >= 4)
    resumed = rb.resume(part, steps=20 - int(part.step[-1]), gap=None)
    whole = rolled(20)
    same(resumed, whole[resumed.step], ("foot", "center", "loss"))
    assert resumed.step[-1] == 20


def test_resume_of_balls_and_scales():
    more = {
        "surface": rb.surfaces.rosenbrock(2, loss_scale=0.1),
        "start": [[-1.0, 1.0], [0.5, 0.5]],
        "method": rb.FootpointRBO(lr=1e-4),
    }
    more |= {"ball": rb.Ball(radius=[0.003, 0.005])}
    whole, part = rolled(20, **more), rolled(8, **more)
    same(rb.resume(part, steps=12, gap=None), whole, SAME)
    alone = rb.resume(rolled(8, **{**more, "ball": rb.Ball(radius=0.003)}).select(0), steps=12, gap=None)
    np.testing.assert_array_equal(alone.foot[:, 0], whole.foot[:, 0])


def test_resume_keeps_the_seed():
    ball, method = METHODS["entropy"]
    whole, part, other = (rolled(n, ball=ball, method=method, seed=seed) for n, seed in ((8, 5), (4, 5), (8, 6)))
    same(rb.resume(part, steps=4, gap=None), whole, SAME)
    assert (rb.resume(part, steps=4, gap=None, seed=6).foot[-1] != whole.foot[-1]).all()
    assert (other.foot[1:] != whole.foot[1:]).all()


def test_resume_with_other_options():
    part = rolled(8)
    assert rb.resume(part, steps=10, every=5, gap=None).step.tolist() == [*range(9), 13, 18]
    same(rb.resume(part, steps=0, gap=None), part, ("foot", "center", "loss", "step", "steps", "evaluations"))
    assert np.isfinite(rb.resume(part, steps=1).gap[-1]).all()


@pytest.mark.parametrize("kind", METHODS)
def test_a_run_that_did_not_record_its_feet_goes_on_from_its_state(kind):
    ball, method = METHODS[kind]
    more = {"ball": ball, "method": method, "dtype": "float32"}
    whole, part = rolled(8, **more), rolled(5, record=["loss"], **more)
    assert np.isnan(part.foot).all()
    resumed = rb.resume(part, steps=3, gap=None)
    same(resumed, whole, ("loss", "step", "time", "steps", "status", "evaluations"))
    np.testing.assert_array_equal(resumed.foot[5:], whole.foot[5:])
    assert np.isnan(resumed.foot[:5]).all()


def test_the_file_of_a_run_is_resumed_as_the_run_is(tmp_path):
    part, path = rolled(4), tmp_path / "run.safetensors"
    part.save(path)
    for given in (path, str(path)):
        same(rb.resume(given, 3, gap=None), rb.resume(part, 3, gap=None), SAME)
    with pytest.raises(rb.InputError, match=r"^steps: got None"):
        rb.resume(path)
    for steps in (3, None):
        with pytest.raises(rb.FileError, match=r"nothing\.safetensors: cannot be read: No such file"):
            rb.resume(tmp_path / "nothing.safetensors", steps)
        with pytest.raises(rb.FileError, match=r"is a folder of runs, of which one is .*run\.safetensors"):
            rb.resume(tmp_path, steps)
    with pytest.raises(rb.InputError, match=r"^trajectory: got ''"):
        rb.resume("", 3)


@pytest.mark.parametrize(
    "scene", [{}, {"surface": {"name": "mine", "dim": 1}}, {"surface": {"type": "sine"}}, {"surface": "sine"}]
)
def test_resume_needs_a_scene(scene):
    with pytest.raises(rb.InputError):
        rb.resume(dataclasses.replace(rolled(2), scene=scene), steps=2)


def test_resume_needs_the_final_state():
    run = rolled(8)
    with pytest.raises(rb.InputError, match="final state"):
        rb.resume(run[:5], steps=2)
    with pytest.raises(rb.InputError, match="in float32"):
        rb.resume(run, steps=2, dtype="float32")
    for steps in (-1, 2.5, None):
        with pytest.raises(rb.InputError, match=r"^steps"):
            rb.resume(run, steps=steps)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_resume_refuses_a_foreign_state(change):
    run = rolled(4)
    state = dict(run.state)
    if change == "missing":
        del state["steps"], state["center"]
    elif change == "unknown":
        state["foot.colour"] = state["steps"]
    else:
        state["center"] = np.zeros((2, 5))
    with pytest.raises(rb.InputError):
        rb.resume(dataclasses.replace(run, state=state), steps=2)


@pytest.mark.parametrize("kind", ["linear", "geometric", "hold"])
def test_resume_holds_the_last_value_of_a_schedule(kind):
    ball, lr = rb.Ball(rb.Schedule([0.9, 0.3, 0.1], kind=kind)), rb.Schedule([0.05, 0.01], kind=kind)
    part = rb.simulate(rb.surfaces.sine(), ball, rb.FootpointRBO(lr), start=[1.0], steps=12, gap=None)
    resumed = rb.resume(part, steps=8, gap=None)
    np.testing.assert_array_equal(resumed.radius[:13], part.radius)
    np.testing.assert_allclose(resumed.radius[12:], 0.1, rtol=1e-12)
    np.testing.assert_allclose(np.diff(resumed.time)[12:], 0.01, rtol=1e-9)


def test_a_converged_ball_rolls_again_under_another_rule():
    options = {"start": [1.0], "steps": 500, "gap": None}
    first = rb.simulate(rb.surfaces.sine(), rb.Ball(0.4), rb.FootpointRBO(0.05), stop=rb.Stop(gradient=0.1), **options)
    assert first.status[0] == rb.Status.CONVERGED
    same_rule = rb.resume(first, steps=500, gap=None)
    assert same_rule.steps[0] == first.steps[0]
    tighter = rb.resume(first, steps=500, stop=rb.Stop(gradient=1e-6), gap=None)
    assert tighter.status[0] == rb.Status.CONVERGED
    assert abs(np.cos(tighter.foot[-1, 0, 0])) <= 1e-6
    freely = rb.simulate(rb.surfaces.sine(), rb.Ball(0.2), rb.FootpointRBO(0.05), **{**options, "start": first})
    assert freely.steps[0] == 500


def test_a_selected_ball_can_be_resumed_and_read_at_a_time():
    method = rb.FootpointRBO([0.05, 0.02])
    run = rb.simulate(rb.surfaces.sine(), rb.Ball([0.4, 0.2]), method, start=[1.0], steps=10, gap=None)
    alone = run.select(1)
    assert alone.scene["ball"]["radius"] == [0.2]
    resumed = rb.resume(alone, steps=10, gap=None)
    whole = rb.simulate(rb.surfaces.sine(), rb.Ball(0.2), rb.FootpointRBO(0.02), start=[1.0], steps=20, gap=None)
    np.testing.assert_array_equal(resumed.foot, whole.foot)
    assert alone.at(0.05).foot[0, 0, 0] == pytest.approx((run.foot[2, 1, 0] + run.foot[3, 1, 0]) / 2)


def test_what_is_not_a_trajectory_is_refused():
    run = make()
    for call in (lambda: run.append(5), lambda: rb.resume(5, 5)):
        with pytest.raises(rb.InputError):
            call()
    with pytest.raises(IndexError, match="select"):
        run[0, 0]
