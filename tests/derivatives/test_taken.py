"""The derivative of a step is taken from its code: beside formulas written down, and for methods that have none."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import warp as wp

import rollingball as rb
from rollingball.geometry.foot.implicit import project_program
from rollingball.methods import Program, state_struct
from tests.derivatives.tangents import tangents
from tests.derivatives.test_derivatives import EXACT, FORMULA, GROUND, METHODS, PAPER, STARTS, differences

S = rb.surfaces
HOLES = S.gaussian_wells(np.random.default_rng(8).uniform(-1, 1, (40, 2)), width=0.8, loss_scale=0.5)
SAMPLES = S.sampled(0.1 * np.random.default_rng(9).normal(size=(12, 12)), [[-2.0, 2.0]] * 2)
SURFACES = {"formula": FORMULA, "wells": HOLES, "samples": SAMPLES, "wave": GROUND["wave"][2](0.7, 1.2)}


def roll(method, surface=FORMULA, radius=0.15, steps=12, start=STARTS, **options):
    start = np.asarray(start)[:, : surface.dim]
    return rb.simulate(surface, rb.Ball(radius), method, start=start, steps=steps, gap=None, seed=5, **options)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("method", [name for name in METHODS if "momentum" not in name])
def test_they_are_those_of_formulas_written_down(method, surface):
    run = roll(METHODS[method](0.03), SURFACES[surface])
    expected, found = tangents(run), rb.sensitivities(run)
    assert (found.status == rb.Status.RUNNING).all()
    columns = [*np.moveaxis(found.start, 3, 0), found.radius, found.lr, found.loss_scale * SURFACES[surface].loss_scale]
    # to rounding, and to a few of what one rounding of the feet does to the formulas: a steep well magnifies it
    rounded = [tangents(replace(run, foot=np.nextafter(run.foot, side))) - expected for side in (np.inf, -np.inf)]
    allowed = 1e-14 * np.abs(expected).max() + 16 * np.abs(rounded).max()
    np.testing.assert_allclose(np.stack(columns, axis=2), expected, rtol=0, atol=allowed)


def by_differences(run, function):
    """The derivatives by start (B, d), radius, learning rate and loss scale of ``function`` of a run."""
    moved = [
        differences(lambda h, i=i: function(run(start=np.array(STARTS) + h * np.eye(2)[i])), 1e-3) for i in range(2)
    ]
    return {
        "start": np.transpose(moved),
        "radius": differences(lambda h: function(run(radius=0.15 + h)), 1e-3),
        "lr": differences(lambda h: function(run(lr=0.03 + h)), 1e-4),
        "loss_scale": differences(lambda h: function(run(surface=FORMULA.scaled(1.4 + h))), 1e-3),
    }


@rb.compiled
def looking_ahead(project, surface, numeric, loops):
    """A ball that looks ahead along its last move, and goes by the slope there, in two projections."""
    state_type, scalar, parameters = state_struct(numeric), numeric.scalar, surface.parameters
    gradient_of = surface.gradient

    @wp.func
    def settle(state: state_type, radius: scalar, p: parameters, settings: Any):
        width = wp.sqrt(scalar(1.0) + wp.length_sq(state.foot.gradient))
        state.center = state.foot.point - state.foot.gradient * (radius / width)
        state.center_height = state.foot.height + wp.float64(radius / width)
        return state

    @wp.func
    def step(state: state_type, radius: scalar, lr: scalar, p: parameters, settings: Any, ball: int, index: int):
        slope = gradient_of(state.foot.point + settings.momentum * state.velocity, p) / p.narrow.loss_scale
        move = settings.momentum * state.velocity - lr * slope
        if wp.static(loops):
            halves = int(0)
            while halves < settings.halvings:  # of unknown length
                move = move * scalar(0.9)
                halves += 1
        begin = state.foot.point
        for _twice in range(2):
            state.center = state.center + scalar(0.5) * move
            state.center_height = state.center_height + wp.float64(wp.dot(state.foot.gradient, scalar(0.5) * move))
            state.foot = project(state.center, state.center_height, state.foot, p, settings)
            state.status = state.foot.status
        state.velocity = state.foot.point - begin
        return state

    return Program(settle, step)


@dataclass(frozen=True)
class Ahead:
    lr: float
    momentum: float = 0.5
    halvings: int = 0
    projection: rb.Projection = EXACT
    rolls = True
    uses_radius = True

    def settings(self):
        return {**self.projection.settings(), "momentum": self.momentum, "halvings": self.halvings}

    def program(self, surface, numeric):
        return looking_ahead(project_program(self.projection, surface, numeric), surface, numeric, self.halvings > 0)


rb.register(Ahead, "ahead-of-tests")


@pytest.mark.parametrize("projection", [EXACT, PAPER], ids=["exact", "paper"])
def test_a_users_method_has_the_derivative_of_its_code(projection):
    def run(start=STARTS, radius=0.15, lr=0.03, surface=FORMULA):
        return roll(Ahead(lr, projection=projection), surface, radius, start=start)

    function = lambda run: (run.foot[-1] * [1.0, -0.7]).sum(axis=1) + run.center[4, :, 2]  # noqa: E731
    made = run()
    foot, center = np.zeros_like(made.foot), np.zeros_like(made.center)
    foot[-1], center[4, :, 2] = [1.0, -0.7], 1.0
    found = rb.derivatives(made, {"foot": foot, "center": center})
    again = rb.derivatives(made, {"foot": foot, "center": center}, checkpoint_every=5)
    for name, expected in by_differences(run, function).items():
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(getattr(again, name), getattr(found, name), rtol=1e-9, atol=1e-12)
    last = rb.derivatives(made, {"foot": np.tile([1.0, -0.7], (3, 1))})
    ahead = rb.sensitivities(made)
    np.testing.assert_allclose([1.0, -0.7] @ ahead.start[-1], last.start, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(ahead.lr[-1] @ [1.0, -0.7], last.lr, rtol=1e-11, atol=1e-13)


def test_a_step_that_warp_cannot_differentiate_is_refused_by_name():
    run = roll(Ahead(0.03, halvings=2, projection=PAPER), steps=2)
    for ask in (lambda: rb.derivatives(run, {"loss": np.ones(3)}), lambda: rb.sensitivities(run)):
        with pytest.raises(rb.InputError, match=r"method: got 'Ahead'.*loops of a length.*differences"):
            ask()
