"""A recording costs the same for each frame, survives a kill, and goes on in another process."""

import copy
import json

import numpy as np
import pytest
import torch

import rollingball as rb
from rollingball.pytorch import Recorder, read_recording
from tests.field.closures import network, plain, vector

RULES = [{"contact_steps": 0}, {"contact_steps": 1}, {"method": "footpoint"}]


def training(rule):
    model, inputs, targets = network(dtype=torch.float64)
    optimizer = rb.RollingBall(model.parameters(), lr=0.1, radius=0.2, **rule)
    return model, optimizer, plain(optimizer, model, inputs, targets)


def same(run, expected):
    for name in ("step", "time", "foot", "center", "loss", "gap", "radius"):
        np.testing.assert_allclose(getattr(run, name), getattr(expected, name), rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("every", [1, 3])
def test_a_killed_recording_goes_on_as_if_nothing_had_been(tmp_path, rule, every):
    model, optimizer, closure = training(rule)
    recorder = Recorder(optimizer, every, model=model)
    for _ in range(12):
        optimizer.step(closure)
    recorder.close(closure)
    expected = recorder.trajectory()

    model, optimizer, closure = training(rule)
    Recorder(optimizer, every, tmp_path / "run", model=model)
    for count in range(8):
        if count == 7:
            saved = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
        optimizer.step(closure)
    with (tmp_path / "run" / "frames.jsonl").open("a") as file:
        file.write('{"step": 99, "lo')  # the kill came in the middle of a line
    same(read_recording(tmp_path / "run"), expected[: 8 if every == 1 else 3])

    model, optimizer, closure = training(rule)
    model.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    recorder = Recorder(optimizer, every, tmp_path / "run", model=model, resume=7)
    for _ in range(5):
        optimizer.step(closure)
    recorder.close(closure)
    same(recorder.trajectory(), expected)
    same(read_recording(tmp_path / "run"), expected)


def test_resume_goes_on_after_the_newest_frame_or_at_it(tmp_path):
    model, optimizer, closure = training(RULES[1])
    Recorder(optimizer, folder=tmp_path, model=model)
    for _ in range(3):
        optimizer.step(closure)
    optimizer._optimizer_step_pre_hooks.clear()
    optimizer._optimizer_step_post_hooks.clear()
    recorder = Recorder(optimizer, folder=tmp_path, model=model, resume=True)
    optimizer.step(closure)
    recorder.close(closure)
    assert read_recording(tmp_path).step.tolist() == [0, 1, 2, 3, 4]
    recorder = Recorder(optimizer, folder=tmp_path, model=model, resume=True)  # still at the last frame
    optimizer.step(closure)
    recorder.close()
    assert read_recording(tmp_path).step.tolist() == [0, 1, 2, 3, 4]
    recorder = Recorder(optimizer, folder=tmp_path, model=model, resume=True)
    optimizer.step(closure)
    recorder.close()
    run = read_recording(tmp_path)
    assert run.step.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(run.time, 0.1 * np.arange(6), atol=1e-14)
    assert (np.diff(run.loss[:, 0]) < 0).all()


def test_a_frame_costs_the_same_however_many_there_are(tmp_path):
    model, optimizer, closure = training(RULES[1])
    recorder = Recorder(optimizer, folder=tmp_path, model=model)
    optimizer.step(closure)
    listed, sizes = (tmp_path / "recording.json").stat(), []
    for _ in range(30):
        optimizer.step(closure)
        sizes.append((tmp_path / "frames.jsonl").stat().st_size)
    assert (tmp_path / "recording.json").stat().st_mtime_ns == listed.st_mtime_ns  # not written anew
    assert max(np.diff(sizes)) < 1.2 * min(np.diff(sizes))
    recorder.close()
    assert not (tmp_path / "frames.jsonl").exists()
    assert len(json.loads((tmp_path / "recording.json").read_text())["frames"]) == 31


def test_the_loss_that_is_noted_is_that_of_its_frame_after_a_kill_too(tmp_path):
    model, optimizer, closure = training(RULES[0])
    recorder = Recorder(optimizer, folder=tmp_path, model=model)
    losses = []
    for _ in range(3):
        losses.append(closure().item())
        optimizer.step()
        recorder.note(losses[-1])
    assert read_recording(tmp_path).loss[:, 0].tolist() == losses


def test_what_cannot_be_gone_on_with_is_refused(tmp_path):
    model, optimizer, closure = training(RULES[1])
    with pytest.raises(rb.InputError, match=r"^folder: got None"):
        Recorder(optimizer, resume=True)
    with pytest.raises(rb.InputError, match=r"^resume: got -1"):
        Recorder(optimizer, folder=tmp_path, resume=-1)
    recorder = Recorder(optimizer, folder=tmp_path / "new", model=model, resume=True)  # nothing there yet: it begins
    optimizer.step(closure)
    recorder.close()
    with pytest.raises(rb.FileError, match=r"has a recording already.*resume=True"):
        Recorder(optimizer, folder=tmp_path / "new", model=model)
    other = rb.RollingBall([torch.nn.Parameter(torch.ones(3))], lr=0.1, radius=0.1)
    with pytest.raises(rb.InputError, match=r"^folder: got .*a recording of the optimizer's parameters"):
        Recorder(other, folder=tmp_path / "new", resume=True)
    (tmp_path / "new" / "frames.jsonl").write_text("[]\n")
    with pytest.raises(rb.FileError, match="not what a Recorder writes"):
        read_recording(tmp_path / "new")
    assert vector(model).isfinite().all()
