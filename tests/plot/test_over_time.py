"""Loss, gap, residual and energy over time: the numbers that were recorded, on a fitting scale."""

from dataclasses import replace

import numpy as np
import pytest

import rollingball as rb
from rollingball.plot import comparison_sheet, energy, energy_sheet, gap, loss, order, residual, separation
from tests.plot.runs import make, new_axes

DRAW = {"loss": loss, "gap": gap, "residual": residual}


@pytest.mark.parametrize("name", DRAW)
def test_a_line_for_each_ball_has_its_numbers(name):
    run = replace(make(2), gap=np.full((6, 3), -0.1), residual=np.full((6, 3), 1e-3))
    ax = DRAW[name](run, new_axes())
    for ball in range(3):
        np.testing.assert_array_equal(ax.lines[ball].get_xydata(), np.stack([run.time, getattr(run, name)[:, ball]], 1))
    assert ax.get_xlabel() == "time"
    assert name in ax.get_ylabel()
    assert ax.get_xlim() == (run.time[0], run.time[-1])


def test_scales_are_logarithmic_where_that_shows_more():
    run = make(2)
    assert loss(run, new_axes()).get_yscale() == "linear"
    falling = replace(run, loss=np.geomspace(1, 1e-4, 6)[:, None] * np.ones(3))
    assert loss(falling, new_axes()).get_yscale() == "log"
    assert loss(replace(run, loss=falling.loss - 0.5), new_axes()).get_yscale() == "linear"
    assert residual(run, new_axes()).get_yscale() == "log"  # zeros are drawn at its end
    assert residual(run, new_axes()).lines[0].get_ydata().min() == 1e-18
    assert gap(run, new_axes()).get_ylim() == pytest.approx((-5e-7, 5e-7), rel=1e-12)  # a millionth of the radius


def test_balls_with_times_of_their_own_have_them():
    run = make(2)
    own = replace(run, time=run.time[:, None] * np.array([1.0, 2.0, 3.0]))
    ax = loss(own, new_axes())
    assert [line.get_xdata()[-1] for line in ax.lines] == pytest.approx([0.5, 1.0, 1.5])


def test_many_balls_have_a_median():
    run = make(2, balls=20)
    ax = loss(run, new_axes())
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), np.median(run.loss, axis=1))
    assert ax.get_legend() is not None


@pytest.mark.parametrize("draw", [loss, gap, residual])
def test_lost_frames_and_a_single_one_are_drawn(draw):
    lost = make(2, balls=20)
    lost.loss[3:, 1], lost.gap[:], lost.residual[2:] = np.nan, np.nan, np.inf
    ax = draw(lost, new_axes())
    ax.figure.canvas.draw()
    one = draw(make(2, frames=1), new_axes())
    assert one.lines[0].get_marker() == "o"
    one.figure.canvas.draw()
    with pytest.raises(rb.InputError, match=r"^trajectory"):
        draw(make(2, frames=0))


def heavy():
    run = make(2)
    return replace(
        run, velocity=0.1 * run.center, spin=0.2 * run.center, energy=np.linspace(3, 2, 6)[:, None] * np.ones(3),
        scene={"ball": {"radius": 0.5, "mass": [1.0, 2.0, 3.0]}, "run": {"gravity": 9.81}},
        events={"time": np.array([[0.15], [0.2], [9.0]]), "kind": np.array([[2], [-1], [2]]),
                "contacts": np.zeros((3, 1)), "center": np.zeros((3, 1, 2))},
    )  # fmt: skip


def test_energy_and_its_parts():
    run = heavy()
    ax = energy(run, new_axes())
    for ball in range(3):
        np.testing.assert_array_equal(ax.lines[ball].get_ydata(), run.energy[:, ball])
        mass, parts = ball + 1, {line.get_linestyle(): line.get_ydata() for line in ax.lines[3 + 4 * ball :][:3]}
        np.testing.assert_allclose(parts["-."], 9.81 * mass * run.center[:, ball, 2])
        np.testing.assert_allclose(parts["--"], mass * (run.velocity[:, ball] ** 2).sum(axis=-1) / 2)
        np.testing.assert_allclose(parts[":"], 0.2 * mass * 0.5**2 * (run.spin[:, ball] ** 2).sum(axis=-1))
    strokes = [line.get_xydata() for line in ax.lines if line.get_marker() == "|"]
    np.testing.assert_allclose(strokes[0], [[0.15, 2.7]])  # energy is linear here
    assert [len(stroke) for stroke in strokes] == [1, 0, 0]  # no event, and one after the end
    assert len(energy(replace(run, scene={}), new_axes()).lines) == 6  # a scene without gravity: energy alone


def test_balls_without_mass_have_no_energy():
    with pytest.raises(rb.InputError, match="balls with mass"):
        energy(make(2))
    with pytest.raises(rb.InputError, match="runs"):
        energy_sheet({"a": make(2)})
    figure = energy_sheet({"a": heavy(), "b": make(2)}, "t")
    assert [ax.get_title() for ax in figure.axes if ax.get_visible()] == ["a"]


def compared(rates=(0.1, 0.05)):
    """A comparison in which the distance is the learning rate times the time."""
    time = np.linspace(0, 1, 5)
    distance = np.asarray(rates)[:, None, None] * time[:, None] * np.ones(2)
    largest = distance.max(axis=1)
    return rb.Comparison(
        lr=np.asarray(rates), time=time, distance=distance, largest=largest, hausdorff=largest, frechet=largest,
        order=np.ones(2), separation=np.full(largest.shape, np.inf), tolerance=0.01, loss=distance,
        loss_continuous=distance[0], gap=0 * distance,
    )  # fmt: skip


def test_separation_and_order_are_those_of_the_comparison():
    found = compared()
    ax = separation(found, new_axes())
    np.testing.assert_allclose(ax.lines[0].get_xydata()[1:], np.stack([found.time, 0.1 * found.time], 1)[1:])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["lr 0.1", "lr 0.05", "tolerance"]
    ax = order(found, new_axes())
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0.1, 0.1], [0.05, 0.05]])
    assert ax.lines[1].get_label() == "slope 1.000"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    np.testing.assert_allclose(ax.lines[1].get_xydata(), [[0.1, 0.1], [0.05, 0.05]])


def test_the_fitted_line_goes_through_the_middle_of_the_points():
    found = compared((0.1, 0.05, 0.025))
    found.largest[1] *= 8  # in the middle: the fitted slope stays 1, and the line goes up by a factor of 2
    ax = order(found, new_axes())
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.2, 0.1, 0.05])


@pytest.mark.parametrize("rate", [0.1, np.nextafter(0.1, 0) - 2**-56, 0.7])
def test_a_comparison_of_one_run_has_its_rate_in_the_middle(rate):
    one = compared((0.1,))
    one.lr[:] = rate  # the mean of the steps' rates, which is 0.1 to rounding
    ax = order(one, new_axes())
    np.testing.assert_allclose(ax.get_xlim(), [rate / 3, rate * 3])


def test_a_comparison_of_one_run_without_a_distance_is_drawn():
    ax = order(compared((0.1,)), new_axes())
    ax.figure.canvas.draw()
    same = compared((0.1,))
    same.distance[:] = same.largest[:] = 0
    for draw in (separation, order):
        draw(same, new_axes()).figure.canvas.draw()


def test_a_comparison_in_any_dimension_has_a_sheet():
    for dim in (1, 2):
        figure = comparison_sheet(
            compared(), make(dim, balls=2), make(dim, balls=2), [rb.surfaces.sine(), rb.surfaces.quadratic(np.eye(2))][
                dim - 1
            ], [(-2.0, 2.0)] * dim, "t",
        )  # fmt: skip
        assert figure.axes[0].get_aspect() == 1
