"""The integrators of the body with mass that no flow has: RATTLE, and Moreau's and Jean's time steps."""

from rollingball.core.errors import InputError, positive_scalar
from rollingball.methods.integrators.integrators import FIXED, INTEGRATORS, FixedStep


class Rattle(FixedStep, tag="rattle", **FIXED):
    """RATTLE (Andersen, J. Comput. Phys. 52, 1983) with a fixed step: second order, symplectic, symmetric.

    Centre and velocity are on the constraint after every step. Drag, friction and the spin about the normal are split
    off symmetrically, half a step before and half a step after.
    """


class MoreauJean(FixedStep, tag="moreau-jean", **FIXED):
    """Moreau's and Jean's time steps of a fixed size, first order: all contacts of a step are solved for at once.

    For unilateral contact at several places. It locates no events: an impact happens at the end of its step.

    Args:
        step: The size of a step.
        reach: How far above a contact, in radii, the ball may be for the contact to count in the next step; above 0 and
            below 1. It has to exceed what the ball moves in a step.

    Raises:
        InputError: for a step that is not above 0, or a reach outside (0, 1).
    """

    reach: float = 0.05

    def __post_init__(self) -> None:
        positive_scalar("step", self.step)
        if positive_scalar("reach", self.reach) >= 1:
            raise InputError("reach", self.reach, "a number above 0 and below 1")


BODY_INTEGRATORS = (Rattle, MoreauJean)
INTEGRATORS.extend(BODY_INTEGRATORS)
