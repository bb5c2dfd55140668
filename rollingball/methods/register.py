"""register: classes of users' own in scenes and in saved runs."""

from __future__ import annotations

from typing import TypeVar

from rollingball.core.errors import InputError
from rollingball.core.registry import Registry, name_of
from rollingball.geometry.foot.projection import PROJECTIONS
from rollingball.methods import METHOD_CLASSES
from rollingball.methods.integrators.integrators import INTEGRATORS

Class = TypeVar("Class", bound=type)
# What tells the kinds apart, of a class: its data members may be set in its instances only.
MEMBERS: tuple[tuple[Registry, tuple[str, ...]], ...] = (
    (METHOD_CLASSES, ("rolls", "uses_radius", "settings", "program")),
    (PROJECTIONS, ("exact", "settings", "program")),
    (INTEGRATORS, ("adaptive", "tableau", "settings")),
)


def register(cls: Class, name: str | None = None) -> Class:
    """Let scenes and saved runs name a method, a projection or an integrator of your own; also a decorator.

    A table of a scene names it by ``method`` or ``type`` and has the arguments of its constructor as keys, whose types
    are read from their annotations. A run of it that is loaded in a new process can go on, and be differentiated, once
    its class is registered there.

    Args:
        cls: A class with the members of :class:`rollingball.Method`, :class:`rollingball.Projection` or
            :class:`rollingball.Integrator`; a frozen dataclass or msgspec.Struct is the simplest.
        name: What files call it; by default its tag as a msgspec.Struct, or its name in lower case with dashes.

    Returns:
        ``cls``.

    Raises:
        InputError: for a class that is none of these, for a name that a class of the library has, and for a constructor
            whose arguments a file cannot give: without a name, an annotation, or of a type that TOML does not have.
    """
    for registry, members in MEMBERS:
        if isinstance(cls, type) and all(hasattr(cls, member) for member in members):
            registry.add(cls, name_of(cls) if name is None else name)
            return cls
    allowed = "; or ".join(f"{registry.one}: a class with {', '.join(members)}" for registry, members in MEMBERS)
    raise InputError("cls", cls, allowed)
