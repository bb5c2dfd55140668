"""The change along directions of the gradient through a run, by differences of it between runs beside the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rollingball.core.status import Status
from rollingball.derivatives.beside import Again, Gradient, Rows, differs
from rollingball.derivatives.directions import OF_SURFACE, Direction
from rollingball.derivatives.extrapolation import slope

FARTHEST = 2.0**-7  # from the run to one beside it, in lengths of the direction
ROUNDS, HALVINGS = 3, 4  # runs are rolled at so many distances at a time, until the error is small
ENOUGH = 1e-9  # a small error, as a share of the size of what is found
REFUSED = 1e-3  # one of what has no derivative
RECORDED = "recorded "  # before the names of rows of what was recorded
FLOOR = 1e-4  # a size is at least this share of the largest there, and of the cotangents: less is mostly rounding


@dataclass(frozen=True)
class Change:
    """The changes of rows along a direction.

    Attributes:
        rows: The changes, by name, one row a ball (B, n); one row (1, n) of what all balls share.
        error: The estimates of the largest error in each row, by name, (B,) or (1,).
        share: The same as shares of the sizes of the rows.
    """

    rows: Rows = field(default_factory=dict)
    error: dict[str, np.ndarray] = field(default_factory=dict)
    share: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Along:
    """A direction, what runs beside a run have found of it so far, and the changes along it.

    Attributes:
        direction: The direction.
        gradient: The change of the gradient.
        recorded: That of what was recorded.
        sides: The rows of the runs (before, after), the farthest first.
    """

    direction: Direction
    gradient: Change = field(default_factory=Change)
    recorded: Change = field(default_factory=Change)
    sides: tuple[list[Rows], list[Rows]] = field(default_factory=lambda: ([], []))

    def status(self, first: Gradient, shared: bool = True) -> np.ndarray:
        """Whether each ball has a second derivative (B,): RUNNING, or why not; ``shared`` says by the surface too."""
        shares = [part for name, part in self.gradient.share.items() if shared or not name.startswith(OF_SURFACE)]
        worst = np.max([np.broadcast_to(part, first.status.shape) for part in shares], axis=0)
        kinked = (first.status == Status.RUNNING) & ~(worst <= REFUSED)
        return np.where(kinked, Status.KINK, first.status).astype(np.int32)


def second_derivatives(
    again: Again, directions: Sequence[Direction], recorded: bool = False
) -> tuple[Gradient, list[Along]]:
    """The gradient through a run, and its changes along directions; with ``recorded`` those of what was recorded, too.

    Sums over balls, by the parameters of the surface, are those over balls that have a second derivative along each of
    the directions; in its field ``found`` the gradient has the status that each ball began with.
    """
    status = np.full(again.balls, Status.RUNNING, dtype=np.int32)
    begun = None
    while True:
        first, found = _attempt(again, directions, recorded, status)
        begun = begun or first
        ended = np.max([along.status(first, shared=False) for along in found], axis=0)
        if not again.parameters or (ended == status).all():
            return replace(first, found=begun.found), found
        status = ended  # once more, so that only those that exist are summed


def _attempt(
    again: Again, directions: Sequence[Direction], recorded: bool, status: np.ndarray
) -> tuple[Gradient, list[Along]]:
    """The same for the balls that begin as RUNNING in ``status`` (B,)."""
    found = [Along(direction) for direction in directions]
    first = again.gradient(status)
    weight = again.weight(first.run)
    for begin in range(0, ROUNDS * HALVINGS, HALVINGS):
        steps = [FARTHEST / 2.0**k for k in range(begin, begin + HALVINGS)]
        open_ones = [along for along in found if not begin or _is_open(along, first, recorded)]
        moves = [(along, side, step) for along in open_ones for step in steps for side in (0, 1)]
        plans = [along.direction.moved(again.plan, step if side else -step) for along, side, step in moves]
        for (along, side, _step), gradient in zip(moves, again.beside(plans, status), strict=True):
            along.sides[side].append(_seen(gradient, first))
        for along in open_ones:
            along.gradient = _change(first.rows, along, "", along.direction.rate * weight)
            along.recorded = _change(first.recorded, along, RECORDED, np.zeros(again.balls))
    return first, found


def _is_open(along: Along, first: Gradient, recorded: bool) -> bool:
    """Whether runs that are nearer may find what changes with a smaller error."""
    exists = first.status == Status.RUNNING
    shares = [*along.gradient.share.values(), *(along.recorded.share.values() if recorded else [])]
    return any(bool((np.broadcast_to(share, exists.shape)[exists] > ENOUGH).any()) for share in shares)


def _seen(gradient: Gradient | None, first: Gradient) -> Rows:
    """The rows of a run beside the first one: NaN for balls to which something else happened there."""
    if gradient is None:
        rows = first.rows | {RECORDED + name: row for name, row in first.recorded.items()}
        return {name: np.full(row.shape, np.nan) for name, row in rows.items()}
    other = (gradient.status != first.status) | differs(first.run, gradient.run)
    other &= first.status == Status.RUNNING
    rows = gradient.rows | {RECORDED + name: row for name, row in gradient.recorded.items()}
    shared = {name: other.any(keepdims=True) if name.startswith(OF_SURFACE) else other for name in rows}
    return {name: np.where(shared[name][:, None], np.nan, row) for name, row in rows.items()}


def _change(first: Rows, along: Along, prefix: str, floor: np.ndarray) -> Change:
    """The changes of the rows of the first run, whose names in the others have a prefix; ``floor`` (B,) is a size."""
    found, rate = Change(), along.direction.rate
    sizes: dict[str, np.ndarray] = {}
    for name, center in first.items():
        before, after = ([rows[prefix + name] for rows in side] for side in along.sides)
        change, error = slope(center, before, after, FARTHEST)
        each = rate[: len(center)]  # one rate of all balls, where they share a row
        found.rows[name], found.error[name] = change * each[:, None], error * each
        sizes[name] = each * (np.abs(change).max(axis=1, initial=0.0) + np.abs(center).max(axis=1, initial=0.0))
    largest = np.max([floor, *(np.broadcast_to(size, rate.shape) for size in sizes.values())], axis=0)
    for name, size in sizes.items():
        size = np.maximum(size, FLOOR * (largest if len(size) == len(largest) else largest.max(keepdims=True)))
        share = np.full(size.shape, np.where(found.error[name] == 0, 0.0, np.inf))
        found.share[name] = np.divide(found.error[name], size, out=share, where=size > 0)
    return found
