"""A method, an integrator and a projection of your own, in a file of your own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

import rollingball as rb
from rollingball.methods import Program, state_struct


@rb.compiled  # so that the kernels are built once
def nesterov_program(surface, numeric):
    """Nesterov's step: the gradient is taken where the momentum alone would lead."""
    state_type, scalar, parameters = state_struct(numeric), numeric.scalar, surface.parameters
    first, gradient = surface.first, surface.gradient

    @wp.func
    def settle(state: state_type, radius: scalar, p: parameters, settings: Any):
        state.center = state.foot.point  # a point, and no ball
        state.center_height = state.foot.height
        return state

    @wp.func
    def step(state: state_type, radius: scalar, lr: scalar, p: parameters, settings: Any, ball: int, index: int):
        ahead = state.foot.point - lr * settings.momentum * state.velocity
        state.velocity = settings.momentum * state.velocity + gradient(ahead, p) / p.narrow.loss_scale
        state.foot.point = state.foot.point - lr * state.velocity
        height, slope = first(state.foot.point, p)
        state.foot.height = height
        state.foot.gradient = slope
        state.evaluations += wp.int64(2)
        return state

    return Program(settle, step)


@rb.register  # so that scenes and saved runs can name it: "nesterov"
@dataclass(frozen=True)
class Nesterov:
    """Gradient descent with Nesterov's momentum."""

    lr: float
    momentum: float = 0.9
    rolls = False
    uses_radius = False

    def settings(self):
        """The numbers that the kernel needs."""
        return {"momentum": self.momentum}

    def program(self, surface, numeric):
        """The Warp functions of a step."""
        return nesterov_program(surface, numeric)


@rb.register
@dataclass(frozen=True)
class Ralston:
    """Ralston's method of second order, with steps of one size."""

    step: float
    adaptive = False
    tableau = rb.Tableau(order=2, matrix=[[0, 0], [2 / 3, 0]], weights=[1 / 4, 3 / 4])

    def settings(self):
        """The numbers that the kernel needs."""
        return {"first_step": self.step, "rtol": 1.0, "atol": 1.0}


bowl = rb.surfaces.quadratic([[1.0, 0.0], [0.0, 10.0]])
run = rb.simulate(bowl, None, Nesterov(lr=0.05), start=[[3.0, 1.0]], steps=100)
print(f"Nesterov: loss {run.loss[0, 0]:.3g} -> {run.loss[-1, 0]:.3g} in 100 steps")
print(f"and after 100 more: {rb.resume(run, 100).loss[-1, 0]:.3g}")

flows = [rb.IronedFlow(Ralston(step)) for step in (0.1, 0.05, 0.025)]
ends = [rb.simulate(bowl, rb.Ball(0.05), flow, start=[[3.0, 1.0]], duration=1.0).center[-1, 0] for flow in flows]
coarse, fine = np.linalg.norm(ends[0] - ends[1]), np.linalg.norm(ends[1] - ends[2])
print(f"Ralston: halving the step divides the change by {coarse / fine:.2f}; 4 is the second order")
