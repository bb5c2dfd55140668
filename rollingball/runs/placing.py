"""Whether balls fit where they start, and lifting those that do not onto the offset."""

from __future__ import annotations

import numpy as np

from rollingball.core.errors import InputError
from rollingball.geometry.contact.contacts import contacts
from rollingball.surfaces.base import Surface


def refuse(start: np.ndarray, radius: np.ndarray, depth: np.ndarray) -> None:
    """Raise an InputError for the first ball that is too low, if there is one."""
    if (depth > 0).any():
        ball = int((depth > 0).argmax())
        raise InputError(
            "start",
            start[ball].tolist(),
            f"a footpoint where a ball of radius {radius[ball]:g} fits: this one is {depth[ball]:.3g} too low; "
            "lift=True raises it",
        )


def sunk(
    surface: Surface, feet: np.ndarray, radius: np.ndarray, device: str, threads: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The horizontal centres (B, d) of balls that touch at ``feet``, and how much too low they are (B,), or 0.

    They are computed on a device.
    """
    g = surface.loss_scale * surface.gradient(feet, device)
    w = np.sqrt(1 + (g**2).sum(axis=1))
    center = feet - (radius / w)[:, None] * g
    height = surface.loss_scale * surface.value(feet, device) + radius / w
    sound = np.isfinite(center).all(axis=1) & np.isfinite(height)  # of the others the kernel says that they are not
    resting = contacts(surface, np.where(sound[:, None], center, 0.0), radius, device=device, threads=threads)
    depth = np.where(sound, resting.height - height, 0.0)
    return center, np.where(depth > 1e-9 * radius + 1e-14 * np.abs(height), depth, 0.0)
