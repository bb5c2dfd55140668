"""Balls with mass between their frames: a bounce is drawn as it flies, and the parts of the energy are all of it."""

import numpy as np
import pytest

import rollingball as rb
from rollingball.runs.motion import flown

SINE = rb.surfaces.sine()
BOUNCE = rb.RigidBall(contact="unilateral", restitution=0.8, friction=0.2)
DROP = {"start_center": [[1.0, 3.5], [0.2, 3.0]], "start_velocity": [[3.0], [0.0]], "duration": 3.0}


@pytest.fixture(scope="module")
def hops():
    """The same bounces with few frames and with many."""
    few = rb.simulate(SINE, rb.Ball(0.4), BOUNCE, **DROP, save_at=np.linspace(0.0, 3.0, 31))
    many = rb.simulate(SINE, rb.Ball(0.4), BOUNCE, **DROP, save_at=np.linspace(0.0, 3.0, 1501))
    return few, many


def at(run, times):
    """The centres of a run at some times (K, B, 2), linear between frames."""
    return np.stack(
        [[np.interp(times, run.time, run.center[:, b, i]) for i in range(2)] for b in range(run.balls)]
    ).transpose(2, 0, 1)


def test_a_ball_in_flight_is_where_it_flew(hops):
    few, many = hops
    fine = flown(few)
    assert len(fine) > 4 * (len(few) - 1)
    true = at(many, fine.time)
    flies = (fine.contacts == 0)[..., None] & np.ones(2, bool)
    # between two frames of which each knows its flight, with at most two impacts between: all is known
    when = few.events["time"]
    interval = np.searchsorted(few.time, fine.time, side="right") - 1
    count = np.stack([[(np.searchsorted(few.time, when[b], side="right") - 1 == i).sum() for i in interval]
                      for b in range(few.balls)], axis=1)  # fmt: skip
    # and the dense record, which is straight over an impact, is right
    clear = np.abs(fine.time[:, None, None] - when[None]).min(axis=-1) > 0.002
    whole = flies & (clear & (count <= 2))[..., None]
    assert whole.sum() > 150
    straight = np.abs(at(few, fine.time) - true)[whole].max()
    np.testing.assert_allclose(fine.center[whole], true[whole], rtol=0, atol=1e-5)  # of the dense record
    assert straight > 0.01  # which cut off the tops


def test_recorded_frames_stay_and_events_are_among_the_moments(hops):
    few, _many = hops
    fine = flown(few)
    own = np.searchsorted(fine.time, few.time)
    np.testing.assert_array_equal(fine.center[own], few.center)
    inside = few.events["time"][(few.events["kind"] >= 0) & (few.events["time"] < 3.0)]
    assert np.abs(inside[:, None] - fine.time).min(axis=1).max() < 1e-12


def test_a_ball_on_the_graph_stays_near_it():
    run = rb.simulate(SINE, rb.Ball(0.4), rb.RigidBall(friction="no-slip"), start=[1.2], duration=2.0,
                      save_at=np.linspace(0, 2, 21))  # fmt: skip
    fine = flown(run)
    heights = rb.contacts(SINE, fine.center[:, 0, :1], 0.4).height
    linear = run.at(fine.time).center[:, 0]
    away = np.abs(linear[:, 1] - rb.contacts(SINE, linear[:, :1], 0.4).height).max()
    assert np.abs(fine.center[:, 0, 1] - heights).max() < 0.1 * away


def test_runs_without_mass_are_as_they_were():
    run = rb.simulate(SINE, rb.Ball(0.4), rb.FootpointRBO(0.1), start=[1.2], steps=3)
    assert flown(run) is run
    with pytest.raises(rb.InputError, match="balls with mass"):
        run.energies()
    assert run.history() == []


def test_the_parts_of_the_energy_are_all_of_it(hops):
    bowl = rb.surfaces.bowl(dim=2, radius=3.0)
    start = {"start": [1.6, 0.0], "start_velocity": [0.0, 2.0], "start_spin": [[20.0]]}
    marble = rb.simulate(bowl, rb.Ball(0.4, mass=2.0), rb.RigidBall(friction="no-slip"), **start, duration=1.0)
    ring = rb.simulate(bowl, rb.Ball(0.4, inertia=1.0), rb.RigidBall(friction="no-slip"), **start, duration=1.0)
    for run in (hops[0], marble, ring):
        parts = run.energies()
        np.testing.assert_allclose(sum(parts.values()), run.energy, rtol=1e-12, atol=1e-12)
        assert (parts["kinetic"] >= 0).all()
        assert (parts["rotational"] >= 0).all()
    assert parts["rotational"].min() > 0.1 * parts["kinetic"].max()


def test_the_history_names_what_happened_in_order(hops):
    run = hops[0]
    happened = run.history(0)
    assert happened[0][1] == "impact"
    assert [time for time, _name in happened] == sorted(time for time, _name in happened)
    assert len(happened) == (run.events["kind"][0] >= 0).sum()
    flow = rb.simulate(SINE, rb.Ball(3.0), rb.IronedFlow(), start=[1.2], duration=3.0)
    assert [name for _time, name in flow.history()] == ["rest"]
    with pytest.raises(rb.InputError, match="ball: got 2"):
        run.history(2)


@pytest.mark.parametrize("kind", list(rb.Event))
def test_every_event_has_words(kind):
    assert kind.words()
    assert kind.words(has_mass=True)
