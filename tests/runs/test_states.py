"""One field of the states of balls, seen in their memory."""

import numpy as np
import warp as wp

import rollingball as rb
from rollingball.core.numeric import Numeric
from rollingball.methods.discrete.program import state_struct
from rollingball.methods.flow.launcher import flow_launcher
from rollingball.methods.flow.plan import plan_flow
from rollingball.runs.clock import share_done
from rollingball.runs.request import Request
from rollingball.runs.states import column


def test_a_column_is_the_field_where_it_lies():
    states = wp.zeros(5, dtype=state_struct(Numeric(2)), device="cpu")
    host = states.numpy()
    host["foot"]["point"] = np.arange(10.0).reshape(5, 2)
    host["status"] = [3, 1, 4, 1, 5]
    np.testing.assert_array_equal(column(states, "foot.point", wp.vec2d).numpy(), host["foot"]["point"])
    np.testing.assert_array_equal(column(states, "status", wp.int32).numpy(), host["status"])
    host["status"][2] = 7
    assert column(states, "status", wp.int32).numpy()[2] == 7


def test_two_fields_say_how_far_a_run_on_a_device_is():
    """From a device only they come to the host, in place of all that a ball carries along."""
    request = Request(
        surface=rb.surfaces.sine(),
        ball=rb.Ball(0.5),
        method=rb.FootpointFlow(),
        start=[[0.1], [0.7], [1.4]],
        duration=2.0,
        gap=None,
    )
    launcher = flow_launcher(plan_flow(request), np.array([[0.1], [0.7], [1.4]]))
    launcher.launch(3)
    whole = share_done(launcher.now(), 2.0)
    launcher._device = "cuda:0"
    assert set(launcher.clocks()) == {"status", "time"}
    assert 0 < share_done(launcher.clocks(), 2.0) == whole < 1


def test_a_flow_on_a_device_has_the_turns_of_one_on_the_cpu():
    """Which of its two kernels a ball waits for is read where the states lie."""
    surface, starts = rb.surfaces.himmelblau(loss_scale=0.01), np.array([[0.1, 0.3], [3.2, 1.7]])
    request = Request(surface=surface, ball=rb.Ball(0.5), method=rb.IronedFlow(), start=starts, duration=2.0, gap=None)
    launcher = flow_launcher(plan_flow(request), starts)
    launcher.launch(2)
    here = [launcher._waits(single) for single in (True, False)]
    launcher._device = "cuda:0"
    assert [launcher._waits(single) for single in (True, False)] == here
    assert any(here)
