"""RollingBall: a torch optimizer that rolls one ball on the graph of the loss in all parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from rollingball.core.errors import InputError
from rollingball.geometry.foot.projection import GradientProjection
from rollingball.pytorch.optimizer.ball import BallOptimizer
from rollingball.pytorch.optimizer.base import checked_base, made_base
from rollingball.pytorch.optimizer.center import move_center
from rollingball.pytorch.optimizer.closure import Calls, loss_of
from rollingball.pytorch.optimizer.footpoint import LBFGSProjection, ProjectionReport
from rollingball.pytorch.optimizer.groups import check_group, one_ball, refuse_parts, settle_radii
from rollingball.pytorch.optimizer.inner_calls import Surroundings
from rollingball.pytorch.optimizer.metric import checked_units
from rollingball.pytorch.optimizer.offsets import kept_means, kept_offsets
from rollingball.pytorch.optimizer.params import checked_params, checked_process_group
from rollingball.pytorch.optimizer.random_state import checked_generators
from rollingball.pytorch.optimizer.rules import refuse_contact_closure, roll, shows_foot
from rollingball.pytorch.optimizer.scaling import Overflow, copied, enabled, refuse_handed_over, unscale_handed_over
from rollingball.pytorch.optimizer.tensors import local
from rollingball.pytorch.optimizer.two_calls import finish, refuse_between


class RollingBall(BallOptimizer):
    r"""Rolls a ball of radius rho on the graph of L f, f the loss of all parameters and L ``loss_scale``.

    The ball stands above its centre x and touches the graph at the foot x + s,

    .. math:: s = \rho\, g / \sqrt{1 + |g|^2}, \quad g = L \nabla f(x + s), \qquad x \leftarrow x - lr \nabla f(x + s).

    =========================  ==================  ============  ====================================================
    rule                       gradients a step    shows         what it is
    =========================  ==================  ============  ====================================================
    ``contact_steps=0``        1                   the foot      s from a mean of gradients; needs no closure
    ``contact_steps=1``        2                   the centre    s from the gradient at the centre, as in SAM
    ``contact_steps=k``        k + 1               the centre    s iterated, never to a lower contact
    ``contact_closure``        1 + n / N           the centre    s from n of the N examples (an argument of step)
    ``contact_every=k``        1 + 1 / k           the centre    s kept for k steps
    ``method="footpoint"``     1 + the projection  the foot      Algorithm 1 of the paper
    =========================  ==================  ============  ====================================================

    The column "shows" says which point the parameters are between steps; :meth:`center_parameters` and
    :meth:`foot_parameters` show the other one. In the beginning the parameters are the centre, and s = 0 (for
    ``footpoint``, the foot). With ``contact_from="gradient"`` the first rule is stable near a minimum of curvature c
    where rho L c < 1 and lr c < 2 (1 + rho L c): the ball is repelled from sharper minima.

    The state of a parameter is s (``offset``), as large as the parameter, the ``mean`` of gradients where the contact
    is found from it, and another tensor with momentum. For parameters of 16 bits that show the foot there is
    ``rounding`` too, by which the centre is known to the last bit.
    During a step with inner calls the centre is kept as well, and for two or more contact steps the best contact and
    its gradient.

    Args:
        params: Parameters, groups or named parameters, as for any torch optimizer. A group with ``radius=0`` beside
            others is left out of the ball: its parameters have no foot, and follow the rule of the centre. What a group
            does not give it has from the arguments below; what describes the ball has to be the same in all groups.
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
        contact_from: Where ``contact_steps=0`` has s from: ``momentum``, the mean of gradients
            m <- beta m + (1 - beta) g in place of g; ``lookahead``, the same with -s, ahead of the centre as it
            descends; or ``gradient``, the gradient of the step itself (a warm start of the contact).
        contact_momentum: beta of that mean, 0 or above and below 1.
        contact_every: The steps that use one contact; 1 or more. A kept contact costs no gradient.
        metric: Units T of the parameters, in which the ball is round: s = rho L T^2 g / sqrt(1 + |L T g|^2).
            None: all 1; ``adaptive``: T = |x|, as in ASAM; ``layer``: the root mean square of each parameter tensor;
            or a dictionary of numbers or tensors above 0 by parameter, or by name for named parameters (1 for others;
            not part of the state). T is that of the centre of the step. Parameters with T = 0 are not displaced.

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
        contact_from: str = "momentum",
        contact_momentum: float = 0.9,
        contact_every: int = 1,
        metric: str | Mapping[Any, Any] | None = None,
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
            "contact_from": contact_from,
            "contact_momentum": contact_momentum,
            "contact_every": contact_every,
            "contact_age": 0,
            "metric": "given" if isinstance(metric, Mapping) else metric,
        }
        if metric == "given":
            raise InputError("metric", metric, "None, 'adaptive', 'layer', or a dictionary of units")
        checked_base(base, base_kwargs, {"momentum": momentum, "weight_decay": weight_decay, "maximize": maximize})
        if base is None:
            defaults |= {"momentum": momentum, "weight_decay": weight_decay}
        params = checked_params(params)
        check_group(defaults)
        if projection is not None and method != "footpoint":
            raise InputError("projection", projection, "None unless method is 'footpoint'")
        if not isinstance(projection, (GradientProjection, LBFGSProjection, type(None))):
            raise InputError("projection", projection, "a GradientProjection or an LBFGSProjection")
        self.projection = projection or LBFGSProjection()
        self.process_group = checked_process_group(process_group)
        self.evaluations = 0
        self.last_projection: ProjectionReport | None = None
        self.last_loss: Any = None
        self.generators = checked_generators(generators)
        self._surroundings, self._showing, self._failures = Surroundings(self.generators), False, 0
        self._checked: list[list[Any]] = []
        self.base: Optimizer | None = None
        if base is not None:
            self.base = made_base(base, params, lr, base_kwargs)
            params, defaults = self.base.param_groups, {**defaults, **self.base.defaults}
        super().__init__(params, defaults)
        self._link_base()
        self.units = checked_units(metric, self.param_groups) if isinstance(metric, Mapping) else {}
        refuse_parts(self.param_groups)
        settle_radii(self.param_groups)
        one_ball(self.param_groups)
        self._began_with_foot = shows_foot(self.param_groups[0])

    @torch._disable_dynamo  # compiled code would not see what is put back around inner calls
    def step(  # type: ignore[override]
        self,
        closure: Callable[[], Any] | None = None,
        *,
        contact_closure: Callable[[], Any] | None = None,
        scaler: Any = None,
    ) -> Any:
        """Roll one step.

        Args:
            closure: Zeroes the gradients, computes the loss, backpropagates and returns the loss. Only
                ``contact_steps=0`` and a step after :meth:`touch` go without; the latter calls one that is given once.
            contact_closure: The same of a part of the batch, such as its first eighth: it finds the contact, and
                ``closure`` is called once, at the foot. It leaves no other trace: buffers and random generators are
                for ``closure`` as before.
            scaler: A torch.amp.GradScaler that the closures scale their loss with before backpropagating; they return
                the loss not scaled. To clip, a closure calls ``scaler.unscale_(optimizer)`` first. Where a gradient
                overflows nothing changes. Call ``scaler.update()`` afterwards.

        Returns:
            What the first call of the closure returned: the loss where the parameters were, or at the foot where
            ``contact_closure`` or a kept contact (``contact_every``) leaves that as the only call.

        Raises:
            InputError: without a closure where one is needed; for a closure that calls no backward(), that adds to
                gradients of earlier calls, or whose loss is needed and not returned; for a ``contact_closure`` with a
                rule that takes none; for a radius that differs between groups; or where the rule was changed to one
                that shows the other point between steps.
            RuntimeError: inside :meth:`center_parameters` or :meth:`foot_parameters`, for sparse gradients, for a
                contact_closure after :meth:`touch`, and from ``GradScaler.step`` where it cannot unscale.
        """
        if self._showing:
            raise RuntimeError("step was called inside center_parameters() or foot_parameters(): leave it first")
        on_cuda = any(param.is_cuda for group in self.param_groups for param in group["params"][:1])
        captured = on_cuda and torch.cuda.is_current_stream_capturing()
        if captured and not all(group["capturable"] for group in self.param_groups):
            raise RuntimeError("step is captured in a CUDA graph, but capturable is False in a group")
        group, ball, scaler = self.param_groups[0], self._checked_ball(), enabled(scaler)
        if contact_closure is not None:
            refuse_between(self._surroundings.touched, "step(contact_closure=...)")
        refuse_contact_closure(closure, contact_closure, group)
        steps, touched, self._surroundings.touched = group["contact_steps"], self._surroundings.touched, None
        single = group["method"] == "contact" and steps == 0
        if touched is None and not (single and closure is None):
            refuse_handed_over(self)
        with torch.inference_mode(False), torch.no_grad():
            if touched is not None:
                return finish(self, touched, closure, scaler)
            if closure is None and not single:
                if not self._is_state_initialization():
                    allowed = (
                        "a function that returns the loss: only contact_steps=0 and a step after touch() go without"
                    )
                    raise InputError("closure", closure, allowed)
                return self._begin()
            if closure is None and not unscale_handed_over(self):
                return None
            needs_loss, repeats = group["method"] == "footpoint" or steps > 1, not single
            calls = Calls(closure, self, self._surroundings, needs_loss=needs_loss, repeats=repeats, scaler=scaler)
            undo = copied(self.state) if calls.scaler is not None and not single else None
            try:
                roll(self, calls, ball, contact_closure)
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

    def _is_state_initialization(self) -> bool:
        """Whether torch.distributed.checkpoint calls step so that the state exists: lr 0 and all gradients zero."""
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        still = not self.state and all(float(group["lr"]) == 0 for group in self.param_groups)
        return still and bool(grads) and not any(local(grad).any() for grad in grads)

    def _begin(self) -> None:
        """Create the state of all parameters without moving them."""
        calls = Calls(None, self, self._surroundings)
        calls.first()
        kept_offsets(self.state, calls.params, shows_foot(self.param_groups[0]))
        if self.param_groups[0]["contact_steps"] == 0 and self.param_groups[0]["contact_from"] != "gradient":
            kept_means(self.state, calls.params)
        move_center(self, calls)
