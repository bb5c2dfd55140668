"""The ironed loss is what a ball feels: a surface like any other, with the derivatives of its envelope."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollingball as rb

S = rb.surfaces
TROUGH = S.max_of_planes([[1.0, 0.5], [-1.0, 0.5]])


def waves(amplitudes, phases=(0.0, 1.0, 2.0), frequencies=((1.0,), (2.0,), (3.3,)), **options):
    """A smooth loss of three waves; what is drawn are numbers, so that one kernel serves all."""
    return S.cosine_sum(list(amplitudes), [list(f) for f in frequencies], list(phases), **options)


DRAWN = {
    "amplitudes": st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    "phases": st.lists(st.floats(0, 6), min_size=3, max_size=3),
    "x": st.floats(-4, 4),
    "rho": st.floats(0.05, 4),
}


# What it is


@given(**DRAWN, scale=st.floats(0.1, 10))
def test_its_graph_is_the_height_of_the_ball(amplitudes, phases, x, rho, scale):
    base = waves(amplitudes, phases, loss_scale=scale)
    ironed, resting = rb.ironed(base, rho), rb.contacts(base, x, rho)
    assert ironed.loss_scale == scale
    assert scale * ironed.value(x) == pytest.approx(resting.height[0], abs=1e-12 * (1 + scale))
    np.testing.assert_allclose(scale * ironed.gradient(x), resting.slope[0], atol=1e-12 * (1 + scale))
    assert ironed.contacts(x).height[0] == resting.height[0]
    assert ironed.kinks(x)[0] == (resting.count[0] > 1)


def test_a_scale_put_on_later_stretches_the_offset():
    base, x = S.sine(), np.linspace(-3, 3, 13)[:, None]
    ironed = rb.ironed(base, 2.0)
    np.testing.assert_allclose(ironed.scaled(3.0).value(x), ironed.value(x), rtol=1e-14)
    assert ironed.scaled(3.0).loss_scale == 3.0
    # to stretch the loss and then to roll on it is another thing
    assert np.abs(rb.ironed(base.scaled(3.0), 2.0).value(x) - ironed.value(x)).max() > 0.1


@given(**DRAWN)
def test_its_gradient_and_hessian_are_differences_of_its_value(amplitudes, phases, x, rho):
    ironed = rb.ironed(waves(amplitudes, phases), rho)
    step = 1e-4
    there = x + step * np.arange(-2, 3)[:, None]
    f, g = ironed.value(there), ironed.gradient(there)[:, 0]
    feet = ironed.contacts(there)
    smooth = (feet.count == 1).all() and np.abs(np.diff(feet.feet[:, 0, 0])).max() < 20 * step
    if not smooth:  # a kink, or a contact that moves fast, which is where one begins
        return
    assert g[2] == pytest.approx((f[0] - 8 * f[1] + 8 * f[3] - f[4]) / (12 * step), abs=1e-5)
    bend = ironed.hessian([x])[0, 0]
    assert bend == pytest.approx((g[0] - 8 * g[1] + 8 * g[3] - g[4]) / (12 * step), abs=1e-3 * (1 + abs(bend)))
    assert bend >= -((1 + g[2] ** 2) ** 1.5) / rho - 1e-9  # a ball is never rolled off a sharper ridge than its own


def test_in_the_plane_too():
    ironed = rb.ironed(S.quadratic([[1.0, 0.4], [0.4, -0.6]], [0.2, -0.3]), 0.7)
    step = 1e-5
    for x in np.random.default_rng(0).uniform(-1, 1, (10, 2)):
        moves = step * np.vstack([np.eye(2), -np.eye(2)])
        f, g = ironed.value(x + moves), ironed.gradient(x + moves)
        np.testing.assert_allclose(ironed.gradient(x), (f[:2] - f[2:]) / (2 * step), atol=1e-8)
        bend = ironed.hessian(x)
        np.testing.assert_allclose(bend, (g[:2] - g[2:]) / (2 * step), atol=1e-7)
        np.testing.assert_allclose(bend, bend.T, atol=1e-15)


@pytest.mark.parametrize("rho", [0.5, 1.0, 2.5])
def test_over_a_ridge_the_hessian_is_that_of_the_ball(rho):
    ironed = rb.ironed(rb.formula("-S*abs(x)", constants={"S": 0.75}), rho)
    x = 0.5 * rho * 0.6
    cap = np.sqrt(rho**2 - x**2)
    assert ironed.value(x) == pytest.approx(cap, abs=1e-12)
    assert ironed.gradient(x)[0] == pytest.approx(-x / cap, abs=1e-9)
    assert ironed.hessian([x])[0, 0] == pytest.approx(-(rho**2) / cap**3, abs=1e-8)


# Kinks


def test_at_a_kink_there_are_two_slopes_and_no_silent_average(oracle):
    case = oracle("A04")
    k, rho = float(case["inputs"]["k"]), float(case["inputs"]["rho"])
    ironed = rb.ironed(S.quadratic([[k]]), rho, search=rb.GlobalProjection(tie=1e-13))
    left, right = ironed.gradient([[-1e-11], [1e-11]])[:, 0]
    assert left == pytest.approx(case["expected"]["left"], abs=case["tol"])
    assert right == pytest.approx(case["expected"]["right"], abs=case["tol"])
    assert ironed.contacts(0.0).count[0] == 2
    slopes = np.sort(ironed.contacts(0.0).slopes[0, :, 0])
    np.testing.assert_allclose(slopes, [case["expected"]["left"], case["expected"]["right"]], atol=case["tol"])
    assert ironed.kinks([[0.0], [0.3]]).tolist() == [True, False]
    bend = ironed.hessian([[0.0], [0.3]])
    assert np.isnan(bend[0]).all()
    assert np.isfinite(bend[1]).all()
    assert np.isnan(ironed.hessian([0.0])).all()
    assert ironed.gradient([0.0])[0] == 0  # the ball rests: this is the point of least norm


def test_in_a_trough_the_gradient_points_along_it():
    ironed = rb.ironed(TROUGH, 1.0)
    np.testing.assert_allclose(ironed.gradient([0.0, 0.7]), [0.0, 0.5], atol=1e-12)
    assert ironed.kinks([0.0, 0.7])[0]
    assert not ironed.kinks([0.2, 0.7])[0]
    # and a ball on it slides down at that rate: the flow of the ironed loss, y' = -a
    run = rb.simulate(ironed, None, rb.GradientDescent(0.01), start=[0.0, 0.7], steps=100)
    assert run.foot[-1, 0, 1] == pytest.approx(0.7 - 0.5, abs=1e-9)
    assert abs(run.foot[-1, 0, 0]) <= 1e-9


@given(**DRAWN)
def test_kinks_are_valleys_never_ridges(amplitudes, phases, x, rho):
    # with L above all slopes, f_rho + (1 + L^2)^(3/2) / (2 rho) x^2 is convex
    base = waves(amplitudes, phases)
    steep = np.abs(np.multiply(amplitudes, [1, 2, 3.3])).sum()
    there = np.linspace(x - 1, x + 1, 41)
    f = rb.ironed(base, rho).value(there[:, None]) + (1 + steep**2) ** 1.5 / (2 * rho) * there**2
    assert (f[:-2] - 2 * f[1:-1] + f[2:] >= -1e-9 * (1 + np.abs(f).max())).all()


# Semigroup


def test_ironing_twice(oracle):
    case = oracle("P01")
    given, expected = case["inputs"], case["expected"]["f_0p9"]
    parabola = S.quadratic([[float(given["k"])]])
    once = rb.ironed(parabola, given["r1"] + given["r2"])
    twice = rb.ironed(rb.ironed(parabola, given["r1"]), given["r2"])
    for ironed in (once, twice):
        assert ironed.value(given["x"]) == pytest.approx(expected, abs=case["tol"])
    assert twice.gradient(given["x"]) == pytest.approx(once.gradient(given["x"]), abs=1e-6)


@settings(max_examples=15)
@given(
    amplitudes=DRAWN["amplitudes"],
    phases=DRAWN["phases"],
    x=DRAWN["x"],
    r=st.floats(0.1, 1.5),
    s=st.floats(0.1, 1.5),
)
def test_a_ball_on_an_ironed_loss_is_a_larger_ball(amplitudes, phases, x, r, s):
    base = waves(amplitudes, phases)
    twice = rb.contacts(rb.ironed(base, r), x, s)
    assert twice.height[0] == pytest.approx(rb.contacts(base, x, r + s).height[0], abs=1e-8)
    assert twice.certified[0] != rb.Certificate.PROVEN  # an ironed surface knows no bounds


@given(x=st.floats(-4, 4), rho=st.floats(0.1, 3))
def test_from_the_offset_the_graph_is_as_far_as_the_radius_and_the_offset_itself_is_under_the_ball(x, rho):
    ironed = rb.ironed(S.sine(), rho)
    near = rb.project(S.sine(), [x, ironed.value(x)])
    assert near.distance[0] == pytest.approx(rho, abs=1e-9)


# The flow


@pytest.mark.parametrize(
    ("rho", "end", "told"),
    [(0.5, 1.0, (0.0259, 0.0133, 0.00675, 0.00340)), (3.0, 3.0, (0.0478, 0.0251, 0.0129, 0.00647))],
)
def test_algorithm_1_tends_to_the_gradient_flow_of_the_ironed_loss(rho, end, told):
    # theory, section 3: the difference halves with the learning rate, below the reach and far beyond it
    ironed, fine = rb.ironed(S.sine(), rho), 5e-5
    errors, flow = [], None
    for eta in (0.1, 0.05, 0.025, 0.0125):
        steps = round(end / eta)
        method = rb.FootpointRBO(eta, projection=rb.GlobalProjection())
        run = rb.simulate(S.sine(), rb.Ball(rho), method, start=[1.2], steps=steps, lift=True, gap=None)
        if flow is None:
            begin = run.center[0, 0, :1]
            descent = rb.GradientDescent(fine)
            flow = rb.simulate(ironed, None, descent, start=begin, steps=round(end / fine), every=round(0.0125 / fine))
        same_times = flow.foot[:: round(eta / 0.0125), 0, 0]
        errors.append(np.abs(run.center[:, 0, 0] - same_times).max())
    np.testing.assert_allclose(errors, told, rtol=0.02)


# Any method runs on it


@pytest.mark.parametrize(
    "method",
    [
        rb.GradientDescent(0.05),
        rb.HeavyBall(0.05),
        rb.SAM(0.05),
        rb.EntropySGD(0.05),
        rb.FootpointRBO(0.05),
        rb.DistanceRBO(0.05),
    ],
    ids=lambda method: type(method).__name__,
)
def test_any_method_runs_on_it(method):
    ironed = rb.ironed(S.sine(), 0.5)
    ball = rb.Ball(0.2) if method.uses_radius else None
    run = rb.simulate(ironed, ball, method, start=[0.9], steps=20)
    assert run.status[0] == rb.Status.RUNNING
    assert np.isfinite(run.foot).all()
    if not isinstance(method, rb.EntropySGD):
        assert run.loss[-1, 0] < run.loss[0, 0]


def test_a_ball_on_an_ironed_loss_moves_as_a_larger_ball_on_the_loss():
    # the centre of a ball of radius 0.2 on the offset of 0.5 is that of a ball of radius 0.7 on the loss
    ironed, eta, steps = rb.ironed(S.sine(), 0.5), 1e-3, 400
    small = rb.simulate(ironed, rb.Ball(0.2), rb.FootpointRBO(eta), start=[0.9], steps=steps, gap=None)
    foot = ironed.contacts(0.9).feet[0, 0]
    large = rb.simulate(S.sine(), rb.Ball(0.7), rb.FootpointRBO(eta), start=foot, steps=steps, gap=None)
    np.testing.assert_allclose(small.center[0], large.center[0], atol=1e-9)
    np.testing.assert_allclose(small.center[-1], large.center[-1], atol=5e-3)


def test_single_precision_runs_use_the_exact_offset():
    ironed = rb.ironed(S.sine(), 2.0)
    runs = [
        rb.simulate(ironed, None, rb.GradientDescent(0.05), start=[0.9], steps=40, dtype=dtype)
        for dtype in ("float32", "float64")
    ]
    np.testing.assert_allclose(runs[0].foot, runs[1].foot, atol=1e-5)
    np.testing.assert_allclose(runs[0].loss, runs[1].loss, atol=1e-6)


def test_where_there_is_no_graph_there_is_no_offset():
    ironed = rb.ironed(S.bowl(), 0.3, search=rb.GlobalProjection(nodes=2000))
    values = ironed.value([[0.1, 0.0], [3.0, 0.0]])
    assert values[0] == pytest.approx(1 - np.sqrt(0.49 - 0.01), abs=1e-9)
    assert np.isnan(values[1])


# The quick one


def test_the_quick_one_tends_to_the_exact_one_with_the_square_of_the_spacing():
    exact = rb.ironed(S.sine(), 0.6)
    x = np.random.default_rng(0).uniform(-2.5, 2.5, (200, 1))  # below the reach there are no kinks
    errors = []
    for spacing in (0.04, 0.02, 0.01):
        quick = rb.ironed(S.sine(), 0.6, box=[[-3.0, 3.0]], spacing=spacing)
        errors.append(np.abs(quick.value(x) - exact.value(x)).max())
    errors = np.array(errors)
    assert errors[0] <= 2 * 0.04**2 * (1 + 1 / 0.6)
    assert (errors[1:] <= errors[:-1] / 3).all()


def test_the_quick_one_is_close_at_kinks_too_and_ends_at_its_box():
    exact = rb.ironed(S.sine(), 2.0)
    quick = rb.ironed(S.sine(), 2.0, box=[[-3.0, 3.0]], spacing=0.01)
    x = np.linspace(-3, 3, 601)[:, None]
    assert np.abs(quick.value(x) - exact.value(x)).max() <= 0.02
    assert np.isnan(quick.value([[-3.01], [3.01]])).all()
    smooth = np.abs(x[:, 0] + np.pi / 2) > 0.1
    assert np.abs(quick.value(x) - exact.value(x))[smooth].max() <= 4e-4


def test_the_quick_one_in_the_plane_and_scaled():
    base = S.quadratic([[1.0, 0.2], [0.2, -0.7]], loss_scale=0.8)
    exact = rb.ironed(base, 0.5)
    quick = rb.ironed(base, 0.5, box=[[-1.0, 1.0], [-1.0, 1.0]], spacing=0.02)
    assert quick.loss_scale == 0.8
    x = np.random.default_rng(1).uniform(-1, 1, (100, 2))
    assert np.abs(quick.value(x) - exact.value(x)).max() <= 1e-3
    assert np.abs(quick.gradient(x) - exact.gradient(x)).max() <= 0.1
    run = rb.simulate(quick, None, rb.GradientDescent(0.05), start=[0.5, 0.1], steps=10)
    assert run.status[0] == rb.Status.RUNNING


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: rb.ironed("sine", 1.0), "surface"),
        (lambda: rb.ironed(S.sine(), 0.0), "radius"),
        (lambda: rb.ironed(S.sine(), [1.0, 2.0]), "radius"),
        (lambda: rb.ironed(S.sine(), float("inf")), "radius"),
        (lambda: rb.ironed(S.sine(), 1.0, search="exact"), "search"),
        (lambda: rb.ironed(S.sine(), 1.0, box=[[-1.0, 1.0]]), "spacing"),
        (lambda: rb.ironed(S.sine(), 1.0, spacing=0.1), "spacing"),
        (lambda: rb.ironed(S.sine(), 1.0, box=[[-1.0, 1.0]], spacing=0.0), "spacing"),
        (lambda: rb.ironed(S.sine(), 1.0, box=[[-1.0, 1.0]], spacing=0.6), "spacing"),
        (lambda: rb.ironed(S.sine(), 1.0, box=[[1.0, -1.0]], spacing=0.1), "box"),
        (lambda: rb.ironed(S.sine(dim=3), 1.0, box=[[-1.0, 1.0]] * 3, spacing=0.1), "box"),
    ],
)
def test_bad_arguments_name_their_field(make, field, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()
