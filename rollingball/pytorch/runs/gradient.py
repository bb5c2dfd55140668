"""The derivative of a run as a torch.autograd.Function of its own, which has the second derivative of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import InputError
from rollingball.derivatives.beside import Again
from rollingball.derivatives.derivatives import derivatives
from rollingball.derivatives.directions import directions_of, shapes_of
from rollingball.derivatives.hessian_vector import product, refuse
from rollingball.derivatives.second import second_derivatives
from rollingball.methods.differentiable import is_continuous
from rollingball.runs.derivatives import Derivatives, judged
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface


@dataclass(frozen=True)
class Made:
    """A run, and what its derivatives are taken by.

    Attributes:
        run: The run.
        surface: Its surface.
        names: Of the tensors beside the start.
        adjoint: How a flow is differentiated.
        recorded: The names of what was recorded.
        wanted: Whether the derivative by the start, and by each of the other tensors, is needed.
    """

    run: Trajectory
    surface: Surface
    names: tuple[str, ...]
    adjoint: str
    recorded: tuple[str, ...]
    wanted: tuple[bool, ...]

    @property
    def by_surface(self) -> bool:
        """Whether derivatives by the surface's parameters are needed."""
        asked = zip(self.wanted[1:], self.names, strict=True)
        return any(need for need, name in asked if name.startswith("parameters."))

    def of_tensors(self, found: Derivatives, like: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        """The derivative by the start and by each of the other tensors; None where it is not needed."""
        others = zip(self.names, like[1:], self.wanted[1:], strict=True)
        by_others = [_of(found, name, tensor) if need else None for name, tensor, need in others]
        columns = slice(0, like[0].shape[-1])  # centres that touch have no height of their own
        start = np.pad(found.start, ((0, 0), (0, 1)))[:, columns]
        parts = zip([start if self.wanted[0] else None, *by_others], like, strict=True)
        return tuple(None if part is None else _summed(part, tensor) for part, tensor in parts)


class Gradient(torch.autograd.Function):
    """The derivative of a run as a function of what made it and of the cotangents, with a derivative of its own."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, made: Made, *tensors: Tensor
    ) -> tuple[Tensor | None, ...]:
        """The first derivatives, from what made the run and the cotangents."""
        ctx.made, count = made, len(made.wanted)
        ctx.like, ctx.bars = tensors[:count], tensors[count:]
        cotangent = dict(zip(made.recorded, map(plain, ctx.bars), strict=True))
        found = derivatives(made.run, cotangent, surface=made.surface, parameters=made.by_surface, adjoint=made.adjoint)
        return made.of_tensors(found, ctx.like)

    @staticmethod
    def backward(ctx: Any, *changes: Tensor | None) -> tuple[Any, ...]:  # type: ignore[override]
        """The second derivatives along the cotangents of the first."""
        wanted = ctx.needs_input_grad[1 + len(ctx.like) :]
        once = [_Once.apply(tensor) for tensor in (*ctx.like, *ctx.bars)]
        return (None, *_Second.apply(ctx.made, wanted, *once, *changes))


class _Second(torch.autograd.Function):
    """Second derivatives of a run as a function of the direction, in which they are linear."""

    @staticmethod
    def forward(ctx: Any, made: Made, wanted: tuple[bool, ...], *tensors: Tensor) -> Any:  # type: ignore[override]
        count = len(made.wanted)
        ctx.made, ctx.like, ctx.bars = made, tensors[:count], tensors[count : count + len(wanted)]
        return second_derivative(made, ctx.like, ctx.bars, tensors[count + len(wanted) :], wanted)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:  # type: ignore[override]
        # H is symmetric, and the change of what was recorded is the transpose of the first derivative
        like, bars, count = ctx.like, ctx.bars, len(ctx.like)
        given = [
            torch.zeros_like(bar) if one is None else one for one, bar in zip(cotangents[count:], bars, strict=True)
        ]
        turned = Gradient.apply(ctx.made, *like, *given)
        bent = _Second.apply(ctx.made, (False,) * len(bars), *like, *bars, *cotangents[:count])[:count]
        sums = [None if one is None else one + other for one, other in zip(turned, bent, strict=True)]
        nothing = [torch.zeros_like(tensor) for tensor in (*like, *bars)]  # for _Once, which refuses
        return (None, None, *nothing, *sums)


class _Once(torch.autograd.Function):
    """The identity on what second derivatives are taken at, by which they have no derivative."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # type: ignore[override]
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Any:  # type: ignore[override]
        raise RuntimeError(
            "trying to differentiate three times through rollingball.pytorch.simulate (create_graph=True), whose "
            "second derivatives are marked with @once_differentiable: a run has first and second derivatives"
        )


def second_derivative(
    made: Made,
    like: tuple[Tensor, ...],
    bars: tuple[Tensor, ...],
    changes: tuple[Tensor | None, ...],
    wanted: tuple[bool, ...],
) -> tuple[Tensor | None, ...]:
    """The derivatives of the sum of ``changes`` times the first derivatives, by what made the run and by ``bars``.

    By what made it that is H u, u the changes. By the cotangents it is the change of what was recorded along u.
    """
    if not any(change is not None and bool(change.any()) for change in changes):
        flags = (*made.wanted, *wanted)
        return tuple(torch.zeros_like(one) if need else None for one, need in zip((*like, *bars), flags, strict=True))
    cotangent = dict(zip(made.recorded, map(plain, bars), strict=True))
    again = Again(made.run, cotangent, made.surface, is_continuous(made.adjoint), made.by_surface, None)
    directions, _several = directions_of(again.plan, _direction(made, again.plan, changes), again.parameters)
    first, (along,) = second_derivatives(again, directions, recorded=any(wanted))
    judged(first.found, True)
    found = product(first, along)
    refuse(found)
    tables: list[Tensor | None] = []
    for name, bar, need in zip(made.recorded, bars, wanted, strict=True):
        if need:
            refuse(found, along.recorded.share[name])
            frames = along.recorded.rows[name].reshape(bar.shape[1], bar.shape[0], *bar.shape[2:])
            tables.append(torch.as_tensor(np.moveaxis(frames, 0, 1).copy(), dtype=bar.dtype, device=bar.device))
        else:
            tables.append(None)
    return (*made.of_tensors(found, like), *tables)


def _direction(made: Made, plan: Any, changes: tuple[Tensor | None, ...]) -> dict[str, Any]:
    """Changes of the tensors that made a run as a direction of :func:`rollingball.hessian_vector`."""
    shapes, direction = shapes_of(plan), dict[str, Any]()
    parameters: dict[str, np.ndarray] = {}
    for name, change in zip(("start", *made.names), changes, strict=True):
        if change is None or not bool(change.any()):
            continue
        array = plain(change)
        if name.startswith("parameters."):
            parameters[name.split(".", 1)[1]] = array
            continue
        name = f"{name}_steps" if name in ("radius", "lr") and array.ndim == 2 else name.removeprefix("start_")
        shape = shapes[name]
        if len(shape) == 2 and name in ("start", "velocity"):
            array = array[..., : shape[1]]  # centres that touch have no height of their own
        direction[name] = np.broadcast_to(array, shape) if shape else array.reshape(())
    return direction | ({"parameters": parameters} if parameters else {})


def plain(tensor: Tensor) -> np.ndarray:
    """A tensor as a float64 array on the host, without its gradient."""
    return tensor.detach().cpu().double().numpy()


def _of(found: Any, name: str, tensor: Tensor) -> np.ndarray:
    """The derivative by one of the tensors, not yet summed to its shape."""
    if name.startswith("parameters."):
        return found.parameters.get(name.split(".", 1)[1], np.zeros(tuple(tensor.shape)))
    if name in ("radius", "lr"):
        return getattr(found, f"{name}_steps" if tensor.ndim == 2 else name)
    if name == "start_velocity":
        return found.velocity[:, : tensor.shape[-1]]
    derivative = getattr(found, name.removeprefix("start_"))
    if derivative is None:
        raise InputError(name, tensor, "above 0, where a derivative by it is asked for")
    return derivative


def _summed(derivative: np.ndarray, tensor: Tensor) -> Tensor:
    """A derivative by each ball and step, summed over those that share one number of the tensor."""
    whole = torch.as_tensor(np.array(derivative), dtype=tensor.dtype, device=tensor.device)
    padded = (1,) * (whole.ndim - tensor.ndim) + tuple(tensor.shape)
    return whole.sum_to_size(padded).reshape(tensor.shape)
