"""What a run records: one table, from which recording, slicing, appending, files and tensors follow.

A field of all trajectories is a row here, an attribute of :class:`~rollingball.Trajectory`, and a column that fills it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollingball.core.errors import InputError

SIZES = {"T": "frames", "B": "balls", "E": "events of a ball", "d": "dimension", "h": "dimension + 1"}

STATE, EVENTS = "state.", "events."  # before their names in files


@dataclass(frozen=True)
class Field:
    """One array of a trajectory.

    Attributes:
        name: The attribute that holds it.
        axes: The shapes that it may have, a letter or a digit for each axis: T frames, B balls, E events of a ball,
            d the dimension, h one more than it.
        kind: "f" for real numbers, "i" for whole ones.
        optional: Whether some methods leave it out.
        event: Whether it is a part of ``events``.
    """

    name: str
    axes: tuple[str, ...]
    kind: str = "f"
    optional: bool = False
    event: bool = False

    def shapes(self, sizes: dict[str, int]) -> list[tuple[int, ...]]:
        """The shapes that it may have, with the size of each letter."""
        return [tuple(sizes[letter] if letter in sizes else int(letter) for letter in axes) for axes in self.axes]

    def bytes_of(self, dim: int, width: int = 8) -> int:
        """The bytes of one frame of one ball in R^dim; ``width`` are those of a number of the foot."""
        sizes = {"T": 1, "B": 1, "d": dim, "h": dim + 1}
        numbers = math.prod(sizes[letter] if letter in sizes else int(letter) for letter in self.axes[-1])
        return numbers * (width if self.name == "foot" else 8)

    def axis(self, letter: str, array: np.ndarray) -> int | None:
        """The axis of an array of this field along which the frames (T) or the balls (B) lie; None if it has none."""
        axes = next(axes for axes in self.axes if len(axes) == array.ndim)
        return axes.index(letter) if letter in axes else None


FIELDS = (
    Field("step", ("T",), "i"),
    Field("time", ("T", "TB")),
    Field("foot", ("TBd",)),
    Field("center", ("TBh",)),
    Field("loss", ("TB",)),
    Field("gap", ("TB",)),
    Field("residual", ("TB",)),
    Field("radius", ("TB",)),
    Field("status", ("B",), "i"),
    Field("steps", ("B",), "i"),
    Field("evaluations", ("B",), "i"),
    # of methods in continuous time
    Field("contacts", ("TB",), "i", optional=True),
    # of balls with mass
    Field("velocity", ("TBh",), optional=True),
    Field("spin", ("TB1", "TB3"), optional=True),
    Field("energy", ("TB",), optional=True),
    Field("normal_force", ("TB",), optional=True),
    Field("slip", ("TB",), optional=True),
)
EVENT_FIELDS = (
    Field("time", ("BE",), event=True),
    Field("kind", ("BE",), "i", event=True),
    Field("contacts", ("BE",), "i", event=True),
    Field("center", ("BEd",), event=True),
)
REQUIRED = tuple(field.name for field in FIELDS if not field.optional)
# What a run may leave out: the others say when a frame was, and how each ball ended.
COLUMNS = tuple(field.name for field in FIELDS if not field.optional and field.axes[0][:2] == "TB")
BODY_COLUMNS = ("velocity", "spin", "energy", "normal_force", "slip")


def checked_columns(record: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the columns that a run records, all that are known where ``record`` is None.

    Raises:
        InputError: for what is no collection of their names.
    """
    if record is None:
        return known
    several = isinstance(record, Collection) and not isinstance(record, (str, bytes))
    if not several or not all(isinstance(name, str) and name in known for name in record):
        raise InputError("record", record, f"some of {', '.join(known)}")
    return tuple(name for name in known if name in record)
