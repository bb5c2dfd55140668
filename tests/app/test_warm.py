"""What ``rollingball doctor --warm`` compiles, and the line before kernels are compiled."""

import weakref

import pytest

import rollingball as rb
from rollingball.app import cli, warm
from rollingball.app.scene import load_scene, shipped
from rollingball.core import launch
from rollingball.methods.flow.launcher import flow_kernel
from rollingball.simulate import check

STUDIES = ("iron", "compare", "sensitivity")


@pytest.mark.parametrize("name", shipped())
def test_every_run_of_a_shipped_scene_can_be_shortened(name, no_compiling):
    scene = load_scene(name)
    for index in range(len(scene.run)):
        ball, method, arguments = warm.shortened(scene, index)
        assert arguments.get("steps") == 1 or arguments["duration"] == warm.SHORT
        check(scene.build_surface(), ball, method, **arguments)


def test_the_jobs_are_common_calls_and_each_run_and_study_of_each_scene(no_compiling):
    scenes = {name: load_scene(name) for name in shipped()}
    runs = {f"{name}: {run}" for name, scene in scenes.items() if scene.run for run in scene.names()}
    studies = {f"{name}: [{table}]" for name, scene in scenes.items() for table in STUDIES if getattr(scene, table)}
    made = warm.jobs()
    assert {name for name in made if ": " in name} == runs | studies
    assert {"FootpointRBO", "IronedFlow", "RigidBall", "contacts"} <= set(made)


def test_both_programs_of_a_flow_are_made(monkeypatch):
    """The first step of a ball below the reach needs one of them only."""
    loaded = weakref.WeakKeyDictionary()
    monkeypatch.setattr(launch, "_loaded", loaded)
    warm.jobs()["IronedFlow"]()
    first, others = flow_kernel(rb.formula("sin(x) + y", "x y"), rb.IronedFlow())
    assert {first.kernel.module, others().module} <= set(loaded)


@pytest.mark.parametrize(
    ("name", "study", "fewer"),
    [("compare-bowl", "compare", ("--compare.lr", "[0.1]")), ("fig2-delta", "iron", ("--iron.delta.count", "2"))],
)
def test_a_study_of_a_shipped_scene_needs_no_more_than_was_made(monkeypatch, tmp_path, name, study, fewer):
    made = weakref.WeakKeyDictionary()
    monkeypatch.setattr(launch, "_loaded", made)
    warm.jobs()[f"{name}: [{study}]"]()
    before = {module: set(devices) for module, devices in made.items()}
    assert before
    cli.main([study, name, "--out", str(tmp_path), *fewer])
    assert {module: set(devices) for module, devices in made.items()} == before


def test_doctor_warm_makes_each_before_the_report(monkeypatch, capsys):
    made = []
    monkeypatch.setattr(warm, "jobs", lambda: {"one": lambda: made.append(1), "two": lambda: made.append(2)})
    cli.main(["doctor", "--warm"])
    printed = capsys.readouterr()
    assert made == [1, 2]
    assert "2/2" in printed.err
    assert "kernel cache" in printed.out
