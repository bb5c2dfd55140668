"""From frames to models and files: the plane's loss, whole folders or none, nothing executed, the command."""

import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

import rollingball as rb
from rollingball.app import cli
from rollingball.pytorch import LossPlane, export_state_dict, load_into, roll_model, write_checkpoints
from tests.pytorch.test_plane import batches, network, snapshot, unchanged, whole_loss

METHOD = rb.FootpointRBO(lr=0.3, projection=rb.NewtonProjection())


@pytest.fixture(scope="module")
def rolled():
    """A plane of a small network and three balls on it."""
    torch.set_num_threads(1)
    model, data = network(batch_norm=True), batches()
    plane = LossPlane.random(model, cross_entropy, data, normalize=None, span=3.0, resolution=31, seed=1)
    start = [[0.5, -0.5], [-1.0, 1.0], [1.5, 1.0]]
    return plane, rb.simulate(plane.surface, rb.Ball(radius=0.3), METHOD, start=start, steps=12, gap=None)


@pytest.mark.parametrize("on", ["foot", "center"])
def test_a_loaded_frame_has_the_loss_of_the_plane(rolled, on):
    plane, run = rolled
    model, data = network(seed=5, batch_norm=True), batches()
    for frame in (0, 5, -1):
        for ball in range(3):
            assert load_into(model, run, frame, plane, ball=ball, on=on) is model
            point = run.foot[frame, ball] if on == "foot" else run.center[frame, ball, :2]
            found = whole_loss(model, data)
            assert abs(found - plane.surface.value(point)) <= plane.error
            if on == "foot":
                assert abs(found - run.loss[frame, ball]) <= plane.error
    assert 0 < plane.error < 0.05


def test_exported_tensors_are_their_own(rolled):
    plane, run = rolled
    state = export_state_dict(run, 0, plane)
    for tensor in state.values():
        tensor.zero_()
    assert any(tensor.any() for tensor in plane.state_dict([0.0, 0.0]).values())


def test_a_run_in_all_parameters_loads_back_exactly():
    model, data = network(), batches()
    before = snapshot(model)
    run = roll_model(model, cross_entropy, data, METHOD, radius=0.1, steps=6, every=2)
    unchanged(model, before)
    for frame in range(len(run)):
        load_into(model, run, frame)
        assert whole_loss(model, data) == pytest.approx(run.loss[frame, 0], abs=1e-12)
    assert torch.cat([param.detach().ravel() for param in model.parameters()]).numpy() == pytest.approx(run.foot[-1, 0])


def test_checkpoints_are_files_that_plain_torch_code_loads(rolled, tmp_path):
    plane, run = rolled
    files = write_checkpoints(run, 5, tmp_path / "deep" / "checkpoints", plane, ball=1)
    assert [path.name for path in files] == [f"step-{step:08d}.safetensors" for step in (0, 5, 10, 12)]
    model = network(batch_norm=True)
    for path, step in zip(files, (0, 5, 10, 12), strict=True):
        model.load_state_dict(load_file(path))
        assert abs(whole_loss(model, batches()) - run.loss[step, 1]) <= plane.error
    assert sorted(os.listdir(tmp_path / "deep")) == ["checkpoints"]


def test_no_folder_is_ever_half_written(rolled, tmp_path, monkeypatch):
    plane, run = rolled
    from rollingball.pytorch.runs import export

    written, real = [], export.write_tensors

    def failing(path, *rest):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        real(path, *rest)

    monkeypatch.setattr(export, "write_tensors", failing)
    with pytest.raises(rb.FileError, match="No space left"):
        write_checkpoints(run, 3, tmp_path / "checkpoints", plane)
    assert len(written) == 2
    assert os.listdir(tmp_path) == []


def test_a_folder_with_content_is_left_alone(rolled, tmp_path):
    plane, run = rolled
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(rb.FileError, match="not an empty folder"):
        write_checkpoints(run, 3, tmp_path, plane)
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_a_plane_is_the_same_after_saving(rolled, tmp_path):
    plane, run = rolled
    plane.save(tmp_path / "plane.safetensors")
    again = LossPlane.load(tmp_path / "plane.safetensors")
    assert repr(again) == repr(plane)
    assert again.report == plane.report
    assert again.details == plane.details
    np.testing.assert_array_equal(again.heights, plane.heights)
    ours, theirs = (export_state_dict(run, 7, one) for one in (plane, again))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_foreign_and_damaged_planes_are_refused(rolled, tmp_path):
    plane, run = rolled
    path = tmp_path / "plane.safetensors"
    plane.save(path)
    whole = path.read_bytes()
    for content in (whole[:200], b"", b"\x80\x04K\x01.", os.urandom(400)):  # the third is a pickle
        path.write_bytes(content)
        with pytest.raises(rb.FileError):
            LossPlane.load(path)
    run.save(path)
    with pytest.raises(rb.FileError, match="not a loss plane"):
        LossPlane.load(path)
    with pytest.raises(rb.FileError):
        LossPlane.load(tmp_path / "missing.safetensors")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda head: head.update(format=99), "newer"),
        (lambda head: head.update(report={}), "metadata"),
        (lambda head: head.update(tied={"a": "nowhere"}), "nowhere"),
        (lambda head: head.update(details=3), "metadata"),
    ],
)
def test_damaged_metadata_is_refused(rolled, tmp_path, damage, says):
    from rollingball.pytorch.plane.plane_file import read_tensors, write_tensors

    plane, _ = rolled
    path = tmp_path / "plane.safetensors"
    plane.save(path)
    tensors, metadata = read_tensors(path)
    head = json.loads(metadata["rollingball-plane"])
    damage(head)
    write_tensors(path, tensors, {"rollingball-plane": json.dumps(head)})
    with pytest.raises(rb.FileError, match=says):
        LossPlane.load(path)


def test_tensors_that_do_not_belong_together_are_refused(rolled, tmp_path):
    from rollingball.pytorch.plane.plane_file import read_tensors, write_tensors

    plane, _ = rolled
    path = tmp_path / "plane.safetensors"
    plane.save(path)
    tensors, metadata = read_tensors(path)
    for name, other in {
        "direction2.0.bias": torch.zeros(4),
        "box": torch.zeros(2, 2),
        "heights": torch.zeros(3),
    }.items():
        write_tensors(path, {**tensors, name: other}, metadata)
        with pytest.raises(rb.FileError, match="not a loss plane"):
            LossPlane.load(path)


def test_bad_arguments_are_named_and_the_model_stays(rolled):
    plane, run = rolled
    model = network(batch_norm=True)
    other = torch.nn.Sequential(torch.nn.Conv1d(1, 3, 5))
    full = roll_model(network(), cross_entropy, batches(), METHOD, radius=0.1, steps=1)
    cases = [
        ("frame", lambda: load_into(model, run, 13, plane)),
        ("frame", lambda: load_into(model, run, 1.5, plane)),
        ("ball", lambda: load_into(model, run, 0, plane, ball=3)),
        ("on", lambda: load_into(model, run, 0, plane, on="head")),
        ("plane", lambda: load_into(model, run, 0, {})),
        ("trajectory", lambda: load_into(model, run, 0)),
        ("trajectory", lambda: load_into(model, full, 0, plane)),
        ("model", lambda: load_into(other, run, 0, plane)),
        ("model", lambda: load_into(network(), run, 0, plane)),
        ("every", lambda: write_checkpoints(run, 0, "nowhere", plane)),
        ("method", lambda: roll_model(model, cross_entropy, batches(), rb.SAM(lr=0.1), radius=1.0, steps=1)),
        ("lr", lambda: roll_model(model, cross_entropy, batches(), radius=1.0, steps=1)),
    ]
    before = snapshot(model), snapshot(other)
    for field, call in cases:
        with pytest.raises(rb.InputError) as error:
            call()
        assert error.value.field == field
    unchanged(model, before[0])
    unchanged(other, before[1])


def test_a_trajectory_as_tensors(rolled):
    _, run = rolled
    tensors = run.to_torch()
    assert tensors.foot.shape == (13, 3, 2)
    assert tensors.foot.data_ptr() == run.foot.ctypes.data
    assert tensors.status.tolist() == run.status.tolist()
    assert tensors.contacts is None


# The command


def test_the_command_exports_a_frame(rolled, tmp_path, capsys):
    plane, run = rolled
    run.save(tmp_path / "run.safetensors")
    plane.save(tmp_path / "plane.safetensors")
    to = tmp_path / "model.safetensors"
    command = ["export", str(tmp_path / "run.safetensors"), "--frame", "12", "--to", str(to), "--ball", "2"]
    cli.main([*command, "--plane", str(tmp_path / "plane.safetensors")])
    assert "step 12" in capsys.readouterr().out
    model = network(batch_norm=True)
    model.load_state_dict(load_file(to))
    assert abs(whole_loss(model, batches()) - run.loss[12, 2]) <= plane.error
    with pytest.raises(SystemExit):
        cli.main(command)
    assert "a plane that it was rolled on" in capsys.readouterr().err
