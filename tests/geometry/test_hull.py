"""The point of least norm in the hull of slopes: in the hull, and no slope promises less."""

import functools

import numpy as np
import pytest
import warp as wp
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from rollingball.core.numeric import Numeric
from rollingball.geometry.hull import least_norm_program
from rollingball.geometry.search.minima import MOST


@functools.cache
def kernel(dim):
    rows = wp.types.matrix((MOST, dim), wp.float64)
    least_norm = least_norm_program(MOST, Numeric(dim))

    @wp.kernel(module="unique", enable_backward=False)
    def run(slopes: wp.array(dtype=rows), counts: wp.array(dtype=int), found: wp.array(dtype=Numeric(dim).vector)):
        i = wp.tid()
        found[i] = least_norm(slopes[i], counts[i])

    return run, rows


def least_norm(sets):
    """The library's answer for each set (k, d) of slopes; the rows beyond are rubbish, which it must not read."""
    dim = sets[0].shape[1]
    run, rows = kernel(dim)
    table = np.full((len(sets), MOST, dim), 1e6)
    for k, slopes in enumerate(sets):
        table[k, : len(slopes)] = slopes
    found = wp.zeros(len(sets), dtype=Numeric(dim).vector, device="cpu")
    counts = wp.array([len(slopes) for slopes in sets], dtype=int, device="cpu")
    wp.launch(run, len(sets), [wp.array(table, dtype=rows, device="cpu"), counts], [found], device="cpu")
    return found.numpy()


def by_nnls(slopes):
    """|G'w|^2 + (1 - sum w)^2 over w >= 0 is least along the same w, up to a factor."""
    size = max(np.abs(slopes).max(), 1e-300)
    weights, _rest = nnls(np.vstack([slopes.T / size, np.ones(len(slopes))]), np.append(np.zeros(slopes.shape[1]), 1))
    return weights @ slopes / weights.sum()


def check(sets, tol=1e-10):
    for slopes, point in zip(sets, least_norm(sets), strict=True):
        size = np.abs(slopes).max()
        assert np.abs(point - by_nnls(slopes)).max() <= tol * size
        assert (slopes @ point).min() >= point @ point - 1e-12 * size**2  # no slope lies beyond the plane at it


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_it_is_that_of_non_negative_least_squares(dim):
    random = np.random.default_rng(dim)
    sets = []
    for count in range(1, MOST + 1):
        for shift in (0.0, 0.5, 3.0):  # zero inside, at times, hardly ever
            sets += [random.normal(size=(count, dim)) + shift for _ in range(15)]
    check(sets)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_it_bears_slopes_that_depend_on_each_other(dim):
    random = np.random.default_rng(dim)
    sets = []
    for _ in range(40):
        some = random.normal(size=(3, dim)) + random.choice([0.0, 1.0, 4.0])
        weights = random.dirichlet(np.ones(3), 5)
        ends = random.normal(size=(2, dim)) + 1
        sets.append(np.vstack([some, some, some[:2]]))  # duplicates
        sets.append(np.vstack([some, weights @ some]))  # inside the triangle
        sets.append(ends[0] + np.linspace(-2, 2, 8)[:, None] * (ends[1] - ends[0]))  # collinear
        sets.append(np.repeat(ends[:1], 8, axis=0))  # one, eight times
        sets.append(np.vstack([some, -some]))  # zero is in the middle
        sets.append(np.vstack([np.zeros(dim), some]))  # zero is a corner
    check(sets)


@given(st.integers(1, MOST), st.integers(0, 2**32 - 1), st.floats(-12, 12))
def test_the_scale_does_not_matter(count, seed, decade):
    slopes = np.random.default_rng(seed).normal(size=(count, 2)) + 0.7
    size = 10.0**decade
    whole, scaled = least_norm([slopes, size * slopes])
    np.testing.assert_allclose(scaled / size, whole, atol=1e-10)


@given(st.integers(2, MOST), st.integers(0, 2**32 - 1))
def test_the_order_does_not_matter(count, seed):
    random = np.random.default_rng(seed)
    slopes = random.integers(-2, 3, (count, 3)).astype(float)  # many ties
    here, there = least_norm([slopes, slopes[random.permutation(count)]])
    np.testing.assert_allclose(here, there, atol=1e-10)


def test_closed_forms():
    root = 0.5 * np.sqrt(3)
    sets = {
        "one slope": ([[3.0, -4.0]], [3.0, -4.0]),
        "two across a trough": ([[1.0, 0.5], [-1.0, 0.5]], [0.0, 0.5]),
        "a corner is nearest": ([[1.0, 1.0], [2.0, 3.0]], [1.0, 1.0]),
        "a pocket": ([[1.0, 0.0], [-0.5, root], [-0.5, -root]], [0.0, 0.0]),
        "opposite": ([[1.0, 0.0], [-3.0, 0.0]], [0.0, 0.0]),
        "flat": ([[0.0, 0.0], [0.0, 0.0]], [0.0, 0.0]),
    }
    found = least_norm([np.array(slopes) for slopes, _ in sets.values()])
    np.testing.assert_allclose(found, [point for _, point in sets.values()], atol=1e-15)
