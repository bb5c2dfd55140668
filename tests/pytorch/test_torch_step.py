"""benchmarks/torch_step.py: it runs, counts memory as it says, and its programs do what they are named after."""

import importlib
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("torch_step")


def test_storages_alive_at_once_are_counted(benchmark):
    given = torch.ones(100)
    with benchmark.Storages() as storages:
        one = torch.ones(1000)
        view = one[:500].reshape(5, 100)  # no storage of its own
        given.add_(1.0)
        assert storages.now == 4000
        del one
        assert storages.now == 4000  # the view keeps it
        del view
        assert storages.now == 0
        two = torch.zeros(250, dtype=torch.float64)
        two = two + 1
        assert storages.now == 2000
    assert storages.peak == 4000
    assert two.sum() == 250


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_programs_start_alike_and_take_as_many_gradients_as_their_row_says(benchmark, momentum):
    torch.manual_seed(0)
    model = benchmark.cnn((2, 3, 4))
    batch = torch.randn(6, 3, 16, 16), torch.randint(10, (6,))
    groups = benchmark.programs(model, batch, momentum)
    for kind, most in (("one", 1), ("part", 2), ("two", 2)):
        ends = []
        for program in groups[kind]:
            calls = most if kind == "two" or program.name.startswith("contact") else 1
            seen = []
            program.model.register_forward_hook(lambda *_, seen=seen: seen.append(1))
            program.step()
            assert len(seen) == calls
            copies = {"contact_steps=0": 2, "contact_steps=1": 1, "contact of 1/8": 1}.get(program.name, 0)
            numbers = sum(param.numel() for param in model.parameters())
            assert program.state_bytes() == (copies + (momentum > 0)) * 4 * numbers
            ends.append(torch.cat([param.detach().ravel() for param in program.model.parameters()]))
        torch.testing.assert_close(ends[1], ends[2], rtol=0, atol=1e-6)  # the peer and its foreach form


def test_one_contact_step_takes_no_more_memory_than_sam_and_more_steps_two_copies_more(benchmark):
    import rollingball as rb

    torch.manual_seed(0)
    model = benchmark.cnn((16, 32, 48))
    batch = torch.randn(6, 3, 16, 16), torch.randint(10, (6,))
    group = benchmark.programs(model, batch, 0.9)["two"]
    for steps in (2, 5):
        options = {"lr": 0.01, "radius": 0.05, "contact_steps": steps}
        group.append(benchmark.Program(f"{steps}", model, lambda p, o=options: rb.RollingBall(p, **o), batch, 2))
    copies = []
    for program in group:
        program.step()  # makes the state
        copies.append(benchmark.peak_bytes(program, torch.device("cpu")) / program.parameter_bytes())
    one, *sam, two, five = copies
    assert one < min(sam) + 0.1  # the states of random generators are counted too
    assert two < one + 2.1
    assert five < one + 2.1


def test_a_contact_of_a_part_takes_a_copy_of_the_centre_and_no_more_than_one_contact_step(benchmark):
    torch.manual_seed(0)
    model = benchmark.cnn((16, 32, 48))
    batch = torch.randn(6, 3, 16, 16), torch.randint(10, (6,))
    groups = benchmark.programs(model, batch, 0.9)
    copies = []
    for program in (groups["part"][0], groups["two"][0]):
        program.step()
        copies.append(benchmark.peak_bytes(program, torch.device("cpu")) / program.parameter_bytes())
    assert copies[0] < copies[1] + 0.05


def test_both_models_have_a_million_parameters(benchmark):
    for build in (benchmark.mlp, benchmark.cnn):
        model = build(benchmark.SIZES[build.__name__])
        assert sum(param.numel() for param in model.parameters()) >= 1_000_000


def test_the_quick_run_prints_all_rows(benchmark, capsys):
    benchmark.main(["--quick", "--momentum", "0.9"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("mlp", "cnn"))]
    assert len(rows) == 18
    states = [line[-2] for line in rows if "contact" in " ".join(line)]
    assert states == ["3.00", "2.00", "2.00"] * 2


def test_without_sam_the_rest_is_timed(benchmark, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "has_sam", lambda: False)
    benchmark.main(["--quick", "--momentum", "0"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "skipped SAM and contact_steps=1: pytorch_optimizer is not installed"
    assert sum(line.startswith(("mlp", "cnn")) for line in lines) == 12
