"""Derivatives of flows by CatchUp: its step is an argmin, differentiated by the implicit function theorem."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rollingball as rb
from rollingball.pytorch.runs.simulate import simulate
from tests.derivatives.test_derivatives import GROUND, differences
from tests.derivatives.test_flow_derivatives import agree

S = rb.surfaces
KINK, RUNNING = rb.Status.KINK, rb.Status.RUNNING


def flow(step, metric="parameter"):
    return rb.IronedFlow(rb.CatchUp(step), metric=metric)


def rolled(surface, radius, step, start, duration, metric="parameter"):
    return rb.simulate(surface, rb.Ball(radius), flow(step, metric), start_center=start, duration=duration, gap=None,
                       save_at=duration * np.array([0.0, 0.37, 0.7, 1.0]), throw=True)  # fmt: skip


@pytest.mark.parametrize("step", [0.05, 0.9], ids=["many", "one"])
@pytest.mark.parametrize("metric", ["parameter", "ambient"])
def test_backwards_forwards_and_differences_agree(metric, step):
    _dim, name, make = GROUND["wave"]
    agree(make, name, flow(step, metric), np.array([[0.4], [-1.0]]), 0.2, (1.0, np.array([0.3, 0.5]), 0.6), 1.1, 0.9)


@pytest.mark.slow
@pytest.mark.parametrize("ground", GROUND)
@settings(max_examples=3)
@given(seed=st.sampled_from(range(8)))
def test_on_every_family_of_surfaces(ground, seed):
    number = np.random.default_rng(seed).uniform
    dim, name, make = GROUND[ground]
    radius = number(0.02, 0.04) / (10 if ground == "wells" else 1)  # these are narrow
    start = np.array([[number(-1.2, 1.2) for _axis in range(dim)] for _ball in range(2)])
    weights = np.array([1.0, -0.7, 0.4][:dim]), np.array([0.3, 0.5, -0.2, 0.8][: dim + 1]), 0.6
    agree(make, name, flow(0.05), start, radius, weights, number(0.5, 1.5), number(0.5, 1.5))


@pytest.mark.parametrize("metric", ["parameter", "ambient"])
def test_into_a_bent_groove_and_along_it_on_two_contacts(metric):
    value = {"start": np.array([-1.1, 0.3]), "radius": 0.9, "loss_scale": 0.9, "duration": 3.31, "a": 0.5}
    draw = np.random.default_rng(5)
    along = {key: draw.normal(size=np.shape(part)) for key, part in value.items()}
    bars = np.array([[0.0] * 3, [0.2, 0.4, 0.1], [-0.3, 0.2, 0.5], [0.8, 0.3, -0.5]])[:, None]

    def run(by=0.0):
        at = {key: part + by * along[key] for key, part in value.items()}
        groove = S.formula("a*sin(2.2*x) + 0.1*y**2 + 0.2*y + 0.1*x*y", "x, y", {"a": at["a"]}, at["loss_scale"])
        return rolled(groove, at["radius"], 0.2, at["start"][None], at["duration"], metric)

    first = run()
    assert first.contacts[[0, -1], 0].tolist() == [1, 2]
    expected = differences(lambda by: (run(by).center * bars).sum())
    for every in (None, 5):
        found = rb.derivatives(first, {"center": bars}, parameters=True, checkpoint_every=every)
        total = found.parameters["a"] * along["a"]
        for key in ("start", "radius", "loss_scale", "duration"):
            total += (getattr(found, key) * along[key]).sum()
        assert total == pytest.approx(expected, rel=1e-8)
    ahead, last = rb.sensitivities(first), rb.derivatives(first, {"center": [[0.0, 1.0, 0.0]]})
    for key in ("start", "radius", "loss_scale", "duration"):
        np.testing.assert_allclose(getattr(ahead, key)[-1, :, 1], getattr(last, key), rtol=1e-10, atol=1e-13)


# Closed forms


def test_one_step_in_a_round_bowl():
    # the centre moves on a circle of radius r = R - rho: y - x + h F'(y) = 0, F' = y / sqrt(r^2 - y^2)
    bowl, rho, h = 1.3, 0.3, 0.4
    run = rolled(S.bowl(1, bowl), rho, 1.0, [[0.7]], h)
    found = rb.derivatives(run, {"center": [[1.0, 0.0]]})
    y, r = run.center[-1, 0, 0], bowl - rho
    assert y - 0.7 + h * y / np.sqrt(r**2 - y**2) == pytest.approx(0.0, abs=1e-14)
    stays = 1 / (1 + h * r**2 / (r**2 - y**2) ** 1.5)
    assert found.start[0, 0] == pytest.approx(stays, abs=1e-12)
    assert found.duration[0] == pytest.approx(-y / np.sqrt(r**2 - y**2) * stays, abs=1e-12)
    assert found.radius[0] == pytest.approx(-h * y * r / (r**2 - y**2) ** 1.5 * stays, abs=1e-12)


def test_each_step_on_a_parabola_divides_by_the_same():
    # x is divided by 1 + h k, but for the lift, which a radius of 1e-6 makes small
    run = rolled(S.quadratic([[2.0]]), 1e-6, 0.1, [[0.5]], 1.0)
    found = rb.derivatives(run, {"center": [[1.0, 0.0]]}, parameters=True)
    assert found.start[0, 0] == pytest.approx(1.2**-10, rel=1e-5)
    assert found.parameters["matrix"][0, 0] == pytest.approx(-10 * 0.1 * 0.5 * 1.2**-11, rel=1e-5)


def test_down_a_trough_on_both_of_its_walls():
    # on s |x| + a y the centre is at x = 0 and rho sqrt(1 + s^2 + a^2) + a y, and y falls at the rate a
    s, a, rho, t = 0.8, 0.3, 0.5, 1.7
    run = rolled(S.max_of_planes([[s, a], [-s, a]]), rho, 0.2, [[0.1, 0.4]], t)
    assert run.contacts[-1, 0] == 2
    y = 0.4 - a * t
    assert run.center[-1, 0, 1] == pytest.approx(y, abs=1e-12)
    by = [rb.derivatives(run, {"center": [axis]}, parameters=True) for axis in np.eye(3)]
    np.testing.assert_allclose([found.start[0] for found in by], [[0, 0], [0, 1], [0, a]], atol=1e-11)
    np.testing.assert_allclose([found.duration[0] for found in by], [0, -a, -a * a], atol=1e-11)
    np.testing.assert_allclose([found.radius[0] for found in by], [0, 0, np.sqrt(1 + s**2 + a**2)], atol=1e-11)
    slopes = [found.parameters["slopes"] for found in by]  # both of a wall, or the same of both walls
    assert slopes[1][:, 1].sum() == pytest.approx(-t, abs=1e-11)
    assert slopes[2][:, 1].sum() == pytest.approx(y - a * t + rho * a / np.sqrt(1 + s**2 + a**2), abs=1e-11)


def test_it_nears_that_of_the_flow_to_first_order_across_a_contact_too():
    groove = S.formula("0.5*sin(2.2*x) + 0.1*y**2 + 0.2*y + 0.1*x*y", "x, y", loss_scale=0.9)

    def by(method):
        run = rb.simulate(groove, rb.Ball(0.9), method, start_center=[[-1.2, 0.3]], duration=1.3, gap=None,
                          save_at=[0.0, 1.3])  # fmt: skip
        found = rb.derivatives(run, {"center": [[0.8, 0.3, -0.5]]})
        return np.concatenate([found.start[0], found.radius, found.duration, found.loss_scale])

    exact = by(rb.IronedFlow(rb.Dopri5(rtol=1e-10, atol=1e-12)))
    for h in (0.04, 0.01, 0.0025):
        assert np.abs(by(flow(h)) - exact).max() < 0.03 * h


# Edges


@pytest.mark.parametrize(("start", "expected", "slope"), [(0.25, KINK, 0), (0.2501, RUNNING, 1), (0.2499, RUNNING, 0)])
def test_where_a_step_just_reaches_another_contact(start, expected, slope):
    # it goes 0.25 down the one wall, to where the other begins to carry the ball
    run = rolled(S.max_of_planes([[0.5], [-0.5]]), 0.4, 0.5, [[start]], 0.5)
    found, ahead = rb.derivatives(run, {"center": [[1.0, 0.0]]}, throw=False), rb.sensitivities(run)
    assert (found.status[0], ahead.status[0]) == (expected, expected)
    assert found.start[0, 0] == pytest.approx(slope, abs=1e-12)
    assert ahead.start[-1, 0, 0, 0] == pytest.approx(slope, abs=1e-12)


def test_on_two_contacts_there_is_a_centre_and_no_foot_and_none_from_a_kink():
    wedge = S.max_of_planes([[0.5], [-0.8]])
    run = rolled(wedge, 0.4, 0.5, [[0.3]], 2.0)
    assert run.contacts[-1, 0] == 2
    for name, bar, expected in (("center", [[1.0, 0.5]], RUNNING), ("loss", [1.0], KINK), ("foot", [[1.0]], KINK)):
        assert rb.derivatives(run, {name: bar}, throw=False).status[0] == expected
    trough = rolled(S.max_of_planes([[0.8, 0.3], [-0.8, 0.3]]), 0.5, 0.2, [[0.1, 0.4]], 1.7)
    on_the_way = np.zeros_like(trough.loss)
    on_the_way[2] = 1.0  # inside a step that begins and ends on both walls
    assert rb.derivatives(trough, {"loss": on_the_way}, throw=False).status[0] == KINK
    again = rolled(wedge, 0.4, 0.5, run.center[-1, :, :1], 1.0)
    assert rb.derivatives(again, {"center": [[1.0, 0.0]]}, throw=False).status[0] == KINK
    assert rb.sensitivities(again).status[0] == KINK


def test_in_torch():
    leaf = lambda value: torch.tensor(value, dtype=torch.float64, requires_grad=True)  # noqa: E731
    wave = S.sine(frequency=1.1, amplitude=0.5)

    def end(start, radius, duration, loss_scale):
        made = simulate(wave, rb.Ball(1.0), flow(0.1), start_center=start, radius=radius, duration=duration,
                        loss_scale=loss_scale)  # fmt: skip
        return made.center[-1], made.loss[3]

    given = leaf([[0.4], [-0.9]]), leaf(0.2), leaf(0.47), leaf(0.9)
    assert torch.autograd.gradcheck(end, given, eps=1e-5, atol=1e-7)
