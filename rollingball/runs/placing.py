"""Whether balls fit where they start, and lifting those that do not onto the offset."""

from __future__ import annotations

import numpy as np

from rollingball.core.errors import InputError
from rollingball.geometry.contact.contacts import Contacts, contacts
from rollingball.geometry.foot.footpoints import nearest_points
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.surfaces.base import Surface


def refuse(start: np.ndarray, radius: np.ndarray, depth: np.ndarray, otherwise: str = "") -> None:
    """Raise an InputError for the first ball that is too low, if there is one; ``otherwise`` is another way out."""
    if (depth > 0).any():
        ball = int((depth > 0).argmax())
        raise InputError(
            "start",
            start[ball].tolist(),
            f"a footpoint where a ball of radius {radius[ball]:g} fits: this one is {depth[ball]:.3g} too low; "
            f"lift=True raises it{otherwise}",
        )


def sunk(
    surface: Surface, feet: np.ndarray, radius: np.ndarray, device: str, threads: int | None
) -> tuple[np.ndarray, np.ndarray, Contacts]:
    """The horizontal centres (B, d) of balls that touch at ``feet``, how much they are too low (B,), and contacts.

    A ball that fits is 0 too low. The contacts are those of the balls lowered onto the graph at these centres.
    """
    center, height, sound = _centers(surface, feet, radius, device)
    resting = contacts(surface, np.where(sound[:, None], center, 0.0), radius, device=device, threads=threads)
    depth = np.where(sound, resting.height - height, 0.0)
    return center, np.where(depth > _rounding(radius, height), depth, 0.0), resting


def overlaps(surface: Surface, feet: np.ndarray, radius: np.ndarray, device: str, threads: int | None) -> np.ndarray:
    """Whether balls that touch at ``feet`` reach into the graph (B,): a point of it is nearer to the centre than those.

    Its kernel is the one by which the gap of a run is measured.
    """
    center, height, sound = _centers(surface, feet, radius, device)
    at = np.where(sound[:, None], np.column_stack([center, height]), 0.0)
    near = nearest_points(surface, at, feet, GlobalProjection(), device, threads)
    found: np.ndarray = sound & (near.distance < radius - _rounding(radius, height))
    return found


def _centers(
    surface: Surface, feet: np.ndarray, radius: np.ndarray, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The horizontal centres (B, d) of balls that touch at ``feet``, their heights (B,), and which are finite (B,)."""
    g = surface.loss_scale * surface.gradient(feet, device)
    w = np.sqrt(1 + (g**2).sum(axis=1))
    center = feet - (radius / w)[:, None] * g
    height = surface.loss_scale * surface.value(feet, device) + radius / w
    sound = np.isfinite(center).all(axis=1) & np.isfinite(height)  # of the others the kernel says that they are not
    return center, height, sound


def _rounding(radius: np.ndarray, height: np.ndarray) -> np.ndarray:
    """What rounding may move a ball by (B,)."""
    moved: np.ndarray = 1e-9 * radius + 1e-14 * np.abs(height)
    return moved
