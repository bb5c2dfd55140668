"""Feet found by Newton are local footpoints: R = 0, A positive definite, nearer than where the search began."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

import rollingball as rb

SURFACES = {
    "sine": rb.surfaces.sine(),
    "quadratic": rb.surfaces.quadratic([[2.0, 0.5], [0.5, 1.0]], [0.3, -0.2]),
    "wells": rb.surfaces.gaussian_wells(count=200, width=0.3, seed=1),
    "rastrigin": rb.surfaces.rastrigin(amplitude=1.0),
    "rosenbrock": rb.surfaces.rosenbrock(dim=3, b=2.0),
}
# below 1e-60 the products of gradients underflow, and beside a maximum of the distance no way down is found
START = st.floats(-1.5, 1.5).map(lambda x: x if abs(x) > 1e-60 else 0.0)
CASES = st.tuples(st.lists(START, min_size=3, max_size=3), st.floats(1e-3, 4.0), st.floats(1e-4, 0.1))


LOCAL = rb.NewtonProjection()
FOOT = rb.FootpointRBO(0.01, LOCAL)


def one_step(surface, start, radius, lr, projection=LOCAL):
    run = rb.simulate(surface, rb.Ball(radius), rb.FootpointRBO(lr, projection), start=start, steps=1, gap=None)
    candidate = run.center[0, 0].copy()
    g = surface.gradient(run.foot[0, 0])
    candidate[:-1] -= lr * g
    candidate[-1] -= lr * g @ g
    return run, candidate


def residual_and_curvature(surface, x, candidate):
    drop, g = surface.value(x) - candidate[-1], surface.gradient(x)
    a = np.eye(surface.dim) + np.outer(g, g) + drop * surface.hessian(x)
    return x - candidate[:-1] + drop * g, a


def square(surface, x, candidate):
    return ((x - candidate[:-1]) ** 2).sum() + (surface.value(x) - candidate[-1]) ** 2


@pytest.mark.parametrize("name", SURFACES)
@given(case=CASES)
def test_a_newton_foot_is_a_strict_local_minimum_of_the_distance(name, case):
    surface, (start, radius, lr) = SURFACES[name], case
    run, candidate = one_step(surface, start[: surface.dim], radius, lr)
    assert run.status[0] == rb.Status.RUNNING
    foot = run.foot[1, 0]
    r, a = residual_and_curvature(surface, foot, candidate)
    lowest = np.linalg.eigvalsh(a).min()
    assert lowest > 0
    assert np.linalg.norm(np.linalg.solve(a, r)) <= 1e-9
    assert square(surface, foot, candidate) <= square(surface, run.foot[0, 0], candidate) * (1 + 1e-12)
    assert run.residual[1, 0] == pytest.approx(np.linalg.norm(r), abs=1e-11 * (1 + np.abs(a).max()))


@pytest.mark.parametrize("radius", [1e-12, 1e-9, 1e-6, 1e-3, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("start", [-2.7, -1.6, 0.3, 1.0, 1.5])
def test_feet_are_exact_to_1e_9_down_to_radius_1e_12(radius, start):
    run, (c, cy) = one_step(SURFACES["sine"], [start], radius, 0.05)
    # below the reach the footpoint condition has one root near the foot; bracket it without Newton
    root = brentq(lambda x: (x - c) + (np.sin(x) - cy) * np.cos(x), c - 0.99, c + 0.99, xtol=1e-15)
    assert abs(run.foot[1, 0, 0] - root) <= 1e-9


def test_a_maximum_of_the_distance_is_left():
    # the centre lies over the bottom of a parabola, beyond its focal point: the bottom is the farthest point nearby
    run, _ = one_step(rb.surfaces.quadratic([[2.0]]), [0.0], 1.0, 0.1)
    assert abs(run.foot[1, 0, 0]) == pytest.approx(np.sqrt(0.5), abs=1e-9)  # of x^2 + (x^2 - 1)^2


def test_a_saddle_of_the_distance_is_left():
    # focal only along the first axis
    run, _ = one_step(rb.surfaces.quadratic([[2.0, 0], [0, 0.1]]), [0.0, 0.0], 1.0, 0.1)
    assert abs(run.foot[1, 0, 0]) == pytest.approx(np.sqrt(0.5), abs=1e-9)
    assert abs(run.foot[1, 0, 1]) <= 1e-9


def test_a_degenerate_foot_is_found_where_the_radius_is_exactly_focal():
    run, _ = one_step(rb.surfaces.quadratic([[1.0]]), [0.0], 1.0, 0.1)
    assert run.status[0] in (rb.Status.RUNNING, rb.Status.FOCAL_POINT)
    assert abs(run.foot[1, 0, 0]) <= 1e-4


STEEP = {
    "rosenbrock": (rb.surfaces.rosenbrock(), 1e-4, (-2, 2)),
    "rastrigin, tall": (rb.surfaces.rastrigin(loss_scale=1e3), 1e-4, (-2, 2)),
    "rastrigin, far": (rb.surfaces.rastrigin(), 1e-4, (1000, 1001)),
    "himmelblau": (rb.surfaces.himmelblau(), 1e-3, (-4, 4)),
    "riemann": (rb.surfaces.riemann(), 1e-3, (-2, 2)),
}


@pytest.mark.parametrize("name", STEEP)
def test_feet_are_found_where_the_valley_of_the_distance_bends(name):
    surface, lr, (low, high) = STEEP[name]
    random = np.random.default_rng(0)
    start, radius = random.uniform(low, high, (60, surface.dim)), random.uniform(0.1, 3, 60)
    run = rb.simulate(surface, rb.Ball(radius), rb.FootpointRBO(lr, LOCAL), start=start, steps=1, gap=None)
    assert (run.status == rb.Status.RUNNING).all()
    scale = surface.loss_scale
    for ball in range(60):
        candidate = run.center[0, ball].copy()
        g = scale * surface.gradient(start[ball])
        candidate -= lr / scale * np.append(g, g @ g)
        foot = run.foot[1, ball]
        drop, g = scale * surface.value(foot) - candidate[-1], scale * surface.gradient(foot)
        a = np.eye(surface.dim) + np.outer(g, g) + drop * scale * surface.hessian(foot)
        assert np.linalg.eigvalsh(a).min() > 0
        assert np.linalg.norm(np.linalg.solve(a, foot - candidate[:-1] + drop * g)) <= 1e-9


@pytest.mark.parametrize("radius", [1e6, 1e8])
def test_a_huge_ball_has_an_exact_foot_too(radius):
    surface, start = rb.surfaces.sine(dim=2), np.random.default_rng(1).uniform(-1, 1, (40, 2))
    run = rb.simulate(surface, rb.Ball(radius), rb.FootpointRBO(1e-3, LOCAL), start=start, steps=1, gap=None)
    for ball in range(40):
        candidate = run.center[0, ball].copy()
        g = surface.gradient(start[ball])
        candidate -= 1e-3 * np.append(g, g @ g)
        r, a = residual_and_curvature(surface, run.foot[1, ball], candidate)
        assert np.linalg.norm(np.linalg.solve(a, r)) <= 1e-9


@pytest.mark.parametrize("steepest", [-1.0, -100.0, -1e6])
@pytest.mark.parametrize("dim", [2, 3, 8])
def test_a_saddle_is_left_along_its_one_falling_direction(dim, steepest):
    diagonal = np.full(dim, 0.5)
    diagonal[0], diagonal[-1] = steepest, 1.5  # only the last is focal for radius 1
    turn = np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0]
    surface = rb.surfaces.quadratic(turn @ np.diag(diagonal) @ turn.T)
    run = rb.simulate(surface, rb.Ball(1.0), rb.FootpointRBO(1e-9, LOCAL), start=np.zeros(dim), steps=1, gap=None)
    assert run.status[0] == rb.Status.RUNNING
    along = np.abs(turn.T @ run.foot[1, 0])
    # of x^2 + (3/4 x^2 - 1)^2, as in a parabola of curvature 1.5
    assert along[-1] == pytest.approx(2 / 3, abs=1e-6)
    np.testing.assert_allclose(along[:-1], 0, atol=1e-6)


@pytest.mark.parametrize("text", ["abs(x)", "abs(x) + x/10", "abs(x)**1.5"])
def test_a_kink_is_no_foot_because_its_derivatives_vanish(text):
    run = rb.simulate(rb.formula(text), rb.Ball(0.5), rb.FootpointRBO(1e-6, LOCAL), start=[0.0], steps=1)
    assert abs(run.foot[1, 0, 0]) > 0.1


def test_a_ball_over_the_tip_of_a_cone_is_focal():
    run = rb.simulate(rb.surfaces.ackley(), rb.Ball(1e-3), FOOT, start=[0.0, 0.0], steps=1)
    assert run.status[0] == rb.Status.FOCAL_POINT  # a whole circle of the cone is equally near
    assert run.gap[0, 0] < 0


def test_too_few_iterations_are_owned_up_to_and_the_last_good_foot_kept():
    run, _ = one_step(SURFACES["rastrigin"], [0.3, 0.4], 2.0, 0.1, projection=rb.NewtonProjection(max_iterations=1))
    assert run.status[0] == rb.Status.NO_FOOT
    assert (run.foot[1] == run.foot[0]).all()
    assert run.evaluations[0] > 2  # those of the failed step count


def test_a_rough_slope_still_ends_at_feet():
    surface = rb.surfaces.riemann()
    run = rb.simulate(surface, rb.Ball(1.0), rb.FootpointRBO(1e-3, LOCAL), start=[2.0], steps=300, gap=None)
    assert run.status[0] == rb.Status.RUNNING
    curvature = 1 + np.abs(surface.hessian(run.foot[1:, 0]).ravel())  # |A| near its size, at heights near 1
    assert (run.residual[1:, 0] <= 1e-10 * 3 * curvature).all()


def test_the_paper_projector_says_when_it_diverges_and_rolls_on():
    projection = rb.GradientProjection(steps=20, step_size=0.05)
    method = rb.FootpointRBO(1e-3, projection=projection)
    run = rb.simulate(rb.surfaces.riemann(), rb.Ball([0.01, 0.1, 1.0]), method, start=[2.0], steps=50)
    assert (run.status == rb.Status.DIVERGED).all()
    assert (run.steps == 50).all()
    assert "diverged" in run.messages()[0]


def test_the_paper_projector_is_not_blamed_where_it_descends():
    method = rb.FootpointRBO(0.01, projection=rb.GradientProjection(steps=50, step_size=0.1))
    run = rb.simulate(SURFACES["sine"], rb.Ball(0.5), method, start=[1.0], steps=50)
    assert run.status[0] == rb.Status.RUNNING


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: rb.GradientProjection(steps=0), "steps"),
        (lambda: rb.GradientProjection(steps=2.5), "steps"),
        (lambda: rb.GradientProjection(step_size=-1.0), "step_size"),
        (lambda: rb.NewtonProjection(tol=0.0), "tol"),
        (lambda: rb.NewtonProjection(tol=float("nan")), "tol"),
        (lambda: rb.NewtonProjection(max_iterations=0), "max_iterations"),
    ],
)
def test_bad_settings_name_their_field(make, field, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()
