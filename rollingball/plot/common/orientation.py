"""How balls turn along their paths: unit quaternions (w, x, y, z), from rolling without slipping or a recorded spin."""

from __future__ import annotations

import numpy as np

from rollingball.runs.trajectory import Trajectory


def orientations(trajectory: Trajectory, loss_scale: float) -> np.ndarray:
    """The orientation of every ball at every frame, from none at the first one.

    A ball with mass turns by its spin omega, between frames linear in time. All others are drawn as if they rolled
    without slipping or twisting, with the normal n from the foot to the centre c: over a short while by the vector

        omega dt = n x dc / rho

    Frames that are not finite, and methods without a ball, do not turn.

    Args:
        trajectory: A run in one or two dimensions, placed in R^3 by :func:`in_space`.
        loss_scale: L of its surface.

    Returns:
        Unit quaternions (T, B, 4): they turn a ball as it was at the first frame into the ball as it is.
    """
    steps = _spun(trajectory) if trajectory.spin is not None else _rolled(trajectory, loss_scale)
    steps = exponential(np.where(np.isfinite(steps).all(axis=-1, keepdims=True), steps, 0.0))
    turn = np.zeros((len(trajectory), trajectory.balls, 4))
    turn[..., 0] = 1.0
    for frame, step in enumerate(steps, start=1):
        turn[frame] = product(step, turn[frame - 1])
        turn[frame] /= np.linalg.norm(turn[frame], axis=-1, keepdims=True)
    return turn


def in_space(points: np.ndarray) -> np.ndarray:
    """Points (..., d + 1) with their height last as points (..., 3); a line lies in the plane y = 0."""
    if points.shape[-1] == 3:
        return points.astype(float)
    flat = np.zeros((*points.shape[:-1], 3))
    flat[..., ::2] = points
    return flat


def _spun(run: Trajectory) -> np.ndarray:
    """The rotation vectors of each frame to the next (T - 1, B, 3), by the recorded spin."""
    spin = np.asarray(run.spin, float)
    if run.dim == 1:  # above 0 as when it rolls to the right: about y, when heights are z
        spin = spin * np.array([0.0, 1.0, 0.0])
    time = run.time if run.time.ndim == 2 else run.time[:, None]
    return np.diff(time, axis=0)[..., None] * (spin[1:] + spin[:-1]) / 2


def _rolled(run: Trajectory, loss_scale: float) -> np.ndarray:
    """The rotation vectors of each frame to the next (T - 1, B, 3), without slip and twist."""
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


def matrices(turned: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) as rotation matrices (..., 3, 3)."""
    columns = [product(product(turned, np.eye(4)[1 + axis] + 0 * turned), _inverse(turned)) for axis in range(3)]
    return np.stack(columns, axis=-1)[..., 1:, :]


def level_angle(turned: np.ndarray) -> np.ndarray:
    """By how much a disk has turned (...), within one turn and above 0 as when it rolls to the right."""
    return 2 * np.arctan2(turned[..., 2], turned[..., 0])


def _inverse(turned: np.ndarray) -> np.ndarray:
    return turned * np.array([1.0, -1.0, -1.0, -1.0])


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The quaternion products a b (..., 4): first b turns, then a."""
    u, v = a[..., 1:], b[..., 1:]
    real = a[..., :1] * b[..., :1] - (u * v).sum(axis=-1, keepdims=True)
    return np.concatenate([real, a[..., :1] * v + b[..., :1] * u + np.cross(u, v)], axis=-1)
