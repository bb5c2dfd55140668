"""The ways a ball moves: the paper's two rules, and the baselines it is compared with."""

from rollingball.methods.baselines import SAM, EntropySGD, GradientDescent, HeavyBall
from rollingball.methods.rolling import DistanceRBO, FootpointRBO

METHODS = (FootpointRBO, DistanceRBO, GradientDescent, HeavyBall, SAM, EntropySGD)
Method = FootpointRBO | DistanceRBO | GradientDescent | HeavyBall | SAM | EntropySGD

__all__ = ["METHODS", "SAM", "DistanceRBO", "EntropySGD", "FootpointRBO", "GradientDescent", "HeavyBall", "Method"]
