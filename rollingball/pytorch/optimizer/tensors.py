"""Arithmetic on lists of tensors seen as one vector: foreach operations, and one norm over all devices and shards.

Every function takes real tensors of this process: of a sharded or complex tensor, :func:`local` gives the part here
as a real view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Tensors = list[Tensor]
PLAIN = (torch.nn.Parameter, Tensor)  # by far the most common, and quick to tell


def is_sharded(tensor: Tensor) -> bool:
    """Whether a tensor is a DTensor; importing torch.distributed.tensor to ask would slow every start."""
    return type(tensor) not in PLAIN and hasattr(tensor, "to_local") and hasattr(tensor, "device_mesh")


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds, complex numbers as pairs of real ones (a view)."""
    part: Tensor = tensor.to_local() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return torch.view_as_real(part) if part.is_complex() else part


def local_gradient(param: Tensor) -> Tensor:
    """The gradient of a parameter, laid out as the parameter is."""
    grad = param.grad
    assert grad is not None
    if is_sharded(param) and grad.placements != param.placements:  # type: ignore[attr-defined]
        grad = param.grad = grad.redistribute(param.device_mesh, param.placements)  # type: ignore[attr-defined]
    return local(grad)


def add_(to: Tensors, other: Tensors, alpha: float = 1.0, foreach: bool = True) -> None:
    """``to += alpha * other``, in place."""
    if not to:
        return
    if foreach:
        torch._foreach_add_(to, other, alpha=alpha)
    else:
        for x, y in zip(to, other, strict=True):
            x.add_(y, alpha=alpha)


def add(one: Tensors, other: Tensors, alpha: float = 1.0, foreach: bool = True) -> Tensors:
    """``one + alpha * other``, a new list."""
    if foreach and one:
        return list(torch._foreach_add(one, other, alpha=alpha))
    return [x.add(y, alpha=alpha) for x, y in zip(one, other, strict=True)]


def scale_(tensors: Tensors, factor: float | Tensor, foreach: bool = True) -> None:
    """``tensors *= factor``, in place; a tensor factor is a number on any device."""
    if not tensors:
        return
    if not isinstance(factor, Tensor):
        if foreach:
            torch._foreach_mul_(tensors, factor)
        else:
            for x in tensors:
                x.mul_(factor)
        return
    for device, part in by_device(tensors):
        here = factor.to(device, non_blocking=True)
        if foreach:
            torch._foreach_mul_(part, here)
        else:
            for x in part:
                x.mul_(here)


def copy_(to: Tensors, other: Tensors, foreach: bool = True) -> None:
    """``to = other``, in place."""
    if not to:
        return
    if foreach:
        torch._foreach_copy_(to, other)
    else:
        for x, y in zip(to, other, strict=True):
            x.copy_(y)


def clones(tensors: Tensors) -> Tensors:
    """A copy of each tensor."""
    return [x.clone() for x in tensors]


def select_(condition: Tensor, to: Tensors, other: Tensors) -> None:
    """``to = other`` where the condition, one boolean on the device, holds; otherwise ``to`` stays as it is."""
    for x, y in zip(to, other, strict=True):
        x.copy_(torch.where(condition.to(x.device, non_blocking=True), y, x))


def by_device(tensors: Tensors) -> list[tuple[torch.device, Tensors]]:
    """The tensors by the device they are on."""
    parts: dict[torch.device, Tensors] = {}
    for tensor in tensors:
        parts.setdefault(tensor.device, []).append(tensor)
    return list(parts.items())


class Space:
    """The vector space of all parameters: lengths and products in it run over every tensor, device and shard.

    Args:
        params: The parameters as the optimizer holds them, which say how each is sharded.
    """

    def __init__(self, params: Sequence[Tensor]) -> None:
        device = params[0].device if params else torch.device("cpu")
        self.device, self.params = device, params
        dtypes, devices = {param.dtype for param in params}, {param.device for param in params}
        self.plain = len(devices) <= 1 and not any(is_sharded(param) for param in params)
        self.dtype = torch.float64 if dtypes & {torch.float64, torch.complex128} else torch.float32
        self.exact = torch.float32 if device.type == "mps" else torch.float64

    def norm(self, tensors: Tensors) -> Tensor:
        """The Euclidean length of a list of local tensors, a number on the device of the first (float32 or wider)."""
        if not tensors:
            return torch.zeros((), dtype=self.dtype, device=self.device)
        parts = torch._foreach_norm(tensors, 2, dtype=self.dtype)
        if self.plain:
            return torch.linalg.vector_norm(torch.stack(list(parts)))
        return self._total([part.square() for part in parts]).sqrt()

    def norms(self, tensors: Tensors) -> Tensors:
        """The Euclidean length of each local tensor, over its shards: numbers on the devices of the tensors."""
        parts = list(torch._foreach_norm(tensors, 2, dtype=self.dtype)) if tensors else []
        if self.plain:
            return parts
        squares = [part.square() for part in parts]
        for param, square in zip(self.params, squares, strict=True):
            _sum_of_shards(square, _sharding(param))
        return [square.sqrt() for square in squares]

    def dot(self, one: Tensors, other: Tensors) -> float:
        """The inner product of two lists of local tensors, summed in float64 and brought to the host."""
        return float(self._total([torch.sum(x * y, dtype=self.exact) for x, y in zip(one, other, strict=True)]))

    def _total(self, parts: Tensors) -> Tensor:
        """The sum of one number for each parameter, over all devices and over the processes of shards."""
        total = torch.zeros((), dtype=parts[0].dtype if parts else self.dtype, device=self.device)
        groups: dict[Any, list[int]] = {}
        for index, param in enumerate(self.params):
            groups.setdefault(_sharding(param), []).append(index)
        for sharding, indices in groups.items():
            group_total = torch.stack([parts[i].to(self.device, non_blocking=True) for i in indices]).sum()
            _sum_of_shards(group_total, sharding)
            total += group_total
        return total


def _sum_of_shards(number: Tensor, sharding: Any) -> None:
    """Add up a number over the processes that hold the shards of a tensor, in place."""
    if sharding is not None:
        mesh, dims = sharding
        for dim in dims:
            torch.distributed.all_reduce(number, group=mesh.get_group(dim))


def _sharding(param: Tensor) -> Any:
    """The device mesh of a sharded tensor and the mesh dimensions it is split over; None for a tensor that is whole."""
    if not is_sharded(param):
        return None
    dims = tuple(dim for dim, placement in enumerate(param.placements) if placement.is_shard())  # type: ignore[attr-defined]
    return (param.device_mesh, dims) if dims else None  # type: ignore[attr-defined]
