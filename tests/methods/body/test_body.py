"""The ball with mass that stays on the graph: closed forms, an independent solution, energy, constraint, orders."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from scipy.integrate import cumulative_simpson, solve_ivp
from scipy.optimize import brentq

import rollingball as rb

S = rb.surfaces
FINE = rb.Dopri5(1e-11, 1e-13)
BOWL = S.formula("0.5*x**2 + 0.3*y**2 + 0.1*x**3 + 0.2*sin(x)*y", "x y")
PARABOLA = S.quadratic([[1.0]])


def rolled(surface, ball, method, gap=None, throw=True, **options):
    return rb.simulate(surface, ball, method, gap=gap, throw=throw, **options)


def alone(integrator=FINE, **options):
    """A bilateral ball whose contact is the only one."""
    return rb.RigidBall(integrator=integrator, search=None, **options)


# Inclines (theory, section 7)


@pytest.mark.parametrize("dim", [1, 2, 3, 10])
def test_a_solid_ball_rolls_down_an_incline(dim, oracle):
    case = oracle("D01")
    alpha, gravity = case["inputs"]["alpha"], case["inputs"]["g"]
    plane = S.plane([np.tan(alpha)] + [0.0] * (dim - 1))
    ball = rb.Ball([0.5, 1.5])
    spin = "marble" if dim <= 2 else "rubber"
    method = alone(rb.Rattle(1e-2), gravity=gravity, friction="no-slip", spin=spin)
    run = rolled(plane, ball, method, start=[0.3] * dim, duration=1.0, save_at=[1.0])
    expected = case["expected"][f"d={dim}"]
    assert ball.inertias(dim) == pytest.approx(expected["beta"], abs=1e-15)
    speed = np.linalg.norm(run.velocity[-1], axis=-1)
    assert speed == pytest.approx(expected["a"], abs=case["tol"])  # after a time of 1
    assert run.normal_force[-1] == pytest.approx(gravity * np.cos(alpha), abs=1e-12)


@pytest.mark.parametrize("dim", [3, 10])
def test_a_bead_on_a_plane_in_many_dimensions_keeps_the_acceleration_of_the_incline(dim):
    slope = np.linspace(-0.5, 0.7, dim)
    push = np.linspace(0.4, -0.3, dim)
    up = np.append(-slope, 1.0)
    fall = np.append(np.zeros(dim), -9.81)
    fall = fall - up * (fall @ up) / (up @ up)
    velocity = np.append(push, push @ slope)
    run = rolled(S.plane(slope), rb.Ball(0.5), alone(rb.Rattle(1e-2)), start=np.zeros(dim), start_velocity=push,
                 duration=1.0, save_at=np.linspace(0, 1, 11))  # fmt: skip
    time = run.time[:, None]
    exact = run.center[0, 0] + velocity * time + fall * time**2 / 2
    assert run.center[:, 0] == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("unilateral", [False, True])
def test_a_bead_in_a_round_bowl_stays_in_the_plane_of_its_push_whatever_the_dimension(unilateral):
    # in three dimensions the ball is that of two in the span of its start and its push
    method = rb.RigidBall(integrator=rb.Rattle(1e-3), contact="unilateral") if unilateral else alone(rb.Rattle(1e-3))
    basis, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 2)))
    start, push = np.array([0.6, 0.0]), np.array([-0.2, 1.1])
    both = []
    for embed in (np.eye(2), basis):
        bowl = S.quadratic(np.eye(len(embed)))
        run = rolled(bowl, rb.Ball(0.4), method, start=embed @ start, start_velocity=embed @ push, duration=2.0,
                     save_at=np.linspace(0, 2, 21))  # fmt: skip
        both.append(np.concatenate([run.center[:, 0, :-1] @ embed, run.center[:, 0, -1:]], axis=1))
    assert both[1] == pytest.approx(both[0], abs=1e-10)


@pytest.mark.parametrize("integrator", [rb.Rattle(1e-2), FINE], ids=["rattle", "dopri5"])
def test_a_disk_with_drag_nears_its_last_speed(integrator, oracle):
    case = oracle("D11")
    given = case["inputs"]
    plane = S.plane([np.tan(given["alpha"])])
    method = alone(integrator, gravity=given["g"], drag=given["gamma"], friction="no-slip")
    run = rolled(
        plane, rb.Ball(1.0, inertia=given["beta"]), method, start=[0.0], duration=30.0, save_at=[given["t"], 30]
    )
    speed = np.linalg.norm(run.velocity[:, 0], axis=-1)
    assert speed[0] == pytest.approx(case["expected"]["v_t"], abs=case["tol"])
    assert speed[1] == pytest.approx(case["expected"]["v_inf"], abs=case["tol"])


# Oscillations


def turning_times(run, ball):
    """Where the centre crosses 0, by the cubic through frames and velocities."""
    x, u, t = run.center[:, ball, 0], run.velocity[:, ball, 0], run.time
    found = []
    for i in np.flatnonzero(np.sign(x[1:]) != np.sign(x[:-1])):
        h = t[i + 1] - t[i]
        cubic = np.polynomial.Polynomial(
            [
                x[i],
                h * u[i],
                3 * (x[i + 1] - x[i]) - h * (2 * u[i] + u[i + 1]),
                2 * (x[i] - x[i + 1]) + h * (u[i] + u[i + 1]),
            ]
        )
        roots = cubic.roots()
        inside = roots[(abs(roots.imag) < 1e-9) & (roots.real >= 0) & (roots.real <= 1)]
        found.append(t[i] + h * inside.real[0])
    return np.array(found)


def test_small_oscillations_in_a_parabola_have_their_frequency(oracle):
    case = oracle("D05")
    given, expected = case["inputs"], case["expected"]
    ball = rb.Ball(given["rho"], inertia=[0.0, 0.5, 0.4])
    method = alone(gravity=given["g"], friction="no-slip")
    run = rolled(PARABOLA, ball, method, start=[2e-5], duration=6.0, save_at=np.linspace(0, 6, 601))
    for index, name in enumerate(("omega_bead", "omega_disk", "omega_ball")):
        zeros = turning_times(run, index)
        omega = np.pi * (len(zeros) - 1) / (zeros[-1] - zeros[0])
        assert omega == pytest.approx(expected[name], abs=case["tol"])


def test_on_a_tautochrone_the_time_to_the_bottom_is_the_same_from_everywhere():
    # the surface lies one radius under a cycloid x = R (a + sin a), y = R (1 - cos a), on which the centre then rolls
    gravity, big, radius, beta = 9.81, 1.0, 0.3, 0.4

    def under(angle):
        slope = np.tan(angle / 2)
        x = big * (angle + np.sin(angle)) + radius * slope / np.hypot(1, slope)
        return x, big * (1 - np.cos(angle)) - radius / np.hypot(1, slope)

    angles = [
        brentq(lambda angle, at=at: under(angle)[0] - at, -2.5, 2.5, xtol=1e-15) for at in np.linspace(-2, 2, 801)
    ]
    track = S.sampled(under(np.array(angles))[1], [[-2.0, 2.0]])
    method = alone(rb.Dopri5(1e-10, 1e-12), gravity=gravity, friction="no-slip")
    starts = [[0.2], [0.9], [1.5]]
    run = rolled(track, rb.Ball(radius, inertia=beta), method, start_center=starts, duration=4.5,
                 save_at=np.linspace(0, 4.5, 901))  # fmt: skip
    quarter = np.pi * np.sqrt((1 + beta) * big / gravity)
    for ball in range(3):
        np.testing.assert_allclose(turning_times(run, ball), quarter * np.array([1, 3]), rtol=1e-7)


# Rolling with spin, against Newton's and Euler's equations of the whole body


def newton_euler(radius, beta, gravity, drag, foot, velocity, spin, times):
    """m v' = m g - mu v + R, I w' = -rho n x R, v = w x rho n, with the foot as the coordinate; m = 1."""

    def surface(q):
        x, y = q
        g = np.array([x + 0.3 * x**2 + 0.2 * np.cos(x) * y, 0.6 * y + 0.2 * np.sin(x)])
        h = np.array([[1 + 0.6 * x - 0.2 * np.sin(x) * y, 0.2 * np.cos(x)], [0.2 * np.cos(x), 0.6]])
        w = np.sqrt(1 + g @ g)
        n = np.array([-g[0], -g[1], 1]) / w
        turning = np.vstack([-h, np.zeros(2)]) / w - np.outer(n, g @ h) / w**2  # dn / dq
        along = np.vstack([np.eye(2), g])
        return n, along + radius * turning, turning

    def rate(_t, z):
        q, v, w = z[:2], z[2:5], z[5:]
        n, lift, turning = surface(q)
        dq = np.linalg.lstsq(lift, v, rcond=None)[0]
        dn = turning @ dq
        pull = np.array([0, 0, -gravity]) - drag * v
        cross = np.array([[0, -n[2], n[1]], [n[2], 0, -n[0]], [-n[1], n[0], 0]])
        # R = v' - pull; w' = -n x R / (beta rho); v' = rho (w' x n + w x n')
        back = cross @ cross / beta
        dv = np.linalg.solve(np.eye(3) - back, radius * np.cross(w, dn) - back @ pull)
        dw = -np.cross(n, dv - pull) / (beta * radius)
        return np.concatenate([dq, dv, dw])

    n, _lift, _turning = surface(foot)
    v = np.append(velocity, -(n[:2] @ velocity) / n[2])
    w = np.cross(n, v) / radius + spin * n
    solved = solve_ivp(rate, (0, times[-1]), np.concatenate([foot, v, w]), "DOP853", times, rtol=1e-12, atol=1e-13)
    return solved.y.T


@pytest.mark.parametrize("drag", [0.0, 0.3])
def test_a_marble_with_spin_moves_as_newton_and_euler_say(drag):
    foot, velocity, spins, times = np.array([0.6, 0.4]), np.array([0.3, 1.0]), [5.0, -2.0, 0.0], np.linspace(0, 4, 9)
    ball = rb.Ball(0.4, inertia=0.4)
    method = alone(drag=drag, friction="no-slip")
    run = rolled(
        BOWL, ball, method, start=foot, start_velocity=velocity, start_spin=np.array(spins)[:, None], duration=4.0,
        save_at=times,
    )  # fmt: skip
    for index, spin in enumerate(spins):
        exact = newton_euler(0.4, 0.4, 9.81, drag, foot, velocity, spin, times)
        np.testing.assert_allclose(run.foot[:, index], exact[:, :2], atol=1e-8)
        np.testing.assert_allclose(run.velocity[:, index], exact[:, 2:5], atol=1e-7)
        np.testing.assert_allclose(run.spin[:, index], exact[:, 5:], atol=1e-7)
    assert run.slip.max() < 1e-13
    assert np.ptp(run.center[-1, :, 0]) > 0.1, "the spin matters"


@pytest.mark.parametrize("spin", ["marble", "rubber"])
def test_rattle_nears_the_exact_motion_with_second_order(spin):
    given = {
        "start": [0.6, 0.4],
        "start_velocity": [0.3, 1.0],
        "start_spin": [[5.0]],
        "duration": 3.0,
        "save_at": [3.0],
    }
    ball = rb.Ball(0.4)
    exact = rolled(BOWL, ball, alone(friction="no-slip", spin=spin), **given)
    steps = 0.02 / 2.0 ** np.arange(5)
    errors = []
    for step in steps:
        run = rolled(BOWL, ball, alone(rb.Rattle(float(step)), friction="no-slip", spin=spin), **given)
        errors.append(np.abs(run.center - exact.center).max() + np.abs(run.spin - exact.spin).max())
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.05)
    assert errors[-1] < 1e-3
    turns = np.einsum("tbi,tbi->tb", run.spin, _normals(BOWL, run.foot))
    assert (np.abs(turns) < 1e-12).all() == (spin == "rubber")


def test_rattle_with_friction_nears_the_exact_motion_with_second_order():
    given = {"start": [0.6, 0.4], "start_velocity": [1.0, 2.0], "start_spin": [[20.0, -30.0, 10.0]], "duration": 1.0}
    given |= {"save_at": np.linspace(0.1, 1, 10)}
    ball = rb.Ball(0.4, inertia=0.4)
    exact = rolled(BOWL, ball, alone(friction=0.15), **given)
    assert (exact.events["kind"] < 0).all()  # it slides all the way
    assert exact.slip.min() > 1.0
    steps, errors = 0.02 / 2.0 ** np.arange(5), []
    for step in steps:
        run = rolled(BOWL, ball, alone(rb.Rattle(float(step)), friction=0.15), **given)
        errors.append(np.abs(run.center - exact.center).max() + 0.4 * np.abs(run.spin - exact.spin).max())
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.1)
    # friction along the slip, against Newton's law by differences of the exact motion
    h = 1e-4
    near = rolled(BOWL, ball, alone(friction=0.15), **{**given, "save_at": [0.5 - h, 0.5, 0.5 + h]})
    n, v, w = _normals(BOWL, near.foot)[1, 0], near.velocity[1, 0], near.spin[1, 0]
    slip = v - 0.4 * np.cross(w, n)
    rub = -0.15 * near.normal_force[1, 0] * slip / np.linalg.norm(slip)
    force = (near.velocity[2, 0] - near.velocity[0, 0]) / (2 * h) + [0, 0, 9.81]
    np.testing.assert_allclose(force, near.normal_force[1, 0] * n + rub, atol=1e-4)
    turning = (near.spin[2, 0] - near.spin[0, 0]) / (2 * h)
    np.testing.assert_allclose(turning, np.cross(-0.4 * n, rub) / (0.4 * 0.4**2), atol=1e-3)
    assert near.slip[1, 0] == pytest.approx(np.linalg.norm(slip), rel=1e-12)


def _normals(surface, foot):
    g = surface.gradient(foot.reshape(-1, 2)).reshape(foot.shape)
    n = np.concatenate([-g, np.ones((*g.shape[:-1], 1))], axis=-1)
    return n / np.linalg.norm(n, axis=-1, keepdims=True)


# Energy and constraint


@pytest.mark.parametrize("friction", ["none", "no-slip"])
def test_over_a_hundred_thousand_steps_the_energy_error_is_bounded_of_second_order_and_without_a_trend(friction):
    worst = []
    for step in (1e-2, 5e-3):
        time = 1e5 * step
        run = rolled(
            BOWL, rb.Ball(0.4), alone(rb.Rattle(step), friction=friction), start=[0.6, 0.4], start_velocity=[0.3, 1.0],
            start_spin=[[5.0]], duration=time, save_at=np.linspace(0, time, 4001),
        )  # fmt: skip
        assert run.steps[0] == 1e5
        error = run.energy[:, 0] - run.energy[0, 0]
        parts = error[1:].reshape(10, -1)
        spread = parts.std(axis=1).mean()
        trend = np.polyfit(np.arange(10), parts.mean(axis=1), 1)[0] * 9
        assert abs(trend) < 0.1 * spread  # over the whole run
        assert np.abs(parts).max(axis=1)[5:].max() < 1.2 * np.abs(parts).max(axis=1)[:5].max()
        worst.append(np.abs(error).max())
        _constrained(BOWL, run)
    assert worst[0] < 3e-3
    assert np.log2(worst[0] / worst[1]) == pytest.approx(2.0, abs=0.15)


def _constrained(surface, run, tolerance=1e-10):
    """Centre at the distance rho above the foot along its normal; velocity along the tangent plane."""
    n = _normals(surface, run.foot)
    height = surface.loss_scale * run.loss
    above = np.concatenate([run.foot, height[..., None]], axis=-1) + run.radius[..., None] * n
    assert np.abs(above - run.center).max() <= tolerance
    assert np.abs(np.einsum("tbi,tbi->tb", run.velocity, n)).max() <= tolerance
    assert run.residual.max() <= tolerance


@pytest.mark.parametrize(
    "integrator", [rb.Rattle(5e-3), rb.RK4(5e-3), rb.Tsit5(1e-8, 1e-10)], ids=["rattle", "rk4", "tsit5"]
)
def test_centre_and_velocity_are_on_the_constraint_at_every_frame(integrator):
    method = alone(integrator, friction="no-slip")
    run = rolled(BOWL, rb.Ball([0.2, 0.5]), method, start=[0.6, 0.4], start_velocity=[0.3, 1.0], duration=5.0,
                 save_at=np.linspace(0, 5, 77), gap=rb.GlobalProjection(nodes=0))  # fmt: skip
    _constrained(BOWL, run)
    assert np.abs(run.gap).max() < 1e-9  # by a search of the whole graph


@pytest.mark.parametrize(("integrator", "order"), [(rb.Rattle, 2), (rb.Heun, 2), (rb.RK4, 4)])
def test_drag_takes_the_energy_that_it_should_to_the_order_of_the_integrator(integrator, order):
    drag, times = 0.4, np.linspace(0, 2, 2001)
    steps, errors = 0.01 / 2.0 ** np.arange(4), []
    for step in steps:
        method = alone(integrator(float(step)), drag=drag, friction="no-slip")
        run = rolled(
            BOWL,
            rb.Ball(0.4, mass=1.7),
            method,
            start=[0.6, 0.4],
            start_velocity=[0.3, 1.0],
            duration=2.0,
            save_at=times,
        )
        # energy, and what drag took by Simpson's rule over the frames
        speed = (run.velocity[:, 0] ** 2).sum(axis=-1)
        lost = drag * cumulative_simpson(speed, x=times, initial=0)
        errors.append(np.abs(run.energy[0, 0] - run.energy[:, 0] - lost).max())
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] > order - 0.2, errors  # it may hold to a higher order
    assert run.energy[0, 0] - run.energy[-1, 0] > 0.5


@pytest.mark.parametrize(
    ("friction", "drag"), [("none", 0.0), ("no-slip", 0.0), ("no-slip", 0.4), (0.15, 0.0), (0.15, 0.4)]
)
def test_energy_changes_by_what_drag_and_slip_take(friction, drag, oracle):
    times = np.linspace(0, 1, 2001)
    run = rolled(BOWL, rb.Ball(0.4, mass=1.7, inertia=0.4), alone(friction=friction, drag=drag), start=[0.6, 0.4],
                 start_velocity=[1.0, 2.0], start_spin=[[20.0, -30.0, 10.0]], duration=1.0, save_at=times)  # fmt: skip
    power = drag * (run.velocity[:, 0] ** 2).sum(axis=-1)
    if friction == 0.15:
        power += friction * run.normal_force[:, 0] * run.slip[:, 0]
        assert run.slip.min() > 1.0
    lost = cumulative_simpson(power, x=times, initial=0)
    np.testing.assert_allclose(run.energy[0, 0] - run.energy[:, 0], lost, atol=oracle("D12")["tol"])
    assert (lost[-1] > 0.1) == (friction == 0.15 or drag > 0)


def test_the_recorded_energy_is_that_of_the_recorded_motion():
    ball = rb.Ball(0.4, mass=[1.0, 2.5], inertia=0.3)
    run = rolled(BOWL, ball, alone(friction="no-slip"), start=[0.6, 0.4], start_velocity=[0.3, 1.0], start_spin=[[3.0]],
                 duration=1.0, save_at=np.linspace(0, 1, 5))  # fmt: skip
    mass = np.array([1.0, 2.5])
    turning = 0.3 * 0.4**2 * (run.spin**2).sum(axis=-1)
    expected = mass * (0.5 * (run.velocity**2).sum(axis=-1) + 0.5 * turning + 9.81 * run.center[..., -1])
    np.testing.assert_allclose(run.energy, expected, rtol=1e-14)
    np.testing.assert_allclose(run.normal_force[:, 1], 2.5 * run.normal_force[:, 0], rtol=1e-9)


def test_the_normal_force_is_what_bends_the_path():
    h = 1e-4
    run = rolled(BOWL, rb.Ball(0.4), alone(), start=[0.6, 0.4], start_velocity=[0.3, 1.0], duration=2.0,
                 save_at=[1 - h, 1, 1 + h])  # fmt: skip
    acceleration = (run.velocity[2, 0] - run.velocity[0, 0]) / (2 * h) + [0, 0, 9.81]
    n = _normals(BOWL, run.foot)[1, 0]
    np.testing.assert_allclose(acceleration, run.normal_force[1, 0] * n, atol=1e-5)  # frictionless: along the normal


# Limits and symmetries


def test_a_light_ball_with_much_drag_is_the_ambient_flow():
    times = np.linspace(0, 1.5, 7)
    flow = rb.simulate(BOWL, rb.Ball(0.4), rb.IronedFlow(rb.Dopri5(1e-10, 1e-12), metric="ambient"), start=[0.9, 0.8],
                       duration=1.5, save_at=times, gap=None)  # fmt: skip
    masses, errors = 1e-2 / 2.0 ** np.arange(4), []
    for mass in masses:
        # c' = -(a m / mu) tau / (1 + |g|^2): the clock of the flow where a m = mu
        method = alone(rb.Rattle(float(mass) / 50), gravity=1 / mass, drag=1.0, friction="no-slip")
        run = rolled(BOWL, rb.Ball(0.4, mass=float(mass)), method, start=[0.9, 0.8], duration=1.5, save_at=times)
        errors.append(np.abs(run.center - flow.center)[1:].max())
    assert np.polyfit(np.log(masses), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.1)
    assert errors[-1] < 2e-3


@hypothesis.settings(max_examples=15)
@hypothesis.given(st.floats(0.1, 0.8), st.floats(0.2, 3.0), st.floats(-0.8, 0.8), st.floats(-2.0, 2.0))
def test_mass_and_units_change_no_path_without_drag(radius, mass, place, speed):
    given = {"start": [place, 0.2], "start_velocity": [speed, 0.5], "duration": 0.5, "save_at": [0.5]}
    one = rolled(BOWL, rb.Ball(radius), alone(rb.Rattle(5e-3)), **given)
    other = rolled(BOWL, rb.Ball(radius, mass=mass), alone(rb.Rattle(5e-3)), **given)
    np.testing.assert_array_equal(one.center, other.center)
    assert other.energy == pytest.approx(mass * one.energy, rel=1e-12)
    # a clock twice as fast: four times the gravity and twice the velocity
    fast = rolled(BOWL, rb.Ball(radius), alone(rb.Rattle(2.5e-3), gravity=4 * 9.81), start=[place, 0.2],
                  start_velocity=[2 * speed, 1.0], duration=0.25, save_at=[0.25])  # fmt: skip
    np.testing.assert_allclose(one.center, fast.center, atol=1e-11)


@hypothesis.settings(max_examples=15)
@hypothesis.given(st.floats(-0.7, 0.7), st.floats(-1.5, 1.5), st.floats(-6.0, 6.0))
def test_rattle_runs_backwards_to_where_it_began(place, speed, spin):
    method = alone(rb.Rattle(5e-3), friction="no-slip")
    there = rolled(BOWL, rb.Ball(0.4), method, start=[place, 0.2], start_velocity=[speed, 0.5], start_spin=[[spin]],
                   duration=0.5, save_at=[0.0, 0.5])  # fmt: skip
    back = rolled(BOWL, rb.Ball(0.4), method, start=there.foot[-1], start_velocity=-there.velocity[-1],
                  start_spin=-there.spin[-1], duration=0.5, save_at=[0.5])  # fmt: skip
    np.testing.assert_allclose(back.center[-1], there.center[0], atol=1e-10)
    np.testing.assert_allclose(back.velocity[-1], -there.velocity[0], atol=1e-9)
    np.testing.assert_allclose(back.spin[-1], -there.spin[0], atol=1e-8)


def test_frames_between_steps_do_not_change_the_motion():
    method, given = alone(rb.Rattle(1e-2)), {"start": [0.6, 0.4], "start_velocity": [0.3, 1.0], "duration": 1.0}
    few = rolled(BOWL, rb.Ball(0.4), method, save_at=[1.0], **given)
    many = rolled(BOWL, rb.Ball(0.4), method, save_at=np.linspace(0, 1, 333), **given)
    np.testing.assert_array_equal(few.center[-1], many.center[-1])
    assert few.steps == many.steps
