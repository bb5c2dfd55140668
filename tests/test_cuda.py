"""The kernels on a CUDA device, and, without one, that blocks of threads and balls in another order do the same."""

import numpy as np
import pytest
import warp as wp

import rollingball as rb
from rollingball.core.launch import launch
from rollingball.core.numeric import LANES, Numeric, fill
from rollingball.methods.discrete import roll
from rollingball.methods.discrete.order import by_place
from rollingball.surfaces.base import evaluation

WELLS = rb.surfaces.gaussian_wells(count=300, width=0.3)
SURFACES = {
    "wells": WELLS,
    "sine": rb.surfaces.sine(dim=2),
    "quadratic": rb.surfaces.quadratic([[1.0, 0.2], [0.2, 2.0]]),
    "formula": rb.formula("0.3*x**2 + S*sin(3*x)*cos(2*y)", "x y", {"S": 0.1}),
    "planes": rb.surfaces.max_of_planes([[1.0, 0.0], [-1.0, 0.3], [0.0, -0.5]]),
}
METHODS = [
    rb.FootpointRBO(0.02, projection=rb.NewtonProjection()),
    rb.FootpointRBO(0.02, projection=rb.GradientProjection(steps=20, step_size=0.01)),
    rb.DistanceRBO(0.02, projection=rb.NewtonProjection(), reproject=True),
    rb.GradientDescent(0.02),
    rb.HeavyBall(0.02),
    rb.SAM(0.02),
    rb.EntropySGD(0.1, noise=0.0),
    rb.FootpointRBO(0.02, projection=rb.GlobalProjection()),
]
STARTS = np.random.default_rng(0).uniform(-1, 1, (64, 2))


@pytest.mark.cuda
@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_a_device_agrees_with_the_cpu(cuda, name, method):
    # with exact feet a ball has to fit where it starts
    options = {"start": STARTS, "steps": 10, "lift": getattr(method, "projection", None) == rb.GlobalProjection()}
    here = rb.simulate(SURFACES[name], rb.Ball(0.2), method, **options)
    there = rb.simulate(SURFACES[name], rb.Ball(0.2), method, device=cuda, **options)
    np.testing.assert_array_equal(there.status, here.status)
    np.testing.assert_allclose(there.foot, here.foot, rtol=0, atol=1e-10)
    np.testing.assert_allclose(there.center, here.center, rtol=0, atol=1e-10)
    np.testing.assert_allclose(there.loss, here.loss, rtol=0, atol=1e-10)
    np.testing.assert_allclose(there.gap, here.gap, rtol=0, atol=1e-9)


@pytest.mark.cuda
@pytest.mark.parametrize("case", ["F09", "O02"])
def test_oracles_on_a_device(cuda, oracle, case):
    matrix, start = ([[1.0]], [1.0]) if case == "F09" else (np.diag([1, 2, 0.5]), [1.0, -1.0, 2.0])
    radius, lr = (0.5, 0.1) if case == "F09" else (0.3, 0.05)
    expected = np.array(oracle(case)["expected"]["theta"])
    surface, steps = rb.surfaces.quadratic(matrix), len(expected) - 1
    run = rb.simulate(surface, rb.Ball(radius), rb.FootpointRBO(lr), start=start, steps=steps, device=cuda)
    np.testing.assert_allclose(run.foot[:, 0].squeeze(), expected, rtol=0, atol=oracle(case)["tol"])


@pytest.mark.cuda
def test_many_balls_on_a_device_do_not_share_sums(cuda):
    starts = np.random.default_rng(1).uniform(-1, 1, (5000, 2))  # more than get a block each
    method = rb.FootpointRBO(0.02, projection=rb.GradientProjection(steps=20, step_size=0.01))
    options = {"steps": 3, "gap": None}
    many = rb.simulate(WELLS, rb.Ball(0.2), method, start=starts, device=cuda, **options)
    few = rb.simulate(WELLS, rb.Ball(0.2), method, start=starts[:100], device=cuda, **options)
    np.testing.assert_allclose(many.foot[:, :100], few.foot, rtol=0, atol=1e-10)


@pytest.mark.cuda
@pytest.mark.parametrize("name", SURFACES)
def test_nearest_points_and_contacts_on_a_device_are_those_of_the_cpu(cuda, name):
    surface, points = SURFACES[name], np.concatenate([STARTS, np.full((64, 1), 2.0)], axis=1)
    here, there = (rb.project(surface, points, device=device) for device in ("cpu", cuda))
    np.testing.assert_allclose(there.distance, here.distance, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(there.certified, here.certified)
    here, there = (rb.contacts(surface, STARTS, 0.7, device=device) for device in ("cpu", cuda))
    np.testing.assert_allclose(there.height, here.height, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(there.count, here.count)


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["wells", "formula"])
@pytest.mark.parametrize("flow", [rb.FootpointFlow(), rb.IronedFlow(), rb.IronedFlow(rb.CatchUp(0.01))], ids=repr)
def test_flows_on_a_device_are_those_of_the_cpu(cuda, name, flow):
    options = {"start": STARTS, "duration": 0.1, "save_at": [0.0, 0.05, 0.1], "lift": True}
    here, there = (rb.simulate(SURFACES[name], rb.Ball(0.1), flow, device=where, **options) for where in ("cpu", cuda))
    np.testing.assert_array_equal(there.status, here.status)
    np.testing.assert_allclose(there.center, here.center, rtol=0, atol=1e-8)
    np.testing.assert_allclose(there.foot, here.foot, rtol=0, atol=1e-7)


@pytest.mark.cuda
@pytest.mark.parametrize("integrator", [rb.Rattle(1e-3), rb.Dopri5(), rb.MoreauJean(1e-3)], ids=repr)
def test_balls_with_mass_on_a_device_are_those_of_the_cpu(cuda, integrator):
    method = rb.RigidBall(contact="unilateral", friction=0.2, integrator=integrator)
    options = {"start": STARTS, "duration": 0.1, "save_at": [0.0, 0.1]}
    run = [rb.simulate(SURFACES["formula"], rb.Ball(0.1), method, device=where, **options) for where in ("cpu", cuda)]
    np.testing.assert_array_equal(run[1].status, run[0].status)
    np.testing.assert_allclose(run[1].center, run[0].center, rtol=0, atol=1e-8)
    np.testing.assert_allclose(run[1].velocity, run[0].velocity, rtol=0, atol=1e-7)


@pytest.fixture
def blocks_on_the_cpu(monkeypatch):
    """Warp runs blocks of many threads on the CPU, as fibers."""
    monkeypatch.setattr(wp.config, "enable_cpu_blocks", True)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_block_sums_what_a_thread_sums(blocks_on_the_cpu, dtype):
    """The sums by blocks of 32 threads, where each passes over far wells by a vote, against those of one thread.

    There are more blocks of wells than threads, so that there are two votes.
    """
    surface, numeric, count = rb.surfaces.gaussian_wells(count=1300, width=0.3), Numeric(2, dtype), len(STARTS)
    found = []
    for cooperative in (False, True):
        kernel = evaluation(surface.functions(numeric, cooperative), numeric)
        out = [wp.full(count, np.inf, dtype=wp.float64, device="cpu")]
        out += [wp.full(count, np.inf, dtype=kind, device="cpu") for kind in (numeric.vector, numeric.matrix)]
        x = wp.array(STARTS, dtype=numeric.vector, device="cpu")
        arguments = [surface.parameters(numeric, "cpu"), x, *out]
        launch(kernel, count, arguments, "cpu", block=LANES if cooperative else 0)
        found.append([array.numpy() for array in out])
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    for lanes, block in zip(*found, strict=True):
        np.testing.assert_allclose(block, lanes, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("method", [METHODS[1], METHODS[5]], ids=lambda method: type(method).__name__)
def test_a_run_by_blocks_is_the_run_by_threads(blocks_on_the_cpu, monkeypatch, method):
    options = {"start": STARTS[:8], "steps": 4, "gap": None}
    threads = rb.simulate(WELLS, rb.Ball(0.2), method, **options)
    monkeypatch.setattr(roll, "shares_sums", lambda plan: True)
    blocks = rb.simulate(WELLS, rb.Ball(0.2), method, **options)
    np.testing.assert_array_equal(blocks.status, threads.status)
    for name in ("foot", "center", "loss", "residual"):
        np.testing.assert_allclose(getattr(blocks, name), getattr(threads, name), rtol=0, atol=1e-11)


def test_the_order_of_balls_changes_no_result(monkeypatch):
    starts = np.random.default_rng(2).uniform(-4, 4, (300, 2))
    options = {"start": starts, "steps": 6, "chunk": 2, "gap": None, "threads": 2, "seed": 5}
    method = rb.EntropySGD(0.1)  # whose random numbers are those of a ball, not of a thread
    given = rb.simulate(WELLS, rb.Ball(0.2), method, **options)
    monkeypatch.setattr(roll, "sorts_balls", lambda plan: True)
    by_place = rb.simulate(WELLS, rb.Ball(0.2), method, **options)
    for name in ("foot", "loss", "status", "evaluations"):
        np.testing.assert_array_equal(getattr(by_place, name), getattr(given, name))


def test_balls_side_by_side_are_near_the_same_wells():
    """Of 32 balls in any order one is near almost any block of wells; in order of place, near a quarter of them."""
    surface, starts = rb.surfaces.gaussian_wells(), np.random.default_rng(3).uniform(-3, 3, (4096, 2))
    points = wp.array(starts, dtype=wp.vec2d, device="cpu")
    order = by_place(points, roll.corners(surface), Numeric(2), 5).numpy()
    assert sorted(order) == list(range(5, 5 + len(starts)))
    _blocks, around = surface.params["centers"].packed()
    away = np.linalg.norm(starts[:, None] - around[None, :, :2], axis=-1)
    near = away <= around[None, :, 2] + 8.93 * surface.params["width"]
    share = [near[index].reshape(-1, 32, len(around)).any(axis=1).mean() for index in (slice(None), order - 5)]
    assert share[0] > 0.95
    assert share[1] < 0.3


def test_settings_reach_a_kernel_in_their_precision():
    record = fill({"tol": 1e-10, "max_iterations": 3}, Numeric(1, "float64"), "cpu")
    assert record.tol == 1e-10
    assert record.max_iterations == 3
