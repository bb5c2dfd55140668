"""The ways a ball moves: the paper's two rules, baselines, and the continuous-time limits with their integrators.

Here is also what a method or an integrator of your own is made of: ``Method``, ``Program`` and ``state_struct``;
``Integrator``, ``Tableau``, ``FixedStep`` and ``AdaptiveStep``.
"""

from rollingball.methods.body.integrators import MoreauJean, Rattle
from rollingball.methods.body.rigid_ball import BODIES, RigidBall
from rollingball.methods.discrete.baselines import SAM, EntropySGD, GradientDescent, HeavyBall
from rollingball.methods.discrete.methods import METHOD_CLASSES, METHODS, Method
from rollingball.methods.discrete.momentum import MomentumRBO
from rollingball.methods.discrete.program import Program, state_struct
from rollingball.methods.discrete.rolling import DistanceRBO, FootpointRBO
from rollingball.methods.flow.flows import FLOWS, Flow, FootpointFlow, IronedFlow
from rollingball.methods.integrators.integrators import (
    RK4,
    AdaptiveStep,
    Bosh3,
    CatchUp,
    Dopri5,
    Euler,
    FixedStep,
    Heun,
    Integrator,
    Rosenbrock,
    Tsit5,
)
from rollingball.methods.integrators.tableaus import Tableau

METHOD_CLASSES.extend((*FLOWS, *BODIES))

__all__ = [
    "BODIES",
    "FLOWS",
    "METHODS",
    "METHOD_CLASSES",
    "RK4",
    "SAM",
    "AdaptiveStep",
    "Bosh3",
    "CatchUp",
    "DistanceRBO",
    "Dopri5",
    "EntropySGD",
    "Euler",
    "FixedStep",
    "Flow",
    "FootpointFlow",
    "FootpointRBO",
    "GradientDescent",
    "HeavyBall",
    "Heun",
    "Integrator",
    "IronedFlow",
    "Method",
    "MomentumRBO",
    "MoreauJean",
    "Program",
    "Rattle",
    "RigidBall",
    "Rosenbrock",
    "Tableau",
    "Tsit5",
    "state_struct",
]
