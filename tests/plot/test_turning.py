"""How far balls turn: closed forms on a plane and in a circle, against the recorded spin, and by composition."""

from dataclasses import replace

import numpy as np
import pytest

import rollingball as rb
from rollingball.plot.turning import angles, rotations
from tests.plot.runs import make

RADIUS = 0.5


def on_line(center, foot):
    """A ball of radius 0.5 whose centres and contacts are given (T, 2)."""
    run = make(1, frames=len(center), balls=1, radius=RADIUS)
    return replace(run, center=center[:, None], foot=foot[:, None, :1], loss=foot[:, None, 1])


def test_on_an_incline_the_angle_is_the_way_over_the_radius():
    along, normal = np.array([0.8, -0.6]), np.array([0.6, 0.8])  # downhill to the right
    foot = np.linspace(0, 3, 7)[:, None] * along
    turned = angles(on_line(foot + RADIUS * normal, foot))
    np.testing.assert_allclose(turned[:, 0], np.linspace(0, 3, 7) / RADIUS, atol=1e-12)
    back = angles(on_line(foot[::-1] + RADIUS * normal, foot[::-1]))
    np.testing.assert_allclose(back[-1, 0], -3 / RADIUS, atol=1e-12)


@pytest.mark.parametrize(("large", "side"), [(3.0, -1), (3.0, 1)], ids=["in a bowl", "on a dome"])
def test_in_a_circle_the_angle_is_that_of_its_centre(large, side):
    phi = np.linspace(0, 1, 400)
    out = np.stack([np.sin(phi), side * np.cos(phi)], axis=-1)  # from the middle of the circle to the contact
    way = large + side * RADIUS  # the radius of the circle of the centre
    turned = angles(on_line(way * out, large * out))
    assert turned[-1, 0] == pytest.approx(way / RADIUS, rel=1e-5)  # |dc| / rho, to the right


def test_the_rolling_body_turns_as_its_recorded_spin_says():
    plane = rb.surfaces.plane([0.5])
    body = rb.RigidBall(friction="no-slip")
    run = rb.simulate(plane, rb.Ball(RADIUS), body, start=[0.0], duration=1.0, gap=None)
    without = replace(run, spin=None)
    np.testing.assert_allclose(angles(run), angles(without), atol=1e-9)
    assert angles(run)[-1, 0] < -1  # downhill is to the left


def test_in_the_plane_a_ball_turns_about_the_level_axis_across_its_way():
    run = make(2, frames=4, balls=2, radius=RADIUS)
    foot = np.linspace(0, 0.3, 4)[:, None, None] * np.array([[1.0, 0.0], [0.0, -1.0]])
    run = replace(run, foot=foot, loss=0 * run.loss, center=np.concatenate([foot, RADIUS + 0 * foot[..., :1]], axis=-1))
    turned = rotations(run)
    np.testing.assert_array_equal(turned[0], np.eye(3)[None].repeat(2, axis=0))
    angle = 0.3 / RADIUS
    top = np.array([0.0, 0.0, 1.0])  # the top goes where the ball goes
    np.testing.assert_allclose(turned[-1, 0] @ top, [np.sin(angle), 0, np.cos(angle)], atol=1e-12)
    np.testing.assert_allclose(turned[-1, 1] @ top, [0, -np.sin(angle), np.cos(angle)], atol=1e-12)


def test_orientations_are_rotations_and_spin_about_the_normal_counts():
    run = make(2, frames=50, balls=3)
    spin = np.broadcast_to([0.0, 0.0, 2.0], (50, 3, 3))
    turned = rotations(replace(run, spin=spin))
    np.testing.assert_allclose(turned @ turned.swapaxes(-1, -2), np.eye(3)[None, None] + 0 * turned, atol=1e-12)
    angle = 2.0 * (run.time[-1] - run.time[0])
    np.testing.assert_allclose(turned[-1, 0][0], [np.cos(angle), -np.sin(angle), 0], atol=1e-12)
    free = rotations(run)
    np.testing.assert_allclose(np.linalg.det(free), 1, atol=1e-12)


def test_points_and_lost_frames_do_not_turn():
    assert (angles(make(1, radius=0.0)) == 0).all()
    lost = make(2)
    lost.center[2, 1] = np.nan
    assert np.isfinite(rotations(lost)).all()
    assert angles(make(1, frames=1)).shape == (1, 3)
