"""What NumPy, torch and Warp people pass: tensors, types and devices as objects, values that differ by the last bit."""

import numpy as np
import pytest
import torch
import warp as wp

import rollingball as rb

SINE, BALL, DESCENT = rb.surfaces.sine(), rb.Ball(0.4), rb.GradientDescent(lr=0.1)


# Tensors, types and devices


def test_a_tensor_that_requires_a_gradient_is_told_where_to_go(no_compiling):
    start = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)
    for call in (
        lambda: rb.simulate(SINE, BALL, rb.FootpointRBO(0.1), start=start, steps=1),
        lambda: rb.simulate(SINE, BALL, rb.IronedFlow(), start=start, duration=1.0),
        lambda: rb.project(SINE, torch.ones(1, 2, requires_grad=True)),
        lambda: rb.Ball(torch.tensor(1.0, requires_grad=True)),
    ):
        with pytest.raises(rb.InputError, match=r"rb\.pytorch\.simulate"):
            call()


@pytest.mark.parametrize(
    "start", [torch.ones(1), torch.ones(1, 1, dtype=torch.float32), np.float32(1.0), np.array(1.0)]
)
def test_tensors_without_gradients_and_single_numbers_are_starts(start):
    run = rb.simulate(SINE, None, DESCENT, start=start, steps=2)
    np.testing.assert_array_equal(run.foot[0], [[1.0]])


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (np.float32, "float32"), (np.dtype("float32"), "float32"), (torch.float32, "float32"), (wp.float32, "float32"),
        (np.ones(1, "<f4").dtype, "float32"), (np.float64, "float64"), (torch.double, "float64"), (float, "float64"),
        (wp.float64, "float64"), ("f8", "float64"),
    ],
)  # fmt: skip
def test_types_of_numbers_are_known_as_objects(dtype, name):
    assert str(rb.simulate(SINE, None, DESCENT, start=[1.0], steps=1, dtype=dtype).foot.dtype) == name


@pytest.mark.parametrize("dtype", [np.float16, torch.bfloat16, int, "float16", None, "nope", 3, object()])
def test_other_types_are_refused_by_name(dtype, no_compiling):
    with pytest.raises(rb.InputError, match=r"^dtype: got .*'float64', 'float32'"):
        rb.simulate(SINE, None, DESCENT, start=[1.0], steps=1, dtype=dtype)


@pytest.mark.parametrize("device", ["cpu", "CPU", torch.device("cpu")])
def test_devices_are_known_as_objects(device):
    assert rb.simulate(SINE, None, DESCENT, start=[1.0], steps=1, device=device).scene["run"]["device"] == "cpu"
    assert rb.iron_grid(np.zeros(4), 1.0, 1.0, device=wp.get_device("cpu")).heights.tolist() == [1.0] * 4


# The last bit, and zeros


def test_times_that_miss_the_end_by_their_last_bit_are_the_end():
    times = np.arange(4) * 0.1
    assert times[-1] > 0.3
    run = rb.simulate(SINE, BALL, rb.FootpointFlow(rb.RK4(0.01)), start=[1.0], duration=0.3, save_at=times)
    assert run.time[-1] == 0.3
    assert np.isfinite(run.foot).all()
    np.testing.assert_array_equal(run.at(times[-1]).foot, run[-1].foot)
    for late in ([0.0, 0.30001], [-1e-6, 0.3]):
        with pytest.raises(rb.InputError, match="save_at"):
            rb.simulate(SINE, BALL, rb.FootpointFlow(), start=[1.0], duration=0.3, save_at=late)
        with pytest.raises(rb.InputError, match="time"):
            run.at(late)


def test_zero_stands_for_none_where_it_means_the_same():
    assert rb.RigidBall(friction=0.0).law == rb.RigidBall(friction=0).law == rb.RigidBall().law
    assert rb.Dopri5(first_step=0.0).settings() == rb.Dopri5().settings()
    plane = rb.surfaces.plane([0.5, 0.0])
    rest = {"start": [[0.0, 0.0]], "duration": 0.1, "gap": None}
    given = rb.simulate(plane, BALL, rb.RigidBall(friction=0.0), start_velocity=0.0, start_spin=0, **rest)
    np.testing.assert_array_equal(given.center, rb.simulate(plane, BALL, rb.RigidBall(), **rest).center)
    for wrong in (-0.1, "slippery", float("nan")):
        with pytest.raises(rb.InputError, match="friction"):
            rb.RigidBall(friction=wrong)
