"""A run on a user's tape, between kernels of the user's."""

import numpy as np
import pytest
import warp as wp

import rollingball as rb

SURFACE = rb.formula("sin(x) + 0.3*x**2*y + 0.5*y**2", "x y")
METHOD, BALL = rb.FootpointRBO(0.05, rb.NewtonProjection(1e-13)), rb.Ball(0.3)
VECTOR = wp.types.vector(2, wp.float64)
PLACES = wp.zeros(1, dtype=VECTOR, requires_grad=True)


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


@wp.kernel
def weighted(center: wp.array2d(dtype=wp.vec3d), weights: wp.vec3d, out: wp.array(dtype=wp.float64)):
    wp.atomic_add(out, 0, wp.dot(center[center.shape[0] - 1, wp.tid()], weights))


def test_backward_goes_through_a_flow_and_its_event():
    slopes, places, weights = (
        np.array([[1.0, 0.2], [-0.5, -0.6]]),
        np.array([[0.2, 0.05], [0.2, 0.15]]),
        [0.7, -0.4, 0.9],
    )
    ground, options = rb.surfaces.max_of_planes(slopes, [0.0, 0.1]), {"duration": 0.97, "save_at": [0.0, 0.97]}
    flow, ball = rb.IronedFlow(rb.RK4(0.05)), rb.Ball(0.5)
    first = wp.array(places, dtype=VECTOR, requires_grad=True)
    start = wp.zeros(2, dtype=VECTOR, requires_grad=True)
    out = wp.zeros(1, dtype=wp.float64, requires_grad=True)
    with wp.Tape() as tape:
        wp.launch(double, dim=2, inputs=[first, start])
        run = rb.simulate_on_tape(tape, ground, ball, flow, start_center=start, **options)
        wp.launch(weighted, dim=2, inputs=[run.center, wp.vec3d(*weights), out])
    tape.backward(loss=out)
    assert run.trajectory.contacts.tolist() == [[1, 1], [2, 2]]
    # it ends on the valley, along which alone the place at the end depends on that of the start
    across = slopes[0] - slopes[1]
    normal = across / np.linalg.norm(across)
    slide = slopes[0] - normal * (normal @ slopes[0])
    matrix = np.eye(2) - np.outer(slopes[0] - slide, across) / (across @ slopes[0])
    by_center = np.array(weights[:2]) + weights[2] * slopes[0]  # the height of the centre is f_rho there
    np.testing.assert_allclose(first.grad.numpy(), np.tile(2 * by_center @ matrix, (2, 1)), rtol=1e-12)


@pytest.mark.parametrize(
    ("field", "start", "options"),
    [
        ("start", np.zeros((1, 2)), {}),
        ("start", wp.zeros(1, dtype=VECTOR), {}),
        ("start", wp.zeros(1, dtype=wp.vec3d, requires_grad=True), {}),
        ("dtype", PLACES, {"dtype": "float32"}),
        ("lift", PLACES, {"lift": True}),
        ("start_center", PLACES, {"start_center": PLACES}),
        ("start_center", None, {"start_center": np.zeros((1, 2))}),
        ("start_center", None, {"start_center": PLACES}),
        ("integrator", PLACES, {"method": rb.IronedFlow(rb.Rosenbrock())}),
        ("integrator", PLACES, {"method": rb.IronedFlow(rb.CatchUp(0.1)), "adjoint": "continuous"}),
        ("adjoint", PLACES, {"adjoint": "continuous"}),
    ],
)
def test_bad_arguments_are_named(field, start, options, no_compiling):
    options = {"method": METHOD, "steps": 1, **options}
    with pytest.raises(rb.InputError) as error:
        rb.simulate_on_tape(wp.Tape(), SURFACE, BALL, options.pop("method"), start, **options)
    assert error.value.field == field
