"""Every function of rb.plot that takes a run takes a dict of runs too, names them, and refuses everything else."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle
from PIL import Image

import rollingball as rb
from rollingball.plot.common.inputs import named_runs
from rollingball.plot.common.style import PALETTE
from rollingball.plot.film.animation import cast_of
from rollingball.plot.film.scenery import SCENERY
from tests.plot.runs import BOX, PLANE, SURFACE, make, new_axes
from tests.plot.test_over_time import compared, heavy


def film(runs, tmp_path):
    return rb.plot.animate(runs, PLANE, tmp_path / "a.gif", frames=[0, -1])


# how each function is called with runs alone, and with which runs
CALLS = {
    "animate": (film, lambda: make(2)),
    "balls": (lambda runs, _path: rb.plot.balls(runs), lambda: make(2)),
    "center_path": (lambda runs, _path: rb.plot.center_path(runs), lambda: make(1)),
    "center_path3d": (lambda runs, _path: rb.plot.center_path3d(runs), lambda: make(2)),
    "comparison_sheet": (
        lambda runs, _path: rb.plot.comparison_sheet(compared(), runs, runs, PLANE, BOX[2]), lambda: make(2),
    ),
    "energy": (lambda runs, _path: rb.plot.energy(runs), heavy),
    "energy_sheet": (lambda runs, _path: rb.plot.energy_sheet(runs), heavy),
    "events": (lambda runs, _path: rb.plot.events(runs), lambda: heavy()),
    "export": (lambda runs, path: rb.plot.export(runs, PLANE, path / "a.glb", seconds=0.2), lambda: make(2)),
    "gap": (lambda runs, _path: rb.plot.gap(runs), lambda: make(2)),
    "loss": (lambda runs, _path: rb.plot.loss(runs), lambda: make(2)),
    "offline": (lambda runs, _path: rb.plot.offline(runs, PLANE, BOX[2]), lambda: make(2)),
    "paths": (lambda runs, _path: rb.plot.paths(runs), lambda: make(2)),
    "plane_of": (lambda runs, _path: rb.plot.plane_of(runs), lambda: make(5)),
    "residual": (lambda runs, _path: rb.plot.residual(runs), lambda: make(2)),
    "sheet": (lambda runs, _path: rb.plot.sheet(runs, PLANE, BOX[2]), lambda: make(2)),
    "training_sheet": (lambda runs, _path: rb.plot.training_sheet(runs), lambda: make(5)),
    "view": (lambda runs, _path: rb.plot.view(runs, PLANE, BOX[2], port=0).stop(), lambda: make(2)),
}  # fmt: skip
PAGES = {"offline", "view"}
ON_AXES = ["balls", "center_path", "center_path3d", "energy", "events", "gap", "loss", "paths", "residual"]


def needs_viser(name):
    if name in PAGES:
        pytest.importorskip("viser")


def test_every_function_that_takes_a_run_is_tried_here():
    takes = set()
    for name in rb.plot.__all__:
        function = getattr(rb.plot, name)
        if inspect.isfunction(function):
            names = set(inspect.signature(function).parameters)
            takes |= {name} if names & {"trajectory", "runs", "run", "discrete", "continuous"} else set()
    assert takes == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_it_takes_a_run_and_a_dict_of_runs(name, tmp_path):
    needs_viser(name)
    call, run = CALLS[name]
    for runs in (run(), {"one": run()}, {"one": run(), "other": replace(run(), seconds=1.0)}):
        call(runs, tmp_path)
    assert "dict of" in inspect.getdoc(getattr(rb.plot, name))


@pytest.mark.parametrize("name", CALLS)
def test_it_refuses_everything_else_and_says_what_it_takes(name, tmp_path, no_compiling):
    needs_viser(name)
    call, run = CALLS[name]
    wrong = [{}, {"one": 3}, {"one": run(), "other": None}, {1: run()}, {"": run()}, None, "run", {"one": [run()]}]
    wrong += [{"one": run()[[]]}, {"one": run().select([])}, run()[[]], run().select([])]
    if name != "plane_of":  # which has always taken several runs without names, too
        wrong += [[run()], (run(), run()), []]
    for runs in wrong:
        with pytest.raises(rb.InputError) as caught:
            call(runs, tmp_path)
        assert "Trajectory" in caught.value.allowed or "Trajectory" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_entry_that_is_wrong_is_named():
    for runs, entry in (({"a": make(2), "b": 3}, "'b'"), ({"a": make(3)}, "'a'")):
        with pytest.raises(rb.InputError, match=entry):
            rb.plot.balls(runs)


# What is drawn


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


@pytest.mark.parametrize("name", ON_AXES)
def test_a_legend_names_the_runs_and_each_has_a_colour(name):
    call, run = CALLS[name]
    ax = call({"one": run(), "other": run()}, None)
    assert [word for word in names(ax) if word in ("one", "other")] == ["one", "other"]
    handles = dict(zip(names(ax), ax.get_legend().legend_handles, strict=True))
    assert [to_hex(handles[word].get_color()).upper() for word in ("one", "other")] == list(PALETTE[:2])
    drawn = {to_hex(line.get_color()).upper() for line in ax.lines if len(line.get_xdata()) > 1}
    if name not in ("balls", "events"):  # which draw points
        assert {PALETTE[0], PALETTE[1]} <= drawn
        assert PALETTE[2] not in drawn  # the third ball of a run by itself
    alone = call(run(), None)
    assert not {"one", "other"} & set(names(alone))


def test_the_paths_of_each_run_are_those_of_the_run_by_itself():
    runs = {"a": make(2), "b": replace(make(2), foot=make(2).foot + 0.3)}
    lines = [line.get_xydata() for line in rb.plot.paths(runs, new_axes()).lines if len(line.get_xydata()) > 1]
    feet = [run.foot[:, ball] for run in runs.values() for ball in range(3)]
    for line, foot in zip(lines, feet, strict=True):
        np.testing.assert_array_equal(line, foot)


def test_balls_of_all_runs_are_drawn_at_their_moments():
    runs = {"a": make(1, radius=0.2), "b": make(1, radius=0.3)}
    circles = [patch for patch in rb.plot.balls(runs, new_axes()).patches if isinstance(patch, Circle)]
    assert [circle.get_radius() for circle in circles] == [0.2, 0.2, 0.2, 0.3, 0.3, 0.3]


def test_a_sheet_of_a_run_has_its_radius_for_a_caption_and_that_of_a_dict_its_name():
    assert rb.plot.sheet(make(2), PLANE, BOX[2]).axes[0].get_title() == "radius 0.5"
    assert rb.plot.sheet({"a": make(2)}, PLANE, BOX[2]).axes[0].get_title() == "a, radius 0.5"
    assert rb.plot.energy_sheet(heavy()).axes[0].get_title() == ""
    assert rb.plot.energy_sheet({"a": heavy()}).axes[0].get_title() == "a"


def test_a_comparison_of_several_runs_has_dots_and_lines_for_each():
    discrete = {"fine": make(2, balls=2), "coarse": make(2, balls=2)}
    figure = rb.plot.comparison_sheet(compared(), discrete, {"flow": make(2, balls=2)}, PLANE, BOX[2])
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["flow", "fine", "coarse"]
    assert names(figure.axes[0]) == labels


# Films


def test_runs_of_a_film_roll_side_by_side_and_one_that_ends_earlier_waits():
    long, short = make(2), make(2, balls=1)[:3]
    cast, turns = cast_of(named_runs({"long": long, "short": short}), 1.0, None, 11)
    assert turns.shape == (11, 4, 4)
    np.testing.assert_allclose(cast.run.time, np.linspace(0, 0.5, 11), atol=1e-15)
    np.testing.assert_allclose(cast.run.center[::2, :3], long.center, atol=1e-12)
    np.testing.assert_allclose(cast.run.center[:5:2, 3], short.center[:, 0], atol=1e-12)
    assert (cast.run.center[5:, 3] == short.center[-1, 0]).all()
    assert cast.colors == [*[PALETTE[0]] * 3, PALETTE[1]]
    assert {name: balls.tolist() for name, balls in cast.groups.items()} == {"long": [0, 1, 2], "short": [3]}


@pytest.mark.parametrize("view", ["section", "contour", "surface"])
def test_a_film_names_its_runs(view, tmp_path):
    dim = 1 if view == "section" else 2
    runs = {"a ball": make(dim, balls=2), "a point": make(dim, balls=1, radius=0.0)}
    scene = SCENERY[view](cast_of(named_runs(runs), 1.0, [0], 0)[0], SURFACE[dim], BOX[dim], False, "")
    seen = [ax.get_title() for ax in scene.figure.axes] if view == "contour" else names(scene.figure.axes[0])
    assert seen == ["a ball", "a point"]
    rb.plot.animate(runs, SURFACE[dim], tmp_path / "a.gif", frames=[0, -1], view=view)
    with Image.open(tmp_path / "a.gif") as file:
        assert file.n_frames == 2


def test_a_page_names_its_runs():
    pytest.importorskip("viser")
    with rb.plot.view({"a <ball>": make(2), "a point": make(2, radius=0.0)}, PLANE, BOX[2], port=0) as page:
        label = page.stage.names["a <ball>"]
        assert [handle.text for handle in page.stage.names.values()] == ["a <ball>", "a point"]
        page.clock.value = 0.3
        above = page.page.place(make(2).center[3, 0]) + np.array([0, 0, 0.5 * page.page.zoom])
        np.testing.assert_allclose(np.asarray(label.position)[:2], above[:2], atol=1e-6)
        assert label.position[2] > above[2]
        page.runs.value = "a point"
        assert [handle.visible for handle in page.stage.names.values()] == [False, True]
        assert page.chosen.value.startswith("a <ball>, ball 0")
    for radius, names in ((0.5, []), (0.0, ["run"])):  # a point is hard to find without a name
        with rb.plot.view(make(2, radius=radius), PLANE, BOX[2], port=0) as page:
            assert list(page.stage.names) == names
