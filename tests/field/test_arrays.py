"""What NumPy, torch and Warp people pass: tensors, types and devices as objects, values that differ by the last bit."""

from decimal import Decimal
from fractions import Fraction

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


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (np.array([1.0], dtype=object), "object"), ([Decimal("1.0")], "Decimal"), (Fraction(1, 2), "Fraction"),
        (np.array(["1.0"]), "<U3"), (np.array([True]), "bool"), (torch.ones(1, dtype=torch.bool), "bool"),
        (np.array([1 + 2j]), "complex128"),
    ],
)  # fmt: skip
def test_numbers_of_other_types_are_refused_by_their_type(start, name, no_compiling):
    with pytest.raises(rb.InputError, match=rf"^start: got .*; as float or int, not as {name}$"):
        rb.simulate(SINE, None, DESCENT, start=start, steps=1)


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


# Numbers of NumPy, tensors and arrays in every place


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.int32, np.uint64])
def test_counts_of_small_types_do_not_overflow_and_are_saved(kind, tmp_path):
    wanted = rb.simulate(SINE, None, DESCENT, start=[1.0], steps=127, every=100, seed=3)
    run = rb.simulate(SINE, None, DESCENT, start=[1.0], steps=kind(127), every=kind(100), seed=kind(3))
    np.testing.assert_array_equal(run.step, [0, 100, 127])
    np.testing.assert_array_equal(run.foot, wanted.foot)
    run.save(tmp_path / "run.safetensors")
    assert rb.Trajectory.load(tmp_path / "run.safetensors").scene == wanted.scene


def test_arrays_of_torch_and_warp_are_saved_as_numbers(tmp_path):
    surface = rb.surfaces.sine(amplitude=torch.tensor(2.0), loss_scale=np.float32(0.5))
    for radius in (torch.tensor([0.1, 0.2]), wp.array([0.1, 0.2], dtype=wp.float64)):
        run = rb.simulate(surface, rb.Ball(radius), rb.FootpointRBO(torch.tensor(0.125)), start=[0.5], steps=2)
        run.save(tmp_path / "run.safetensors")
        scene = rb.Trajectory.load(tmp_path / "run.safetensors").scene
        np.testing.assert_allclose(scene["ball"]["radius"], [0.1, 0.2], rtol=1e-7)
        assert (scene["surface"]["amplitude"], scene["run"]["lr"]) == (2.0, 0.125)


def test_what_a_scene_cannot_hold_or_float64_is_refused(no_compiling):
    for radius in (memoryview(np.array([0.1])), np.longdouble("1e400")):
        with pytest.raises(rb.InputError, match=r"^radius: got"):
            rb.Ball(radius)


def test_a_list_with_a_gradient_or_a_mask_in_it_is_refused(no_compiling):
    inside = torch.nn.Parameter(torch.tensor(0.5))
    with pytest.raises(rb.InputError, match=r"^start: got .*rb\.pytorch\.simulate"):
        rb.simulate(SINE, None, DESCENT, start=[inside], steps=1)
    row = np.ma.array([1.0, 9.0, 1.0], mask=[False, True, False])
    with pytest.raises(rb.InputError, match=r"^heights: got .*masked"):
        rb.iron_grid([row, row], 1.0, 1.0)


@pytest.mark.parametrize("several", [np.array(["a", "b"]), np.array([1.0, 2.0])])
def test_an_array_in_place_of_a_word_or_a_number_is_refused(several, no_compiling):
    calls = {
        "dtype": lambda: rb.simulate(SINE, None, DESCENT, start=[1.0], steps=1, dtype=several),
        "border": lambda: rb.iron_grid(np.zeros(4), 1.0, 1.0, border=several),
        "schedule.kind": lambda: rb.Schedule([1.0], kind=several),
        "stop.on": lambda: rb.Stop(gradient=1.0, on=several),
        "metric": lambda: rb.IronedFlow(metric=several),
        "contact": lambda: rb.RigidBall(contact=several),
        "stride": lambda: rb.RigidBall(stride=several),
    }
    for field, call in calls.items():
        with pytest.raises(rb.InputError, match=rf"^{field}: got array"):
            call()
    with pytest.raises(rb.InputError, match=r"^stride: got array"):
        rb.IronedFlow(stride=several)


@pytest.mark.parametrize("field", ["progress", "throw", "lift"])
def test_the_word_false_is_not_true(field, no_compiling):
    for value in ("False", 0, None, np.array([True, True])):
        with pytest.raises(rb.InputError, match=rf"^{field}: got .*True or False"):
            rb.simulate(SINE, BALL, rb.FootpointRBO(0.1), start=[1.0], steps=1, **{field: value})


def test_names_of_a_formula_are_names(no_compiling):
    for names in (None, 3, torch.tensor(1.0)):
        with pytest.raises(rb.InputError, match=r"^variables: got"):
            rb.formula("x**2", names)
    with pytest.raises(rb.InputError, match=r"^constants: got"):
        rb.formula("a*x**2", "x", [0.5])


@pytest.mark.parametrize("frame", [np.array(2), torch.tensor(2), np.int8(2)])
def test_a_frame_is_chosen_by_a_whole_number_of_any_kind(frame):
    run = rb.simulate(SINE, None, DESCENT, start=[1.0], steps=4)
    assert run[frame].step.tolist() == [2]
    for wrong in (1.0, None, "2", [[0, 1]], [1.5], [True, False], ..., torch.tensor(1.5)):
        with pytest.raises(IndexError, match=r"frames: got .* a mask of 5"):
            run[wrong]


def test_a_name_that_no_file_has_is_one_error(tmp_path):
    run = rb.simulate(SINE, None, DESCENT, start=[1.0], steps=1)
    with pytest.raises(rb.FileError, match="cannot be written"):
        run.save(f"{tmp_path}/a\0b")


# Callbacks


def test_what_a_callback_writes_into_its_frame_does_not_change_the_run():
    def scribble(progress):
        for part in (progress.foot, progress.center, progress.loss):
            part[...] = 99.0

    options = {"start": [[1.0], [2.0]], "steps": 20, "chunk": 5}
    scribbled = rb.simulate(SINE, None, DESCENT, callback=scribble, **options)
    plain = rb.simulate(SINE, None, DESCENT, **options)
    for field in ("foot", "center", "loss"):
        np.testing.assert_array_equal(getattr(scribbled, field), getattr(plain, field))


def test_a_callback_gives_one_answer():
    with pytest.raises(rb.InputError, match=r"^callback: got array.* one answer"):
        rb.simulate(SINE, None, DESCENT, start=[[1.0], [2.0]], steps=4, callback=lambda p: p.loss < 0.1)
    ended = rb.simulate(SINE, None, DESCENT, start=[1.0], steps=4, chunk=1, callback=lambda p: p.loss < 10)
    assert len(ended) == 2


def test_flags_of_derivatives_are_flags_and_comparisons_are_of_runs():
    run = rb.simulate(SINE, None, DESCENT, start=[1.0], steps=2)
    for field in ("throw", "parameters"):
        with pytest.raises(rb.InputError, match=rf"^{field}: got 'False'"):
            rb.derivatives(run, {"loss": [1.0]}, **{field: "False"})
    for wrong in (None, 3):
        with pytest.raises(rb.InputError, match=r"^discrete: got"):
            rb.compare(wrong, run)
