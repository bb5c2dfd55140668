"""Runs that would not end are refused before they begin, with the number of their steps."""

import pytest

import rollingball as rb

BOWL, BALL = rb.surfaces.quadratic([[1.0]]), rb.Ball(0.3)
FIXED = (rb.Euler, rb.Heun, rb.RK4, rb.CatchUp)


@pytest.mark.parametrize("step", [1e-320, 5e-324, 1e-30, 0.9e-9])
@pytest.mark.parametrize(
    "method",
    [
        *[lambda step, kind=kind: rb.IronedFlow(kind(step)) for kind in FIXED],
        lambda step: rb.FootpointFlow(rb.RK4(step)),
        *[lambda step, kind=kind: rb.RigidBall(integrator=kind(step)) for kind in (rb.Rattle, rb.RK4)],
        lambda step: rb.RigidBall(contact="unilateral", integrator=rb.MoreauJean(step)),
    ],
)
def test_steps_of_one_size_that_are_too_many_are_refused(method, step, no_compiling):
    with pytest.raises(rb.InputError, match=r"^integrator\.step: got .*1e-09 or above; the run would take .* steps"):
        rb.simulate(BOWL, BALL, method(step), start=[1.0], duration=1.0)


def test_a_scene_is_checked_alike(tmp_path, no_compiling):
    (tmp_path / "scene.toml").write_text(
        '[surface]\ntype = "sine"\n[ball]\nradius = 0.3\nstart = [1.0]\n[[run]]\nmethod = "rigid-ball"\n'
        'duration = 1.0\ncontact = "unilateral"\nintegrator = { type = "moreau-jean", step = 1e-320 }\n'
    )
    with pytest.raises(rb.InputError, match=r"^\$\.run\[0\]\.integrator\.step: "):
        rb.load_scene(tmp_path / "scene.toml").check()


def test_adaptive_steps_that_begin_tiny_end_all_the_same():
    flow = rb.simulate(
        BOWL, BALL, rb.FootpointFlow(rb.Dopri5(first_step=1e-300)), start=[1.0], duration=1.0, save_at=[0.0, 1.0]
    )
    assert flow.status[0] in (rb.Status.RUNNING, rb.Status.STEP_TOO_SMALL)
