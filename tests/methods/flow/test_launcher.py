"""Launchers that are used again: a run never sees the one before, nor changes what that one returned."""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rollingball as rb
from rollingball.core.launch import _together
from rollingball.methods.flow.launcher import KEPT, ROOM, SHELF

S = rb.surfaces
FOOTPOINT = rb.FootpointFlow(rb.RK4(0.01))
CASES = {"footpoint": {}, "wedged": {"method": rb.IronedFlow(rb.Tsit5()), "radius": 2.0, "lift": True}}
FIELDS = ("foot", "center", "loss", "residual", "radius", "status", "steps", "evaluations", "contacts", "time")


@pytest.fixture(autouse=True)
def empty_shelf():
    SHELF.clear()
    yield
    SHELF.clear()


def roll(start, surface=None, radius=0.4, method=FOOTPOINT, duration=1.0, **options):
    ball = None if radius is None else rb.Ball(radius)
    return rb.simulate(surface or S.sine(), ball, method, start=start, duration=duration, gap=None, **options)


def parts(run):
    return {name: getattr(run, name) for name in FIELDS} | {f"event {name}": run.events[name] for name in run.events}


def same(one, other):
    for name, value in parts(one).items():
        np.testing.assert_array_equal(value, parts(other)[name], err_msg=name)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_from_the_shelf_is_the_run_without_it_bit_for_bit(name, threads):
    options = {**CASES[name], "threads": threads}
    begins = [[[0.3], [-1.1], [2.0]], [[1.3], [0.1], [-2.0]]]
    alone = []
    for start in begins:
        SHELF.clear()
        alone.append(roll(start, **options))
    kept = [{key: value.copy() for key, value in parts(run).items()} for run in alone]
    for index in (1, 0, 1, 0):
        same(roll(begins[index], **options), alone[index])
        assert len(SHELF) == 1
    for run, values in zip(alone, kept, strict=True):
        for key, value in values.items():
            np.testing.assert_array_equal(parts(run)[key], value, err_msg=key)
    assert np.abs(alone[0].foot[-1] - alone[1].foot[-1]).max() > 0.1


def test_a_ball_that_fails_and_one_that_does_not_leave_each_other_nothing():
    valley = S.quadratic([[2.0]])
    fine, blunt = (
        {"start": [[start]], "surface": valley, "radius": radius} for start, radius in ((2.0, 0.4), (0.3, 5.0))
    )
    alone = []
    for given in (fine, blunt):
        SHELF.clear()
        alone.append(roll(**given))
    assert alone[0].status[0] == rb.Status.RUNNING
    assert alone[1].status[0] == rb.Status.FOCAL_POINT
    for given, run in zip((fine, blunt, fine), (*alone, alone[0]), strict=True):
        same(roll(**given), run)
    assert len(SHELF) == 1


def test_radii_and_times_are_those_of_the_run():
    times = np.linspace(0.2, 1.0, 5)
    roll([[1.0]], radius=0.1, save_at=times**2)
    run = roll([[1.0]], radius=0.7, save_at=times)
    assert len(SHELF) == 1
    SHELF.clear()
    same(roll([[1.0]], radius=0.7, save_at=times), run)


@pytest.mark.parametrize(
    "other",
    [
        {"surface": S.sine(loss_scale=2.0)},
        {"surface": S.sine(dim=2), "start": [[0.5, 0.6]]},
        {"surface": S.cubic()},
        {"method": rb.FootpointFlow(rb.RK4(0.02))},
        {"method": rb.FootpointFlow(rb.Euler(0.01))},
        {"duration": 0.9},
        {"save_at": [0.5, 1.0]},
        {"start": [[0.5], [0.6]]},
        {"threads": 1},
    ],
    ids=str,
)
def test_another_run_does_not_take_it(other):
    given = {"start": [[0.5]], "threads": 2, **other}
    alone = roll(**given)
    SHELF.clear()
    roll([[0.5]], threads=2)
    same(roll(**given), alone)
    assert len(SHELF) == 2


def test_a_surface_whose_numbers_were_changed_is_another():
    surface, well = S.quadratic([[1.0]]), S.double_well()
    before = roll([[0.5]], surface).foot[-1], roll([[0.5]], well).foot[-1]
    surface.params["matrix"][...] = 3.0
    well.params["depth"] = 2.0
    after = roll([[0.5]], surface).foot[-1], roll([[0.5]], well).foot[-1]
    assert len(SHELF) == 4
    SHELF.clear()
    for was, now, new in zip(before, after, (S.quadratic([[3.0]]), S.double_well(depth=2.0)), strict=True):
        assert np.abs(was - now).max() > 1e-3
        np.testing.assert_array_equal(roll([[0.5]], new).foot[-1], now)


def test_formulas_are_told_apart_although_they_share_their_kernels():
    surfaces = [S.formula(text, "x", {"a": a}) for text, a in (("sin(a*x)", 1.0), ("sin(a*x)", 2.0), ("a*x**2", 1.0))]
    alone = []
    for surface in surfaces:
        SHELF.clear()
        alone.append(roll([[0.5]], surface))
    for surface, run in zip(surfaces, alone, strict=True):
        same(roll([[0.5]], surface), run)
    assert len(SHELF) == 3
    assert len({float(run.foot[-1, 0, 0]) for run in alone}) == 3


def test_zero_and_minus_zero_are_two_numbers():
    for amplitude in (0.0, -0.0):
        roll([[0.5]], S.sine(amplitude=amplitude))
    assert len(SHELF) == 2


def test_numbers_that_may_change_unseen_are_not_kept():
    roll([[0.5]], S.sampled(np.sin(np.linspace(0, 6, 200)), box=[[0, 6]]))
    roll([[0.5, 0.6]], S.gaussian_wells(count=3))
    well = S.quadratic([[1.0]])
    ironed = rb.ironed(well, 0.3)
    before = roll([[0.5]], ironed).foot[-1]
    well.params["matrix"][...] = 3.0
    assert np.abs(roll([[0.5]], ironed).foot[-1] - before).max() > 1e-3
    roll([[0.5]], method=rb.FootpointFlow(rb.Dopri5(rtol=np.array(1e-6))))
    assert len(SHELF) == 0


def test_what_is_large_or_many_is_not_kept():
    roll([[0.5]] * 2, save_at=np.linspace(0, 1, ROOM // 64))
    assert len(SHELF) == 0
    for count in range(1, KEPT + 4):
        roll([[0.5]] * count, save_at=[1.0])
    assert len(SHELF) == KEPT


def test_runs_of_several_python_threads_at_once_do_not_meet():
    starts = np.linspace(-3, 3, 64).reshape(32, 2, 1)
    alone = [roll(start) for start in starts]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(roll, starts))
    finally:
        sys.setswitchinterval(before)
    for one, other in zip(alone, together, strict=True):
        same(one, other)
    assert len(SHELF) >= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_rolls_too():
    alone = roll([[0.5], [1.5]], threads=2)
    SHELF._lock.acquire()  # as another thread may
    child = os.fork()
    if child:
        SHELF._lock.release()
    else:
        try:
            same(roll([[0.5], [1.5]], threads=2), alone)
            os._exit(0)
        finally:
            os._exit(1)
    ended, until = (0, 0), time.monotonic() + 60
    while ended[0] == 0 and time.monotonic() < until:
        time.sleep(0.01)
        ended = os.waitpid(child, os.WNOHANG)
    if ended[0] == 0:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)


def test_callers_do_not_wait_for_each_other():
    together = threading.Barrier(16)
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda _: _together([lambda: together.wait(timeout=60)] * 2), range(8)))
    assert not together.broken


def test_what_fails_waits_for_the_rest():
    done = []

    def fails():
        raise RuntimeError("as it should")

    def rest():
        time.sleep(0.1)
        done.append(True)

    for jobs in ([fails, rest, rest], [rest, fails, rest]):
        done.clear()
        with pytest.raises(RuntimeError, match="as it should"):
            _together(jobs)
        assert len(done) == 2


def test_a_second_run_prepares_nothing(request):
    roll([[0.5]])
    request.getfixturevalue("no_compiling")
    roll([[0.6]])
