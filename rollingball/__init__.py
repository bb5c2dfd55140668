"""rollingball: a ball of radius rho rolls on the graph of a loss.

    import rollingball as rb

    run = rb.simulate(rb.surfaces.sine(), rb.Ball(radius=0.5), rb.FootpointRBO(lr=0.01), start=[1.0], steps=100)
    run.foot, run.center, run.loss, run.gap, run.status

A **Ball** rolls on a **Surface** by a **Method**; :func:`simulate` rolls many at once and returns a **Trajectory**.
"""

from rollingball import surfaces
from rollingball.ball import Ball
from rollingball.errors import BallError, FileError, InputError, RollingBallError
from rollingball.geometry.projection import GradientProjection, NewtonProjection
from rollingball.methods import SAM, DistanceRBO, EntropySGD, FootpointRBO, GradientDescent, HeavyBall
from rollingball.rollout import Stop
from rollingball.schedule import Schedule
from rollingball.status import Status
from rollingball.surfaces import Surface, formula, surface
from rollingball.trajectory import Trajectory

__version__ = "0.1.0"

from rollingball.simulate import Progress, resume, simulate

__all__ = [
    "SAM",
    "Ball",
    "BallError",
    "DistanceRBO",
    "EntropySGD",
    "FileError",
    "FootpointRBO",
    "GradientDescent",
    "GradientProjection",
    "HeavyBall",
    "InputError",
    "NewtonProjection",
    "Progress",
    "RollingBallError",
    "Schedule",
    "Status",
    "Stop",
    "Surface",
    "Trajectory",
    "formula",
    "resume",
    "simulate",
    "surface",
    "surfaces",
]


def __getattr__(name: str) -> object:
    """Import the pictures where they are used."""
    if name == "plot":
        import importlib

        return importlib.import_module("rollingball.plot")
    raise AttributeError(f"module 'rollingball' has no attribute {name!r}")
