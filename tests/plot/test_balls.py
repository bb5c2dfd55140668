"""Balls to scale, their contacts, and the marks of events: where they stand, in the units of the data."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Circle

import rollingball as rb
from rollingball.plot import balls, center_path, events, section
from tests.plot.runs import BOX, LINE, make, new_axes


@pytest.fixture(scope="module")
def wedged():
    """A ball of radius 3 under the flow on a sine, which comes to rest on two contacts."""
    return rb.simulate(LINE, rb.Ball(3.0), rb.IronedFlow(rb.Dopri5(1e-9)), start=[1.2], duration=3.0, gap=None)


def circles(ax):
    return [patch for patch in ax.patches if isinstance(patch, Circle)]


def squares(ax):
    return [line.get_xydata() for line in ax.lines if line.get_marker() == "s"]


@pytest.mark.parametrize("dim", [1, 2])
def test_balls_stand_to_scale_where_they_were_at_some_frames(dim):
    run = make(dim, balls=2, radius=[0.3, 0.4])
    ax = balls(run, new_axes(), frames=[0, -1])
    drawn = circles(ax)
    assert [circle.get_radius() for circle in drawn] == [0.3, 0.4, 0.3, 0.4]
    np.testing.assert_array_equal([circle.center for circle in drawn], run.center[[0, -1], :, :2].reshape(4, 2))
    where = run.foot if dim == 2 else np.concatenate([run.foot, run.loss[..., None]], axis=-1)
    np.testing.assert_array_equal(np.concatenate(squares(ax)), where[[0, -1]].reshape(4, 2))
    assert ax.get_aspect() == 1


def test_a_time_between_two_frames_is_linear_between_them():
    run = make(1, balls=1)
    (circle,) = circles(center_path(run, new_axes(), times=[0.25]))
    np.testing.assert_allclose(circle.center, (run.center[2, 0] + run.center[3, 0]) / 2, atol=1e-15)


def test_a_ball_at_rest_shows_all_its_contacts(wedged):
    for surface in (None, LINE):
        ax = balls(wedged, new_axes(), surface=surface)
        ((center, radius),) = [(circle.center, circle.get_radius()) for circle in circles(ax)]
        (feet,) = squares(ax)
        assert len(feet) == wedged.contacts[-1, 0] == 2
        np.testing.assert_allclose(np.linalg.norm(feet - center, axis=1), radius, atol=1e-6)
        np.testing.assert_allclose(feet[:, 1], np.sin(feet[:, 0]), atol=1e-12)
        np.testing.assert_allclose(np.sort(feet[:, 0]), [-np.pi - feet[:, 0].max(), feet[:, 0].max()], atol=1e-4)


def test_a_run_on_a_forgotten_surface_shows_the_contact_that_was_recorded(wedged):
    forgotten = replace(wedged, scene={**wedged.scene, "surface": {"name": "mine", "dim": 1, "loss_scale": 1.0}})
    (feet,) = squares(balls(forgotten, new_axes()))
    np.testing.assert_array_equal(feet, [[wedged.foot[-1, 0, 0], wedged.loss[-1, 0]]])


def test_points_and_lost_balls_are_no_disks():
    assert circles(balls(make(2, radius=0.0), new_axes())) == []
    lost = make(2)
    lost.center[-1, 1] = np.nan
    assert len(circles(balls(lost, new_axes()))) == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [({"times": [9.0]}, "time"), ({"frames": [6]}, "frames"), ({"frames": [0.5]}, "frames"),
     ({"frames": ["a"]}, "frames"), ({"frames": [0], "times": [0.0]}, "times")],
)  # fmt: skip
def test_moments_outside_the_run_are_refused(options, named):
    with pytest.raises(rb.InputError, match=f"^{named}: got "):
        balls(make(1), new_axes(), **options)


def test_dimensions_without_a_picture_of_balls_are_refused():
    for run in (make(3), make(2, frames=0), make(2, balls=0), "run"):
        with pytest.raises(rb.InputError, match="trajectory"):
            balls(run)


# Events


def with_events(dim, kinds, times, energy=None):
    run = make(dim, balls=len(kinds))
    center = np.zeros((*np.shape(kinds), dim)) + np.asarray(times)[..., None]
    return replace(
        run, energy=energy,
        events={"time": np.array(times), "kind": np.array(kinds), "contacts": np.ones_like(kinds), "center": center},
    )  # fmt: skip


def marks(ax):
    return {line.get_marker(): line.get_xydata() for line in ax.lines if len(line.get_xydata())}


def words(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


def test_events_stand_where_the_centres_were():
    run = with_events(2, [[2, 3, -1], [2, 4, 2]], [[0.1, 0.2, np.inf], [0.3, 0.4, 0.9]])  # 0.9 is after the end
    ax = events(run, new_axes())
    found = marks(ax)
    assert set(found) == {"v", "^", "s"}
    np.testing.assert_allclose(found["v"], [[0.1, 0.1], [0.3, 0.3]])
    np.testing.assert_allclose(found["s"], [[0.4, 0.4]])
    assert words(ax) == ["a contact appears", "a contact is left", "rest"]


def test_on_a_section_events_have_the_height_of_the_centre():
    run = with_events(1, [[2]], [[0.25]])
    (place,) = marks(events(run, new_axes()))["v"]
    np.testing.assert_allclose(place, [0.25, run.center[2:4, 0, 1].mean()], atol=1e-15)


def test_events_of_a_ball_with_mass_have_its_words():
    run = with_events(2, [[2, 3, 4, 5, 6, 7]], [[0.1] * 6], energy=np.ones((6, 1)))
    said = words(events(run, new_axes()))
    assert said == ["impact", "lift-off", "rest", "stays after its last bounce", "rolls", "slips"]
    assert words(events(run, new_axes(), legend=False)) == []


def test_a_discrete_run_has_no_events():
    ax = events(make(2), new_axes())
    assert (len(ax.lines), ax.get_legend()) == (0, None)


def test_the_rest_of_a_flow_is_marked_where_its_last_ball_is(wedged):
    ax = events(wedged, center_path(wedged, section(LINE, [(-6.0, 4.5)], new_axes())))
    np.testing.assert_allclose(marks(ax)["s"][-1], wedged.center[-1, 0], atol=1e-6)
    assert "rest" in words(ax)


def test_a_box_of_another_shape_is_refused():
    with pytest.raises(rb.InputError, match=r"^box"):
        section(LINE, [*BOX[1], *BOX[1]])
