"""simulate from tensors: the host's run, bit for bit, without copies of the start."""

import signal

import numpy as np
import pytest
import torch

import rollingball as rb
from rollingball.methods.discrete import roll
from rollingball.pytorch import simulate
from rollingball.runs import launches

SURFACE = rb.formula("0.5*x**2 + 1.5*y**2 + sin(x)", variables=("x", "y"), loss_scale=2.0)
METHOD, BALL = rb.FootpointRBO(lr=0.1, projection=rb.NewtonProjection()), rb.Ball(radius=0.2)
START = [[1.0, -1.5], [0.2, 0.3], [-2.0, 1.0]]
FIELDS = ("step", "time", "foot", "center", "loss", "gap", "residual", "radius", "status", "steps", "evaluations")


def same(ours, theirs):
    for name in FIELDS:
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert found.numpy().dtype == expected.dtype, name
        np.testing.assert_array_equal(found.numpy(), expected, err_msg=name)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("more", [{}, {"every": 3, "stop": rb.Stop(gradient=0.5)}])
def test_it_is_the_run_of_the_host(dtype, more):
    start = torch.tensor(START, dtype=dtype)
    kept = start.clone()
    ours = simulate(SURFACE, BALL, METHOD, start, steps=10, **more)
    name = str(dtype).removeprefix("torch.")
    same(ours, rb.simulate(SURFACE, BALL, METHOD, start=START, steps=10, dtype=name, gap=None, **more))
    assert torch.equal(start, kept)
    assert ours.foot.dtype == dtype


def test_radii_and_rates_broadcast_over_one_start():
    method = rb.FootpointRBO(np.array([0.1, 0.05]), rb.NewtonProjection())
    ours = simulate(SURFACE, rb.Ball(radius=[0.2, 0.4]), method, torch.tensor(START[0], dtype=torch.float64), steps=4)
    same(ours, rb.simulate(SURFACE, rb.Ball(radius=[0.2, 0.4]), method, start=START[0], steps=4, gap=None))


def test_methods_without_a_ball_and_the_gap_on_request():
    start = torch.tensor(START, dtype=torch.float64)
    same(
        simulate(SURFACE, None, rb.GradientDescent(lr=0.1), start, steps=4),
        rb.simulate(SURFACE, None, rb.GradientDescent(lr=0.1), start=START, steps=4),
    )
    gap = rb.GlobalProjection(nodes=0)
    same(
        simulate(SURFACE, BALL, METHOD, start, steps=4, gap=gap),
        rb.simulate(SURFACE, BALL, METHOD, start=START, steps=4, gap=gap),
    )


def test_continuous_methods_go_by_way_of_the_host():
    start = torch.tensor(START, dtype=torch.float64)
    ours = simulate(SURFACE, BALL, rb.FootpointFlow(), start, duration=0.5, save_at=[0.0, 0.5])
    theirs = rb.simulate(SURFACE, BALL, rb.FootpointFlow(), start=START, duration=0.5, save_at=[0.0, 0.5], gap=None)
    same(ours, theirs)
    assert ours.contacts.shape == (2, 3)


def test_the_start_is_read_where_it_is(monkeypatch):
    import warp as wp

    seen, real = [], wp.from_torch

    def watched(tensor, **options):
        seen.append(tensor.data_ptr())
        return real(tensor, **options)

    monkeypatch.setattr(wp, "from_torch", watched)
    start = torch.tensor(START, dtype=torch.float64)
    simulate(SURFACE, BALL, METHOD, start, steps=2)
    assert seen == [start.data_ptr()]


def test_ctrl_c_ends_the_run_with_where_its_balls_were(interruptible, monkeypatch):
    def interrupted(*given):
        launch(*given)
        signal.raise_signal(signal.SIGINT)

    whole = simulate(SURFACE, BALL, METHOD, torch.tensor(START), steps=20)
    launch = roll.launch
    monkeypatch.setattr(roll, "launch", interrupted)
    monkeypatch.setattr(launches, "FEW_STEPS", 4)
    with pytest.raises(rb.RunInterrupted) as ended:
        simulate(SURFACE, BALL, METHOD, torch.tensor(START), steps=20, every=10)
    run = ended.value.trajectory
    assert run.step.tolist() == [0, 4]
    for name in ("foot", "center", "loss", "residual", "time"):
        assert torch.equal(getattr(run, name), getattr(whole, name)[run.step]), name


def test_a_callback_ends_the_run():
    run = simulate(SURFACE, BALL, METHOD, torch.tensor(START), steps=20, chunk=5, callback=lambda now: now.step >= 10)
    assert run.step.tolist() == list(range(11))
    assert len(run) == 11


@pytest.mark.parametrize(
    ("field", "start", "options"),
    [
        ("start", START, {}),
        ("start", torch.tensor([[1, 2]]), {}),
        ("start", torch.zeros(2, 3), {}),
        ("start", torch.zeros(0, 2), {}),
        ("start", torch.tensor([[float("nan"), 0.0]]), {}),
        ("radius", torch.zeros(1, 2), {"radius": 0.3}),
        ("radius", torch.zeros(1, 2), {"radius": torch.tensor([1])}),
        ("radius", torch.zeros(1, 2), {"radius": torch.tensor(-1.0)}),
        ("lr", torch.zeros(1, 2), {"lr": torch.ones(2, 1)}),
        ("parameters.mass", torch.zeros(1, 2), {"parameters": {"mass": torch.tensor(1.0)}}),
        ("start", torch.zeros(1, 2, device="meta"), {}),
        ("device", torch.zeros(1, 2), {"device": "cpu"}),
        ("throw", torch.zeros(1, 2), {"throw": True}),
        ("steps", torch.zeros(1, 2), {"steps": -1}),
        ("every", torch.zeros(1, 2), {"every": 0}),
        ("threads", torch.zeros(1, 2), {"threads": 0}),
        ("callback", torch.zeros(1, 2), {"callback": 3}),
    ],
)
def test_bad_arguments_are_named_before_anything_is_compiled(field, start, options, no_compiling):
    with pytest.raises(rb.InputError) as error:
        simulate(SURFACE, BALL, METHOD, start, **{"steps": 3, **options})
    assert error.value.field == field


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device for torch")
def test_on_a_device_everything_stays_there():
    start = torch.tensor(START, dtype=torch.float64)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        run = simulate(SURFACE, BALL, METHOD, start.cuda(), steps=10)
    torch.cuda.synchronize()
    expected = simulate(SURFACE, BALL, METHOD, start, steps=10)
    for name in FIELDS:
        found = getattr(run, name)
        assert found.device.type == "cuda"
        torch.testing.assert_close(found.cpu(), getattr(expected, name), rtol=0, atol=1e-10, equal_nan=True)


def test_exact_feet_go_by_way_of_the_host_and_refuse_a_ball_that_does_not_fit():
    sine, start = rb.surfaces.sine(), torch.tensor([[1.2], [-1.5]], dtype=torch.float64)
    with pytest.raises(rb.InputError, match=r"^start: got \[-1\.5\].*too low"):
        simulate(sine, rb.Ball(radius=2.0), rb.FootpointRBO(0.05), start, steps=3)
    ours = simulate(sine, rb.Ball(radius=2.0), rb.FootpointRBO(0.05), start[:1], steps=3)
    same(ours, rb.simulate(sine, rb.Ball(radius=2.0), rb.FootpointRBO(0.05), start=[1.2], steps=3, gap=None))
