"""The tables of a scene file whose fields are fixed: balls and starts, pictures, ironing. Untrusted input."""

import math

import msgspec
import numpy as np

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError, numbers, one_of, positive, positive_scalar, scalar, whole
from rollingball.core.limits import within
from rollingball.core.schedule import Schedule


class Cloud(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Starts drawn evenly from the cube of half-width ``spread`` around a point."""

    around: list[float]
    count: int
    spread: float
    seed: int = 0

    def __post_init__(self) -> None:
        numbers("around", self.around)
        within("starts", "count", whole("count", self.count, 1), self.count * len(self.around))
        if positive_scalar("spread", self.spread) > 1e300:
            raise InputError("spread", self.spread, "one finite number above 0, at most 1e300")
        whole("seed", self.seed)

    def points(self) -> np.ndarray:
        """The starts (count, d), drawn from the seed."""
        shape = (self.count, len(self.around))
        return np.asarray(self.around) + np.random.default_rng(self.seed).uniform(-self.spread, self.spread, shape)


class BallTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[ball]``: a ball of each radius is rolled from each start (a list of points, or one point).

    With ``lift``, a ball that does not fit where it starts is raised onto f_rho. ``on`` = "center": the starts are
    centres, horizontal, or with a height for a ball with mass. ``velocity`` and ``spin`` (one, or one for each start),
    ``mass`` and ``inertia`` are those of a ball with mass.
    """

    start: list[list[float] | float] | Cloud
    radius: float | list[float] | Schedule | None = None
    lift: bool = False
    on: str = "foot"
    velocity: list[list[float] | float] | None = None
    spin: list[list[float] | float] | None = None
    mass: float = 1.0
    inertia: float | None = None

    def __post_init__(self) -> None:
        Ball(1.0 if self.radius is None else self.radius, self.mass, self.inertia)
        one_of("on", self.on, ("foot", "center"))

    def points(self) -> np.ndarray:
        """The starts (B, d): the points given, or those drawn from a cloud."""
        start = self.start
        return start.points() if isinstance(start, Cloud) else np.atleast_2d(numbers("start", start, "points"))

    def pushes(self) -> dict[str, np.ndarray]:
        """The start velocities and spins that are given, as arguments of ``simulate``: arrays (1 or B, components)."""
        pushes = {"start_velocity": self.velocity, "start_spin": self.spin}
        return {
            name: np.atleast_2d(numbers(name, value, "points")) for name, value in pushes.items() if value is not None
        }


class GoalTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[plot.goal]``: captions count the balls that end within a distance of a point."""

    point: list[float]
    within: float = 1.0

    def __post_init__(self) -> None:
        numbers("point", self.point)
        positive_scalar("within", self.within)


class PlotTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[plot]``: the box to draw, a pair [low, high] for each axis.

    ``goal`` counts the balls that end near a point. With ``felt``, the picture also shows f_rho: in d = 1 on each
    section, in d = 2 as one panel more, with the paths of the largest balls.
    """

    box: list[tuple[float, float]]
    goal: GoalTable | None = None
    felt: bool = False

    def reached(self) -> tuple[tuple[float, ...], float] | None:
        """The point and the distance of the goal, where there is one."""
        return (tuple(self.goal.point), self.goal.within) if self.goal else None

    def __post_init__(self) -> None:
        pairs = numbers("box", self.box, "finite pairs [low, high]")
        if not (pairs[:, 0] < pairs[:, 1]).all():
            raise InputError("box", self.box, "pairs [low, high] with low < high")


class DeltaTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[iron.delta]``: Delta(rho) at ``count`` radii from ``low`` to ``high``, evenly in their logarithm."""

    low: float
    high: float
    count: int = 25
    graph: list[str] = msgspec.field(default_factory=lambda: ["full"])

    def __post_init__(self) -> None:
        positive_scalar("low", self.low)
        if positive_scalar("high", self.high) <= self.low:
            raise InputError("high", self.high, f"a number above low, {self.low:g}")
        within("radii", "count", whole("count", self.count, 2), self.count)
        for graph in self.graph:
            one_of("graph", graph, ("full", "truncated"))

    def radii(self) -> np.ndarray:
        """The radii (count,)."""
        return np.geomspace(self.low, self.high, self.count)


class IronTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[iron]``: what ``rollingball iron`` draws over the box of ``[plot]``: f_rho of some radii, and Delta."""

    radii: list[float]
    delta: DeltaTable | None = None

    def __post_init__(self) -> None:
        positive("radii", self.radii)


class SensitivityTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[sensitivity]``: where neighbouring balls part; every run and radius starts on a grid in place of [ball] start.

    ``count`` starts along each axis (one number, or one for each axis) fill ``box``, by default that of [plot]. At a
    ``height`` balls with mass begin in flight.
    """

    count: int | list[int] = 41
    box: list[tuple[float, float]] | None = None
    height: float | None = None

    def __post_init__(self) -> None:
        if self.height is not None:
            scalar("height", self.height)
        for number in self.count if isinstance(self.count, list) else [self.count]:
            whole("count", number, 2)
        if self.box is not None:
            PlotTable(self.box)

    def starts(self, dim: int, plot: PlotTable | None) -> tuple[list[tuple[float, float]], list[int]]:
        """The box and the starts along each of its ``dim`` axes, or an InputError."""
        box = self.box if self.box is not None or plot is None else plot.box
        if dim > 2 or box is None or len(box) != dim:
            raise InputError("$.sensitivity.box", box, "a pair [low, high] for each axis, in one or two dimensions")
        counts = self.count if isinstance(self.count, list) else [self.count] * dim
        if len(counts) != dim:
            raise InputError("$.sensitivity.count", self.count, f"a whole number from 2 on, or {dim} of them")
        within("grid", "$.sensitivity.count", self.count, math.prod(counts))
        return box, counts


class CompareTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[compare]``: Algorithm 1 with exact feet at several learning rates, beside the flow of the ironed loss."""

    lr: list[float]
    duration: float
    frames: int = 201
    tolerance: float = 1e-2
    on: str = "horizontal"

    def __post_init__(self) -> None:
        positive("lr", self.lr)
        positive_scalar("duration", self.duration)
        within("frames", "frames", whole("frames", self.frames, 2), self.frames)
        positive_scalar("tolerance", self.tolerance)
        one_of("on", self.on, ("horizontal", "center", "foot"))

    def steps(self, rate: float) -> int:
        """How many steps of this learning rate fill the duration."""
        return math.ceil(min(self.duration / rate - 1e-9, 2**31))


TABLES = {
    "ball": BallTable,
    "compare": CompareTable,
    "delta": DeltaTable,
    "goal": GoalTable,
    "iron": IronTable,
    "plot": PlotTable,
    "sensitivity": SensitivityTable,
    "start": Cloud,
}
