"""Algorithm 1 in all parameters: the oracle, the Warp simulator, closed forms."""

import math

import numpy as np
import pytest
import torch

import rollingball as rb
from rollingball.pytorch import GradientProjection, LBFGSProjection, RollingBall
from rollingball.pytorch.optimizer import footpoint
from tests.pytorch.problems import Wavy, closure_of, joined, split

EXACT = LBFGSProjection(tol=1e-12, max_evaluations=200, history=8)


def quadratic(x, k=(1.0, 2.0, 0.5)):
    return 0.5 * (torch.tensor(k, dtype=x.dtype) * x * x).sum()


def rosenbrock(x):
    return (3.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def ripples(x):
    return torch.sin(2 * x[0] + x[1]) + 0.5 * torch.sin(x[0] - 3 * x[1])


def ripples_surface(scale):
    return rb.formula("sin(2*x + y) + 0.5*sin(x - 3*y)", variables=("x", "y"), loss_scale=scale)


SURFACES = {
    "quadratic": (quadratic, lambda scale: rb.surfaces.quadratic(np.diag([1, 2, 0.5]), loss_scale=scale), [1.0, -1, 2]),
    "rosenbrock": (rosenbrock, lambda scale: rb.surfaces.rosenbrock(2, b=3.0, loss_scale=scale), [-0.5, 0.8]),
    "ripples": (ripples, ripples_surface, [0.4, -0.2]),
}


def feet(loss, start, steps, sizes=None, dtype=torch.float64, **options):
    params = split(start, sizes, dtype)
    optimizer = RollingBall(params, method="footpoint", **options)
    path = [joined(params).double().numpy()]
    for _ in range(steps):
        optimizer.step(closure_of(optimizer, lambda: loss(torch.cat(params))))
        path.append(joined(params).double().numpy())
    return np.array(path), params, optimizer


@pytest.mark.parametrize("sizes", [[1, 1, 1], [2, 1], [3]])
def test_oracle_o02_split_over_tensors(oracle, sizes):
    case = oracle("O02")
    path, _, _ = feet(quadratic, case["inputs"]["theta0"], 5, sizes, lr=0.05, radius=0.3, projection=EXACT)
    np.testing.assert_allclose(path, case["expected"]["theta"], rtol=0, atol=case["tol"])


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (EXACT, rb.NewtonProjection(tol=1e-13)),
        (GradientProjection(40, 0.02), rb.GradientProjection(40, 0.02)),
    ],
    ids=["exact", "paper"],
)
def test_the_optimizer_and_the_simulator_roll_the_same_ball(name, scale, ours, theirs):
    loss, surface, start = SURFACES[name]
    lr, radius, steps = 0.02, 0.15, 30
    path, params, optimizer = feet(loss, start, steps, lr=lr, radius=radius, loss_scale=scale, projection=ours)
    method = rb.FootpointRBO(lr, projection=theirs)
    run = rb.simulate(surface(scale), rb.Ball(radius), method, start=start, steps=steps)
    assert np.abs(path[-1] - path[0]).max() > 0.05
    np.testing.assert_allclose(path, run.foot[:, 0], rtol=0, atol=1e-10)
    with optimizer.center_parameters():
        np.testing.assert_allclose(joined(params), run.center[-1, 0, :-1], rtol=0, atol=1e-10)


def test_no_radius_still_projects():
    # theory, section 10: f = x^2 / 2, eta = 0.1 from 1: 0.89752, not 0.9
    path, _, _ = feet(lambda x: 0.5 * (x * x).sum(), [1.0], 1, lr=0.1, radius=0.0, projection=EXACT)
    candidate = np.array([0.9, 0.5 - 0.1])
    roots = np.roots([0.5, 0, 1 - candidate[1], -candidate[0]])
    expected = roots[np.abs(roots.imag) < 1e-12].real
    assert path[-1] == pytest.approx(expected, abs=1e-12)
    assert path[-1] == pytest.approx(0.89752, abs=1e-5)


def test_on_a_plane_a_step_is_the_first_trial():
    slope = torch.tensor([0.6, -2.0, 0.3], dtype=torch.float64)
    path, _, optimizer = feet(lambda x: slope @ x, [0.0, 0, 0], 3, lr=0.1, radius=0.7)
    np.testing.assert_allclose(path[-1], -0.3 * slope, rtol=0, atol=1e-14)
    assert optimizer.last_projection.found
    assert optimizer.last_projection.evaluations == 1
    assert optimizer.last_projection.distance == pytest.approx(0.7, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1e4, 1e6, 1e8])
def test_float32_parameters_do_not_lose_feet_to_the_height_of_the_loss(oracle, shift):
    case = oracle("O02")

    def high(x):  # a loss in float64 of parameters in float32
        return quadratic(x.double()) + shift

    start = case["inputs"]["theta0"]
    path, _, _ = feet(high, start, 5, dtype=torch.float32, lr=0.05, radius=0.3, projection=LBFGSProjection(tol=1e-6))
    # naive float32 heights are off by 2e-4 at a shift of 1e4 and by 3e-3 at 1e6 (oracle O04)
    np.testing.assert_allclose(path, case["expected"]["theta"], rtol=0, atol=1e-6)


def test_a_coarse_loss_ends_the_search_without_a_false_alarm():
    path, _, optimizer = feet(
        lambda x: quadratic(x) + 1e4, [1.0, -1.0, 2.0], 5, dtype=torch.float32, lr=0.05, radius=0.3
    )
    exact, _, _ = feet(quadratic, [1.0, -1.0, 2.0], 5, lr=0.05, radius=0.3, projection=EXACT)
    assert optimizer.last_projection.found
    assert optimizer.last_projection.evaluations < 10
    np.testing.assert_allclose(path, exact, rtol=0, atol=2e-3)  # heights are multiples of 1e-3


def test_momentum_pushes_the_centre_along_the_tangent():
    # on the plane f = a x the centre's step is h = -lr buffer, and the foot moves by h
    path, _, _ = feet(lambda x: (2.0 * x).sum(), [0.0], 3, lr=0.1, radius=0.5, momentum=0.5, projection=EXACT)
    np.testing.assert_allclose(np.diff(path[:, 0]), [-0.2, -0.3, -0.35], rtol=0, atol=1e-12)


@pytest.mark.parametrize("projection", [EXACT, GradientProjection(20, 0.1)])
def test_maximizing_is_rolling_on_the_negative(projection):
    options = {"lr": 0.05, "radius": 0.2, "projection": projection, "momentum": 0.3}
    climbed, _, _ = feet(ripples, [0.4, -0.2], 8, maximize=True, **options)
    fallen, _, _ = feet(lambda x: -ripples(x), [0.4, -0.2], 8, **options)
    np.testing.assert_allclose(climbed, fallen, rtol=0, atol=1e-12)


def test_a_base_optimizer_moves_the_centre():
    options = {"lr": 0.05, "radius": 0.2, "projection": EXACT}
    ours, _, _ = feet(ripples, [0.4, -0.2], 8, momentum=0.9, weight_decay=0.1, **options)
    base = {"base": torch.optim.SGD, "base_kwargs": {"momentum": 0.9, "weight_decay": 0.1}}
    theirs, _, _ = feet(ripples, [0.4, -0.2], 8, **base, **options)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)
    assert np.abs(np.diff(ours, axis=0)).max() > 0.01


# Failure


def test_the_papers_projector_keeps_the_best_point_where_it_blows_up():
    path, _, optimizer = feet(rosenbrock, [-0.5, 0.8], 1, lr=0.02, radius=0.1, projection=GradientProjection(60, 5.0))
    assert not optimizer.last_projection.found
    assert np.isfinite(path).all()
    assert optimizer.last_projection.evaluations <= 60
    start, _, _ = feet(rosenbrock, [-0.5, 0.8], 0, lr=0.02, radius=0.1)
    assert np.array_equal(path[-1], start[0])  # no iterate was nearer than the first


def test_out_of_evaluations_it_keeps_the_best_point_and_says_so():
    options = {"lr": 0.05, "radius": 0.15}
    distances = []
    for most in (1, 2, 4, 200):
        limited = LBFGSProjection(tol=1e-12, max_evaluations=most)
        _, _, optimizer = feet(rosenbrock, [-0.5, 0.8], 1, projection=limited, **options)
        distances.append(optimizer.last_projection.distance)
        assert optimizer.last_projection.evaluations <= most
        assert optimizer.last_projection.found == (most == 200)
    assert distances == sorted(distances, reverse=True)
    assert optimizer.last_projection.residual < 1e-10


def test_a_trial_that_is_not_finite_is_stepped_back_from():
    # log has no value left of 0, where the first trial lands
    path, _, optimizer = feet(lambda x: -torch.log(x).sum(), [3.0], 1, lr=-0.0 + 40.0, radius=0.1, maximize=True)
    assert np.isfinite(path).all()
    assert 0 < path[-1, 0] < 3.0
    assert optimizer.last_projection.evaluations > 1


def test_without_a_gradient_it_stays():
    path, _, optimizer = feet(lambda x: (0.0 * x).sum(), [3.0, 1.0], 2, lr=0.1, radius=0.1)
    assert np.array_equal(path[-1], [3.0, 1.0])
    assert optimizer.last_projection.found


def test_an_error_in_the_projection_leaves_the_foot():
    problem = Wavy()
    optimizer = RollingBall(problem.params, lr=0.1, radius=0.3, method="footpoint")
    before, inner = joined(problem.params), closure_of(optimizer, problem)

    def closure():
        if not torch.equal(joined(problem.params), before):
            raise KeyboardInterrupt
        return inner()

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert torch.equal(joined(problem.params), before)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, "1"])
def test_a_tolerance_that_is_none_is_refused(value):
    with pytest.raises(rb.InputError, match=r"^tol: got"):
        LBFGSProjection(tol=value)
    with pytest.raises(rb.InputError, match=r"^history: got"):
        LBFGSProjection(history=0)
    with pytest.raises(rb.InputError, match=r"^max_evaluations: got"):
        LBFGSProjection(max_evaluations=0)


def test_no_more_pairs_are_kept_than_asked_for(monkeypatch):
    kept = []

    class Watched(footpoint._Memory):
        def learn(self, *args):
            super().learn(*args)
            kept.append(len(self.pairs))

    monkeypatch.setattr(footpoint, "_Memory", Watched)
    options = {"lr": 0.05, "radius": 0.15, "projection": LBFGSProjection(tol=1e-12, max_evaluations=200, history=2)}
    _, _, optimizer = feet(rosenbrock, [-0.5, 0.8], 1, **options)
    assert optimizer.last_projection.found
    assert max(kept) == 2 < len(kept)
