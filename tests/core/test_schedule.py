"""Schedules by their closed forms."""

import numpy as np
import pytest

import rollingball as rb
from rollingball.core.schedule import over_steps


def over(values, kind, count, steps=None):
    return rb.Schedule(values, kind=kind, steps=steps).over(count)


def test_linear():
    table = over([1.0, 3.0, 2.0], "linear", 9)
    assert table.shape == (9, 1)
    np.testing.assert_allclose(table[:, 0], [1, 1.5, 2, 2.5, 3, 2.75, 2.5, 2.25, 2], rtol=1e-15)
    np.testing.assert_array_equal(rb.Schedule([1.0, 3.0]).over(7), over([1.0, 3.0], "linear", 7))


def test_geometric():
    table = over([8.0, 0.5], "geometric", 5)
    np.testing.assert_allclose(table[:, 0], [8, 4, 2, 1, 0.5], rtol=1e-14)
    table = over([1.0, 100.0, 1.0], "geometric", 5)
    np.testing.assert_allclose(table[:, 0], [1, 10, 100, 10, 1], rtol=1e-14)


def test_cosine():
    share = np.arange(11) / 10
    table = over([5.0, 1.0], "cosine", 11)
    np.testing.assert_allclose(table[:, 0], 1 + 4 * (1 + np.cos(np.pi * share)) / 2, rtol=1e-14)
    knots = over([1.0, 2.0, 4.0], "cosine", 21)
    np.testing.assert_allclose(knots[[0, 5, 10, 15, 20], 0], [1, 1.5, 2, 3, 4], rtol=1e-14)


def test_hold():
    assert over([3.0, 2.0, 1.0], "hold", 6)[:, 0].tolist() == [3, 3, 2, 2, 1, 1]
    assert over([3.0, 2.0, 1.0], "hold", 7)[:, 0].tolist() == [3, 3, 3, 2, 2, 1, 1]
    assert over([3.0, 2.0, 1.0], "hold", 2)[:, 0].tolist() == [3, 2]


@pytest.mark.parametrize("kind", ["linear", "geometric", "cosine", "hold"])
class TestEveryKind:
    @pytest.mark.parametrize("steps", [2, 3, 10, 101])
    def test_it_begins_and_ends_at_its_knots_and_stays_between_them(self, kind, steps):
        table = over([2.0, 0.25], kind, steps)
        assert table.dtype == np.float64
        assert (table[0, 0], table[-1, 0]) == (2.0, 0.25)
        assert (np.diff(table[:, 0]) <= 0).all()

    def test_one_step_takes_the_first_value(self, kind):
        assert over([2.0, 0.25], kind, 1).tolist() == [[2.0]]

    def test_one_value_is_constant(self, kind):
        assert over([0.7], kind, 4).tolist() == [[0.7]] * 4

    def test_a_column_a_ball(self, kind):
        table = over([[1.0, 8.0], [4.0, 2.0], [2.0, 3.0]], kind, 13)
        assert table.shape == (13, 2)
        np.testing.assert_array_equal(table[:, :1], over([1.0, 4.0, 2.0], kind, 13))
        np.testing.assert_array_equal(table[:, 1:], over([8.0, 2.0, 3.0], kind, 13))

    def test_after_its_steps_the_last_value_holds(self, kind):
        table = over([4.0, 1.0], kind, 10, steps=6)
        np.testing.assert_array_equal(table[:6], over([4.0, 1.0], kind, 6))
        assert table[6:, 0].tolist() == [1.0] * 4

    def test_a_shorter_run_sees_the_beginning(self, kind):
        np.testing.assert_array_equal(over([4.0, 1.0], kind, 4, steps=9), over([4.0, 1.0], kind, 9)[:4])


@pytest.mark.parametrize(
    ("values", "more", "field"),
    [
        ([], {}, "schedule.values"),
        (3.0, {}, "schedule.values"),
        ([[[1.0]]], {}, "schedule.values"),
        ([[1.0, 2.0], [1.0]], {}, "schedule.values"),
        ([1.0, 0.0], {}, "schedule.values"),
        ([1.0, -1.0], {}, "schedule.values"),
        ([1.0, np.nan], {}, "schedule.values"),
        ([1.0, np.inf], {}, "schedule.values"),
        (["text"], {}, "schedule.values"),
        (None, {}, "schedule.values"),
        ([1.0], {"kind": "step"}, "schedule.kind"),
        ([1.0], {"kind": None}, "schedule.kind"),
        ([1.0], {"steps": 0}, "schedule.steps"),
        ([1.0], {"steps": 2.5}, "schedule.steps"),
        ([1.0], {"steps": True}, "schedule.steps"),
    ],
)
def test_schedules_are_checked(values, more, field):
    with pytest.raises(rb.InputError) as error:
        rb.Schedule(values, **more)
    assert error.value.field == field


def test_over_steps():
    assert over_steps("lr", 0.5, 10).tolist() == [[0.5]]
    assert over_steps("lr", [0.5, 0.25], 10).tolist() == [[0.5, 0.25]]
    assert over_steps("lr", np.array([0.5, 0.25]), 10, balls=2).tolist() == [[0.5, 0.25]]
    assert over_steps("lr", 0.5, 10, balls=3).shape == (1, 1)
    schedule = rb.Schedule([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(over_steps("lr", schedule, 5, balls=3), schedule.over(5))
    assert over_steps("lr", schedule, 0).tolist() == [[1.0, 2.0, 3.0]]
    assert over_steps("lr", rb.Schedule([1.0, 2.0]), 4, balls=3).shape == (4, 1)


@pytest.mark.parametrize(
    ("value", "balls"),
    [
        (0.0, None),
        (-1.0, None),
        (np.nan, None),
        ([1.0, np.inf], None),
        ([], None),
        ("text", None),
        (None, None),
        ([[1.0], [2.0]], None),
        ([1.0, 2.0], 3),
        (rb.Schedule([[1.0, 2.0]]), 3),
    ],
)
def test_over_steps_names_what_it_refuses(value, balls):
    with pytest.raises(rb.InputError) as error:
        over_steps("speed", value, 5, balls)
    assert error.value.field == "speed"


def test_radius_and_lr_of_a_run_follow_their_schedules():
    radius, lr = rb.Schedule([0.4, 0.1], kind="geometric"), rb.Schedule([0.02, 0.01], kind="hold")
    run = rb.simulate(
        rb.surfaces.sine(), rb.Ball(radius=radius), rb.FootpointRBO(lr=lr), start=[1.0], steps=6, gap=None
    )
    np.testing.assert_allclose(run.time, [0, 0.02, 0.04, 0.06, 0.07, 0.08, 0.09], rtol=1e-14)
    expected = radius.over(6)[[0, 1, 2, 3, 4, 5, 5], 0]
    np.testing.assert_allclose(run.radius[:, 0], expected, rtol=1e-15)
    between = run.center[:, 0] - np.stack([run.foot[:, 0, 0], run.loss[:, 0]], axis=1)
    np.testing.assert_allclose(np.linalg.norm(between, axis=1), expected, rtol=1e-12)
