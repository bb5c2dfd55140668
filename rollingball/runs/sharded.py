"""Arrays that lie in the shards of a folder, and are read where they are used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

KEPT = 2**22  # bytes of an array that is kept once it was read

# What picks frames or balls: a range, or whole numbers (K,).
Chosen = Any
Reader = Callable[[Chosen, Chosen], np.ndarray]


class Sharded(np.lib.mixins.NDArrayOperatorsMixin):
    """An array over frames and balls, in place of one of NumPy.

    Slices, and picks of frames or of balls, read nothing; any other use reads what it needs and gives an array of
    NumPy.

    Args:
        read: Reads the chosen frames and balls.
        axes: What the first axes are: "TB", "T" or "B".
        chosen: The frames and the balls.
        rest: The shape of the other axes.
        dtype: The type of the numbers.
    """

    def __init__(
        self, read: Reader, axes: str, chosen: dict[str, Chosen], rest: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._read, self._axes, self._chosen, self._rest = read, axes, chosen, rest
        self._known: np.ndarray | None = None
        self.dtype = dtype
        self.shape = (*(len(chosen[letter]) for letter in axes), *rest)
        self.ndim, self.size = len(self.shape), math.prod(self.shape)
        self.nbytes = self.size * dtype.itemsize

    def __len__(self) -> int:
        """The length of the first axis."""
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of it, read."""
        array = self._known
        if array is None:
            array = self._read(self._chosen.get("T"), self._chosen.get("B"))
            if array.nbytes <= KEPT:
                self._known = array
        return np.array(array, dtype=dtype, copy=copy)

    def __getitem__(self, key: Any) -> Any:
        """Without a read where the key only picks frames or balls."""
        keys = self._keys(key)
        if keys is None or self._known is not None:
            return np.asarray(self)[key]
        if self.nbytes <= KEPT and (
            len(keys) > len(self._axes) or any(isinstance(one, (int, np.integer)) for one in keys)
        ):
            return np.asarray(self)[key]  # it is small, and read once
        left: list[Any] = []
        chosen = dict(self._chosen)
        for letter, pick in zip(self._axes, keys, strict=False):
            if isinstance(pick, (int, np.integer)):
                chosen[letter] = chosen[letter][pick : pick + 1 or None]
                if not len(chosen[letter]):
                    raise IndexError(f"index {pick} is out of bounds for an axis of {len(self._chosen[letter])}")
                left.append(0)
            else:
                chosen[letter] = _picked(chosen[letter], pick)
                left.append(slice(None))
        view = Sharded(self._read, self._axes, chosen, self._rest, self.dtype)
        rest = keys[len(self._axes) :]
        return view if 0 not in left and not rest else np.asarray(view)[(*left, *rest)]

    def _keys(self, key: Any) -> list[Any] | None:
        """A key as one pick for each axis; None where only NumPy knows what it means."""
        keys = list(key) if isinstance(key, tuple) else [key]
        dots = [number for number, one in enumerate(keys) if one is Ellipsis]
        if dots:
            keys[dots[0] : dots[0] + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        arrays = 0
        for number, one in enumerate(keys):
            if isinstance(one, (int, np.integer, slice)) and not isinstance(one, (bool, np.bool_)):
                continue
            if one is None or number >= len(self._axes) or np.ndim(one) != 1:
                return None
            keys[number] = np.asarray(one) if len(one) else np.zeros(0, dtype=int)
            arrays += 1
        plain = arrays == 0 or (arrays == 1 and all(isinstance(one, (slice, np.ndarray)) for one in keys))
        return keys if len(keys) <= self.ndim and plain else None

    def __iter__(self) -> Iterator[Any]:
        """Along the first axis."""
        return (self[number] for number in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        """What else an array of NumPy has."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Arithmetic, on what is read."""
        return getattr(ufunc, method)(*_plain(inputs), **options)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        """Functions of NumPy, on what is read."""
        return function(*_plain(inputs), **_plain(options))

    def __repr__(self) -> str:
        return f"Sharded({'x'.join(map(str, self.shape))} of {self.dtype})"


def _plain(value: Any) -> Any:
    """A value with arrays of NumPy in place of sharded ones."""
    if isinstance(value, Sharded):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(part) for part in value)
    return {name: _plain(part) for name, part in value.items()} if isinstance(value, dict) else value


def _picked(chosen: Chosen, pick: Any) -> Chosen:
    """Some of a choice; a range of a million balls is not made an array for a hundred of them."""
    if isinstance(pick, slice) or not isinstance(chosen, range):
        return chosen[pick]
    if pick.dtype.kind == "b" or (len(pick) and not (-len(chosen) <= pick.min() and pick.max() < len(chosen))):
        return np.asarray(chosen)[pick]  # a mask, or an IndexError
    return chosen.start + chosen.step * np.where(pick < 0, pick + len(chosen), pick)


def inside(chosen: Chosen, first: int, last: int) -> tuple[Any, Any]:
    """Which places of a choice lie within [first, last), and where these are, counted from ``first``."""
    if isinstance(chosen, range) and chosen.step > 0:
        begin = max(-(-(first - chosen.start) // chosen.step), 0)
        end = max(min(-(-(last - chosen.start) // chosen.step), len(chosen)), begin)
        low = chosen.start + begin * chosen.step - first
        return slice(begin, end), slice(low, low + (end - begin) * chosen.step, chosen.step)
    numbers = np.asarray(chosen)
    places = np.flatnonzero((numbers >= first) & (numbers < last))
    return places, numbers[places] - first
