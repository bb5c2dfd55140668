"""Balls with mass as torch functions, and on a tape: the derivatives of rb.derivatives, by every tensor."""

import msgspec
import numpy as np
import pytest
import torch
import warp as wp

import rollingball as rb
from rollingball.pytorch.runs.simulate import simulate

WAVE = rb.surfaces.sine(frequency=1.1, amplitude=0.5, loss_scale=0.9)
METHOD = rb.RigidBall(
    contact="unilateral", gravity=2.0, drag=0.1, restitution=0.6, friction=0.2, integrator=rb.Rattle(0.02)
)
BALL = rb.Ball(0.3, mass=1.2, inertia=0.4)


def leaf(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("integrator", [rb.Rattle(0.02), rb.MoreauJean(0.02)], ids=["rattle", "moreau-jean"])
def test_gradcheck_by_everything_that_made_the_run(integrator):
    method = msgspec.structs.replace(METHOD, integrator=integrator)
    start, velocity, spin = leaf([[0.4], [-0.6]]), leaf([[0.5], [-0.3]]), leaf([[1.0], [-2.0]])
    names = ("radius", "mass", "inertia", "gravity", "drag", "friction", "restitution", "duration", "loss_scale")
    numbers = [leaf(x) for x in (0.3, 1.2, 0.4, 2.0, 0.1, 0.2, 0.6, 0.73, 0.9)]

    def run(start, velocity, spin, *numbers):
        given = dict(zip(names, numbers, strict=True))
        made = simulate(WAVE, BALL, method, start_center=start, start_velocity=velocity, start_spin=spin, **given)
        return made.center[-1], made.velocity[-1], made.spin[-1]

    assert torch.autograd.gradcheck(run, (start, velocity, spin, *numbers), eps=1e-5, atol=1e-7)


def test_a_derivative_that_is_not_there_is_refused_by_name():
    method = rb.RigidBall(contact="unilateral", integrator=rb.MoreauJean(0.02))
    start, nothing = leaf([[0.2, 1.3]]), leaf(0.0)
    made = simulate(WAVE, BALL, method, start_center=start, restitution=nothing, duration=0.5)
    with pytest.raises(rb.InputError, match="restitution: got"):  # any more makes the ball bounce
        made.center[-1, 0, 0].backward()


def test_a_thrown_ball_is_steered_by_its_velocity_through_a_bounce():
    start, velocity = leaf([[0.2, 1.3]]), leaf([[0.4, 0.3]])
    made = simulate(WAVE, BALL, METHOD, start_center=start, start_velocity=velocity, duration=1.2, save_at=[0.0, 1.2])
    made.center[-1, 0, 0].backward()
    run = rb.simulate(WAVE, BALL, METHOD, start_center=[[0.2, 1.3]], start_velocity=[[0.4, 0.3]], duration=1.2,
                      save_at=[0.0, 1.2], gap=None)  # fmt: skip
    assert rb.Event.TOUCH in run.events["kind"]
    found = rb.derivatives(run, {"center": [[1.0, 0.0]]})
    torch.testing.assert_close(start.grad, torch.as_tensor(found.start), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(velocity.grad, torch.as_tensor(found.velocity), rtol=1e-12, atol=1e-14)


def test_on_a_tape_and_over_a_field_they_are_the_same():
    places = np.linspace(-0.8, 0.8, 5)[:, None]
    given = {"start_velocity": np.full((5, 1), 0.2), "duration": 0.61, "save_at": [0.0, 0.61]}
    run = rb.simulate(WAVE, BALL, METHOD, start_center=places, gap=None, **given)
    found = rb.derivatives(run, {"center": [[1.0, 0.0]] * 5}).start
    begins = wp.array(places, dtype=wp.types.vector(1, wp.float64), device="cpu", requires_grad=True)
    tape = wp.Tape()
    taped = rb.simulate_on_tape(tape, WAVE, BALL, METHOD, start_center=begins, **given)
    bars = np.zeros((2, 5, 2))
    bars[1, :, 0] = 1.0
    taped.center.grad = wp.array(bars, dtype=taped.center.dtype, device="cpu")
    tape.backward()
    np.testing.assert_allclose(begins.grad.numpy().reshape(5, 1), found, rtol=1e-12)
    field = rb.sensitivity_field(WAVE, BALL, METHOD, [[-0.8, 0.8]], 5, start_velocity=[0.2], duration=0.61)
    np.testing.assert_allclose(field.stretching, np.abs(found[:, 0]), rtol=1e-9)
