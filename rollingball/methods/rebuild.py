"""The surface, ball and method of a recorded run."""

from __future__ import annotations

from typing import Any

import msgspec

from rollingball.core.ball import Ball
from rollingball.core.errors import InputError
from rollingball.methods.discrete.methods import METHOD_CLASSES
from rollingball.runs.stop import Stop
from rollingball.runs.trajectory import Trajectory
from rollingball.surfaces.base import Surface, checked_surface
from rollingball.surfaces.catalogue import from_recipe


def rebuilt(trajectory: Any, surface: Surface | None = None) -> tuple[Surface, Ball | None, Any, dict[str, Any]]:
    """The surface, ball, method and options of a recorded run, from its scene.

    Raises:
        InputError: for a run on a surface that is not of the catalogue, where ``surface`` is not given.
    """
    if not isinstance(trajectory, Trajectory):
        raise InputError("trajectory", trajectory, "a Trajectory; Trajectory.load reads one from a file")
    return rebuilt_scene(trajectory.scene, trajectory, surface)


def rebuilt_scene(
    scene: dict[str, Any], whose: Any, surface: Surface | None = None
) -> tuple[Surface, Ball | None, Any, dict[str, Any]]:
    """The same from the scene of a run; ``whose`` it is, for errors."""
    recipe = scene.get("surface")
    if surface is None and (not isinstance(recipe, dict) or "type" not in recipe):
        raise InputError(
            "trajectory",
            whose,
            "a run on a surface of the catalogue; pass start= to simulate, or surface= to derivatives",
        )
    try:
        run = dict(scene["run"])
        if "duration" in run:
            options = {name: run.pop(name, None) for name in ("duration", "dtype", "device", "start")}
            options["start_spin"] = msgspec.convert(run.pop("start_spin", None), str | list[list[float]] | None)
            options["stop"] = msgspec.convert(run.pop("stop", None), Stop | None)
            method = METHOD_CLASSES.read(run)
        else:
            options = {name: run.pop(name) for name in ("every", "seed", "dtype", "device")}
            run.pop("steps")
            options["stop"] = msgspec.convert(run.pop("stop"), Stop | None)
            method = METHOD_CLASSES.read(run)
        ball = msgspec.convert(scene["ball"], Ball | None)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise InputError("trajectory", whose, f"a run whose scene is whole ({error})") from None
    return checked_surface(surface if surface is not None else from_recipe(recipe or {})), ball, method, options
