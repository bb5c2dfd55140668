"""Comparisons: distances of known curves, and the orders and limits that theory gives."""

import json

import numpy as np
import pytest

import rollingball as rb
from rollingball.app import cli
from rollingball.runs.compare import _frechet, _hausdorff

EXACT = rb.GlobalProjection()


def discrete(surface, radius, start, lr, duration):
    method = rb.FootpointRBO(lr=lr, projection=EXACT)
    return rb.simulate(surface, rb.Ball(radius), method, start=start, steps=round(duration / lr), gap=None)


def flow(surface, radius, start, duration, frames=101):
    method, times = rb.IronedFlow(rb.Dopri5(1e-9, 1e-11)), np.linspace(0, duration, frames)
    return rb.simulate(surface, rb.Ball(radius), method, start=start, duration=duration, save_at=times, gap=None)


def test_distances_of_parallel_and_of_reversed_lines():
    x = np.linspace(0, 1, 21)[:, None]
    line, above = np.hstack([x, 0 * x]), np.hstack([x, 0 * x + 0.25])
    assert _hausdorff(line, above) == pytest.approx(0.25)
    assert _frechet(line, above) == pytest.approx(0.25)
    assert _hausdorff(line, line[::-1]) == pytest.approx(0, abs=1e-12)  # the same set
    assert _frechet(line, line[::-1]) == pytest.approx(1.0)  # walked the other way
    assert _hausdorff(line[::20], line) == pytest.approx(0, abs=1e-12)  # sides count, not only corners


def test_below_the_reach_algorithm_1_tends_to_the_flow_at_first_order():
    bowl, start = rb.surfaces.quadratic([[1.0]]), [[1.0], [-0.7]]
    runs = [discrete(bowl, 0.5, start, lr, 1.0) for lr in (0.0125, 0.05, 0.025, 0.1)]
    found = rb.compare(runs, flow(bowl, 0.5, start, 1.0), tolerance=0.005)
    np.testing.assert_allclose(found.lr, [0.1, 0.05, 0.025, 0.0125], rtol=1e-12)
    np.testing.assert_allclose(found.order, 1.0, atol=0.05)
    assert found.distance.shape == (4, 101, 2)
    np.testing.assert_allclose(found.distance.max(axis=1), found.largest)
    assert (found.hausdorff <= found.frechet + 1e-15).all()
    assert (found.frechet <= found.largest + 1e-15).all()
    assert np.isfinite(found.separation[0]).all()
    assert np.isinf(found.separation[-1]).all()
    assert "order in lr: 1.0" in str(found)


def test_in_the_trough_the_two_limits_differ_as_theory_says():
    trough = rb.surfaces.max_of_planes([[1.0, 0.5], [-1.0, 0.5]])
    found = rb.compare([discrete(trough, 1.0, [[1.0, 0.0]], lr, 2.0) for lr in (0.005, 0.0025)],
                       flow(trough, 1.0, [[1.0, 0.0]], 2.0))  # fmt: skip
    # wedged from t = 1/3 on, it descends at 0.5 in the flow and at 0.9 in Algorithm 1
    np.testing.assert_allclose(found.largest[:, 0], (0.9 - 0.5) * (2 - 1 / 3), atol=1e-3)


def test_what_is_saved_is_json(tmp_path):
    bowl = rb.surfaces.quadratic([[1.0]])
    found = rb.compare(discrete(bowl, 0.5, [1.0], 0.1, 1.0), flow(bowl, 0.5, [1.0], 1.0))
    found.save(tmp_path / "compare.json")
    table = json.loads((tmp_path / "compare.json").read_text())
    assert table["order"] == [None]  # one run has none
    np.testing.assert_allclose(table["largest"], found.largest)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"discrete": []}, "discrete"),
        ({"continuous": 3}, "continuous"),
        ({"on": "path"}, "on"),
        ({"tolerance": 0}, "tolerance"),
    ],
)
def test_bad_arguments_name_their_field(change, field):
    bowl = rb.surfaces.quadratic([[1.0]])
    run = discrete(bowl, 0.5, [1.0], 0.1, 1.0)
    given = {"discrete": run, "continuous": flow(bowl, 0.5, [1.0], 1.0), **change}
    with pytest.raises(rb.InputError, match=f"^{field}: got"):
        rb.compare(given.pop("discrete"), given.pop("continuous"), **given)
    other = flow(bowl, 0.5, [[1.0], [0.5]], 1.0)
    with pytest.raises(rb.InputError, match=r"^discrete: got"):
        rb.compare(run, other)


def test_runs_in_the_wrong_place_and_without_steps_are_named():
    bowl = rb.surfaces.quadratic([[1.0]])
    run, smooth = discrete(bowl, 0.5, [1.0], 0.1, 1.0), flow(bowl, 0.5, [1.0], 1.0)
    for pair in ((smooth, run), (smooth, smooth), ([run, smooth], smooth)):
        with pytest.raises(rb.InputError, match=r"^discrete: got .* this one is continuous"):
            rb.compare(*pair)
    for first in (run, [run]):
        with pytest.raises(rb.InputError, match=r"^continuous: got .* this one is discrete"):
            rb.compare(first, run)
    for few in (discrete(bowl, 0.5, [1.0], 0.1, 0.0), run[0:0], run[3]):
        with pytest.raises(rb.InputError, match=r"^discrete: got .* one step or more"):
            rb.compare(few, smooth)
    for few in (smooth[0:0], smooth[3]):
        with pytest.raises(rb.InputError, match=r"^continuous: got .* two frames or more"):
            rb.compare(run, few)
    with pytest.raises(rb.InputError, match=r"^continuous: got .* one ball or more"):
        rb.compare(run.select([]), smooth.select([]))


def test_the_command_leaves_runs_numbers_and_a_picture(tmp_path, capsys):
    cli.main(["compare", "compare-bowl", "--out", str(tmp_path), "--compare.lr", "[0.1, 0.05]"])
    assert "order in lr: 1.0" in capsys.readouterr().out
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"flow.safetensors", "lr-0.1.safetensors", "lr-0.05.safetensors", "compare.json", "compare.png"}
    again = rb.Trajectory.load(tmp_path / "flow.safetensors")
    assert again.contacts.shape == again.loss.shape
    assert set(again.events) == {"time", "kind", "contacts", "center"}


def test_a_scene_may_roll_a_flow(tmp_path):
    scene = tmp_path / "flow.toml"
    scene.write_text(
        'surface = { type = "quadratic", matrix = [[1.0]] }\nball = { radius = 0.5, start = [[1.0]] }\n'
        '[[run]]\nmethod = "ironed-flow"\nduration = 1.0\nintegrator = { type = "rk4", step = 0.01 }\n'
    )
    cli.main(["run", str(scene), "--out", str(tmp_path / "out")])
    run = rb.Trajectory.load(tmp_path / "out" / "ironed-flow.safetensors")
    assert run.foot[-1, 0, 0] == pytest.approx(0.2118995023354757, abs=1e-8)  # oracle F02
    with pytest.raises(SystemExit):
        cli.main(["run", str(scene), "--run.0.integrator.step", "-1", "--out", str(tmp_path / "bad")])
