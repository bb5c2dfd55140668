"""Heights that are missing: holes in the graph of a sampled surface."""

from typing import Any

import numpy as np

from rollingball.core.errors import InputError, array_of, numbers


def filled(field: str, heights: Any, skips: bool) -> tuple[np.ndarray, np.ndarray]:
    """Heights with the nearest one in place of each that is missing, and which are missing.

    Raises:
        InputError: for what is no array of finite numbers; with ``skips`` NaN and masked ones stand for missing ones.
    """
    allowed = "a list or a matrix of finite numbers"
    if not skips:
        samples = numbers(field, heights, allowed)
        return samples, np.zeros(samples.shape, dtype=bool)
    is_masked = np.ma.getmaskarray(heights) if isinstance(heights, np.ma.MaskedArray) else False
    array = array_of(field, np.ma.getdata(heights) if is_masked is not False else heights, allowed)
    is_missing = np.isnan(array) | is_masked
    if is_missing.size and is_missing.all():
        raise InputError(field, heights, f"{allowed}, one of them not missing")
    known = array[nearest_known(is_missing)] if is_missing.any() else array
    return numbers(field, known, allowed), is_missing


def nearest_known(is_missing: np.ndarray) -> tuple[np.ndarray, ...]:
    """The index of the nearest height that is there, for each height."""
    from scipy.ndimage import distance_transform_edt

    return tuple(distance_transform_edt(is_missing, return_distances=False, return_indices=True))


def known_cells(is_missing: np.ndarray, periodic: bool) -> np.ndarray:
    """1 for each cell none of whose corners is missing, else 0; one number where none is missing."""
    if not is_missing.any():
        return np.ones((1, 1))
    holes = is_missing
    for axis in range(is_missing.ndim):
        after = np.roll(holes, -1, axis=axis)
        holes = holes | after
        if not periodic:
            holes = np.delete(holes, -1, axis=axis)
    return np.where(holes, 0.0, 1.0).reshape(len(holes), -1)
