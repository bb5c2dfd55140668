"""Second derivatives: closed forms, symmetry, and differences of gradients and of values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollingball as rb
from rollingball.derivatives import beside
from tests.derivatives.test_body_closed_forms import FLAT, TOUCH, at_event, rolled
from tests.derivatives.test_derivatives import FORMULA, LAST, METHODS, STARTS, roll
from tests.derivatives.test_flow_derivatives import FLOWS

S = rb.surfaces
SINE = S.sine(frequency=0.9, amplitude=0.8)
LISTED = (
    "algorithm 1",
    "momentum, the paper's projector",
    "sam",
    "entropy-sgd",
)  # the last draws at random by its ball


def test_gradient_descent_on_a_parabola_by_start_rate_and_curvature():
    # the last loss is k x^2 m^(2 n) / 2 with m = 1 - lr k
    k, x, lr, n = 1.7, np.array([0.8, -1.3]), 0.1, 6
    run = rb.simulate(S.quadratic([[k]]), None, rb.GradientDescent(lr), start=x[:, None], steps=n)
    directions = {"start": [[[1.0], [1.0]], [[0.0], [0.0]]], "lr": [[0.0, 0.0], [1.0, 1.0]]}
    found = rb.hessian_vector(run, {"loss": [1.0, 1.0]}, directions, parameters=True)
    m, two = 1 - lr * k, 2 * n
    by_both = -two * k**2 * x * m ** (two - 1)
    np.testing.assert_allclose(found.start[:, :, 0], [[k * m**two] * 2, by_both], rtol=1e-10)
    np.testing.assert_allclose(found.lr, [by_both, two * (two - 1) * k**3 * x**2 * m ** (two - 2) / 2], rtol=1e-10)
    by_curvature = [
        (x * m**two - two * k * lr * x * m ** (two - 1)).sum(),
        (-two * k * x**2 * m ** (two - 1) + two * (two - 1) * k**2 * lr * x**2 * m ** (two - 2) / 2).sum(),
    ]
    np.testing.assert_allclose(found.parameters["matrix"][:, 0, 0], by_curvature, rtol=1e-9)
    assert found.status.tolist() == [[rb.Status.RUNNING] * 2] * 2
    assert (found.error < 1e-9).all()
    assert found.lr_steps.shape == (2, 1, 2)
    assert not found.radius.any()


def test_a_loss_of_the_run_that_is_not_linear_brings_its_own_hessian():
    k, x, m = 1.7, np.array([0.8, -1.3]), 1 - 0.1 * 1.7
    run = rb.simulate(S.quadratic([[k]]), None, rb.GradientDescent(0.1), start=x[:, None], steps=6)
    found = rb.hessian_vector(run, lambda run: {"loss": run.loss[-1]}, {"start": [1.0]})  # half of its square
    np.testing.assert_allclose(found.start[:, 0], 12 / 8 * k**2 * m**24 * x**2, rtol=1e-10)


def by_hand(x, lr, steps, frequency=0.9, amplitude=0.8):
    """x_n'' for x -> x - lr f'(x), f = amplitude sin(frequency x)."""
    first, second = np.ones_like(x), np.zeros_like(x)
    for _ in range(steps):
        slopes = [amplitude * frequency**order * np.sin(frequency * x + order * np.pi / 2) for order in (1, 2, 3)]
        x, first, second = (
            x - lr * slopes[0], first * (1 - lr * slopes[1]), second * (1 - lr * slopes[1]) - lr * slopes[2] * first**2
        )  # fmt: skip
    return second


def test_of_gradient_descent_by_hand_and_of_sam_as_its_radius_vanishes():
    x = np.linspace(-1.5, 1.5, 5)
    for method, ball, close in (
        (rb.GradientDescent(0.3), None, 1e-9), (rb.SAM(0.3), rb.Ball(1e-7), 1e-5),
    ):  # fmt: skip
        run = rb.simulate(SINE, ball, method, start=x[:, None], steps=20, gap=None)
        found = rb.hessian_vector(run, {"foot": np.ones((5, 1))}, {"start": [1.0]})
        np.testing.assert_allclose(
            found.start[:, 0], by_hand(x, 0.3, 20), rtol=0, atol=close * np.abs(found.start).max()
        )
        if ball is None:  # the estimate is no less than what it estimates
            assert (np.abs(found.start[:, 0] - by_hand(x, 0.3, 20)) <= found.error + 1e-13).all()


def test_of_a_gradient_flow_by_start_and_duration():
    # below the reach and for a small radius x e^(-k T): the last loss is k x^2 e^(-2 k T) / 2
    k, x, time = 2.0, 0.5, 0.905  # no multiple of the step
    run = rb.simulate(S.quadratic([[k]]), rb.Ball(1e-6), FLOWS["ironed"](rb.RK4(0.01)),
                      start_center=[[x]], duration=time, save_at=[0.0, time], gap=None)  # fmt: skip
    found = rb.hessian_vector(run, {"loss": [1.0]}, {"start": [[[1.0]], [[0.0]]], "duration": [0.0, 1.0]})
    decay = np.exp(-2 * k * time)
    np.testing.assert_allclose(found.start[:, 0, 0], [k * decay, -2 * k**2 * x * decay], rtol=1e-5)
    np.testing.assert_allclose(found.duration[:, 0], [-2 * k**2 * x * decay, 2 * k**3 * x**2 * decay], rtol=1e-5)


@pytest.mark.parametrize("height", [0.4, 0.004])  # from less than a step of a difference it cannot be moved down
def test_of_the_time_of_a_bounce_by_height_restitution_and_gravity(height):
    e, g = 0.7, 9.0
    method = rb.RigidBall(contact="unilateral", gravity=g, restitution=e, integrator=rb.Rattle(0.01))
    run = rolled(FLAT, rb.Ball(0.5), method, start_center=[[0.0, 0.5 + height]], start_velocity=[[0.2, 0.0]],
                 duration=1.5, save_at=[0.0, 1.5])  # fmt: skip
    of_second = at_event(run, TOUCH, 1)  # at t = (1 + 2 e) sqrt(2 h / g)
    found = rb.hessian_vector(run, of_second, {"start": [[[0.0, 1.0]], [[0.0, 0.0]]], "restitution": [0.0, 1.0]})
    fall = np.sqrt(2 * height / g)
    np.testing.assert_allclose(found.start[:, 0, 1], [-(1 + 2 * e) * fall / (4 * height**2), fall / height], rtol=1e-9)
    np.testing.assert_allclose(found.gravity[:, 0], [-(1 + 2 * e) * fall / (4 * height * g), -fall / g], rtol=1e-9)
    np.testing.assert_allclose(found.restitution[:, 0], [fall / height, 0.0], rtol=1e-9, atol=1e-10)
    assert found.lr is None


@pytest.mark.parametrize("method", LISTED)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**16), share=st.sampled_from([0.3, 0.6, 1.0]))
def test_it_is_symmetric_by_all_that_made_a_discrete_run(method, seed, share):
    rng = np.random.default_rng(seed)
    run = roll(METHODS[method](0.03), steps=6)
    shapes = {"start": (3, 2), "radius": 3, "lr": 3, "loss_scale": ()}
    if method == "entropy-sgd":
        del shapes["radius"]
    one, other = (
        {
            name: 0.1 * rng.normal(size=shape)
            for name, shape in shapes.items()
            if name == "start" or rng.random() < share
        }
        for _ in range(2)
    )  # of some of the numbers alone too, whose balls move at rates of their own
    if rng.random() < share:
        one["parameters"] = dict(zip("ab", 0.1 * rng.normal(size=2), strict=True))
    other["parameters"] = dict(zip("ab", 0.1 * rng.normal(size=2), strict=True))

    def product(direction, pair):
        found = rb.hessian_vector(run, LAST, direction, parameters=True)
        of_surface = sum(found.parameters[name] * value for name, value in pair.get("parameters", {}).items())
        return of_surface + sum((getattr(found, name) * pair[name]).sum() for name in pair if name != "parameters")

    assert product(one, other) == pytest.approx(product(other, one), rel=1e-8, abs=1e-9)


ALONG, ALSO = np.random.default_rng(3).normal(size=(2, 3, 2))
FALLS = rb.RigidBall(contact="unilateral", gravity=2.0, restitution=0.6, friction=0.2, integrator=rb.Rattle(0.02))
WAVE = S.sine(frequency=1.1, amplitude=0.5, loss_scale=0.9)


def flowed(flow):
    def make(start):
        return rb.simulate(FORMULA, rb.Ball(0.03), flow, start=start, duration=0.73, save_at=[0.0, 0.4, 0.73], gap=None)

    return make


def bounced(start):
    return rb.simulate(WAVE, rb.Ball(0.3, mass=1.2), FALLS, start_center=start + np.array([0.0, 1.5]), duration=1.9,
                       start_velocity=[[0.3, 0.1]], save_at=[0.0, 1.0, 1.9], gap=None)  # fmt: skip


RUNS = {name: lambda start, name=name: roll(METHODS[name](0.03), start=start) for name in METHODS} | {
    "ironed flow": flowed(FLOWS["ironed"](rb.RK4(0.05))),
    "footpoint flow": flowed(FLOWS["footpoint"](rb.Dopri5(rtol=1e-10, atol=1e-12))),
    "catching up": flowed(rb.IronedFlow(rb.CatchUp(0.05))),
    "bounces": bounced,
}


@pytest.mark.parametrize("name", RUNS)
def test_it_is_the_difference_of_gradients_and_the_second_one_of_values(name):
    make, start = RUNS[name], np.array(STARTS) * (0.3 if name == "bounces" else 1.0)
    run = make(start)
    frames = {"center": np.random.default_rng(4).normal(size=run.center.shape)}
    found = rb.hessian_vector(run, frames, {"start": [ALONG, ALSO]})
    assert (found.error < 1e-7 * np.abs(found.start).max()).all()
    size = np.abs(found.start).max()
    assert size > 0.01
    np.testing.assert_allclose(
        (found.start[0] * ALSO).sum(axis=1), (found.start[1] * ALONG).sum(axis=1), atol=1e-8 * size
    )

    def at(by):
        moved = make(start + by * ALONG)
        return rb.derivatives(moved, frames).start, (frames["center"] * moved.center).sum(axis=(0, 2))

    step = 2e-3
    gradients, values = zip(*(at(k * step) for k in range(-3, 4)), strict=True)
    slopes = sum(w * each for w, each in zip((-1, 9, -45, 0, 45, -9, 1), gradients, strict=True)) / (60 * step)
    np.testing.assert_allclose(found.start[0], slopes, rtol=0, atol=1e-8 * size)
    bends = sum(w * each for w, each in zip((2, -27, 270, -490, 270, -27, 2), values, strict=True)) / (180 * step**2)
    np.testing.assert_allclose((found.start[0] * ALONG).sum(axis=1), bends, rtol=0, atol=1e-7 * size)


def test_of_a_run_that_was_recorded_now_and_then_stopped_early_and_in_float32():
    options = {"steps": 60, "stop": rb.Stop(gradient=0.6)}
    run, sparse = (roll(METHODS["algorithm 1"](0.1), every=every, **options) for every in (1, 7))
    assert len(set(run.steps)) > 1
    of_end = lambda run: {"loss": run.loss[-1], "foot": 2 * run.foot[-1]}  # noqa: E731
    whole = rb.hessian_vector(run, of_end, {"start": ALONG, "lr": 0.1})
    again = rb.hessian_vector(sparse, of_end, {"start": ALONG, "lr": 0.1})
    np.testing.assert_allclose(again.start, whole.start, rtol=1e-9, atol=1e-11)
    narrow = rb.hessian_vector(roll(METHODS["algorithm 1"](0.1), dtype="float32"), LAST, {"start": ALONG})
    twin = rb.hessian_vector(roll(METHODS["algorithm 1"](0.1)), LAST, {"start": ALONG})
    np.testing.assert_allclose(narrow.start, twin.start, rtol=1e-3, atol=1e-5)
    assert (narrow.error < 1e-6).all()


def test_every_step_of_a_schedule_has_a_direction_of_its_own():
    rates, radii = np.geomspace(0.08, 0.02, 5), np.linspace(0.4, 0.2, 5)

    def run(by=0.0):
        rate = rb.Schedule(list(rates + by * np.eye(5)[1]), kind="hold")
        return roll(METHODS["algorithm 1"](rate), rb.Schedule(list(radii + by * np.eye(5)[3]), kind="hold"), steps=5)

    steps = {"lr_steps": np.outer(np.eye(5)[1], [1, 1, 1]), "radius_steps": np.outer(np.eye(5)[3], [1, 1, 1])}
    found = rb.hessian_vector(run(), LAST, steps)
    step = 1e-3
    ends = [rb.derivatives(run(k * step), LAST) for k in (-2, -1, 1, 2)]
    for name in ("start", "lr_steps", "radius_steps"):
        slopes = sum(w * getattr(end, name) for w, end in zip((1, -8, 8, -1), ends, strict=True)) / (12 * step)
        np.testing.assert_allclose(getattr(found, name), slopes, rtol=0, atol=1e-8)


def test_it_is_symmetric_by_all_that_made_a_run_of_bodies_that_touch():
    method = rb.RigidBall(contact="unilateral", gravity=2.0, drag=0.1, restitution=0.6, friction=0.2,
                          integrator=rb.Rattle(0.02))  # fmt: skip
    run = rb.simulate(WAVE, rb.Ball(0.3, mass=1.2, inertia=0.4), method, start_center=[[0.4], [-0.6]], duration=0.73,
                      start_velocity=[[0.5], [-0.3]], start_spin=[[1.0], [-2.0]], save_at=[0.0, 0.73],
                      gap=None)  # fmt: skip
    assert (run.contacts > 0).all()
    rng = np.random.default_rng(5)
    each, shared = (
        ("radius", "mass", "inertia"),
        ("gravity", "drag", "friction", "restitution", "duration", "loss_scale"),
    )
    draws = [
        {"start": rng.normal(size=(2, 1)), "spin": rng.normal(size=(2, 1)), "velocity": np.array([[v, 0.0], [-v, 0.0]])}
        | {name: 0.1 * rng.normal(size=2) for name in each}
        | {name: 0.1 * rng.normal() for name in shared}
        | {"parameters": {"frequency": 0.1 * rng.normal(), "amplitude": 0.1 * rng.normal()}}
        for v in (0.3, -0.8)
    ]
    cotangent = {
        "center": rng.normal(size=(2, 2)),
        "velocity": rng.normal(size=(2, 2)),
        "spin": rng.normal(size=(2, 1)),
    }

    def product(one, other):
        found = rb.hessian_vector(run, cotangent, one, parameters=True)
        of_balls = sum((getattr(found, name) * part).sum() for name, part in other.items() if name != "parameters")
        return of_balls + sum(found.parameters[name] * part for name, part in other["parameters"].items())

    left, right = product(*draws), product(*draws[::-1])
    assert left == pytest.approx(right, rel=1e-8)
    assert abs(left) > 0.01


def test_runs_side_by_side_are_the_runs_alone(monkeypatch):
    run = roll(METHODS["algorithm 1"](0.03))
    several = {"start": [ALONG, ALSO], "lr": [[0.0] * 3, [0.1] * 3]}
    together = rb.hessian_vector(run, LAST, several)
    monkeypatch.setattr(beside, "MOST", 1)
    apart = rb.hessian_vector(run, LAST, several)
    for k in range(2):
        alone = rb.hessian_vector(run, LAST, {name: part[k] for name, part in several.items()})
        for name in ("start", "lr", "radius", "loss_scale", "error"):
            np.testing.assert_array_equal(getattr(apart, name), getattr(together, name))
            np.testing.assert_array_equal(getattr(together, name)[k], getattr(alone, name))


@pytest.mark.cuda
def test_on_a_cuda_device_they_are_the_same(cuda):
    here, there = (roll(METHODS["algorithm 1"](0.03), device=device) for device in ("cpu", cuda))
    one, other = (rb.hessian_vector(run, LAST, {"start": ALONG}) for run in (here, there))
    np.testing.assert_allclose(other.start, one.start, rtol=1e-8, atol=1e-9)
