"""Derivatives of balls with mass where they are known: bounces, inclines, pendulums, the tautochrone, invariants."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ellipe, ellipk

import rollingball as rb

S = rb.surfaces
TOUCH, SETTLE, ROLL = 2, 5, 6
FLAT, WAVE = S.plane([0.0]), S.sine(frequency=1.1, amplitude=0.5, loss_scale=0.9)


def rolled(surface, ball, method, **options):
    return rb.simulate(surface, ball, method, gap=None, throw=True, **options)


def at_event(run, kind, number=0, ball=0):
    """The cotangent of the time of an event."""
    cotangent = np.zeros(run.events["time"].shape)
    cotangent[ball, np.flatnonzero(run.events["kind"][ball] == kind)[number]] = 1.0
    return {"event_time": cotangent}


@pytest.mark.parametrize("number", [0, 1, 4])
def test_the_times_of_bounces_depend_on_restitution_speed_height_and_gravity(number):
    e, g, height, up = 0.7, 9.0, 0.4, 0.3
    method = rb.RigidBall(contact="unilateral", gravity=g, restitution=e, integrator=rb.Rattle(0.01))
    run = rolled(FLAT, rb.Ball(0.5), method, start_center=[[0.0, 0.5 + height]], start_velocity=[[0.2, up]],
                 duration=2.5, save_at=[0.0, 2.5])  # fmt: skip
    # t_n = (v + u) / g + 2 u / g (e + ... + e^n), where u^2 = v^2 + 2 g h
    u, powers = np.sqrt(up**2 + 2 * g * height), e ** np.arange(1, number + 1)
    hops, by_u = powers.sum(), (1 + 2 * powers.sum()) / g
    time = (up + u) / g + 2 * u / g * hops
    hit = np.flatnonzero(run.events["kind"][0] == TOUCH)[number]
    assert run.events["time"][0, hit] == pytest.approx(time, abs=1e-12)
    found = rb.derivatives(run, at_event(run, TOUCH, number))
    by_e = 2 * u / g * (np.arange(1, number + 1) * e ** np.arange(number)).sum()
    assert found.restitution[0] == pytest.approx(by_e, abs=1e-12)
    assert found.velocity[0].tolist() == pytest.approx([0.0, 1 / g + by_u * up / u], abs=1e-12)
    assert found.start[0].tolist() == pytest.approx([0.0, by_u * g / u], abs=1e-12)
    assert found.radius[0] == pytest.approx(-by_u * g / u, abs=1e-12)
    assert found.gravity[0] == pytest.approx(-time / g + by_u * height / u, abs=1e-12)
    assert found.duration[0] == 0.0


def test_the_end_of_all_bounces_is_their_geometric_sum():
    e, g, height = 0.5, 9.0, 0.4
    method = rb.RigidBall(contact="unilateral", gravity=g, restitution=e, integrator=rb.Rattle(0.01))
    run = rolled(FLAT, rb.Ball(0.5), method, start_center=[[0.0, 0.5 + height]], start_velocity=[[0.2, 0.0]],
                 duration=2.5, save_at=[0.0, 2.5])  # fmt: skip
    found = rb.derivatives(run, at_event(run, SETTLE))
    fall = np.sqrt(2 * height / g)
    assert found.restitution[0] == pytest.approx(2 * fall / (1 - e) ** 2, rel=1e-9)
    assert found.start[0, 1] == pytest.approx(fall / (2 * height) * (1 + e) / (1 - e), rel=1e-9)


def test_a_bowling_ball_rolls_after_a_time_that_friction_sets():
    mu, g, v, beta = 0.2, 9.0, 2.0, 0.4
    method = rb.RigidBall(contact="unilateral", gravity=g, friction=mu, integrator=rb.Rattle(0.01))
    run = rolled(FLAT, rb.Ball(0.3, inertia=beta), method, start=[0.0], start_velocity=[v], duration=1.003,
                 save_at=[0.0, 1.003])  # fmt: skip
    # it rolls at t = v / (g mu) beta / (1 + beta), with v / (1 + beta) from then on
    time = v / (g * mu) * beta / (1 + beta)
    found = rb.derivatives(run, at_event(run, ROLL))
    assert found.friction[0] == pytest.approx(-time / mu, abs=1e-11)
    assert found.velocity[0, 0] == pytest.approx(time / v, abs=1e-11)
    assert found.inertia[0] == pytest.approx(v / (g * mu) / (1 + beta) ** 2, abs=1e-11)
    speed = rb.derivatives(run, {"velocity": [[1.0, 0.0]]})
    assert speed.velocity[0, 0] == pytest.approx(1 / (1 + beta), abs=1e-11)
    assert speed.friction[0] == pytest.approx(0.0, abs=1e-11)
    assert speed.inertia[0] == pytest.approx(-v / (1 + beta) ** 2, abs=1e-11)
    assert speed.spin[0, 0] == pytest.approx(0.3 * beta / (1 + beta), abs=1e-11)


def test_down_an_incline_friction_takes_its_share_of_the_speed():
    g, mu, t = 9.0, 0.1, 0.703
    surface, drift = S.plane([-0.75]), rb.Rattle(0.01)  # sin 0.6, cos 0.8
    method = rb.RigidBall(gravity=g, friction=mu, integrator=drift)
    run = rolled(surface, rb.Ball(0.5), method, start=[0.0], start_velocity=[0.8], duration=t, save_at=[0.0, t])
    found = rb.derivatives(run, {"velocity": [[0.8, -0.6]]}, parameters=True)  # along the plane
    assert found.friction[0] == pytest.approx(-g * 0.8 * t, abs=1e-11)
    assert found.gravity[0] == pytest.approx((0.6 - 0.8 * mu) * t, abs=1e-11)
    # a plane of slope s: along it g (sin - mu cos), d sin / ds = cos^3, d cos / ds = -sin cos^2, downhill is -s
    by_slope = -g * t * (0.8**3 + mu * 0.6 * 0.8**2) - 0.8 * 0.75 * 0.8  # the start is 0.8 / cos along the plane
    assert found.parameters["slope"][0] == pytest.approx(by_slope, abs=1e-11)
    grips = rb.RigidBall(gravity=g, friction=0.5, integrator=drift)
    rests = rolled(surface, rb.Ball(0.5, inertia=0.4), grips, start=[0.0], duration=t, save_at=[0.0, t])
    holds = rb.derivatives(rests, {"velocity": [[0.8, -0.6]]})  # it rolls: friction has no say
    assert holds.friction[0] == pytest.approx(0.0, abs=1e-12)
    assert holds.gravity[0] == pytest.approx(0.6 * t / 1.4, abs=1e-11)
    # a push that makes it slip is shared out at once
    assert holds.velocity[0, 0] == pytest.approx(1 / 0.8 / 1.4, abs=1e-11)
    slips = rolled(surface, rb.Ball(0.5), method, start=[0.0], duration=t, save_at=[0.0, t])
    with pytest.raises(rb.BallError, match="kink"):  # from rest a push uphill rubs the other way at first
        rb.derivatives(slips, {"velocity": [[0.8, -0.6]]})


def test_the_period_of_a_pendulum_grows_with_its_amplitude():
    # the centre of a bead moves on a circle of radius 1: T = 4 K(sin^2(a / 2)) / sqrt(g), from rest at the angle a
    g, angle = 9.0, 0.9
    m = np.sin(angle / 2) ** 2
    period = 4 * ellipk(m) / np.sqrt(g)
    by_m = (ellipe(m) - (1 - m) * ellipk(m)) / (2 * m * (1 - m))
    slope = 4 / np.sqrt(g) * by_m * np.sin(angle / 2) * np.cos(angle / 2)
    method = rb.RigidBall(gravity=g, integrator=rb.RK4(2e-3))
    run = rolled(S.bowl(1, 1.3), rb.Ball(0.3, inertia=0.0), method, start_center=[[np.sin(angle)]], duration=period,
                 save_at=[0.0, period])  # fmt: skip
    np.testing.assert_allclose(run.center[1], run.center[0], atol=1e-9)
    # the speed is 0 at T(a) for every a, so dv / da + T'(a) dv / dt = 0; along the circle dv / dt = -g sin a
    along = {"velocity": [[np.cos(angle), np.sin(angle)]]}
    found = rb.derivatives(run, along)
    assert found.start[0, 0] * np.cos(angle) / (g * np.sin(angle)) == pytest.approx(slope, abs=1e-8)
    assert found.duration[0] == pytest.approx(-g * np.sin(angle), abs=1e-8)
    # T shrinks with gravity: dv / dg - g sin a dT / dg = 0
    assert found.gravity[0] / (g * np.sin(angle)) == pytest.approx(-period / (2 * g), abs=1e-8)


def test_on_a_tautochrone_the_time_to_the_bottom_does_not_depend_on_the_start():
    gravity, big, radius, beta = 9.81, 1.0, 0.3, 0.4

    def under(angle):
        slope = np.tan(angle / 2)
        x = big * (angle + np.sin(angle)) + radius * slope / np.hypot(1, slope)
        return x, big * (1 - np.cos(angle)) - radius / np.hypot(1, slope)

    angles = [brentq(lambda a, at=at: under(a)[0] - at, -2.5, 2.5, xtol=1e-15) for at in np.linspace(-2, 2, 801)]
    track = S.sampled(under(np.array(angles))[1], [[-2.0, 2.0]])
    quarter = np.pi * np.sqrt((1 + beta) * big / gravity)
    slopes = []
    for steps in (250, 500):
        method = rb.RigidBall(gravity=gravity, friction="no-slip", integrator=rb.Rattle(quarter / steps))
        run = rolled(track, rb.Ball(radius, inertia=beta), method, start_center=[[0.4], [1.2]], duration=quarter,
                     save_at=[0.0, quarter])  # fmt: skip
        by = rb.derivatives(run, {"center": [[1.0, 0.0]] * 2})
        slopes.append(by.start[:, 0] / run.velocity[-1, :, 0])
    assert np.abs(slopes[1]).max() < 2e-6  # the order of the integrator is two
    np.testing.assert_allclose(slopes[0] / slopes[1], 4.0, rtol=0.02)


def test_the_derivative_of_the_energy_is_what_it_was_at_the_start():
    radius, g, start, speed = 0.3, 2.0, [[0.4], [-0.7]], [[0.3], [0.5]]
    method = rb.RigidBall(gravity=g, friction="no-slip", integrator=rb.Rattle(1e-5))
    run = rolled(WAVE, rb.Ball(radius, mass=1.3, inertia=0.4), method, start_center=start, start_velocity=speed,
                 duration=0.03, save_at=[0.0, 0.03])  # fmt: skip

    def by_all(frame):
        velocity, center = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
        velocity[frame] = 1.3 * 1.4 * run.velocity[frame]  # E = (1 + beta) m v^2 / 2 + m g y
        center[frame, :, 1] = 1.3 * g
        found = rb.derivatives(run, {"velocity": velocity, "center": center})
        by_gravity = found.gravity + 1.3 * run.center[frame, :, 1]
        return np.concatenate([found.start[:, 0], found.velocity[:, 0], by_gravity, found.loss_scale])

    np.testing.assert_allclose(by_all(1), by_all(0), rtol=0, atol=1e-10)


def test_the_adjoint_of_rattle_is_symplectic():
    # in (x, p) with p = (1 + F'^2) u the area is kept exactly, whatever the step
    start, speed = [[0.4], [-0.7], [1.3]], [[0.3], [0.5], [-0.4]]
    method = rb.RigidBall(gravity=2.0, integrator=rb.Rattle(0.05))
    run = rolled(WAVE, rb.Ball(0.3), method, start_center=start, start_velocity=speed, duration=2.0, save_at=[0.0, 2.0])
    rows = [
        rb.derivatives(run, {name: [[1.0, 0.0]] * 3}, checkpoint_every=every)
        for name in ("center", "velocity")
        for every in (None, 7)
    ]
    for whole, parts in (rows[:2], rows[2:]):  # kept in parts it is the same
        np.testing.assert_array_equal(whole.start, parts.start)
        np.testing.assert_array_equal(whole.gravity, parts.gravity)
    jacobian = np.array([[row.start[:, 0], row.velocity[:, 0]] for row in rows[::2]]).transpose(2, 0, 1)
    slope = run.velocity[..., 1] / run.velocity[..., 0]  # of the velocity, which is tangent
    metric = 1 + slope**2
    np.testing.assert_allclose(np.linalg.det(jacobian) * metric[1] / metric[0], 1.0, rtol=1e-12)


def test_what_touches_at_two_places_at_once_has_no_derivative():
    # dropped into the middle of a valley too narrow for it, it touches both slopes at once; the other one a crest first
    valley = -np.pi / 2.2
    method = rb.RigidBall(contact="unilateral", gravity=2.0, restitution=0.5, integrator=rb.Rattle(0.02))
    run = rb.simulate(WAVE, rb.Ball([3.0, 0.3]), method, start_center=[[valley, 4.0], [valley + 0.5, 1.0]],
                      duration=1.2, save_at=[0.0, 1.2], gap=None)  # fmt: skip
    assert (run.events["kind"][:, 0] == TOUCH).all()
    found, ahead = rb.derivatives(run, {"center": [[1.0, 0.0]] * 2}, throw=False), rb.sensitivities(run)
    for status, start in ((found.status, found.start[0]), (ahead.status, ahead.start[:, 0])):
        assert status.tolist() == [rb.Status.KINK, rb.Status.RUNNING]
        assert not start.any()
    with pytest.raises(rb.BallError, match="several places at once"):
        rb.derivatives(run, {"center": [[1.0, 0.0]] * 2})


def test_towards_a_grazing_impact_the_derivative_grows_as_its_closed_form_and_there_it_is_refused():
    """A ball flies over a crest, highest above its middle, where it would graze if it were thrown from the height h*.

    Thrown from h* - d its gap is K t^2 / 2 - d around the middle, K = v^2 k - g with k the curvature of the offset. So
    it meets the crest with the normal speed sqrt(2 K d), and leaves it steeper by (1 + e) times that: a time T later it
    is higher by (1 + e) sqrt(2 K d) T, whose derivative by the height is -(1 + e) sqrt(K / (2 d)) T as d tends to 0.
    """
    g, e, speed, rise, radius = 2.0, 0.5, 2.5, 0.8, 0.3
    crest, bend = np.pi / 2.2, 0.9 * 0.5 * 1.1**2
    exact = 0.9 * 0.5 + radius - rise**2 / (2 * g)
    method = rb.RigidBall(contact="unilateral", gravity=g, restitution=e, integrator=rb.Rattle(0.02))

    def thrown(heights):
        start = [[crest - speed * rise / g, height] for height in heights]
        return rb.simulate(WAVE, rb.Ball(radius), method, start_center=start, start_velocity=[speed, rise],
                           duration=1.0, save_at=[0.0, 1.0], gap=None)  # fmt: skip

    below = np.array([1e-6, 1e-8, 1e-10])
    run = thrown(exact - below)
    assert (run.events["kind"][:, 0] == TOUCH).all()
    upwards = rb.derivatives(run, {"center": [[0.0, 1.0]] * 3}).start[:, 1] - 1
    steep = speed**2 * bend / (1 + radius * bend) - g
    expected = -(1 + e) * np.sqrt(steep / (2 * below)) * (1.0 - rise / g)
    np.testing.assert_allclose(upwards / expected, 1.0, atol=5 * np.sqrt(below).max())
    np.testing.assert_allclose(upwards[2] / expected[2], 1.0, atol=1e-3)
    above = rb.derivatives(thrown([exact + 1e-10]), {"center": [[0.0, 1.0]]}).start
    np.testing.assert_allclose(above, [[0.0, 1.0]], atol=1e-12)  # it only flies
    run = thrown(exact + np.arange(-40, 40) * np.spacing(exact))  # to the last bit
    hits = run.events["kind"][:, 0] == TOUCH
    found, ahead = rb.derivatives(run, {"center": [[0.0, 1.0]] * 80}, throw=False), rb.sensitivities(run)
    grazes = found.status == rb.Status.KINK
    np.testing.assert_array_equal(ahead.status, found.status)
    assert grazes.any()
    assert not (grazes & ~hits).any()
    assert not found.start[grazes].any()
    assert (found.start[hits & ~grazes, 1] < -1e5).all()  # refused or right, and never NaN
    with pytest.raises(rb.BallError, match="only grazes"):
        rb.derivatives(run, {"center": [[0.0, 1.0]] * 80})


def test_runs_without_an_adjoint_are_refused_by_name():
    given = {"start": [0.3], "duration": 0.1, "gap": None}
    stiff = rb.simulate(FLAT, rb.Ball(0.3), rb.IronedFlow(rb.Rosenbrock()), **given)
    with pytest.raises(rb.InputError, match=r"integrator: got 'Rosenbrock'.*method='difference'"):
        rb.derivatives(stiff, {"center": [[1.0, 0.0]]})
    method = rb.RigidBall(contact="unilateral", integrator=rb.Rattle(0.01))
    run = rb.simulate(FLAT, rb.Ball(0.3), method, stop=rb.Stop(energy=-1.0), **given)
    with pytest.raises(rb.InputError, match="stop: got"):
        rb.derivatives(run, {"center": [[1.0, 0.0]]})
    run = rb.simulate(FLAT, rb.Ball(0.3), method, **given)
    with pytest.raises(rb.InputError, match="adjoint"):
        rb.derivatives(run, {"center": [[1.0, 0.0]]}, adjoint="continuous")
    with pytest.raises(rb.InputError, match=r"cotangent.*event_time"):
        rb.derivatives(run, {"energy": [1.0]})
