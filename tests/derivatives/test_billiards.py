"""A ball that bounces between two hills is chaotic: its exponents beside another program's, on a flat floor none."""

import json

import numpy as np
import pytest
from scipy.optimize import brentq

import rollingball as rb
from rollingball.app import cli
from rollingball.app.scene import load_scene

S = rb.surfaces
AMPLITUDE, RADIUS, GRAVITY, HEIGHT = 1.5, 0.2, 2.0, 1.2
HILLS, BALL = S.sine(amplitude=AMPLITUDE), rb.Ball(RADIUS)
ELASTIC = rb.RigidBall(contact="unilateral", restitution=1.0, gravity=GRAVITY, integrator=rb.Rattle(0.05))


def offset(x):
    """The foot of a ball whose centre is above x, and the height of its centre; it is below the reach of the valley."""

    def centre(foot):
        return foot - RADIUS * AMPLITUDE * np.cos(foot) / np.hypot(1, AMPLITUDE * np.cos(foot))

    foot = brentq(lambda foot: centre(foot) - x, x - RADIUS, x + RADIUS, xtol=1e-15, rtol=1e-15)
    return foot, AMPLITUDE * np.sin(foot) + RADIUS / np.hypot(1, AMPLITUDE * np.cos(foot))


def billiard(x, duration):
    """Where a ball let go above x is at the end: parabolas between mirrors, and nothing of the library."""
    place, velocity, time = np.array([x, HEIGHT]), np.zeros(2), 0.0

    def at(after):
        return place + velocity * after + np.array([0.0, -GRAVITY / 2 * after**2])

    def above(after):
        point = at(after)
        return point[1] - offset(point[0])[1]

    while True:
        looked = 1e-3
        while time + looked < duration and above(looked) > 0:
            looked += 0.02
        if time + looked >= duration:
            return at(duration - time)[0]
        hit = brentq(above, max(looked - 0.02, 1e-3), looked, xtol=1e-15, rtol=1e-15)
        place, velocity, time = at(hit), velocity + np.array([0.0, -GRAVITY * hit]), time + hit
        slope = AMPLITUDE * np.cos(offset(place[0])[0])
        normal = np.array([-slope, 1.0]) / np.hypot(1, slope)
        velocity = velocity - 2 * (velocity @ normal) * normal


def test_between_two_hills_the_exponents_are_those_of_another_program():
    duration, beside = 12.0, 1e-7
    field = rb.sensitivity_field(HILLS, BALL, ELASTIC, [[-2.4, -0.7]], 7, height=HEIGHT, duration=duration)
    ends = [[billiard(x + side * beside, duration) for side in (-1, 0, 1)] for x in field.start[:, 0]]
    low, middle, high = np.array(ends).T
    np.testing.assert_allclose(field.end[:, 0], middle, atol=1e-8)
    expected = np.log(np.abs(high - low) / (2 * beside)) / duration
    np.testing.assert_allclose(field.exponents(), expected, atol=1e-4)
    assert field.time == duration
    assert (field.exponents() > 0.1).all()


def test_the_longer_it_bounces_the_more_certain_its_exponent_and_over_a_flat_floor_it_is_zero():
    rates = [
        rb.sensitivity_field(HILLS, BALL, ELASTIC, [[-2.4, -0.7]], 101, height=HEIGHT, duration=duration).rates()
        for duration in (10.0, 160.0)
    ]
    spread = [rate["90 %"] - rate["10 %"] for rate in rates]
    assert spread[1] < 0.6 * spread[0]
    assert rates[1]["10 %"] > 0.2
    assert rates[1]["share above 0"] == 1
    assert rates[1]["without"] == 0
    flat = rb.sensitivity_field(S.sine(amplitude=0.0), BALL, ELASTIC, [[-2.4, -0.7]], 5, height=HEIGHT, duration=20.0)
    np.testing.assert_allclose(flat.exponents(), 0.0, atol=1e-13)
    np.testing.assert_allclose(flat.exponents(parting=True), 0.0, atol=1e-13)


def test_a_ball_that_is_thrown_from_the_surface_starts_along_its_slope():
    field = rb.sensitivity_field(HILLS, BALL, ELASTIC, [[-1.0, -0.98]], 3, start_velocity=[0.3, 2.0], duration=2.0)
    x, h = field.start[1, 0], 1e-6
    ends = []
    for side in (-h, h):
        start = [[x + side, offset(x + side)[1]]]
        ends.append(rb.simulate(HILLS, BALL, ELASTIC, start_center=start, start_velocity=[0.3, 2.0], duration=2.0,
                                gap=None).center[-1, 0, 0])  # fmt: skip
    assert field.stretching[1] == pytest.approx(abs(ends[1] - ends[0]) / (2 * h), rel=1e-6)


@pytest.mark.parametrize(
    ("method", "height"), [(rb.IronedFlow(), 1.0), (rb.FootpointRBO(0.1), 1.0), (ELASTIC, np.inf), (ELASTIC, [1.0])]
)
def test_a_height_that_cannot_be_is_refused_by_its_name(method, height, no_compiling):
    with pytest.raises(rb.InputError, match=r"^height: got"):
        rb.sensitivity_field(HILLS, BALL, method, [[-2.4, -0.7]], 3, height=height, duration=1.0)


def test_the_command_measures_the_billiard(tmp_path, capsys):
    cli.main(["sensitivity", "sensitivity-billiard", "--out", str(tmp_path / "out"), "--sensitivity.count", "41"])
    said = capsys.readouterr().out
    assert "13 bounces, radius 0.2, by derivative" in said
    content = json.loads((tmp_path / "out" / "sensitivity.json").read_text())
    short, long = content["fields"].values()
    assert long["exponents, derivative"]["median"] > 0.25 > 0.1 > short["exponents, derivative"]["median"]
    scene = load_scene("sensitivity-billiard")
    run = scene.roll(1)
    kinds = run.events["kind"]
    assert ((kinds == rb.Event.TOUCH).sum(axis=1) > 11).all()
    assert np.ptp(run.energy) < 1e-10
    assert np.abs(np.diff(run.center[:, :, 0], axis=1)).max() > 1e-4  # they began 1e-6 apart
