"""The studies: they run at their small size, go on where they were stopped, count gradients, and do what they say."""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import rollingball as rb

pytest.importorskip("sklearn")
pytest.importorskip("pytorch_optimizer")

from studies import cost, generalisation, noise, privacy
from studies.__main__ import STUDIES, main
from studies.methods import METHODS, EntropySGD
from studies.statistics import interval, table
from studies.store import Store, seed_of
from studies.tasks import TASKS, Part, Task, model_of, split
from studies.training import BATCH, judged, train, vector

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
DIGITS = TASKS[2]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", STUDIES)
def test_the_small_size_runs_and_its_tables_come_again_from_the_file(name, tmp_path, capsys, monkeypatch):
    main([name, "--out", str(tmp_path)])
    printed, file = capsys.readouterr().out, tmp_path / f"{name}-small.json"
    content = json.loads(file.read_text())
    assert content["command"] == f"python -m studies {name} --size small"
    assert content["versions"]["torch"] == importlib.metadata.version("torch")
    assert content["cells"]
    monkeypatch.setattr("studies.store.Store.write", lambda self: pytest.fail("nothing is computed again"))
    main([name, "--out", str(tmp_path)])
    assert capsys.readouterr().out == printed
    assert (tmp_path / f"{name}-small.md").read_text() == printed


ROOT = Path(__file__).parents[2]
RESULTS = sorted((ROOT / "studies" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_table_on_the_page_comes_from_its_file(path, capsys):
    main(["report", str(path)])
    tables = capsys.readouterr().out
    assert tables == path.with_suffix(".md").read_text()
    page = (ROOT / "docs" / "evidence.md").read_text()
    for line in tables.splitlines():
        assert line.startswith("#") or line in page
    assert json.loads(path.read_text())["command"] in page


def test_results_that_are_committed_are_there():
    assert RESULTS


def test_a_study_that_was_stopped_goes_on_and_ends_alike(tmp_path):
    size = generalisation.SIZES["small"]
    about = {"study": "generalisation", "size": "small", "settings": size._asdict()}
    whole, parts = Store(tmp_path / "whole.json", about), Store(tmp_path / "parts.json", about)
    generalisation.compute(whole, size)
    calls, cell = [], parts.cell

    def stopping(name, compute):
        calls.append(name)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return cell(name, compute)

    parts.cell = stopping
    with pytest.raises(KeyboardInterrupt):
        generalisation.compute(parts, size)
    again = Store(tmp_path / "parts.json", about)
    assert len(again.cells) == 5
    generalisation.compute(again, size)
    without = [{n: {k: v for k, v in c.items() if k != "seconds"} for n, c in s.cells.items()} for s in (whole, again)]
    assert without[0] == without[1]


def test_the_command_of_one_task_names_it(tmp_path):
    Store(tmp_path / "a.json", {"study": "generalisation", "size": "full", "task": "digits-mlp-40"}).write()
    command = json.loads((tmp_path / "a.json").read_text())["command"]
    assert command == "python -m studies generalisation --size full --task digits-mlp-40"


def test_a_file_of_another_size_is_refused(tmp_path):
    Store(tmp_path / "a.json", {"study": "noise", "size": "small"}).write()
    with pytest.raises(ValueError, match="another study"):
        Store(tmp_path / "a.json", {"study": "noise", "size": "full"})


@pytest.mark.parametrize("name", METHODS)
def test_every_method_spends_as_many_example_gradients_as_it_counts(name):
    parts, model = split(DIGITS, 0), model_of(DIGITS, 0)
    seen, before = [], vector(model)
    model.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    spent = []
    settings = METHODS[name].draw(name, 0)
    optimizer = train(model, name, settings, parts.train, 22.0, 0, lambda now, _: spent.append(now))
    assert sum(seen) == pytest.approx(BATCH * spent[-1])
    assert 16 < spent[-1] <= 22
    assert not torch.equal(vector(model), before)
    with judged(model, optimizer):
        assert not model.training
    twin = model_of(DIGITS, 0)
    train(twin, name, settings, parts.train, 22.0, 0)
    assert torch.equal(vector(twin), vector(model))


def test_settings_are_the_same_in_every_process_and_in_their_ranges():
    assert seed_of("a", 1) == 958223451  # in this process as in any
    for name, method in METHODS.items():
        assert method.draw(name, 3) == method.draw(name, 3) != method.draw(name, 4)
        for trial in range(5):
            drawn = method.draw(name, trial)
            assert all(method.ranges[key][0] <= value <= method.ranges[key][1] for key, value in drawn.items())
    assert {len(method.ranges) for method in METHODS.values()} == {2}  # the same for every method


def test_splits_do_not_overlap_and_so_many_labels_are_wrong():
    parts, again = split(DIGITS, 1), split(DIGITS, 1, draw=1)
    rows = [tuple(row) for part in parts for row in part.inputs.numpy().round(3).tolist()]
    assert len(rows) == 1797
    assert len(set(rows)) > 1790  # some images are there twice
    clean = split(DIGITS.clean(), 1)
    for part, right, share in zip(parts, clean, (0.4, 0.4, 0.0), strict=True):
        assert float(part.wrong.double().mean()) == pytest.approx(share)
        assert torch.equal(part.targets != right.targets, part.wrong)
        assert torch.equal(part.inputs, right.inputs)
    assert torch.equal(parts.train.inputs, again.train.inputs)
    assert not torch.equal(parts.train.wrong, again.train.wrong)
    assert torch.equal(split(DIGITS, 2).test.inputs, parts.test.inputs)


def test_the_curves_have_a_convolutional_network_with_batch_norm():
    pytest.importorskip("mnist1d")
    task = Task("mnist1d", "cnn", 0.2)
    state = np.random.get_state()[1].copy()
    parts, model = split(task, 0), model_of(task, 0)
    assert (np.random.get_state()[1] == state).all()
    assert parts.train.inputs.shape == (2000, 40)
    assert any(isinstance(module, torch.nn.BatchNorm1d) for module in model.modules())
    first = cross_entropy(model(parts.train.inputs), parts.train.targets).item()
    train(model, "ball, contact of 1/8", {"lr": 0.2, "radius": 0.2}, parts.train, 60.0, 0)
    with judged(model, None):
        assert cross_entropy(model(parts.train.inputs), parts.train.targets).item() < first


def test_entropy_sgd_with_a_tether_of_no_length_does_not_leave():
    model = torch.nn.Linear(1, 1, bias=False)
    loss = lambda: (model.weight - 3).square().sum()  # noqa: E731
    optimizer = EntropySGD(model.parameters(), lr=0.1, gamma=0.0)

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    start = model.weight.item()
    optimizer.step(closure)
    y, mu = start, start
    for _ in range(EntropySGD.INNER):
        y -= 0.1 * 2 * (y - 3)
        mu = 0.75 * mu + 0.25 * y
    assert model.weight.item() == pytest.approx(mu, rel=1e-5)


# Statistics and attacks


def test_the_bootstrap_interval_covers_the_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = [low <= 0 <= high for low, high in (interval(random.normal(size=30))[1:] for _ in range(200))]
    assert 0.88 <= np.mean(covered) <= 0.99
    assert interval([1.0, 1.0, 1.0]) == (1.0, 1.0, 1.0)
    assert table(["a"], [["1"]]) == "| a |\n| --- |\n| 1 |"


def test_the_attacks_find_what_is_there_and_nothing_where_nothing_is():
    random = np.random.default_rng(0)
    assert privacy.rank_share(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == pytest.approx(0.875)
    examples, models = 400, 24
    hardness = random.normal(scale=3.0, size=examples)
    inside = random.random((models, examples)) < 0.5
    scores = hardness + 1.0 * inside + random.normal(scale=0.5, size=inside.shape)
    mine = random.random(examples) < 0.5
    score = hardness + 1.0 * mine + random.normal(scale=0.5, size=examples)
    ratio = privacy.likelihood_ratio(score, inside, scores)
    by_ratio, by_score = (privacy.rank_share(each[mine], each[~mine]) for each in (ratio, score))
    assert by_ratio > 0.88  # Phi(1 / (0.5 sqrt 2)) = 0.92, for known means
    assert by_score < 0.65  # the hardness of the examples hides it
    nothing = privacy.likelihood_ratio(hardness, inside, scores)
    assert abs(privacy.rank_share(nothing[mine], nothing[~mine]) - 0.5) < 0.08


def test_what_is_planted():
    part = split(DIGITS.clean(), 0).train
    flips, patch = privacy.flipped(part, 0), privacy.planted(part, 0)
    moved = flips.targets != part.targets
    assert (part.targets[moved] == privacy.SOURCE).all()
    assert (flips.targets[moved] == privacy.TARGET).all()
    assert int(moved.sum()) == round(0.5 * int((part.targets == privacy.SOURCE).sum()))
    planted = (patch.inputs != part.inputs).any(dim=1)
    assert int(planted.sum()) == 40
    assert (patch.targets[planted] == privacy.PATCHED).all()


def test_two_draws_that_are_one_part_nothing():
    task = Task("digits", "mlp", 0.0)  # without wrong labels both draws are the same
    found = noise.parted(task, "SGD", {"lr": 0.1, "weight_decay": 0.0}, 10.0, 0)
    assert found["distance"] == 0
    assert found["answers that differ"] == 0


def test_the_cosine_of_contacts_that_do_not_change_is_one():
    size = cost.SIZES["small"]._replace(methods=("ball, contact every 4",), budget=20.0)
    found = cost.watched(DIGITS, "ball, contact every 4", size, 0)
    assert found["cosine"] > 0.6  # three of four steps keep it
    assert len(found["test"]) == size.marks


def test_ball_and_sam_are_one_at_a_very_large_loss_scale(monkeypatch):
    """Two rows of the table that must agree: what is compared is the rule, not the harness."""
    parts = split(DIGITS, 0)
    high = METHODS["ball, one contact"]
    tall = high.__class__(
        lambda model, given: rb.RollingBall(model.parameters(), loss_scale=1e8, **given),
        high.ranges,
        high.cost,
        "closure",
    )
    monkeypatch.setitem(METHODS, "tall", tall)
    ends = []
    for name, settings in (("tall", {"lr": 0.1, "radius": 0.1}), ("SAM", {"lr": 0.1, "rho": 0.1})):
        model = model_of(DIGITS, 0)
        train(model, name, settings, Part(*parts.train), 20.0, 0)
        ends.append(vector(model))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-4)
