"""A small file takes neither the memory of the machine nor its time: limits by name, before anything is allocated."""

import re
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import rollingball as rb
from rollingball.app import cli
from rollingball.app.scene import load_scene, to_scene
from rollingball.core.limits import LIMITS, within
from rollingball.surfaces import from_recipe

HUGE = (10**9, 2**31 - 1)
PAGE = Path(__file__).parents[2] / "docs" / "limits.md"


def table(surface=None, ball=None, run=None, **more):
    return {
        "surface": surface or {"type": "sine"},
        "ball": {"radius": 0.5, "start": [[0.9]], **(ball or {})},
        "run": [{"method": "footpoint-rbo", "lr": 0.02, "steps": 5, **(run or {})}],
        **more,
    }


def peak_of(call):
    """What a call answers with, the bytes that it took at most, and its seconds."""
    tracemalloc.start()
    began = time.perf_counter()
    try:
        call()
        answer = "passed"
    except rb.InputError as error:
        answer = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return answer, peak, time.perf_counter() - began


def refused(call, *named):
    answer, peak, seconds = peak_of(call)
    for name in named:
        assert name in answer
    assert peak < 20e6
    assert seconds < 5


CLOUD = {"around": [0.0], "count": 1, "spread": 1.0}
LARGE = {
    "start.count": (lambda n: table(ball={"start": {**CLOUD, "count": n}}), "count: got"),
    "wells": (lambda n: table({"type": "gaussian-wells", "count": n}, {"start": [[0.0, 0.0]]}), "count: got"),
    "dim of wells": (lambda n: table({"type": "gaussian-wells", "dim": n}), "dim: got"),
    "dim": (lambda n: table({"type": "sine", "dim": n}), "dim: got"),
    "terms": (lambda n: table({"type": "riemann", "terms": n}), "terms: got"),
    "terms of weierstrass": (lambda n: table({"type": "weierstrass", "terms": n}), "terms: got"),
    "steps": (lambda n: table(run={"steps": n}), "steps: got"),
    "steps of a schedule": (
        lambda n: table(ball={"radius": {"values": [1, 2]}}, run={"steps": n, "every": n}), "steps: got"
    ),
    "steps of a scheduled rate": (
        lambda n: table(run={"steps": n, "every": n, "lr": {"values": [1, 2]}}), "steps: got"
    ),
    "delta": (
        lambda n: table(iron={"radii": [1.0], "delta": {"low": 1.0, "high": 2.0, "count": n}},
                        plot={"box": [[0.0, 1.0]]}), "count: got",
    ),
    "sensitivity": (lambda n: table(sensitivity={"count": n}, plot={"box": [[0.0, 1.0]]}), "count: got"),
    "frames": (lambda n: table(compare={"lr": [0.1], "duration": 1.0, "frames": n}), "frames: got"),
    "duration": (lambda n: table(compare={"lr": [1e-6], "duration": float(n)}), "$.compare"),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("size", HUGE)
def test_a_number_in_a_scene_does_not_take_the_machine(name, size, no_compiling):
    build, named = LARGE[name]
    refused(lambda: to_scene(build(size)).check(), named)


def test_many_radii_times_many_starts_do_not_either(no_compiling):
    cloud = {**CLOUD, "count": 10**6}
    refused(
        lambda: to_scene(table(ball={"start": {**CLOUD, "count": 10**5}, "radius": [1.0] * 1000})).check(), "radius"
    )
    answer, _peak, _seconds = peak_of(lambda: to_scene(table(ball={"start": cloud}, run={"steps": 900})).check())
    assert "steps: got '902 frames of 1000000 balls'" in answer


def test_a_flow_with_many_balls_records_no_more_than_the_limit(no_compiling):
    flow = {**table(ball={"start": {**CLOUD, "count": 6 * 10**6}}), "run": [{"method": "ironed-flow", "duration": 1.0}]}
    answer, _peak, _seconds = peak_of(lambda: to_scene(flow).check())
    assert "save_at: got '100 frames of 6000000 balls'" in answer


def test_a_scene_has_no_million_runs(no_compiling):
    with pytest.raises(rb.InputError, match=r"\$\.run: got"):
        to_scene({**table(), "run": table()["run"] * 1001})


@pytest.mark.parametrize("dim", [257, 6000])
def test_a_formula_of_many_variables_is_refused_before_it_is_derived(dim):
    names = [f"x{index}" for index in range(dim)]
    recipe = {"type": "formula", "text": "x0*x1", "variables": names}
    refused(lambda: from_recipe(recipe), "variables: got")
    refused(lambda: to_scene(table(recipe, {"start": [[0.0] * dim]})).check(), "variables: got")


def test_viewing_a_trajectory_with_such_a_recipe_is_one_line(tmp_path, capsys):
    run = rb.Trajectory(
        **{name: np.zeros(1, dtype=np.int32) for name in ("step", "status", "steps", "evaluations")},
        time=np.zeros(1), foot=np.zeros((1, 1, 1)), center=np.zeros((1, 1, 2)), seconds=0.0,
        **{name: np.zeros((1, 1)) for name in ("loss", "gap", "residual", "radius")},
        scene={"surface": {"type": "formula", "text": "x0", "variables": [f"x{index}" for index in range(6000)]}},
    )  # fmt: skip
    run.save(tmp_path / "run.safetensors")

    def view():
        with pytest.raises(SystemExit) as caught:
            cli.main(["view", str(tmp_path / "run.safetensors"), "--html", str(tmp_path / "page.html")])
        assert caught.value.code == 2

    _answer, peak, _seconds = peak_of(view)
    assert peak < 100e6
    printed = capsys.readouterr().err
    assert "variables: got" in printed
    assert printed.count("\n") == 1


def test_a_scene_file_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "long.toml"
    with path.open("wb") as file:
        file.truncate(2**34)  # a hole: no bytes on the disk
    answer, peak, _seconds = peak_of(lambda: load_scene(path))
    assert f"at most {LIMITS['file'].most:,} bytes of a scene file" in answer
    assert peak < 3 * LIMITS["file"].most


@pytest.mark.parametrize("size", [*HUGE, 10**12])
@pytest.mark.parametrize(
    ("kind", "name"),
    [("gradient", "steps"), ("newton", "max_iterations"), ("global", "seeds"), ("global", "nodes")],
)
def test_budgets_of_searches_cost_no_memory(kind, name, size, no_compiling):
    projection = {"type": kind, name: size}
    _answer, peak, seconds = peak_of(lambda: to_scene(table(run={"projection": projection})).check())
    assert peak < 20e6
    assert seconds < 5


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_itself_is_allowed(limit):
    within(limit, "field", "value", LIMITS[limit].most)
    for size in (LIMITS[limit].most + 1, float("inf"), float("nan")):
        with pytest.raises(rb.InputError, match="field: got 'value'; allowed: at most"):
            within(limit, "field", "value", size)


def test_the_page_shows_every_limit():
    if not PAGE.is_file():
        pytest.skip("not a checkout")
    rows = re.findall(r"^\| ([\d,]+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(f"{most:,}", of) for most, of in LIMITS.values()]
