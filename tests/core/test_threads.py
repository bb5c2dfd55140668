"""Threads that use new kernels, or write files, at the same time."""

import os
import stat
import subprocess
import sys
import threading

import pytest

import rollingball as rb

# In a process of its own: threads that wait for each other, then ask for a formula that none has used before.
TRIALS = """
import sys, threading
import numpy as np, warp as wp
wp.config.log_level = wp.LOG_WARNING
sys.setswitchinterval(1e-5)  # threads take turns often, so that what can interleave does
import rollingball as rb
first, trials = int(sys.argv[1]), int(sys.argv[2])
failures = []
for trial in range(first, first + trials):
    surface = rb.formula(f"x**2 + {trial + 2}*y**2 + sin(x + {trial + 3}*y)", "x y", compiled=True)
    gate, values = threading.Barrier(4), []
    def ask():
        gate.wait()
        try:
            rb.simulate(surface, None, rb.GradientDescent(lr=0.01), start=[0.25, -0.5], steps=2)
            values.append(surface.gradient([[0.25, -0.5]]))
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")
    threads = [threading.Thread(target=ask) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    x, y, a, b = 0.25, -0.5, trial + 2, trial + 3
    exact = [2 * x + np.cos(x + b * y), 2 * a * y + b * np.cos(x + b * y)]
    failures += [f"{value} for {exact}" for value in values if not np.allclose(value, exact, rtol=1e-12)]
print(len(failures), "failures", failures[:1])
"""


def test_threads_that_use_a_new_surface_first_all_get_its_values(request):
    trials = request.config.getoption("--trials")
    ran = subprocess.run(
        [sys.executable, "-c", TRIALS, "0", str(trials)], capture_output=True, text=True, timeout=600, check=True
    )
    assert ran.stdout.startswith("0 failures"), ran.stdout


def test_a_factory_runs_once_however_many_threads_ask_for_it():
    from rollingball.core.compiled import compiled

    calls, gate = [], threading.Barrier(8)

    @compiled
    def build(number):
        calls.append(number)
        return object()

    made = []

    def ask():
        gate.wait()
        made.append(build(1))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert calls == [1]
    assert len(set(map(id, made))) == 1


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_files_have_the_rights_of_any_new_file_and_nobody_elses_are_touched(tmp_path, umask, monkeypatch):
    before = os.umask(umask)
    real, asked = os.umask, []
    monkeypatch.setattr(os, "umask", lambda mask: asked.append(mask) or real(mask))
    try:
        run = rb.simulate(rb.surfaces.sine(), None, rb.GradientDescent(lr=0.1), start=[1.0], steps=1)
        run.save(tmp_path / "run.safetensors")
    finally:
        real(before)
    assert stat.S_IMODE((tmp_path / "run.safetensors").stat().st_mode) == 0o666 & ~umask
    assert asked == []
