"""Rest means rest: a ball that lies still neither moves, nor slips, nor turns, on level ground.

The closed forms are those of billiards. A ball of inertia beta m r^2 that slips on level ground loses its slip at the
rate mu g (1 + 1/beta), and then rolls with v = (v_0 + beta r w_0) / (1 + beta), wherever v passed 0 on the way.
"""

import numpy as np
import pytest

import rollingball as rb

GRAVITY, RADIUS = 10.0, 0.5
INTEGRATORS = (rb.Rattle(1e-3), rb.RK4(1e-3), rb.Dopri5(), rb.MoreauJean(1e-3))
# velocity, spin and friction of a ball that only turns, of draw, stun and follow shots, and of one that stops dead
SHOTS = {
    "on the spot": (0.0, 10.0, 0.3),
    "draw": (1.0, -10.0, 0.5),
    "stun": (1.0, 0.0, 0.5),
    "follow": (1.0, 10.0, 0.2),
    "stops dead": (1.25, -5.0, 0.4),
}


def shot(dim, velocity, spin, friction, integrator, contact, duration=3.0):
    unilateral = contact == "unilateral" or isinstance(integrator, rb.MoreauJean)
    method = rb.RigidBall(
        gravity=GRAVITY, friction=friction, integrator=integrator, contact="unilateral" if unilateral else contact
    )
    # in two dimensions it rolls along x: the angular velocity is about y
    start = {"start_velocity": [velocity] + [0.0] * (dim - 1), "start_spin": [spin] if dim == 1 else [0.0, spin, 0.0]}
    return rb.simulate(
        rb.surfaces.plane([0.0] * dim),
        rb.Ball(RADIUS),
        method,
        start=[[0.0] * dim],
        duration=duration,
        gap=None,
        **start,
    )


def rolled(dim, velocity, spin):
    beta = rb.Ball(RADIUS).inertias(dim)[0]
    return (velocity + beta * RADIUS * spin) / (1 + beta)


@pytest.mark.parametrize("contact", ["bilateral", "unilateral"])
@pytest.mark.parametrize("integrator", INTEGRATORS, ids=lambda integrator: type(integrator).__name__)
@pytest.mark.parametrize("name", SHOTS)
def test_a_shot_ends_rolling_as_in_billiards(name, integrator, contact):
    velocity, spin, friction = SHOTS[name]
    run = shot(1, velocity, spin, friction, integrator, contact)
    end, tolerance = rolled(1, velocity, spin), 1e-6 if not isinstance(integrator, rb.MoreauJean) else 2e-2
    np.testing.assert_allclose(run.velocity[-1, 0, 0], end, atol=tolerance)
    np.testing.assert_allclose(RADIUS * run.spin[-1, 0, 0], end, atol=tolerance)
    np.testing.assert_allclose(run.slip[-1, 0], 0.0, atol=tolerance)
    assert (run.status[0] == rb.Status.RESTING) == (abs(end) < 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["on the spot", "draw"])
def test_the_same_in_the_plane(name):
    velocity, spin, friction = SHOTS[name]
    run = shot(2, velocity, spin, friction, rb.Rattle(1e-3), "bilateral")
    end = rolled(2, velocity, spin)
    np.testing.assert_allclose(run.velocity[-1, 0, :2], [end, 0.0], atol=1e-6)
    np.testing.assert_allclose(run.spin[-1, 0], [0.0, end / RADIUS, 0.0], atol=1e-6)


@pytest.mark.slow
def test_a_ball_that_turns_on_the_spot_without_end_is_not_at_rest():
    # about the normal there is no friction: a marble keeps its spin
    method = rb.RigidBall(gravity=GRAVITY, friction=0.3)
    run = rb.simulate(
        rb.surfaces.plane([0.0, 0.0]), rb.Ball(RADIUS), method, start=[[0.0, 0.0]], start_spin=[[0.0, 0.0, 2.0]],
        duration=0.2, gap=None,
    )  # fmt: skip
    assert run.status[0] == rb.Status.RUNNING
    np.testing.assert_allclose(run.spin[-1, 0], [0.0, 0.0, 2.0], atol=1e-12)
    np.testing.assert_allclose(run.center[-1], run.center[0], atol=1e-12)


@pytest.mark.parametrize("integrator", INTEGRATORS, ids=lambda integrator: type(integrator).__name__)
def test_a_ball_that_does_nothing_rests_at_once(integrator):
    run = shot(1, 0.0, 0.0, 0.3, integrator, "bilateral")
    assert run.status[0] == rb.Status.RESTING
    assert run.events["kind"][0, 0] == rb.Event.REST
    assert run.events["time"][0, 0] < 0.1
