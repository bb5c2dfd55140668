"""The command ``rollingball doctor``: versions, devices and the kernel cache, for a first look and for bug reports."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path

NEEDED = (
    "rollingball",
    "warp-lang",
    "numpy",
    "scipy",
    "torch",
    "matplotlib",
    "pillow",
    "msgspec",
    "tyro",
    "safetensors",
    "tqdm",
)
EXTRAS = {
    "test": ("pytest", "pytest-xdist", "hypothesis", "jsonschema", "scikit-learn", "pytorch_optimizer"),
    "bench": ("jax", "diffrax", "numba", "scikit-image", "mujoco", "pytorch_optimizer"),
    "experiments": ("scikit-learn", "pytorch_optimizer"),
    "view": ("viser",),
    "tables": ("xarray", "pandas", "h5netcdf", "h5py", "pyarrow"),
    "usd": ("usd-core",),
    "rerun": ("rerun-sdk",),
    "docs": ("sphinx", "myst-parser"),
}


def version(package: str) -> str | None:
    """The installed version of a package, or None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def file_sizes(folder: Path) -> list[int]:
    """The size in bytes of each file below a folder; a file that another program deletes meanwhile is passed over."""
    sizes = []
    for where, _folders, names in os.walk(folder):  # passes over a folder that has just gone
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                sizes.append((Path(where) / name).stat().st_size)
    return sizes


def report() -> str:
    """The report as lines of text: versions, devices, the kernel cache, and the packages that are missing.

    Raises:
        FileError: when Warp cannot make its folder of compiled kernels.
    """
    import warp as wp

    from rollingball.core.launch import kernel_cache

    with kernel_cache():
        wp.init()
    lines = [f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    lines += [f"  {package:12} {version(package) or 'MISSING: pip install ' + package}" for package in NEEDED]
    lines.append("devices")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for device in wp.get_devices():
        lines.append(f"  {device!s:12} " + (f"{cores} cores" if device.is_cpu else str(device.name)))
    if not wp.is_cuda_available():
        lines.append("  no CUDA device; everything runs on the CPU")
    cache = Path(wp.config.kernel_cache_dir or "")
    sizes = file_sizes(cache)
    lines.append(f"kernel cache\n  {cache}: {sum(sizes) / 2**20:.0f} MiB in {len(sizes)} files")
    lines.append("extras")
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if version(package) is None]
        state = "complete" if not missing else f"without {', '.join(missing)}: pip install 'rollingball[{extra}]'"
        lines.append(f"  {extra:12} {state}")
    return "\n".join(lines)
