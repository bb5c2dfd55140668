"""A surface as a parameter of another surface."""

from dataclasses import dataclass
from typing import Any

from rollingball.core.numeric import Numeric, layout
from rollingball.surfaces.base import Builder, Fields, Surface, SurfaceFunctions, _functions


@dataclass(frozen=True)
class SurfaceKind:
    """What identifies the Warp functions of a surface: its builder and the names and kinds of its parameters."""

    builder: Builder
    fields: Fields

    def struct(self, numeric: Numeric) -> Any:
        """The type of the parameter struct of these functions."""
        return self.functions(numeric).parameters

    def functions(self, numeric: Numeric) -> SurfaceFunctions:
        """The Warp functions of L f."""
        return _functions(self.builder, self.fields, numeric, False)


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
