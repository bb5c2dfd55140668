"""The continuous-time limits of the rolling ball: the flow of the ironed loss, and its footpoint form."""

import math
from typing import Any, ClassVar

import msgspec
import numpy as np

from rollingball.core.errors import InputError, flag, one_of, positive_scalar
from rollingball.core.numeric import Numeric
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.flow.footpoint import footpoint_program
from rollingball.methods.flow.functions import FlowFunctions
from rollingball.methods.flow.ironed import ironed_program
from rollingball.methods.flow.single import single_program
from rollingball.methods.integrators.integrators import CatchUp, Dopri5, Integrator, known
from rollingball.surfaces.base import SurfaceFunctions


class IronedFlow(msgspec.Struct, frozen=True, tag="ironed-flow", tag_field="method", forbid_unknown_fields=True):
    """The gradient flow of the ironed loss, c_h' = -grad f_rho(c_h): what Algorithm 1 tends to (theory, section 3).

    Its state is the centre. Where the ball has several contacts the velocity is minus the point of least norm in the
    convex hull of their slopes: it slides along the crease, or rests. The times at which contacts appear or are left
    are located and recorded.

    Args:
        integrator: How it is integrated.
        metric: "parameter": the clock of the discrete method; "ambient": slowed by 1 + |g|^2, the over-damped ball.
        reproject: Put the centre back onto the offset after every step; else its height is integrated too.
        search: How contacts are sought, at the end of every step and at every frame, where it is not proved that the
            ball has only one (theory, section 11, "Room").
        stride: The longest way of an adaptive step, at the speed with which it begins, in radii, or infinity: where
            ways are not swept, a contact that comes and goes between two searches is not seen. For a tiny radius that
            stands for none, infinity.
        sweep: Whether the way of every step is swept for contacts where it is not proved that there is only one
            (theory, section 11, "The way"), so that none comes and goes unseen, however thin. None: on surfaces with
            bounds and no edge in d <= 2, with a search that proves, but for CatchUp; True: there alone, else it is
            refused. False: contacts are sought at the ends of steps.

    Raises:
        InputError: for a value that is not one of these.
    """

    integrator: Integrator = Dopri5()
    metric: str = "parameter"
    reproject: bool = True
    search: GlobalProjection = GlobalProjection(nodes=10_000)
    stride: float = 0.25
    sweep: bool | None = None
    rolls: ClassVar[bool] = True
    uses_radius: ClassVar[bool] = True
    state: ClassVar[str] = "center"

    def __post_init__(self) -> None:
        _check_integrator(self.integrator, _serves)
        one_of("metric", self.metric, ("parameter", "ambient"))
        flag("reproject", self.reproject)
        if self.metric == "ambient" and not self.reproject:
            raise InputError("reproject", False, 'True, with metric = "ambient"')
        if isinstance(self.integrator, CatchUp) and not self.reproject:
            raise InputError("reproject", False, "True, with CatchUp")
        if np.ndim(self.stride) or self.stride != math.inf:
            positive_scalar("stride", self.stride)
        if not isinstance(self.search, GlobalProjection):
            raise InputError("search", self.search, "a GlobalProjection")
        if self.sweep is not None and flag("sweep", self.sweep) and not self.sweeps:
            raise InputError("sweep", True, "None or False, with CatchUp and without a search that proves")

    @property
    def sweeps(self) -> bool:
        """Whether ways are swept where the surface allows it."""
        return self.sweep is not False and self.search.nodes > 0 and not isinstance(self.integrator, CatchUp)

    def settings(self) -> dict[str, Any]:
        """The numbers of the search, the integrator and the flow, as the kernel takes them."""
        return {
            **self.search.settings(),
            **self.integrator.settings(),
            "reproject": int(self.reproject),
            "stride": float(self.stride),
        }

    def program(self, functions: SurfaceFunctions, numeric: Numeric) -> FlowFunctions:
        """The Warp functions of this flow with its integrator, on one family of surfaces."""
        return ironed_program(type(self.integrator), functions, numeric, self.metric == "ambient", self.sweeps)

    def single_program(self, functions: SurfaceFunctions, numeric: Numeric) -> FlowFunctions | None:
        """Those for balls that are proved to have one contact, or None where no such proof is possible."""
        return single_program(type(self.integrator), functions, numeric, self.metric == "ambient")


class FootpointFlow(msgspec.Struct, frozen=True, tag="footpoint-flow", tag_field="method", forbid_unknown_fields=True):
    """The footpoint form, theta' = -(I - (rho / w) G^-1 H)^-1 g, for one contact (theory, section 4).

    It ends with the status "focal point" where rho times a principal curvature reaches 1, and knows nothing of other
    contacts. A vanishing radius gives plain gradient flow.

    Args:
        integrator: How it is integrated.

    Raises:
        InputError: for something else than an integrator.
    """

    integrator: Integrator = Dopri5()
    rolls: ClassVar[bool] = True
    uses_radius: ClassVar[bool] = True
    state: ClassVar[str] = "foot"

    def __post_init__(self) -> None:
        _check_integrator(self.integrator, _has_steps)

    def settings(self) -> dict[str, Any]:
        """The numbers of the integrator and the flow, as the kernel takes them."""
        return {**self.integrator.settings(), "reproject": 1, "stride": math.inf}

    def program(self, functions: SurfaceFunctions, numeric: Numeric) -> FlowFunctions:
        """The Warp functions of this flow with its integrator, on one family of surfaces."""
        return footpoint_program(type(self.integrator), functions, numeric)

    def single_program(self, functions: SurfaceFunctions, numeric: Numeric) -> FlowFunctions | None:
        """None: this flow knows of one contact only."""
        return None


Flow = IronedFlow | FootpointFlow
FLOWS = (IronedFlow, FootpointFlow)


def _has_steps(kind: Any) -> bool:
    """Whether the steps of an integrator class are made of a right-hand side alone."""
    return kind.tableau is not None or hasattr(kind, "stepper")


def _serves(kind: Any) -> bool:
    return _has_steps(kind) or kind is CatchUp


def _check_integrator(integrator: Any, serves: Any) -> None:
    if isinstance(integrator, type) or not isinstance(integrator, Integrator) or not serves(type(integrator)):
        raise InputError("integrator", integrator, known(serves))
