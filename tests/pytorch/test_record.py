"""Recorded training: where the ball was, against closed forms and the Warp simulator; in memory and in folders."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

import rollingball as rb
from rollingball.pytorch import LossPlane, Recorder, RollingBall, read_recording, roll_model
from tests.pytorch.problems import Wavy, classifier, closure_of, joined
from tests.pytorch.test_plane import NOTHING, Quadratic, batches, network, plainly

RULES = [{"contact_steps": 0}, {"contact_steps": 1}, {"contact_steps": 3}, {"method": "footpoint"}]
SURFACE = rb.surfaces.quadratic(np.diag([1.0, 3.0, 5.0]), [1.0, 0.0, 0.0])


def trained(rule, steps=7, every=1, folder=None, **options):
    loss = Wavy(seed=2)
    optimizer = RollingBall(loss.params, lr=0.1, radius=0.3, **rule)
    recorder = Recorder(optimizer, every, folder, **options)
    shown, returned = [], []
    for _ in range(steps):
        shown.append(joined(loss.params))
        returned.append(optimizer.step(closure_of(optimizer, loss)).item())
    recorder.close(closure_of(optimizer, loss))
    shown.append(joined(loss.params))
    return recorder.trajectory(), torch.stack(shown).numpy(), returned, loss


@pytest.mark.parametrize("rule", RULES)
def test_frames_are_where_the_ball_was(rule):
    run, shown, returned, loss = trained(rule)
    assert len(run) == 8
    shows_center = rule.get("contact_steps", 0) > 0
    part = run.center[:, 0, :-1] if shows_center else run.foot[:, 0]
    np.testing.assert_allclose(part, shown, rtol=0, atol=1e-14)
    for frame in range(8):
        with torch.no_grad():
            for param, piece in zip(loss.params, torch.as_tensor(run.foot[frame, 0]).split([2, 1, 2]), strict=True):
                param.copy_(piece)
        exact = loss()
        assert run.loss[frame, 0] == pytest.approx(exact.item(), abs=1e-12)
        slope = torch.cat([grad.ravel() for grad in torch.autograd.grad(exact, loss.params)]).numpy()
        s, w = run.foot[frame, 0] - run.center[frame, 0, :-1], np.sqrt(1 + slope @ slope)
        lift = run.center[frame, 0, -1] - run.loss[frame, 0]
        assert lift**2 + s @ s == pytest.approx(0.09, abs=1e-12)  # the foot is on the ball
        if rule.get("method") != "footpoint":
            assert run.residual[frame, 0] == pytest.approx(np.linalg.norm(s - 0.3 * slope / w), abs=1e-12)
            assert run.gap[frame, 0] == pytest.approx((s @ slope + lift) / w - 0.3, abs=1e-12)
        assert run.gap[frame, 0] <= 1e-12
    if not shows_center:
        assert run.loss[:-1, 0].tolist() == pytest.approx(returned, abs=1e-14)
    np.testing.assert_allclose(run.time, 0.1 * np.arange(8), atol=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_recording_changes_nothing(rule):
    ends = []
    for records in (False, True):
        torch.manual_seed(0)
        model, loss = classifier(dropout=0.3, batch_norm=True)
        optimizer = RollingBall(model.parameters(), lr=0.1, radius=0.2, **rule)
        recorder = Recorder(optimizer, every=2, model=model) if records else None
        for _ in range(5):
            optimizer.step(closure_of(optimizer, loss))
        if recorder is not None:
            grads = [param.grad.clone() for param in model.parameters()]
            recorder.close(closure_of(optimizer, loss))
            assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), grads, strict=True))
            assert recorder.trajectory().step.tolist() == [0, 2, 4, 5]
            assert recorder.trajectory().evaluations.tolist() == [optimizer.evaluations]
        ends.append(copy.deepcopy(model.state_dict()))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_rolling_a_model_is_the_simulation_of_its_loss():
    start = np.array([0.3, -0.2, 0.5])
    for projection in (rb.NewtonProjection(), rb.GradientProjection(steps=20, step_size=0.3)):
        method = rb.FootpointRBO(lr=0.05, projection=projection)
        ours = roll_model(Quadratic(start.tolist()), plainly, NOTHING, method, radius=0.3, steps=10)
        theirs = rb.simulate(SURFACE, rb.Ball(radius=0.3), method, start=start, steps=10)
        np.testing.assert_allclose(ours.foot, theirs.foot, rtol=0, atol=1e-9)
        np.testing.assert_allclose(ours.center, theirs.center, rtol=0, atol=1e-9)
        np.testing.assert_allclose(ours.loss, theirs.loss, rtol=0, atol=1e-9)
        np.testing.assert_allclose(ours.time, theirs.time, rtol=0, atol=1e-12)


def test_a_recording_is_saved_and_compared_like_any_run(tmp_path):
    coarse, fine = (
        roll_model(
            Quadratic(), plainly, NOTHING, rb.FootpointRBO(lr=0.1 / k), radius=0.2, steps=8 * k
        ) for k in (1, 4)
    )  # fmt: skip
    coarse.save(tmp_path / "run.safetensors")
    again = rb.Trajectory.load(tmp_path / "run.safetensors")
    assert again.scene == json.loads(json.dumps(coarse.scene))
    flow = rb.simulate(
        SURFACE,
        rb.Ball(radius=0.2),
        rb.FootpointFlow(),
        start=[0.3, -0.2, 0.5],
        duration=0.8,
        save_at=np.linspace(0, 0.8, 30),
    )
    found = rb.compare([again, fine], flow)
    assert 0.7 < found.order[0] < 1.4


def test_batches_weigh_by_their_examples():
    model, data = network(), batches()
    together = [(torch.cat([x for x, _ in data]), torch.cat([y for _, y in data]))]
    runs = [roll_model(model, cross_entropy, part, lr=0.1, radius=0.1, steps=3) for part in (data, together)]
    np.testing.assert_allclose(runs[0].foot, runs[1].foot, rtol=0, atol=1e-12)


def test_no_steps_are_one_frame():
    run = roll_model(Quadratic(), plainly, NOTHING, rb.FootpointRBO(lr=0.1), radius=0.3, steps=0)
    exact = rb.simulate(SURFACE, rb.Ball(radius=0.3), rb.FootpointRBO(lr=0.1), start=[0.3, -0.2, 0.5], steps=0)
    np.testing.assert_allclose(run.center, exact.center, rtol=0, atol=1e-12)


def test_a_step_without_a_closure_gets_its_loss_by_note():
    loss = Wavy(seed=2)
    optimizer = RollingBall(loss.params, lr=0.1, radius=0.3, contact_steps=0)
    recorder = Recorder(optimizer, every=2)
    for _ in range(4):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        recorder.note(value)
    expected = trained({"contact_steps": 0}, 4, 2)[0]
    run = recorder.trajectory()
    np.testing.assert_allclose(run.loss, expected.loss[:2], rtol=0, atol=1e-14)
    np.testing.assert_allclose(run.center, expected.center[:2], rtol=0, atol=1e-14)


# Folders


@pytest.mark.parametrize("shard_bytes", [1, 24, 2**30])
def test_a_folder_holds_the_same_run(tmp_path, shard_bytes):
    expected = trained({"contact_steps": 1}, every=3)[0]
    written, *_ = trained({"contact_steps": 1}, every=3, folder=tmp_path / "run", shard_bytes=shard_bytes)
    for run in (written, read_recording(tmp_path / "run")):
        for name in ("step", "time", "foot", "center", "loss", "gap", "residual", "radius", "evaluations"):
            np.testing.assert_array_equal(getattr(run, name), getattr(expected, name))
    shards = sorted(path.name for path in (tmp_path / "run").glob("step-00000003-foot*"))
    assert len(shards) == {1: 3, 24: 2, 2**30: 1}[shard_bytes]
    found = {name: part for shard in shards for name, part in load_file(tmp_path / "run" / shard).items()}
    assert torch.cat([found[f"parameter{k}"] for k in range(3)]).tolist() == expected.foot[1, 0].tolist()


def test_a_plane_gives_its_coordinates_to_large_models(tmp_path):
    model, data = network(), batches()
    run = roll_model(model, cross_entropy, data, lr=0.5, radius=0.1, steps=6, folder=tmp_path / "run")
    checkpoints = [rb.pytorch.export_state_dict(run, frame) for frame in range(len(run))]
    plane = LossPlane.pca(checkpoints, model, cross_entropy, data, resolution=11)
    flat = read_recording(tmp_path / "run", plane)
    assert flat.dim == 2
    np.testing.assert_allclose(flat.foot[:, 0], plane.details["coordinates"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(flat.scene["off_plane"], plane.details["distance"], rtol=0, atol=1e-10)
    assert rb.plot.png(rb.plot.sheet({"training": flat}, plane.surface, plane.box)).startswith(b"\x89PNG")


def test_without_centers_only_their_norm_is_known(tmp_path):
    whole, *_ = trained({"contact_steps": 1})
    run, *_ = trained({"contact_steps": 1}, folder=tmp_path / "run", center=False)
    assert np.isnan(run.center[..., :-1]).all()
    np.testing.assert_array_equal(run.center[..., -1], whole.center[..., -1])
    np.testing.assert_allclose(run.scene["center_norm"], np.linalg.norm(whole.center[:, 0, :-1], axis=1), atol=1e-12)


def test_what_is_listed_is_whole_however_a_run_ends(tmp_path, monkeypatch):
    from rollingball.pytorch.runs import recording

    real, count = recording.write_tensors, []

    def failing(*arguments):
        count.append(1)
        if len(count) == 5:
            raise rb.FileError("no space left")
        real(*arguments)

    monkeypatch.setattr(recording, "write_tensors", failing)
    with pytest.raises(rb.FileError, match="no space left"):
        trained({"contact_steps": 1}, folder=tmp_path / "run")
    assert read_recording(tmp_path / "run").step.tolist() == [0, 1]
    with pytest.raises(rb.FileError, match="a recording already"):
        trained({"contact_steps": 1}, folder=tmp_path / "run")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content["frames"][1].update(foot=["../outside.safetensors"]),
        lambda content: content["frames"][1].update(foot="step"),
        lambda content: content["frames"][1].update(loss="0"),
        lambda content: content["frames"][1].pop("gap"),
        lambda content: content["parameters"][0].update(shape=[-1]),
        lambda content: content["parameters"][0].update(shape=[3]),
        lambda content: content["parameters"][0].update(dtype="load"),
        lambda content: content.update(scene=[]),
        lambda content: content.update(rollingball=99),
        lambda content: content.update(frames=3),
    ],
)
def test_damaged_recordings_are_refused(tmp_path, damage):
    trained({"contact_steps": 1}, steps=2, folder=tmp_path)
    content = json.loads((tmp_path / "recording.json").read_text())
    damage(content)
    (tmp_path / "recording.json").write_text(json.dumps(content))
    with pytest.raises(rb.RollingBallError):
        read_recording(tmp_path)


def test_bad_arguments_are_named():
    loss = Wavy()
    optimizer = RollingBall(loss.params, lr=0.1, radius=0.3)
    large = RollingBall([torch.nn.Parameter(torch.zeros(2**22 + 1))], lr=0.1, radius=0.3)
    cases = {
        "optimizer": lambda: Recorder(torch.optim.SGD(loss.params, lr=0.1)),
        "every": lambda: Recorder(optimizer, 0),
        "model": lambda: Recorder(optimizer, model=network()),
        "shard_bytes": lambda: Recorder(optimizer, shard_bytes=0),
        "folder": lambda: Recorder(large),
        "recording": lambda: Recorder(optimizer).trajectory(),
    }
    for field, call in cases.items():
        with pytest.raises(rb.InputError) as error:
            call()
        assert error.value.field == field


def test_complex_parameters_are_refused_with_the_reason():
    param = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    optimizer = RollingBall([torch.nn.Parameter(torch.ones(2)), param], lr=0.1, radius=0.3)
    with pytest.raises(rb.InputError, match=r"^optimizer: got 'complex parameters'; allowed: real .*view_as_real"):
        Recorder(optimizer)
    assert not optimizer._optimizer_step_pre_hooks


def test_sharded_parameters_are_refused_with_the_reason():
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    if not dist.is_available() or not dist.is_gloo_available():
        pytest.skip("this torch has no gloo")
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        sharded = distribute_tensor(torch.ones(4, 2), init_device_mesh("cpu", (1,)), [Shard(0)])
        optimizer = RollingBall([torch.nn.Parameter(sharded)], lr=0.1, radius=0.3)
        with pytest.raises(rb.InputError, match=r"^optimizer: got 'sharded parameters \(DTensor\)'; allowed: whole"):
            Recorder(optimizer)
    finally:
        dist.destroy_process_group()
