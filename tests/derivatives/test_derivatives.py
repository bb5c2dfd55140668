"""Derivatives of whole runs: backwards, forwards and by central differences, which are three ways to one number."""

import numpy as np
import pytest
import warp as wp
from hypothesis import assume, currently_in_test_context, given, settings
from hypothesis import strategies as st

import rollingball as rb
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.cotangents import foot_cotangent
from rollingball.surfaces.parameters import parameter_cotangents

S = rb.surfaces
EXACT, PAPER = rb.NewtonProjection(1e-13), rb.GradientProjection(20, 0.03)
METHODS = {
    "algorithm 1": lambda lr: rb.FootpointRBO(lr, EXACT),
    "algorithm 1, the paper's projector": lambda lr: rb.FootpointRBO(lr, PAPER),
    "section 3.2": lambda lr: rb.DistanceRBO(lr, EXACT),
    "section 3.2, reprojected": lambda lr: rb.DistanceRBO(lr, EXACT, reproject=True),
    "section 3.2, the paper's projector": lambda lr: rb.DistanceRBO(lr, PAPER),
    "momentum": lambda lr: rb.MomentumRBO(lr, 0.8, EXACT),
    "momentum, the paper's projector": lambda lr: rb.MomentumRBO(lr, 0.8, PAPER, metric="parameter"),
    "gradient descent": rb.GradientDescent,
    "heavy ball": lambda lr: rb.HeavyBall(lr, 0.8),
    "sam": rb.SAM,
    "entropy-sgd": lambda lr: rb.EntropySGD(lr, inner_steps=8, inner_lr=0.02, noise=0.1),
}
TEXT = "a*sin(x) + 0.3*x**2*y + 0.5*b*y**2 + 0.1*cos(3*x*y)"
WELLS = np.random.default_rng(8).uniform(-1, 1, (12, 2))
# (a, b) in [0.5, 1.5] -> a surface of each of five unlike families, with one parameter that is a
GROUND = {
    "formula": (2, "a", lambda a, b: S.formula(TEXT, "x y", {"a": a, "b": b}, loss_scale=1.4)),
    "wells": (2, "width", lambda a, b: S.gaussian_wells(WELLS * b, width=a, loss_scale=0.5)),
    "quadratic": (3, "constant", lambda a, b: S.quadratic([[a, 0.2, 0], [0.2, 1, b / 2], [0, b / 2, 2]], [a, 0, 0], a)),
    "wave": (1, "frequency", lambda a, b: S.sine(frequency=a, amplitude=b, loss_scale=0.7)),
    "samples": (1, None, lambda a, b: S.sampled(a * np.cos(np.arange(12.0) * b), [[-4.0, 4.0]])),
}
STEPS = 6


def observed(run, weights):
    """A function of what was recorded: J of each ball, and its cotangents."""
    foot, center, loss = (np.zeros_like(part, dtype=float) for part in (run.foot, run.center, run.loss))
    for frame in (0, 2, -1):
        foot[frame] += weights[0]
        center[frame] += weights[1] * (1 + 0 * run.center[frame])
        loss[frame] += weights[2]
    total = (foot * run.foot).sum(axis=(0, 2)) + (center * run.center).sum(axis=(0, 2)) + (loss * run.loss).sum(axis=0)
    return total, {"foot": foot, "center": center, "loss": loss}


def differences(function, step=1e-5, most=1e-7):
    """The derivative at 0, by sixth-order central differences; no draw is so chaotic that the fourth differs."""
    ends = [function(k * step) - function(-k * step) for k in (1, 2, 3)]
    sixth = (45 * ends[0] - 9 * ends[1] + ends[2]) / (60 * step)
    fourth = (8 * ends[0] - ends[1]) / (12 * step)
    if currently_in_test_context():
        assume(np.abs(fourth - sixth).max() < most * (1 + np.abs(sixth).max()))
    return sixth


def balls_moved(roll, start, radius, lr, weights, step=1e-5):
    """The derivatives (d + 2, B) of J by each coordinate of the start, the radius and the learning rate.

    Every ball that is moved for them rolls in one run, in which none feels the others.
    """
    balls, dim = start.shape
    steps = np.array([1, -1, 2, -2, 3, -3]) * step
    to = np.repeat(np.vstack([np.eye(dim + 2)] * len(steps)) * np.repeat(steps, dim + 2)[:, None], balls, axis=0)
    to[:, dim + 1] /= 10  # the learning rate by a tenth of the others
    made = roll(np.tile(start, (len(to) // balls, 1)) + to[:, :dim], radius + to[:, dim], lr + to[:, dim + 1])
    totals = dict(zip(steps, observed(made, weights)[0].reshape(len(steps), dim + 2, balls), strict=True))
    found = differences(lambda by: totals[by], step)
    found[dim + 1] *= 10
    return found


def close(found, expected, size):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * size)


@pytest.mark.slow
@pytest.mark.parametrize("ground", GROUND)
@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=4)
@given(draw=st.data())
def test_backwards_forwards_and_differences_agree(method, ground, draw):
    number = lambda low, high: draw.draw(st.floats(low, high))  # noqa: E731
    dim, name, make = GROUND[ground]
    a, b, radius, lr = number(0.5, 1.5), number(0.5, 1.5), number(0.05, 0.3), number(0.01, 0.1)
    start = np.array([[number(-1.2, 1.2) for _axis in range(dim)] for _ball in range(2)])
    weights = np.array([1.0, -0.7, 0.4][:dim]), np.array([0.3, 0.5, -0.2, 0.8][: dim + 1]), 0.6

    def run(a=a, start=start, radius=radius, lr=lr, scale=1.0):
        surface = make(a, b)
        surface = surface.scaled(surface.loss_scale * scale)
        made = rb.simulate(
            surface, rb.Ball(np.broadcast_to(radius, len(start)).tolist()), METHODS[method](np.ravel(lr).tolist()),
            start=start, steps=STEPS, seed=5, gap=None,
        )  # fmt: skip
        assume(not any(rb.Status(status).failed for status in made.status))  # the draws depend on what else is imported
        return made

    first = run()
    _total, cotangent = observed(first, weights)
    back = rb.derivatives(first, cotangent, parameters=True)
    size = 1 + np.abs(back.start).max() + np.abs(back.lr).max() + np.abs(back.radius).max()
    if method == "entropy-sgd":  # whose noise is another for another ball: each is moved in a run of its own
        by_each = [differences(lambda h, to=to: observed(run(start=start + h * to), weights)[0]) for to in np.eye(dim)]
        by_each.append(differences(lambda h: observed(run(radius=radius + h), weights)[0]))
        by_each.append(differences(lambda h: observed(run(lr=lr + h / 10), weights)[0]) * 10)
    else:
        by_each = balls_moved(lambda *at: run(start=at[0], radius=at[1], lr=at[2]), start, radius, lr, weights)
    by_each = np.transpose(by_each)
    close(back.start, by_each[:, :dim], size)
    close(back.radius, by_each[:, dim], size)
    close(back.lr, by_each[:, dim + 1], size)
    scale = first.scene["surface"]["loss_scale"]
    close(back.loss_scale * scale, differences(lambda h: observed(run(scale=1 + h), weights)[0]), size)
    by_a = differences(lambda h: observed(run(a=a + h), weights)[0]).sum()
    if ground == "samples":
        close((back.parameters["heights"] * np.cos(np.arange(12.0) * b)).sum(), by_a, size)
    elif ground == "quadratic":
        found = back.parameters["matrix"][0, 0] + back.parameters["linear"][0] + back.parameters["constant"]
        close(found, by_a, size)
    else:
        close(back.parameters[name], by_a, size)
    ahead = rb.sensitivities(first, threads=2)
    feet = rb.derivatives(first, {"foot": cotangent["foot"]})
    np.testing.assert_allclose(
        np.einsum("tbi,tbij->bj", cotangent["foot"], ahead.start), feet.start, rtol=1e-9, atol=1e-12
    )
    for field in ("radius", "lr", "loss_scale"):
        column = (cotangent["foot"] * getattr(ahead, field)).sum(axis=(0, 2))
        np.testing.assert_allclose(column, getattr(feet, field), rtol=1e-9, atol=1e-11 * size)


FORMULA = GROUND["formula"][2](0.7, 1.3)
STARTS = [[0.3, -0.5], [-0.8, 0.2], [1.0, 0.9]]


def roll(method, radius=0.3, steps=20, surface=FORMULA, start=STARTS, **options):
    return rb.simulate(surface, rb.Ball(radius), method, start=start, steps=steps, gap=None, **options)


LAST = {"foot": [[1.0, 0.5], [0.2, -1.0], [0.7, 0.1]], "loss": [0.3, -1.0, 2.0]}


@pytest.mark.parametrize("method", [METHODS[name](0.03) for name in METHODS], ids=METHODS)
def test_steps_that_were_not_kept_are_computed_again(method):
    whole = rb.derivatives(roll(method), LAST, parameters=True)
    sparse = roll(method, every=7)
    assert len(sparse) == 4
    for again in (
        rb.derivatives(sparse, LAST, parameters=True),
        rb.derivatives(sparse, LAST, parameters=True, checkpoint_every=6),
        rb.derivatives(roll(method), LAST, parameters=True, checkpoint_every=1),
        rb.derivatives(roll(method), LAST, parameters=True, checkpoint_every=50, threads=3),
    ):
        for name in ("start", "radius", "lr", "loss_scale", "lr_steps", "radius_steps"):
            np.testing.assert_allclose(getattr(again, name), getattr(whole, name), rtol=1e-9, atol=1e-12)
        for name in "ab":
            np.testing.assert_allclose(again.parameters[name], whole.parameters[name], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        rb.sensitivities(sparse).start, rb.sensitivities(roll(method)).start, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("method", ["algorithm 1", "section 3.2", "sam"])
def test_every_step_of_a_schedule_has_its_own_derivative(method):
    radii, rates = np.linspace(0.4, 0.2, 5), np.geomspace(0.08, 0.02, 5)

    def run(radii=radii, rates=rates):
        rate = rb.Schedule(list(rates), kind="hold")
        return roll(METHODS[method](rate), rb.Schedule(list(radii), kind="hold"), steps=5)

    found = rb.derivatives(run(), {"loss": [1.0, 1.0, 1.0]})
    assert found.radius_steps.shape == found.lr_steps.shape == (5, 3)
    for k in range(5):
        moved = np.eye(5)[k]
        by_radius = differences(lambda h, moved=moved: run(radii=radii + h * moved).loss[-1])
        by_rate = differences(lambda h, moved=moved: run(rates=rates + h * moved).loss[-1], 1e-4)
        np.testing.assert_allclose(found.radius_steps[k], by_radius, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.lr_steps[k], by_rate, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(found.radius, found.radius_steps.sum(axis=0))


def test_a_ball_that_stopped_early_depends_on_the_steps_it_made():
    stop = rb.Stop(gradient=0.6)
    run = roll(METHODS["algorithm 1"](0.1), steps=60, stop=stop)
    assert (run.status == rb.Status.CONVERGED).any()
    assert len(set(run.steps)) > 1
    cotangent = {"loss": np.ones_like(run.loss)}  # of frames after the end too
    found = rb.derivatives(run, cotangent)
    for every in (None, 7):
        again = rb.derivatives(run, cotangent, checkpoint_every=every)
        np.testing.assert_allclose(again.start, found.start, rtol=1e-9)

    def total(h, axis):
        moved = roll(METHODS["algorithm 1"](0.1), steps=60, stop=stop, start=np.array(STARTS) + h * np.eye(2)[axis])
        assert moved.steps.tolist() == run.steps.tolist()
        return moved.loss.sum(axis=0)

    expected = np.transpose([differences(lambda h, axis=axis: total(h, axis), 1e-6) for axis in range(2)])
    np.testing.assert_allclose(found.start, expected, rtol=1e-6)


def test_the_closed_form_of_a_step_on_a_parabola(oracle):
    case = oracle("A01")
    k, x, y, theta = (case["inputs"] | case["expected"])["k"], 0.2, 1.7, case["expected"]["theta"]
    surface = S.formula("0.5*k*x**2", "x", {"k": k})
    bar, found = through_foot(k * theta**2 / 2 - y, k * theta, k, theta - x)
    assert found == 1
    assert bar == pytest.approx(case["expected"]["dtheta_dx"], abs=case["tol"])
    assert bar * k * theta == pytest.approx(case["expected"]["dtheta_dy"], abs=case["tol"])
    assert 1 / bar == pytest.approx(case["expected"]["J"], abs=1e-9)
    cotangents = np.array([-k * theta * bar]), np.array([[-(k * theta**2 / 2 - y) * bar]])
    by_k = parameter_cotangents(surface, np.array([[theta]]), *cotangents)["k"]
    assert by_k == pytest.approx(case["expected"]["dtheta_dk"], abs=case["tol"])
    foot = lambda dx, dy: rb.project(surface, [x + dx, y + dy], projection=EXACT).foot[0, 0]  # noqa: E731
    assert differences(lambda h: foot(h, 0.0)) == pytest.approx(case["expected"]["dtheta_dx"], abs=1e-9)
    assert differences(lambda h: foot(0.0, h)) == pytest.approx(case["expected"]["dtheta_dy"], abs=1e-9)


NUMERIC = Numeric(1)
PULL = foot_cotangent(NUMERIC)
VECTOR, MATRIX = NUMERIC.vector, NUMERIC.matrix


@wp.kernel(enable_backward=False)
def pull_kernel(drop: wp.float64, g: wp.float64, h: wp.float64, away: wp.float64, out: wp.array(dtype=wp.float64)):
    solved, found = PULL(drop, VECTOR(g), MATRIX(h), VECTOR(away), VECTOR(wp.float64(1.0)), wp.float64(1e-6))
    out[0] = solved[0]
    out[1] = wp.float64(found)


def through_foot(drop, gradient, hessian, away):
    out = wp.full(2, np.inf, dtype=wp.float64)
    wp.launch(pull_kernel, dim=1, inputs=[drop, gradient, hessian, away, out])
    return out.numpy()


def test_what_is_no_foot_or_a_focal_point_has_no_derivative():
    assert through_foot(-1.0, 0.0, 1.0, 0.0)[1] == 0  # f = x^2 / 2 from a unit above its minimum
    assert through_foot(-1.1, 0.0, 1.0, 0.0)[1] == 0  # a maximum of the distance
    assert through_foot(-0.9, 0.0, 1.0, 1e-3)[1] == -1
    assert through_foot(-0.9, 0.0, 1.0, 0.0).tolist() == pytest.approx([10.0, 1.0])


def test_a_ball_without_a_derivative_is_refused_or_marked():
    # at rest at the bottom of a parabola of curvature 1 the radius 1 has its focal point under it
    def run(radius):
        return roll(METHODS["algorithm 1"](0.1), [0.5, radius], 3, S.quadratic([[1.0]]), [0.0])

    cotangent = {"foot": [[1.0], [1.0]]}
    bad = run(1.0)
    found = rb.derivatives(bad, cotangent, parameters=True, throw=False)
    assert found.status[0] == rb.Status.RUNNING
    assert rb.Status(found.status[1]).failed
    assert found.start[1].tolist() == [0.0]
    good = rb.derivatives(run(0.9), {"foot": [[1.0], [0.0]]}, parameters=True)
    assert found.start[0, 0] == pytest.approx(good.start[0, 0])
    assert found.parameters["linear"] == pytest.approx(good.parameters["linear"])
    with pytest.raises(rb.BallError, match="ball 1"):
        rb.derivatives(bad, cotangent)
    ahead = rb.sensitivities(bad)
    assert rb.Status(ahead.status[1]).failed
    assert np.isfinite(ahead.start).all()
    assert np.isnan(ahead.exponents()[:, 1]).all()


def test_the_exponent_of_a_quadratic_is_the_logarithm_of_its_step():
    # gradient descent multiplies each axis by 1 - lr lambda: the largest of 0.9, 0.7 in size
    run = rb.simulate(S.quadratic([[1.0, 0], [0, 3.0]]), None, rb.GradientDescent(0.1), start=[1.0, 1.0], steps=9)
    np.testing.assert_allclose(rb.sensitivities(run).exponents(), np.log(0.9), rtol=1e-12)


def test_float32_runs_have_the_derivatives_of_their_float64_twins():
    runs = [roll(METHODS["algorithm 1"](0.03), dtype=dtype) for dtype in ("float32", "float64")]
    found = [rb.derivatives(run, LAST) for run in runs]
    for name in ("start", "radius", "lr"):
        np.testing.assert_allclose(getattr(found[0], name), getattr(found[1], name), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize(
    ("cotangent", "said"),
    [
        ({}, "foot, center and loss"),
        ({"fot": [1.0]}, "foot, center and loss"),
        ([1.0], "foot, center and loss"),
        ({"foot": np.ones((3, 3))}, r"cotangent.foot: got 'shape \(3, 3\)'"),
        ({"loss": [np.nan, 0, 0]}, "cotangent.loss"),
    ],
)
def test_a_wrong_cotangent_is_refused_before_anything_is_compiled(plain, cotangent, said, no_compiling):
    with pytest.raises(rb.InputError, match=said):
        rb.derivatives(plain, cotangent)


@pytest.fixture(scope="module")
def plain():
    return roll(METHODS["algorithm 1"](0.03), steps=3)


def test_wrong_runs_are_refused(plain):
    with pytest.raises(rb.InputError, match="first frame on"):
        rb.derivatives(plain[1:], LAST)
    with pytest.raises(rb.InputError, match="trajectory"):
        rb.derivatives(3, LAST)
    with pytest.raises(rb.InputError, match="checkpoint_every"):
        rb.derivatives(plain, LAST, checkpoint_every=0)


@pytest.mark.cuda
def test_on_a_cuda_device_they_are_the_same(cuda):
    here, there = (roll(METHODS["algorithm 1"](0.03), device=device) for device in ("cpu", cuda))
    for name in ("start", "radius", "lr"):
        np.testing.assert_allclose(
            getattr(rb.derivatives(there, LAST), name), getattr(rb.derivatives(here, LAST), name), rtol=1e-9, atol=1e-12
        )
