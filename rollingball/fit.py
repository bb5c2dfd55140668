"""Whether balls fit where they start, and lifting those that do not onto the offset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rollingball.errors import InputError
from rollingball.geometry.contacts import contacts
from rollingball.geometry.projection import GlobalProjection
from rollingball.plan import Plan


def fitted(plan: Plan, lift: bool, threads: int | None) -> Plan:
    """The plan with every ball outside the surface at the start.

    Raises:
        InputError: without ``lift``, for a method with a GlobalProjection and a start where the ball does not fit.
    """
    exact = isinstance(getattr(plan.method, "projection", None), GlobalProjection)
    if plan.state is not None or not plan.method.rolls or not (lift or exact):
        return plan
    surface, radius = plan.surface, np.broadcast_to(plan.radius[0], len(plan.start))
    g = surface.loss_scale * surface.gradient(plan.start)
    w = np.sqrt(1 + (g**2).sum(axis=1))
    center = plan.start - (radius / w)[:, None] * g
    height = surface.loss_scale * surface.value(plan.start) + radius / w
    sound = np.isfinite(center).all(axis=1) & np.isfinite(height)  # the kernel says of the others that they are not
    resting = contacts(surface, np.where(sound[:, None], center, 0.0), radius, threads=threads)
    depth = np.where(sound, resting.height - height, 0.0)
    inside = depth > 1e-9 * radius + 1e-14 * np.abs(height)
    if not inside.any():
        return plan
    if not lift:
        ball = int(inside.argmax())
        raise InputError(
            "start",
            plan.start[ball].tolist(),
            f"a footpoint where a ball of radius {radius[ball]:g} fits: this one is {depth[ball]:.3g} too low; "
            "lift=True raises it",
        )
    return replace(plan, start=np.where(inside[:, None], resting.feet[:, 0], plan.start))
