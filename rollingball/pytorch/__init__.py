"""Rolling balls in PyTorch: the optimizer and what belongs to it. Importing this imports torch.

    optimizer = rollingball.RollingBall(model.parameters(), lr=0.1, radius=0.05, contact_steps=1)

``rollingball.RollingBall`` is ``rollingball.pytorch.RollingBall``.
"""

import inspect

from rollingball.core.arguments import suggest_arguments
from rollingball.geometry.foot.projection import GradientProjection
from rollingball.pytorch.optimizer.footpoint import LBFGSProjection, ProjectionReport
from rollingball.pytorch.optimizer.optimizer import RollingBall
from rollingball.pytorch.optimizer.radius import (
    ConstantRadius,
    CosineRadius,
    RadiusScheduler,
    ReduceRadiusOnPlateau,
    StepRadius,
)
from rollingball.pytorch.plane.plane import LossPlane
from rollingball.pytorch.plane.plane_grid import GridOptions, PlanePoint, PlaneReport
from rollingball.pytorch.plane.suggest import Suggestion, suggest
from rollingball.pytorch.runs.export import export_state_dict, load_into, write_checkpoints
from rollingball.pytorch.runs.record import Recorder
from rollingball.pytorch.runs.recording import read_recording
from rollingball.pytorch.runs.roll import roll_model
from rollingball.pytorch.runs.simulate import TorchTrajectory, simulate
from rollingball.simulate import simulate as roll

__all__ = [
    "ConstantRadius",
    "CosineRadius",
    "GradientProjection",
    "GridOptions",
    "LBFGSProjection",
    "LossPlane",
    "PlanePoint",
    "PlaneReport",
    "ProjectionReport",
    "RadiusScheduler",
    "Recorder",
    "ReduceRadiusOnPlateau",
    "RollingBall",
    "StepRadius",
    "Suggestion",
    "TorchTrajectory",
    "export_state_dict",
    "load_into",
    "read_recording",
    "roll_model",
    "simulate",
    "suggest",
    "write_checkpoints",
]

suggest_arguments(globals(), __all__, inspect.signature(roll).parameters)


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)
