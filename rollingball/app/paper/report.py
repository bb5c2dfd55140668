"""The command ``rollingball paper``: it measures and draws each figure of the paper and writes a report of them."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rollingball.app.paper.page import Block, Heading, Items, Paragraph, Picture, Table, markdown, to_html
from rollingball.app.paper.words import WORDS, number
from rollingball.core.errors import one_of

FIGURES = tuple(WORDS)
TITLE = "The figures of the rolling ball paper, made again"
CITATION = (
    "M. D. Belgoumri, M. R. Bouadjenek, H. Hacid, I. Razzak, S. Aryal: Navigating loss manifolds via rigid body "
    "dynamics: A promising avenue for robustness and generalisation, 2025, arXiv 2505.19527"
)
SHOWS = {
    "1": "One update step of the rolling ball optimizer",
    "2": "Δ(ρ) of the sine",
    "3": "Centre trajectories on Eq. 13",
    "4": "Exploration and exploitation on Eq. 14",
}


def make(out: Path, figures: Sequence[str] = FIGURES, quick: bool = False) -> None:
    """Measure and draw figures of the paper and write the report, as figureN.png and report.md, .html and .json.

    Args:
        out: The folder to write to; it is made where it is missing.
        figures: The numbers of the figures, "1" to "4"; the report is about these.
        quick: Whether to roll fewer balls and steps, for a first look.

    Raises:
        InputError: for a figure that the paper does not have.
        FileError: when ``out`` cannot be written, or another process writes there.
    """
    from rollingball.core.files import locked_folder, writable, write_beside
    from rollingball.plot import png

    names = sorted({one_of("figures", name, FIGURES) for name in figures} or FIGURES)
    writable(out)
    with locked_folder(out):
        print("figures of the paper", flush=True)
        content: dict[str, Any] = {"quick": quick, "figures": {}, "seconds": {}}
        for name in names:
            print(f"  figure {name}: {SHOWS[name]} ...", flush=True)
            part = importlib.import_module(f"rollingball.app.paper.figure{name}")
            began, processor_began = time.perf_counter(), time.process_time()
            numbers, runs, surface = part.measure(quick)
            write_beside(out / f"figure{name}.png", png(part.draw(numbers, runs, surface)))
            content["figures"][name] = numbers
            seconds = round(time.perf_counter() - began, 1), round(time.process_time() - processor_began, 1)
            content["seconds"][name] = dict(zip(("wall", "processor"), seconds, strict=True))
            print(f"    {out}/figure{name}.png, in {seconds[0]:g} s, {seconds[1]:g} s of a processor", flush=True)
        blocks = page(content)
        write_beside(out / "report.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
        write_beside(out / "report.md", markdown(blocks).encode())
        write_beside(out / "report.html", to_html(blocks, TITLE).encode())
        print(f"  {out}/: report.md, report.html, report.json")


def page(content: dict[str, Any]) -> list[Block]:
    """The blocks of the report, from the content of report.json."""
    texts = {name: WORDS[name](numbers, content["quick"]) for name, numbers in content["figures"].items()}
    blocks: list[Block] = [Heading(TITLE, 1)]
    if content["quick"]:
        blocks.append(Paragraph("A quick run, of fewer balls and steps: where balls end is not yet where they rest."))
    blocks += [
        Paragraph(
            f"The paper: {CITATION}. The column of what was published says what it shows; every number of the other "
            "columns and below was computed in this run."
        ),
        Items(
            [
                "The paper's method here: Algorithm 1 with its projector, P gradient steps of size γ, its parameters.",
                "Exact: Algorithm 1 with the nearest point of the whole graph as foot, by global search.",
                "Flow: the continuous limit, the gradient flow of f_ρ, the height at which a ball of radius ρ rests.",
            ]
        ),
        Table(
            ["figure", "published", "the paper's method here", "exact", "flow", "published and the paper's method"],
            [[name, *row] for name, (row, _more) in texts.items()],
        ),
    ]  # fmt: skip
    for name, (_row, more) in texts.items():
        text = f"Figure {name}: {SHOWS[name]}"
        blocks += [Heading(text), Picture(f"figure{name}.png", text), *more]
    times = ", ".join(
        f"figure {name} {number(spent['wall'])} s ({number(spent['processor'])} s of a processor)"
        for name, spent in content["seconds"].items()
    )
    blocks += [Heading("Time"), Paragraph(f"To measure and draw, with compiling where kernels were new: {times}.")]
    return blocks
