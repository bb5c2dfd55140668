"""The examples run, and what they print is true."""

import importlib
import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

import rollingball as rb
from rollingball.pytorch import LossPlane

FOLDER = Path(__file__).parents[2] / "examples"
NUMBERED = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))


@pytest.fixture
def example(monkeypatch, tmp_path):
    """An example by its name, imported as when it is run; one thread. A numbered one leaves its picture in tmp_path."""
    monkeypatch.syspath_prepend(str(FOLDER))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    used = []

    def imported(name):
        used.append(name)
        return importlib.import_module(name)

    yield imported
    torch.set_num_threads(threads)
    for name in set(used) & set(NUMBERED):
        picture = (tmp_path / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 5_000


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


def test_both_models_learn_by_every_optimizer(example, tmp_path, capsys):
    rows = example("09_train_digits").main(small=True, out=tmp_path)
    assert len({row[:3] for row in rows}) == len(rows) == 12
    for *_, loss, share in rows:
        assert loss < 0.8 * math.log(10)
        assert share > 0.5
    assert len(capsys.readouterr().out.splitlines()) == 14


def test_a_frame_that_is_loaded_has_the_loss_of_the_surface(example, tmp_path):
    numbers = example("10_digits_plane").main(small=True, out=tmp_path)
    assert abs(numbers["loss"] - numbers["surface"]) <= numbers["error"]
    run, plane = rb.Trajectory.load(tmp_path / "10_run.safetensors"), LossPlane.load(tmp_path / "10_plane.safetensors")
    assert numbers["surface"] == pytest.approx(run.loss[-1].min(), rel=1e-12)
    assert numbers["surface"] < run.loss[0].min()
    assert run.dim == 2
    assert plane.recompute_batchnorm


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
    content = noise.main(["--small", "--out", str(tmp_path)])
    assert json.loads((tmp_path / "label_noise.json").read_text()) == content
    for result in content["methods"].values():
        for by in ("noisy", "clean"):
            assert max(result["tuning"], key=lambda one, by=by: one[by])["settings"] == result["chosen"][by]
            assert all(len(scores) == 2 for scores in result["test"][by].values())
    chosen = {"chosen": {by: {"lr": 0.5} for by in ("noisy", "clean")}}
    known = {"one": {**chosen, "test": {"noisy": {"": [0.5, 0.6, 0.7]}, "clean": {"": [0.5, 0.5]}}}}
    assert noise.table(known).splitlines()[-1] == "| one |  | 60.0 ± 10.0 | lr 0.5 | 50.0 ± 0.0 | lr 0.5 |"
    assert (tmp_path / "label_noise.md").read_text() == noise.table(content["methods"]) + "\n"


def test_a_radius_schedule_is_learnt_that_ends_in_the_global_basin(example, tmp_path):
    found = example("07_learn_radius").main(small=True, out=tmp_path)
    assert found["first"] > found["lowest"] + 1
    assert found["last"] < found["lowest"] + 0.05
    assert found["rounds"] > 0


def test_the_constants_of_a_surface_are_found_from_a_path(example, tmp_path):
    fit = example("08_fit_surface")
    exact = fit.main(small=True, out=tmp_path, noise=0.0)
    for name, value in fit.TRUE.items():
        assert exact[name] == pytest.approx(value, abs=1e-4)
    noisy = fit.main(small=True, out=tmp_path)
    for name, value in fit.TRUE.items():
        assert noisy[name] == pytest.approx(value, abs=0.02)
    assert noisy["before"] > 20 * noisy["after"]


def test_only_the_small_ball_reaches_the_bottom_and_none_is_inside(example, tmp_path):
    found = example("01_first_roll").main(small=True, out=tmp_path)
    assert found["loss"][0] == pytest.approx(-1, abs=1e-4)
    assert found["gap"].min() > -1e-9
    for radius, loss in zip(found["radius"][1:], found["loss"][1:], strict=True):
        assert loss > -0.9
        # above the middle of the valley a ball touches at t where t + pi/2 = rho sin / sqrt(1 + cos^2)
        away = brentq(lambda t, r=radius: t - r * np.sin(t) / np.sqrt(1 + np.sin(t) ** 2), 1e-2, np.pi)
        assert loss == pytest.approx(-np.cos(away), abs=0.1)


def test_exact_feet_reach_the_middle_at_small_radii_and_the_papers_balls_are_inside(example, tmp_path):
    found = example("02_radius_sweep").main(small=True, out=tmp_path)
    assert found["exact"][0.5]["foot"] == 3
    assert found["exact"][2.0] == {**found["exact"][2.0], "foot": 0, "centre": 3}
    for radius in (0.5, 2.0):
        assert found["paper"][radius]["depth"] > 1 / 3


def test_the_relief_of_a_sine_is_kept_to_its_reach_and_falls_as_its_limit(example, tmp_path):
    found = example("03_exact_geometry").main(small=True, out=tmp_path)
    assert found["reach"] == pytest.approx(1, rel=1e-9)
    assert found["delta"][found["radii"] <= 1] == pytest.approx(2, rel=1e-9)
    assert (np.diff(found["delta"][found["radii"] > 1]) < 0).all()
    assert found["radii"][-1] * found["delta"][-1] == pytest.approx(np.pi**2 / 2, rel=0.01)


def test_the_discrete_method_tends_to_the_flow_at_first_order(example, tmp_path):
    comparison = example("04_discrete_and_flow").main(small=True, out=tmp_path)
    assert comparison.order[0] == pytest.approx(1, abs=0.2)
    assert comparison.largest[1, 0] < comparison.largest[0, 0] < 0.1


def test_a_function_and_a_formula_are_the_same_loss(example, tmp_path):
    found = example("05_own_surface").main(small=True, out=tmp_path)
    assert found["apart"] < 1e-8
    assert found["slope"] < 1e-2


def test_energy_is_kept_in_rolling_and_never_gained_in_bouncing(example, tmp_path):
    found = example("06_ball_with_mass").main(small=True, out=tmp_path)
    assert found["drift"] < 1e-4
    assert found["impacts"] > 1
    assert found["lost"] > 1
    assert found["rises"] < 1e-6
    assert found["gap"] > -1e-6


def test_methods_of_ones_own_roll_and_have_their_order(capsys):
    found = runpy.run_path(str(FOLDER / "11_own_method.py"))
    assert found["run"].loss[-1, 0] < 1e-3 * found["run"].loss[0, 0]
    assert 3.5 < found["coarse"] / found["fine"] < 4.5
    assert "4 is the second order" in capsys.readouterr().out


def test_a_marble_is_aimed_through_two_bounces(example, tmp_path):
    aim = example("12_aim_a_marble")
    found = aim.main(small=True, out=tmp_path)
    assert found["misses"][0] > 1
    assert found["misses"][-1] < 1e-9
    assert len(found["misses"]) <= 10
    # by a derivative that is right, the last misses fall as their squares
    close = found["misses"][found["misses"] < 0.1]
    assert (close[1:] < 10 * close[:-1] ** 2 + 1e-12).all()
    assert (found["bounces"] == 2).all()
    hit = aim.throw(found["velocities"][-1:])
    assert hit.center[-1, 0].tolist() == pytest.approx([4.0, 0.7], abs=1e-9)


def test_friction_and_restitution_are_found_as_well_as_the_noise_allows(example, tmp_path):
    fit = example("13_fit_friction")
    assert fit.main(small=True, out=tmp_path, noise=0.0)["found"].tolist() == pytest.approx(fit.TRUE, abs=1e-9)
    noisy = fit.main(small=True, out=tmp_path)
    away = np.abs(noisy["found"] - fit.TRUE) / noisy["errors"]
    assert (away < 3).all()
    assert away.max() > 0.1  # the noise is there
    assert noisy["errors"].max() < 0.002


def test_the_track_that_was_shaped_is_nearly_as_fast_as_the_cycloid_and_never_faster(example, tmp_path):
    found = example("14_fastest_track").main(small=True, out=tmp_path)
    assert found["off"] < 1e-9
    assert found["straight"] == pytest.approx(np.sqrt(2 * 1.4 / (9.81 * 0.8)) * np.hypot(2.0, 0.8), rel=1e-9)
    assert found["cycloid"] < found["found"] < 1.006 * found["cycloid"]


def test_there_are_fourteen_and_each_is_about_a_page():
    assert [name[:2] for name in NUMBERED] == [f"{number:02}" for number in range(1, 15)]
    for name in NUMBERED:
        assert len((FOLDER / f"{name}.py").read_text().splitlines()) <= 80
        assert name in (FOLDER / "README.md").read_text()
