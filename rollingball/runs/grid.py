"""How a run is cut into shards: balls into blocks, and the frames of each block into legs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """A run as a grid of shards; it depends on the run alone, and not on who rolls it.

    Attributes:
        balls: The balls B of the run.
        frames: Its frames T.
        width: The balls of each block, but for the last.
        length: The frames of each leg after the first, but for the last; the first leg has one more, the start.
    """

    balls: int
    frames: int
    width: int
    length: int

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.balls // self.width)

    @property
    def legs(self) -> int:
        """How many legs each block has."""
        return max(-(-(self.frames - 1) // self.length), 1)

    def block(self, number: int) -> tuple[int, int]:
        """The first ball of a block, and that after its last."""
        return number * self.width, min((number + 1) * self.width, self.balls)

    def leg(self, number: int) -> tuple[int, int]:
        """The frame from which a leg rolls, and the frame to which."""
        return number * self.length, min((number + 1) * self.length, self.frames - 1)

    def rows(self, number: int) -> tuple[int, int]:
        """The first frame that the shard of a leg holds, and that after its last."""
        begin, end = self.leg(number)
        return begin + (number > 0), end + 1

    def name(self, block: int, leg: int) -> str:
        """The name of the file of a shard."""
        return f"{block:06d}-{leg:06d}.safetensors"
