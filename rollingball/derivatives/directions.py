"""A direction in all that made a run: checked, and the plan of the run that begins a little farther along it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from rollingball.core.errors import InputError, numbers
from rollingball.methods import BODIES, FLOWS
from rollingball.methods.body.replay import without
from rollingball.surfaces.parameters import parameters_of, with_parameters

OF_METHOD = ("gravity", "drag", "friction", "restitution")
OF_SURFACE = "parameters."  # before their names
POSITIVE = ("radius", "lr", "mass", "inertia")  # measured by themselves; a place by 1


@dataclass(frozen=True)
class Direction:
    """A change of the numbers that made a run.

    Attributes:
        tables: Of the numbers of each ball, by the field of its plan.
        shared: Of the numbers that all balls share, by name.
        parameters: The parameters of the surface, each as it is and its change.
        rate: Its length for each ball (B,), measured by the sizes of what it changes; 1 where it changes nothing.
    """

    tables: dict[str, np.ndarray]
    shared: dict[str, float]
    parameters: dict[str, tuple[np.ndarray, np.ndarray]]
    rate: np.ndarray

    def moved(self, plan: Any, by: float) -> Any:
        """The plan of the run from ``by`` farther along, in lengths of the direction."""
        step, surface = by / self.rate, plan.surface
        one = float(step[0])  # of all balls, where they share what is moved
        changes: dict[str, Any] = {}
        for name, change in self.tables.items():
            along = step if plan.over_balls[name] == 1 else step.reshape(-1, *[1] * (change.ndim - 1))
            changes[name] = getattr(plan, name) + along * change
        if self.parameters:
            values = {name: value + one * change for name, (value, change) in self.parameters.items()}
            surface = with_parameters(surface, values)
        of_all = {name: one * change for name, change in self.shared.items()}
        if "loss_scale" in of_all:
            surface = surface.scaled(surface.loss_scale + of_all.pop("loss_scale"))
        if "duration" in of_all:
            stretch = 1 + of_all.pop("duration") / plan.duration
            changes |= {"duration": plan.duration * stretch, "save_at": plan.save_at * stretch}
        if of_all:  # with the integrator that was chosen, which hangs on the drag
            values = {name: getattr(plan.method, name) + change for name, change in of_all.items()}
            changes["method"] = msgspec.structs.replace(plan.method, integrator=plan.method.chosen, **values)
        return msgspec.structs.replace(plan, surface=surface, **changes)


def directions_of(plan: Any, given: Any, shared: bool) -> tuple[list[Direction], bool]:
    """The directions that were asked for, and whether they came along an axis of their own.

    With ``shared`` what changes along them is asked for as sums over balls too, so that all balls have one rate.

    Raises:
        InputError: for a name or a shape that the run of the plan does not have, and for a number at an end of its
            range.
    """
    of_surface = given.get("parameters", {}) if isinstance(given, Mapping) else None
    shapes = shapes_of(plan)
    if not isinstance(of_surface, Mapping) or not given or not given.keys() <= {*shapes, "parameters"}:
        raise InputError("direction", given, f"a dict of {', '.join((*shapes, 'parameters'))}, any of them")
    values = {name: value for name, value in given.items() if name != "parameters"}
    known: dict[str, np.ndarray] = {}
    if of_surface:
        known = parameters_of(plan.surface)
        shapes |= {OF_SURFACE + name: value.shape for name, value in known.items()}
        if not of_surface.keys() <= known.keys():
            raise InputError("direction.parameters", given["parameters"], f"a dict of {', '.join(known) or 'none'}")
        values |= {OF_SURFACE + name: value for name, value in of_surface.items()}
    parts = {name: _shaped(name, value, shapes[name]) for name, value in values.items()}
    counts = {len(part) for part, several in parts.values() if several}
    if len(counts) > 1:
        raise InputError("direction", sorted(counts), "as many directions in each of its arrays")
    each = [
        {name: part[k if several else 0] for name, (part, several) in parts.items()}
        for k in range(max(counts, default=1))
    ]
    return [_direction(plan, known, one, shared) for one in each], bool(counts)


def _begins(plan: Any) -> str:
    """The field of a plan that says where its balls start."""
    return "start_center" if plan.start is None else "start"


def shapes_of(plan: Any) -> dict[str, tuple[int, ...]]:
    """The shape of a change of each number that made the run of a plan, but for the parameters of its surface."""
    balls, method = (plan.balls,), plan.method
    if not isinstance(method, BODIES + FLOWS):
        balls = (len(plan.start),)
    shapes: dict[str, tuple[int, ...]] = {"start": getattr(plan, _begins(plan)).shape}
    rolls = plan.ball is not None and method.uses_radius
    shapes |= {"radius": balls} if rolls else {}
    if isinstance(method, BODIES):
        shapes |= {"velocity": plan.velocity.shape, "mass": balls, "inertia": balls}
        shapes |= {"spin": plan.spin.shape} if plan.surface.dim <= 2 else {}
        shapes |= {name: () for name in OF_METHOD if name not in without(plan)}
    if isinstance(method, BODIES + FLOWS):
        shapes["duration"] = ()
    else:
        shapes |= {"lr": balls, "lr_steps": (len(plan.lr), *balls)}
        shapes |= {"radius_steps": (len(plan.radius), *balls)} if rolls else {}
    return {**shapes, "loss_scale": ()}


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """A change as (K, *shape), and whether it came so; else K is 1."""
    array = numbers(f"direction.{name}", value)
    if name == "velocity" and array.ndim and array.shape[-1] == shape[-1] + 1 and not array[..., -1].any():
        array = array[..., :-1]  # of balls that stay along the graph, as their derivatives are given
    if array.ndim == len(shape) + 1 and array.shape[1:] == shape:
        return array, True
    if array.ndim > len(shape) or array.shape != shape[len(shape) - array.ndim :]:
        several = f"(K, {', '.join(map(str, shape))}) of K directions" if shape else "(K,) of K directions"
        raise InputError(f"direction.{name}", f"shape {array.shape}", f"shape {shape}, or {several}")
    return np.broadcast_to(array, shape)[None], False


def _direction(plan: Any, known: dict[str, np.ndarray], parts: dict[str, np.ndarray], one_rate: bool) -> Direction:
    """One direction, of arrays of the shapes that its numbers have."""
    tables: dict[str, Any] = {}
    shared: dict[str, float] = {}
    parameters: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    of_all, rate = 0.0, np.zeros(len(getattr(plan, _begins(plan))))
    for name, part in parts.items():
        if name.startswith(OF_SURFACE):
            value = known[name.removeprefix(OF_SURFACE)]
            parameters[name.removeprefix(OF_SURFACE)] = value, part
            of_all = max(of_all, float(np.abs(part).max(initial=0.0) / (np.abs(value).max(initial=0.0) or 1.0)))
        elif name in OF_METHOD or name in ("duration", "loss_scale"):
            shared[name] = float(part)
            of_all = max(of_all, abs(float(part)) / _size(plan, name, float(part)))
        else:
            field = _begins(plan) if name == "start" else name.removesuffix("_steps")
            axis, table = plan.over_balls[field], getattr(plan, field)
            change = part[None] if axis == 1 and part.ndim == 1 else part  # the same at every step
            size = table if field in POSITIVE else np.abs(table).max() or 1.0 if field in ("velocity", "spin") else 1.0
            shares = np.moveaxis(np.abs(change) / size, axis, 0)
            rate = np.maximum(rate, shares.reshape(len(rate), -1).max(axis=1))
            tables[field] = tables.get(field, 0.0) + change
    if shared or parameters or one_rate:
        rate[:] = max(of_all, rate.max())
    return Direction(tables, shared, parameters, np.where(rate > 0, rate, 1.0))


def _size(plan: Any, name: str, change: float) -> float:
    """By what a number that all balls share is measured: by so much of it, either way, it may be moved."""
    if name not in OF_METHOD:
        return float(plan.surface.loss_scale if name == "loss_scale" else plan.duration)
    value = float(getattr(plan.method, name))
    size = min(value, 1 - value) if name == "restitution" else value
    if size <= 0 and change:
        allowed = "inside (0, 1)" if name == "restitution" else "above 0"
        raise InputError(f"direction.{name}", change, f"0, since {name} is {value:g} and not {allowed}")
    return size if size > 0 else 1.0
