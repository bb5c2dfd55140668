"""The protocol of a discrete method, and the discrete methods of the library."""

from typing import Any, Protocol, runtime_checkable

import msgspec

from rollingball.core.numeric import Numeric
from rollingball.core.registry import Registry
from rollingball.geometry.foot.projection import default_projection
from rollingball.methods.discrete.baselines import SAM, EntropySGD, GradientDescent, HeavyBall
from rollingball.methods.discrete.momentum import MomentumRBO
from rollingball.methods.discrete.program import Program
from rollingball.methods.discrete.rolling import DistanceRBO, FootpointRBO, Rate
from rollingball.surfaces.base import SurfaceFunctions


@runtime_checkable
class Method(Protocol):
    """A way a ball, or a point, moves in steps. A class of your own with these members rolls as the library's do.

    Attributes:
        lr: The learning rate: a number, an array (B,) over balls, or a Schedule over steps; above 0.
        rolls: Whether there is a ball that touches the graph, so that a gap is measured.
        uses_radius: Whether the steps depend on the radius of a Ball.
    """

    @property
    def lr(self) -> Rate: ...  # noqa: D102
    @property
    def rolls(self) -> bool: ...  # noqa: D102
    @property
    def uses_radius(self) -> bool: ...  # noqa: D102

    def settings(self) -> dict[str, Any]:
        """The numbers that the kernel needs, by name; never empty. ``seed`` is filled with that of the run."""
        ...

    def program(self, surface: SurfaceFunctions, numeric: Numeric) -> Program:
        """The Warp functions of one step on one surface.

        Make them inside a function that is decorated with ``rollingball.compiled``, so that they are built once.
        """
        ...


METHODS = (FootpointRBO, DistanceRBO, MomentumRBO, GradientDescent, HeavyBall, SAM, EntropySGD)
METHOD_CLASSES = Registry("method", Method, "method", METHODS)


def in_dimensions(method: Any, dim: int) -> Any:
    """The method as it rolls in ``dim`` dimensions: one of the library's that names no projection has its default."""
    if isinstance(method, METHODS) and getattr(method, "projection", method) is None:
        return msgspec.structs.replace(method, projection=default_projection(dim))
    return method


def is_discrete(method: Any) -> bool:
    """Whether it is a method in steps, of the library or of a user."""
    return isinstance(method, Method) and not isinstance(method, type)
