"""The text of the report for each figure: a row of its summary table, and the measured numbers with their reasons.

The function of a figure takes ``facts``, the numbers that ``measure`` in the file of that figure returns, and
``quick``, whether they come from fewer balls and steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rollingball.app.paper.page import Block, Items, Paragraph, Table
from rollingball.runs.words import percent

Row = list[str]


def number(value: float) -> str:
    """A number as the report writes it: with six digits, or with two where it is no more than a rounding error."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "none"
    return f"{value:.6g}" if value == 0 or abs(value) > 1e-12 else f"{value:.1e}"


def point(pair: list[float]) -> str:
    """A point of the plane as the report writes it."""
    return f"({number(pair[0])}, {number(pair[1])})"


def verdict(agrees: bool) -> str:
    """The last cell of a row: whether the measured numbers agree with the published ones."""
    return "agrees" if agrees else "does not agree"


def figure1(facts: dict[str, Any], quick: bool) -> tuple[Row, list[Block]]:
    """The summary row of Figure 1, one step of Algorithm 1, and the blocks below its picture."""
    cut = facts["radius"] - facts["distance of the candidate"]
    after = {name: point(facts[name]["next centre"]) for name in ("paper", "exact", "flow")}
    row = [
        "a drawing: the candidate ball cuts the surface, and is projected",
        f"the next centre is {after['paper']}",
        f"the next centre is {after['exact']}; the candidate ball was {number(cut)} inside",
        f"the centre after the same time is {after['flow']}",
        verdict(cut > 0),
    ]
    names = {"paper": "the paper's projector", "exact": "exact foot", "flow": "flow"}
    table = Table(
        ["reading", "next foot", "next centre", "gap of the next ball"],
        [
            [text, point(facts[name]["next foot"]), after[name], number(facts[name]["gap"])]
            for name, text in names.items()
        ],
    )
    text = (
        f"Every point is computed: on a sine, from the foot {point(facts['foot'])} with the slope "
        f"{number(facts['slope'])}, the centre is {point(facts['centre'])} at ρ = {number(facts['radius'])}, and a "
        f"step with η = {number(facts['learning rate'])} puts the candidate at {point(facts['candidate'])}, at the "
        f"distance {number(facts['distance of the candidate'])} from the graph. The exact foot is the nearest point "
        "of the graph. The paper's projector, with the P and γ of Figure 4, ends its descent before it gets there. The "
        "flow is what Algorithm 1 tends to as η goes to 0, so it stops short of a step of this size."
    )
    return row, [Paragraph(text), table]


def figure2(facts: dict[str, Any], quick: bool) -> tuple[Row, list[Block]]:
    """The summary row of Figure 2, the relief of a sine under balls, and the blocks below its picture."""
    cut, full = facts["truncated"], facts["full"]
    plateau = cut["largest radius on the plateau"]
    row = [
        "a plateau for ρ < 1, then like 1/ρ",
        f"the graph that ends at the interval: flat up to ρ = {number(plateau)}, then ρ Δ to "
        f"{number(cut['limit of radius x Delta'])}",
        f"the whole line: flat up to ρ = {number(full['largest radius on the plateau'])}, then ρ Δ to "
        f"{number(full['limit of radius x Delta'])}",
        f"a ball falls by {number(facts['flow']['2'])} at ρ = 2",
        verdict(plateau == 1.0 and abs(cut["exponent over the last decade"] + 1) < 0.02),
    ]
    radii = list(full["Delta"])
    table = Table(
        ["Δ(ρ)", *(f"ρ = {radius}" for radius in radii), "ρ Δ at the largest ρ", "limit of ρ Δ", "exponent"],
        [
            [
                text,
                *(number(facts[graph]["Delta"][radius]) for radius in radii),
                number(facts[graph]["radius x Delta at the largest radius"]),
                number(facts[graph]["limit of radius x Delta"]),
                number(facts[graph]["exponent over the last decade"]),
            ]
            for graph, text in (("truncated", "graph over [-3π, 3π]"), ("full", "graph over the line"))
        ],
    )
    falls = Table(
        ["relief at", *(f"ρ = {radius}" for radius in facts["flow"])],
        [
            ["fall of a ball of the flow, from beside a crest to rest", *map(number, facts["flow"].values())],
            ["Δ over the line", *map(number, facts["Delta beside the flow"].values())],
        ],
    )
    text = (
        "Δ is a property of the surface, so the readings differ in the graph alone. The paper computed it for the "
        "sine over [-3π, 3π]: at the ends of that graph a large ball tips over, and the limit of ρ Δ is 9π²/8; over "
        f"the whole line it is π²/2. The largest radius here is {number(facts['largest radius'])}. The paper says that "
        "the plateau ends at the reach. It ends where the ball no longer touches the lowest point, and only the reach "
        f"on the upper side counts: for a sine that is {number(facts['upper reach'])}."
    )
    return row, [Paragraph(text), table, falls]


def figure3(facts: dict[str, Any], quick: bool) -> tuple[Row, list[Block]]:
    """The summary row of Figure 3, strong ironing on Eq. 13, and the blocks below its picture."""
    rows = facts["radii"]

    def span(name: str, write: Callable[[float], str] = number) -> str:
        values = [row[name] for row in rows]
        ends = dict.fromkeys(map(write, (min(values), max(values))))
        return " to ".join(ends)

    resting = sum(row["flow, status"] == "resting" for row in rows)
    diverged = sum(row["paper, status"] == "diverged" for row in rows)
    apart = max(row["flow and exact, apart at the end"] for row in rows)
    smooth = max(row["paper, longest jump of the foot"] for row in rows) < min(row["radius"] for row in rows)
    row = [
        "a coarser image of the landscape with each larger ρ, its global shape kept",
        f"no path: the foot jumps by up to {span('paper, longest jump of the foot')}",
        f"the centre on f_ρ; {span('unreachable share', percent)} of the surface around the start cannot be touched",
        f"within {number(apart)} of the exact centres at the end; {resting} of {len(rows)} at rest",
        verdict(smooth),
    ]
    columns = {
        "paper, span of the feet": "printed: span of the feet",
        "paper, longest jump of the foot": "longest jump",
        "paper, median gap in radii": "median gap/ρ",
        "paper, status": "status",
        "with the slips, centre moves by": "with the slips: the centre moves by",
        "with the slips, longest jump": "longest jump",
        "exact, centre at the end": "exact: last centre",
        "exact, span of the centre in the second half": "its span in the second half",
        "flow, centre at the end": "flow: last centre",
        "flow and exact, apart at the end": "apart",
        "flow, contacts at the end": "contacts",
        "flow, status": "status",
        "unreachable share": "unreachable",
    }
    table = Table(
        ["ρ", *columns.values()],
        [[number(row["radius"]), *(_plain(row[name]) for name in columns)] for row in rows],
    )
    texts = [
        f"The upper reach of Eq. 13 is below {number(facts['upper reach is below'])}: at every radius shown nearly all "
        "of the surface cannot be touched, and f_ρ is what the ball feels.",
        f"As printed (η = {number(facts['learning rate'])}, P = {number(facts['P'])}), with the gradient of Eq. 13, "
        f"γ = {number(facts['step size'])} is far too large for its curvature: over "
        f"{number(facts['steps of the printed method'])} steps the projector throws the foot about, and "
        f"{diverged} of {len(rows)} balls end with the status diverged.",
        "The authors' published script has two slips: the gradient Σ cos(k²θ)/k² instead of Σ cos(k²θ), and the normal "
        "(1, -g) instead of (-g, 1). With both the projector is tame (longest jumps in the table) and the centre draws "
        "a coarse path, which is what the paper says of its figure; but it is not the ball of Algorithm 1.",
        "The claim itself holds for the exact f_ρ, which is coarser with each larger ρ (bottom left). Exact feet and "
        f"flow ran for {number(facts['steps of the exact method'])} steps of η; where the ball did not fit at its "
        "start it was lifted.",
    ]
    return row, [Items(texts), table]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else number(value)


def figure4(facts: dict[str, Any], quick: bool) -> tuple[Row, list[Block]]:
    """The summary row of Figure 4, exploration on Eq. 14, and the blocks below its picture."""
    paper, descent = facts["paper"], facts["gradient descent"]
    stuck = all(row["inside by foot"] == 0 for row in paper if row["radius"] <= 3)
    crossed = all(row["inside by foot"] > 0 for row in paper if row["radius"] >= 4)

    def counts(name: str, by: str) -> str:
        return ", ".join(
            f"{row[f'inside by {by}']} of {row['starts']} (ρ = {number(row['radius'])})" for row in facts[name]
        )

    row = [
        "gradient descent and ρ ≤ 3 stuck, ρ ≥ 4 cross to the middle (10 starts)",
        f"by foot {counts('paper', 'foot')}; gradient descent {descent['inside by foot']} of {descent['starts']}",
        f"by foot {counts('exact', 'foot')}; by centre {counts('exact', 'centre')}",
        f"by foot {counts('flow', 'foot')}; by centre {counts('flow', 'centre')}",
        "agrees, but not by a ball" if stuck and crossed and descent["inside by foot"] == 0 else verdict(False),
    ]
    header = [
        "reading", "ρ", "starts", "inside |θ| < 1 by foot", "by centre", "median |θ| of the last foot", "median gap/ρ",
        "least gap/ρ", "gaps below -1 %", "feet over 0.05 from a nearer point",
    ]  # fmt: skip
    missed = "share of feet over 0.05 from a nearer point"
    lines = [
        [
            name, number(row["radius"]), number(row["starts"]), number(row["inside by foot"]),
            number(row["inside by centre"]), number(row["median distance of the foot at the end"]),
            number(row["median gap"]), number(row["least gap"]), number(row["share of gaps below -1 %"]),
            number(row[missed]) if missed in row else "",
        ]
        for name in ("paper", "exact", "flow")
        for row in facts[name]
    ]  # fmt: skip
    touch = Table(
        ["ρ", "points tried in |θ| < 1", "that the ball can touch", "on |θ|² alone none within"],
        [
            [
                number(row["radius"]),
                number(row["points"]),
                number(row["touchable"]),
                number(row["unreachable of the bowl"]),
            ]
            for row in facts["touchable"]
        ],
    )

    def depth(name: str) -> str:
        deepest = -min(row["least gap"] for row in facts[name])
        return f"up to {percent(deepest)} of the radius" if deepest > 1e-9 else "no more than rounding"

    least = min(row["share of gaps below -1 %"] for row in paper)
    shallow, deep = (pick(-row["median gap"] for row in paper) for pick in (min, max))
    there = "there" if stuck and crossed else "not there"
    texts = [
        f"The paper does not give σ. With σ = {number(facts['sigma'])} and the authors' centres (numpy's "
        f"RandomState(0), uniform in [-3, 3]²) the published threshold is {there}. The runs are chaotic: other starts "
        "give other counts.",
        f"But d(c) = ρ, which Section 4 assumes, fails by over 1 % in at least {percent(least)} of the frames "
        f"measured at each radius: the balls are inside the surface by {percent(shallow)} to {percent(deep)} of "
        f"their radius (medians), because P = {number(facts['P'])} steps of γ = {number(facts['step size'])} end far "
        "from the foot. What crosses is not a ball on the surface.",
        "For a ball that keeps d(c) = ρ the published result is impossible: a large one cannot touch the middle of the "
        "bowl (last table). In the flow, which keeps it, the centre ends over the middle for "
        f"{counts('flow', 'centre')}, and the foot for {counts('flow', 'foot')}: under a large ball it stays on the "
        "ring that carries it. So explore with the centre, then shrink the radius: the foot follows it in.",
        f"Exact feet and flow ran for {number(facts['steps of the exact method'])} steps of "
        f"η = {number(facts['learning rate'])}, from as many of the starts as the table says; where the ball did not "
        "fit at its start it was lifted. Gaps are measured from seeds, so a ball is at least so far inside. Even with "
        "exact feet Algorithm 1 lifts the ball along one normal only, and may press a large ball, which has contacts "
        f"on all sides, into the surface elsewhere. Here it was inside by {depth('exact')}, in the flow by "
        f"{depth('flow')}.",
    ]
    return row, [Items(texts), Table(header, lines), touch]


Words = Callable[[dict[str, Any], bool], tuple[Row, list[Block]]]
WORDS: dict[str, Words] = {"1": figure1, "2": figure2, "3": figure3, "4": figure4}
