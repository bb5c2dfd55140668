"""Derivatives of runs in continuous time: backwards, forwards, by differences, and in closed form across events."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollingball as rb
from tests.derivatives.test_derivatives import GROUND, close, differences

S = rb.surfaces
FLOWS = {
    "ironed": lambda integrator: rb.IronedFlow(integrator, stride=np.inf),
    "footpoint": rb.FootpointFlow,
}
DURATION = 0.47  # no multiple of the step: the last one is shorter
SHARES = np.array([0.0, 0.31, 0.7, 1.0])


def observed(run, weights):
    """A function of what was recorded: J of each ball, and its cotangents."""
    foot, center, loss = (np.zeros_like(part) for part in (run.foot, run.center, run.loss))
    for frame in (0, 1, -1):
        foot[frame] += weights[0]
        center[frame] += weights[1]
        loss[frame] += weights[2]
    total = (foot * run.foot).sum(axis=(0, 2)) + (center * run.center).sum(axis=(0, 2)) + (loss * run.loss).sum(axis=0)
    return total, {"foot": foot, "center": center, "loss": loss}


def agree(make, name, flow, start, radius, weights, a, b):
    """Reverse, forward and differences are one derivative, by everything that made the run."""
    dim = start.shape[1]

    def run(a=a, start=start, radius=radius, longer=1.0, scale=1.0):
        surface = make(a, b)
        surface = surface.scaled(surface.loss_scale * scale)
        duration = DURATION * longer
        return rb.simulate(
            surface, rb.Ball([radius] * 2), flow, start=start, duration=duration, save_at=SHARES * duration, gap=None
        )

    first = run()
    assert not first.events or (first.events["kind"] < 0).all()
    _total, cotangent = observed(first, weights)
    back = rb.derivatives(first, cotangent, parameters=True)
    size = 1 + np.abs(back.start).max() + np.abs(back.radius).max() + np.abs(back.duration).max()
    by_start = [
        differences(lambda h, i=i: observed(run(start=start + h * np.eye(dim)[i]), weights)[0]) for i in range(dim)
    ]
    close(back.start, np.transpose(by_start), size)
    close(back.radius, differences(lambda h: observed(run(radius=radius + h), weights)[0]), size)
    close(back.duration * DURATION, differences(lambda h: observed(run(longer=1 + h), weights)[0]), size)
    scale = first.scene["surface"]["loss_scale"]
    close(back.loss_scale * scale, differences(lambda h: observed(run(scale=1 + h), weights)[0]), size)
    if name is not None:
        by_a = differences(lambda h: observed(run(a=a + h), weights)[0]).sum()
        found = back.parameters
        # of a quadratic the first entries are a, too
        rest = found["matrix"][0, 0] + found["linear"][0] if name == "constant" else 0.0
        close(found[name] + rest, by_a, size)
    ahead = rb.sensitivities(first, threads=2)
    on_state = "foot" if isinstance(flow, rb.FootpointFlow) else "center"
    columns = cotangent[on_state].copy()
    if on_state == "center":
        columns[..., -1] = 0
    state = rb.derivatives(first, {on_state: columns})
    columns = columns[..., :dim]
    np.testing.assert_allclose(np.einsum("tbi,tbij->bj", columns, ahead.start), state.start, rtol=1e-9, atol=1e-12)
    for field in ("radius", "duration", "loss_scale"):
        column = (columns * getattr(ahead, field)).sum(axis=(0, 2))
        np.testing.assert_allclose(column, getattr(state, field), rtol=1e-9, atol=1e-11 * size)


@pytest.mark.slow
@pytest.mark.parametrize("ground", GROUND)
@pytest.mark.parametrize("flow", FLOWS)
@settings(max_examples=3, deadline=None)
@given(draw=st.data())
def test_backwards_forwards_and_differences_agree(flow, ground, draw):
    number = lambda low, high: draw.draw(st.floats(low, high))  # noqa: E731
    dim, name, make = GROUND[ground]
    a, b, radius = number(0.5, 1.5), number(0.5, 1.5), number(0.05, 0.12)
    start = np.array([[number(-1.2, 1.2) for _axis in range(dim)] for _ball in range(2)])
    weights = np.array([1.0, -0.7, 0.4][:dim]), np.array([0.3, 0.5, -0.2, 0.8][: dim + 1]), 0.6
    if flow == "ironed":  # below the reach a start fits, and stays clear of kinks
        radius /= 3
    if ground == "wells":  # which are narrow
        radius /= 10
    agree(make, name, FLOWS[flow](rb.RK4(0.05)), start, radius, weights, a, b)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("integrator", [rb.Euler(0.05), rb.Heun(0.05), rb.Dopri5(1e-10), rb.Tsit5(1e-10)], ids=repr)
def test_every_explicit_integrator_has_its_own(flow, integrator):
    _dim, name, make = GROUND["wave"]
    agree(
        make, name, FLOWS[flow](integrator), np.array([[0.4], [-1.0]]), 0.2, (1.0, np.array([0.3, 0.5]), 0.6), 1.1, 0.9
    )


def test_the_derivative_of_gradient_flow_is_an_exponential():
    # theta' = -k theta: theta(T) = theta_0 exp(-k T)
    for integrator in (rb.Dopri5(1e-12, 1e-14), rb.RK4(1e-3)):
        run = rb.simulate(
            S.quadratic([[2.0]]), None, rb.FootpointFlow(integrator), start=[1.5], duration=0.7, save_at=[0.0, 0.7]
        )
        found = rb.derivatives(run, {"foot": [[1.0]]}, parameters=True)
        decay = np.exp(-1.4)
        assert found.start[0, 0] == pytest.approx(decay, rel=1e-10)
        assert found.duration[0] == pytest.approx(-3.0 * decay, rel=1e-9)
        assert found.parameters["matrix"][0, 0] == pytest.approx(-0.7 * 1.5 * decay, rel=1e-9)
        assert rb.sensitivities(run).exponents()[0, 0] == pytest.approx(-2.0, rel=1e-10)


SLOPES = np.array([[1.0, 0.2], [-0.5, -0.6]])
CREASE = rb.IronedFlow(rb.RK4(0.05))
RUGGED = S.cosine_sum([1.0, 0.6, 0.4], [[1, 0.3], [-0.5, 1.2], [1.6, 1.1]], [0.2, 1.0, -0.4])


def wedge(slopes=SLOPES, radius=0.5, start=((0.4, 0.1), (0.4, 0.3)), duration=0.97, **options):
    """Two planes meet in a valley, along which the ball slides on."""
    return rb.simulate(
        S.max_of_planes(slopes, [0.0, 0.1]), rb.Ball(radius), CREASE, start_center=start, duration=duration, gap=None,
        **{"save_at": np.array([0.0, 0.2, 0.5, 1.0]) * duration, **options},
    )  # fmt: skip


def test_the_jump_at_an_event_in_closed_form():
    # c(T) = c_0 - g_1 t - m (T - t), and at t the ball is as high on both planes
    run = wedge()
    assert run.contacts[-1].tolist() == [2, 2]
    across = SLOPES[0] - SLOPES[1]
    normal = across / np.linalg.norm(across)
    slide = SLOPES[0] - normal * (normal @ SLOPES[0])
    expected = np.eye(2) - np.outer(SLOPES[0] - slide, across) / (across @ SLOPES[0])
    for axis in range(2):
        found = rb.derivatives(run, {"center": np.tile(np.eye(3)[axis], (2, 1))})
        np.testing.assert_allclose(found.start, np.tile(expected[axis], (2, 1)), atol=1e-12)
        np.testing.assert_allclose(found.duration, -slide[axis], atol=1e-12)
    np.testing.assert_allclose(rb.sensitivities(run).start[-1, 0], expected, atol=1e-12)


def test_across_events_they_are_those_of_differences():
    run, weights = wedge(), np.array([0.7, -0.4, 0.9])
    total = lambda made: (made.center * weights).sum(axis=(0, 2))  # noqa: E731
    cotangent = {"center": np.ones_like(run.center) * weights}
    for every, threads in ((None, 1), (4, 3)):
        found = rb.derivatives(run, cotangent, parameters=True, checkpoint_every=every, threads=threads)
        np.testing.assert_allclose(found.radius, differences(lambda h: total(wedge(radius=0.5 + h))), atol=1e-8)
        np.testing.assert_allclose(
            found.duration * 0.97, differences(lambda h: total(wedge(duration=0.97 * (1 + h)))), atol=1e-8
        )
        for place in np.ndindex(2, 2):
            moved = np.zeros((2, 2))
            moved[place] = 1
            by_slope = differences(lambda h, moved=moved: total(wedge(SLOPES + h * moved))).sum()
            assert found.parameters["slopes"][place] == pytest.approx(by_slope, abs=1e-8)


@pytest.mark.slow
def test_touches_slides_and_rests_on_a_rugged_surface():
    start = np.random.default_rng(3).uniform(-2.5, 2.5, (16, 2))[[1, 2, 4, 7, 10, 12, 14]]

    def run(moved=(0.0, 0.0), grown=0.0):
        return rb.simulate(
            RUGGED, rb.Ball(1.5 + grown), CREASE, start_center=start + np.array(moved), duration=2.03,
            save_at=[0.0, 1.015, 2.03], gap=None,
        )  # fmt: skip

    first, weights = run(), np.array([0.7, -0.4, 0.9])
    assert set(first.events["kind"].ravel()) >= {2, 4}
    assert set(first.contacts[-1]) >= {2, 3}
    total = lambda made: (made.center[1:] * weights).sum(axis=(0, 2))  # noqa: E731
    cotangent = np.ones_like(first.center) * weights
    cotangent[0] = 0
    found = rb.derivatives(first, {"center": cotangent})
    for axis in range(2):
        by_start = differences(lambda h, axis=axis: total(run(moved=h * np.eye(2)[axis])), 1e-5)
        np.testing.assert_allclose(found.start[:, axis], by_start, atol=1e-7)
    np.testing.assert_allclose(found.radius, differences(lambda h: total(run(grown=h)), 1e-5), atol=1e-7)


def test_a_crease_that_ends_is_refused():
    # the two contacts of a sliding ball become one, where the ball is bent as the surface is; by rounding they still
    # differ, and with these steps what is solved for along the crease is finite
    start = np.random.default_rng(3).uniform(-2.5, 2.5, (16, 2))[[8, 13]]
    flow = rb.IronedFlow(rb.RK4(0.0125))
    run = rb.simulate(RUGGED, rb.Ball(1.5), flow, start_center=start, duration=2.03, save_at=[0.0, 2.03], gap=None)
    assert run.events["kind"][:, 0].tolist() == [2, 2]
    place = {"center": np.ones((2, 3))}
    for found in (rb.derivatives(run, place, throw=False), rb.sensitivities(run)):
        assert found.status.tolist() == [rb.Status.KINK] * 2
    continuous = rb.derivatives(run, place, adjoint="continuous", throw=False)
    assert continuous.status.tolist() == [rb.Status.KINK] * 2
    with pytest.raises(rb.BallError, match="a crease ends"):
        rb.derivatives(run, place)


def test_a_ball_at_rest_in_a_wedge_keeps_its_place_and_has_no_one_foot():
    # on sin a ball of radius 3 falls onto both slopes around -pi / 2, whatever its start
    def run(start=1.2, radius=3.0):
        return rb.simulate(
            S.sine(), rb.Ball(radius), rb.IronedFlow(), start=[start], duration=3.0, save_at=[0.0, 3.0], gap=None
        )

    resting = run()
    assert resting.status[0] == rb.Status.RESTING
    place = rb.derivatives(resting, {"center": [[1.0, 0.0]]})
    assert abs(place.start[0, 0]) < 1e-9
    assert abs(place.radius[0]) < 1e-9  # by symmetry
    assert place.duration[0] == 0
    height = rb.derivatives(resting, {"center": [[0.0, 1.0]]})
    assert height.radius[0] == pytest.approx(differences(lambda h: run(radius=3 + h).center[-1, 0, 1]), abs=1e-8)
    for cotangent in ({"foot": [[1.0]]}, {"loss": [1.0]}):
        with pytest.raises(rb.BallError, match="kink"):
            rb.derivatives(resting, cotangent)
        found = rb.derivatives(resting, cotangent, throw=False)
        assert found.status.tolist() == [rb.Status.KINK]
        assert found.start.tolist() == [[0.0]]


def test_on_each_side_of_a_kink_there_is_a_derivative_and_none_at_it(oracle):
    case = oracle("A04")
    sides = np.array([case["expected"]["left"], case["expected"]["right"]])
    parabola, ball = S.quadratic([[case["inputs"]["k"]]]), rb.Ball(case["inputs"]["rho"])

    def run(place, duration=1e-11, tie=1e-12):
        # f_rho' grows by 8/3 a unit of length: its limit is met to the tolerance only where contacts this near are two
        flow = rb.IronedFlow(rb.RK4(0.05), search=rb.GlobalProjection(nodes=10_000, tie=tie))
        start, times = np.array([[-place], [place]]), [0.0, duration]
        return rb.simulate(parabola, ball, flow, start_center=start, duration=duration, save_at=times, gap=None)

    near = run(1e-10)
    assert (near.contacts == 1).all()
    height = np.zeros_like(near.center)
    height[0, :, 1] = 1
    np.testing.assert_allclose(rb.derivatives(near, {"center": height}).start[:, 0], sides, rtol=0, atol=case["tol"])
    # the centre moves by -f_rho': that is also how its end depends on the duration
    by_end = rb.derivatives(near, {"center": [[1.0, 0.0]] * 2}).duration, rb.sensitivities(near).duration[-1, :, 0]
    by_difference = differences(lambda h: run(1e-10, 1e-11 * (1 + h)).center[-1, :, 0]) / 1e-11
    for found in (*by_end, by_difference):
        np.testing.assert_allclose(-found, sides, rtol=0, atol=case["tol"])
    np.testing.assert_allclose(by_end[0], by_end[1], rtol=1e-14)

    for at in (run(0.0), run(1e-10, tie=1e-9)):  # heights this near are equal to the default tolerance
        assert (at.contacts == 2).all()
        with pytest.raises(rb.BallError, match="kink"):
            rb.derivatives(at, {"center": height})
        refused = rb.derivatives(at, {"center": height}, throw=False), rb.sensitivities(at)
        for found in refused:
            assert found.status.tolist() == [rb.Status.KINK] * 2
            assert not found.start.any()


def test_what_cannot_be_taken_backwards_is_refused():
    sine, ball, last = S.sine(), rb.Ball(0.3), {"center": [[1.0, 0.0]]}
    options = {"start": [1.0], "duration": 0.1, "gap": None}
    with pytest.raises(rb.InputError, match=r"integrator: got 'Rosenbrock'.*continuous"):
        rb.derivatives(rb.simulate(sine, ball, rb.IronedFlow(rb.Rosenbrock()), **options), last)
    with pytest.raises(rb.InputError, match="reproject"):
        rb.derivatives(rb.simulate(sine, ball, rb.IronedFlow(reproject=False), **options), last)
    with pytest.raises(rb.InputError, match="at time 0"):
        rb.derivatives(rb.simulate(sine, ball, rb.IronedFlow(), save_at=[0.1], **options), last)


def test_contacts_near_the_rim_are_followed_to_rounding():
    # steep slopes: Newton's method leaves the ball, and what it falls back on is finished by Newton's method again
    start = np.random.default_rng(0).uniform(-2, 2, (16, 2))
    flow, times = rb.IronedFlow(rb.RK4(2e-3), stride=np.inf), [0.0, 0.1]
    run = rb.simulate(S.rosenbrock(b=10.0), rb.Ball(0.002), flow, start=start, duration=0.1, save_at=times, gap=None)
    assert (run.steps == 50).all()  # none is made again, shorter
    assert (rb.derivatives(run, {"loss": np.ones(16)}, throw=False).status == rb.Status.RUNNING).all()
