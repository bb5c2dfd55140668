"""Where balls part: maps whose derivative is known in closed form, the rate that theory allows, and the command."""

import json

import numpy as np
import pytest

import rollingball as rb
from rollingball.app import cli
from rollingball.app.scene import load_scene, to_scene
from rollingball.derivatives.sensitivity_field import parting, starts_on_grid

S = rb.surfaces
EXACT = rb.NewtonProjection(1e-13)
SINE, TIGHT = S.sine(), rb.IronedFlow(rb.Dopri5(1e-9, 1e-11))


@pytest.mark.parametrize("bends", [(1.0, 0.4), (-1.0, 0.4)])
def test_on_a_quadratic_algorithm_1_multiplies_by_its_known_factor(bends):
    # at the fixed point 0 a foot moves by 1 - lr k / (1 - rho k) a step along a curvature k
    radius, lr, steps = 0.5, 0.1, 6
    surface, method = S.quadratic(np.diag(bends).tolist()), rb.FootpointRBO(lr, EXACT)
    field = rb.sensitivity_field(surface, rb.Ball(radius), method, [[-1e-4, 1e-4]] * 2, 3, steps=steps)
    factors = [1 - lr * k / (1 - radius * k) for k in bends]
    expected = max(abs(factor) for factor in factors)
    assert field.time == pytest.approx(steps * lr)
    assert field.exponents()[4] == pytest.approx(np.log(expected) / lr, rel=1e-12)
    assert field.exponents(parting=True)[4] == pytest.approx(np.log(expected) / lr, rel=1e-6)
    assert field.rates()["share above 0"] == (bends[0] < 0)
    assert np.isnan(field.bound)


def test_at_a_peak_the_flow_parts_at_the_curvature_of_the_ironed_loss():
    # f_rho of a peak of curvature -k has the curvature -k / (1 + rho k) there, and a sine has k = 1
    radius, box = 0.5, [[np.pi / 2 - 1e-4, np.pi / 2 + 1e-4]]
    field = rb.sensitivity_field(SINE, rb.Ball(radius), TIGHT, box, 3, duration=1.5)
    # a ball near rest lets steps grow to what the way, not the derivative, allows
    assert field.exponents()[1] == pytest.approx(1 / (1 + radius), rel=1e-5)
    assert field.exponents(parting=True)[1] == pytest.approx(1 / (1 + radius), rel=1e-5)
    assert field.bound == pytest.approx(1 / radius, rel=1e-4)  # flat there


def test_the_exponent_of_a_map_of_the_line_is_that_of_its_slopes_along_the_way():
    method, ball, steps = rb.FootpointRBO(0.05, EXACT), rb.Ball(0.4), 12
    field = rb.sensitivity_field(SINE, ball, method, [[-1.0, 2.0]], 5, steps=steps)
    way = rb.simulate(SINE, ball, method, start=field.start, steps=steps, gap=None).foot
    logs, h = np.zeros(5), 1e-5
    for place in way[:-1]:
        ends = [rb.simulate(SINE, ball, method, start=place + k * h, steps=1, gap=None).foot[-1, :, 0] for k in (-1, 1)]
        logs += np.log(np.abs(ends[1] - ends[0]) / (2 * h))
    np.testing.assert_allclose(field.exponents(), logs / field.time, atol=1e-7)
    np.testing.assert_allclose(field.end, way[-1])


@pytest.mark.parametrize("radius", [0.5, 1.5])
def test_neighbours_in_the_flow_part_no_faster_than_theory_allows(radius):
    field = rb.sensitivity_field(SINE, rb.Ball(radius), rb.IronedFlow(), [[-4.0, 4.0]], 81, duration=1.0)
    assert field.bound <= 2**1.5 / radius * (1 + 1e-12)  # slopes of a sine are at most 1
    assert field.bound > 1 / radius
    assert np.nanmax(field.exponents(parting=True)) <= field.bound
    assert np.nanmax(field.exponents()) <= field.bound
    # a smooth flow on a fine grid: both measures are of one thing wherever balls part
    both = np.stack([field.exponents(), field.exponents(parting=True)])
    both = both[:, np.isfinite(both).all(axis=0) & (both > 0.1).all(axis=0)]
    assert both.shape[1] > 15
    np.testing.assert_allclose(both[0], both[1], atol=0.12)


def test_beyond_the_reach_feet_of_algorithm_1_part_without_bound_and_centres_of_the_flow_do_not():
    # the foot jumps from slope to slope: neighbours end apart, however near, while the map of each contracts
    method = rb.FootpointRBO(0.02, EXACT)
    rates = []
    for count in (81, 321):
        field = rb.sensitivity_field(SINE, rb.Ball(1.5), method, [[-4.0, 0.5]], count, steps=100)
        rates.append(field.rates(parting=True)["largest"])
        assert field.rates()["median"] < 0
    assert rates[1] - rates[0] == pytest.approx(np.log(4) / 2, abs=0.15)  # time 2: the gap stays, the starts are nearer


def test_balls_without_a_derivative_or_an_end_are_nan_and_counted():
    # at rest at the bottom of a parabola of curvature 1 the radius 1 has its focal point under it
    bowl = S.quadratic([[1.0]])
    field = rb.sensitivity_field(bowl, rb.Ball(1.0), rb.FootpointRBO(0.1, EXACT), [[-0.5, 0.5]], 3, steps=3)
    assert np.isnan(field.exponents()[1])
    assert np.isfinite(field.exponents()[[0, 2]]).all()
    assert field.rates()["without"] == 1
    # beyond the rim there is no bowl: a ball that begins there has no end, and is no one's neighbour
    gone = rb.sensitivity_field(S.bowl(1), None, rb.GradientDescent(0.05), [[-1.5, 0.5]], 5, steps=2)
    failed = np.array([rb.Status(status).failed for status in gone.status])
    assert failed.any()
    assert not failed.all()
    assert np.isnan(gone.end[failed]).all()
    assert np.isnan(gone.parting[failed]).all()
    assert np.isnan(gone.stretching[failed]).all()
    assert np.isfinite(gone.parting[-1])


def test_a_stiff_integrator_is_differentiated_by_the_continuous_adjoint():
    def stretching(integrator):
        flow = rb.FootpointFlow(integrator)
        return rb.sensitivity_field(SINE, rb.Ball(0.3), flow, [[-4.0, 4.0]], 9, duration=1.0).stretching

    np.testing.assert_allclose(stretching(rb.Rosenbrock(1e-8)), stretching(rb.Dopri5(1e-12)), rtol=1e-4)


def test_parting_is_the_largest_ratio_among_neighbours():
    _box, counts, grid = starts_on_grid([[0, 2], [0, 3]], [3, 4], 2)
    np.testing.assert_array_equal(grid[:5], [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]])
    matrix = np.array([[3.0, 0.0], [0.0, 0.5]])
    np.testing.assert_allclose(parting(grid, grid @ matrix, counts), 3.0)
    diagonal = parting(grid, grid @ [[1.0, 1.0], [1.0, 1.0]], counts)
    np.testing.assert_allclose(np.delete(diagonal, [3, 8]), 2.0)
    np.testing.assert_allclose(diagonal[[3, 8]], np.sqrt(2))  # two corners have no neighbour along that diagonal
    ends = grid.copy()
    ends[5] += [10.0, 0.0]  # of one ball, so its eight neighbours see it
    far = parting(grid, ends, counts) > 2
    np.testing.assert_array_equal(far.reshape(counts), [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]])
    ends[5] = np.nan
    rest = parting(grid, ends, counts)
    assert np.isnan(rest[5])
    np.testing.assert_allclose(np.delete(rest, 5), 1.0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"box": [[1.0, 0.0]]}, "box"),
        ({"box": [[0.0, 1.0]] * 2}, "box"),
        ({"box": [[0.0, np.inf]]}, "box"),
        ({"count": 1}, "count"),
        ({"count": 2.5}, "count"),
        ({"count": [3, 3]}, "count"),
        ({"surface": 3}, "surface"),
        ({"steps": None}, "steps"),
        ({"start": [[1.0]]}, "start"),
        ({"every": 2}, "every"),
        ({"ball": rb.Ball([1.0, 2.0])}, "radius"),
    ],
)
def test_bad_arguments_name_their_field_before_anything_is_compiled(change, field, no_compiling):
    given = {
        "surface": SINE, "ball": rb.Ball(0.5), "method": rb.FootpointRBO(0.1), "box": [[0.0, 1.0]], "count": 3,
        "steps": 2, **change,
    }  # fmt: skip
    with pytest.raises(rb.InputError, match=f"^{field}: got"):
        rb.sensitivity_field(**given)


# The table of a scene, and the command


def table(**changes):
    runs = [{"method": "footpoint-rbo", "lr": 0.02, "steps": 5}, {"method": "ironed-flow", "duration": 0.1}]
    ball = {"radius": [0.5, 0.8], "start": [[0.3]]}
    return {
        "surface": {"type": "sine"}, "ball": ball, "run": runs, "plot": {"box": [[-2.0, 2.0]]},
        "sensitivity": {"count": 9}, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"sensitivity": {"count": 1}}, "$.sensitivity.count"),
        ({"sensitivity": {"count": [3, 3]}}, "$.sensitivity.count"),
        ({"sensitivity": {"counts": 3}}, "$.sensitivity.counts"),
        ({"sensitivity": {"height": float("inf")}}, "$.sensitivity.height"),
        ({"sensitivity": {"box": [[1.0, 0.0]]}}, "$.sensitivity.box"),
        ({"sensitivity": {"box": [[0.0, 1.0]] * 2}}, "$.sensitivity.box"),
        ({"plot": None}, "$.sensitivity.box"),
    ],
)
def test_a_wrong_table_is_named_by_its_path(changes, path, no_compiling):
    with pytest.raises(rb.InputError, match="^" + path.replace("$", r"\$").replace(".", r"\.") + ": got"):
        to_scene(table(**changes)).check()


def test_the_table_needs_runs(no_compiling):
    given = table(iron={"radii": [1.0]})
    del given["run"]
    with pytest.raises(rb.InputError, match=r"run: got .*\[sensitivity\]"):
        to_scene(given)


def scene_file(folder, *, surface="type = 'sine'", box="[[-2.0, 2.0]]", start="[[0.3]]", methods=("footpoint-rbo",)):
    runs = {"footpoint-rbo": "lr = 0.02\nsteps = 5", "ironed-flow": "duration = 0.1", "rigid-ball": "duration = 0.1"}
    text = f"title = 'T'\n[surface]\n{surface}\n[ball]\nradius = [0.5, 0.8]\nstart = {start}\n"
    text += "".join(f"[[run]]\nname = 'the {name}'\nmethod = '{name}'\n{runs[name]}\n" for name in methods)
    path = folder / "scene.toml"
    path.write_text(text + f"[sensitivity]\ncount = 5\nbox = {box}\n")
    return str(path)


def test_the_command_writes_numbers_and_a_picture(tmp_path, capsys):
    path = scene_file(tmp_path, methods=("footpoint-rbo", "ironed-flow"))
    cli.main(["sensitivity", path, "--out", str(tmp_path / "out"), "--run.0.steps", "4"])
    said = capsys.readouterr().out
    assert "the footpoint-rbo, radius 0.5, by derivative" in said
    assert "part at most at the rate" in said
    content = json.loads((tmp_path / "out" / "sensitivity.json").read_text())
    assert content["counts"] == [5]
    names = [f"the {run}, radius {radius}" for run in ("footpoint-rbo", "ironed-flow") for radius in (0.5, 0.8)]
    assert list(content["fields"]) == names
    field = rb.sensitivity_field(SINE, rb.Ball(0.8), rb.FootpointRBO(0.02), [[-2.0, 2.0]], 5, steps=4)
    found = content["fields"][names[1]]
    np.testing.assert_allclose(found["stretching"], field.stretching, rtol=1e-12)
    np.testing.assert_allclose(found["parting"], field.parting, rtol=1e-12)
    assert found["bound"] is None
    assert content["fields"][names[3]]["bound"] >= content["fields"][names[3]]["exponents, neighbours"]["largest"]
    assert (tmp_path / "out" / "sensitivity.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["demo"], "$.sensitivity"),
        (["sensitivity-sine", "--sensitivity.count", "0"], "$.sensitivity.count"),
    ],
)
def test_the_command_meets_bad_input_in_one_line(given, said, tmp_path, capsys, no_compiling):
    with pytest.raises(SystemExit) as ended:
        cli.main(["sensitivity", *given, "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
    assert not (tmp_path / "out").exists()


# The picture


def test_the_map_draws_a_cell_around_each_start_and_grey_where_there_is_none():
    surface = S.quadratic([[1.0, 0.0], [0.0, -1.0]])
    field = rb.sensitivity_field(surface, rb.Ball(0.5), rb.FootpointRBO(0.1), [[-1, 1], [0, 2]], [3, 5], steps=3)
    field.stretching[1 * 5 + 3] = np.nan  # the start (0, 1.5)
    figure = rb.plot.sensitivity_sheet({"a run": field}, surface, "T")
    maps = [ax for ax in figure.axes if ax.images]
    assert len(maps) == 2
    image = maps[0].images[0]
    np.testing.assert_allclose(image.get_extent(), [-1.5, 1.5, -0.25, 2.25])
    shown = image.get_array()
    assert shown.shape == (5, 3)
    np.testing.assert_array_equal(np.argwhere(np.ma.getmaskarray(shown)), [[3, 1]])
    np.testing.assert_allclose(shown[4, 0], field.exponents()[4])
    assert "1 of 15 none" in maps[0].get_title()
    assert "none" not in maps[1].get_title()


def test_a_wrong_sheet_is_refused():
    with pytest.raises(rb.InputError, match="fields"):
        rb.plot.sensitivity_sheet({}, SINE)


@pytest.mark.parametrize("name", ["sensitivity-sine", "sensitivity-wells"])
def test_shipped_scenes_roll_what_they_measure(name, no_compiling):
    scene = load_scene(name)
    scene.check()
    assert scene.sensitivity is not None
    assert {run.__struct_config__.tag for run in scene.run} == {"footpoint-rbo", "ironed-flow"}
