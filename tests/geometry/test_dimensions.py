"""The same truths in few and in many dimensions: on the paraboloid |x|^2 / 2 everything happens along one ray."""

import numpy as np
import pytest

import rollingball as rb

DIMENSIONS = [1, 2, 17, *(pytest.param(dim, marks=pytest.mark.slow) for dim in (5, 8, 16, 32, 64))]


def paraboloid(dim):
    return rb.surfaces.quadratic(np.eye(dim))


def ray(dim):
    """A unit vector with all entries different, half of them negative."""
    direction = np.cos(np.arange(1.0, dim + 1))
    return direction / np.linalg.norm(direction)


def foot_on_parabola(x, height):
    """Where the point nearest to (x, height) is, x > 0: the nearest root of r^3 / 2 + (1 - height) r = x."""
    roots = np.roots([0.5, 0.0, 1 - height, -x])
    real = roots[np.abs(roots.imag) < 1e-12].real
    return real[np.argmin((real - x) ** 2 + (real**2 / 2 - height) ** 2)]


def rolled(r, radius, lr, steps):
    """Algorithm 1 on the parabola: feet (steps + 1,)."""
    feet = [r]
    for _ in range(steps):
        w = np.sqrt(1 + r * r)
        r = foot_on_parabola(r - radius * r / w - lr * r, r * r / 2 + radius / w - lr * r * r)
        feet.append(r)
    return np.array(feet)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_a_ball_rolls_down_a_paraboloid_as_it_does_on_a_parabola(dim):
    starts, u = [0.8, 2.0], ray(dim)
    run = rb.simulate(paraboloid(dim), rb.Ball(0.3), rb.FootpointRBO(lr=0.05), start=np.outer(starts, u), steps=20)
    expected = np.stack([rolled(r, 0.3, 0.05, 20) for r in starts], axis=1)
    np.testing.assert_allclose(run.foot, expected[..., None] * u, atol=1e-11)
    np.testing.assert_allclose(run.loss, expected**2 / 2, atol=1e-11)
    np.testing.assert_allclose(run.gap, 0.0, atol=1e-9)
    assert (run.status == rb.Status.RUNNING).all()


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_nearest_points_of_a_paraboloid_lie_on_the_ray_of_the_point(dim):
    x, heights = np.array([0.5, 3.0]), np.array([2.5, -1.0])
    near = rb.project(paraboloid(dim), np.column_stack([np.outer(x, ray(dim)), heights]))
    expected = np.array([foot_on_parabola(*point) for point in zip(x, heights, strict=True)])
    np.testing.assert_allclose(near.foot, np.outer(expected, ray(dim)), atol=1e-9)
    np.testing.assert_allclose(near.distance, np.hypot(expected - x, expected**2 / 2 - heights), atol=1e-12)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_the_derivative_of_a_run_by_its_start_is_that_on_a_parabola(dim):
    r, u, h = 0.8, ray(dim), 1e-5
    run = rb.simulate(paraboloid(dim), rb.Ball(0.3), rb.FootpointRBO(lr=0.05), start=[r * u], steps=5, gap=None)
    by_start = rb.derivatives(run, {"foot": u[None]}, surface=paraboloid(dim)).start[0]
    expected = (rolled(r + h, 0.3, 0.05, 5)[-1] - rolled(r - h, 0.3, 0.05, 5)[-1]) / (2 * h)
    np.testing.assert_allclose(by_start, expected * u, atol=1e-8)
