"""Every function in many dimensions: on the paraboloid |x|^2 / 2 all happens along one ray, as on the parabola.

``pytest tests/geometry/test_every_function.py --dimensions 2,5,8,16,17,32,64`` tries more dimensions than the suite.
"""

import numpy as np
import pytest

import rollingball as rb
from tests.geometry.test_dimensions import paraboloid, ray

BALL, R = rb.Ball(0.3), 0.8
STEPS = {"steps": 8}
METHODS = {
    "distance": (rb.DistanceRBO(0.05), BALL, STEPS),
    "momentum": (rb.MomentumRBO(0.05, 0.8), BALL, STEPS),
    "global": (rb.FootpointRBO(0.05, rb.GlobalProjection()), BALL, STEPS),
    "paper": (rb.FootpointRBO(0.05, rb.GradientProjection(20, 1e-2)), BALL, STEPS),
    "descent": (rb.GradientDescent(0.05), None, STEPS),
    "heavy-ball": (rb.HeavyBall(0.05, 0.8), None, STEPS),
    "sam": (rb.SAM(0.05), BALL, STEPS),
    "entropy-sgd": (rb.EntropySGD(0.05, noise=0.0, inner_steps=5), None, STEPS),
    "footpoint-flow": (rb.FootpointFlow(rb.RK4(0.05)), BALL, {"duration": 0.4}),
    "stiff-flow": (rb.FootpointFlow(rb.Rosenbrock()), BALL, {"duration": 0.4}),
    "ironed-flow": (rb.IronedFlow(rb.RK4(0.05)), BALL, {"duration": 0.4}),
    "catch-up": (rb.IronedFlow(rb.CatchUp(0.1)), BALL, {"duration": 0.4}),
    "rattle": (rb.RigidBall(integrator=rb.Rattle(0.02)), BALL, {"duration": 0.2}),
    "stepping": (rb.RigidBall(contact="unilateral", integrator=rb.MoreauJean(0.02)), BALL, {"duration": 0.2}),
}


def pytest_generate_tests(metafunc):
    if "dim" in metafunc.fixturenames:
        metafunc.parametrize("dim", [int(part) for part in metafunc.config.getoption("--dimensions").split(",")])


def rolled(name, dim):
    method, ball, options = METHODS[name]
    return rb.simulate(paraboloid(dim), ball, method, start=[R * ray(dim)], gap=None, **options)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_moves_along_the_ray_as_on_the_parabola(name, dim):
    run, alone = rolled(name, dim), rolled(name, 1)
    sign = ray(1)[0]
    # adaptive steps are judged by a mean over the coordinates, so that their sizes depend on the dimension
    tolerance = 1e-5 if name == "stiff-flow" else 1e-8
    np.testing.assert_allclose(run.foot, sign * alone.foot * ray(dim), atol=tolerance)
    np.testing.assert_allclose(run.center[..., :-1], sign * alone.center[..., :1] * ray(dim), atol=tolerance)
    np.testing.assert_allclose(run.center[..., -1], alone.center[..., -1], atol=tolerance)
    assert run.status.tolist() == alone.status.tolist()


@pytest.mark.parametrize(
    "name",
    ["distance", "momentum", "sam", "footpoint-flow", "ironed-flow", "catch-up",
     pytest.param("stepping", marks=pytest.mark.slow)],
)  # fmt: skip
def test_derivatives_and_sensitivities_are_those_on_the_parabola(name, dim):
    run, alone = rolled(name, dim), rolled(name, 1)
    sign = ray(1)[0]
    by = rb.derivatives(run, {"center": np.append(ray(dim), 0.0)[None]}, surface=paraboloid(dim))
    known = rb.derivatives(alone, {"center": np.array([[sign, 0.0]])}, surface=paraboloid(1))
    np.testing.assert_allclose(by.start @ ray(dim), sign * known.start[:, 0], atol=1e-8)
    np.testing.assert_allclose(by.radius, known.radius, atol=1e-8)
    compiles = dim <= 17 and name != "stepping"  # in minutes, at most
    if compiles:  # a column for each coordinate of the start; of an IronedFlow they are of the centre
        columns = rb.sensitivities(run, surface=paraboloid(dim)).start[-1, 0]
        of_foot = name not in ("ironed-flow", "catch-up")
        cotangent = {"foot": ray(dim)[None]} if of_foot else {"center": np.append(ray(dim), 0.0)[None]}
        rows = rb.derivatives(run, cotangent, surface=paraboloid(dim)).start[0]
        np.testing.assert_allclose(ray(dim) @ columns, rows, atol=1e-8)


def test_contacts_ironing_and_curvatures_are_those_on_the_parabola(dim):
    surface, at, sign = paraboloid(dim), np.array([0.3, 1.4]), ray(1)[0]
    rest, alone = (rb.contacts(paraboloid(d), np.outer(at, ray(d)), radius=0.6) for d in (dim, 1))
    np.testing.assert_allclose(rest.height, alone.height, atol=1e-10)
    np.testing.assert_allclose(rest.feet[:, 0], sign * alone.feet[:, 0] * ray(dim), atol=1e-8)
    smooth, parabola = (rb.ironed(paraboloid(d), radius=0.6) for d in (dim, 1))
    points, along = np.outer(at, ray(dim)), np.outer(at, ray(1))
    np.testing.assert_allclose(smooth.value(points), parabola.value(along), atol=1e-10)
    np.testing.assert_allclose(smooth.gradient(points), sign * parabola.gradient(along) * ray(dim), atol=1e-8)
    w = np.sqrt(1 + at**2)
    principal = np.sort(rb.curvatures(surface, points), axis=1)
    np.testing.assert_allclose(principal[:, 0], 1 / w**3, atol=1e-10)
    np.testing.assert_allclose(principal[:, 1:], np.repeat(1 / w[:, None], dim - 1, axis=1), atol=1e-10)
    assert rb.unreachable(surface, 0.6, points).tolist() == [False, False]
    assert rb.unreachable(surface, 3.0, points).tolist() == rb.unreachable(paraboloid(1), 3.0, along).tolist()
