"""A run on a user's tape, between kernels of the user's."""

import numpy as np
import pytest
import warp as wp

import rollingball as rb

SURFACE = rb.formula("sin(x) + 0.3*x**2*y + 0.5*y**2", "x y")
METHOD, BALL = rb.FootpointRBO(0.05, rb.NewtonProjection(1e-13)), rb.Ball(0.3)
VECTOR = wp.types.vector(2, wp.float64)


@wp.kernel
def double(x: wp.array(dtype=VECTOR), y: wp.array(dtype=VECTOR)):
    i = wp.tid()
    y[i] = wp.float64(2.0) * x[i]


@wp.kernel
def total(foot: wp.array2d(dtype=VECTOR), loss: wp.array2d(dtype=wp.float64), out: wp.array(dtype=wp.float64)):
    i = wp.tid()
    last = foot.shape[0] - 1
    wp.atomic_add(out, 0, wp.dot(foot[last, i], foot[last, i]) + loss[1, i])


def test_backward_goes_through_the_run_to_what_came_before():
    places = np.array([[0.15, -0.25], [-0.4, 0.1]])
    first = wp.array(places, dtype=VECTOR, requires_grad=True)
    start = wp.zeros(2, dtype=VECTOR, requires_grad=True)
    out = wp.zeros(1, dtype=wp.float64, requires_grad=True)
    with wp.Tape() as tape:
        wp.launch(double, dim=2, inputs=[first, start])
        run = rb.simulate_on_tape(tape, SURFACE, BALL, METHOD, start, steps=5)
        wp.launch(total, dim=2, inputs=[run.foot, run.loss, out])
    tape.backward(loss=out)
    plain = rb.simulate(SURFACE, BALL, METHOD, start=2 * places, steps=5, gap=None)
    np.testing.assert_array_equal(run.trajectory.foot, plain.foot)
    cotangent = {"foot": np.zeros_like(plain.foot), "loss": np.zeros_like(plain.loss)}
    cotangent["foot"][-1], cotangent["loss"][1] = 2 * plain.foot[-1], 1.0
    expected = 2 * rb.derivatives(plain, cotangent).start
    np.testing.assert_allclose(first.grad.numpy(), expected, rtol=1e-14)
    assert np.abs(expected).min() > 1e-3


@pytest.mark.parametrize(
    ("field", "start", "options"),
    [
        ("start", np.zeros((1, 2)), {}),
        ("start", wp.zeros(1, dtype=VECTOR), {}),
        ("start", wp.zeros(1, dtype=wp.vec3d, requires_grad=True), {}),
        ("dtype", wp.zeros(1, dtype=VECTOR, requires_grad=True), {"dtype": "float32"}),
    ],
)
def test_bad_arguments_are_named(field, start, options, no_compiling):
    with pytest.raises(rb.InputError) as error:
        rb.simulate_on_tape(wp.Tape(), SURFACE, BALL, METHOD, start, steps=1, **options)
    assert error.value.field == field
