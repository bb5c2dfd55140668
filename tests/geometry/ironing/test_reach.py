"""Curvature, reach and unreachable points: closed forms, Definition 1 by brute force, medial balls."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh

import rollingball as rb
from rollingball.geometry.ironing.reach import medial_radius

S = rb.surfaces
FEW = rb.GlobalProjection(nodes=300)


def waves(amplitudes, phases=(0.0, 1.0, 2.0), **options):
    """A loss of period 2 pi; what is drawn are numbers, so that one kernel serves all."""
    return S.cosine_sum(list(amplitudes), [[1.0], [2.0], [3.0]], list(phases), **options)


AMPLITUDES = st.lists(st.floats(-1, 1), min_size=3, max_size=3)
PHASES = st.lists(st.floats(0, 6), min_size=3, max_size=3)


def normals(surface, x):
    g = surface.loss_scale * surface.gradient(x)
    up = np.hstack([-g, np.ones((len(g), 1))])
    return up / np.linalg.norm(up, axis=1)[:, None]


def on_graph(surface, x):
    return np.hstack([x, surface.loss_scale * surface.value(x)[:, None]])


def last_true(condition, low, high):
    """Where a condition that holds at ``low`` and not at ``high`` ceases to."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if condition(middle) else (low, middle)
    return low


# Curvature


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_curvatures_are_the_generalised_eigenvalues_of_the_two_forms(dim):
    random = np.random.default_rng(dim)
    a, b, scale = random.normal(size=(dim, dim)), random.normal(size=dim), 1.7
    surface = S.quadratic(a, b, loss_scale=scale)
    x = random.normal(size=(30, dim))
    found = rb.curvatures(surface, x)
    for at, kappa in zip(x, found, strict=True):
        g, bend = scale * surface.gradient(at), scale * surface.hessian(at)
        w = np.sqrt(1 + g @ g)
        expected = eigh(bend, w * (np.eye(dim) + np.outer(g, g)), eigvals_only=True)
        np.testing.assert_allclose(kappa, expected, atol=1e-12)


@given(st.floats(0.3, 5), st.lists(st.floats(-0.6, 0.6), min_size=2, max_size=2))
def test_a_sphere_curves_by_one_over_its_radius(radius, share):
    x = radius * np.array(share)
    np.testing.assert_allclose(rb.curvatures(S.bowl(radius=radius), x), [[1 / radius] * 2], rtol=1e-9)
    np.testing.assert_allclose(rb.curvatures(S.dome(radius=radius), x), [[-1 / radius] * 2], rtol=1e-9)


def test_where_there_is_no_graph_there_is_no_curvature():
    found = rb.curvatures(S.bowl(), [[0.0, 0.0], [2.0, 0.0]])
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


def test_a_cubic_curves_most_here(oracle):
    case = oracle("G11")
    expected, tol = case["expected"], case["tol"]
    assert rb.curvatures(S.cubic(), expected["theta"])[0, 0] == pytest.approx(expected["kappa_max"], abs=tol)
    found = rb.reach(S.cubic(), [[-2.0, 2.0]])
    assert found.curvature == pytest.approx(expected["focal_radius"], abs=tol)
    assert abs(found.curvature_at[0]) == pytest.approx(expected["theta"], abs=1e-6)
    upper = rb.upper_reach(S.cubic(), [[-2.0, 2.0]])
    assert upper.curvature_at[0] == pytest.approx(expected["theta"], abs=1e-6)
    assert upper.value == pytest.approx(expected["focal_radius"], abs=tol)


# Reach


def test_of_a_sine(oracle):
    expected = oracle("G08")["expected"]
    for made, name in ((rb.reach, "reach"), (rb.upper_reach, "upper_reach")):
        found = made(S.sine(), [[-7.0, 7.0]], samples=4096)
        assert found.value == pytest.approx(expected[name], abs=1e-12)
        assert found.curvature == pytest.approx(1 / expected["kappa_max"], abs=1e-12)
        assert found.bottleneck == np.inf  # a graph has none
        assert found.bottleneck_at is None
        assert abs(np.sin(found.curvature_at[0])) == pytest.approx(1, abs=1e-9)
    assert np.sin(rb.upper_reach(S.sine(), [[-7.0, 7.0]]).curvature_at[0]) < 0  # in a trough


@pytest.mark.parametrize("case", ["G03a", "G03b"])
def test_of_a_parabola(oracle, case):
    given, expected = oracle(case)["inputs"], oracle(case)["expected"]
    parabola, k = S.quadratic([[given["k"]]]), given["k"]
    assert rb.upper_reach(parabola, [[-2.0, 2.0]]).value == pytest.approx(expected["reach"], abs=1e-12)
    edge = last_true(lambda x: rb.unreachable(parabola, given["rho"], x)[0], 0.0, 4.0)
    assert edge == pytest.approx(expected["unreachable_halfwidth"], abs=oracle(case)["tol"])
    # from below it is never too sharp
    below = rb.upper_reach(S.quadratic([[-k]]), [[-2.0, 2.0]])
    assert below.value == below.curvature == below.bottleneck == np.inf


def test_of_a_bowl(oracle):
    case = oracle("G05")
    bowl = S.bowl(radius=case["inputs"]["R"])
    found = rb.upper_reach(bowl, [[-0.5, 0.5], [-0.5, 0.5]], samples=64, search=FEW)
    assert found.value == pytest.approx(case["expected"]["reach"], rel=1e-9)
    assert found.bottleneck == np.inf


def test_of_a_part_that_is_touched_together_with_what_is_beyond_it():
    # over [1, 2] a parabola is flat enough for a ball of radius 5.6, but the ball at 1 meets the other side at -1
    found = rb.upper_reach(S.quadratic([[2.0]]), [[1.0, 2.0]])
    assert found.bottleneck == pytest.approx(np.sqrt(1 + 0.25), abs=1e-8)
    assert found.bottleneck_at == pytest.approx((1.0,), abs=1e-9)
    assert found.value == found.bottleneck < found.curvature
    assert found.curvature == pytest.approx(5**1.5 / 2, abs=1e-9)
    assert rb.unreachable(S.quadratic([[2.0]]), found.value * 1.001, [1.0])[0]
    assert not rb.unreachable(S.quadratic([[2.0]]), found.value * 0.999, [1.0])[0]


def test_of_a_plane_it_is_infinite():
    found = rb.reach(S.plane([1.0, -2.0]), [[-1.0, 1.0], [0.0, 1.0]], samples=64)
    assert found.value == found.curvature == found.bottleneck == np.inf


def test_at_a_kink_it_is_nothing():
    found = rb.upper_reach(
        S.max_of_planes([[1.0], [-1.0]]), [[-1.0, 1.0]], samples=17, search=rb.GlobalProjection(seeds=8, nodes=0)
    )
    assert found.curvature == np.inf  # no Hessian sees it
    assert found.value == found.bottleneck <= 1e-6
    assert found.bottleneck_at == pytest.approx((0.0,), abs=1e-6)


def test_of_equation_13_it_is_next_to_nothing(oracle):
    told = oracle("G20")["expected"]["upper_reach_bound"]
    x = np.linspace(0, 2 * np.pi, 400_001)[:, None]
    sharpest = x[rb.curvatures(S.riemann(), x)[:, 0].argmax(), 0]
    found = rb.upper_reach(S.riemann(), [[sharpest - 1e-4, sharpest + 1e-4]], samples=32, search=FEW)
    assert 0.98 * told < found.curvature < told  # what is told is a bound
    assert found.value <= told


def narrowest(surface, box):
    """The least radius of a ball that touches the graph over a box from above, and it again elsewhere."""
    p = np.linspace(*box, 801)[:, None]
    q = np.linspace(box[0] - 8, box[1] + 8, 6001)[:, None]
    at, normal = on_graph(surface, p), normals(surface, p)
    chord = on_graph(surface, q)[None] - at[:, None]
    rise = np.einsum("pqi,pi->pq", chord, normal)
    square = (chord**2).sum(axis=2)
    near = np.abs(q[None, :, 0] - p[:, None, 0]) < 0.05  # there it is the radius of curvature
    return np.where((rise > 0) & ~near, square / (2 * np.where(rise > 0, rise, 1)), np.inf).min()


@pytest.mark.parametrize("seed", range(6))
def test_over_a_box_it_is_the_least_of_all_tangent_balls(seed):
    random = np.random.default_rng(seed)
    surface = waves(random.uniform(-0.6, 0.6, 3), random.uniform(0, 6, 3))
    low = random.uniform(-3, 2)
    box = (low, low + random.uniform(0.2, 1.5))
    found = rb.upper_reach(surface, [box], samples=2048)
    kappa = rb.curvatures(surface, np.linspace(*box, 20_001)[:, None]).max()
    curvature = 1 / kappa if kappa > 0 else np.inf
    assert found.curvature == pytest.approx(curvature, rel=1e-5)
    brute = min(curvature, narrowest(surface, box))
    if brute < 1e3 * (box[1] - box[0]):
        assert found.value == pytest.approx(brute, rel=2e-3)


def test_the_reach_is_the_lesser_of_both_sides():
    surface, box = waves([0.5, 0.4, -0.2]), [[-1.0, 2.0]]
    upper = rb.upper_reach(surface, box, samples=1024)
    turned = rb.upper_reach(waves([-0.5, -0.4, 0.2]), box, samples=1024)
    both = rb.reach(surface, box, samples=1024)
    assert both.value == pytest.approx(min(upper.value, turned.value), rel=1e-6)
    assert both.curvature == pytest.approx(min(upper.curvature, turned.curvature), rel=1e-9)


@settings(max_examples=4)
@given(amplitudes=st.tuples(st.floats(0.3, 1), st.floats(-1, 1), st.floats(-1, 1)), phases=PHASES)
def test_up_to_the_upper_reach_every_point_can_be_touched_and_beyond_it_not(amplitudes, phases):
    surface = waves(amplitudes, phases)
    found = rb.upper_reach(surface, [[-np.pi, np.pi]], samples=256, search=FEW)
    x = np.linspace(-np.pi, np.pi, 401)[:, None]
    assert (depth(surface, 0.999 * found.value, x) <= 1e-12).all()
    assert rb.unreachable(surface, 1.01 * found.value, found.curvature_at).all()


def depth(surface, rho, x):
    """How far a ball that is tangent at x would have to be lifted to clear the graph."""
    centers = on_graph(surface, x) + rho * normals(surface, x)
    return rb.contacts(surface, centers[:, :-1], rho).height - centers[:, -1]


# Unreachable points


def test_over_the_trough_of_a_sine(oracle):
    case = oracle("G19")
    rho, expected = float(case["inputs"]["rho"]), case["expected"]
    bottom = -np.pi / 2
    for side in (1, -1):
        edge = last_true(lambda s, side=side: rb.unreachable(S.sine(), rho, bottom + side * s)[0], 0.0, 3.0)
        assert edge == pytest.approx(expected["halfwidth"], abs=case["tol"])
    x = np.linspace(-np.pi, np.pi, 2000, endpoint=False)[:, None]
    assert rb.unreachable(S.sine(), rho, x).mean() == pytest.approx(expected["fraction"], abs=1e-3)


@given(amplitudes=AMPLITUDES, phases=PHASES, rho=st.floats(0.05, 4))
def test_definition_1_by_brute_force(amplitudes, phases, rho):
    surface = waves(amplitudes, phases)
    x = np.linspace(-3, 3, 13)[:, None]
    centers = on_graph(surface, x) + rho * normals(surface, x)
    t = np.linspace(-3 - 4.1, 3 + 4.1, 20_001)[:, None]
    graph = on_graph(surface, t)
    nearest = np.sqrt(((graph[None] - centers[:, None]) ** 2).sum(axis=2).min(axis=1))
    found = rb.unreachable(surface, rho, x)
    assert found[nearest < rho - 1e-5].all()  # the ball cuts the graph
    # a graph may also be above a centre and far from it: lower the ball from above instead
    aside = np.abs(t[None, :, 0] - centers[:, None, 0])
    cap = np.where(aside <= rho, graph[None, :, 1] + np.sqrt(np.maximum(rho**2 - aside**2, 0)), -np.inf)
    rise = cap.max(axis=1) - centers[:, 1]
    assert found[rise > 1e-9].all()  # samples are never too high
    np.testing.assert_array_equal(found | (depth(surface, rho, x) < 1e-12), True)
    elsewhere = (np.abs(t[None, :, 0] - x) > 0.02) & (cap > centers[:, 1:] - 1e-3)
    alone = ~elsewhere.any(axis=1) & (rho * rb.curvatures(surface, x)[:, 0] < 0.99)
    assert (depth(surface, rho, x)[alone] <= 1e-12).all()


def test_rounding_makes_no_point_unreachable():
    x = np.linspace(-3, 3, 601)[:, None]
    for rho in (0.0625, 0.08, 0.1):  # below the reach, which is 1 / 9
        assert not rb.unreachable(waves([0.0, 0.0, 1.0]), rho, x).any()


@given(
    amplitudes=AMPLITUDES,
    phases=PHASES,
    radii=st.lists(st.floats(0.05, 4), min_size=2, max_size=2).filter(lambda r: abs(r[0] - r[1]) > 1e-6),
)
def test_what_a_ball_cannot_touch_no_larger_ball_can(amplitudes, phases, radii):
    surface, x = waves(amplitudes, phases), np.linspace(-3, 3, 61)[:, None]
    small, large = (rb.unreachable(surface, rho, x) for rho in sorted(radii))
    assert (large | ~small | (depth(surface, min(radii), x) <= 1e-12)).all()


def test_where_the_graph_ends_the_walls_beyond_do_not_count():
    parabola = S.quadratic([[2.0]])
    assert rb.unreachable(parabola, 1.0, [0.5])[0]
    assert not rb.unreachable(parabola, 1.0, [0.5], box=[[0.45, 1.0]])[0]


def test_a_scaled_loss_is_sharper():
    surface, x = S.sine(), [[-np.pi / 2]]
    assert not rb.unreachable(surface, 0.9, x)[0]
    assert rb.unreachable(surface.scaled(2.0), 0.9, x)[0]
    assert rb.upper_reach(surface.scaled(2.0), [[-7.0, 7.0]], samples=1024).value == pytest.approx(0.5, abs=1e-12)


# Medial balls


@given(k=st.floats(0.2, 5), p=st.floats(0.05, 3), side=st.sampled_from([1, -1]))
def test_the_medial_balls_of_a_parabola(k, p, side):
    # they touch at p and at -p, with their centres on the axis
    found = medial_radius(S.quadratic([[k]]), [[side * p]])
    assert found[0] == pytest.approx(np.sqrt(p * p + 1 / (k * k)), rel=1e-6)
    assert medial_radius(S.quadratic([[-k]]), [[side * p]], -1.0)[0] == pytest.approx(found[0], rel=1e-6)
    assert medial_radius(S.quadratic([[-k]]), [[side * p]], largest=50.0)[0] == 50.0


def test_a_medial_ball_is_the_largest_that_reaches_its_point():
    surface, x = S.sine(), np.linspace(-3, 3, 25)[:, None]
    radii = medial_radius(surface, x, largest=100.0)
    for at, radius in zip(x, radii, strict=True):
        if radius < 100.0:
            assert rb.unreachable(surface, 1.001 * radius, at)[0]
        assert not rb.unreachable(surface, 0.999 * radius, at)[0]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: rb.reach("sine", [[-1.0, 1.0]]), "surface"),
        (lambda: rb.upper_reach("sine", [[-1.0, 1.0]]), "surface"),
        (lambda: rb.reach(S.sine(), [-1.0, 1.0]), "box"),
        (lambda: rb.reach(S.sine(), [[1.0, -1.0]]), "box"),
        (lambda: rb.upper_reach(S.sine(), [[-1.0, 1.0]], samples=3), "samples"),
        (lambda: rb.curvatures(S.sine(), [[0.0, 1.0]]), "x"),
        (lambda: rb.curvatures(S.sine(), "0"), "x"),
        (lambda: rb.unreachable(S.sine(), 0.0, 0.0), "radius"),
        (lambda: rb.unreachable(S.sine(), [1.0, 2.0], 0.0), "radius"),
        (lambda: rb.unreachable(S.sine(), 1.0, float("nan")), "x"),
    ],
)
def test_bad_arguments_name_their_field(make, field, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()


UNCHECKED = {
    "curvatures": (lambda: rb.curvatures("sine", 0.0), "surface"),
    "unreachable": (lambda: rb.unreachable("sine", 1.0, 0.0), "surface"),
    "unreachable, search": (lambda: rb.unreachable(S.sine(), 1.0, 0.0, search="all"), "search"),
    "unreachable, box": (lambda: rb.unreachable(S.sine(), 1.0, 0.0, box=[1.0]), "box"),
    "reach, search": (lambda: rb.reach(S.sine(), [[-1.0, 1.0]], search="all"), "search"),
}


@pytest.mark.parametrize("name", UNCHECKED)
def test_more_bad_arguments_name_their_field(name, no_compiling):
    make, field = UNCHECKED[name]
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x)", "x**0.5"])
@pytest.mark.parametrize("measure", [rb.reach, rb.upper_reach])
def test_a_box_over_the_edge_of_a_domain_is_refused(measure, text):
    with pytest.raises(rb.InputError, match="box"):
        measure(rb.formula(text, "x"), [[-1, 1]])
