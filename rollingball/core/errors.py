"""What the library raises, and the checks that raise it before anything is compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


class RollingBallError(Exception):
    """The root of every error that rollingball raises on purpose."""


class InputError(RollingBallError, ValueError):
    """An argument that cannot be used: names the field, the value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field}: got {_short(value)}; allowed: {allowed}")
        self.field, self.value, self.allowed = field, value, allowed

    def under(self, path: str) -> InputError:
        """The same error with its field inside a larger one."""
        return InputError(f"{path}.{self.field.removeprefix('$.')}", self.value, self.allowed)


class FileError(RollingBallError, OSError):
    """A file that cannot be read or written as what it should be; names the file."""


class BallError(RollingBallError, RuntimeError):
    """Raised by ``simulate(throw=True)`` when a ball ended with a failure status."""


def _short(value: object) -> str:
    try:
        text = " ".join(repr(value).split())  # an array's repr has line breaks
    except (RecursionError, ValueError):  # too deep, or an integer of too many digits
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= 120 else text[:117] + "..."


def some(mask: Any) -> bool:
    """Whether any is true: for a few of them ``mask.any()`` takes three times as long."""
    return bool(np.count_nonzero(mask) if mask.ndim else mask)


def numbers(field: str, value: Any, allowed: str = "finite numbers") -> np.ndarray:
    """``value`` as a float64 array of finite numbers, or an :class:`InputError`."""
    if type(value) is float and math.isfinite(value):  # the most frequent, in a fifth of the time
        return np.array(value)
    try:
        given = np.asarray(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(field, value, allowed) from None
    if given.dtype.kind not in "iuf":  # "2" and True are not numbers here
        raise InputError(field, value, allowed)
    array = given.astype(np.float64)
    if array.size == 0 or some(~np.isfinite(array)):
        raise InputError(field, value, allowed)
    return array


def positive(field: str, value: Any) -> np.ndarray:
    """``value`` as a float64 array of finite numbers above zero."""
    array = numbers(field, value, "finite numbers above 0")
    if some(array <= 0):
        raise InputError(field, value, "finite numbers above 0")
    return array


def not_negative(field: str, value: Any) -> np.ndarray:
    """``value`` as a float64 array of finite numbers, none below zero."""
    array = numbers(field, value, "finite numbers, 0 or above")
    if some(array < 0):
        raise InputError(field, value, "finite numbers, 0 or above")
    return array


def scalar(field: str, value: Any) -> float:
    """``value`` as one finite number."""
    array = numbers(field, value, "one finite number")
    if array.ndim != 0:
        raise InputError(field, value, "one finite number")
    return float(array)


def positive_scalar(field: str, value: Any) -> float:
    """``value`` as one finite number above zero."""
    if scalar(field, value) <= 0:
        raise InputError(field, value, "one finite number above 0")
    return float(value)


def whole(field: str, value: Any, least: int = 0) -> int:
    """``value`` as a whole number, ``least`` or above (booleans and 3.5 are refused)."""
    allowed = f"a whole number, {least} or above"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(field, value, allowed)
    if value > 2**31 - 1:
        raise InputError(field, value, "a whole number below 2**31")
    return int(value)


def one_of(field: str, value: Any, choices: Sequence[str]) -> str:
    """``value`` as one of ``choices``."""
    if value not in choices:
        raise InputError(field, value, ", ".join(repr(choice) for choice in choices))
    return value


def points(field: str, value: Any, dim: int) -> np.ndarray:
    """``value`` as an array (B, dim) of finite numbers; (dim,) is one point, a number is one point in 1-D."""
    allowed = f"finite numbers of shape ({dim},) or (B, {dim})"
    array = numbers(field, value, allowed)
    if array.ndim == 0 and dim == 1:
        array = array.reshape(1, 1)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != dim:
        raise InputError(field, value, allowed)
    return array
