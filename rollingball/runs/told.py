"""What the scene of a trajectory says of some of its balls."""

from __future__ import annotations

from typing import Any

import numpy as np


def picked(scene: dict[str, Any], balls: int, pick: Any) -> dict[str, Any]:
    """``scene`` with the values that were given one for each ball reduced to those picked."""
    scene = dict(scene)
    names = {"ball": ("radius", "mass", "inertia"), "run": ("lr", "start_spin")}
    for table, name in ((table, name) for table, each in names.items() for name in each):
        values = (scene.get(table) or {}).get(name)
        if isinstance(values, list) and len(values) == balls:
            scene[table] = {**scene[table], name: np.asarray(values)[pick].tolist()}
    return scene
