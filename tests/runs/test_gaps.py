"""The gap of a run is measured in launches that end: Ctrl-C is answered between them, and what was rolled is kept."""

import numpy as np
import pytest

import rollingball as rb
from rollingball.core import pace
from rollingball.runs import gaps

WELLS = rb.surfaces.gaussian_wells()
STARTS = np.random.default_rng(4).uniform(-2, 2, (9, 2))


def rolled(**more):
    """Balls that pass through walls, so that their gaps are not all alike, and some of which come to rest."""
    method = rb.FootpointRBO(0.05, rb.NewtonProjection())
    return rb.simulate(WELLS, rb.Ball(0.3), method, start=STARTS, steps=40, every=3, lift=True, **more)


@pytest.mark.parametrize("search", [rb.GlobalProjection(nodes=0), rb.GlobalProjection()])
@pytest.mark.parametrize("at_once", [1, 50])
def test_it_does_not_depend_on_where_launches_end(at_once, search, monkeypatch):
    whole = rolled(gap=search)
    monkeypatch.setattr(gaps, "MEASURED", at_once)
    monkeypatch.setattr(pace, "LAUNCH_SECONDS", 0.0)
    parts = rolled(gap=search)
    np.testing.assert_array_equal(parts.gap, whole.gap)
    np.testing.assert_array_equal(parts.status, whole.status)
    assert np.isfinite(whole.gap).all()
    assert np.ptp(whole.gap) > 0.01
    assert parts.certified == whole.certified == (search.nodes > 0)


def test_ctrl_c_while_it_is_measured_keeps_the_run(monkeypatch):
    whole = rolled()
    monkeypatch.setattr(gaps, "MEASURED", 3 * len(whole))
    calls = []

    def nearest(*given):
        calls.append(given)
        if len(calls) == 2:  # of the second three balls
            raise KeyboardInterrupt
        return measure(*given)

    measure = gaps.nearest_points
    monkeypatch.setattr(gaps, "nearest_points", nearest)
    with pytest.raises(rb.RunInterrupted) as ended:
        rolled()
    run = ended.value.trajectory
    assert len(calls) == 2
    np.testing.assert_array_equal(run.center, whole.center)
    np.testing.assert_array_equal(run.gap[:, :3], whole.gap[:, :3])
    assert np.isnan(run.gap[:, 3:]).all()
    assert not run.certified


def test_a_bar_is_shown_where_it_takes_long(monkeypatch, capsys):
    rolled(progress=True)
    assert "gap" not in capsys.readouterr().err
    monkeypatch.setattr(gaps, "BAR_AFTER", 0.0)
    rolled(progress=True)
    assert "9/9" in capsys.readouterr().err.rpartition("gap")[2]
