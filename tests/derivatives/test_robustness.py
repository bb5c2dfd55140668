"""How far the flows of two close losses part: the bounds of section 14 of the theory, never violated."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollingball as rb
from rollingball.derivatives.robustness import contact_slope, distance_bound
from rollingball.geometry.ironing.variation import difference, steepest

S = rb.surfaces


def waves(amplitudes, frequencies, phases):
    return S.cosine_sum(list(amplitudes), [list(np.atleast_1d(each)) for each in frequencies], list(phases))


def pair(dim, rng, noise, high):
    """A random sum of waves, and the same with noise of a high frequency, at most ``noise`` from it."""
    amplitudes, phases = rng.uniform(0.2, 1.0, 3), rng.uniform(0, 6, 3)
    frequencies = rng.normal(size=(3, dim))
    along = rng.normal(size=dim)
    f = waves(amplitudes, frequencies, phases)
    more = high * along / np.linalg.norm(along)
    h = waves([*amplitudes, noise], [*frequencies, more], [*phases, rng.uniform(0, 6)])
    return f, h


METHODS = {"IronedFlow": rb.IronedFlow(), "CatchUp": rb.IronedFlow(rb.CatchUp(0.02))}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dim", [1, 2])
def test_the_bound_is_never_violated(dim, method):
    # every draw is a pair of losses; the noise is steeper than the losses are in most of them
    for seed in range(12 if dim == 1 else 4):
        rng = np.random.default_rng(seed)
        noise, high = rng.uniform(0.002, 0.1), rng.uniform(5, 60)
        f, h = pair(dim, rng, noise, high)
        start = rng.uniform(-2, 2, (4, dim))
        found = rb.robustness(
            f, h, rng.uniform(0.3, 3.0), 0.5, start_center=start, method=METHODS[method], save_at=np.linspace(0, 0.5, 6)
        )
        assert found.proven
        assert noise * 0.9 < found.noise < 1.2 * noise
        assert (found.distance <= found.bound[:, None] + 1e-7).all(), str(found)
        assert found.distance[-1].max() > 0


def test_gradient_descent_has_no_such_bound_and_a_ball_does():
    # on -x it goes on for ever, on -x + eps sin(k x) with k eps > 1 it stops at once, for every eps
    text = "-x + e*sin(k*x)"
    for noise in (1e-2, 1e-4):
        wave = 2.0 / noise
        f, h = (rb.formula(text, "x", {"e": e, "k": wave}) for e in (0.0, noise))
        descent = [rb.simulate(each, None, rb.GradientDescent(noise / 20), start=[0.0], steps=4000) for each in (f, h)]
        far, near = (run.foot[-1, 0, 0] for run in descent)
        assert far == pytest.approx(200 * noise)
        assert abs(near) < 2 * noise
        radius = 100 * noise
        found = rb.robustness(f, h, radius, 200 * noise, start_center=[0.0], noise=noise, save_at=[0.0, 200 * noise])
        assert found.runs[1].center[-1, 0, 0] > 0.7 * 200 * noise  # the ball goes on
        assert (found.distance <= found.bound[:, None] + 1e-7).all()


@settings(max_examples=60)
@given(st.floats(0, 3), st.floats(1e-4, 0.3), st.floats(0.5, 5), st.integers(0, 10**6))
def test_contact_slopes_are_at_most_what_noise_allows(steep, noise, radius, seed):
    """Of any function within eps of a Lipschitz one: here a plane with spikes up and down by eps, on a fine grid."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-radius, radius, 4001)
    heights = steep * x + noise * rng.choice([-1.0, 1.0], len(x))
    contact = np.argmax(heights + np.sqrt(np.maximum(radius**2 - x**2, 0)))
    lift = math.sqrt(max(radius**2 - x[contact] ** 2, 0.0))
    slope = abs(x[contact]) / lift if lift else math.inf
    assert slope <= contact_slope(steep, noise, radius) * (1 + 1e-9) + 1e-9


@given(st.floats(0, 3), st.floats(1e-4, 0.05), st.floats(0.5, 5))
def test_the_bound_of_contact_slopes_is_reached(steep, noise, radius):
    """By a spike of height 2 eps at the angle of the bound, on a plane."""
    bound = contact_slope(steep, noise, radius)
    angle, flat = math.atan(bound) * (1 - 1e-9), math.atan(steep)
    touching = lambda a, lift: steep * radius * math.sin(a) + radius * math.cos(a) + lift  # noqa: E731
    assert touching(angle, 2 * noise) >= touching(flat, 0.0) - 1e-9
    assert contact_slope(steep, 0.0, radius) == pytest.approx(steep, rel=1e-6, abs=1e-7)
    assert contact_slope(steep, 10 * radius, radius) == math.inf


def test_the_bound_of_the_distance_solves_its_equation():
    # d(u)/dt = 2 Lambda u + 4 eps, u the square of the distance
    time = np.linspace(0, 1, 2001)
    bound = distance_bound(time, 0.01, 1.5, start=0.2)
    square = bound**2
    rate = np.gradient(square, time)[1:-1]
    np.testing.assert_allclose(rate, 3.0 * square[1:-1] + 0.04, rtol=1e-5)
    assert bound[0] == pytest.approx(0.2)
    np.testing.assert_allclose(distance_bound(time, 0.01, 1e-9), 2 * np.sqrt(0.01 * time), rtol=1e-6)
    np.testing.assert_allclose(distance_bound(time, 0.01, 0.0), 2 * np.sqrt(0.01 * time))
    steps = distance_bound(time, 0.01, 1.5, step=1e-9)
    np.testing.assert_allclose(steps, distance_bound(time, 0.01, 1.5), rtol=1e-6)
    assert np.isinf(distance_bound(time, 0.01, 1.5, step=0.4)[1:]).all()


def test_larger_balls_bear_more_noise():
    time = np.array([1.0])
    bounds = [
        distance_bound(time, 0.01, (1 + contact_slope(1.0, 0.01, r) ** 2) ** 1.5 / r)[0] for r in (0.5, 2, 8, 1e6)
    ]
    assert np.all(np.diff(bounds) < 0)
    assert bounds[-1] == pytest.approx(0.2, rel=1e-3)  # 2 sqrt(eps t)


def test_what_is_proven_and_what_is_sampled():
    box = np.array([[-3.0, 3.0]])
    f, h = waves([1.0], [[1.0]], [0.0]), waves([1.0, 0.05], [[1.0], [40.0]], [0.0, 0.0])
    assert steepest(f, box).proven
    assert steepest(f, box).value == pytest.approx(1.0, rel=1e-2)
    assert steepest(f.scaled(5.0), box).value == pytest.approx(1.0, rel=1e-2)
    found = difference(f, h, box)
    assert found.proven
    assert 0.05 <= found.value < 0.052
    g, k = (rb.formula("sin(x) + e*sin(40*x)", "x", {"e": e}) for e in (0.0, 0.05))
    sampled = difference(g, k, box)
    assert sampled.value == pytest.approx(0.05, rel=1e-3)
    assert sampled.proven or sampled.value <= 0.05


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("h", {"h": S.quadratic([[1.0, 0.0], [0.0, 1.0]])}), ("h", {"h": S.sine().scaled(2.0)}),
        ("method", {"method": rb.GradientDescent(0.1)}), ("method.metric", {"method": rb.IronedFlow(metric="ambient")}),
        ("radius", {"radius": -1.0}), ("noise", {"noise": -0.1}), ("surface", {"f": "sine"}),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_before_anything_rolls(field, change, no_compiling):
    given_now = {"f": S.sine(), "h": S.sine(), "radius": 1.0, "duration": 1.0, "start_center": [0.5], **change}
    with pytest.raises(rb.InputError, match=f"^{field}: got"):
        rb.robustness(**given_now)
