"""No contact is missed: every needle that a ball should touch, by NumPy alone, is an event, and none is passed through.

The needles are from 1e-3 to 1e-6 of the radius wide, and the steps as long as the way to several of them.
"""

import msgspec
import numpy as np
import pytest

import rollingball as rb
from tests.needles import EACH, SPACING, drawn, first_touch, gradient_at, nearest

RHO, TILT, FAR = 1.0, 0.4, 5.5
STEEP = np.hypot(1, TILT)
ALONG = np.array([1.0, 0.0, -TILT]) / STEEP
NORMAL = np.array([TILT, 0.0, 1.0]) / STEEP


LANES = 5  # of a surface: so few that places are known to 1e-15, which the slopes of the sharpest needles need


@pytest.fixture
def lanes(request):
    return request.config.getoption("--needles")


def check_first_events(lanes, seed, roll):
    """Every ball that touches a needle within a way has its first event there, and no other ball has one.

    ``roll(rng, surface, begun)`` rolls the balls of one surface and says how far they go: a number, or one for each.
    """
    met = 0
    for group in range(lanes // LANES):
        rng = np.random.default_rng([seed, group])
        surface, middles = drawn(rng, LANES, TILT)
        run, begun, far = roll(rng, surface, on_the_slope(middles))
        ways = first_touch(surface, begun, ALONG, RHO)
        kinds, places = run.events["kind"][:, 0], run.events["center"][:, 0]
        meets = ways < far
        missed = np.flatnonzero(meets & (kinds != rb.Event.TOUCH))
        assert not len(missed), f"passed through in group {group}: {missed}"
        np.testing.assert_allclose((places - begun[:, :2])[meets, 0] * STEEP, ways[meets], atol=1e-7)
        early = np.isfinite(places[:, 0]) & ~meets & ((places - begun[:, :2])[:, 0] * STEEP < far)
        assert not early.any()
        met += meets.sum()
    assert met > 0.6 * lanes


def on_the_slope(middles):
    return np.column_stack([np.zeros(len(middles)), middles, np.full(len(middles), RHO * STEEP)])


def test_a_flow_meets_every_needle_in_its_way(lanes):
    flow = rb.IronedFlow(rb.Dopri5(1e-8, 1e-10), stride=2.0)

    def roll(_rng, surface, begun):
        run = rb.simulate(surface, rb.Ball(RHO), flow, start_center=begun[:, :2], duration=FAR / TILT,
                          save_at=[0.0, FAR / TILT], gap=None)  # fmt: skip
        assert (run.status == rb.Status.RUNNING).all()  # however sharp a needle is, the flow gets over it
        return run, begun, FAR * STEEP

    check_first_events(lanes, 0, roll)


def test_a_body_that_slides_meets_every_needle_in_its_way(lanes):
    body = rb.RigidBall(gravity=1.0, contact="unilateral", integrator=rb.Rattle(0.2))

    def roll(_rng, surface, begun):
        run = rb.simulate(surface, rb.Ball(RHO), body, start_center=begun[:, :2], start_velocity=[3.0, 0.0],
                          duration=1.8, save_at=[0.0, 1.8], gap=None)  # fmt: skip
        # a ball that meets nothing slides down the slope with the acceleration of gravity along it
        return run, begun, 1.8 * 3.0 * STEEP + 0.5 * TILT / STEEP * 1.8**2

    check_first_events(lanes, 1, roll)


def test_in_flight_a_body_meets_every_needle_at_up_to_a_million_radii_a_step(lanes):
    """It flies along the slope, next to no way above it."""
    step = 4.0
    body = rb.RigidBall(gravity=0.0, contact="unilateral", restitution=1.0, integrator=rb.Rattle(step))

    def roll(rng, surface, on_it):
        begun = on_it + 10 ** rng.uniform(-6, -4, LANES)[:, None] * NORMAL
        speeds = 10 ** rng.uniform(0.5, 6, LANES) / step
        run = rb.simulate(surface, rb.Ball(RHO), body, start_center=begun, start_velocity=speeds[:, None] * ALONG,
                          duration=step, save_at=[0.0, step], gap=None)  # fmt: skip
        return run, begun, speeds * step

    check_first_events(lanes, 2, roll)


def test_the_exact_foot_of_a_long_step_is_on_the_needle_that_is_nearest(lanes):
    surface, middles = drawn(np.random.default_rng(3), lanes, TILT)
    lr = 1.7
    # the step ends where the ball covers the first needle of its lane, or nearly
    over = np.sqrt(2 * RHO * surface.params["heights"][::EACH])
    along = surface.params["places"][::EACH, 0] + np.random.default_rng(4).uniform(-1.2, 1.2, lanes) * over - lr * TILT
    fits = nearest(surface, np.column_stack([along, middles, -TILT * along]) + RHO * NORMAL) > RHO + 1e-9
    assert fits.mean() > 0.5
    along = np.where(fits, along, -10.0)  # where no needle is
    begun = np.column_stack([along, middles])
    method = rb.FootpointRBO(lr=lr, projection=rb.GlobalProjection())
    run = rb.simulate(surface, rb.Ball(RHO), method, start=begun, steps=1, gap=None)
    slope = gradient_at(surface, run.foot[0])
    w = np.sqrt(1 + (slope**2).sum(axis=1))[:, None]
    foot = np.column_stack([run.foot[0], surface.value(run.foot[0])])
    upright = np.column_stack([-slope, np.ones(lanes)]) / w
    candidate = foot + RHO * upright - lr * np.column_stack([slope, (slope**2).sum(axis=1)])
    away = np.linalg.norm(np.column_stack([run.foot[1], surface.value(run.foot[1])]) - candidate, axis=1)
    to_plane = (candidate[:, 2] + TILT * candidate[:, 0]) / STEEP
    to_needle = nearest(surface, candidate)
    assert (to_needle < to_plane - 1e-6).sum() > 0.15 * lanes
    np.testing.assert_allclose(away, np.minimum(to_plane, to_needle), atol=1e-9)


@pytest.mark.parametrize(
    "method",
    [
        rb.IronedFlow(rb.Dopri5(1e-8, 1e-10), stride=2.0),
        rb.RigidBall(gravity=1.0, contact="unilateral", integrator=rb.Rattle(0.2)),
    ],
)
def test_the_path_is_proved_of_balls_that_pass_by_all_needles_and_of_none_that_was_not_swept(method, lanes):
    surface, middles = drawn(np.random.default_rng(5), lanes // 2, TILT)
    begun = on_the_slope(middles)
    passes = first_touch(surface, begun, ALONG, RHO) > 9.0
    assert 0.05 < passes.mean() < 0.5
    options = {"start_center": begun[passes, :2], "duration": 4.0, "save_at": [0.0, 4.0], "gap": None}
    swept = rb.simulate(surface, rb.Ball(RHO), method, **options)
    assert swept.path_proved.mean() > 0.9
    assert swept.certified == swept.path_proved.all()
    again = rb.simulate(surface, rb.Ball(RHO), msgspec.structs.replace(method, sweep=False), **options)
    assert not again.path_proved.any()
    np.testing.assert_allclose(again.center[-1], swept.center[-1], atol=1e-9)


def test_balls_whose_paths_are_proved_are_inside_the_surface_nowhere(lanes):
    surface, times = rb.surfaces.rastrigin(2), np.linspace(0, 0.004, 200)
    start = np.random.default_rng(6).uniform(-3, 3, (lanes, 2))
    run = rb.simulate(surface, rb.Ball(0.1), rb.IronedFlow(), start_center=start, duration=0.004, save_at=times,
                      gap=rb.GlobalProjection())  # fmt: skip
    assert 0.3 < run.path_proved.mean() < 1
    assert run.certified  # by the frames alone
    assert run.gap.min() > -1e-9


def test_the_lanes_are_far_apart():
    assert SPACING > 2 * RHO + 1


@pytest.mark.parametrize(
    ("surface", "method"),
    [
        (rb.surfaces.sampled(np.ones((6, 6)), [[-1, 1], [-1, 1]]), lambda: rb.IronedFlow(sweep=True)),
        (rb.surfaces.quadratic(np.eye(3)), lambda: rb.RigidBall(sweep=True)),
        (rb.surfaces.sine(), lambda: rb.IronedFlow(rb.CatchUp(0.1), sweep=True)),
        (rb.surfaces.sine(), lambda: rb.RigidBall(contact="unilateral", integrator=rb.MoreauJean(0.1), sweep=True)),
        (rb.surfaces.sine(), lambda: rb.RigidBall(search=None, sweep=True)),
        (rb.surfaces.sine(), lambda: rb.IronedFlow(search=rb.GlobalProjection(nodes=0), sweep=True)),
        (rb.surfaces.sine(), lambda: rb.IronedFlow(sweep=1.5)),
    ],
)
def test_a_sweep_of_what_cannot_be_swept_is_refused_before_anything_is_compiled(surface, method, no_compiling):
    with pytest.raises(rb.InputError, match="sweep: got"):
        rb.simulate(surface, rb.Ball(0.3), method(), start=np.zeros((1, surface.dim)), duration=0.1, gap=None)


def test_a_swept_bounce_and_its_derivative_are_those_of_the_closed_form():
    e, gravity, height = 0.6, 2.0, 1.3
    body = rb.RigidBall(contact="unilateral", gravity=gravity, restitution=e, integrator=rb.Rattle(0.5))
    run = rb.simulate(rb.surfaces.quadratic([[0.0]]), rb.Ball(0.5), body, start_center=[[0.0, 0.5 + height]],
                      duration=1.5, save_at=[0.0, 1.5], gap=None)  # fmt: skip
    fall = np.sqrt(2 * height / gravity)
    left = 1.5 - fall
    np.testing.assert_allclose(run.events["time"][0, 0], fall, rtol=1e-12)
    np.testing.assert_allclose(
        run.center[-1, 0, 1], 0.5 + e * gravity * fall * left - gravity * left**2 / 2, rtol=1e-12
    )
    found = rb.derivatives(run, {"center": [[0.0, 1.0]]})
    np.testing.assert_allclose(found.restitution, gravity * fall * left, rtol=1e-9)
