"""Balls that are proved to have one contact: rolled without a search, and as those whose contacts are sought."""

from dataclasses import replace

import numpy as np
import pytest

import rollingball as rb
from rollingball.methods.flow import roll
from rollingball.methods.flow.launcher import SHELF

S = rb.surfaces
VALLEYS = S.himmelblau(loss_scale=0.01)
CORNERS = [[3.9, 3.9], [-3.7, -3.9], [0.1, 0.2], [2.5, -3.97]]
BALL = rb.Ball(0.6)
SINGLE = 1  # whose turn it is


def flow(integrator=None, **options):
    return rb.IronedFlow(integrator or rb.RK4(0.002), stride=np.inf, **options)


def rolled(method=None, surface=VALLEYS, ball=BALL, start=CORNERS, duration=0.1, **options):
    return rb.simulate(surface, ball, method or flow(), start=start, duration=duration, gap=None, lift=True, **options)


def searched(monkeypatch, **options):
    """The same run by the program that seeks all contacts in every step, or sweeps its way for them."""
    with monkeypatch.context() as patch:
        program = rb.IronedFlow.program
        patch.setattr(rb.IronedFlow, "single_program", lambda *_: None)
        patch.setattr(rb.IronedFlow, "program", lambda *given: replace(program(*given), turns=None))
        SHELF.clear()
        run = rolled(**options)
    SHELF.clear()
    return run


@pytest.mark.parametrize("integrator", [rb.RK4(0.002), rb.Dopri5(1e-9, 1e-12), rb.Rosenbrock(1e-5, 1e-8)])
@pytest.mark.parametrize("metric", ["parameter", "ambient"])
def test_a_ball_below_the_reach_rolls_as_if_all_contacts_were_sought(integrator, metric, monkeypatch):
    options = {"method": flow(integrator, metric=metric), "ball": rb.Ball(0.3)}
    alone = rolled(**options)
    assert alone.path_proved.all()
    for sweep in (True, False):
        sought = searched(monkeypatch, **{**options, "method": flow(integrator, metric=metric, sweep=sweep)})
        assert sought.path_proved.all() == sought.path_proved.any() == sweep
        assert alone.steps.tolist() == sought.steps.tolist()
        for name in ("foot", "center", "loss"):
            np.testing.assert_allclose(getattr(alone, name), getattr(sought, name), rtol=1e-10, atol=1e-10)
        assert (alone.evaluations < sought.evaluations).all()
    assert (alone.evaluations < sought.evaluations / 2).all()


def test_where_the_proof_ends_contacts_are_sought_until_it_is_found_again(monkeypatch):
    both, sought = rolled(flow(sweep=False)), searched(monkeypatch, method=flow(sweep=False))
    returns = both.state["memory.proof.returns"]
    assert (returns > 0).any()
    assert (returns == 0).any()
    np.testing.assert_allclose(both.center, sought.center, atol=1e-10)
    np.testing.assert_array_equal(both.path_proved, (returns == 0) & (both.state["memory.proof.turn"] == 1))


@pytest.mark.parametrize("most", [1, 7])
def test_the_result_does_not_depend_on_where_launches_end(most, monkeypatch):
    whole = rolled()
    monkeypatch.setattr(roll, "MOST_STEPS", most)
    parts = rolled()
    for name in ("foot", "center", "evaluations", "steps", "contacts"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)


@pytest.mark.parametrize("cut", [0.004, 0.05])
def test_a_run_goes_on_bit_for_bit_with_either_program(cut, tmp_path):
    """At the first time one ball is with the program that seeks contacts."""
    times = np.array([0.0, cut, 0.1])
    whole, half = rolled(save_at=times), rolled(duration=cut, save_at=times[:2])
    assert (half.state["memory.proof.turn"] == SINGLE).all() == (cut > 0.01)
    half.save(tmp_path / "half.safetensors")
    half = rb.Trajectory.load(tmp_path / "half.safetensors")
    longer = rb.resume(half, duration=0.1 - cut, save_at=[0.1 - cut], gap=None)
    np.testing.assert_allclose(longer.center[-1], whole.center[-1], rtol=0, atol=1e-14)


def test_a_state_from_before_there_were_proofs_goes_on(monkeypatch):
    half = searched(monkeypatch, duration=0.05)
    for name in [name for name in half.state if name.startswith("memory.proof.") or name == "unproved"]:
        del half.state[name]
    longer = rb.resume(half, duration=0.05, gap=None)
    assert not longer.path_proved.any()  # nothing is known of the way before
    np.testing.assert_allclose(longer.center[-1], rolled().center[-1], atol=1e-10)


@pytest.mark.parametrize("dim", [3, 6])
def test_in_any_dimension_the_two_flows_are_one_below_the_reach(dim):
    surface = S.sine(dim=dim)
    start = np.random.default_rng(dim).uniform(-2, 2, (3, dim))
    method = rb.Dopri5(1e-9, 1e-12)
    ironed = rolled(flow(method), surface, rb.Ball(0.5), start, duration=1.0)
    foot = rolled(rb.FootpointFlow(method), surface, rb.Ball(0.5), start, duration=1.0)
    assert ironed.path_proved.all()
    np.testing.assert_allclose(ironed.foot[-1], foot.foot[-1], atol=1e-7)
    np.testing.assert_allclose(ironed.center[-1], foot.center[-1], atol=1e-7)


def test_a_ball_that_touches_twice_is_with_the_search():
    run = rolled(surface=S.sine(), ball=rb.Ball(3.0), start=[[1.2]], duration=2.0)
    assert not run.path_proved.any()
    assert run.state["memory.proof.turn"][0] != SINGLE
