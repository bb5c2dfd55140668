"""The ball with mass that flies, lands, bounces, slips and wedges: closed forms, an independent solution, balances."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

import rollingball as rb

S = rb.surfaces
TOUCH, LEAVE, REST, SETTLE, ROLL, SLIP = 2, 3, 4, 5, 6, 7
FINE = rb.Dopri5(1e-11, 1e-13)
FLAT, SINE, PARABOLA = S.plane([0.0]), S.sine(), S.quadratic([[1.0]])


def rolled(surface, ball, method, gap=None, throw=True, **options):
    return rb.simulate(surface, ball, method, gap=gap, throw=throw, **options)


def free(integrator=FINE, **options):
    return rb.RigidBall(contact="unilateral", integrator=integrator, **options)


def times(run, kind, ball=0):
    return run.events["time"][ball][run.events["kind"][ball] == kind]


def kinds(run, ball=0):
    return [int(kind) for kind in run.events["kind"][ball] if kind >= 0]


# Events with a closed form


@pytest.mark.parametrize("integrator", [rb.Rattle(1e-2), FINE], ids=["rattle", "dopri5"])
def test_a_ball_dropped_on_a_plane_comes_to_rest_after_infinitely_many_bounces(integrator, oracle):
    case = oracle("M02")
    given, expected = case["inputs"], case["expected"]
    method = free(integrator, gravity=given["g"], restitution=given["e"])
    radii = [0.5, 2.0]
    start = [[0.0, given["h"] + radius] for radius in radii]
    run = rolled(FLAT, rb.Ball(radii), method, start_center=start, duration=5.0, save_at=np.linspace(0, 5, 26))
    for ball in range(2):
        hits = times(run, TOUCH, ball)
        assert hits[0] == pytest.approx(expected["t1"], abs=case["tol"])
        assert times(run, SETTLE, ball) == pytest.approx(expected["t_stop"], abs=case["tol"])
        path = given["h"] + given["g"] * (np.diff(hits) ** 2).sum() / 4  # up and down between impacts
        assert path == pytest.approx(expected["total_path"], abs=case["tol"])
        assert kinds(run, ball)[-2:] == [SETTLE, REST]
    assert len(hits) < 100
    assert (run.status == rb.Status.RESTING).all()
    np.testing.assert_allclose(run.center[-1, :, 1], radii, rtol=1e-15)


@pytest.mark.parametrize("integrator", [rb.Rattle(1e-2), FINE], ids=["rattle", "dopri5"])
def test_a_bowling_ball_slides_and_then_rolls(integrator, oracle):
    case = oracle("D03")
    given, expected = case["inputs"], case["expected"]
    method = free(integrator, gravity=given["g"], friction=given["mu"])
    run = rolled(FLAT, rb.Ball(0.11, inertia=given["beta"]), method, start=[0.0], start_velocity=[given["v0"]],
                 duration=2.0, save_at=[0, 0.5, 2.0])  # fmt: skip
    assert kinds(run) == [ROLL]
    assert times(run, ROLL) == pytest.approx(expected["t_roll"], abs=case["tol"])
    assert run.events["center"][0, 0, 0] == pytest.approx(expected["dist"], abs=case["tol"])
    assert run.velocity[-1, 0, 0] == pytest.approx(expected["v_final"], abs=case["tol"])
    assert run.spin[-1, 0, 0] == pytest.approx(expected["v_final"] / 0.11, abs=case["tol"] / 0.11)
    moving = run.energy[:, 0] - given["g"] * 0.11
    assert 1 - moving[-1] / moving[0] == pytest.approx(expected["energy_loss_fraction"], abs=case["tol"])
    assert run.slip[:, 0] == pytest.approx([3.0, 3.0 - 0.1 * 9.81 * 3.5 * 0.5, 0.0], abs=1e-9)


@pytest.mark.parametrize("integrator", [rb.Rattle(1e-3), FINE], ids=["rattle", "dopri5"])
def test_a_ball_leaves_a_dome_at_its_angle(integrator, oracle):
    case = oracle("D08")
    beta, expected = case["inputs"]["beta"], case["expected"]
    method = free(integrator, friction="no-slip")
    run = rolled(S.dome(1, 2.0), rb.Ball(0.5, inertia=beta), method, start=[3e-4], duration=7.0, save_at=[0, 7])
    for ball, name in enumerate(("phi_bead", "phi_ball", "phi_disk")):
        assert kinds(run, ball)[0] == LEAVE
        angle = np.arcsin(run.events["center"][ball, 0, 0] / 2.5)
        assert angle == pytest.approx(expected[name], abs=case["tol"])
    np.testing.assert_allclose(run.energy[-1], run.energy[0], atol=1e-4)


@pytest.mark.parametrize("integrator", [rb.Rattle(1e-3), FINE], ids=["rattle", "dopri5"])
def test_a_ball_held_to_a_dome_ends_at_its_rim_with_a_status(integrator):
    method = rb.RigidBall(friction="no-slip", integrator=integrator, search=None)
    run = rolled(S.dome(1, 2.0), rb.Ball(0.5), method, start=[-0.3], duration=3.0, save_at=[3.0], throw=False)
    assert rb.Status(run.status[0]).failed
    np.testing.assert_allclose(run.center[-1, 0], [-2.5, 0.0], atol=1e-3)


def test_a_unilateral_contact_never_pulls_and_a_bilateral_one_does():
    given = {"start": [3e-4], "duration": 7.0, "save_at": np.linspace(0, 7, 701)}
    held = rolled(S.dome(1, 2.0), rb.Ball(0.5), rb.RigidBall(integrator=FINE), **{**given, "duration": 5.0,
                  "save_at": np.linspace(0, 4.9, 200)})  # fmt: skip
    assert held.normal_force.min() < -1.0
    left = rolled(S.dome(1, 2.0), rb.Ball(0.5), free(), **given)
    assert left.normal_force.min() >= 0.0
    assert (left.contacts[-1] == 0).all()


@pytest.mark.parametrize(("mu", "rolls"), [(0.15, False), (0.25, True)])
def test_on_an_incline_a_ball_rolls_where_friction_suffices(mu, rolls, oracle):
    case = oracle("D01")
    alpha, gravity = case["inputs"]["alpha"], case["inputs"]["g"]
    needed = case["expected"]["d=1"]["mu_min"]
    assert (mu > needed) == rolls
    run = rolled(S.plane([np.tan(alpha)]), rb.Ball(0.5), free(rb.Rattle(1e-2), friction=mu), start=[0.0], duration=1.0,
                 save_at=[1.0])  # fmt: skip
    expected = case["expected"]["d=1"]["a"] if rolls else gravity * (np.sin(alpha) - mu * np.cos(alpha))
    assert np.linalg.norm(run.velocity[-1, 0]) == pytest.approx(expected, abs=1e-9)
    assert (run.slip[-1, 0] < 1e-12) == rolls


def test_slip_dissipates_its_share_and_begins_where_friction_no_longer_holds():
    mu, grid = 0.12, np.linspace(0, 3, 6001)
    run = rolled(PARABOLA, rb.Ball(0.4, inertia=0.4), free(rb.Dopri5(1e-10, 1e-12), friction=mu), start=[1.2],
                 duration=3.0, save_at=grid)  # fmt: skip
    happened = kinds(run)
    assert happened.count(SLIP) >= 2, "once the other way"
    assert happened.count(ROLL) >= 2
    power = mu * run.normal_force[:, 0] * run.slip[:, 0]
    lost = np.concatenate([[0], np.cumsum((power[1:] + power[:-1]) / 2 * np.diff(grid))])
    np.testing.assert_allclose(run.energy[0, 0] - run.energy[:, 0], lost, atol=2e-6)
    assert lost[-1] > 0.1
    # while it rolls the friction that it needs is within the cone: beta / (1 + beta) of the tangent gravity
    g = run.foot[:, 0, 0]
    grip = 0.4 / 1.4 * 9.81 * np.abs(g) / np.sqrt(1 + g**2)
    rolls = run.slip[:, 0] < 1e-12
    assert (grip <= mu * run.normal_force[:, 0] + 1e-6)[1:][rolls[1:]].all()  # it starts with no slip, yet slips
    assert rolls.sum() > 100


# Bouncing on sin, against an independent solution


def offset(x, radius):
    """f_rho of sin below its reach and its slope: the contact by a bracketing root of its condition."""
    s = brentq(lambda s: s - radius * np.cos(x + s) / np.hypot(1, np.cos(x + s)), -radius, radius, xtol=1e-15)
    return np.sin(x + s) + np.sqrt(radius**2 - s**2), np.cos(x + s)


def bounced(x, y, u, v, radius, restitution, count, gravity=9.81):
    """Times and centres of the first impacts of a frictionless ball."""
    found, now = [], 0.0
    for _ in range(count):

        def above(t, x=x, y=y, u=u, v=v):
            return y + v * t - gravity * t * t / 2 - offset(x + u * t, radius)[0]

        grid = np.linspace(0, 3, 6001)[1:]
        end = next(t for t in grid if above(t) < 0)
        t = brentq(above, max(end - grid[0], 1e-9), end, xtol=1e-15)
        x, v = x + u * t, v - gravity * t
        y, g = offset(x, radius)
        n = np.array([-g, 1]) / np.hypot(1, g)
        u, v = np.array([u, v]) - (1 + restitution) * (np.array([u, v]) @ n) * n
        now += t
        found.append((now, x, y))
    return np.array(found)


def test_a_ball_bounces_on_sin_as_an_independent_solution_does():
    starts = np.array([[0.3, 3.0], [2.0, 2.5], [-1.1, 2.0]])
    pushed = np.array([[0.4, 0.0], [-0.3, 1.0], [1.0, -1.0]])
    run = rolled(SINE, rb.Ball(0.5), free(restitution=0.7), start_center=starts, start_velocity=pushed, duration=3.0,
                 save_at=np.linspace(0, 3, 31), gap=rb.GlobalProjection())  # fmt: skip
    for ball in range(3):
        exact = bounced(*starts[ball], *pushed[ball], 0.5, 0.7, 3)
        hits = run.events["kind"][ball] == TOUCH
        np.testing.assert_allclose(run.events["time"][ball][hits][:3], exact[:, 0], atol=1e-9)
        np.testing.assert_allclose(run.events["center"][ball][hits][:3, 0], exact[:, 1], atol=1e-8)
    assert run.certified
    assert run.gap.min() > -1e-9  # never below


def test_elastic_bounces_keep_the_energy_and_the_spin():
    run = rolled(SINE, rb.Ball(0.5), free(restitution=1.0), start_center=[[0.3, 3.0], [2.0, 4.0]], start_spin=[[7.0]],
                 start_velocity=[0.4], duration=8.0, save_at=np.linspace(0, 8, 81),
                 gap=rb.GlobalProjection(nodes=0))  # fmt: skip
    assert len(times(run, TOUCH)) > 5
    np.testing.assert_allclose(run.energy, run.energy[:1].repeat(81, 0), rtol=1e-10)
    np.testing.assert_array_equal(run.spin, 7.0)
    assert run.gap.min() > -1e-9


def test_an_impact_with_friction_turns_the_ball():
    # without slip after the impact: 1 / (1 + beta) of the tangent velocity stays, the spin takes the rest
    run = rolled(FLAT, rb.Ball(0.5, inertia=0.4), free(restitution=0.5, friction="no-slip"), start_center=[[0.0, 1.0]],
                 start_velocity=[2.0], duration=0.4, save_at=[0.4])  # fmt: skip
    assert run.velocity[-1, 0, 0] == pytest.approx(2.0 / 1.4, rel=1e-13)
    assert run.spin[-1, 0, 0] == pytest.approx(2.0 / 1.4 / 0.5, rel=1e-13)
    slips = rolled(FLAT, rb.Ball(0.5, inertia=0.4), free(restitution=0.5, friction=0.05), start_center=[[0.0, 1.0]],
                   start_velocity=[2.0], duration=0.4, save_at=[0.4])  # fmt: skip
    into = np.sqrt(2 * 9.81 * 0.5)
    assert slips.velocity[-1, 0, 0] == pytest.approx(2.0 - 0.05 * 1.5 * into, rel=1e-12)


def test_flight_with_drag_is_that_of_the_closed_form():
    drag, mass, t = 0.7, 1.3, np.linspace(0, 0.3, 4)
    run = rolled(FLAT, rb.Ball(0.5, mass=mass), free(drag=drag), start_center=[[0.0, 3.0]], start_velocity=[[1.5, 2.0]],
                 duration=0.3, save_at=t)  # fmt: skip
    k = drag / mass
    lag = (1 - np.exp(-k * t)) / k
    np.testing.assert_allclose(run.center[:, 0, 0], 1.5 * lag, rtol=1e-13)
    np.testing.assert_allclose(run.center[:, 0, 1], 3.0 + (2.0 + 9.81 / k) * lag - 9.81 / k * t, rtol=1e-13)


# Several contacts at once


def test_a_ball_that_meets_a_second_slope_stops_or_turns():
    valley = S.max_of_planes([[1.0], [-1.0]])
    for contact in ("bilateral", "unilateral"):
        method = rb.RigidBall(contact=contact, integrator=rb.Rattle(1e-2))
        run = rolled(valley, rb.Ball(0.5), method, start=[2.0], duration=3.0, save_at=[0, 3])
        assert (kinds(run), run.status[0]) == ([REST], rb.Status.RESTING)  # the slopes are at right angles
        np.testing.assert_allclose(run.center[-1, 0], [0, np.sqrt(2) / 2], atol=1e-9)
    method = free(rb.Rattle(1e-2), restitution=0.4)
    shallow = rolled(S.max_of_planes([[0.5], [-0.4]]), rb.Ball(0.5), method, start=[2.0], duration=9.0)
    assert shallow.status[0] == rb.Status.RESTING
    assert len(kinds(shallow)) < 200
    trough = S.max_of_planes([[1.0, -0.5], [-1.0, -0.5]])
    wedged = rolled(trough, rb.Ball(0.5), free(rb.Rattle(1e-2)), start=[1.0, 0.0], duration=3.0, throw=False)
    assert wedged.status[0] == rb.Status.WEDGED
    assert "MoreauJean" in wedged.messages()[0]


POCKET = S.max_of_planes([[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]])


@pytest.mark.parametrize(("friction", "restitution"), [("none", 0.0), ("none", 0.6), (0.3, 0.5)])
def test_in_a_pocket_three_contacts_carry_the_ball(friction, restitution):
    method = free(rb.MoreauJean(1e-3), friction=friction, restitution=restitution)
    starts = [[0.3, 0.2, 2.0], [-0.4, 0.1, 1.5]]
    run = rolled(POCKET, rb.Ball(0.5, mass=2.0), method, start_center=starts, duration=8.0, gap=rb.GlobalProjection())
    planes = np.array([[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]])
    lengths = np.hypot(1, np.hypot(*planes.T))
    # the centre is at the distance rho from all three planes
    corner = np.linalg.solve(np.column_stack([planes, -np.ones(3)]), -0.5 * lengths)
    np.testing.assert_allclose(run.center[-1], np.tile(corner, (2, 1)), atol=1e-8)
    assert (run.contacts[-1] == 3).all()
    assert (run.status == rb.Status.RESTING).all()
    assert run.gap.min() > -1e-9
    if friction == "none":
        normals = np.column_stack([-planes, np.ones(3)]) / lengths[:, None]
        forces = np.linalg.solve(normals.T, [0, 0, 2.0 * 9.81])
        assert run.normal_force[-1] == pytest.approx(forces.sum(), rel=1e-9)


def test_a_ball_slides_along_a_trough_on_two_contacts():
    tilt = 0.5
    trough = S.max_of_planes([[1.0, -tilt], [-1.0, -tilt]])
    run = rolled(
        trough, rb.Ball(0.5), free(rb.MoreauJean(1e-3)), start_center=[0.0, 0.0], duration=1.0, save_at=[0.5, 1.0]
    )
    along = 9.81 * tilt / np.hypot(1, tilt)
    np.testing.assert_allclose(np.linalg.norm(run.velocity[:, 0], axis=-1), along * run.time, rtol=1e-9)
    assert (run.contacts == 2).all()


def test_moreaus_steps_near_the_events_with_first_order():
    given = {"start": [1.2], "start_velocity": [4.5], "duration": 2.0, "save_at": [2.0]}
    exact = rolled(SINE, rb.Ball(0.5), free(restitution=0.5), **given)
    assert len(times(exact, TOUCH)) > 3  # it is too fast for the crest, and flies
    steps, errors = 4e-3 / 2.0 ** np.arange(6), []
    for step in steps:
        run = rolled(SINE, rb.Ball(0.5), free(rb.MoreauJean(float(step)), restitution=0.5), **given)
        errors.append(np.abs(run.center - exact.center).max())
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.3)
    assert errors[-1] < 5e-3


def test_a_ball_beyond_the_reach_of_sin_is_never_below_it():
    run = rolled(SINE, rb.Ball([0.7, 1.5, 3.0]), free(rb.MoreauJean(2e-3), restitution=0.6, friction=0.4),
                 start_center=[[1.0, 5.0]], start_velocity=[1.0], duration=6.0, save_at=np.linspace(0, 6, 61),
                 gap=rb.GlobalProjection())  # fmt: skip
    assert run.certified
    assert run.gap.min() > -1e-9
    assert run.contacts.max(axis=0).tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("radius", "center", "velocity"),
    [(0.2, [0.2037, -0.4245, -0.372], [0.0, 0.085, 0.0]), (0.4, [-0.2495, 0.1985, 0.31], [0.53, 0.83, -1.18])],
)
def test_a_ball_on_eq_14_is_never_below_it(radius, center, velocity):
    # with contacts from 1000 seeds both balls sink in by 1e-3
    wells = S.gaussian_wells(count=1000, width=0.1, seed=0)
    run = rolled(wells, rb.Ball(radius), free(rb.MoreauJean(4e-3), drag=1.0), start_center=[center], duration=0.8,
                 start_velocity=[velocity], save_at=np.linspace(0, 0.8, 21), lift=True,
                 gap=rb.GlobalProjection())  # fmt: skip
    assert run.certified
    assert run.gap.min() > -1e-9


def test_a_frame_inside_a_step_shows_what_its_ends_do_not():
    # the whole flight to beyond the crest is one step, at whose end the ball is above the next valley
    method = free(rb.Rattle(1.0), gravity=0.5, stride=np.inf, restitution=0.5)
    given = {"start_center": [[-1.5, 0.3]], "start_velocity": [6.2, 0.0], "duration": 1.0}
    run = rolled(SINE, rb.Ball(0.3), method, save_at=np.linspace(0, 1, 41), gap=rb.GlobalProjection(), **given)
    exact = bounced(-1.5, 0.3, 6.2, 0.0, 0.3, 0.5, 1, gravity=0.5)
    assert times(run, TOUCH)[0] == pytest.approx(exact[0, 0], abs=1e-9)
    assert run.gap.min() > -1e-9


# The path of a ball on a dome, by quadrature


def test_the_time_down_a_dome_is_an_elliptic_integral():
    first, last, beta = 0.2, 0.7, 0.4
    run = rolled(S.dome(1, 2.0), rb.Ball(0.5, inertia=beta), free(friction="no-slip"), start=[2.0 * np.sin(first)],
                 duration=2.0, save_at=np.linspace(0, 2, 4001))  # fmt: skip
    on_it = run.contacts[:, 0] == 1
    angle = np.arcsin(run.center[on_it, 0, 0] / 2.5)
    reached = np.interp(last, angle, run.time[on_it])
    rate = 2 * 9.81 / ((1 + beta) * 2.5)
    exact = quad(lambda r: 2 * r / np.sqrt(rate * (np.cos(first) - np.cos(first + r * r))), 0, np.sqrt(last - first))[0]
    assert reached == pytest.approx(exact, abs=1e-6)
