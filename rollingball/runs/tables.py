"""A run as a table of pandas or a data set of xarray, and as files of them."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.core.errors import FileError, InputError, RollingBallError
from rollingball.core.files import beside, synchronise
from rollingball.core.machine import free_memory, in_words
from rollingball.core.status import Status
from rollingball.runs.fields import FIELDS

KINDS = (".nc", ".parquet", ".csv")
AXES = {"d": "axis", "h": "center_axis", "1": "spin_axis", "3": "spin_axis"}


def to_xarray(run: Any) -> Any:
    """The data set of a run (see :meth:`rollingball.Trajectory.to_xarray`)."""
    xarray = _package("xarray", "to_xarray")
    _check_memory(run)
    variables: dict[str, Any] = {}
    for field in FIELDS:
        values = getattr(run, field.name)
        if values is None:
            continue
        letters = next(axes for axes in field.axes if len(axes) == values.ndim)
        dims = [{"T": "frame", "B": "ball", **AXES}[letter] for letter in letters]
        variables[field.name] = (dims, np.asarray(values))
    coordinates = {name: variables.pop(name) for name in ("step", "time")}
    coordinates |= {"axis": np.arange(run.dim), "center_axis": [*map(str, range(run.dim)), "height"]}
    words = {"status_meanings": json.dumps({int(status): status.name.lower() for status in Status})}
    told = {"scene": json.dumps(run.scene), "seconds": run.seconds, "certified": int(run.certified), **words}
    plain = {
        f"{table}.{name}": value
        for table in ("surface", "ball", "run", "versions")
        for name, value in (run.scene.get(table) or {}).items()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    }
    return xarray.Dataset(variables, coords=coordinates, attrs={**plain, **told})


def to_dataframe(run: Any) -> Any:
    """The table of a run (see :meth:`rollingball.Trajectory.to_dataframe`)."""
    pandas = _package("pandas", "to_dataframe")
    _check_memory(run)
    frames, balls = len(run), run.balls
    columns: dict[str, np.ndarray] = {}
    for field in FIELDS:
        values = getattr(run, field.name)
        if values is None or field.name in ("steps", "evaluations"):
            continue
        values = np.asarray(values)
        letters = next(axes for axes in field.axes if len(axes) == values.ndim)
        if "B" not in letters:
            values = values[:, None]
        elif "T" not in letters:
            values = values[None]
        values = np.broadcast_to(values, (frames, balls, *values.shape[2:]))
        values = values.reshape(frames * balls, math.prod(values.shape[2:]))
        for number in range(values.shape[1]):
            last = letters.endswith("h") and number == run.dim
            name = f"{field.name}_{'height' if last and field.name == 'center' else number}"
            columns[name if len(letters) == 3 else field.name] = values[:, number]
    index = pandas.MultiIndex.from_product([range(frames), range(balls)], names=["frame", "ball"])
    return pandas.DataFrame(columns, index=index)


def write_table(run: Any, path: Path) -> str:
    """Write a run as a file that other programs read, whole or not at all; what was written, in words.

    Raises:
        InputError: for a name that ends in none of .nc, .parquet and .csv.
        RollingBallError: without the package that writes it.
        FileError: when it cannot be written.
    """
    if path.suffix not in KINDS:
        raise InputError("to", str(path), f"a name that ends in {', '.join(KINDS)}")
    temporary = None
    try:
        temporary = beside(path)
        if path.suffix == ".nc":
            for package in ("h5netcdf", "h5py"):
                _package(package, "a .nc file")
            data = to_xarray(run)
            data.to_netcdf(temporary, engine="h5netcdf")
            text = ", ".join(f"{count} {name}s" for name, count in data.sizes.items() if name in ("frame", "ball"))
        elif path.suffix == ".parquet":
            _package("pyarrow", "a .parquet file")
            table = to_dataframe(run)
            table.to_parquet(temporary, engine="pyarrow")
            text = f"{len(table)} rows"
        else:
            table = to_dataframe(run)
            table.to_csv(temporary)
            text = f"{len(table)} rows"
        os.replace(temporary, path)
        synchronise(path.parent)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    return f"{path}: {text}"


def _package(name: str, what: str) -> Any:
    """A package that an extra brings.

    Raises:
        RollingBallError: where it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise RollingBallError(f"{what} needs {name}: pip install 'rollingball[tables]'") from None


def _check_memory(run: Any) -> None:
    """Refuse a run, read from a folder, whose table does not fit in memory."""
    numbers = sum(getattr(run, field.name).size for field in FIELDS if getattr(run, field.name) is not None)
    free = free_memory()
    if free is not None and 16 * numbers > free:
        allowed = f"at most {in_words(free)}, which is free; pick frames with run[...] or balls with select"
        raise InputError("trajectory", f"{run!r}, {in_words(16 * numbers)} as a table", allowed)
