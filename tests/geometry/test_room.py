"""How far a ball may roll while it is proved to have one contact, beside Hessians sampled all over the ball."""

import numpy as np
import pytest
import warp as wp
from hypothesis import given, settings
from hypothesis import strategies as st

import rollingball as rb
from rollingball.core.numeric import Numeric, fill, layout, struct
from rollingball.geometry.search.room import room_program

S = rb.surfaces
SURFACES = {
    "himmelblau": S.himmelblau(loss_scale=0.01),
    "cosines": S.cosine_sum([1.0, 0.4], [[1.0, 0.3], [-0.5, 2.0]]),
    "wells": S.gaussian_wells([[0.3, 0.1], [-0.7, 0.6]], width=0.5),
    "bowl": S.quadratic(np.diag([2.0, 1.2])),
}
SEARCH = rb.GlobalProjection().settings()
BY_SEEDS = rb.GlobalProjection(nodes=0)


def kernel_of(surface):
    numeric = Numeric(surface.dim)
    functions = surface.functions(numeric)
    parameters, room, settings_type = (
        functions.parameters,
        room_program(functions, numeric),
        struct(layout(SEARCH), numeric),
    )

    @wp.kernel(module="unique", enable_backward=False)
    def ask(
        p: parameters,
        search: settings_type,
        center: wp.array(dtype=numeric.wide.vector),
        radius: wp.array(dtype=wp.float64),
        needed: wp.array(dtype=wp.float64),
        slope: wp.array(dtype=numeric.wide.vector),
        found: wp.array(dtype=wp.float64),
    ):
        i = wp.tid()
        found[i] = room(center[i], radius[i], needed[i], center[i], slope[i], p, search)

    return ask


KERNELS = {}


def room_of(surface, center, radius, needed, slope=None):
    """The rooms of balls (B,), by the library; without the slopes of their contacts as if those were level."""
    key = surface.name, surface.dim
    if key not in KERNELS:
        KERNELS[key] = kernel_of(surface)
    numeric = Numeric(surface.dim)
    found = wp.full(len(center), np.inf, dtype=wp.float64, device="cpu")
    arrays = [wp.array(center, dtype=numeric.wide.vector, device="cpu")]
    arrays += [wp.array(part, dtype=wp.float64, device="cpu") for part in (radius, needed)]
    slope = np.zeros_like(center) if slope is None else slope
    arrays.append(wp.array(slope, dtype=numeric.wide.vector, device="cpu"))
    inputs = [surface.parameters(numeric, "cpu"), fill(SEARCH, numeric, "cpu"), *arrays, found]
    wp.launch(KERNELS[key], dim=len(center), inputs=inputs, device="cpu")
    return found.numpy()


def largest_excess(surface, centers, radius, rng):
    """The largest eigenvalue of the Hessian of f(x) + sqrt(radius^2 - |x - c|^2) at points all over balls."""
    aside = rng.normal(size=centers.shape)
    aside *= (radius * rng.uniform(0, 1, len(centers)) ** (1 / surface.dim) / np.linalg.norm(aside, axis=1))[:, None]
    cap = np.sqrt(radius**2 - (aside**2).sum(1))[:, None, None]
    own = surface.loss_scale * surface.hessian(centers + aside)
    ball = (np.eye(surface.dim) + aside[:, :, None] * aside[:, None, :] / cap**2) / cap
    return np.linalg.eigvalsh(own - ball)[:, -1].max()


@pytest.mark.parametrize("name", ["himmelblau", "cosines", "wells"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_within_its_room_the_height_of_a_ball_is_concave(name, data):
    surface = SURFACES[name]
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    center, radius = rng.uniform(-3, 3, (64, 2)), 10 ** rng.uniform(-2, 0.3, 64)
    needed = radius * 10 ** rng.uniform(-4, 0.5, 64)
    room = room_of(surface, center, radius, needed)
    assert ((room == 0) | (room >= needed * (1 - 1e-12))).all()
    for k in np.flatnonzero(room > 0)[:12]:
        way = rng.normal(size=(2000, 2))
        way *= (min(room[k], 3.0) * rng.uniform(0, 1, 2000) ** 0.5 / np.linalg.norm(way, axis=1))[:, None]
        assert largest_excess(surface, center[k] + way, radius[k], rng) < 0


@pytest.mark.parametrize("name", ["himmelblau", "wells", "bowl"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_within_its_room_the_contact_of_a_ball_on_a_steep_slope_never_jumps(name, seed):
    """Where another contact became as high, it would: the largest jump on a way is halved in time, again and again."""
    surface, rng = SURFACES[name], np.random.default_rng(seed)
    center, radius = rng.uniform(-5, 5, (512, 2)), 10 ** rng.uniform(-0.7, 0.7, 512)
    needed, feet = radius * 10 ** rng.uniform(-3, 0.5, 512), rb.contacts(surface, center, radius)
    slope = np.where((feet.count == 1)[:, None], feet.slopes[:, 0], 0.0)
    room, level = room_of(surface, center, radius, needed, slope), room_of(surface, center, radius, needed)
    assert (room[level > 0] > 0).all()
    steep = np.flatnonzero((room > 0) & (level == 0))
    assert len(steep) > 2
    way = rng.normal(size=(len(steep), 2))
    way *= (room[steep] / np.linalg.norm(way, axis=1))[:, None]

    def foot_at(share):
        """The highest contact as it is found from seeds, for each of the balls (n, shares)."""
        at = center[steep, None] + share[..., None] * way[:, None]
        found = rb.contacts(surface, at.reshape(-1, 2), np.repeat(radius[steep], share.shape[1]), BY_SEEDS)
        return found.feet[:, 0].reshape(at.shape)

    shares = np.tile(np.linspace(-1, 1, 33), (len(steep), 1))
    where = foot_at(shares)
    largest = np.linalg.norm(np.diff(where, axis=1), axis=-1).argmax(axis=1)
    every = np.arange(len(steep))
    ends, feet_there = (np.stack([part[every, largest], part[every, largest + 1]], axis=1) for part in (shares, where))
    for _ in range(30):
        middle = ends.mean(axis=1)
        between = foot_at(middle[:, None])[:, 0]
        first = np.linalg.norm(between - feet_there[:, 0], axis=1) > np.linalg.norm(between - feet_there[:, 1], axis=1)
        ends[every, first.astype(int)], feet_there[every, first.astype(int)] = middle, between
    jump = np.linalg.norm(feet_there[:, 1] - feet_there[:, 0], axis=1)
    assert (jump < 1e-3 * radius[steep]).all()


def test_a_ball_on_a_steep_slope_has_room_beyond_the_upper_reach():
    """Over the rim of a parabola a ball twice as large as its reach has one contact, and on its floor two or more."""
    bowl = S.quadratic(2 * np.eye(2))
    feet = np.array([[1.5, 0.0], [2.5, -1.0], [0.1, 0.0]])
    slope = 2 * feet
    center = feet - slope / np.sqrt(1 + (slope**2).sum(1))[:, None]
    room = room_of(bowl, center, np.full(3, 1.0), np.full(3, 0.01), slope)
    assert (room[:2] > 0.01).all()
    assert (room[:2] < 2.7).all()
    assert room[2] == 0


def test_rooms_are_neither_all_nor_none_of_the_truth():
    """Where the ball is below the upper reach by a factor the room is found, and above it never."""
    wave = S.sine(frequency=2.0)  # of curvature 4 in its valleys
    center, needed = np.array([[-np.pi / 4]] * 4), np.full(4, 0.01)
    room = room_of(wave, center, np.array([0.1, 0.2499, 0.2501, 1.0]), needed)
    assert room.tolist() == [np.inf, np.inf, 0.0, 0.0]
    bowl = SURFACES["himmelblau"]
    at = np.array([[0.0, 0.0], [4.0, 4.0], [4.0, 4.0]])
    room = room_of(bowl, at, np.array([0.5, 0.4, 1.5]), np.full(3, 0.01))
    assert 0.5 <= room[0] < 4  # its curvature grows without an end
    assert room[1] > 0
    assert room[2] == 0


def test_cells_prove_what_the_ball_as_a_whole_does_not():
    """In a corner of Himmelblau's function the surface is too sharp at the rim of the ball only, where the ball is."""
    surface, center, radius = SURFACES["himmelblau"], np.array([[3.684, 3.485]]), 0.5
    whole = surface.hessian(center + np.array([[0.353, 0.353]]))[0] * surface.loss_scale
    assert np.linalg.eigvalsh(whole)[-1] * radius > 0.99
    assert room_of(surface, center, np.array([radius]), np.array([0.002]))[0] > 0


def test_nothing_is_asked_of_no_way_at_all():
    """A ball at rest needs no room; the search for one ends all the same."""
    room = room_of(SURFACES["himmelblau"], np.array([[4.0, 4.0]]), np.array([3.0]), np.array([0.0]))
    assert room[0] == 0
