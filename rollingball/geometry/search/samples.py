"""The maximum of a function over a box of few dimensions, by samples of which the best are refined."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.core.compiled import compiled


@compiled
def golden_ratios(dim: int) -> tuple[float, ...]:
    """The steps (d,) of an additive recurrence that fills the unit cube evenly: point k is (1/2 + k steps) modulo 1.

    They are the powers of 1 / g, where g generalises the golden ratio: g^(d + 1) = g + 1.
    """
    golden = 2.0
    for _ in range(60):
        golden = (1 + golden) ** (1 / (dim + 1))
    return tuple(golden ** -(i + 1) % 1.0 for i in range(dim))


def evenly_spread(box: np.ndarray, count: int) -> np.ndarray:
    """About ``count`` points (N, d) that fill a box (d, 2) evenly; for d <= 2 they are a grid up to its borders."""
    dim = len(box)
    if dim <= 2:
        side = max(round(count ** (1 / dim)), 3)
        axes = np.meshgrid(*(np.linspace(low, high, side) for low, high in box), indexing="ij")
        return np.stack([axis.ravel() for axis in axes], axis=-1)
    shares = (0.5 + np.outer(np.arange(1, count + 1), golden_ratios(dim))) % 1.0
    return box[:, 0] + shares * np.diff(box, axis=1)[:, 0]


def maximise(
    function: Any, box: np.ndarray, count: int, tried: np.ndarray | None = None, kept: int = 8, rounds: int = 80
) -> tuple[np.ndarray, float]:
    """The point (d,) of a box (d, 2) at which a function is largest, as far as samples show, and its value there.

    Args:
        function: A function of points (N, d) with values (N,); NaN counts as -inf.
        box: The box.
        count: The number of samples, unless they are given.
        tried: The samples (N, d); by default a grid.
        kept: The number of best samples to refine: by steps along the axes, halved where none is better.
        rounds: The largest number of such steps.
    """
    tried = evenly_spread(box, count) if tried is None else tried
    values = np.nan_to_num(function(tried), nan=-np.inf)
    order = np.argsort(-values, kind="stable")[:kept]
    x, values = tried[order], values[order]
    dim = len(box)
    step = np.diff(box, axis=1)[:, 0] / max(len(tried) ** (1 / dim), 2)
    steps = np.tile(step, (len(x), 1))
    for _round in range(rounds):
        if (steps < 1e-12 * (1 + np.abs(x))).all():
            break
        moves = np.concatenate([np.eye(dim), -np.eye(dim)])
        candidates = np.clip(x[:, None] + moves * steps[:, None], box[:, 0], box[:, 1])
        neighbours = np.nan_to_num(function(candidates.reshape(-1, dim)), nan=-np.inf).reshape(len(x), -1)
        best = neighbours.argmax(axis=1)
        better = neighbours[np.arange(len(x)), best] > values
        x = np.where(better[:, None], candidates[np.arange(len(x)), best], x)
        values = np.where(better, neighbours[np.arange(len(x)), best], values)
        steps = np.where(better[:, None], steps, steps / 2)
    top = int(values.argmax())
    return x[top], float(values[top])
