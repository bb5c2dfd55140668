"""The ways a ball moves: the paper's two rules, baselines, and the continuous-time limits with their integrators."""

from rollingball.methods.baselines import SAM, EntropySGD, GradientDescent, HeavyBall
from rollingball.methods.body import BODIES, RigidBall
from rollingball.methods.body_integrators import MoreauJean, Rattle
from rollingball.methods.flows import FLOWS, Flow, FootpointFlow, IronedFlow
from rollingball.methods.integrators import RK4, Bosh3, CatchUp, Dopri5, Euler, Heun, Rosenbrock, Tsit5
from rollingball.methods.momentum import MomentumRBO
from rollingball.methods.rolling import DistanceRBO, FootpointRBO

METHODS = (FootpointRBO, DistanceRBO, MomentumRBO, GradientDescent, HeavyBall, SAM, EntropySGD)
Method = FootpointRBO | DistanceRBO | MomentumRBO | GradientDescent | HeavyBall | SAM | EntropySGD

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
