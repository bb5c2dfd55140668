"""A plane through the parameters of a model: its loss on a grid, as a surface that balls roll on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from rollingball import surfaces
from rollingball.core.errors import InputError, numbers
from rollingball.core.files import checked_path
from rollingball.pytorch.plane import plane_file
from rollingball.pytorch.plane.directions import Direction
from rollingball.pytorch.plane.losses import MeanLoss, recomputed_buffers
from rollingball.pytorch.plane.plane_choice import Choice, at_random, by_checkpoints, by_curvature, by_three
from rollingball.pytorch.plane.plane_grid import (
    GridOptions,
    PlanePoint,
    PlaneReport,
    State,
    grid_points,
    measured,
    nearest,
    placed,
)
from rollingball.pytorch.plane.project import projected
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces import Surface


@dataclass(frozen=True, eq=False)
class LossPlane:
    """theta(a, b) = origin + a d1 + b d2, and the loss of a model on a grid of (a, b).

    Where the directions are orthonormal, a ball in the plane is one of that radius in the space of parameters.

    Attributes:
        origin: The state_dict at (0, 0). Its buffers are those of all points, except for running statistics that are
            recomputed.
        directions: d1 and d2: a tensor for each parameter that moves, float32 or wider.
        box: ((low, high), (low, high)) (2, 2).
        heights: The loss at even steps over the box (N, M).
        kind: random, pca, through or hessian.
        orthonormal: Whether the directions are.
        report: How faithful it is.
        details: What the constructor found, numbers and lists by name; ``batched``: whether points were evaluated
            several at once.
        tied: Parameters that share a tensor with another one: {name: the other's}.
        recompute_batchnorm: Whether ``heights`` are of running statistics computed anew at each point.
        loss_scale: Of the surface.
    """

    origin: State
    directions: tuple[Direction, Direction]
    box: np.ndarray
    heights: np.ndarray
    kind: str
    orthonormal: bool
    report: PlaneReport
    details: dict[str, Any] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)
    recompute_batchnorm: bool = False
    loss_scale: float = 1.0

    def __repr__(self) -> str:
        size = sum(tensor.numel() for tensor in self.directions[0].values())
        return (
            f"LossPlane({self.kind!r}, {self.heights.shape[0]} x {self.heights.shape[1]} points of {size} parameters, "
            f"error {self.error:.2g}, residual {self.residual:.2g})"
        )

    @classmethod
    def random(
        cls,
        model: torch.nn.Module,
        loss_fn: Any,
        batches: Any,
        *,
        normalize: str | None = "filter",
        span: float = 1.0,
        **grid: Unpack[GridOptions],
    ) -> LossPlane:
        """The plane through the model along two random directions.

        Args:
            model: The model; its trainable parameters move.
            loss_fn: ``loss_fn(model(inputs), targets)``, the mean over a batch.
            batches: Pairs (inputs, targets), a list or a DataLoader.
            normalize: ``filter`` or ``layer``: lengths from the model (Li et al. 2018; tensors of fewer than two
                dimensions do not move with ``filter``), and directions are not made orthonormal. None: they are.
            span: The box is [-span, span] along both axes.
            grid: See :class:`GridOptions`.

        Raises:
            InputError: for an argument that cannot be used, and a loss that is not finite in the box.
        """
        chosen = at_random(model, normalize, span, grid.get("seed", 0))
        return cls._measured(chosen, model, loss_fn, batches, grid)

    @classmethod
    def pca(
        cls, checkpoints: Sequence[State], model: torch.nn.Module, loss_fn: Any, batches: Any,
        **grid: Unpack[GridOptions],
    ) -> LossPlane:  # fmt: skip
        """The plane through the last checkpoint along the two directions in which the checkpoints differ most.

        Args:
            checkpoints: Three or more state_dicts of the model. ``details`` has the ``coordinates`` of each, its
                ``distance`` from the plane, and the share of the variance that is ``explained``.
            model: The model, for its structure.
            loss_fn: As for :meth:`random`.
            batches: As for :meth:`random`.
            grid: See :class:`GridOptions`; by default the box holds all checkpoints with a margin.

        Raises:
            InputError: as for :meth:`random`; for checkpoints on a line.
        """
        return cls._measured(by_checkpoints(model, checkpoints), model, loss_fn, batches, grid)

    @classmethod
    def through(
        cls, state_dicts: Sequence[State], model: torch.nn.Module, loss_fn: Any, batches: Any,
        **grid: Unpack[GridOptions],
    ) -> LossPlane:  # fmt: skip
        """The plane through three state_dicts, the first at (0, 0) and the second on the first axis.

        Args:
            state_dicts: Three, not on a line; ``details`` has their ``coordinates``.
            model: The model, for its structure.
            loss_fn: As for :meth:`random`.
            batches: As for :meth:`random`.
            grid: See :class:`GridOptions`; by default the box holds the three with a margin.

        Raises:
            InputError: as for :meth:`random`.
        """
        return cls._measured(by_three(model, state_dicts), model, loss_fn, batches, grid)

    @classmethod
    def hessian(
        cls,
        model: torch.nn.Module,
        loss_fn: Any,
        batches: Any,
        *,
        span: float = 1.0,
        tol: float = 1e-4,
        max_products: int = 60,
        **grid: Unpack[GridOptions],
    ) -> LossPlane:
        """The plane through the model along the two directions of largest curvature.

        They are the eigenvectors of the Hessian's two algebraically largest eigenvalues, by Lanczos on
        Hessian-vector products. ``details`` has the ``eigenvalues`` and their ``residuals`` |H v - lambda v|.

        Args:
            model: The model, whose loss is twice differentiable; its trainable parameters move.
            loss_fn: As for :meth:`random`.
            batches: As for :meth:`random`.
            span: The box is [-span, span] along both axes.
            tol: Of Lanczos: the residual as a share of the largest eigenvalue.
            max_products: The most Hessian-vector products for each eigenvector; each is kept, as a copy of the
                parameters.
            grid: See :class:`GridOptions`.

        Raises:
            InputError: as for :meth:`random`.
        """
        chosen = by_curvature(model, loss_fn, batches, span, tol, max_products, grid.get("seed", 0))
        return cls._measured(chosen, model, loss_fn, batches, grid)

    @cached_property
    def surface(self) -> Surface:
        """The cubic spline through the heights (rb.surfaces.sampled): it ends at the edge of the box."""
        return surfaces.sampled(self.heights, self.box, loss_scale=self.loss_scale)

    @cached_property
    def error(self) -> float:
        """The stated error of the surface, in units of the loss.

        The larger of two measurements: how far the spline through every other height is from the heights it leaves
        out, which where the loss is smooth at this resolution is some sixteen times the surface's own error; and the
        largest difference at the check points. It is measured, not proved.
        """
        coarse = surfaces.sampled(self.heights[::2, ::2], self.box)
        return max(float(np.abs(coarse.value(self.grid) - self.heights.ravel()).max()), self.report.error)

    @property
    def residual(self) -> float:
        """The share of the gradient that is off the plane (see :class:`PlaneReport`)."""
        return self.report.residual

    @property
    def grid(self) -> np.ndarray:
        """The points of the grid (N M, 2), in the order of ``heights.ravel()``."""
        return grid_points(self.box, self.heights.shape)

    def parameters(self, point: Any) -> State:
        """The parameters that move, at one point (2,), or stacked along a first axis at several (n, 2)."""
        where = numbers("point", point, "two finite numbers")
        if where.shape[-1:] != (2,) or where.ndim > 2:
            raise InputError("point", point, "two finite numbers, or an array (n, 2)")
        return placed(self.origin, self.directions, where)

    def state_dict(self, point: Any, *, model: torch.nn.Module | None = None, batches: Any = None) -> State:
        """The state_dict at a point (2,) of the plane; tensors of its own.

        Args:
            point: Coordinates.
            model: The model, needed for a plane with recomputed running statistics.
            batches: The batches that its running statistics at the point are computed from. On other planes buffers are
                those of the origin.

        Raises:
            InputError: for a point that is none, and without a model and batches where they are needed.
        """
        if np.shape(point) != (2,):
            raise InputError("point", point, "two finite numbers")
        moved = self.parameters(point)
        state = {name: tensor.clone() for name, tensor in self.origin.items()} | moved
        if self.recompute_batchnorm:
            if model is None or batches is None:
                given = "model" if model is None else "batches"
                raise InputError(given, None, "given, for a plane whose running statistics were computed at each point")
            kept = {name: state[name].to(param) for name, param in model.named_parameters() if name in state}
            found = recomputed_buffers(model, batches, kept, state)
            state |= {name: tensor for name, tensor in found.items() if name in state}
        return state | {name: state[other] for name, other in self.tied.items()}

    def point(self, state_dict: State) -> PlanePoint:
        """The point of the plane nearest to a state_dict, and its distance, over the parameters that move.

        Raises:
            InputError: for a state_dict without one of them, or with another shape.
        """
        return nearest(self.origin, self.directions, state_dict, "state_dict")

    def project(self, trajectory: Trajectory) -> Trajectory:
        """A run in all parameters of the model as a run on this plane: the nearest points, to draw on ``surface``.

        Args:
            trajectory: What :class:`Recorder` or :func:`roll_model` gives, a run with the parameters that move.

        Returns:
            The run with feet (T, B, 2) and centres (T, B, 3), whose heights stay those of the run. Loss, gap, residual
            and radius stay as well; ``scene["off_plane"]`` has the distance of each foot from the plane (T, B). It has
            no final state, so it cannot go on.

        Raises:
            InputError: for a run that is not in the parameters of a model, or in other parameters than the plane's.
        """
        return projected(trajectory, self.point)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, whole or not at all.

        Raises:
            FileError: when the file cannot be written.
        """
        plane_file.save(self, checked_path(path))

    @staticmethod
    def load(path: str | Path, device: Any = "cpu") -> LossPlane:
        """Read what :meth:`save` wrote; nothing in the file is executed.

        Raises:
            FileError: for a file that is missing, truncated, foreign or newer than this version.
        """
        return LossPlane(**plane_file.load(checked_path(path), device))

    @classmethod
    def _measured(cls, chosen: Choice, model: Any, loss_fn: Any, batches: Any, grid: GridOptions) -> LossPlane:
        """The plane of a choice of origin and directions, with its losses on the grid."""
        recompute = bool(grid.get("recompute_batchnorm", False))
        kind, origin, directions, tied, box, details, is_orthonormal = chosen
        losses = MeanLoss(model, loss_fn, batches, origin, recompute)
        box, heights, report = measured(losses, origin, directions, box, grid)
        details = {**details, "batched": losses.batched}
        scale = float(grid.get("loss_scale", 1.0))
        return cls(origin, directions, box, heights, kind, is_orthonormal, report, details, tied, recompute, scale)
