"""What a RollingBall does besides steps with a closure: touch(), its two views, its state and its groups."""

from __future__ import annotations

import contextlib
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from rollingball.core.errors import InputError
from rollingball.pytorch.optimizer.checkpoint import OWN_STATE, usable
from rollingball.pytorch.optimizer.groups import (
    BEFORE,
    ONE_BALL,
    check_changed,
    check_group,
    is_on_ball,
    one_ball,
    settle_radii,
)
from rollingball.pytorch.optimizer.inner_calls import Surroundings
from rollingball.pytorch.optimizer.offsets import shown
from rollingball.pytorch.optimizer.params import checked_params
from rollingball.pytorch.optimizer.rules import is_kept, shows_foot
from rollingball.pytorch.optimizer.sphere import Sphere
from rollingball.pytorch.optimizer.two_calls import refuse_between, release, touch


class BallOptimizer(Optimizer):
    """The base of :class:`RollingBall`, with all that is not a step."""

    base: Optimizer | None
    generators: tuple[Any, ...]
    process_group: Any
    units: dict[Tensor, Tensor]
    _surroundings: Surroundings
    _showing: bool
    _began_with_foot: bool
    _checked: list[list[Any]]

    @torch._disable_dynamo
    def touch(self, *, scaler: Any = None) -> None:
        """Displace the parameters to the foot x + s, for loops without a closure (``contact_steps=1``).

        The gradients of the loss at the centre are there; zero them, take those at the foot, and call :meth:`step`
        without a closure. With ``contact_every=k`` a kept contact needs no gradients: see :attr:`needs_contact`. Random
        numbers and buffers, such as those of BatchNorm, are those of two calls, unlike with a closure.

        Args:
            scaler: The torch.amp.GradScaler that the loss was scaled with. The step is then ``scaler.step(optimizer)``,
                and where a gradient overflowed in either call nothing changes.

        Raises:
            InputError: naming ``contact_steps``, for another rule.
            RuntimeError: without gradients, inside :meth:`center_parameters` or :meth:`foot_parameters`, or twice
                before a step.
        """
        if self._showing:
            raise RuntimeError("touch was called inside center_parameters() or foot_parameters(): leave it first")
        refuse_between(self._surroundings.touched, "touch()")
        ball = self._checked_ball()
        with torch.inference_mode(False), torch.no_grad():
            self._surroundings.touched = touch(self, ball, scaler)

    def untouch(self) -> None:
        """Go back to the centre after :meth:`touch`, without a step; it does nothing where there was no touch."""
        touched, self._surroundings.touched = self._surroundings.touched, None
        if touched is not None:
            release(touched)

    @property
    def needs_contact(self) -> bool:
        """Whether the next step finds a new contact: always True but for steps that ``contact_every`` keeps one for."""
        self._checked = check_changed(self.param_groups, self._checked)
        return not is_kept(self.param_groups[0])

    def state_dict(self) -> dict[str, Any]:
        """The state and the hyperparameters, as for any torch optimizer.

        Raises:
            RuntimeError: between :meth:`touch` and :meth:`step`.
        """
        refuse_between(self._surroundings.touched, "state_dict()")
        return super().state_dict()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients of all parameters to None, or to zero.

        Args:
            set_to_none: None instead of zero.
        """
        self._surroundings.was_zeroed = True
        super().zero_grad(set_to_none)

    @contextlib.contextmanager
    def center_parameters(self) -> Iterator[None]:
        """Show the centre x in the parameters while inside; afterwards they are what they were, bitwise."""
        refuse_between(self._surroundings.touched, "center_parameters()")
        with shown(self, "centre" if self._began_with_foot else None):
            yield

    @contextlib.contextmanager
    def foot_parameters(self) -> Iterator[None]:
        """Show the foot x + s in the parameters while inside; afterwards they are what they were, bitwise.

        Where the parameters show the centre, s is that of the contact which moved it last: no gradient has been taken
        at the new centre yet.
        """
        refuse_between(self._surroundings.touched, "foot_parameters()")
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
        refuse_between(self._surroundings.touched, "load_state_dict()")
        content, left = usable(state_dict, self.param_groups, self.base)
        super().load_state_dict(content)
        if left:
            warnings.warn(f"RollingBall does not use this of the checkpoint: {', '.join(left)}", stacklevel=2)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, which joins the ball: what is one for all groups it has from the first by default.

        Raises:
            InputError: for a group that cannot be used; the optimizer is then as it was.
        """
        if not isinstance(param_group, dict):
            raise InputError("param_group", param_group, "a dictionary with the key 'params'")
        checked_params([param_group])
        is_made = hasattr(self, "_began_with_foot")  # before, the defaults are those of the constructor
        if is_made:
            first = self.param_groups[is_on_ball(self.param_groups).index(True)]
            for name in ONE_BALL:
                param_group.setdefault(name, first[name])
        super().add_param_group(param_group)
        try:
            check_group(self.param_groups[-1])
            if is_made:
                settle_radii(self.param_groups)
                one_ball(self.param_groups)
        except InputError:
            self.param_groups.pop()
            raise

    def __getstate__(self) -> dict[str, Any]:
        refuse_between(self._surroundings.touched, "a copy of the optimizer")
        kept = ("projection", "base", "evaluations", "last_projection", "generators", "units")
        own = {name: vars(self)[name] for name in kept}
        # a group of processes cannot be copied; that there is none can
        alone = {"process_group": False} if self.process_group is False else {}
        return {**super().__getstate__(), **own, **alone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        later: dict[str, Any] = {
            "process_group": None,
            "last_loss": None,
            "generators": (),
            "_showing": False,
            "_failures": 0,
            "_checked": [],
            "units": {},
        }
        for name, value in later.items():
            vars(self).setdefault(name, value)
        vars(self).setdefault("_surroundings", Surroundings(self.generators))
        for group in self.param_groups:
            for name, value in BEFORE.items():
                group.setdefault(name, value)
        self._began_with_foot = shows_foot(self.param_groups[0])
        self._link_base()

    def _link_base(self) -> None:
        """Give the base the groups and the state that are here now: it has no others."""
        if self.base is not None:
            self.base.param_groups = self.param_groups
            kept = {p: {k: v for k, v in own.items() if k not in OWN_STATE} for p, own in self.state.items()}
            self.base.state = defaultdict(dict, {p: own for p, own in kept.items() if own})

    def _checked_ball(self) -> Sphere:
        """The ball of all groups, after a check of what was written into them; tensors are not read.

        Raises:
            InputError: naming a hyperparameter that cannot be used or is not one in all groups, or ``contact_steps``
                for a rule that shows the other point than the steps before did.
        """
        self._checked = check_changed(self.param_groups, self._checked)
        ball = one_ball(self.param_groups)
        if shows_foot(self.param_groups[0]) != self._began_with_foot:
            if self.state:
                allowed = "above 0 as in the steps before (and method 'contact'): the parameters show the centre"
                if self._began_with_foot:
                    allowed = "0 as in the steps before (or method 'footpoint'): the parameters show the foot"
                raise InputError("contact_steps", self.param_groups[0]["contact_steps"], allowed)
            self._began_with_foot = shows_foot(self.param_groups[0])
        return ball
