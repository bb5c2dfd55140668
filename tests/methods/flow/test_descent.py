"""The ironed loss never rises along its flow and the ball never sinks: many starts, on rough and on sharp ground.

``pytest --starts 200`` draws so many starts for each radius, and a quarter of them in the thousand wells of Eq. 14.
"""

import numpy as np
import pytest

import rollingball as rb

S = rb.surfaces
RTOL, ATOL = 1e-6, 1e-8
GROUND = {
    "sine": (S.sine(), [(-6, 6)]),
    "eq13": (S.riemann(10), [(-3, 3)]),
    "eq14": (S.gaussian_wells(count=1000, width=0.1, seed=0), [(-3, 3)] * 2),
    "rastrigin": (S.rastrigin(2), [(-2, 2)] * 2),
    "himmelblau": (S.himmelblau(), [(-4, 4)] * 2),
    "rosenbrock": (S.rosenbrock(2), [(-2, 2)] * 2),
    "trough": (S.max_of_planes([[1.0, 0.5], [-1.0, 0.5]]), [(-2, 2)] * 2),
    "pocket": (S.max_of_planes([[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]]), [(-2, 2)] * 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("radius", [0.05, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("name", GROUND)
def test_the_ironed_loss_never_rises_and_the_ball_never_sinks(name, radius, request):
    surface, box = GROUND[name]
    balls = request.config.getoption("--starts")
    if name == "eq14":  # where a search among 1000 wells takes milliseconds
        balls = max(1, balls // 4)
    low, high = np.array(box).T
    starts = np.random.default_rng(4).uniform(low, high, (balls, len(box)))
    run = rb.simulate(
        surface, rb.Ball(radius), rb.IronedFlow(rb.Dopri5(RTOL, ATOL)), start_center=starts, duration=2.0,
        save_at=np.linspace(0, 2, 21), gap=rb.GlobalProjection(nodes=30_000_000),
    )  # fmt: skip
    assert np.isin(run.status, [rb.Status.RUNNING, rb.Status.RESTING]).all(), run.messages()
    heights = run.center[..., -1]
    # a step may err by its tolerance, and in height by that times the slope
    slope = np.linalg.norm(surface.gradient(run.foot.reshape(-1, len(box))), axis=-1).reshape(heights.shape)
    error = (ATOL + RTOL * np.abs(run.center[..., :-1]).max(axis=-1)) * slope
    rounding = 1e-13 * (radius + np.abs(heights))
    assert (np.diff(heights, axis=0) <= np.maximum(error[1:], error[:-1]) + rounding[1:]).all()
    assert run.certified  # between walls as steep as 1e5, or on a ring of feet, the proof takes millions of nodes
    assert run.gap.min() >= -1e-9
    assert run.gap.max() <= 1e-9
