"""The proof that a ball has one contact, which it carries along, and whose turn it is to roll the ball."""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import Numeric

# Whose turn it is to roll a ball:
SEARCHED = wp.constant(0)  # of the program that seeks all contacts
SINGLE = wp.constant(1)  # of that for balls which are proved to have one
STEPPED = wp.constant(2)  # of the first, for at least one step
UNPLACED = wp.constant(-1)  # of the first, which places the ball too
MOST_RETURNS = wp.constant(16)  # to the program for one contact; then all are sought to the end


@compiled
def proof_struct(numeric: Numeric) -> Any:
    """The Warp struct of the proof that a ball has one contact, and of the derivatives by which that is followed."""
    wide, matrix = numeric.wide.vector, numeric.wide.matrix

    @wp.struct
    class Proof:
        turn: int  # whose it is: SEARCHED, STEPPED, SINGLE or UNPLACED
        returns: int  # how often the proof was found again
        wait: int  # steps until it is sought again, and how many they were at first
        waited: int
        center: wide  # from where the centre may go so far
        room: wp.float64
        derivative: matrix  # of the foot by the centre
        change: matrix  # of that along the last way of the centre
        way: wide

    return Proof


@compiled
def within_program(numeric: Numeric) -> Any:
    """``is_within(Proof, x, way, bend) -> bool``: whether all so near to the line from x to x + way is proved."""
    wide, proof_type = numeric.wide.vector, proof_struct(numeric)

    @wp.func
    def is_within(proof: proof_type, x: wide, way: wide, bend: wp.float64):
        away = x - proof.center
        farthest = wp.max(wp.length_sq(away), wp.length_sq(away + way))
        left = proof.room - bend
        return left >= wp.float64(0.0) and farthest <= left * left

    return is_within
