"""Runs that differ a little from one another, rolled side by side, and the gradient through each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import InputError
from rollingball.core.status import Status
from rollingball.derivatives.backwards import backwards, parts_of
from rollingball.derivatives.check import check_step
from rollingball.derivatives.differences import other_events, rolled
from rollingball.derivatives.recorded import plan_again, refuse_unlike_starts
from rollingball.derivatives.taken import Taken
from rollingball.methods import BODIES, FLOWS, IronedFlow
from rollingball.methods.body.replay import reverse_body
from rollingball.methods.differentiable import checked_method, is_tested
from rollingball.methods.flow.reverse.replay import reverse_flow
from rollingball.runs.derivatives import Derivatives, checked_cotangents, starting_status
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface
from rollingball.surfaces.parameters import has_parameters

MOST = 2**24  # numbers of the frames of runs side by side
RECORDED = ("foot", "center", "loss", "velocity", "spin")
Rows = dict[str, np.ndarray]


@dataclass(frozen=True)
class Gradient:
    """The gradient through one run, as rows of numbers, one a ball (B, n); of parameters one row (1, n).

    Attributes:
        rows: By the names of the fields of :class:`Derivatives`, of a parameter after ``parameters.``.
        recorded: What the cotangents are of, as rows by name.
        status: Whether each ball has it (B,): RUNNING, or why not.
        run: The run itself, at the frames of the cotangents.
        found: The derivatives that the rows are from, those of runs side by side together.
    """

    rows: Rows
    recorded: Rows
    status: np.ndarray
    run: Trajectory
    found: Derivatives


class Again:
    """A recorded run that is rolled again from other numbers, with the gradient of one function J of each run.

    Args:
        trajectory: The run.
        cotangent: dJ by what was recorded, or a function of a run that gives it.
        surface: Its surface, where its scene does not tell.
        continuous: Whether flows have the continuous adjoint.
        parameters: Whether to differentiate by the parameters of the surface.
        threads: CPU threads.
    """

    def __init__(
        self,
        trajectory: Trajectory,
        cotangent: Any,
        surface: Surface | None,
        continuous: bool,
        parameters: bool,
        threads: int | None,
    ) -> None:
        plan = plan_again(trajectory, surface, threads)
        checked_method(plan.method, continuous)
        refuse_unlike_starts(plan, trajectory)
        self.discrete = not isinstance(plan.method, BODIES + FLOWS)
        if self.discrete:  # in float64, as their derivatives are
            plan = msgspec.structs.replace(plan, numeric=plan.numeric.wide)
        self.plan, self.continuous, self.threads = plan, continuous, threads
        self.parameters = parameters and has_parameters(plan.surface)
        self.frames, self.balls = trajectory.step, trajectory.balls
        self.cotangent: Any = cotangent if callable(cotangent) else checked_cotangents(trajectory, cotangent)
        # what a method draws at random hangs on the number of the ball, and a user's own may look at it
        self.alone = self.parameters or (self.discrete and ("seed" in plan.settings or not is_tested(plan.method)))

    def gradient(self, status: np.ndarray) -> Gradient:
        """The gradient through the run itself, of the balls that begin as RUNNING in ``status`` (B,)."""
        return self._together([self.plan], status)[0]

    def beside(self, plans: Sequence[Any], status: np.ndarray) -> list[Gradient | None]:
        """The same through the run of each plan; None for one in which a ball does not fit where it starts."""
        found: list[Gradient | None] = []
        for group in self._groups(plans):
            try:
                found += self._together(group, status)
            except InputError:
                found += [None] if len(group) == 1 else [part for plan in group for part in self.beside([plan], status)]
        return found

    def _groups(self, plans: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """The plans in groups that can be rolled side by side, in their order."""
        frames = self.plan.steps + 1 if self.discrete else len(self.frames)
        most = max(MOST // (self.balls * frames * (4 * self.plan.surface.dim + 4)), 1)
        group: list[Any] = []
        for plan in plans:
            if group and (self.alone or len(group) >= most or not _alike(group[0], plan)):
                yield group
                group = []
            group.append(plan)
        if group:
            yield group

    def _together(self, plans: Sequence[Any], status: np.ndarray) -> list[Gradient]:
        """The gradients through runs that are rolled side by side."""
        plan, count = _side_by_side(plans), len(plans)
        whole = rolled(plan)
        chosen = whole[np.flatnonzero(np.isin(whole.step, self.frames))] if self.discrete else whole
        slices = [slice(k * self.balls, (k + 1) * self.balls) for k in range(count)]
        runs = [chosen.select(balls) if count > 1 else chosen for balls in slices]
        given = _joined([self.cotangents(run) for run in runs])
        begin = starting_status(whole)
        begin = np.where(np.tile(status, count) == Status.RUNNING, begin, np.tile(status, count)).astype(np.int32)
        found = self._reverse(plan, whole, begin, given)
        if self.parameters and (found.status != begin).any():  # so that only those that exist are summed
            found = self._reverse(plan, whole, found.status, given)
        return [
            Gradient(_rows(found, balls), _recorded(run), found.status[balls], run, found)
            for balls, run in zip(slices, runs, strict=True)
        ]

    def weight(self, run: Trajectory) -> np.ndarray:
        """The largest number in the cotangents of each ball (B,)."""
        parts = [part if name == "event_time" else part.swapaxes(0, 1) for name, part in self.cotangents(run).items()]
        return np.max([np.abs(part).reshape(len(part), -1).max(axis=1, initial=0.0) for part in parts], axis=0)

    def cotangents(self, run: Trajectory) -> dict[str, np.ndarray]:
        """The cotangents of a run, by name."""
        if callable(self.cotangent):
            return checked_cotangents(run, self.cotangent(run))
        given = dict(self.cotangent)
        if "event_time" in given and run.events is not None:  # those of other events count for nothing
            events = run.events["time"].shape[1]
            given["event_time"] = np.pad(given["event_time"], ((0, 0), (0, events)))[:, :events]
        return given

    def _reverse(self, plan: Any, run: Trajectory, status: np.ndarray, given: dict[str, np.ndarray]) -> Derivatives:
        """The derivatives through a run of a plan."""
        if self.discrete:
            taken = Taken(plan, run.steps)
            check_step(taken)
            return backwards(taken, lambda: parts_of(plan, run, None), self.frames, status, given, self.parameters)
        rest: Any = (run, status, given, self.parameters, None, self.threads)
        if isinstance(plan.method, BODIES):
            return reverse_body(plan, *rest)
        from_foot = not plan.on_center
        if isinstance(plan.method, IronedFlow):  # whose state is the centre
            plan = msgspec.structs.replace(plan, start=np.ascontiguousarray(run.center[0, :, :-1]), on_center=True)
        return reverse_flow(plan, from_foot, self.continuous, *rest)


def differs(first: Trajectory, other: Trajectory) -> np.ndarray:
    """Which balls (B,) ended otherwise in another run, or met other events, or stopped at another step."""
    apart = other_events(first, other)
    return apart if first.contacts is not None else apart | (first.steps != other.steps)


def _alike(one: Any, other: Any) -> bool:
    """Whether two plans differ in numbers of each ball alone."""
    names = [name for name in one.__struct_fields__ if name not in one.over_balls]
    return all(getattr(one, name) is getattr(other, name) for name in names)


def _side_by_side(plans: Sequence[Any]) -> Any:
    """The plan of the balls of all plans, the first ones first."""
    if len(plans) == 1:
        return plans[0]
    joined: dict[str, Any] = {}
    for name, axis in plans[0].over_balls.items():
        tables = [getattr(plan, name) for plan in plans]
        if tables[0] is not None:
            if axis == 1:  # a column may stand for all balls
                tables = [np.broadcast_to(table, (len(table), len(plans[0].start))) for table in tables]
            joined[name] = np.concatenate(tables, axis=axis)
    return msgspec.structs.replace(plans[0], **joined)


def _joined(given: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The cotangents of runs side by side; those of events are padded to as many."""
    if len(given) == 1:
        return given[0]
    return {
        name: np.concatenate([part[name] for part in given], axis=0 if name == "event_time" else 1) for name in given[0]
    }


def _rows(found: Derivatives, balls: slice) -> Rows:
    """The numbers of some balls, by name."""
    rows: Rows = {}
    for name in (field.name for field in fields(Derivatives)):
        table = getattr(found, name)
        if isinstance(table, np.ndarray) and name != "status":
            of_balls = (table.T if name.endswith("_steps") else table)[balls]
            rows[name] = of_balls.reshape(len(of_balls), -1)
    return rows | {f"parameters.{name}": value.reshape(1, -1) for name, value in found.parameters.items()}


def _recorded(run: Trajectory) -> Rows:
    """What was recorded of each ball, by name."""
    tables = {name: getattr(run, name) for name in RECORDED}
    return {
        name: np.moveaxis(table, 1, 0).reshape(table.shape[1], -1).astype(np.float64)
        for name, table in tables.items()
        if table is not None
    }
