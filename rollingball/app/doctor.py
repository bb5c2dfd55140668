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
DRIVERS = {12: "driver R525 or newer", 13: "driver R580 or newer"}  # by the major version of CUDA
EXTRAS = {
    "test": ("pytest", "pytest-xdist", "hypothesis", "jsonschema", "scikit-learn", "pytorch_optimizer"),
    "bench": (
        "jax",
        "diffrax",
        "numba",
        "scikit-image",
        "mujoco",
        "pytorch_optimizer",
        "nvidia-cuda-nvcc",
        "nvidia-cuda-nvdisasm",
        "pyelftools",
    ),
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


def cuda_lines(toolkit: tuple[int, int] | None, driver: tuple[int, int] | None) -> list[str]:
    """The CUDA toolkit of Warp, the driver that is there and the one that is needed.

    Args:
        toolkit: The version of CUDA that Warp was built with, (major, minor); None without CUDA.
        driver: The newest version of CUDA that the driver knows; None without a driver.
    """
    if toolkit is None:
        return ["Warp was built without CUDA"]
    needed = DRIVERS.get(toolkit[0], f"a driver for CUDA {toolkit[0]}")
    there = "no driver found" if driver is None else f"the driver is for CUDA {driver[0]}.{driver[1]}"
    line = f"Warp has CUDA {toolkit[0]}.{toolkit[1]}, which needs {needed}; {there}"
    old = driver is not None and driver[0] < toolkit[0]
    return [line, "the driver is too old, so no CUDA device is seen: update it"] if old else [line]


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
    lines += [f"  {line}" for line in cuda_lines(wp.get_cuda_toolkit_version(), wp.get_cuda_driver_version())]
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
