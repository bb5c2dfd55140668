"""Derivatives of balls with mass: backwards, forwards and by differences, closed forms, events, identities."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rollingball as rb
from rollingball.core.numeric import Numeric
from rollingball.methods.body.legs import leg_struct
from rollingball.methods.body.stages import leg_rows
from tests.derivatives.test_derivatives import differences

S = rb.surfaces
# (a, b) in [0.8, 1.2] -> a surface of each of five unlike families on a line, with the name of a parameter that is a
GROUND = {
    "wave": ("frequency", lambda a, b: S.sine(frequency=a, amplitude=0.5 * b, loss_scale=0.9)),
    "formula": ("a", lambda a, b: S.formula("0.4*a*cos(x) + 0.2*b*x**2", "x", {"a": a, "b": b})),
    "wells": ("width", lambda a, b: S.gaussian_wells([[-0.9], [0.6 * b]], width=a, loss_scale=0.6)),
    "quadratic": ("matrix", lambda a, b: S.quadratic([[a]], [0.2 * b], 0.1)),
    "samples": (None, lambda a, b: S.sampled(0.6 * a * np.cos(np.arange(12.0) * b), [[-5.0, 5.0]])),
}
SEEDS = st.sampled_from(range(8))
FIXED = {"rattle": rb.Rattle(0.02), "rk4": rb.RK4(0.02)}
SHARED = ("radius", "mass", "inertia", "gravity", "drag", "friction", "restitution", "duration", "loss_scale")
WEIGHTS = {"center": [0.8, -0.5], "velocity": [0.3, 0.4], "spin": [0.2], "foot": [0.6], "loss": 0.7}


@pytest.mark.parametrize("kind", [rb.Rattle, rb.MoreauJean])
def test_what_a_step_keeps_for_its_derivative_grows_in_proportion_to_the_dimension(kind):
    spaces = [Numeric(dim) for dim in (20, 30, 40)]
    sizes = [np.dtype(leg_struct(space, leg_rows(kind, space)).numpy_dtype()).itemsize for space in spaces]
    assert sizes[1] - sizes[0] == sizes[2] - sizes[1] > 0


def observed(run):
    """J of all balls, and its cotangents: of an inner frame and of the last."""
    total, cotangent = 0.0, {}
    for name, weight in WEIGHTS.items():
        table = getattr(run, name)
        cotangent[name] = np.zeros_like(table)
        for frame, share in ((1, -0.4), (-1, 1.0)):
            cotangent[name][frame] = share * np.asarray(weight)
        total += (cotangent[name] * table).sum()
    return total, cotangent


def agree(make, name, integrator, number, contact, friction):
    """Draw a run, and compare its derivatives along a direction through everything that made it."""
    unilateral = contact == "unilateral"
    value = {
        "a": number(0.8, 1.2), "b": number(0.8, 1.2), "radius": number(0.2, 0.4), "mass": number(0.5, 2.0),
        "inertia": number(0.2, 0.8), "gravity": number(1.0, 3.0), "drag": number(0.05, 0.3),
        "restitution": number(0.3, 0.8), "duration": number(0.7, 0.8), "loss_scale": 1.0,
        "start": np.array([number(-1.2, 1.2), number(-1.2, 1.2)]), "velocity": np.array([number(-1, 1), number(-1, 1)]),
        "spin": np.array([number(-2, 2), number(-2, 2)]),
    }  # fmt: skip
    if isinstance(friction, float):
        value["friction"] = number(0.05, 0.4)
    # where a step ends with a frame, a moved run has a step more or less, and the derivative by the duration a jump
    steps = value["duration"] / integrator.step * np.array([0.37, 0.63, 1.0])
    assume((np.abs(steps - np.round(steps)) > 0.03).all())
    draw = np.random.default_rng(3)
    along = {key: draw.normal(size=np.shape(part)) for key, part in value.items() if key != "b"}

    def run(by=0.0):
        at = {key: part + by * along.get(key, 0.0) for key, part in value.items()}
        surface = make(float(at["a"]), at["b"])
        surface = surface.scaled(surface.loss_scale * float(at["loss_scale"]))
        method = rb.RigidBall(
            gravity=float(at["gravity"]), drag=float(at["drag"]), contact=contact, integrator=integrator,
            friction=float(at["friction"]) if "friction" in at else friction,
            restitution=float(at["restitution"]) if unilateral else 0.0,
        )  # fmt: skip
        ball = rb.Ball(float(at["radius"]), mass=float(at["mass"]), inertia=float(at["inertia"]))
        length, start = float(at["duration"]), at["start"][:, None]
        begin = {"start_center": start, "start_velocity": at["velocity"][:, None]}
        if unilateral:  # thrown from the height 1.4 at which the ball touches nothing
            begin = {
                "start_center": np.concatenate([start, np.full((2, 1), 1.4)], axis=1),
                "start_velocity": np.stack([at["velocity"], -1.0 + 0.2 * at["velocity"]], axis=1),
            }
        return rb.simulate(
            surface, ball, method, **begin, start_spin=at["spin"][:, None], duration=length, gap=None, lift=True,
            save_at=length * np.array([0.0, 0.37, 1.0]),
        )  # fmt: skip

    first = run()
    assume((first.status == rb.Status.RUNNING).all())
    assume(not unilateral or (first.center[0, :, 1] == 1.4).all())  # none was lifted, so all heights are as given

    def moved(by):
        other = run(by)
        assume(other.events["kind"].tolist() == first.events["kind"].tolist())
        return observed(other)[0]

    _total, cotangent = observed(first)
    expected = differences(moved, 2e-5, most=2e-8)
    found = rb.derivatives(first, cotangent, parameters=name is not None, throw=False, threads=2)
    assume((found.status == rb.Status.RUNNING).all())
    total = (found.start[:, 0] * along["start"]).sum() + (found.spin[:, 0] * along["spin"]).sum()
    total += ((found.velocity[:, 0] + unilateral * 0.2 * found.velocity[:, 1]) * along["velocity"]).sum()
    for key in SHARED:
        if key in along and not (key == "restitution" and not unilateral):
            scale = first.scene["surface"]["loss_scale"] if key == "loss_scale" else 1.0
            total += (getattr(found, key) * scale).sum() * along[key]
    if name is None:
        found_a = rb.derivatives(first, cotangent, parameters=True).parameters["heights"]
        total += (found_a * 0.6 * np.cos(np.arange(12.0) * value["b"])).sum() * along["a"]
    else:
        total += np.sum(found.parameters[name]) * along["a"]
    assert total == pytest.approx(expected, rel=0, abs=1e-7 * (1 + abs(expected)))
    ahead = rb.sensitivities(first, threads=2)
    last = rb.derivatives(first, {"center": [[1.0, 0.0]] * 2})
    for key in ("start", "velocity", "spin", *SHARED):
        if getattr(ahead, key) is not None:
            np.testing.assert_allclose(getattr(ahead, key)[-1, :, 0], getattr(last, key), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("contact", ["bilateral", "unilateral"])
@pytest.mark.parametrize("friction", ["none", "no-slip", 0.2], ids=["slides", "rolls", "rubs"])
@pytest.mark.parametrize("integrator", FIXED)
@settings(max_examples=2)
@given(seed=SEEDS)
def test_backwards_forwards_and_differences_agree(integrator, friction, contact, seed):
    name, make = GROUND["wave"]
    agree(make, name, FIXED[integrator], np.random.default_rng(seed).uniform, contact, friction)


@pytest.mark.slow
@pytest.mark.parametrize("ground", ["formula", "wells", "quadratic", "samples"])
@settings(max_examples=4)
@given(
    seed=SEEDS, friction=st.sampled_from(["none", "no-slip", 0.2]), contact=st.sampled_from(["bilateral", "unilateral"])
)
def test_on_every_family_of_surfaces(ground, seed, friction, contact):
    name, make = GROUND[ground]
    agree(make, name, FIXED["rattle"], np.random.default_rng(seed).uniform, contact, friction)


@pytest.mark.slow
@pytest.mark.parametrize("integrator", [rb.Euler(0.02), rb.Heun(0.02)], ids=["euler", "heun"])
@settings(max_examples=2)
@given(seed=SEEDS)
def test_with_every_explicit_integrator(integrator, seed):
    name, make = GROUND["wave"]
    agree(make, name, integrator, np.random.default_rng(seed).uniform, "unilateral", 0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "integrator",
    [rb.Bosh3(1e-10, 1e-12), rb.Dopri5(1e-11, 1e-13), rb.Tsit5(1e-11, 1e-13)],
    ids=["bosh3", "dopri5", "tsit5"],
)
def test_adaptive_steps_have_the_derivative_of_the_motion(integrator):
    # their lengths count as given, so it is that of the motion to the tolerance, which RK4 nears with fixed steps
    def found(integrator):
        method = rb.RigidBall(gravity=2.0, drag=0.1, friction="no-slip", integrator=integrator)
        run = rb.simulate(
            GROUND["wave"][1](1.1, 1.0), rb.Ball(0.3, mass=1.2, inertia=0.4), method, start_center=[[0.4], [-0.6]],
            start_velocity=[[0.5], [-0.3]], duration=0.7, save_at=[0.0, 0.3, 0.7], gap=None,
        )  # fmt: skip
        return rb.derivatives(run, {"center": [[1.0, 0.3]] * 2, "velocity": [[0.2, -0.5]] * 2})

    fine, adaptive = found(rb.RK4(1e-3)), found(integrator)
    for key in ("start", "velocity", "spin", *SHARED):
        if getattr(fine, key) is not None:
            np.testing.assert_allclose(getattr(adaptive, key), getattr(fine, key), rtol=0, atol=1e-7)
