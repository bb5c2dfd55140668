"""Slopes with needles far thinner than the ball: each that it should touch is an event, and none is passed through."""

import numpy as np
import pytest

import rollingball as rb
from tests.spikes import first_touch, needles

RHO, TILT, FAR = 1.0, 0.4, 3.0


def drawn(rng, lanes):
    """Needles of widths from 1e-3 to 1e-6 of the radius beside lanes, and a start in each lane.

    The ball in a lane meets its needle, or passes it closely. They are so low that it touches them over a short way.
    """
    heights, widths = 10 ** rng.uniform(-4.5, -2.5, lanes) * RHO, 10 ** rng.uniform(-6, -3, lanes) * RHO
    aside = rng.uniform(-1.6, 1.6, lanes) * np.sqrt(2 * RHO * heights)
    middles = 0.4 * np.arange(lanes)
    places = np.column_stack([rng.uniform(1.2, 3.2, lanes), middles + aside])
    return needles(TILT, places, heights, widths), np.column_stack([np.zeros(lanes), middles])


@pytest.mark.parametrize("integrator", [rb.Dopri5(1e-8, 1e-10), rb.RK4(0.5)], ids=["adaptive", "fixed"])
def test_a_flow_meets_every_needle_in_its_way(integrator, request):
    rng, met, missed, proved = np.random.default_rng(0), 0, 0, 0
    for _slope in range(max(3, request.config.getoption("--starts") // 6)):
        surface, starts = drawn(rng, 6)
        ways = [first_touch(surface, start, RHO, FAR) for start in starts]
        duration = FAR / TILT
        run = rb.simulate(
            surface, rb.Ball(RHO), rb.IronedFlow(integrator), start_center=starts, duration=duration,
            save_at=[0.0, duration], gap=None,
        )  # fmt: skip
        kind, where = run.events["kind"][:, 0], run.events["center"][:, 0, 0]
        for way, first, place in zip(ways, kind, where, strict=True):
            if np.isfinite(way):
                met += 1
                assert first == rb.Event.TOUCH
                assert place == pytest.approx(way, abs=1e-6)
            else:
                missed += 1
                assert first == -1
        proved += run.path_proved.sum()
    assert met > 3
    assert missed > 3
    assert proved > 0.8 * (met + missed)
