"""A run as a torch.autograd.Function: start and numbers go in, recorded tensors come out, derivatives go back."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError
from rollingball.core.schedule import Schedule
from rollingball.methods import BODIES, FLOWS
from rollingball.methods.differentiable import checked_method, is_continuous
from rollingball.pytorch.runs.gradient import Gradient, Made, plain
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import simulate
from rollingball.surfaces.base import Surface
from rollingball.surfaces.parameters import with_parameters

OF_BODIES = ("start_velocity", "start_spin", "mass", "inertia", "gravity", "drag", "friction", "restitution")
OF_MASS = ("foot", "center", "loss", "velocity", "spin")


def roll(
    surface: Surface,
    ball: Ball | None,
    method: Any,
    field: str,
    start: Tensor,
    numbers: dict[str, Tensor],
    parameters: dict[str, Tensor],
    adjoint: str,
    options: dict[str, Any],
) -> tuple[Trajectory, dict[str, Tensor]]:
    """The run of :func:`rollingball.pytorch.runs.simulate`, and what of it carries its derivative, by name.

    ``field`` says what ``start`` is: ``start`` or ``start_center``.
    """
    checked_method(method, is_continuous(adjoint))
    if options.get("lift"):
        allowed = "False where derivatives are asked for: the derivative of a lifted start is not computed"
        raise InputError("lift", True, allowed)
    for name, tensor in {**numbers, **parameters}.items():
        if not isinstance(tensor, Tensor) or not tensor.dtype.is_floating_point:
            raise InputError(name, tensor, "a floating-point tensor")
    if ball is None and "radius" in numbers:
        raise InputError("radius", numbers["radius"], "nothing, for a method without a ball")
    if not method.uses_radius and "radius" in numbers:
        raise InputError("radius", numbers["radius"], "nothing: the method has no radius")
    if isinstance(method, (*FLOWS, *BODIES)):
        _check_flow(numbers, options)
    for name in set(numbers) & set(OF_BODIES):
        if not isinstance(method, BODIES):
            raise InputError(name, numbers[name], "nothing, but for a ball with mass")
    runs: list[Trajectory] = []
    names = (*numbers, *(f"parameters.{name}" for name in parameters))
    given = (*numbers.values(), *parameters.values())
    count = 3 if not isinstance(method, BODIES) else 5 if surface.dim <= 2 else 4
    recorded = OF_MASS[:count]
    made = _Roll.apply(surface, ball, method, field, adjoint, options, runs, names, recorded, start, *given)
    return runs[0], dict(zip(recorded, made, strict=True))


def _check_velocity(run: Trajectory, options: dict[str, Any], names: tuple[str, ...]) -> None:
    """Refuse a tensor of velocities with a vertical part of balls that touch, which keep only what is tangent."""
    if "start_velocity" in names and run.contacts is not None:
        shape = options["start_velocity"].shape
        if shape[-1] > run.dim and (run.contacts[0] > 0).any():
            raise InputError("start_velocity", f"shape {shape}", f"a tensor (B, {run.dim}) of balls that touch")


def _check_flow(numbers: dict[str, Tensor], options: dict[str, Any]) -> None:
    """Refuse tensors in place of numbers that a flow does not have, or of a shape that it does not take."""
    if "lr" in numbers:
        raise InputError("lr", numbers["lr"], "nothing: in continuous time there is a duration")
    axes = {"radius": 1, "mass": 1, "inertia": 1}
    for name in ("radius", "mass", "inertia", "duration", "gravity", "drag", "friction", "restitution"):
        most = axes.get(name, 0)
        if name in numbers and numbers[name].ndim > most:
            shapes = "one number, or one for each ball (B,)" if most else "one number"
            raise InputError(name, f"shape {tuple(numbers[name].shape)}", f"{shapes}, in continuous time")
    save_at = options.get("save_at")
    if isinstance(save_at, Tensor):
        if save_at.requires_grad:
            raise InputError("save_at", save_at, "times that require no grad: they stretch with the duration")
        options["save_at"] = plain(save_at)


class _Roll(torch.autograd.Function):
    """The run as a differentiable function of its start, numbers and surface parameters."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        surface: Surface,
        ball: Ball | None,
        method: Any,
        field: str,
        adjoint: str,
        options: dict[str, Any],
        runs: list[Trajectory],
        names: tuple[str, ...],
        recorded: tuple[str, ...],
        start: Tensor,
        *given: Tensor,
    ) -> tuple[Tensor, ...]:
        values = {name: plain(tensor) for name, tensor in zip(names, given, strict=True)}
        if "radius" in values:
            ball = Ball(_scheduled("radius", values.pop("radius"), options))
        if "lr" in values:
            method = msgspec.structs.replace(method, lr=_scheduled("lr", values.pop("lr"), options))
        if "loss_scale" in values:
            surface = surface.scaled(float(values.pop("loss_scale")))
        if "duration" in values:
            options = {**options, "duration": float(values.pop("duration"))}
        ball, method, options = _with_body(ball, method, options, values)
        ctx.surface = with_parameters(surface, {name.split(".", 1)[1]: value for name, value in values.items()})
        run = simulate(ctx.surface, ball, method, **{**options, field: plain(start)})
        _check_velocity(run, options, names)
        ctx.run, ctx.names, ctx.like, ctx.adjoint, ctx.recorded = run, names, (start, *given), adjoint, recorded
        runs.append(run)
        return tuple(torch.as_tensor(getattr(run, name), device=start.device) for name in recorded)

    @staticmethod
    def backward(ctx: Any, *bars: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        wanted = ctx.needs_input_grad[9:]
        made = Made(ctx.run, ctx.surface, ctx.names, ctx.adjoint, ctx.recorded, wanted)
        return (None,) * 9 + Gradient.apply(made, *ctx.like, *bars)


def _with_body(
    ball: Any, method: Any, options: dict[str, Any], values: dict[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """The ball, the method and the options with the numbers of a ball with mass, which leave ``values``."""
    taken = {name: values.pop(name) for name in OF_BODIES if name in values}
    of_ball = {name: value.tolist() for name, value in taken.items() if name in ("mass", "inertia")}
    begins = {name: value for name, value in taken.items() if name.startswith("start_")}
    rest = {name: float(value) for name, value in taken.items() if name not in {**of_ball, **begins}}
    if of_ball:
        ball = msgspec.structs.replace(ball, **of_ball)
    return ball, msgspec.structs.replace(method, **rest) if rest else method, {**options, **begins}


def _scheduled(name: str, value: np.ndarray, options: dict[str, Any]) -> Any:
    """A number, one for each ball, or a table over steps, as a Ball or a method takes them."""
    if value.ndim < 2:
        return value.tolist()
    if value.ndim > 2 or len(value) != options.get("steps"):
        raise InputError(name, f"shape {value.shape}", "one number, (B,), or (steps, 1) and (steps, B)")
    return Schedule(value.tolist(), kind="hold", steps=len(value))
