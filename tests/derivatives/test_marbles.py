"""Derivatives of balls with mass over a plane, which spin about the normal: a closed form, symmetry, differences."""

import numpy as np
import pytest
from scipy.special import ellipk

import rollingball as rb
from tests.derivatives.test_derivatives import differences

TROUGH = rb.formula("R - sqrt(R**2 - x**2 - S*y**2)", "x y", {"R": 1.3, "S": 0.0})
BOWL = rb.formula("R - sqrt(R**2 - x**2 - S*y**2)", "x y", {"R": 1.3, "S": 1.0})
EGG = rb.formula("R - sqrt(R**2 - x**2 - S*y**2)", "x y", {"R": 1.3, "S": 0.6})  # one kernel for all three
TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])  # the rate of a turn about the vertical
RK4 = rb.RK4(5e-3)


@pytest.mark.parametrize(("speed", "about"), [(0.7, 5.0), (-0.4, 2.0)])
def test_a_marble_in_a_trough_turns_with_the_angle_of_the_normal(speed, about):
    """A marble rolls without slip in a horizontal half pipe of radius R, its normal at the angle phi from upright.

    Across the pipe its centre is a pendulum of length b = R - rho with (1 + beta) times its inertia. Along the pipe,
    with v the speed and W = rho w, w the spin about the normal n: n' = phi' t, n x n' = -phi' along the pipe, and so

        (1 + beta) v' = -beta W phi',    W' = v phi'.

    By phi in place of time it is a rotation: with q^2 = beta / (1 + beta) and D the change of phi,

        v = v_0 cos(q D) - q W_0 sin(q D),    W = W_0 cos(q D) + v_0 sin(q D) / q.

    From rest at the angle A, half a period later, D = -2 A. The pendulum stands still there, so neither gravity nor the
    duration, nor beta by the clock, change v.
    """
    big, radius, beta, gravity, angle = 1.3, 0.3, 0.4, 9.0, 0.8
    length, q, turned = big - radius, np.sqrt(beta / (1 + beta)), -2 * angle
    half = 2 * ellipk(np.sin(angle / 2) ** 2) * np.sqrt((1 + beta) * length / gravity)
    n = np.array([-np.sin(angle), 0.0, np.cos(angle)])
    method = rb.RigidBall(gravity=gravity, friction="no-slip", integrator=RK4, search=None)
    run = rb.simulate(TROUGH, rb.Ball(radius, inertia=beta), method, start_center=[[length * np.sin(angle), 0.3]],
                      start_velocity=[[0.0, speed]], start_spin=[about * n], duration=half, save_at=[0.0, half],
                      gap=None)  # fmt: skip
    cos, sin, rolls = np.cos(q * turned), np.sin(q * turned), radius * about
    assert run.velocity[-1, 0, 1] == pytest.approx(speed * cos - q * rolls * sin, abs=1e-10)
    end = np.array([np.sin(angle), 0.0, np.cos(angle)])
    assert radius * run.spin[-1, 0] @ end == pytest.approx(rolls * cos + speed * sin / q, abs=1e-10)

    by_turn = -q * speed * sin - q**2 * rolls * cos
    found = rb.derivatives(run, {"velocity": [[0.0, 1.0, 0.0]]}, parameters=True)
    assert found.velocity[0] == pytest.approx([0.0, cos, 0.0], abs=1e-8)
    assert found.spin[0] == pytest.approx(-q * radius * sin * n, abs=1e-8)
    assert found.start[0] == pytest.approx([by_turn * -2 / (length * np.cos(angle)), 0.0], abs=1e-8)
    by_q = turned * (-speed * sin - q * rolls * cos) - rolls * sin
    assert found.inertia[0] == pytest.approx(by_q / (2 * q * (1 + beta) ** 2), abs=1e-8)
    # sin A = x / b, and b = R - rho
    assert found.parameters["R"] == pytest.approx(by_turn * 2 * np.tan(angle) / length, abs=1e-8)
    by_radius = -q * about * sin - by_turn * 2 * np.tan(angle) / length
    assert found.radius[0] == pytest.approx(by_radius, abs=1e-8)
    for name in ("gravity", "mass", "duration"):
        assert getattr(found, name)[0] == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("friction", ["no-slip", 0.1, "none"])
@pytest.mark.parametrize("contact", ["bilateral", "unilateral"])
def test_in_a_round_bowl_a_turn_of_the_start_turns_the_end(contact, friction):
    """All that is turned about the axis of the bowl turns with the start: place, velocity and spin."""
    method = rb.RigidBall(contact=contact, gravity=3.0, restitution=0.6, friction=friction, integrator=RK4)
    begin = {"start_center": [[0.4, 0.3]], "start_velocity": [[0.5, 0.7]], "start_spin": [[1.0, 2.0, 3.0]]}
    if friction == "no-slip":
        begin["start_spin"] = [0.7]  # about the normal, which turns
    if contact == "unilateral":
        begin |= {"start_center": [[0.4, 0.3, 0.9]], "start_velocity": [[0.5, 0.7, -0.4]]}
    run = rb.simulate(BOWL, rb.Ball(0.3), method, **begin, duration=0.9, save_at=[0.0, 0.9], gap=None)
    assert (rb.Event.TOUCH in run.events["kind"][0]) == (contact == "unilateral")
    place, velocity, spin = (getattr(run, name)[:, 0] @ TURN.T for name in ("center", "velocity", "spin"))
    for name, turned in (("center", place), ("velocity", velocity), ("spin", spin)):
        for axis in np.eye(3):
            found = rb.derivatives(run, {name: axis[None]})
            by_turn = found.start[0] @ place[0, : found.start.shape[1]] + found.velocity[0] @ velocity[0]
            if friction != "no-slip":
                by_turn += found.spin[0] @ spin[0]
            assert by_turn == pytest.approx(axis @ turned[1], abs=1e-9)


def test_where_a_marble_starts_a_spin_that_was_given_as_a_vector_stays():
    # its part across the normal is that of rolling: it was recorded, and not given
    method = rb.RigidBall(gravity=3.0, friction="no-slip", integrator=RK4)
    weights = {"center": [[0.8, -0.5, 0.3]], "velocity": [[0.3, 0.7, 0.2]], "spin": [[0.1, -0.2, 0.3]]}
    for spin in ([0.0, 0.0, 0.0], [3.0]):  # nothing, and about the normal

        def ends(x, y, spin=spin):
            run = rb.simulate(EGG, rb.Ball(0.3), method, start_center=[[0.4 + x, 0.3 + y]], start_velocity=[[0.5, 0.7]],
                              start_spin=[spin], duration=0.5, save_at=[0.0, 0.5], gap=None)  # fmt: skip
            return run, sum((np.array(bar[0]) * getattr(run, name)[-1, 0]).sum() for name, bar in weights.items())

        run = ends(0.0, 0.0)[0]
        found = rb.derivatives(run, weights)
        expected = [differences(lambda by: ends(by, 0.0)[1]), differences(lambda by: ends(0.0, by)[1])]
        np.testing.assert_allclose(found.start[0], expected, rtol=0, atol=1e-8)
        beside = rb.sensitivities(run, method="difference")
        by_center = [differences(lambda by: ends(by, 0.0)[0].center[-1, 0, 0]),
                     differences(lambda by: ends(0.0, by)[0].center[-1, 0, 0])]  # fmt: skip
        np.testing.assert_allclose(beside.start[-1, 0, 0], by_center, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "integrator",
    [rb.RK4(0.02), pytest.param(rb.Rattle(0.02), marks=pytest.mark.slow), rb.MoreauJean(0.02)],
    ids=["rk4", "rattle", "moreau-jean"],
)
@pytest.mark.parametrize(("friction", "spin"), [("no-slip", "marble"), (0.15, "rubber"), (5.0, "rubber")])
def test_a_spin_vector_that_balls_keep_a_part_of_stays_as_it_was_given_where_their_start_moves(
    friction, spin, integrator
):
    # without slip they keep the part about the normal, of rubber the part across it, and that alone is recorded
    contact = "unilateral" if isinstance(integrator, rb.MoreauJean) else "bilateral"
    method = rb.RigidBall(contact=contact, gravity=3.0, friction=friction, spin=spin, integrator=integrator)
    weights = {"center": [0.8, -0.5, 0.3], "velocity": [0.3, 0.7, 0.2], "spin": [0.1, -0.2, 0.3]}

    def rolled(moved):
        return rb.simulate(EGG, rb.Ball(0.3), method, start_center=[0.4, 0.3] + moved[:, :2], start_velocity=[0.5, 0.7],
                           start_spin=[[1, 2, 3], [-2, 1, 0.5]] + moved[:, 2:], duration=0.29, save_at=[0.0, 0.29],
                           gap=None)  # fmt: skip

    def ends(moved):
        run = rolled(moved)
        return sum(getattr(run, name)[-1] @ np.array(bar) for name, bar in weights.items())

    run = rolled(np.zeros((2, 5)))
    expected = np.transpose([differences(lambda by, to=to: ends(by * np.tile(to, (2, 1))), 1e-4) for to in np.eye(5)])
    for chosen in ([0, 1], [1]):
        found = rb.derivatives(run.select(chosen), {name: [bar] * len(chosen) for name, bar in weights.items()})
        np.testing.assert_allclose(np.hstack([found.start, found.spin]), expected[chosen], rtol=0, atol=1e-8)
    ahead, last = rb.sensitivities(run), rb.derivatives(run, {"center": [[1.0, 0.0, 0.0]] * 2})
    np.testing.assert_allclose(ahead.start[-1, :, 0], last.start, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "integrator", [RK4, pytest.param(rb.Rattle(5e-3), marks=pytest.mark.slow)], ids=["rk4", "rattle"]
)
@pytest.mark.parametrize("friction", ["no-slip", 0.15], ids=["rolls", "rubs"])
def test_through_two_impacts_backwards_and_differences_agree_by_everything(friction, integrator):
    value = {
        "start": np.array([0.4, 0.3, 0.9]), "velocity": np.array([0.5, 0.7, -0.4]), "spin": np.array([1.0, 2.0, 3.0]),
        "radius": 0.3, "mass": 1.2, "inertia": 0.4, "gravity": 3.0, "drag": 0.1, "restitution": 0.3, "duration": 0.783,
        "loss_scale": 1.0, "R": 1.3, "S": 0.6, "friction": 0.15,
    }  # fmt: skip
    if friction == "no-slip":
        del value["friction"]
    draw = np.random.default_rng(5)
    along = {name: draw.normal(size=np.shape(part)) for name, part in value.items()}
    weights = {
        "center": np.array([0.8, -0.5, 0.3]),
        "velocity": np.array([0.3, 0.7, 0.2]),
        "spin": np.array([0.1, -0.2, 0.3]),
    }

    def run(by=0.0):
        at = {name: part + by * along[name] for name, part in value.items()}
        law = float(at["friction"]) if "friction" in at else friction
        method = rb.RigidBall(
            contact="unilateral", gravity=float(at["gravity"]), drag=float(at["drag"]), friction=law,
            restitution=float(at["restitution"]), integrator=integrator,
        )  # fmt: skip
        surface = rb.formula("R - sqrt(R**2 - x**2 - S*y**2)", "x y", {"R": float(at["R"]), "S": float(at["S"])})
        ball = rb.Ball(float(at["radius"]), mass=float(at["mass"]), inertia=float(at["inertia"]))
        length = float(at["duration"])
        return rb.simulate(
            surface.scaled(float(at["loss_scale"])), ball, method, start_center=at["start"][None],
            start_velocity=at["velocity"][None], start_spin=at["spin"][None], duration=length,
            save_at=[0.0, length], gap=None,
        )  # fmt: skip

    first = run()
    kinds = first.events["kind"].tolist()
    assert kinds[0].count(rb.Event.TOUCH) == 2

    def observed(by):
        other = run(by)
        assert other.events["kind"].tolist() == kinds
        return sum(weight @ getattr(other, name)[-1, 0] for name, weight in weights.items())

    found = rb.derivatives(first, {name: weight[None] for name, weight in weights.items()}, parameters=True)
    total = sum(np.sum(found.parameters[name] * along[name]) for name in ("R", "S"))
    total += sum(np.sum(getattr(found, name) * along[name]) for name in value.keys() - {"R", "S"})
    assert total == pytest.approx(differences(observed, 1e-5), abs=1e-7 * (1 + abs(total)))


def test_after_a_slip_begins_the_derivative_is_that_of_the_side_the_run_took():
    # the slip of the first steps is so small that rounding decides its side, and with it what friction does
    method = rb.RigidBall(gravity=9.81, friction=0.05, integrator=rb.Rattle(1e-3), search=None)
    bowl = rb.surfaces.quadratic([[1.0, 0.0], [0.0, 1.0]])
    draw = np.random.default_rng(0)
    start, velocity = draw.uniform(-0.7, 0.7, (300, 2))[57], draw.uniform(-0.5, 0.5, (300, 2))[57]

    def end(by):
        run = rb.simulate(bowl, rb.Ball(0.1, inertia=0.4), method, start_center=[start + by * np.eye(2)[0]],
                          start_velocity=[velocity], duration=0.5, save_at=[0.0, 0.5], gap=None)  # fmt: skip
        return run, run.center[-1, 0] @ [1.0, 0.3, -0.2]

    run = end(0.0)[0]
    assert run.events["kind"][0, 0] == rb.Event.SLIP
    found = rb.derivatives(run, {"center": [[1.0, 0.3, -0.2]]})
    assert found.start[0, 0] == pytest.approx((end(1e-7)[1] - end(-1e-7)[1]) / 2e-7, abs=1e-6)
