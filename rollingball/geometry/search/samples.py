"""The highest value of a function over a box, from samples that are then refined: for functions of few dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollingball.geometry.search.bounds import golden_ratios


def spread(box: np.ndarray, count: int) -> np.ndarray:
    """About ``count`` points that fill a box evenly: a grid with its borders in d <= 2."""
    dim = len(box)
    if dim <= 2:
        side = max(round(count ** (1 / dim)), 3)
        axes = np.meshgrid(*(np.linspace(low, high, side) for low, high in box), indexing="ij")
        return np.stack([axis.ravel() for axis in axes], axis=-1)
    shares = (0.5 + np.outer(np.arange(1, count + 1), golden_ratios(dim))) % 1.0
    return box[:, 0] + shares * np.diff(box, axis=1)[:, 0]


def highest(
    function: Any, box: np.ndarray, count: int, tried: np.ndarray | None = None, kept: int = 8, rounds: int = 80
) -> tuple[np.ndarray, float]:
    """Where a function over a box is highest, and how high: samples, of which the best are refined along the axes."""
    x = spread(box, count) if tried is None else tried
    values = np.nan_to_num(function(x), nan=-np.inf)
    order = np.argsort(-values, kind="stable")[:kept]
    x, values = x[order], values[order]
    dim = len(box)
    step = np.diff(box, axis=1)[:, 0] / max(len(spread(box, count) if tried is None else tried) ** (1 / dim), 2)
    steps = np.tile(step, (len(x), 1))
    for _round in range(rounds):
        if (steps < 1e-12 * (1 + np.abs(x))).all():
            break
        moves = np.concatenate([np.eye(dim), -np.eye(dim)])
        there = np.clip(x[:, None] + moves * steps[:, None], box[:, 0], box[:, 1])
        found = np.nan_to_num(function(there.reshape(-1, dim)), nan=-np.inf).reshape(len(x), -1)
        best = found.argmax(axis=1)
        better = found[np.arange(len(x)), best] > values
        x = np.where(better[:, None], there[np.arange(len(x)), best], x)
        values = np.where(better, found[np.arange(len(x)), best], values)
        steps = np.where(better[:, None], steps, steps / 2)
    top = int(values.argmax())
    return x[top], float(values[top])
