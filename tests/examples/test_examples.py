"""The examples run, and what they print is true."""

import importlib
import json
import math
from pathlib import Path

import pytest
import torch

import rollingball as rb
from rollingball.pytorch import LossPlane

FOLDER = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    """An example by its name, imported as when it is run; one thread."""
    monkeypatch.syspath_prepend(str(FOLDER))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield importlib.import_module
    torch.set_num_threads(threads)


def test_the_split_has_each_image_once_and_one_test_set(example):
    digits = example("digits")
    one, other = digits.load(0), digits.load(1)
    assert [len(part.targets) for part in one] == [800, 400, 597]
    whole = torch.cat([part.inputs for part in one])
    assert torch.equal(whole.sum(dim=0), torch.cat([part.inputs for part in other]).sum(dim=0))
    assert torch.equal(one.test.inputs, other.test.inputs)
    assert not torch.equal(one.train.targets, other.train.targets)
    assert -1 == whole.min() < whole.max() == 1


@pytest.mark.parametrize(
    ("method", "settings", "each"),
    [
        ("SGD", {}, 1),
        ("SAM", {"rho": 0.1}, 2),
        ("RollingBall", {"radius": 0.1, "contact_steps": 0}, 1),
        ("RollingBall", {"radius": 0.1, "contact_steps": 1}, 2),
    ],
)
def test_every_method_gets_the_same_number_of_gradients(example, method, settings, each):
    digits = example("digits")
    model, calls, rates = digits.mlp(8), [], []
    model.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    optimizer = digits.make(method, model, lr=0.1, **settings)
    optimizer.register_step_pre_hook(lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
    digits.train(model, optimizer, digits.load().train, 12)
    assert calls == [64] * 12
    steps = 12 // each
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * k / steps)) for k in range(steps)])


def test_training_repeats_itself(example):
    digits = example("digits")
    ends = []
    for _ in range(2):
        torch.manual_seed(0)
        model = digits.cnn(2)
        digits.train(model, digits.make("RollingBall", model, lr=0.1, radius=0.1), digits.load().train, 8, seed=3)
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_both_models_learn_by_every_optimizer(example, capsys):
    rows = example("digits_train").main(["--quick"])
    assert len({row[:3] for row in rows}) == len(rows) == 12
    for *_, loss, share in rows:
        assert loss < 0.8 * math.log(10)
        assert share > 0.5
    assert len(capsys.readouterr().out.splitlines()) == 14


def test_a_frame_that_is_loaded_has_the_loss_of_the_surface(example, tmp_path):
    numbers = example("digits_plane").main(["--quick", "--out", str(tmp_path)])
    assert abs(numbers["loss"] - numbers["surface"]) <= numbers["error"]
    run, plane = rb.Trajectory.load(tmp_path / "run.safetensors"), LossPlane.load(tmp_path / "plane.safetensors")
    assert numbers["surface"] == pytest.approx(run.loss[-1].min(), rel=1e-12)
    assert numbers["surface"] < run.loss[0].min()
    assert run.dim == 2
    assert plane.recompute_batchnorm
    assert (tmp_path / "plane.png").read_bytes().startswith(b"\x89PNG")


def test_so_many_labels_are_wrong_and_none_says_what_it_was(example):
    noise, digits = example("label_noise"), example("digits")
    clean = digits.load(3).train
    part = noise.noisy(clean, 0.4, 3)
    assert torch.equal(part.inputs, clean.inputs)
    assert int((part.targets != clean.targets).sum()) == 320
    assert set(((part.targets - clean.targets) % 10).tolist()) == set(range(10))
    assert torch.equal(part.targets, noise.noisy(clean, 0.4, 3).targets)
    assert not torch.equal(part.targets, noise.noisy(clean, 0.4, 4).targets)


def test_every_method_has_the_same_number_of_settings(example):
    methods = example("label_noise").METHODS
    assert {len(rates) * len(values) for _, _, rates, _, values in methods.values()} == {24}
    assert all(len(set(rates)) == 6 and len(set(values)) == 4 for _, _, rates, _, values in methods.values())


def test_the_table_of_label_noise_is_that_of_its_numbers(example, tmp_path):
    noise = example("label_noise")
    content = noise.main(["--quick", "--out", str(tmp_path)])
    assert json.loads((tmp_path / "label_noise.json").read_text()) == content
    for result in content["methods"].values():
        for by in ("noisy", "clean"):
            assert max(result["tuning"], key=lambda one, by=by: one[by])["settings"] == result["chosen"][by]
            assert all(len(scores) == 2 for scores in result["test"][by].values())
    chosen = {"chosen": {by: {"lr": 0.5} for by in ("noisy", "clean")}}
    known = {"one": {**chosen, "test": {"noisy": {"": [0.5, 0.6, 0.7]}, "clean": {"": [0.5, 0.5]}}}}
    assert noise.table(known).splitlines()[-1] == "| one |  | 60.0 ± 10.0 | lr 0.5 | 50.0 ± 0.0 | lr 0.5 |"
    assert (tmp_path / "label_noise.md").read_text() == noise.table(content["methods"]) + "\n"


def test_a_radius_schedule_is_learnt_that_ends_in_the_global_basin(example):
    found = example("learn_radius").main([])
    assert found["first"] > found["lowest"] + 1
    assert found["last"] < found["lowest"] + 0.05
    assert found["rounds"] > 0


def test_the_constants_of_a_surface_are_found_from_a_path(example):
    fit = example("fit_surface")
    exact = fit.main(["--noise", "0"])
    for name, value in fit.TRUE.items():
        assert exact[name] == pytest.approx(value, abs=1e-4)
    noisy = fit.main([])
    for name, value in fit.TRUE.items():
        assert noisy[name] == pytest.approx(value, abs=0.02)
    assert noisy["before"] > 20 * noisy["after"]
