"""What a ball with mass refuses before anything is compiled, what it records, and what files keep of it."""

from dataclasses import replace

import numpy as np
import pytest

import rollingball as rb
from rollingball.runs.motion import flown

PLANE, PARABOLA = rb.surfaces.plane([0.3, 0.1]), rb.surfaces.quadratic([[1.0]])
BALL = rb.Ball(0.5)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("gravity", -1.0, "0 or above"),
        ("gravity", float("nan"), "finite"),
        ("drag", -0.1, "0 or above"),
        ("drag", [1.0], "one finite number"),
        ("contact", "glued", "'bilateral', 'unilateral'"),
        ("friction", "sticky", "'none', 'no-slip'"),
        ("friction", -0.1, "a coefficient, 0 or above"),
        ("friction", True, "number"),
        ("restitution", 1.5, r"\[0, 1\]"),
        ("restitution", -0.1, r"\[0, 1\]"),
        ("spin", "wooden", "'marble', 'rubber'"),
        ("integrator", rb.CatchUp(0.1), "Rattle"),
        ("integrator", rb.Rosenbrock(), "Rattle"),
        ("integrator", "rattle", "Rattle"),
        ("search", 3, "GlobalProjection"),
        ("stride", 0.0, "above 0"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(field, value, allowed, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^{field}: .*{allowed}"):
        rb.RigidBall(**{field: value})


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"contact": "unilateral", "search": None}, "search"),
        ({"integrator": rb.MoreauJean(1e-3)}, "contact"),
    ],
)
def test_values_that_do_not_go_together_are_refused(options, field, no_compiling):
    with pytest.raises(rb.InputError, match=f"^{field}: "):
        rb.RigidBall(**options)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [(rb.Rattle, "step", 0.0), (rb.MoreauJean, "step", -1.0), (rb.MoreauJean, "reach", 1.0)],
)  # fmt: skip
def test_integrators_refuse_bad_steps(kind, field, value, no_compiling):
    with pytest.raises(rb.InputError, match=f"^{field}: "):
        kind(**{"step": 1e-3, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("mass", 0.0), ("mass", [1.0, -1.0]), ("mass", [[1.0]]), ("inertia", -0.1), ("inertia", "solid"), ("radius", 0.0)],
)
def test_a_ball_refuses_what_is_no_body(field, value, no_compiling):
    with pytest.raises(rb.InputError, match=f"^{field}: "):
        rb.Ball(**{"radius": 1.0, field: value})


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"ball": None}, "ball"),
        ({"ball": rb.Ball(rb.Schedule([1.0, 0.5]))}, "radius"),
        ({"start_center": [0.0, 0.0]}, "start"),
        ({"start": None}, "start"),
        ({"start": None, "start_center": [0.0, 0.0, 3.0]}, "start_center"),  # bilateral: it has no height of its own
        ({"start": [[0.0]]}, "start"),
        ({"duration": None}, "duration"),
        ({"duration": -1.0}, "duration"),
        ({"save_at": [2.0]}, "save_at"),
        ({"start_velocity": [1.0]}, "start_velocity"),
        ({"start_velocity": [[1.0, 2.0, 3.0, 4.0]]}, "start_velocity"),
        ({"start_velocity": [1.0, np.inf]}, "start_velocity"),
        ({"start_velocity": np.ones((3, 2)), "start": np.ones((2, 2))}, "start"),
        ({"start_spin": [1.0, 2.0, 3.0, 4.0]}, None),  # four balls
        ({"start_spin": [[1.0, 2.0]]}, "start_spin"),
        ({"ball": rb.Ball(1.0, mass=[1.0, 2.0]), "start": np.ones((3, 2))}, "mass"),
        ({"steps": 3}, "steps"),
        ({"dtype": "float32"}, "dtype"),
        ({"lift": 1}, "lift"),
        ({"device": "gpu"}, "device"),
    ],
)
def test_a_run_refuses_bad_arguments_before_anything_is_compiled(changed, field, no_compiling):
    given = {"ball": BALL, "start": [0.0, 0.0], "duration": 1.0, **changed}
    ball = given.pop("ball")
    with pytest.raises(
        AssertionError if field is None else rb.InputError, match=f"^{field}: " if field else "compiled"
    ):
        rb.simulate(PLANE, ball, rb.RigidBall(), **given)


@pytest.mark.parametrize(
    ("method", "field"),
    [
        (rb.RigidBall(friction=0.3), "friction"),
        (rb.RigidBall(friction="no-slip"), "spin"),
        (rb.RigidBall(friction="no-slip", spin="rubber", contact="unilateral"), "friction"),
    ],
)
def test_what_is_defined_in_two_dimensions_alone_is_refused_in_three(method, field, no_compiling):
    with pytest.raises(rb.InputError, match=f"^{field}: "):
        rb.simulate(rb.surfaces.plane([0.1] * 3), BALL, method, start=[0.0] * 3, duration=1.0)
    with pytest.raises(rb.InputError, match=r"^start_spin: "):
        rb.simulate(rb.surfaces.plane([0.1] * 3), BALL, rb.RigidBall(), start=[0.0] * 3, start_spin=[1.0], duration=1.0)


@pytest.mark.parametrize("method", [rb.IronedFlow(), rb.FootpointRBO(lr=0.1)])
def test_balls_without_mass_take_no_velocity(method, no_compiling):
    length = {"duration": 1.0} if isinstance(method, rb.IronedFlow) else {"steps": 3}
    with pytest.raises(rb.InputError, match=r"^start_velocity: "):
        rb.simulate(PLANE, BALL, method, start=[0.0, 0.0], start_velocity=[1.0, 0.0], **length)


def test_a_ball_that_does_not_fit_is_refused_or_lifted():
    narrow, method = rb.surfaces.quadratic([[4.0]]), rb.RigidBall(contact="unilateral")
    with pytest.raises(rb.InputError, match=r"^start: .* 1.* too low"):
        rb.simulate(narrow, rb.Ball(1.0), method, start=[0.0], duration=1.0)
    with pytest.raises(rb.InputError, match=r"^start_center: .*height of at least"):
        rb.simulate(narrow, rb.Ball(1.0), method, start_center=[[0.3, 0.0]], duration=1.0)
    run = rb.simulate(
        narrow, rb.Ball(1.0), method, start_center=[[0.3, 0.0]], duration=1e-3, lift=True, gap=rb.GlobalProjection()
    )
    assert abs(run.gap[0, 0]) < 1e-9


def test_what_was_recorded_survives_a_file_slices_and_picks(tmp_path):
    method = rb.RigidBall(contact="unilateral", restitution=0.5)
    run = rb.simulate(
        PARABOLA, rb.Ball([0.3, 0.5], mass=[1.0, 2.0]), method, start_center=[[0.2, 1.5]], duration=1.0, gap=None
    )
    assert run.velocity.shape == (100, 2, 2)
    assert run.spin.shape == (100, 2, 1)
    for name in ("energy", "normal_force", "slip"):
        assert getattr(run, name).shape == (100, 2)
        assert np.isfinite(getattr(run, name)).all()
    run.save(tmp_path / "run.safetensors")
    read = rb.Trajectory.load(tmp_path / "run.safetensors")
    for name in ("velocity", "spin", "energy", "normal_force", "slip", "contacts"):
        np.testing.assert_array_equal(getattr(read, name), getattr(run, name))
        np.testing.assert_array_equal(getattr(run[3:9], name), getattr(run, name)[3:9])
        np.testing.assert_array_equal(getattr(run.select(1), name), getattr(run, name)[:, [1]])
    assert run.select(1).scene["ball"]["mass"] == [2.0]
    middle = run.at(0.5 * (run.time[4] + run.time[5]))
    np.testing.assert_allclose(middle.energy[0], 0.5 * (run.energy[4] + run.energy[5]), rtol=1e-12)
    flow = rb.simulate(PARABOLA, rb.Ball(0.3), rb.FootpointRBO(lr=0.1), start=[0.5], steps=3)
    assert flow.velocity is None
    flow.save(tmp_path / "old.safetensors")  # as files were before there were balls with mass
    assert rb.Trajectory.load(tmp_path / "old.safetensors").energy is None


def test_a_file_whose_body_has_another_shape_is_refused(tmp_path):
    from safetensors.numpy import load_file, save_file

    run = rb.simulate(PARABOLA, rb.Ball(0.3), rb.RigidBall(contact="unilateral"), start=[0.2], duration=0.1, gap=None)
    run.save(tmp_path / "run.safetensors")
    from safetensors import safe_open

    with safe_open(str(tmp_path / "run.safetensors"), framework="numpy") as file:
        metadata = file.metadata()
    arrays = load_file(tmp_path / "run.safetensors")
    for name in ("velocity", "spin", "energy"):
        broken = {**arrays, name: arrays[name][:-1].copy()}
        save_file(broken, tmp_path / "broken.safetensors", metadata=metadata)
        with pytest.raises(rb.FileError, match=name):
            rb.Trajectory.load(tmp_path / "broken.safetensors")


def test_balls_do_not_depend_on_each_other_or_on_threads():
    method = rb.RigidBall(contact="unilateral", restitution=0.5, friction=0.2)
    starts = np.linspace(-1, 1, 7)[:, None]
    given = {"start": starts, "duration": 1.0, "save_at": [0.5, 1.0], "gap": None}
    one = rb.simulate(PARABOLA, rb.Ball(0.4), method, threads=1, **given)
    many = rb.simulate(PARABOLA, rb.Ball(0.4), method, threads=3, **given)
    np.testing.assert_array_equal(one.center, many.center)
    alone = rb.simulate(PARABOLA, rb.Ball(0.4), method, **{**given, "start": starts[2]})
    np.testing.assert_array_equal(one.center[:, 2], alone.center[:, 0])


def test_the_energy_of_runs_is_drawn():
    run = rb.simulate(PARABOLA, rb.Ball(0.4), rb.RigidBall(contact="unilateral"), start=[0.2], duration=0.1, gap=None)
    figure = rb.plot.energy_sheet({"one": run})
    assert len(figure.axes) == 1
    lines = [line.get_ydata() for line in figure.axes[0].lines]
    np.testing.assert_array_equal(lines[0], run.energy[:, 0])
    kinetic, rotational, potential = lines[1:4]
    np.testing.assert_allclose(potential, 9.81 * run.center[:, 0, 1])
    np.testing.assert_allclose(kinetic + rotational + potential, run.energy[:, 0])
    with pytest.raises(rb.InputError, match="balls with mass"):
        rb.plot.energy_sheet({})


def test_a_run_whose_scene_lost_its_gravity_has_no_parts_of_its_energy_and_is_drawn_as_recorded():
    run = rb.simulate(PARABOLA, rb.Ball(0.4), rb.RigidBall(contact="unilateral"), start=[0.2], duration=0.1, gap=None)
    lost = replace(run, scene={**run.scene, "run": {}})
    with pytest.raises(rb.InputError, match="gravity"):
        lost.energies()
    assert flown(lost) is lost
    assert flown(run) is not run
    assert len(rb.plot.energy_sheet({"one": lost}).axes) == 1
