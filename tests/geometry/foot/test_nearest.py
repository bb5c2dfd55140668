"""Nearest points are the nearest of the whole graph: closed forms, brute force, and certificates that are not loose."""

import functools
from typing import Any

import numpy as np
import pytest
import warp as wp
from hypothesis import given
from hypothesis import strategies as st

import rollingball as rb

S = rb.surfaces
PROVEN, ESTIMATED, NONE = rb.Certificate.PROVEN, rb.Certificate.ESTIMATED, rb.Certificate.NONE
RIPPLE = "A*sin(B*x) + C*x**2"


def height(surface, x):
    return surface.loss_scale * surface.value(x)


def distance_to(surface, point, x):
    return np.hypot(np.linalg.norm(x - point[:-1]), height(surface, x) - point[-1])


# Closed forms


def test_the_foot_on_a_plane(oracle):
    case = oracle("G01")
    given, expected = case["inputs"], case["expected"]
    plane = S.plane(given["a"], given["b"])
    found = rb.project(plane, [*given["x"], given["y"]])
    np.testing.assert_allclose(found.foot[0], expected["foot"], atol=case["tol"])
    assert plane.value(found.foot[0]) == pytest.approx(expected["foot_f"], abs=case["tol"])
    assert found.distance[0] == pytest.approx(expected["dist"], abs=case["tol"])
    assert found.residual[0] <= case["tol"]
    assert found.count[0] == 1
    assert found.above[0]
    assert found.certified[0] == PROVEN  # in more than two dimensions too


def test_the_foot_on_a_parabola(oracle):
    case = oracle("A01")
    given, expected = case["inputs"], case["expected"]
    k, point = given["k"], np.array([given["x"], given["y"]])
    parabola = S.quadratic([[k]])
    found = rb.project(parabola, point)
    assert found.foot[0, 0] == pytest.approx(expected["theta"], abs=case["tol"])
    assert found.certified[0] == PROVEN
    # the gradient of the distance is the unit vector from the foot
    step = 1e-5
    moved = rb.project(parabola, point + step * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]))
    slope = (moved.distance[::2] - moved.distance[1::2]) / (2 * step)
    np.testing.assert_allclose(slope, expected["grad_d"], atol=1e-9)
    theta = moved.foot[:, 0]
    np.testing.assert_allclose(
        (theta[::2] - theta[1::2]) / (2 * step), [expected["dtheta_dx"], expected["dtheta_dy"]], atol=1e-8
    )


def paraboloid_distance(k, aside, up):
    """Of k r^2 / 2 from a point ``aside`` from its axis at height ``up``: the least over the roots of a cubic."""
    roots = np.roots([k * k / 2, 0, 1 - k * up, -aside])
    r = roots[np.abs(roots.imag) < 1e-6 * (1 + np.abs(roots))].real
    for _ in range(3):
        bend = 1.5 * k * k * r * r + 1 - k * up
        r = r - np.where(np.abs(bend) > 1e-8, ((k * k / 2 * r * r + 1 - k * up) * r - aside) / bend, 0)
    return np.hypot(r - aside, k * r * r / 2 - up).min()


@pytest.mark.parametrize("dim", [1, 2, 3, 8])
@given(
    k=st.floats(-3, 3).filter(lambda k: abs(k) > 0.05),
    aside=st.floats(0, 3),
    up=st.floats(-3, 3),
    seed=st.integers(0, 99),
)
def test_the_distance_to_a_paraboloid_on_either_side_of_it(dim, k, aside, up, seed):
    random = np.random.default_rng(seed)
    b = random.normal(size=dim)
    axis, direction = -b / k, random.normal(size=dim)
    direction /= np.linalg.norm(direction)
    bottom = -b @ b / (2 * k)
    surface = S.quadratic(k * np.eye(dim), b)
    point = np.append(axis + aside * direction, bottom + up)
    found = rb.project(surface, point, rb.GlobalProjection(nodes=3000))  # on the axis there is a ring of feet
    assert found.distance[0] == pytest.approx(paraboloid_distance(k, aside, up), abs=1e-9)
    assert found.distance[0] == pytest.approx(distance_to(surface, point, found.foot[0]), abs=1e-12)
    assert found.residual[0] <= (1e-8 if aside > 1e-3 else 1e-6)  # along a ring nothing pulls, and Newton is slow
    assert found.above[0] == (up >= k * aside * aside / 2) or abs(up - k * aside * aside / 2) < 1e-9
    w, over = np.sqrt(1 + (k * (found.foot[0] - axis) ** 2).sum() * k), up - k * aside * aside / 2
    below_reach = abs(k) * found.distance[0] / w
    if dim == 1 or (below_reach < 0.999 / w and over > 1e-9) or (below_reach < 0.9 and w < 5 and over > 1e-9):
        assert found.certified[0] == PROVEN
    if dim > 2 and (below_reach > 1.001 or over < -1e-9):
        assert found.certified[0] == NONE


def test_an_ellipsoidal_bowl_in_eight_dimensions_below_its_reach():
    # below the upper reach the foot of p + t nu(p) is p
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(8, 8)))[0]
    a = turn @ np.diag(np.linspace(0.1, 0.9, 8)) @ turn.T
    surface, p = S.quadratic(a), random.normal(size=(50, 8))
    g = p @ a
    w = np.sqrt(1 + (g * g).sum(axis=1))[:, None]
    t = random.uniform(0, 0.99, (50, 1))
    points = np.hstack([p - t * g / w, (0.5 * (p * g).sum(axis=1))[:, None] + t / w])
    found = rb.project(surface, points)
    np.testing.assert_allclose(found.foot, p, atol=1e-8)
    np.testing.assert_allclose(found.distance, t[:, 0], atol=1e-9)
    assert (found.certified == PROVEN).all()


# The medial axis


@given(k=st.floats(0.2, 5), beyond=st.floats(0.05, 3))
def test_above_the_focal_point_of_a_parabola_both_feet_are_told_and_nothing_is_averaged(k, beyond):
    up = 1 / k + beyond
    found = rb.project(S.quadratic([[k]]), [0.0, up])
    aside = np.sqrt(2 * beyond / k)
    assert found.on_medial_axis[0]
    assert found.count[0] == 2
    np.testing.assert_allclose(np.sort(found.feet[0, :, 0]), [-aside, aside], atol=1e-8)
    assert abs(found.foot[0, 0]) == pytest.approx(aside, abs=1e-8)
    assert found.distance[0] == pytest.approx(np.hypot(aside, k * aside**2 / 2 - up), abs=1e-12)
    assert found.certified[0] == PROVEN


@given(k=st.floats(0.2, 5), share=st.floats(-2, 0.95))
def test_below_the_focal_point_the_vertex_is_the_one_foot(k, share):
    found = rb.project(S.quadratic([[k]]), [0.0, share / k])
    assert abs(found.foot[0, 0]) <= 1e-8
    assert found.count[0] == 1
    assert not found.on_medial_axis[0]
    assert found.distance[0] == pytest.approx(abs(share) / k, abs=1e-12)


def test_beside_the_medial_axis_the_foot_is_on_the_same_side():
    aside = np.array([-1e-3, -1e-6, 1e-6, 1e-3])
    found = rb.project(S.quadratic([[2.0]]), np.stack([aside, np.full(4, 2.0)], axis=1))
    assert (found.count == 1).all()
    assert (np.sign(found.foot[:, 0]) == np.sign(aside)).all()


def test_over_the_axis_of_a_paraboloid_there_is_a_ring_of_feet():
    found = rb.project(S.quadratic(2 * np.eye(2)), [[0.0, 0.0, 1.5]], rb.GlobalProjection(nodes=20_000))
    assert found.count[0] == 8  # as many as are kept
    np.testing.assert_allclose(np.linalg.norm(found.feet[0], axis=1), 1.0, atol=1e-8)  # x^2 + (x^2 - 1.5)^2
    assert found.distance[0] == pytest.approx(np.sqrt(1.25), abs=1e-12)
    assert found.status[0] == rb.Status.CONVERGED
    assert found.certified[0] == PROVEN  # that none is nearer: of infinitely many


def test_between_two_crests_or_troughs_of_a_sine():
    found = rb.project(S.sine(), [[-np.pi / 2, 3.0], [np.pi / 2, -3.0], [1.0, np.sin(1.0)]])
    assert found.count.tolist() == [2, 2, 1]
    assert found.above.tolist() == [True, False, True]
    np.testing.assert_allclose(found.feet[:2].mean(axis=1)[:, 0], [-np.pi / 2, np.pi / 2], atol=1e-9)
    assert np.isnan(found.feet[2, 1])


def test_on_a_steep_valley_below_its_reach_there_is_one_foot():
    a = np.diag([1000.0, 1.0])
    random = np.random.default_rng(0)
    p, t = random.uniform(-1, 1, (40, 2)), random.uniform(0.05, 0.5, 40) / 1000
    g = p @ a
    w = np.sqrt(1 + (g * g).sum(axis=1))
    points = np.hstack([p - (t / w)[:, None] * g, (0.5 * (p * g).sum(axis=1) + t / w)[:, None]])
    found = rb.project(S.quadratic(a), points)
    np.testing.assert_allclose(found.foot, p, atol=1e-10)
    assert not found.on_medial_axis.any()


# Identities


def test_points_of_the_graph_are_their_own_feet():
    x = np.random.default_rng(0).uniform(-4, 4, (100, 1))
    found = rb.project(S.sine(), np.hstack([x, S.sine().value(x)[:, None]]))
    assert (found.distance <= 1e-9).all()
    np.testing.assert_allclose(found.foot, x, atol=1e-9)
    assert found.above.all()
    assert (found.certified == PROVEN).all()


@given(st.floats(-4, 4), st.floats(-4, 4), st.floats(0.01, 3))
def test_the_tube_of_equation_4(x, y, radius):
    found = rb.project(S.sine(), [x, y])
    theta = np.linspace(x - 5, x + 5, 20001)
    nearest = np.hypot(theta - x, np.sin(theta) - y).min()
    assert len(found) == 1
    if abs(nearest - radius) > 1e-3:
        assert found.in_tube(radius)[0] == (nearest < radius)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_local_foot_is_a_foot_but_perhaps_not_the_nearest(x, y):
    exact = rb.project(S.sine(), [x, y])
    for projection in (rb.NewtonProjection(), rb.GradientProjection(steps=200, step_size=0.02)):
        local = rb.project(S.sine(), [x, y], projection)
        assert local.count[0] == 1
        assert local.certified[0] == NONE
        assert local.distance[0] >= exact.distance[0] - 1e-12
        assert local.distance[0] == pytest.approx(np.hypot(local.foot[0, 0] - x, np.sin(local.foot[0, 0]) - y))
        assert local.above[0] == exact.above[0]
    newton = rb.project(S.sine(), [x, y], rb.NewtonProjection())
    assert newton.status[0] == rb.Status.CONVERGED
    assert newton.residual[0] <= 1e-8


def test_a_local_search_gets_stuck_where_the_global_one_does_not():
    point = [[np.pi / 2 + 2.4, -0.2]]  # below the graph, in reach of the far side of a crest
    surface = S.sine(amplitude=3.0)
    local, exact = rb.project(surface, point, rb.NewtonProjection()), rb.project(surface, point)
    x = np.linspace(0, 9, 2_000_001)
    assert exact.distance[0] == pytest.approx(np.hypot(x - point[0][0], 3 * np.sin(x) + 0.2).min(), abs=1e-9)
    assert exact.distance[0] <= local.distance[0]


@given(st.floats(0.1, 20), st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_a_scaled_loss_is_the_loss_that_is_so_large(scale, x, y, up):
    a = np.array([[1.0, 0.3], [0.3, -0.4]])
    one = rb.project(S.quadratic(a, [0.2, 0.1], 0.3).scaled(scale), [x, y, up])
    other = rb.project(S.quadratic(scale * a, scale * np.array([0.2, 0.1]), scale * 0.3), [x, y, up])
    assert one.distance[0] == pytest.approx(other.distance[0], abs=1e-10)
    np.testing.assert_allclose(one.foot, other.foot, atol=1e-6)
    assert one.certified[0] == other.certified[0] == PROVEN


@given(st.floats(-2, 2), st.floats(0.5, 4), st.floats(-0.5, 0.5), st.floats(-3, 3), st.floats(-4, 4))
def test_formulas_by_brute_force(a, b, c, x, up):
    surface = rb.formula(RIPPLE, constants={"A": a, "B": b, "C": c})
    found = rb.project(surface, [x, up])

    def square(t):
        return (t - x) ** 2 + (a * np.sin(b * t) + c * t * t - up) ** 2

    reach = np.sqrt(square(x)) + 1e-9
    t = np.linspace(x - reach, x + reach, 40001)
    nearest = np.sqrt(polished(square, t, margin=0.05))
    assert found.distance[0] == pytest.approx(nearest, abs=1e-9)
    assert found.certified[0] == PROVEN


def polished(function, t, margin):
    """The least value on a line: samples, and golden sections about each that is lowest nearby and near the least."""
    values = function(t)
    low = np.flatnonzero(
        (values <= np.roll(values, 1)) & (values <= np.roll(values, -1)) & (values < values.min() + margin)
    )
    step = t[1] - t[0]
    left, right = t[low] - step, t[low] + step
    for _ in range(60):
        third = (right - left) / 3
        go_left = function(left + third) < function(right - third)
        left, right = np.where(go_left, left, left + third), np.where(go_left, right - third, right)
    return min(function((left + right) / 2).min(), values.min())


# Global means global


CENTERS = np.random.RandomState(0).uniform(-3, 3, (1000, 2))


def wells(x):
    """Eq. 14 in numpy: value, gradient, Hessian at x (B, 2); wells 0.65 away from all of x are below rounding."""
    centers = CENTERS[(CENTERS[:, 0] > x[:, 0].min() - 0.65) & (CENTERS[:, 0] < x[:, 0].max() + 0.65)]
    away = x[:, None] - centers[None]
    e = np.exp(-(away**2).sum(axis=2) / 0.01)
    value = (x**2).sum(axis=1) - e.sum(axis=1)
    gradient = 2 * x + 200 * (e[..., None] * away).sum(axis=1)
    hessian = (2 + 200 * e.sum(axis=1))[:, None, None] * np.eye(2)
    return value, gradient, hessian - 40_000 * np.einsum("bk,bki,bkj->bij", e, away, away)


@functools.cache
def well_grid(half, spacing):
    """The heights of Eq. 14 on a grid over the square of half-side ``half``; far wells are below rounding."""
    axis = np.arange(-round(half / spacing), round(half / spacing) + 1) * spacing
    grid = axis[:, None] ** 2 + axis[None] ** 2
    for x, y in CENTERS:
        i, j = (slice(*np.searchsorted(axis, [c - 0.65, c + 0.65])) for c in (x, y))
        grid[i, j] -= np.exp(-((axis[i] - x) ** 2) / 0.01)[:, None] * np.exp(-((axis[j] - y) ** 2) / 0.01)[None]
    return axis, grid


def nearest_in_the_wells(points, spacing=0.01):
    """The distance to Eq. 14: every sample of the disc, and Newton in numpy from the lowest of them."""
    axis, grid = well_grid(6.5, spacing)
    starts, owner = [], []
    known = points[:, 2] - wells(points[:, :2])[0]
    for k, (x, y, up) in enumerate(points):
        i, j = (slice(*np.searchsorted(axis, [c - known[k] - spacing, c + known[k] + spacing])) for c in (x, y))
        d = (axis[i, None] - x) ** 2 + (axis[None, j] - y) ** 2 + (grid[i, j] - up) ** 2
        inner = d[1:-1, 1:-1]
        low = inner < min(d.min() * 1.1 + 0.05, known[k] ** 2)
        for a, b in ((0, 1), (2, 1), (1, 0), (1, 2)):
            low &= inner <= d[a : a + inner.shape[0], b : b + inner.shape[1]]
        rows, columns = np.nonzero(low)
        lowest = np.unravel_index(d.argmin(), d.shape)
        rows, columns = np.append(rows + 1, lowest[0]), np.append(columns + 1, lowest[1])
        starts.append(np.stack([axis[i][rows], axis[j][columns]], axis=1))
        owner.append(np.full(len(rows), k))
    x, owner = np.concatenate(starts), np.concatenate(owner)
    order = np.argsort(x[:, 0])  # parts of which each is near few wells
    x, owner = x[order], owner[order]
    square = np.concatenate([descend(x[part], points[owner[part]]) for part in np.array_split(np.arange(len(x)), 50)])
    best = np.full(len(points), np.inf)
    np.minimum.at(best, owner, square)
    return np.sqrt(best)


def descend(x, points):
    """The squares of the distances at the minima below x: Newton with absolute eigenvalues, damped."""
    best = np.zeros(len(x))
    active, share = np.arange(len(x)), np.ones(len(x))
    f, g, bend = wells(x)
    here = ((x - points[:, :2]) ** 2).sum(axis=1) + (f - points[:, 2]) ** 2
    for _ in range(60):
        drop = (f - points[:, 2])[:, None]
        r = x - points[:, :2] + drop * g
        sizes, axes = np.linalg.eigh(np.eye(2) + g[:, :, None] * g[:, None] + drop[..., None] * bend)
        step = -np.einsum("bij,bj->bi", axes, np.einsum("bij,bi->bj", axes, r) / np.maximum(np.abs(sizes), 1e-9))
        size = np.linalg.norm(step, axis=1)
        best[active] = here
        going = (size > 1e-10) & (share > 1e-6)
        active, x, points, share, step, size = (part[going] for part in (active, x, points, share, step, size))
        f, g, bend, here = (part[going] for part in (f, g, bend, here))
        if not len(active):
            break
        trial = x + (share * np.minimum(1, 0.02 / size))[:, None] * step
        f_there, g_there, bend_there = wells(trial)
        there = ((trial - points[:, :2]) ** 2).sum(axis=1) + (f_there - points[:, 2]) ** 2
        better = there < here
        x, f = np.where(better[:, None], trial, x), np.where(better, f_there, f)
        g = np.where(better[:, None], g_there, g)
        bend, here = np.where(better[:, None, None], bend_there, bend), np.where(better, there, here)
        share = np.where(better, np.minimum(1, 2 * share), share / 4)
    best[active] = here
    return best


def above_the_wells(count, seed):
    random = np.random.default_rng(seed)
    x = random.uniform(-3, 3, (count, 2))
    return np.column_stack([x, wells(x)[0] + random.uniform(0, 3, count)])


def check_the_wells(points):
    found = rb.project(S.gaussian_wells(), points)
    np.testing.assert_allclose(found.distance, nearest_in_the_wells(points), rtol=0, atol=1e-9)
    assert (found.certified == PROVEN).all()
    assert (found.status == rb.Status.CONVERGED).all()
    f = wells(found.foot)[0]
    np.testing.assert_allclose(
        np.hypot(np.linalg.norm(found.foot - points[:, :2], axis=1), f - points[:, 2]), found.distance
    )


def test_30_feet_in_the_wells_are_the_nearest():
    check_the_wells(above_the_wells(30, 1))


@pytest.mark.slow
def test_1000_feet_in_the_wells_are_the_nearest():
    check_the_wells(above_the_wells(1000, 2))


def riemann(t):
    return sum(np.sin(k * k * t) / (k * k) for k in range(1, 101))


def nearest_on_riemann(points, spacing=1e-5):
    """The distance to Eq. 13: samples 60 times finer than its shortest wave, and golden sections about the lowest."""
    low, high = points[:, 0].min() - 6, points[:, 0].max() + 6
    t = np.arange(low, high, spacing)
    # one period of the sum by its Fourier series at whole multiples would alias; so by parts, to save memory
    heights = np.concatenate([riemann(part) for part in np.array_split(t, 64)])
    middle, owner = [], []
    for k, (x, up) in enumerate(points):
        reach = abs(up - riemann(x)) + 2 * spacing
        part = slice(*np.searchsorted(t, [x - reach, x + reach]))
        square = (t[part] - x) ** 2 + (heights[part] - up) ** 2
        near = np.flatnonzero(square < square.min() + 1e-3)  # samples miss a minimum by 3e-5 at most
        near = near[(near > 0) & (near < len(square) - 1)]
        near = near[(square[near] <= square[near - 1]) & (square[near] <= square[near + 1])]
        near = near[np.argsort(square[near])[:24]]
        middle.append(t[part][near])
        owner.append(np.full(len(near), k))
    middle, owner = np.concatenate(middle), np.concatenate(owner)
    x, up = points[owner].T
    left, right = middle - spacing, middle + spacing
    for _ in range(28):  # a bracket of 1e-10, over which a square with a second derivative of 1e6 bends by 1e-14
        third = (right - left) / 3
        a, b = left + third, right - third
        here, there = (a - x) ** 2 + (riemann(a) - up) ** 2, (b - x) ** 2 + (riemann(b) - up) ** 2
        left, right = np.where(here < there, left, a), np.where(here < there, b, right)
    best = np.full(len(points), np.inf)
    np.minimum.at(best, owner, np.minimum(here, there))
    return np.sqrt(best)


def check_riemann(count, seed, spread):
    random = np.random.default_rng(seed)
    x = random.uniform(0, spread, count)
    points = np.stack([x, riemann(x) + random.uniform(0, 3, count)], axis=1)
    found = rb.project(S.riemann(), points)
    np.testing.assert_allclose(found.distance, nearest_on_riemann(points), rtol=0, atol=1e-9)
    assert (found.certified == PROVEN).all()
    np.testing.assert_allclose(
        np.hypot(found.foot[:, 0] - x, riemann(found.foot[:, 0]) - points[:, 1]), found.distance, rtol=0, atol=1e-12
    )


def test_30_feet_on_riemann_are_the_nearest():
    check_riemann(30, 1, 0.5)


@pytest.mark.slow
def test_1000_feet_on_riemann_are_the_nearest():
    check_riemann(1000, 2, 6.3)


# Certificates


@wp.func
def wave(x: Any):
    return wp.sin(x[0])


def test_what_is_known_is_proved_what_is_sampled_is_estimated_and_seeds_are_neither():
    point = [[0.3, 2.0]]
    formula = rb.formula(RIPPLE, constants={"A": 1.0, "B": 1.0, "C": 0.0})
    own = rb.surface(dim=1)(wave)

    def certificate(surface, **options):
        return rb.project(surface, point, rb.GlobalProjection(**options)).certified[0]

    for known in (S.sine(), S.cubic(), S.riemann(), S.quadratic([[1.0]]), formula):
        assert certificate(known) == PROVEN
    assert certificate(own) == ESTIMATED
    assert certificate(own, hessian_bound=1.0) == PROVEN
    for surface in (S.sine(), formula, own):
        assert certificate(surface, nodes=0) == NONE
        assert certificate(surface, nodes=3) == NONE


def test_a_bound_of_the_hessian_is_of_the_loss_without_its_scale():
    formula = rb.formula(RIPPLE, constants={"A": 1.0, "B": 1.0, "C": 0.0})
    points = np.random.default_rng(0).uniform(-5, 5, (100, 2))
    found = rb.project(formula.scaled(4.0), points, rb.GlobalProjection(hessian_bound=1.0, seeds=0))
    exact = rb.project(S.sine(amplitude=4.0), points)
    np.testing.assert_allclose(found.distance, exact.distance, atol=1e-9)
    assert (found.certified == PROVEN).all()


@given(st.floats(-6, 6), st.floats(-6, 6))
def test_the_proof_does_not_need_the_seeds(x, y):
    surface = S.sine(amplitude=2.0, frequency=3.0)
    alone = rb.project(surface, [x, y], rb.GlobalProjection(seeds=0))
    assert alone.certified[0] == PROVEN
    assert alone.distance[0] == pytest.approx(rb.project(surface, [x, y]).distance[0], abs=1e-9)


# Graphs that end


def test_inside_a_bowl_the_distance_is_that_to_its_sphere():
    random = np.random.default_rng(0)
    radius = 2.0
    direction = random.normal(size=(60, 3))
    direction[:, 2] = -np.abs(direction[:, 2]) - 0.6 * np.linalg.norm(direction[:, :2], axis=1)
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    away = random.uniform(0.05, 3.5, (60, 1))
    points = [0, 0, radius] + away * direction  # from deep inside to far below
    found = rb.project(S.bowl(radius=radius), points, rb.GlobalProjection(nodes=20_000))
    np.testing.assert_allclose(found.distance, np.abs(radius - away[:, 0]), atol=1e-9)
    np.testing.assert_allclose(found.foot, radius * direction[:, :2], atol=1e-6)
    # at the rim the slope is infinite: nothing is proved there
    inner = np.linalg.norm(points[:, :2], axis=1) + np.sqrt(2) * np.abs(radius - away[:, 0]) < 0.999 * radius
    assert inner.sum() > 10
    assert (found.certified[inner] == PROVEN).all()


def test_above_a_dome_the_distance_is_that_to_its_sphere():
    random = np.random.default_rng(1)
    direction = random.normal(size=(60, 3))
    direction[:, 2] = np.abs(direction[:, 2]) + 0.6 * np.linalg.norm(direction[:, :2], axis=1)
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    away = random.uniform(0.3, 3, (60, 1))
    found = rb.project(S.dome(radius=1.5), away * direction)
    np.testing.assert_allclose(found.distance, np.abs(1.5 - away[:, 0]), atol=1e-9)
    assert (found.above == (away[:, 0] >= 1.5)).all()


def test_beyond_the_rim_of_a_bowl_no_distance_is_too_small_and_none_that_is_too_large_is_proved():
    points = np.random.default_rng(2).uniform([-2, -2, 1.0], [2, 2, 3.0], (40, 3))
    exact = np.hypot(np.linalg.norm(points[:, :2], axis=1) - 1, points[:, 2] - 1)
    found = rb.project(S.bowl(), points, rb.GlobalProjection(nodes=2000))
    here = found.status == rb.Status.CONVERGED
    assert (found.distance >= exact - 1e-9)[here].all()
    assert (found.distance <= exact + 1e-9)[found.certified == PROVEN].all()


def test_a_foot_is_found_however_little_of_the_cube_has_a_graph():
    found = rb.project(S.bowl(), [[0.141, -2.959, 1.444], [9.0, 9.0, 0.0]], rb.GlobalProjection(nodes=2000))
    assert (found.status == rb.Status.CONVERGED).all()
    assert np.isfinite(found.distance).all()


def test_where_samples_end_the_foot_may_be_at_the_border():
    x = np.linspace(-1, 2, 61)
    surface = S.sampled(np.cos(x), [[-1.0, 2.0]])
    points = np.random.default_rng(3).uniform([-3, -2], [4, 3], (100, 2))
    found = rb.project(surface, points)
    t = np.linspace(-1, 2, 200_001)
    f = surface.value(t[:, None])
    brute = np.sqrt(((points[:, :1] - t) ** 2 + (points[:, 1:] - f) ** 2).min(axis=1))
    np.testing.assert_allclose(found.distance, brute, atol=1e-8)
    assert (found.distance <= brute + 1e-12).all()
    assert (found.certified == PROVEN).all()
    assert ((found.foot >= -1) & (found.foot <= 2)).all()
    assert (found.foot == -1).any()
    assert (found.foot == 2).any()


# Rolling with it


def test_the_chatter_of_a_wedged_ball(oracle):
    case = oracle("F18")
    k, radius = case["inputs"]["k"], float(case["inputs"]["rho"])
    rates = [float(rate) for rate in case["expected"]]
    run = rb.simulate(
        S.quadratic([[k]]),
        rb.Ball(radius),
        rb.FootpointRBO(rates, projection=rb.GlobalProjection()),
        start=np.full((len(rates), 1), float(case["inputs"]["theta0"])),
        steps=40_000,
        every=40_000,
        gap=rb.GlobalProjection(),
    )
    assert run.certified
    for ball, expected in enumerate(case["expected"].values()):
        tol = case["tol"]
        assert abs(run.foot[-1, ball, 0]) == pytest.approx(expected["abs_theta"], abs=tol)
        assert abs(run.center[-1, ball, 0]) == pytest.approx(expected["abs_cx"], abs=tol)
        assert run.center[-1, ball, 1] == pytest.approx(expected["cy"], abs=tol)
        assert run.gap[-1, ball] + radius == pytest.approx(expected["d_gamma"], abs=tol)


EXACT = rb.FootpointRBO(0.05, projection=rb.GlobalProjection())


def rolled(steps=40, start=((1.2,), (-2.0,), (0.4,)), **options):
    options = {"lift": True, "gap": None, **options}
    return rb.simulate(S.sine(), rb.Ball([0.5, 2.0, 3.0]), EXACT, start=start, steps=steps, **options)


def test_feet_of_a_rolling_ball_are_the_nearest_points_of_its_candidates():
    run = rolled(gap=rb.GlobalProjection())
    assert run.certified
    for now in range(40):
        g = np.cos(run.foot[now])
        candidates = run.center[now] - 0.05 * np.hstack([g, g * g])
        distance = rb.project(S.sine(), candidates).distance
        x = run.foot[now + 1, :, 0]
        np.testing.assert_allclose(np.hypot(x - candidates[:, 0], np.sin(x) - candidates[:, 1]), distance, atol=1e-9)


def test_single_precision_agrees_with_double():
    single, double = rolled(dtype="float32"), rolled()
    assert single.foot.dtype == np.float32
    assert (single.status == rb.Status.RUNNING).all()
    np.testing.assert_allclose(single.center[:, 0], double.center[:, 0], atol=1e-4)  # below the reach feet are smooth


def test_threads_change_no_bit():
    one, three = rolled(threads=1), rolled(threads=3)
    assert (one.foot == three.foot).all()
    assert (one.center == three.center).all()
    points = np.random.default_rng(0).uniform(-4, 4, (37, 2))
    one, three = (rb.project(S.sine(), points, threads=threads) for threads in (1, 3))
    assert (one.foot == three.foot).all()
    assert (one.evaluations == three.evaluations).all()


def test_a_run_goes_on_bit_for_bit(tmp_path):
    rolled(steps=25).save(tmp_path / "run.npz")
    resumed = rb.resume(rb.Trajectory.load(tmp_path / "run.npz"), 15, gap=None)
    whole = rolled(steps=40)
    assert (resumed.foot == whole.foot).all()
    assert (resumed.center == whole.center).all()


def test_a_scene_may_ask_for_it(tmp_path):
    from rollingball.app.scene import load_scene

    (tmp_path / "scene.toml").write_text(
        """
        title = "exact feet"
        [surface]
        type = "sine"
        [ball]
        radius = 0.5
        start = [[0.9]]
        [[run]]
        method = "footpoint-rbo"
        lr = 0.02
        steps = 5
        projection = { type = "global", nodes = 5000, tie = 1e-8 }
        """
    )
    scene = load_scene(tmp_path / "scene.toml")
    scene.check()
    assert scene.arguments(0)[1].projection == rb.GlobalProjection(nodes=5000, tie=1e-8)


# Arguments


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: rb.GlobalProjection(seeds=-1), "seeds"),
        (lambda: rb.GlobalProjection(nodes=-1), "nodes"),
        (lambda: rb.GlobalProjection(nodes=1.5), "nodes"),
        (lambda: rb.GlobalProjection(tol=0.0), "tol"),
        (lambda: rb.GlobalProjection(max_iterations=0), "max_iterations"),
        (lambda: rb.GlobalProjection(tie=-1e-9), "tie"),
        (lambda: rb.GlobalProjection(hessian_bound=0.0), "hessian_bound"),
        (lambda: rb.GlobalProjection(hessian_bound=float("nan")), "hessian_bound"),
        (lambda: rb.project("sine", [0.0, 1.0]), "surface"),
        (lambda: rb.project(S.sine(), [0.0, 1.0, 2.0]), "points"),
        (lambda: rb.project(S.sine(), [0.0, float("inf")]), "points"),
        (lambda: rb.project(S.sine(), "here"), "points"),
        (lambda: rb.project(S.sine(), [0.0, 1.0], "global"), "projection"),
        (lambda: rb.project(S.sine(), [0.0, 1.0], device="abacus"), "device"),
        (lambda: rb.simulate(S.sine(), rb.Ball(1.0), EXACT, start=[0.0], steps=1, gap="seeds"), "gap"),
        (lambda: rb.simulate(S.sine(), rb.Ball(1.0), EXACT, start=[0.0], steps=1, lift=1), "lift"),
        (lambda: rb.project(S.sine(), [0.0, 1.0], threads=0), "threads"),
        (lambda: rb.contacts(S.sine(), [0.0], 1.0, threads=0), "threads"),
    ],
)
def test_bad_arguments_name_their_field(make, field, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()
