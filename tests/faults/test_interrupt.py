"""Ctrl-C during a run: it is answered within about a second, and what was rolled until then is kept."""

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import rollingball as rb
from rollingball.core import pace
from rollingball.methods.discrete import roll
from rollingball.methods.flow.launcher import FlowLauncher, KeptLauncher
from rollingball.runs import launcher, launches

SINE, BALL = rb.surfaces.sine(), rb.Ball(0.5)
BEGIN = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
import numpy as np, warp as wp
wp.config.log_level = wp.LOG_WARNING
import rollingball as rb
sine, starts = rb.surfaces.sine(), np.linspace(-1.2, 1.2, 200)[:, None]
def roll(share):
    if sys.argv[1] == "flow":
        return rb.simulate(sine, rb.Ball(0.4), rb.FootpointFlow(rb.RK4(1e-6)), start=starts, duration=share, gap=None)
    steps = int(share * 1e7)
    return rb.simulate(sine, None, rb.GradientDescent(1e-6), start=starts, steps=steps, every=steps)
roll(1e-5)  # compiles
print("rolling", flush=True)
try:
    roll(100.0)
except rb.RunInterrupted as interrupted:
    run = interrupted.trajectory
    run.save(sys.argv[2])
    print(len(run), flush=True)
    sys.exit(130)
"""


@pytest.mark.parametrize("kind", ["flow", "discrete"])
def test_a_run_that_takes_hours_ends_within_a_second_and_keeps_its_frames(kind, tmp_path):
    path = tmp_path / "run.safetensors"
    command = [sys.executable, "-c", BEGIN, kind, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "rolling\n"
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        frames = int(process.stdout.readline())
        assert process.wait(60) == 130
    run = rb.Trajectory.load(path)
    assert len(run) == frames >= 1
    if kind == "discrete":  # of two frames, the second is where the balls were
        assert 0 < run.step[-1] < 1e9
    assert np.isfinite(run.foot).all()
    assert np.isfinite(run.center).all()


def test_a_run_that_was_interrupted_between_two_frames_goes_on_bit_for_bit(interruptible, monkeypatch):
    method, made = rb.MomentumRBO(0.02), []
    given = {"start": [[-1.0], [0.4]], "gap": None}
    whole = rb.simulate(SINE, BALL, method, steps=30, **given)

    def interrupted(*arguments):
        launch(*arguments)
        made.append(arguments)
        if len(made) == 2:
            signal.raise_signal(signal.SIGINT)

    launch = roll.launch
    monkeypatch.setattr(roll, "launch", interrupted)
    monkeypatch.setattr(launches, "FEW_STEPS", 4)
    monkeypatch.setattr(pace, "LAUNCH_SECONDS", 0.0)
    with pytest.raises(rb.RunInterrupted) as ended:
        rb.simulate(SINE, BALL, method, steps=30, every=10, **given)
    run = ended.value.trajectory
    assert run.step.tolist() == [0, 5]
    longer = rb.resume(run, steps=25, gap=None)
    for name in ("foot", "center", "loss", "residual", "time"):
        np.testing.assert_array_equal(getattr(run, name), getattr(whole, name)[run.step], err_msg=name)
        np.testing.assert_array_equal(getattr(longer, name)[-1], getattr(whole, name)[-1], err_msg=name)


def test_parts_that_ended_at_steps_of_their_own_keep_the_frames_of_all(interruptible, monkeypatch):
    given = {"start": [[-1.0], [0.4]], "gap": None, "steps": 30_000}
    whole, begun = rb.simulate(SINE, BALL, rb.FootpointRBO(1e-4), **given), []

    def interrupted(kernel, count, arguments, *more):
        if more[-1] == 1:  # the part with the second ball is behind by a launch
            wait = len(begun) == 0
            begun.append(arguments)
            if wait:
                time.sleep(0.05)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                time.sleep(0.05)
        launch(kernel, count, arguments, *more)

    launch = roll.launch
    monkeypatch.setattr(roll, "launch", interrupted)
    monkeypatch.setattr(pace, "LAUNCH_SECONDS", 0.0)
    with pytest.raises(rb.RunInterrupted) as ended:
        rb.simulate(SINE, BALL, rb.FootpointRBO(1e-4), every=10, device=["cpu", "cpu"], **given)
    run = ended.value.trajectory
    assert 0 <= run.step[-1] < 30_000
    np.testing.assert_array_equal(run.foot, whole.foot[run.step])


@pytest.mark.parametrize(("chunk", "asked"), [(4, [10, 20, 30, 35]), (29, [20, 35]), (99, [35])])
def test_a_callback_sees_whole_frames_however_launches_end(chunk, asked, monkeypatch):
    seen, sizes, launch = [], [], roll.launch
    monkeypatch.setattr(roll, "launch", lambda *given: (sizes.append(given), launch(*given)))
    given = {"start": [0.4], "steps": 35, "every": 10, "chunk": chunk, "callback": seen.append}
    run = rb.simulate(SINE, BALL, rb.FootpointRBO(0.02), **given)
    assert [now.step for now in seen] == asked
    assert len(sizes) <= 5
    for now in seen:
        np.testing.assert_array_equal(now.foot, run.foot[run.step == now.step][0])


def test_derivatives_are_whole_or_none_at_all(interruptible, monkeypatch):
    """A run that is rolled again for its derivatives and was interrupted is no run."""
    run = rb.simulate(SINE, BALL, rb.MomentumRBO(0.02), start=[[-1.0], [0.4]], steps=60, every=60, gap=None)
    cotangent = {"center": np.ones((2, 2, 2))}
    whole = rb.derivatives(run, cotangent, checkpoint_every=20)

    def interrupted(*given):
        launch(*given)
        signal.raise_signal(signal.SIGINT)

    launch = roll.launch
    monkeypatch.setattr(roll, "launch", interrupted)
    monkeypatch.setattr(launches, "FEW_STEPS", 4)
    for every in (20, None):
        with pytest.raises(KeyboardInterrupt):
            rb.derivatives(run, cotangent, checkpoint_every=every)
    monkeypatch.undo()
    np.testing.assert_array_equal(rb.derivatives(run, cotangent, checkpoint_every=20).start, whole.start)


def test_the_first_interrupt_waits_for_the_launch_and_the_second_does_not(interruptible):
    from rollingball.core.interrupt import Interruption

    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Clock:
    """A clock that a test moves on; it stands for ``time`` in the module of launches."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.mark.parametrize("first", [1, 10, 500])
def test_a_launch_is_sized_by_time(first, monkeypatch):
    clock, took = Clock(), []
    monkeypatch.setattr(launches, "time", clock)

    def advance(steps):
        took.append(steps * 1e-3)  # a millisecond a step
        clock.now += took[-1]
        return steps, clock.now / 20

    seconds, interrupted = launches.rolled(advance, first, 1_000_000, None)
    assert not interrupted
    assert seconds == pytest.approx(sum(took))
    assert max(took[1:]) <= 1.001 * pace.LAUNCH_SECONDS
    assert len(took) < 20 / pace.LAUNCH_SECONDS + 5


def test_quick_steps_between_slow_ones_make_no_long_launch(monkeypatch):
    """As of bodies that fly, which need no search, and land."""
    clock, took, done = Clock(), [], 0
    monkeypatch.setattr(launches, "time", clock)

    def advance(steps):
        nonlocal done
        took.append(sum(0.4 if step % 5 < 3 else 1e-4 for step in range(done, done + steps)))
        done, clock.now = done + steps, clock.now + took[-1]
        return steps, done / 200

    launches.rolled(advance, 1, 1_000_000, None)
    assert max(took) < 1.0


@pytest.mark.parametrize("method", [rb.FootpointRBO(0.02), rb.RigidBall()])
def test_where_steps_may_search_the_first_launch_of_many_balls_is_one_step(method, monkeypatch):
    firsts = []

    def noted(advance, first, *more, **options):
        firsts.append(first)
        return launches.rolled(advance, first, *more, **options)

    for module in (roll, launcher):
        monkeypatch.setattr(module, "rolled", noted)
    lasting = {"steps": 2} if isinstance(method, rb.FootpointRBO) else {"duration": 0.01}
    rb.simulate(SINE, BALL, method, start=np.linspace(-1, 1, 300)[:, None], gap=None, **lasting)
    rb.simulate(SINE, None, rb.GradientDescent(0.02), start=np.linspace(-1, 1, 300)[:, None], steps=2)
    assert firsts == [1, launches.FEW_STEPS]


@pytest.mark.parametrize("radius", [0.5, 3.0])
def test_the_searches_of_a_flow_have_a_pace_of_their_own(radius, monkeypatch):
    made, run = [], FlowLauncher._run

    def noted(self, kernel, budget, log=None):
        made.append((kernel is self._kernel, budget))
        run(self, kernel, budget, log)

    monkeypatch.setattr(FlowLauncher, "_run", noted)
    monkeypatch.setattr(KeptLauncher, "_run", noted)
    starts = np.linspace(-1, 1, 300)[:, None]
    rb.simulate(SINE, rb.Ball(radius), rb.IronedFlow(rb.RK4(0.01)), start_center=starts, duration=0.2, gap=None)
    first = [next(budget for proved, budget in made if proved == kind) for kind in {proved for proved, _ in made}]
    assert first == ([launches.FEW_STEPS] if radius < 1 else [1, launches.FEW_STEPS])
