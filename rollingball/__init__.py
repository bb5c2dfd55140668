"""rollingball: a ball of radius rho rolls on the graph of a loss.

    import rollingball as rb

    run = rb.simulate(rb.surfaces.sine(), rb.Ball(radius=0.5), rb.FootpointRBO(lr=0.01), start=[1.0], steps=100)
    run.foot, run.center, run.loss, run.gap, run.status

A **Ball** rolls on a **Surface** by a **Method**; :func:`simulate` rolls many at once and returns a **Trajectory**.
"""

from rollingball import surfaces
from rollingball.ball import Ball
from rollingball.compare import Comparison, compare
from rollingball.errors import BallError, FileError, InputError, RollingBallError
from rollingball.geometry.contacts import Contacts, contacts
from rollingball.geometry.delta import delta
from rollingball.geometry.footpoints import Footpoints, project
from rollingball.geometry.grid import IronedGrid, iron_grid
from rollingball.geometry.ironed import IronedSurface, ironed
from rollingball.geometry.projection import GlobalProjection, GradientProjection, NewtonProjection
from rollingball.geometry.reach import Reach, curvatures, reach, unreachable, upper_reach
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
    IronedFlow,
    MomentumRBO,
    MoreauJean,
    Rattle,
    RigidBall,
    Rosenbrock,
    Tsit5,
)
from rollingball.rollout import Stop
from rollingball.schedule import Schedule
from rollingball.status import Certificate, Status
from rollingball.surfaces import Surface, formula, surface
from rollingball.trajectory import Trajectory

__version__ = "0.1.0"

from rollingball.adjoint.forward import Sensitivities, sensitivities
from rollingball.adjoint.run import Derivatives, derivatives
from rollingball.adjoint.tape import TapedRun, simulate_on_tape
from rollingball.sensitivity_field import SensitivityField, sensitivity_field
from rollingball.simulate import Progress, resume, simulate

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
    "FileError",
    "FootpointFlow",
    "FootpointRBO",
    "Footpoints",
    "GlobalProjection",
    "GradientDescent",
    "GradientProjection",
    "HeavyBall",
    "Heun",
    "InputError",
    "IronedFlow",
    "IronedGrid",
    "IronedSurface",
    "MomentumRBO",
    "MoreauJean",
    "NewtonProjection",
    "Progress",
    "Rattle",
    "Reach",
    "RigidBall",
    "RollingBall",
    "RollingBallError",
    "Rosenbrock",
    "Schedule",
    "Sensitivities",
    "SensitivityField",
    "Status",
    "Stop",
    "Surface",
    "TapedRun",
    "Trajectory",
    "Tsit5",
    "compare",
    "contacts",
    "curvatures",
    "delta",
    "derivatives",
    "formula",
    "iron_grid",
    "ironed",
    "project",
    "reach",
    "resume",
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
    """Import pictures and torch where they are used."""
    import importlib

    if name in ("plot", "pytorch"):
        return importlib.import_module(f"rollingball.{name}")
    if name == "RollingBall":
        return importlib.import_module("rollingball.pytorch").RollingBall
    raise AttributeError(f"module 'rollingball' has no attribute {name!r}")
