"""Balls turn as they roll: closed forms on planes, on a circle, in a bowl, and the material at the contact at rest."""

import numpy as np
import pytest

from rollingball.plot.common.orientation import exponential, in_space, orientations, product
from tests.plot.pages import by_hand

UP = np.array([0.0, 0.0, 1.0])


def rolled_along(points, normal, radius=1.0, **known):
    """One ball whose feet are points (T, 3) of surfaces with normals (T, 3) or (3,)."""
    points = np.asarray(points, float)
    center = points + radius * np.broadcast_to(normal, points.shape)
    return by_hand(points[:, None, :2], center[:, None], points[:, None, 2], radius=radius, **known)


def turned(quaternion, vector):
    """q v q* by quaternion products."""
    conjugate = quaternion * [1, -1, -1, -1]
    return product(product(quaternion, np.concatenate([[0.0], vector])), conjugate)[1:]


def same_turn(a, b, within):
    assert np.abs((a * b).sum(axis=-1)).min() == pytest.approx(1, abs=within)


# Quaternions


def test_the_exponential_turns_by_the_length_about_the_axis():
    np.testing.assert_allclose(turned(exponential(np.pi / 2 * UP), [1.0, 0, 0]), [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(exponential(np.zeros(3)), [1, 0, 0, 0], atol=0)
    np.testing.assert_allclose(exponential(np.array([2 * np.pi, 0, 0])), [-1, 0, 0, 0], atol=1e-15)


def test_a_product_turns_by_the_second_and_then_by_the_first():
    first, then = exponential(np.pi / 2 * UP), exponential(np.pi / 2 * np.array([1.0, 0, 0]))
    np.testing.assert_allclose(turned(product(then, first), [1.0, 0, 0]), [0, 0, 1], atol=1e-15)


# Closed forms


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.5, -1.9])
@pytest.mark.parametrize("radius", [0.25, 2.0])
def test_on_a_plane_a_ball_turns_by_length_over_radius_about_the_axis_across_its_way(angle, radius):
    way = np.array([np.cos(angle), np.sin(angle), 0.0])
    lengths = np.linspace(0, 3.0, 40) ** 1.5  # at no even speed
    turn = orientations(rolled_along(lengths[:, None] * way, UP, radius), 1.0)[:, 0]
    same_turn(turn, exponential(lengths[:, None] / radius * np.cross(UP, way)), 1e-14)


def test_a_ball_that_rolls_to_the_right_carries_its_top_to_the_right():
    turn = orientations(rolled_along([[0, 0, 0], [0.1, 0, 0]], UP), 1.0)[1, 0]
    assert turned(turn, UP)[0] == pytest.approx(np.sin(0.1), abs=1e-14)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_on_an_incline_the_axis_lies_in_it(scale):
    slope = np.array([0.6, -0.3])  # of L f
    normal = np.array([*-slope, 1.0]) / np.sqrt(1 + slope @ slope)
    flat = np.linspace(0, 1, 30)[:, None] * np.array([1.0, 2.0])
    points = np.column_stack([flat, flat @ slope])
    run = rolled_along(points, normal, 0.5)
    run.loss[:] /= scale  # f itself; the page knows L
    turn = orientations(run, scale)[-1, 0]
    length = np.linalg.norm(points[-1])
    same_turn(turn, exponential(length / 0.5 * np.cross(normal, points[-1] / length)), 1e-12)


def circle(count, size=1.5, radius=0.5):
    angles = np.linspace(0, 2 * np.pi, count)
    return rolled_along(size * np.column_stack([np.cos(angles), np.sin(angles), 0 * angles]), UP, radius)


def test_around_a_circle_the_turn_is_the_closed_form_of_a_turning_axis():
    # omega = -(A / rho) e_r(t) turns with the ball: R(t) = exp(t z) exp(t (omega(0) - z)), here after a round
    exact = product(exponential(2 * np.pi * UP), exponential(2 * np.pi * (np.array([-3.0, 0, 0]) - UP)))
    errors = []
    for count in (201, 401, 801):
        turn = orientations(circle(count), 1.0)[-1, 0]
        errors.append(np.arccos(min(abs(turn @ exact), 1)))
    assert errors[0] < 1e-2
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([2, 2], abs=0.1)


def in_a_bowl(count, size=3.0, radius=0.5):
    """A ball in the plane y = 0 that rolls down a circular bowl, d = 1, from angle 0 to 1."""
    angles = np.linspace(0, 1.0, count)
    outward = np.column_stack([np.sin(angles), -np.cos(angles)])
    foot, center = size * outward, (size - radius) * outward
    return by_hand(foot[:, None, :1], center[:, None], foot[:, None, 1], radius=radius)


def test_in_a_bowl_a_ball_turns_by_the_arc_of_its_centre_over_its_radius():
    exact = exponential(np.array([0, (3.0 - 0.5) / 0.5, 0]))
    errors = [np.abs(orientations(in_a_bowl(count), 1.0)[-1, 0] - exact).max() for count in (51, 101)]
    assert errors[0] < 2e-4
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.05)


def test_the_material_at_the_contact_is_at_rest():
    # a path over z = sin(x) cos(y) / 2, by the velocity of the point of the ball that touches
    t = np.linspace(0, 1, 2001)
    x, y = 2 * t, np.sin(3 * t)
    normal = np.column_stack([-np.cos(x) * np.cos(y) / 2, np.sin(x) * np.sin(y) / 2, np.ones_like(t)])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    run = rolled_along(np.column_stack([x, y, np.sin(x) * np.cos(y) / 2]), normal, 0.3)
    turn, center = orientations(run, 1.0)[:, 0], run.center[:, 0]
    for frame in (300, 1000, 1700):
        step = product(turn[frame + 1], turn[frame] * [1, -1, -1, -1])
        arm = -0.3 * (normal[frame] + normal[frame + 1]) / 2
        moved = center[frame + 1] - center[frame] + turned(step, arm) - arm
        way = np.linalg.norm(center[frame + 1] - center[frame])
        assert np.linalg.norm(moved - (moved @ arm) * arm / 0.09) < 1e-5 * way
        spin = 2 * step[1:] / step[0]
        assert abs(spin @ normal[frame]) < 2e-3 * np.linalg.norm(spin)  # and it does not twist


# Recorded spins


def test_a_recorded_spin_turns_the_ball_whatever_its_path():
    spin = np.array([0.3, -1.0, 2.0])
    run = by_hand(np.zeros((5, 1, 2)), np.zeros((5, 1, 3)), 0.0, np.arange(5) / 4, spin=np.tile(spin, (5, 1, 1)))
    same_turn(orientations(run, 1.0)[-1, 0], exponential(spin), 1e-14)


def test_in_one_dimension_a_spin_above_zero_rolls_to_the_right():
    foot = np.linspace(0, 1.2, 7)[:, None, None]
    center = np.concatenate([foot, np.full_like(foot, 0.4)], axis=-1)
    rolled = by_hand(foot, center, 0.0, radius=0.4)
    spun = by_hand(foot, center, 0.0, radius=0.4, spin=np.full((7, 1, 1), 0.2 / 0.4))
    np.testing.assert_allclose(orientations(spun, 1.0), orientations(rolled, 1.0), atol=1e-14)


# Whatever happens


def test_orientations_are_of_unit_norm_and_turn_no_faster_than_the_centre_moves():
    rng = np.random.default_rng(0)
    foot = np.cumsum(0.2 * rng.normal(size=(500, 4, 2)), axis=0)
    normal = rng.normal(size=(500, 4, 3)) + np.array([0, 0, 3])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    points = np.concatenate([foot, rng.normal(size=(500, 4, 1))], axis=-1)
    run = by_hand(foot, points + 0.7 * normal, points[..., 2], radius=0.7)
    turn = orientations(run, 1.0)
    np.testing.assert_allclose(np.linalg.norm(turn, axis=-1), 1, atol=1e-14)
    step = product(turn[1:], turn[:-1] * [1, -1, -1, -1])
    angle = 2 * np.arctan2(np.linalg.norm(step[..., 1:], axis=-1), step[..., 0])
    assert (angle <= np.linalg.norm(np.diff(run.center, axis=0), axis=-1) / 0.7 + 1e-12).all()


def test_lost_frames_and_points_do_not_turn():
    run = circle(9)
    run.center[4] = np.nan
    turn = orientations(run, 1.0)
    assert np.isfinite(turn).all()
    np.testing.assert_allclose(turn[3], turn[5], atol=1e-15)
    assert (orientations(by_hand(np.zeros((3, 1, 2)), np.zeros((3, 1, 3)), 0.0, radius=0.0), 1.0)[..., 0] == 1).all()


def test_a_section_lies_in_the_plane_y_0():
    np.testing.assert_array_equal(in_space(np.array([[1.0, 2.0]])), [[1, 0, 2]])
    np.testing.assert_array_equal(in_space(np.array([[1.0, 2.0, 3.0]])), [[1, 2, 3]])
