"""Thousands of damaged trajectories and scenes: each is refused with one line, or works as a whole one does.

``pytest tests/faults/test_mutations.py --mutants 4000 -s`` tries more of them and prints how they ended.
"""

import contextlib
import json
import random
import tomllib
from collections import Counter

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

import rollingball as rb
from rollingball.app.folder import summary, to_show
from rollingball.app.scene import load_scene, shipped, to_scene
from rollingball.plot import sheet
from rollingball.simulate import check

STRANGE = [
    None, True, False, 0, 1, -1, 3, 99, 2**31, 2**63, 10**400, 1.5, -0.0, 1e308, float("inf"), float("nan"), "", "x",
    "sine", "\u0000", "9" * 5000, [], [0], [[0.0]], [None], ["x"], [1.0] * 50, {}, {"a": 1}, {"type": "sine"},
    {"values": [1.0, 2.0]}, [[[1.0]]], {"type": "formula", "text": "x**2"}, -1e-320, "../../x",
]  # fmt: skip


def places_of(value, path=()):
    """The paths of all parts of plain data."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(parts)[:20]:
        yield from places_of(part, (*path, key))


def mutated(value, chance):
    """Plain data with one part replaced by something strange, deleted, doubled or renamed."""
    value = json.loads(json.dumps(value))
    *parents, last = chance.choice(list(places_of(value))[1:])
    place = value
    for part in parents:
        place = place[part]
    kind = chance.random()
    if kind < 0.7:
        place[last] = chance.choice(STRANGE)
    elif kind < 0.85:
        del place[last]
    elif isinstance(place, dict):
        place[chance.choice(["x", str(last) + "s", "type", "radius", "lr", ""])] = place.pop(last)
    else:
        place.append(place[last])
    return value


def mutated_array(array, chance):
    """An array with another shape, type or content."""
    kind = chance.randrange(6)
    if kind == 0:
        return array.astype(chance.choice([np.int32, np.int64, np.float32, np.float16, np.uint8, bool]))
    if kind == 1:
        return np.ascontiguousarray(array[:-1] if array.ndim and len(array) else array.reshape(-1, 1))
    if kind == 2:
        return np.ascontiguousarray(array[..., None] if chance.random() < 0.5 else array.ravel())
    if kind == 3:
        return np.concatenate([array, array]) if array.ndim else np.zeros(2)
    if kind == 4:
        return np.zeros(chance.choice([(), (0,), (1, 1, 1, 1), (2, 0), (7, 5)]), dtype=array.dtype)
    array = array.copy()
    array.flat[chance.randrange(array.size)] = chance.choice([99, -1, 0, 12, np.inf if array.dtype.kind == "f" else 77])
    return array


def mutated_bytes(content, chance):
    """The bytes of a file with some of them changed, cut out or added."""
    content = bytearray(content)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(min(len(content), 3000) if chance.random() < 0.8 else len(content))
        kind = chance.randrange(4)
        if kind == 0:
            content[at] = chance.randrange(256)
        elif kind == 1:
            del content[at : at + chance.randrange(1, 40)]
        elif kind == 2:
            content[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
        else:
            content = content[: at + 1]
        if not content:
            break
    return bytes(content)


def rolled_run():
    return rb.simulate(
        rb.surfaces.sine(), rb.Ball([0.2, 0.3]), rb.FootpointRBO(lr=0.1), start=[[0.5], [0.9]], steps=6, gap=None
    )


def flow_run():
    """A flow as it is recorded, written by hand: its kernels take half a minute to compile."""
    frames, balls = 4, 2
    shape, rng = (frames, balls), np.random.default_rng(0)
    scene = rolled_run().scene
    scene["run"] = {"method": "ironed-flow", "duration": 1.0, "dtype": "float64", "device": "cpu", "start": "foot"}
    return rb.Trajectory(
        step=np.arange(frames), time=np.linspace(0, 1, frames), foot=rng.normal(size=(*shape, 2)),
        center=rng.normal(size=(*shape, 3)), status=np.array([0, 7], dtype=np.int32), seconds=0.1, scene=scene,
        steps=np.array([4, 5]), evaluations=np.array([9, 9]), contacts=np.ones(shape, dtype=np.int32),
        events={"time": np.full((balls, 3), np.inf), "kind": np.full((balls, 3), -1, dtype=np.int32),
                "contacts": np.zeros((balls, 3), dtype=np.int32), "center": np.zeros((balls, 3, 2))},
        velocity=rng.normal(size=(*shape, 3)), spin=rng.normal(size=(*shape, 3)),
        **{name: rng.uniform(0.1, 1, shape) for name in ("loss", "gap", "residual", "radius")},
        **{name: rng.uniform(0.1, 1, shape) for name in ("energy", "normal_force", "slip")},
    )  # fmt: skip


def one_line(error):
    """Whether an error is one line of a readable length."""
    return "\n" not in str(error) and len(str(error)) < 1500


def use(run, path, draw):
    """Do with a loaded run what people do with one, where nothing is compiled."""
    assert isinstance(repr(run), str)
    assert len(run.messages()) == run.balls
    if len(run) and run.balls:
        for part in (run[0], run[-1:], run.select([0]), run.select(slice(None))):
            part.save(path.with_suffix(".part"))
            rb.Trajectory.load(path.with_suffix(".part"))
        summary(run)
        run[:1].append(run)
        if run.step[-1] < 2**31 - 10:
            with contextlib.suppress(rb.InputError):
                check(rb.surfaces.sine(), rb.Ball(0.3), rb.FootpointRBO(lr=0.1), start=run, steps=1)
        with contextlib.suppress(rb.InputError):
            run.at(run.time[0])
    with contextlib.suppress(rb.FileError, rb.InputError):
        to_show(path)
    if draw:
        assert "<" in run._repr_html_()
        with contextlib.suppress(rb.InputError):
            sheet({"run": run}, rb.surfaces.sine(run.dim), None, "run", False, None)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("make", [rolled_run, flow_run])
def test_a_damaged_trajectory_is_refused_or_works(make, tmp_path, request):
    path, ends = tmp_path / "run.safetensors", Counter()
    make().save(path)
    whole = path.read_bytes()
    with safe_open(str(path), framework="numpy") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for number in range(request.config.getoption("--mutants")):
        chance = random.Random(number)
        kind = chance.choice(["bytes", "arrays", "scene", "head"])
        if kind == "bytes":
            content = mutated_bytes(whole, chance)
        else:
            changed, told = dict(arrays), dict(metadata)
            if kind == "arrays":
                name = chance.choice(list(changed))
                changed[name] = mutated_array(changed[name], chance)
                if chance.random() < 0.1:
                    del changed[chance.choice(list(changed))]
            else:
                name = "scene" if kind == "scene" else "rollingball"
                told[name] = json.dumps(mutated(json.loads(told[name]), chance))
                if chance.random() < 0.1:
                    told[name] = told[name][: chance.randrange(len(told[name]))]
            content = to_bytes(changed, metadata=told)
        path.write_bytes(content)
        try:
            run = rb.Trajectory.load(path)
        except rb.FileError as error:
            ends["refused"] += one_line(error) and str(path) in str(error)
            continue
        use(run, path, draw=number % 10 == 0)
        ends["works"] += 1
    print(make.__name__, dict(ends))
    assert sum(ends.values()) == request.config.getoption("--mutants")
    assert min(ends["refused"], ends["works"]) > 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_damaged_scene_is_refused_or_passes_its_check(tmp_path, request, no_compiling):
    ends, path = Counter(), tmp_path / "scene.toml"
    texts = [shipped()[name].read_text() for name in shipped()]
    for number in range(request.config.getoption("--mutants")):
        chance = random.Random(number)
        text = chance.choice(texts)
        try:
            if chance.random() < 0.5:
                path.write_bytes(mutated_bytes(text.encode(), chance))
                scene = load_scene(path)
            else:
                scene = to_scene(mutated(tomllib.loads(text), chance))
            scene.check()
        except (rb.InputError, rb.FileError) as error:
            ends["refused"] += one_line(error)
            continue
        assert len(scene.names()) == len(scene.run)
        ends["passes"] += 1
    print(dict(ends))
    assert sum(ends.values()) == request.config.getoption("--mutants")
    assert min(ends["refused"], ends["passes"]) > 0


WRONG = {
    "ball that is no table": ("scene", lambda scene: scene | {"ball": [1.0]}),
    "run that is no table": ("scene", lambda scene: scene | {"run": 3}),
    "surface that is no table": ("scene", lambda scene: scene | {"surface": "sine"}),
    "radius that is no number": ("scene", lambda scene: scene | {"ball": {"radius": "x"}}),
    "gravity that is no number": ("scene", lambda scene: scene | {"run": {"gravity": [[1]]}}),
    "status 99": ("status", lambda array: array + 99),
    "state of other balls": ("state.center", lambda array: array[:1]),
    "state without an axis": ("state.radius", lambda array: np.float64(1.0)),
    "status 99 in the state": ("state.status", lambda array: array + 99),
    "time that is not finite": ("time", lambda array: array * np.nan),
}


@pytest.mark.parametrize("name", WRONG)
def test_loading_checks_the_whole_structure(name, tmp_path):
    field, change = WRONG[name]
    path = tmp_path / "run.safetensors"
    rolled_run().save(path)
    with safe_open(str(path), framework="numpy") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if field == "scene":
        metadata["scene"] = json.dumps(change(json.loads(metadata["scene"])))
    else:
        arrays[field] = np.ascontiguousarray(change(arrays[field]))
        if name == "state without an axis":
            arrays[field] = np.zeros((1, 1))
    path.write_bytes(to_bytes(arrays, metadata=metadata))
    with pytest.raises(rb.FileError, match=r"run.safetensors: not a rollingball trajectory: "):
        rb.Trajectory.load(path)


def test_a_run_between_frames_is_saved_and_loaded(tmp_path):
    between = rolled_run().at([0.05, 0.15])
    between.save(tmp_path / "run")
    np.testing.assert_array_equal(rb.Trajectory.load(tmp_path / "run").step, [0.5, 1.5])


SMALL = """
[surface]
type = "sine"
amplitude = 1.0
frequency = 1.0
loss_scale = 1.0
[ball]
radius = [0.5, 0.3]
start = [[0.9], [-0.4]]
lift = false
[[run]]
method = "footpoint-rbo"
lr = 0.02
steps = 5
every = 2
projection = { type = "newton", tol = 1e-10, max_iterations = 50 }
stop = { gradient = 1e-6, patience = 2 }
[[run]]
method = "gradient-descent"
lr = 0.02
steps = 5
[[run]]
method = "heavy-ball"
lr = 0.02
momentum = 0.9
steps = 5
"""
NUMBERS = [part for part in STRANGE if isinstance(part, (int, float))] + [1e-8, 1e-3, 0.3, 5.0, 1e3, 1e8, 1e150, 7, 400]


def test_a_scene_of_strange_numbers_is_refused_or_rolls(request):
    """Only numbers change, so that no new kernel is compiled, and each scene that passes its check is rolled."""
    ends = Counter()
    for number in range(request.config.getoption("--mutants")):
        chance, table = random.Random(number), tomllib.loads(SMALL)
        leaves = [path for path in places_of(table) if path and isinstance(_at(table, path), (int, float))]
        for _ in range(chance.randrange(1, 4)):
            *parents, last = chance.choice(leaves)
            _at(table, parents)[last] = chance.choice(NUMBERS)
        try:
            scene = to_scene(table)
            scene.check()
            if any(run.steps > 1000 for run in scene.run):
                ends["long"] += 1
                continue
            for index, run in enumerate(scene.run):
                made = scene.roll(index, gap=None)
                assert made.steps.max(initial=0) <= run.steps
                assert len(made.messages()) == made.balls
            ends["rolled"] += 1
        except rb.InputError as error:
            ends["refused"] += one_line(error)
    print("rolled", dict(ends))
    assert sum(ends.values()) == request.config.getoption("--mutants")
    assert min(ends["refused"], ends["rolled"]) > 0


def _at(table, path):
    for part in path:
        table = table[part]
    return table
