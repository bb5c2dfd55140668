"""Rolling balls in PyTorch: the optimizer and what belongs to it. Importing this imports torch.

    optimizer = rollingball.RollingBall(model.parameters(), lr=0.1, radius=0.05, contact_steps=1)

``rollingball.RollingBall`` is ``rollingball.pytorch.RollingBall``.
"""

from rollingball.geometry.projection import GradientProjection
from rollingball.pytorch.footpoint import LBFGSProjection, ProjectionReport
from rollingball.pytorch.optimizer import RollingBall
from rollingball.pytorch.plane import LossPlane
from rollingball.pytorch.radius import (
    ConstantRadius,
    CosineRadius,
    RadiusScheduler,
    ReduceRadiusOnPlateau,
    StepRadius,
)

__all__ = [
    "ConstantRadius",
    "CosineRadius",
    "GradientProjection",
    "LBFGSProjection",
    "LossPlane",
    "ProjectionReport",
    "RadiusScheduler",
    "ReduceRadiusOnPlateau",
    "RollingBall",
    "StepRadius",
]
