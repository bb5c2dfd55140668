"""Moreau's implicit step: the minimum that defines it, its order, its stability, creases and rests."""

import numpy as np
import pytest
from scipy.optimize import minimize

import rollingball as rb

S = rb.surfaces
PROVED = rb.GlobalProjection()
TROUGH = [[1.0, 0.5], [-1.0, 0.5]]  # f = |x| + y / 2
POCKET = [[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]]


def flow(surface, radius, step, duration, save_at=None, metric="parameter", **options):
    options = {"gap": PROVED, **options}
    method = rb.IronedFlow(rb.CatchUp(step), metric=metric)
    save_at = [duration] if save_at is None else save_at
    return rb.simulate(surface, rb.Ball(radius), method, duration=duration, save_at=save_at, **options)


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize(
    ("surface", "box", "radius", "step"),
    [
        (S.sine, [(-6, 6)], 0.5, 0.3),
        (S.sine, [(-6, 6)], 3.0, 0.5),
        (S.himmelblau, [(-4, 4)] * 2, 1.0, 0.01),
    ],
)
def test_a_step_is_the_minimum_that_defines_it(surface, box, radius, step, scale):
    surface = surface(loss_scale=scale)
    low, high = np.array(box).T
    starts = np.random.default_rng(1).uniform(low, high, (12, len(box)))
    run = flow(surface, radius, step, step, start_center=starts)
    assert (run.steps == 1).all()
    ends = run.center[0, :, :-1]

    def cost(points, start):
        heights = rb.contacts(surface, np.atleast_2d(points), radius).height
        return heights + scale / (2 * step) * ((points - start) ** 2).sum(axis=-1)

    for start, end in zip(starts, ends, strict=True):
        least = cost(end, start)[0]
        around = end + np.random.default_rng(2).normal(size=(200, len(box))) * np.geomspace(1e-6, 1, 200)[:, None]
        assert (cost(around, start) >= least - 1e-12 * (1 + abs(least))).all()
        other = minimize(lambda x, start=start: cost(x, start)[0], start, method="Nelder-Mead",
                         options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 400})  # fmt: skip
        assert least <= other.fun + 1e-12 * (1 + abs(least))
    np.testing.assert_allclose(run.gap, 0, atol=1e-9)


def test_it_is_of_first_order(oracle):
    exact = np.array(oracle("I01")["inputs"]["c_exact"])
    steps = np.array([10, 20, 40, 80, 160, 320])
    runs = [flow(S.quadratic([[1.0]]), 0.5, 1 / n, 1.0, start=[1.0]) for n in steps]
    assert [run.steps[0] for run in runs] == steps.tolist()
    errors = [np.linalg.norm(run.center[0, 0] - exact) for run in runs]
    assert 0.85 <= -np.polyfit(np.log(steps), np.log(errors), 1)[0] <= 1.25


def test_beyond_the_reach_it_is_of_first_order_without_events():
    # over the crest of a sine, through a kink of f_rho and along the other side
    surface, starts, times = S.himmelblau(), [[0.3, 2.0], [-1.0, 0.4], [1.0, -1.5]], [0.02, 0.05]
    method = rb.IronedFlow(rb.Dopri5(1e-10, 1e-12))
    exact = rb.simulate(surface, rb.Ball(1.0), method, start_center=starts, duration=0.05, save_at=times, gap=None)
    assert (exact.events["kind"] == 2).any()
    steps = np.array([5e-3, 2.5e-3, 1.25e-3, 6.25e-4, 3.125e-4])
    errors = [
        np.abs(flow(surface, 1.0, step, 0.05, times, start_center=starts).center - exact.center).max() for step in steps
    ]
    assert 0.85 <= np.polyfit(np.log(steps), np.log(errors), 1)[0] <= 1.25


def test_however_long_the_step_the_height_falls():
    surface = S.quadratic([[1e4, 0], [0, 1.0]])
    for step in (1e-3, 1.0, 1e3):
        run = flow(surface, 0.01, step, 3 * step, [0, step, 2 * step, 3 * step], start_center=[[0.5, 1.0]])
        heights = run.center[:, 0, -1]
        assert (np.diff(heights) < 0).all()
        assert not rb.Status(run.status[0]).failed
    assert heights[-1] == pytest.approx(1e4 * 0.01**2 / 2 + 0.5 / 1e4, abs=1e-9)  # wedged, at the bottom
    exploded = rb.simulate(
        S.quadratic([[1e4]]), None, rb.FootpointFlow(rb.Euler(0.1)), start=[0.5], duration=0.4, save_at=[0.4]
    )
    assert exploded.loss[0, 0] > 1e20


@pytest.mark.parametrize("step", [0.01, 0.1, 1.0])
def test_along_the_crease_of_a_trough_it_is_exact(oracle, step):
    run = flow(S.max_of_planes(TROUGH), 1.0, step, 3.0, [1.0, 2.0, 3.0], start=[[1.0, 0.0]])
    case = oracle("F08")
    speed = np.diff(run.center[:, 0], axis=0)
    np.testing.assert_allclose(
        speed, [[0, case["expected"]["ydot_gradflow_f_rho"], -0.25]] * 2, rtol=0, atol=case["tol"]
    )
    assert run.center[0, 0, 1] == pytest.approx(-1 / 3 - 0.5, abs=1e-9)  # as on the flat side, whose y is no other
    assert (run.contacts == 2).all()


def test_it_rests_on_three_planes_where_the_flow_does():
    starts = [[1.0, 0.7], [2.0, 2.0], [1.5, -0.4]]
    runs = [
        rb.simulate(S.max_of_planes(POCKET), rb.Ball(1.0), rb.IronedFlow(integrator), start_center=starts,
                    duration=12.0, save_at=[12.0], gap=PROVED)
        for integrator in (rb.CatchUp(0.5), rb.Dopri5())
    ]  # fmt: skip
    for run in runs:
        assert (run.status == rb.Status.RESTING).all()
        assert (run.contacts == 3).all()
    np.testing.assert_allclose(runs[0].center, runs[1].center, atol=1e-9)


@pytest.mark.parametrize("faces", [5, 8, 12])
@pytest.mark.parametrize("step", [0.05, 1.0])
def test_a_cone_of_many_faces_holds_it_at_its_tip(faces, step):
    # more faces than contacts are kept; a ball of radius 1 is held at the height of the slope 1 / 2
    angles = 2 * np.pi * np.arange(faces) / faces + 0.1
    surface = S.max_of_planes(0.5 * np.array([np.cos(angles), np.sin(angles)]).T)
    run = flow(surface, 1.0, step, 6.0, start_center=np.random.default_rng(5).uniform(-1.5, 1.5, (12, 2)))
    assert (run.status == rb.Status.RESTING).all()
    np.testing.assert_allclose(run.center[0], [[0, 0, np.sqrt(1.25)]] * 12, rtol=0, atol=1e-9)


@pytest.mark.parametrize("radius", [0.3, 3.0])
@pytest.mark.parametrize(("surface", "dim"), [(S.riemann(10), 1), (S.rastrigin(2), 2)], ids=["riemann", "rastrigin"])
def test_on_rough_ground_it_never_rises_and_never_sinks(surface, dim, radius):
    starts = np.random.default_rng(3).uniform(-2, 2, (10, dim))
    run = flow(surface, radius, 0.05, 1.0, np.linspace(0, 1, 21), start_center=starts)
    heights = run.center[..., -1]
    assert np.isin(run.status, [rb.Status.RUNNING, rb.Status.RESTING]).all()
    assert np.diff(heights, axis=0).max() <= 1e-12 * (1 + np.abs(heights).max())
    assert np.abs(run.gap).max() <= 1e-9


def test_the_slower_clock_of_the_ambient_metric():
    surface, start = S.quadratic([[1.0, 0.3], [0.3, 3.0]], loss_scale=1.5), [[1.0, 0.8]]
    method = rb.IronedFlow(rb.Dopri5(1e-10, 1e-12), metric="ambient")
    exact = rb.simulate(surface, rb.Ball(0.2), method, start_center=start, duration=2.0, save_at=[2.0], gap=None)
    steps = np.array([0.08, 0.04, 0.02, 0.01, 0.005])
    errors = [
        np.abs(flow(surface, 0.2, step, 2.0, metric="ambient", start_center=start).center - exact.center).max()
        for step in steps
    ]
    assert 0.85 <= np.polyfit(np.log(steps), np.log(errors), 1)[0] <= 1.25


def test_between_steps_a_frame_lies_on_the_offset():
    run = flow(S.sine(), 3.0, 0.4, 1.0, np.linspace(0, 1, 11), start_center=[[1.0], [2.0]])
    at = run.center.reshape(-1, 2)
    np.testing.assert_allclose(rb.contacts(S.sine(), at[:, :1], 3.0).height, at[:, 1], atol=1e-12)


def test_what_it_does_not_go_with_is_refused():
    with pytest.raises(rb.InputError, match=r"^reproject: got False"):
        rb.IronedFlow(rb.CatchUp(0.1), reproject=False)
    with pytest.raises(rb.InputError, match=r"^integrator: got CatchUp.*Euler, .* or Rosenbrock"):
        rb.FootpointFlow(rb.CatchUp(0.1))
    with pytest.raises(rb.InputError, match=r"^step: got -1"):
        rb.CatchUp(-1.0)
