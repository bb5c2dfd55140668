"""Where balls rest: closed forms, brute force, and the identities of dilation by a ball (theory, sections 3 and 8)."""

from typing import Any

import numpy as np
import pytest
import warp as wp
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

import rollingball as rb

S = rb.surfaces
PROVEN, ESTIMATED, NONE = rb.Certificate.PROVEN, rb.Certificate.ESTIMATED, rb.Certificate.NONE
ROOT = np.sqrt(0.75)
POCKET = S.max_of_planes([[1.0, 0.0], [-0.5, ROOT], [-0.5, -ROOT]])
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


def f_rho(surface, x, rho, **options):
    return rb.contacts(surface, np.atleast_1d(x), rho, **options).height[0]


# Closed forms


@pytest.mark.parametrize("case", ["G03a", "G03b"])
def test_a_ball_wedged_in_a_parabola(oracle, case):
    given, expected, tol = oracle(case)["inputs"], oracle(case)["expected"], oracle(case)["tol"]
    found = rb.contacts(S.quadratic([[given["k"]]]), [0.0], given["rho"])
    assert found.height[0] == pytest.approx(expected["f_rho_0"], abs=tol)
    assert found.count[0] == 2
    np.testing.assert_allclose(np.sort(found.feet[0, :, 0]), np.array([-1, 1]) * expected["contact"], atol=tol)
    np.testing.assert_allclose(np.sort(found.slopes[0, :, 0]), np.array([-1, 1]) * expected["slope_right"], atol=tol)
    assert found.slope[0, 0] == 0  # it rests
    assert found.certified[0] == PROVEN
    assert expected["unreachable_halfwidth"] == expected["contact"]


@pytest.mark.parametrize("case", ["G04a", "G04b"])
def test_a_ball_beside_the_axis_of_a_parabola(oracle, case):
    given, expected, tol = oracle(case)["inputs"], oracle(case)["expected"], oracle(case)["tol"]
    found = rb.contacts(S.quadratic([[given["k"]]]), given["x"], given["rho"])
    assert found.height[0] == pytest.approx(expected["f_rho"], abs=tol)
    assert found.feet[0, 0, 0] == pytest.approx(expected["contact"], abs=tol)
    assert found.slope[0, 0] == pytest.approx(expected["slope"], abs=tol)
    assert found.count[0] == 1


def test_a_plane(oracle):
    case = oracle("G01")
    given = case["inputs"]
    found = rb.contacts(S.plane(given["a"], given["b"]), given["x"], given["rho"])
    assert found.height[0] == pytest.approx(case["expected"]["f_rho_at_x"], abs=case["tol"])
    np.testing.assert_allclose(found.slope[0], given["a"], atol=case["tol"])
    assert found.certified[0] == PROVEN  # in more than two dimensions too


def test_a_bowl(oracle):
    case = oracle("G05")
    given, expected, tol = case["inputs"], case["expected"], case["tol"]
    found = rb.contacts(S.bowl(radius=given["R"]), given["x"], given["rho"])
    assert found.height[0] == pytest.approx(expected["f_rho"], abs=tol)
    np.testing.assert_allclose(found.feet[0, 0], expected["foot"], atol=1e-10)
    assert found.certified[0] == PROVEN
    foot = rb.project(S.bowl(radius=given["R"]), [*given["x"], expected["f_rho"]])
    np.testing.assert_allclose(foot.foot[0], expected["foot"], atol=1e-10)
    assert foot.distance[0] == pytest.approx(given["rho"], abs=tol)


def test_over_the_bottom_of_a_sine(oracle):
    case = oracle("G07")
    bottom, tol = case["inputs"]["theta"], case["tol"]
    radii = [float(rho) for rho in case["expected"]]
    found = rb.contacts(S.sine(), np.full((len(radii), 1), bottom), radii)
    for ball, expected in enumerate(case["expected"].values()):
        assert found.height[ball] == pytest.approx(expected["f_rho_bottom"], abs=tol)
        if radii[ball] > 1:
            assert found.count[ball] == 2
            offsets = np.sort(found.feet[ball, :2, 0] - bottom)
            np.testing.assert_allclose(offsets, np.array([-1, 1]) * expected["contact_offset"], atol=tol)
            assert found.slope[ball, 0] == pytest.approx(0, abs=1e-12)
        elif radii[ball] < 1:
            assert found.count[ball] == 1
            assert found.feet[ball, 0, 0] == pytest.approx(bottom, abs=tol)
    assert (found.certified == PROVEN).all()


def test_a_valley_of_two_planes(oracle):
    case = oracle("G13")
    given, expected, tol = case["inputs"], case["expected"], case["tol"]
    valley = S.max_of_planes([[given["s"]], [-given["s"]]])
    found = rb.contacts(valley, [[0.0], [given["x"]]], given["rho"])
    np.testing.assert_allclose(found.height, [expected["f_rho_0"], expected["f_rho_x"]], atol=tol)
    np.testing.assert_allclose(np.sort(found.feet[0, :, 0]), [-expected["contact"], expected["contact"]], atol=1e-10)
    assert found.count.tolist() == [2, 1]
    assert found.slope[0, 0] == 0
    assert found.slope[1, 0] == given["s"]


def test_over_a_ridge_the_ball_rocks_on_its_edge(oracle):
    case = oracle("G14")
    given, expected, tol = case["inputs"], case["expected"], case["tol"]
    ridge = rb.formula("-S*abs(x)", constants={"S": given["s"]})
    found = rb.contacts(ridge, np.array(given["x"])[:, None], given["rho"])
    np.testing.assert_allclose(found.height, expected["f_rho"], atol=tol)
    assert found.count.tolist() == [1, 1]
    # within the cap the contact stays at the edge, and the slope is that of the ball, between those of the sides
    half = expected["cap_halfwidth"]
    x = np.linspace(-half, half, 14)[1:-1]
    found = rb.contacts(ridge, x[:, None], given["rho"])
    np.testing.assert_allclose(found.feet[:, 0, 0], 0, atol=1e-10)
    np.testing.assert_allclose(found.slope[:, 0], -x / np.sqrt(given["rho"] ** 2 - x**2), atol=1e-9)
    assert (np.abs(found.slope) < given["s"]).all()


@pytest.mark.parametrize("rho", [0.01, 0.1, 0.3, 1.0, 3.0, 10.0])
def test_equation_13(oracle, rho):
    case = oracle("G20")
    expected, tol = case["expected"], case["tol"]
    found = rb.contacts(S.riemann(), case["inputs"]["theta"], rho)
    assert found.height[0] - rho == pytest.approx(expected[f"f_rho(2)-rho, rho={rho}"], abs=tol)
    assert found.feet[0, 0, 0] == pytest.approx(expected[f"contact rho={rho}"], abs=tol)
    assert found.certified[0] == PROVEN


def test_equation_13_has_this_highest_and_lowest_point(oracle):
    expected = oracle("G20")["expected"]
    surface, tol = S.riemann(), oracle("G20")["tol"]
    assert surface.value(2.0) == pytest.approx(expected["f(2)"], abs=tol)
    assert surface.gradient([2.0])[0] == pytest.approx(expected["f'(2)"], abs=tol)
    # a tiny ball that may be anywhere over a period touches the top; of -f, which is f(-x), the bottom
    top = rb.contacts(surface, np.pi, 1e-3, core=np.pi)
    assert top.height[0] - 1e-3 == pytest.approx(expected["sup"], abs=tol)
    assert top.feet[0, 0, 0] == pytest.approx(expected["argsup"], abs=tol)
    assert surface.value(-expected["argsup"]) == pytest.approx(expected["inf"], abs=tol)


def test_arctan_is_ironed_slowly(oracle):
    case = oracle("P04")
    radii, expected, tol = case["inputs"]["rho"], case["expected"], case["tol"]
    found = rb.contacts(rb.formula("atan(x)"), np.zeros((3, 1)), radii, rb.GlobalProjection(hessian_bound=0.65))
    deficit = np.pi / 2 - (found.height - radii)
    np.testing.assert_allclose(deficit, expected["deficit"], atol=tol)
    np.testing.assert_allclose(deficit * np.cbrt(radii), expected["scaled"], atol=100 * tol)
    assert (found.certified == PROVEN).all()


def test_no_bound_of_a_hessian_knows_of_a_crease():
    """A ball in the corner of |x| has two contacts, though the Hessian is 0 wherever there is one."""
    corner, search = rb.surfaces.max_of_planes([[1.0], [-1.0]]), rb.GlobalProjection(hessian_bound=0.5)
    assert rb.contacts(corner, [[0.0]], 1.0, search).count.tolist() == [2]
    near = rb.project(corner, [[0.01, 0.8], [-0.02, 0.7]], search)
    np.testing.assert_allclose(near.foot[:, 0], [0.405, -0.36], atol=1e-9)


def test_convex_duality(oracle):
    # f_rho(x) = sup over p of p x - f*(p) + rho sqrt(1 + p^2), and for f = k x^2 / 2 the conjugate is p^2 / (2 k)
    case = oracle("P02")
    k, rho, x = (case["inputs"][name] for name in ("k", "rho", "x"))
    found = rb.contacts(S.quadratic([[float(k)]]), x, rho)
    assert found.slope[0, 0] == pytest.approx(case["expected"]["p"], abs=case["tol"])
    assert found.height[0] == pytest.approx(case["expected"]["f_rho"], abs=case["tol"])


@given(k=st.floats(0.1, 5), rho=st.floats(0.05, 3), x=st.floats(-2, 2))
def test_convex_duality_of_any_parabola(k, rho, x):
    slopes = np.linspace(-60, 60, 240_001)
    dual = (slopes * x - slopes**2 / (2 * k) + rho * np.sqrt(1 + slopes**2)).max()
    assert f_rho(S.quadratic([[k]]), x, rho) == pytest.approx(dual, abs=1e-6 * (1 + rho))
    assert f_rho(S.quadratic([[k]]), x, rho) >= dual - 1e-12 * (1 + dual)


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_a_ball_on_a_quadratic_below_its_reach(dim):
    # every ball that is tangent at p from above touches there and nowhere else
    random = np.random.default_rng(dim)
    turn = np.linalg.qr(random.normal(size=(dim, dim)))[0]
    a = turn @ np.diag(np.linspace(-2, 0.95, dim)) @ turn.T
    p = 0.7 * random.normal(size=(40, dim))
    g = p @ a
    w = np.sqrt(1 + (g * g).sum(axis=1))
    found = rb.contacts(S.quadratic(a), p - g / w[:, None], 1.0)
    np.testing.assert_allclose(found.feet[:, 0], p, atol=1e-8)
    np.testing.assert_allclose(found.height, 0.5 * (p * g).sum(axis=1) + 1 / w, atol=1e-10)
    np.testing.assert_allclose(found.slope, g, atol=1e-7)
    proved = (dim == 2) | (w > 2)  # where K rho = 2 is below w, by one bound in any dimension
    clearly = np.abs(w - 2) > 0.1
    assert (proved & clearly).sum() > 3
    assert (found.certified == np.where(proved, PROVEN, NONE))[clearly].all()


# Several contacts


def test_in_a_pocket_of_three_planes_the_ball_rests_on_three_contacts():
    found = rb.contacts(POCKET, [[0.0, 0.0], [0.1, 0.0], [-0.2, 0.0]], 1.0)
    assert found.count.tolist() == [3, 1, 2]
    assert found.height[0] == pytest.approx(np.sqrt(2), abs=1e-12)  # planes of slope 1, so each is 1 / sqrt 2 below
    assert (found.slope[0] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(found.feet[0], axis=1), np.sqrt(0.5), atol=1e-10)
    np.testing.assert_allclose(found.slope[1], [1, 0], atol=1e-15)
    np.testing.assert_allclose(found.slope[2], [-0.5, 0], atol=1e-15)  # along the edge of two
    assert (found.certified == PROVEN).all()


@given(a=st.floats(-2, 2), s=st.floats(0.1, 3), y=st.floats(-3, 3), rho=st.floats(0.1, 3))
def test_in_a_trough_the_ball_slides_along_it(a, s, y, rho):
    found = rb.contacts(S.max_of_planes([[s, a], [-s, a]]), [0.0, y], rho)
    assert found.count[0] == 2
    np.testing.assert_allclose(found.slope[0], [0, a], atol=1e-12)
    w = np.sqrt(1 + a * a + s * s)
    assert found.height[0] == pytest.approx(a * y + rho * w, abs=1e-12 * (1 + rho))
    np.testing.assert_allclose(np.sort(found.feet[0, :, 0]), [-rho * s / w, rho * s / w], atol=1e-8)
    np.testing.assert_allclose(found.feet[0, :, 1], y + rho * a / w, atol=1e-8)


@given(
    slopes=st.lists(st.lists(st.floats(-2, 2), min_size=2, max_size=2), min_size=4, max_size=4),
    offsets=st.lists(st.floats(-1, 1), min_size=4, max_size=4),
    x=st.lists(st.floats(-2, 2), min_size=2, max_size=2),
    rho=st.floats(0.05, 3),
)
def test_ironing_commutes_with_the_maximum(slopes, offsets, x, rho):
    each = np.dot(slopes, x) + offsets + rho * np.sqrt(1 + np.square(slopes).sum(axis=1))
    found = rb.contacts(S.max_of_planes(slopes, offsets), x, rho)
    assert found.height[0] == pytest.approx(each.max(), abs=1e-10)
    assert found.certified[0] == PROVEN


def test_the_tie_says_which_contacts_are_as_high():
    parabola, x = S.quadratic([[2.0]]), [1e-5]  # the other side is 3.5e-5 lower
    assert rb.contacts(parabola, x, 1.0).count[0] == 1
    assert rb.contacts(parabola, x, 1.0, rb.GlobalProjection(tie=1e-4)).count[0] == 2
    assert rb.contacts(parabola, x, 1.0, rb.GlobalProjection(tie=1e-5)).count[0] == 1


def test_a_contact_that_is_a_little_lower_is_none():
    x = np.concatenate([[-1.0, 1.0] * np.logspace(-6, -0.5, 12)[:, None]], axis=None)
    for surface, at in ((S.quadratic([[2.0]]), 0.0), (S.sine(), -np.pi / 2)):
        found = rb.contacts(surface, (at + x)[:, None], 3.0)
        assert (found.count == 1).all()
        assert (np.sign(found.feet[:, 0, 0] - at) == np.sign(x)).all()


def test_over_a_paraboloid_there_is_a_ring_of_contacts():
    found = rb.contacts(S.quadratic(2 * np.eye(2)), [0.0, 0.0], 1.0, rb.GlobalProjection(nodes=20_000))
    assert found.count[0] == 8
    assert found.height[0] == pytest.approx(1.25, abs=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found.feet[0], axis=1), ROOT, atol=1e-8)
    assert found.certified[0] == PROVEN  # that none is higher


@pytest.mark.parametrize(("amplitude", "rho"), [(3.0, 1.0), (30.0, 1.0), (30.0, 0.01)])
@pytest.mark.parametrize("seeds", [0, 32])
def test_a_proof_does_not_lean_on_its_seeds(amplitude, rho, seeds):
    # on steep ground Newton's method stops at the rim of the ball, which is no contact
    x = np.linspace(-3, 3, 301)
    found = rb.contacts(S.sine(amplitude=amplitude), x[:, None], rho, rb.GlobalProjection(seeds=seeds))
    assert (found.certified == PROVEN).all()
    aside = rho * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 4001))
    heights = amplitude * np.sin(x[:, None] + aside) + np.sqrt(rho * rho - aside * aside)
    assert (found.height >= heights.max(axis=1) - 1e-9 * rho).all()


@pytest.mark.parametrize(("amplitude", "rho"), [(3.0, 1.0), (30.0, 1.0), (30.0, 0.01)])
def test_on_steep_ground_seeds_lead_to_contacts_and_not_to_the_rim(amplitude, rho):
    surface, x = S.sine(amplitude=amplitude), np.linspace(-3, 3, 301)[:, None]
    seeded = rb.contacts(surface, x, rho, rb.GlobalProjection(nodes=0))
    assert (seeded.height >= rb.contacts(surface, x, rho).height - 1e-9 * rho).all()
    # there the ball is as steep as the ground
    touch = seeded.feet[:, 0]
    slope = (touch - x) / (seeded.height[:, None] - surface.value(touch)[:, None])
    np.testing.assert_allclose(slope, surface.gradient(touch), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("amplitude", [0.5, 3.0, 30.0])
def test_at_a_border_of_the_graph_newtons_method_converges(amplitude):
    # a coordinate that the border holds has to stay there: pulled off it, the steps went to and fro
    ground = S.formula(f"{amplitude} * (x + 0.3 * sin(3 * x + y) + 0.6 * cos(2 * y + x))", "x, y")
    centers, box = np.random.default_rng(0).uniform(-0.9, 0.9, (100, 2)), [(-1, 1), (-1, 1)]
    seeded = rb.contacts(ground, centers, 1.0, rb.GlobalProjection(nodes=0), box=box)
    at_border = (np.abs(seeded.feet[:, 0]) == 1).any(axis=1)
    assert at_border.any()
    assert not at_border.all()
    assert (seeded.height >= rb.contacts(ground, centers, 1.0, box=box).height - 1e-9 * amplitude).all()
    assert seeded.evaluations.max() < 400  # 64 seeds and at most nine minima: the search for kinks takes thousands


def test_over_a_round_bowl_newtons_method_goes_all_around():
    centers = np.random.default_rng(0).uniform(-0.01, 0.01, (50, 2))
    found = rb.contacts(S.quadratic(2 * np.eye(2)), centers, 1.0, rb.GlobalProjection(nodes=0))
    aside = np.linalg.norm(centers, axis=1)  # the contact is straight across, where r of f = r^2 meets the ball
    r = np.linspace(0, 1.1, 200_001)
    highest = [(r * r + np.sqrt(np.maximum(1 - (r - d) ** 2, 0)))[r - d <= 1].max() for d in aside]
    np.testing.assert_allclose(found.height, highest, rtol=0, atol=1e-10)
    assert found.evaluations.max() < 400


@pytest.mark.parametrize(("rho", "slope"), [(1e-6, 1e4), (1e-6, 1e6), (1e-4, 1e6)])
def test_a_tiny_ball_on_a_steep_plane(rho, slope):
    found = rb.contacts(S.plane([0.6 * slope, 0.8 * slope]), [[0.0, 0.0]], rho, rb.GlobalProjection(nodes=0))
    assert found.height[0] == pytest.approx(rho * np.hypot(1, slope), rel=1e-14)


@pytest.mark.parametrize("rho", [300.0, 1000.0, 3000.0])
@pytest.mark.parametrize("seeds", [0, 8, 64])
def test_a_flat_place_known_first_hides_no_contact(rho, seeds):
    # all within the flat part around the first contact known are one with it: at the bottom that part is the whole box
    found = rb.contacts(S.sine(), [[-np.pi / 2]], rho, rb.GlobalProjection(seeds=seeds))
    assert found.certified[0] == PROVEN
    assert found.count[0] == 2
    assert found.feet[0].sum() == pytest.approx(-np.pi, abs=1e-8)


def test_a_proof_ends_where_cells_lie_across_the_rim_of_the_ball():
    # the rim comes as high as the highest contact that seeds find: such cells were halved to no end
    surface, rho = S.rastrigin(2), 10.0
    centers = np.array([[-0.6002504, -1.10491541], [-1.00338948, -1.79371972], [0.3, 1.2], [1.9, -1.4]])
    found = rb.contacts(surface, centers, rho, rb.GlobalProjection(nodes=10_000))
    assert (found.certified == PROVEN).all()
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, 1601), np.linspace(0, np.pi / 2, 801))
    on_ball = rho * np.stack([np.sin(down) * np.cos(around), np.sin(down) * np.sin(around)], axis=-1).reshape(-1, 2)
    for center, height in zip(centers, found.height, strict=True):
        assert height >= (surface.value(center + on_ball) + rho * np.cos(down).ravel()).max() - 1e-9


# Identities


@given(**DRAWN)
def test_the_ball_touches_and_never_enters(amplitudes, phases, x, rho):
    surface = waves(amplitudes, phases)
    found = rb.contacts(surface, x, rho)
    p = found.feet[0, 0]
    w = np.sqrt(1 + surface.gradient(p)[0] ** 2)
    assert found.height[0] == pytest.approx(surface.value(p) + rho / w, abs=1e-9)
    assert x == pytest.approx(p[0] - rho * surface.gradient(p)[0] / w, abs=1e-7)
    assert found.slopes[0, 0, 0] == pytest.approx(surface.gradient(p)[0], abs=1e-12)
    assert found.height[0] >= surface.value(x) + rho
    near = rb.project(surface, [x, found.height[0]])
    assert near.distance[0] == pytest.approx(rho, abs=1e-9)
    assert near.above[0]
    assert found.certified[0] == PROVEN


@given(**DRAWN)
def test_the_height_is_that_of_brute_force(amplitudes, phases, x, rho):
    surface = waves(amplitudes, phases)
    s = np.linspace(-rho, rho, 20_001)
    total = sum(a * np.cos(f * (x + s) + p) for a, f, p in zip(amplitudes, (1, 2, 3.3), phases, strict=True))
    values = total + np.sqrt(rho * rho - s * s)
    found = rb.contacts(surface, x, rho)
    assert found.height[0] >= values.max() - 1e-12
    assert (
        found.height[0]
        <= values.max() + 40 * (s[1] - s[0]) ** 2 * (1 + 1 / rho) ** 2 * (1 + np.abs(found.slope[0, 0])) ** 3
    )


@given(**DRAWN, other=DRAWN["amplitudes"])
def test_ironing_is_non_expansive(amplitudes, phases, x, rho, other):
    farthest = np.abs(np.subtract(amplitudes, other)).sum()
    apart = f_rho(waves(amplitudes, phases), x, rho) - f_rho(waves(other, phases), x, rho)
    assert abs(apart) <= farthest + 1e-12


@given(**DRAWN, scale=st.floats(0.05, 20))
def test_scaling_a_graph_and_a_ball(amplitudes, phases, x, rho, scale):
    # (L f(./L))_(L rho) = L f_rho(./L)
    one = f_rho(waves(amplitudes, phases), x, rho)
    frequencies = np.array([[1.0], [2.0], [3.3]]) / scale
    other = f_rho(waves(amplitudes, phases, frequencies, loss_scale=scale), scale * x, scale * rho)
    assert other == pytest.approx(scale * one, abs=1e-10 * scale)


@given(**DRAWN, constant=st.floats(-100, 100))
def test_a_constant_lifts_the_ball_and_moves_no_contact(amplitudes, phases, x, rho, constant):
    def raised(by):
        return waves([*amplitudes, by], [*phases, 0.0], ((1.0,), (2.0,), (3.3,), (0.0,)))

    low, high = rb.contacts(raised(0.0), x, rho), rb.contacts(raised(constant), x, rho)
    assert high.height[0] == pytest.approx(low.height[0] + constant, abs=1e-11)
    if low.count[0] == high.count[0] == 1:
        np.testing.assert_allclose(high.feet, low.feet, atol=1e-6)


@given(**{**DRAWN, "rho": st.floats(1e-4, 1e-2)})
def test_a_small_ball_feels_the_norm_of_the_slope(amplitudes, phases, x, rho):
    surface = waves(amplitudes, phases)
    g = surface.gradient([x])[0]
    third = sum(np.abs(amplitudes) * np.array([1, 4, 11]))  # bounds the second derivative
    assert abs(f_rho(surface, x, rho) - surface.value(x) - rho * np.sqrt(1 + g * g)) <= third * rho * rho


@given(k=st.floats(0.1, 20), x=st.floats(-2, 2), y=st.floats(-2, 2), rho=st.floats(0.05, 2))
def test_a_scaled_loss_is_the_loss_that_is_so_large(k, x, y, rho):
    a, b = np.array([[1.0, 0.2], [0.2, -0.5]]), np.array([0.3, -0.1])
    one = rb.contacts(S.quadratic(a, b, loss_scale=k), [x, y], rho)
    other = rb.contacts(S.quadratic(k * a, k * b), [x, y], rho)
    assert one.height[0] == pytest.approx(other.height[0], abs=1e-11 * (1 + abs(other.height[0])))
    np.testing.assert_allclose(one.slope, other.slope, atol=1e-6 * k)


@given(x=st.floats(-8, 8), rho=st.floats(0.05, 5), aside=st.floats(0, 3))
def test_a_ball_that_may_move_sideways_rests_as_high_as_the_highest(x, rho, aside):
    together = rb.contacts(S.sine(), x, rho, core=aside)
    places = np.linspace(x - aside, x + aside, 201)[:, None]
    each = rb.contacts(S.sine(), places, rho).height
    assert together.height[0] >= each.max() - 1e-10
    steep = 1.0  # no slope of sin is steeper, nor one of f_rho
    assert together.height[0] <= each.max() + steep * aside / 200 + 1e-10
    assert together.certified[0] == PROVEN


# Wells, by brute force


def test_balls_over_the_wells_rest_where_samples_say():
    centers = np.random.RandomState(0).uniform(-3, 3, (1000, 2))
    random = np.random.default_rng(5)
    x, radii = random.uniform(-2.5, 2.5, (25, 2)), random.uniform(0.05, 1.0, 25)
    found = rb.contacts(S.gaussian_wells(), x, radii)
    assert (found.certified == PROVEN).all()
    for ball in range(25):
        side = np.linspace(-radii[ball], radii[ball], 401)
        sx, sy = x[ball, 0] + side, x[ball, 1] + side
        near = centers[(np.abs(centers - x[ball]) < radii[ball] + 0.65).all(axis=1)]
        columns, rows = (np.exp(-((s[:, None] - near[:, i]) ** 2) / 0.01) for i, s in ((0, sx), (1, sy)))
        f = sx[:, None] ** 2 + sy[None] ** 2 - columns @ rows.T
        square = radii[ball] ** 2 - side[:, None] ** 2 - side[None] ** 2
        values = np.where(square >= 0, f + np.sqrt(np.maximum(square, 0)), -np.inf)
        assert found.height[ball] >= values.max() - 1e-12
        assert found.height[ball] <= values.max() + 200 * (side[1] - side[0]) ** 2 + 1e-9


# Graphs that end


def test_where_the_graph_ends_the_ball_hangs_over_its_border():
    x = np.array([[0.0], [1.5], [2.9], [-2.0]])
    found = rb.contacts(S.sine(), x, 2.0, box=[[-1.0, 1.0]])
    t = np.linspace(-1, 1, 400_001)
    for ball, (center,) in enumerate(x):
        s = t[np.abs(t - center) <= 2] - center
        assert found.height[ball] == pytest.approx((np.sin(center + s) + np.sqrt(4 - s * s)).max(), abs=1e-9)
    np.testing.assert_allclose(found.feet[1:3, 0, 0], 1.0, atol=1e-15)
    # there the slope is that of the ball
    np.testing.assert_allclose(found.slope[1:3, 0], (1 - x[1:3, 0]) / np.sqrt(4 - (1 - x[1:3, 0]) ** 2), atol=1e-12)
    assert (found.certified == PROVEN).all()
    assert (found.count == 1).all()


def test_where_there_is_no_graph_below_there_is_no_height():
    found = rb.contacts(S.sine(), [[0.0], [4.0]], 2.0, box=[[-1.0, 1.0]])
    assert found.status.tolist() == [rb.Status.CONVERGED, rb.Status.NOT_FINITE]
    assert found.count.tolist() == [1, 0]
    for part in (found.height, found.slope, found.feet, found.slopes):
        assert np.isnan(part[1]).all()
        assert np.isfinite(part[0]).all()


@given(x=st.floats(-1.9, 1.9), rho=st.floats(0.1, 2))
def test_over_the_corner_of_a_tilted_square(x, rho):
    # a plane that falls along both axes ends at its highest corner
    found = rb.contacts(S.plane([-1.0, -2.0]), [x, -0.5], rho, box=[[0.0, 1.0], [0.0, 1.0]])
    side = np.linspace(0, 1, 401)
    square = rho**2 - (side[:, None] - x) ** 2 - (side[None] + 0.5) ** 2
    values = np.where(square >= 0, -side[:, None] - 2 * side[None] + np.sqrt(np.maximum(square, 0)), -np.inf)
    if np.isfinite(values.max()):
        assert found.height[0] >= values.max() - 1e-12
        assert found.height[0] <= values.max() + 0.02


def test_a_dome_under_a_ball_is_a_larger_dome():
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2))
    found = rb.contacts(S.dome(), x, 0.5)
    square = (x**2).sum(axis=1)
    np.testing.assert_allclose(found.height, np.sqrt(1.5**2 - square), atol=1e-12)
    np.testing.assert_allclose(found.slope, -x / np.sqrt(1.5**2 - square)[:, None], atol=1e-9)
    np.testing.assert_allclose(found.feet[:, 0], x / 1.5, atol=1e-9)
    inner = np.abs(x).max(axis=1) < 0.15  # where the disc does not come near the rim
    assert (found.certified[inner] == PROVEN).all()


def test_at_the_rim_of_a_bowl_the_slope_is_that_of_the_ball():
    found = rb.contacts(S.bowl(radius=2.0), [1.6, 0.0], 0.5, rb.GlobalProjection(nodes=2000))
    assert found.height[0] == pytest.approx(2.3, abs=1e-4)
    np.testing.assert_allclose(found.slope[0], [0.4 / 0.3, 0.0], atol=0.05)


def test_samples_end_where_their_box_does():
    x = np.linspace(-1, 2, 61)
    surface = S.sampled(np.cos(x), [[-1.0, 2.0]])
    centers = np.linspace(-1.9, 2.8, 40)
    found = rb.contacts(surface, centers[:, None], 1.0)
    t = np.linspace(-1, 2, 200_001)
    f = surface.value(t[:, None])
    for center, height in zip(centers, found.height, strict=True):
        inside = np.abs(t - center) <= 1
        brute = (f[inside] + np.sqrt(1 - (t[inside] - center) ** 2)).max()
        assert height == pytest.approx(brute, abs=1e-7)
        assert height >= brute - 1e-12
    assert (found.certified == PROVEN).all()
    # beyond the border that slopes up to it the contact is the border itself
    outside = centers < -1.65
    assert (found.feet[outside, 0, 0] == -1).all()
    np.testing.assert_allclose(
        found.height[outside], np.cos(1) + np.sqrt(1 - (centers[outside] + 1) ** 2), rtol=0, atol=1e-14
    )


# Certificates, batches, threads


@wp.func
def ridge_of_ones_own(x: Any):
    return -x.dtype(0.5) * wp.abs(x[0])


def test_what_is_known_is_proved_what_is_sampled_is_estimated_and_seeds_are_neither():
    ridge, own = rb.formula("-S*abs(x)", constants={"S": 0.5}), rb.surface(dim=1)(ridge_of_ones_own)

    def certificate(surface, **options):
        return rb.contacts(surface, 0.3, 1.5, rb.GlobalProjection(**options)).certified[0]

    for known in (S.sine(), S.riemann(), S.quadratic([[1.0]])):
        assert certificate(known) == PROVEN
        assert certificate(known, nodes=0) == NONE
        assert certificate(known, nodes=1) == NONE or certificate(known, nodes=2) == PROVEN
    assert certificate(S.riemann(), nodes=20) == NONE
    assert certificate(ridge) == PROVEN
    assert certificate(own) == ESTIMATED
    for surface in (ridge, own):
        assert certificate(surface, nodes=0) == NONE


@given(st.floats(-6, 6), st.floats(0.1, 5))
def test_the_proof_does_not_need_the_seeds(x, rho):
    alone = rb.contacts(S.sine(), x, rho, rb.GlobalProjection(seeds=0))
    assert alone.certified[0] == PROVEN
    assert alone.height[0] == pytest.approx(f_rho(S.sine(), x, rho), abs=1e-9)


def test_balls_in_a_batch_are_as_alone_and_threads_change_no_bit():
    random = np.random.default_rng(0)
    x, radii = random.uniform(-4, 4, (17, 1)), random.uniform(0.1, 4, 17)
    found = rb.contacts(S.sine(), x, radii, threads=1)
    assert len(found) == 17
    for ball in range(17):
        alone = rb.contacts(S.sine(), x[ball], radii[ball])
        assert alone.height[0] == found.height[ball]
        assert alone.feet[0, 0, 0] == found.feet[ball, 0, 0]
    many = rb.contacts(S.sine(), x, radii, threads=4)
    assert (many.height == found.height).all()
    assert (many.evaluations == found.evaluations).all()


def test_a_ball_as_large_as_anything():
    # sin under a ball of radius 1e6 is sin's crests under a plane: f_rho - rho is within pi^2 / (2 rho) of 1
    x = np.random.default_rng(0).uniform(-np.pi, np.pi, (20, 1))
    found = rb.contacts(S.sine(), x, 1e4, rb.GlobalProjection(nodes=2000))
    assert (found.height - 1e4 <= 1 + 1e-9).all()
    assert (found.height - 1e4 >= 1 - np.pi**2 / 2e4 - 1e-9).all()


def test_a_root_finder_agrees_on_the_contact_below_the_reach():
    for x in (0.2, 1.0, 2.5):
        root = brentq(
            lambda p, x=x: p - 0.8 * np.cos(p) / np.sqrt(1 + np.cos(p) ** 2) - x, x - 0.8, x + 0.8, xtol=1e-15
        )
        assert rb.contacts(S.sine(), x, 0.8).feet[0, 0, 0] == pytest.approx(root, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: rb.contacts("sine", 0.0, 1.0), "surface"),
        (lambda: rb.contacts(S.sine(), [[0.0, 1.0]], 1.0), "centers"),
        (lambda: rb.contacts(S.sine(), float("nan"), 1.0), "centers"),
        (lambda: rb.contacts(S.sine(), 0.0, 0.0), "radius"),
        (lambda: rb.contacts(S.sine(), 0.0, -1.0), "radius"),
        (lambda: rb.contacts(S.sine(), 0.0, [1.0, 2.0]), "radius"),
        (lambda: rb.contacts(S.sine(), 0.0, [[1.0]]), "radius"),
        (lambda: rb.contacts(S.sine(), 0.0, "1"), "radius"),
        (lambda: rb.contacts(S.sine(), 0.0, 1.0, rb.NewtonProjection()), "search"),
        (lambda: rb.contacts(S.sine(), 0.0, 1.0, core=-1.0), "core"),
        (lambda: rb.contacts(S.sine(), 0.0, 1.0, core=[1.0, 2.0]), "core"),
        (lambda: rb.contacts(S.sine(), 0.0, 1.0, box=[1.0, 2.0]), "box"),
        (lambda: rb.contacts(S.sine(), 0.0, 1.0, box=[[2.0, 1.0]]), "box"),
        (lambda: rb.contacts(S.sine(), 0.0, 1.0, device="abacus"), "device"),
    ],
)
def test_bad_arguments_name_their_field(make, field, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()


@pytest.mark.parametrize("name", ["sine", "himmelblau", "formula"])
def test_one_bound_proves_what_a_search_finds_below_the_reach(name):
    """A box far away ends the graph where it matters to nothing but the proof."""
    surface, radius = {
        "sine": (rb.surfaces.sine(dim=2), 0.6),
        "himmelblau": (rb.surfaces.himmelblau(loss_scale=0.01), 0.5),
        "formula": (rb.formula("sin(x) + cos(2*y)/2", "x y"), 0.3),
    }[name]
    at = np.random.default_rng(3).uniform(-3, 3, (200, 2))
    proved, sought = rb.contacts(surface, at, radius), rb.contacts(surface, at, radius, box=[(-1e6, 1e6)] * 2)
    assert (proved.certified == rb.Certificate.PROVEN).all()
    assert (proved.evaluations < sought.evaluations / 3).all()
    np.testing.assert_allclose(proved.height, sought.height, rtol=0, atol=1e-13)
    np.testing.assert_allclose(proved.feet, sought.feet, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(proved.count, sought.count)


def test_below_the_reach_contacts_and_feet_are_proved_in_any_dimension():
    surface, rng = rb.surfaces.sine(dim=5), np.random.default_rng(4)
    feet = rng.uniform(-2, 2, (20, 5))
    slope = surface.gradient(feet)
    w = np.sqrt(1 + (slope**2).sum(1))
    center = np.c_[feet - 0.7 * slope / w[:, None], surface.value(feet) + 0.7 / w]
    resting, nearest = rb.contacts(surface, center[:, :-1], 0.7), rb.project(surface, center)
    for found in (resting, nearest):
        assert (found.certified == rb.Certificate.PROVEN).all()
    np.testing.assert_allclose(resting.feet[:, 0], feet, atol=1e-9)
    np.testing.assert_allclose(resting.height, center[:, -1], atol=1e-12)
    np.testing.assert_allclose(nearest.foot, feet, atol=1e-9)
    np.testing.assert_allclose(nearest.distance, 0.7, atol=1e-12)
