"""The arrays that the kernel of a discrete run fills, one for each column of its record."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.launch import empty, fill_host
from rollingball.methods.discrete.plan import DiscretePlan

COLUMNS = ("foot", "center", "center_height", "height", "residual")  # in the order of the kernel's arguments


def columns(plan: DiscretePlan) -> dict[str, Any]:
    """Arrays (T, B) for the kernel, of inf, so that a frame that it did not write would be seen.

    On a CPU in float64 ``center`` and ``center_height`` lie in one array (T, B, d + 1), which needs no copy afterwards.
    """
    numeric, shape = plan.numeric, (plan.length, plan.balls)
    kinds = {
        "foot": numeric.vector, "center": numeric.vector, "center_height": wp.float64, "height": wp.float64,
        "residual": numeric.scalar,
    }  # fmt: skip
    found: dict[str, Any] = {}
    if plan.keeps("center") and plan.device == "cpu" and numeric.dtype == "float64":
        whole = np.empty((*shape, numeric.dim + 1))
        fill_host(whole, np.inf)
        found["whole"] = whole
        for name, number in (("center", 0), ("center_height", numeric.dim)):
            address = whole.ctypes.data + number * whole.itemsize
            found[name] = _at(address, kinds[name], "cpu", shape, whole.strides[:2], whole)
    for name, kind in kinds.items():
        if plan.keeps(name):
            found.setdefault(name, _endless(shape, kind, plan.device))
        else:  # every frame is written to the same place
            found[name] = repeated(_endless((1, plan.balls), kind, plan.device), plan.length)
    return found


def _endless(shape: tuple[int, ...], kind: Any, device: str) -> Any:
    array = empty(shape, kind, device)
    if device == "cpu":
        fill_host(array.numpy(), np.inf)
    else:
        array.fill_(kind(np.inf))
    return array


def whole_centers(arrays: dict[str, Any]) -> np.ndarray:
    """The centres (T, B, d + 1) in float64, from the arrays on the host."""
    if "whole" in arrays:
        return arrays["whole"]
    return np.concatenate([arrays["center"].astype(np.float64), arrays["center_height"][..., None]], axis=-1)


def counted_from(array: Any, first: int, axis: int) -> Any:
    """The same memory as an array whose index along ``axis`` begins at ``first``.

    The part of a run that begins with ball ``first`` numbers its balls as the whole run does, since random numbers of
    a ball depend on its number.
    """
    if first == 0:
        return array
    shape = tuple(size + first if number == axis else size for number, size in enumerate(array.shape))
    address = array.ptr - first * array.strides[axis]
    return _at(address, array.dtype, array.device, shape, array.strides, array)


def repeated(row: Any, count: int) -> Any:
    """An array (count, B) all of whose rows are the same one (1, B)."""
    return _at(row.ptr, row.dtype, row.device, (count, row.shape[1]), (0, row.strides[1]), row)


def _at(address: int, kind: Any, device: Any, shape: tuple[int, ...], strides: tuple[int, ...], memory: Any) -> Any:
    """An array in the memory of another, which lives as long."""
    array: Any = wp.array(ptr=address, dtype=kind, shape=shape, strides=strides, device=device, copy=False)
    array.memory = memory
    return array
