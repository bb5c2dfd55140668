"""The margin of a contact: wherever the centre goes within it, the ball touches nothing but its contacts.

The graph is sampled densely in NumPy, which knows nothing of cells and bounds.
"""

import numpy as np
import pytest

import rollingball as rb

S = rb.surfaces
ROUNDING = 1e-9

CASES = {
    "sine, below the reach": (S.sine(), 0.6),
    "sine, beyond it": (S.sine(), 2.5),
    "sine in two dimensions": (S.sine(2, 0.7, 1.7), 1.1),
    "rastrigin": (S.rastrigin(2), 0.4),
    "himmelblau": (S.himmelblau(loss_scale=0.01), 1.3),
    "wells": (S.gaussian_wells(count=300), 0.7),
    "waves": (S.cosine_sum([0.5, 0.3, 0.2], [[1.0], [2.7], [6.1]], [0.0, 1.0, 2.0]), 1.5),
    "trough": (S.max_of_planes([[1.0, 0.5], [-1.0, 0.5]]), 0.5),
}


def around(center, radius, count):
    """Points (N, d) that fill the cube of half side ``radius`` around a point (d,), and a finer one in its middle."""
    axes = [np.linspace(-1, 1, count) * radius] * len(center)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(center))
    return center + np.concatenate([grid, grid / 7])


@pytest.mark.parametrize("name", CASES)
def test_nothing_outside_the_neighbourhoods_comes_within_reach_of_a_centre_within_the_margin(name):
    surface, rho = CASES[name]
    rng = np.random.default_rng(0)
    centers = rng.uniform(-2.5, 2.5, (12, surface.dim))
    found = rb.contacts(surface, centers, rho, margin=0.5)
    assert (found.certified == rb.Certificate.PROVEN).all()
    assert (found.margin > 0).mean() > 0.6, found.margin
    for c, y, m, feet, widths, count in zip(
        centers, found.height, found.margin, found.feet, found.widths, found.count, strict=True
    ):
        room = min(m, 3 * rho)
        if room == 0:
            continue
        q = around(c, 1.1 * (rho + room), 4001 if surface.dim == 1 else 301)
        ground = surface.loss_scale * surface.value(q)
        inside = np.zeros(len(q), bool)
        for k in range(count):
            inside |= np.linalg.norm(q - feet[k], axis=1) <= widths[k]
        contacts = np.column_stack([feet[:count], surface.loss_scale * surface.value(feet[:count])])
        # a centre anywhere within the margin: if the ball does not cut its contacts, it cuts nothing outside
        way = rng.normal(size=(40, surface.dim + 1))
        way *= room * rng.uniform(size=(40, 1)) ** (1 / 3) / np.linalg.norm(way, axis=1, keepdims=True)
        for moved in np.append(c, y) + way:
            distance = np.hypot(np.linalg.norm(q - moved[:-1], axis=1), ground - moved[-1])
            known = np.linalg.norm(contacts - moved, axis=1).min()
            assert (distance[~inside] >= min(rho, known) - ROUNDING).all()


@pytest.mark.parametrize("name", CASES)
def test_in_each_neighbourhood_a_ball_anywhere_has_one_contact(name):
    """The height of a ball over the points of a neighbourhood is concave, for every centre within the margin."""
    surface, rho = CASES[name]
    rng = np.random.default_rng(1)
    centers = rng.uniform(-2.5, 2.5, (6, surface.dim))
    found = rb.contacts(surface, centers, rho, margin=0.5)
    for center, feet, widths, m, count in zip(
        centers, found.feet, found.widths, found.margin, found.count, strict=True
    ):
        for k in range(count if m > 0 else 0):
            width = min(widths[k], 2 * rho)
            a, b = (feet[k] + width * inside_ball(rng, 300, surface.dim) for _ in range(2))
            c = center + min(m, 3 * rho) * inside_ball(rng, 300, surface.dim)
            heights = [height_of_ball(surface, rho, x, c) for x in (a, (a + b) / 2, b)]
            both = np.isfinite(heights).all(axis=0)
            assert (heights[1] - (heights[0] + heights[2]) / 2 >= -ROUNDING)[both].all()


def inside_ball(rng, count, dim):
    x = rng.normal(size=(count, dim))
    return x / np.linalg.norm(x, axis=1, keepdims=True) * rng.uniform(size=(count, 1))


def height_of_ball(surface, rho, x, c):
    square = rho**2 - ((x - c) ** 2).sum(axis=1)
    return np.where(square > 0, surface.loss_scale * surface.value(x) + np.sqrt(np.maximum(square, 0)), np.nan)


def test_the_margin_between_two_walls_is_the_gap_to_the_other():
    """A ball on one slope of a V, a known way from the other: it may go so far, and nearly as far is proved."""
    slope, rho, x = 1.0, 1.0, 0.9
    trough = S.max_of_planes([[slope], [-slope]])
    found = rb.contacts(trough, [[x]], rho, margin=2.0)
    # the distance of the centre to the far wall, the line y = -slope x
    gap = (found.height[0] + slope * x) / np.hypot(1, slope) - rho
    assert 0.5 * gap <= found.margin[0] <= gap
    assert found.margin[0] > 0.3


def test_below_the_reach_everywhere_the_ball_may_go_anywhere():
    assert rb.contacts(S.sine(), [[0.3]], 0.9, margin=1.0).margin[0] == np.inf
    assert rb.contacts(S.sine(3), [[0.3] * 3], 0.9, margin=1.0).margin[0] == np.inf  # in any dimension
    assert rb.contacts(S.plane([1.0, 2.0]), [[0.3, 0.1]], 1e6, margin=1.0).margin[0] == np.inf
    assert rb.contacts(S.sine(), [[0.3]], 1.1, margin=1.0).margin[0] < np.inf


def test_where_nothing_is_proved_the_margin_is_zero():
    assert rb.contacts(S.sine(), [[0.3]], 0.5).margin[0] == 0  # none was asked for
    assert rb.contacts(S.formula("abs(x)", "x"), [[0.0]], 0.5, margin=0.5).margin[0] == 0
    on_a_ridge = S.max_of_planes([[-1.0], [1.0]]).scaled(1.0)
    assert rb.contacts(on_a_ridge, [[0.0]], 0.5, margin=0.5, box=[[-1.0, 1.0]]).margin[0] == 0
    with pytest.raises(rb.InputError, match="margin"):
        rb.contacts(S.sine(), [[0.3]], 0.5, margin=-1.0)
