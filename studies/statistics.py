"""Paired differences with bootstrap intervals, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

DRAWS = 10_000


def interval(differences: Sequence[float], share: float = 0.95) -> tuple[float, float, float]:
    """The mean of paired differences and the bootstrap interval of it: mean, low, high.

    Args:
        differences: One for each seed.
        share: How much of the bootstrap distribution is inside.
    """
    values = np.asarray(differences, dtype=float)
    random = np.random.default_rng(0)
    means = values[random.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(values.mean()), float(low), float(high)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation, as text."""
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1) if len(values) > 1 else 0.0:.1f}"


def in_words(settings: Mapping[str, float]) -> str:
    """Settings by name, those that are not 0, as text."""
    return ", ".join(f"{key} {value:g}" for key, value in settings.items() if value)


def signed(found: tuple[float, float, float]) -> str:
    """A mean difference with its interval, as text."""
    return f"{found[0]:+.1f} [{found[1]:+.1f}, {found[2]:+.1f}]"
