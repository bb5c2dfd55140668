"""A run in all parameters of a model, seen on a plane: the nearest points on the plane, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.pytorch.plane.plane_grid import PlanePoint, State
from rollingball.pytorch.runs.flat import checked_table, unflattened
from rollingball.runs.trajectory import Trajectory

UNKNOWN = PlanePoint(np.full(2, np.nan), float("nan"))


def projected(trajectory: Trajectory, point_of: Callable[[State], PlanePoint]) -> Trajectory:
    """A run on a plane (see :meth:`LossPlane.project`); ``point_of`` gives the nearest point of a state_dict."""
    if not isinstance(trajectory, Trajectory):
        raise InputError("trajectory", trajectory, "a Trajectory in all parameters of the model")
    table = checked_table(trajectory.scene.get("parameters"))

    def nearest(vector: np.ndarray) -> PlanePoint:  # a centre may not have been recorded
        return point_of(unflattened(vector, table)) if np.isfinite(vector).all() else UNKNOWN

    shape = trajectory.foot.shape[:2]
    feet, centers, away = np.empty((*shape, 2)), np.empty((*shape, 3)), np.empty(shape)
    for place in np.ndindex(shape):
        feet[place], away[place] = nearest(trajectory.foot[place])
        centers[place][:2] = nearest(trajectory.center[place][:-1]).coordinates
    centers[..., 2] = trajectory.center[..., -1]
    scene: dict[str, Any] = {name: part for name, part in trajectory.scene.items() if name != "parameters"}
    scene |= {"off_plane": away.tolist(), "surface": {**trajectory.scene.get("surface", {}), "dim": 2}}
    return replace(trajectory, foot=feet, center=centers, scene=scene, state=None)
