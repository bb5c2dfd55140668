"""The Hessians at contacts and feet against differences of first derivatives."""

import numpy as np
import warp as wp

import rollingball as rb
from rollingball.core.numeric import Numeric
from rollingball.geometry.contact.hessian import height_hessian
from rollingball.geometry.foot.foot import foot_matrix

RADIUS = 0.6
SURFACE = rb.surfaces.himmelblau(loss_scale=0.01)
TYPES = Numeric(2)


def hessians(surface, feet, slopes, radius):
    """The Hessian of the height of a ball at each of its contacts, and whether the contact is strict and smooth."""
    hessian_of = height_hessian(surface.functions(TYPES), TYPES)

    @wp.kernel(module="unique", enable_backward=False)
    def run(
        p: surface.functions(TYPES).parameters,
        feet: wp.array(dtype=TYPES.vector),
        slopes: wp.array(dtype=TYPES.vector),
        matrices: wp.array(dtype=TYPES.matrix),
        smooth: wp.array(dtype=wp.int32),
    ):
        i = wp.tid()
        hessian, fine = hessian_of(feet[i], slopes[i], wp.float64(radius), p)
        matrices[i] = hessian
        smooth[i] = wp.where(fine, 1, 0)

    inputs = [wp.array(part, dtype=TYPES.vector, device="cpu") for part in (feet, slopes)]
    matrices = wp.zeros(len(feet), dtype=TYPES.matrix, device="cpu")
    smooth = wp.zeros(len(feet), dtype=wp.int32, device="cpu")
    wp.launch(run, dim=len(feet), inputs=[surface.parameters(TYPES, "cpu"), *inputs, matrices, smooth], device="cpu")
    return matrices.numpy(), smooth.numpy() == 1


def test_the_hessian_of_the_height_of_a_ball_is_the_derivative_of_its_slope():
    centers = np.random.default_rng(0).uniform(-4, 4, (20, 2))
    here = rb.contacts(SURFACE, centers, RADIUS)
    alone = here.count == 1
    assert alone.sum() > 10
    matrices, smooth = hessians(SURFACE, here.feet[alone, 0], here.slope[alone], RADIUS)
    assert smooth.all()
    step = 1e-5
    for axis in range(2):
        aside = step * np.eye(2)[axis]
        ahead, behind = (rb.contacts(SURFACE, centers[alone] + sign * aside, RADIUS).slope for sign in (1, -1))
        np.testing.assert_allclose((ahead - behind) / (2 * step), matrices[:, :, axis], rtol=1e-6, atol=1e-7)


def test_at_a_ridge_it_is_minus_that_of_the_ball():
    roof = rb.formula("-abs(x) + y/2", "x y")
    slope = np.array([[0.3, 0.5], [-0.2, 0.5]])  # of balls that touch the ridge, between the slopes of its sides
    matrices, smooth = hessians(roof, np.zeros((2, 2)), slope, RADIUS)
    assert not smooth.any()
    w = np.sqrt(1 + (slope**2).sum(axis=1))[:, None, None]
    ball = (np.eye(2) + slope[:, :, None] * slope[:, None, :]) * w / RADIUS
    np.testing.assert_allclose(matrices, -ball, rtol=1e-14)


def test_the_matrix_of_a_foot_is_the_derivative_of_the_gradient_of_the_squared_distance():
    random = np.random.default_rng(1)
    points, centers = random.uniform(-4, 4, (6, 2)), random.uniform(-4, 4, (6, 3))

    def gradient(x):
        drop = 0.01 * SURFACE.value(x) - centers[:, 2]
        return x - centers[:, :2] + drop[:, None] * 0.01 * SURFACE.gradient(x)

    @wp.kernel(module="unique", enable_backward=False)
    def run(
        gradients: wp.array(dtype=TYPES.vector),
        hessians: wp.array(dtype=TYPES.matrix),
        drops: wp.array(dtype=wp.float64),
        matrices: wp.array(dtype=TYPES.matrix),
    ):
        i = wp.tid()
        matrices[i] = foot_matrix(gradients[i], hessians[i], drops[i])

    matrices = wp.zeros(len(points), dtype=TYPES.matrix, device="cpu")
    inputs = [
        wp.array(0.01 * SURFACE.gradient(points), dtype=TYPES.vector, device="cpu"),
        wp.array(0.01 * SURFACE.hessian(points), dtype=TYPES.matrix, device="cpu"),
        wp.array(0.01 * SURFACE.value(points) - centers[:, 2], dtype=wp.float64, device="cpu"),
    ]
    wp.launch(run, dim=len(points), inputs=[*inputs, matrices], device="cpu")
    step = 1e-6
    for axis in range(2):
        aside = step * np.eye(2)[axis]
        change = (gradient(points + aside) - gradient(points - aside)) / (2 * step)
        np.testing.assert_allclose(change, matrices.numpy()[:, :, axis], rtol=1e-7, atol=1e-7)
