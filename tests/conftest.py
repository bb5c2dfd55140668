import importlib
import json
import os
import pkgutil
import signal
from pathlib import Path

import hypothesis
import pytest
import warp as wp

import rollingball
from rollingball.core import launch

wp.config.log_level = wp.LOG_WARNING
hypothesis.settings.register_profile("truths", derandomize=True, deadline=None, max_examples=40)
hypothesis.settings.load_profile("truths")

ORACLES = {case["id"]: case for case in json.loads((Path(__file__).parent / "oracles.json").read_text())["cases"]}


def pytest_addoption(parser):
    parser.addoption("--starts", type=int, default=4, help="balls for each radius in test_descent.py")
    parser.addoption("--needles", type=int, default=60, help="balls in each test of test_needles.py")
    parser.addoption("--trials", type=int, default=5, help="cold starts of four threads in test_threads.py")
    parser.addoption("--kills", type=int, default=5, help="processes killed by each test of tests/faults that kills")
    parser.addoption("--mutants", type=int, default=200, help="damaged files in each test of tests/faults that damages")
    parser.addoption("--dimensions", default="17", help="dimensions of test_every_function.py, such as 5,8,16,32,64")


def pytest_configure(config):
    # before torch is imported: its threads spin for each other, and small models on busy cores step 16 times slower
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(config, "workerinput"):
        # One of several processes, which share the cores: with a thread for each core in each of them a short launch
        # takes twice the time. Tests of what threads may change ask for several.
        share = max(launch.cores() // config.workerinput["workercount"], 1)
        launch.cores = lambda: share


def pytest_collection_finish(session):
    """Let all processes of a whole run draw alike: hypothesis draws constants of the modules imported so far, too."""
    if len(session.items) > 1000:
        for module in pkgutil.walk_packages(rollingball.__path__, "rollingball."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


@pytest.fixture(scope="session")
def oracle():
    """Ground truth by its id: inputs, expected values, absolute tolerance."""
    return ORACLES.__getitem__


@pytest.fixture
def cuda():
    """The CUDA device, for tests marked so."""
    wp.init()
    if not wp.is_cuda_available():
        pytest.skip("no CUDA device")
    return "cuda:0"


@pytest.fixture
def interruptible():
    """Python's own answer to Ctrl-C, which is ignored where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_compiling(monkeypatch):
    """Any kernel compiled or launched inside the test is a failure."""

    def refuse(*args, **kwargs):
        raise AssertionError("something was compiled or launched")

    monkeypatch.setattr(wp, "load_module", refuse)
    monkeypatch.setattr(wp, "launch", refuse)
    monkeypatch.setattr(wp, "launch_tiled", refuse)
