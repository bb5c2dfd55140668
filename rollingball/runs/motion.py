"""What a record of balls with mass says beyond its frames: flight between them, parts of the energy, a history."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rollingball.core.errors import InputError
from rollingball.core.status import Event

PARTS = 4  # moments from one frame to the next
MOST = 20_000  # frames of all balls that are looked at; a run with more is shown frame by frame


def gravity_of(run: Any) -> float | None:
    """The gravity of a run of balls with mass; None where the run is another, or its scene does not say."""
    if run.velocity is None:
        return None
    try:
        return float(run.scene["run"]["gravity"])
    except (KeyError, TypeError, ValueError):
        return None


def energy_parts(run: Any) -> dict[str, np.ndarray]:
    """The kinetic, rotational and potential energy (T, B) of balls with mass (see :meth:`Trajectory.energies`)."""
    gravity = gravity_of(run)
    if run.energy is None or gravity is None:
        raise InputError("trajectory", run, "a run of balls with mass that says its velocity and gravity")
    table = run.scene.get("ball") or {}
    mass = np.broadcast_to(np.asarray(table.get("mass", 1.0), float), run.balls)
    kinetic = mass * (np.asarray(run.velocity, float) ** 2).sum(axis=-1) / 2
    potential = mass * gravity * run.center[..., -1]
    if run.spin is None:
        return {"kinetic": kinetic, "rotational": run.energy - kinetic - potential, "potential": potential}
    given = table.get("inertia")
    inertia = np.broadcast_to(np.asarray(2.0 / (run.dim + 3) if given is None else given, float), run.balls)
    turning = inertia * mass * run.radius**2 * (np.asarray(run.spin, float) ** 2).sum(axis=-1) / 2
    return {"kinetic": kinetic, "rotational": turning, "potential": potential}


def history(run: Any, ball: int) -> list[tuple[float, str]]:
    """The time and the name of each event of a ball (see :meth:`Trajectory.history`)."""
    if not isinstance(ball, int | np.integer) or not -run.balls <= ball < run.balls:
        raise InputError("ball", ball, f"a whole number within [{-run.balls}, {run.balls})")
    if run.events is None:
        return []
    time, kind = run.events["time"][ball], run.events["kind"][ball]
    has_mass = run.energy is not None
    return [(float(t), Event(k).words(has_mass)) for t, k in zip(time, kind, strict=True) if k != Event.NONE]


def flown(run: Any) -> Any:
    """A run of balls with mass with more frames, in which a ball that flies is where it flew.

    The record has a frame now and then, and a straight line between two of them cuts off the top of a bounce. A ball in
    flight moves on a parabola, which its place and velocity at a frame give; its events say when that began and ended.
    Of an impact between two others in one interval only the time and the horizontal place are known; its height is then
    linear between the two. On the surface, the path between two frames is the cubic with their places and velocities.

    Returns:
        The run with four times as many frames and one at each event; the run itself where it has no mass, a clock of
        its own for each ball, one frame, or very many.
    """
    gravity = gravity_of(run)
    if gravity is None or run.events is None or run.time.ndim != 1 or len(run) < 2 or len(run) * run.balls > MOST:
        return run
    kinds, when = run.events["kind"], run.events["time"]
    inside = (kinds != Event.NONE) & (when > run.time[0]) & (when < run.time[-1])
    fine = np.interp(np.arange(PARTS * (len(run) - 1) + 1) / PARTS, np.arange(len(run)), run.time)
    times = np.unique(np.concatenate([fine, when[inside]]))
    finer = run.at(times)
    center, contacts = np.array(finer.center), np.array(finer.contacts)
    down = np.zeros(run.dim + 1)
    down[-1] = -gravity
    for ball in range(run.balls):
        events = np.flatnonzero(inside[ball])
        for frame in range(len(run) - 1):
            _between(run, ball, frame, events, down, times, center, contacts)
    return replace(finer, center=center.astype(run.center.dtype), contacts=contacts)


def _between(
    run: Any, ball: int, frame: int, events: np.ndarray, down: np.ndarray, times: np.ndarray, center: np.ndarray,
    contacts: np.ndarray,
) -> None:  # fmt: skip
    """Put a ball where it was at the times from one frame to the next."""
    begin, end = run.time[frame], run.time[frame + 1]
    when = run.events["time"][ball]
    here = [event for event in events if begin < when[event] < end]
    knots = np.array([begin, *when[here], end])
    flies = np.array([run.contacts[frame, ball], *run.events["contacts"][ball, here]]) == 0
    places = np.array(
        [run.center[frame, ball], *[[np.nan] * (run.dim + 1)] * len(here), run.center[frame + 1, ball]], float
    )
    for knot, event in enumerate(here, start=1):
        places[knot, :-1] = run.events["center"][ball, event]
    speed, later = (np.asarray(run.velocity[at, ball], float) for at in (frame, frame + 1))
    if here and flies[0]:
        places[1] = _fallen(places[0], speed, down, knots[1] - begin)
    if here and flies[-1]:
        places[-2] = _fallen(places[-1], later, down, knots[-2] - end)
    known = np.isfinite(places[:, -1])
    places[:, -1] = np.interp(knots, knots[known], places[known, -1])
    moments = np.flatnonzero((times > begin) & (times < end))
    for moment in moments:
        part = int(np.clip(np.searchsorted(knots, times[moment], side="right") - 1, 0, len(flies) - 1))
        span, past = knots[part + 1] - knots[part], times[moment] - knots[part]
        share = past / span if span > 0 else 0.0
        straight = places[part] + share * (places[part + 1] - places[part])
        if flies[part]:
            center[moment, ball] = straight - down * past * (span - past) / 2
            contacts[moment, ball] = 0
        elif not here:
            a, b = speed * span - (places[1] - places[0]), -later * span + (places[1] - places[0])
            center[moment, ball] = straight + share * (1 - share) * ((1 - share) * a + share * b)
        else:
            center[moment, ball] = straight
            contacts[moment, ball] = max(int(contacts[moment, ball]), 1)


def _fallen(place: np.ndarray, velocity: np.ndarray, down: np.ndarray, span: float) -> np.ndarray:
    """Where a ball in flight is after a time, or before it for a negative one."""
    return place + velocity * span + down * span**2 / 2
