"""How large the parts of a scene or of a saved run may be: checked by name, before memory is asked for.

The page docs/limits.md shows this table. It bounds memory; how long a run takes is not bounded.
"""

from __future__ import annotations

from typing import NamedTuple

from rollingball.core.errors import InputError


class Limit(NamedTuple):
    """The most that is allowed, and what of."""

    most: int
    of: str


LIMITS = {
    "file": Limit(2**26, "bytes of a scene file"),
    "runs": Limit(1000, "runs of a scene"),
    "dim": Limit(256, "dimensions of a surface"),
    "terms": Limit(10**6, "terms of a series"),
    "wells": Limit(10**7, "coordinates of all wells together"),
    "starts": Limit(10**7, "coordinates of all starts together, each radius from each start"),
    "steps": Limit(10**8, "steps of a schedule"),
    "recorded": Limit(2**32, "numbers recorded of a run of a scene: frames x balls x (2 d + 6)"),
    "frames": Limit(10**6, "frames of [compare]"),
    "radii": Limit(10**5, "radii of [iron.delta]"),
    "grid": Limit(10**7, "starts of [sensitivity]"),
    "pictures": Limit(10**5, "pictures of a film: fps x seconds"),
}


def within(limit: str, field: str, value: object, size: float) -> None:
    """Refuse a ``value`` whose ``size`` is over a limit.

    Args:
        limit: The name of the limit.
        field: What the value is called where it was given.
        value: The value, for the error.
        size: How large it is, in what the limit counts.

    Raises:
        InputError: for a size over the limit.
    """
    most, of = LIMITS[limit]
    if not size <= most:
        raise InputError(field, value, f"at most {most:,} {of}")
