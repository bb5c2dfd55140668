"""robustness: how far the flows of two losses that are close can part, proved, beside how far they do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError, not_negative, positive_scalar
from rollingball.geometry.ironing.variation import Variation, difference, steepest
from rollingball.methods import CatchUp, IronedFlow
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import simulate
from rollingball.surfaces.base import Surface, checked_surface


@dataclass(frozen=True, eq=False)
class Robustness:
    """Two flows of balls on losses f and h that are close, and how far apart they can be (theory, section 14).

    Attributes:
        time: The times of the frames (T,).
        distance: |x(t) - y(t)|, the horizontal distance of the two centres (T, B), in units of the parameters.
        bound: What it is at most (T,); inf where the noise is too large for the radius.
        noise: eps: f - h is within eps of a constant where the balls are; in units of the loss.
        noise_proven: Whether that is proven or declared; otherwise it comes from samples, and is too small if anything.
        slopes: Bounds of the contact slopes of L f and of L h.
        slopes_proven: Whether the first is proven; the second follows from it and from the noise.
        curvature: Lambda: f_rho and h_rho bend downwards by no more than this, on average over the two.
        radius: rho.
        runs: The two runs.
    """

    time: np.ndarray
    distance: np.ndarray
    bound: np.ndarray
    noise: float
    noise_proven: bool
    slopes: tuple[float, float]
    slopes_proven: bool
    curvature: float
    radius: float
    runs: tuple[Trajectory, Trajectory]

    @property
    def proven(self) -> bool:
        """Whether the bound is proven, noise and slopes included."""
        return self.noise_proven and self.slopes_proven

    def __str__(self) -> str:
        """A table: noise, slopes, and the distance beside the bound at some times."""
        words = {True: "proven", False: "sampled"}
        lines = [
            f"radius {self.radius:g}; noise {self.noise:.4g} ({words[self.noise_proven]}); contact slopes "
            f"{self.slopes[0]:.4g} and {self.slopes[1]:.4g} ({words[self.slopes_proven]}); curvature "
            f"{self.curvature:.4g}",
            f"{'time':>10} {'apart':>11} {'bound':>11}",
        ]
        for index in np.unique(np.linspace(0, len(self.time) - 1, 6).astype(int)):
            apart = self.distance[index].max()
            lines.append(f"{self.time[index]:10.4g} {apart:11.4g} {self.bound[index]:11.4g}")
        return "\n".join(lines)


def contact_slope(steepest_slope: float, noise: float, radius: float) -> float:
    """The steepest contact of a ball on the graph of any function within ``noise`` of an S_0-Lipschitz one.

        tan(arctan S_0 + arccos(1 - 2 eps / (rho sqrt(1 + S_0^2))))                           (theory, section 14)

    Args:
        steepest_slope: S_0, of the scaled loss.
        noise: eps, of the scaled loss: the function may be anything that close, up to a constant.
        radius: rho, above 0.

    Returns:
        The slope; inf where the noise is too large for the radius.
    """
    share = 1 - 2 * noise / (radius * math.hypot(1.0, steepest_slope))
    angle = math.atan(steepest_slope) + math.acos(max(share, -1.0))
    return math.tan(angle) if angle < math.pi / 2 else math.inf


def distance_bound(
    time: np.ndarray, noise: float, curvature: float, start: float = 0.0, step: float = 0.0
) -> np.ndarray:
    """How far apart two flows can be: sqrt(e^(2 Lambda t) d_0^2 + 2 eps (e^(2 Lambda t) - 1) / Lambda).

    Args:
        time: The times (T,).
        noise: eps.
        curvature: Lambda, 0 or above; for 0 the limit d_0^2 + 4 eps t under the root.
        start: d_0, the distance at time 0.
        step: The step h of Moreau's implicit method, for which Lambda in the exponent is Lambda / (1 - 2 Lambda h); 0
            for the flow itself.

    Returns:
        The bounds (T,); inf where Lambda is, or where 2 Lambda h is 1 or more.
    """
    if not math.isfinite(curvature) or 2 * curvature * step >= 1:
        return np.where(time > 0, np.inf, start)
    rate = 2 * curvature / (1 - 2 * curvature * step)
    with np.errstate(over="ignore"):
        grown = np.expm1(rate * time)
        added = 2 * noise * grown / curvature if curvature > 0 else 4 * noise * time
        return np.sqrt((1 + grown) * start**2 + added) if start else np.sqrt(added)


def robustness(
    f: Surface,
    h: Surface,
    radius: float,
    duration: float,
    *,
    start_center: Any,
    method: IronedFlow | None = None,
    noise: float | None = None,
    save_at: Any = None,
) -> Robustness:
    """Roll a ball on two losses from the same centre, and bound how far apart the two can be.

    The bound asks nothing of the derivatives of h: noise of any frequency will do (theory, section 14). It holds for a
    ball; for gradient descent there is none, whatever the constants.

    Args:
        f: The loss, of which slopes are asked.
        h: The same with noise: a surface of the same dimension and loss scale.
        radius: rho, above 0.
        duration: The time to roll.
        start_center: Horizontal positions of centres (B, d).
        method: The flow, by default ``IronedFlow()``; with ``CatchUp(step)`` the bound is that of its implicit steps.
        noise: eps, where it is known: f - h is within eps of a constant. By default it is found over the box of both
            paths and what the ball touches there, with proof where the surfaces know bounds of their derivatives.
        save_at: The times of the frames (T,), by default 100.

    Returns:
        A :class:`Robustness`.

    Raises:
        InputError: for an argument that cannot be used.
    """
    if checked_surface(h).dim != checked_surface(f).dim:
        raise InputError("h", f"a surface of dimension {h.dim}", f"a surface of the dimension of f, {f.dim}")
    if h.loss_scale != f.loss_scale:
        raise InputError("h", f"a surface of loss scale {h.loss_scale:g}", f"the loss scale of f, {f.loss_scale:g}")
    method = IronedFlow() if method is None else method
    if not isinstance(method, IronedFlow):
        raise InputError("method", method, "an IronedFlow: the bound is that of the gradient flow of f_rho")
    if method.metric != "parameter":
        raise InputError("method.metric", method.metric, "'parameter': the bound is that of the gradient flow of f_rho")
    positive_scalar("radius", radius)
    declared = None if noise is None else Variation(float(not_negative("noise", noise)), True)
    given = {"start_center": start_center, "duration": duration, "save_at": save_at, "gap": None}
    first, second = (simulate(surface, Ball(radius), method, **given) for surface in (f, h))
    corners = _box(first, second, float(radius))
    eps, steep = declared or difference(f, h, corners), steepest(f, corners)
    scale = f.loss_scale
    slopes = scale * steep.value, contact_slope(scale * steep.value, scale * eps.value, radius)
    curvature = sum((1 + slope**2) ** 1.5 for slope in slopes) / (2 * radius * scale)
    step = method.integrator.step if isinstance(method.integrator, CatchUp) else 0.0
    time = np.asarray(first.time, dtype=float)
    time = time if time.ndim == 1 else time.max(axis=1)
    distance = np.linalg.norm(first.center[..., :-1] - second.center[..., :-1], axis=-1)
    bound = distance_bound(time, eps.value, curvature, step=step)
    found = time, distance, bound, eps.value, eps.proven, slopes, steep.proven, curvature
    return Robustness(*found, float(radius), (first, second))


def _box(first: Trajectory, second: Trajectory, radius: float) -> np.ndarray:
    """A box (d, 2) around both paths, also between frames, and what a ball touches from there."""
    centers = np.stack([run.center[..., :-1] for run in (first, second)])
    moved = np.abs(np.diff(centers, axis=1)).max(initial=0.0)
    flat = centers.reshape(-1, centers.shape[-1])
    margin = radius + moved + 1e-9
    return np.stack([flat.min(axis=0) - margin, flat.max(axis=0) + margin], axis=1)
