"""Bounds of |grad f| and |Hess f| over a ball: nowhere exceeded, and not far above what is there."""

import functools

import numpy as np
import pytest
import warp as wp

import rollingball as rb
from rollingball.core.numeric import Numeric
from rollingball.surfaces.base import kernel_options
from rollingball.surfaces.bounds import spectral_norm

S = rb.surfaces
WELLS = np.random.RandomState(3).uniform(-1, 1, (70, 3))


@functools.cache
def bounding(functions, numeric):
    """The kernel of a surface's bounds, once for each family."""
    parameters, bounds, vector = functions.parameters, functions.bounds, numeric.vector

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def bound(
        # in:
        p: parameters,
        x: wp.array(dtype=vector),
        reach: wp.array(dtype=wp.float64),
        # out:
        slope: wp.array(dtype=wp.float64),
        bend: wp.array(dtype=wp.float64),
    ):
        i = wp.tid()
        slope_i, bend_i = bounds(x[i], reach[i], p)
        slope[i] = slope_i
        bend[i] = bend_i

    return bound


def bounds(surface, x, reach, dtype="float64"):
    """Bounds of L |grad f| and L |Hess f| within ``reach`` (B,) of ``x`` (B, d)."""
    numeric = Numeric(surface.dim, dtype)
    functions = surface.functions(numeric)
    x, reach = np.atleast_2d(x), np.broadcast_to(np.asarray(reach, float), len(np.atleast_2d(x)))
    slope, bend = (wp.full(len(x), -1.0, dtype=wp.float64, device="cpu") for _ in range(2))
    at, far = wp.array(x, dtype=numeric.vector, device="cpu"), wp.array(reach, dtype=wp.float64, device="cpu")
    wp.launch(
        bounding(functions, numeric), len(x), [surface.parameters(numeric, "cpu"), at, far], [slope, bend], device="cpu"
    )
    return slope.numpy(), bend.numpy()


def norms(surface, y):
    """L |grad f| and L |Hess f| at points (B, d)."""
    slope = np.linalg.norm(surface.gradient(y), axis=1)
    bend = np.full(len(y), np.nan)
    hessian = surface.hessian(y)
    there = np.isfinite(hessian).all(axis=(1, 2))
    bend[there] = np.linalg.norm(hessian[there], 2, axis=(1, 2))
    return surface.loss_scale * slope, surface.loss_scale * bend


def noise(dim, rng, border):
    """The spline through random heights."""
    shape = rng.integers(4, 40, dim)
    return S.sampled(rng.normal(size=shape), [[-1.0, 1.2], [-1.1, 1.0]][:dim], border=border)


# name: surfaces in d dimensions from a random generator, the dimensions, how far out the points lie
CASES = {
    "plane": (lambda d, rng: S.plane(rng.normal(size=d), 0.3), (1, 3), 3.0),
    "quadratic": (lambda d, rng: S.quadratic(rng.normal(size=(d, d)), rng.normal(size=d)), (1, 2, 5), 2.0),
    "sine": (lambda d, rng: S.sine(d, *rng.normal(size=2) * 2), (1, 2, 4), 3.0),
    "cubic": (lambda d, rng: S.cubic(d, rng.normal()), (1, 3), 2.0),
    "double-well": (lambda d, rng: S.double_well(d, *rng.normal(size=2)), (1, 2, 4), 1.5),
    "bowl": (lambda d, rng: S.bowl(d, rng.uniform(1.0, 2.0)), (1, 2, 4), 1.0),
    "dome": (lambda d, rng: S.dome(d, rng.uniform(1.0, 2.0)), (1, 2, 4), 1.0),
    "rosenbrock": (lambda d, rng: S.rosenbrock(d, *rng.normal(size=2) * 10), (2, 3, 5), 1.5),
    "rastrigin": (lambda d, rng: S.rastrigin(d, rng.normal() * 3), (1, 2, 4), 2.0),
    "ackley": (lambda d, rng: S.ackley(d), (1, 2, 4), 2.0),
    "himmelblau": (lambda d, rng: S.himmelblau(), (2,), 4.0),
    "whitley": (lambda d, rng: S.whitley(d), (1, 2, 3), 1.2),
    "max-of-planes": (lambda d, rng: S.max_of_planes(rng.normal(size=(4, d)), rng.normal(size=4)), (1, 2, 4), 2.0),
    "cosine-sum": (
        lambda d, rng: S.cosine_sum(rng.normal(size=5), rng.normal(size=(5, d)) * 2, rng.normal(size=5)), (1, 2, 4), 2.0
    ),
    "riemann": (lambda d, rng: S.riemann(int(rng.integers(1, 30))), (1,), 3.0),
    "weierstrass": (lambda d, rng: S.weierstrass(rng.uniform(0.1, 0.9), rng.uniform(-4, 4), 5), (1,), 2.0),
    "sine-mse": (lambda d, rng: S.sine_mse(rng.normal(size=9) * 2, rng.normal(size=9)), (1,), 3.0),
    "sampled": (lambda d, rng: noise(d, rng, rng.choice(["not-a-knot", "periodic"])), (1, 2), 1.5),
    "gaussian-wells": (lambda d, rng: S.gaussian_wells(WELLS[:, :d], width=rng.uniform(0.05, 0.6)), (1, 2, 3), 1.0),
    "stretched": (
        lambda d, rng: S.sine(d, *rng.normal(size=2) * 2).stretched(rng.uniform(0.6, 1.5, d)), (1, 2), 2.0
    ),
    "formula": (
        lambda d, rng: S.formula(
            ("a*x**2 + sin(3*x)/b", "a*x**2 + sin(3*x + y)/b + exp(-x*y)")[d - 1],
            "x y"[: 2 * d - 1], {"a": rng.normal(), "b": rng.uniform(0.3, 2)},
        ), (1, 2), 1.5
    ),
}  # fmt: skip
EACH = [(name, dim) for name, (_, dims, _) in CASES.items() for dim in dims]


def in_balls(x, reach, rng, count=60):
    """Points within ``reach`` (B,) of ``x`` (B, d): random ones on the border and inside, poles and the middle."""
    size, dim = x.shape
    directions = rng.normal(size=(count, size, dim))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    poles = np.repeat(np.concatenate([np.eye(dim), -np.eye(dim), np.zeros((1, dim))])[:, None], size, axis=1)
    shifts = np.concatenate([directions, directions[::2] * rng.uniform(size=(len(directions[::2]), size, 1)), poles])
    return x + reach[:, None] * shifts


def worst_in_balls(surface, x, reach, rng, count=60, rounds=3):
    """The largest |grad f| and |Hess f| found in each ball, last about the worst points found before; NaN, where there
    is no surface, counts as none."""
    size, dim = x.shape

    def found(points):
        return [np.nan_to_num(score.reshape(len(points), size)) for score in norms(surface, points.reshape(-1, dim))]

    tried = in_balls(x, reach, rng, count)
    scores = found(tried)
    for step in 0.3 * 0.2 ** np.arange(rounds):
        points = []
        for score in scores:
            near = tried[np.argmax(score, axis=0), np.arange(size)]
            near = near + step * reach[:, None] * rng.normal(size=(count // 2, size, dim))
            away = near - x
            length = np.maximum(np.linalg.norm(away, axis=2, keepdims=True), 1e-300)
            points.append(x + away * np.minimum(1, reach[:, None] / length))
        points = np.concatenate(points)
        tried = np.concatenate([tried, points])
        scores = [np.concatenate(pair) for pair in zip(scores, found(points), strict=True)]
    return [score.max(axis=0) for score in scores]


def test_every_surface_has_bounds():
    assert set(CASES) == set(S.CATALOGUE)
    for name, (make, dims, _) in CASES.items():
        surface = make(dims[0], np.random.default_rng(0))
        assert surface.name == name
        assert surface.functions(Numeric(surface.dim)).bounds is not None


@pytest.mark.parametrize(("name", "dim"), EACH)
def test_nothing_in_the_ball_exceeds_the_bounds(name, dim):
    make, _, spread = CASES[name]
    rng = np.random.default_rng(dim)
    for case in range(6):
        surface = make(dim, rng).scaled((1.0, 3.0)[case % 2])
        x = rng.uniform(-spread, spread, (24, dim))
        reach = 10.0 ** rng.uniform(-3, 0.5, len(x))
        slope, bend = bounds(surface, x, reach)
        assert not np.isnan([slope, bend]).any()
        slope_found, bend_found = worst_in_balls(surface, x, reach, rng)
        empty = slope < 0  # no surface within reach
        assert not slope_found[empty].any()
        assert not bend_found[empty].any()
        assert (bend[empty] < 0).all()
        assert (slope_found <= slope * (1 + 1e-12) + 1e-12)[~empty].all(), (slope_found / slope).max()
        assert (bend_found <= bend * (1 + 1e-12) + 1e-11)[~empty].all(), (bend_found / bend).max()


@pytest.mark.parametrize(("name", "dim"), EACH)
def test_without_reach_bounds_are_the_norms_there(name, dim):
    make, _, spread = CASES[name]
    rng = np.random.default_rng(10 + dim)
    surface = make(dim, rng).scaled(3.0)
    x = rng.uniform(-spread, spread, (50, dim))
    x = x[np.isfinite(surface.value(x))]
    slope, bend = bounds(surface, x, 0.0)
    slope_there, bend_there = norms(surface, x)
    np.testing.assert_allclose(slope, slope_there, rtol=1e-11, atol=1e-11)
    # a spectral norm is exact up to two dimensions, at most d^(1/32) too large above
    np.testing.assert_allclose(bend, bend_there, rtol=1e-9 if dim <= 2 else dim ** (1 / 32) - 1, atol=1e-10)


# how far bounds at a small reach may be above what is found there: at most, and by the median, of slope and bend
TIGHT = {
    **dict.fromkeys(("plane", "sine", "cubic", "double-well", "max-of-planes", "himmelblau"), (1.3, 1.1)),
    "quadratic": (1.5, 1.1),
    **dict.fromkeys(("bowl", "dome", "rosenbrock", "rastrigin"), (1.8, 1.2)),
    "formula": (1.8, 1.2),
    "ackley": (3.0, 1.2),
    "whitley": (6.0, 2.0),
    "cosine-sum": (2.0, 1.1),
    **dict.fromkeys(("weierstrass", "sine-mse"), (25.0, 1.2)),
    "riemann": (25.0, 3.0),  # its fastest waves turn more than once within reach
    "gaussian-wells": (12.0, 1.5),
    "sampled": (10.0, 2.0),
    "stretched": (8.2, 6.3),  # the largest unit counts for all of them: at most (1.5 / 0.6)^2 times the 1.3 of a sine
}


@pytest.mark.parametrize(("name", "dim"), EACH)
def test_bounds_are_near_what_is_there(name, dim):
    make, _, spread = CASES[name]
    rng = np.random.default_rng(20 + dim)
    found = []
    for _case in range(3):
        surface = make(dim, rng)
        x = rng.uniform(-spread, spread, (30, dim))
        x = x[np.isfinite(surface.value(x))]
        reach = np.full(len(x), 0.01)
        pairs = zip(bounds(surface, x, reach), worst_in_balls(surface, x, reach, rng), strict=True)
        found.append([np.where(np.isfinite(bound), bound / np.maximum(worst, 1e-12), 1) for bound, worst in pairs])
    ratios = np.concatenate(found, axis=1)
    if name in ("plane", "max-of-planes"):
        ratios[1] = 1  # their Hessian is zero
    most, median = TIGHT[name]
    assert ratios.max() <= most, ratios.max(axis=1)
    assert np.median(ratios, axis=1).max() <= median


@pytest.mark.parametrize("reach", [0.0, 0.01, 0.1, 1.0])
def test_samples_of_a_smooth_loss_have_nearly_its_bounds(reach):
    """Of a fine grid, looked up in every level of the table; a ball that leaves the box, or laps over its seam."""
    box, rng = [[-np.pi, np.pi]] * 2, np.random.default_rng(0)
    for border, count in {"not-a-knot": 301, "periodic": 300}.items():
        axis = np.linspace(-np.pi, np.pi, count, endpoint=border != "periodic")
        surface = S.sampled(np.sin(axis)[:, None] + np.sin(axis), box, border)
        x, reaches = rng.uniform(-np.pi, np.pi, (200, 2)), np.full(200, reach)
        found, known = bounds(surface, x, reaches), bounds(S.sine(2), x, reaches)
        worst = worst_in_balls(surface, x, reaches, rng)
        for part, exact, there in zip(found, known, worst, strict=True):
            assert (part >= there * (1 - 1e-12)).all()
            # the spline is not quite the sine, and blocks of the table reach farther than the ball
            assert (part <= exact + 0.002 + min(3 * reach, 0.6)).all()


def test_beside_the_box_of_samples_there_is_no_surface():
    surface = S.sampled(np.eye(5), [[0.0, 1.0], [0.0, 1.0]])
    x = [[1.5, 0.5], [1.5, 0.5], [0.2, -2.0], [0.2, -2.0], [4.0, 5.0], [4.0, 5.0], [1.0, 0.0], [1 + 1e-9, 0.0]]
    slope, bend = bounds(surface, x, [0.4, 0.6, 1.9, 2.1, 4.9, 5.1, 0.0, 0.0])
    expected = [False, True, False, True, False, True, True, False]
    assert (slope >= 0).tolist() == (bend >= 0).tolist() == expected
    slope, bend = bounds(surface, x, np.inf)
    assert (slope == slope[0]).all()
    assert (bend == bend[0]).all()


@pytest.mark.parametrize("dim", [1, 2])
def test_more_than_a_period_is_all_of_it(dim):
    surface = noise(dim, np.random.default_rng(0), "periodic")
    x = np.random.default_rng(1).uniform(-9, 9, (20, dim))
    whole = surface.params["table"].max(axis=1)
    for reach in (2.3, 3.0, 1e3, 1e12, 1e300, np.inf):
        for part, all_of_it in zip(bounds(surface, x, reach), whole[:2], strict=True):
            assert (part == all_of_it).all()


@pytest.mark.parametrize("dim", [1, 2])
def test_a_ball_across_the_seam_is_looked_up_in_few_small_blocks(dim):
    cells, rng = (37, 11)[:dim], np.random.default_rng(0)
    surface = S.sampled(rng.normal(size=cells), [[0.0, 1.0]] * dim, "periodic")
    table = surface.params["table"][:, : np.prod(cells)].reshape(3, *cells)
    x, reach = rng.choice([0.001, 0.02, 0.97, 0.99], (200, dim)), rng.uniform(0, 0.2, 200)
    found = np.array(bounds(surface, x, reach)).T
    for x_i, reach_i, found_i in zip(x, reach, found, strict=True):
        first, last = (np.floor((x_i + sign * reach_i) * cells).astype(int) for sign in (-1, 1))
        size, blocks = 1, [set(range(100))]
        while max(map(len, blocks)) > 4:
            spans = zip(first, last, cells, strict=True)
            blocks = [{c % count // size for c in range(a, b + 1)} for a, b, count in spans]
            held = [[c for c in range(n) if c // size in kept] for n, kept in zip(cells, blocks, strict=True)]
            size *= 2
        assert (found_i <= table[:2][(slice(None), *np.ix_(*held))].reshape(2, -1).max(axis=1) + 1e-9).all()


def test_a_small_ball_counts_mixed_third_derivatives():
    """x^2 y has no Hessian at 0, and one of norm 2.3 r at a distance r in the worst direction."""
    axis = np.linspace(-2, 2, 5)
    surface, x, reach = S.sampled(axis[:, None] ** 2 * axis, [[-2.0, 2.0]] * 2), np.zeros((1, 2)), np.array([0.01])
    bend, found = bounds(surface, x, reach)[1][0], worst_in_balls(surface, x, reach, np.random.default_rng(0))[1][0]
    assert found == pytest.approx(0.0231, abs=1e-4)
    assert found <= bend <= 0.0347


@pytest.mark.parametrize("border", ["not-a-knot", "periodic"])
def test_a_bump_in_one_cell_is_seen_from_every_ball_that_touches_it(border):
    """Whatever level of the table it is looked up in, and across the seam."""
    count, rng = 37, np.random.default_rng(0)
    surface = S.sampled(np.eye(1, count, 1)[0], [[0.0, 1.0]], border)
    x, reach = rng.uniform(0, 1, (400, 1)), rng.uniform(0, 0.6, 400)
    for part, there in zip(bounds(surface, x, reach), worst_in_balls(surface, x, reach, rng), strict=True):
        assert (part >= there * (1 - 1e-12)).all()
    near = [[0.95], [0.9], [0.5], [0.8]]
    peak = bounds(surface, [[1 / 37]], 0.03)[1][0]
    seen = bounds(surface, near, [0.1, 0.2, 0.5, 0.1])[1] > 0.9 * peak
    assert seen.tolist() == [border == "periodic", border == "periodic", True, False]


@pytest.mark.parametrize("reach", [0.0, 0.3, 2.0])
def test_bounds_that_are_sharp(reach):
    x = np.linspace(-3, 3, 13)[:, None]
    near = x + np.linspace(-reach, reach, 2001)
    for surface in (S.sine(1, 1.5, 2.5), S.quadratic([[-3.0]], [1.0]), S.cubic(1, -0.7), S.double_well(1, 1.3, 0.2)):
        slope, bend = bounds(surface, x, reach)
        slopes, bends = (part.reshape(near.shape).max(axis=1) for part in norms(surface, near.reshape(-1, 1)))
        np.testing.assert_allclose(slope, slopes, rtol=1e-4)
        np.testing.assert_allclose(bend, bends, rtol=1e-4)
    plane = bounds(S.plane([3.0, -4.0]), [[1.0, 2.0]], reach)
    assert (plane[0][0], plane[1][0]) == (5.0, 0.0)
    assert bounds(S.quadratic([[1.0, 2.0], [2.0, -2.0]]), [[1.0, 2.0]], reach)[1][0] == pytest.approx(3.0, rel=1e-15)
    assert bounds(S.rastrigin(3), np.zeros((1, 3)), reach)[1][0] == pytest.approx(2 + 40 * np.pi**2, rel=1e-15)


@pytest.mark.parametrize("reach", [0.01, 0.3])
def test_among_the_authors_wells(reach):
    surface, rng = S.gaussian_wells(), np.random.default_rng(0)
    x = rng.uniform(-3, 3, (200, 2))
    reaches = np.full(len(x), reach)
    slope, bend = bounds(surface, x, reaches)
    slope_found, bend_found = worst_in_balls(surface, x, reaches, rng)
    assert (slope_found <= slope).all()
    assert (bend_found <= bend).all()
    if reach == 0.01:
        assert (slope <= 3 * slope_found).all()
        assert (bend <= 3 * bend_found).all()
        assert np.median(bend / bend_found) < 1.3


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("separation", [0.0, 0.3, 0.6, 0.8, 1.0, 1.3, 1.5, 1.8, 3.0])
def test_one_well_at_every_distance(dim, separation):
    """Balls about one well: its turning points fall inside, outside and on the edge."""
    surface = S.gaussian_wells(np.zeros((1, dim)), width=1.0)
    for reach in (1e-3, 0.05, 0.2, 0.5, 1.0, 4.0):
        x = np.full((1, dim), separation / np.sqrt(dim))
        y = np.linspace(separation - reach, separation + reach, 4001)[:, None] * np.ones((1, dim)) / np.sqrt(dim)
        slopes, bends = norms(surface, y)
        slope, bend = bounds(surface, x, reach)
        assert slopes.max() <= slope[0] * (1 + 1e-12)
        assert bends.max() <= bend[0] * (1 + 1e-12)


def test_the_rim_of_a_hemisphere_is_infinitely_steep():
    for surface in (S.bowl(2, 1.5), S.dome(2, 1.5)):
        x = np.array([[0.5, 0.0], [0.5, 0.0], [1.5, 0.0], [2.0, 0.0], [9.0, 0.0], [0.5, 0.0]])
        slope, bend = bounds(surface, x, [0.5, 1.0, 0.0, 0.6, 7.4, np.inf])
        assert np.isfinite(slope).tolist() == np.isfinite(bend).tolist() == [True, False, False, False, True, False]
        assert slope[4] < 0 > bend[4], "where there is no surface"
        root = np.sqrt(1.5**2 - 1)
        assert (slope[0], bend[0]) == pytest.approx((1 / root, 1.5**2 / root**3))


@pytest.mark.parametrize("dim", [1, 2])
def test_the_tip_of_ackley_has_a_slope_but_no_curvature(dim):
    x = np.full((3, dim), 0.5 / np.sqrt(dim))
    x[2] = 0
    slope, bend = bounds(S.ackley(dim), x, [0.49, 0.51, 0.0])
    assert np.isfinite(bend).tolist() == [True, False, False]
    assert np.isfinite(slope).all()
    assert slope[2] == pytest.approx(4 / np.sqrt(dim))


def test_planes_bend_only_where_another_is_in_reach():
    # planes meet at 0 and at 2; the last is never the highest, and the one before is there twice
    surface = S.max_of_planes([[-3.0], [1.0], [2.0], [2.0], [100.0]], [0.0, 0.0, -2.0, -2.0, -1e6])
    slope, bend = bounds(surface, [[1.0], [1.0], [1.5], [5.0], [-5.0], [0.0]], [0.9, 1.5, 0.7, 2.9, 1.0, 0.0])
    assert slope.tolist() == [1.0, 3.0, 2.0, 2.0, 3.0, 3.0]
    assert bend.tolist() == [0.0, np.inf, np.inf, 0.0, 0.0, np.inf]


@pytest.mark.parametrize(("name", "dim"), EACH)
def test_bounds_are_never_nan_and_grow_with_the_scale(name, dim):
    make, _, _ = CASES[name]
    surface = make(dim, np.random.default_rng(1))
    x = np.concatenate([np.zeros((1, dim)), 10.0 ** np.array([0, 3, 30, 100, 300])[:, None] * np.ones((1, dim))])
    for reach in (0.0, 1e-300, 1.0, 1e30, 1e300, np.inf):
        slope, bend = bounds(surface, x, reach)
        assert not np.isnan([slope, bend]).any()
        assert name in ("bowl", "dome", "sampled") or (slope >= 0).all()
        assert ((slope < 0) == (bend < 0)).all()
        scaled = bounds(surface.scaled(3.0), x, reach)
        np.testing.assert_allclose(scaled, [3 * slope, 3 * bend], rtol=1e-14)


@pytest.mark.parametrize("name", ["rosenbrock", "ackley", "gaussian-wells", "cosine-sum"])
def test_a_run_in_single_precision_has_the_same_bounds(name):
    surface = CASES[name][0](2, np.random.default_rng(1))
    x = np.round(np.random.default_rng(2).uniform(-1, 1, (20, 2)) * 64) / 64  # exact in float32
    for wide, narrow in zip(bounds(surface, x, 0.1), bounds(surface, x, 0.1, "float32"), strict=True):
        np.testing.assert_allclose(narrow, wide, rtol=1e-14)


@functools.cache
def norms_of(dim):
    """The kernel of spectral norms of matrices dim x dim."""
    matrix = Numeric(dim).matrix

    @wp.kernel(module="unique", enable_backward=False)
    def norm(
        # in:
        a: wp.array(dtype=matrix),
        # out:
        found: wp.array(dtype=wp.float64),
    ):
        i = wp.tid()
        found[i] = spectral_norm(a[i])

    return norm


@pytest.mark.parametrize("dim", [1, 2, 3, 6])
def test_norms_of_matrices(dim):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20, dim, dim))
    given = [*(a + a.transpose(0, 2, 1)), -2 * np.eye(dim), np.zeros((dim, dim)), np.ones((dim, dim))]
    given += [1e-200 * given[0], 1e200 * given[0], np.full((dim, dim), np.inf), np.full((dim, dim), np.nan)]
    at = wp.array(np.array(given), dtype=Numeric(dim).matrix, device="cpu")
    result = wp.zeros(len(given), dtype=wp.float64, device="cpu")
    wp.launch(norms_of(dim), len(given), [at], [result], device="cpu")
    found = result.numpy()
    exact = np.array([np.linalg.norm(a, 2) for a in given[:-2]])
    assert (found[:-2] >= exact * (1 - 1e-12)).all()
    assert (found[:-2] <= exact * (dim ** (1 / 32) if dim > 2 else 1) * (1 + 1e-12)).all()
    assert np.isinf(found[-2:]).all()


@functools.cache
def ceiling_kernel(functions, numeric):
    """The kernel of the paraboloid above a surface."""
    parameters, ceiling, vector = functions.parameters, functions.ceiling, numeric.wide.vector

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def find(
        # in:
        p: parameters,
        x: wp.array(dtype=vector),
        # out:
        height: wp.array(dtype=wp.float64),
        slope: wp.array(dtype=vector),
        bend: wp.array(dtype=wp.float64),
    ):
        i = wp.tid()
        height_i, slope_i, bend_i = ceiling(x[i], p)
        height[i] = height_i
        slope[i] = slope_i
        bend[i] = bend_i

    return find


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_loss_rises_above_its_ceiling(dtype):
    """The bowl of Eq. 14, seen from wherever; far from all wells it is the loss."""
    surface, rng, numeric = S.gaussian_wells(loss_scale=3.0), np.random.default_rng(0), Numeric(2, dtype)
    x, y = rng.uniform(-3, 3, (2000, 2)), rng.uniform(-4, 4, (2000, 2))
    y[-1] = (40.0, 9.0)
    height, slope, bend = wp.zeros(2000, wp.float64), wp.zeros(2000, numeric.wide.vector), wp.zeros(2000, wp.float64)
    arguments = [surface.parameters(numeric, "cpu"), wp.array(x, dtype=numeric.wide.vector), height, slope, bend]
    wp.launch(ceiling_kernel(surface.functions(numeric), numeric), 2000, arguments, device="cpu")
    away = y - x
    above = height.numpy() + (slope.numpy() * away).sum(1) + bend.numpy() * (away**2).sum(1) / 2
    assert (3.0 * surface.value(y) <= above * (1 + 1e-13)).all()
    assert above[-1] == pytest.approx(3.0 * surface.value(y[-1]), rel=1e-13)
    assert (3.0 * surface.value(y) > above - 1).mean() > 0.2  # it is near
