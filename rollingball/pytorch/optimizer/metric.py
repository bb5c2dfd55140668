"""The metric of the ball: units T of the parameters. In phi = T^-1 theta the ball is round (theory, section 13).

    s = rho L T^2 g / sqrt(1 + |L T g|^2),  |T^-1 s| <= rho

T is that of the centre, and stays during a step. Where T is 0 a parameter is not displaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.tensors import Space, Tensors, clones, is_sharded, local

METRICS = (None, "adaptive", "layer", "given")


class Units:
    """The units T of the parameters on the ball during one step.

    Args:
        factors: For each local tensor T, or a tensor whose absolute values are T.
        space: The vector space of the parameters.
    """

    def __init__(self, factors: Tensors, space: Space) -> None:
        self.factors, self.space = factors, space

    def stretch_(self, vectors: Tensors) -> None:
        """``vectors *= T``, in place: from phi to theta for a vector, from theta to phi for a gradient."""
        for vector, factor in zip(vectors, self.factors, strict=True):
            vector.mul_(factor.abs())

    def stretched(self, vectors: Tensors) -> Tensors:
        """``T * vectors``, a new list."""
        copies = clones(vectors)
        self.stretch_(copies)
        return copies

    def norm(self, grads: Tensors) -> Tensor:
        """|T g|, the length of a gradient in phi: a number on the device."""
        return self.space.norm(self.stretched(grads))


def units_at(optimizer: Any, params: Tensors, center: Tensors, space: Space) -> Units | None:
    """The units of one step; None for the plain ball.

    Args:
        optimizer: The RollingBall.
        params: The parameters on the ball that have a gradient.
        center: Their local tensors at the centre, which are not changed while the units are used.
        space: The vector space of the parameters.
    """
    metric = optimizer.param_groups[0]["metric"]
    if metric is None:
        return None
    if metric == "adaptive":
        return Units(center, space)
    if metric == "layer":
        sizes = [max(param.numel(), 1) ** -0.5 for param in params]
        return Units([norm * size for norm, size in zip(space.norms(center), sizes, strict=True)], space)
    return Units([_given(optimizer.units.get(param), view) for param, view in zip(params, center, strict=True)], space)


def _given(unit: Tensor | None, view: Tensor) -> Tensor:
    """The unit of one local tensor; 1 where none was given."""
    if unit is None:
        return torch.ones((), dtype=view.dtype, device=view.device)
    here = local(unit)
    return here.unsqueeze(-1) if here.ndim and here.ndim < view.ndim else here  # complex numbers are pairs


def checked_units(metric: Mapping[Any, Any], groups: list[dict[str, Any]]) -> dict[Tensor, Tensor]:
    """The units of a dictionary, laid out as the parameters are.

    Args:
        metric: Numbers or tensors above 0 by parameter, or by name where the parameters have names; a tensor has the
            shape of its parameter or one that broadcasts to it.
        groups: The groups of the optimizer.

    Raises:
        InputError: naming ``metric``.
    """
    by_name: dict[Any, Tensor] = {}
    for group in groups:
        by_name |= dict(zip(group.get("param_names", []), group["params"], strict=False))
        by_name |= {id(param): param for param in group["params"]}
    units = {}
    for key, value in metric.items():
        param = by_name.get(id(key) if isinstance(key, Tensor) else key)
        if param is None:
            shown = f"units of a tensor of shape {tuple(key.shape)}" if isinstance(key, Tensor) else f"units of {key!r}"
            raise InputError("metric", shown, "units by the optimizer's parameters, or by names where they have names")
        units[param] = _checked_unit(value, param)
    return units


def _checked_unit(value: Any, param: Tensor) -> Tensor:
    """One unit as a real tensor on the device of its parameter, sharded as that is."""
    allowed = f"finite numbers above 0 of shape {tuple(param.shape)}, or one that broadcasts to it"
    try:
        with torch.no_grad():
            unit = torch.as_tensor(value, device=param.device).detach()
            unit = unit.to(param.real.dtype if param.is_complex() else param.dtype).clone()
            fits = torch.broadcast_shapes(unit.shape, param.shape) == param.shape
            good = bool((unit > 0).all() and torch.isfinite(unit).all())
    except (TypeError, ValueError, RuntimeError):
        raise InputError("metric", value, allowed) from None
    if not fits or not good:
        raise InputError("metric", value, allowed)
    if unit.ndim and not is_sharded(unit):
        unit = unit.expand(param.shape).contiguous()
        if is_sharded(param):
            from torch.distributed.tensor import distribute_tensor

            unit = distribute_tensor(unit, param.device_mesh, param.placements)  # type: ignore[attr-defined]
    return unit
