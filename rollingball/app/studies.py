"""The commands iron, compare and sensitivity: each measures something of a scene and writes numbers and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollingball.core.errors import InputError

if TYPE_CHECKING:
    from rollingball.app.scene import Scene
    from rollingball.core.ball import Ball
    from rollingball.derivatives.sensitivity_field import SensitivityField
    from rollingball.runs.trajectory import Trajectory
    from rollingball.surfaces import Surface


def iron_scene(source: str, overrides: dict[str, str], out: Path) -> None:
    """Draw the ironed loss f_rho, the contacts and the relief Delta of a scene: iron.png, and the numbers in iron.json.

    Args:
        source: A scene with a table [iron] and a box in [plot]: a file, or the name of a shipped scene.
        overrides: Values of the scene by their dotted keys, as they were typed.
        out: The folder to write to, which this process locks.

    Raises:
        InputError: for a scene that cannot be used.
        FileError: when the folder cannot be written, or another process writes there.
    """
    from rollingball.app.scene import load_scene
    from rollingball.core.files import locked_folder, writable, write_beside
    from rollingball.plot import ironing_sheet, png

    scene = load_scene(source, overrides)
    if scene.iron is None or scene.plot is None:
        raise InputError("$.iron", None, "a table [iron] with radii, and a box in [plot]")
    scene.check()
    writable(out)
    with locked_folder(out):
        surface, box, table = scene.build_surface(), scene.plot.box, scene.iron.delta
        print(scene.title or source, flush=True)
        content: dict[str, Any] = {"box": box, "radii": scene.iron.radii}
        deltas, limits = relief(scene, surface)
        delta_radii = None if table is None else table.radii()
        if delta_radii is not None:
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


def relief(scene: Scene, surface: Surface) -> tuple[dict[str, Any], dict[str, float]]:
    """The relief Delta of a surface at the radii of [iron.delta], and the limit of radius x Delta, by graph."""
    from rollingball.geometry.ironing.delta import asymptote, delta

    assert scene.iron is not None  # checked
    assert scene.plot is not None
    table, box = scene.iron.delta, scene.plot.box
    if table is None:
        return {}, {}
    deltas = {graph: delta(surface, table.radii(), box, graph) for graph in table.graph}
    return deltas, {graph: asymptote(surface, box, graph) for graph in table.graph}


def compare_scene(source: str, overrides: dict[str, str], out: Path) -> None:
    """Compare Algorithm 1 at several learning rates with the flow of the ironed loss, its limit.

    The runs, compare.json and compare.png are written. Runs that an earlier comparison left there are deleted.

    Args:
        source: A scene with a table [compare] and one radius in [ball]: a file, or the name of a shipped scene.
        overrides: As for :func:`iron_scene`.
        out: As well.

    Raises:
        InputError: for a scene that cannot be used.
        FileError: when the folder cannot be written, or another process writes there.
    """
    import msgspec

    from rollingball.app.manifest import Manifest, digest_of
    from rollingball.app.scene import load_scene
    from rollingball.core.files import locked_folder, writable, write_beside
    from rollingball.plot import comparison_sheet, png
    from rollingball.plot.common.extent import bounds
    from rollingball.runs.compare import compare

    scene = load_scene(source, overrides)
    table = scene.compare
    if table is None:
        raise InputError("$.compare", None, "a table [compare] with lr and duration, and one radius in [ball]")
    scene.check()
    writable(out)
    with locked_folder(out):
        print(scene.title or source, flush=True)
        surface = scene.build_surface()
        flow = limit_flow(scene, surface)
        manifest = Manifest(out, msgspec.to_builtins(scene), [], [], digest_of(msgspec.to_builtins(scene)))
        manifest.marked(flow).save(out / "flow.safetensors")
        names = [f"lr-{rate:g}.safetensors" for rate in table.lr]
        for path in out.glob("lr-*.safetensors"):
            if path.name not in names:  # of another scene, rolled here before
                path.unlink(missing_ok=True)
        runs = []
        for rate in sorted(table.lr, reverse=True):
            runs.append(discrete_run(scene, surface, rate))
            manifest.marked(runs[-1]).save(out / f"lr-{rate:g}.safetensors")
        comparison = compare(runs, flow, tolerance=table.tolerance, on=table.on)
        print(comparison)
        comparison.save(out / "compare.json")
        box = scene.plot.box if scene.plot else bounds([flow, *runs])
        figure = comparison_sheet(comparison, runs[0], flow, surface, box, scene.title)
        write_beside(out / "compare.png", png(figure))
        print(f"  {out}/: flow and runs, compare.json, compare.png")


def _compared(scene: Scene) -> tuple[Ball, dict[str, Any]]:
    """The ball and the starts that every run of a comparison shares."""
    from rollingball.core.ball import Ball

    assert scene.ball is not None  # checked
    assert isinstance(scene.ball.radius, (int, float))
    shared = {"start": scene.ball.points(), "lift": scene.ball.lift}
    return Ball(float(scene.ball.radius)), shared


def limit_flow(scene: Scene, surface: Surface) -> Trajectory:
    """The flow of the ironed loss over the duration of [compare]: the limit of Algorithm 1."""
    import numpy as np

    from rollingball.methods import Dopri5, IronedFlow
    from rollingball.simulate import simulate

    assert scene.compare is not None  # checked
    ball, shared = _compared(scene)
    method, duration = IronedFlow(Dopri5(rtol=1e-9, atol=1e-11)), scene.compare.duration
    times = np.linspace(0, duration, scene.compare.frames)
    return simulate(surface, ball, method, duration=duration, save_at=times, **shared)


def discrete_run(scene: Scene, surface: Surface, rate: float) -> Trajectory:
    """Algorithm 1 with exact feet at one learning rate of [compare]."""
    from rollingball.geometry.foot.projection import GlobalProjection
    from rollingball.methods import FootpointRBO
    from rollingball.simulate import simulate

    assert scene.compare is not None  # checked
    ball, shared = _compared(scene)
    method = FootpointRBO(lr=rate, projection=GlobalProjection())
    return simulate(surface, ball, method, steps=scene.compare.steps(rate), **shared)


def sensitivity_scene(source: str, overrides: dict[str, str], out: Path) -> None:
    """Measure where neighbouring balls of a scene part: Lyapunov exponents, in sensitivity.json and sensitivity.png.

    Args:
        source: A scene with a table [sensitivity] and one run or more: a file, or the name of a shipped scene.
        overrides: As for :func:`iron_scene`.
        out: As well.

    Raises:
        InputError: for a scene that cannot be used, or a method without a derivative.
        FileError: when the folder cannot be written, or another process writes there.
    """
    from rollingball.app.scene import load_scene
    from rollingball.core.files import locked_folder, writable, write_beside
    from rollingball.derivatives.sensitivity_field import differentiable, sensitivity_field
    from rollingball.plot import png, sensitivity_sheet

    scene = load_scene(source, overrides)
    if scene.sensitivity is None:
        raise InputError("$.sensitivity", None, "a table [sensitivity], and one run or more")
    scene.check()
    cases = list(cases_of(scene))
    for _name, _radius, _ball, method, _options in cases:
        differentiable(method, scene.sensitivity.height)
    writable(out)
    with locked_folder(out):
        print(scene.title or source, flush=True)
        surface = scene.build_surface()
        box, counts = scene.sensitivity.starts(surface.dim, scene.plot)
        fields = {}
        print(f"{'Lyapunov exponents':<48}{'10 %':>9}{'median':>9}{'90 %':>9}{'largest':>9}{'above 0':>9}{'none':>6}")
        for name, radius, ball, method, options in cases:
            label = f"{name}, radius {radius:g}" if radius else name
            options["height"] = scene.sensitivity.height
            fields[label] = field = sensitivity_field(surface, ball, method, box, counts, **options)
            print(_rates(label, field), flush=True)
        content = {"box": box, "counts": counts, "fields": {label: _numbers(field) for label, field in fields.items()}}
        write_beside(out / "sensitivity.json", json.dumps(content).encode())
        write_beside(out / "sensitivity.png", png(sensitivity_sheet(fields, surface, scene.title)))
        print(f"  {out}/: sensitivity.json, sensitivity.png")


def cases_of(scene: Scene) -> Any:
    """The name, radius, ball, method and options for ``simulate`` of each run of a scene, at each of its radii."""
    import msgspec

    assert scene.ball is not None  # a scene with a run has one
    for run, name in zip(scene.run, scene.names(), strict=True):
        radii = run.radius if run.radius is not None else scene.ball.radius
        for radius in radii if isinstance(radii, list) else [radii]:
            one = msgspec.structs.replace(run, radius=radius)
            ball, method, options = msgspec.structs.replace(scene, run=[one]).arguments(0)
            rolling = {key: options[key] for key in options.keys() - {"start", "start_center", "every", "save_at"}}
            label_radius = radius if ball is not None and isinstance(radius, (int, float)) else None
            yield run.name or name, label_radius, ball, method, rolling
            if ball is None:
                break


def _rates(label: str, field: SensitivityField) -> str:
    """Two lines with quantiles of the exponents: from the derivative, and from how far neighbours end apart."""
    from rollingball.runs.words import percent

    lines = []
    for parting, how in ((False, "by derivative"), (True, "by neighbours")):
        rates = field.rates(parting)
        if rates["without"] < len(field.start):
            row = "".join(f"{rates[name]:9.3g}" for name in ("10 %", "median", "90 %", "largest"))
            lines.append(f"{label + ', ' + how:<48}{row}{percent(rates['share above 0']):>9}{rates['without']:>6}")
    if field.bound == field.bound:
        lines.append(f"  neighbours part at most at the rate {field.bound:.4g}, by the slopes of the contacts")
    return "\n".join(lines)


def _numbers(field: SensitivityField) -> dict[str, Any]:
    """A field of exponents as JSON data, with null for a number that is unknown or infinite."""
    import numpy as np

    def plain(values: Any) -> Any:
        return [number if np.isfinite(number) else None for number in np.ravel(values).tolist()]

    return {
        "time": field.time,
        "bound": plain(field.bound)[0],
        **{
            f"exponents, {name}": {key: plain(value)[0] for key, value in field.rates(parting).items()}
            for name, parting in (("derivative", False), ("neighbours", True))
        },
        "status": field.status.tolist(),
        "stretching": plain(field.stretching),
        "parting": plain(field.parting),
    }
