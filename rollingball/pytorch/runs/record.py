"""Recorder: the training of a model by RollingBall, step by step, as a Trajectory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rollingball.core.errors import InputError, whole
from rollingball.pytorch.optimizer.closure import loss_of
from rollingball.pytorch.optimizer.groups import is_on_ball, one_ball
from rollingball.pytorch.optimizer.inner_calls import call_aside
from rollingball.pytorch.optimizer.optimizer import RollingBall
from rollingball.pytorch.optimizer.rules import shows_foot
from rollingball.pytorch.optimizer.tensors import is_sharded
from rollingball.pytorch.plane.plane import LossPlane
from rollingball.pytorch.runs.recording import Recording, State, begin
from rollingball.runs.record import versions
from rollingball.runs.trajectory import Trajectory

LOGGED = ("step", "time", "loss", "radius", "gap", "residual", "evaluations", "seconds")
MOST_NUMBERS = 2**22  # parameters of a model whose frames are kept in memory, and whose centres are kept at all


class Recorder:
    """Records where the ball is at every ``every``-th step of a RollingBall optimizer, from the first on.

    A frame is the ball before a step: the foot at which the step takes its gradient, the centre above it, and f at the
    foot. ``gap`` is an estimate: the distance of the centre from the tangent plane at the foot minus the radius; 0
    where the foot is that of the centre, and never more. ``residual`` is |s - rho g / w|, of ``footpoint`` what the
    projection reported. The loss and the gradient are those of the batch that the step saw.

        recorder = Recorder(optimizer, every=10, model=model)
        ... train ...
        recorder.close(closure)
        trajectory = recorder.trajectory()

    A recorded step copies the parameters and waits for the device; the others cost nothing. For ``footpoint`` the
    closure is called once more before the first step, to know the first centre.

    Args:
        optimizer: The optimizer, which is recorded until :meth:`close`.
        every: Steps from one frame to the next, 1 or more.
        folder: The folder that each frame is written to; needed above four million parameters. None: in memory.
        model: The model, whose parameter names the frames get, so that they load into it. None: the names that the
            optimizer was given.
        center: Whether the whole centre is recorded, or only its norm and height; by default up to four million
            parameters.
        shard_bytes: The size above which a frame is split over several files.
        log: Called with the numbers of each recorded step by name (``step``, ``time``, ``loss``, ``radius``, ``gap``,
            ``residual``, ``evaluations``, ``seconds``), to send them elsewhere; the loss is NaN where a step without a
            closure has not been told it by :meth:`note`, which calls it again.
        resume: Go on with the recording of the folder, where there is one: True where the optimizer is at the step
            after the newest frame, or still at that frame; else the number of steps it has made. Frames of this step
            and of later ones are recorded anew.

    Raises:
        InputError: for an argument that cannot be used.
        FileError: for a folder that has a recording already (unless it is resumed), or cannot be made.
    """

    def __init__(
        self,
        optimizer: RollingBall,
        every: int = 1,
        folder: str | Path | None = None,
        *,
        model: torch.nn.Module | None = None,
        center: bool | None = None,
        shard_bytes: int = 2**30,
        log: Callable[[dict[str, float]], Any] | None = None,
        resume: bool | int = False,
    ) -> None:
        if not isinstance(optimizer, RollingBall):
            raise InputError("optimizer", type(optimizer).__name__, "a RollingBall")
        if log is not None and not callable(log):
            raise InputError("log", log, "a function of a dict of numbers, or None")
        self.optimizer, self.every, self.log = optimizer, whole("every", every, 1), log
        self.params: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
        if any(is_sharded(param) for param in self.params):
            allowed = "whole parameters: a process has only its shard of these, and a frame is one vector of all"
            raise InputError("optimizer", "sharded parameters (DTensor)", allowed)
        if any(param.is_complex() for param in self.params):
            allowed = "real parameters: the points of a Trajectory are real; torch.view_as_real gives pairs"
            raise InputError("optimizer", "complex parameters", allowed)
        size = sum(param.numel() for param in self.params)
        if folder is None and size > MOST_NUMBERS:
            raise InputError("folder", None, f"a folder, for a model of {size} parameters")
        self.keeps_center = size <= MOST_NUMBERS if center is None else center
        self.names = self._names(model)
        scene = self._scene(size)
        whole("shard_bytes", shard_bytes, 1)
        goes_on = resume if isinstance(resume, bool) else whole("resume", resume) >= 0
        if goes_on and folder is None:
            raise InputError("folder", None, "the folder of the recording that is gone on with")
        self.recording: Recording = begin(self.names, self.params, folder, scene, shard_bytes, goes_on)
        self.step, self.time, self._evaluations = 0, 0.0, optimizer.evaluations
        self.began: float | None = None
        self._rates: list[Any] = []
        if self.recording.frames:
            self._go_on(self._next_step() if resume is True else resume)
        self._shown: list[Tensor] | None = None
        self._kept: list[Tensor] = []
        self._numbers: dict[str, Any] = {}
        self._hooks = [
            optimizer.register_step_pre_hook(self._before),
            optimizer.register_step_post_hook(self._after),
        ]

    def _next_step(self) -> int:
        """The step of the newest frame where the parameters are still those of that frame; otherwise the step after."""
        part = "foot" if shows_foot(self.optimizer.param_groups[0]) else "center"
        recording = self.recording
        newest, kept = recording.frames[-1]["step"], recording.tensors(len(recording.frames) - 1, part)
        if kept is None:
            return newest + 1
        is_same = True
        for name, param in zip(self.names, self.params, strict=True):
            here, rounding = param.detach().cpu(), 4 * torch.finfo(param.dtype).eps
            is_same &= bool((here - kept[name]).abs().le(rounding * here.abs().amax()).all()) if here.numel() else True
        return newest if is_same else newest + 1

    def _go_on(self, step: int) -> None:
        """Go on with the recording at a step: later frames are cut, and the numbers that add up follow the last one."""
        self.recording.cut(step)
        self.step = step
        if self.recording.frames:
            last = self.recording.frames[-1]
            rate = float(self.optimizer.param_groups[0]["lr"])
            self.time = last["time"] + rate * (step - last["step"])
            self._evaluations = self.optimizer.evaluations - last["evaluations"]
            self.began = time.perf_counter() - last["seconds"]

    def note(self, loss: Any) -> None:
        """Give the loss of the last step, where the optimizer takes its steps without a closure."""
        frames = self.recording.frames
        if frames and frames[-1]["step"] == self.step - 1:
            self.recording.note(float(loss_of(loss)))
            self._log()

    def close(self, closure: Callable[[], Any] | None = None) -> None:
        """Stop recording; a closure, called once, gives the frame after the last step.

        It is called at the foot, and leaves the gradients and running statistics as they are.
        """
        for hook in self._hooks:
            hook.remove()
        if self._hooks and closure is not None:
            with self.optimizer.foot_parameters(), self._aside(closure):
                loss = loss_of(closure())
                foot = [param.detach().clone() for param in self.params]
                self._settle(foot)
                self._add(foot, self._exact() if self._is_first_foot() else self._offsets(), loss)
        self._hooks = []
        self.recording.finish()

    def trajectory(self, plane: LossPlane | None = None) -> Trajectory:
        """What has been recorded so far, as a Trajectory of one ball in all parameters.

        Args:
            plane: Give its coordinates instead: the nearest points on it, to draw on ``plane.surface``.

        Raises:
            InputError: before the first step; for a plane of another model.
        """
        return self.recording.trajectory(plane)

    def _before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Before a step: keep the parameters that it starts from, where it is recorded."""
        self.began = time.perf_counter() if self.began is None else self.began
        self._shown = None
        self._is_at_foot = shows_foot(optimizer.param_groups[0]) or optimizer._surroundings.touched is not None
        if self.step % self.every == 0:
            self._settle([param.detach().clone() for param in self.params])
            closure = args[1] if len(args) > 1 else kwargs.get("closure")
            self._kept = self._offsets()
            if self._is_first_foot() and closure is not None and kwargs.get("scaler") is None:
                with self._aside(closure):  # no step has taken the gradient at the first foot, which says where its
                    closure()  # centre is
                    self._kept = self._exact()
        lr = optimizer.param_groups[0]["lr"]
        self._rates.append(lr.detach().clone() if isinstance(lr, Tensor) else lr)

    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """After a step: add its frame, where it is recorded."""
        if self._shown is not None:
            foot, offsets = self._shown, self._kept
            if not self._is_at_foot:
                offsets = self._offsets()
                foot = [param + offset for param, offset in zip(foot, offsets, strict=True)]
            self._add(foot, offsets, optimizer.last_loss)
        self.step += 1

    def _settle(self, shown: list[Tensor]) -> None:
        """Keep what a frame needs from before its step: the parameters shown, the time, the counts."""
        self._shown = shown
        self.time += sum(float(rate) for rate in self._rates)
        self._rates = []
        report = self.optimizer.last_projection
        self._numbers = {
            "step": self.step,
            "time": self.time,
            "residual": report.residual if report is not None and self.step else 0.0,
            "evaluations": self.optimizer.evaluations - self._evaluations,
            "seconds": time.perf_counter() - (self.began or 0.0),
        }

    def _add(self, foot: list[Tensor], offsets: list[Tensor], loss: Any) -> None:
        """Add the frame of a foot and an offset s; for a contact rule ``.grad`` has the gradient at the foot."""
        group, value = self.optimizer.param_groups[0], float("nan") if loss is None else float(loss_of(loss))
        radius = self._radius()
        lift = math.sqrt(max(radius * radius - _dot(offsets, offsets), 0.0))
        gap, residual = 0.0, self._numbers["residual"]
        if group["method"] == "contact":
            slopes = self._slopes()
            steepness = math.hypot(1.0, math.sqrt(_dot(slopes, slopes)))
            gap = (_dot(offsets, slopes) + lift) / steepness - radius
            away = [one - (radius / steepness) * other for one, other in zip(offsets, slopes, strict=True)]
            residual = math.sqrt(_dot(away, away))
        centers = [one - offset for one, offset in zip(foot, offsets, strict=True)]
        norm = math.sqrt(_dot(centers, centers))
        numbers = {"loss": value, "gap": gap, "residual": residual, "radius": radius, "lift": lift, "center_norm": norm}
        feet: State = dict(zip(self.names, (x.cpu() for x in foot), strict=True))
        across = dict(zip(self.names, (x.cpu() for x in centers), strict=True)) if self.keeps_center else None
        self.recording.add({**self._numbers, **numbers}, feet, across)
        self._log()

    def _log(self) -> None:
        """Give the numbers of the newest frame to ``log``."""
        if self.log is not None:
            self.log({name: self.recording.frames[-1][name] for name in LOGGED})

    def _is_first_foot(self) -> bool:
        """Whether ``footpoint`` has taken no step yet, so that the first centre is not known."""
        first = not any("offset" in self.optimizer.state.get(param, {}) for param in self.params)
        return first and self.optimizer.param_groups[0]["method"] == "footpoint"

    def _offsets(self) -> list[Tensor]:
        """Copies of s, zero where there is none yet."""
        states = [self.optimizer.state.get(param, {}) for param in self.params]
        pairs = zip(self.params, states, strict=True)
        return [own["offset"].clone() if "offset" in own else torch.zeros_like(param) for param, own in pairs]

    def _slopes(self) -> list[Tensor]:
        """The gradient of L f (of -L f where f is maximized) that is in ``.grad``."""
        scale, groups = self._scale(), self.optimizer.param_groups
        inside = [on for on, group in zip(is_on_ball(groups), groups, strict=True) for _ in group["params"]]
        pairs = zip(self.params, inside, strict=True)
        return [scale * p.grad if on and p.grad is not None else torch.zeros_like(p) for p, on in pairs]

    def _exact(self) -> list[Tensor]:
        """The offset rho g / w of the gradient that is in ``.grad``."""
        slopes = self._slopes()
        share = self._radius() / math.hypot(1.0, math.sqrt(_dot(slopes, slopes)))
        return [share * slope for slope in slopes]

    def _aside(self, closure: Callable[[], Any]) -> Any:
        """Inside, the closure may be called once; random numbers, buffers and gradients are then as before."""
        return call_aside(closure, self.params, self.optimizer.generators)

    def _radius(self) -> float:
        """The radius of the ball now."""
        return float(one_ball(self.optimizer.param_groups).radius)

    def _scale(self) -> float:
        """The loss scale L, negative where the loss is maximized."""
        group = self.optimizer.param_groups[0]
        return -group["loss_scale"] if group["maximize"] else group["loss_scale"]

    def _names(self, model: torch.nn.Module | None) -> list[str]:
        """The name of each parameter, in the order of the optimizer."""
        if model is None:
            given = [name for group in self.optimizer.param_groups for name in group.get("param_names", [])]
            return given if len(given) == len(self.params) else [f"parameter{k}" for k in range(len(self.params))]
        if not isinstance(model, torch.nn.Module):
            raise InputError("model", model, "a torch.nn.Module or None")
        known = {id(param): name for name, param in model.named_parameters()}
        if any(id(param) not in known for param in self.params):
            raise InputError("model", type(model).__name__, "the model whose parameters the optimizer has")
        return [known[id(param)] for param in self.params]

    def _scene(self, size: int) -> dict[str, Any]:
        """The settings of the run, as plain numbers and strings."""
        group = self.optimizer.param_groups[0]
        plain = {name: value for name, value in group.items() if isinstance(value, (bool, int, float, str))}
        plain |= {"lr": float(group["lr"]), "radius": self._radius()}
        return {
            "surface": {"name": "model", "dim": size, "loss_scale": self._scale()},
            "ball": {"radius": plain.pop("radius")},
            "run": {**plain, "optimizer": "RollingBall", "every": self.every},
            "versions": {**versions(), "torch": torch.__version__},
        }


def _dot(one: list[Tensor], other: list[Tensor]) -> float:
    """The inner product of two lists of tensors, summed in float64."""
    return float(sum(torch.sum(x * y, dtype=torch.float64).item() for x, y in zip(one, other, strict=True)))
