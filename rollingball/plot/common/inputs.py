"""What a picture is asked to show, checked: dimensions, boxes, moments, and the surface that a run remembers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.errors import InputError, RollingBallError, numbers
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface, from_recipe


def of_dim(trajectory: Trajectory, *dims: int) -> None:
    """Refuse what is not a trajectory in one of some dimensions, with a frame and a ball."""
    allowed = f"a trajectory in d = {' or '.join(map(str, dims))}" if dims else "a Trajectory"
    if not isinstance(trajectory, Trajectory) or (dims and trajectory.dim not in dims):
        raise InputError("trajectory", trajectory, allowed)
    if not len(trajectory) or not trajectory.balls:
        raise InputError("trajectory", trajectory, f"{allowed}, with a frame and a ball or more")


def boxed(box: Any, surface: Surface, dim: int) -> list[tuple[float, float]]:
    """A box to draw a surface over: a pair (low, high) for each of its axes."""
    allowed = f"{dim} pairs (low, high), on a surface in d = {dim} (this one: {surface.dim})"
    pairs = numbers("box", box, allowed)
    if surface.dim != dim or pairs.shape != (dim, 2) or not (pairs[:, 0] < pairs[:, 1]).all():
        raise InputError("box", box, allowed)
    return [(float(low), float(high)) for low, high in pairs]


def chosen(trajectory: Trajectory, times: Any = None, frames: Any = None) -> Trajectory:
    """The trajectory at some times (linear between frames), or at some of its frames; by default the last one."""
    if times is not None and frames is not None:
        raise InputError("times", times, "times or frames, not both")
    if times is not None:
        return trajectory.at(times)
    allowed = f"whole numbers within [-{len(trajectory)}, {len(trajectory)})"
    listed = numbers("frames", -1 if frames is None else frames, allowed).ravel()
    if (listed % 1 != 0).any() or (listed < -len(trajectory)).any() or (listed >= len(trajectory)).any():
        raise InputError("frames", frames, allowed)
    return trajectory[listed.astype(int).tolist()]


def graph_scale(trajectory: Trajectory) -> float:
    """The loss scale L of the graph that a run rolled on, 1 where it is not recorded."""
    try:
        scale = float(trajectory.scene["surface"]["loss_scale"])
    except (KeyError, TypeError, ValueError):
        return 1.0
    return scale if np.isfinite(scale) else 1.0


def surface_of(trajectory: Trajectory) -> Surface | None:
    """The surface of a run, built again from its scene; None where that is not of the catalogue, or damaged."""
    try:
        return from_recipe(trajectory.scene["surface"])
    except (KeyError, TypeError, RollingBallError):
        return None


def by_radius(run: Trajectory) -> list[Trajectory]:
    """The balls of each radius."""
    radii = run.radius[0]
    return [run.select(np.flatnonzero(radii == radius)) for radius in dict.fromkeys(radii.tolist())]
