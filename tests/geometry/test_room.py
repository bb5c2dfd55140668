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
}
SEARCH = rb.GlobalProjection().settings()


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
        found: wp.array(dtype=wp.float64),
    ):
        i = wp.tid()
        found[i] = room(center[i], radius[i], needed[i], p, search)

    return ask


KERNELS = {}


def room_of(surface, center, radius, needed):
    """The rooms of balls (B,), by the library."""
    key = surface.name, surface.dim
    if key not in KERNELS:
        KERNELS[key] = kernel_of(surface)
    numeric = Numeric(surface.dim)
    found = wp.full(len(center), np.inf, dtype=wp.float64, device="cpu")
    arrays = [wp.array(center, dtype=numeric.wide.vector, device="cpu")]
    arrays += [wp.array(part, dtype=wp.float64, device="cpu") for part in (radius, needed)]
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


@pytest.mark.parametrize("name", SURFACES)
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
