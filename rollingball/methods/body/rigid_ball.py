"""The ball as a body with mass: rolling, sliding, friction, free flight and impact (theory, section 7)."""

import math
from typing import Any, ClassVar

import msgspec
import numpy as np

from rollingball.core.codes import COULOMB, FRICTIONLESS, NO_SLIP
from rollingball.core.errors import InputError, flag, not_negative, one_of, positive_scalar, scalar
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.methods.body.integrators import BODY_INTEGRATORS, MoreauJean, Rattle
from rollingball.methods.integrators.integrators import Dopri5, Integrator, is_explicit, known


class RigidBall(msgspec.Struct, frozen=True, tag="rigid-ball", tag_field="method", forbid_unknown_fields=True):
    """A rigid ball with mass on the graph of L f: m c'' = -m a e_y + N nu + F - mu c' (theory, section 7).

    The model. The ball is a sphere of mass m and moment of inertia beta m rho^2 (both from the ``Ball``) and touches
    at a point. N is the normal force and F the friction there. Without slip, in the tangent plane of the offset,

        D_t c' = [P(-a e_y) - mu c' / m + beta rho w_n (n x n')] / (1 + beta),   w_n' = (n x c') . n' / rho,

    with n the unit normal and w_n the spin about it. In d > 2 only a ball whose spin about the normal is kept at zero
    rolls. Time is physical: the loss scale L changes the graph and not the clock.

    Args:
        gravity: a, 0 or above, in heights of L f over time squared.
        drag: mu, 0 or above: the force -mu c' on the centre.
        contact: "bilateral" keeps the ball on the graph; "unilateral" lets it fly and land.
        friction: "none", "no-slip", or Coulomb's coefficient (d <= 2); 0 is "none".
        restitution: e in [0, 1], the share of the normal velocity that an impact gives back.
        spin: "marble": the spin about the normal is free; "rubber": the contact keeps it at zero.
        integrator: Rattle, an explicit integrator of the flows (in coordinates of the constraint), or
            MoreauJean for unilateral contact at several places. By default Rattle(1e-3), with drag Dopri5().
        search: How other contacts are sought, after every step: with proof where d <= 2 and the surface knows its
            bounds, from the contacts known. ``GlobalProjection(nodes=0)`` proves nothing, takes a tenth of the time on
            Eq. 14, and may let the ball sink in there by 1e-3. None seeks none, which suits a bilateral ball whose
            radius is below the upper reach.
        stride: The longest way of an adaptive step or of a step in flight, in radii, or infinity: where ways are not
            swept, a contact that comes and goes between two searches is not seen.
        sweep: Whether the way of every step is swept for contacts (theory, section 11, "The way"), so that none comes
            and goes unseen, however thin, and a step in flight is as long as its way is clear, whatever ``stride``.
            None: on surfaces with bounds and no edge in d <= 2, with a search that proves, but for MoreauJean; True:
            there alone, else it is refused. False: contacts are sought at the ends of steps.

    Raises:
        InputError: for a value that is not one of these.
    """

    gravity: float = 9.81
    drag: float = 0.0
    contact: str = "bilateral"
    friction: float | str = "none"
    restitution: float = 0.0
    spin: str = "marble"
    integrator: Integrator | None = None
    search: GlobalProjection | None = GlobalProjection(nodes=10_000)
    stride: float = 0.25
    sweep: bool | None = None
    rolls: ClassVar[bool] = True
    uses_radius: ClassVar[bool] = True
    state: ClassVar[str] = "center"

    def __post_init__(self) -> None:
        not_negative("gravity", scalar("gravity", self.gravity))
        not_negative("drag", scalar("drag", self.drag))
        one_of("contact", self.contact, ("bilateral", "unilateral"))
        if isinstance(self.friction, str):
            if self.friction not in ("none", "no-slip"):
                raise InputError("friction", self.friction, "'none', 'no-slip', or a coefficient, 0 or above")
        elif scalar("friction", self.friction) < 0:
            raise InputError("friction", self.friction, "'none', 'no-slip', or a coefficient, 0 or above")
        if not 0 <= scalar("restitution", self.restitution) <= 1:
            raise InputError("restitution", self.restitution, "a number in [0, 1]")
        one_of("spin", self.spin, ("marble", "rubber"))
        if not (
            self.integrator is None or isinstance(self.integrator, BODY_INTEGRATORS) or is_explicit(self.integrator)
        ):
            allowed = known(lambda kind: kind in BODY_INTEGRATORS or kind.tableau is not None)
            raise InputError("integrator", self.integrator, allowed)
        if self.search is not None and not isinstance(self.search, GlobalProjection):
            raise InputError("search", self.search, "a GlobalProjection or None")
        if np.ndim(self.stride) or self.stride != math.inf:
            positive_scalar("stride", self.stride)
        if self.sweep is not None and flag("sweep", self.sweep) and not self.sweeps:
            raise InputError("sweep", True, "None or False, with MoreauJean and without a search that proves")
        if self.contact == "unilateral" and self.search is None:
            raise InputError("search", None, "a GlobalProjection, with unilateral contact")
        if isinstance(self.integrator, MoreauJean) and self.contact == "bilateral":
            raise InputError("contact", self.contact, "'unilateral', with MoreauJean")

    @property
    def sweeps(self) -> bool:
        """Whether ways are swept where the surface allows it."""
        has_proof = self.search is not None and self.search.nodes > 0
        return self.sweep is not False and has_proof and not isinstance(self.integrator, MoreauJean)

    @property
    def chosen(self) -> Any:
        """The integrator that was given, or the one that suits the drag."""
        if self.integrator is not None:
            return self.integrator
        return Rattle(1e-3) if self.drag == 0 else Dopri5()

    @property
    def law(self) -> int:
        """The law of friction: FRICTIONLESS, NO_SLIP or COULOMB, as in kernels."""
        laws: dict[Any, int] = {"none": FRICTIONLESS, "no-slip": NO_SLIP, 0: FRICTIONLESS}
        return laws.get(self.friction, COULOMB)

    def check_dim(self, dim: int) -> None:
        """Raise an InputError for a law of friction or spin that is not defined in so many dimensions."""
        if dim > 2 and self.law == COULOMB:
            raise InputError("friction", self.friction, f"'none' or 'no-slip' in d = {dim}")
        if dim > 2 and self.law == NO_SLIP and self.spin == "marble":
            raise InputError("spin", self.spin, f"'rubber' for a ball that rolls in d = {dim}")
        if dim > 2 and self.law == NO_SLIP and self.contact == "unilateral":
            raise InputError("friction", self.friction, f"'none', with unilateral contact in d = {dim}")

    def settings(self) -> dict[str, Any]:
        """The numbers of the model, the integrator and the search, as the kernels take them."""
        search = self.search if self.search is not None else GlobalProjection(nodes=0)
        numbers = {
            **search.settings(),
            **self.chosen.settings(),
            "gravity": float(self.gravity),
            "drag": float(self.drag),
            "law": self.law,
            "mu": float(self.friction) if self.law == COULOMB else 0.0,
            "restitution": float(self.restitution),
            "unilateral": int(self.contact == "unilateral"),
            "rubber": int(self.spin == "rubber"),
            "stride": float(self.stride),
        }
        if isinstance(self.chosen, MoreauJean):
            numbers["tie"] = float(self.chosen.reach)
        return numbers


BODIES = (RigidBall,)
