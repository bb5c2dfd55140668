"""The ways a ball moves: the paper's two rules, baselines, and the continuous-time limits with their integrators."""

from rollingball.methods.body.integrators import MoreauJean, Rattle
from rollingball.methods.body.rigid_ball import BODIES, RigidBall
from rollingball.methods.discrete.baselines import SAM, EntropySGD, GradientDescent, HeavyBall
from rollingball.methods.discrete.methods import METHODS, Method
from rollingball.methods.discrete.momentum import MomentumRBO
from rollingball.methods.discrete.rolling import DistanceRBO, FootpointRBO
from rollingball.methods.flow.flows import FLOWS, Flow, FootpointFlow, IronedFlow
from rollingball.methods.integrators.integrators import RK4, Bosh3, CatchUp, Dopri5, Euler, Heun, Rosenbrock, Tsit5

__all__ = [
    "BODIES",
    "FLOWS",
    "METHODS",
    "RK4",
    "SAM",
    "Bosh3",
    "CatchUp",
    "DistanceRBO",
    "Dopri5",
    "EntropySGD",
    "Euler",
    "Flow",
    "FootpointFlow",
    "FootpointRBO",
    "GradientDescent",
    "HeavyBall",
    "Heun",
    "IronedFlow",
    "Method",
    "MomentumRBO",
    "MoreauJean",
    "Rattle",
    "RigidBall",
    "Rosenbrock",
    "Tsit5",
]
