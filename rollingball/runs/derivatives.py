"""What is given to the derivatives of runs, checked, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import BallError, InputError, numbers
from rollingball.core.status import Status
from rollingball.runs.trajectory import Trajectory

# How a ball may have ended: a projector that diverged is a map like any other, and so is one inside the surface.
LIVE = (Status.RUNNING, Status.CONVERGED, Status.DIVERGED, Status.TUNNELLED, Status.RESTING, Status.INSIDE)


@dataclass(frozen=True, eq=False, kw_only=True)
class OfBody:
    """What is differentiated by for balls with mass alone; None for other methods."""

    velocity: np.ndarray | None = None
    spin: np.ndarray | None = None
    mass: np.ndarray | None = None
    inertia: np.ndarray | None = None
    gravity: np.ndarray | None = None
    drag: np.ndarray | None = None
    friction: np.ndarray | None = None
    restitution: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Derivatives(OfBody):
    """dJ by what made a run of B balls, for a function J of what was recorded.

    Attributes:
        start: By the first footpoint of each ball (B, d); what follows is with that one fixed, lifted or not. Of an
            IronedFlow or a RigidBall that began at ``start_center``, or was lifted, by the horizontal centre; of balls
            with mass some of which began in flight, by the centre (B, d + 1), its height 0 for one that touches.
        radius: By the radius of each ball (B,); by one that all balls share, the sum.
        lr: By the learning rate of each ball (B,); None in continuous time, and so is ``lr_steps``.
        radius_steps: By the radius at each step (S, B), where it is scheduled; else (1, B).
        lr_steps: By the learning rate at each step (S, B), where it is scheduled; else (1, B).
        loss_scale: By the loss scale of the surface, one part a ball (B,).
        parameters: By the surface's parameters, by name, all balls together; empty where it was not asked for.
        duration: In continuous time by its duration, with which the times of all frames stretch (B,); else None.
        status: Whether the derivative exists (B,): RUNNING, or why not; the rows of such a ball are 0.
        velocity: Of a ball with mass, by the velocity of its centre at the start (B, d + 1), and None for other
            methods, as what follows. That of a ball that rolls or slides stays along the graph: by its horizontal part,
            and the last column is 0.
        spin: By the angular velocity at the start (B, 1) in d = 1 or (B, 3); None in d > 2. Where the start moves,
            the spin stays as it was given, about the normal or as a vector.
        mass: By the mass (B,), and in the same shape what follows.
        inertia: By the number beta of the moment of inertia.
        gravity: By gravity.
        drag: By the drag.
        friction: By Coulomb's coefficient; None for another law.
        restitution: By the restitution; None with MoreauJean where it is 0.
    """

    start: np.ndarray
    radius: np.ndarray
    lr: np.ndarray | None
    radius_steps: np.ndarray
    lr_steps: np.ndarray | None
    loss_scale: np.ndarray
    parameters: dict[str, np.ndarray]
    status: np.ndarray
    duration: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Sensitivities(OfBody):
    """The derivatives of the feet of a run, at every frame; of an IronedFlow or a RigidBall, of the horizontal centres.

    Attributes:
        clock: How long it has rolled at each frame (T,): steps, or the time of a flow.
        start: By the start (T, B, d, d), as in :class:`Derivatives`: row i, column j is dfoot_i / dstart_j. Of a body
            that begins in flight (T, B, d, d + 1): by its centre.
        radius: By the radius, of all steps together (T, B, d).
        lr: By the learning rate, of all steps together (T, B, d); None in continuous time.
        duration: In continuous time by its duration, with which the times of all frames stretch; else None.
        loss_scale: By the loss scale of the surface (T, B, d).
        status: Whether they exist (B,): RUNNING, or why not; those of such a ball are 0.
        method: "tangent" for the derivative of the steps, to rounding; "difference" for differences of runs.
        error: Of differences, the largest estimate of their error, absolute, of each ball (B,); else None.
        velocity: Of a ball with mass, by the velocity of its centre at the start (T, B, d, d + 1), and None for other
            methods, as what follows. That of a ball that rolls or slides stays along the graph: by its horizontal part,
            and the last column is 0.
        spin: By the angular velocity at the start (T, B, d, 1) in d = 1 or (T, B, d, 3); None in d > 2.
        mass: By the mass (T, B, d), and in the same shape what follows.
        inertia: By the number beta of the moment of inertia.
        gravity: By gravity.
        drag: By the drag.
        friction: By Coulomb's coefficient; None for another law.
        restitution: By the restitution; None with MoreauJean where it is 0.
    """

    clock: np.ndarray
    start: np.ndarray
    radius: np.ndarray
    lr: np.ndarray | None
    duration: np.ndarray | None
    loss_scale: np.ndarray
    status: np.ndarray
    method: str = "tangent"
    error: np.ndarray | None = None

    def exponents(self) -> np.ndarray:
        """The largest Lyapunov exponent up to each frame but the first (T - 1, B): log |dfoot / dstart| / clock.

        Above 0 neighbouring balls part; NaN for a ball without derivatives.
        """
        sizes = np.linalg.norm(self.start[1:], 2, axis=(2, 3))
        with np.errstate(divide="ignore"):
            logs = np.log(sizes)
        return np.where(self.status == Status.RUNNING, logs / self.clock[1:, None], np.nan)


def checked_cotangents(trajectory: Trajectory, cotangent: Any) -> dict[str, np.ndarray]:
    """Checked, and for every recorded frame."""
    frames, balls, dim = trajectory.foot.shape
    whole_shapes = {"foot": (frames, balls, dim), "center": (frames, balls, dim + 1), "loss": (frames, balls)}
    allowed = "a dict of foot, center and loss, any of them"
    if trajectory.velocity is not None and trajectory.events is not None:
        whole_shapes["velocity"] = trajectory.velocity.shape
        if trajectory.spin is not None:
            whole_shapes["spin"] = trajectory.spin.shape
        whole_shapes["event_time"] = trajectory.events["time"].shape
        allowed = f"a dict of {', '.join(whole_shapes)}, any of them"
    if not isinstance(cotangent, Mapping) or not cotangent or set(cotangent) - set(whole_shapes):
        raise InputError("cotangent", cotangent, allowed)
    bars = {name: np.zeros(shape) for name, shape in whole_shapes.items()}
    for name, value in cotangent.items():
        given, shape = numbers(f"cotangent.{name}", value), whole_shapes[name]
        if given.shape == shape:
            bars[name] = given
        elif (name != "event_time" and given.shape == shape[1:]) or (balls == 1 and given.shape == shape[2:]):
            bars[name][-1] = given
        else:
            raise InputError(f"cotangent.{name}", f"shape {given.shape}", f"shape {shape}, or {shape[1:]} at the end")
    return bars


def starting_status(trajectory: Trajectory) -> np.ndarray:
    """RUNNING for the balls whose run has derivatives, else how it ended (B,)."""
    return np.where(np.isin(trajectory.status, LIVE), Status.RUNNING, trajectory.status).astype(np.int32)


def judged(found: Derivatives, throw: bool) -> Derivatives:
    """The derivatives, or with ``throw`` an error for a ball that has none."""
    failed = np.flatnonzero(found.status != Status.RUNNING)
    if throw and len(failed):
        message = Status(found.status[failed[0]]).message
        raise BallError(f"{len(failed)} of {len(found.status)} balls have no derivative; ball {failed[0]}: {message}")
    return found


def on_host(array: Any) -> np.ndarray:
    """A Warp or NumPy array as a NumPy array of float64."""
    return np.asarray(array.numpy() if hasattr(array, "numpy") else array, dtype=np.float64)


def beginning(start: Any, start_center: Any) -> tuple[str, Any]:
    """The name of what is given of the two, and it; an InputError for both."""
    if start_center is None:
        return "start", start
    if start is not None:
        raise InputError("start_center", start_center, "nothing, beside start")
    return "start_center", start_center


def on_device(array: Any, kind: Any, device: str) -> Any:
    """A table (rows, columns) of numbers or vectors as a Warp array of float64, to be read: on a CPU not copied."""
    import warp as wp

    host = np.ascontiguousarray(on_host(array))
    rows = host.reshape(-1) if host.ndim == 2 else host.reshape(-1, host.shape[2])
    flat: Any = wp.array(rows, dtype=kind, device=device, copy=False)
    return flat.reshape(host.shape[:2])
