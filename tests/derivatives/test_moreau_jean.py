"""Derivatives of balls with mass by MoreauJean: of its steps, through several contacts, and where they have none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollingball as rb
from tests.derivatives.test_bodies import GROUND, SHARED, agree
from tests.derivatives.test_derivatives import differences

S = rb.surfaces
FLAT, INCLINE = S.plane([0.0]), S.plane([-0.75])  # the sine of its angle is 0.6, the cosine 0.8
KINK, RUNNING = rb.Status.KINK, rb.Status.RUNNING


def free(step, **options):
    return rb.RigidBall(contact="unilateral", integrator=rb.MoreauJean(step), **options)


def rolled(surface, ball, method, **options):
    return rb.simulate(surface, ball, method, gap=None, throw=True, **options)


def status(run, **cotangent):
    """The status of the only ball backwards, which is that forwards, and the derivatives backwards."""
    found = rb.derivatives(run, cotangent or {"center": [[1.0] * run.center.shape[2]]}, throw=False)
    if not cotangent:
        assert rb.sensitivities(run).status.tolist() == found.status.tolist()
    return found.status[0], found


@pytest.mark.parametrize("friction", ["none", "no-slip", 0.2], ids=["slides", "rolls", "rubs"])
@settings(max_examples=4)
@given(seed=st.sampled_from(range(8)))
def test_backwards_forwards_and_differences_agree(friction, seed):
    name, make = GROUND["wave"]
    agree(make, name, rb.MoreauJean(0.02), np.random.default_rng(seed).uniform, "unilateral", friction)


@pytest.mark.slow
@pytest.mark.parametrize("ground", ["formula", "wells", "quadratic", "samples"])
@settings(max_examples=4)
@given(seed=st.sampled_from(range(8)), friction=st.sampled_from(["none", "no-slip", 0.2]))
def test_on_every_family_of_surfaces(ground, seed, friction):
    name, make = GROUND[ground]
    agree(make, name, rb.MoreauJean(0.02), np.random.default_rng(seed).uniform, "unilateral", friction)


@pytest.mark.parametrize("restitution", [0.0, 0.5])
@pytest.mark.parametrize("friction", ["none", "no-slip", 0.05, 0.4], ids=["slides", "rolls", "slips", "rubs"])
def test_a_ball_in_a_groove_pushed_by_both_walls(friction, restitution):
    # a bend in a valley too narrow for the ball, so that both walls push; thrown in with spin
    value = {"start_center": np.array([-0.61, 0.3, 2.0]), "start_velocity": np.array([0.5, 0.7, -1.0]),
             "start_spin": np.array([1.0, 0.5, 0.3]), "radius": 0.9, "mass": 1.2, "inertia": 0.4, "gravity": 2.0,
             "drag": 0.1, "loss_scale": 0.9, "duration": 1.51, "a": 0.5}  # fmt: skip
    if not isinstance(friction, str):
        value["friction"] = friction
    if restitution > 0:
        value["restitution"] = restitution
    draw = np.random.default_rng(5)
    along = {key: draw.normal(size=np.shape(part)) for key, part in value.items()}

    def run(by=0.0):
        at = {key: part + by * along[key] for key, part in value.items()}
        surface = S.formula("a*sin(2.2*x) + 0.1*y**2 + 0.2*y + 0.1*x*y", "x, y", {"a": at["a"]}, at["loss_scale"])
        method = free(0.02, gravity=at["gravity"], drag=at["drag"], friction=at.get("friction", friction),
                      restitution=at.get("restitution", 0.0))  # fmt: skip
        begin = {name: at[name][None] for name in ("start_center", "start_velocity", "start_spin")}
        ball = rb.Ball(at["radius"], mass=at["mass"], inertia=at["inertia"])
        return rolled(surface, ball, method, **begin, duration=at["duration"],
                      save_at=at["duration"] * np.array([0.0, 0.37, 1.0]))  # fmt: skip

    cotangent = {"center": [[0.8, 0.2, -0.5]], "velocity": [[0.3, 0.1, 0.4]], "spin": [[0.2, 0.1, -0.2]]}
    first = run()
    if restitution == 0 and friction in ("none", 0.05):
        assert first.contacts[-1, 0] == 2
    expected = differences(lambda by: sum((getattr(run(by), name)[-1] * bar).sum() for name, bar in cotangent.items()))
    found = rb.derivatives(first, cotangent, parameters=True)
    total = found.parameters["a"] * along["a"]
    for key in set(value) - {"a"}:
        total += (getattr(found, key.removeprefix("start_").replace("center", "start")) * along[key]).sum()
    assert total == pytest.approx(expected, rel=1e-7)
    ahead, last = rb.sensitivities(first), rb.derivatives(first, {"center": [[1.0, 0.0, 0.0]]}, checkpoint_every=7)
    for key in ("start", "velocity", "spin", *SHARED):
        if getattr(ahead, key) is not None:
            np.testing.assert_allclose(getattr(ahead, key)[-1, :, 0], getattr(last, key), rtol=1e-9, atol=1e-11)


# Closed forms


def test_down_an_incline_friction_takes_its_share_of_the_speed():
    g, mu, t = 9.0, 0.1, 0.703
    method = free(0.01, gravity=g, friction=mu)
    run = rolled(INCLINE, rb.Ball(0.5), method, start=[0.0], start_velocity=[0.8], duration=t, save_at=[0.0, t])
    found = rb.derivatives(run, {"velocity": [[0.8, -0.6]]}, parameters=True)  # along the plane
    assert found.friction[0] == pytest.approx(-g * 0.8 * t, abs=1e-10)
    assert found.gravity[0] == pytest.approx((0.6 - 0.8 * mu) * t, abs=1e-10)
    assert found.duration[0] == pytest.approx((0.6 - 0.8 * mu) * g, abs=1e-10)
    assert found.velocity[0, 0] == pytest.approx(1 / 0.8, abs=1e-10)  # by its horizontal part
    # along a plane of slope s it is g (sin - mu cos), d sin / ds = cos^3, d cos / ds = -sin cos^2, downhill is -s
    by_slope = -g * t * (0.8**3 + mu * 0.6 * 0.8**2) - 0.8 * 0.75 * 0.8  # the start is 0.8 / cos along the plane
    assert found.parameters["slope"][0] == pytest.approx(by_slope, abs=1e-10)
    grips = free(0.01, gravity=g, friction=0.5)
    rests = rolled(INCLINE, rb.Ball(0.5, inertia=0.4), grips, start=[0.0], duration=t, save_at=[0.0, t])
    holds = rb.derivatives(rests, {"velocity": [[0.8, -0.6]]})  # it rolls: friction has no say
    assert holds.friction[0] == pytest.approx(0.0, abs=1e-12)
    assert holds.gravity[0] == pytest.approx(0.6 * t / 1.4, abs=1e-10)
    assert holds.velocity[0, 0] == pytest.approx(1 / 0.8 / 1.4, abs=1e-10)


def test_the_speed_of_a_ball_that_bounces_depends_on_restitution_gravity_and_start():
    e, g, up, h, t = 0.7, 9.0, 0.3, 1 / 64, 1.003
    method = free(h, gravity=g, restitution=e)
    run = rolled(FLAT, rb.Ball(0.5), method, start_center=[[0.0, 0.91]], start_velocity=[[0.2, up]], duration=t,
                 save_at=[0.0, t])  # fmt: skip
    events = run.events
    one, two = events["time"][0, events["kind"][0] == rb.Event.TOUCH]
    # each impact turns the speed that the ball had a step before
    first, second = one - h, two - one - h
    fast = g * first - up
    assert run.velocity[1, 0, 1] == pytest.approx(e * (g * second - e * fast) - g * (t - two), abs=1e-12)
    found = rb.derivatives(run, {"velocity": [[0.0, 1.0]]})
    assert found.restitution[0] == pytest.approx(g * second - 2 * e * fast, abs=1e-12)
    assert found.gravity[0] == pytest.approx(e * second - e**2 * first - (t - two), abs=1e-12)
    assert found.velocity[0] == pytest.approx([0.0, e**2], abs=1e-12)
    assert found.duration[0] == pytest.approx(-g, abs=1e-12)
    # of the steps, and not of the motion: when the ball is struck does not hang on how high it began
    assert found.start[0] == pytest.approx([0.0, 0.0], abs=1e-12)
    with pytest.raises(rb.InputError, match="event_time"):
        rb.derivatives(run, {"event_time": np.ones(events["time"].shape)})


def test_a_landing_on_a_plane_has_the_derivative_of_the_motion_to_first_order():
    # it falls by H onto the incline, lands at t_1 = sqrt(2 H / g) and slides on by g sin (T^2 - t_1^2) / 2
    errors = []
    for h in (0.01, 0.005, 0.0025):
        t = 0.9 + h / 3
        run = rolled(INCLINE, rb.Ball(0.5), free(h, gravity=9.0), start_center=[[0.0, 1.5]], duration=t,
                     save_at=[0.0, t])  # fmt: skip
        found = rb.derivatives(run, {"center": [[0.8, -0.6]]})
        assert found.start[0] == pytest.approx([0.8, -0.6], abs=1e-12)
        errors.append(found.gravity[0] - 0.6 * t**2 / 2)
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 2.0, rtol=0.02)


def test_in_lasting_contact_it_nears_that_of_rattle():
    given = {"start": [-1.1], "start_velocity": [0.5], "start_spin": [[1.0]], "duration": 0.7, "save_at": [0.0, 0.7]}
    surface, ball = S.sine(frequency=1.1, amplitude=0.5, loss_scale=0.9), rb.Ball(0.3, inertia=0.4)

    def by(integrator):
        method = rb.RigidBall(contact="unilateral", friction=0.2, gravity=2.0, integrator=integrator)
        found = rb.derivatives(rolled(surface, ball, method, **given), {"center": [[0.8, -0.5]]})
        names = ("start", "velocity", "spin", "radius", "inertia", "gravity", "friction", "loss_scale", "duration")
        return np.concatenate([np.ravel(getattr(found, name)) for name in names])

    exact = by(rb.Rattle(1e-3))
    errors = [np.abs(by(rb.MoreauJean(h)) - exact).max() for h in (4e-3, 2e-3, 1e-3)]
    assert errors[0] < 0.05
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 2.0, rtol=0.1)


@pytest.mark.parametrize("integrator", [rb.Rattle(0.01), rb.MoreauJean(0.01)], ids=["rattle", "moreau-jean"])
@pytest.mark.parametrize(("friction", "share"), [("none", 1.0), (0.3, 1 / 1.4)])
def test_what_lies_still_would_roll_on_if_it_were_pushed(integrator, friction, share):
    method = rb.RigidBall(contact="unilateral", friction=friction, integrator=integrator)
    run = rolled(FLAT, rb.Ball(0.5, inertia=0.4), method, start=[0.3], duration=0.5, save_at=[0.0, 0.5])
    assert run.status[0] == rb.Status.RESTING
    found, ahead = rb.derivatives(run, {"center": [[1.0, 0.0]]}), rb.sensitivities(run)
    assert found.velocity[0, 0] == pytest.approx(0.5 * share, abs=0.01)
    assert found.start[0, 0] == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(ahead.velocity[-1, 0, 0], found.velocity[0], atol=1e-12)


def test_a_ball_set_off_across_the_graph_depends_on_all_of_its_velocity():
    given = {"start": [0.2], "duration": 0.205, "save_at": [0.0, 0.205]}
    surface = S.sine(frequency=1.1, amplitude=0.5)

    def end(velocity, cotangent):
        run = rolled(surface, rb.Ball(0.3), free(0.02, gravity=2.0), start_velocity=[velocity], **given)
        return run, float((run.center[-1, 0] * cotangent).sum())

    for velocity in ([0.3, 0.8], [0.3, -0.8]):  # off it, and into it
        run, _ = end(velocity, [0.8, -0.5])
        found = rb.derivatives(run, {"center": [[0.8, -0.5]]})
        for axis in (0, 1):
            moved = [end(np.add(velocity, by * np.eye(2)[axis]), [0.8, -0.5])[1] for by in (1e-6, -1e-6)]
            assert found.velocity[0, axis] == pytest.approx((moved[0] - moved[1]) / 2e-6, abs=1e-8)


# Edges


@pytest.mark.parametrize(
    ("height", "speed", "at_edge"),
    [(0.75, 1.0, True), (0.76, 1.0, False), (0.74, 1.0, False),  # the next step would end on the ground
     (0.51, 0.25, True), (0.51, 0.26, False), (0.51, 0.24, False)],  # as slow as what gravity adds in two steps
)  # fmt: skip
def test_where_an_impact_just_gives_something_back(height, speed, at_edge):
    run = rolled(FLAT, rb.Ball(0.5), free(0.125, gravity=1.0, restitution=0.5), start_center=[[0.0, height]],
                 start_velocity=[[0.0, -speed]], duration=0.9, save_at=[0.0, 0.9])  # fmt: skip
    assert status(run)[0] == (KINK if at_edge else RUNNING)


@pytest.mark.parametrize(("height", "at_edge"), [(0.625, True), (0.63, False), (0.62, False)])
def test_where_the_first_step_ends_on_the_ground(height, at_edge):
    run = rolled(FLAT, rb.Ball(0.5), free(0.125), start_center=[[0.0, height]], start_velocity=[[0.0, -1.0]],
                 duration=0.9, save_at=[0.0, 0.9])  # fmt: skip
    assert status(run)[0] == (KINK if at_edge else RUNNING)


def test_where_nothing_holds_a_ball_on_the_ground():
    for gravity, expected in ((0.0, KINK), (1e-3, RUNNING)):
        run = rolled(FLAT, rb.Ball(0.5), free(0.01, gravity=gravity), start=[0.0], start_velocity=[0.5], duration=0.1,
                     save_at=[0.0, 0.1])  # fmt: skip
        assert status(run)[0] == expected
    loose = rolled(FLAT, rb.Ball(0.5), free(0.01, gravity=0.0), start=[0.0], start_velocity=[0.5], duration=0.1)
    with pytest.raises(rb.BallError, match="an edge of the contact law"):
        rb.derivatives(loose, {"center": [[1.0, 0.0]]})


def test_where_friction_just_holds():
    # a ball rolls down a slope of tan A where mu is at least tan A beta / (1 + beta)
    edge, by_friction = 0.75 * 0.4 / 1.4, []
    for mu, expected in ((edge, KINK), (edge + 1e-6, RUNNING), (edge - 1e-6, RUNNING)):
        run = rolled(INCLINE, rb.Ball(0.5, inertia=0.4), free(0.01, friction=mu, gravity=9.0), start=[0.0],
                     duration=0.503, save_at=[0.0, 0.503])  # fmt: skip
        reached, found = status(run, velocity=[[0.8, -0.6]])
        assert reached == expected
        by_friction.append(found.friction[0])
    assert by_friction[1:] == pytest.approx([0.0, -9.0 * 0.8 * 0.503], abs=1e-9)


def test_several_contacts_have_a_centre_and_no_foot_and_may_not_all_hold():
    wedge = S.max_of_planes([[0.5], [-0.8]])
    given = {"start_center": [[0.3, 1.5]], "duration": 3.0, "save_at": [0.0, 3.0]}
    slides = rolled(wedge, rb.Ball(0.5), free(0.02), **given)
    assert slides.contacts[-1, 0] == 2
    by_radius = np.linalg.solve([[0.5, -1.0], [-0.8, -1.0]], -np.hypot(1, [0.5, 0.8]))  # it rests in the corner
    for axis in (0, 1):
        _status, found = status(slides, center=[np.eye(2)[axis]])
        assert found.radius[0] == pytest.approx(by_radius[axis], abs=1e-9)
        assert found.start[0] == pytest.approx([0.0, 0.0], abs=1e-9)
        assert found.gravity[0] == pytest.approx(0.0, abs=1e-9)
    assert status(slides, loss=[1.0])[0] == KINK
    assert status(slides, foot=[[1.0]])[0] == KINK
    holds = rolled(wedge, rb.Ball(0.5), free(0.02, friction=0.9), **given)
    assert holds.contacts[-1, 0] == 2  # how both walls share its weight is not determined
    assert status(holds)[0] == KINK


def test_without_restitution_there_is_none_by_it():
    run = rolled(FLAT, rb.Ball(0.5), free(0.01), start_center=[[0.0, 0.7]], duration=0.5, save_at=[0.0, 0.5])
    assert rb.derivatives(run, {"center": [[1.0, 0.0]]}).restitution is None
    assert rb.sensitivities(run).restitution is None
