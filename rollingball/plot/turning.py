"""How far each ball has turned at each frame: by rolling without slip along its path, or by its recorded spin."""

from __future__ import annotations

import numpy as np

from rollingball.plot.inputs import graph_scale, of_dim
from rollingball.trajectory import Trajectory


def angles(trajectory: Trajectory) -> np.ndarray:
    """The angle by which a disk has turned (T, B), above 0 as when it rolls to the right; 0 without a ball.

    A disk that rolls without slip turns by the way of its centre over its radius, |dc| / rho (theory, section 5).
    """
    of_dim(trajectory, 1)
    return _summed(_turns(trajectory)[..., 0])


def rotations(trajectory: Trajectory) -> np.ndarray:
    """The orientation of each ball in d = 2 (T, B, 3, 3): at the first frame the identity.

    Without a recorded spin the ball rolls without slip and without turning about its normal: n x dc / rho.
    """
    of_dim(trajectory, 2)
    turns = _turns(trajectory)
    orientation = np.broadcast_to(np.eye(3), (len(trajectory), trajectory.balls, 3, 3)).copy()
    for frame, turn in enumerate(turns):
        orientation[frame + 1] = _rotation(turn) @ orientation[frame]
    return orientation


def _turns(trajectory: Trajectory) -> np.ndarray:
    """The turn from each frame to the next, a vector along its axis (T - 1, B, 1 or 3); 0 where it is not known."""
    size = 1 if trajectory.dim == 1 else 3
    if trajectory.spin is not None and trajectory.spin.shape[-1] == size:
        time = trajectory.time if trajectory.time.ndim == 2 else trajectory.time[:, None]
        turns = np.diff(time, axis=0)[..., None] * (trajectory.spin[1:] + trajectory.spin[:-1]) / 2
    else:
        way = np.diff(trajectory.center, axis=0)
        radius = trajectory.radius[..., None]
        with np.errstate(divide="ignore", invalid="ignore"):
            foot = np.concatenate([trajectory.foot, graph_scale(trajectory) * trajectory.loss[..., None]], axis=-1)
            normal = np.where(radius > 0, (trajectory.center - foot) / radius, 0.0)
            middle = (normal[1:] + normal[:-1]) / 2
            middle = middle / np.linalg.norm(middle, axis=-1, keepdims=True)
            turns = _across(middle, way) * 2 / (radius[1:] + radius[:-1])
    return np.where(np.isfinite(turns), turns, 0.0)


def _across(normal: np.ndarray, way: np.ndarray) -> np.ndarray:
    """The vector product n x dc, of which only the part across the plane is there in two dimensions."""
    if way.shape[-1] == 3:
        return np.cross(normal, way)
    return (normal[..., 1] * way[..., 0] - normal[..., 0] * way[..., 1])[..., None]


def _summed(steps: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps, axis=0)])


def _rotation(turn: np.ndarray) -> np.ndarray:
    """The rotations about vectors (B, 3) by their lengths, by the formula of Rodrigues (B, 3, 3)."""
    angle = np.linalg.norm(turn, axis=-1)[:, None, None]
    x, y, z = turn.T
    zero = np.zeros_like(x)
    skew = np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]).transpose(2, 0, 1)
    half = np.sinc(angle / (2 * np.pi))  # sin(a / 2) / (a / 2)
    return np.eye(3) + np.sinc(angle / np.pi) * skew + half**2 / 2 * (skew @ skew)
