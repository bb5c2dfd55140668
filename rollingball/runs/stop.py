"""When a ball may end before its steps, or before its duration."""

from typing import Any

import msgspec
import warp as wp

from rollingball.core.errors import InputError, not_negative, one_of, scalar, whole


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a ball may end early: when any rule given here held for ``patience`` steps in a row.

    Its last state then fills the frames that follow, and its status is CONVERGED. In continuous time an event of the
    kind STOP has the time.

    Args:
        gradient: The norm of the gradient of the loss at the foot is at most this; of an IronedFlow the speed of its
            centre, which on a crease too is the gradient of the ironed loss. A ball with mass must be slow besides: its
            speed at most this times sqrt(gravity radius).
        displacement: The foot (or centre) moved by at most this in one step.
        loss: The loss at the foot is at most this.
        energy: The energy of a ball with mass, kinetic and potential, is at most this.
        patience: For how many steps in a row.
        on: Whose displacement counts: ``"foot"`` (in R^d) or ``"center"`` (in R^(d+1)).
    """

    gradient: float | None = None
    displacement: float | None = None
    loss: float | None = None
    energy: float | None = None
    patience: int = 1
    on: str = "foot"

    def __post_init__(self) -> None:
        for field in ("gradient", "displacement"):
            if getattr(self, field) is not None:
                not_negative(f"stop.{field}", scalar(f"stop.{field}", getattr(self, field)))
        for field in ("loss", "energy"):
            if getattr(self, field) is not None:
                scalar(f"stop.{field}", getattr(self, field))
        if self.gradient is None and self.displacement is None and self.loss is None and self.energy is None:
            raise InputError("stop", "no rule", "at least one of gradient, displacement, loss and energy")
        whole("stop.patience", self.patience, 1)
        one_of("stop.on", self.on, ("foot", "center"))


@wp.struct
class StopRule:
    """A :class:`Stop` for kernels; a rule that is not given can never hold."""

    gradient: wp.float64
    displacement: wp.float64
    loss: wp.float64
    energy: wp.float64
    patience: int
    on_center: int
    active: int  # whether there is a rule


def stop_rule(stop: Stop | None) -> Any:
    """The struct of ``stop``."""
    rule: Any = StopRule()
    rule.gradient = -1.0 if stop is None or stop.gradient is None else stop.gradient
    rule.displacement = -1.0 if stop is None or stop.displacement is None else stop.displacement
    rule.loss = float("-inf") if stop is None or stop.loss is None else stop.loss
    rule.energy = float("-inf") if stop is None or stop.energy is None else stop.energy
    rule.patience = 1 if stop is None else stop.patience
    rule.on_center = 0 if stop is None else int(stop.on == "center")
    rule.active = int(stop is not None)
    return rule


def checked_stop(stop: Any, has_energy: bool = False) -> Stop | None:
    """``stop``, or an InputError for something else, and for a rule of the energy where a ball has none."""
    if stop is not None and not isinstance(stop, Stop):
        raise InputError("stop", stop, "None or an rb.Stop")
    if stop is not None and stop.energy is not None and not has_energy:
        raise InputError("stop.energy", stop.energy, "None, for a method without mass")
    return stop


def has_other_rules(scene: dict[str, Any], stop: Stop | None) -> bool:
    """Whether the run of a scene had other stop rules than those now, so that balls that met them roll again."""
    return bool((scene.get("run") or {}).get("stop") != msgspec.to_builtins(stop))
