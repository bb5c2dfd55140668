"""A run written to a folder as it is rolled: the same numbers as in memory, read where they are used."""

import json
from pathlib import Path

import numpy as np
import pytest

import rollingball as rb
from rollingball.runs import size
from rollingball.runs.fields import FIELDS
from rollingball.runs.sharded import Sharded

SINE = rb.surfaces.sine()
RUNS = {
    "newton": (rb.Ball(0.5), rb.FootpointRBO(0.1, rb.NewtonProjection()), {"steps": 40, "every": 3}),
    "radii": (rb.Ball(np.linspace(0.2, 3.0, 150).tolist()), rb.FootpointRBO(lr=0.1), {"steps": 20, "lift": True}),
    "rates": (rb.Ball(0.5), rb.FootpointRBO(lr=np.linspace(0.01, 0.3, 150).tolist()), {"steps": 20}),
    "schedule": (
        rb.Ball(rb.Schedule([2.0, 0.1])), rb.FootpointRBO(rb.Schedule([0.2, 0.01], "cosine"), rb.NewtonProjection()),
        {"steps": 30},
    ),
    "noise": (None, rb.EntropySGD(lr=0.1), {"steps": 12, "seed": 5}),
    "stop": (rb.Ball(0.5), rb.FootpointRBO(lr=0.5), {"steps": 60, "stop": rb.Stop(gradient=1e-3, patience=2)}),
    "momentum": (None, rb.HeavyBall(lr=0.02), {"steps": 25}),
    "single": (rb.Ball(0.5), rb.FootpointRBO(lr=0.1), {"steps": 15, "dtype": "float32", "gap": None}),
    "columns": (rb.Ball(0.5), rb.FootpointRBO(lr=0.1), {"steps": 15, "record": ("center", "loss")}),
    "flow": (rb.Ball(0.5), rb.FootpointFlow(), {"duration": 2.0, "save_at": np.linspace(0, 2, 7)}),
    "none": (rb.Ball(0.5), rb.FootpointRBO(lr=0.1), {"steps": 0}),
}  # fmt: skip
START = np.random.default_rng(0).uniform(-3, 3, (150, 1))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards of a few kilobytes, so that a small run has many."""
    monkeypatch.setattr(size, "SHARD", 2**14)


def rolled(kind, start=START, **more):
    ball, method, options = RUNS[kind]
    return rb.simulate(SINE, ball, method, start=start, **{**options, **more})


def same(one, other, scene=True):
    """Bit for bit, with types and shapes."""
    for field in FIELDS:
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert (a is None) == (b is None), field.name
        if a is not None:
            a, b = np.asarray(a), np.asarray(b)
            assert (a.dtype, a.shape) == (b.dtype, b.shape), field.name
            assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes(), field.name
    for table in ("state", "events"):
        a, b = getattr(one, table) or {}, getattr(other, table) or {}
        assert a.keys() == b.keys()
        for name in a:
            assert np.ascontiguousarray(a[name]).tobytes() == np.ascontiguousarray(b[name]).tobytes(), name
    assert one.certified == other.certified
    assert not scene or one.scene == other.scene


def shards(folder):
    return sorted(path for path in Path(folder).glob("*-*.safetensors"))


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_in_a_folder_is_that_in_memory(kind, tmp_path):
    run = rolled(kind, out=tmp_path / "run")
    assert len(shards(tmp_path / "run")) > 2
    assert isinstance(run.center, Sharded)
    same(run, rolled(kind))
    same(rb.Trajectory.load(tmp_path / "run"), run)


def test_events_of_blocks_that_have_several_are_as_in_memory(tmp_path):
    bowl = rb.surfaces.quadratic([[1.0]])
    options = {"start": np.linspace(-2, 2, 130)[:, None], "duration": 9.0, "stop": rb.Stop(gradient=0.5)}
    run = rb.simulate(bowl, None, rb.FootpointFlow(rb.RK4(0.05)), out=tmp_path / "run", **options)
    assert (np.asarray(run.events["kind"]) == rb.Event.STOP).any()
    same(run, rb.simulate(bowl, None, rb.FootpointFlow(rb.RK4(0.05)), **options))


def test_several_devices_are_one(tmp_path):
    for kind in ("radii", "noise"):
        same(rolled(kind, device=["cpu", "cpu"]), rolled(kind))
        same(rolled(kind, device=["cpu", "cpu", "cpu"], out=tmp_path / kind), rolled(kind))


def test_a_run_that_goes_on_in_a_folder(tmp_path):
    first = rolled("momentum")
    later = rb.simulate(SINE, None, rb.HeavyBall(lr=0.02), start=first, steps=30, out=tmp_path / "run")
    same(later, rb.simulate(SINE, None, rb.HeavyBall(lr=0.02), start=first, steps=30))
    same(rb.resume(rb.Trajectory.load(tmp_path / "run"), steps=5), rb.resume(later, steps=5))


# Reading


def test_picks_are_as_those_of_arrays_and_read_nothing(tmp_path, monkeypatch):
    run, whole = rolled("rates", out=tmp_path / "run"), rolled("rates")
    from rollingball.runs.shards import Shards

    read, opened = Shards.read, []
    monkeypatch.setattr(Shards, "read", lambda *args: opened.append(args[1:]) or read(*args))
    picks = [slice(None), slice(3, 9, 2), slice(None, None, -1), slice(0, 0), [4, 2, 2], np.arange(21) % 2 == 0, -1]
    parts = [run[pick] for pick in picks]
    balls = [slice(60, 80), [149, 3, 70], np.arange(150) > 140, 7, []]
    few = [run.select(pick) for pick in balls]
    assert opened == []
    for pick, part in zip(picks, parts, strict=True):
        same(part, whole[pick])
    for pick, part in zip(balls, few, strict=True):
        same(part, whole.select(pick))
    opened.clear()
    np.testing.assert_array_equal(run.select([70])[5:7].center, whole.center[5:7, 70:71])
    assert {block for block, _leg in opened} == {1}
    assert len(opened) == 1


KEYS = [
    0, -1, (0, 0), (slice(None), 3), (..., 0), (slice(2), slice(5), 0), ([0, 2], 1), (1, [5, 70]), ([1, 2], [3, 4]),
    (slice(None), [1, 149], 1), (slice(None, None, 3), slice(None, None, 70)), (np.int64(4),), (None, 0), (0, 0, 0),
    (slice(None), np.arange(150) == 70), (..., slice(None, -1)), (-1, ..., 1), (slice(5, 1), 3),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_keys_mean_what_they_mean_to_numpy(key, tmp_path):
    lazy, array = rolled("newton", out=tmp_path / "run").center, rolled("newton").center
    np.testing.assert_array_equal(np.asarray(lazy[key]), array[key])
    with pytest.raises(IndexError):
        lazy[len(array)]
    with pytest.raises(IndexError):
        lazy[0, 0, 0, 0]


def test_arithmetic_and_functions_of_numpy(tmp_path):
    lazy, array = rolled("newton", out=tmp_path / "run").center, rolled("newton").center
    for work in (
        lambda a: a + 1, lambda a: 2 - a, lambda a: -a, lambda a: a < 0, np.sin, lambda a: a.max(axis=0), np.mean,
        lambda a: np.linalg.norm(a, axis=-1), lambda a: np.concatenate([a, a]), list, lambda a: a.astype(np.float32),
        lambda a: a.reshape(-1), lambda a: np.where(a > 0, a, 0), len, lambda a: a.flags.writeable, lambda a: a.T,
    ):  # fmt: skip
        np.testing.assert_array_equal(work(lazy), work(array))


def test_what_is_done_with_runs_is_done_with_folders(tmp_path):
    run, whole = rolled("newton", out=tmp_path / "run"), rolled("newton")
    assert repr(run) == repr(whole)
    same(run.at([0.15, 1.0]), whole.at([0.15, 1.0]))
    run.save(tmp_path / "run.safetensors")
    same(rb.Trajectory.load(tmp_path / "run.safetensors"), whole)
    assert (run.to_torch().center.numpy() == whole.center).all()
    figure = rb.plot.sheet({"run": run.select(range(4))}, SINE, None, "run", False, None)
    assert figure.axes
    found, expected = (rb.derivatives(part, {"foot": np.ones_like(whole.foot)}) for part in (run, whole))
    np.testing.assert_array_equal(found.start, expected.start)


def test_a_folder_is_compared_as_a_run(tmp_path):
    flow = rolled("flow", start=START[:4], save_at=np.linspace(0, 2, 21))
    method = rb.FootpointRBO(lr=0.1)
    runs = [
        rb.simulate(SINE, rb.Ball(0.5), method, start=START[:4], steps=20, **more)
        for more in ({}, {"out": tmp_path / "run"})
    ]
    np.testing.assert_array_equal(rb.compare(runs[0], flow).largest, rb.compare(runs[1], flow).largest)


# Folders


def test_the_same_run_is_read_and_another_one_refused(tmp_path):
    run = rolled("newton", out=tmp_path / "run")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    same(rolled("newton", out=tmp_path / "run"), run)
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    for more in ({"steps": 41}, {"start": START + 1e-16}, {"start": START + 0.1}, {"seed": 1}, {"gap": None}):
        if np.array_equal(more.get("start", 0), START):
            continue
        with pytest.raises(rb.FileError, match="holds another run"):
            rolled("newton", out=tmp_path / "run", **more)
    with pytest.raises(rb.FileError, match=r"holds another run \(scene\.run differ\)"):
        rb.simulate(SINE, rb.Ball(0.5), rb.FootpointRBO(lr=0.2), start=START, steps=40, every=3, out=tmp_path / "run")


@pytest.mark.parametrize("kind", ["newton", "schedule", "noise", "flow", "stop", "columns"])
def test_an_unfinished_run_goes_on_and_ends_as_if_nothing_had_been(kind, tmp_path):
    rolled(kind, out=tmp_path / "run")
    whole = {path.name: path.read_bytes() for path in shards(tmp_path / "run")}
    (tmp_path / "run" / "index.json").unlink()
    for path in shards(tmp_path / "run")[1::2]:
        path.unlink()
    part = rb.Trajectory.load(tmp_path / "run")
    assert "unfinished" in repr(part)
    assert np.isfinite(part.loss).all()
    with pytest.raises(rb.InputError, match=r"^steps: got 3; allowed: nothing"):
        rb.resume(tmp_path / "run", steps=3)
    run = rb.resume(tmp_path / "run")
    same(run, rolled(kind))
    again = {path.name: path.read_bytes() for path in shards(tmp_path / "run")}
    assert again.keys() == whole.keys()


def test_a_run_that_went_on_from_another_goes_on(tmp_path):
    first = rolled("momentum")
    options = {"start": first, "steps": 30, "out": tmp_path / "run"}
    whole = rb.simulate(SINE, None, rb.HeavyBall(lr=0.02), **options)[:]
    center = np.array(whole.center)
    (tmp_path / "run" / "index.json").unlink()
    shards(tmp_path / "run")[-1].unlink()
    assert np.array_equal(rb.resume(tmp_path / "run").center, center)


def test_what_a_folder_does_not_take(tmp_path, no_compiling):
    for more, field in (
        ({"out": 3}, "out"), ({"out": ""}, "out"), ({"out": tmp_path / "x", "callback": print}, "callback"),
        ({"device": ["cpu", "cpu"], "callback": print}, "callback"), ({"device": []}, "device"),
        ({"device": ["cpu", "tpu"]}, "device"), ({"processes": 3}, "processes"),
    ):  # fmt: skip
        with pytest.raises(rb.InputError, match=rf"^{field}: "):
            rolled("newton", **more)
    with pytest.raises(rb.FileError, match=r"nothing: cannot be read: No such file"):
        rb.resume(tmp_path / "nothing")
    with pytest.raises(rb.FileError, match=r"run\.json: cannot be read"):
        rb.Trajectory.load(tmp_path)
    with pytest.raises(rb.FileError, match=r"run\.json: cannot be read"):
        rb.resume(tmp_path, steps=3)


# Folders that lie


def changed(path, **more):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **more}))


def test_an_index_that_lies_is_refused_by_name(tmp_path):
    folder = tmp_path / "run"
    rolled("newton", out=folder)
    index, sizes = folder / "index.json", json.loads((folder / "index.json").read_text())["shards"]
    text = index.read_text()
    first = next(iter(sizes))
    for content, words in (
        ({**sizes, "../../secret": 3}, "'../../secret' is in it, which is no shard"),
        ({name: count for name, count in sizes.items() if name != first}, f"'{first}' is not in it"),
        ({**sizes, first: sizes[first] + 1}, f"{first}: has {sizes[first]} bytes, where"),
        ([1], "not the index of a run"),
    ):
        changed(index, shards=content)
        with pytest.raises(rb.FileError) as caught:
            rb.Trajectory.load(folder)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
    changed(index, shards=sizes, format=99)
    with pytest.raises(rb.FileError, match="newer rollingball"):
        rb.Trajectory.load(folder)
    index.write_text(text[:50])
    with pytest.raises(rb.FileError, match="not the index of a run"):
        rb.Trajectory.load(folder)
    index.write_text(text)
    (folder / first).unlink()
    with pytest.raises(rb.FileError, match=first):
        rb.Trajectory.load(folder)


@pytest.mark.parametrize(
    "more",
    [
        {"balls": 151}, {"balls": -1}, {"balls": 2**62}, {"width": 0}, {"frames": 12}, {"dim": 2}, {"dim": "1"},
        {"frames": True}, {"length": 1.5}, {"scene": 3}, {"format": 99}, {"width": 10**9}, {"balls": [1]},
        {"frames": 10**15, "length": 1},
    ],
    ids=str,
)  # fmt: skip
def test_sizes_that_lie_are_refused_by_name(more, tmp_path):
    folder = tmp_path / "run"
    rolled("newton", out=folder)
    changed(folder / "run.json", **more)
    for _ in range(2):
        with pytest.raises(rb.FileError, match=r"run\.json|index\.json|safetensors"):
            np.asarray(rb.Trajectory.load(folder).center)
        (folder / "index.json").unlink(missing_ok=True)


def test_shards_that_lie_are_refused_by_name(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    folder = tmp_path / "run"
    rolled("newton", out=folder)
    path = shards(folder)[7]  # the last frames of the second block
    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
    content = path.read_bytes()
    (folder / "index.json").unlink()

    def arrays_of(path):  # the format is that of safetensors
        with safe_open(str(path), framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def refused(words):
        def read():
            run = rb.Trajectory.load(folder)
            return [np.asarray(getattr(run, name)) for name in ("center", "status", "time")]

        with pytest.raises(rb.FileError) as caught:
            read()
        assert path.name in str(caught.value)
        assert words in str(caught.value)

    arrays = arrays_of(path)
    for name, array in (
        ("center", arrays["center"][:, :-1]), ("center", arrays["center"].astype(np.int64)), ("center", arrays["loss"]),
        ("status", arrays["status"] + 90), ("center", None),
        ("state.steps", arrays["state.steps"][:-1]), ("extra", arrays["loss"]),
        ("center", arrays["center"].astype(np.float32)),
    ):  # fmt: skip
        altered = {key: value for key, value in {**arrays, name: array}.items() if value is not None}
        save_file({key: np.ascontiguousarray(value) for key, value in altered.items()}, path, metadata)
        refused(name.removeprefix("state.") if array is not None else "center missing")
    for damaged in (content[:100], content[: len(content) // 2], b"", b"\xff" * 200, content[:8] + b"x" * 100):
        path.write_bytes(damaged)
        refused("not a whole safetensors file")
    path.write_bytes(content)
    assert np.isfinite(rb.Trajectory.load(folder).center).all()
    path = shards(folder)[2]  # the times are read of the first block
    save_file({**arrays_of(path), "time": np.full(4, np.nan)}, path, metadata)
    refused("time is not finite")
