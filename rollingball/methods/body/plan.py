"""The plan of a run of balls with mass: every argument checked, starts lifted onto the offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError, numbers, points
from rollingball.core.launch import device_name
from rollingball.core.schedule import Schedule
from rollingball.geometry.contact.contacts import contacts
from rollingball.methods.body.rigid_ball import RigidBall
from rollingball.runs.clock import checked_times, over_balls
from rollingball.runs.placing import refuse, sunk
from rollingball.surfaces.base import Surface, checked_surface


@dataclass(frozen=True)
class BodyPlan:
    """A run of balls with mass whose every argument has been checked."""

    surface: Surface
    ball: Ball
    method: RigidBall
    start: np.ndarray | None  # footpoints (B, d)
    start_center: np.ndarray | None  # (B, d) horizontal, or (B, d + 1)
    velocity: np.ndarray  # (B, d) horizontal, or (B, d + 1)
    spin: np.ndarray  # (B, 1) or (B, 3); about the normal where d = 2 and there is one
    radius: np.ndarray  # (B,)
    mass: np.ndarray
    inertia: np.ndarray
    duration: float
    save_at: np.ndarray  # (T,)
    device: str
    lift: bool

    @property
    def balls(self) -> int:
        """The number of balls B."""
        return len(self.radius)


def plan_body(
    surface: Any, ball: Any, method: RigidBall, start: Any, start_center: Any, start_velocity: Any, start_spin: Any,
    duration: Any, save_at: Any, lift: Any, device: str, dtype: Any,
) -> BodyPlan:  # fmt: skip
    """Check every argument of a run and broadcast starts, radii, masses and inertias over its balls."""
    dim = checked_surface(surface).dim
    if not isinstance(ball, Ball):
        raise InputError("ball", ball, "a Ball, such as rb.Ball(radius=1.0, mass=2.0)")
    if isinstance(ball.radius, Schedule):
        raise InputError("radius", ball.radius, "a number, or one for each ball, of a ball with mass")
    method.check_dim(dim)
    if (start is None) == (start_center is None):
        raise InputError("start", start, "footpoints in start, or centres in start_center, and not both")
    length, times = checked_times(duration, save_at, lift, dtype, "a ball with mass")
    feet = None if start is None else points("start", start, dim)
    centers = None if start_center is None else _points("start_center", start_center, (dim, dim + 1))
    if centers is not None and centers.shape[1] > dim and method.contact == "bilateral":
        raise InputError("start_center", start_center, f"horizontal positions (B, {dim}), with bilateral contact")
    velocity = (
        np.zeros((1, dim)) if start_velocity is None else _points("start_velocity", start_velocity, (dim, dim + 1))
    )
    sizes = {1: (1,), 2: (1, 3)}.get(dim, ())
    if start_spin is not None and not sizes:
        raise InputError("start_spin", start_spin, f"nothing, in d = {dim}")
    spin = np.zeros((1, 1)) if start_spin is None else _points("start_spin", start_spin, sizes)
    begin: Any = {"start": feet} if feet is not None else {"start_center": centers}
    parts = over_balls({
        **begin,
        "start_velocity": velocity, "start_spin": spin, "radius": ball.radii(1)[0], "mass": ball.masses(),
        "inertia": ball.inertias(dim),
    })  # fmt: skip
    return BodyPlan(
        surface, ball, method, parts.get("start"), parts.get("start_center"), parts["start_velocity"],
        parts["start_spin"], parts["radius"], parts["mass"], parts["inertia"], length, times, device_name(device), lift,
    )  # fmt: skip


def check_body(surface: Surface, ball: Ball | None, method: Any, **options: Any) -> None:
    """Check the arguments of a run of balls with mass without running it.

    Raises:
        InputError: as :func:`rollingball.simulate` would.
    """
    given = {
        "start": None, "start_center": None, "start_velocity": None, "start_spin": None, "save_at": None, "lift": False,
        "device": "cpu", "dtype": "float64",
    }  # fmt: skip
    plan_body(surface, ball, method, **{**given, **options})


def _points(field: str, value: Any, sizes: tuple[int, ...]) -> np.ndarray:
    """``value`` as (B, n) for one of the sizes n; the last axis decides, and a number is one point where n may be 1."""
    allowed = "finite numbers of shape " + " or ".join(f"({n},) or (B, {n})" for n in sizes)
    array = numbers(field, value, allowed)
    if array.ndim == 0:
        array = array.reshape(1)
    if array.ndim == 1:
        array = array[None] if array.shape[0] in sizes else array[:, None]
    if array.ndim != 2 or array.shape[1] not in sizes:
        raise InputError(field, value, allowed)
    return array


@dataclass(frozen=True)
class Starts:
    """Where balls begin, as the kernel takes it."""

    center: np.ndarray  # (B, d + 1)
    velocity: np.ndarray  # (B, d + 1)
    spin: np.ndarray  # (B, 3)
    foot: np.ndarray  # (B, d)
    touching: np.ndarray  # (B,)


def starts(plan: BodyPlan, threads: int | None) -> Starts:
    """The state of every ball at the start.

    Raises:
        InputError: for a ball that does not fit where it starts, without ``lift``.
    """
    surface, dim, radius = plan.surface, plan.surface.dim, plan.radius
    touching = np.ones(plan.balls, dtype=np.int32)
    if plan.start is not None:
        centers, depth = sunk(surface, plan.start, radius, threads)
        if not plan.lift:
            refuse(plan.start, radius, depth)
        raised = depth > 0
    else:
        assert plan.start_center is not None
        centers, raised = plan.start_center[:, :dim], np.ones(plan.balls, dtype=bool)
    foot = np.full((plan.balls, dim), np.nan) if plan.start is None else plan.start.copy()
    height = np.zeros(plan.balls)
    if raised.any():
        resting = contacts(surface, centers[raised], radius[raised], threads=threads)
        foot[raised], height[raised] = resting.feet[:, 0], resting.height
    slope = surface.loss_scale * surface.gradient(foot)
    w = np.sqrt(1 + (slope**2).sum(axis=1))
    height[~raised] = (surface.loss_scale * surface.value(foot) + radius / w)[~raised]
    if plan.start_center is not None and plan.start_center.shape[1] > dim:
        given = plan.start_center[:, dim]
        below = given < height - 1e-9 * radius
        if below.any() and not plan.lift:
            ball = int(below.argmax())
            allowed = f"a height of at least {height[ball]:g} there; lift=True raises it"
            raise InputError("start_center", plan.start_center[ball].tolist(), allowed)
        touching = (given <= height + 1e-9 * radius).astype(np.int32)
        height = np.maximum(height, given)
    velocity = plan.velocity
    if velocity.shape[1] == dim:  # of a ball in flight it is horizontal, else along the graph
        rise = np.where(touching > 0, (slope * velocity).sum(axis=1), 0.0)
        velocity = np.concatenate([velocity, rise[:, None]], axis=1)
    spin = np.zeros((plan.balls, 3))
    if plan.spin.shape[1] == 3:
        spin = plan.spin.copy()
    elif dim == 1:
        spin[:, 1] = plan.spin[:, 0]
    elif dim == 2:
        up = np.concatenate([-slope, np.ones((plan.balls, 1))], axis=1) / w[:, None]
        spin = plan.spin * np.where(touching[:, None] > 0, up, [[0.0, 0.0, 1.0]])
    return Starts(np.concatenate([centers, height[:, None]], axis=1), velocity, spin, foot, touching)
