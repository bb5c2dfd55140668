"""The arrays that the kernel of a discrete run fills, one for each column of its record."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp

from rollingball.core.launch import unwritten
from rollingball.methods.discrete.plan import DiscretePlan

COLUMNS = ("foot", "center", "center_height", "height", "residual")  # in the order of the kernel's arguments


def columns(plan: DiscretePlan) -> dict[str, Any]:
    """Arrays (T, B) for the kernel.

    On a CPU ``hosts`` has the same memory as arrays of NumPy. In float64 ``center`` and ``center_height`` lie in one of
    them, (T, B, d + 1), which needs no copy afterwards.
    """
    numeric, shape, dim = plan.numeric, (plan.length, plan.balls), plan.surface.dim
    kinds = dict(zip(COLUMNS, (numeric.vector, numeric.vector, wp.float64, wp.float64, numeric.scalar), strict=True))
    kept = {name: plan.keeps(name) for name in COLUMNS}
    if plan.device != "cpu":
        return {
            name: _endless(shape, kind, plan.device)
            if kept[name]
            else repeated(_endless((1, plan.balls), kind, plan.device), plan.length)
            for name, kind in kinds.items()
        }
    found: dict[str, Any] = {}
    hosts: dict[str, np.ndarray] = {}

    def host(name: str, kind: Any, numbers: int, dtype: Any) -> None:
        """An array of NumPy for a column; where it is not kept every frame is written to the same place."""
        hosts[name] = unwritten(np.empty((shape[0] if kept[name] else 1, shape[1], numbers), dtype))
        strides = (hosts[name].strides[0] * kept[name], hosts[name].strides[1])
        found[name] = _at(hosts[name].ctypes.data, kind, "cpu", shape, strides, hosts[name])

    host("foot", kinds["foot"], dim, numeric.dtype)
    if numeric.dtype == "float64":
        host("center", kinds["center"], dim + 1, np.float64)
        center = hosts["center"]
        above = center.ctypes.data + dim * center.itemsize
        found["center_height"] = _at(above, wp.float64, "cpu", shape, found["center"].strides, center)
    else:
        host("center", kinds["center"], dim, numeric.dtype)
        host("center_height", wp.float64, 1, np.float64)
    host("height", wp.float64, 1, np.float64)
    host("residual", kinds["residual"], 1, numeric.dtype)
    return {**{name: found[name] for name in COLUMNS}, "hosts": hosts}


def on_host(record: dict[str, Any]) -> dict[str, np.ndarray]:
    """The columns of :func:`columns` on the host: ``foot``, ``center`` (T, B, d + 1), ``height`` and ``residual``."""
    hosts = record.get("hosts") or {name: record[name].numpy() for name in COLUMNS}
    center = hosts["center"]
    if "center_height" in hosts:
        above = hosts["center_height"].reshape(*center.shape[:2], 1)
        center = np.concatenate([center.astype(np.float64), above], axis=-1)
    scalars = {name: hosts[name].reshape(hosts[name].shape[:2]) for name in ("height", "residual")}
    return {"foot": hosts["foot"], "center": center, **scalars}


def _endless(shape: tuple[int, ...], kind: Any, device: str) -> Any:
    return wp.full(shape, kind(np.inf), dtype=kind, device=device)


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
