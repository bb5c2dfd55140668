"""rollingball: a ball of radius rho rolls on the graph of a loss.

    import rollingball as rb

    run = rb.simulate(rb.surfaces.sine(), rb.Ball(radius=0.5), rb.FootpointRBO(lr=0.01), start=[1.0], steps=100)
    run.foot, run.center, run.loss, run.gap, run.status

A **Ball** rolls on a **Surface** by a **Method**; :func:`simulate` rolls many at once and returns a **Trajectory**.
"""

import inspect
from typing import Any

from rollingball import surfaces
from rollingball.core.arguments import suggest_arguments, suggesting
from rollingball.core.ball import Ball
from rollingball.core.compiled import compiled
from rollingball.core.errors import BallError, FileError, InputError, RollingBallError, RunInterrupted
from rollingball.core.schedule import Schedule
from rollingball.core.status import Certificate, Event, Status
from rollingball.core.version import __version__ as __version__
from rollingball.derivatives.derivatives import derivatives
from rollingball.derivatives.hessian_vector import HessianVector, hessian_vector
from rollingball.derivatives.robustness import Robustness, robustness
from rollingball.derivatives.sensitivities import sensitivities
from rollingball.derivatives.sensitivity_field import SensitivityField, sensitivity_field
from rollingball.derivatives.tape import TapedRun, simulate_on_tape
from rollingball.geometry.contact.contacts import Contacts, contacts
from rollingball.geometry.foot.footpoints import Footpoints, project
from rollingball.geometry.foot.projection import GlobalProjection, GradientProjection, NewtonProjection, Projection
from rollingball.geometry.ironing.delta import delta
from rollingball.geometry.ironing.iron_grid import IronedGrid, iron_grid
from rollingball.geometry.ironing.ironed import IronedSurface, ironed
from rollingball.geometry.ironing.reach import Reach, curvatures, reach, unreachable, upper_reach
from rollingball.methods import (
    RK4,
    SAM,
    Bosh3,
    CatchUp,
    DistanceRBO,
    Dopri5,
    EntropySGD,
    Euler,
    FootpointFlow,
    FootpointRBO,
    GradientDescent,
    HeavyBall,
    Heun,
    Integrator,
    IronedFlow,
    Method,
    MomentumRBO,
    MoreauJean,
    Rattle,
    RigidBall,
    Rosenbrock,
    Tableau,
    Tsit5,
)
from rollingball.methods.discrete.plan import Progress
from rollingball.methods.register import register
from rollingball.runs.compare import Comparison, compare
from rollingball.runs.derivatives import Derivatives, Sensitivities
from rollingball.runs.stop import Stop
from rollingball.runs.trajectory import Trajectory
from rollingball.simulate import resume, simulate
from rollingball.surfaces import Surface, formula, surface

__all__ = [
    "RK4",
    "SAM",
    "Ball",
    "BallError",
    "Bosh3",
    "CatchUp",
    "Certificate",
    "Comparison",
    "Contacts",
    "Derivatives",
    "DistanceRBO",
    "Dopri5",
    "EntropySGD",
    "Euler",
    "Event",
    "FileError",
    "FootpointFlow",
    "FootpointRBO",
    "Footpoints",
    "GlobalProjection",
    "GradientDescent",
    "GradientProjection",
    "HeavyBall",
    "HessianVector",
    "Heun",
    "InputError",
    "Integrator",
    "IronedFlow",
    "IronedGrid",
    "IronedSurface",
    "Method",
    "MomentumRBO",
    "MoreauJean",
    "NewtonProjection",
    "Progress",
    "Projection",
    "Rattle",
    "Reach",
    "RigidBall",
    "Robustness",
    "RollingBall",
    "RollingBallError",
    "Rosenbrock",
    "RunInterrupted",
    "Schedule",
    "Sensitivities",
    "SensitivityField",
    "Status",
    "Stop",
    "Surface",
    "Tableau",
    "TapedRun",
    "Trajectory",
    "Tsit5",
    "compare",
    "compiled",
    "contacts",
    "curvatures",
    "delta",
    "derivatives",
    "formula",
    "hessian_vector",
    "iron_grid",
    "ironed",
    "load_scene",
    "project",
    "reach",
    "register",
    "resume",
    "robustness",
    "sensitivities",
    "sensitivity_field",
    "simulate",
    "simulate_on_tape",
    "surface",
    "surfaces",
    "unreachable",
    "upper_reach",
]


def __getattr__(name: str) -> object:
    """Import pictures, torch and scenes where they are used."""
    import importlib

    if name in ("plot", "pytorch"):
        return importlib.import_module(f"rollingball.{name}")
    if name == "load_scene":
        return suggesting(importlib.import_module("rollingball.app.scene").load_scene)
    if name == "RollingBall":
        return importlib.import_module("rollingball.pytorch").RollingBall
    raise AttributeError(f"module 'rollingball' has no attribute {name!r}")


def _to_torch(trajectory: Trajectory, device: Any = None) -> Any:
    """The arrays as torch tensors, a :class:`rollingball.pytorch.TorchTrajectory`.

    Args:
        trajectory: The run.
        device: Where; by default the CPU, where tensors share the memory of the arrays.
    """
    from rollingball.pytorch.runs.simulate import to_torch

    return to_torch(trajectory, device)


def _trajectory_html(trajectory: Trajectory) -> str:
    """What a notebook shows: a table, and a thumbnail of the paths."""
    from rollingball.plot.notebook import trajectory_html

    return trajectory_html(trajectory)


def _comparison_html(comparison: Comparison) -> str:
    """What a notebook shows: the table of ``print``, and the distances over time."""
    from rollingball.plot.notebook import comparison_html

    return comparison_html(comparison)


# What belongs to two rooms is attached here, above both.
for _owner, _name, _method in (
    (Trajectory, "to_torch", _to_torch),
    (Trajectory, "_repr_html_", _trajectory_html),
    (Comparison, "_repr_html_", _comparison_html),
):
    setattr(_owner, _name, _method)

suggest_arguments(globals(), __all__, inspect.signature(simulate).parameters)


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*__all__, "__version__"])
