"""A surface as a parameter of another surface."""

from dataclasses import dataclass
from typing import Any

from rollingball.core.numeric import Numeric, layout
from rollingball.surfaces.base import Surface, SurfaceKind


@dataclass(frozen=True, eq=False)
class Inner:
    """A surface as a parameter of another surface, whose Warp functions call those of the inner one in float64."""

    surface: Surface

    @property
    def kind(self) -> SurfaceKind:
        """What identifies the Warp functions of the inner surface."""
        return SurfaceKind(self.surface.builder, layout(self.surface.params))

    def record(self, numeric: Numeric, device: str) -> Any:
        """The parameters of the inner surface, as an instance of its struct."""
        return self.surface.parameters(numeric, device)
