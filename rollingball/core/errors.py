"""The exceptions of the library, and the checks of arguments that raise them before anything is compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class RollingBallError(Exception):
    """The root of every error that rollingball raises on purpose."""


class InputError(RollingBallError, ValueError):
    """An argument that cannot be used; the message names the field, the value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field}: got {_short(value)}; allowed: {allowed}")
        self.field, self.value, self.allowed = field, value, allowed

    def under(self, path: str) -> InputError:
        """The same error with the name of its field put after the name of the table that holds it, ``path``."""
        return InputError(f"{path}.{self.field.removeprefix('$.')}", self.value, self.allowed)


class FileError(RollingBallError, OSError):
    """A file that cannot be read or written in the expected format; the message names the file."""


class BallError(RollingBallError, RuntimeError):
    """Raised by ``simulate(throw=True)`` when a ball ended with a failure status."""


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run: ``trajectory`` is what had been rolled until then."""

    def __init__(self, trajectory: Any) -> None:
        super().__init__(f"interrupted: {trajectory!r} is kept")
        self.trajectory = trajectory


def _short(value: object) -> str:
    """The repr of a value on one line, cut at 120 characters."""
    try:
        text = " ".join(repr(value).split())  # an array's repr has line breaks
    except (RecursionError, ValueError):  # too deep, or an integer of too many digits
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= 120 else text[:117] + "..."


def some(mask: Any) -> bool:
    """Whether any entry of a mask is true; on small arrays ``mask.any()`` takes three times as long."""
    return bool(np.count_nonzero(mask) if mask.ndim else mask)


def array_of(field: str, value: Any, allowed: str) -> NDArray[Any]:
    """``value`` as an array of its own shape and type, or an :class:`InputError` where it is none of numbers.

    Masked entries are refused, and so are torch tensors that require a gradient, which would be lost.
    """
    for part in value if isinstance(value, (list, tuple)) else (value,):
        if getattr(part, "requires_grad", False) and hasattr(part, "detach"):
            where = "rb.pytorch.simulate differentiates by tensors, and detach() drops it"
            raise InputError(field, value, f"{allowed}, numbers that carry no gradient; {where}")
        # numpy.ma, which takes long to import, is there where a masked array is
        if hasattr(part, "mask") and isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part):
            raise InputError(field, value, f"{allowed}, none of them masked")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise InputError(field, value, allowed) from None
    # "2" and True are not numbers here; scenes would write a view of memory as text
    if array.dtype.kind not in "iuf" or isinstance(value, memoryview):
        raise InputError(field, value, f"{allowed}{_wrong_type(value, array)}")
    return array


def _wrong_type(value: Any, array: NDArray[Any]) -> str:
    """That the type of ``value`` is at fault, in words, where its repr may look like what is allowed."""
    kinds = [type(item).__name__ for item in array.flat if isinstance(item, Number)] if array.dtype == object else []
    name = next((kind for kind in kinds if kind not in ("int", "float", "bool")), "")
    if not name and hasattr(value, "dtype"):
        name = str(array.dtype)
    return f"; as float or int, not as {name}" if name else ""


def numbers(field: str, value: Any, allowed: str = "finite numbers") -> FloatArray:
    """``value`` as a float64 array of its own shape, or an :class:`InputError` where not all are finite numbers.

    The error says where a NaN or an infinity stands. What :func:`array_of` refuses is refused.
    """
    if type(value) is float and math.isfinite(value):  # the commonest case, in a fifth of the time
        return np.array(value)
    array = array_of(field, value, allowed)
    with np.errstate(over="ignore"):  # a long double beyond float64 is infinite
        floats = array.astype(np.float64)
    if floats.size == 0:
        raise InputError(field, value, f"{allowed}, one or more")
    if some(~np.isfinite(floats)):
        raise InputError(field, value, f"{allowed}; {_where(floats)}")
    return floats


def _where(floats: FloatArray) -> str:
    """Where the first number that is not finite stands, what it is, and how many there are."""
    places = np.argwhere(~np.isfinite(floats))
    first = tuple(int(index) for index in places[0])
    value = float(floats[first])
    name = "NaN" if math.isnan(value) else "infinity" if value > 0 else "minus infinity"
    if not first:
        return name
    several = f", {len(places)} in all" if len(places) > 1 else ""
    return f"{name} stands at index {first[0] if len(first) == 1 else first}{several}"


def positive(field: str, value: Any) -> FloatArray:
    """``value`` as a float64 array of finite numbers above zero."""
    array = numbers(field, value, "finite numbers above 0")
    if some(array <= 0):
        raise InputError(field, value, "finite numbers above 0")
    return array


def not_negative(field: str, value: Any) -> FloatArray:
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
    """``value`` as an int of ``least`` or above and below 2**31; booleans and fractions are refused."""
    allowed = f"a whole number, {least} or above"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(field, value, allowed)
    if value > 2**31 - 1:
        raise InputError(field, value, "a whole number below 2**31")
    return int(value)


def one_of(field: str, value: Any, choices: Sequence[str | None]) -> str:
    """``value`` if it is among ``choices``, or an :class:`InputError` that lists them."""
    is_word = value is None or isinstance(value, str)  # an array would be compared entry by entry
    if not is_word or value not in choices:
        raise InputError(field, value, ", ".join(repr(choice) for choice in choices))
    return str(value)


def flag(field: str, value: Any) -> bool:
    """``value`` if it is True or False, also of NumPy; the text "False" would be true."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(field, value, "True or False")
    return bool(value)


def within_rounding(values: FloatArray, low: float, high: float) -> FloatArray | None:
    """``values``, those beyond [low, high] by no more than rounding moved onto its ends; None where one is farther out.

    Times such as ``np.arange(4) * 0.1`` miss the 0.3 that is meant by their last bit.
    """
    slack = 8 * np.finfo(np.float64).eps * max(abs(low), abs(high))
    if some((values < low - slack) | (values > high + slack)):
        return None
    return np.clip(values, low, high)


def points(field: str, value: Any, dim: int) -> FloatArray:
    """``value`` as a float64 array (B, dim) of finite numbers: one point may be (dim,), or a number if dim is 1."""
    allowed = f"finite numbers of shape ({dim},) or (B, {dim})"
    array = numbers(field, value, allowed)
    if array.ndim == 0 and dim == 1:
        array = array.reshape(1, 1)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != dim:
        raise InputError(field, value, allowed)
    return array
