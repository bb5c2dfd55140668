"""From the arrays that a kernel filled to a Trajectory."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
import numpy as np

from rollingball.geometry.footpoints import nearest_points
from rollingball.geometry.projection import GlobalProjection
from rollingball.plan import Plan
from rollingball.states import unpacked
from rollingball.status import Certificate, Status
from rollingball.surfaces.base import Surface
from rollingball.trajectory import Trajectory


def to_trajectory(
    plan: Plan, record: dict[str, Any], search: GlobalProjection | None, threads: int | None
) -> Trajectory:
    """The Trajectory of a plan and the arrays that its kernel filled; measures the gap of every frame."""
    frames = plan.frames[plan.frames <= record["done"]]  # a callback may have ended the run
    host = {name: record[name][: len(frames)] for name in ("foot", "center", "center_height", "height", "residual")}
    states = record["states"]
    center = np.concatenate([host["center"].astype(np.float64), host["center_height"][..., None]], axis=-1)
    step = plan.earlier + frames
    radius = radii(plan, step)
    gap = np.full(radius.shape, np.nan)
    if not plan.method.rolls:
        gap = np.zeros_like(radius)
    status = states["status"].astype(np.int32)
    rolling = (status == Status.RUNNING) | (status == Status.CONVERGED)
    certified = False
    if plan.method.rolls and search is not None:
        gap, below, certified = gaps(plan.surface, host["foot"], center, radius, search, plan.device, threads)
        status[rolling & below] = Status.TUNNELLED
    status[rolling & (states["diverged"] > 0)] = Status.DIVERGED
    done = states["steps"].astype(np.int64)
    before = 0 if plan.state is None else plan.state["steps"].astype(np.int64)
    spent = 0 if plan.state is None else plan.state["evaluations"].astype(np.int64)
    return Trajectory(
        step=step.astype(np.int64),
        time=times(plan, step),
        foot=host["foot"],
        center=center,
        loss=host["height"] / plan.surface.loss_scale,
        gap=gap,
        residual=host["residual"].astype(np.float64),
        radius=radius,
        status=status,
        steps=done - before,
        evaluations=states["evaluations"].astype(np.int64) - spent,
        seconds=record["seconds"],
        scene=_scene(plan),
        state=unpacked(states),
        certified=certified,
    )


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


def radii(plan: Plan, step: np.ndarray) -> np.ndarray:
    """The radius of each ball after so many steps (T, B)."""
    return plan.radius[np.minimum(step, len(plan.radius) - 1)] * np.ones((1, len(plan.start)))


def times(plan: Plan, step: np.ndarray) -> np.ndarray:
    """The sum of the learning rates of the steps before each frame, (T,) or (T, B)."""
    last = int(step[-1])
    rates = plan.lr[np.minimum(np.arange(max(last, 1)), len(plan.lr) - 1)]
    sums = np.concatenate([np.zeros((1, rates.shape[1])), np.cumsum(rates, axis=0)])[step]
    return sums[:, 0] if plan.lr.shape[1] == 1 else sums


def _scene(plan: Plan) -> dict[str, Any]:
    """What made the run, resolved, in plain JSON."""
    run = {
        **_spread(written(plan.method), plan.earlier + plan.steps),
        "steps": plan.steps,
        "every": plan.every,
        "stop": written(plan.stop),
        "seed": plan.seed,
        "dtype": plan.numeric.dtype,
        "device": plan.device,
    }
    named = {"name": plan.surface.name, "dim": plan.surface.dim, "loss_scale": plan.surface.loss_scale}
    return {
        "surface": plan.surface.recipe or named,
        "ball": _spread(written(plan.ball), plan.earlier + plan.steps),
        "run": run,
        "versions": versions(),
    }


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

    from rollingball import __version__

    return {
        "rollingball": __version__,
        "warp": wp.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _spread(table: Any, steps: int) -> Any:
    """``table`` with the steps that its schedules spread over written out, so that a resumed run keeps them."""
    if not isinstance(table, dict):
        return table
    if {"values", "kind", "steps"} <= table.keys():
        return {**table, "steps": table["steps"] or max(steps, 1)}
    return {name: _spread(value, steps) for name, value in table.items()}
