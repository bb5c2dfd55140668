"""simulate as a torch function: balls start from a tensor, and the recorded arrays are tensors on its device."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rollingball.core.errors import InputError, RunInterrupted
from rollingball.core.status import Status
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods import BODIES, FLOWS
from rollingball.methods.discrete.methods import in_dimensions
from rollingball.methods.discrete.plan import plan_discrete
from rollingball.methods.discrete.record import radii, times
from rollingball.methods.discrete.roll import roll_plan
from rollingball.runs.derivatives import beginning
from rollingball.runs.fields import FIELDS
from rollingball.runs.request import Request
from rollingball.runs.states import unpacked
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import simulate as simulate_on_host
from rollingball.surfaces.base import checked_surface

NAMES = frozenset(field.name for field in FIELDS)
PRECISIONS = {torch.float64: "float64", torch.float32: "float32"}
DIRECT = {"steps", "every", "stop", "seed", "threads", "chunk", "progress", "callback"}


@dataclass(frozen=True, eq=False)
class TorchTrajectory:
    """The arrays of a :class:`rollingball.Trajectory`, as tensors on one device: T frames of B balls.

    Attributes:
        step: (T,).
        time: (T,), or (T, B) where balls have their own learning rates.
        foot: (T, B, d).
        center: (T, B, d + 1), float64.
        loss: f at the foot (T, B), float64.
        gap: (T, B), float64; NaN where it was not measured.
        residual: (T, B), float64.
        radius: (T, B), float64.
        status: How each ball ended (B,), numbers of :class:`rollingball.Status`.
        steps: (B,).
        evaluations: (B,).
        seconds: The time of the rollout.
        contacts: (T, B), of a continuous method; else None. Likewise ``velocity``, ``spin``, ``energy``,
            ``normal_force`` and ``slip`` of a ball with mass, with the shapes of a :class:`rollingball.Trajectory`.
        tensors: All of these by name, but for ``seconds``.
    """

    tensors: dict[str, Tensor]
    seconds: float

    def __getattr__(self, name: str) -> Any:
        """The tensor of a field; None for one that the method of the run does not record."""
        if name not in NAMES:
            raise AttributeError(f"a TorchTrajectory has no attribute {name!r}; it has {', '.join(sorted(NAMES))}")
        return self.tensors.get(name)

    def __len__(self) -> int:
        """The number of frames T."""
        return len(self.tensors["step"])


def to_torch(trajectory: Trajectory, device: Any = None) -> TorchTrajectory:
    """The arrays of a trajectory as tensors (see :meth:`rollingball.Trajectory.to_torch`)."""
    present = {name: getattr(trajectory, name) for name in NAMES}
    arrays = {name: np.asarray(array) for name, array in present.items() if array is not None}
    tensors = {
        name: torch.as_tensor(array if array.flags.writeable else array.copy(), device=device)
        for name, array in arrays.items()
    }
    return TorchTrajectory(tensors, trajectory.seconds)


def simulate(
    surface: Any,
    ball: Any,
    method: Any,
    start: Tensor | None = None,
    *,
    start_center: Tensor | None = None,
    radius: Tensor | None = None,
    lr: Tensor | None = None,
    duration: Tensor | float | None = None,
    loss_scale: Tensor | None = None,
    start_velocity: Any = None,
    start_spin: Any = None,
    mass: Tensor | None = None,
    inertia: Tensor | None = None,
    gravity: Tensor | None = None,
    drag: Tensor | None = None,
    friction: Tensor | None = None,
    restitution: Tensor | None = None,
    parameters: dict[str, Tensor] | None = None,
    adjoint: str = "discrete",
    **options: Any,
) -> TorchTrajectory:
    """:func:`rollingball.simulate` from tensors, on the device of ``start`` and in its precision, and its derivative.

    Where a tensor given requires grad, ``foot``, ``center`` and ``loss``, of a ball with mass also ``velocity`` and
    ``spin``, carry the derivative of the run (see :func:`rollingball.derivatives`); it is computed in float64, and the
    run goes by way of the host. Discrete methods have one, flows with an explicit integrator or CatchUp (of a ball with
    several contacts, through ``center``), and balls with mass.
    They may be differentiated twice (``create_graph=True``), as by :func:`rollingball.hessian_vector`.
    Where no tensor requires grad, the kernel reads ``start`` in place and writes foot, loss and residual into the
    tensors that are returned, without a copy; on a CUDA device it runs in torch's current stream. The final status of
    each ball comes by way of the host. Runs of continuous methods, with exact feet (GlobalProjection, and by default in
    d <= 2), with ``lift`` or ``gap``, or with tensors in place of numbers go by way of the host as a whole.

    Args:
        surface: The loss.
        ball: Its radius; None for a method without a ball.
        method: How it moves.
        start: First footpoints (B, d), or (d,) for one; float64, or float32 for discrete methods.
        start_center: In place of ``start``, the horizontal positions of the first centres, for a continuous method.
        radius: In place of the ball's: one number, one for each ball (B,), or for each step too (steps, 1 or B).
        lr: In place of the method's, in the same shapes.
        duration: For a continuous method, the time to roll. By its derivative the times of all frames stretch with it,
            those of ``save_at`` too.
        loss_scale: In place of the surface's: one number.
        start_velocity: For a ball with mass, as for :func:`rollingball.simulate`; also a tensor, (B, d) for balls that
            touch at the start.
        start_spin: For a ball with mass, as for :func:`rollingball.simulate`; also a tensor.
        mass: In place of the ball's: one number, or one for each ball (B,).
        inertia: In place of the ball's, in the same shapes.
        gravity: In place of that of a method that moves balls with mass: one number.
        drag: In place of the method's: one number.
        friction: In place of the method's coefficient: one number above 0.
        restitution: In place of the method's: one number.
        parameters: In place of numeric parameters of the surface, by the names of its factory, or constants.
        adjoint: How a flow is differentiated, as for :func:`rollingball.derivatives`.
        options: Those of :func:`rollingball.simulate`, but for ``device``, ``dtype`` and ``throw``; ``gap`` is None by
            default.

    Raises:
        InputError: for an argument that cannot be used, by its name.
        BallError: in a backward pass, for a ball whose run has no derivative, or no second one where that is asked for.
    """
    field, begins = beginning(start, start_center)
    if not isinstance(begins, Tensor) or begins.dtype not in PRECISIONS or begins.ndim not in (1, 2):
        found = f"{begins.dtype} {tuple(begins.shape)}" if isinstance(begins, Tensor) else begins
        raise InputError(field, found, "a float64 or float32 tensor (B, d) or (d,)")
    for name in {"device", "dtype", "throw"} & options.keys():
        raise InputError(name, options[name], f"nothing: device and dtype are those of {field}")
    device, dtype = _device(begins), PRECISIONS[begins.dtype]
    given = {
        "radius": radius, "lr": lr, "loss_scale": loss_scale, "mass": mass, "inertia": inertia, "gravity": gravity,
        "drag": drag, "friction": friction, "restitution": restitution,
    }  # fmt: skip
    numbers = {name: tensor for name, tensor in given.items() if tensor is not None}
    for name, value in (("duration", duration), ("start_velocity", start_velocity), ("start_spin", start_spin)):
        if isinstance(value, Tensor):
            numbers[name] = value
        elif value is not None:
            options[name] = value
    if numbers or parameters or (begins.requires_grad and torch.is_grad_enabled()):
        from rollingball.pytorch.runs.differentiable import roll

        options = {"gap": None, **options, "device": device, "dtype": dtype}
        run, made = roll(surface, ball, method, field, begins, numbers, parameters or {}, adjoint, options)
        tensors = to_torch(run, begins.device).tensors | made
        return TorchTrajectory(tensors, run.seconds)
    begins = begins.detach()
    if set(options) - DIRECT or field != "start" or isinstance(method, FLOWS + BODIES) or _is_exact(method, surface):
        options = {"gap": None, **options, "device": device, "dtype": dtype, field: begins.cpu().numpy()}
        return to_torch(simulate_on_host(surface, ball, method, **options), begins.device)
    return _directly(surface, ball, method, begins, device, dtype, **options)


def _directly(
    surface: Any,
    ball: Any,
    method: Any,
    start: Tensor,
    device: str,
    dtype: str,
    *,
    steps: Any = None,
    every: Any = 1,
    stop: Any = None,
    seed: Any = 0,
    threads: Any = None,
    chunk: Any = None,
    progress: bool = False,
    callback: Any = None,
) -> TorchTrajectory:
    """A run of a discrete method on the device of ``start``, without a copy to the host."""
    import warp as wp

    start = start.reshape(1, -1) if start.ndim == 1 else start
    if not start.numel() or not bool(torch.isfinite(start).all()):
        raise InputError("start", start, "finite numbers, one ball or more")
    unplaced = np.zeros(tuple(start.shape))  # the plan checks shapes and numbers; the places stay on the device
    request = Request(
        surface=surface, ball=ball, method=method, start=unplaced, steps=steps, every=every, stop=stop, device=device,
        dtype=dtype, seed=seed, threads=threads, chunk=chunk, progress=progress, callback=callback,
    )  # fmt: skip
    plan = plan_discrete(request)
    balls, numeric = len(plan.start), plan.numeric
    places = wp.from_torch(start.expand(balls, -1).contiguous(), dtype=numeric.vector)
    with _stream(start):
        record = roll_plan(plan, places)
        frames = record["frames"]
        count = len(frames)
        names = ("foot", "center", "center_height", "height", "residual")
        parts = {name: wp.to_torch(record[name])[:count] for name in names}
        shape = (count, balls, start.shape[1])
        center = [parts["center"].reshape(shape).double(), parts["center_height"].unsqueeze(-1)]
        states = unpacked(record["states"].numpy())
    status = states["status"].astype(np.int32)
    rolling = (status == Status.RUNNING) | (status == Status.CONVERGED)
    status[rolling & (states["diverged"] > 0)] = Status.DIVERGED

    def there(array: Any) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=start.device)

    gap = torch.full((count, balls), float("nan") if method.rolls else 0.0, dtype=torch.float64, device=start.device)
    tensors = {
        "step": there(frames.astype(np.int64)),
        "time": there(times(plan, frames)),
        "foot": parts["foot"].reshape(shape),
        "center": torch.cat(center, dim=-1),
        "loss": parts["height"] / plan.surface.loss_scale,
        "gap": gap,
        "residual": parts["residual"].double(),
        "radius": there(radii(plan, frames)),
        "status": there(status),
        "steps": there(states["steps"].astype(np.int64)),
        "evaluations": there(states["evaluations"].astype(np.int64)),
    }
    run = TorchTrajectory(tensors, record["seconds"])
    if record["interrupted"]:
        raise RunInterrupted(run)
    return run


def _is_exact(method: Any, surface: Any) -> bool:
    """Whether every foot of a method is the nearest point of the graph, by a search."""
    method = in_dimensions(method, checked_surface(surface).dim)
    return isinstance(getattr(method, "projection", None), GlobalProjection)


def _device(tensor: Tensor) -> str:
    """Warp's name of the tensor's device."""
    if tensor.device.type == "cuda":
        return f"cuda:{tensor.device.index or 0}"
    if tensor.device.type != "cpu":
        raise InputError("start", f"a tensor on {tensor.device}", "a tensor on the CPU or a CUDA device")
    return "cpu"


def _stream(tensor: Tensor) -> Any:
    """Warp launches in torch's current stream inside."""
    if tensor.device.type != "cuda":
        return contextlib.nullcontext()
    import warp as wp

    return wp.ScopedStream(wp.stream_from_torch(torch.cuda.current_stream(tensor.device)))
