"""roll_model: full-batch rolling of one ball in all parameters of a model."""

from __future__ import annotations

import copy
from typing import Any

import torch

from rollingball.core.errors import InputError, whole
from rollingball.geometry.foot.projection import GradientProjection, NewtonProjection
from rollingball.methods import FootpointRBO
from rollingball.pytorch.optimizer.footpoint import LBFGSProjection
from rollingball.pytorch.optimizer.optimizer import RollingBall
from rollingball.pytorch.plane.batches import checked_batches, examples, paired, predicted
from rollingball.pytorch.runs.record import Recorder
from rollingball.runs.trajectory import Trajectory

EXACT = LBFGSProjection(tol=1e-10, max_evaluations=200)


def roll_model(
    model: torch.nn.Module,
    loss_fn: Any,
    batches: Any,
    method: FootpointRBO | None = None,
    *,
    radius: float,
    steps: int,
    every: int = 1,
    in_place: bool = False,
    folder: Any = None,
    progress: bool = False,
    **options: Any,
) -> Trajectory:
    """Roll a ball on the mean loss over all batches, in all trainable parameters of a model.

    Args:
        model: The model, in the training mode that it is in; dropout and running statistics are those of its mode, so
            call ``model.eval()`` before for a loss that is a function of the parameters alone.
        loss_fn: ``loss_fn(model(inputs), targets)``, the mean over a batch.
        batches: Pairs (inputs, targets), a list or a DataLoader, all of them in each evaluation.
        method: Algorithm 1 as ``rb.FootpointRBO(lr, projection)``, with the paper's GradientProjection, or an exact
            foot (NewtonProjection, and none, become limited-memory BFGS to 1e-10 of a step). None: the rule that
            ``options`` say.
        radius: rho.
        steps: How many, 0 or more.
        every: Steps from one frame to the next; the last is a frame too.
        in_place: Leave the model at the last parameters shown. By default it is not changed.
        folder: For a large model, where frames are written; see :class:`Recorder`.
        progress: Show a bar.
        options: Arguments of :class:`RollingBall`: ``lr``, ``contact_steps``, ``loss_scale``, ``momentum``, ...

    Returns:
        A Trajectory of one ball in all parameters, from which :func:`load_into` loads frames.

    Raises:
        InputError: for an argument that cannot be used.
        FileError: as :class:`Recorder`.
    """
    if not isinstance(model, torch.nn.Module):
        raise InputError("model", model, "a torch.nn.Module")
    steps = whole("steps", steps)
    checked_batches(batches)
    if method is not None:
        options = {**_options(method), **options}
    if "lr" not in options:
        raise InputError("lr", None, "a number, where no method has it")
    model = model if in_place else copy.deepcopy(model)
    params = [param for param in model.parameters() if param.requires_grad]
    if not params:
        raise InputError("model", type(model).__name__, "a model with trainable parameters")
    device = params[0].device
    optimizer = RollingBall(params, radius=radius, **options)
    recorder = Recorder(optimizer, every, folder, model=model)

    def closure() -> Any:
        optimizer.zero_grad()
        pairs = [paired(batch, device) for batch in batches]
        weight = sum(examples(targets) for _, targets in pairs)
        total = torch.zeros((), dtype=torch.float64, device=device)
        for inputs, targets in pairs:
            loss = (examples(targets) / weight) * loss_fn(predicted(model, inputs), targets)
            loss.backward()
            total += loss.detach()
        return total

    bar: Any = range(steps)
    if progress:
        from tqdm import tqdm

        bar = tqdm(bar, unit="step", desc=type(model).__name__)
    for _ in bar:
        optimizer.step(closure)
    recorder.close(closure)
    optimizer.zero_grad()
    return recorder.trajectory()


def _options(method: Any) -> dict[str, Any]:
    """The arguments of RollingBall that a method says."""
    allowed = "an rb.FootpointRBO with one lr and a GradientProjection, NewtonProjection or none, or None"
    if not isinstance(method, FootpointRBO) or isinstance(method.lr, bool) or not isinstance(method.lr, (int, float)):
        raise InputError("method", method, allowed)
    projection: Any = method.projection
    if projection is None or isinstance(projection, NewtonProjection):  # a model has more than two parameters
        projection = EXACT
    if not isinstance(projection, GradientProjection | LBFGSProjection):
        raise InputError("method", method, allowed)
    return {"method": "footpoint", "lr": float(method.lr), "projection": projection}
