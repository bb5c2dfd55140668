"""A training run, seen: on a plane of the loss, from the command line, and in the tools that log numbers."""

import json

import numpy as np
import pytest
import torch
from matplotlib.patches import Circle
from torch.nn.functional import mse_loss

import rollingball as rb
from rollingball.app import cli
from rollingball.app.folder import to_show
from rollingball.pytorch import LossPlane, Recorder
from tests.field.logging_recipes import to_tensorboard, to_wandb

RADIUS = 0.3


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A run in nine parameters that was recorded in a folder, with the plane through it, and what was logged."""
    folder, logged = tmp_path_factory.mktemp("training") / "net", []
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(1, 3, bias=False), torch.nn.Tanh(), torch.nn.Linear(3, 2)).double()
    inputs = torch.linspace(-1, 1, 16).double()[:, None]
    targets = torch.cat([inputs.sin(), inputs.cos()], dim=1)
    optimizer = rb.RollingBall(model.parameters(), lr=0.2, radius=RADIUS)
    recorder = Recorder(optimizer, every=2, folder=folder, model=model, log=logged.append)

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    for _ in range(20):
        optimizer.step(closure)
    recorder.close(closure)
    run = recorder.trajectory()
    states = [rb.pytorch.export_state_dict(run, frame) for frame in range(len(run))]
    plane = LossPlane.pca(states, model, mse_loss, [(inputs, targets)], resolution=11)
    plane.save(folder / "plane.safetensors")
    return folder, run, plane, logged


def test_a_run_on_a_plane_is_its_nearest_points(seen):
    _folder, run, plane, _logged = seen
    flat = plane.project(run)
    flat_directions = [
        torch.cat([part.reshape(-1) for part in direction.values()]).numpy() for direction in plane.directions
    ]
    origin = torch.cat([plane.origin[name].reshape(-1) for name in plane.directions[0]]).numpy()
    basis = np.stack(flat_directions)
    np.testing.assert_allclose(flat.foot, (run.foot - origin) @ basis.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(flat.center[..., :2], (run.center[..., :-1] - origin) @ basis.T, rtol=0, atol=1e-12)
    away = np.linalg.norm(run.foot - origin - flat.foot @ basis, axis=-1)
    np.testing.assert_allclose(flat.scene["off_plane"], away, rtol=0, atol=1e-12)
    for name in ("step", "time", "loss", "gap", "radius"):
        np.testing.assert_array_equal(getattr(flat, name), getattr(run, name))
    np.testing.assert_array_equal(flat.center[..., 2], run.center[..., -1])


def test_paths_on_a_loss_plane_are_centres_and_feet_over_its_loss(seen):
    _folder, run, plane, _logged = seen
    flat, ax = plane.project(run), rb.plot.paths(run, plane=plane)
    drawn = [line.get_xydata() for line in ax.lines if len(line.get_xydata()) == len(run)]
    np.testing.assert_allclose(drawn, [flat.foot[:, 0], flat.center[:, 0, :2]], rtol=0, atol=1e-12)
    assert ax.get_xlim() == tuple(plane.box[0])
    assert ax.collections  # the contours
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"centre", "foot"}


def test_a_run_in_all_parameters_over_the_contours_of_a_plane_is_refused(seen):
    _folder, run, plane, _logged = seen
    with pytest.raises(rb.InputError, match="plane: got "):
        rb.plot.paths(run, rb.plot.contour(plane.surface, plane.box))
    with pytest.raises(rb.InputError, match="plane: got "):
        rb.plot.paths(run, plane=3)


def test_runs_without_the_parameters_of_the_model_are_not_projected(seen):
    plane = seen[2]
    other = rb.simulate(rb.surfaces.quadratic([[1.0]]), None, rb.GradientDescent(0.1), start=[1.0], steps=2)
    with pytest.raises(rb.InputError, match="trajectory: got "):
        plane.project(other)
    with pytest.raises(rb.InputError, match="trajectory: got "):
        plane.project(3)


def test_the_command_line_draws_and_shows_a_recording(seen, tmp_path, capsys):
    folder, run, plane, _logged = seen
    cli.main(["plot", str(folder)])
    assert capsys.readouterr().out == f"{folder}/training.png\n"
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")
    run.save(tmp_path / "run.safetensors")
    cli.main(["plot", str(tmp_path / "run.safetensors")])  # without a plane: on principal directions
    assert (tmp_path / "training.png").is_file()
    runs, surface, box, title = to_show(folder)
    np.testing.assert_allclose(runs["net"].foot, plane.project(run).foot, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(surface.value(plane.grid), plane.surface.value(plane.grid))
    assert (np.asarray(box).tolist(), title) == (plane.box.tolist(), "net")
    with pytest.raises(rb.InputError, match="plane: got None"):
        to_show(tmp_path / "run.safetensors")


def test_the_sheet_has_the_ball_to_scale_and_says_how_far_off_the_plane_it_is(seen):
    _folder, run, plane, _logged = seen
    figure = rb.plot.training_sheet({"a": run}, plane, "a title")
    left, right = figure.axes
    (ball,) = [patch for patch in left.patches if isinstance(patch, Circle)]
    assert ball.radius == pytest.approx(RADIUS)
    assert f"{max(np.ravel(plane.project(run).scene['off_plane'])):.2g} away" in figure.get_suptitle()
    np.testing.assert_array_equal(right.lines[0].get_ydata(), run.loss[:, 0])


def test_what_is_logged_is_what_is_recorded(seen):
    _folder, run, _plane, logged = seen
    assert [numbers["step"] for numbers in logged] == run.step.tolist()
    for name in ("loss", "radius", "gap", "residual"):
        np.testing.assert_array_equal([numbers[name] for numbers in logged], getattr(run, name)[:, 0])
    json.dumps(logged)  # plain numbers


def test_the_recipes_send_every_number_with_its_step(seen):
    logged = seen[3]

    class Writer:
        def __init__(self):
            self.sent = []

        def add_scalar(self, tag, value, step):
            self.sent.append((tag, value, step))

        def log(self, values, step):
            self.sent += [(tag, value, step) for tag, value in values.items()]

    for recipe in (to_tensorboard, to_wandb):
        writer = Writer()
        log = recipe(writer)
        for numbers in logged:
            log(numbers)
        expected = [(f"ball/{k}", v, one["step"]) for one in logged for k, v in one.items() if k != "step"]
        assert writer.sent == expected


def test_a_loss_that_is_noted_later_is_logged_again():
    parameter, logged = torch.nn.Parameter(torch.ones(2).double()), []
    optimizer = rb.RollingBall([parameter], lr=0.1, radius=0.1, contact_steps=0)
    recorder = Recorder(optimizer, log=logged.append)
    loss = parameter.pow(2).sum()
    loss.backward()
    optimizer.step()
    recorder.note(loss)
    assert [np.isnan(logged[0]["loss"]), logged[1]["loss"]] == [True, 2.0]
    with pytest.raises(rb.InputError, match="log: got "):
        Recorder(optimizer, log=3)
