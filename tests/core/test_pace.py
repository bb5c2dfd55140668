"""Launches sized by time: quick steps between slow ones make no long one, and parts of a launch are the whole."""

import signal

import numpy as np
import pytest

import rollingball as rb
from rollingball.core import pace

POINTS = np.random.default_rng(2).uniform(-2, 2, (150, 2))


def test_steps_of_one_cost_are_launched_for_the_time_of_a_launch():
    sized, sizes = pace.Pace(1, 10**6), []
    for _ in range(8):
        sizes.append(sized.steps)
        sized.took(sized.steps, 1e-3 * sized.steps)
    assert sizes == [1, 8, 64, 200, 200, 200, 200, 200]


@pytest.mark.parametrize("most", [1, 7, 10**6])
def test_after_slow_steps_quick_ones_are_not_trusted_at_once(most):
    sized = pace.Pace(1, most)
    for _ in range(3):
        sized.took(1, 0.4)
        assert sized.steps == 1
    sizes = []
    for _ in range(4):
        sized.took(sized.steps, 1e-6 * sized.steps)
        sizes.append(sized.steps)
    assert sizes == [min(size, most) for size in (1, 2, 4, 8)]


def searched():
    wells = rb.surfaces.gaussian_wells()
    resting = rb.contacts(wells, POINTS, 0.5)
    near = rb.project(wells, np.column_stack([POINTS, resting.height]))
    return {"height": resting.height, "feet": resting.feet, "distance": near.distance, "above": near.above}


def test_searches_in_parts_find_what_they_find_at_once(monkeypatch):
    monkeypatch.setattr(pace, "FIRST_POINTS", 10**6)
    whole = searched()
    monkeypatch.setattr(pace, "FIRST_POINTS", 7)
    monkeypatch.setattr(pace, "LAUNCH_SECONDS", 0.0)
    parts = searched()
    for name, values in whole.items():
        np.testing.assert_array_equal(parts[name], values, err_msg=name)
    assert whole["above"].all()


def test_ctrl_c_ends_searches_between_two_parts(interruptible, monkeypatch):
    sizes, launch = [], pace.launch

    def interrupted(kernel, count, *given, **options):
        launch(kernel, count, *given, **options)
        sizes.append(count)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(pace, "launch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rb.contacts(rb.surfaces.gaussian_wells(), POINTS, 0.5)
    assert sizes == [pace.FIRST_POINTS]
    rb.contacts(rb.surfaces.gaussian_wells(), POINTS[:5], 0.5)  # in one part, after which all is there
