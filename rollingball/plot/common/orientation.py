"""How balls turn along their paths, as unit quaternions (w, x, y, z): by their spin, or by rolling without slip."""

from __future__ import annotations

import numpy as np

from rollingball.runs.trajectory import Trajectory


def orientations(trajectory: Trajectory, loss_scale: float) -> np.ndarray:
    """The rotation of every ball from the first frame to each frame.

    A ball with mass turns by its recorded spin omega, which is linear in time between frames. The balls of all other
    methods have no spin; they are drawn as if they rolled without slipping and without twisting. With the unit normal n
    from the foot to the centre c and the radius rho, a ball then turns in a short time dt by the rotation vector

        omega dt = n x dc / rho

    A ball does not turn at frames that are not finite, nor where the method has no ball.

    Args:
        trajectory: A run in d = 1 or 2; a point of it lies in R^3 as :func:`in_space` says.
        loss_scale: The loss scale L of its surface.

    Returns:
        Unit quaternions (T, B, 4).
    """
    steps = _turns_by_spin(trajectory) if trajectory.spin is not None else _turns_by_rolling(trajectory, loss_scale)
    steps = exponential(np.where(np.isfinite(steps).all(axis=-1, keepdims=True), steps, 0.0))
    turns = np.zeros((len(trajectory), trajectory.balls, 4))
    turns[..., 0] = 1.0
    for frame, step in enumerate(steps, start=1):
        turns[frame] = product(step, turns[frame - 1])
        turns[frame] /= np.linalg.norm(turns[frame], axis=-1, keepdims=True)
    return turns


def in_space(points: np.ndarray) -> np.ndarray:
    """Points (..., d + 1) of a graph, height last, as points (..., 3): in d = 1 they lie in the plane y = 0."""
    if points.shape[-1] == 3:
        return points.astype(float)
    spatial = np.zeros((*points.shape[:-1], 3))
    spatial[..., ::2] = points
    return spatial


def _turns_by_spin(run: Trajectory) -> np.ndarray:
    """The rotation vectors from each frame to the next (T - 1, B, 3) by the recorded spin."""
    spin = np.asarray(run.spin, float)
    if run.dim == 1:  # a positive spin rolls to the right: it turns about the axis y
        spin = spin * np.array([0.0, 1.0, 0.0])
    time = run.time if run.time.ndim == 2 else run.time[:, None]
    return np.diff(time, axis=0)[..., None] * (spin[1:] + spin[:-1]) / 2


def _turns_by_rolling(run: Trajectory, loss_scale: float) -> np.ndarray:
    """The rotation vectors from each frame to the next (T - 1, B, 3) by rolling without slipping or twisting."""
    center = in_space(run.center)
    foot = in_space(np.concatenate([run.foot, loss_scale * run.loss[..., None]], axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        normal = (center - foot) / np.linalg.norm(center - foot, axis=-1, keepdims=True)
        middle = normal[1:] + normal[:-1]
        middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
        radius = (run.radius[1:] + run.radius[:-1])[..., None] / 2
        return np.cross(middle, np.diff(center, axis=0)) / radius


def exponential(rotation: np.ndarray) -> np.ndarray:
    """The unit quaternions (..., 4) of rotation vectors (..., 3)."""
    half = np.linalg.norm(rotation, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(half), np.sinc(half / np.pi) / 2 * rotation], axis=-1)


def between(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) at shares (..., 1) from 0 to 1 of the shorter way from one rotation to another."""
    after = np.where((before * after).sum(axis=-1, keepdims=True) < 0, -after, after)  # q and -q are one rotation
    mixed = before + share * (after - before)
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def matrices(turns: np.ndarray) -> np.ndarray:
    """The rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    inverse = turns * np.array([1.0, -1.0, -1.0, -1.0])
    columns = [product(product(turns, np.eye(4)[1 + axis] + 0 * turns), inverse) for axis in range(3)]
    return np.stack(columns, axis=-1)[..., 1:, :]


def level_angle(turns: np.ndarray) -> np.ndarray:
    """The angles (...) about the axis y within (-2 pi, 2 pi], positive where a ball rolled to the right."""
    return 2 * np.arctan2(turns[..., 2], turns[..., 0])


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The quaternion products a b (..., 4): the rotation by b, and then the rotation by a."""
    u, v = a[..., 1:], b[..., 1:]
    real = a[..., :1] * b[..., :1] - (u * v).sum(axis=-1, keepdims=True)
    return np.concatenate([real, a[..., :1] * v + b[..., :1] * u + np.cross(u, v)], axis=-1)
