"""The machine code of the library's kernels for a CUDA device, read without one.

Each call below is made once on the CPU, small; every kernel that it launches is compiled for compute capability 9.0 as
Warp would on such a device, by NVRTC to PTX and by ptxas to machine code, and read:

* seconds: processor time of both compilers;
* registers of a thread, bytes of its stack, bytes spilled (stores and loads, in the code);
* kB of machine code;
* warps that a multiprocessor holds at once (65,536 registers, 64 warps);
* the instructions of its shortest inner loop that evaluates an exponential, which is that over wells, for each of them.

Needs nvidia-cuda-nvcc, nvidia-cuda-nvdisasm and pyelftools, which the extra ``bench`` installs. Run
``python benchmarks/gpu_code.py --help``.
"""

import argparse
import contextlib
import functools
import importlib.util
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import warp as wp
from elftools.elf.elffile import ELFFile
from machine import hardware

import rollingball as rb
from rollingball.core import launch as launches
from rollingball.methods.discrete import roll

ARCHITECTURE, REGISTERS, WARPS = 90, 65536, 64
Call = Callable[[], Any]


class Code(NamedTuple):
    """What was read of one kernel."""

    kernel: str
    seconds: float
    registers: int
    stack: int
    spilled: int
    kilobytes: float
    warps: int


def tool(name: str) -> Path:
    """The program of a package of NVIDIA's."""
    for package in ("nvidia.cu13", "nvidia.cu12", "nvidia.cuda_nvcc"):
        with contextlib.suppress(ModuleNotFoundError):
            found = importlib.util.find_spec(package)
            for folder in (found.submodule_search_locations or []) if found else []:
                if (Path(folder) / "bin" / name).exists():
                    return Path(folder) / "bin" / name
    raise SystemExit(f"{name} is missing: pip install 'rollingball[bench]'")


@contextlib.contextmanager
def captured() -> Iterator[dict[Any, int]]:
    """The kernels that are loaded meanwhile, with the threads of their blocks on a CUDA device."""
    found: dict[Any, int] = {}
    load = launches.load_together

    def noted(kernels: list[Any], device: str, block: int = 0) -> None:
        found.update(dict.fromkeys(kernels, block or launches.CUDA_BLOCK))
        load(kernels, device, block)

    launches.load_together = noted
    try:
        yield found
    finally:
        launches.load_together = load


@contextlib.contextmanager
def shared(yes: bool) -> Iterator[None]:
    """Whether a block of threads works on each ball, as on a CUDA device with few of them."""
    before, roll.shares_sums = roll.shares_sums, lambda plan: yes
    try:
        yield
    finally:
        roll.shares_sums = before


def read(kernel: Any, block: int, folder: Path) -> Code:
    """Compile a kernel and read its machine code."""
    began = time.process_time()
    kernel.module.options["block_dim"] = block
    (path,) = wp.compile_aot_module(kernel.module, arch=ARCHITECTURE, module_dir=folder, use_ptx=True)
    seconds = time.process_time() - began
    text, binary = folder / "kernel.ptx", folder / "kernel.cubin"
    text.write_text(path.read_text().rstrip("\0"))  # NVRTC ends it with a zero
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [tool("ptxas"), "-v", f"-arch=sm_{ARCHITECTURE}", text, "-o", binary]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    seconds += resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    registers = max(map(int, re.findall(r"Used (\d+) registers", said)))
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said)
    with binary.open("rb") as file:
        size = sum(section["sh_size"] for section in ELFFile(file).iter_sections() if section.name.startswith(".text"))
    name = f"{kernel.func.__module__.partition('.')[2]}.{kernel.func.__name__}"
    allocated = -(-registers // 8) * 8 * 32  # registers are given to a warp in eights for each thread
    return Code(
        name, seconds, registers, max(int(stack) for stack, _, _ in frames),
        sum(int(stores) + int(loads) for _, stores, loads in frames), size / 1000, min(REGISTERS // allocated, WARPS),
    )  # fmt: skip


def instructions_per_well(binary: Path) -> float:
    """The instructions for a well of the shortest inner loop over wells; NaN for a kernel without one.

    Each exponential has one instruction that shifts a whole number into the exponent, by 23 bits in float32 and by 20
    in the upper half of a float64.
    """
    text = subprocess.run([tool("nvdisasm"), "-c", binary], capture_output=True, text=True, check=True).stdout
    label: dict[str, int] = {}
    code: list[str] = []
    loops: list[tuple[int, int]] = []
    for line in text.splitlines():
        if named := re.match(r"^(\.L\w+):", line):
            label[named[1]] = len(code)
        elif instruction := re.search(r"/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            code.append(instruction[1])
            back = re.search(r"BRA.*`\((\.L\w+)\)", instruction[1])
            if back and back[1] in label:
                loops.append((label[back[1]], len(code)))
    inner = [one for one in loops if not any(two != one and one[0] <= two[0] and two[1] <= one[1] for two in loops)]
    found = []
    for begin, end in inner:
        exponentials = [
            one for one in code[begin:end] if re.search(r"(LEA|IMAD).*(0x17|0x14|0x800000|0x100000)\b", one)
        ]
        adds = [one for one in code[begin:end] if re.search(r"\b[FD]FMA\b", one)]
        if exponentials and len(adds) >= 6 * len(exponentials):
            found.append((end - begin) / len(exponentials))
    return min(found, default=float("nan"))


def calls() -> dict[str, Call]:
    """What is called, by name; most of it on the thousand wells of Eq. 14, whose kernels are the longest."""
    wells, formula = rb.surfaces.gaussian_wells(), rb.formula("0.3*x**2 + S*sin(3*x)*cos(2*y)", "x y", {"S": 0.1})
    steps, time_, start = {"steps": 1, "gap": None}, {"duration": 1e-3, "gap": None}, [[0.5, 0.5]]

    def steps_of(method: Any, dtype: str = "float64", surface: Any = wells) -> Call:
        return lambda: rb.simulate(surface, rb.Ball(0.1), method, start=start, lift=True, dtype=dtype, **steps)

    def time_of(method: Any, surface: Any = wells) -> Call:
        return lambda: rb.simulate(surface, rb.Ball(0.1), method, start=start, lift=True, **time_)

    def backwards(method: Any, length: dict[str, Any], surface: Any = formula) -> Call:
        run = functools.partial(rb.simulate, surface, rb.Ball(0.1), method, start=start, lift=True, **length)
        return lambda: rb.derivatives(run(), {"center": [[1.0, 0.0, 0.0]]}, surface=surface)

    body = functools.partial(rb.RigidBall, contact="unilateral", friction=0.2)
    local = rb.NewtonProjection()
    gradient = rb.FootpointRBO(0.01, projection=rb.GradientProjection(steps=20, step_size=0.01))
    exact = rb.FootpointRBO(0.01, projection=rb.GlobalProjection())
    precisions = ("float32", "float64")
    return {
        **{f"gradient descent, {dtype}": steps_of(rb.GradientDescent(0.01), dtype) for dtype in precisions},
        **{f"Algorithm 1 by gradients, {dtype}": steps_of(gradient, dtype) for dtype in precisions},
        **{f"Algorithm 1 by Newton, {dtype}": steps_of(rb.FootpointRBO(0.01, local), dtype) for dtype in precisions},
        "Algorithm 1, exact feet": steps_of(exact),
        "footpoint flow": time_of(rb.FootpointFlow()),
        "ironed flow": time_of(rb.IronedFlow()),
        "ironed flow of a formula": time_of(rb.IronedFlow(), formula),
        "ironed flow, Rosenbrock": time_of(rb.IronedFlow(rb.Rosenbrock())),
        "catching up": time_of(rb.IronedFlow(rb.CatchUp(1e-3))),
        "ball with mass, Rattle": time_of(body(integrator=rb.Rattle(1e-3))),
        "ball with mass, Dopri5": time_of(body(integrator=rb.Dopri5())),
        "ball with mass, MoreauJean": time_of(body(integrator=rb.MoreauJean(1e-3))),
        "contacts": lambda: rb.contacts(wells, start, 0.1),
        "project": lambda: rb.project(wells, [[0.5, 0.5, 2.0]]),
        "derivatives of Algorithm 1": backwards(rb.FootpointRBO(0.01, local), steps),
        "derivatives of the ironed flow": backwards(rb.IronedFlow(), time_),
        "derivatives of a ball with mass": backwards(body(integrator=rb.Rattle(1e-3)), time_),
    }


def row(name: str, code: Code, instructions: float) -> str:
    """A line of the table."""
    each = f"{instructions:.0f}" if np.isfinite(instructions) else ""
    return (
        f"| {name} | {code.kernel} | {code.seconds:.0f} | {code.registers} | {code.stack} | {code.spilled} "
        f"| {code.kilobytes:.0f} | {code.warps} | {each} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="The machine code of kernels for a CUDA device, read without one.")
    parser.add_argument("names", nargs="*", help="parts of names of calls; by default all")
    names = parser.parse_args().names
    print(hardware(), f"Warp {wp.__version__}", sep=", ")
    print("| call | kernel | seconds | registers | stack B | spilled B | kB | warps | instructions a well |")
    print("|---|---|---|---|---|---|---|---|---|")
    seen: set[Any] = set()
    for name, call in calls().items():
        if names and not any(part in name for part in names):
            continue
        blocks = (True, False) if name.startswith(("gradient", "Algorithm")) else (False,)
        for block in blocks:
            with shared(block), captured() as kernels:
                call()
            for kernel, threads in kernels.items():
                if kernel.module in seen:
                    continue
                seen.add(kernel.module)
                with tempfile.TemporaryDirectory() as folder:
                    code = read(kernel, threads, Path(folder))
                    on_wells = "formula" not in name and "derivatives" not in name
                    instructions = instructions_per_well(Path(folder) / "kernel.cubin") if on_wells else float("nan")
                print(row(f"{name}, a block a ball" if block else name, code, instructions), flush=True)


if __name__ == "__main__":
    main()
