"""The ball with mass on two and three contacts at once by MoreauJean: balances, cones of impulses, a groove."""

import numpy as np
import pytest

import rollingball as rb

S = rb.surfaces


def rolled(surface, ball, gap=None, friction="none", restitution=0.0, gravity=9.81, **options):
    method = rb.RigidBall(
        gravity=gravity,
        contact="unilateral",
        friction=friction,
        restitution=restitution,
        integrator=rb.MoreauJean(1e-3),
    )
    return rb.simulate(surface, ball, method, gap=gap, throw=True, **options)


@pytest.mark.parametrize("restitution", [0.0, 0.5])
@pytest.mark.parametrize(("left", "right"), [(0.4, 0.4), (0.9, 0.3), (1.2, 0.7)])
def test_the_walls_of_a_wedge_push_by_the_law_of_sines(left, right, restitution):
    mass, radius = 2.0, 0.5
    wedge = S.max_of_planes([[np.tan(right), 0.0], [-np.tan(left), 0.0]])
    run = rolled(wedge, rb.Ball(radius, mass=mass), restitution=restitution, start_center=[0.3, 0, 2.0], duration=12.0,
                 gap=rb.GlobalProjection())  # fmt: skip
    assert run.status[0] == rb.Status.RESTING
    assert run.contacts[-1, 0] == 2
    # each force is to the weight as the sine of the other wall's angle to that of both
    forces = mass * 9.81 * np.array([np.sin(right), np.sin(left)]) / np.sin(left + right)
    assert run.normal_force[-1, 0] == pytest.approx(forces.sum(), rel=1e-9)
    corner = np.linalg.solve([[np.tan(right), -1.0], [-np.tan(left), -1.0]], -radius / np.cos([right, left]))
    np.testing.assert_allclose(run.center[-1, 0, [0, 2]], corner, atol=1e-8)
    assert run.gap.min() > -1e-9


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_in_an_even_pocket_each_of_three_planes_bears_a_third(slope):
    angles = 2 * np.pi / 3 * np.arange(3) + 0.1
    pocket = S.max_of_planes(slope * np.column_stack([np.cos(angles), np.sin(angles)]))
    run = rolled(pocket, rb.Ball(0.5, mass=3.0), start_center=[0.1, -0.05, 1.5], duration=12.0)
    assert run.status[0] == rb.Status.RESTING
    assert run.contacts[-1, 0] == 3
    # 3 N cos(A) = m a, for planes of slope tan(A); the centre is at rho / cos(A)
    assert run.normal_force[-1, 0] == pytest.approx(3.0 * 9.81 * np.hypot(1, slope), rel=1e-9)
    np.testing.assert_allclose(run.center[-1, 0], [0, 0, 0.5 * np.hypot(1, slope)], atol=1e-8)


@pytest.mark.parametrize("beta", [0.0, 0.4])
def test_a_ball_rolls_down_a_groove_on_the_chord_between_its_contacts(beta):
    # without slip it turns about that chord, at rho / w from its centre: (1 + beta w^2) x'' = a sin(tilt)
    wall, tilt, t = 0.8, 0.3, 1.0
    groove = S.max_of_planes([[wall, -tilt], [-wall, -tilt]])
    run = rolled(
        groove, rb.Ball(0.5, inertia=beta), friction="no-slip", start_center=[0.0, 0.0], duration=t, save_at=[t]
    )
    across = wall / np.hypot(1, tilt)  # the slope of a wall, seen along the groove
    w = np.hypot(1, across)
    assert run.contacts[0, 0] == 2
    fall = 9.81 * tilt / np.hypot(1, tilt)
    assert np.linalg.norm(run.velocity[0, 0]) == pytest.approx(fall * t / (1 + beta * w**2), rel=1e-6)
    if beta == 0:  # else friction across the groove bears a share that rigid bodies leave open
        assert run.normal_force[0, 0] == pytest.approx(9.81 / np.hypot(1, tilt) * w, rel=1e-9)
    else:
        np.testing.assert_allclose(run.spin[0, 0], [-np.linalg.norm(run.velocity[0, 0]) * w / 0.5, 0, 0], atol=1e-5)


@pytest.mark.parametrize(("left", "right"), [(0.3, 0.4), (0.1, 0.9), (0.8, 0.8)])
def test_a_ball_that_slides_into_a_second_wall_keeps_what_lies_in_the_cone_between_them(left, right):
    # Moreau: the velocity after is the nearest one that enters neither wall; gravity is too small to count
    wedge = S.max_of_planes([[np.tan(right), 0.0], [-np.tan(left), 0.0]])
    run = rolled(wedge, rb.Ball(0.5), gravity=1e-12, start=[-1.0, 0.0], start_velocity=[1.0, 0.5], duration=2.0,
                 save_at=[0.0, 2.0])  # fmt: skip
    before, after = run.velocity[:, 0]
    into = np.array([np.sin(-right), 0.0, np.cos(right)])
    away = np.array([np.sin(left), 0.0, np.cos(left)])
    expected = before - (into @ before) * into
    if away @ expected < 0:  # an acute wedge: along its line
        expected = np.array([0.0, 0.5, 0.0])
    np.testing.assert_allclose(after, expected, atol=1e-9)
    assert (left + right > np.pi / 2) == (abs(after[0]) < 1e-9)


def test_a_ball_of_rubber_keeps_its_spin_in_flight_and_loses_that_about_the_normal_where_it_lands():
    method = rb.RigidBall(contact="unilateral", friction=0.3, spin="rubber", integrator=rb.MoreauJean(1e-3))
    run = rb.simulate(S.max_of_planes([[0.0, 0.0], [0.0, 0.1]]), rb.Ball(0.5), method, start_center=[0.0, -3.0, 1.0],
                      start_spin=[[0.0, 0.0, 5.0]], duration=0.5, save_at=[0.2, 0.5], gap=None)  # fmt: skip
    assert run.contacts[:, 0].tolist() == [0, 1]
    np.testing.assert_allclose(run.spin[:, 0], [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]], atol=1e-12)
