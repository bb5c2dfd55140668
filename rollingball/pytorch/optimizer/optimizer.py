"""RollingBall: a torch optimizer that rolls one ball on the graph of the loss in all parameters."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from rollingball.core.errors import InputError
from rollingball.geometry.foot.projection import GradientProjection
from rollingball.pytorch.optimizer.center import descend
from rollingball.pytorch.optimizer.closure import Calls
from rollingball.pytorch.optimizer.contact import touch
from rollingball.pytorch.optimizer.footpoint import LBFGSProjection, ProjectionReport, roll
from rollingball.pytorch.optimizer.groups import ONE_BALL, check_group, one_ball
from rollingball.pytorch.optimizer.scaling import Overflow, Unscaler, copied, refuse_handed_over, unscale_handed_over
from rollingball.pytorch.optimizer.tensors import add_, clones, copy_, local


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

    "Shows" is what the parameters are between steps; :meth:`center_parameters` and :meth:`foot_parameters` show the
    other. In the beginning the parameters are the centre, and s = 0 (for ``footpoint``, the foot). Near a minimum of
    curvature c the first rule is stable where rho L c < 1 and lr c < 2 (1 + rho L c): sharper minima repel the ball.

    State: s (``offset``), one copy of the parameters, and one more with momentum. During a step with inner calls the
    centre is kept as well, and for two or more contact steps the best contact and its gradient.

    Args:
        params: Parameters, groups or named parameters, as for any torch optimizer.
        lr: The learning rate of the loss f itself, whatever L; 0 or above. A tensor of one number is not brought to the
            host.
        radius: rho, 0 or above, in units of the parameters; the same in all groups. A tensor of one number is not
            brought to the host by contact rules.
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

    Attributes:
        evaluations: The closure calls so far (not part of the state).
        last_projection: How the last projection went, for ``footpoint``.
        last_loss: The loss where the last step took the gradient that moved the centre, as the closure returned it (for
            ``footpoint`` at the foot it began from); None without a closure.

    Raises:
        InputError: a ValueError that names the argument, its value and what is allowed.

    A closure zeroes the gradients, computes the loss, backpropagates and returns the loss. For several micro-batches it
    loops over them, and returns the mean loss whose gradient has been accumulated. It must give the same
    batch each time in a step: inner calls replay the random numbers of torch, Python and numpy, but not an iterator.
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
        }
        if base is None:
            defaults |= {"momentum": momentum, "weight_decay": weight_decay}
            if base_kwargs is not None:
                raise InputError("base_kwargs", base_kwargs, "None where there is no base")
        else:
            own = {"momentum": momentum, "weight_decay": weight_decay, "maximize": maximize}
            for name, value in own.items():
                if value:
                    raise InputError(name, value, "with a base, in base_kwargs")
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
        self._unscaler, self._showing = Unscaler(), False
        self.base: Optimizer | None = None
        if base is not None:
            made = base(params, lr=lr, **(base_kwargs or {}))
            if not isinstance(made, Optimizer):
                raise InputError("base", base, "a class of torch optimizers")
            params, defaults = made.param_groups, {**defaults, **made.defaults}
            self.base = made
        super().__init__(params, defaults)
        self._link_base()
        one_ball(self.param_groups)
        self._began_with_foot = self._shows_foot()

    def step(self, closure: Callable[[], Any] | None = None, *, scaler: Any = None) -> Any:  # type: ignore[override]
        """Roll one step.

        Args:
            closure: Zeroes the gradients, computes the loss, backpropagates and returns the loss. Only
                ``contact_steps=0`` goes without.
            scaler: A torch.amp.GradScaler that the closure scales its loss with before backpropagating; it returns the
                loss not scaled. Where a gradient overflows nothing changes. Call ``scaler.update()`` afterwards.

        Returns:
            What the first call of the closure returned: the loss where the parameters were.

        Raises:
            InputError: without a closure where one is needed, for a radius that differs between groups, or where the
                rule was changed to one that shows the other point between steps.
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
        if self._shows_foot() != self._began_with_foot:
            if self.state:
                allowed = "above 0 as in the steps before (and method 'contact'): the parameters show the centre"
                if self._began_with_foot:
                    allowed = "0 as in the steps before (or method 'footpoint'): the parameters show the foot"
                raise InputError("contact_steps", steps, allowed)
            self._began_with_foot = self._shows_foot()
        single = method == "contact" and steps == 0
        if closure is not None or not single:
            refuse_handed_over(self)
        with torch.no_grad():
            if closure is None and not single:
                if not self._is_state_initialization():
                    allowed = "a function that returns the loss: only contact_steps=0 goes without"
                    raise InputError("closure", closure, allowed)
                return self._begin()
            if closure is None and not unscale_handed_over(self):
                return None
            calls = Calls(
                closure,
                self.param_groups,
                needs_loss=method == "footpoint" or steps > 1,
                repeats=not single,
                scaler=scaler,
                unscaler=self._unscaler,
                process_group=self.process_group,
            )
            undo = copied(self.state) if calls.scaler is not None and not single else None
            try:
                calls.first()
                offsets = self._offsets(calls.params)
                if method == "footpoint":
                    self.last_projection = roll(calls, ball, offsets, self.projection, self._move_center)
                elif single:
                    add_(calls.views, offsets, -1.0, ball.foreach)
                    self._move_center(calls)
                    ball.put_offset(offsets, calls.here)
                    add_(calls.views, offsets, 1.0, ball.foreach)
                else:
                    touch(calls, ball, offsets, steps)
                    self._move_center(calls)
            except Overflow:
                if undo is not None:
                    self.state = undo
                    self._link_base()
            self.evaluations += max(calls.count, 1)
            at_contact = calls.at_contact
            self.last_loss = at_contact.detach() if isinstance(at_contact, Tensor) else at_contact
            return calls.returned

    @contextlib.contextmanager
    def center_parameters(self) -> Iterator[None]:
        """Show the centre x in the parameters while inside; afterwards they are what they were, bitwise."""
        with self._shown(-1.0 if self._began_with_foot else 0.0):
            yield

    @contextlib.contextmanager
    def foot_parameters(self) -> Iterator[None]:
        """Show the foot x + s in the parameters while inside; afterwards they are what they were, bitwise.

        Where the parameters show the centre, s is that of the contact which moved it last: no gradient has been taken
        at the new centre yet.
        """
        with self._shown(0.0 if self._began_with_foot else 1.0):
            yield

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, which joins the ball: what is one for all groups it has from the first by default."""
        if self.param_groups and isinstance(param_group, dict):
            for name in ONE_BALL:
                param_group.setdefault(name, self.param_groups[0][name])
        super().add_param_group(param_group)
        check_group(self.param_groups[-1])

    def __getstate__(self) -> dict[str, Any]:
        own = {name: vars(self)[name] for name in ("projection", "base", "evaluations", "last_projection")}
        # a group of processes cannot be copied; that there is none can
        alone = {"process_group": False} if self.process_group is False else {}
        return {**super().__getstate__(), **own, **alone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for name, value in {
            "process_group": None,
            "last_loss": None,
            "_unscaler": Unscaler(),
            "_showing": False,
        }.items():
            vars(self).setdefault(name, value)
        self._began_with_foot = self._shows_foot()
        self._link_base()

    def _link_base(self) -> None:
        """Give the base the groups and the state that are here now: it has no others."""
        if self.base is not None:
            self.base.param_groups = self.param_groups
            kept = {p: {k: v for k, v in own.items() if k != "offset"} for p, own in self.state.items()}
            self.base.state = defaultdict(dict, {p: own for p, own in kept.items() if own})

    def _shows_foot(self) -> bool:
        first = self.param_groups[0]
        return first["method"] == "footpoint" or first["contact_steps"] == 0

    @contextlib.contextmanager
    def _shown(self, factor: float) -> Iterator[None]:
        if self._showing:
            raise RuntimeError("center_parameters() and foot_parameters() do not nest: leave the one first")
        moved = [p for group in self.param_groups for p in group["params"] if "offset" in self.state.get(p, {})]
        views = [local(p) for p in moved] if factor else []
        with torch.no_grad():
            kept = clones(views)
            add_(views, [local(self.state[p]["offset"]) for p in moved] if factor else [], factor)
        self._showing = True
        try:
            yield
        finally:
            self._showing = False
            with torch.no_grad():
                copy_(views, kept)

    def _offsets(self, params: list[Tensor]) -> list[Tensor]:
        """The offsets s of the parameters that have a gradient; the others' is zero, and they show the centre."""
        for param in params:
            if "offset" not in (own := self.state[param]):
                own["offset"] = torch.zeros_like(param, memory_format=torch.preserve_format)
        if len(params) < len(self.state):
            for param in set(self.state) - set(params):
                if "offset" in self.state[param]:
                    offset = local(self.state[param]["offset"])
                    if self._shows_foot():
                        local(param).sub_(offset)
                    offset.zero_()
        return [local(self.state[param]["offset"]) for param in params]

    def _move_center(self, calls: Calls) -> None:
        """Move the parameters, which show the centre, by the gradients of the last call."""
        if self.base is None:
            begin = 0
            for group, count in zip(self.param_groups, calls.counts, strict=True):
                part = slice(begin, begin + count)
                descend(group, calls.params[part], calls.views[part], calls.last.grads[part], self.state)
                begin += count
            return
        self.base.step()
        for param, own in self.base.state.items():
            self.state[param].update(own)

    def _is_state_initialization(self) -> bool:
        """Whether this is the call by which torch.distributed.checkpoint has state made: lr 0, all gradients zero."""
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        still = not self.state and all(float(group["lr"]) == 0 for group in self.param_groups)
        return still and bool(grads) and not any(local(grad).any() for grad in grads)

    def _begin(self) -> None:
        calls = Calls(None, self.param_groups)
        calls.first()
        self._offsets(calls.params)
        self._move_center(calls)
