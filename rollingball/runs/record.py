"""From the arrays that a kernel filled to a Trajectory."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
import numpy as np

from rollingball.core.status import Certificate, Status
from rollingball.geometry.foot.footpoints import nearest_points
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface


def to_timed_trajectory(
    plan: Any, host: dict[str, np.ndarray], states: np.ndarray, evaluations: np.ndarray, events: np.ndarray,
    search: GlobalProjection | None, seconds: float, threads: int | None, told: dict[str, Any] | None = None,
    **more: Any,
) -> Trajectory:  # fmt: skip
    """The Trajectory of a run in continuous time.

    ``host`` has foot, center, height, residual and contacts of every frame, ``events`` is a structured array (B, E).
    """
    surface, radius = plan.surface, plan.radius[None].repeat(len(plan.save_at), axis=0)
    status, gap, certified = states["status"].astype(np.int32), np.full(radius.shape, np.nan), False
    if search is not None and plan.ball is None:
        gap = np.zeros_like(radius)
    elif search is not None:
        gap, below, certified = gaps(surface, host["foot"], host["center"], radius, search, plan.device, threads)
        status[(status == Status.RUNNING) & below] = Status.TUNNELLED
    if events.shape[1] > 1:
        events = events[:, : max(int((events["kind"] >= 0).sum(axis=1).max(initial=0)), 1)]
    run = {**written(plan.method), "duration": plan.duration, "dtype": "float64", "device": plan.device, **(told or {})}
    recipe = surface.recipe or {"name": surface.name, "dim": surface.dim, "loss_scale": surface.loss_scale}
    return Trajectory(
        step=np.arange(len(plan.save_at)),
        time=plan.save_at,
        foot=host["foot"],
        center=host["center"],
        loss=host["height"] / surface.loss_scale,
        gap=gap,
        residual=host["residual"],
        radius=radius,
        status=status,
        steps=states["steps"].astype(np.int64),
        evaluations=evaluations.astype(np.int64),
        seconds=seconds,
        scene={
            "surface": recipe, "ball": written(plan.ball), "run": run, "versions": versions(),
        },
        certified=certified,
        contacts=host["contacts"],
        events={name: np.ascontiguousarray(events[name]) for name in ("time", "kind", "contacts", "center")},
        **more,
    )  # fmt: skip


def gaps(
    surface: Surface, foot: np.ndarray, center: np.ndarray, radius: np.ndarray, search: GlobalProjection, device: str,
    threads: int | None,
) -> tuple[np.ndarray, np.ndarray, bool]:  # fmt: skip
    """The gap of every frame (T, B), which balls were ever below the graph (B,), and whether all of it is proved."""
    moved = np.ones(radius.shape, dtype=bool)
    moved[1:] = (center[1:] != center[:-1]).any(axis=-1)  # a ball that rests is searched for once
    near = nearest_points(surface, center[moved], foot[moved].astype(np.float64), search, device, threads)
    latest = np.where(moved, np.cumsum(moved.ravel()).reshape(moved.shape) - 1, 0)
    latest = np.maximum.accumulate(latest, axis=0)
    below: np.ndarray = np.any((~near.above & (near.count > 0))[latest], axis=0)
    return near.distance[latest] - radius, below, bool((near.certified == Certificate.PROVEN).all())


def written(value: Any) -> Any:
    """A struct as plain JSON; numpy arrays and numbers become lists and numbers."""
    return msgspec.to_builtins(value, enc_hook=lambda item: item.tolist())


def versions() -> dict[str, str]:
    """The versions that a run depends on."""
    return dict(_versions())


@functools.cache
def _versions() -> dict[str, str]:
    import platform

    import warp as wp

    from rollingball.core.version import __version__

    return {
        "rollingball": __version__,
        "warp": wp.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
