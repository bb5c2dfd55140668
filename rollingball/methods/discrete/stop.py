"""When a ball of a discrete run may end before its steps."""

from typing import Any

import msgspec
import warp as wp

from rollingball.core.errors import InputError, not_negative, one_of, scalar, whole


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a ball may end before its steps: when any rule given here held for ``patience`` steps in a row.

    Args:
        gradient: The norm of the gradient of the loss at the foot is at most this.
        displacement: The foot (or centre) moved by at most this in one step.
        loss: The loss at the foot is at most this.
        patience: For how many steps in a row.
        on: Whose displacement counts: ``"foot"`` (in R^d) or ``"center"`` (in R^(d+1)).
    """

    gradient: float | None = None
    displacement: float | None = None
    loss: float | None = None
    patience: int = 1
    on: str = "foot"

    def __post_init__(self) -> None:
        for field in ("gradient", "displacement"):
            if getattr(self, field) is not None:
                not_negative(f"stop.{field}", scalar(f"stop.{field}", getattr(self, field)))
        if self.loss is not None:
            scalar("stop.loss", self.loss)
        if self.gradient is None and self.displacement is None and self.loss is None:
            raise InputError("stop", "no rule", "at least one of gradient, displacement and loss")
        whole("stop.patience", self.patience, 1)
        one_of("stop.on", self.on, ("foot", "center"))


@wp.struct
class StopRule:
    """A :class:`Stop` for kernels; a rule that is not given can never hold."""

    gradient: wp.float64
    displacement: wp.float64
    loss: wp.float64
    patience: int
    on_center: int


def stop_rule(stop: Stop | None) -> Any:
    """The struct of ``stop``."""
    rule: Any = StopRule()
    rule.gradient = -1.0 if stop is None or stop.gradient is None else stop.gradient
    rule.displacement = -1.0 if stop is None or stop.displacement is None else stop.displacement
    rule.loss = float("-inf") if stop is None or stop.loss is None else stop.loss
    rule.patience = 1 if stop is None else stop.patience
    rule.on_center = 0 if stop is None else int(stop.on == "center")
    return rule
