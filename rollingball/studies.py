"""What the commands iron and compare do with a scene: numbers, files and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rollingball.errors import FileError, InputError


def iron_scene(source: str, overrides: dict[str, str], out: Path) -> None:
    """Draw f_rho, contacts and Delta of a scene into ``out``: iron.png, and the numbers of Delta in iron.json."""
    from rollingball.geometry.delta import asymptote, delta
    from rollingball.plot import ironing_sheet, png
    from rollingball.scene import load_scene
    from rollingball.trajectory_file import write_beside

    scene = load_scene(source, overrides)
    if scene.iron is None or scene.plot is None:
        raise InputError("$.iron", None, "a table [iron] with radii, and a box in [plot]")
    scene.check()
    writable(out)
    surface, box, table = scene.build_surface(), scene.plot.box, scene.iron.delta
    print(f"{scene.title or source}: new kernels take some seconds to compile, once", flush=True)
    content: dict[str, Any] = {"box": box, "radii": scene.iron.radii}
    deltas: dict[str, Any] = {}
    limits, delta_radii = {}, None
    if table is not None:
        delta_radii = table.radii()
        deltas = {graph: delta(surface, delta_radii, box, graph) for graph in table.graph}
        limits = {graph: asymptote(surface, box, graph) for graph in table.graph}
        print("".join(f"{name:>18}" for name in ("radius", *(f"Delta, {graph}" for graph in deltas))))
        for row in zip(delta_radii, *deltas.values(), strict=True):
            print("".join(f"{number:18.9g}" for number in row))
        for graph, limit in limits.items():
            print(f"  {graph} graph: radius x Delta tends to {limit:.9g}")
        known = {graph: limit if limit == limit else None for graph, limit in limits.items()}
        content["delta"] = {"radii": delta_radii.tolist(), **{name: part.tolist() for name, part in deltas.items()}}
        content["limit of radius x delta"] = known
    figure = ironing_sheet(surface, scene.iron.radii, box, scene.title, deltas, delta_radii, limits)
    write_beside(out / "iron.png", png(figure))
    write_beside(out / "iron.json", json.dumps(content, indent=2).encode())
    print(f"  {out}/: iron.png, iron.json")


def compare_scene(source: str, overrides: dict[str, str], out: Path) -> None:
    """Compare discrete runs of a scene with the flow, into ``out``: the runs, compare.json and compare.png."""
    import numpy as np

    from rollingball.ball import Ball
    from rollingball.compare import compare
    from rollingball.geometry.projection import GlobalProjection
    from rollingball.methods import Dopri5, FootpointRBO, IronedFlow
    from rollingball.plot import comparison_sheet, png
    from rollingball.plot.sheet import bounds
    from rollingball.scene import load_scene
    from rollingball.simulate import simulate
    from rollingball.trajectory_file import write_beside

    scene = load_scene(source, overrides)
    table = scene.compare
    if table is None or scene.ball is None or not isinstance(scene.ball.radius, (int, float)):
        raise InputError("$.compare", None, "a table [compare] with lr and duration, and one radius in [ball]")
    scene.check()
    writable(out)
    print(f"{scene.title or source}: new kernels take some seconds to compile, once", flush=True)
    surface, ball, start = scene.build_surface(), Ball(float(scene.ball.radius)), scene.ball.points()
    times = np.linspace(0, table.duration, table.frames)
    flow = simulate(
        surface, ball, IronedFlow(Dopri5(rtol=1e-9, atol=1e-11)),
        start=start, duration=table.duration, save_at=times, lift=scene.ball.lift,
    )  # fmt: skip
    flow.save(out / "flow.safetensors")
    runs = []
    for rate in sorted(table.lr, reverse=True):
        method = FootpointRBO(lr=rate, projection=GlobalProjection())
        steps = int(np.ceil(table.duration / rate - 1e-9))
        runs.append(simulate(surface, ball, method, start=start, steps=steps, lift=scene.ball.lift))
        runs[-1].save(out / f"lr-{rate:g}.safetensors")
    found = compare(runs, flow, tolerance=table.tolerance, on=table.on)
    print(found)
    found.save(out / "compare.json")
    if surface.dim <= 2:
        box = scene.plot.box if scene.plot else bounds([flow, *runs])
        write_beside(out / "compare.png", png(comparison_sheet(found, runs[0], flow, surface, box, scene.title)))
    print(f"  {out}/: flow and runs, compare.json" + (", compare.png" if surface.dim <= 2 else ""))


def writable(out: Path) -> None:
    """Make the folder and see that a file can be written into it, before anything is compiled."""
    from rollingball.trajectory_file import write_beside

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{out}: cannot be made a folder: {error.strerror or error}") from None
    probe = out / ".writable"
    write_beside(probe, b"")
    probe.unlink()
