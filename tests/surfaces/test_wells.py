"""Eq. 14 by blocks of wells: none that counts is passed over, whatever their order and distances."""

import numpy as np
import pytest

import rollingball as rb
from rollingball.core.numeric import LANES, Lanes


@pytest.mark.parametrize(("count", "dim"), [(1, 1), (31, 2), (32, 2), (33, 2), (1000, 2), (100, 5)])
def test_blocks_hold_every_point_once_and_lie_in_their_balls(count, dim):
    points = np.random.default_rng(count).normal(size=(count, dim))
    blocks, around = Lanes(points).packed()
    assert blocks.shape == (-(-count // LANES), dim, LANES)
    listed = blocks.transpose(0, 2, 1).reshape(-1, dim)[:count]
    assert (blocks.transpose(0, 2, 1).reshape(-1, dim)[count:] == 1e18).all()
    np.testing.assert_array_equal(np.unique(listed, axis=0), np.unique(points, axis=0))
    for first in range(len(blocks)):
        block = listed[first * LANES : (first + 1) * LANES]
        assert np.linalg.norm(block - around[first, :-1], axis=1).max() <= around[first, -1]
    if count == 1000:  # they are compact: the square root of 32 spacings across, about
        assert around[:, -1].mean() < 0.6 * np.linalg.norm(points - points.mean(axis=0), axis=1).mean()


def test_sums_over_blocks_are_those_over_all_wells():
    rng = np.random.default_rng(0)
    width = 0.3
    # clusters whose edges are just in and just out of reach of each other
    centers = np.concatenate(
        [rng.normal(scale=0.05, size=(40, 2)) + place for place in ([0, 0], [1.5, 0], [0, 2.6], [9, 9])]
    )
    surface = rb.surfaces.gaussian_wells(centers=rng.permutation(centers), width=width)
    x = np.concatenate([rng.uniform(-3, 3, (300, 2)), rng.normal(scale=0.1, size=(20, 2)) + 9])
    away = x[:, None] - centers
    e = np.exp(-(away**2).sum(axis=2) / width**2)
    value = (x**2).sum(axis=1) - e.sum(axis=1)
    gradient = 2 * x + 2 / width**2 * (e[..., None] * away).sum(axis=1)
    hessian = 2 * np.eye(2) * (1 + e.sum(axis=1) / width**2)[:, None, None]
    hessian -= 4 / width**4 * np.einsum("nk,nki,nkj->nij", e, away, away)
    np.testing.assert_allclose(surface.value(x), value, atol=1e-12)
    np.testing.assert_allclose(surface.gradient(x), gradient, atol=1e-11)
    np.testing.assert_allclose(surface.hessian(x), hessian, atol=1e-10)
