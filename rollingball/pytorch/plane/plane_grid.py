"""Measuring the loss of a model on a plane: where points of the plane are, the grid, and how faithful it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np
import torch
from torch import Tensor

from rollingball import surfaces
from rollingball.core.errors import InputError, numbers, positive_scalar, whole
from rollingball.pytorch.plane.directions import Direction, combination, difference, dot, gram, wide
from rollingball.pytorch.plane.losses import MeanLoss

State = dict[str, Tensor]
LEAST_RESOLUTION = 7  # so that the spline through every other height has the four that it needs
MARGIN = 0.25  # of the extent of the checkpoints, around them


class GridOptions(TypedDict, total=False):
    """How a plane is measured.

    Attributes:
        resolution: Points along each axis, odd, 7 or above; one number or two. By default 31.
        box: ((low, high), (low, high)), in coordinates of the plane.
        chunk: Points that are evaluated at once; by default 32, fewer where the model is large, and one for
            convolutions on the CPU, which batch badly.
        check_points: Random points of the box where the loss and its gradient are taken, 1 or above; by default 16.
        recompute_batchnorm: Compute running statistics anew from the batches at each point; by default the model's own
            are used everywhere.
        progress: Show a bar.
        loss_scale: Of the surface: the height in parameter units of one unit of loss.
        seed: Of random directions and of the check points.
    """

    resolution: int | tuple[int, int]
    box: Any
    chunk: int | None
    check_points: int
    recompute_batchnorm: bool
    progress: bool
    loss_scale: float
    seed: int


class PlanePoint(NamedTuple):
    """Where parameters are, seen from a plane: the ``coordinates`` (2,) of its nearest point, ``distance`` away."""

    coordinates: np.ndarray
    distance: float


class PlaneReport(NamedTuple):
    """How faithful a plane is, at random points of its box.

    Attributes:
        residual: The RMS of the gradient's component off the plane over the RMS of the gradient, 0 to 1. Rolling in all
            parameters stays in the plane only where it is 0.
        off_plane: That component's RMS, in loss per unit of parameters.
        error: The largest difference of the surface and the loss at these points.
        points: How many there were.
    """

    residual: float
    off_plane: float
    error: float
    points: int


def placed(origin: State, directions: Sequence[Direction], where: np.ndarray) -> State:
    """The parameters that move at one point (2,), or stacked along a first axis at several (n, 2)."""
    result, (first, second) = {}, directions
    for name in first:
        weights = (torch.as_tensor(where[..., k]).to(first[name]) for k in range(2))
        a, b = (weight.reshape((*weight.shape, *[1] * first[name].ndim)) for weight in weights)
        result[name] = (wide(origin[name]) + a * first[name] + b * second[name]).to(origin[name].dtype)
    return result


def nearest(origin: State, directions: Sequence[Direction], state_dict: Any, field: str) -> PlanePoint:
    """The point of a plane nearest to a state_dict, or an InputError that names ``field``."""
    away = checked_difference(field, state_dict, origin, list(directions[0]))
    along = np.array([dot(direction, away) for direction in directions])
    coordinates = np.linalg.solve(gram(directions), along)
    off = combination([1.0, *map(float, -coordinates)], [away, *directions])
    return PlanePoint(coordinates, dot(off, off) ** 0.5)


def grid_points(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Even steps over the box, both ends included (N M, 2), the second coordinate running fastest."""
    axes = [np.linspace(low, high, count) for (low, high), count in zip(box, shape, strict=True)]
    return np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], axis=-1)


def measured(
    losses: MeanLoss, origin: State, directions: tuple[Direction, Direction], box: Any, grid: GridOptions
) -> tuple[np.ndarray, np.ndarray, PlaneReport]:
    """The box (2, 2), that of ``grid`` before ``box``; the heights on the grid (N, M); and the report."""
    unknown = sorted(set(grid) - set(GridOptions.__annotations__))
    if unknown:
        raise InputError(unknown[0], dict(grid)[unknown[0]], ", ".join(GridOptions.__annotations__))
    box, shape = checked_box(grid.get("box", box)), _resolution(grid.get("resolution", 31))
    count = whole("check_points", grid.get("check_points", 16), 1)
    chunk = grid.get("chunk")
    if chunk is not None:
        whole("chunk", chunk, 1)
    positive_scalar("loss_scale", grid.get("loss_scale", 1.0))
    random = np.random.default_rng(whole("seed", grid.get("seed", 0)))
    points = grid_points(box, shape)
    heights = losses.values(
        lambda where: placed(origin, directions, where), points, chunk, bool(grid.get("progress", False))
    ).reshape(shape)
    if not np.isfinite(heights).all():
        found = f"{(~np.isfinite(heights)).sum()} of {heights.size} losses that are not finite"
        raise InputError("box", found, "a smaller box (or span), over which the loss is finite")
    at = random.uniform(box[:, 0], box[:, 1], (count, 2))
    values, squares, off_squares = np.array([_checked(losses, origin, directions, point) for point in at]).T
    error = float(np.abs(surfaces.sampled(heights, box).value(at) - values).max())
    total, off = float(np.sqrt(squares.mean())), float(np.sqrt(off_squares.mean()))
    return box, heights, PlaneReport(off / total if total > 0 else 0.0, off, error, count)


def _checked(
    losses: MeanLoss, origin: State, directions: Sequence[Direction], point: np.ndarray
) -> tuple[float, float, float]:
    """The loss at a point, the square of its gradient, and that of the gradient's part off the plane."""
    loss, slope = losses.gradient(placed(origin, directions, point))
    gradient = {name: wide(slope[name]) for name in directions[0]}
    along = np.linalg.solve(gram(directions), np.array([dot(direction, gradient) for direction in directions]))
    off = combination([1.0, *map(float, -along)], [gradient, *directions])
    return loss, dot(gradient, gradient), dot(off, off)


def seen(origin: State, directions: Sequence[Direction], states: Sequence[State]) -> tuple[dict[str, Any], np.ndarray]:
    """Where states are, seen from a plane (``coordinates``, ``distance``), and a box around them with a margin."""
    found = [nearest(origin, directions, state, "state_dict") for state in states]
    points = np.array([one.coordinates for one in found])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * np.maximum(high - low, 0.1 * (high - low).max())
    details = {"coordinates": points.tolist(), "distance": [one.distance for one in found]}
    return details, np.stack([low - margin, high + margin], axis=1)


def around(span: Any) -> np.ndarray:
    """The box [-span, span] along both axes."""
    positive_scalar("span", span)
    return np.array([[-span, span], [-span, span]], dtype=float)


def checked_box(box: Any) -> np.ndarray:
    """``box`` as (2, 2), or an InputError."""
    allowed = "two pairs (low, high) with low < high"
    pairs = numbers("box", box, allowed)
    if pairs.shape != (2, 2) or not (pairs[:, 0] < pairs[:, 1]).all():
        raise InputError("box", box, allowed)
    return pairs


def _resolution(value: Any) -> tuple[int, int]:
    """The numbers of points along both axes, or an InputError."""
    allowed = f"an odd number, {LEAST_RESOLUTION} or above, or two"
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise InputError("resolution", value, allowed)
    for count in pair:
        try:
            is_allowed = whole("resolution", count, LEAST_RESOLUTION) % 2 == 1
        except InputError:
            is_allowed = False
        if not is_allowed:
            raise InputError("resolution", value, allowed)
    return pair


def checked_state(field: str, state_dict: Any, names: Sequence[str], like: State | None = None) -> State:
    """A state_dict of tensors that has all ``names``, with the shapes of ``like``, or an InputError."""
    if not isinstance(state_dict, dict):
        raise InputError(field, type(state_dict).__name__, "a state_dict")
    for name, tensor in state_dict.items():
        if not isinstance(tensor, Tensor):
            raise InputError(f"{field}.{name}", type(tensor).__name__, "a tensor")
    for name in names:
        if name not in state_dict:
            raise InputError(field, f"a state_dict without {name}", "a state_dict of the model")
        if like is not None and state_dict[name].shape != like[name].shape:
            raise InputError(f"{field}.{name}", tuple(state_dict[name].shape), f"shape {tuple(like[name].shape)}")
    return state_dict


def checked_states(field: str, value: Any) -> list[State]:
    """A list of state_dicts, or an InputError."""
    if isinstance(value, dict) or not hasattr(value, "__iter__"):
        raise InputError(field, type(value).__name__, "a list of state_dicts")
    return list(value)


def checked_difference(field: str, state_dict: Any, origin: State, names: Sequence[str]) -> Direction:
    """``state_dict - origin`` over the parameters that move, or an InputError."""
    return difference(checked_state(field, state_dict, names, origin), origin, names)


def copied(field: str, state_dict: Any, names: Sequence[str], like: State | None = None) -> State:
    """Copies of all tensors of a state_dict that has all ``names``, in the type and on the device of ``like``."""
    given, like = checked_state(field, state_dict, names, like), like or {}
    return {name: tensor.detach().to(like.get(name, tensor), copy=True) for name, tensor in given.items()}
