"""What a search found, on the host: sorted, padded, and with its certificate."""

from __future__ import annotations

import numpy as np

from rollingball.geometry.search import COMPLETE
from rollingball.status import Certificate


def ordered(minima: np.ndarray, *tables: np.ndarray) -> tuple[np.ndarray, ...]:
    """Counts (B,), values (B, m), points (B, m, d) and tables (B, m, ...) of minima, the lowest first, NaN beyond.

    m is the largest count, at least 1.
    """
    counts = minima["count"].astype(np.int64)
    places = np.arange(minima["values"].shape[1])
    beyond = places[None] >= counts[:, None]
    values = np.where(beyond, np.nan, minima["values"])
    order = np.argsort(values, axis=1, kind="stable")  # NaN last
    most = max(int(counts.max(initial=1)), 1)
    rows = np.arange(len(counts))[:, None]
    parts = [values, *(np.where(beyond[..., None], np.nan, part) for part in (minima["points"], *tables))]
    return (counts, *(part[rows, order][:, :most] for part in parts))


def certificates(minima: np.ndarray, known: bool) -> np.ndarray:
    """The Certificate of each search, where the bound of the Hessian was known or not."""
    best = Certificate.PROVEN if known else Certificate.ESTIMATED
    return np.where(minima["outcome"] == int(COMPLETE), best, Certificate.NONE)
