"""Delta(rho): how much relief a ball leaves, on the full line and where the graph ends."""

import warnings
from typing import Any

import numpy as np
import pytest
import warp as wp
from hypothesis import given, settings
from hypothesis import strategies as st

import rollingball as rb

S = rb.surfaces
PERIOD = [[-np.pi, np.pi]]


def waves(amplitudes, phases=(0.0, 1.0, 2.0), **options):
    """A loss of period 2 pi; what is drawn are numbers, so that one kernel serves all."""
    return S.cosine_sum(list(amplitudes), [[1.0], [2.0], [3.0]], list(phases), **options)


# a loss without relief has no lowest cells to search in, and is refused
AMPLITUDES = st.tuples(st.floats(0.3, 1), st.floats(-1, 1), st.floats(-1, 1)).map(list)
PHASES = st.lists(st.floats(0, 6), min_size=3, max_size=3)


def test_of_a_sine_on_the_line(oracle):
    case = oracle("G07")
    radii = [float(rho) for rho in case["expected"]]
    found = rb.delta(S.sine(), radii, PERIOD)
    expected = [row["Delta"] for row in case["expected"].values()]
    np.testing.assert_allclose(found, expected, rtol=0, atol=case["tol"])
    scaled = [row["rhoDelta"] for row in case["expected"].values()]
    np.testing.assert_allclose(found, np.divide(scaled, radii), rtol=0, atol=case["tol"])


def test_of_a_sine_that_ends(oracle):
    case = oracle("G09")
    radii = [float(rho) for rho in case["inputs"]["rho"]]
    found = rb.delta(S.sine(), radii, [[-3 * np.pi, 3 * np.pi]], "truncated")
    expected = [case["expected"][str(rho)]["Delta"] for rho in case["inputs"]["rho"]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=case["tol"])
    # and the lowest place of the offset is where the oracle says
    for rho, told in ((rho, case["expected"][str(rho)]["argmin_theta"]) for rho in case["inputs"]["rho"]):
        there = rb.contacts(S.sine(), told, float(rho), box=[[-3 * np.pi, 3 * np.pi]]).height[0]
        x = np.linspace(-3 * np.pi, 3 * np.pi, 601)[:, None]
        everywhere = rb.contacts(S.sine(), x, float(rho), box=[[-3 * np.pi, 3 * np.pi]]).height
        assert there <= everywhere.min() + 1e-9


def test_the_two_limits_of_large_balls():
    full = 1000 * rb.delta(S.sine(), 1000.0, PERIOD)
    ends = 1000 * rb.delta(S.sine(), 1000.0, [[-3 * np.pi, 3 * np.pi]], "truncated")
    assert full == pytest.approx(np.pi**2 / 2, rel=2e-3)
    assert ends == pytest.approx(9 * np.pi**2 / 8, rel=2e-3)


def test_the_plateau_ends_at_the_reach(oracle):
    edge = oracle("G08")["expected"]["plateau_edge"]
    found = rb.delta(S.sine(), [0.1, 0.5 * edge, edge, 1.05 * edge, 1.2 * edge], PERIOD)
    np.testing.assert_allclose(found[:3], 2, atol=1e-9)
    assert found[3] < 2 - 1e-6
    assert found[4] < found[3]


def test_arctan_keeps_its_relief_under_every_ball(oracle):
    # Lemma 2 and Proposition 3 of the paper are false in general
    told = oracle("P04")["expected"]["Delta"]
    arctan = rb.formula("atan(x)")
    found = rb.delta(arctan, [1.0, 30.0, 300.0], [[-2000.0, 2000.0]], tolerance=1e-3)
    assert (found <= told + 1e-12).all()
    assert (found >= told - 2 / 2000 * 1.01 - 1e-3 - 300 / 2000**2).all()


@given(amplitude=st.floats(0.1, 5), frequency=st.floats(0.3, 4), share=st.floats(1.0, 20))
def test_the_bound_for_maximisers_that_are_dense(amplitude, frequency, share):
    half = np.pi / frequency  # from anywhere a crest is so near
    rho = share * half
    found = rb.delta(S.sine(amplitude=amplitude, frequency=frequency), rho, [[-half, half]])
    assert found <= rho - np.sqrt(rho**2 - half**2) + 1e-9
    assert found >= 0


@settings(max_examples=15)
@given(amplitudes=AMPLITUDES, phases=PHASES, rho=st.floats(0.05, 3))
def test_it_is_the_relief_of_the_offset(amplitudes, phases, rho):
    surface = waves(amplitudes, phases)
    found = rb.delta(surface, rho, PERIOD, tolerance=1e-7)
    heights = rb.contacts(surface, np.linspace(-np.pi, np.pi, 1001)[:, None], rho).height
    relief = np.ptp(heights)
    steep = np.abs(np.multiply(amplitudes, [1, 2, 3])).sum()
    assert found >= relief - 1e-7
    assert found <= relief + 2 * steep * np.pi / 1000 + 1e-9
    assert found <= np.ptp(surface.value(np.linspace(-np.pi, np.pi, 2001)[:, None])) + 1e-4


@settings(max_examples=15)
@given(amplitudes=AMPLITUDES, phases=PHASES, radii=st.lists(st.floats(0.05, 4), min_size=3, max_size=3))
def test_a_larger_ball_leaves_no_more(amplitudes, phases, radii):
    # the maximum rises by as much as the radius, the minimum by no less
    found = rb.delta(waves(amplitudes, phases), sorted(radii), PERIOD, tolerance=1e-7)
    assert (np.diff(found) <= 2e-7).all()


@settings(max_examples=10)
@given(amplitudes=AMPLITUDES, rho=st.floats(0.1, 3), scale=st.floats(0.2, 5))
def test_scaling_a_graph_and_a_ball(amplitudes, rho, scale):
    one = rb.delta(waves(amplitudes), rho, PERIOD, tolerance=1e-7)
    frequencies = [[1 / scale], [2 / scale], [3 / scale]]
    stretched = S.cosine_sum(amplitudes, frequencies, [0.0, 1.0, 2.0], loss_scale=scale)
    box = [[-scale * np.pi, scale * np.pi]]
    other = rb.delta(stretched, scale * rho, box, tolerance=1e-7 * scale)
    assert other == pytest.approx(scale * one, abs=2e-7 * scale)


@given(slope=st.lists(st.floats(-2, 2), min_size=2, max_size=2), rho=st.floats(0.1, 3), scale=st.floats(0.1, 3))
@settings(max_examples=10)
def test_a_plane_stays_a_plane(slope, rho, scale):
    box = [[-1.0, 2.0], [0.0, 0.5]]
    with warnings.catch_warnings():
        # where a plane is level along an axis the highest ball may stand anywhere, and no search for all of that ends
        warnings.simplefilter("ignore", RuntimeWarning)
        found = rb.delta(S.plane(slope, loss_scale=scale), rho, box, tolerance=1e-2)
    assert found == pytest.approx(scale * np.abs(slope) @ [3.0, 0.5], abs=1e-2)


def test_an_egg_box_in_the_plane():
    # over a wave along each axis the ball sinks between four crests
    surface = S.cosine_sum([1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    box = [[-0.2, 2 * np.pi], [-0.1, 2 * np.pi]]
    found = rb.delta(surface, [0.5, 5.0], box, tolerance=1e-3)
    assert found[0] == pytest.approx(4, abs=1e-3)
    middle = rb.contacts(surface, [np.pi, np.pi], 5.0)
    assert middle.count[0] == 4
    assert found[1] == pytest.approx(2 + 5 - middle.height[0], abs=2e-3)


def test_the_tolerance_is_kept_and_threads_change_nothing():
    exact = rb.delta(S.sine(), 3.0, PERIOD)
    for tolerance in (0.1, 1e-3, 1e-6):
        assert 0 <= exact - rb.delta(S.sine(), 3.0, PERIOD, tolerance=tolerance) + 1e-9 <= tolerance + 2e-9
    assert rb.delta(S.sine(), 3.0, PERIOD, threads=1) == rb.delta(S.sine(), 3.0, PERIOD, threads=3)


def test_one_radius_is_a_number_and_several_are_an_array():
    one, several = rb.delta(S.sine(), 2.0, PERIOD), rb.delta(S.sine(), [2.0, 3.0], PERIOD)
    assert np.ndim(one) == 0
    assert several.shape == (2,)
    assert several[0] == one


def test_a_loss_without_relief_has_none():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert rb.delta(S.plane([0.0, 0.0]), 0.01, [[-1.0, 1.0]] * 2) == pytest.approx(0.0, abs=1e-9)


@wp.func
def level(x: Any):
    return x.dtype(0.0) * x[0]


def test_what_cannot_be_bounded_is_refused_rather_than_searched_for_ever():
    flat = rb.surface(dim=2)(level)  # a function of one's own knows no bound of its Hessian
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(rb.InputError, match=r"^tolerance: got"):
            rb.delta(flat, 0.5, [[-1.0, 1.0]] * 2, search=rb.GlobalProjection(nodes=100))


@pytest.mark.parametrize("rho", [1e4, 1e5, 1e6])
def test_under_large_balls_a_sine_keeps_half_the_square_of_pi(rho):
    assert rb.delta(S.sine(), rho, PERIOD) * rho == pytest.approx(np.pi**2 / 2, rel=2e-3)


def test_a_steep_landscape_agrees_with_samples():
    surface, box = S.himmelblau(), [[-4.0, 4.0], [-4.0, 4.0]]
    found = rb.delta(surface, 1.0, box, tolerance=1e-3)
    axis = np.linspace(-4, 4, 81)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    heights = rb.contacts(surface, grid, 1.0).height
    highest, lowest = heights.max(), heights.min()  # the highest is at a corner
    assert highest - lowest <= found + 1e-6
    assert found <= highest - lowest + 1.0  # the lowest lies up to half a spacing beside the samples


def test_a_box_over_no_graph_is_refused():
    with pytest.raises(rb.InputError, match=r"^box: got"):
        rb.delta(S.bowl(), 0.2, [[-3.0, 3.0], [-3.0, 3.0]], search=rb.GlobalProjection(nodes=100))


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: rb.delta("sine", 1.0, PERIOD), "surface"),
        (lambda: rb.delta(S.sine(dim=3), 1.0, PERIOD * 3), "surface"),
        (lambda: rb.delta(S.sine(), 0.0, PERIOD), "radii"),
        (lambda: rb.delta(S.sine(), [1.0, -1.0], PERIOD), "radii"),
        (lambda: rb.delta(S.sine(), [], PERIOD), "radii"),
        (lambda: rb.delta(S.sine(), 1.0, [-1.0, 1.0]), "box"),
        (lambda: rb.delta(S.sine(), 1.0, [[1.0, 1.0]]), "box"),
        (lambda: rb.delta(S.sine(), 1.0, PERIOD, "cut"), "graph"),
        (lambda: rb.delta(S.sine(), 1.0, PERIOD, tolerance=0.0), "tolerance"),
        (lambda: rb.delta(S.sine(), 1.0, PERIOD, search="all"), "search"),
    ],
)
def test_bad_arguments_name_their_field(make, field, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        make()


def test_radii_of_two_axes_are_refused(no_compiling):
    with pytest.raises(rb.InputError, match=r"^radii: got"):
        rb.delta(S.sine(), [[1.0, 2.0]], PERIOD)
