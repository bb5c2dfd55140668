"""RollingBall: a torch optimizer that rolls one ball on the graph of the loss in all parameters."""

from __future__ import annotations

import contextlib
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from rollingball.core.errors import InputError
from rollingball.geometry.foot.projection import GradientProjection
from rollingball.pytorch.optimizer.base import checked_base, made_base
from rollingball.pytorch.optimizer.center import move_center
from rollingball.pytorch.optimizer.checkpoint import OWN_STATE, usable
from rollingball.pytorch.optimizer.closure import Calls, loss_of
from rollingball.pytorch.optimizer.contact import touch
from rollingball.pytorch.optimizer.footpoint import LBFGSProjection, ProjectionReport, roll, warn_of_failures
from rollingball.pytorch.optimizer.groups import ONE_BALL, check_group, is_on_ball, one_ball, refuse_parts
from rollingball.pytorch.optimizer.inner_calls import Surroundings
from rollingball.pytorch.optimizer.offsets import kept_offsets, kept_roundings, put_center, put_foot, shown
from rollingball.pytorch.optimizer.random_state import checked_generators
from rollingball.pytorch.optimizer.scaling import Overflow, copied, refuse_handed_over, unscale_handed_over
from rollingball.pytorch.optimizer.sphere import Sphere
from rollingball.pytorch.optimizer.tensors import local


class RollingBall(Optimizer):
    r"""Rolls a ball of radius rho on the graph of L f, f the loss of all parameters and L ``loss_scale``.

    The ball stands above its centre x and touches the graph at the foot x + s,

    .. math:: s = \rho\, g / \sqrt{1 + |g|^2}, \quad g = L \nabla f(x + s), \qquad x \leftarrow x - lr \nabla f(x + s).

    =========================  ==================  ============  ====================================================
    rule                       gradients a step    shows         what it is
    =========================  ==================  ============  ====================================================
    ``contact_steps=0``        1                   the foot      s from the gradient of the step; needs no closure
    ``contact_steps=1``        2                   the centre    s from the gradient at the centre, as in SAM
    ``contact_steps=k``        k + 1               the centre    s iterated, never to a lower contact
    ``method="footpoint"``     1 + the projection  the foot      Algorithm 1 of the paper
    =========================  ==================  ============  ====================================================

    The column "shows" says which point the parameters are between steps; :meth:`center_parameters` and
    :meth:`foot_parameters` show the other one. In the beginning the parameters are the centre, and s = 0 (for
    ``footpoint``, the foot). Near a minimum of curvature c the first rule is stable where rho L c < 1 and
    lr c < 2 (1 + rho L c): the ball is repelled from sharper minima.

    The state of a parameter is s (``offset``), as large as the parameter, and a second tensor with momentum. For
    parameters of 16 bits that show the foot there is ``rounding`` too, by which the centre is known to the last bit.
    During a step with inner calls the centre is kept as well, and for two or more contact steps the best contact and
    its gradient.

    Args:
        params: Parameters, groups or named parameters, as for any torch optimizer. A group with ``radius=0`` beside
            others is left out of the ball: its parameters have no foot, and follow the rule of the centre.
        lr: The learning rate of the loss f itself, whatever L; 0 or above. A tensor of one number is not brought to the
            host.
        radius: rho, 0 or above, in units of the parameters; the same in all groups that are on the ball. A tensor of
            one number is not brought to the host by contact rules.
        contact_steps: The inner gradients that find the contact; not used by ``footpoint``.
        loss_scale: L, above 0: the height of the graph for one unit of loss. As L grows, one contact step becomes SAM.
        momentum: Heavy-ball momentum of the centre, as in torch.optim.SGD.
        weight_decay: The gradient that moves the centre is grad f + weight_decay x, x the centre; the geometry is that
            of f alone. For rho = 0 it is torch.optim.SGD's.
        foreach: False loops over tensors; None and True use foreach operations.
        method: ``contact`` or ``footpoint``.
        projection: For ``footpoint``: :class:`LBFGSProjection` (the default) or the paper's GradientProjection.
        maximize: Climb: the ball rolls on the graph of -L f.
        capturable: Whether a step may be captured in a CUDA graph (after a first step, and without inner calls: they
            set random generators). No contact rule brings a number to the host in any case; with ``lr`` and ``radius``
            as tensors on the device, schedules reach the captured step.
        base: An optimizer class that moves the centre by the gradient at the contact, instead of SGD's rule.
        base_kwargs: Its arguments besides ``lr``.
        process_group: The processes that the loss is averaged over where its value is used (two or more contact steps,
            ``footpoint``). None: all, where torch.distributed is initialized, so that replicas take the same decisions.
            False: none, for processes that train models of their own. A copy or a pickle of the optimizer has None
            instead of a group.
        max_grad_norm: The gradient that moves the centre is scaled down to this length where it is longer, as by
            ``torch.nn.utils.clip_grad_norm_``; the contact and the projection see it as it is. Clipping inside the
            closure changes both, and a projection then looks for the foot of another loss.
        generators: Random generators (of torch, NumPy or Python) that the closure draws from, besides the default ones.

    Attributes:
        evaluations: The closure calls so far (not part of the state).
        last_projection: How the last projection went, for ``footpoint``.
        last_loss: The loss where the last step took the gradient that moved the centre, as the closure returned it (for
            ``footpoint`` at the foot it began from); None without a closure.

    Raises:
        InputError: a ValueError that names the argument, its value and what is allowed.

    A closure zeroes the gradients, computes the loss, backpropagates and returns the loss (alone, first in a tuple, or
    as ``loss`` of a dictionary or an object). For several micro-batches it loops over them, and returns the mean loss
    whose gradient has been accumulated. It must give the same batch each time in a step: inner calls replay the random
    numbers of the default generators of torch, Python and NumPy and of ``generators``, but not an iterator. Buffers of
    modules, such as the running statistics of BatchNorm, move once a step.
    """

    _step_supports_amp_scaling = True  # GradScaler.step then says what it does, and step can refuse it

    def __init__(
        self,
        params: Any,
        lr: float | Tensor,
        radius: float | Tensor,
        contact_steps: int = 1,
        loss_scale: float = 1.0,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
        *,
        method: str = "contact",
        projection: GradientProjection | LBFGSProjection | None = None,
        maximize: bool = False,
        capturable: bool = False,
        base: Callable[..., Optimizer] | None = None,
        base_kwargs: dict[str, Any] | None = None,
        process_group: Any = None,
        max_grad_norm: float | None = None,
        generators: Sequence[Any] = (),
    ) -> None:
        defaults = {
            "lr": lr,
            "radius": radius,
            "contact_steps": contact_steps,
            "loss_scale": loss_scale,
            "method": method,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "max_grad_norm": max_grad_norm,
        }
        checked_base(base, base_kwargs, {"momentum": momentum, "weight_decay": weight_decay, "maximize": maximize})
        if base is None:
            defaults |= {"momentum": momentum, "weight_decay": weight_decay}
        check_group(defaults)
        if projection is not None and method != "footpoint":
            raise InputError("projection", projection, "None unless method is 'footpoint'")
        if not isinstance(projection, (GradientProjection, LBFGSProjection, type(None))):
            raise InputError("projection", projection, "a GradientProjection or an LBFGSProjection")
        self.projection = projection or LBFGSProjection()
        self.process_group = process_group
        self.evaluations = 0
        self.last_projection: ProjectionReport | None = None
        self.last_loss: Any = None
        self.generators = checked_generators(generators)
        self._surroundings, self._showing, self._failures = Surroundings(self.generators), False, 0
        self.base: Optimizer | None = None
        if base is not None:
            self.base = made_base(base, params, lr, base_kwargs)
            params, defaults = self.base.param_groups, {**defaults, **self.base.defaults}
        super().__init__(params, defaults)
        self._link_base()
        refuse_parts(self.param_groups)
        one_ball(self.param_groups)
        self._began_with_foot = self._shows_foot()

    @torch._disable_dynamo  # compiled code would not see what is put back around inner calls
    def step(self, closure: Callable[[], Any] | None = None, *, scaler: Any = None) -> Any:  # type: ignore[override]
        """Roll one step.

        Args:
            closure: Zeroes the gradients, computes the loss, backpropagates and returns the loss. Only
                ``contact_steps=0`` goes without.
            scaler: A torch.amp.GradScaler that the closure scales its loss with before backpropagating; it returns the
                loss not scaled. To clip, the closure calls ``scaler.unscale_(optimizer)`` first. Where a gradient
                overflows nothing changes. Call ``scaler.update()`` afterwards.

        Returns:
            What the first call of the closure returned: the loss where the parameters were.

        Raises:
            InputError: without a closure where one is needed; for a closure that calls no backward(), that adds to
                gradients of earlier calls, or whose loss is needed and not returned; for a radius that differs between
                groups; or where the rule was changed to one that shows the other point between steps.
            RuntimeError: inside :meth:`center_parameters` or :meth:`foot_parameters`, for sparse gradients, and from
                ``GradScaler.step`` where it cannot unscale.
        """
        if self._showing:
            raise RuntimeError("step was called inside center_parameters() or foot_parameters(): leave it first")
        on_cuda = any(param.is_cuda for group in self.param_groups for param in group["params"][:1])
        captured = on_cuda and torch.cuda.is_current_stream_capturing()
        if captured and not all(group["capturable"] for group in self.param_groups):
            raise RuntimeError("step is captured in a CUDA graph, but capturable is False in a group")
        ball = one_ball(self.param_groups)
        method, steps = self.param_groups[0]["method"], self.param_groups[0]["contact_steps"]
        self._check_shown()
        single = method == "contact" and steps == 0
        if closure is not None or not single:
            refuse_handed_over(self)
        with torch.inference_mode(False), torch.no_grad():
            if closure is None and not single:
                if not self._is_state_initialization():
                    allowed = "a function that returns the loss: only contact_steps=0 goes without"
                    raise InputError("closure", closure, allowed)
                return self._begin()
            if closure is None and not unscale_handed_over(self):
                return None
            needs_loss, repeats = method == "footpoint" or steps > 1, not single
            calls = Calls(closure, self, self._surroundings, needs_loss=needs_loss, repeats=repeats, scaler=scaler)
            undo = copied(self.state) if calls.scaler is not None and not single else None
            try:
                calls.first()
                self._roll(calls, ball, steps)
            except Overflow:
                if undo is not None:
                    self.state = undo
                    self._link_base()
            finally:
                self._surroundings.end()
            self.evaluations += max(calls.count, 1)
            try:
                self.last_loss = loss_of(calls.at_contact)
            except InputError:  # a rule that does not need the loss
                self.last_loss = None
            return calls.returned

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients of all parameters to None, or to zero.

        Args:
            set_to_none: None instead of zero.
        """
        self._surroundings.was_zeroed = True
        super().zero_grad(set_to_none)

    def _roll(self, calls: Calls, ball: Sphere, steps: int) -> None:
        """Move the ball, after the first call of the closure."""
        offsets = kept_offsets(self.state, calls.params, self._shows_foot())
        if self.param_groups[0]["method"] == "footpoint":
            self.last_projection = roll(calls, ball, offsets, self.projection, lambda: move_center(self, calls))
            self._failures = 0 if self.last_projection.found else self._failures + 1
            warn_of_failures(self._failures, self.last_projection)
        elif steps == 0:
            roundings = kept_roundings(self.state, calls.params)
            put_center(calls.views, offsets, roundings, ball.foreach)
            move_center(self, calls)
            ball.put_offset(offsets, calls.here.grads, calls.here.norm)
            put_foot(calls.views, offsets, roundings, ball.foreach)
        else:
            touch(calls, ball, offsets, steps)
            move_center(self, calls)

    def _check_shown(self) -> None:
        """Refuse a rule that shows the other point than the steps before did."""
        if self._shows_foot() != self._began_with_foot:
            if self.state:
                allowed = "above 0 as in the steps before (and method 'contact'): the parameters show the centre"
                if self._began_with_foot:
                    allowed = "0 as in the steps before (or method 'footpoint'): the parameters show the foot"
                raise InputError("contact_steps", self.param_groups[0]["contact_steps"], allowed)
            self._began_with_foot = self._shows_foot()

    @contextlib.contextmanager
    def center_parameters(self) -> Iterator[None]:
        """Show the centre x in the parameters while inside; afterwards they are what they were, bitwise."""
        with shown(self, "centre" if self._began_with_foot else None):
            yield

    @contextlib.contextmanager
    def foot_parameters(self) -> Iterator[None]:
        """Show the foot x + s in the parameters while inside; afterwards they are what they were, bitwise.

        Where the parameters show the centre, s is that of the contact which moved it last: no gradient has been taken
        at the new centre yet.
        """
        with shown(self, None if self._began_with_foot else "foot"):
            yield

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint of a RollingBall, or of another optimizer of the same parameters.

        Of another optimizer (SGD, Adam, SAM, ...) the hyperparameters that both have and the state that this rule or
        its base uses are taken, and a warning names what is not. What only RollingBall has stays as it is.

        Args:
            state_dict: What ``state_dict()`` of the optimizer returned.

        Raises:
            InputError: for a checkpoint that cannot be used; the optimizer is then as it was.
        """
        content, left = usable(state_dict, self.param_groups, self.base)
        super().load_state_dict(content)
        if left:
            warnings.warn(f"RollingBall does not use this of the checkpoint: {', '.join(left)}", stacklevel=2)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, which joins the ball: what is one for all groups it has from the first by default."""
        if self.param_groups and isinstance(param_group, dict):
            first = self.param_groups[is_on_ball(self.param_groups).index(True)]
            is_made = hasattr(self, "_began_with_foot")
            for name in ONE_BALL:
                if is_made or name != "radius" or isinstance(first[name], Tensor) or first[name] != 0:
                    param_group.setdefault(name, first[name])
        super().add_param_group(param_group)
        check_group(self.param_groups[-1])

    def __getstate__(self) -> dict[str, Any]:
        kept = ("projection", "base", "evaluations", "last_projection", "generators")
        own = {name: vars(self)[name] for name in kept}
        # a group of processes cannot be copied; that there is none can
        alone = {"process_group": False} if self.process_group is False else {}
        return {**super().__getstate__(), **own, **alone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for name, value in {
            "process_group": None,
            "last_loss": None,
            "generators": (),
            "_showing": False,
            "_failures": 0,
        }.items():
            vars(self).setdefault(name, value)
        vars(self).setdefault("_surroundings", Surroundings(self.generators))
        for group in self.param_groups:
            group.setdefault("max_grad_norm", None)
        self._began_with_foot = self._shows_foot()
        self._link_base()

    def _link_base(self) -> None:
        """Give the base the groups and the state that are here now: it has no others."""
        if self.base is not None:
            self.base.param_groups = self.param_groups
            kept = {p: {k: v for k, v in own.items() if k not in OWN_STATE} for p, own in self.state.items()}
            self.base.state = defaultdict(dict, {p: own for p, own in kept.items() if own})

    def _shows_foot(self) -> bool:
        """Whether the parameters are the foot between steps, by the rule that the groups have now."""
        first = self.param_groups[0]
        return first["method"] == "footpoint" or first["contact_steps"] == 0

    def _is_state_initialization(self) -> bool:
        """Whether torch.distributed.checkpoint calls step so that the state exists: lr 0 and all gradients zero."""
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        still = not self.state and all(float(group["lr"]) == 0 for group in self.param_groups)
        return still and bool(grads) and not any(local(grad).any() for grad in grads)

    def _begin(self) -> None:
        """Create the state of all parameters without moving them."""
        calls = Calls(None, self, self._surroundings)
        calls.first()
        kept_offsets(self.state, calls.params, self._shows_foot())
        move_center(self, calls)
