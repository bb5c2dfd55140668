"""Modules that a call needs are built side by side, and a line says so before."""

import threading

import pytest
import warp as wp

from rollingball.app import cli
from rollingball.core import launch


def kernel(value):
    """A kernel that is never compiled here."""
    constant = wp.constant(value)

    @wp.kernel(module="unique", enable_backward=False)
    def write(out: wp.array(dtype=float)):
        out[0] = constant

    return write


@pytest.fixture
def two(monkeypatch):
    """Two new kernels."""
    monkeypatch.setattr(launch, "_is_cached", lambda module, block_dim: False)
    monkeypatch.setattr(launch, "thread_count", lambda threads: 2)
    monkeypatch.setattr(launch, "_loaded", {})
    return [kernel(0.125), kernel(0.375)]


def test_two_modules_are_built_at_the_same_time(two, monkeypatch):
    both = threading.Barrier(2)
    built = []

    def build(module, device, block_dim):
        both.wait(timeout=30)  # passes only when the other one is being built too
        built.append(module)

    monkeypatch.setattr(wp, "load_module", build)
    launch.load_together(two, "cpu")
    launch.load_together(two, "cpu")
    assert set(built) == {kernel.module for kernel in two}
    assert len(built) == 2, "once each"


def test_a_failure_is_that_of_the_call_and_is_tried_again(two, monkeypatch):
    tried = []

    def build(module, device, block_dim):
        tried.append(module)
        raise RuntimeError("no compiler")

    monkeypatch.setattr(wp, "load_module", build)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no compiler"):
            launch.load_together(two, "cpu")
    assert len(tried) == 4


def test_the_command_line_says_what_is_compiled(two, monkeypatch, capsys):
    monkeypatch.setattr(wp, "load_module", lambda *args, **options: None)
    monkeypatch.setattr(launch, "_listeners", [])
    cli._quiet()
    launch.load_together(two, "cpu")
    launch.load_together(two, "cpu")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("compiling 2 kernels side by side, once")
    assert lines[0].count(".write") == 2
