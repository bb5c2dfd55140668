"""A method, an integrator and a projection that are written here, outside the package: they do all that its own do."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest
import warp as wp

import rollingball as rb
from rollingball.core.codes import FOUND
from rollingball.geometry.foot.foot import foot_struct
from rollingball.methods import Program, state_struct

BOWL = rb.surfaces.quadratic([[1.0, 0.3], [0.3, 4.0]], loss_scale=1.5)
MATRIX = np.array([[1.0, 0.3], [0.3, 4.0]])


@rb.compiled
def nesterov_program(surface, numeric):
    state_type, scalar, parameters = state_struct(numeric), numeric.scalar, surface.parameters
    first, gradient = surface.first, surface.gradient

    @wp.func
    def settle(state: state_type, radius: scalar, p: parameters, settings: Any):
        state.center = state.foot.point
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
        return state

    return Program(settle, step)


@rb.register
@dataclass(frozen=True)
class Nesterov:
    lr: float
    momentum: float = 0.9
    rolls = False
    uses_radius = False

    def settings(self):
        return {"momentum": self.momentum}

    def program(self, surface, numeric):
        return nesterov_program(surface, numeric)


class Ralston(msgspec.Struct, frozen=True, tag="ralston", tag_field="type"):
    step: float
    adaptive = False
    tableau = rb.Tableau(2, [[0, 0], [2 / 3, 0]], [1 / 4, 3 / 4])

    def settings(self):
        return {"first_step": self.step, "rtol": 1.0, "atol": 1.0}


@rb.compiled
def flat_program(surface, numeric):
    """The foot on a plane, in closed form: the centre minus its distance along the normal."""
    vector, foot_type, parameters, first = numeric.vector, foot_struct(numeric), surface.parameters, surface.first

    @wp.func
    def project(center: vector, center_height: wp.float64, guess: foot_type, p: parameters, settings: Any):
        height, slope = first(center, p)
        drop = numeric.scalar(center_height - height) / (numeric.scalar(1.0) + wp.dot(slope, slope))
        foot = guess
        foot.point = center + drop * slope
        foot_height, foot_slope = first(foot.point, p)
        foot.height = foot_height
        foot.gradient = foot_slope
        foot.status = FOUND
        foot.evaluations = 2
        return foot

    return project


@rb.register
@dataclass(frozen=True)
class FlatProjection:
    exact = True

    def settings(self):
        return {"unused": 0}

    def program(self, surface, numeric):
        return flat_program(surface, numeric)


def expected(start, lr, momentum, steps):
    """Nesterov's recursion on x' A x / 2, in NumPy."""
    x, v, path = np.array(start), np.zeros(2), [np.array(start)]
    for _ in range(steps):
        v = momentum * v + MATRIX @ (x - lr * momentum * v)
        x = x - lr * v
        path.append(x)
    return np.array(path)


def test_a_method_of_ones_own_is_its_recursion():
    run = rb.simulate(BOWL, None, Nesterov(0.05, 0.8), start=[1.0, -2.0], steps=50)
    np.testing.assert_allclose(run.foot[:, 0], expected([1.0, -2.0], 0.05, 0.8, 50), atol=1e-13)
    np.testing.assert_allclose(run.loss[:, 0], np.einsum("ti,ij,tj->t", run.foot[:, 0], MATRIX, run.foot[:, 0]) / 2)
    assert run.scene["run"]["method"] == "nesterov"


def test_it_is_saved_and_goes_on_bit_for_bit(tmp_path):
    whole = rb.simulate(BOWL, None, Nesterov(0.05), start=[1.0, -2.0], steps=50)
    half = rb.simulate(BOWL, None, Nesterov(0.05), start=[1.0, -2.0], steps=25)
    half.save(tmp_path / "half.safetensors")
    later = rb.resume(rb.Trajectory.load(tmp_path / "half.safetensors"), 25)
    np.testing.assert_array_equal(later.foot, whole.foot)


@pytest.mark.parametrize("method", [lambda lr: Nesterov(lr, 0.8), lambda lr: rb.MomentumRBO(lr, 0.8)])
def test_it_is_differentiated_like_the_momentum_of_the_library(method):
    def end(start, lr):
        ball = None if method(lr).rolls is False else rb.Ball(0.05)
        return rb.simulate(BOWL, ball, method(lr), start=start, steps=12, gap=None)

    def slope(values, size):
        """The derivative at 0 from values at +-1, +-2 and +-3 sizes, to sixth order."""
        return sum(c * (values[k] - values[-k]) for k, c in ((1, 45), (2, -9), (3, 1))) / (60 * size)

    start, lr, cotangent = np.array([1.0, -2.0]), 0.05, np.array([0.7, -1.1])
    by = rb.derivatives(end(start, lr), {"foot": cotangent[None]})
    steps = [k for k in range(-3, 4) if k]
    for axis in range(2):
        size, move = 1e-3, 1e-3 * np.eye(2)[axis]
        ends = {k: float(end(start + k * move, lr).foot[-1, 0] @ cotangent) for k in steps}
        np.testing.assert_allclose(by.start[0, axis], slope(ends, size), rtol=1e-9)
    ends = {k: float(end(start, lr + k * 1e-4).foot[-1, 0] @ cotangent) for k in steps}
    np.testing.assert_allclose(by.lr[0], slope(ends, 1e-4), rtol=1e-9)


def test_a_class_that_nobody_registered_goes_on_in_the_process_that_used_it(tmp_path):
    @dataclass(frozen=True)
    class Plain(Nesterov):
        pass

    run = rb.simulate(BOWL, None, Plain(0.05), start=[1.0, -2.0], steps=5)
    assert len(rb.resume(run, 5)) == 11


def flow(integrator, center):
    return rb.simulate(BOWL, rb.Ball(0.05), rb.IronedFlow(integrator), start_center=center, duration=0.8)


def test_an_integrator_of_ones_own_has_its_order_and_is_saved(tmp_path):
    steps, runs = (0.08, 0.04, 0.02, 0.01, 0.005), []
    exact = flow(rb.Dopri5(rtol=1e-12, atol=1e-12), [1.0, -2.0]).center[-1]
    runs = [flow(Ralston(step), [1.0, -2.0]) for step in steps]
    errors = [np.linalg.norm(run.center[-1] - exact) for run in runs]
    assert 1.85 <= np.polyfit(np.log(steps), np.log(errors), 1)[0] <= 2.25
    runs[0].save(tmp_path / "run.safetensors")
    kept = rb.Trajectory.load(tmp_path / "run.safetensors").scene["run"]["integrator"]
    assert kept == {"type": "ralston", "step": 0.08}


def test_a_flow_with_an_integrator_of_ones_own_is_differentiated():
    size, moves = 1e-4, 1e-4 * np.eye(2)
    by = rb.derivatives(flow(Ralston(0.05), [1.0, -2.0]), {"center": np.ones((1, 3))}).start[0]
    ends = [[flow(Ralston(0.05), [1.0, -2.0] + sign * move).center[-1].sum() for sign in (1, -1)] for move in moves]
    np.testing.assert_allclose(by, [(above - below) / (2 * size) for above, below in ends], rtol=1e-7)


def test_a_projection_of_ones_own_serves_the_methods_of_the_library():
    plane, ball = rb.surfaces.plane([0.5, -1.0]), rb.Ball(0.7)
    own = rb.simulate(plane, ball, rb.FootpointRBO(0.1, FlatProjection()), start=[1.0, -2.0], steps=20)
    newton = rb.simulate(plane, ball, rb.FootpointRBO(0.1), start=[1.0, -2.0], steps=20)
    np.testing.assert_allclose(own.foot, newton.foot, atol=1e-12)
    np.testing.assert_allclose(own.gap, 0.0, atol=1e-12)


SCENE = """
[surface]
type = "quadratic"
matrix = [[1.0, 0.3], [0.3, 4.0]]
[ball]
radius = 0.05
start = [[1.0, -2.0]]
[[run]]
method = "nesterov"
lr = 0.05
steps = 4
[[run]]
method = "ironed-flow"
integrator = { type = "ralston", step = 0.1 }
duration = 0.5
[[run]]
method = "footpoint-rbo"
lr = 0.1
projection = { type = "flat-projection" }
steps = 1
"""


def test_scenes_name_what_is_registered(tmp_path, no_compiling):
    rb.register(Ralston)
    (tmp_path / "scene.toml").write_text(SCENE)
    scene = rb.load_scene(tmp_path / "scene.toml")
    scene.check()
    methods = [scene.arguments(number)[1] for number in range(3)]
    assert methods == [
        Nesterov(0.05), rb.IronedFlow(Ralston(0.1)), rb.FootpointRBO(0.1, FlatProjection()),
    ]  # fmt: skip
    (tmp_path / "scene.toml").write_text(SCENE.replace("lr = 0.05\n", "rate = 0.05\n"))
    with pytest.raises(rb.InputError, match=r"^\$.run\[0\].rate: .*lr, momentum"):
        rb.load_scene(tmp_path / "scene.toml")


@pytest.mark.parametrize("thing", [int, object(), BOWL, None, rb.Ball])
def test_what_is_no_method_is_refused(thing):
    with pytest.raises(rb.InputError, match=r"^cls: got .* a method: .* a projection: .* an? integrator: "):
        rb.register(thing)


@pytest.mark.parametrize("name", ["footpoint-rbo", "Nesterov", "", "a b", "-x"])
def test_names_that_the_library_has_or_files_cannot_give_are_refused(name):
    if name:
        with pytest.raises(rb.InputError, match=r"^name: got "):
            rb.register(Nesterov, name)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ((2, [[0, 0], [1, 0]], [0.5, 0.6]), "tableau.weights"),
        ((2, [[0, 1], [1, 0]], [0.5, 0.5]), "tableau.matrix"),
        ((2, [[0.0]], [0.5, 0.5]), "tableau.matrix"),
        ((2, [[0, 0], [float("nan"), 0]], [0.5, 0.5]), "tableau.matrix"),
    ],
)
def test_a_tableau_that_is_none_is_refused(parts, field):
    with pytest.raises(rb.InputError, match=rf"^{field}: got"):
        rb.Tableau(*parts)
