"""What kernels become for a CUDA device, read as text where there is none: they compile, and how long they get."""

import pytest
import warp as wp

import rollingball as rb
from rollingball.core.launch import CUDA_BLOCK
from rollingball.core.numeric import LANES, Numeric, layout
from rollingball.geometry.contact.contacts import contact_kernel
from rollingball.geometry.foot.footpoints import foot_kernel
from rollingball.methods.body.kernel import body_rollout
from rollingball.methods.body.moreau_jean import stepping_rollout
from rollingball.methods.discrete.kernel import rollout
from rollingball.methods.flow.launcher import flow_kernel

SURFACES = {
    "wells": rb.surfaces.gaussian_wells(),
    "formula": rb.formula("0.3*x**2 + S*sin(3*x)*cos(2*y)", "x y", {"S": 0.1}),
}
LOCAL = rb.NewtonProjection()
BY_GRADIENTS = rb.FootpointRBO(0.02, projection=rb.GradientProjection(steps=20, step_size=0.01))
MOST_LINES = 55_000  # of one kernel: NVRTC and ptxas take half a minute for so many; without limits they never ended


def code_of(kernel, block=CUDA_BLOCK):
    """The PTX text of a kernel for an H100 or H200; Warp keeps it by the hash of its source, as it does kernels."""
    wp.init()
    kernel.module.options["block_dim"] = block
    (path,) = wp.compile_aot_module(kernel.module, arch=90, use_ptx=True)
    text = path.read_text()
    assert ".visible .entry" in text
    return text


def discrete(name, method, dtype="float64", cooperative=False):
    numeric = Numeric(2, dtype)
    functions = SURFACES[name].functions(numeric, cooperative)
    return rollout(
        method.program(functions, numeric), functions, layout(method.settings()), numeric, cooperative
    ).kernel


def flow(name, method, searching):
    first, others = flow_kernel(SURFACES[name], method)
    return others() if searching else first.kernel


def body(name, integrator):
    method, numeric = rb.RigidBall(contact="unilateral", friction=0.2, integrator=integrator), Numeric(2)
    functions, settings = SURFACES[name].functions(numeric), layout(method.settings())
    if isinstance(integrator, rb.MoreauJean):
        return stepping_rollout(functions, settings, numeric).kernel
    return body_rollout(type(integrator), functions, settings, numeric, integrator.adaptive, True, True).kernel


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", [rb.GradientDescent(0.02), BY_GRADIENTS], ids=lambda method: type(method).__name__)
def test_a_block_that_shares_a_sum_keeps_all_in_registers(method, dtype):
    """Local memory lies beyond the caches: what a loop over wells keeps there makes it ten times as long."""
    text = code_of(discrete("wells", method, dtype, cooperative=True), LANES)
    assert ".local" not in text


KERNELS = {
    "exact feet by blocks": lambda: discrete(
        "wells", rb.FootpointRBO(0.02, projection=rb.GlobalProjection()), cooperative=True
    ),
    "exact feet": lambda: discrete("wells", rb.FootpointRBO(0.02, projection=rb.GlobalProjection())),
    "Newton in float32": lambda: discrete("wells", rb.FootpointRBO(0.02, LOCAL), "float32"),
    "Newton on a formula": lambda: discrete("formula", rb.FootpointRBO(0.02, LOCAL)),
    "entropy": lambda: discrete("wells", rb.EntropySGD(0.1)),
    "footpoint flow": lambda: flow("wells", rb.FootpointFlow(), searching=False),
    "ironed flow, proved": lambda: flow("wells", rb.IronedFlow(), searching=False),
    "ironed flow": lambda: flow("wells", rb.IronedFlow(), searching=True),
    "ironed flow of a formula": lambda: flow("formula", rb.IronedFlow(), searching=True),
    "catching up": lambda: flow("formula", rb.IronedFlow(rb.CatchUp(0.01)), searching=False),
    "Rattle": lambda: body("wells", rb.Rattle(1e-3)),
    "MoreauJean": lambda: body("formula", rb.MoreauJean(1e-3)),
    "contacts": lambda: contact_kernel(SURFACES["wells"], rb.GlobalProjection()),
    "nearest points": lambda: foot_kernel(SURFACES["formula"], rb.GlobalProjection()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_compiles_for_a_gpu_and_is_not_too_long(name):
    """Every long function stands once in the code, however often it is called."""
    block = LANES if "blocks" in name else CUDA_BLOCK
    assert code_of(KERNELS[name](), block).count("\n") < MOST_LINES
