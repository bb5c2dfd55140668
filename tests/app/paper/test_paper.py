"""rollingball paper: its numbers against closed forms and other implementations, its report against its numbers."""

import json
import math
import re

import numpy as np
import pytest
from matplotlib.image import imread

from rollingball.app import cli
from rollingball.app.paper import figure3, figure4, report
from rollingball.app.paper.page import markdown, to_html
from rollingball.app.paper.words import number
from tests.app.paper.test_page import read

pytestmark = pytest.mark.slow  # one quick run of all figures, for all of them


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A quick run of all figures."""
    out = tmp_path_factory.mktemp("paper")
    cli.main(["paper", "--quick", "--out", str(out)])
    return out


@pytest.fixture(scope="module")
def content(made):
    return json.loads((made / "report.json").read_text())


@pytest.fixture(scope="module")
def numbers(content):
    return content["figures"]


def leaves(value):
    """Every number and text below a value of JSON."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


# Figure 1


def test_the_step_of_figure_1_is_algorithm_1_on_a_sine(numbers):
    found = numbers["1"]
    foot, center, candidate = (np.array(found[name]) for name in ("foot", "centre", "candidate"))
    g, radius, rate = math.cos(foot[0]), found["radius"], found["learning rate"]
    np.testing.assert_allclose(found["slope"], g, rtol=0, atol=1e-14)
    np.testing.assert_allclose(foot[1], math.sin(foot[0]), rtol=0, atol=1e-14)
    normal, tangent = np.array([-g, 1]) / math.hypot(1, g), np.array([g, g * g])
    np.testing.assert_allclose(center, foot + radius * normal, rtol=0, atol=1e-14)
    np.testing.assert_allclose(candidate, center - rate * tangent, rtol=0, atol=1e-14)
    x = np.linspace(2, 7, 2_000_001)
    away = np.hypot(x - candidate[0], np.sin(x) - candidate[1])
    np.testing.assert_allclose(found["distance of the candidate"], away.min(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(found["exact"]["next foot"][0], x[away.argmin()], rtol=0, atol=1e-5)
    assert found["distance of the candidate"] < radius  # it cuts the surface, as the paper's drawing shows


def test_every_ball_of_figure_1_touches(numbers):
    assert all(abs(numbers["1"][name]["gap"]) < 1e-9 for name in ("paper", "exact", "flow"))


# Figure 2


@pytest.mark.parametrize(("graph", "limit"), [("full", math.pi**2 / 2), ("truncated", 9 * math.pi**2 / 8)])
def test_delta_of_a_sine(numbers, graph, limit):
    found = numbers["2"][graph]
    assert found["Delta"]["0.5"] == pytest.approx(2, abs=1e-8)
    assert found["Delta"]["1"] == pytest.approx(2, abs=1e-8)
    assert found["limit of radius x Delta"] == pytest.approx(limit, abs=1e-9)
    # Delta = rho - sqrt(rho^2 - R^2) with R^2 = 2 limit, less what the crests are round
    assert found["radius x Delta at the largest radius"] == pytest.approx(limit, rel=2e-3)
    assert found["largest radius on the plateau"] == 1
    assert found["exponent over the last decade"] == pytest.approx(-1, abs=5e-3)


def test_delta_over_the_line_is_as_a_dense_grid_found_it(numbers):
    known = {"2": 1.741670, "5": 0.868529, "20": 0.236234, "100": 0.048871}  # theory, section 9
    found = numbers["2"]["full"]["Delta"]
    assert {radius: round(found[radius], 6) for radius in known} == known


def test_a_ball_of_the_flow_falls_by_delta(numbers):
    """All but the part of the crest above its start, BESIDE^2 / (2 (1 + rho))."""
    for radius, fall in numbers["2"]["flow"].items():
        missing = 1e-6 / (2 * (1 + float(radius)))
        assert fall + missing == pytest.approx(numbers["2"]["Delta beside the flow"][radius], abs=1e-9)


def test_the_upper_reach_of_a_sine_is_1(numbers):
    assert numbers["2"]["upper reach"] == pytest.approx(1, abs=1e-9)


# Figure 3


def test_figure_3_has_no_reach_and_no_path_as_printed(numbers):
    found = numbers["3"]
    assert 0 < found["upper reach is below"] < 5.2e-6
    for row in found["radii"]:
        assert row["paper, status"] == "diverged"
        assert row["paper, longest jump of the foot"] > 1
        assert row["with the slips, longest jump"] < 0.2
        assert row["unreachable share"] > 0.9
        assert row["flow and exact, apart at the end"] < 1e-3


def test_the_script_with_slips_is_its_own_loop():
    """One ball, term by term, beside the arrays."""
    centers = figure3.with_slips(np.array([0.1, 0.3]), 3)
    x, rho = 2.0, 0.3

    def loss(at):
        squares = [k * k for k in range(1, 101)]
        return sum(math.sin(s * at) / s for s in squares), sum(math.cos(s * at) / s for s in squares)

    for step in range(4):
        f, g = loss(x)
        w = math.hypot(1, g)
        center = x + rho / w, f - rho * g / w
        np.testing.assert_allclose(centers[step, 1], center, rtol=0, atol=1e-12)
        aim = center[0] - 1e-3 * g, center[1] - 1e-3 * g * g
        for _inner in range(20):
            f, g = loss(x)
            x -= 0.05 * ((x - aim[0]) + (f - aim[1]) * g)


# Figure 4


def test_figure_4_has_the_threshold_of_the_paper_but_no_balls(numbers):
    found = numbers["4"]
    inside = {row["radius"]: row["inside by foot"] for row in found["paper"]}
    assert [inside[radius] for radius in (0.5, 1.0, 2.0, 3.0)] == [0, 0, 0, 0]
    assert all(inside[radius] > 0 for radius in (4.0, 5.0, 6.0))
    assert inside[4.0] < inside[6.0]
    assert found["gradient descent"]["inside by foot"] == 0
    for row in found["paper"]:
        assert row["starts"] == 12
        assert row["share of gaps below -1 %"] > 0.9
        assert row["median gap"] < -0.1


def test_balls_of_the_flow_in_figure_4_keep_their_distance(numbers):
    assert all(row["least gap"] > -1e-9 for row in numbers["4"]["flow"])


def test_the_middle_of_the_bowl_is_out_of_reach(numbers):
    for row in numbers["4"]["touchable"]:
        assert row["touchable"] == 0
        assert row["unreachable of the bowl"] == pytest.approx(math.sqrt(row["radius"] ** 2 - 0.25), abs=1e-14)


def test_starts_are_seeded():
    known = np.array([2.0, 0.0]) + np.random.default_rng(0).normal(0, 0.1, (12, 2))
    np.testing.assert_array_equal(figure4.starts(), known)
    np.testing.assert_array_equal(figure4.starts(3), known[:3])


# The report


def test_the_report_has_every_number_that_was_found(made, content):
    text = (made / "report.md").read_text()
    found = leaves(content["figures"])
    assert len(found) > 150
    written = set(re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?", text))
    for leaf in found:
        if isinstance(leaf, str):
            assert leaf in text
        else:
            assert {number(leaf), number(-leaf)} & written, leaf


def test_the_report_is_what_its_numbers_say(made, content):
    blocks = report.page(content)
    assert (made / "report.md").read_text() == markdown(blocks)
    assert (made / "report.html").read_text() == to_html(blocks, report.TITLE)


def test_other_numbers_are_another_report(content):
    changed = json.loads(json.dumps(content))
    changed["quick"] = False
    changed["figures"]["4"]["paper"][1]["inside by foot"] = 3
    text = markdown(report.page(changed))
    assert "quick run" not in text
    assert "3 of 12 (\N{GREEK SMALL LETTER RHO} = 1)" in text
    assert "the published threshold is not there" in text
    assert "by a ball |" in markdown(report.page(content))
    assert "by a ball |" not in text


def test_the_report_says_how_far_balls_were_inside_and_no_less(content):
    changed = json.loads(json.dumps(content))
    for row in changed["figures"]["4"]["exact"]:
        row["least gap"] = -3e-16
    changed["figures"]["4"]["flow"][0]["least gap"] = -0.004
    text = markdown(report.page(changed))
    assert "Here it was inside by no more than rounding, in the flow by up to 0.4% of the radius." in text
    assert "by -0" not in text


def test_pages_are_whole_and_point_to_files_beside_them(made):
    reader = read((made / "report.html").read_text())
    sources = [value for name, value in reader.attributes if name in ("src", "href")]
    assert sources == [f"figure{name}.png" for name in "1234"]
    for file in ("report.md", "report.html", "report.json"):
        text = (made / file).read_text()
        assert str(made) not in text
        assert not re.search(r"(?<![\w<])/(?:[a-z]+/)+", text.replace("</", "<")), file
    assert "arXiv 2505.19527" in (made / "report.md").read_text()
    assert "quick run" in (made / "report.md").read_text()


@pytest.mark.parametrize("name", "1234")
def test_every_figure_is_a_picture(made, name):
    pixels = imread(made / f"figure{name}.png")
    assert min(pixels.shape[:2]) > 600
    assert 0.02 < (pixels[..., :3].min(axis=-1) < 0.9).mean() < 0.98


def test_figures_can_be_chosen_and_nothing_else_is_left(tmp_path, capsys):
    cli.main(["paper", "--quick", "--figures", "1", "1", "--out", str(tmp_path / "new" / "one")])
    assert sorted(path.name for path in (tmp_path / "new" / "one").iterdir()) == [
        "figure1.png", "report.html", "report.json", "report.md",
    ]  # fmt: skip
    assert list(json.loads((tmp_path / "new" / "one" / "report.json").read_text())["figures"]) == ["1"]
    assert "figures of the paper" in capsys.readouterr().out
