"""The mean loss of a model over batches as a function of its parameters; the model itself is left as it is."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from rollingball.core.errors import InputError
from rollingball.pytorch.plane.batches import arguments_of, checked_batches, examples, length, paired
from rollingball.pytorch.plane.finite import all_finite, refuse_not_finite

CHUNK_NUMBERS = 2**25  # parameters of all points of a chunk together
CHUNK_POINTS = 32
Parameters = dict[str, Tensor]
Placed = Callable[[np.ndarray], Parameters]


class MeanLoss:
    """The loss of a model in evaluation mode, averaged over batches.

    Every call puts parameters and copies of the buffers into the model for its duration (torch.func.functional_call),
    and afterwards gives each module its training mode back.

    Args:
        model: The model.
        loss_fn: ``loss_fn(model(inputs), targets)``, one number: the mean over the batch.
        batches: Pairs (inputs, targets) that can be iterated again and again, such as a list or a DataLoader. Inputs
            that are a tuple or a dictionary are the arguments of the model. Batches weigh as many examples as the first
            axis of their targets has.
        buffers: Buffers by name that are used instead of the model's.
        recompute_batchnorm: Before each evaluation, running statistics are computed anew from the inputs of all
            batches (those of each batch weigh the same), instead of taken from the model.

    Attributes:
        batched: Whether several points have been evaluated at once, which not every model allows.

    Raises:
        InputError: for arguments that are none of this.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss_fn: Callable[..., Any],
        batches: Any,
        buffers: Parameters | None = None,
        recompute_batchnorm: bool = False,
    ) -> None:
        if not callable(loss_fn):
            raise InputError("loss_fn", loss_fn, "a function of the model's outputs and the targets")
        self.model, self.loss_fn, self.batches = model, loss_fn, checked_batches(batches)
        self.recompute, self.batched, self._may_batch = recompute_batchnorm, False, not recompute_batchnorm
        self.device, self.own = _device(model), buffers or {}

    def values(
        self, placed: Placed, points: np.ndarray, chunk: int | None = None, progress: bool = False
    ) -> np.ndarray:
        """The loss at points.

        Args:
            placed: Gives the parameters of points (n, k), each with a first axis of n.
            points: (N, k).
            chunk: Points that are evaluated at once; by default 32, fewer where the model is large, and one for
                convolutions on the CPU, which took twice the time in batches of 32.
            progress: Show a bar.

        Returns:
            (N,), float64.
        """
        totals, weight = np.zeros(len(points)), 0.0
        with self._quiet(), _bar(progress, len(points) * (1 if self.recompute else length(self.batches))) as advance:
            if self.recompute:
                for index in range(len(points)):
                    totals[index] = self.value(_first(placed(points[index : index + 1])))
                    advance(1)
                return totals
            for batch in self.batches:
                inputs, targets = paired(batch, self.device)
                share = examples(targets)
                weight += share
                index = 0
                while index < len(points):
                    stop = index + self._chunk(placed, points[index], chunk)
                    found = self._several(placed(points[index:stop]), inputs, targets)
                    totals[index : index + len(found)] += share * found
                    advance(len(found))
                    index += len(found)
        return totals / weight

    def value(self, parameters: Parameters, *, buffers: Parameters | None = None) -> float:
        """The loss at one point, with recomputed statistics where that was asked for."""
        with self._quiet():
            if self.recompute and buffers is None:
                buffers = self.recomputed(parameters)
            total, weight = 0.0, 0.0
            for batch in self.batches:
                inputs, targets = paired(batch, self.device)
                share = examples(targets)
                total += share * float(self._loss(parameters, inputs, targets, buffers))
                weight += share
        return total / weight

    def gradient(self, parameters: Parameters) -> tuple[float, Parameters]:
        """The loss and its gradient at one point; recomputed statistics are constants for it."""
        with evaluation_mode(self.model):
            buffers = self.recomputed(parameters) if self.recompute else None
            leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in parameters.items()}
            total, weight = 0.0, 0.0
            result = {name: torch.zeros_like(tensor) for name, tensor in parameters.items()}
            for batch in self.batches:
                inputs, targets = paired(batch, self.device)
                share = examples(targets)
                with torch.enable_grad():
                    loss = self._loss(leaves, inputs, targets, buffers)
                grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
                for name, grad in zip(leaves, grads, strict=True):
                    if grad is not None:
                        result[name].add_(grad, alpha=share)
                total += share * loss.item()
                weight += share
        return total / weight, {name: tensor / weight for name, tensor in result.items()}

    def finite_gradient(self, parameters: Parameters) -> tuple[float, Parameters]:
        """:meth:`gradient`, where it is finite.

        Raises:
            InputError: otherwise, naming ``model``, ``batches`` or ``loss_fn``: what is not finite.
        """
        loss, gradient = self.gradient(parameters)
        if not (math.isfinite(loss) and all_finite(gradient)):
            refuse_not_finite({**parameters, **_buffers(self.model, self.own)}, self.batches, loss)
        return loss, gradient

    def hessian_product(self, parameters: Parameters, direction: Parameters) -> Parameters:
        """The Hessian of the loss at one point times a direction, by differentiating twice."""
        with evaluation_mode(self.model):
            leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in parameters.items()}
            weight, result = 0.0, {name: torch.zeros_like(tensor) for name, tensor in direction.items()}
            for batch in self.batches:
                inputs, targets = paired(batch, self.device)
                share = examples(targets)
                with torch.enable_grad():
                    loss = self._loss(leaves, inputs, targets, None)
                    slopes = torch.autograd.grad(loss, list(leaves.values()), create_graph=True, allow_unused=True)
                    parts = [
                        (slope * direction[name].to(slope)).sum()
                        for name, slope in zip(leaves, slopes, strict=True)
                        if slope is not None and slope.requires_grad
                    ]
                weight += share
                if not parts:  # the loss is linear
                    continue
                along = torch.stack([part.to(parts[0]) for part in parts]).sum()
                products = torch.autograd.grad(along, list(leaves.values()), allow_unused=True)
                for name, product in zip(leaves, products, strict=True):
                    if product is not None:
                        result[name].add_(product.to(result[name]), alpha=share)
        return {name: tensor / weight for name, tensor in result.items()}

    def recomputed(self, parameters: Parameters) -> Parameters:
        """See :func:`recomputed_buffers`."""
        return recomputed_buffers(self.model, self.batches, parameters, self.own)

    def _several(self, stacked: Parameters, inputs: Any, targets: Any) -> np.ndarray:
        """The losses of one batch at points stacked along the first axis, or at the first where one goes at a time."""
        count = len(next(iter(stacked.values())))
        if self._may_batch and count > 1:
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
                    losses = vmap(lambda one: self._loss(one, inputs, targets, None))(stacked)
                self.batched = True
                return losses.cpu().double().numpy()
            except Exception:  # whatever vmap cannot do, the loop can; what the model cannot do, it says again there
                self._may_batch = False
        return np.array([float(self._loss(_first(stacked), inputs, targets, None))])

    def _loss(self, parameters: Parameters, inputs: Any, targets: Any, buffers: Parameters | None) -> Tensor:
        """The loss of one batch at one point, a tensor without axes."""
        arguments, named = arguments_of(inputs)
        buffers = _buffers(self.model, self.own) if buffers is None else buffers
        outputs = functional_call(self.model, (parameters, buffers), arguments, named)
        loss = self.loss_fn(outputs, targets)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            shape = tuple(loss.shape) if isinstance(loss, Tensor) else loss
            raise InputError("loss_fn", shape, "a function that returns a tensor of one number")
        return loss.reshape(())

    def _chunk(self, placed: Placed, point: np.ndarray, chunk: int | None) -> int:
        """How many points are evaluated at once."""
        if not self._may_batch:
            return 1
        if chunk is not None:
            return chunk
        if self.device.type == "cpu" and any(isinstance(module, _ConvNd) for module in self.model.modules()):
            return 1
        size = sum(param.numel() for param in self.model.parameters())
        return max(1, min(CHUNK_POINTS, CHUNK_NUMBERS // max(size, 1)))

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """The model in evaluation mode, and no gradients."""
        with evaluation_mode(self.model), torch.no_grad():
            yield


def recomputed_buffers(
    model: torch.nn.Module, batches: Any, parameters: Parameters, buffers: Parameters | None = None
) -> Parameters:
    """The buffers of a model with running statistics computed from the inputs of all batches.

    Each batch weighs the same, and all layers are averaged in one pass, so a layer sees inputs that the layers before
    it normalized by their batch.
    """
    device, buffers = _device(model), _buffers(model, buffers or {})
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, _BatchNorm)}
    layers = {name: layer for name, layer in layers.items() if layer.running_mean is not None}
    kept = {name: layer.momentum for name, layer in layers.items()}
    with evaluation_mode(model), torch.no_grad():
        try:
            for name, layer in layers.items():
                layer.training, layer.momentum = True, None  # type: ignore[assignment]
                for part in ("running_mean", "running_var", "num_batches_tracked"):
                    buffers[f"{name}.{part}" if name else part].zero_()
            for batch in checked_batches(batches):
                arguments, named = arguments_of(paired(batch, device)[0])
                functional_call(model, (parameters, buffers), arguments, named)
        finally:
            for name, layer in layers.items():
                layer.momentum = kept[name]
    return buffers


@contextlib.contextmanager
def evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """All modules in evaluation mode inside, and each in its own again afterwards, whatever happens."""
    kept = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in kept:
            module.training = training


def _device(model: torch.nn.Module) -> torch.device:
    """The device of the first parameter of a model."""
    return next((param.device for param in model.parameters()), torch.device("cpu"))


def _buffers(model: torch.nn.Module, own: Parameters) -> Parameters:
    """Copies of the buffers of a model, with those given in place of its own."""
    return {name: own.get(name, buffer).detach().to(buffer, copy=True) for name, buffer in model.named_buffers()}


def _first(stacked: Parameters) -> Parameters:
    """The first of the points that are stacked along the first axis of each tensor."""
    return {name: tensor[0] for name, tensor in stacked.items()}


@contextlib.contextmanager
def _bar(progress: bool, total: int) -> Iterator[Callable[[int], Any]]:
    """A progress bar, or nothing that looks like one."""
    if not progress:
        yield lambda count: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="loss", desc="loss plane") as bar:
        yield bar.update
