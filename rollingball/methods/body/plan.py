"""The plan of a run of balls with mass: every argument checked, starts lifted onto the offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rollingball.core.codes import COULOMB, FRICTIONLESS
from rollingball.core.errors import InputError, numbers, points
from rollingball.core.schedule import Schedule
from rollingball.geometry.contact.contacts import contacts
from rollingball.geometry.contact.sweep import check_sweep
from rollingball.methods.body.integrators import MoreauJean
from rollingball.runs.clock import check_steps, checked_times, over_balls
from rollingball.runs.continuation import continuation
from rollingball.runs.fields import BODY_COLUMNS
from rollingball.runs.placing import refuse, sunk
from rollingball.runs.plan import shared
from rollingball.runs.request import Request
from rollingball.runs.stop import checked_stop
from rollingball.runs.timed import TimedPlan


class BodyPlan(TimedPlan, frozen=True, kw_only=True):
    """A run of balls with mass whose every argument has been checked."""

    start: np.ndarray | None  # footpoints (B, d)
    start_center: np.ndarray | None  # (B, d) horizontal, or (B, d + 1)
    velocity: np.ndarray  # (B, d) horizontal, or (B, d + 1)
    spin: np.ndarray  # (B, 1) or (B, 3); about the normal where d = 2 and there is one
    mass: np.ndarray
    inertia: np.ndarray

    over_balls: ClassVar[dict[str, int]] = dict.fromkeys(
        ("start", "start_center", "velocity", "spin", "mass", "inertia", "radius"), 0
    )
    most_events: ClassVar[int] = 256  # kept for one ball

    def told(self) -> tuple[dict[str, Any], Any]:
        """As for every run, and how the start and the spin were given."""
        run, ball = super().told()
        begins = "foot" if self.start is not None and not self.lift and self.earlier is None else "center"
        return {**run, "start": begins, "start_spin": self._told_spin()}, ball

    def _told_spin(self) -> Any:
        """How the spin was given: "about the normal", "vector", or the vectors where balls keep only a part of them."""
        if self.surface.dim != 2:
            return "vector"
        if self.spin.shape[1] == 1:
            return "about the normal"
        method, law = self.method, self.method.law
        whole = law == COULOMB and method.spin == "marble" and (self.inertia > 0).all()
        if isinstance(method.chosen, MoreauJean) or law == FRICTIONLESS or whole:
            return "vector"  # the first frame has all of it
        same = (self.spin == self.spin[0]).all()
        return self.spin[: 1 if same else None].tolist()


def plan_body(request: Request) -> BodyPlan:
    """Check every argument of a run and broadcast starts, radii, masses and inertias over its balls."""
    checked, method = shared(request, ("float64",), more=BODY_COLUMNS), request.method
    ball, dim, start_center = checked["ball"], checked["surface"].dim, request.start_center
    earlier = continuation(request)
    if isinstance(ball.radius, Schedule):
        raise InputError("radius", ball.radius, "a number, or one for each ball, of a ball with mass")
    method.check_dim(dim)
    if (request.start is None) == (start_center is None):
        raise InputError("start", request.start, "footpoints in start, or centres in start_center, and not both")
    duration, times = checked_times(request.duration, request.save_at, "a ball with mass")
    check_steps(method.chosen, duration)
    if method.sweep:
        check_sweep(checked["surface"])
    feet = None if request.start is None else request.start
    if earlier is not None:
        duration, times, feet = earlier.time + duration, earlier.time + times, earlier.run.foot[-1]
        for name in ("start_velocity", "start_spin"):
            if getattr(request, name) is not None:
                raise InputError(name, getattr(request, name), "nothing, beside a trajectory in start")
    feet = None if feet is None else points("start", feet, dim)
    centers = None if start_center is None else _points("start_center", start_center, (dim, dim + 1))
    if centers is not None and centers.shape[1] > dim and method.contact == "bilateral":
        raise InputError("start_center", start_center, f"horizontal positions (B, {dim}), with bilateral contact")
    velocity, spin = np.zeros((1, dim)), np.zeros((1, 1))
    if request.start_velocity is not None:
        velocity = _points("start_velocity", request.start_velocity, (dim, dim + 1))
    sizes = {1: (1,), 2: (1, 3)}.get(dim, ())
    if request.start_spin is not None and not sizes:
        raise InputError("start_spin", request.start_spin, f"nothing, in d = {dim}")
    if request.start_spin is not None:
        spin = _points("start_spin", request.start_spin, sizes)
    begin: Any = {"start": feet} if feet is not None else {"start_center": centers}
    parts = over_balls({
        **begin,
        "start_velocity": velocity, "start_spin": spin, "radius": ball.radii(1)[0], "mass": ball.masses(),
        "inertia": ball.inertias(dim),
    })  # fmt: skip
    if earlier is not None:
        for name, state in (("radius", "ball.radius"), ("mass", "ball.mass"), ("inertia", "ball.beta")):
            earlier.check(name, state, parts[name])
    return BodyPlan(
        **checked, start=parts.get("start"), start_center=parts.get("start_center"), velocity=parts["start_velocity"],
        spin=parts["start_spin"], radius=parts["radius"], mass=parts["mass"], inertia=parts["inertia"],
        duration=duration, save_at=times, stop=checked_stop(request.stop, has_energy=True), earlier=earlier,
    )  # fmt: skip


def _points(field: str, value: Any, sizes: tuple[int, ...]) -> np.ndarray:
    """``value`` as (B, n) for one of the sizes n; the last axis decides, and a number is one point where n may be 1."""
    allowed = "finite numbers of shape " + " or ".join(f"({n},) or (B, {n})" for n in sizes)
    array = numbers(field, value, allowed)
    if array.ndim == 0:
        array = np.zeros(sizes[0]) if array == 0 else array.reshape(1)
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


def unplaced(plan: BodyPlan) -> Starts:
    """Starts that no kernel reads, of a run that goes on from the states of another."""
    balls, dim = plan.balls, plan.surface.dim
    places, touching = np.zeros((balls, dim + 1)), np.zeros(balls, dtype=np.int32)
    return Starts(places, places, np.zeros((balls, 3)), np.zeros((balls, dim)), touching)


def spin_axes(slope: np.ndarray, touches: np.ndarray) -> np.ndarray:
    """The unit vectors (B, 3) about which a spin is given as one number: the normal, of a ball in flight the vertical.

    Args:
        slope: The slope of the graph at the foot of each ball (B, 2).
        touches: Which balls touch (B,).
    """
    up = np.concatenate([-slope, np.ones((len(slope), 1))], axis=1) / np.sqrt(1 + (slope**2).sum(axis=1))[:, None]
    return np.where(touches[:, None], up, [[0.0, 0.0, 1.0]])


def along_graph(slope: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Which velocities (B, d + 1) of centres are tangent to the graph, where it has these slopes (B, d) (B,)."""
    rise = (slope * velocity[:, :-1]).sum(axis=1)
    size = np.linalg.norm(velocity, axis=1) * np.sqrt(1 + (slope**2).sum(axis=1))
    along: np.ndarray = np.abs(velocity[:, -1] - rise) <= 1e-9 * size
    return along


def starts(plan: BodyPlan) -> Starts:
    """The state of every ball at the start.

    Raises:
        InputError: for a ball that does not fit where it starts, without ``lift``.
    """
    surface, dim, radius = plan.surface, plan.surface.dim, plan.radius
    touching = np.ones(plan.balls, dtype=np.int32)
    if plan.start is not None:
        centers, depth, resting = sunk(surface, plan.start, radius, plan.device, plan.threads)
        if not plan.lift:
            refuse(plan.start, radius, depth)
        raised = depth > 0
    else:
        assert plan.start_center is not None
        centers, raised = plan.start_center[:, :dim], np.ones(plan.balls, dtype=bool)
        resting = contacts(surface, centers, radius, device=plan.device, threads=plan.threads)
    foot = np.full((plan.balls, dim), np.nan) if plan.start is None else plan.start.copy()
    height = np.zeros(plan.balls)
    foot[raised], height[raised] = resting.feet[raised, 0], resting.height[raised]
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
        spin = plan.spin * spin_axes(slope, touching > 0)
    return Starts(np.concatenate([centers, height[:, None]], axis=1), velocity, spin, foot, touching)
