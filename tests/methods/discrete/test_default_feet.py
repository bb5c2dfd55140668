"""Feet that nobody named: exact in one and two dimensions, local in more, and told by the run and kept by its file."""

from typing import Any

import numpy as np
import pytest
import warp as wp
from hypothesis import given
from hypothesis import strategies as st

import rollingball as rb
from rollingball.methods.discrete.methods import in_dimensions
from rollingball.methods.discrete.plan import plan_discrete
from rollingball.runs.request import Request

S = rb.surfaces
METHODS = (rb.FootpointRBO, rb.DistanceRBO, rb.MomentumRBO)


@rb.surface(dim=1)
def own_sine(x: Any):
    return wp.sin(x[0])


def told(run):
    """The projection that the scene of a run names."""
    return run.scene["run"]["projection"]["type"]


def test_a_ball_that_is_too_large_for_a_valley_hangs_above_it():
    """The story of the first five minutes: no ball of radius 3 is pressed into the wall of a sine."""
    balls, start = rb.Ball([0.5, 3.0]), [[1.2]]
    run = rb.simulate(S.sine(), balls, rb.FootpointRBO(0.05), start=start, steps=80, gap=rb.GlobalProjection())
    assert run.certified
    assert run.depth.max() < 1e-9
    assert run.status.tolist() == [rb.Status.RUNNING, rb.Status.RUNNING]
    local = rb.FootpointRBO(0.05, rb.NewtonProjection())
    pressed = rb.simulate(S.sine(), balls, local, start=start, steps=80, gap=rb.GlobalProjection())
    assert pressed.depth[1] > 0.4
    assert pressed.status.tolist() == [rb.Status.RUNNING, rb.Status.INSIDE]


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize(
    ("surface", "projection"),
    [
        (S.sine(), "global"),  # bounds known
        (S.quadratic(np.diag([1.0, 2.0])), "global"),
        (S.formula("x**2 + cos(y)", "x y"), "global"),
        (S.sampled(np.sin(np.linspace(-3, 3, 40)), [[-3.0, 3.0]]), "global"),  # with an edge
        (S.quadratic(np.diag([1.0, 2.0, 0.5])), "newton"),
        (S.rastrigin(dim=5), "newton"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.name}-{value.dim}",
)
def test_the_dimension_decides(kind, surface, projection):
    """When a run is planned, before anything is compiled, and in either precision."""
    for dtype in ("float64", "float32"):
        start = np.full((1, surface.dim), 0.3)
        request = Request(surface=surface, ball=rb.Ball(0.01), method=kind(1e-3), start=start, steps=2, dtype=dtype)
        assert plan_discrete(request).told()[0]["projection"]["type"] == projection


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_in_either_precision_no_ball_is_pressed_into_the_wall(dtype):
    starts = np.random.default_rng(0).uniform(-2, 2, (20, 2))
    surface = S.formula("x**2 + y**2 + 0.3*sin(9*x)*cos(9*y)", "x y")
    run = rb.simulate(surface, rb.Ball(0.3), rb.FootpointRBO(1e-3), start=starts, steps=20, dtype=dtype, lift=True)
    local = rb.FootpointRBO(1e-3, rb.NewtonProjection())
    pressed = rb.simulate(surface, rb.Ball(0.3), local, start=starts, steps=20, dtype=dtype)
    assert run.depth.max() < 0.02  # a step along the normal of a new foot: Algorithm 1, not its feet
    assert pressed.depth.max() > 0.2


def test_a_surface_of_ones_own_has_exact_feet_by_estimated_bounds():
    run = rb.simulate(own_sine, rb.Ball(3.0), rb.FootpointRBO(0.05), start=[1.2], steps=40)
    assert told(run) == "global"
    assert run.depth.max() < 1e-9
    known = rb.simulate(S.sine(), rb.Ball(3.0), rb.FootpointRBO(0.05), start=[1.2], steps=40)
    np.testing.assert_allclose(run.foot, known.foot, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", METHODS)
def test_what_is_named_stays(kind):
    for projection in (rb.NewtonProjection(), rb.GradientProjection(), rb.GlobalProjection(seeds=7)):
        method = kind(0.1, projection=projection)
        assert in_dimensions(method, 1) is method
        run = rb.simulate(S.sine(), rb.Ball(0.5), method, start=[1.2], steps=1, gap=None)
        assert told(run) == projection.__struct_config__.tag
    for dim in (1, 2, 3):
        found = in_dimensions(kind(0.1), dim)
        assert found == in_dimensions(found, 7)
        assert (found.projection == rb.NewtonProjection()) == (dim > 2)


@given(
    dim=st.integers(1, 2),
    curvature=st.floats(0.2, 3.0),
    wave=st.floats(-0.3, 0.3),
    share=st.floats(0.05, 0.8),
    place=st.lists(st.floats(-2, 2), min_size=2, max_size=2),
)
def test_below_the_upper_reach_they_are_those_of_newton(dim, curvature, wave, share, place):
    """There a local foot is the nearest point: the two runs agree to rounding."""
    names = ["x", "y"][:dim]
    text = " + ".join(f"0.5*k*{name}**2 + w*sin(2*{name})" for name in names)
    surface = S.formula(text, " ".join(names), {"k": curvature, "w": wave})
    radius = share / (curvature + 4 * abs(wave))  # the Hessian is nowhere larger
    options = {"start": [place[:dim]], "steps": 15, "gap": None}
    lr = 0.2 * radius  # the centre stays above the graph
    exact, local = (
        rb.simulate(surface, rb.Ball(radius), rb.FootpointRBO(lr, named), **options)
        for named in (None, rb.NewtonProjection())
    )
    np.testing.assert_allclose(exact.foot, local.foot, rtol=0, atol=1e-9)
    np.testing.assert_allclose(exact.center, local.center, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", METHODS)
def test_a_start_where_the_ball_does_not_fit_is_refused_with_both_ways_out(kind):
    allowed = r"^start: got \[-1\.5\].*radius 2 fits: .*too low.*lift=True.*NewtonProjection"
    options = {"start": [[1.2], [-1.5]], "steps": 5, "gap": rb.GlobalProjection()}
    with pytest.raises(rb.InputError, match=allowed):
        rb.simulate(S.sine(), rb.Ball([0.5, 2.0]), kind(0.02), **options)
    lifted = rb.simulate(S.sine(), rb.Ball([0.5, 2.0]), kind(0.02), lift=True, **options)
    assert lifted.gap[0].min() > -1e-9
    local = rb.simulate(S.sine(), rb.Ball([0.5, 2.0]), kind(0.02, projection=rb.NewtonProjection()), **options)
    assert local.gap[0, 1] < -0.1
    # in three dimensions feet are local, and nothing is refused
    surface, start = S.sine(3), [[-1.5, -1.5, -1.5]]
    deep = rb.simulate(surface, rb.Ball(2.0), kind(0.02), start=start, steps=0)
    assert deep.gap[0, 0] < -0.1


def test_a_run_goes_on_with_the_feet_that_its_file_names(tmp_path):
    """A file of a time when the default was another one: its scene names the projection that it had."""
    options = {"start": [[0.4], [1.2]], "steps": 30, "gap": None}
    for projection in (None, rb.NewtonProjection()):
        method = rb.FootpointRBO(0.05, projection)
        rb.simulate(S.sine(), rb.Ball([0.5, 3.0]), method, **options).save(tmp_path / "run.safetensors")
        loaded = rb.Trajectory.load(tmp_path / "run.safetensors")
        assert told(loaded) == ("global" if projection is None else "newton")
        resumed = rb.resume(loaded, 30)
        whole = rb.simulate(S.sine(), rb.Ball([0.5, 3.0]), method, **{**options, "steps": 60})
        assert told(resumed) == told(loaded)
        for name in ("foot", "center", "loss"):
            np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name)[: len(resumed)])


def test_the_derivative_of_a_run_is_that_of_the_feet_it_had():
    """Forwards, backwards and by differences, beyond the reach too."""
    run = rb.simulate(S.sine(), rb.Ball([0.5, 3.0]), rb.FootpointRBO(0.05), start=[[1.2]], steps=8, gap=None)
    weights = np.zeros_like(run.foot)
    weights[-1] = 1.0
    found = rb.derivatives(run, {"foot": weights})
    forward = rb.sensitivities(run).start[-1]
    difference = rb.sensitivities(run, method="difference").start[-1]
    np.testing.assert_allclose(found.start, forward[:, 0], rtol=1e-9)
    np.testing.assert_allclose(forward, difference, rtol=1e-5)


def test_settings_outside_a_run_need_a_projection():
    with pytest.raises(rb.InputError, match=r"^projection: got None"):
        rb.FootpointRBO(0.1).settings()
    assert in_dimensions(rb.FootpointRBO(0.1), 2).settings()["nodes"] == 10_000
    with pytest.raises(rb.InputError, match=r"^projection: got .*NewtonProjection.*or None"):
        rb.FootpointRBO(0.1, rb.NewtonProjection)


def test_a_scene_may_name_no_projection():
    table = {
        "surface": {"type": "sine"},
        "ball": {"radius": 0.5, "start": [[1.2]]},
        "run": [{"method": "footpoint-rbo", "lr": 0.05, "steps": 3}],
    }
    from rollingball.app.scene import to_scene

    assert told(to_scene(table).roll(0)) == "global"
    table["run"][0]["projection"] = {"type": "newton"}
    assert told(to_scene(table).roll(0)) == "newton"


@pytest.mark.parametrize("start", [0.5, 0.7, 1.0])
def test_a_ball_that_is_flung_away_at_the_edge_of_the_domain_has_no_foot_by_chance(start):
    """Where sqrt ends its slope is infinite, and the centre goes so far that all points are at one distance."""
    run = rb.simulate(rb.formula("sqrt(x)", "x"), rb.Ball(0.5), rb.FootpointRBO(0.01), start=[start], steps=300)
    assert run.status.tolist() == [rb.Status.NOT_FINITE]
    assert (np.diff(run.foot[:, 0, 0]) <= 0).all()
