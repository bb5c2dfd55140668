"""What a run records: one table, from which recording, slicing, appending, files and tensors follow.

A field of all trajectories is a row here, an attribute of :class:`~rollingball.Trajectory`, and a column that fills it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZES = {"T": "frames", "B": "balls", "E": "events of a ball", "d": "dimension", "h": "dimension + 1"}


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
