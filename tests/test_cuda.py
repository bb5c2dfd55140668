"""The kernels on a CUDA device, and, without one, that they compile for it and that blocks sum as threads do."""

import numpy as np
import pytest
import warp as wp

import rollingball as rb
from rollingball.core.launch import launch
from rollingball.core.numeric import Numeric, fill, layout
from rollingball.geometry.contact import contacts as contacts_module
from rollingball.geometry.foot import footpoints as footpoints_module
from rollingball.methods.body.kernel import body_rollout
from rollingball.methods.body.moreau_jean import stepping_rollout
from rollingball.methods.discrete.kernel import rollout
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
    rb.FootpointRBO(0.02),
    rb.FootpointRBO(0.02, projection=rb.GradientProjection(steps=20, step_size=0.01)),
    rb.DistanceRBO(0.02, reproject=True),
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
    options = {"start": STARTS, "steps": 10}
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wells", "formula"])
def test_searches_compile_for_a_gpu_without_one(name, tmp_path):
    numeric, projection = Numeric(2), rb.GlobalProjection()
    functions, settings = SURFACES[name].functions(numeric), layout(rb.GlobalProjection().settings())
    for kernel in (
        contacts_module._kernel(functions, settings, numeric),
        footpoints_module.foot_kernel(SURFACES[name], projection),
    ):
        built = wp.compile_aot_module(kernel.module, arch=90, module_dir=tmp_path, use_ptx=True)
        assert all(".visible .entry" in path.read_text() for path in built)


def made(surface, method, dtype, cooperative):
    numeric = Numeric(surface.dim, dtype)
    functions = surface.functions(numeric, cooperative)
    program = method.program(functions, numeric)
    return rollout(program, functions, layout(method.settings()), numeric, cooperative)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("name", "cooperative"), [("wells", True), ("wells", False), ("formula", False), ("quadratic", False)]
)
def test_the_rollout_compiles_for_a_gpu_without_one(name, cooperative, dtype, tmp_path):
    searching = [METHODS[7]] if cooperative and dtype == "float64" else []  # the longest to compile
    for method in (METHODS[0], METHODS[1], METHODS[6], *searching):
        module = made(SURFACES[name], method, dtype, cooperative).kernel.module
        built = wp.compile_aot_module(module, arch=90, module_dir=tmp_path, use_ptx=True)
        assert all(".visible .entry" in path.read_text() for path in built)


@pytest.mark.slow
@pytest.mark.parametrize("integrator", [rb.Rattle(1e-3), rb.MoreauJean(1e-3)], ids=["rattle", "moreau-jean"])
def test_balls_with_mass_compile_for_a_gpu_without_one(integrator, tmp_path):
    method, numeric = rb.RigidBall(contact="unilateral", friction=0.2, integrator=integrator), Numeric(2)
    functions, settings = SURFACES["formula"].functions(numeric), layout(method.settings())
    if isinstance(integrator, rb.MoreauJean):
        kernel = stepping_rollout(functions, settings, numeric).kernel
    else:
        kernel = body_rollout(rb.Rattle, functions, settings, numeric, False, True).kernel
    built = wp.compile_aot_module(kernel.module, arch=90, module_dir=tmp_path, use_ptx=True)
    assert all(".visible .entry" in path.read_text() for path in built)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_block_sums_what_a_thread_sums(dtype):
    """The cooperative sums in blocks of one thread, which is what a CPU has, against the lane sums."""
    numeric, count = Numeric(2, dtype), len(STARTS)
    found = []
    for cooperative in (False, True):
        kernel = evaluation(WELLS.functions(numeric, cooperative), numeric)
        out = [wp.full(count, np.inf, dtype=wp.float64, device="cpu")]
        out += [wp.full(count, np.inf, dtype=kind, device="cpu") for kind in (numeric.vector, numeric.matrix)]
        x = wp.array(STARTS, dtype=numeric.vector, device="cpu")
        launch(kernel, count, [WELLS.parameters(numeric, "cpu"), x, *out], "cpu", block=1 if cooperative else 0)
        found.append([array.numpy() for array in out])
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    for lanes, block in zip(*found, strict=True):
        np.testing.assert_allclose(block, lanes, rtol=tolerance, atol=tolerance)


def test_settings_reach_a_kernel_in_their_precision():
    record = fill({"tol": 1e-10, "max_iterations": 3}, Numeric(1, "float64"), "cpu")
    assert record.tol == 1e-10
    assert record.max_iterations == 3
