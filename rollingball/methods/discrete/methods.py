"""The discrete methods of the library."""

from rollingball.methods.discrete.baselines import SAM, EntropySGD, GradientDescent, HeavyBall
from rollingball.methods.discrete.momentum import MomentumRBO
from rollingball.methods.discrete.rolling import DistanceRBO, FootpointRBO

METHODS = (FootpointRBO, DistanceRBO, MomentumRBO, GradientDescent, HeavyBall, SAM, EntropySGD)
Method = FootpointRBO | DistanceRBO | MomentumRBO | GradientDescent | HeavyBall | SAM | EntropySGD
