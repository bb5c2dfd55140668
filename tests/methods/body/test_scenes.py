"""What the shipped scenes of balls with mass say of themselves, seen to be so."""

import numpy as np
import pytest

from rollingball.app.scene import load_scene
from rollingball.core.status import Status

TOUCH, LEAVE, SETTLE = 2, 3, 5
GRAVITY = 9.81


def rolled(name, overrides=None, **options):
    """The runs of a scene by name."""
    scene = load_scene(name, overrides or {})
    return {named: scene.roll(index, **options) for index, named in enumerate(scene.names())}


def times(run, ball, kind):
    return run.events["time"][ball][run.events["kind"][ball] == kind]


def test_on_the_incline_a_bead_a_disk_and_a_ball_that_slips():
    runs = rolled("body-incline", throw=True)
    speed = {name: np.linalg.norm(run.velocity[-1, 0]) for name, run in runs.items()}
    slip = GRAVITY * (0.5 - 0.1 * np.sqrt(0.75))  # sin - mu cos
    assert speed == pytest.approx({"sliding": GRAVITY / 2, "rolling": GRAVITY / 3, "slipping": slip}, abs=1e-9)


def test_in_the_bowl_spin_bends_the_path_and_drag_brings_the_ball_down():
    runs = rolled("body-bowl", throw=True)
    energy = {name: np.ptp(run.energy[:, 0]) for name, run in runs.items()}
    assert energy["marble"] < 1e-3  # of the integrator
    assert energy["rubber"] < 1e-3
    assert np.all(np.diff(runs["drag"].energy[:, 0]) < 0)
    apart = runs["marble"].center[:, 0] - runs["rubber"].center[:, 0]
    assert np.linalg.norm(apart, axis=-1).max() > 0.5


def test_on_the_tautochrone_three_balls_are_at_the_bottom_together():
    run = rolled("body-tautochrone", throw=True, duration=2.0, save_at=np.linspace(0, 2, 2001))["no-drag"]
    side = run.center[:, :, 0]
    after = np.argmax(side > 0, axis=0)  # the first frame past the bottom
    balls = np.arange(run.balls)
    before = after - 1
    share = -side[before, balls] / (side[after, balls] - side[before, balls])
    arrival = run.time[before] + share * (run.time[after] - run.time[before])
    assert arrival == pytest.approx(np.full(3, 1.23), abs=5e-3)
    assert np.ptp(arrival) < 2e-3  # of the sampled heights


def test_a_rolling_disk_leaves_the_dome_at_its_angle_and_a_held_one_does_not():
    runs = rolled("body-dome")
    run = runs["rolling"]
    beta = 0.5  # of a disk
    for ball in range(2):
        left = times(run, ball, LEAVE)[0]
        frame = np.searchsorted(run.time, left) - 1
        angle = np.arctan2(np.abs(run.center[frame, ball, 0]), run.center[frame, ball, 1])
        assert np.cos(angle) == pytest.approx(2 / (3 + beta), abs=0.02)  # to a frame
    assert run.gap.min() > -1e-9
    assert (run.foot[:, 0, 0] > 0).all()  # one flies on beyond where the graph ends, and keeps its last foot
    assert (run.foot[:, 1, 0] < 0).all()
    assert run.center[-1, 1, 0] < -2.5
    assert times(runs["held"], 0, LEAVE).size == 0


def test_in_the_trough_a_marble_falls_behind_rubber():
    runs = rolled("body-trough", throw=True)
    down = {name: run.center[-1, 0, 1] for name, run in runs.items()}
    assert down["sliding"] > down["rubber"] > down["marble"]


def test_a_ball_dropped_into_a_narrow_valley_rests_on_two_contacts():
    run = rolled("body-wedge")["bouncing"]
    assert [Status(status) for status in run.status] == [Status.RESTING] * run.balls
    assert run.contacts[-1].tolist() == [2] * run.balls
    assert np.abs(run.velocity[-1]).max() < 1e-6
    assert run.gap.min() > -1e-9


def test_on_the_sine_the_ball_hops_over_a_crest_and_settles_in_a_valley():
    for run in rolled("body-bounce").values():
        assert times(run, 0, TOUCH).size > 3
        assert run.center[-1, 0, 0] > np.pi  # beyond the crest at pi / 2 and the valley after it
        assert run.gap.min() > -1e-9
        assert np.all(np.diff(run.energy[:, 0]) < 1e-4)  # of 39: Rattle's energy swings with the square of its step


@pytest.mark.slow
def test_inertia_carries_balls_into_the_basin_of_eq_14_where_the_over_damped_are_stuck():
    radii = {"ball.radius": "[0.1, 0.2]"}
    stuck = load_scene("body-wells", radii)
    lazy = stuck.roll(stuck.names().index("over-damped"))
    moving = load_scene("body-wells", {**radii, "ball.start.count": "2"})  # the first of the same eight starts
    rolls = moving.roll(moving.names().index("with-inertia"))
    np.testing.assert_array_equal(rolls.center[0, :2, :2], lazy.center[0, :2, :2])
    inside, stays = (np.linalg.norm(run.center[-1, :, :2], axis=-1) < 1 for run in (rolls, lazy))
    assert inside.reshape(2, 2).any(axis=1).all()
    assert stays.size == 16
    assert not stays.any()
    assert all(run.gap.min() > -1e-9 for run in (rolls, lazy))


def test_on_the_marble_run_all_take_off_at_the_drop_land_and_stay_in_the_channel():
    (run,) = rolled("marble-run", throw=True).values()
    drop = load_scene("marble-run").surface.constants
    for ball in range(run.balls):
        kinds, when = run.events["kind"][ball], run.events["time"][ball]
        left, landed = when[kinds == LEAVE][0], when[kinds == TOUCH][0]
        assert 0.3 < landed - left < 0.7
        place = run.events["center"][ball][kinds == LEAVE][0]
        assert abs(place[1] - drop["D"]) < 0.75
        before = run.time < left
        friction = np.ptp(run.energy[before, ball]) / np.ptp(run.energies()["potential"][before, ball])
        assert friction < 0.02  # it rolls down there, and what slips is little
    aside = np.abs(run.center[..., 0] - drop["B"] * np.sin(drop["K"] * run.center[..., 1]))
    assert aside.max() < 2.2
    assert run.gap.min() > -1e-9
